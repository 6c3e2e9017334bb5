//! Multipart uploads, which clients use for large objects.

use std::collections::BTreeMap;

use s3s::dto::*;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::Caller;
use super::bucket::{
    Bucket, NewVersion, ObjectHeaders, broken, condition, etag, failed, new_id, no_such_upload,
};
use super::digests::multipart_etag;
use super::events::ObjectChange;
use crate::limits::{OBJECT_BYTES, PART_BYTES_MIN, PARTS};
use crate::state::{Part, Upload};

type Answer<T> = S3Result<S3Response<T>>;

/// Starts an upload.
pub(super) async fn create(
    bucket: &Bucket,
    input: CreateMultipartUploadInput,
) -> Answer<CreateMultipartUploadOutput> {
    let about = ObjectHeaders::text(input.content_type, input.content_encoding, input.metadata)?;
    let upload = Upload {
        id: new_id(),
        bucket: bucket.id.clone(),
        key: input.key.clone(),
        about,
    };
    let id = upload.id.clone();
    if !bucket.state.begin_upload(upload).await.map_err(failed)? {
        return Err(s3_error!(
            SlowDown,
            "Too many uploads have begun and are not over."
        ));
    }
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        ..Default::default()
    }))
}

/// Stores a part.
pub(super) async fn upload(
    bucket: &Bucket,
    mut request: S3Request<UploadPartInput>,
) -> Answer<UploadPartOutput> {
    let number = request.input.part_number;
    if !(1..=PARTS).contains(&number) {
        let text = "Part number must be an integer between 1 and 10000, inclusive";
        return Err(s3_error!(InvalidArgument, "{text}"));
    }
    let (id, key) = (&request.input.upload_id, &request.input.key);
    open(bucket, id, key).await?;
    let body = request.input.body.take();
    let received = bucket.receive(&request, body).await?;
    let part = Part {
        number,
        file: received.file.clone(),
        size: received.digested.size,
        etag: received.digested.etag(),
    };
    let answer = UploadPartOutput {
        e_tag: Some(etag(&part.etag)),
        ..Default::default()
    };
    // The transaction continues even if the client closes the connection now, so the file must
    // stay.
    received.draft.keep();
    let left = bucket.state.add_part(request.input.upload_id, part).await;
    match left.map_err(failed)? {
        Some(file) if file == received.file => {
            bucket.files.remove(vec![file]).await;
            Err(no_such_upload())
        }
        left => {
            bucket.files.remove(left.into_iter().collect()).await;
            Ok(S3Response::new(answer))
        }
    }
}

/// Completes an upload: its parts become one version of its key.
pub(super) async fn complete(
    bucket: &Bucket,
    input: CompleteMultipartUploadInput,
    caller: Caller,
) -> Answer<CompleteMultipartUploadOutput> {
    let condition = condition(input.if_match, input.if_none_match)?;
    let (upload, parts) = open(bucket, &input.upload_id, &input.key).await?;
    let listed = input.multipart_upload.and_then(|list| list.parts);
    let chosen = select_parts(listed.unwrap_or_default(), &parts)?;
    let file = new_id();
    let names = chosen.iter().map(|part| part.file.clone()).collect();
    let joined = bucket.files.join(&file, names).await;
    // Another call may have completed the upload meanwhile and removed its parts.
    let draft = match joined {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(no_such_upload()),
        joined => joined.map_err(broken)?,
    };
    let etags = chosen.iter().map(|part| part.etag.as_str());
    let new = NewVersion {
        key: upload.key,
        about: upload.about,
        size: chosen.iter().map(|part| part.size).sum(),
        etag: multipart_etag(etags).ok_or_else(|| s3_error!(InternalError))?,
        condition,
        upload: Some(upload.id),
    };
    let version = bucket
        .store(new, (file, draft), caller, ObjectChange::Completed)
        .await?;
    let files = parts.into_iter().map(|part| part.file);
    bucket.files.remove(files.collect()).await;
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        e_tag: Some(etag(&version.etag)),
        key: Some(version.key),
        version_id: Some(version.id),
        ..Default::default()
    }))
}

/// Aborts an upload and removes its parts.
pub(super) async fn abort(
    bucket: &Bucket,
    input: AbortMultipartUploadInput,
) -> Answer<AbortMultipartUploadOutput> {
    let (upload, parts) = open(bucket, &input.upload_id, &input.key).await?;
    bucket.state.abort_upload(upload.id).await.map_err(failed)?;
    let files = parts.into_iter().map(|part| part.file);
    bucket.files.remove(files.collect()).await;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

async fn open(bucket: &Bucket, id: &str, key: &str) -> S3Result<(Upload, Vec<Part>)> {
    let upload = bucket
        .state
        .upload(bucket.id.clone(), id.to_owned(), key.to_owned())
        .await;
    upload.map_err(failed)?.ok_or_else(no_such_upload)
}

/// Returns the parts that the client lists. Fails where a part is missing, out of order or too
/// small, or where all parts together are too large.
fn select_parts(listed: Vec<CompletedPart>, parts: &[Part]) -> S3Result<Vec<&Part>> {
    let by_number: BTreeMap<i32, &Part> = parts.iter().map(|part| (part.number, part)).collect();
    let mut chosen: Vec<&Part> = Vec::with_capacity(listed.len());
    for part in listed {
        let number = part.part_number.unwrap_or_default();
        let found = by_number.get(&number).filter(|found| {
            let tag = part.e_tag.as_ref();
            tag.is_none_or(|tag| tag.value() == found.etag)
        });
        let found = found.ok_or_else(|| {
            s3_error!(
                InvalidPart,
                "One or more of the specified parts could not be found."
            )
        })?;
        if let Some(before) = chosen.last() {
            if before.number >= number {
                return Err(s3_error!(InvalidPartOrder));
            }
            if before.size < PART_BYTES_MIN {
                let text = "Your proposed upload is smaller than the minimum allowed size";
                return Err(s3_error!(EntityTooSmall, "{text}"));
            }
        }
        chosen.push(found);
    }
    if chosen.is_empty() {
        return Err(s3_error!(MalformedXML));
    }
    if chosen.iter().map(|part| part.size).sum::<u64>() > OBJECT_BYTES {
        return Err(s3_error!(EntityTooLarge));
    }
    Ok(chosen)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refused(listed: &[(i32, &str)]) -> Option<String> {
        let part = |number, size| Part {
            number,
            file: number.to_string(),
            size,
            etag: format!("e{number}"),
        };
        let parts = [part(1, PART_BYTES_MIN), part(2, 1), part(3, OBJECT_BYTES)];
        let listed = listed.iter().map(|(number, tag)| CompletedPart {
            e_tag: (!tag.is_empty()).then(|| etag(tag)),
            part_number: Some(*number),
            ..Default::default()
        });
        let chosen = select_parts(listed.collect(), &parts);
        chosen.err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn parts_must_be_there_in_order_and_of_some_size() {
        assert_eq!(refused(&[(1, "e1"), (2, "e2")]), None);
        assert_eq!(refused(&[(2, "")]), None);
        for (listed, code) in [
            (vec![], "MalformedXML"),
            (vec![(4, "")], "InvalidPart"),
            (vec![(1, "e2")], "InvalidPart"),
            (vec![(1, ""), (1, "")], "InvalidPartOrder"),
            (vec![(3, ""), (1, "")], "InvalidPartOrder"),
            (vec![(2, ""), (3, "")], "EntityTooSmall"),
            (vec![(1, ""), (3, "")], "EntityTooLarge"),
        ] {
            assert_eq!(refused(&listed).as_deref(), Some(code), "{listed:?}");
        }
    }
}

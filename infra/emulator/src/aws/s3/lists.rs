//! Lists of keys and of versions, in pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use s3s::dto::*;
use s3s::{S3Response, S3Result, s3_error};

use super::bucket::{Bucket, etag, failed, modified};
use crate::limits::LISTED_KEYS;
use crate::state::{ListRequest, Version};

type Answer<T> = S3Result<S3Response<T>>;

/// Lists the keys that have a current version.
pub(super) async fn objects(
    bucket: &Bucket,
    input: ListObjectsV2Input,
) -> Answer<ListObjectsV2Output> {
    let limit = page_limit(input.max_keys)?;
    let after = match &input.continuation_token {
        Some(token) => key_of(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let request = ListRequest {
        bucket: bucket.id.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone(),
        after,
        limit,
    };
    let listing = bucket.state.list(request).await.map_err(failed)?;
    let contents: Vec<Object> = listing.objects.into_iter().map(object).collect();
    let prefixes = listing.prefixes.into_iter().map(|prefix| CommonPrefix {
        prefix: Some(prefix),
    });
    let prefixes: Vec<CommonPrefix> = prefixes.collect();
    Ok(S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: input.prefix,
        delimiter: input.delimiter,
        start_after: input.start_after,
        max_keys: i32::try_from(limit).ok(),
        key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(listing.next.is_some()),
        next_continuation_token: listing.next.map(|key| BASE64.encode(key)),
        contents: Some(contents),
        common_prefixes: Some(prefixes),
        ..Default::default()
    }))
}

/// Lists versions, by key, and within a key the newest first.
pub(super) async fn versions(
    bucket: &Bucket,
    input: ListObjectVersionsInput,
) -> Answer<ListObjectVersionsOutput> {
    if input
        .delimiter
        .as_ref()
        .is_some_and(|text| !text.is_empty())
    {
        return Err(s3_error!(
            NotImplemented,
            "Versions are listed without a delimiter"
        ));
    }
    let limit = page_limit(input.max_keys)?;
    let behind = behind(bucket, &input).await?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let found = bucket
        .state
        .list_versions(bucket.id.clone(), prefix, behind, limit + 1)
        .await;
    let mut found = found.map_err(failed)?;
    let is_truncated = limit > 0 && found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| is_truncated);
    let next = last.map(|(version, _)| (version.key.clone(), version.id.clone()));
    let (marks, versions): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(version, _)| version.marker);
    Ok(S3Response::new(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: input.prefix,
        key_marker: input.key_marker,
        version_id_marker: input.version_id_marker,
        max_keys: i32::try_from(limit).ok(),
        is_truncated: Some(is_truncated),
        next_key_marker: next.as_ref().map(|(key, _)| key.clone()),
        next_version_id_marker: next.map(|(_, id)| id),
        versions: Some(versions.into_iter().map(object_version).collect()),
        delete_markers: Some(marks.into_iter().map(delete_marker).collect()),
        ..Default::default()
    }))
}

/// Returns the maximum number of entries of one page. A larger number than S3's limit is reduced to
/// it.
fn page_limit(asked: Option<i32>) -> S3Result<usize> {
    let Some(asked) = asked else {
        return Ok(LISTED_KEYS);
    };
    let asked = usize::try_from(asked)
        .map_err(|_| s3_error!(InvalidArgument, "max-keys must not be negative"))?;
    Ok(asked.min(LISTED_KEYS))
}

fn key_of(token: &str) -> S3Result<String> {
    let bytes = BASE64.decode(token).ok();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| {
        s3_error!(
            InvalidArgument,
            "The continuation token provided is incorrect"
        )
    })
}

/// Returns where a page of versions starts: after the version of this key with this number.
async fn behind(bucket: &Bucket, input: &ListObjectVersionsInput) -> S3Result<(String, i64)> {
    let key = input.key_marker.clone().unwrap_or_default();
    let Some(id) = &input.version_id_marker else {
        return Ok((key, 0));
    };
    let found = bucket
        .state
        .version(bucket.id.clone(), key.clone(), Some(id.clone()))
        .await;
    match found.map_err(failed)? {
        Some(version) => Ok((key, version.number)),
        None => Err(s3_error!(InvalidArgument, "Invalid version id marker")),
    }
}

fn object(version: Version) -> Object {
    Object {
        e_tag: Some(etag(&version.etag)),
        last_modified: Some(modified(&version)),
        size: i64::try_from(version.size).ok(),
        storage_class: Some(ObjectStorageClass::from_static(
            ObjectStorageClass::STANDARD,
        )),
        key: Some(version.key),
        ..Default::default()
    }
}

fn object_version((version, newest): (Version, bool)) -> ObjectVersion {
    let class = ObjectVersionStorageClass::from_static(ObjectVersionStorageClass::STANDARD);
    ObjectVersion {
        e_tag: Some(etag(&version.etag)),
        is_latest: Some(newest),
        last_modified: Some(modified(&version)),
        size: i64::try_from(version.size).ok(),
        storage_class: Some(class),
        key: Some(version.key),
        version_id: Some(version.id),
        ..Default::default()
    }
}

fn delete_marker((version, newest): (Version, bool)) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        is_latest: Some(newest),
        last_modified: Some(modified(&version)),
        key: Some(version.key),
        version_id: Some(version.id),
        ..Default::default()
    }
}

//! The S3 operations that the `aws` command, boto3 and the SDKs need to put, read, list and delete
//! objects. Any other operation is answered with `NotImplemented`.

use async_trait::async_trait;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::bucket::{
    Buckets, NewVersion, ObjectHeaders, broken, condition, condition_matches, etag, modified,
    unread,
};
use super::events::ObjectChange;
use super::{Caller, lists, parts};
use crate::arn::REGION;
use crate::limits::LISTED_KEYS;
use crate::state::{Condition, Version};

type Answer<T> = S3Result<S3Response<T>>;

/// Returns the sender of a request.
pub(super) fn caller<T>(request: &S3Request<T>) -> Caller {
    request.extensions.get().cloned().unwrap_or_default()
}

#[async_trait]
impl S3 for Buckets {
    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        let made = self.made().map_err(broken)?;
        let buckets = self.all().iter().map(|bucket| Bucket {
            bucket_region: Some(REGION.to_owned()),
            creation_date: Some(made.into()),
            name: Some(bucket.name.clone()),
        });
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(buckets.collect()),
            owner: Some(Owner::default()),
            ..Default::default()
        }))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.named(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(REGION.to_owned()),
            ..Default::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        self.named(&request.input.bucket)?;
        // S3 returns no location for the region us-east-1, which is the emulator's.
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> Answer<GetBucketVersioningOutput> {
        self.named(&request.input.bucket)?;
        let enabled = BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED);
        Ok(S3Response::new(GetBucketVersioningOutput {
            status: Some(enabled),
            ..Default::default()
        }))
    }

    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let bucket = self.named(&request.input.bucket)?;
        let body = request.input.body.take();
        let caller = caller(&request);
        let input = &mut request.input;
        let condition = condition(input.if_match.take(), input.if_none_match.take())?;
        let about = ObjectHeaders::text(
            input.content_type.take(),
            input.content_encoding.take(),
            input.metadata.take(),
        )?;
        let received = bucket.receive(&request, body).await?;
        let new = NewVersion {
            key: request.input.key,
            about,
            size: received.digested.size,
            etag: received.digested.etag(),
            condition,
            upload: None,
        };
        let file = (received.file, received.draft);
        let version = bucket.store(new, file, caller, ObjectChange::Put).await?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(etag(&version.etag)),
            version_id: Some(version.id),
            ..Default::default()
        }))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        let caller = caller(&request);
        let input = request.input;
        let bucket = self.named(&input.bucket)?;
        let CopySource::Bucket {
            bucket: from,
            key,
            version_id,
        } = input.copy_source
        else {
            return Err(s3_error!(
                NotImplemented,
                "The source of a copy must be a bucket"
            ));
        };
        let from = self.named(&from)?;
        let source = from.find(&key, version_id.map(Into::into)).await?;
        let replaces = input
            .metadata_directive
            .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
        let about = if replaces {
            ObjectHeaders::text(input.content_type, input.content_encoding, input.metadata)?
        } else {
            source.about.clone()
        };
        let file = super::bucket::new_id();
        let copied = bucket.files.join(&file, vec![source.id.clone()]).await;
        let draft = copied.map_err(unread)?;
        let new = NewVersion {
            key: input.key,
            about,
            size: source.size,
            etag: source.etag.clone(),
            condition: Condition::None,
            upload: None,
        };
        let version = bucket
            .store(new, (file, draft), caller, ObjectChange::Copied)
            .await?;
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                e_tag: Some(etag(&version.etag)),
                last_modified: Some(modified(&version)),
                ..Default::default()
            }),
            copy_source_version_id: Some(source.id),
            version_id: Some(version.id),
            ..Default::default()
        }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        let input = request.input;
        let bucket = self.named(&input.bucket)?;
        let version = bucket.find(&input.key, input.version_id).await?;
        check_conditions(input.if_match, input.if_none_match, &version)?;
        let range = match input.range {
            Some(range) => range.check(version.size)?,
            None => 0..version.size,
        };
        let content_range = input
            .range
            .map(|_| format!("bytes {}-{}/{}", range.start, range.end - 1, version.size));
        let about = ObjectHeaders::of(&version);
        let length = i64::try_from(range.end - range.start).map_err(broken)?;
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(bucket.content(&version, range).await?),
            content_length: Some(length),
            content_range,
            content_type: about.content_type,
            content_encoding: about.content_encoding,
            metadata: Some(about.metadata.into_iter().collect()),
            e_tag: Some(etag(&version.etag)),
            last_modified: Some(modified(&version)),
            version_id: Some(version.id),
            ..Default::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        let input = request.input;
        let bucket = self.named(&input.bucket)?;
        let version = bucket.find(&input.key, input.version_id).await?;
        check_conditions(input.if_match, input.if_none_match, &version)?;
        let about = ObjectHeaders::of(&version);
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: Some(i64::try_from(version.size).map_err(broken)?),
            content_type: about.content_type,
            content_encoding: about.content_encoding,
            metadata: Some(about.metadata.into_iter().collect()),
            e_tag: Some(etag(&version.etag)),
            last_modified: Some(modified(&version)),
            version_id: Some(version.id),
            ..Default::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> Answer<DeleteObjectOutput> {
        let caller = caller(&request);
        let DeleteObjectInput {
            bucket,
            key,
            version_id,
            ..
        } = request.input;
        let deleted = self
            .named(&bucket)?
            .delete(key, version_id.clone(), caller)
            .await?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted
                .as_ref()
                .filter(|version| version.marker)
                .map(|_| true),
            version_id: deleted.map(|version| version.id).or(version_id),
            ..Default::default()
        }))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> Answer<DeleteObjectsOutput> {
        let caller = caller(&request);
        let bucket = self.named(&request.input.bucket)?;
        let wanted = request.input.delete;
        if wanted.objects.len() > LISTED_KEYS {
            return Err(s3_error!(MalformedXML));
        }
        let mut deleted = Vec::new();
        for object in wanted.objects {
            let ObjectIdentifier {
                key, version_id, ..
            } = object;
            let gone = bucket.delete(key.clone(), version_id.clone(), caller.clone());
            let mark = gone.await?.filter(|version| version.marker);
            deleted.push(DeletedObject {
                key: Some(key),
                version_id,
                delete_marker: mark.as_ref().map(|_| true),
                delete_marker_version_id: mark.map(|mark| mark.id),
            });
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (wanted.quiet != Some(true)).then_some(deleted),
            ..Default::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> Answer<ListObjectsV2Output> {
        lists::objects(self.named(&request.input.bucket)?, request.input).await
    }

    async fn list_object_versions(
        &self,
        request: S3Request<ListObjectVersionsInput>,
    ) -> Answer<ListObjectVersionsOutput> {
        lists::versions(self.named(&request.input.bucket)?, request.input).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        parts::create(self.named(&request.input.bucket)?, request.input).await
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        parts::upload(self.named(&request.input.bucket)?, request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let caller = caller(&request);
        parts::complete(self.named(&request.input.bucket)?, request.input, caller).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        parts::abort(self.named(&request.input.bucket)?, request.input).await
    }
}

/// Checks the conditional headers of a read. Fails with `PreconditionFailed` or `NotModified`.
fn check_conditions(
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    version: &Version,
) -> S3Result<()> {
    if if_match.is_some_and(|condition| !condition_matches(&condition, version)) {
        return Err(super::bucket::precondition_failed());
    }
    if if_none_match.is_some_and(|condition| condition_matches(&condition, version)) {
        return Err(s3_error!(NotModified));
    }
    Ok(())
}

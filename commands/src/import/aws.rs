//! The bucket of order files and reports on S3.

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::get_object::GetObjectOutput,
    primitives::ByteStream,
};
use event_store::failure::describe;

use super::files::{Chunks, FileError, Files, Object};

/// A bucket in S3.
#[derive(Debug)]
pub struct S3Files {
    client: Client,
    bucket: String,
}

impl S3Files {
    /// The bucket with the name `bucket`, with a client made from `config`.
    pub fn new(config: &SdkConfig, bucket: String) -> Self {
        Self {
            client: Client::new(config),
            bucket,
        }
    }

    /// The bucket with the name `bucket`, with this client.
    pub fn with(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

#[async_trait]
impl Files for S3Files {
    fn bucket(&self) -> &str {
        &self.bucket
    }

    async fn open(&self, object: &Object, offset: u64) -> Result<Box<dyn Chunks>, FileError> {
        let if_match = match object.version_id {
            Some(_) => None,
            None => Some(format!("\"{}\"", object.etag)),
        };
        let opened = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&object.key)
            .set_version_id(object.version_id.clone())
            .set_if_match(if_match)
            // An empty object has no byte 0, and S3 refuses a range that begins after the end.
            .set_range((offset > 0).then(|| format!("bytes={offset}-")))
            .send()
            .await;
        match opened {
            Ok(output) => Ok(Box::new(Body::of(output))),
            Err(error) => match outcome(&error) {
                GetFailed::BehindTheEnd => Ok(Box::new(Body::default())),
                GetFailed::Gone => Err(FileError::Gone),
                GetFailed::Unavailable => Err(FileError::Unavailable(describe(&error))),
            },
        }
    }

    async fn get(&self, key: &str, most: usize) -> Result<Option<Vec<u8>>, FileError> {
        let got = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        let mut body = match got {
            Ok(output) => Body::of(output),
            Err(error) if outcome(&error) == GetFailed::Gone => return Ok(None),
            Err(error) => return Err(FileError::Unavailable(describe(&error))),
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await? {
            bytes.extend(chunk);
            if bytes.len() > most {
                return Ok(None);
            }
        }
        Ok(Some(bytes))
    }

    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), FileError> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(json))
            .send()
            .await;
        put.map(drop)
            .map_err(|error| FileError::Unavailable(describe(&error)))
    }
}

/// Why reading an object failed.
#[derive(Debug, PartialEq, Eq)]
enum GetFailed {
    Gone,
    BehindTheEnd,
    Unavailable,
}

fn outcome<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> GetFailed {
    let code = error.as_service_error().and_then(|error| error.code());
    match code {
        // The last two codes: the object is a delete marker, or another version has replaced it.
        Some("NoSuchKey" | "NoSuchVersion" | "MethodNotAllowed" | "PreconditionFailed") => {
            GetFailed::Gone
        }
        Some("InvalidRange") => GetFailed::BehindTheEnd,
        _ => GetFailed::Unavailable,
    }
}

/// The body of an answer, and the number of its bytes that have not arrived yet.
#[derive(Debug, Default)]
struct Body {
    stream: ByteStream,
    missing: u64,
}

impl Body {
    fn of(output: GetObjectOutput) -> Self {
        let length = output.content_length.unwrap_or_default();
        Self {
            stream: output.body,
            missing: u64::try_from(length).unwrap_or_default(),
        }
    }
}

#[async_trait]
impl Chunks for Body {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        match self.stream.next().await {
            Some(Ok(bytes)) => {
                self.missing = self.missing.saturating_sub(bytes.len() as u64);
                Ok(Some(bytes.to_vec()))
            }
            // The error describes the connection; it holds nothing of the body.
            Some(Err(error)) => Err(FileError::Unavailable(format!(
                "the connection broke off: {error}"
            ))),
            None if self.missing > 0 => {
                Err(FileError::Unavailable("the body ended early".to_owned()))
            }
            None => Ok(None),
        }
    }
}

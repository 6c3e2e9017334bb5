//! Objects of the environment's buckets, read as a whole, up to a size limit.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use event_store::failure::describe;

use crate::{environment::Environment, error::OperatorError, limits::OBJECT_BYTES_MAX};

impl Environment {
    /// A client of the environment's buckets.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        // Only AWS offers the bucket's name as a part of the host's name.
        let by_path = self.config.endpoint_url().is_some();
        let s3 = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(by_path);
        aws_sdk_s3::Client::from_conf(s3.build())
    }
}

/// Reads an object's content; `None` where there is no such object. Fails with `TooMany` where it
/// is larger than [`OBJECT_BYTES_MAX`].
pub(crate) async fn content(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    key: &str,
) -> Result<Option<Vec<u8>>, OperatorError> {
    let address = format!("s3://{bucket}/{key}");
    let got = match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(got) => got,
        Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
        Err(error) => return Err(call_error(&address, &error)),
    };
    if got.content_length.unwrap_or_default() > OBJECT_BYTES_MAX {
        let text = format!("{address} is larger than {OBJECT_BYTES_MAX} bytes");
        return Err(OperatorError::TooMany(text));
    }
    let content = got.body.collect().await;
    let cut = |_| OperatorError::Unavailable(format!("{address} could not be read completely"));
    Ok(Some(content.map_err(cut)?.to_vec()))
}

/// The error of a failed call: `what` names the resource that was asked for.
pub(crate) fn call_error<E: ProvideErrorMetadata, R>(
    what: &str,
    error: &SdkError<E, R>,
) -> OperatorError {
    OperatorError::of_call(format!("{what}: {}", describe(error)))
}

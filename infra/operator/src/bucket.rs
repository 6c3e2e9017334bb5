//! Objects of the environment's buckets, read whole within a limit.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use event_store::failure::describe;

use crate::{environment::Environment, error::OperatorError, limits::OBJECT_BYTES_MAX};

impl Environment {
    /// A client of its buckets.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        // A name in front of the host's is for AWS alone.
        let by_path = self.config.endpoint_url().is_some();
        let s3 = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(by_path);
        aws_sdk_s3::Client::from_conf(s3.build())
    }
}

/// An object's content; `None` where there is none.
pub(crate) async fn content(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    key: &str,
) -> Result<Option<Vec<u8>>, OperatorError> {
    let got = match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(got) => got,
        Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
        Err(error) => return Err(call_error("an object", &error)),
    };
    if got.content_length.unwrap_or_default() > OBJECT_BYTES_MAX {
        let text = format!("an object of more than {OBJECT_BYTES_MAX} bytes");
        return Err(OperatorError::TooMany(text));
    }
    let content = got.body.collect().await;
    let cut = |_| OperatorError::Unavailable("an object could not be read to its end".to_owned());
    Ok(Some(content.map_err(cut)?.to_vec()))
}

/// What a service has said no with.
pub(crate) fn said<E: ProvideErrorMetadata, R>(
    what: &str,
    error: &SdkError<E, R>,
) -> OperatorError {
    OperatorError::of_call(format!("{what}: {}", describe(error)))
}

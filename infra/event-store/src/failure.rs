//! Describes a failed AWS call for logs, without anything of its request or answer: a raw answer
//! can be a whole order, and logs hold no customer data.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// The service's error code where there is one, else the stage at which the call failed.
pub fn describe<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(failed) => {
            let code = failed.err().code().unwrap_or("an error without a code");
            format!("answered {code}")
        }
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(failed) => match failed.as_connector_error() {
            Some(connector) => format!("not sent: {connector}{}", causes(connector)),
            None => "not sent".to_owned(),
        },
        SdkError::ResponseError(_) => "an answer that cannot be read".to_owned(),
        SdkError::ConstructionFailure(_) => "a request that cannot be built".to_owned(),
        _ => "failed".to_owned(),
    }
}

/// The most causes of a failed connection that a description lists.
const CAUSES_MAX: usize = 5;

fn causes(error: &dyn Error) -> String {
    let mut described = String::new();
    let mut cause = error.source();
    for _ in 0..CAUSES_MAX {
        let Some(error) = cause else { break };
        described.push_str(&format!(": {error}"));
        cause = error.source();
    }
    described
}

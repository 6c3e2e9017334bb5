//! Where the HTTP API of an environment is, and whether it may be called there.

use http::Uri;
use operator::{OperatorError, Target};

/// Why there is no address to call.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The environment cannot be asked. Each reason has its own remedy.
    #[error(
        "{reason}\nWhere the HTTP API is, is asked of the environment {environment}. Is that its name, \
         do region and credentials lead to its account (`aws sts get-caller-identity`), and have they \
         the policy waybill-{environment}-console or -operator? With --api-url nobody is asked; the \
         local system is --local."
    )]
    Unreachable {
        /// The environment.
        environment: String,
        /// What was in the way.
        reason: OperatorError,
    },
    /// It was deployed before environments said so.
    #[error(
        "the environment {0} does not say where its HTTP API is: deploy it once more, or give \
         --api-url, the output ApiUrl of the stack waybill-{0}-service"
    )]
    NotPublished(String),
    /// It is no address of HTTP.
    #[error("--api-url {0}: it does not begin with https:// or http://, or names no host")]
    NotHttp(String),
    /// Whoever is between would read commands and credentials.
    #[error("--api-url {0}: without https only on this machine, or with --local")]
    NotEncrypted(String),
}

/// The address that the environment says, its stage included. It is read where an operator's command
/// reads the environment's settings: `lambda:GetFunctionConfiguration` of one function.
pub async fn of(target: &Target) -> Result<String, AddressError> {
    // It is large, and whoever waits for it would be, too.
    let reached = Box::pin(target.connect()).await;
    let environment = reached.map_err(|reason| AddressError::Unreachable {
        environment: target.environment.clone(),
        reason,
    })?;
    let said = environment.api_url().map(str::to_owned);
    said.ok_or_else(|| AddressError::NotPublished(target.environment.clone()))
}

/// Refuses what is no address, and to send a token or a signed command where others can read it.
pub fn check(url: &str, local: bool) -> Result<(), AddressError> {
    let uri: Option<Uri> = url.parse().ok();
    let parts = uri
        .as_ref()
        .and_then(|uri| uri.scheme_str().zip(uri.host()));
    match parts {
        Some(("https", _)) => Ok(()),
        Some(("http", host)) if local || is_this_machine(host) => Ok(()),
        Some(("http", _)) => Err(AddressError::NotEncrypted(url.to_owned())),
        _ => Err(AddressError::NotHttp(url.to_owned())),
    }
}

fn is_this_machine(host: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_encryption_nothing_leaves_this_machine() {
        let fine = |url, local| check(url, local).is_ok();
        assert!(fine(
            "https://a1.execute-api.eu-central-1.amazonaws.com/dev",
            false
        ));
        assert!(fine("http://127.0.0.1:4566/_aws/execute-api/a1/dev", false));
        assert!(fine("http://localhost:8080", false) && fine("http://[::1]:8080", false));
        for elsewhere in ["http://127.0.0.1.example.org", "http://a1.example.org/dev"] {
            let refused = check(elsewhere, false);
            assert!(
                matches!(refused, Err(AddressError::NotEncrypted(_))),
                "{elsewhere}"
            );
            assert!(fine(elsewhere, true));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in ["", "dev", "ftp://127.0.0.1", "https://", "127.0.0.1:8080"] {
            let refused = check(url, true);
            assert!(matches!(refused, Err(AddressError::NotHttp(_))), "{url}");
        }
    }
}

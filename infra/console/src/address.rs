//! The address of an environment's HTTP API, and the check that requests may be sent there.

use http::Uri;
use operator::{OperatorError, Target};

/// The reasons why there is no address that the console may send requests to.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The environment's settings cannot be read. `reason` says what to do about it.
    #[error(
        "{reason}\nThe address of the HTTP API is read from the settings of the environment \
         {environment}. Check its name, that region and credentials lead to its account (`aws sts \
         get-caller-identity`), and that they have the policy waybill-{environment}-console or \
         -operator. --api-url gives the address directly; --local is the local system."
    )]
    Unreachable {
        /// The name of the environment.
        environment: String,
        /// The error of the attempt to reach the environment.
        reason: OperatorError,
    },
    /// The environment's settings have no address: it was deployed by a version that did not store
    /// one.
    #[error(
        "the environment {0} does not say where its HTTP API is: deploy it once more, or give \
         --api-url, the output ApiUrl of the stack waybill-{0}-service"
    )]
    NotPublished(String),
    /// The text is not a URL with the scheme `http` or `https` and a host.
    #[error("--api-url {0}: it does not begin with https:// or http://, or names no host")]
    NotHttp(String),
    /// The URL has no encryption and leads to another machine: commands and credentials could be
    /// read on the way.
    #[error("--api-url {0}: without https only on this machine, or with --local")]
    NotEncrypted(String),
}

/// Returns the address of the HTTP API, including its stage, from the environment's settings. It is
/// read like the settings of an operator's command, by `lambda:GetFunctionConfiguration` of one
/// function.
pub async fn of(target: &Target) -> Result<String, AddressError> {
    // The future is large. Boxed, it does not make the caller's future large, too.
    let reached = Box::pin(target.connect()).await;
    let environment = reached.map_err(|reason| AddressError::Unreachable {
        environment: target.environment.clone(),
        reason,
    })?;
    let said = environment.api_url().map(str::to_owned);
    said.ok_or_else(|| AddressError::NotPublished(target.environment.clone()))
}

/// Fails where `url` is not an HTTP address, or would send a token or a signed command unencrypted
/// to another machine. With `local`, unencrypted HTTP is allowed to any host.
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

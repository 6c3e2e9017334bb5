//! Describes a failed AWS call for logs, without anything of its request or answer: a raw answer
//! can be a whole order, and logs hold no customer data. A description says as well whether AWS has
//! denied the call to these credentials ([`denial`]).

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// The service's error code where there is one, else the stage at which the call failed.
pub fn describe<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(failed) => {
            let error = failed.err();
            let code = error.code().unwrap_or("an error without a code");
            match error.message().and_then(action).filter(|_| denies(code)) {
                Some(action) => format!("answered {code} to {action}"),
                None => format!("answered {code}"),
            }
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

/// A call that AWS has denied to these credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What they may not do, as policies call it, such as `dynamodb:Query`; `None` where AWS does
    /// not say it.
    pub action: Option<String>,
}

/// The denial of which a text tells that holds what [`describe`] has said of a failed call; `None`
/// where that failed for another reason.
pub fn denial(description: &str) -> Option<Denial> {
    let mut answers = description.match_indices(ANSWERED);
    answers.find_map(|(at, _)| {
        let (code, rest) = word(&description[at + ANSWERED.len()..]);
        let action = rest.strip_prefix(" to ").map(|rest| word(rest).0);
        let action = action.filter(|action| is_action(action));
        denies(code).then(|| Denial {
            action: action.map(str::to_owned),
        })
    })
}

/// What stands before the code in a description.
const ANSWERED: &str = "answered ";

/// Does a service say with this code that a policy does not let these credentials? S3, SQS and
/// CloudWatch have `AccessDenied`, SNS `AuthorizationError`, the others `AccessDeniedException`,
/// each with a prefix where it is the key that they may not use.
fn denies(code: &str) -> bool {
    ["AccessDenied", "AccessDeniedException"]
        .iter()
        .any(|denied| code.ends_with(denied))
        || ["AuthorizationError", "AuthorizationErrorException"].contains(&code)
}

/// The action in a message such as `User: … is not authorized to perform: s3:GetObject on …`. Of
/// the message nothing else is told: it names resources, which may be customers'.
fn action(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("not authorized to perform: ")?;
    Some(word(rest).0).filter(|action| is_action(action))
}

/// `<service>:<action>`, as policies name it.
fn is_action(text: &str) -> bool {
    let part = |part: &str, allowed: fn(char) -> bool| {
        !part.is_empty() && part.len() <= ACTION_CHARACTERS_MAX && part.chars().all(allowed)
    };
    text.split_once(':').is_some_and(|(service, action)| {
        part(service, |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
        }) && part(action, |c| c.is_ascii_alphanumeric())
    })
}

/// The longest name of a service or of one of its actions that is taken for one.
const ACTION_CHARACTERS_MAX: usize = 64;

/// A text up to the end of its first word, and what follows.
fn word(text: &str) -> (&str, &str) {
    let inside = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
    let end = text.find(|c| !inside(c)).unwrap_or(text.len());
    let word = text[..end].trim_end_matches([':', '.']);
    (word, &text[word.len()..])
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use aws_sdk_dynamodb::error::ErrorMetadata;

    use super::*;

    fn described(code: &str, message: &str) -> String {
        let error = ErrorMetadata::builder().code(code).message(message).build();
        describe(&SdkError::service_error(error, ()))
    }

    const MESSAGE: &str = "User: arn:aws:sts::1:assumed-role/ann is not authorized to perform: \
                           s3:GetObject on resource: \"arn:aws:s3:::b/orders/ann.json\" because no …";

    #[test]
    fn who_is_denied_is_told_the_action_and_nothing_else_of_the_message() {
        let text = described("AccessDenied", MESSAGE);
        assert_eq!(text, "answered AccessDenied to s3:GetObject");
        let action = Some("s3:GetObject".to_owned());
        assert_eq!(denial(&text), Some(Denial { action }));
        let silent = described("AccessDenied", "Access Denied: orders/ann.json");
        assert_eq!(denial(&silent), Some(Denial { action: None }));
        assert!(!silent.contains("ann"));
    }

    #[test]
    fn every_service_has_its_own_word_for_it() {
        for code in [
            "AccessDenied",
            "AccessDeniedException",
            "KMS.AccessDeniedException",
            "AuthorizationError",
        ] {
            let wrapped = format!("the queue: {}: once more", described(code, MESSAGE));
            let action = denial(&wrapped).unwrap().action;
            assert_eq!(action.as_deref(), Some("s3:GetObject"), "{wrapped}");
        }
    }

    #[test]
    fn another_failure_is_no_denial() {
        for text in [
            described("ThrottlingException", MESSAGE),
            described("ExpiredTokenException", MESSAGE),
            described("", ""),
            "order AccessDenied".to_owned(),
            "timed out".to_owned(),
        ] {
            assert_eq!(denial(&text), None, "{text}");
            assert!(!text.contains("s3:"), "{text}");
        }
    }

    #[test]
    fn what_is_no_action_is_not_told() {
        for action in [
            "ann",
            "s3:",
            "S3:Get",
            "s3:<b>",
            &format!("s3:{}", "A".repeat(65)),
        ] {
            let text = described(
                "AccessDenied",
                &format!("not authorized to perform: {action} x"),
            );
            assert_eq!(text, "answered AccessDenied", "{action}");
        }
    }
}

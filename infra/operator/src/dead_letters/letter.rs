//! A dead letter of the stream: a batch that a consumer has failed to handle.

use std::fmt;

use lambda::{Names, Payload};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A consumer of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consumer {
    /// The function `project`: it writes the rows that follow from events.
    Project,
    /// The function `notify`: it sends the messages that follow from events.
    Notify,
}

impl Consumer {
    /// Both consumers.
    pub const ALL: [Self; 2] = [Self::Project, Self::Notify];

    /// The consumer's name, as it is a part of its function's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Notify => "notify",
        }
    }
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The members that are read of the record which Lambda writes to the failure destination of a
/// stream's consumer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailureRecord {
    request_context: RequestContext,
    /// The batch: JSON in a JSON string.
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    function_arn: String,
    /// Why Lambda has stopped trying, such as `RetryAttemptsExhausted`.
    #[serde(default)]
    condition: Option<String>,
}

/// A batch that a consumer has failed to handle.
#[derive(Debug)]
pub(crate) struct FailedBatch {
    pub(crate) consumer: Consumer,
    /// Why Lambda has stopped trying, such as `RetryAttemptsExhausted`.
    pub(crate) condition: Option<String>,
    /// The batch as the consumer was given it.
    pub(crate) batch: Payload,
}

/// Reads the content of a dead letter: the batch and its consumer. Fails with the reason where it
/// is not such a record or no consumer of this environment is named in it.
pub(crate) fn read(content: &[u8], names: &Names) -> Result<FailedBatch, String> {
    let unreadable = |_| "it is no record of a failed batch".to_owned();
    let letter: FailureRecord = serde_json::from_slice(content).map_err(unreadable)?;
    let arn = &letter.request_context.function_arn;
    // A version or an alias may follow the name.
    let function = arn.split(':').skip_while(|part| *part != "function").nth(1);
    let consumer = Consumer::ALL
        .into_iter()
        .find(|consumer| function == Some(&names.of(consumer.name())));
    let consumer =
        consumer.ok_or_else(|| format!("no consumer of this environment is called {arn}"))?;
    let batch = match serde_json::from_str::<String>(letter.payload.get()) {
        Ok(text) => RawValue::from_string(text).map_err(unreadable)?,
        Err(_) => letter.payload,
    };
    Ok(FailedBatch {
        consumer,
        condition: letter.request_context.condition,
        batch,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn letter(arn: &str, payload: &str) -> Result<(Consumer, String), String> {
        let letter = format!(
            r#"{{"requestContext":{{"functionArn":"{arn}"}},"version":"1.0","payload":{payload}}}"#
        );
        let read = read(letter.as_bytes(), &Names::new("dev").unwrap());
        read.map(|given_up| (given_up.consumer, given_up.batch.get().to_owned()))
    }

    #[test]
    fn a_letter_says_whose_it_is() {
        let arn = "arn:aws:lambda:us-east-1:1:function:waybill-dev-notify";
        let batch = || r#"{"Records":[]}"#.to_owned();
        let text = r#""{\"Records\":[]}""#;
        assert_eq!(letter(arn, text), Ok((Consumer::Notify, batch())));
        assert_eq!(letter(arn, &batch()), Ok((Consumer::Notify, batch())));
        let with_alias = "arn:aws:lambda:us-east-1:1:function:waybill-dev-project:live";
        assert_eq!(letter(with_alias, text), Ok((Consumer::Project, batch())));
        for foreign in [
            "arn:aws:lambda:us-east-1:1:function:waybill-prod-notify",
            "arn:aws:lambda:us-east-1:1:function:waybill-dev-bus",
            "",
        ] {
            assert!(letter(foreign, text).is_err(), "{foreign}");
        }
        assert!(letter(arn, r#""no JSON""#).is_err());
    }
}

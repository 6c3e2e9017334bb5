//! A dead letter of the stream: a batch that a consumer has given up.

use std::fmt;

use lambda::{Names, Payload};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A consumer of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consumer {
    /// It makes rows of events.
    Project,
    /// It makes messages of events.
    Notify,
}

impl Consumer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Project, Self::Notify];

    /// As it stands in its function's name.
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

/// What the failure destination of a stream's consumer writes, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailureRecord {
    request_context: RequestContext,
    /// The batch: JSON as text.
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    function_arn: String,
    /// Why Lambda gave it up, such as `RetryAttemptsExhausted`.
    #[serde(default)]
    condition: Option<String>,
}

/// A batch that was given up.
#[derive(Debug)]
pub(crate) struct FailedBatch {
    pub(crate) consumer: Consumer,
    /// Why Lambda gave it up, such as `RetryAttemptsExhausted`.
    pub(crate) condition: Option<String>,
    /// The batch, as the consumer got it.
    pub(crate) batch: Payload,
}

/// Whose batch it is, and the batch; or why nobody can say.
pub(crate) fn read(content: &[u8], names: &Names) -> Result<FailedBatch, String> {
    let unreadable = |_| "it is no record of a failed batch".to_owned();
    let letter: FailureRecord = serde_json::from_slice(content).map_err(unreadable)?;
    let arn = &letter.request_context.function_arn;
    // A version or an alias may stand behind the name.
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

//! What the stream's consumers have given up, taken up again: the objects of the bucket.

use std::collections::BTreeSet;

use domain::AggregateId;
use event_store::Commit;
use futures::{StreamExt, stream};
use lambda::{Names, Payload};
use projectors::{
    Projectors,
    batch::{Arrival, arrivals},
    notify,
    rebuild::{self, RebuildError},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    dead_letters::DeadLetters,
    limits::{OBJECTS_AT_ONCE, RETRIED_PAGES_MAX},
    outcome::OperatorError,
    retry::{Became, Consumer, Told},
    target::Environment,
};

/// Takes up what the stream's consumers have given up; of one of them alone, where one is named.
pub(crate) async fn objects(
    environment: &Environment,
    letters: &DeadLetters,
    only: Option<Consumer>,
    told: &mut Told,
) -> Result<(), OperatorError> {
    let mut after: Option<String> = None;
    for _ in 0..RETRIED_PAGES_MAX {
        let page = letters.objects(after.as_deref()).await?;
        let work = page
            .keys
            .iter()
            .map(|key| async move { (key.clone(), object(environment, letters, only, key).await) });
        let mut done = stream::iter(work).buffered(OBJECTS_AT_ONCE);
        while let Some((key, became)) = done.next().await {
            if let Some(became) = became {
                told.note("stream", key, became)?;
            }
        }
        drop(done);
        if !page.more {
            return Ok(());
        }
        after = page.keys.last().cloned();
    }
    Err(OperatorError::Said(
        "there are more objects than one retry takes: start it again".to_owned(),
    ))
}

/// `None` where it is of the other consumer, or gone meanwhile.
async fn object(
    environment: &Environment,
    letters: &DeadLetters,
    only: Option<Consumer>,
    key: &str,
) -> Option<Became> {
    let unreachable = |error: OperatorError| Some(Became::Unreachable(error.to_string()));
    let content = match letters.object(key).await {
        Ok(content) => content?,
        Err(error) => return unreachable(error),
    };
    let (consumer, batch) = match read(&content, &environment.names) {
        Ok(read) => read,
        Err(reason) => return Some(Became::Stays(reason)),
    };
    if only.is_some_and(|only| only != consumer) {
        return None;
    }
    let projectors = &environment.projectors;
    let arrivals = match arrivals(projectors, &batch) {
        Ok(arrivals) => arrivals,
        Err(error) => return Some(Became::Stays(error.to_string())),
    };
    let done = match consumer {
        Consumer::Project => project(projectors, arrivals).await,
        Consumer::Notify => announce(projectors, arrivals).await,
    };
    match done {
        Err(RebuildError::Corrupt(reason)) => Some(Became::Stays(reason)),
        Err(error) => Some(Became::Unreachable(error.to_string())),
        Ok(()) => match letters.delete_object(key).await {
            Ok(()) => Some(Became::Done),
            Err(error) => unreachable(error),
        },
    }
}

/// What the failure destination of a stream's consumer writes, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letter {
    request_context: RequestContext,
    /// The batch: JSON as text.
    payload: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    function_arn: String,
}

/// Whose batch it is, and the batch; or why nobody can say.
fn read(content: &[u8], names: &Names) -> Result<(Consumer, Payload), String> {
    let unreadable = |_| "it is no record of a failed batch".to_owned();
    let letter: Letter = serde_json::from_slice(content).map_err(unreadable)?;
    let arn = &letter.request_context.function_arn;
    // A version or an alias may stand behind the name.
    let function = arn.split(':').skip_while(|part| *part != "function").nth(1);
    let consumer = Consumer::ALL
        .into_iter()
        .find(|consumer| function == Some(&names.of(consumer.name())));
    let consumer =
        consumer.ok_or_else(|| format!("no consumer of this environment is called {arn}"))?;
    let payload = match serde_json::from_str::<String>(letter.payload.get()) {
        Ok(text) => RawValue::from_string(text).map_err(unreadable)?,
        Err(_) => letter.payload,
    };
    Ok((consumer, payload))
}

/// Makes the rows of every aggregate again that the batch names. All are tried; the first that
/// cannot be is the error.
async fn project(projectors: &Projectors, arrivals: Vec<Arrival>) -> Result<(), RebuildError> {
    let names: BTreeSet<String> = arrivals.into_iter().map(|one| one.aggregate).collect();
    let mut corrupt = Ok(());
    for name in names {
        let rebuilt = match name.parse::<AggregateId>() {
            Ok(id) => rebuild::aggregate(projectors, &id).await.map(drop),
            Err(_) => {
                let reason = format!("no order and no shipment: {name:?}");
                Err(RebuildError::Corrupt(reason))
            }
        };
        match rebuilt {
            Err(RebuildError::Corrupt(reason)) => {
                corrupt = corrupt.and(Err(RebuildError::Corrupt(reason)));
            }
            other => other?,
        }
    }
    corrupt
}

/// Announces exactly the commits that the batch brings. Those that can be are; the first that
/// cannot is the error.
async fn announce(projectors: &Projectors, arrivals: Vec<Arrival>) -> Result<(), RebuildError> {
    let mut unreadable = Ok(());
    let mut commits: Vec<Commit> = Vec::new();
    for arrival in arrivals {
        match arrival.commit {
            Ok(commit) => commits.push(commit),
            Err(reason) => {
                let (aggregate, sequence) = (arrival.aggregate, arrival.sequence);
                let reason = format!("{reason} (event {sequence} of {aggregate})");
                unreadable = unreadable.and(Err(RebuildError::Corrupt(reason)));
            }
        }
    }
    notify::commits(projectors, commits).await?;
    unreadable
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
        read.map(|(consumer, payload)| (consumer, payload.get().to_owned()))
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

//! Sends a text by one of the ways in. A command over HTTP whose answer is lost is sent again with
//! the same idempotency key, so it has one effect even if the first attempt was carried out.

use http::Method;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    Console,
    backend::{Answer, Backend as _, Call, NoAnswer},
    http_api::{Caller, HttpApi},
    limits::{SEND_AGAIN_AFTER, SEND_ATTEMPTS},
    links,
};

use super::{
    Playground,
    aws::AwsRequest,
    now,
    run::{Attempt, Experiment, Run, Seen},
    ways::{self, ORDERS, SHIPMENTS, Way},
};

/// A text to send.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The way in.
    pub way: Way,
    /// The text as the user wrote it.
    pub text: String,
    /// The id of the order that a command is about; empty for other ways.
    pub order: String,
    /// The idempotency key of a command.
    pub key: String,
    /// The fault that the run shows, where it is an experiment.
    pub experiment: Option<Experiment>,
}

/// Sends a text and returns the run with the answers, which can be followed.
pub async fn send(console: &Console, playground: &Playground, submission: Submission) -> Run {
    let id = Uuid::new_v4().simple().to_string();
    let id = id[..12].to_owned();
    let sent_at = now();
    let Submission {
        way,
        text,
        order,
        key,
        experiment,
    } = submission;
    // A file is named after its run.
    let named = match way {
        Way::File => format!("try-{id}"),
        _ => order.clone(),
    };
    let addresses = playground.addresses(console.about());
    let command = ways::command(way, &text, &named, &key, &addresses);
    let attempts = match way {
        Way::Order => over_http(console, "/orders".to_owned(), &key, &text).await,
        Way::Complete | Way::Cancel => {
            let path = format!("{}/{}", links::order(&order), way.slug());
            over_http(console, path, &key, &text).await
        }
        Way::Webhook => vec![attempt(webhook(console, playground, &text).await)],
        _ => vec![attempt(
            playground.put(aws_request(way, &text, &named)).await,
        )],
    };
    let subject = match way.needs_order() {
        true => Some(order.clone()),
        false => answered_id(&attempts).or_else(|| way.subject(&text)),
    };
    let mut search_terms: Vec<String> = subject.iter().cloned().collect();
    search_terms.extend(event_id(&attempts));
    if way == Way::File {
        search_terms.push(ways::file_key(&named));
    }
    let aggregate = subject.map(|id| match way.is_about_shipment() {
        true => format!("shipment#{id}"),
        false => format!("order#{id}"),
    });
    Run {
        aggregate: aggregate.and_then(|text| text.parse().ok()),
        id,
        way,
        text,
        order,
        command,
        experiment,
        sent_at,
        attempts,
        search_terms,
        seen: Seen::default(),
    }
}

fn aws_request(way: Way, text: &str, named: &str) -> AwsRequest {
    let event = |(source, detail_type): (&'static str, &'static str)| AwsRequest::Event {
        source,
        detail_type,
        detail: text.to_owned(),
    };
    match way {
        Way::Shipment => event(SHIPMENTS),
        Way::BusOrder => event(ORDERS),
        Way::File => AwsRequest::File {
            key: ways::file_key(named),
            text: text.to_owned(),
        },
        _ => AwsRequest::Invocation(text.to_owned()),
    }
}

async fn over_http(console: &Console, path: String, key: &str, text: &str) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for left in (0..SEND_ATTEMPTS).rev() {
        let call = Call {
            method: Method::POST,
            path: path.clone(),
            key: Some(key.to_owned()),
            version: None,
            body: Some(text.to_owned()),
        };
        let attempt = attempt(console.api().call(call).await);
        let again = attempt.status.is_none() && left > 0;
        attempts.push(attempt);
        if !again {
            break;
        }
        tokio::time::sleep(SEND_AGAIN_AFTER).await;
    }
    attempts
}

async fn webhook(
    console: &Console,
    playground: &Playground,
    text: &str,
) -> Result<Answer, NoAnswer> {
    let Some(sign) = &playground.sign else {
        return Err(NoAnswer::Lost("EasyPost has no secret here".to_owned()));
    };
    let (name, value) = sign(text);
    let api = HttpApi::new(&console.about().api_url, Caller::Header(name, value));
    let call = Call {
        method: Method::POST,
        path: "/carriers/easypost".to_owned(),
        key: None,
        version: None,
        body: Some(text.to_owned()),
    };
    api.call(call).await
}

fn attempt(answer: Result<Answer, NoAnswer>) -> Attempt {
    let (status, said) = match answer {
        Ok(answer) => (Some(answer.status), answer.body),
        Err(none) => (None, none.to_string()),
    };
    Attempt {
        at: now(),
        status,
        said,
    }
}

/// Returns the id in the answer, which Waybill gives to an order without one.
fn answered_id(attempts: &[Attempt]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Accepted {
        order_id: String,
    }
    let accepted: Accepted = serde_json::from_str(&attempts.last()?.said).ok()?;
    Some(accepted.order_id)
}

/// Returns the id that the bus gave to the event. Dead letters and notices about the event contain
/// it.
fn event_id(attempts: &[Attempt]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(&attempts.last()?.said).ok()?;
    let id = answer.pointer("/Entries/0/EventId")?.as_str()?;
    Some(id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_names_is_found() {
        let answered = |said: &str| {
            vec![Attempt {
                at: now(),
                status: Some(200),
                said: said.to_owned(),
            }]
        };
        let order = answered(r#"{"message":"Order placed","orderId":"a","version":1}"#);
        assert_eq!(answered_id(&order).as_deref(), Some("a"));
        let event = answered(r#"{"FailedEntryCount":0,"Entries":[{"EventId":"e-1"}]}"#);
        assert_eq!(event_id(&event).as_deref(), Some("e-1"));
        assert_eq!(event_id(&order), None);
        assert_eq!(answered_id(&answered("<html>")), None);
    }
}

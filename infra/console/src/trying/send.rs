//! Sends something by one of the ways in. A command over HTTP whose answer is lost is sent again
//! under the same key: so it has one effect, whatever became of the first.

use http::Method;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    Console,
    backend::{Answer, Backend as _, Call, NoAnswer},
    http_api::{Caller, HttpApi},
    limits::{SEND_AGAIN_AFTER, SEND_TRIES},
    links,
};

use super::{
    Playground,
    aws::Parcel,
    now,
    run::{Experiment, Run, Seen, Try},
    ways::{self, ORDERS, SHIPMENTS, Way},
};

/// What is to be sent.
#[derive(Debug, Clone)]
pub struct Letter {
    /// By which way.
    pub way: Way,
    /// The text, as it was written.
    pub text: String,
    /// The order that a command is about.
    pub order: String,
    /// A command's key.
    pub key: String,
    /// What it is to show.
    pub experiment: Option<Experiment>,
}

/// Sends it, and says what was answered, in a run that can be followed.
pub async fn send(console: &Console, playground: &Playground, letter: Letter) -> Run {
    let id = Uuid::new_v4().simple().to_string();
    let id = id[..12].to_owned();
    let sent_at = now();
    let Letter {
        way,
        text,
        order,
        key,
        experiment,
    } = letter;
    // A file is called by its run.
    let named = match way {
        Way::File => format!("try-{id}"),
        _ => order.clone(),
    };
    let places = playground.places(console.about());
    let command = ways::command(way, &text, &named, &key, &places);
    let tries = match way {
        Way::Order => over_http(console, "/orders".to_owned(), &key, &text).await,
        Way::Complete | Way::Cancel => {
            let path = format!("{}/{}", links::order(&order), way.slug());
            over_http(console, path, &key, &text).await
        }
        Way::Webhook => vec![tried(webhook(console, playground, &text).await)],
        _ => vec![tried(playground.put(parcel(way, &text, &named)).await)],
    };
    let subject = match way.wants_order() {
        true => Some(order.clone()),
        false => answered_id(&tries).or_else(|| way.subject(&text)),
    };
    let mut traces: Vec<String> = subject.iter().cloned().collect();
    traces.extend(event_id(&tries));
    if way == Way::File {
        traces.push(ways::file_key(&named));
    }
    let aggregate = subject.map(|id| match way.is_of_shipments() {
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
        tries,
        traces,
        seen: Seen::default(),
    }
}

fn parcel(way: Way, text: &str, named: &str) -> Parcel {
    let event = |(source, detail_type): (&'static str, &'static str)| Parcel::Event {
        source,
        detail_type,
        detail: text.to_owned(),
    };
    match way {
        Way::Shipment => event(SHIPMENTS),
        Way::BusOrder => event(ORDERS),
        Way::File => Parcel::File {
            key: ways::file_key(named),
            text: text.to_owned(),
        },
        _ => Parcel::Invocation(text.to_owned()),
    }
}

async fn over_http(console: &Console, path: String, key: &str, text: &str) -> Vec<Try> {
    let mut tries = Vec::new();
    for left in (0..SEND_TRIES).rev() {
        let call = Call {
            method: Method::POST,
            path: path.clone(),
            key: Some(key.to_owned()),
            version: None,
            body: Some(text.to_owned()),
        };
        let tried = tried(console.api().call(call).await);
        let again = tried.status.is_none() && left > 0;
        tries.push(tried);
        if !again {
            break;
        }
        tokio::time::sleep(SEND_AGAIN_AFTER).await;
    }
    tries
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

fn tried(answer: Result<Answer, NoAnswer>) -> Try {
    let (status, said) = match answer {
        Ok(answer) => (Some(answer.status), answer.body),
        Err(none) => (None, none.to_string()),
    };
    Try {
        at: now(),
        status,
        said,
    }
}

/// The id that an answer gives an order which came without one.
fn answered_id(tries: &[Try]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Accepted {
        order_id: String,
    }
    let accepted: Accepted = serde_json::from_str(&tries.last()?.said).ok()?;
    Some(accepted.order_id)
}

/// The id that the bus gave an event: what it leaves behind where it fails bears it.
fn event_id(tries: &[Try]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_str(&tries.last()?.said).ok()?;
    let id = answer.pointer("/Entries/0/EventId")?.as_str()?;
    Some(id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_names_is_found() {
        let answered = |said: &str| {
            vec![Try {
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

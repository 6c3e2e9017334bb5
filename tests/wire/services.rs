//! The services behind the proxy: the embedded DynamoDB, and a bus and a topic that answer for
//! every entry as EventBridge and SNS do.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard},
};

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::http::Message;

/// Returns the operation of a request, such as `PutItem`.
pub fn operation(request: &Message) -> String {
    match request.header("x-amz-target") {
        Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        None => form(request).remove("Action").unwrap_or_default(),
    }
}

/// The services of one account.
#[derive(Debug)]
pub struct Services {
    dynamodb: SocketAddr,
    accepted: Mutex<Accepted>,
}

/// The ids of the messages that the bus and the topic have accepted, repeats included.
#[derive(Debug, Clone, Default)]
pub struct Accepted {
    /// The ids of the events on the bus.
    pub events: Vec<String>,
    /// The ids of the alerts on the topic.
    pub alerts: Vec<String>,
}

impl Services {
    /// Returns services with the DynamoDB at this address.
    pub fn new(dynamodb: SocketAddr) -> Self {
        Self {
            dynamodb,
            accepted: Mutex::default(),
        }
    }

    /// Returns the messages accepted so far.
    pub fn accepted(&self) -> Accepted {
        self.state().clone()
    }

    fn state(&self) -> MutexGuard<'_, Accepted> {
        self.accepted.lock().unwrap()
    }

    /// Executes a request. Those of its entries fail whose bit is set in `failing`.
    pub async fn perform(&self, request: &Message, failing: u32) -> std::io::Result<Message> {
        match operation(request).as_str() {
            "PutEvents" => Ok(self.put_events(request, failing)),
            "PublishBatch" => Ok(self.publish_batch(request, failing)),
            _ => {
                let mut server = TcpStream::connect(self.dynamodb).await?;
                request.write(&mut server, true).await?;
                let answer = Message::read(&mut server).await?;
                answer.ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
            }
        }
    }

    fn put_events(&self, request: &Message, failing: u32) -> Message {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let mut answers = Vec::new();
        for (place, entry) in body["Entries"].as_array().unwrap().iter().enumerate() {
            answers.push(match fails(failing, place) {
                true => json!({ "ErrorCode": "InternalFailure", "ErrorMessage": "scripted" }),
                false => {
                    let detail: Value =
                        serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
                    let id = detail["id"].as_str().unwrap().to_owned();
                    self.state().events.push(id);
                    json!({ "EventId": format!("event-{place}") })
                }
            });
        }
        let failed = answers
            .iter()
            .filter(|answer| answer["ErrorCode"].is_string());
        let answer = json!({ "FailedEntryCount": failed.count(), "Entries": answers });
        Message::answer(200, "application/x-amz-json-1.1", answer.to_string())
    }

    fn publish_batch(&self, request: &Message, failing: u32) -> Message {
        let form = form(request);
        let (mut successful, mut failed) = (String::new(), String::new());
        for place in 0..10 {
            let entry = format!("PublishBatchRequestEntries.member.{}", place + 1);
            let Some(id) = form.get(&format!("{entry}.Id")) else {
                break;
            };
            if fails(failing, place) {
                failed.push_str(&format!(
                    "<member><Id>{id}</Id><Code>InternalFailure</Code>\
                     <SenderFault>false</SenderFault></member>"
                ));
                continue;
            }
            self.state().alerts.push(attribute(&form, &entry, "id"));
            successful.push_str(&format!(
                "<member><Id>{id}</Id><MessageId>m-{place}</MessageId></member>"
            ));
        }
        let answer = format!(
            "<PublishBatchResponse><PublishBatchResult><Successful>{successful}</Successful>\
             <Failed>{failed}</Failed></PublishBatchResult></PublishBatchResponse>"
        );
        Message::answer(200, "text/xml", answer)
    }
}

fn fails(failing: u32, place: usize) -> bool {
    failing >> place & 1 == 1
}

/// Returns the value of a message attribute of an entry.
fn attribute(form: &BTreeMap<String, String>, entry: &str, name: &str) -> String {
    let found = (1..=10).find_map(|number| {
        let attribute = format!("{entry}.MessageAttributes.entry.{number}");
        let named = form.get(&format!("{attribute}.Name"))? == name;
        form.get(&format!("{attribute}.Value.StringValue"))
            .filter(|_| named)
    });
    found.cloned().unwrap()
}

fn form(request: &Message) -> BTreeMap<String, String> {
    form_urlencoded::parse(&request.body).into_owned().collect()
}

/// Returns the answer by which the service of a request says that it throttles.
pub fn throttled(request: &Message) -> Message {
    error(
        request,
        400,
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
    )
}

/// Returns the answer by which the service reports an internal error. A 503 comes from a load
/// balancer before the service, in no protocol of the service.
pub fn broken(request: &Message, status: u16) -> Message {
    match status {
        503 => Message::answer(503, "text/html", "<html>Service Unavailable</html>"),
        _ => error(request, status, "InternalServerError", "InternalFailure"),
    }
}

/// Returns an error, whose name is `dynamodb` for DynamoDB and `others` for the other services.
fn error(request: &Message, status: u16, dynamodb: &str, others: &str) -> Message {
    let json = |code: &str| {
        let body = json!({ "__type": code, "message": "scripted" });
        Message::answer(status, "application/x-amz-json-1.0", body.to_string())
    };
    match request.header("x-amz-target") {
        Some(target) if target.starts_with("DynamoDB") => {
            json(&format!("com.amazonaws.dynamodb.v20120810#{dynamodb}"))
        }
        Some(_) => json(others),
        None => Message::answer(
            status,
            "text/xml",
            format!(
                "<ErrorResponse><Error><Code>{others}</Code><Message>scripted</Message></Error></ErrorResponse>"
            ),
        ),
    }
}

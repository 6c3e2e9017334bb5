//! The clients: how they send requests, and what follows from the answers.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use super::{persons::erase, *};
use crate::plan::carrier;

impl World {
    pub(super) fn send(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let planned = client.planned[0].clone();
        client.attempts += 1;
        if client.attempts == 1 {
            client.began_at = self.core.elapsed();
        }
        self.core
            .note(|| format!("client {number} sends {} {}", planned.path, planned.body));
        if matches!(planned.way, Way::Bus | Way::File) {
            client.planned.pop_front();
            client.attempts = 0;
            let (role, event) = match planned.way {
                Way::Bus => (commands::Role::Bus, update_event(&planned)),
                _ => (commands::Role::Import, self.upload(planned)),
            };
            let twice = self.core.strikes(Fault::Duplicate);
            for _ in 0..1 + usize::from(twice) {
                let delivery = Delivery {
                    event: event.clone(),
                    role,
                    attempts: 0,
                };
                self.platform.state().deliveries.push(delivery);
            }
            return;
        }
        client.waiting = true;
        let invocation = Invocation::of("request");
        if planned.way == Way::Carrier {
            let known = |text| (planned.aggregate.clone(), text);
            let mut scans = carrier::scans(&planned.body).into_iter().map(known);
            client.already_acknowledged = scans.all(|scan| self.acknowledged.contains(&scan));
            client.puts = 0;
        }
        // In a small world only the order of calls is a choice; each client has an instance of its
        // own.
        let instance = match self.core.coarse {
            true => number % INSTANCES,
            false => self.core.choose(INSTANCES),
        };
        let commands = self.commands[instance].clone();
        if planned.way == Way::Erase {
            if client.attempts == 1 {
                client.erasure = self.observed.erasures.len();
                self.note_erasure_request(&planned);
            }
            let handle = erase(commands, planned, self.core.defect);
            let job = Job::Client { client: number };
            self.running.push((job, Box::pin(handle)));
            return;
        }
        let (role, invocation, request) = match planned.way {
            Way::Carrier => (
                commands::Role::Carriers,
                invocation.by_gateway(),
                carrier::request(&planned, self.core.defect),
            ),
            Way::Http => (
                commands::Role::Api,
                invocation.by_gateway(),
                http_request(&planned),
            ),
            _ => {
                let mut order = planned.body.clone();
                order["commandId"] = planned.key.clone().into();
                (commands::Role::Invoke, invocation, order)
            }
        };
        let payload = payload(&request.to_string());
        if self.core.defect == Some(Defect::LeakyLog) {
            tracing::warn!(request = payload.get(), "a request came in");
        }
        let handle = async move { commands.handle(role, payload, &invocation).await };
        self.running
            .push((Job::Client { client: number }, Box::pin(handle)));
    }

    /// Uploads a file with the order of a request and a line that is no order. Returns the event by
    /// which S3 announces the upload.
    fn upload(&mut self, planned: PlannedRequest) -> String {
        let lines = format!("{}\n{MARKER} is no order\n", planned.body);
        let (kind, content) = match self.core.choose(3) {
            0 => ("jsonl", lines.into_bytes()),
            1 => ("jsonl", packed(lines.as_bytes())),
            _ => {
                let around = json!({ "orders": [planned.body, MARKER] });
                ("json", packed(around.to_string().as_bytes()))
            }
        };
        let key = format!("orders/{}.{kind}", planned.key);
        let object = self.files.upload(&key, content);
        let detail = json!({
            "bucket": { "name": BUCKET },
            "object": {
                "key": object.key, "etag": object.etag, "version-id": object.version_id,
                "sequencer": object.version(),
            },
        });
        let id = format!("upload/{key}/{}", object.version());
        self.observed.files.push(Uploaded {
            planned,
            object,
            report: None,
        });
        event(&id, "aws.s3", "Object Created", &detail.to_string())
    }

    pub(super) fn answered(&mut self, number: usize, answer: Answer) {
        let client = &mut self.clients[number];
        client.waiting = false;
        let settled = answer
            .ok()
            .map(|answer| status_and_body(&client.planned[0], &answer));
        let settled = settled.filter(|(status, _)| *status != 503);
        if settled.is_none() && client.attempts < CLIENT_ATTEMPTS {
            return;
        }
        client.attempts = 0;
        let Some(planned) = client.planned.pop_front() else {
            return;
        };
        let (already_acknowledged, puts, began_at) =
            (client.already_acknowledged, client.puts, client.began_at);
        let erasure = client.erasure;
        if let Some((status, body)) = settled {
            if planned.way == Way::Carrier && carrier::is_logged(status, &body) {
                let scans = carrier::scans(&planned.body).into_iter();
                let scans = scans.map(|text| (planned.aggregate.clone(), text));
                self.acknowledged.extend(scans);
            }
            if planned.way == Way::Erase && status == 200 {
                self.erasure_answered(erasure);
            }
            self.core
                .note(|| format!("client {number} is answered {status} {body}"));
            self.observed.answers.push(Answered {
                planned,
                status,
                body,
                already_acknowledged,
                puts,
                began_at,
            });
        }
    }
}

fn update_event(planned: &PlannedRequest) -> String {
    let detail = planned.body.to_string();
    event(
        &planned.key,
        "logistics.shipments",
        "Shipment Update",
        &detail,
    )
}

fn http_request(planned: &PlannedRequest) -> Value {
    let headers = json!({ "idempotency-key": planned.key, "content-type": "application/json" });
    post(&planned.path, headers, &planned.body.to_string())
}

/// Returns a `POST` as the HTTP API passes it to a Lambda.
pub(crate) fn post(path: &str, headers: Value, body: &str) -> Value {
    request("POST", path, headers, body)
}

/// Returns a request as the HTTP API passes it to a Lambda.
pub(super) fn request(method: &str, path: &str, headers: Value, body: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1",
                      "sourceIp": "127.0.0.1", "userAgent": "sim" },
            "requestId": "request", "stage": "$default", "timeEpoch": 0,
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

/// Returns status and body of an answer, of the HTTP API or of a direct invocation.
fn status_and_body(planned: &PlannedRequest, answer: &Value) -> (u16, String) {
    if matches!(planned.way, Way::Http | Way::Carrier | Way::Erase) {
        let status = answer["statusCode"].as_u64().unwrap_or(500) as u16;
        return (
            status,
            answer["body"].as_str().unwrap_or_default().to_owned(),
        );
    }
    match answer.get("error") {
        Some(error) => (
            error["status"].as_u64().unwrap_or(500) as u16,
            error.to_string(),
        ),
        None => (200, answer.to_string()),
    }
}

/// Returns the content compressed with gzip.
fn packed(content: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

//! The clients: how they send requests, and what follows from the answers.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use super::{persons::erase, *};
use crate::plan::carrier;

impl World {
    pub(super) fn send(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let wanted = client.wanted[0].clone();
        client.attempts += 1;
        if client.attempts == 1 {
            client.begun = self.core.elapsed();
        }
        self.core
            .note(|| format!("client {number} sends {} {}", wanted.path, wanted.body));
        if matches!(wanted.way, Way::Bus | Way::File) {
            client.wanted.pop_front();
            client.attempts = 0;
            let (role, event) = match wanted.way {
                Way::Bus => (commands::Role::Bus, update_event(&wanted)),
                _ => (commands::Role::Import, self.upload(wanted)),
            };
            let twice = self.core.strikes(Fault::Duplicate);
            for _ in 0..1 + usize::from(twice) {
                let delivery = Delivery {
                    event: event.clone(),
                    role,
                    attempts: 0,
                };
                self.platform.kept().deliveries.push(delivery);
            }
            return;
        }
        client.waiting = true;
        let invocation = Invocation::of("request");
        if wanted.way == Way::Carrier {
            let known = |text| (wanted.aggregate.clone(), text);
            let mut scans = carrier::scans(&wanted.body).into_iter().map(known);
            client.known = scans.all(|scan| self.acknowledged.contains(&scan));
            client.puts = 0;
        }
        // In a small world only the order of calls is a choice; each client has an instance of its
        // own.
        let instance = match self.core.coarse {
            true => number % INSTANCES,
            false => self.core.choose(INSTANCES),
        };
        let commands = self.commands[instance].clone();
        if wanted.way == Way::Erase {
            if client.attempts == 1 {
                client.asked = self.observed.asked.len();
                self.asks(&wanted);
            }
            let handle = erase(commands, wanted, self.core.defect);
            let job = Job::Client { client: number };
            self.running.push((job, Box::pin(handle)));
            return;
        }
        let (role, invocation, request) = match wanted.way {
            Way::Carrier => (
                commands::Role::Carriers,
                invocation.by_gateway(),
                carrier::request(&wanted, self.core.defect),
            ),
            Way::Http => (
                commands::Role::Api,
                invocation.by_gateway(),
                http_request(&wanted),
            ),
            _ => {
                let mut order = wanted.body.clone();
                order["commandId"] = wanted.key.clone().into();
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
    fn upload(&mut self, wanted: Wanted) -> String {
        let lines = format!("{}\n{MARKER} is no order\n", wanted.body);
        let (kind, content) = match self.core.choose(3) {
            0 => ("jsonl", lines.into_bytes()),
            1 => ("jsonl", packed(lines.as_bytes())),
            _ => {
                let around = json!({ "orders": [wanted.body, MARKER] });
                ("json", packed(around.to_string().as_bytes()))
            }
        };
        let key = format!("orders/{}.{kind}", wanted.key);
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
            wanted,
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
            .map(|answer| status_and_body(&client.wanted[0], &answer));
        let settled = settled.filter(|(status, _)| *status != 503);
        if settled.is_none() && client.attempts < CLIENT_ATTEMPTS {
            return;
        }
        client.attempts = 0;
        let Some(wanted) = client.wanted.pop_front() else {
            return;
        };
        let (known, puts, begun) = (client.known, client.puts, client.begun);
        let asked = client.asked;
        if let Some((status, body)) = settled {
            if wanted.way == Way::Carrier && carrier::is_logged(status, &body) {
                let scans = carrier::scans(&wanted.body).into_iter();
                let scans = scans.map(|text| (wanted.aggregate.clone(), text));
                self.acknowledged.extend(scans);
            }
            if wanted.way == Way::Erase && status == 200 {
                self.is_erased(asked);
            }
            self.core
                .note(|| format!("client {number} is answered {status} {body}"));
            self.observed.answers.push(Answered {
                wanted,
                status,
                body,
                known,
                puts,
                begun,
            });
        }
    }
}

fn update_event(wanted: &Wanted) -> String {
    let detail = wanted.body.to_string();
    event(
        &wanted.key,
        "logistics.shipments",
        "Shipment Update",
        &detail,
    )
}

fn http_request(wanted: &Wanted) -> Value {
    let headers = json!({ "idempotency-key": wanted.key, "content-type": "application/json" });
    post(&wanted.path, headers, &wanted.body.to_string())
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
fn status_and_body(wanted: &Wanted, answer: &Value) -> (u16, String) {
    if matches!(wanted.way, Way::Http | Way::Carrier | Way::Erase) {
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

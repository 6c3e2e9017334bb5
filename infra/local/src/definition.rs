//! The definition of Waybill for the emulator: its functions, tables, rules and so on, as the
//! stacks in `infra/cdk/` provision them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use emulator::arn::ACCOUNT;
use emulator::definition::{
    Access, Bucket, Definition, Function, KmsKey, Queue, Refusal, Schedule, StreamConsumer,
};
use lambda::Names;
use lambda::http::Problem;
use serde_json::value::RawValue;

use crate::functions::{Functions, Role, RoleHandler};
use crate::limits::{BATCH_RECORDS, RECORD_ATTEMPTS, WATCH_EVERY};
use crate::rules::Bus;
use crate::{Settings, alarms, routes, rules, tables, variables};

/// The roles that read the event store's stream.
const STREAM_READERS: [Role; 2] = [Role::Project, Role::Notify];

/// The ids, in the emulator's state, of the bucket of order files and reports, and of the bucket of
/// records that the stream's readers have given up.
const ORDERS: &str = "orders";
const DEAD_LETTERS: &str = "dead-letters";

/// The beginning of the sources of Waybill's own events.
const OWN_SOURCES: &str = "waybill.";

/// The source of events from webhooks of carriers.
const CARRIERS_SOURCE: &str = "waybill.carriers";

/// Returns the name of the queue of dead letters.
pub fn dead_letter_queue(names: &Names) -> String {
    names.of(DEAD_LETTERS)
}

/// Returns the definition of an environment. Its functions get `function_settings`, and the key of
/// personal data lies in the file `personal_data_key`. Fails where the description of the tables
/// cannot be read.
pub fn of(
    settings: &Settings,
    function_settings: &lambda::Settings,
    functions: Arc<dyn Functions>,
    personal_data_key: PathBuf,
) -> Result<Definition, serde_json::Error> {
    let names = &function_settings.names;
    let variables = variables::of(function_settings);
    let function = |role: Role| Function {
        id: role.name().to_owned(),
        name: names.of(role.name()),
        timeout: role.timeout(),
        reserved_concurrency: role.reserved_concurrency(),
        variables: variables.clone(),
        handler: Arc::new(RoleHandler {
            functions: Arc::clone(&functions),
            role,
        }),
    };
    Ok(Definition {
        environment: names.environment().to_owned(),
        functions: Role::ALL.into_iter().map(function).collect(),
        tables: tables::of(
            names,
            function_settings.shards,
            &function_settings.read_models,
        )?,
        stream_consumers: stream_consumers(names),
        buses: vec![Bus::Waybill.name(names)],
        rules: rules::of(names),
        kept_sources: vec![OWN_SOURCES.to_owned()],
        schedules: vec![Schedule {
            function: Role::Watch.name().to_owned(),
            every: WATCH_EVERY,
            input: RawValue::NULL.to_owned(),
        }],
        topics: vec![names.alerts()],
        alarms: alarms::of(names, &dead_letter_queue(names)),
        dead_letter_queue: queue(names),
        buckets: buckets(names),
        kms_keys: vec![KmsKey {
            alias: names.personal_data_key(),
            file: personal_data_key,
        }],
        http_api: routes::of(names),
        access: access(settings),
    })
}

fn stream_consumers(names: &Names) -> Vec<StreamConsumer> {
    let consumer = |role: Role| StreamConsumer {
        function: role.name().to_owned(),
        table: names.events(),
        batch_size: BATCH_RECORDS,
        attempts: RECORD_ATTEMPTS,
        failure_bucket: DEAD_LETTERS.to_owned(),
    };
    STREAM_READERS.into_iter().map(consumer).collect()
}

/// Returns the queue of dead letters with the function that a dead letter belongs to, by the source
/// of its event: the import for S3, the function of webhooks for a carrier, and the function behind
/// the bus for all others.
fn queue(names: &Names) -> Queue {
    let sender = |source: &str, role: Role| (source.to_owned(), role.name().to_owned());
    Queue {
        name: dead_letter_queue(names),
        senders: BTreeMap::from([
            sender("aws.s3", Role::Import),
            sender(CARRIERS_SOURCE, Role::Carriers),
        ]),
        other_sender: Role::Bus.name().to_owned(),
    }
}

fn buckets(names: &Names) -> Vec<Bucket> {
    vec![
        Bucket {
            id: ORDERS.to_owned(),
            name: names.orders_bucket(ACCOUNT),
            event_bridge: true,
        },
        Bucket {
            id: DEAD_LETTERS.to_owned(),
            name: names.dead_letters_bucket(ACCOUNT),
            event_bridge: false,
        },
    ]
}

fn access(settings: &Settings) -> Access {
    let refusal = |code, message: &str| Refusal {
        content_type: "application/problem+json".to_owned(),
        body: Problem::new(403, code, message).to_json().to_string(),
    };
    Access {
        hosts: settings.allow_host.clone(),
        origins: settings.cors_origin.clone(),
        foreign_host: refusal(
            "foreign_host",
            "this system answers to the names of its own machine only; another one is allowed by \
             --allow-host",
        ),
        foreign_origin: refusal(
            "foreign_origin",
            "pages of other origins are not answered; --cors-origin allows one for the HTTP API",
        ),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use async_trait::async_trait;
    use clap::Parser;
    use lambda::{Answer, Invocation, Payload};

    use super::*;

    struct Nothing;

    #[async_trait]
    impl Functions for Nothing {
        async fn call(&self, _: Role, _: Payload, _: &Invocation) -> Answer {
            Ok(serde_json::Value::Null)
        }
    }

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }

    fn waybill() -> Definition {
        let settings = Arguments::parse_from(["waybill"]).settings;
        let function_settings = lambda::Settings::read(|name| match name {
            "WAYBILL_ENV" => Some("dev".to_owned()),
            "WAYBILL_ALERTS_ARN" | "WAYBILL_DEAD_LETTERS_URL" | "WAYBILL_BUCKET" => {
                Some("any".to_owned())
            }
            _ => None,
        });
        let functions = Arc::new(Nothing);
        of(
            &settings,
            &function_settings.unwrap(),
            functions,
            "any.key".into(),
        )
        .unwrap()
    }

    #[test]
    fn waybill_holds_together() {
        assert_eq!(waybill().check(), Ok(()));
    }

    /// Existing data folders are read by these names.
    #[test]
    fn what_the_state_calls_functions_and_buckets_stays() {
        let waybill = waybill();
        let buckets: Vec<&str> = waybill.buckets.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(buckets, ["orders", "dead-letters"]);
        let functions: Vec<&str> = waybill.functions.iter().map(|it| it.id.as_str()).collect();
        let names = [
            "api", "invoke", "bus", "import", "carriers", "project", "notify", "query", "rebuild",
            "watch",
        ];
        assert_eq!(functions, names);
    }
}

//! A toy system for the tests of this crate: a library.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{
    Alarm, Bucket, Definition, Function, HttpApi, Index, Key, KmsKey, Queue, Route, Rule, Schedule,
    StreamConsumer, Table,
};
use crate::function::{Answer, Context, Handler, Payload};
use crate::measured::{Metric, Statistic};

/// The name of the table of books.
pub(crate) const BOOKS: &str = "toy-library-books";

/// The name of the bucket that sends events.
pub(crate) const SCANS: &str = "toy-scans-000000000000";

struct Silent;

#[async_trait]
impl Handler for Silent {
    async fn invoke(&self, _: Payload, _: &Context) -> Answer {
        Ok(Value::Null)
    }
}

/// Creates a function that does nothing.
pub(crate) fn function(id: &str) -> Function {
    Function {
        id: id.to_owned(),
        name: format!("toy-{id}"),
        timeout: Duration::from_secs(30),
        reserved_concurrency: None,
        variables: BTreeMap::from([("SHELVES".to_owned(), "7".to_owned())]),
        handler: Arc::new(Silent),
    }
}

/// Creates a key attribute that holds text.
pub(crate) fn key(name: &str) -> Key {
    Key {
        name: name.to_owned(),
        kind: "S".to_owned(),
    }
}

/// Creates an index that contains these attributes besides its keys.
pub(crate) fn index(name: &str, partition: &str, sort: &str, shown: Option<&[&str]>) -> Index {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Index {
        name: name.to_owned(),
        partition_key: key(partition),
        sort_key: key(sort),
        include: shown.map(owned),
    }
}

/// The only table of the library.
pub(crate) fn books() -> Table {
    Table {
        name: BOOKS.to_owned(),
        partition_key: key("isbn"),
        sort_key: None,
        indexes: vec![
            index("AuthorIndex", "author", "title", None),
            index("ShelfIndex", "shelf", "title", Some(&["lent", "author"])),
        ],
        stream: Some("NEW_AND_OLD_IMAGES".to_owned()),
    }
}

fn rule(name: &str, bus: &str, pattern: &str, target: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        bus: bus.to_owned(),
        pattern: pattern.to_owned(),
        target: target.to_owned(),
    }
}

/// The definition of the library: books on shelves, lent at a desk.
pub(crate) fn library() -> Definition {
    let loans = r#"{ "source": ["library.loans"], "detail-type": ["Book Lent"] }"#;
    let scans = r#"{
        "source": ["aws.s3"], "detail-type": ["Object Created"],
        "detail": { "bucket": { "name": ["toy-scans-000000000000"] },
                    "object": { "key": [{ "prefix": "pages/" }] } }
    }"#;
    let mut scan = function("scan");
    scan.reserved_concurrency = Some(4);
    let bucket = |id: &str, event_bridge| Bucket {
        id: id.to_owned(),
        name: format!("toy-{id}-000000000000"),
        event_bridge,
    };
    Definition {
        environment: "toy".to_owned(),
        functions: vec![
            function("shelve"),
            function("lend"),
            function("desk"),
            scan,
            function("remind"),
        ],
        tables: vec![books()],
        stream_consumers: vec![StreamConsumer {
            function: "shelve".to_owned(),
            table: BOOKS.to_owned(),
            batch_size: 100,
            attempts: 10,
            failure_bucket: "failures".to_owned(),
        }],
        buses: vec!["toy-bus".to_owned()],
        rules: vec![
            rule("loans", "toy-bus", loans, "lend"),
            rule("loans-default", "default", loans, "lend"),
            rule("scans", "default", scans, "scan"),
        ],
        kept_sources: vec!["library.".to_owned()],
        schedules: vec![Schedule {
            function: "remind".to_owned(),
            every: Duration::from_secs(3_600),
            input: RawValue::NULL.to_owned(),
        }],
        topics: vec!["toy-notices".to_owned()],
        alarms: vec![Alarm {
            name: "toy-unwanted".to_owned(),
            description: "Loans were refused.".to_owned(),
            metric: Metric::new("Library", "Refused", &[("Branch", "toy")]),
            statistic: Statistic::Sum,
            period: Duration::from_secs(60),
            periods: 1,
            threshold: 1,
            above: false,
            topic: Some("toy-notices".to_owned()),
        }],
        dead_letter_queue: Queue {
            name: "toy-dead-letters".to_owned(),
            senders: BTreeMap::from([("aws.s3".to_owned(), "scan".to_owned())]),
            other_sender: "lend".to_owned(),
        },
        buckets: vec![bucket("scans", true), bucket("failures", false)],
        kms_keys: vec![KmsKey {
            alias: "alias/toy-readers".to_owned(),
            file: "toy-readers.keys".into(),
        }],
        http_api: HttpApi {
            stage: "toy".to_owned(),
            routes: vec![Route {
                method: "GET".to_owned(),
                path: "/books/{isbn}".to_owned(),
                function: "desk".to_owned(),
            }],
            default_function: None,
            alias: Some("gateway".to_owned()),
            ..HttpApi::default()
        },
        ..Definition::default()
    }
}

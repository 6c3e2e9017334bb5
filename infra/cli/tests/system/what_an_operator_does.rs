//! The crate `operator` as a console uses it: return values and progress, on a system with wrong
//! rows, parked orders and dead letters.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use local::System;
use operator::folder::Start;
use operator::messages::Channel;
use operator::retry::{LetterId, Retried, Selection};
use operator::rows::{Difference, Finding, FindingKind, Options, WholeRun};
use operator::{Environment, Kind, OperatorError, Progress, Stage, Target};
use operator::{announce, dead_letters, history, retry, rows};
use serde_json::{Value, json};

use crate::support::{Folder, eventually};

const ORDERS: usize = 40;

/// Records all progress. Where `stops_at_comparing` is set, it asks for a stop as soon as rows are
/// compared.
#[derive(Default)]
struct Recorded {
    stages: Mutex<Vec<(Stage, u64, u64)>>,
    ended: AtomicU64,
    advanced: AtomicU64,
    findings: Mutex<Vec<Finding>>,
    differences: Mutex<Vec<Difference>>,
    retried: Mutex<Vec<Retried>>,
    stops_at_comparing: AtomicBool,
}

impl Progress for Recorded {
    fn begins(&self, stage: Stage, done: u64, total: u64) {
        self.stages.lock().unwrap().push((stage, done, total));
    }

    fn advances(&self, by: u64) {
        self.advanced.fetch_add(by, Ordering::Relaxed);
    }

    fn ends(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    fn finds(&self, finding: &Finding) {
        self.findings.lock().unwrap().push(finding.clone());
    }

    fn differs(&self, difference: &Difference) {
        self.differences.lock().unwrap().push(difference.clone());
    }

    fn retries(&self, retried: &Retried) {
        self.retried.lock().unwrap().push(retried.clone());
    }

    fn stopped(&self) -> bool {
        let comparing = |(stage, ..): &(Stage, u64, u64)| *stage == Stage::Comparing;
        self.stops_at_comparing.load(Ordering::Relaxed)
            && self.stages.lock().unwrap().iter().any(comparing)
    }
}

/// A system with orders, with clients for it.
struct World {
    system: System,
    environment: Environment,
    config: aws_config::SdkConfig,
    folder: Folder,
}

impl World {
    async fn start() -> Self {
        let folder = Folder::new();
        let mut settings = folder.settings();
        settings.data = folder.path().join("data");
        let system = System::start(&settings).await.unwrap();
        let target = Target {
            environment: "test".to_owned(),
            endpoint: Some(format!("http://{}", system.aws())),
        };
        let environment = target.connect().await.unwrap();
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(target.endpoint.unwrap())
            .region(aws_config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_dynamodb::config::Credentials::for_tests())
            .load()
            .await;
        let world = Self {
            system,
            environment,
            config,
            folder,
        };
        let http = reqwest::Client::new();
        for number in 0..ORDERS {
            let order = json!({
                "orderId": format!("O-{number}"), "items": [{ "name": "Lamp", "quantity": 1, "price": 5 }]
            });
            let url = format!("http://{}/orders", world.system.api());
            let answer = http.post(url).json(&order).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
        let all_there = async || {
            let id = format!("order#O-{}", ORDERS - 1).parse().unwrap();
            let verified = rows::verify_one(&world.environment, &id, 0).await;
            verified.is_ok_and(|(summary, _)| summary.findings.is_empty())
        };
        eventually("every order has its row", all_there).await;
        world
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// Writes another customer into the row of an order, which so becomes wrong.
    async fn spoil(&self, id: &str) {
        let update = self.dynamodb().update_item();
        let update = update
            .table_name("waybill-test-processed-orders")
            .key("orderId", AttributeValue::S(id.to_owned()))
            .update_expression("SET customerId = :c")
            .expression_attribute_values(":c", AttributeValue::S("somebody else".to_owned()));
        update.send().await.unwrap();
    }

    fn state(&self, kind: Kind) -> PathBuf {
        operator::folder::run_folder(self.folder.path(), kind.name(), "test")
    }
}

fn member(row: &Option<projectors::ports::Row>, name: &str) -> Option<Value> {
    let value = row.as_ref()?.get(name)?;
    Some(serde_json::to_value(value).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finding_brings_both_rows_and_a_run_is_stopped_seen_and_gone_on_with() {
    let world = World::start().await;
    let environment = &world.environment;
    for id in ["O-3", "O-7", "O-9"] {
        world.spoil(id).await;
    }
    let price = rows::price(environment, None).await.unwrap();
    assert!(price.read_units > 0, "{price:?}");

    // The run is stopped where it begins to compare.
    let options = Options {
        max_differences: 2,
        ..Options::new(Kind::Verify, world.state(Kind::Verify))
    };
    let run = WholeRun::begin(environment, &options).await.unwrap();
    assert_eq!(run.start(), Start::Anew);
    let stopping = Recorded::default();
    stopping.stops_at_comparing.store(true, Ordering::Relaxed);
    let stopped = run.finish(&stopping).await;
    assert!(
        matches!(stopped, Err(OperatorError::Stopped)),
        "{stopped:?}"
    );
    assert_eq!(
        stopping.ended.load(Ordering::Relaxed),
        2,
        "each stage that begins also ends"
    );

    // Its progress can be read.
    let running = rows::running(&options.folder).unwrap().unwrap();
    assert_eq!(
        (running.kind, running.stage),
        (Kind::Verify, Stage::Comparing)
    );
    assert_eq!((running.done, running.total), (0, 16));
    assert!(running.saved.is_some());
    assert_eq!(running.summary.commits, ORDERS as u64);
    let shown = operator::status::status(environment, world.folder.path())
        .await
        .unwrap();
    assert_eq!(shown.unfinished.len(), 1);

    // It is resumed, and does not read again what it has already read.
    let run = WholeRun::begin(environment, &options).await.unwrap();
    assert!(
        matches!(run.start(), Start::Resumed { .. }),
        "{:?}",
        run.start()
    );
    let recorded = Recorded::default();
    let done = run.finish(&recorded).await.unwrap();
    let stages = recorded.stages.lock().unwrap().clone();
    let [(Stage::Gathering, gathered, _), (Stage::Comparing, 0, 16)] = stages[..] else {
        panic!("{stages:?}");
    };
    assert_eq!(gathered, 2 * ORDERS as u64, "commits and rows of before");
    assert_eq!(recorded.advanced.load(Ordering::Relaxed), 16);
    let named: Vec<&str> = done.findings.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(named, ["O-3", "O-7", "O-9"]);
    assert_eq!(recorded.findings.lock().unwrap().len(), 3);

    // As many findings as were asked for have both rows.
    assert_eq!(done.differences.len(), 2);
    let told = recorded.differences.lock().unwrap().len();
    assert_eq!(told, 2);
    for difference in &done.differences {
        assert_eq!(difference.finding.kind, FindingKind::Different);
        let is = member(&difference.stored, "customerId");
        assert_eq!(is, Some("somebody else".into()));
        assert_eq!(member(&difference.expected, "customerId"), None);
        let id = Some(Value::from(difference.finding.id.as_str()));
        assert_eq!(member(&difference.stored, "orderId"), id);
        assert_eq!(member(&difference.expected, "orderId"), id);
    }
    assert_eq!(rows::running(&options.folder).unwrap(), None);

    // A rebuild reports what it corrects, with the rows as they were.
    let options = Options {
        max_differences: 10,
        ..Options::new(Kind::Rebuild, world.state(Kind::Rebuild))
    };
    let run = WholeRun::begin(environment, &options).await.unwrap();
    let rebuilt = run.finish(&()).await.unwrap();
    assert_eq!((rebuilt.counted.written, rebuilt.differences.len()), (3, 3));
    let id = "order#O-3".parse().unwrap();
    let (verified, _) = rows::verify_one(environment, &id, 5).await.unwrap();
    assert_eq!((verified.findings, verified.differences), (vec![], vec![]));
    world.spoil("O-3").await;
    let (verified, _) = rows::verify_one(environment, &id, 5).await.unwrap();
    assert_eq!(verified.differences.len(), 1);
    let nobody = "order#NOBODY".parse().unwrap();
    let nothing = rows::verify_one(environment, &nobody, 5).await;
    assert!(
        matches!(nothing, Err(OperatorError::NotFound(_))),
        "{nothing:?}"
    );
    world.system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_says_which_messages_it_makes() {
    let world = World::start().await;
    let environment = &world.environment;
    let http = reqwest::Client::new();
    let url = format!("http://{}/shipments/S-1/updates", world.system.api());
    for status in ["IN_TRANSIT", "LOST"] {
        let update = json!({ "status": status });
        let answer = http.post(&url).json(&update).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    let id = "shipment#S-1".parse().unwrap();
    let history = history::history(environment, &id, None).await.unwrap();
    assert_eq!(history.events.len(), 2);
    let event = &history.events[1];
    let made: Vec<(&str, Channel)> = event
        .messages
        .iter()
        .map(|message| (message.detail_type.as_str(), message.channel))
        .collect();
    let expected = [
        ("Shipment Status Changed", Channel::Bus),
        ("Shipment Alert", Channel::Bus),
        ("Shipment Alert", Channel::Topic),
    ];
    assert_eq!(made, expected);
    assert_eq!(event.messages[0].to, "waybill-test");
    assert!(event.messages[2].to.ends_with(":waybill-test-alerts"));
    assert_eq!(
        event.messages[0].id,
        "shipment#S-1/2/Shipment Status Changed"
    );
    assert!(event.version.is_some() && event.actor.is_some() && event.causation_id.is_some());

    // Announcing would send the same messages.
    let preview = announce::preview(environment, &id, 2).await.unwrap();
    assert_eq!(preview.messages, event.messages);
    let announced = announce::one(environment, &id, 2).await.unwrap();
    assert_eq!((announced.from_sequence, announced.to_sequence), (2, 2));
    for from in [3, 9] {
        let nothing = announce::preview(environment, &id, from).await;
        assert!(
            matches!(nothing, Err(OperatorError::NotFound(_))),
            "{nothing:?}"
        );
        let nothing = announce::one(environment, &id, from).await;
        assert!(
            matches!(nothing, Err(OperatorError::NotFound(_))),
            "{nothing:?}"
        );
    }
    world.system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stuck_is_listed_and_retried_one_by_one() {
    let world = World::start().await;
    let environment = &world.environment;
    let (sqs, s3) = (queue(&world), bucket(&world));
    let url = environment.settings().dead_letters_url.clone();
    let event = |shipment: &str| {
        json!({
            "version": "0", "id": shipment, "detail-type": "Shipment Update",
            "source": "logistics.shipments", "account": "000000000000",
            "time": "2026-03-01T08:00:00Z", "region": "us-east-1", "resources": [],
            "detail": { "shipmentId": shipment, "status": "IN_TRANSIT", "location": "Elm Street 7" }
        })
        .to_string()
    };
    let mut ids = Vec::new();
    for shipment in ["S-1", "S-2"] {
        let send = sqs.send_message().queue_url(&url);
        let sent = send.message_body(event(shipment)).send().await.unwrap();
        ids.push(sent.message_id.unwrap());
    }
    let key = "aws/lambda/1/shardId-1/2026/03/01/broken";
    let put = s3
        .put_object()
        .bucket("waybill-test-dead-letters-000000000000");
    let put = put.key(key).body(b"no letter".to_vec().into());
    put.send().await.unwrap();

    // A list says what each dead letter is about, and shows nothing else of its content.
    let look = dead_letters::queue(environment, 10).await.unwrap();
    let mut about: Vec<_> = look.letters.iter().map(|one| one.about.clone()).collect();
    about.sort();
    let update = "logistics.shipments: Shipment Update";
    assert_eq!(about, [["shipment#S-1", update], ["shipment#S-2", update]]);
    assert_eq!((look.more, look.hidden), (false, 0));
    let listed = serde_json::to_string(&look).unwrap();
    assert!(!listed.contains("Elm Street"), "{listed}");
    let page = dead_letters::stream_page(environment, None, 10)
        .await
        .unwrap();
    assert_eq!((page.letters.len(), page.next), (1, None));
    assert_eq!(page.letters[0].id, LetterId::Stream(key.to_owned()));
    assert!(
        page.letters[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("no record")
    );

    // Only `payload` returns the content, and to read it removes nothing.
    let first = LetterId::Message(ids[0].clone());
    let payload = dead_letters::payload(environment, &first).await.unwrap();
    assert_eq!(payload, event("S-1"));
    let depth = operator::status::status(environment, world.folder.path())
        .await
        .unwrap();
    assert_eq!(depth.dead_letters.messages, 2);

    // Single dead letters are retried.
    let retried = retry::one_letter(environment, &first).await.unwrap();
    assert!(retried.done && retried.name == ids[0], "{retried:?}");
    let id = "shipment#S-1".parse().unwrap();
    assert!(history::history(environment, &id, None).await.is_ok());
    let again = retry::one_letter(environment, &first).await;
    assert!(
        matches!(again, Err(OperatorError::NotFound(_))),
        "{again:?}"
    );
    let broken = LetterId::Stream(key.to_owned());
    let stays = retry::one_letter(environment, &broken);
    assert!(!stays.await.unwrap().done);
    let nothing = retry::one_parked(environment, "notify", "order#O-1").await;
    assert!(
        matches!(nothing, Err(OperatorError::NotFound(_))),
        "{nothing:?}"
    );

    // The others are retried, and each result is reported as the report contains it.
    let recorded = Recorded::default();
    let report = retry::all(environment, &Selection::default(), &recorded)
        .await
        .unwrap();
    assert_eq!((report.done, report.stays), (1, 1));
    assert_eq!(report.retried, *recorded.retried.lock().unwrap());
    let id = "shipment#S-2".parse().unwrap();
    assert!(history::history(environment, &id, None).await.is_ok());
    world.system.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_parked_aggregate_is_resumed_alone() {
    let world = World::start().await;
    let environment = &world.environment;
    let dynamodb = world.dynamodb();
    for (consumer, order) in [("notify", "O-1"), ("notify", "O-2"), ("project", "O-1")] {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let number = |number: u32| AttributeValue::N(number.to_string());
        let put = dynamodb.put_item().table_name("waybill-test-parked");
        let put = put
            .item("id", text(&format!("{consumer}#order#{order}")))
            .item("consumer", text(consumer))
            .item("aggregate", text(&format!("order#{order}")))
            .item("since", text("2026-03-01T08:00:00.000Z"))
            .item("code", text("panic"))
            .item("sequence", number(1))
            .item("version", number(1));
        put.send().await.unwrap();
    }
    let page = operator::parked::page(environment, None).await.unwrap();
    assert_eq!((page.parked.len(), page.next), (3, None));
    let after = operator::parked::page(environment, Some("notify#order#O-1")).await;
    assert!(after.unwrap().parked.len() < 3);
    let retried = retry::one_parked(environment, "notify", "order#O-1")
        .await
        .unwrap();
    assert_eq!(
        (retried.done, retried.name.as_str()),
        (true, "notify order#O-1")
    );
    let left = operator::parked::all(environment).await.unwrap();
    let mut left: Vec<String> = left
        .into_iter()
        .map(|one| format!("{} {}", one.consumer, one.aggregate))
        .collect();
    left.sort();
    assert_eq!(left, ["notify order#O-2", "project order#O-1"]);
    world.system.stop().await;
}

fn queue(world: &World) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&world.config)
}

fn bucket(world: &World) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(&world.config).force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}

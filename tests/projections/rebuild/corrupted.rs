//! Rows that somebody has changed, removed or inserted by hand: each is reported as what it is, and
//! repaired.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use domain::{Json, Number};
use event_store::EventStore;
use projectors::{
    Projectors, Role,
    aws::DynamoDbRows,
    ports::{Row, Table},
    rebuild::{
        finding::{Finding, FindingKind},
        sweep::Sweep,
    },
    row::{to_item, version},
};
use support::{embedded::Embedded, stream::batch};

use super::whole::{Done, fill, filled, rebuild, rows, unhurried, verify};
use crate::World;

/// The expected findings, by table and key.
pub type Found = BTreeMap<(Table, [String; 2]), Finding>;

fn number(text: &str) -> Json {
    Json::Number(text.parse::<Number>().unwrap())
}

fn finding(table: Table, row: &Row, wrong: FindingKind) -> Finding {
    let [id, entry] = table.key_of(row);
    Finding {
        table: table.suffix().to_owned(),
        id,
        entry: (table == Table::ShipmentLog).then_some(entry),
        kind: wrong,
        stored: None,
        expected: None,
    }
}

/// Draws an attribute of a row that is neither part of its key nor its version.
fn any_attribute(random: &mut fastrand::Rng, table: Table, row: &Row) -> String {
    let fixed = |name: &&String| table.key_names().contains(&name.as_str()) || *name == "version";
    let names: Vec<&String> = row.keys().filter(|name| !fixed(name)).collect();
    names[random.usize(..names.len())].clone()
}

/// Draws a change of a row by hand: the changed row, or none where it is removed; what is wrong
/// about it; and the version that a finding must name. Returns `None` where the row is left as it
/// is.
fn tampered(
    random: &mut fastrand::Rng,
    table: Table,
    row: &Row,
) -> Option<(Option<Row>, FindingKind, Option<u64>)> {
    let due = version(row);
    let mut other = row.clone();
    let attribute = any_attribute(random, table, row);
    let mut versioned = |json: Json, seen: u64, wrong: FindingKind| {
        other.insert("version".to_owned(), json);
        Some((Some(other.clone()), wrong, Some(seen)))
    };
    match random.u8(..13) {
        0 => return Some((None, FindingKind::Missing, None)),
        1 => return versioned((due + 1).into(), due + 1, FindingKind::Different),
        2 => return versioned(999_u64.into(), 999, FindingKind::Different),
        3 => return versioned((due - 1).into(), due - 1, FindingKind::Stale),
        // A version that no projection writes counts as 0.
        4 => return versioned("three".into(), 0, FindingKind::Stale),
        5 => return versioned(number("1000000.5"), 0, FindingKind::Stale),
        6 => return versioned(number("-7"), 0, FindingKind::Stale),
        7 => return versioned(number("9e99"), 0, FindingKind::Stale),
        8 => {
            other.remove("version");
            return Some((Some(other), FindingKind::Stale, Some(0)));
        }
        9 => drop(other.insert(attribute, "changed".into())),
        10 => drop(other.remove(&attribute)),
        11 => drop(other.insert("invented".to_owned(), Json::Null)),
        _ => return None,
    }
    Some((Some(other), FindingKind::Different, Some(due)))
}

/// Draws rows that follow from no event: of orders and shipments that do not exist or have invalid
/// ids, and rows before, between and after the rows that exist.
fn invented(random: &mut fastrand::Rng, there: &[(Table, Row)]) -> Vec<(Table, Row)> {
    let mut invented = Vec::new();
    let long = "x".repeat(1_000);
    for id in ["never", "a b", "#", "order#A-1", "naïve/…", "%00\n", &long] {
        if random.bool() {
            let table = Table::ProcessedOrders;
            invented.push((table, table.key(id, "")));
        }
        for entry in ["CURRENT", "2024-01-15T10:00:00.000Z#000001", "\u{1}"] {
            if random.bool() {
                let table = Table::ShipmentLog;
                invented.push((table, table.key(id, entry)));
            }
        }
    }
    for number in 0..7 {
        let id = format!("SHIP-{number}");
        for entry in ["0", "2024-01-15T09:00:00.000Z#000900", "CURRENT ", "~~~"] {
            if random.bool() {
                invented.push((Table::ShipmentLog, Table::ShipmentLog.key(&id, entry)));
            }
        }
    }
    // Copies of existing rows, under another key.
    for (table, row) in there {
        if random.u8(..4) == 0 {
            let mut copy = row.clone();
            copy.extend(match table {
                Table::ShipmentLog => table.key("SHIP-1", &format!("copy {}", random.u32(..))),
                _ => table.key(&format!("copy-{}", random.u32(..)), ""),
            });
            invented.push((*table, copy));
        }
    }
    for (_, row) in &mut invented {
        match random.u8(..4) {
            0 => drop(row.insert("version".to_owned(), random.u64(..9).into())),
            1 => drop(row.insert("version".to_owned(), "?".into())),
            _ => {}
        }
    }
    invented
}

/// Changes, removes and inserts random rows by hand. Returns the expected findings.
pub async fn tamper(projectors: &Projectors, random: &mut fastrand::Rng) -> Found {
    let mut found = Found::new();
    let right = rows(projectors).await;
    for (table, row) in invented(random, &right) {
        let mut finding = finding(table, &row, FindingKind::Superfluous);
        finding.stored = Some(version(&row));
        found.insert((table, table.key_of(&row)), finding);
        projectors.rows.put(table, row).await.unwrap();
    }
    for (table, row) in right {
        let Some((other, wrong, there)) = tampered(random, table, &row) else {
            continue;
        };
        let mut finding = finding(table, &row, wrong);
        (finding.stored, finding.expected) = (there, Some(version(&row)));
        found.insert((table, table.key_of(&row)), finding);
        match other {
            Some(other) => projectors.rows.put(table, other).await.unwrap(),
            None => projectors.rows.remove(table, row).await.unwrap(),
        }
    }
    found
}

/// Returns the expected findings, sorted.
fn named(found: &Found) -> Vec<Finding> {
    let mut findings: Vec<Finding> = found.values().cloned().collect();
    findings.sort();
    findings
}

fn assert_counts(done: &Done, found: &Found) {
    let of = |wrong| found.values().filter(|one| one.kind == wrong).count() as u64;
    let counted = &done.counted;
    assert_eq!(counted.missing, of(FindingKind::Missing));
    assert_eq!(counted.stale, of(FindingKind::Stale));
    assert_eq!(counted.superfluous, of(FindingKind::Superfluous));
    assert_eq!(counted.different, of(FindingKind::Different));
    assert_eq!(counted.wrong(), found.len() as u64);
}

/// Verifies, repairs and verifies again, and checks the findings.
async fn all_is_named_and_mended(projectors: &Projectors, right: &[(Table, Row)], found: &Found) {
    let wrong = rows(projectors).await;
    let verified = verify(projectors).await;
    assert_eq!(verified.findings, named(found));
    assert_counts(&verified, found);
    assert!(rows(projectors).await == wrong, "to look changes nothing");
    let mended = rebuild(projectors).await;
    assert_eq!(mended.findings, named(found));
    assert_counts(&mended, found);
    let superfluous = mended.counted.superfluous;
    assert_eq!(mended.counted.removed, superfluous);
    assert_eq!(mended.counted.written, found.len() as u64 - superfluous);
    assert_eq!(rows(projectors).await, right);
    let again = verify(projectors).await;
    assert_eq!((again.findings, again.counted.examined), (Vec::new(), 0));
}

#[tokio::test]
async fn every_row_that_somebody_touched_is_named_and_mended() {
    let world = filled().await;
    let right = rows(&world.projectors).await;
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let found = tamper(&world.projectors, &mut random).await;
        println!("seed {seed}: {} rows", found.len());
        all_is_named_and_mended(&world.projectors, &right, &found).await;
    }
    assert!(world.bus.calls().is_empty() && world.topic.calls().is_empty());
}

#[tokio::test]
async fn a_sweep_names_and_mends_the_same() {
    let world = filled().await;
    let right = rows(&world.projectors).await;
    for seed in 100..140 {
        let mut random = fastrand::Rng::with_seed(seed);
        let found = tamper(&world.projectors, &mut random).await;
        let segments = 1 + u32::try_from(seed % 4).unwrap();
        for repair in [false, true] {
            let mut findings = Vec::new();
            for segment in 0..segments {
                let mut sweep = Sweep::new(segment, segments, repair);
                while !sweep.done {
                    let step = sweep.step(&world.projectors, || seed % 2 == 0);
                    findings.extend(step.await.unwrap());
                }
            }
            findings.sort();
            assert_eq!(findings, named(&found), "seed {seed}, repair {repair}");
        }
        assert_eq!(rows(&world.projectors).await, right, "seed {seed}");
    }
    assert!(world.bus.calls().is_empty() && world.topic.calls().is_empty());
}

#[tokio::test]
async fn a_history_that_cannot_be_folded_is_named_and_its_rows_stay() {
    let world = filled().await;
    let mut item = world.table.all().remove(0);
    let events = AttributeValue::S("[{]".to_owned());
    item.insert("events".to_owned(), events);
    world.table.overwrite(item).unwrap();
    let row = Table::ProcessedOrders.key("A-0", "");
    let put = world.projectors.rows.put(Table::ProcessedOrders, row);
    put.await.unwrap();
    let before = rows(&world.projectors).await;
    let unreadable = Finding::unreadable(Table::ProcessedOrders, "A-0");
    for repair in [false, true] {
        let done = match repair {
            true => rebuild(&world.projectors).await,
            false => verify(&world.projectors).await,
        };
        assert_eq!(done.findings, std::slice::from_ref(&unreadable));
        assert_eq!((done.counted.unreadable, done.counted.wrong()), (1, 1));
        assert_eq!(rows(&world.projectors).await, before);
    }
}

// ---- On DynamoDB

/// Puts attributes of types that no row has: into a row, as its version, and nested. Returns the
/// expected findings.
async fn foreign(embedded: &Embedded, right: &[(Table, Row)]) -> Found {
    let set = AttributeValue::Ss(vec!["a".to_owned()]);
    let bytes = AttributeValue::B(Blob::new([0, 1]));
    let deep = AttributeValue::L(vec![AttributeValue::Ns(vec!["1".to_owned()])]);
    let mut found = Found::new();
    let changes = [
        ("status", set.clone(), FindingKind::Different),
        ("version", bytes, FindingKind::Stale),
        ("version", set, FindingKind::Stale),
        ("items", deep, FindingKind::Different),
    ];
    for ((table, row), (name, value, wrong)) in right.iter().zip(changes) {
        assert_eq!(*table, Table::ProcessedOrders);
        let mut item = to_item(row.clone());
        item.insert(name.to_owned(), value.clone());
        let due = version(row);
        let mut right_key = finding(*table, row, wrong);
        right_key.stored = Some(if name == "version" { 0 } else { due });
        right_key.expected = Some(due);
        found.insert((*table, table.key_of(row)), right_key);
        put(embedded, item.clone()).await;
        // Also in a row whose aggregate does not exist.
        let invented = table.key(&format!("{name} {value:?}"), "");
        item.extend(to_item(invented.clone()));
        let mut superfluous = finding(*table, &invented, FindingKind::Superfluous);
        superfluous.stored = Some(if name == "version" { 0 } else { due });
        found.insert((*table, table.key_of(&invented)), superfluous);
        put(embedded, item).await;
    }
    found
}

async fn put(embedded: &Embedded, item: projectors::row::Item) {
    let put = embedded.client().put_item();
    let put = put.table_name(embedded.names.processed_orders());
    put.set_item(Some(item)).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_on_dynamodb_with_attributes_of_any_type() {
    let embedded = Embedded::start().await;
    let mut world = unhurried();
    world.projectors.store = EventStore::new(embedded.events());
    world.projectors.rows = Arc::new(DynamoDbRows::new(embedded.client(), &embedded.names));
    fill(&world).await;
    // At first all rows are missing, and a rebuild makes the rows that live projection makes.
    assert_eq!(rebuild(&world.projectors).await.counted.missing, 9 + 28 + 7);
    let right = rows(&world.projectors).await;
    let (live, mut commits) = (World::new(), Vec::new());
    let mut scan = world.projectors.store.scan(0, 1, None);
    while let Some(whole) = scan.next().await {
        commits.extend(whole.unwrap().history);
    }
    live.deliver(Role::Project, batch(&commits)).await;
    assert_eq!(right, rows(&live.projectors).await);
    for seed in 200..206 {
        let mut random = fastrand::Rng::with_seed(seed);
        let found = tamper(&world.projectors, &mut random).await;
        all_is_named_and_mended(&world.projectors, &right, &found).await;
    }
    let found = foreign(&embedded, &right).await;
    assert_eq!(found.len(), 8);
    all_is_named_and_mended(&world.projectors, &right, &found).await;
    assert!(world.bus.calls().is_empty() && world.topic.calls().is_empty());
}

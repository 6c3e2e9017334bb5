//! The memory of one long history: the rows of the longest allowed history are made and compared
//! within the memory of the role `rebuild`. This test is alone in its process, because it measures
//! the memory of the whole process.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use domain::{EventSourced, Shipment, aggregate::Command};
use event_store::{
    EventStore, Loaded, StoreError, SystemClock, limits::COMMITS_MAX, memory::MemoryTable,
};
use projectors::{Environment, Projectors, rebuild::aggregate};
use support::{envelopes, outbox::Outbox, rows::MemoryRows};

/// The memory of the role `rebuild` in bytes: the setting `rebuild_memory_mb` of the environments.
const MEMORY_MAX: u64 = 1024 * 1024 * 1024;

fn projectors() -> Projectors {
    Projectors {
        store: EventStore::new(Arc::new(MemoryTable::default())),
        rows: Arc::new(MemoryRows::default()),
        bus: Arc::new(Outbox::default()),
        topic: Arc::new(Outbox::default()),
        metrics: support::unread_metrics(),
        clock: Arc::new(SystemClock),
        environment: Environment::of_one_shard("test"),
        stalled_after: lambda::StalledAfter::default(),
        rebuilds: support::ledger::rebuilds(),
        additional: Vec::new(),
    }
}

/// Stores updates with attributes of this many bytes until the history is full.
async fn filled(projectors: &Projectors, bytes: usize) -> Loaded<Shipment> {
    let id = envelopes::update("S", "c", "x", None).aggregate;
    let mut loaded = Loaded::<Shipment>::new(id);
    let at = envelopes::at("2024-01-15T12:00:00Z");
    loop {
        let command_id = format!("command-{}", loaded.commits + 1);
        let mut command = envelopes::update("S", &command_id, "x", None);
        // Many members, because each takes memory besides its text.
        let members =
            (0..bytes / 40).map(|n| (format!("member-{n:05}"), "a text of 25 characters..".into()));
        envelopes::update_of(&mut command).attributes = members.collect();
        let intent = command.intent;
        let events = EventSourced::decide(&loaded.state, &Command { at, intent }).unwrap();
        let commit = match loaded.next_commit(events, at, command.cause) {
            Err(StoreError::HistoryFull(_)) => return loaded,
            commit => commit.unwrap(),
        };
        projectors.store.append(&commit).await.unwrap();
        loaded = loaded.apply_newest_first(vec![commit]).unwrap();
        loaded.recent.clear();
    }
}

fn memory(of: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(of));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_longest_history_is_rebuilt_within_a_functions_memory() {
    let projectors = projectors();
    // The history has the most commits that are allowed, and almost the most bytes.
    let loaded = filled(&projectors, 1_800).await;
    assert_eq!(loaded.commits, COMMITS_MAX);
    let stored = memory("VmRSS:");
    let rebuilt = aggregate(&projectors, &loaded.id).await.unwrap();
    assert_eq!(rebuilt.written, u64::from(COMMITS_MAX) + 1);
    let comparison = aggregate::compare(&projectors, "shipment#S").await.unwrap();
    assert!(comparison.findings.is_empty());
    // The events table in memory is not memory of a function, so it is subtracted. The rows, which
    // this process holds once more than a function would, are not subtracted.
    let most = memory("VmHWM:") - stored;
    println!("{COMMITS_MAX} commits, {stored} bytes stored, {most} taken at most");
    assert!(most < MEMORY_MAX, "{most}");
}

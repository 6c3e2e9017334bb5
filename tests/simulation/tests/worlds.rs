//! The simulation as part of the tests: many seeds, the planted defects, and every interleaving of
//! the small worlds.

#![allow(clippy::unwrap_used)]

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use simulation::{
    core::{Act, Fault},
    defects::Defect,
    runner::{replay, run_seeds},
    small_scope::{exhaust, worlds},
    world::Setup,
};

/// The number of seeds that every change of the code must pass.
const SEEDS: u64 = 20_000;

/// The number of seeds without faults on which no defect that needs a fault may be found. With
/// faults, the last of these defects was found at seed 721.
const SEEDS_WITHOUT_FAULTS: u64 = 1_000;

/// The most interleavings of a small world. This limit is not reached.
const INTERLEAVINGS_MAX: u64 = 3_000_000;

const THREADS: usize = 2;

/// A lock that lets these tests run one after another, each with the whole machine. In parallel
/// they would not be faster, and the measured times would mean nothing.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn every_promise_holds_in_twenty_thousand_worlds() {
    let _alone = alone();
    let started = Instant::now();
    let summary = run_seeds(&Setup::default(), 0, SEEDS, THREADS);
    println!("{SEEDS} seeds in {:?}", started.elapsed());
    if let Some(found) = &summary.found {
        let trace = found.trace.join("\n");
        panic!(
            "{trace}\n{:#?}\nagain with: {}",
            found.violations,
            replay(&found.setup)
        );
    }
    let (calls, faults) = summary.medians();
    println!(
        "{} seeds, median {calls} calls, {faults} faults: {:?}",
        summary.seeds, summary.tally
    );
    assert_eq!(summary.seeds, SEEDS);
    assert!(calls >= 200, "a median seed makes {calls} calls only");
    assert!(faults >= 5, "a median seed meets {faults} faults only");
    // A fault that never strikes proves nothing.
    for fault in Fault::ALL {
        assert!(
            summary.tally.faults.contains_key(&fault),
            "{fault:?} never struck"
        );
    }
    for act in Act::ALL {
        assert!(
            summary.tally.acts.contains_key(&act),
            "{act:?} was never done"
        );
    }
}

#[test]
fn every_planted_defect_is_found() {
    let _alone = alone();
    for defect in Defect::ALL {
        let setup = Setup {
            defect: Some(defect),
            ..Setup::default()
        };
        let summary = run_seeds(&setup, 0, SEEDS, 1);
        let found = summary
            .found
            .unwrap_or_else(|| panic!("{defect:?} was not found"));
        println!(
            "{defect:?}: found at seed {}: {}",
            found.setup.seed, found.violations[0]
        );
    }
}

#[test]
fn a_world_without_faults_does_not_find_what_needs_one() {
    let _alone = alone();
    let without = Fault::ALL.to_vec();
    for defect in Defect::ALL
        .into_iter()
        .filter(|defect| defect.needs_a_fault())
    {
        let setup = Setup {
            defect: Some(defect),
            without: without.clone(),
            ..Setup::default()
        };
        let summary = run_seeds(&setup, 0, SEEDS_WITHOUT_FAULTS, THREADS);
        assert!(
            summary.found.is_none(),
            "{defect:?}: {:?}",
            summary.found.unwrap().violations
        );
    }
    let summary = run_seeds(
        &Setup {
            without,
            ..Setup::default()
        },
        0,
        SEEDS_WITHOUT_FAULTS,
        THREADS,
    );
    assert!(
        summary.found.is_none(),
        "{:?}",
        summary.found.unwrap().violations
    );
}

#[test]
fn the_same_seed_is_the_same_world() {
    let _alone = alone();
    let setup = |seed| Setup {
        seed,
        traced: true,
        ..Setup::default()
    };
    for seed in 0..20 {
        let (one, other) = (
            simulation::world::run(&setup(seed)),
            simulation::world::run(&setup(seed)),
        );
        assert_eq!(one.trace, other.trace);
        assert_eq!(one.tally, other.tally);
    }
}

#[test]
fn every_interleaving_of_two_writers_three_events_and_one_crash_holds() {
    let _alone = alone();
    for (number, clients) in worlds().into_iter().enumerate() {
        match exhaust(&clients, 1, INTERLEAVINGS_MAX) {
            Ok(count) => println!("world {number}: {count} interleavings"),
            Err((violations, trace)) => panic!("{}\n{violations:#?}", trace.join("\n")),
        }
    }
}

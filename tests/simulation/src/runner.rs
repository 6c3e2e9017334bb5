//! Runs many seeds, and reduces one that fails to a short trace.

use std::{
    cell::RefCell,
    io::Write,
    sync::{
        Once,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tracing_subscriber::fmt::MakeWriter;

use crate::{
    checks::violations,
    core::{Fault, Tally},
    defects::Defect,
    world::{Run, Setup, run},
};

/// A failing seed, reduced to as few faults and commands as the runner could find.
#[derive(Debug, Clone)]
pub struct Found {
    /// The setup that reproduces the failure.
    pub setup: Setup,
    /// The violated invariants, a sentence each.
    pub violations: Vec<String>,
    /// The trace of the run, a line for each thing that happened.
    pub trace: Vec<String>,
}

/// The results of many seeds.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The number of seeds that were run.
    pub seeds: u64,
    /// The counts of all seeds together.
    pub tally: Tally,
    /// The number of calls and of faults of each seed, for the medians.
    pub each: Vec<(u64, u64)>,
    /// The lowest failing seed that was found, reduced; `None` where every seed passed.
    pub found: Option<Found>,
}

impl Summary {
    /// Returns the median number of calls of a seed, and the median number of faults.
    pub fn medians(&self) -> (u64, u64) {
        let median = |mut numbers: Vec<u64>| {
            numbers.sort_unstable();
            numbers.get(numbers.len() / 2).copied().unwrap_or_default()
        };
        let calls = median(self.each.iter().map(|each| each.0).collect());
        let faults = median(self.each.iter().map(|each| each.1).collect());
        (calls, faults)
    }
}

/// Runs one seed and captures what it logs.
pub fn observe(setup: &Setup) -> Run {
    start_logs();
    LOGS.with_borrow_mut(Vec::clear);
    let mut run = run(setup);
    run.observed.logs = LOGS.with_borrow(|logs| String::from_utf8_lossy(logs).into_owned());
    run
}

/// Runs the seeds `from..from + seeds` with the other values of `setup`, on `threads` threads.
/// Stops once a seed has failed.
pub fn run_seeds(setup: &Setup, from: u64, seeds: u64, threads: usize) -> Summary {
    let next = AtomicU64::new(from);
    let failed = AtomicBool::new(false);
    let work = || {
        let mut summary = Summary::default();
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                break;
            }
            let setup = Setup {
                seed,
                ..setup.clone()
            };
            let run = observe(&setup);
            summary.seeds += 1;
            summary.tally.add(&run.tally);
            summary
                .each
                .push((run.tally.calls, run.tally.faults_in_all()));
            if !violations(&run.observed).is_empty() {
                failed.store(true, Ordering::Relaxed);
                summary.found = Some(smallest(&setup));
            }
        }
        summary
    };
    let parts: Vec<Summary> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    });
    parts
        .into_iter()
        .fold(Summary::default(), |mut whole, part| {
            whole.seeds += part.seeds;
            whole.tally.add(&part.tally);
            whole.each.extend(part.each);
            let lower = |found: &Found| {
                whole
                    .found
                    .as_ref()
                    .is_none_or(|known| found.setup.seed < known.setup.seed)
            };
            if part.found.as_ref().is_some_and(lower) {
                whole.found = part.found;
            }
            whole
        })
}

/// Reduces a failing setup: leaves out each fault without which it still fails, then keeps the
/// smallest number of commands with which it fails.
fn smallest(setup: &Setup) -> Found {
    let mut setup = setup.clone();
    let fails = |setup: &Setup| !violations(&observe(setup).observed).is_empty();
    for fault in Fault::ALL {
        let mut with_less = setup.clone();
        with_less.without.push(fault);
        if !setup.without.contains(&fault) && fails(&with_less) {
            setup = with_less;
        }
    }
    for commands in 1..=crate::plan::COMMANDS_MAX {
        let fewer = Setup {
            commands,
            ..setup.clone()
        };
        if fails(&fewer) {
            setup = fewer;
            break;
        }
    }
    let run = observe(&Setup {
        traced: true,
        ..setup.clone()
    });
    Found {
        violations: violations(&run.observed),
        trace: run.trace,
        setup,
    }
}

/// Returns the command line that runs this setup again.
pub fn replay(setup: &Setup) -> String {
    let mut command = format!("cargo sim --seed {}", setup.seed);
    if setup.commands > 0 {
        command.push_str(&format!(" --commands {}", setup.commands));
    }
    for fault in &setup.without {
        command.push_str(&format!(" --without {fault:?}"));
    }
    if let Some(defect) = setup.defect {
        command.push_str(&format!(" --defect {defect:?}"));
    }
    command
}

/// Returns the fault of this name, such as `Crash`.
pub fn fault(name: &str) -> Option<Fault> {
    Fault::ALL
        .into_iter()
        .find(|fault| format!("{fault:?}") == name)
}

/// Returns the defect of this name, such as `BlindRow`.
pub fn defect(name: &str) -> Option<Defect> {
    Defect::ALL
        .into_iter()
        .find(|defect| format!("{defect:?}") == name)
}

// ---- Logs

thread_local! {
    static LOGS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A writer that appends to the log of the current thread.
#[derive(Debug, Clone, Copy)]
struct ThreadLogs;

impl Write for ThreadLogs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGS.with_borrow_mut(|logs| logs.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for ThreadLogs {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

fn start_logs() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // This fails where the process has a subscriber already. Then the captured log stays empty.
        let _ = tracing_subscriber::fmt()
            .with_writer(ThreadLogs)
            .with_ansi(false)
            .without_time()
            .try_init();
    });
}

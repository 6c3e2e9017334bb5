//! `cargo sim`: runs many seeds, or one seed again.

use std::process::ExitCode;

use clap::Parser;
use simulation::{
    checks::violations,
    runner::{defect, fault, observe, replay, run_seeds},
    world::Setup,
};

/// Runs the simulation
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Arguments {
    /// How many seeds to run
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run this seed alone, and print its trace
    #[arg(long)]
    seed: Option<u64>,
    /// Run only the first N commands of each seed; 0 runs all of them
    #[arg(long, default_value_t = 0)]
    commands: usize,
    /// A fault that must not strike, such as Crash; may be given several times
    #[arg(long)]
    without: Vec<String>,
    /// A defect to plant, such as BlindRow
    #[arg(long)]
    defect: Option<String>,
    /// How many threads run seeds
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let named = |name: &String| fault(name).unwrap_or_else(|| panic!("no fault is called {name}"));
    let setup = Setup {
        seed: arguments.seed.unwrap_or_default(),
        defect: arguments
            .defect
            .map(|name| defect(&name).unwrap_or_else(|| panic!("no defect is called {name}"))),
        without: arguments.without.iter().map(named).collect(),
        commands: arguments.commands,
        traced: true,
    };
    if arguments.seed.is_some() {
        let run = observe(&setup);
        let found = violations(&run.observed);
        print(&run.trace, &found);
        return if found.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let setup = Setup {
        traced: false,
        ..setup
    };
    let summary = run_seeds(&setup, arguments.from, arguments.seeds, arguments.threads);
    let (calls, faults) = summary.medians();
    println!(
        "{} seeds, {} steps, {} calls",
        summary.seeds, summary.tally.steps, summary.tally.calls
    );
    for (fault, count) in &summary.tally.faults {
        println!("  {fault:?}: {count}");
    }
    println!("a median seed makes {calls} calls and meets {faults} faults");
    println!("what operators, state machines and sweeps did:");
    for (act, count) in &summary.tally.acts {
        println!("  {act:?}: {count}");
    }
    match summary.found {
        None => ExitCode::SUCCESS,
        Some(found) => {
            print(&found.trace, &found.violations);
            println!(
                "seed {}; again with: {}",
                found.setup.seed,
                replay(&found.setup)
            );
            ExitCode::FAILURE
        }
    }
}

fn print(trace: &[String], violations: &[String]) {
    for line in trace {
        println!("{line}");
    }
    for violation in violations {
        println!("VIOLATION {violation}");
    }
}

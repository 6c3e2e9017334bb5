//! Rules of the house that a compiler does not keep.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Which crates of the workspace each may know, directly. Whatever is not here is not allowed.
const MAY_KNOW: [(&str, &[&str]); 14] = [
    ("domain", &[]),
    ("event-store", &["domain"]),
    ("lambda", &["domain"]),
    ("commands", &["domain", "event-store", "lambda"]),
    ("projectors", &["domain", "event-store", "lambda"]),
    (
        "operator",
        &["domain", "event-store", "lambda", "projectors"],
    ),
    // AWS's services, whatever runs in them.
    ("emulator", &["hosts"]),
    (
        // Over the HTTP API and what an operator does; never over what runs the system. The domain's
        // JSON has exact numbers.
        "console",
        &["domain", "hosts", "lambda", "operator"],
    ),
    ("hosts", &[]),
    (
        "local",
        &["commands", "domain", "emulator", "lambda", "projectors"],
    ),
    (
        // Its tests look at the local system from within.
        "cli",
        &[
            "commands",
            "console",
            "domain",
            "lambda",
            "local",
            "operator",
            "projectors",
            "system-tests",
        ],
    ),
    ("bare", &[]),
    (
        "system-tests",
        &[
            "commands",
            "domain",
            "emulator",
            "event-store",
            "lambda",
            "local",
            "projectors",
        ],
    ),
    (
        "simulation",
        &[
            "commands",
            "domain",
            "event-store",
            "lambda",
            "projectors",
            "system-tests",
        ],
    ),
];

fn workspace() -> cargo_metadata::Metadata {
    MetadataCommand::new()
        .manifest_path("../Cargo.toml")
        .no_deps()
        .exec()
        .unwrap()
}

#[test]
fn crates_know_only_what_the_design_lets_them() {
    let metadata = workspace();
    let ours: BTreeSet<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = MAY_KNOW.into_iter().collect();
    assert_eq!(ours, allowed.keys().copied().collect());
    for package in &metadata.packages {
        let known = package
            .dependencies
            .iter()
            .map(|dependency| dependency.name.as_str());
        let known: BTreeSet<&str> = known.filter(|name| ours.contains(name)).collect();
        let may: BTreeSet<&str> = allowed[package.name.as_str()].iter().copied().collect();
        let mayn_t: Vec<_> = known.difference(&may).collect();
        assert!(
            mayn_t.is_empty(),
            "{} must not know {mayn_t:?}",
            package.name
        );
    }
}

/// Every file of a crate's source, with its text.
fn source_of(root: &str) -> Vec<(PathBuf, String)> {
    let mut folders = vec![PathBuf::from(root)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push((path.clone(), fs::read_to_string(&path).unwrap())),
            }
        }
    }
    assert!(files.len() > 10, "too few files in {root}");
    files
}

/// What runs in the emulator is handed to it: it depends on no crate of ours, and no word of its
/// source is ours either.
#[test]
fn the_emulator_says_nothing_of_waybill() {
    for (path, text) in source_of("../infra/emulator/src") {
        let text = text.to_lowercase();
        for word in ["waybill", "shipment", "carrier", "read model"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}

/// What an operator does are functions that return values: whoever shows them, a terminal or a page,
/// brings arguments, bars and exit codes.
#[test]
fn what_an_operator_does_knows_no_terminal() {
    let metadata = workspace();
    let mut packages = metadata.packages.iter();
    let operator = packages.find(|package| package.name == "operator").unwrap();
    for banned in ["clap", "clap_complete", "indicatif"] {
        let known = |name: &str| name == banned;
        let mut dependencies = operator.dependencies.iter();
        assert!(!dependencies.any(|one| known(&one.name)), "{banned}");
    }
    for (path, text) in source_of("../infra/operator/src") {
        for printing in [
            "print!(",
            "println!(",
            "ExitCode",
            "stdin()",
            "stdout()",
            "stderr()",
        ] {
            assert!(!text.contains(printing), "{}: {printing}", path.display());
        }
    }
}

#[test]
fn the_domain_knows_no_io_no_clock_and_no_aws() {
    let metadata = workspace();
    let domain = metadata
        .packages
        .iter()
        .find(|package| package.name == "domain")
        .unwrap();
    let known: BTreeSet<&str> = domain
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind == DependencyKind::Normal)
        .map(|dependency| dependency.name.as_str())
        .collect();
    let may = [
        "bigdecimal",
        "chrono",
        "cqrs-es",
        "iso_currency",
        "jiff", // reads texts; without its features it knows no clock
        "serde",
        "serde_json",
        "sha2",
        "thiserror",
        "unicode-normalization",
    ];
    assert_eq!(known, may.into_iter().collect());
    let chrono = domain
        .dependencies
        .iter()
        .find(|dependency| dependency.name == "chrono")
        .unwrap();
    assert!(
        !chrono
            .features
            .iter()
            .any(|feature| feature == "clock" || feature == "now")
    );
}

//! The dependencies of the project: their origins, their licences, and those that are banned. The
//! tests read the lock files only, so they need no network. `make audit` looks for known
//! vulnerabilities.

#![allow(clippy::unwrap_used)]

use std::fs;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use serde_json::Value;

/// The licences that are compatible with this project's own, MIT or Apache-2.0, for everybody who
/// distributes it.
const LICENCES: [&str; 9] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BlueOak-1.0.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// The registry from which every crate must come that is not the project's own.
const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The registry from which every package of Node must come.
const NODE_PACKAGES: &str = "https://registry.npmjs.org/";

/// Crates that would add the system's TLS library to the one that is built in. (A lock file names
/// `ring`, too, but nothing is built with it: `cargo tree --workspace -i ring`.)
const BANNED: [&str; 3] = ["native-tls", "openssl", "openssl-sys"];

/// The lock files of crates.
const LOCKS: [&str; 2] = ["../Cargo.lock", "fuzz/Cargo.lock"];

/// The files that list packages of Python.
const REQUIREMENTS: [&str; 4] = [
    "console/requirements.txt",
    "../infra/cdk/requirements.txt",
    "e2e/requirements.txt",
    "outside/requirements.txt",
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path("../Cargo.toml")
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .unwrap()
}

/// Returns whether [`LICENCES`] satisfy an SPDX expression. `/` is an old form of `OR`.
fn may_be_used(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let any = parts(&expression, " OR ");
    any.into_iter().any(|option| {
        let all = parts(&option, " AND ");
        all.into_iter().all(|one| {
            let inner = one.strip_prefix('(').and_then(|it| it.strip_suffix(')'));
            match inner {
                Some(inner) => may_be_used(inner),
                None => LICENCES.contains(&one.as_str()),
            }
        })
    })
}

/// Splits an expression at each `separator` that is not within parentheses.
fn parts(expression: &str, separator: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for piece in expression.split(separator) {
        let last = parts.last_mut().unwrap();
        let depth = last.matches('(').count() - last.matches(')').count();
        match (last.is_empty(), depth) {
            (true, _) => *last = piece.trim().to_owned(),
            (false, 0) => parts.push(piece.trim().to_owned()),
            (false, _) => {
                last.push_str(separator);
                last.push_str(piece.trim());
            }
        }
    }
    parts
}

#[test]
fn an_expression_is_followed_as_spdx_says() {
    for (expression, may) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only AND MIT", false),
        ("(GPL-3.0-only OR ISC) AND MIT", true),
        ("MIT AND (GPL-3.0-only AND ISC)", false),
        (
            "ISC AND (Apache-2.0 OR ISC) AND (GPL-2.0-only OR MIT-0 OR MIT)",
            true,
        ),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("", false),
    ] {
        assert_eq!(may_be_used(expression), may, "{expression}");
    }
}

#[test]
fn every_crate_may_be_passed_on_and_none_is_banned() {
    for package in metadata().packages {
        let licence = package.license.unwrap_or_default();
        assert!(may_be_used(&licence), "{}: {licence:?}", package.name);
        assert!(!BANNED.contains(&package.name.as_str()), "{}", package.name);
    }
}

/// Lock files of crates outside the workspace, which `cargo` of the workspace does not keep up to date.
const LOCKS_OUTSIDE: [&str; 2] = ["bench/peers/Cargo.lock", "fuzz/Cargo.lock"];

/// Returns the names of the packages that a lock file lists for each of the project's own crates.
fn own_crates_in(lock: &str) -> Vec<(String, Vec<String>)> {
    let names = |text: &str| -> Vec<String> {
        let quoted = text.split('"').skip(1).step_by(2);
        let first = quoted.map(|it| it.split(' ').next().unwrap());
        first.map(str::to_owned).collect()
    };
    let text = fs::read_to_string(lock).unwrap();
    let packages = text.split("[[package]]").skip(1);
    let own = packages.filter(|package| !package.contains("source = "));
    own.map(|package| {
        let (head, dependencies) = package
            .split_once("dependencies = ")
            .unwrap_or((package, ""));
        (names(head)[0].clone(), names(dependencies))
    })
    .collect()
}

#[test]
fn lock_files_outside_the_workspace_know_what_its_crates_depend_on() {
    let metadata = metadata();
    for lock in LOCKS_OUTSIDE {
        let mut crates = 0;
        for (name, locked) in own_crates_in(lock) {
            let packages = metadata.workspace_packages();
            let Some(package) = packages.iter().find(|it| *it.name == name) else {
                continue;
            };
            for dependency in &package.dependencies {
                let needed = dependency.kind != DependencyKind::Development && !dependency.optional;
                assert!(
                    !needed || locked.contains(&dependency.name),
                    "{lock} is not up to date: {name} depends on {}",
                    dependency.name
                );
            }
            crates += 1;
        }
        assert!(crates > 2, "{lock}: {crates}");
    }
}

#[test]
fn every_crate_comes_from_the_registry_with_its_digest() {
    for lock in LOCKS {
        let text = fs::read_to_string(lock).unwrap();
        let mut sources = 0;
        for package in text.split("[[package]]").skip(1) {
            let value = |name: &str| {
                let mut lines = package.lines();
                lines.find_map(|line| line.strip_prefix(&format!("{name} = ")))
            };
            let Some(source) = value("source") else {
                continue;
            };
            assert_eq!(source.trim_matches('"'), CRATES, "{lock}: {package}");
            assert!(value("checksum").is_some(), "{lock}: {package}");
            sources += 1;
        }
        assert!(sources > 100, "{lock} has {sources}");
    }
}

/// The feature `arbitrary_precision` of serde_json breaks flattened and tagged types everywhere in
/// the workspace (serde-rs/json #505).
#[test]
fn no_crate_has_numbers_read_as_texts() {
    let resolved = metadata().resolve.unwrap();
    let mut nodes = resolved.nodes.iter();
    let json = nodes
        .find(|node| node.id.repr.contains("#serde_json@"))
        .unwrap();
    let features: Vec<String> = json.features.iter().map(ToString::to_string).collect();
    assert!(features.contains(&"raw_value".to_owned()), "{features:?}");
    assert!(!features.contains(&"arbitrary_precision".to_owned()));
}

#[test]
fn every_package_of_node_comes_from_the_registry_with_its_digest() {
    let text = fs::read_to_string("../infra/cdk/package-lock.json").unwrap();
    let lock: Value = serde_json::from_str(&text).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    let others = packages.iter().filter(|(place, _)| !place.is_empty());
    assert!(others.clone().count() > 0);
    for (place, package) in others {
        let text = |name: &str| package[name].as_str().unwrap_or_default();
        // Where none is named, npm uses the configured registry; the digest is checked anyway.
        let from = package.get("resolved").and_then(Value::as_str);
        assert!(
            from.is_none_or(|from| from.starts_with(NODE_PACKAGES)),
            "{place}"
        );
        assert!(text("integrity").starts_with("sha512-"), "{place}");
        assert!(may_be_used(text("license")), "{place}: {package}");
    }
}

#[test]
fn every_package_of_python_that_is_named_is_named_with_its_version() {
    for file in REQUIREMENTS {
        let text = fs::read_to_string(file).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for line in lines.filter(|line| !line.trim().is_empty()) {
            let (name, version) = line.split_once("==").unwrap_or_default();
            assert!(!name.is_empty() && !version.is_empty(), "{file}: {line}");
            assert!(!line.contains("://"), "{file}: {line}");
        }
    }
}

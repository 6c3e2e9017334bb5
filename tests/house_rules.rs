//! Rules of this repository that the compiler cannot check.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// For each crate of the workspace, the crates of the workspace that it may depend on directly. Any
/// other dependency is forbidden.
const MAY_KNOW: [(&str, &[&str]); 14] = [
    ("domain", &[]),
    ("event-store", &["domain"]),
    ("lambda", &["domain"]),
    ("commands", &["domain", "event-store", "lambda"]),
    ("projectors", &["domain", "event-store", "lambda"]),
    (
        "operator",
        &["commands", "domain", "event-store", "lambda", "projectors"],
    ),
    // It emulates AWS's services and must not know what runs in them.
    ("emulator", &["hosts"]),
    (
        // It uses the HTTP API and the operator's functions, and never the crates that run the
        // system. It uses the domain for its JSON, which has exact numbers.
        "console",
        &["domain", "hosts", "lambda", "operator"],
    ),
    ("hosts", &[]),
    (
        "local",
        &["commands", "domain", "emulator", "lambda", "projectors"],
    ),
    (
        // Its tests access the inside of the local system.
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
        let forbidden: Vec<_> = known.difference(&may).collect();
        assert!(
            forbidden.is_empty(),
            "{} must not know {forbidden:?}",
            package.name
        );
    }
}

/// Returns all files of a folder, each with its text.
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
    assert!(!files.is_empty(), "no files in {root}");
    files
}

/// The most lines of a file, so that one can read it in one sitting.
const FILE_LINES_MAX: usize = 500;

/// The endings of files that people write. Lock files, data and pictures have others.
const SOURCE_ENDINGS: [&str; 8] = ["css", "html", "js", "md", "py", "rs", "toml", "yaml"];

/// Folders whose content is built, installed, downloaded or generated.
const GENERATED_FOLDERS: [&str; 4] = ["cdk.out", "node_modules", "snapshots", "target"];

/// Returns all files of the repository that people have written.
fn source_files() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("..")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_str().unwrap();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with('.') && !GENERATED_FOLDERS.contains(&name) {
                    folders.push(path);
                }
            } else if ending.is_some_and(|ending| SOURCE_ENDINGS.contains(&ending)) {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn no_file_is_too_long_to_be_read_in_a_sitting() {
    let files = source_files();
    for path in &files {
        let lines = fs::read_to_string(path).unwrap().lines().count();
        assert!(
            lines <= FILE_LINES_MAX,
            "{}: {lines} lines, of at most {FILE_LINES_MAX}",
            path.display()
        );
    }
    assert!(files.len() > 500, "{}", files.len());
}

/// Returns the modules at the root of a crate, each with the other modules that it uses. The code
/// of tests and what the crate's root itself declares do not count.
fn modules_of(root: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut uses = BTreeMap::<String, BTreeSet<String>>::new();
    let files: Vec<(String, String)> = source_of(root)
        .into_iter()
        .filter_map(|(path, text)| {
            let inside = path.strip_prefix(root).unwrap().to_owned();
            let first = inside.components().next()?.as_os_str().to_str()?;
            let module = first.trim_end_matches(".rs").to_owned();
            let source = path.extension().is_some_and(|extension| extension == "rs");
            (source && module != "lib" && module != "main").then_some((module, text))
        })
        .collect();
    let modules: BTreeSet<String> = files.iter().map(|(module, _)| module.clone()).collect();
    for (module, text) in files {
        let code = code_of(&text);
        let mentioned = code.split("crate::").skip(1).flat_map(first_names);
        let others = mentioned.filter(|name| *name != module && modules.contains(name));
        uses.entry(module.clone()).or_default().extend(others);
    }
    uses
}

/// Returns the text of a file without its tests and comments.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let code = code.lines().map(|line| line.split("//").next().unwrap());
    code.collect::<Vec<_>>().join("\n")
}

/// The name of `mod.rs` among its submodules.
const ITSELF: &str = "mod";

/// Returns the submodules of a folder with a `mod.rs`, and `mod.rs` as [`ITSELF`], each with the
/// others that it uses. What `mod.rs` re-exports from a submodule counts as its own.
fn submodules_of(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let files: Vec<(PathBuf, String)> = source_of(folder.to_str().unwrap())
        .into_iter()
        .map(|(path, text)| (path.strip_prefix(folder).unwrap().to_owned(), text))
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    let module = |path: &Path| {
        let first = path.components().next().unwrap().as_os_str().to_str();
        first.unwrap().trim_end_matches(".rs").to_owned()
    };
    let modules: BTreeSet<String> = files.iter().map(|(path, _)| module(path)).collect();
    let mut uses = BTreeMap::<String, BTreeSet<String>>::new();
    let above = crate_path(folder);
    for (path, text) in &files {
        let (name, code) = (module(path), code_of(text));
        let used: BTreeSet<String> = if name == ITSELF {
            let others = modules.iter().filter(|other| names_path_of(&code, other));
            others.cloned().collect()
        } else {
            // The number of `super` from this file up to the folder's `mod.rs`.
            let inside = path.components().count();
            let steps = inside - usize::from(path.ends_with("mod.rs"));
            let from_root = code.split(&above).skip(1).flat_map(first_names);
            let named = names_above(&code, steps).into_iter().chain(from_root);
            let known = |name: String| match modules.contains(&name) {
                true => name,
                false => ITSELF.to_owned(),
            };
            named.map(known).filter(|other| *other != name).collect()
        };
        uses.entry(name).or_default().extend(used);
    }
    uses
}

/// Returns the path of a folder's module from its crate's root, such as `crate::pages::`.
fn crate_path(folder: &Path) -> String {
    let names = folder.components().map(|part| part.as_os_str());
    let names: Vec<&str> = names.filter_map(|name| name.to_str()).collect();
    let root = names.iter().rposition(|name| *name == "src").unwrap();
    let inside: String = names[root + 1..]
        .iter()
        .map(|name| format!("{name}::"))
        .collect();
    format!("crate::{inside}")
}

/// Returns whether a path in `code` begins with the module `name`.
fn names_path_of(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = code[..at].trim_end_matches("self::");
        !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// Returns the first name of each path in `code` that begins with exactly `steps` times `super::`.
fn names_above(code: &str, steps: usize) -> Vec<String> {
    let (up, mut rest, mut names) = ("super::", code, Vec::new());
    while let Some(at) = rest.find(up) {
        let path = rest[at..].trim_start_matches(up);
        if rest.len() - at - path.len() == steps * up.len() {
            // A list may end with a comma, after which there is no name.
            names.extend(
                first_names(path)
                    .into_iter()
                    .filter(|name| !name.is_empty()),
            );
        }
        rest = path;
    }
    names
}

/// Removes, again and again, the modules that use no remaining module. The modules that stay are
/// part of a cycle, or use one that is.
fn cycles(mut uses: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    while let Some(done) = uses
        .iter()
        .find(|(_, others)| others.iter().all(|other| !uses.contains_key(other)))
        .map(|(module, _)| module.clone())
    {
        uses.remove(&done);
    }
    uses
}

/// Returns the names with which the text after `crate::` begins: one, or those of a list in braces.
fn first_names(text: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        let text = text.trim_start();
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(list) = text.strip_prefix('{') else {
        return vec![name(text)];
    };
    let (mut names, mut depth, mut begins) = (Vec::new(), 0, 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(name(&list[begins..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&list[begins..at]));
                begins = at + 1;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn no_modules_of_a_crate_use_one_another_in_a_circle() {
    let metadata = workspace();
    let mut crates = 0;
    for package in metadata.workspace_packages() {
        let root = package.manifest_path.parent().unwrap().join("src");
        // Crates of tests are excepted.
        if !root.join("lib.rs").exists() || root.as_str().contains("/tests/") {
            continue;
        }
        let cycles = cycles(modules_of(root.as_str()));
        assert!(
            cycles.is_empty(),
            "{}: a cycle among {cycles:?}",
            package.name
        );
        crates += 1;
    }
    assert!(crates > 8, "{crates}");
}

#[test]
fn no_submodules_use_one_another_in_a_circle() {
    let metadata = workspace();
    let mut folders = BTreeSet::new();
    for package in metadata.workspace_packages() {
        let root = package.manifest_path.parent().unwrap().join("src");
        if !root.join("lib.rs").exists() || root.as_str().contains("/tests/") {
            continue;
        }
        for (path, _) in source_of(root.as_str()) {
            folders.insert(path.parent().unwrap().to_owned());
        }
        folders.remove(root.as_std_path());
    }
    for folder in &folders {
        let mut uses = submodules_of(folder);
        uses.remove(ITSELF);
        let cycles = cycles(uses);
        let shown = folder.display();
        assert!(cycles.is_empty(), "{shown}: a cycle among {cycles:?}");
    }
    assert!(folders.len() > 20, "{}", folders.len());
}

/// Crates with a `mod.rs` that declares what its submodules share and also uses the submodules.
/// That is a cycle, which is accepted there, because each is small enough to be read as a whole.
const MAY_SHARE_IN_MOD_RS: [&str; 6] =
    ["cli", "commands", "console", "domain", "emulator", "local"];

#[test]
fn no_submodules_and_their_mod_rs_use_one_another_in_a_circle() {
    let metadata = workspace();
    let mut folders = 0;
    for package in metadata.workspace_packages() {
        let root = package.manifest_path.parent().unwrap().join("src");
        let excepted = MAY_SHARE_IN_MOD_RS.contains(&package.name.as_str());
        if excepted || !root.join("lib.rs").exists() || root.as_str().contains("/tests/") {
            continue;
        }
        for (path, _) in source_of(root.as_str()) {
            if path.ends_with("mod.rs") {
                let folder = path.parent().unwrap();
                let cycles = cycles(submodules_of(folder));
                let shown = folder.display();
                assert!(cycles.is_empty(), "{shown}: a cycle among {cycles:?}");
                folders += 1;
            }
        }
    }
    assert!(folders > 5, "{folders}");
}

/// The emulator gets the functions that it runs as values: its source has no word of this project's
/// domain.
#[test]
fn the_emulator_says_nothing_of_waybill() {
    for (path, text) in source_of("../infra/emulator/src") {
        let text = text.to_lowercase();
        for word in ["waybill", "shipment", "carrier", "read model"] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}

/// The functions of the crate `operator` return values. Arguments, progress bars and exit codes are
/// the caller's, a terminal or a page.
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

//! The runs over the whole store that have ended. Each is a file in a folder of its own next to the
//! folders of the runs.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use domain::{AggregateId, Timestamp};
use lambda::ReadModel;
use serde::{Deserialize, Serialize};

use super::summary::{Kind, Summary};
use crate::{
    error::OperatorError,
    folder::Folder,
    limits::{PAST_FINDINGS, PAST_RUNS},
};

/// A run over the whole store that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastRun {
    /// Whether it was a verify or a rebuild.
    pub kind: Kind,
    /// The only read model of the run; without it the run was over all that queries use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<ReadModel>,
    /// The time at which it was started.
    pub begun: Timestamp,
    /// The time at which it ended.
    pub ended: Timestamp,
    /// The command that has run it, such as `waybill verify`.
    pub by: String,
    /// The run's summary. It is kept with the first [`PAST_FINDINGS`] findings and without rows.
    pub summary: Summary,
    /// The orders and shipments whose rows were repaired after the run, as `order#<orderId>` or
    /// `shipment#<shipmentId>`, with the time of the last repair of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mended: BTreeMap<String, Timestamp>,
}

fn folder(state: &Path, environment: &str) -> PathBuf {
    state.join(format!("runs-{environment}"))
}

/// Saves an ended run under `state`, such as [`STATE_FOLDER`](crate::folder::STATE_FOLDER), removes
/// all but the last [`PAST_RUNS`], and returns the name under which it is saved.
pub fn remember_run(
    state: &Path,
    environment: &str,
    past: &PastRun,
) -> Result<String, OperatorError> {
    let path = folder(state, environment);
    let folder = Folder::open(&path)?;
    let mut past = past.clone();
    // Rows contain what customers have sent, and nobody would think of removing them from here.
    past.summary.differences.clear();
    past.summary.findings.truncate(PAST_FINDINGS);
    // The name begins with the time, so that names sort by time. A process has only one run of a
    // kind at a time.
    let (ended, process) = (past.ended.millis(), std::process::id());
    let name = format!("{ended:015}-{}-{process}", past.kind.name());
    folder.save(&format!("{name}.json"), &past)?;
    for name in names(&path)?.into_iter().skip(PAST_RUNS) {
        // Another process may have removed it meanwhile.
        let _ = std::fs::remove_file(path.join(format!("{name}.json")));
    }
    Ok(name)
}

/// Saves with the run of this name that the rows of these orders and shipments, which it had found
/// wrong, were repaired at this time. Fails with `NotFound` where no run of this name is saved.
pub fn remember_repair(
    state: &Path,
    environment: &str,
    name: &str,
    repaired: &[AggregateId],
    at: Timestamp,
) -> Result<(), OperatorError> {
    let path = folder(state, environment);
    let not_found = || OperatorError::NotFound(format!("the run {name} is not remembered"));
    // The name becomes a file's: only one that is listed leads nowhere else.
    if !names(&path)?.iter().any(|known| known == name) {
        return Err(not_found());
    }
    let (folder, file) = (Folder::at(path), format!("{name}.json"));
    let mut past: PastRun = folder.load(&file)?.ok_or_else(not_found)?;
    let repaired = repaired.iter().map(|id| (id.to_string(), at));
    past.mended.extend(repaired);
    folder.save(&file, &past)
}

/// Reads the saved runs, the latest first, each with its name.
pub fn past(state: &Path, environment: &str) -> Result<Vec<(String, PastRun)>, OperatorError> {
    let path = folder(state, environment);
    let folder = Folder::at(path.clone());
    let mut runs = Vec::new();
    for name in names(&path)? {
        // A file that cannot be read was written by another version. It is left out, and the others
        // are returned.
        if let Ok(Some(run)) = folder.load(&format!("{name}.json")) {
            runs.push((name, run));
        }
    }
    Ok(runs)
}

/// The names of the saved runs, the latest first.
fn names(path: &Path) -> Result<Vec<String>, OperatorError> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(OperatorError::of_file(path, &error)),
    };
    let files = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let names = files.filter_map(|file| file.strip_suffix(".json").map(str::to_owned));
    let mut names: Vec<String> = names.collect();
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(names)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use projectors::rebuild::finding::{Difference, Finding, FindingKind};

    use super::*;

    #[test]
    fn the_last_runs_are_remembered_without_rows() {
        let state = std::env::temp_dir().join(format!("waybill-past-{}", uuid::Uuid::new_v4()));
        assert_eq!(past(&state, "dev").unwrap(), []);
        let finding = Finding {
            table: "processed-orders".to_owned(),
            id: "1".to_owned(),
            entry: None,
            kind: FindingKind::Missing,
            stored: None,
            expected: Some(1),
        };
        let difference = Difference {
            finding: finding.clone(),
            stored: None,
            expected: None,
        };
        let run = |millis: i64| PastRun {
            kind: Kind::Verify,
            only: None,
            begun: Timestamp::EPOCH,
            ended: Timestamp::from_millis(millis).unwrap(),
            by: "waybill verify".to_owned(),
            summary: Summary {
                findings: vec![finding.clone()],
                differences: vec![difference.clone()],
                ..Summary::default()
            },
            mended: BTreeMap::new(),
        };
        for millis in 0..25 {
            remember_run(&state, "dev", &run(millis)).unwrap();
        }
        let runs = past(&state, "dev").unwrap();
        assert_eq!(runs.len(), PAST_RUNS);
        assert_eq!(runs[0].1.ended.millis(), 24);
        assert_eq!(runs[0].1.summary.findings.len(), 1);
        assert!(runs[0].1.summary.differences.is_empty());
        assert_eq!(past(&state, "prod").unwrap(), []);
        // What was mended since stands beside it.
        let (name, at) = (&runs[0].0, Timestamp::from_millis(99).unwrap());
        let id: AggregateId = "order#1".parse().unwrap();
        remember_repair(&state, "dev", name, std::slice::from_ref(&id), at).unwrap();
        let runs = past(&state, "dev").unwrap();
        assert_eq!(runs[0].1.mended.get("order#1"), Some(&at));
        assert!(runs[1].1.mended.is_empty());
        // Nothing but a saved run of this environment, even where a file is there.
        let file = state.join(format!("runs-dev/{name}.json"));
        std::fs::copy(file, state.join("elsewhere.json")).unwrap();
        let nowhere = remember_repair(&state, "dev", "../elsewhere", &[id], at);
        assert!(matches!(nowhere, Err(OperatorError::NotFound(_))));
        std::fs::remove_dir_all(&state).unwrap();
    }
}

//! Runs over the whole store: the one that is going on, those that have ended, and the form that starts
//! one.

use lambda::ReadModel;
use operator::{
    Kind,
    folder::run_folder,
    rows::{PastRun, RunStatus, past, running},
};
use serde::Deserialize;

use super::finding::aggregate_of;
use crate::{at::At, backend::Failure, change::Form, links, operating::Operating, view::View};

/// Reads the run of a kind that is going on or was stopped from its folder.
pub(super) async fn running_of(
    operating: &Operating,
    kind: Kind,
) -> Result<Option<RunStatus>, Failure> {
    let folder = run_folder(&operating.state, kind.name(), operating.name());
    let read = tokio::task::spawn_blocking(move || running(&folder)).await;
    let read = read.map_err(|error| Failure::Unreadable(error.to_string()))?;
    Ok(read?)
}

/// Reads the runs that have ended, newest first, with their names.
pub(super) async fn past_of(operating: &Operating) -> Result<Vec<(String, PastRun)>, Failure> {
    let (state, name) = (operating.state.clone(), operating.name().to_owned());
    let read = tokio::task::spawn_blocking(move || past(&state, &name)).await;
    let read = read.map_err(|error| Failure::Unreadable(error.to_string()))?;
    Ok(read?)
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ModelParams {
    /// The read model, where only one is meant.
    only: Option<String>,
}

impl ModelParams {
    /// Returns the read model that is named. Fails with `404` where there is no such read model.
    pub(super) fn read_model(&self) -> Result<Option<ReadModel>, Failure> {
        let named = self.only.as_deref().filter(|name| !name.is_empty());
        let model = named.map(str::parse).transpose();
        model.map_err(
            |error: lambda::read_models::InvalidReadModel| Failure::Message {
                status: 404,
                message: error.to_string(),
            },
        )
    }
}

/// Returns the title of a kind of run.
pub(super) fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Verify => "Verify every row",
        Kind::Rebuild => "Rebuild what differs",
    }
}

/// Returns when the last of the findings was mended; `None` where not all of them were, or not all
/// are known.
pub(super) fn all_mended_at(past: &PastRun) -> Option<At> {
    let summary = &past.summary;
    if summary.findings.is_empty() || summary.more() > 0 {
        return None;
    }
    let mut last = None;
    for finding in &summary.findings {
        last = last.max(Some(past.mended.get(&aggregate_of(finding))?));
    }
    last.map(|at| At(at.to_string()))
}

/// Returns the form that starts or continues a run. With `anew`, it starts from the beginning.
pub(super) fn form(kind: Kind, only: Option<ReadModel>, anew: bool, view: &View) -> Form {
    let only = only.map(|model| model.to_string());
    let anew = anew.then_some("true");
    let action = format!("/read-models/run/{}", kind.name());
    let action = links::query(&action, &[("only", only.as_deref()), ("anew", anew)]);
    let button = match kind {
        Kind::Verify => "Verify",
        Kind::Rebuild => "Rebuild",
    };
    Form::new(action, button, view)
}

//! An environment that is reached.

use std::{sync::Arc, time::Duration};

use aws_config::SdkConfig;
use domain::{AggregateId, Timestamp};
use event_store::StoreError;
use lambda::{Names, ReadModel, Settings};
use projectors::{
    Projectors,
    rebuild::{
        RebuildError,
        ledger::Ledger,
        pace::{CapacityLimit, Pace},
    },
};
use serde::{Deserialize, Serialize};

use crate::error::OperatorError;

/// How much capacity a piece of work may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapacityLimits {
    /// Read units a second at most, all together; without it the environment's own limit counts.
    pub read_units: Option<u32>,
    /// Write units a second at most, all together, counting indexes; without it the environment's
    /// own limit counts.
    pub write_units: Option<u32>,
}

/// An environment that is reached: its names, its settings and clients. It may be kept and shared
/// for as long as its settings stay.
#[derive(Clone)]
pub struct Environment {
    pub(crate) names: Names,
    pub(crate) settings: Settings,
    pub(crate) config: SdkConfig,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) functions: aws_sdk_lambda::Client,
    pub(crate) projectors: Projectors,
    pub(crate) clock_wrong_by: Option<Duration>,
    pub(crate) api_url: Option<String>,
}

impl Environment {
    /// What it is called, such as `dev`.
    pub fn name(&self) -> &str {
        self.names.environment()
    }

    /// Where it is, where that is not AWS.
    pub fn endpoint(&self) -> Option<&str> {
        self.config.endpoint_url()
    }

    /// The settings that its functions have.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where its HTTP API is, its stage included; `None` where it does not say so: the local system,
    /// and what was deployed before environments did.
    pub fn api_url(&self) -> Option<&str> {
        self.api_url.as_deref()
    }

    /// What time it is there: by the first answer's date, so this machine's clock may be wrong.
    pub fn now(&self) -> Timestamp {
        self.projectors.clock.now()
    }

    /// By how much this machine's clock is wrong, where it is by more than two seconds.
    pub fn clock_wrong_by(&self) -> Option<Duration> {
        self.clock_wrong_by
    }

    /// What reads and writes its rows and sends its messages, for what this crate has no function
    /// for.
    pub fn projectors(&self) -> &Projectors {
        &self.projectors
    }

    /// What tells it from every other: a run that was begun on another one does not go on here.
    /// Nor does one that was begun with other settings, or by another build of this command: what
    /// rows should be follows from those, too, and a mended projection must not trust digests
    /// that the defective one has made.
    pub(crate) fn identity(&self) -> String {
        let (name, endpoint) = (self.name(), self.endpoint());
        let build = std::env::current_exe().and_then(std::fs::metadata);
        let build = build.map(|file| (file.len(), file.modified().ok())).ok();
        format!(
            "{name} of {endpoint:?} with {:?} by {build:?}",
            self.settings
        )
    }

    /// An error where nothing was ever committed of `id`: what is not there must not pass for well.
    pub(crate) async fn has_events(&self, id: &AggregateId) -> Result<(), OperatorError> {
        match self.projectors.store.history(id, 1, 1).await {
            Ok(page) if page.commits.is_empty() => {
                Err(OperatorError::NotFound(format!("{id} has no events")))
            }
            Err(error @ StoreError::Unavailable(_)) => Err(RebuildError::from(error).into()),
            // One that cannot be read is there.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The projectors of one read model, or of those that are read.
    pub(crate) fn projectors_of(
        &self,
        only: Option<ReadModel>,
    ) -> Result<Projectors, OperatorError> {
        let Some(model) = only else {
            return Ok(self.projectors.clone());
        };
        let none = || {
            let has = &self.settings.read_models;
            OperatorError::NotFound(format!("this environment has no {model}, it has {has}"))
        };
        self.projectors.of(model).cloned().ok_or_else(none)
    }

    /// The same that keep a limit: the one that is given, else the environment's own; and that keep
    /// their ledger there.
    pub(crate) fn limited_projectors(
        &self,
        only: Option<ReadModel>,
        limits: CapacityLimits,
        ledger: Option<Arc<dyn Ledger>>,
    ) -> Result<Projectors, OperatorError> {
        let mut projectors = self.projectors_of(only)?;
        let mut rebuilds = self.projectors.rebuilds.clone();
        let of_the_environment = self.settings.rebuild;
        rebuilds.pace = Arc::new(Pace::new(CapacityLimit {
            read: limits.read_units.or(of_the_environment.read_units),
            write: limits.write_units.or(of_the_environment.write_units),
        }));
        if let Some(ledger) = ledger {
            rebuilds.ledger = ledger;
        }
        projectors.rebuilds = rebuilds;
        Ok(projectors)
    }
}

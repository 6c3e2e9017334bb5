//! An environment that this process is connected to.

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
        pace::{CapacityLimit, CapacityLimiter},
    },
};
use serde::{Deserialize, Serialize};

use crate::error::OperatorError;

/// The capacity of DynamoDB that one operation may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CapacityLimits {
    /// The highest number of read units per second, for all parallel reads together. Without it the
    /// environment's own limit is used.
    pub read_units: Option<u32>,
    /// The highest number of write units per second, for all parallel writes together and with
    /// those of the indexes. Without it the environment's own limit is used.
    pub write_units: Option<u32>,
}

/// An environment that this process is connected to: its names, settings and clients. It may be
/// kept and shared for as long as the environment's settings do not change.
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
    /// The environment's name, such as `dev`.
    pub fn name(&self) -> &str {
        self.names.environment()
    }

    /// The URL of the environment's AWS protocols; `None` for an environment on AWS.
    pub fn endpoint(&self) -> Option<&str> {
        self.config.endpoint_url()
    }

    /// The settings that its functions have.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The URL of the environment's HTTP API, with the stage. `None` where the settings do not
    /// contain it: the local system's do not, nor do those of environments that an older build has
    /// deployed.
    pub fn api_url(&self) -> Option<&str> {
        self.api_url.as_deref()
    }

    /// The environment's time. It follows the header `Date` of the environment's first answer, so
    /// this machine's clock may be wrong.
    pub fn now(&self) -> Timestamp {
        self.projectors.clock.now()
    }

    /// The error of this machine's clock, where it is more than two seconds.
    pub fn clock_wrong_by(&self) -> Option<Duration> {
        self.clock_wrong_by
    }

    /// The projectors, which read and write the environment's rows and send its messages. They are
    /// for callers that need something for which this crate has no function.
    pub fn projectors(&self) -> &Projectors {
        &self.projectors
    }

    /// A text that identifies this environment, its settings and the build of this command. A run
    /// is resumed only where the text is the same: what rows should be follows from all three, and
    /// a corrected projection must not trust digests that the defective one has made.
    pub(crate) fn identity(&self) -> String {
        let (name, endpoint) = (self.name(), self.endpoint());
        let build = std::env::current_exe().and_then(std::fs::metadata);
        let build = build.map(|file| (file.len(), file.modified().ok())).ok();
        format!(
            "{name} of {endpoint:?} with {:?} by {build:?}",
            self.settings
        )
    }

    /// Fails with `NotFound` where nothing was ever committed of `id`: an aggregate that does not
    /// exist must not count as correct.
    pub(crate) async fn has_events(&self, id: &AggregateId) -> Result<(), OperatorError> {
        match self.projectors.store.history(id, 1, 1).await {
            Ok(page) if page.commits.is_empty() => {
                Err(OperatorError::NotFound(format!("{id} has no events")))
            }
            Err(error @ StoreError::Unavailable(_)) => Err(RebuildError::from(error).into()),
            // A history that cannot be read exists.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The projectors of one read model, or without one those of the read models that queries use.
    /// Fails with `NotFound` where the environment has no such read model.
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

    /// The same projectors with a capacity limit, which is the given one or else the environment's
    /// own, and with the given ledger.
    pub(crate) fn limited_projectors(
        &self,
        only: Option<ReadModel>,
        limits: CapacityLimits,
        ledger: Option<Arc<dyn Ledger>>,
    ) -> Result<Projectors, OperatorError> {
        let mut projectors = self.projectors_of(only)?;
        let mut rebuilds = self.projectors.rebuilds.clone();
        let of_the_environment = self.settings.rebuild;
        rebuilds.pace = Arc::new(CapacityLimiter::new(CapacityLimit {
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

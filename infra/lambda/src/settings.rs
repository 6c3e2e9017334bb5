//! What a function is told of its environment, by environment variables.

use crate::names::{InvalidEnvironment, Names};

/// What a function is told of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `WAYBILL_ENV`: what everything is called.
    pub names: Names,
    /// `WAYBILL_ALERTS_ARN`: the topic for alerts.
    pub alerts_arn: String,
    /// `WAYBILL_DEAD_LETTERS_URL`: the queue for events that can never succeed.
    pub dead_letters_url: String,
}

/// A setting that is missing or wrong: the function cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// An environment variable is not set.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// The environment's name is wrong.
    #[error(transparent)]
    Environment(#[from] InvalidEnvironment),
}

impl Settings {
    /// Reads them, with `variable` to look one up: `std::env::var` in a function.
    pub fn read(
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, InvalidSettings> {
        let get = |name| variable(name).ok_or(InvalidSettings::Missing(name));
        Ok(Self {
            names: Names::new(&get("WAYBILL_ENV")?)?,
            alerts_arn: get("WAYBILL_ALERTS_ARN")?,
            dead_letters_url: get("WAYBILL_DEAD_LETTERS_URL")?,
        })
    }

    /// Reads them from the process's environment.
    pub fn from_environment() -> Result<Self, InvalidSettings> {
        Self::read(|name| std::env::var(name).ok())
    }
}

//! The settings of a function, from its environment variables.

use crate::{
    names::{InvalidEnvironment, Names},
    read_models::{InvalidReadModel, ReadModels},
    shards::{InvalidShards, Shards},
    stalled_after::{InvalidStalledAfter, StalledAfter},
};

/// The settings of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `WAYBILL_ENV`: the environment, which all resources are named after.
    pub names: Names,
    /// `WAYBILL_ALERTS_ARN`: the ARN of the topic for alerts.
    pub alerts_arn: String,
    /// `WAYBILL_DEAD_LETTERS_URL`: the URL of the queue for events that can never succeed.
    pub dead_letters_url: String,
    /// `WAYBILL_BUCKET`: the full name of the bucket for order files and their reports.
    pub bucket: String,
    /// `WAYBILL_SHARDS`: the number of shards of an index; 1 by default.
    pub shards: Shards,
    /// `WAYBILL_READ_MODELS`: the read models that are projected; the first of each kind is
    /// queried. The first generations by default.
    pub read_models: ReadModels,
    /// The capacity that rebuilds may use, and the schedule of sweeps.
    pub rebuild: RebuildSettings,
    /// `WAYBILL_CARRIER_REFERENCES`: the carrier webhook providers whose reference field holds the
    /// shipment's id, separated by commas. For all others the tracking number is the shipment's id.
    pub carrier_references: Vec<String>,
    /// `WAYBILL_STALLED_AFTER_HOURS`: the time without an update after which a shipment is stalled.
    pub stalled_after: StalledAfter,
}

/// The capacity that rebuilds may use, and the schedule of sweeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RebuildSettings {
    /// `WAYBILL_REBUILD_READ_UNITS`: the most read units a second; no limit by default.
    pub read_units: Option<u32>,
    /// `WAYBILL_REBUILD_WRITE_UNITS`: the most write units a second; no limit by default.
    pub write_units: Option<u32>,
    /// `WAYBILL_SWEEP_SEGMENTS`: the number of segments of the event store, of which each sweep
    /// takes one.
    pub sweep_segments: u32,
    /// `WAYBILL_SWEEP_MINUTES`: minutes from one sweep to the next.
    pub sweep_minutes: u32,
}

impl Default for RebuildSettings {
    /// No limit on capacity; a sweep an hour, which covers the whole event store in a week.
    fn default() -> Self {
        Self {
            read_units: None,
            write_units: None,
            sweep_segments: 168,
            sweep_minutes: 60,
        }
    }
}

/// A setting that is missing or invalid; the function does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// An environment variable is not set.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// The name of the environment is invalid.
    #[error(transparent)]
    Environment(#[from] InvalidEnvironment),
    /// The number of shards is invalid.
    #[error("WAYBILL_SHARDS: {0}")]
    Shards(#[from] InvalidShards),
    /// The list of read models is invalid.
    #[error("WAYBILL_READ_MODELS: {0}")]
    ReadModels(#[from] InvalidReadModel),
    /// The hours after which shipments are stalled are invalid.
    #[error("WAYBILL_STALLED_AFTER_HOURS: {0}")]
    StalledAfter(#[from] InvalidStalledAfter),
    /// Another number is not a whole number of at least 1.
    #[error("{0}: a whole number from 1 on was expected")]
    Number(&'static str),
}

impl Settings {
    /// Reads the settings through `variable`, which looks up one environment variable.
    pub fn read(
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Self, InvalidSettings> {
        let get = |name| variable(name).ok_or(InvalidSettings::Missing(name));
        Ok(Self {
            names: Names::new(&get("WAYBILL_ENV")?)?,
            alerts_arn: get("WAYBILL_ALERTS_ARN")?,
            dead_letters_url: get("WAYBILL_DEAD_LETTERS_URL")?,
            bucket: get("WAYBILL_BUCKET")?,
            shards: match variable("WAYBILL_SHARDS") {
                Some(count) => count.parse()?,
                None => Shards::ONE,
            },
            read_models: match variable("WAYBILL_READ_MODELS") {
                Some(models) => models.parse()?,
                None => ReadModels::default(),
            },
            rebuild: RebuildSettings::read(&variable)?,
            carrier_references: {
                let names = variable("WAYBILL_CARRIER_REFERENCES").unwrap_or_default();
                let names = names.split(',').map(str::trim);
                let names = names.filter(|name| !name.is_empty());
                names.map(str::to_owned).collect()
            },
            stalled_after: match variable("WAYBILL_STALLED_AFTER_HOURS") {
                Some(hours) => hours.parse()?,
                None => StalledAfter::default(),
            },
        })
    }

    /// Reads the settings from the environment variables of the process.
    pub fn from_environment() -> Result<Self, InvalidSettings> {
        Self::read(|name| std::env::var(name).ok())
    }
}

impl RebuildSettings {
    fn read(variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, InvalidSettings> {
        let number = |name| match variable(name).map(|text| text.parse()) {
            None => Ok(None),
            Some(Ok(0) | Err(_)) => Err(InvalidSettings::Number(name)),
            Some(Ok(number)) => Ok(Some(number)),
        };
        let default = Self::default();
        Ok(Self {
            read_units: number("WAYBILL_REBUILD_READ_UNITS")?,
            write_units: number("WAYBILL_REBUILD_WRITE_UNITS")?,
            sweep_segments: number("WAYBILL_SWEEP_SEGMENTS")?.unwrap_or(default.sweep_segments),
            sweep_minutes: number("WAYBILL_SWEEP_MINUTES")?.unwrap_or(default.sweep_minutes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLES: [(&str, &str); 4] = [
        ("WAYBILL_ENV", "dev"),
        (
            "WAYBILL_ALERTS_ARN",
            "arn:aws:sns:us-east-1:1:waybill-dev-alerts",
        ),
        (
            "WAYBILL_DEAD_LETTERS_URL",
            "https://sqs.example/1/dead-letters",
        ),
        ("WAYBILL_BUCKET", "waybill-dev-orders-1"),
    ];

    fn without(missing: &str) -> Result<Settings, InvalidSettings> {
        Settings::read(|name| {
            let mut variables = VARIABLES.iter().filter(|(known, _)| *known != missing);
            let (_, value) = variables.find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        })
    }

    #[test]
    fn every_setting_is_read_and_none_may_be_missing() -> Result<(), InvalidSettings> {
        let settings = without("")?;
        assert_eq!(settings.names.environment(), "dev");
        assert_eq!(settings.alerts_arn, VARIABLES[1].1);
        assert_eq!(settings.dead_letters_url, VARIABLES[2].1);
        assert_eq!(settings.bucket, VARIABLES[3].1);
        assert_eq!(settings.shards, Shards::ONE);
        for (name, _) in VARIABLES {
            assert_eq!(without(name), Err(InvalidSettings::Missing(name)));
        }
        Ok(())
    }

    #[test]
    fn the_number_of_shards_may_be_set_and_must_be_one() {
        let with = |shards: &str| {
            let variables = [&VARIABLES[..], &[("WAYBILL_SHARDS", shards)]].concat();
            Settings::read(|name| {
                let known = variables.iter().find(|(known, _)| *known == name);
                known.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(with("16").map(|settings| settings.shards.count()), Ok(16));
        let refused = with("65").map_err(|error| error.to_string());
        let sentence =
            "WAYBILL_SHARDS: \"65\" shards: a whole number from 1 to 64 was expected".to_owned();
        assert_eq!(refused, Err(sentence));
    }
}

//! What a function is told of its environment, by environment variables.

use crate::{
    names::{InvalidEnvironment, Names},
    shards::{InvalidShards, Shards},
};

/// What a function is told of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `WAYBILL_ENV`: what everything is called.
    pub names: Names,
    /// `WAYBILL_ALERTS_ARN`: the topic for alerts.
    pub alerts_arn: String,
    /// `WAYBILL_DEAD_LETTERS_URL`: the queue for events that can never succeed.
    pub dead_letters_url: String,
    /// `WAYBILL_BUCKET`: the whole name of the bucket for order files and their reports.
    pub bucket: String,
    /// `WAYBILL_SHARDS`: over how many partitions indexes are spread; 1 where it is not set.
    pub shards: Shards,
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
    /// The number of shards is wrong.
    #[error("WAYBILL_SHARDS: {0}")]
    Shards(#[from] InvalidShards),
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
            bucket: get("WAYBILL_BUCKET")?,
            shards: match variable("WAYBILL_SHARDS") {
                Some(count) => count.parse()?,
                None => Shards::ONE,
            },
        })
    }

    /// Reads them from the process's environment.
    pub fn from_environment() -> Result<Self, InvalidSettings> {
        Self::read(|name| std::env::var(name).ok())
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

//! How an event is written down, and how an old one is read.
//!
//! An event's kind, version and data never change once written. A new field or meaning is a new
//! version, with an [`Upcaster`] from the one before; `domain/golden` keeps a sample of each.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

use crate::{Json, json::Object};

/// An event as it stands in a commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncodedEvent {
    /// What happened, such as `OrderPlaced`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which shape its data has.
    pub version: u32,
    /// The data, an object, as text.
    pub data: Box<RawValue>,
}

/// An event that this code cannot read: written by newer code, or damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {kind} version {version} cannot be read: {reason}")]
pub struct Undecodable {
    /// Its kind as written.
    pub kind: String,
    /// Its version as written.
    pub version: u32,
    /// Why not, without a word of the data: it goes to logs.
    pub reason: String,
    /// Newer code has written it, as far as this code can tell: its kind or its version is not
    /// known here. Then another build can read it, and nothing is damaged.
    pub newer: bool,
}

/// The step from one version of an event's data to the next.
#[derive(Debug, Clone, Copy)]
pub struct Upcaster {
    /// The kind of event.
    pub kind: &'static str,
    /// The version that it reads; it writes the next one.
    pub from: u32,
    /// Data of version `from` to data of version `from + 1`.
    pub up: fn(Object) -> Object,
}

impl EncodedEvent {
    /// Writes an event's data down.
    pub fn new(kind: &str, version: u32, data: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self {
            kind: kind.to_owned(),
            version,
            data: to_raw_value(data)?,
        })
    }

    /// Reads the data as version `current`, by way of `upcasters` where it is older.
    pub fn read<T: DeserializeOwned>(
        &self,
        current: u32,
        upcasters: &[Upcaster],
    ) -> Result<T, Undecodable> {
        if self.version == current {
            return serde_json::from_str(self.data.get())
                .map_err(|e| self.undecodable(place_of(&e)));
        }
        if self.version > current {
            return Err(self.unknown("its version is newer than this code"));
        }
        // Member by member: the data may be a level deeper than what was sent may be.
        let mut data: Object =
            serde_json::from_str(self.data.get()).map_err(|e| self.undecodable(place_of(&e)))?;
        for version in self.version..current {
            let step = upcasters
                .iter()
                .find(|step| step.kind == self.kind && step.from == version);
            let step = step.ok_or_else(|| self.undecodable(format!("no way up from {version}")))?;
            data = (step.up)(data);
        }
        let data = Json::Object(data).to_string();
        serde_json::from_str(&data).map_err(|e| self.undecodable(place_of(&e)))
    }

    /// This event cannot be read, because of `reason`: it is damaged.
    pub fn undecodable(&self, reason: impl ToString) -> Undecodable {
        Undecodable {
            kind: self.kind.clone(),
            version: self.version,
            reason: reason.to_string(),
            newer: false,
        }
    }

    /// This event cannot be read, because of `reason`: newer code knows it.
    pub fn unknown(&self, reason: impl ToString) -> Undecodable {
        Undecodable {
            newer: true,
            ..self.undecodable(reason)
        }
    }
}

/// What a text could not be read for, and where: serde's own words quote what they stumble over,
/// and that may be a customer's.
pub fn place_of(error: &serde_json::Error) -> String {
    format!(
        "{:?} error at line {} column {}",
        error.classify(),
        error.line(),
        error.column()
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Weighed {
        grams: u64,
        scale: String,
    }

    const UPCASTERS: &[Upcaster] = &[
        Upcaster {
            kind: "Weighed",
            from: 1,
            up: |mut data| {
                // Version 1 had kilograms.
                if let Some(Json::Number(kilos)) = data.remove("kilos") {
                    data.insert("grams".into(), (kilos.whole().unwrap() * 1000).into());
                }
                data
            },
        },
        Upcaster {
            kind: "Weighed",
            from: 2,
            up: |mut data| {
                data.insert("scale".into(), "unknown".into());
                data
            },
        },
    ];

    fn event(version: u32, data: &str) -> EncodedEvent {
        let data = RawValue::from_string(data.to_owned()).unwrap();
        EncodedEvent {
            kind: "Weighed".into(),
            version,
            data,
        }
    }

    #[test]
    fn an_old_event_is_brought_up_step_by_step() {
        let expected = Weighed {
            grams: 2000,
            scale: "unknown".into(),
        };
        assert_eq!(
            event(1, r#"{"kilos":2}"#).read::<Weighed>(3, UPCASTERS),
            Ok(expected)
        );
        let expected = Weighed {
            grams: 7,
            scale: "unknown".into(),
        };
        assert_eq!(
            event(2, r#"{"grams":7}"#).read::<Weighed>(3, UPCASTERS),
            Ok(expected)
        );
        let expected = Weighed {
            grams: 7,
            scale: "A".into(),
        };
        assert_eq!(
            event(3, r#"{"grams":7,"scale":"A"}"#).read::<Weighed>(3, UPCASTERS),
            Ok(expected)
        );
    }

    #[test]
    fn an_event_that_cannot_be_read_is_an_error_never_a_guess() {
        for (version, data, newer) in [
            (4, r#"{"grams":7,"scale":"A"}"#, true),
            (0, r#"{"kilos":2}"#, false),
            (3, r#"{"grams":7}"#, false),
            (3, r#"{"grams":7,"scale":"A","more":1}"#, false),
        ] {
            let read = event(version, data).read::<Weighed>(3, UPCASTERS);
            assert_eq!(read.unwrap_err().newer, newer, "version {version}: {data}");
        }
    }

    #[test]
    fn what_is_said_of_an_unreadable_event_quotes_nothing_of_it() {
        let error = event(3, r#"{"grams":"Zoe","scale":"A"}"#).read::<Weighed>(3, UPCASTERS);
        let text = error.unwrap_err().to_string();
        assert!(!text.contains("Zoe"), "{text}");
        assert!(text.contains("line 1 column"), "{text}");
    }
}

//! How events are encoded, and how those of older versions are decoded.
//!
//! An event's kind, version and data never change once written. A new field or meaning is a new
//! version, with an [`Upcaster`] from the one before; `domain/golden` keeps a sample of each. An
//! aggregate lists all its kinds of events as [`EventKind`]s.

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{Json, json::Object};

/// An encoded event, as a commit stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncodedEvent {
    /// The name of the event's [`EventKind`], such as `OrderPlaced`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version of the kind in which `data` are written, from 1.
    pub version: u32,
    /// The event's data: the text of a JSON object.
    pub data: Box<RawValue>,
}

/// Decoding an event failed: it is damaged, or newer code has written it. The text is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {kind} version {version} cannot be read: {reason}")]
pub struct Undecodable {
    /// The event's kind, as stored.
    pub kind: String,
    /// The event's version, as stored.
    pub version: u32,
    /// Why decoding failed. It quotes nothing of the event's data, since it goes to logs.
    pub reason: String,
    /// Whether newer code seems to have written the event: this code does not know its kind or
    /// version. Then another build can decode it, and nothing is damaged.
    pub newer: bool,
}

/// Converts an event's data from one version to the next.
pub type Upcaster = fn(Object) -> Object;

/// A kind of event, with all that encoding and decoding it need.
#[derive(Debug)]
pub struct EventKind<E: 'static> {
    /// The kind's name as it is stored, such as `OrderPlaced`.
    pub name: &'static str,
    /// The upcasters from version 1 to the latest version, in order. A kind whose data have never
    /// changed has none.
    pub upcasters: &'static [Upcaster],
    /// Deserializes an event from data of the latest version.
    pub decode: fn(&str) -> Result<E, serde_json::Error>,
}

impl<E> EventKind<E> {
    /// The latest version, in which events are encoded: the number of upcasters plus 1.
    pub fn version(&self) -> u32 {
        self.upcasters.iter().fold(1, |version, _| version + 1)
    }

    /// Encodes an event's data in the latest version.
    pub fn encode(&self, data: &impl Serialize) -> Result<EncodedEvent, serde_json::Error> {
        Ok(EncodedEvent {
            kind: self.name.to_owned(),
            version: self.version(),
            data: to_raw_value(data)?,
        })
    }

    /// Decodes an event of this kind, of any version up to the latest.
    fn decode_any_version(&self, event: &EncodedEvent) -> Result<E, Undecodable> {
        let unread = |error| event.undecodable(position_of(&error));
        let text = event.data.get();
        let version = self.version();
        if event.version == version {
            return (self.decode)(text).map_err(unread);
        }
        if event.version > version {
            return Err(event.unknown("its version is newer than this code"));
        }
        let steps = usize::try_from(event.version)
            .ok()
            .and_then(|version| self.upcasters.get(version.checked_sub(1)?..));
        let steps = steps.ok_or_else(|| event.undecodable("versions begin with 1"))?;
        // Member by member: the data may be a level deeper than what was sent may be.
        let data: Object = serde_json::from_str(text).map_err(unread)?;
        let data = steps.iter().fold(data, |data, step| step(data));
        (self.decode)(&Json::Object(data).to_string()).map_err(unread)
    }
}

/// Decodes an event of one of `kinds`. Fails where it is of none of them, of a newer version, or
/// damaged.
pub fn decode<E>(kinds: &[EventKind<E>], event: &EncodedEvent) -> Result<E, Undecodable> {
    let kind = kinds.iter().find(|kind| kind.name == event.kind);
    kind.ok_or_else(|| event.unknown("this code has no such kind"))?
        .decode_any_version(event)
}

impl EncodedEvent {
    /// The error of this event as a damaged one, with `reason`.
    pub fn undecodable(&self, reason: impl ToString) -> Undecodable {
        Undecodable {
            kind: self.kind.clone(),
            version: self.version,
            reason: reason.to_string(),
            newer: false,
        }
    }

    /// The error of this event as one that newer code has written, with `reason`.
    pub fn unknown(&self, reason: impl ToString) -> Undecodable {
        Undecodable {
            newer: true,
            ..self.undecodable(reason)
        }
    }
}

/// The class, line and column of a JSON error. The message of serde is left out: it quotes the
/// text, which may hold a customer's data.
pub fn position_of(error: &serde_json::Error) -> String {
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

    const KINDS: [EventKind<Weighed>; 1] = [EventKind {
        name: "Weighed",
        upcasters: &[
            |mut data| {
                // Version 1 had kilograms.
                if let Some(Json::Number(kilos)) = data.remove("kilos") {
                    data.insert("grams".into(), (kilos.to_u64().unwrap() * 1000).into());
                }
                data
            },
            |mut data| {
                data.insert("scale".into(), "unknown".into());
                data
            },
        ],
        decode: |data| serde_json::from_str(data),
    }];

    fn read(event: &EncodedEvent) -> Result<Weighed, Undecodable> {
        decode(&KINDS, event)
    }

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
        assert_eq!(read(&event(1, r#"{"kilos":2}"#)), Ok(expected));
        let expected = Weighed {
            grams: 7,
            scale: "unknown".into(),
        };
        assert_eq!(read(&event(2, r#"{"grams":7}"#)), Ok(expected));
        let expected = Weighed {
            grams: 7,
            scale: "A".into(),
        };
        assert_eq!(read(&event(3, r#"{"grams":7,"scale":"A"}"#)), Ok(expected));
    }

    #[test]
    fn an_event_that_cannot_be_read_is_an_error_never_a_guess() {
        for (version, data, newer) in [
            (4, r#"{"grams":7,"scale":"A"}"#, true),
            (0, r#"{"kilos":2}"#, false),
            (3, r#"{"grams":7}"#, false),
            (3, r#"{"grams":7,"scale":"A","more":1}"#, false),
        ] {
            let read = read(&event(version, data));
            assert_eq!(read.unwrap_err().newer, newer, "version {version}: {data}");
        }
        let mut other = event(3, r#"{"grams":7,"scale":"A"}"#);
        other.kind = "Measured".to_owned();
        assert!(read(&other).unwrap_err().newer);
    }

    #[test]
    fn what_is_said_of_an_unreadable_event_quotes_nothing_of_it() {
        let error = read(&event(3, r#"{"grams":"Zoe","scale":"A"}"#));
        let text = error.unwrap_err().to_string();
        assert!(!text.contains("Zoe"), "{text}");
        assert!(text.contains("line 1 column"), "{text}");
    }
}

//! The status of a shipment, and how carriers' spellings of it are read.

use serde::{Deserialize, Serialize};

/// The status of a shipment according to its carrier: one of [`Status::KNOWN`], or a word of the
/// carrier's own that matches `^[A-Z][A-Z0-9_]{0,39}$`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Status(String);

/// The text is not a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a status is a word of 1 to 40 letters, digits and '_', '-' or spaces, beginning with a letter"
)]
pub struct InvalidStatus;

impl Status {
    /// The member of [`Status::KNOWN`] with this name, if there is one.
    pub fn known(name: &str) -> Option<&'static str> {
        Self::KNOWN.into_iter().find(|known| *known == name)
    }

    /// The statuses with a meaning of their own in Waybill. A carrier may use others.
    pub const KNOWN: [&'static str; 14] = [
        "CREATED",
        "PICKED_UP",
        "IN_TRANSIT",
        "OUT_FOR_DELIVERY",
        "DELIVERED",
        "DELAYED",
        "LOST",
        "DAMAGED",
        "EXCEPTION",
        "RETURNED",
        "READY_FOR_PICKUP",
        "DELIVERY_ATTEMPTED",
        "RETURNING",
        "CANCELLED",
    ];

    /// The statuses that need a person's attention, and so raise an alert.
    pub const CRITICAL: [&'static str; 4] = ["DELAYED", "LOST", "DAMAGED", "EXCEPTION"];

    /// The statuses after which further updates are expected, so that a shipment without them is
    /// stalled. After any other status somebody knows already, or no update will come.
    pub const EXPECTING_UPDATES: [&'static str; 8] = [
        "CREATED",
        "PICKED_UP",
        "IN_TRANSIT",
        "OUT_FOR_DELIVERY",
        "DELAYED",
        "DELIVERY_ATTEMPTED",
        "READY_FOR_PICKUP",
        "RETURNING",
    ];

    /// `CREATED`: the carrier has not picked the shipment up yet.
    pub fn created() -> Self {
        Self("CREATED".to_owned())
    }

    /// `DELAYED`: the shipment is late.
    pub fn delayed() -> Self {
        Self("DELAYED".to_owned())
    }

    /// The status as text, such as `IN_TRANSIT`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is one of [`Status::CRITICAL`].
    pub fn is_critical(&self) -> bool {
        Self::CRITICAL.contains(&self.as_str())
    }

    /// Whether it is one of [`Status::EXPECTING_UPDATES`].
    pub fn expects_updates(&self) -> bool {
        Self::EXPECTING_UPDATES.contains(&self.as_str())
    }

    /// Reads a carrier's spelling. Case and the separators `_`, `-` and space do not matter: words
    /// with the letters of a known status are that status, and `CANCELED` is `CANCELLED`. Any other
    /// text becomes its words in capitals with `_` between them; a capital inside a word, as in
    /// `customsHold`, begins a new one.
    pub fn read(text: &str) -> Result<Self, InvalidStatus> {
        if let Some(known) = Self::known_by_letters(text) {
            return Ok(Self(known.to_owned()));
        }
        let forms = [
            text.to_owned(),
            in_capitals(text, true),
            in_capitals(text, false),
        ];
        let mut read = forms.into_iter().map(Self::try_from);
        read.find_map(Result::ok).ok_or(InvalidStatus)
    }

    fn known_by_letters(text: &str) -> Option<&'static str> {
        let letters = |text: &str| -> String {
            let letters = text.chars().filter(|c| !is_separator(*c));
            letters.map(|c| c.to_ascii_uppercase()).collect()
        };
        match letters(text).as_str() {
            "CANCELED" => Some("CANCELLED"),
            sent => Self::KNOWN.into_iter().find(|known| letters(known) == sent),
        }
    }

    /// How far a status is along the way, from 0 to 4: of several updates with the same time, the
    /// one with the highest is current. The contract defines the order.
    pub fn progress(&self) -> u8 {
        match self.as_str() {
            "CREATED" => 0,
            "PICKED_UP" => 1,
            "OUT_FOR_DELIVERY" | "READY_FOR_PICKUP" | "DELIVERY_ATTEMPTED" | "RETURNING" => 3,
            "DELIVERED" | "RETURNED" | "LOST" | "DAMAGED" | "CANCELLED" => 4,
            // IN_TRANSIT, DELAYED, EXCEPTION, and statuses of the carrier's own.
            _ => 2,
        }
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, '_' | '-' | ' ')
}

/// `Customs hold`, `customs-hold` and `customsHold` as `CUSTOMS_HOLD`. The last one only with
/// `capitals_part`, where a capital begins a word: that makes the text longer.
fn in_capitals(text: &str, capitals_part: bool) -> String {
    let mut written = String::new();
    let mut after_small = false;
    for c in text.trim_matches(is_separator).chars() {
        let capital = capitals_part && c.is_ascii_uppercase() && after_small;
        let parts = is_separator(c) || capital;
        if parts && !written.ends_with('_') {
            written.push('_');
        }
        if !is_separator(c) {
            written.push(c.to_ascii_uppercase());
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    written
}

impl TryFrom<String> for Status {
    type Error = InvalidStatus;

    fn try_from(text: String) -> Result<Self, InvalidStatus> {
        let inner = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
        if first && text.len() <= 40 && text.bytes().all(inner) {
            Ok(Self(text))
        } else {
            Err(InvalidStatus)
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.0
    }
}

//! What a carrier says a shipment is, in whatever spelling.

use serde::{Deserialize, Serialize};

/// What a carrier says a shipment is: one of [`Status::KNOWN`], or any other word of its own that
/// matches `^[A-Z][A-Z0-9_]{0,39}$`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Status(String);

/// A text that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a status is a word of 1 to 40 letters, digits and '_', '-' or spaces, beginning with a letter"
)]
pub struct InvalidStatus;

impl Status {
    /// The status of this name, if it is one of [`Status::KNOWN`].
    pub fn known(name: &str) -> Option<&'static str> {
        Self::KNOWN.into_iter().find(|known| *known == name)
    }

    /// What carriers usually say.
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

    /// What somebody must look at.
    pub const CRITICAL: [&'static str; 4] = ["DELAYED", "LOST", "DAMAGED", "EXCEPTION"];

    /// What goes on by itself: a shipment of such a status that is not heard of any more is stalled.
    /// (Of the others, somebody knows already, or nothing more will come.)
    pub const UNDER_WAY: [&'static str; 8] = [
        "CREATED",
        "PICKED_UP",
        "IN_TRANSIT",
        "OUT_FOR_DELIVERY",
        "DELAYED",
        "DELIVERY_ATTEMPTED",
        "READY_FOR_PICKUP",
        "RETURNING",
    ];

    /// `CREATED`, the status of a shipment that nobody has picked up yet.
    pub fn created() -> Self {
        Self("CREATED".to_owned())
    }

    /// `DELAYED`.
    pub fn delayed() -> Self {
        Self("DELAYED".to_owned())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Must somebody look at it?
    pub fn is_critical(&self) -> bool {
        Self::CRITICAL.contains(&self.as_str())
    }

    /// Is more expected to be heard of the shipment, before long?
    pub fn is_under_way(&self) -> bool {
        Self::UNDER_WAY.contains(&self.as_str())
    }

    /// Reads a carrier's spelling: words in any case, parted by `_`, `-`, spaces or a capital, are
    /// the known status of the same letters, and `CANCELED` is `CANCELLED`. Another one becomes
    /// its words in capitals, parted by `_`.
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

    /// How far along the way a status is: of updates with the same time the highest is current
    /// (the order is the contract's).
    pub fn progress(&self) -> u8 {
        match self.as_str() {
            "CREATED" => 0,
            "PICKED_UP" => 1,
            "OUT_FOR_DELIVERY" | "READY_FOR_PICKUP" | "DELIVERY_ATTEMPTED" | "RETURNING" => 3,
            "DELIVERED" | "RETURNED" | "LOST" | "DAMAGED" | "CANCELLED" => 4,
            // IN_TRANSIT, DELAYED, EXCEPTION, and what only the carrier knows.
            _ => 2,
        }
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, '_' | '-' | ' ')
}

/// `Customs hold`, `customs-hold` and `customsHold` as `CUSTOMS_HOLD`; the last one only where a
/// capital parts words, which makes them longer.
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

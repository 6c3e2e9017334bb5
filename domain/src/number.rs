//! Exact decimal numbers, never a float.

use std::{fmt, str::FromStr};

use bigdecimal::{BigDecimal, RoundingMode, Signed, Zero};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

use crate::limits::{DIGITS_MAX, MAGNITUDE, NUMBER_TEXT_MAX};

/// A number of at most 38 significant digits between 1E-130 and 9.9…E+125: the range of DynamoDB.
///
/// It is kept without trailing zeros, so equal numbers have equal texts: `2.50` reads as `2.5`. In
/// JSON it is written as a number, and read from a number or a numeric string. Both work with
/// `serde_json` alone, which keeps a number's text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(BigDecimal);

/// Why a text or a computed value is no [`Number`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNumber {
    /// The text is not a number in JSON's notation.
    #[error("not a number")]
    Syntax,
    /// It has more than 38 significant digits.
    #[error("more than {DIGITS_MAX} digits")]
    Digits,
    /// Its absolute value is too large or too small.
    #[error("out of range: its size must be between 1E-130 and 9.9E+125")]
    Range,
}

impl Number {
    /// The exact product of two numbers.
    pub fn times(&self, factor: &Self) -> BigDecimal {
        &self.0 * &factor.0
    }

    /// The number as a [`BigDecimal`], for arithmetic.
    pub fn as_decimal(&self) -> &BigDecimal {
        &self.0
    }

    /// Makes a number of a computed value. Fails where DynamoDB cannot hold it exactly: it is never
    /// rounded.
    pub fn exact(value: BigDecimal) -> Result<Self, InvalidNumber> {
        let value = value.normalized();
        if value.is_zero() {
            return Ok(Self::default());
        }
        let digits = value.digits();
        if digits > DIGITS_MAX {
            return Err(InvalidNumber::Digits);
        }
        // At most 38 by the line above.
        let digits = digits.try_into().unwrap_or(i64::MAX);
        let magnitude = digits
            .checked_sub(value.fractional_digit_count())
            .map(|power| power - 1);
        match magnitude {
            Some(power) if MAGNITUDE.contains(&power) => Ok(Self(value)),
            _ => Err(InvalidNumber::Range),
        }
    }

    /// The number rounded to `decimals` decimal places, halves away from zero, as on invoices.
    pub fn rounded(&self, decimals: i64) -> BigDecimal {
        self.0.with_scale_round(decimals, RoundingMode::HalfUp)
    }

    /// Whether it is greater than zero.
    pub fn is_positive(&self) -> bool {
        self.0.is_positive()
    }

    /// Whether it is less than zero.
    pub fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    /// Whether it has no fraction.
    pub fn is_whole(&self) -> bool {
        self.0.is_integer()
    }

    /// The number as an integer; `None` where it has a fraction, is negative, or exceeds 64 bits.
    pub fn to_u64(&self) -> Option<u64> {
        if !self.0.is_integer() {
            None
        } else {
            self.to_string().parse().ok()
        }
    }

    /// The size that DynamoDB counts for it, in bytes: one for every two digits, and two more, so
    /// that it is never counted too small.
    pub fn dynamodb_bytes(&self) -> usize {
        // At most 38 digits, so never cut.
        usize::try_from(self.0.digits())
            .unwrap_or(usize::MAX)
            .div_ceil(2)
            + 2
    }
}

/// Whether `text` is a number in JSON's notation. Rust's own parsers also take `+1`, `.5` and
/// `1_000`.
fn is_json_number(text: &str) -> bool {
    fn digits(text: &str) -> Option<&str> {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        (rest.len() < text.len()).then_some(rest)
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let leading_zero =
        unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes()[1].is_ascii_digit();
    if leading_zero {
        return false;
    }
    let Some(mut rest) = digits(unsigned) else {
        return false;
    };
    if let Some(fraction) = rest.strip_prefix('.') {
        let Some(after) = digits(fraction) else {
            return false;
        };
        rest = after;
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let Some(after) = digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}

impl FromStr for Number {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        if !is_json_number(text) {
            return Err(InvalidNumber::Syntax);
        }
        if text.len() > NUMBER_TEXT_MAX {
            return Err(InvalidNumber::Digits);
        }
        // The syntax is right, so only an exponent beyond 64 bits can fail.
        let value = BigDecimal::from_str(text).map_err(|_| InvalidNumber::Range)?;
        Self::exact(value)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self(BigDecimal::from(value).normalized())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_plain_string())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let number = match text.strip_prefix('"') {
            Some(quoted) => quoted.trim_end_matches('"').parse(),
            None => text.parse(),
        };
        number.map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_what_was_written() {
        for (text, written) in [
            ("2.55", "2.55"),
            ("0", "0"),
            ("-0", "0"),
            ("2.50", "2.5"),
            ("1e3", "1000"),
            ("1E-3", "0.001"),
            ("0.1", "0.1"),
            (
                "12345678901234567890123456789012345678",
                "12345678901234567890123456789012345678",
            ),
            (
                "100000000000000000000000000000000000000000",
                "100000000000000000000000000000000000000000",
            ),
        ] {
            assert_eq!(text.parse::<Number>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_json_does_not_call_a_number_is_refused() {
        for text in [
            "", "-", "+1", ".5", "1.", "01", "1_000", "1e", "NaN", "Infinity", "0x1", " 1", "1 ",
            "١",
        ] {
            assert_eq!(text.parse::<Number>(), Err(InvalidNumber::Syntax), "{text}");
        }
    }

    #[test]
    fn what_dynamodb_cannot_hold_is_refused() {
        let digits_39 = "123456789012345678901234567890123456789";
        assert_eq!(digits_39.parse::<Number>(), Err(InvalidNumber::Digits));
        assert_eq!("1e126".parse::<Number>(), Err(InvalidNumber::Range));
        assert_eq!("1e-131".parse::<Number>(), Err(InvalidNumber::Range));
        assert_eq!(
            "1e99999999999999999999".parse::<Number>(),
            Err(InvalidNumber::Range)
        );
        assert_eq!(
            "1e-9223372036854775808".parse::<Number>(),
            Err(InvalidNumber::Range)
        );
        assert!("1e125".parse::<Number>().is_ok());
        assert!("1e-130".parse::<Number>().is_ok());
    }

    #[test]
    fn json_numbers_and_numeric_strings_are_both_read() {
        assert_eq!(
            serde_json::from_str::<Number>("2.55").unwrap().to_string(),
            "2.55"
        );
        assert_eq!(
            serde_json::from_str::<Number>("\"2.55\"")
                .unwrap()
                .to_string(),
            "2.55"
        );
        assert!(serde_json::from_str::<Number>("\"2,55\"").is_err());
        assert!(serde_json::from_str::<Number>("true").is_err());
        assert_eq!(
            serde_json::to_string(&"2.550".parse::<Number>().unwrap()).unwrap(),
            "2.55"
        );
    }

    #[test]
    fn only_whole_numbers_are_whole() {
        assert_eq!("1e2".parse::<Number>().unwrap().to_u64(), Some(100));
        assert_eq!("2.0".parse::<Number>().unwrap().to_u64(), Some(2));
        assert_eq!("1.5".parse::<Number>().unwrap().to_u64(), None);
        assert_eq!("-1".parse::<Number>().unwrap().to_u64(), None);
        assert_eq!(
            "18446744073709551616".parse::<Number>().unwrap().to_u64(),
            None
        );
    }
}

//! Currencies, and how their amounts are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Number;

/// A currency of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

/// A text that is no currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a currency code of ISO 4217, such as USD")]
pub struct InvalidCurrency;

impl Currency {
    /// US dollars, where an order names no currency.
    pub const DEFAULT: Self = Self(iso_currency::Currency::USD);

    /// Reads a code of three capitals.
    pub fn parse(code: &str) -> Result<Self, InvalidCurrency> {
        iso_currency::Currency::from_code(code)
            .map(Self)
            .ok_or(InvalidCurrency)
    }

    /// Are two amounts the same once rounded to the currency's minor unit? A client that sums in
    /// floats sends `0.30000000000000004`. Gold and other units without a minor one must be equal.
    pub fn same(self, one: &Number, other: &Number) -> bool {
        match self.0.exponent() {
            Some(decimals) => one.rounded(decimals.into()) == other.rounded(decimals.into()),
            None => one == other,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code())
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;

    fn try_from(code: String) -> Result<Self, InvalidCurrency> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn same(currency: &str, one: &str, other: &str) -> bool {
        Currency::parse(currency)
            .unwrap()
            .same(&one.parse().unwrap(), &other.parse().unwrap())
    }

    #[test]
    fn amounts_are_compared_in_the_minor_unit() {
        assert!(same("USD", "0.3", "0.30000000000000004"));
        assert!(same("USD", "0.305", "0.31"));
        assert!(!same("USD", "0.30", "0.31"));
        assert!(same("JPY", "100.4", "100"));
        assert!(!same("JPY", "100.5", "100"));
        assert!(same("KWD", "1.2344", "1.234"));
        assert!(!same("KWD", "1.234", "1.23"));
    }

    #[test]
    fn codes_are_those_of_iso_4217() {
        for bad in ["usd", "US", "USDD", "ABC", ""] {
            assert_eq!(Currency::parse(bad), Err(InvalidCurrency), "{bad}");
        }
        assert_eq!(Currency::DEFAULT.to_string(), "USD");
    }
}

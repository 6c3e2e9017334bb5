//! Currencies, and how amounts in them are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Number;

/// A currency of ISO 4217, present or withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(Code);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Listed(iso_currency::Currency),
    /// A currency that `iso_currency` does not have: its code, and the decimals of its minor unit.
    Withdrawn(&'static str, i64),
}

/// The text is not a currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a currency code of ISO 4217, such as USD")]
pub struct InvalidCurrency;

impl Currency {
    /// US dollars: the currency of an order that names none.
    pub const DEFAULT: Self = Self(Code::Listed(iso_currency::Currency::USD));

    /// Parses a code of three letters, upper or lower case. Codes that are no money (see
    /// [`Self::is_money`]) are accepted too, since old orders hold such.
    pub fn parse(code: &str) -> Result<Self, InvalidCurrency> {
        let code = code.to_ascii_uppercase();
        let listed = iso_currency::Currency::from_code(&code).map(Code::Listed);
        let withdrawn = |decimals, codes: &'static str| {
            let found = codes.split_ascii_whitespace().find(|known| *known == code);
            found.map(|known| Code::Withdrawn(known, decimals))
        };
        listed
            .or_else(|| withdrawn(2, WITHDRAWN))
            .or_else(|| withdrawn(0, WITHDRAWN_WITHOUT_MINOR_UNIT))
            .map(Self)
            .ok_or(InvalidCurrency)
    }

    /// Whether people pay in it. Funds, metals, codes for tests and `XXX` are no money.
    pub fn is_money(self) -> bool {
        match self.0 {
            Code::Listed(listed) => !listed.is_fund() && !listed.is_special(),
            Code::Withdrawn(..) => true,
        }
    }

    /// Whether two amounts are equal once rounded to the currency's minor unit, halves away from
    /// zero: a client that adds floats sends `0.30000000000000004`. Where a unit such as gold has
    /// no minor unit, the amounts must be equal exactly.
    pub fn same(self, one: &Number, other: &Number) -> bool {
        let decimals = match self.0 {
            Code::Listed(listed) => listed.exponent().map(i64::from),
            Code::Withdrawn(_, decimals) => Some(decimals),
        };
        match decimals {
            Some(decimals) => one.rounded(decimals) == other.rounded(decimals),
            None => one == other,
        }
    }
}

/// Withdrawn currencies that `iso_currency` does not have: list three of ISO 4217 as published on
/// 2026-01-01, without funds and settlement units (`CHC ECV USS XFO XFU XRE`).
const WITHDRAWN: &str = "AFA ALK ANG AOK AON AOR ARA ARP ARY ATS AYM AZM BAD BGJ BGK BGL BOP BRB \
    BRC BRE BRN BRR BUK CSD CSJ CSK CYP DDM DEM ECS EEK FIM FRF GEK GHC GHP GNE GNS GQE GWE GWP \
    HRD IEP ILP ILR ISJ LAJ LSM LTL LTT LVL LVR MLF MRO MTL MTP MVQ MXP MZE MZM NIC NLG PEH PEI \
    PES PLZ RHD ROK RUR SDD SDP SIT SKK SRG STD SUR TJR TMM UAK UGS UGW UYN UYP VEB VEF VNC \
    XEU YDD YUD YUM YUN ZAL ZMK ZRN ZRZ ZWC ZWD ZWN ZWR";

/// Those of them that had no minor unit, by `minor0` of OpenJDK's `CurrencyData.properties`; and
/// the convertible and financial francs, escudos and pesetas beside them, which that file does not
/// have.
const WITHDRAWN_WITHOUT_MINOR_UNIT: &str =
    "ADP BEC BEF BEL BYB BYR ESA ESB ESP GRD ITL LUC LUF LUL MGF PTE ROL TPE TRL";

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Code::Listed(listed) => listed.code(),
            Code::Withdrawn(code, _) => code,
        })
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
        assert!(same("ITL", "1936.27", "1936"));
        assert!(same("DEM", "1.955", "1.96"));
        assert!(same("USD", "-0.125", "-0.13"));
        assert!(!same("USD", "-0.125", "-0.12"));
    }

    #[test]
    fn codes_are_those_of_iso_4217() {
        for bad in ["US", "USDD", "ABC", "US ", "ＵＳＤ", ""] {
            assert_eq!(Currency::parse(bad), Err(InvalidCurrency), "{bad}");
        }
        assert_eq!(Currency::DEFAULT.to_string(), "USD");
        for (sent, code) in [
            ("usd", "USD"),
            ("Eur", "EUR"),
            ("dem", "DEM"),
            ("ITL", "ITL"),
        ] {
            assert_eq!(Currency::parse(sent).unwrap().to_string(), code);
        }
    }

    #[test]
    fn money_is_what_somebody_pays_or_paid_in() {
        for code in [
            "USD", "XAF", "XCD", "XOF", "XPF", "ANG", "BGN", "HRK", "DEM", "FRF", "ITL", "VES",
            "ZWL", "XEU",
        ] {
            assert!(Currency::parse(code).unwrap().is_money(), "{code}");
        }
        for code in [
            "XAU", "XAG", "XPT", "XPD", "XTS", "XXX", "XDR", "XSU", "XUA", "XBA", "CHE", "CHW",
            "BOV", "CLF", "COU", "MXV", "USN", "UYI", "UYW",
        ] {
            assert!(!Currency::parse(code).unwrap().is_money(), "{code}");
        }
    }

    #[test]
    fn withdrawn_codes_are_not_those_of_today() {
        let withdrawn = [WITHDRAWN, WITHDRAWN_WITHOUT_MINOR_UNIT].join(" ");
        let codes: Vec<&str> = withdrawn.split_ascii_whitespace().collect();
        for code in &codes {
            assert_eq!(iso_currency::Currency::from_code(code), None, "{code}");
            assert_eq!(
                codes.iter().filter(|other| *other == code).count(),
                1,
                "{code}"
            );
            assert_eq!(code.len(), 3);
        }
    }
}

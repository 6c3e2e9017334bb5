//! What a piece of work costs, told before it begins.

use std::io::{IsTerminal as _, Write as _};

use event_store::failure::told;

use crate::{outcome::OperatorError, target::Environment};

/// US dollars for a million read units on demand in us-east-1, in thousandths.
/// (Amazon DynamoDB pricing, on-demand capacity, 2026.)
const MILLI_DOLLARS_PER_MILLION_READS: u64 = 125;

/// What is asked before something that costs
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Asking {
    /// Say what it costs, do nothing, and end with 0
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask; where nobody sits at a terminal, nobody is asked
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// How large a table is, as DynamoDB says: on AWS some hours ago.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) items: u64,
    pub(crate) bytes: u64,
}

impl Size {
    /// Half a read unit for each 4 KB: a scan with eventual consistency. In whole units.
    pub(crate) fn scan_units(self) -> u64 {
        self.bytes.div_ceil(2 * 4 * 1024)
    }
}

/// How large a table is.
pub(crate) async fn size(environment: &Environment, table: &str) -> Result<Size, OperatorError> {
    let described = environment
        .dynamodb
        .describe_table()
        .table_name(table)
        .send()
        .await;
    let described =
        described.map_err(|error| OperatorError::Said(format!("{table}: {}", told(&error))))?;
    let table = described.table;
    let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    Ok(Size {
        items: number(table.as_ref().and_then(|table| table.item_count)).unwrap_or_default(),
        bytes: number(table.as_ref().and_then(|table| table.table_size_bytes)).unwrap_or_default(),
    })
}

/// Units with their price: `1200 read units ($0.0002)`.
pub(crate) fn priced(read_units: u64) -> String {
    // Hundredths of a cent, rounded up.
    let price = (read_units * MILLI_DOLLARS_PER_MILLION_READS).div_ceil(100_000);
    let (dollars, rest) = (price / 10_000, price % 10_000);
    format!("about {read_units} read units (${dollars}.{rest:04} on demand in us-east-1)")
}

/// Says what is about to be done; whether to go on. Who is asked and says no has an error: a command
/// that did not look must not end as one that found all well.
pub(crate) fn go_on(asking: Asking, cost: &str) -> Result<bool, OperatorError> {
    eprintln!("{cost}");
    if asking.dry_run {
        return Ok(false);
    }
    if asking.yes || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(true);
    }
    eprint!("Go on? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(true),
        _ => Err(OperatorError::Said("nothing was done".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_told_to_the_hundredth_of_a_cent() {
        let said = [priced(0), priced(1), priced(8_000_000), priced(123_456_789)];
        let prices = said
            .each_ref()
            .map(|text| text.split(['(', ' ']).find(|part| part.starts_with('$')));
        assert_eq!(
            prices,
            [
                Some("$0.0000"),
                Some("$0.0001"),
                Some("$1.0000"),
                Some("$15.4321")
            ]
        );
    }
}

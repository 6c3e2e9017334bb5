//! The cost of an operation, to be shown before it begins.

use event_store::failure::describe;
use serde::{Deserialize, Serialize};

use crate::{environment::Environment, error::OperatorError};

/// The price of a million on-demand read units in us-east-1, in thousandths of a US dollar. (Amazon
/// DynamoDB pricing, on-demand capacity, 2026.)
const MILLI_DOLLARS_PER_MILLION_READS: u64 = 125;

/// The approximate cost of reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// The number of DynamoDB's read units.
    pub read_units: u64,
    /// Their on-demand price in us-east-1, in US dollars, rounded up to four decimals, such as
    /// `0.0002`.
    pub dollars: String,
}

impl Cost {
    /// The cost of this number of read units.
    pub fn of(read_units: u64) -> Self {
        // Hundredths of a cent, rounded up.
        let price = (read_units * MILLI_DOLLARS_PER_MILLION_READS).div_ceil(100_000);
        let (dollars, rest) = (price / 10_000, price % 10_000);
        Self {
            read_units,
            dollars: format!("{dollars}.{rest:04}"),
        }
    }
}

/// The size of a table as DynamoDB reports it. On AWS the numbers are some hours old.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// The number of items.
    pub items: u64,
    /// The bytes of all items, without the indexes.
    pub bytes: u64,
}

impl Size {
    /// The read units of a scan of the table, rounded up: an eventually consistent read of 4 KB
    /// costs half a unit.
    pub fn scan_units(self) -> u64 {
        self.bytes.div_ceil(2 * 4 * 1024)
    }
}

/// Reads the size of a table. `table` is its full name.
pub(crate) async fn size(environment: &Environment, table: &str) -> Result<Size, OperatorError> {
    let described = environment
        .dynamodb
        .describe_table()
        .table_name(table)
        .send()
        .await;
    let described = described
        .map_err(|error| OperatorError::of_call(format!("{table}: {}", describe(&error))))?;
    let table = described.table;
    let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    Ok(Size {
        items: number(table.as_ref().and_then(|table| table.item_count)).unwrap_or_default(),
        bytes: number(table.as_ref().and_then(|table| table.table_size_bytes)).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_told_to_the_hundredth_of_a_cent() {
        let prices = [0, 1, 8_000_000, 123_456_789].map(|units| Cost::of(units).dollars);
        assert_eq!(prices, ["0.0000", "0.0001", "1.0000", "15.4321"]);
    }
}

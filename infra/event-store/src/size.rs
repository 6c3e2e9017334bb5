//! The sizes of items, as DynamoDB counts them ("DynamoDB item sizes and formats" in its developer
//! guide).

use aws_sdk_dynamodb::types::AttributeValue;

use crate::item::Item;

/// The size of an item in bytes: the names and values of its attributes.
pub fn item_bytes(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value_bytes(value))
        .sum()
}

fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_bytes(number),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|number| number_bytes(number)).sum(),
        AttributeValue::Bs(values) => values.iter().map(|bytes| bytes.as_ref().len()).sum(),
        AttributeValue::L(values) => {
            3 + values
                .iter()
                .map(|value| 1 + value_bytes(value))
                .sum::<usize>()
        }
        AttributeValue::M(members) => {
            let member =
                |(name, value): (&String, &AttributeValue)| 1 + name.len() + value_bytes(value);
            3 + members.iter().map(member).sum::<usize>()
        }
        _ => 1,
    }
}

/// The bytes of a number: one for every two digits, one for the exponent and one for a sign. It is
/// never too few.
fn number_bytes(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count().div_ceil(2) + 2
}

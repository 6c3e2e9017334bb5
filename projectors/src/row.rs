//! Rows as DynamoDB items. Not by way of serde: a number must keep its digits.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Json;

use crate::ports::Row;

/// An item.
pub type Item = HashMap<String, AttributeValue>;

/// The version of a row; 0 of one that no projection has written.
pub fn version(row: &Row) -> u64 {
    match row.get("version") {
        Some(Json::Number(number)) => number.whole().unwrap_or_default(),
        _ => 0,
    }
}

/// A row as an item.
pub fn to_item(row: Row) -> Item {
    row.into_iter()
        .map(|(name, value)| (name, to_attribute(value)))
        .collect()
}

/// An item as a row; `None` where it holds what no row does.
pub fn from_item(item: Item) -> Option<Row> {
    item.into_iter()
        .map(|(name, value)| Some((name, from_attribute(value)?)))
        .collect()
}

fn to_attribute(value: Json) -> AttributeValue {
    match value {
        Json::Null => AttributeValue::Null(true),
        Json::Bool(value) => AttributeValue::Bool(value),
        Json::Number(number) => AttributeValue::N(number.to_string()),
        Json::String(text) => AttributeValue::S(text),
        Json::Array(values) => AttributeValue::L(values.into_iter().map(to_attribute).collect()),
        Json::Object(members) => AttributeValue::M(to_item(members)),
    }
}

fn from_attribute(value: AttributeValue) -> Option<Json> {
    match value {
        AttributeValue::Null(_) => Some(Json::Null),
        AttributeValue::Bool(value) => Some(Json::Bool(value)),
        AttributeValue::N(number) => number.parse().ok().map(Json::Number),
        AttributeValue::S(text) => Some(Json::String(text)),
        AttributeValue::L(values) => values
            .into_iter()
            .map(from_attribute)
            .collect::<Option<_>>()
            .map(Json::Array),
        AttributeValue::M(members) => from_item(members).map(Json::Object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::json::InvalidJson;

    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was() -> Result<(), InvalidJson> {
        let text =
            r#"{"a":null,"b":true,"c":12345678901234567890.1234567890123456,"d":[{"e":""}]}"#;
        let row = Json::parse(text)?.into_object().unwrap_or_default();
        assert_eq!(from_item(to_item(row.clone())), Some(row));
        Ok(())
    }
}

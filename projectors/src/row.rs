//! Converts rows to DynamoDB items and back. It does not use serde, since numbers must keep their
//! digits.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Json, Number};

use crate::ports::Row;

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// The version of a row; 0 where no projection has written it.
pub fn version(row: &Row) -> u64 {
    let written = written_version(row);
    written
        .and_then(|number| number.to_u64())
        .unwrap_or_default()
}

/// A whole number in a row; 0 where it is missing.
pub fn number(row: &Row, name: &str) -> u64 {
    match row.get(name) {
        Some(Json::Number(number)) => number.to_u64().unwrap_or_default(),
        _ => 0,
    }
}

/// A text in a row; empty where it is missing.
pub fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Json::String(text)) => text.clone(),
        _ => String::new(),
    }
}

/// The stored version of a row, if it is a number, even one that no history can have.
pub fn written_version(row: &Row) -> Option<Number> {
    match row.get("version") {
        Some(Json::Number(number)) => Some(number.clone()),
        _ => None,
    }
}

/// Converts a row to an item.
pub fn to_item(row: Row) -> Item {
    row.into_iter()
        .map(|(name, value)| (name, to_attribute(value)))
        .collect()
}

/// The value in a row that stands for an attribute of a type that no row has (bytes, a set). Such
/// an attribute was written by somebody else, and equals nothing that follows from a history.
const FOREIGN: &str = "\u{0}an attribute of a type that no row has";

/// Converts an item to a row.
pub fn from_item(item: Item) -> Row {
    item.into_iter()
        .map(|(name, value)| (name, from_attribute(value)))
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

fn from_attribute(value: AttributeValue) -> Json {
    match value {
        AttributeValue::Null(_) => Json::Null,
        AttributeValue::Bool(value) => Json::Bool(value),
        AttributeValue::N(number) => match number.parse() {
            Ok(number) => Json::Number(number),
            Err(_) => FOREIGN.into(),
        },
        AttributeValue::S(text) => Json::String(text),
        AttributeValue::L(values) => Json::Array(values.into_iter().map(from_attribute).collect()),
        AttributeValue::M(members) => Json::Object(from_item(members)),
        _ => FOREIGN.into(),
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
        assert_eq!(from_item(to_item(row.clone())), row);
        Ok(())
    }

    #[test]
    fn what_no_row_holds_is_read_and_differs() {
        let foreign = AttributeValue::Ss(vec!["a".to_owned()]);
        let row = from_item(Item::from([("a".to_owned(), foreign)]));
        assert_eq!(row.get("a"), Some(&FOREIGN.into()));
    }
}

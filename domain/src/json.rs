//! JSON values with exact numbers.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;

use crate::{
    Number, Refusal,
    limits::{DIGITS_MAX, JSON_DEPTH_MAX},
    number::InvalidNumber,
};

/// The members of an object, sorted by name, so that equal objects have equal texts.
pub type Object = BTreeMap<String, Json>;

/// A JSON value that DynamoDB can hold: nested and precise within its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, exactly as sent
    Number(Number),
    /// A string
    String(String),
    /// An array
    Array(Vec<Json>),
    /// An object
    Object(Object),
}

/// Why a text is no [`Json`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJson {
    /// The text is not JSON. The message may quote it.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// The values are nested more than 16 levels deep.
    #[error("more than {JSON_DEPTH_MAX} levels of JSON")]
    Depth,
    /// A number is beyond the limits of [`Number`].
    #[error("{reason}; a number has at most {DIGITS_MAX} digits and is at most 9.9E+125")]
    Number {
        /// The path of the number, such as `items[3].price`.
        path: String,
        /// The limit that it exceeds.
        reason: InvalidNumber,
    },
    /// An object has two members of one name, which two readers would understand differently.
    #[error("a member stands twice in one object")]
    Duplicate {
        /// The path of the member, its name included.
        path: String,
    },
    /// An object has a member with an empty name, which DynamoDB refuses.
    #[error("a member has an empty name")]
    EmptyName {
        /// The path of the object.
        path: String,
    },
}

impl InvalidJson {
    /// The same error with a path that begins one level further out, at `outer`.
    fn within(mut self, outer: &str) -> Self {
        if let Self::Number { path, .. } | Self::EmptyName { path } | Self::Duplicate { path } =
            &mut self
        {
            let separator = if path.is_empty() || path.starts_with('[') {
                ""
            } else {
                "."
            };
            *path = format!("{outer}{separator}{path}");
        }
        self
    }
}

impl From<InvalidJson> for Refusal {
    fn from(error: InvalidJson) -> Self {
        let message = error.to_string();
        match error {
            InvalidJson::Number { path, .. } | InvalidJson::EmptyName { path } => {
                Self::field(path, message)
            }
            InvalidJson::Duplicate { path } => Self::Invalid {
                code: "duplicate_member",
                field: path,
                message,
            },
            InvalidJson::Syntax(_) | InvalidJson::Depth => Self::Invalid {
                code: "not_json",
                field: String::new(),
                message,
            },
        }
    }
}

impl Json {
    /// Parses a text that is one JSON value.
    pub fn parse(text: &str) -> Result<Self, InvalidJson> {
        let raw: &RawValue = serde_json::from_str(text).map_err(syntax)?;
        read(raw, 1)
    }

    /// The members of an object; `None` of any other value.
    pub fn into_object(self) -> Option<Object> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The value's type with its article, such as `a number`, for a message to the sender.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The size that DynamoDB counts for it, in bytes: the content, three for a list or map and one
    /// for each of its elements ("DynamoDB item sizes and formats" in its developer guide).
    pub fn dynamodb_bytes(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 1,
            Self::Number(number) => number.dynamodb_bytes(),
            Self::String(text) => text.len(),
            Self::Array(values) => {
                3 + values
                    .iter()
                    .map(|value| 1 + value.dynamodb_bytes())
                    .sum::<usize>()
            }
            Self::Object(members) => object_dynamodb_bytes(members),
        }
    }
}

/// The size that DynamoDB counts for a map of these members, in bytes.
pub fn object_dynamodb_bytes(members: &Object) -> usize {
    3 + members
        .iter()
        .map(|(name, value)| 1 + name.len() + value.dynamodb_bytes())
        .sum::<usize>()
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Number> for Json {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

/// The canonical text: JSON on one line, the same for equal values.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        read(&raw, 1).map_err(de::Error::custom)
    }
}

/// Reads a value level by level, since only a [`RawValue`] still has its numbers' text. A byte is
/// read once per level, and there are at most 16.
fn read(raw: &RawValue, depth: usize) -> Result<Json, InvalidJson> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            check_depth(depth)?;
            let Members(members) = serde_json::from_str(text).map_err(syntax)?;
            read_members(members, depth).map(Json::Object)
        }
        Some(b'[') => {
            check_depth(depth)?;
            let values: Vec<&RawValue> = serde_json::from_str(text).map_err(syntax)?;
            let read_value = |(index, value)| {
                read(value, depth + 1).map_err(|error| error.within(&format!("[{index}]")))
            };
            let values = values.into_iter().enumerate().map(read_value);
            values.collect::<Result<_, _>>().map(Json::Array)
        }
        Some(b'"') => serde_json::from_str(text).map(Json::String).map_err(syntax),
        Some(b't' | b'f') => serde_json::from_str(text).map(Json::Bool).map_err(syntax),
        Some(b'n') => Ok(Json::Null),
        _ => text
            .parse()
            .map(Json::Number)
            .map_err(|reason| InvalidJson::Number {
                path: String::new(),
                reason,
            }),
    }
}

/// An object's members in the order in which they were sent, duplicates included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: de::MapAccess<'de>>(
                self,
                mut map: M,
            ) -> Result<Members<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

fn read_members(members: Vec<(String, &RawValue)>, depth: usize) -> Result<Object, InvalidJson> {
    let mut read_so_far = Object::new();
    for (name, value) in members {
        if name.is_empty() {
            return Err(InvalidJson::EmptyName {
                path: String::new(),
            });
        }
        if read_so_far.contains_key(&name) {
            return Err(InvalidJson::Duplicate { path: name });
        }
        let value = read(value, depth + 1).map_err(|error| error.within(&name))?;
        read_so_far.insert(name, value);
    }
    Ok(read_so_far)
}

fn check_depth(depth: usize) -> Result<(), InvalidJson> {
    if depth > JSON_DEPTH_MAX {
        Err(InvalidJson::Depth)
    } else {
        Ok(())
    }
}

fn syntax(error: serde_json::Error) -> InvalidJson {
    InvalidJson::Syntax(error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let text = r#"{"a":[1.10,true,null,"x"],"b":{"c":12345678901234567890.123}}"#;
        assert_eq!(
            Json::parse(text).unwrap().to_string(),
            r#"{"a":[1.1,true,null,"x"],"b":{"c":12345678901234567890.123}}"#
        );
    }

    #[test]
    fn equal_values_are_written_alike() {
        let one = Json::parse(r#"{"a": 1.0, "b": 2}"#).unwrap();
        let other = Json::parse(r#"{"b":2e0,"a":1}"#).unwrap();
        assert_eq!(one.to_string(), other.to_string());
    }

    #[test]
    fn sixteen_levels_are_read_and_seventeen_refused() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(Json::parse(&nested(16)).is_ok());
        assert_eq!(Json::parse(&nested(17)), Err(InvalidJson::Depth));
        // Deeper than serde_json follows: still an answer, not a crash.
        assert!(Json::parse(&nested(100_000)).is_err());
    }

    #[test]
    fn bad_texts_are_refused() {
        for text in [
            "",
            "{",
            "nul",
            "{\"a\":}",
            "1 2",
            "{'a':1}",
            "[1,]",
            "\u{feff}{}",
        ] {
            assert!(
                matches!(Json::parse(text), Err(InvalidJson::Syntax(_))),
                "{text}"
            );
        }
        assert_eq!(
            Json::parse(r#"{"":1}"#),
            Err(InvalidJson::EmptyName {
                path: String::new()
            })
        );
        assert!(matches!(
            Json::parse("[1e999]"),
            Err(InvalidJson::Number { .. })
        ));
    }

    #[test]
    fn a_member_that_stands_twice_is_named_by_its_place() {
        for (text, twice) in [
            (r#"{"orderId":"A","orderId":"B"}"#, "orderId"),
            (r#"{"a":1,"\u0061":1}"#, "a"),
            (
                r#"{"items":[{"price":1},{"price":1,"x":2,"price":1}]}"#,
                "items[1].price",
            ),
            (r#"[{"a":{"b":null,"b":null}}]"#, "[0].a.b"),
        ] {
            let path = twice.to_owned();
            assert_eq!(
                Json::parse(text),
                Err(InvalidJson::Duplicate { path }),
                "{text}"
            );
        }
        assert!(Json::parse(r#"{"a":{"a":1},"A":[{"a":1},{"a":1}]}"#).is_ok());
    }

    #[test]
    fn what_cannot_be_held_is_named_by_its_place() {
        let text = r#"{"items":[{"price":1},{"price":1e126,"x":{}}]}"#;
        let Err(InvalidJson::Number { path, .. }) = Json::parse(text) else {
            unreachable!()
        };
        assert_eq!(path, "items[1].price");
        let Err(error) = Json::parse(r#"{"a":{"b":[[{"":1}]]}}"#) else {
            unreachable!()
        };
        assert_eq!(
            error,
            InvalidJson::EmptyName {
                path: "a.b[0][0]".to_owned()
            }
        );
    }
}

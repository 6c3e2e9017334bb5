//! An object's members, taken out one by one; what is wrong with one is said with its place.

use std::fmt::Display;

use domain::{Json, Number, Refusal, json::Object};

/// An object's members that are not yet taken.
#[derive(Debug)]
pub struct Fields {
    members: Object,
    /// Where the object is: empty, or such as `items[3].`
    place: String,
}

impl Fields {
    /// The members of the object that was sent.
    pub fn new(members: Object) -> Self {
        Self {
            members,
            place: String::new(),
        }
    }

    /// The members of an object within: `place` is such as `items[3]`.
    pub fn within(place: &str, value: Json) -> Result<Self, Refusal> {
        let kind = value.kind();
        match value.into_object() {
            Some(members) => Ok(Self {
                members,
                place: format!("{place}."),
            }),
            None => Err(Refusal::field(
                place,
                format!("an object was expected, not {kind}"),
            )),
        }
    }

    /// A text; missing, `null` and empty are all none.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::String(text)) if text.is_empty() => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.unexpected(name, "a string", &other)),
        }
    }

    /// A number, also one written as a string.
    pub fn number(&mut self, name: &str) -> Result<Option<Number>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Number(number)) => Ok(Some(number)),
            Some(Json::String(text)) => text.parse().map(Some).map_err(|e| self.wrong(name, e)),
            Some(other) => Err(self.unexpected(name, "a number", &other)),
        }
    }

    /// An array.
    pub fn array(&mut self, name: &str) -> Result<Option<Vec<Json>>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Array(values)) => Ok(Some(values)),
            Some(other) => Err(self.unexpected(name, "an array", &other)),
        }
    }

    /// Whatever it is; missing and `null` are none.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        self.members
            .remove(name)
            .filter(|value| *value != Json::Null)
    }

    /// A refusal of a field here.
    pub fn wrong(&self, name: &str, message: impl Display) -> Refusal {
        Refusal::field(format!("{}{name}", self.place), message.to_string())
    }

    /// A refusal of a field that must be there.
    pub fn missing(&self, name: &str) -> Refusal {
        self.wrong(name, "it is required")
    }

    fn unexpected(&self, name: &str, expected: &str, found: &Json) -> Refusal {
        self.wrong(
            name,
            format!("{expected} was expected, not {}", found.kind()),
        )
    }

    /// What nobody has taken.
    pub fn rest(self) -> Object {
        self.members
    }
}

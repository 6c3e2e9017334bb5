//! An object's members, taken out one by one; what is wrong with one is said with its place.

use std::fmt::Display;

use domain::{Json, Number, Refusal, json::Object, order::names};

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

    /// An id: a text, or a whole number, which is read as its digits; missing, `null` and empty
    /// are all none.
    pub fn id(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            Some(Json::Number(number)) if number.is_whole() => Ok(Some(number.to_string())),
            Some(Json::Number(_)) => {
                Err(self.wrong(name, "a string or a whole number was expected"))
            }
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

    /// Yes or no; missing and `null` are no.
    pub fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.take(name) {
            None => Ok(false),
            Some(Json::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.unexpected(name, "true or false", &other)),
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
        Refusal::field(self.place_of(name), message.to_string())
    }

    /// A refusal of a field that must be there.
    pub fn missing(&self, name: &str) -> Refusal {
        match self.members.keys().find(|sent| names::nearly(sent, name)) {
            Some(sent) => names::misspelt(&self.place, sent, name),
            None => self.wrong(name, format!("{name} is required")),
        }
    }

    /// Where a member here is, such as `items[3].price`.
    pub fn place_of(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }

    /// Refuses the first member that nobody has taken; `taken` says who takes what, such as
    /// "cancelling takes a reason and".
    pub fn nothing_else(&self, taken: &str) -> Result<(), Refusal> {
        // A member that is `null` says as much as a missing one.
        let mut left = self
            .members
            .iter()
            .filter(|(_, value)| **value != Json::Null);
        match left.next() {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::Invalid {
                code: "unknown_member",
                field: self.place_of(name),
                message: format!("{taken} nothing else: this would go unheard"),
            }),
        }
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

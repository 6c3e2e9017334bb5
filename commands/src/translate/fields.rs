//! Takes the members of a JSON object one by one; a refusal names the path of the member at fault.

use std::fmt::Display;

use domain::{Json, Number, Refusal, json::Object, order::names};

/// The members of a JSON object that are not taken yet.
#[derive(Debug)]
pub struct Fields {
    members: Object,
    /// The path of the object: empty, or such as `items[3].`
    path: String,
}

impl Fields {
    /// The members of the whole object that was sent.
    pub fn new(members: Object) -> Self {
        Self {
            members,
            path: String::new(),
        }
    }

    /// The members of a nested object at the path `path`, such as `items[3]`; refused where the
    /// value is no object.
    pub fn within(path: &str, value: Json) -> Result<Self, Refusal> {
        let kind = value.kind();
        match value.into_object() {
            Some(members) => Ok(Self {
                members,
                path: format!("{path}."),
            }),
            None => Err(Refusal::field(
                path,
                format!("an object was expected, not {kind}"),
            )),
        }
    }

    /// Takes a text; `None` where it is missing, `null` or empty. Refused where it is no string.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::String(text)) if text.is_empty() => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.unexpected(name, "a string", &other)),
        }
    }

    /// Takes an id: a text, or a whole number, which is read as its digits; `None` where it is
    /// missing, `null` or empty. Refused where it is anything else.
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

    /// Takes a number, also one that is written as a string. Refused where it is anything else.
    pub fn number(&mut self, name: &str) -> Result<Option<Number>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Number(number)) => Ok(Some(number)),
            Some(Json::String(text)) => text.parse().map(Some).map_err(|e| self.wrong(name, e)),
            Some(other) => Err(self.unexpected(name, "a number", &other)),
        }
    }

    /// Takes an array. Refused where it is anything else.
    pub fn array(&mut self, name: &str) -> Result<Option<Vec<Json>>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Array(values)) => Ok(Some(values)),
            Some(other) => Err(self.unexpected(name, "an array", &other)),
        }
    }

    /// Takes an object; `None` where it is missing, `null` or empty. Refused where it is anything
    /// else.
    pub fn object(&mut self, name: &str) -> Result<Option<Object>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Object(members)) if members.is_empty() => Ok(None),
            Some(Json::Object(members)) => Ok(Some(members)),
            Some(other) => Err(self.unexpected(name, "an object", &other)),
        }
    }

    /// Takes a boolean; missing and `null` are `false`. Refused where it is anything else.
    pub fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.take(name) {
            None => Ok(false),
            Some(Json::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.unexpected(name, "true or false", &other)),
        }
    }

    /// Takes a value of any type; `None` where it is missing or `null`.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        self.members
            .remove(name)
            .filter(|value| *value != Json::Null)
    }

    /// A refusal of the member `name`, with its path.
    pub fn wrong(&self, name: &str, message: impl Display) -> Refusal {
        Refusal::field(self.path_of(name), message.to_string())
    }

    /// A refusal because the required member `name` is missing; it names a member that looks like a
    /// misspelling of it.
    pub fn missing(&self, name: &str) -> Refusal {
        match self
            .members
            .keys()
            .find(|sent| names::is_misspelling_of(sent, name))
        {
            Some(sent) => names::misspelt(&self.path, sent, name),
            None => self.wrong(name, format!("{name} is required")),
        }
    }

    /// The path of the member `name`, such as `items[3].price`.
    pub fn path_of(&self, name: &str) -> String {
        format!("{}{name}", self.path)
    }

    /// Refuses the first member that is not taken. `taken` begins the message and names what is
    /// allowed, such as "cancelling takes a reason and".
    pub fn nothing_else(&self, taken: &str) -> Result<(), Refusal> {
        // A member that is `null` means the same as a missing one.
        let mut left = self
            .members
            .iter()
            .filter(|(_, value)| **value != Json::Null);
        match left.next() {
            None => Ok(()),
            Some((name, _)) => Err(Refusal::Invalid {
                code: "unknown_member",
                field: self.path_of(name),
                message: format!("{taken} nothing else: this member would be ignored"),
            }),
        }
    }

    fn unexpected(&self, name: &str, expected: &str, found: &Json) -> Refusal {
        self.wrong(
            name,
            format!("{expected} was expected, not {}", found.kind()),
        )
    }

    /// The members that are not taken.
    pub fn rest(self) -> Object {
        self.members
    }
}

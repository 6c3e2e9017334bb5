//! Event patterns in EventBridge's language.
//!
//! A part of the language is supported: an object goes one level down, an array lists the allowed
//! values of a field: exact values, `{"prefix": "…"}`, or `{"wildcard": "…"}` where each `*` stands
//! for any text. A pattern with anything else is refused, so that no rule silently never matches.

use serde_json::Value;

/// A pattern, or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Pattern {
    /// Each of these fields of an object must match its pattern.
    Fields(Vec<(String, Pattern)>),
    /// The value must match one of these.
    AnyOf(Vec<Matcher>),
}

/// An allowed value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Matcher {
    Exact(Value),
    Prefix(String),
    /// A wildcard: the texts between the asterisks.
    Wildcard(Vec<String>),
}

impl Pattern {
    /// Parses a pattern. Fails with a description of what is not supported.
    pub(super) fn read(json: &Value) -> Result<Self, String> {
        match json {
            Value::Object(fields) if !fields.is_empty() => fields
                .iter()
                .map(|(name, inner)| Ok((name.clone(), Self::read(inner)?)))
                .collect::<Result<_, _>>()
                .map(Self::Fields),
            Value::Array(accepted) if !accepted.is_empty() => accepted
                .iter()
                .map(matcher)
                .collect::<Result<_, _>>()
                .map(Self::AnyOf),
            other => Err(format!("{other} is no pattern")),
        }
    }

    /// Whether `event` matches the pattern.
    pub(super) fn matches(&self, event: &Value) -> bool {
        match self {
            Self::Fields(fields) => fields
                .iter()
                .all(|(name, inner)| event.get(name).is_some_and(|value| inner.matches(value))),
            Self::AnyOf(accepted) => match event {
                Value::Array(values) => values
                    .iter()
                    .any(|value| accepted.iter().any(|matcher| matcher.matches(value))),
                value => accepted.iter().any(|matcher| matcher.matches(value)),
            },
        }
    }
}

impl Matcher {
    fn matches(&self, value: &Value) -> bool {
        match self {
            Self::Exact(exact) => exact == value,
            Self::Prefix(prefix) => value.as_str().is_some_and(|text| text.starts_with(prefix)),
            Self::Wildcard(texts) => value.as_str().is_some_and(|text| wildcard(texts, text)),
        }
    }
}

fn matcher(json: &Value) -> Result<Matcher, String> {
    let unknown = || Err(format!("{json} is not understood"));
    match json {
        Value::String(_) | Value::Bool(_) | Value::Null | Value::Number(_) => {
            Ok(Matcher::Exact(json.clone()))
        }
        Value::Array(_) => unknown(),
        Value::Object(fields) => {
            let only = fields.iter().next().filter(|_| fields.len() == 1);
            match only.map(|(name, value)| (name.as_str(), value)) {
                Some(("prefix", Value::String(prefix))) => Ok(Matcher::Prefix(prefix.clone())),
                // In EventBridge a backslash escapes an asterisk, which is not supported here.
                Some(("wildcard", Value::String(text)))
                    if !text.contains('\\') && !text.contains("**") =>
                {
                    let texts = text.split('*').map(str::to_owned);
                    Ok(Matcher::Wildcard(texts.collect()))
                }
                _ => unknown(),
            }
        }
    }
}

/// Whether `text` contains these texts in order: the first one at its start, the last one at its
/// end.
fn wildcard(texts: &[String], text: &str) -> bool {
    let [first, between @ .., last] = texts else {
        // A pattern without an asterisk must be equal to the text.
        return texts.first().is_some_and(|only| only == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in between {
        // The first occurrence leaves the longest rest for the following texts.
        let Some((_, behind)) = rest.split_once(part.as_str()) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(text: &Value, event: &Value) -> bool {
        Pattern::read(text).unwrap().matches(event)
    }

    #[test]
    fn a_wildcard_stands_for_any_text() {
        for (wild, text, expected) in [
            ("a*b", "ab", true),
            ("a*b", "a-b", true),
            ("a*b", "a-bc", false),
            ("a*b", "xa-b", false),
            ("a*a", "a", false),
            ("*b", "ab", true),
            ("a*", "ab", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*bc*c", "abc", false),
            ("ab", "ab", true),
            ("ab", "abc", false),
        ] {
            let pattern = json!([{ "wildcard": wild }]);
            assert_eq!(matches(&pattern, &json!(text)), expected, "{wild} {text}");
        }
        assert!(!matches(&json!([{ "wildcard": "*" }]), &json!(1)));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            json!({}),
            json!([]),
            json!("text"),
            json!({ "source": "text" }),
            json!({ "source": [] }),
            json!({ "source": [["text"]] }),
            json!({ "source": [{ "suffix": "text" }] }),
            json!({ "source": [{ "anything-but": "text" }] }),
            json!({ "source": [{ "prefix": "a", "wildcard": "b" }] }),
            json!({ "source": [{ "prefix": { "equals-ignore-case": "a" } }] }),
            json!({ "source": [{ "wildcard": "a\\*" }] }),
            json!({ "source": [{ "wildcard": "a**" }] }),
        ] {
            assert!(Pattern::read(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_array_in_the_event_matches_by_any_of_its_values() {
        let pattern = json!({ "detail": { "status": ["NEW"] } });
        assert!(matches(
            &pattern,
            &json!({ "detail": { "status": ["OLD", "NEW"] } })
        ));
        assert!(!matches(&pattern, &json!({ "detail": { "status": [] } })));
        assert!(!matches(&pattern, &json!({ "detail": "status" })));
    }
}

//! The differences between two rows.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Json, json::Object};

use crate::limits::VALUE_CHARACTERS;

/// A member with different values in two rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The path of the member, such as `attributes.note` or `items[2].price`.
    pub path: String,
    /// The old value; `None` where the member was added.
    pub before: Option<String>,
    /// The new value; `None` where the member was removed.
    pub after: Option<String>,
}

/// A member of a row, and whether it has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The path of the member.
    pub path: String,
    /// The value; empty where the member was removed.
    pub value: String,
    /// The old value, where it was a different one.
    pub before: Option<String>,
    /// Whether the member differs from the row before.
    pub changed: bool,
}

/// Returns every member that differs, sorted by path. Objects and arrays are compared member by
/// member.
pub fn between(before: &Object, after: &Object) -> Vec<Difference> {
    let (before, after) = (leaves(before), leaves(after));
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differs = |path: &&&String| before.get(**path) != after.get(**path);
    let difference = |path: &String| Difference {
        path: path.clone(),
        before: before.get(path).map(|value| short(value)),
        after: after.get(path).map(|value| short(value)),
    };
    paths
        .iter()
        .filter(differs)
        .map(|p| difference(p))
        .collect()
}

/// Returns every member of `after`, those that changed since `before` marked and first. Removed
/// members are included with an empty value.
pub fn members(before: &Object, after: &Object) -> Vec<Member> {
    let (before, after) = (leaves(before), leaves(after));
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let member = |path: &String| {
        let (old, new) = (before.get(path), after.get(path));
        Member {
            path: path.clone(),
            value: new.map_or(String::new(), |value| short(value)),
            before: old.filter(|_| old != new).map(|value| short(value)),
            changed: old != new,
        }
    };
    let mut members: Vec<Member> = paths.into_iter().map(member).collect();
    members.sort_by_key(|member| !member.changed);
    members
}

/// Returns each value that is neither an object nor an array, by its path. An empty object or array
/// counts as a value.
fn leaves(row: &Object) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    for (name, value) in row {
        collect(name.clone(), value, &mut leaves);
    }
    leaves
}

fn collect(path: String, value: &Json, leaves: &mut BTreeMap<String, String>) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                collect(format!("{path}.{name}"), value, leaves);
            }
        }
        Json::Array(values) if !values.is_empty() => {
            for (index, value) in values.iter().enumerate() {
                collect(format!("{path}[{index}]"), value, leaves);
            }
        }
        Json::String(text) => {
            leaves.insert(path, text.clone());
        }
        other => {
            leaves.insert(path, other.to_string());
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARACTERS) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn row(text: &str) -> Object {
        Json::parse(text).unwrap().into_object().unwrap()
    }

    fn told(before: &str, after: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let differences = between(&row(before), &row(after)).into_iter();
        differences.map(|d| (d.path, d.before, d.after)).collect()
    }

    #[test]
    fn what_is_changed_added_or_gone_is_told_by_its_place() {
        let before = r#"{"status":"NEW","version":1,"items":[{"price":1},{"price":2}],"note":"x"}"#;
        let after = r#"{"status":"CANCELLED","version":1,"items":[{"price":1},{"price":2.5}],
                        "cancelReason":"y"}"#;
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            told(before, after),
            [
                ("cancelReason".to_owned(), None, some("y")),
                ("items[1].price".to_owned(), some("2"), some("2.5")),
                ("note".to_owned(), some("x"), None),
                ("status".to_owned(), some("NEW"), some("CANCELLED")),
            ]
        );
        assert_eq!(told(after, after), []);
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_exactly() {
        assert_eq!(told(r#"{"a":1.50}"#, r#"{"a":1.5}"#), []);
        let (one, other) = (
            r#"{"a":12345678901234567890.000000000000000001}"#,
            r#"{"a":12345678901234567890.000000000000000002}"#,
        );
        assert_eq!(told(one, other).len(), 1);
    }

    #[test]
    fn an_empty_object_is_not_nothing() {
        assert_eq!(told(r#"{"a":{}}"#, r#"{}"#).len(), 1);
        assert_eq!(told(r#"{"a":{}}"#, r#"{"a":{"b":1}}"#).len(), 2);
    }

    #[test]
    fn a_row_is_shown_whole_with_its_changes_marked() {
        let shown = members(&row(r#"{"a":1,"b":2}"#), &row(r#"{"a":1,"b":3,"c":4}"#));
        let shown: Vec<_> = shown
            .iter()
            .map(|m| (m.path.as_str(), m.value.as_str(), m.changed))
            .collect();
        assert_eq!(
            shown,
            [("b", "3", true), ("c", "4", true), ("a", "1", false)]
        );
    }

    #[test]
    fn a_long_value_says_that_it_was_cut() {
        let long = format!(r#"{{"a":"{}"}}"#, "é".repeat(1_000));
        let shown = members(&Object::new(), &row(&long));
        assert!(shown[0].value.ends_with("… (2000 bytes)"));
    }
}

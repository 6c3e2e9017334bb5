//! The rules of EventBridge: they select the events that a function receives.
//!
//! A pattern is written in EventBridge's language. Supported are exact values, `prefix` and
//! `wildcard`; a pattern with anything else is refused, so that no rule silently never matches.

mod pattern;

use pattern::Pattern;
use serde_json::Value;

use crate::definition::Rule;

/// The rules with their parsed patterns.
#[derive(Debug, Clone)]
pub struct Rules(Vec<(Rule, Pattern)>);

/// A pattern that is not supported.
#[derive(Debug, thiserror::Error)]
#[error("rule {rule}: {what}")]
pub struct InvalidRule {
    /// The name of the rule.
    pub rule: String,
    /// The part of the pattern that is wrong.
    pub what: String,
}

impl Rules {
    /// Parses the patterns of these rules. Fails where one is not supported.
    pub fn read(rules: &[Rule]) -> Result<Self, InvalidRule> {
        let read = |rule: &Rule| {
            let pattern = serde_json::from_str(&rule.pattern)
                .map_err(|error| error.to_string())
                .and_then(|json| Pattern::read(&json));
            let invalid = |what| InvalidRule {
                rule: rule.name.clone(),
                what,
            };
            Ok((rule.clone(), pattern.map_err(invalid)?))
        };
        rules.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the ids of the functions that receive an event on `bus`: one for each rule that it
    /// matches.
    pub fn targets(&self, bus: &str, event: &Value) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(rule, pattern)| rule.bus == bus && pattern.matches(event))
            .map(|(rule, _)| rule.target.as_str())
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definition::toy;

    #[test]
    fn an_event_reaches_the_target_of_every_rule_on_its_bus_that_it_matches() {
        let mut rules = toy::library().rules;
        rules.push(Rule {
            name: "again".to_owned(),
            target: "remind".to_owned(),
            ..rules[0].clone()
        });
        let rules = Rules::read(&rules).unwrap();
        let event = json!({ "source": "library.loans", "detail-type": "Book Lent" });
        assert_eq!(rules.targets("toy-bus", &event), ["lend", "remind"]);
        assert_eq!(rules.targets("default", &event), ["lend"]);
        assert!(rules.targets("another", &event).is_empty());
        let event = json!({ "source": "library.loans", "detail-type": "Book Lost" });
        assert!(rules.targets("toy-bus", &event).is_empty());
    }

    #[test]
    fn a_rule_that_is_not_understood_is_named() {
        let mut rule = toy::library().rules.remove(0);
        for pattern in ["{", "{}", r#"{ "source": [{ "suffix": "s" }] }"#] {
            rule.pattern = pattern.to_owned();
            let refused = Rules::read(std::slice::from_ref(&rule)).unwrap_err();
            assert_eq!(refused.rule, "loans", "{pattern}");
        }
    }
}

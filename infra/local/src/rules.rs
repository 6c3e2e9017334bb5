//! The rules of EventBridge: which event reaches which function.
//!
//! A pattern is written in EventBridge's own language, so that the provisioned rules can be held
//! against this table as JSON. Of that language only exact values are needed and understood: an
//! array holds the accepted values of a field, an object goes one level down.

use serde_json::Value;

use crate::functions::Role;

/// One rule on one bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What the rule is for; the end of its name.
    pub name: &'static str,
    /// The bus it listens to.
    pub bus: Bus,
    /// The event pattern, JSON.
    pub pattern: &'static str,
    /// The function that receives the event.
    pub target: Role,
}

/// The buses of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bus {
    /// `waybill-<env>`.
    Waybill,
    /// The account's default bus.
    Default,
}

const SHIPMENTS: &str = r#"{
  "source": ["logistics.shipments"],
  "detail-type": ["Shipment Update", "Shipment Created", "Shipment Delayed"]
}"#;

const ORDER_COMMANDS: &str = r#"{
  "source": ["orders.commands"],
  "detail-type": ["Place Order", "Complete Order", "Cancel Order"]
}"#;

const FULFILMENT: &str = r#"{
  "source": ["waybill.orders"],
  "detail-type": ["Order Created"],
  "detail": { "status": ["NEW"] }
}"#;

/// Every rule of an environment.
pub const RULES: [Rule; 4] = [
    Rule {
        name: "shipments",
        bus: Bus::Waybill,
        pattern: SHIPMENTS,
        target: Role::Bus,
    },
    Rule {
        name: "shipments-default",
        bus: Bus::Default,
        pattern: SHIPMENTS,
        target: Role::Bus,
    },
    Rule {
        name: "order-commands",
        bus: Bus::Waybill,
        pattern: ORDER_COMMANDS,
        target: Role::Bus,
    },
    Rule {
        name: "fulfilment",
        bus: Bus::Waybill,
        pattern: FULFILMENT,
        target: Role::Bus,
    },
];

/// The rules with their patterns read.
#[derive(Debug, Clone)]
pub struct Rules(Vec<(Rule, Value)>);

impl Rules {
    /// Reads [`RULES`]; fails where a pattern is not JSON.
    pub fn read() -> Result<Self, serde_json::Error> {
        let read = |rule: Rule| Ok((rule, serde_json::from_str(rule.pattern)?));
        RULES
            .into_iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The functions that an event on `bus` reaches: one for each rule that it matches.
    pub fn targets(&self, bus: Bus, event: &Value) -> Vec<Role> {
        self.0
            .iter()
            .filter(|(rule, pattern)| rule.bus == bus && matches(pattern, event))
            .map(|(rule, _)| rule.target)
            .collect()
    }
}

/// Whether `event` has, for every field of `pattern`, one of its values.
fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(fields) => fields
            .iter()
            .all(|(name, inner)| event.get(name).is_some_and(|value| matches(inner, value))),
        Value::Array(accepted) => match event {
            Value::Array(values) => values.iter().any(|value| accepted.contains(value)),
            value => accepted.contains(value),
        },
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn targets(bus: Bus, source: &str, detail_type: &str, detail: Value) -> Vec<Role> {
        let event = json!({ "source": source, "detail-type": detail_type, "detail": detail });
        Rules::read().unwrap().targets(bus, &event)
    }

    #[test]
    fn shipment_updates_are_heard_on_both_buses() {
        for bus in [Bus::Waybill, Bus::Default] {
            for kind in ["Shipment Update", "Shipment Created", "Shipment Delayed"] {
                assert_eq!(
                    targets(bus, "logistics.shipments", kind, json!({})),
                    [Role::Bus]
                );
            }
        }
    }

    #[test]
    fn another_source_or_detail_type_is_not_heard() {
        for bus in [Bus::Waybill, Bus::Default] {
            assert!(targets(bus, "somebody.else", "Shipment Update", json!({})).is_empty());
            assert!(targets(bus, "logistics.shipments", "Shipment Lost", json!({})).is_empty());
        }
    }

    #[test]
    fn only_a_new_order_comes_round_to_be_completed() {
        let heard = |bus, status: &str| {
            targets(
                bus,
                "waybill.orders",
                "Order Created",
                json!({ "status": status }),
            )
        };
        assert_eq!(heard(Bus::Waybill, "NEW"), [Role::Bus]);
        assert!(heard(Bus::Waybill, "PROCESSING").is_empty());
        assert!(heard(Bus::Default, "NEW").is_empty());
        assert!(targets(Bus::Waybill, "waybill.orders", "Order Created", json!({})).is_empty());
    }

    #[test]
    fn order_commands_are_heard_on_the_own_bus_only() {
        let heard = |bus| targets(bus, "orders.commands", "Place Order", json!({}));
        assert_eq!(heard(Bus::Waybill), [Role::Bus]);
        assert!(heard(Bus::Default).is_empty());
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

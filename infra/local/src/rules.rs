//! Waybill's rules: which event reaches which function.
//!
//! A pattern is written in EventBridge's own language, so that the provisioned rules can be
//! compared with this table as JSON.

use emulator::arn::ACCOUNT;
use emulator::definition;
use lambda::Names;

use crate::functions::Role;

/// One rule on one bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The last part of the rule's name, which says what the rule is for.
    pub name: &'static str,
    /// The bus it listens to.
    pub bus: Bus,
    /// The event pattern, JSON; [`BUCKET`] stands for the name of the environment's bucket, and
    /// [`ACCOUNT_ID`] for its account.
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

impl Bus {
    /// Returns the name of the bus in an environment.
    pub fn name(self, names: &Names) -> String {
        match self {
            Self::Waybill => names.bus(),
            Self::Default => definition::DEFAULT_BUS.to_owned(),
        }
    }
}

/// Stands in a pattern for the name of the environment's bucket.
pub const BUCKET: &str = "{bucket}";

/// Stands in a pattern for the environment's account.
pub const ACCOUNT_ID: &str = "{account}";

const SHIPMENTS: &str = r#"{
  "source": ["logistics.shipments"],
  "detail-type": ["Shipment Update", "Shipment Created", "Shipment Delayed"]
}"#;

const ORDER_COMMANDS: &str = r#"{
  "source": ["orders.commands"],
  "detail-type": ["Place Order", "Complete Order", "Cancel Order"]
}"#;

/// The account is checked because another account could send events with Waybill's source.
const FULFILMENT: &str = r#"{
  "account": ["{account}"],
  "source": ["waybill.orders"],
  "detail-type": ["Order Created"],
  "detail": { "status": ["NEW"] }
}"#;

/// The commands of the role `watch`. The account is checked here for the same reason.
const STALLED: &str = r#"{
  "account": ["{account}"],
  "source": ["waybill.watch"],
  "detail-type": ["Mark Stalled"]
}"#;

const ORDER_FILES: &str = r#"{
  "source": ["aws.s3"],
  "detail-type": ["Object Created"],
  "detail": {
    "bucket": { "name": ["{bucket}"] },
    "object": { "key": [{ "prefix": "orders/" }] }
  }
}"#;

/// A stored checkpoint of a file triggers the next part of its import.
const ORDER_FILES_GO_ON: &str = r#"{
  "source": ["aws.s3"],
  "detail-type": ["Object Created"],
  "detail": {
    "bucket": { "name": ["{bucket}"] },
    "object": { "key": [{ "wildcard": "reports/*.checkpoint.json" }] }
  }
}"#;

/// Every rule of an environment.
pub const RULES: [Rule; 7] = [
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
    Rule {
        name: "stalled",
        bus: Bus::Waybill,
        pattern: STALLED,
        target: Role::Bus,
    },
    Rule {
        name: "order-files",
        bus: Bus::Default,
        pattern: ORDER_FILES,
        target: Role::Import,
    },
    Rule {
        name: "order-files-go-on",
        bus: Bus::Default,
        pattern: ORDER_FILES_GO_ON,
        target: Role::Import,
    },
];

/// Returns [`RULES`] with the names of an environment.
pub fn of(names: &Names) -> Vec<definition::Rule> {
    let bucket = names.orders_bucket(ACCOUNT);
    let rule = |rule: Rule| {
        let pattern = rule.pattern.replace(BUCKET, &bucket);
        definition::Rule {
            name: names.of(rule.name),
            bus: rule.bus.name(names),
            pattern: pattern.replace(ACCOUNT_ID, ACCOUNT),
            target: rule.target.name().to_owned(),
        }
    };
    RULES.into_iter().map(rule).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use emulator::rules::Rules;
    use serde_json::{Value, json};

    use super::*;

    fn targets(bus: Bus, source: &str, detail_type: &str, detail: Value) -> Vec<Role> {
        targets_from(ACCOUNT, bus, source, detail_type, detail)
    }

    fn targets_from(
        account: &str,
        bus: Bus,
        source: &str,
        detail_type: &str,
        detail: Value,
    ) -> Vec<Role> {
        let event = json!({
            "account": account, "source": source, "detail-type": detail_type, "detail": detail,
        });
        let names = Names::new("dev").unwrap();
        let rules = Rules::read(&of(&names)).unwrap();
        let targets = rules.targets(&bus.name(&names), &event);
        let role = |name: &str| Role::from_name(name).unwrap();
        targets.into_iter().map(role).collect()
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
        // The rule does not match even where the bus accepts events of another account.
        let (source, kind) = ("waybill.orders", "Order Created");
        let forged = || targets_from("1", Bus::Waybill, source, kind, json!({ "status": "NEW" }));
        assert!(forged().is_empty());
        assert!(targets(Bus::Waybill, "waybill.orders", "Order Created", json!({})).is_empty());
    }

    #[test]
    fn order_commands_are_heard_on_the_own_bus_only() {
        let heard = |bus| targets(bus, "orders.commands", "Place Order", json!({}));
        assert_eq!(heard(Bus::Waybill), [Role::Bus]);
        assert!(heard(Bus::Default).is_empty());
    }

    #[test]
    fn order_files_and_checkpoints_of_this_bucket_reach_the_import() {
        let heard = |bus, kind: &str, bucket: &str, key: &str| {
            let detail = json!({ "bucket": { "name": bucket }, "object": { "key": key } });
            targets(bus, "aws.s3", kind, detail)
        };
        let bucket = "waybill-dev-orders-000000000000";
        let created = |key| heard(Bus::Default, "Object Created", bucket, key);
        for key in ["orders/", "orders/a.json", "reports/a/1.checkpoint.json"] {
            assert_eq!(created(key), [Role::Import], "{key}");
        }
        for key in [
            "order/a.json",
            "a/orders/a.json",
            "reports/a/1.checkpoint.json.old",
            "reports/report.json",
            "a.checkpoint.json",
        ] {
            assert!(created(key).is_empty(), "{key}");
        }
        let key = "orders/a.json";
        assert!(heard(Bus::Waybill, "Object Created", bucket, key).is_empty());
        assert!(heard(Bus::Default, "Object Deleted", bucket, key).is_empty());
        assert!(heard(Bus::Default, "Object Created", "another", key).is_empty());
    }
}

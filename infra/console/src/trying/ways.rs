//! The ways in: an example of each, the order or shipment that a text is about, and command lines
//! that send it.

use domain::Json;
use lambda::Names;
use serde_json::{Value, json};

use crate::links::{self, quoted};

use super::{At, Sign};

/// The AWS account of the local system.
pub const ACCOUNT: &str = "000000000000";

/// Source and detail-type of the events of carriers' integrations.
pub const SHIPMENTS: (&str, &str) = ("logistics.shipments", "Shipment Update");

/// Source and detail-type of order commands on the bus.
pub const ORDERS: (&str, &str) = ("orders.commands", "Place Order");

/// A way in which orders, commands and updates reach Waybill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// An order over HTTP.
    Order,
    /// A shipment's event on the bus.
    Shipment,
    /// An order on the bus.
    BusOrder,
    /// A file of orders.
    File,
    /// A direct invocation.
    Invoke,
    /// A carrier's webhook.
    Webhook,
    /// Completes an order.
    Complete,
    /// Cancels an order.
    Cancel,
}

/// The texts of each way: name in an address, title, and description.
const NAMES: [(Way, &str, &str, &str); 8] = [
    (
        Way::Order,
        "order",
        "Order over HTTP",
        "POST /orders, as a web shop sends it. The shop completes it later.",
    ),
    (
        Way::Shipment,
        "shipment",
        "Shipment event",
        "The detail of an event Shipment Update from logistics.shipments, as a carrier's integration puts it on the bus.",
    ),
    (
        Way::BusOrder,
        "bus-order",
        "Order event",
        "The detail of an event Place Order from orders.commands. Waybill completes it by itself.",
    ),
    (
        Way::File,
        "file",
        "Order file",
        "A file below orders/ in the bucket: one order, an array, or one a line. Waybill completes them by itself.",
    ),
    (
        Way::Invoke,
        "invoke",
        "Invocation",
        "The payload of the function invoke. Waybill completes the order by itself.",
    ),
    (
        Way::Webhook,
        "webhook",
        "Carrier's webhook",
        "What EasyPost posts about a parcel, signed with the secret that the system was started with.",
    ),
    (
        Way::Complete,
        "complete",
        "Complete",
        "The body of POST /orders/{orderId}/complete: nothing is needed in it.",
    ),
    (
        Way::Cancel,
        "cancel",
        "Cancel",
        "The body of POST /orders/{orderId}/cancel.",
    ),
];

impl Way {
    /// All ways, in the order of the page.
    pub const ALL: [Self; 8] = [
        Self::Order,
        Self::Shipment,
        Self::BusOrder,
        Self::File,
        Self::Invoke,
        Self::Webhook,
        Self::Complete,
        Self::Cancel,
    ];

    /// Returns the way with this name in an address.
    pub fn parse(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.slug() == slug)
    }

    fn named(self) -> (Self, &'static str, &'static str, &'static str) {
        // Every way has an entry in the table.
        NAMES
            .into_iter()
            .find(|it| it.0 == self)
            .unwrap_or(NAMES[0])
    }

    /// Returns the name in an address.
    pub fn slug(self) -> &'static str {
        self.named().1
    }

    /// Returns the title for a person.
    pub fn title(self) -> &'static str {
        self.named().2
    }

    /// Returns the description for a person.
    pub fn about(self) -> &'static str {
        self.named().3
    }

    /// Whether the way is a command about an existing order.
    pub fn needs_order(self) -> bool {
        matches!(self, Self::Complete | Self::Cancel)
    }

    /// Whether the text is about a shipment, not an order.
    pub fn is_about_shipment(self) -> bool {
        matches!(self, Self::Shipment | Self::Webhook)
    }

    /// Returns an example about an order or shipment with this id.
    pub fn example(self, id: &str, now: &At) -> String {
        let items = json!([{ "name": "Lamp", "quantity": 2, "price": 12.5 }]);
        let example = match self {
            Self::Order => json!({ "orderId": id, "customerId": "customer123", "items": items }),
            Self::BusOrder => json!({ "orderId": id, "items": items }),
            Self::File => json!([
                { "orderId": id, "items": items },
                { "orderId": format!("{id}-2"), "items": items },
            ]),
            Self::Invoke => json!({
                "orderId": id, "customerName": "Ada",
                "snackItems": [{ "name": "Crisps", "quantity": 3, "price": 1.99 }],
                "totalAmount": 5.97,
            }),
            Self::Shipment => json!({
                "shipmentId": id, "status": "DELAYED", "location": "Memphis, TN", "carrier": "FedEx",
            }),
            Self::Webhook => json!({
                "object": "Event", "description": "tracker.updated", "mode": "production",
                "result": {
                    "object": "Tracker", "tracking_code": id, "carrier": "USPS",
                    "tracking_details": [{
                        "object": "TrackingDetail", "status": "in_transit", "datetime": now.0,
                        "status_detail": "arrived_at_facility", "message": "Arrived",
                        "tracking_location": { "city": "Memphis", "state": "TN", "country": "US" },
                    }],
                },
            }),
            Self::Complete => json!({}),
            Self::Cancel => json!({ "reason": "the customer has changed their mind" }),
        };
        serde_json::to_string_pretty(&example).unwrap_or_default()
    }

    /// Returns the id of the order or shipment that a text names, where it does; for a file, of its
    /// first order.
    pub fn subject(self, text: &str) -> Option<String> {
        let member = |value: &Json, name: &str| match value {
            Json::Object(members) => members.get(name).cloned(),
            _ => None,
        };
        let first = |value: Json| match value {
            Json::Array(all) => all.into_iter().next(),
            other => Some(other),
        };
        let parsed = Json::parse(text).ok();
        let found = match self {
            Self::Order | Self::BusOrder | Self::Invoke => member(&parsed?, "orderId")?,
            Self::Shipment => member(&parsed?, "shipmentId")?,
            Self::Webhook => member(&member(&parsed?, "result")?, "tracking_code")?,
            Self::File => {
                // The text may have one order a line, where it is not JSON as a whole.
                let line = || Json::parse(text.lines().find(|line| !line.trim().is_empty())?).ok();
                let whole = parsed.or_else(line)?;
                let orders = member(&whole, "orders").unwrap_or(whole);
                member(&first(orders)?, "orderId")?
            }
            Self::Complete | Self::Cancel => return None,
        };
        match found {
            Json::String(id) => Some(id),
            Json::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

/// The addresses and names that command lines contain.
pub struct Addresses<'a> {
    /// The address of the HTTP API.
    pub api_url: &'a str,
    /// The address of the AWS protocols.
    pub aws_url: &'a str,
    /// The names of the environment's resources.
    pub names: &'a Names,
    /// The function that signs webhooks.
    pub sign: Option<&'a Sign>,
}

/// Returns the command line that sends this text. `key` is the command's idempotency key; `order`
/// is the id of the order that a command is about, or the name of a file.
pub fn command(way: Way, text: &str, order: &str, key: &str, addresses: &Addresses<'_>) -> String {
    let Addresses {
        api_url,
        aws_url,
        names,
        sign,
    } = addresses;
    let post = |path: &str, header: &str| {
        let (url, header) = (quoted(&format!("{api_url}{path}")), quoted(header));
        let data = quoted(text);
        format!(
            "curl -s -X POST {url} -H {header} -H 'Content-Type: application/json' --data-raw {data}"
        )
    };
    let key = format!("Idempotency-Key: {key}");
    let aws = format!(
        "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1 \
         aws --endpoint-url {aws_url}"
    );
    let event = |(source, kind): (&str, &str)| {
        let entry: Value = json!([{ "EventBusName": names.bus(), "Source": source,
                                    "DetailType": kind, "Detail": text }]);
        format!(
            "{aws} events put-events --entries {}",
            quoted(&entry.to_string())
        )
    };
    match way {
        Way::Order => post("/orders", &key),
        Way::Complete | Way::Cancel => {
            post(&format!("{}/{}", links::order(order), way.slug()), &key)
        }
        Way::Webhook => {
            let (name, value) = sign.map_or_else(Default::default, |sign| sign(text));
            post("/carriers/easypost", &format!("{name}: {value}"))
        }
        Way::Shipment => event(SHIPMENTS),
        Way::BusOrder => event(ORDERS),
        Way::File => {
            let place = format!("s3://{}/{}", names.orders_bucket(ACCOUNT), file_key(order));
            format!(
                "printf %s {} | {aws} s3 cp - {}",
                quoted(text),
                quoted(&place)
            )
        }
        // `fileb://` passes the payload unchanged in both versions of the `aws` command: version 2
        // reads a plain text as base64, and its flag against that is unknown to version 1.
        Way::Invoke => format!(
            "printf %s {} | {aws} lambda invoke --function-name {} --payload fileb:///dev/stdin \
             /dev/stdout",
            quoted(text),
            names.of("invoke")
        ),
    }
}

/// Returns the key of an order file with this name.
pub fn file_key(name: &str) -> String {
    format!("orders/{name}.json")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_way_has_a_name_of_its_own_and_an_example_that_names_what_it_is_about() {
        let now = At("2026-03-01T08:00:00.000Z".to_owned());
        for way in Way::ALL {
            assert_eq!(Way::parse(way.slug()), Some(way));
            let example = way.example("T-1", &now);
            Json::parse(&example).unwrap();
            let expected = (!way.needs_order()).then(|| "T-1".to_owned());
            assert_eq!(way.subject(&example), expected, "{way:?}");
        }
        assert_eq!(Way::parse("nothing"), None);
    }

    #[test]
    fn what_a_file_is_about_is_found_in_all_of_its_forms() {
        for text in [
            r#"{"orderId":"a"}"#,
            r#"[{"orderId":"a"},{"orderId":"b"}]"#,
            r#"{"orders":[{"orderId":"a"}]}"#,
            "\n{\"orderId\":\"a\"}\n{\"orderId\":\"b\"}\n",
        ] {
            assert_eq!(Way::File.subject(text).as_deref(), Some("a"), "{text}");
        }
        assert_eq!(
            Way::Order.subject(r#"{"orderId":17}"#).as_deref(),
            Some("17")
        );
        for nothing in ["", "{", "[]", "7", r#"{"orderId":{}}"#] {
            assert_eq!(Way::File.subject(nothing), None, "{nothing}");
            assert_eq!(Way::Order.subject(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_line_for_a_terminal_holds_the_text_as_one_word() {
        let addresses = Addresses {
            api_url: "http://127.0.0.1:8080",
            aws_url: "http://127.0.0.1:4566",
            names: &Names::new("dev").unwrap(),
            sign: None,
        };
        let line = command(Way::Order, "it's; rm -rf /", "", "k-1", &addresses);
        assert!(line.ends_with(r"--data-raw 'it'\''s; rm -rf /'"), "{line}");
        let line = command(Way::Cancel, "{}", "a b", "k-1", &addresses);
        assert!(line.contains("/orders/a%20b/cancel"), "{line}");
        let line = command(Way::Shipment, "{}", "", "k-1", &addresses);
        assert!(line.contains(r#""EventBusName":"waybill-dev""#), "{line}");
    }
}

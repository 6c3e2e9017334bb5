//! JSON that is not normalised: numbers as they are written, members twice and in any order.

use proptest::prelude::*;
use serde_json::Value;

/// A JSON value.
#[derive(Debug, Clone)]
pub enum Tree {
    /// `null`, `true`, `false` or a number, as it is written.
    Word(String),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Tree>),
    /// An object, in which a name may occur twice.
    Object(Vec<(String, Tree)>),
    /// Empty arrays within arrays, nested this deep.
    Deep(usize),
}

impl From<Value> for Tree {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            Value::Array(values) => Self::Array(values.into_iter().map(Self::from).collect()),
            Value::Object(members) => {
                let members = members.into_iter();
                Self::Object(members.map(|(name, value)| (name, value.into())).collect())
            }
            word => Self::Word(word.to_string()),
        }
    }
}

impl Tree {
    /// Returns the JSON text.
    pub fn print(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Text(text) => Value::from(text.as_str()).to_string(),
            Self::Array(values) => {
                let values: Vec<String> = values.iter().map(Self::print).collect();
                format!("[{}]", values.join(","))
            }
            Self::Object(members) => {
                let member = |(name, value): &(String, Self)| {
                    format!("{}:{}", Value::from(name.as_str()), value.print())
                };
                let members: Vec<String> = members.iter().map(member).collect();
                format!("{{{}}}", members.join(","))
            }
            Self::Deep(depth) => format!("{}{}", "[".repeat(*depth), "]".repeat(*depth)),
        }
    }

    /// Returns the number of values in it, itself included.
    fn size(&self) -> usize {
        1 + self.children().map(Self::size).sum::<usize>()
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match self {
            Self::Array(values) => Box::new(values.iter()),
            Self::Object(members) => Box::new(members.iter().map(|(_, value)| value)),
            _ => Box::new(std::iter::empty()),
        }
    }

    /// Changes the value number `place`, counted from 0 at the root, in the order of the text.
    fn change(&mut self, place: &mut usize, change: &Change) {
        if *place == 0 {
            change.value(self);
        }
        *place = place.wrapping_sub(1);
        match self {
            Self::Array(values) => {
                for value in values.iter_mut() {
                    value.change(place, change);
                }
            }
            Self::Object(members) => {
                for (index, (_, value)) in members.iter_mut().enumerate() {
                    if *place == 0 && change.of_members() {
                        *place = usize::MAX;
                        return change.members(members, index);
                    }
                    value.change(place, change);
                }
            }
            _ => {}
        }
    }

    /// Returns the tree with changes, each at a number of a value, taken modulo the tree's size.
    pub fn changed(mut self, changes: &[(usize, Change)]) -> Self {
        for (place, change) in changes {
            let mut place = place % self.size();
            self.change(&mut place, change);
        }
        self
    }
}

/// A change of a value or of a member.
#[derive(Debug, Clone)]
pub enum Change {
    /// Removes the member.
    Drop,
    /// Adds the member a second time, with this value.
    Duplicate(Tree),
    /// Gives the member another name.
    Rename(String),
    /// Replaces the value.
    Replace(Tree),
    /// Changes the type: a number becomes a string, a string the JSON in it or an array of
    /// itself, an array an object, an object an array.
    Retype,
}

impl Change {
    fn of_members(&self) -> bool {
        matches!(self, Self::Drop | Self::Duplicate(_) | Self::Rename(_))
    }

    fn members(&self, members: &mut Vec<(String, Tree)>, index: usize) {
        match self {
            Self::Duplicate(value) => members.push((members[index].0.clone(), value.clone())),
            Self::Rename(name) => members[index].0.clone_from(name),
            _ => drop(members.remove(index)),
        }
    }

    fn value(&self, value: &mut Tree) {
        match self {
            Self::Replace(other) => *value = other.clone(),
            Self::Retype => {
                *value = match value.clone() {
                    Tree::Word(word) => Tree::Text(word),
                    Tree::Text(text) => match serde_json::from_str::<Value>(&text) {
                        Ok(said) => said.into(),
                        Err(_) => Tree::Array(vec![Tree::Text(text)]),
                    },
                    Tree::Array(values) => {
                        let named = values.into_iter().enumerate();
                        Tree::Object(named.map(|(n, value)| (n.to_string(), value)).collect())
                    }
                    Tree::Object(members) => {
                        Tree::Array(members.into_iter().map(|(_, value)| value).collect())
                    }
                    deep => deep,
                }
            }
            _ => {}
        }
    }
}

/// Names that some entry point reads, and some that resemble them.
const NAMES: [&str; 48] = [
    "Records",
    "NewImage",
    "Keys",
    "adjustments",
    "amount",
    "included",
    "name",
    "placedAt",
    "type",
    "curency",
    "reason",
    "aggregate",
    "attributes",
    "body",
    "cause",
    "commandId",
    "currency",
    "customerId",
    "data",
    "detail",
    "detail-type",
    "dynamodb",
    "eventName",
    "events",
    "fulfilment",
    "headers",
    "http",
    "id",
    "isBase64Encoded",
    "items",
    "method",
    "orderId",
    "price",
    "productId",
    "quantity",
    "rawPath",
    "requestContext",
    "sequence",
    "shipmentId",
    "snackItems",
    "source",
    "stage",
    "status",
    "time",
    "timestamp",
    "totalAmount",
    "version",
    "S",
];

/// Texts that some entry point understands, and unusual ones.
const TEXTS: [&str; 24] = [
    "",
    " ",
    "order-1",
    "SHIP-1",
    "order#order-1",
    "2.0",
    "/orders",
    "POST",
    "INSERT",
    "MODIFY",
    "LOST",
    "logistics.shipments",
    "orders.commands",
    "2024-01-15T10:30:00Z",
    "9999-12-31T23:59:59.999Z",
    "0000-00-00T00:00:00Z",
    "-1",
    "1e400",
    "NaN",
    "\u{0}",
    "\u{feff}\u{202e}",
    "\u{ffff}",
    "🦀\r\nx: y",
    "JPY",
];

const WORDS: [&str; 20] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "0.1",
    "1e2",
    "1E-130",
    "1e126",
    "-9e125",
    "1e400",
    "1e99999999999999999999",
    "9223372036854775808",
    "18446744073709551616",
    "2000",
    "12345678901234567890123456789012345678",
    "0.00000000000000000000000000000000000001",
    "123456789012345678901234567890.123456789012345678901234567890",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        2 => any::<String>(),
        1 => "[A-Z_]{1,45}",
        1 => (1_usize..2_000).prop_map(|length| "x".repeat(length * 40)),
    ]
}

/// Draws any JSON.
pub fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => proptest::sample::select(&WORDS[..]).prop_map(|word| Tree::Word(word.to_owned())),
        2 => any::<i64>().prop_map(|number| Tree::Word(number.to_string())),
        5 => text().prop_map(Tree::Text),
        1 => (1_usize..3_000).prop_map(Tree::Deep),
    ];
    leaf.prop_recursive(5, 40, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Tree::Array),
            proptest::collection::vec((name(), inner), 0..8).prop_map(Tree::Object),
        ]
    })
}

/// Draws up to three changes at random values.
pub fn changes() -> impl Strategy<Value = Vec<(usize, Change)>> {
    let change = prop_oneof![
        2 => Just(Change::Drop),
        2 => tree().prop_map(Change::Duplicate),
        1 => name().prop_map(Change::Rename),
        4 => tree().prop_map(Change::Replace),
        2 => Just(Change::Retype),
    ];
    proptest::collection::vec((any::<usize>(), change), 0..4)
}

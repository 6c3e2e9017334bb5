//! The contract's names of an order's members, and the check for misspelt ones.

use crate::{Json, Refusal, json::Object};

/// The members of an order. Not every source takes `commandId` and `traceparent`, but a client that
/// nearly writes one means it.
pub const ORDER: &[&str] = &[
    "orderId",
    "customerId",
    "customerName",
    "personal",
    "items",
    "snackItems",
    "adjustments",
    "totalAmount",
    "currency",
    "placedAt",
    "fulfilment",
    "commandId",
    "traceparent",
];

/// The members of an item.
pub const ITEM: &[&str] = &["productId", "name", "quantity", "price", "adjustments"];

/// The members of an adjustment.
pub const ADJUSTMENT: &[&str] = &["type", "amount", "name", "included"];

/// Refuses attributes of which one has a misspelt name out of `names` (see [`is_misspelling_of`]).
/// `path` is the path of the attributes, such as `items[3].`
pub fn check(path: &str, attributes: &Object, names: &[&str]) -> Result<(), Refusal> {
    // A member that is `null` means the same as a missing one.
    let sent = attributes.iter().filter(|(_, value)| **value != Json::Null);
    let mut pairs = sent.flat_map(|(sent, _)| names.iter().map(move |meant| (sent, *meant)));
    match pairs.find(|(sent, meant)| is_misspelling_of(sent, meant)) {
        Some((sent, meant)) => Err(misspelt(path, sent, meant)),
        None => Ok(()),
    }
}

/// The refusal of the member `sent` at the path `path`, which looks like the name `meant`.
pub fn misspelt(path: &str, sent: &str, meant: &str) -> Refusal {
    Refusal::Invalid {
        code: "misspelt_member",
        field: format!("{path}{sent}"),
        message: format!(
            "this is is_misspelling_of the name {meant}: write it like that, or give it another name"
        ),
    }
}

/// Whether `sent` is a misspelling of the name `meant`: they differ, and only in case, `_`, `-`,
/// white space, or one letter that is added, missing, replaced or swapped with its neighbour.
pub fn is_misspelling_of(sent: &str, meant: &str) -> bool {
    if sent == meant {
        return false;
    }
    let (sent, meant) = (letters(sent), letters(meant));
    if sent.len().abs_diff(meant.len()) > 1 {
        return false;
    }
    let same = |(one, other): &(&char, &char)| one == other;
    let front = sent.iter().zip(&meant).take_while(same).count();
    let (sent, meant) = (&sent[front..], &meant[front..]);
    let back = sent.iter().rev().zip(meant.iter().rev());
    let back = back.take_while(same).count();
    match (&sent[..sent.len() - back], &meant[..meant.len() - back]) {
        ([], [] | [_]) => true,
        // A digit is no letter: `price2` and `name2` are names of their own.
        ([more], [] | [_]) => more.is_alphabetic(),
        ([one, two], [first, second]) => one == second && two == first,
        _ => false,
    }
}

/// The first 32 letters of a name in lower case, which are enough for the comparison.
fn letters(name: &str) -> Vec<char> {
    const ENOUGH: usize = 32;
    name.chars()
        .filter(|c| !matches!(c, '_' | '-') && !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .take(ENOUGH)
        .collect()
}

//! The names that the contract has for what is sent with an order, and names that are nearly one.

use crate::{Json, Refusal, json::Object};

/// What can be sent with an order. `commandId` and `traceparent` are not taken by every way in,
/// but a shop that nearly writes one means it.
pub const ORDER: &[&str] = &[
    "orderId",
    "customerId",
    "customerName",
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

/// What can be sent with an item.
pub const ITEM: &[&str] = &["productId", "name", "quantity", "price", "adjustments"];

/// What can be sent with an adjustment.
pub const ADJUSTMENT: &[&str] = &["type", "amount", "name", "included"];

/// Refuses attributes with a name that is nearly one of `names`; `place` is where they are, such as
/// `items[3].`
pub fn check(place: &str, attributes: &Object, names: &[&str]) -> Result<(), Refusal> {
    // A member that is `null` says as much as a missing one.
    let sent = attributes.iter().filter(|(_, value)| **value != Json::Null);
    let mut pairs = sent.flat_map(|(sent, _)| names.iter().map(move |meant| (sent, *meant)));
    match pairs.find(|(sent, meant)| nearly(sent, meant)) {
        Some((sent, meant)) => Err(misspelt(place, sent, meant)),
        None => Ok(()),
    }
}

/// The refusal of the member `sent` at `place`, which looks like `meant`.
pub fn misspelt(place: &str, sent: &str, meant: &str) -> Refusal {
    Refusal::Invalid {
        code: "misspelt_member",
        field: format!("{place}{sent}"),
        message: format!(
            "this is nearly the name {meant}: write it like that, or give it another name"
        ),
    }
}

/// Is `sent` the name `meant` but for case, `_`, `-`, white space, or one letter: one more, one
/// less, another one, or two that have changed places?
pub fn nearly(sent: &str, meant: &str) -> bool {
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

/// At most as many letters as decide whether a name is nearly one of ours, in lower case.
fn letters(name: &str) -> Vec<char> {
    const ENOUGH: usize = 32;
    name.chars()
        .filter(|c| !matches!(c, '_' | '-') && !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .take(ENOUGH)
        .collect()
}

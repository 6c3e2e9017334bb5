//! The amounts of an order, computed exactly: nothing is ever rounded.

use bigdecimal::BigDecimal;

use super::{Adjustment, PlaceOrder};
use crate::{Number, Refusal};

/// The amounts of an order, in its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amounts {
    /// The sum of the items: quantity × price and the items' own adjustments.
    pub items: Number,
    /// The sum of the items and the order's adjustments; never below zero.
    pub total: Number,
}

/// Computes an order's amounts. Refuses a product or sum that needs more than 38 digits, a total
/// below zero, and a `totalAmount` that differs from the computed total.
pub fn of(order: &PlaceOrder) -> Result<Amounts, Refusal> {
    let mut sum = BigDecimal::default();
    for (index, item) in order.items.iter().enumerate() {
        let field = format!("items[{index}]");
        let product = Number::exact(item.price.times(&item.quantity));
        let product = product.map_err(|error| {
            let message = format!("quantity × price cannot be stored exactly: {error}");
            Refusal::field(&field, message)
        })?;
        let line = Number::exact(product.as_decimal() + added(&item.adjustments));
        let line = line.map_err(|error| {
            let message =
                format!("its amount with its adjustments cannot be stored exactly: {error}");
            Refusal::field(&field, message)
        })?;
        sum += line.as_decimal();
    }
    let total = &sum + added(&order.adjustments);
    let kept = |what: &str, amount| {
        Number::exact(amount).map_err(|error| {
            let message = format!("the {what} cannot be stored exactly: {error}");
            Refusal::field("totalAmount", message)
        })
    };
    let amounts = Amounts {
        items: kept("sum of the items", sum)?,
        total: kept("total", total)?,
    };
    check_total(order, &amounts)?;
    Ok(amounts)
}

/// The sum of the adjustments that are not included in the prices.
fn added(adjustments: &[Adjustment]) -> BigDecimal {
    adjustments
        .iter()
        .filter(|adjustment| !adjustment.included)
        .map(|adjustment| adjustment.amount.as_decimal())
        .sum()
}

fn check_total(order: &PlaceOrder, Amounts { items, total }: &Amounts) -> Result<(), Refusal> {
    let currency = order.currency;
    if total.is_negative() {
        let message = format!("the order comes to {total} {currency}; a total is zero or more");
        return Err(Refusal::field("totalAmount", message));
    }
    let sent = order.total_amount.as_ref();
    let Some(sent) = sent.filter(|sent| !currency.same(sent, total)) else {
        return Ok(());
    };
    let message = match order.adjustments.is_empty() {
        true => format!(
            "{sent} {currency} is not the sum of the items, {total} {currency}; tax, shipping and \
             discounts go into adjustments, such as \
             [{{\"type\": \"shipping\", \"amount\": 6.99}}]"
        ),
        false => format!(
            "{sent} {currency} is not the total, {total} {currency}: items of {items} and \
             adjustments"
        ),
    };
    Err(Refusal::Invalid {
        code: "total_mismatch",
        field: "totalAmount".to_owned(),
        message,
    })
}

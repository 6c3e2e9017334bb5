//! Checks whether an order can be placed, and whether it equals one that has been placed before.

use super::{
    Adjustment, AdjustmentType, Event, Item, OrderPlaced, PlaceOrder,
    amounts::{self, Amounts},
    command::adjustments,
    names,
};
use crate::{
    Json, Refusal, Timestamp,
    ids::check_external_id,
    json::{Object, object_dynamodb_bytes},
    limits::{
        ADJUSTMENTS_MAX, CLOCK_AHEAD_HOURS, ITEM_BYTES_MAX, ITEMS_MAX, PERSONAL_BYTES_MAX,
        ROW_OVERHEAD_BYTES, TEXT_MAX,
    },
    personal::Field,
};

impl PlaceOrder {
    /// The event of placing this order; refused where the order is invalid or too large.
    pub(super) fn accepted(&self, at: Timestamp) -> Result<Event, Refusal> {
        self.check(at)?;
        let Amounts { items, total } = amounts::of(self)?;
        self.check_size()?;
        Ok(Event::OrderPlaced(Box::new(OrderPlaced {
            order_id: self.order_id.clone(),
            at,
            placed_at: self.placed_at.as_ref().map(|placed_at| placed_at.at),
            customer_id: self.customer_id.clone(),
            customer_name: self.customer_name.clone().filter(|_| self.sealed.is_none()),
            personal: (self.personal.clone().map(Json::Object)).filter(|_| self.sealed.is_none()),
            sealed: self.sealed.clone(),
            items: self.items.clone(),
            adjustments: self.adjustments.clone(),
            items_amount: items,
            total_amount: total,
            currency: self.currency,
            fulfilment: self.fulfilment.unwrap_or(self.default_fulfilment),
            source_file: self.source_file.clone(),
            attributes: self.attributes.clone(),
        })))
    }

    /// Checks every member by itself. `amounts::of` checks the amounts, which depend on several.
    fn check(&self, arrived: Timestamp) -> Result<(), Refusal> {
        let Self {
            order_id: _, // checked when it was read
            customer_id,
            customer_name,
            personal,
            sealed: _, // made of the two before
            items: _,
            adjustments,
            total_amount: _,
            currency,
            placed_at: _,
            fulfilment: _,
            default_fulfilment: _,
            source_file: _, // made by the import
            attributes,
        } = self;
        check_external_id("customerId", customer_id.as_deref())?;
        check_text("customerName", customer_name, TEXT_MAX)?;
        check_personal(personal.as_ref())?;
        if !currency.is_money() {
            let message = "a currency of ISO 4217, no fund, metal or test";
            return Err(Refusal::field("currency", message));
        }
        names::check("", attributes, names::ORDER)?;
        self.check_placed_at(arrived)?;
        self.check_items()?;
        check_adjustments("", adjustments)
    }

    fn check_placed_at(&self, arrived: Timestamp) -> Result<(), Refusal> {
        let ahead = self.placed_at.as_ref();
        if ahead.is_some_and(|placed_at| placed_at.at.is_ahead_of(arrived, CLOCK_AHEAD_HOURS)) {
            let message = format!("it is more than {CLOCK_AHEAD_HOURS} hours in the future");
            return Err(Refusal::field("placedAt", message));
        }
        Ok(())
    }

    fn check_items(&self) -> Result<(), Refusal> {
        let count = self.items.len();
        if !(1..=ITEMS_MAX).contains(&count) {
            let message = format!("an order has 1 to {ITEMS_MAX} items, this one {count}");
            return Err(Refusal::field("items", message));
        }
        let mut items = self.items.iter().enumerate();
        items.try_for_each(|(index, item)| check_item(item, &format!("items[{index}]")))
    }

    /// Checks that the order's row fits into an item. It can be larger than the order's JSON:
    /// DynamoDB counts more for a short number in a map.
    fn check_size(&self) -> Result<(), Refusal> {
        let items: usize = self
            .items
            .iter()
            .map(|item| 1 + item.to_json().dynamodb_bytes())
            .sum();
        let adjustments = adjustments(&self.adjustments);
        let adjustments = adjustments.map_or(0, |(_, list)| list.dynamodb_bytes());
        let attributes = object_dynamodb_bytes(&self.attributes);
        let personal = self.personal.as_ref().map_or(0, object_dynamodb_bytes);
        let size = ROW_OVERHEAD_BYTES + items + adjustments + attributes + personal;
        if size > ITEM_BYTES_MAX {
            let message = format!("the order takes {size} bytes of {ITEM_BYTES_MAX}");
            return Err(Refusal::too_large("", message));
        }
        Ok(())
    }

    /// Checks that it equals the order that was placed. Otherwise the refusal names the members
    /// that differ.
    pub(super) fn check_equals(&self, placed: &OrderPlaced) -> Result<(), Refusal> {
        let differences = self.differences(placed);
        if differences.is_empty() {
            return Ok(());
        }
        Err(Refusal::Conflict {
            code: "order_exists",
            message: format!(
                "an order with this id and other content exists; what differs: {}",
                differences.join(", ")
            ),
        })
    }

    /// The members that differ from the order as it was placed, by their names in the contract. The
    /// orders are the same where there are none.
    fn differences(&self, placed: &OrderPlaced) -> Vec<&'static str> {
        let Self {
            order_id: _,
            customer_id,
            customer_name: _, // with `personal`
            personal: _,
            sealed: _,
            items,
            adjustments,
            total_amount,
            currency,
            placed_at,
            fulfilment,
            default_fulfilment,
            source_file: _,
            attributes,
        } = self;
        let placed_at = placed_at.as_ref().map(|placed_at| placed_at.at);
        let fulfilment = fulfilment.unwrap_or(*default_fulfilment);
        let meant = |items: &[Item]| -> Vec<Item> { items.iter().map(meaningful_item).collect() };
        // A wrong total makes it another order; a right one follows from the other members.
        let same_total =
            (total_amount.as_ref()).is_none_or(|sent| currency.same(sent, &placed.total_amount));
        let mut placed_attributes = meaningful(&placed.attributes);
        // Older builds kept it there; it is compared as personal data.
        placed_attributes.remove(Field::Personal.as_str());
        let same_attributes = meaningful(attributes) == placed_attributes;
        let members = [
            ("customerId", *customer_id == placed.customer_id),
            (
                "customerName",
                self.same_personal(placed, Field::CustomerName),
            ),
            ("personal", self.same_personal(placed, Field::Personal)),
            ("items", meant(items) == meant(&placed.items)),
            ("adjustments", *adjustments == placed.adjustments),
            ("totalAmount", same_total),
            ("currency", *currency == placed.currency),
            ("placedAt", placed_at == placed.placed_at),
            ("fulfilment", fulfilment == placed.fulfilment),
            ("attributes", same_attributes),
        ];
        let differing = members.into_iter().filter(|(_, same)| !same);
        differing.map(|(name, _)| name).collect()
    }
}

impl PlaceOrder {
    /// Whether a personal field equals that of the order as it was placed. Of one that is sealed
    /// with another version of the key nothing is known but that it is there.
    fn same_personal(&self, placed: &OrderPlaced, field: Field) -> bool {
        let plain = |name: &Option<String>, personal: Option<Json>| match field {
            Field::CustomerName => name.clone().map(Json::from),
            Field::Personal => personal,
        };
        let sent = plain(&self.customer_name, self.personal.clone().map(Json::Object));
        match (&placed.sealed, &self.sealed) {
            (Some(kept), Some(sealed)) if kept.key == sealed.key => {
                kept.text(field) == sealed.text(field)
            }
            (Some(kept), _) => kept.text(field).is_some() == sent.is_some(),
            (None, _) => {
                // Older builds kept `personal` as an attribute.
                let attribute = placed.attributes.get(field.as_str());
                let attribute = attribute.filter(|value| **value != Json::Null);
                let stored = plain(&placed.customer_name, placed.personal.clone());
                sent == stored.or(attribute.cloned())
            }
        }
    }

    /// Whether the personal data of the order as it was placed are sealed with another version of
    /// the key than these, so that the digests of equal orders differ.
    pub(super) fn cannot_compare_personal(&self, placed: &OrderPlaced) -> bool {
        match (&placed.sealed, &self.sealed) {
            (Some(kept), Some(sealed)) => kept.key != sealed.key,
            _ => false,
        }
    }
}

/// Checks the size of personal data; what they hold is the sender's affair.
fn check_personal(personal: Option<&Object>) -> Result<(), Refusal> {
    let bytes = personal.map_or(0, |data| Json::Object(data.clone()).to_string().len());
    if bytes > PERSONAL_BYTES_MAX {
        let message = format!("at most {PERSONAL_BYTES_MAX} bytes as JSON, these are {bytes}");
        return Err(Refusal::field("personal", message));
    }
    Ok(())
}

/// The attributes without members that are `null`, which mean the same as missing ones.
fn meaningful(attributes: &Object) -> Object {
    let members = attributes.iter().filter(|(_, value)| **value != Json::Null);
    members
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn meaningful_item(item: &Item) -> Item {
    Item {
        attributes: meaningful(&item.attributes),
        ..item.clone()
    }
}

fn check_item(item: &Item, path: &str) -> Result<(), Refusal> {
    let field = |name: &str| format!("{path}.{name}");
    names::check(&field(""), &item.attributes, names::ITEM)?;
    if item.product_id.is_none() && item.name.is_none() {
        let message = "an item names a productId or a name";
        return Err(Refusal::field(path, message));
    }
    check_external_id(&field("productId"), item.product_id.as_deref())?;
    check_text(&field("name"), &item.name, TEXT_MAX)?;
    if !item.quantity.is_positive() {
        let message = format!("a quantity is above zero, this one is {}", item.quantity);
        return Err(Refusal::field(field("quantity"), message));
    }
    check_adjustments(&field(""), &item.adjustments)
}

/// Checks the adjustments of an order, or of the item at `path` (such as `items[3].`).
fn check_adjustments(path: &str, adjustments: &[Adjustment]) -> Result<(), Refusal> {
    let count = adjustments.len();
    if count > ADJUSTMENTS_MAX {
        let message = format!("at most {ADJUSTMENTS_MAX} adjustments, these are {count}");
        return Err(Refusal::field(format!("{path}adjustments"), message));
    }
    for (index, adjustment) in adjustments.iter().enumerate() {
        let field = |name: &str| format!("{path}adjustments[{index}].{name}");
        names::check(&field(""), &adjustment.attributes, names::ADJUSTMENT)?;
        check_text(&field("name"), &adjustment.name, TEXT_MAX)?;
        let amount = &adjustment.amount;
        if adjustment.kind == AdjustmentType::Discount && amount.is_positive() {
            let message = format!("a discount is zero or less: -{amount}, not {amount}");
            return Err(Refusal::field(field("amount"), message));
        }
    }
    Ok(())
}

/// Checks an optional text: it has 1 to `max` characters, none of them a control character.
pub(super) fn check_text(field: &str, text: &Option<String>, max: usize) -> Result<(), Refusal> {
    let Some(text) = text else { return Ok(()) };
    let length = text.chars().count();
    if !(1..=max).contains(&length) || text.chars().any(char::is_control) {
        let message = format!("1 to {max} characters, none of them a control character");
        return Err(Refusal::field(field, message));
    }
    Ok(())
}

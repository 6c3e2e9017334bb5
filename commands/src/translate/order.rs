//! Translates orders as they are sent: by the web shop (S4), the snack counter (S5), in files (S1).

use domain::{
    Json, OrderId, Refusal,
    money::Currency,
    order::{Adjustment, AdjustmentType, Fulfilment, Intent, Item, PlaceOrder, PlacedAt},
    time::InvalidTime,
};

use uuid::Uuid;

use super::fields::Fields;

/// The UUID namespace of generated order ids: a random UUID, drawn once.
const ORDER_IDS: Uuid = Uuid::from_u128(0x6c1f_0a7e_52d4_4b7f_9a3c_1d5e_8f20_77b1);

/// The values that depend on an order's source.
#[derive(Debug)]
pub struct Context {
    /// The id of an order that names none; `None` where the order must name one.
    pub default_id: Option<OrderId>,
    /// Who completes an order that does not say it.
    pub default_fulfilment: Fulfilment,
}

/// The id of an order that names none. It is the same for the same sender and key, so a retry finds
/// its own order.
pub fn id_of(environment: &str, actor: &str, key: &str) -> OrderId {
    let name = format!("{environment}\n{actor}\n{key}");
    let uuid = Uuid::new_v5(&ORDER_IDS, name.as_bytes()).to_string();
    // A UUID is 36 hex digits and hyphens, which is a valid id.
    uuid.parse()
        .unwrap_or_else(|_| unreachable!("a UUID is an id"))
}

/// Takes the id of the order that a command is about; refused where it is missing or invalid.
pub fn named(fields: &mut Fields) -> Result<OrderId, Refusal> {
    let text = fields
        .id("orderId")?
        .ok_or_else(|| fields.missing("orderId"))?;
    text.parse().map_err(|error| fields.wrong("orderId", error))
}

/// Translates an order. Its members are checked for their types here, and for their values when the
/// command is decided.
pub fn place(mut fields: Fields, context: Context) -> Result<PlaceOrder, Refusal> {
    let order_id = match fields.id("orderId")? {
        Some(text) => text
            .parse()
            .map_err(|error| fields.wrong("orderId", error))?,
        None => context
            .default_id
            .ok_or_else(|| fields.missing("orderId"))?,
    };
    let items = items(&mut fields)?;
    let customer_id = fields.id("customerId")?;
    let customer_name = fields.text("customerName")?;
    let personal = fields.object("personal")?;
    let adjustments = adjustments(&mut fields)?;
    let total_amount = fields.number("totalAmount")?;
    let currency = match fields.text("currency")? {
        Some(code) => Currency::parse(&code).map_err(|error| fields.wrong("currency", error))?,
        None => Currency::DEFAULT,
    };
    let fulfilment = match fields.text("fulfilment")?.as_deref() {
        None => None,
        Some("merchant") => Some(Fulfilment::Merchant),
        Some("automatic") => Some(Fulfilment::Automatic),
        Some(_) => return Err(fields.wrong("fulfilment", "either \"merchant\" or \"automatic\"")),
    };
    let placed_at = placed_at(&mut fields)?;
    Ok(PlaceOrder {
        order_id,
        customer_id,
        customer_name,
        personal,
        sealed: None,
        items,
        adjustments,
        total_amount,
        currency,
        placed_at,
        fulfilment,
        default_fulfilment: context.default_fulfilment,
        source_file: None,
        attributes: fields.rest(),
    })
}

/// The items, which the snack counter calls `snackItems`.
fn items(fields: &mut Fields) -> Result<Vec<Item>, Refusal> {
    let (name, values) = match (fields.array("items")?, fields.array("snackItems")?) {
        (Some(values), None) => ("items", values),
        (None, Some(values)) => ("snackItems", values),
        (None, None) => return Err(fields.missing("items")),
        (Some(_), Some(_)) => {
            return Err(fields.wrong("snackItems", "an order has either items or snackItems"));
        }
    };
    let place = |index: usize| format!("{name}[{index}]");
    let item = |(index, value): (usize, Json)| item(Fields::within(&place(index), value)?);
    values.into_iter().enumerate().map(item).collect()
}

fn item(mut fields: Fields) -> Result<Item, Refusal> {
    let product_id = fields.id("productId")?;
    let name = fields.text("name")?;
    let quantity = fields
        .number("quantity")?
        .ok_or_else(|| fields.missing("quantity"))?;
    let price = fields
        .number("price")?
        .ok_or_else(|| fields.missing("price"))?;
    Ok(Item {
        product_id,
        name,
        quantity,
        price,
        adjustments: adjustments(&mut fields)?,
        attributes: fields.rest(),
    })
}

/// The adjustments of an order or an item.
fn adjustments(fields: &mut Fields) -> Result<Vec<Adjustment>, Refusal> {
    let place = fields.path_of("adjustments");
    let values = fields.array("adjustments")?.unwrap_or_default();
    let place = |index: usize| format!("{place}[{index}]");
    let values = values.into_iter().enumerate();
    values
        .map(|(index, value)| adjustment(Fields::within(&place(index), value)?))
        .collect()
}

fn adjustment(mut fields: Fields) -> Result<Adjustment, Refusal> {
    let kind = fields.text("type")?.ok_or_else(|| fields.missing("type"))?;
    let mut types = AdjustmentType::ALL.into_iter();
    let kind = types.find(|known| known.as_str() == kind).ok_or_else(|| {
        let names = AdjustmentType::ALL.map(AdjustmentType::as_str).join(", ");
        fields.wrong("type", format!("one of {names} was expected"))
    })?;
    let amount = fields
        .number("amount")?
        .ok_or_else(|| fields.missing("amount"))?;
    Ok(Adjustment {
        kind,
        amount,
        name: fields.text("name")?,
        included: fields.flag("included")?,
        attributes: fields.rest(),
    })
}

/// The time at which the customer placed the order.
fn placed_at(fields: &mut Fields) -> Result<Option<PlacedAt>, Refusal> {
    let sent = match fields.take("placedAt") {
        None => return Ok(None),
        Some(Json::String(text)) if text.is_empty() => return Ok(None),
        Some(sent) => sent,
    };
    let read = PlacedAt::read(&sent).ok_or_else(|| fields.wrong("placedAt", InvalidTime))?;
    Ok(Some(read))
}

/// Translates the cancellation of an order. Any member but `reason` is refused: a sender who names
/// some items does not mean to cancel the whole order for good.
pub fn cancel(mut fields: Fields) -> Result<Intent, Refusal> {
    let reason = fields.text("reason")?;
    fields.nothing_else("cancelling takes a reason and")?;
    Ok(Intent::Cancel { reason })
}

/// Translates the completion of an order. Any member is refused, since an order cannot be completed
/// in part.
pub fn complete(fields: Fields) -> Result<Intent, Refusal> {
    fields.nothing_else("completing takes")?;
    Ok(Intent::Complete)
}

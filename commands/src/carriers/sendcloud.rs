//! Sendcloud: changes of a parcel's status. What is known of it, and from where: `README.md` beside
//! this file.

use serde_json::Value;

use super::{
    codes::Codes,
    scan::{Parcel, Scan, Unreadable, Webhook, owned, text, text_or_number},
    signature::{SignatureError, WebhookRequest, check_hmac, from_hex},
};

/// Is it signed with one of the secrets? Sendcloud signs the body, and no time.
pub fn verify(signed: &WebhookRequest<'_>, secrets: &[String]) -> Result<(), SignatureError> {
    let mac = from_hex(signed.header("sendcloud-signature")?)?;
    check_hmac(secrets.iter().map(String::as_bytes), &[signed.body], &mac)
}

/// The parcel's new status: one scan a webhook, and no place. The address in it is the recipient's.
pub fn translate(event: &Value) -> Result<Webhook, Unreadable> {
    let about = text(event, "action").ok_or(Unreadable("an event without an action"))?;
    let parcel = event.get("parcel").unwrap_or(&Value::Null);
    // What is not yet announced at the carrier has no number, and so is no shipment yet.
    let number = owned(parcel, "tracking_number");
    let (true, Some(number)) = (about == "parcel_status_changed", number) else {
        return Ok(Webhook::Nothing);
    };
    let status = parcel.get("status").unwrap_or(&Value::Null);
    let id = text_or_number(status, "id");
    let id = id.ok_or(Unreadable("a parcel without a status"))?;
    let message = owned(status, "message");
    let carrier = parcel.get("carrier").unwrap_or(&Value::Null);
    let time = |name| text_or_number(event, name);
    let scan = Scan {
        // A status that the table lacks is called what it is by its message alone.
        meaning: match CODES.read(Some(&id), None) {
            known if known.mapped => known,
            _ => CODES.read(message.as_deref(), None),
        },
        status: id,
        carrier_code: None,
        carrier: owned(carrier, "code").or_else(|| owned(carrier, "name")),
        time: time("carrier_status_change_timestamp").or_else(|| time("timestamp")),
        location: None,
        text: message,
    };
    Ok(Webhook::Parcel(Parcel {
        tracking_number: number,
        reference: owned(parcel, "external_reference").or_else(|| owned(parcel, "order_number")),
        scans: vec![scan],
    }))
}

/// Statuses by <https://sendcloud.dev/api/v2/parcel-statuses/retrieve-a-list-of-parcel-statuses>.
pub const CODES: Codes = Codes {
    statuses: &[
        ("1", "CREATED"),            // Announced
        ("3", "IN_TRANSIT"),         // En route to sorting center
        ("4", "DELAYED"),            // Delivery delayed
        ("5", "IN_TRANSIT"),         // Sorted
        ("6", "IN_TRANSIT"),         // Not sorted
        ("7", "IN_TRANSIT"),         // Being sorted
        ("8", "DELIVERY_ATTEMPTED"), // Delivery attempt failed
        ("11", "DELIVERED"),         // Delivered
        ("12", "READY_FOR_PICKUP"),  // Awaiting customer pickup
        ("13", "CREATED"),           // Announced: not collected
        ("15", "EXCEPTION"),         // Error collecting
        ("22", "PICKED_UP"),         // Shipment picked up by driver
        ("80", "EXCEPTION"),         // Unable to deliver
        ("91", "IN_TRANSIT"),        // Parcel en route
        ("92", "OUT_FOR_DELIVERY"),  // Driver en route
        ("93", "DELIVERED"),         // Shipment collected by customer
        ("94", "EXCEPTION"),         // Parcel cancellation failed
        ("999", "CREATED"),          // No label
        ("1000", "CREATED"),         // Ready to send
        ("1001", "CREATED"),         // Being announced
        ("1002", "EXCEPTION"),       // Announcement failed
        ("1337", "IN_TRANSIT"),      // Unknown status
        ("1998", "CANCELLED"),       // Cancelled upstream
        ("1999", "CREATED"),         // Cancellation requested: nobody has granted it
        ("2000", "CANCELLED"),       // Cancelled
        ("2001", "CREATED"),         // Submitting cancellation request
        ("62989", "IN_TRANSIT"),     // At Customs
        ("62990", "IN_TRANSIT"),     // At sorting centre
        ("62991", "EXCEPTION"),      // Refused by recipient
        ("62992", "RETURNED"),       // Returned to sender
        ("62993", "IN_TRANSIT"),     // Delivery method changed
        ("62994", "IN_TRANSIT"),     // Delivery date changed
        ("62995", "IN_TRANSIT"),     // Delivery address changed
        ("62996", "EXCEPTION"),      // Exception
        ("62997", "EXCEPTION"),      // Address invalid
    ],
    details: &[],
};

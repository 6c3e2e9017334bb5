//! The function that a message of the queue was for, and the payload with which it is invoked
//! again.

use domain::Json;

/// The role of the function that a message was for; `None` where the body tells none. Events of S3
/// and of carriers each have a function of their own, and all other events share one. A body that
/// is not an event but has items is an order that was sent by direct invocation.
pub(crate) fn role_of(body: &str) -> Option<&'static str> {
    let members = Json::parse(body).ok()?.into_object()?;
    match (members.get("source"), members.get("detail-type")) {
        (Some(Json::String(source)), Some(Json::String(_))) => match source.as_str() {
            "aws.s3" => Some("import"),
            "waybill.carriers" => Some("carriers"),
            _ => Some("bus"),
        },
        _ => {
            let items = ["items", "snackItems"];
            let is_order = items.iter().any(|name| members.contains_key(*name));
            is_order.then_some("invoke")
        }
    }
}

/// The payload with which the function is invoked again. An order without a command id gets `key`,
/// the id under which its first invocation was executed: one of the attempts may have placed the
/// order, and the retry must not place it twice. Two orders with the same content have different
/// keys and stay two.
pub(crate) fn retry_payload(body: String, key: &str) -> String {
    if role_of(&body) != Some("invoke") {
        return body;
    }
    let members = Json::parse(&body).ok().and_then(Json::into_object);
    let Some(mut members) = members else {
        return body;
    };
    let missing = |value: &Json| matches!(value, Json::Null) || *value == Json::from("");
    if members.get("commandId").is_none_or(missing) {
        members.insert("commandId".to_owned(), key.into());
    }
    Json::Object(members).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_finds_its_function() {
        let event = |source: &str| format!(r#"{{"source":"{source}","detail-type":"t"}}"#);
        assert_eq!(role_of(&event("aws.s3")), Some("import"));
        assert_eq!(role_of(&event("logistics.shipments")), Some("bus"));
        assert_eq!(role_of(&event("waybill.carriers")), Some("carriers"));
        assert_eq!(role_of(r#"{"source":"aws.s3"}"#), None);
        assert_eq!(role_of("no JSON"), None);
        assert_eq!(role_of(r#"{"snackItems":[]}"#), Some("invoke"));
        let named_like_an_event = r#"{"source":"web","items":[{"name":"Lamp"}]}"#;
        assert_eq!(role_of(named_like_an_event), Some("invoke"));
    }

    #[test]
    fn an_order_is_retried_as_the_command_that_it_was() {
        let order = r#"{"items":[{"name":"Lamp","price":1.10}]}"#;
        let taken = |body: &str| retry_payload(body.to_owned(), "request/r-1");
        let expected = r#"{"commandId":"request/r-1","items":[{"name":"Lamp","price":1.10}]}"#;
        assert_eq!(Json::parse(&taken(order)), Json::parse(expected));
        let named = r#"{"commandId":"c-1","items":[]}"#;
        assert_eq!(taken(named), named);
        let event = r#"{"source":"orders.commands","detail-type":"Place Order"}"#;
        assert_eq!(taken(event), event);
    }
}

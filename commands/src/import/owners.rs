//! Whose orders a file holds. An erasure asks it, before a file is removed: so the file is read as
//! the import reads it, and what the import would reject counts, too.

use domain::{OrderId, json::Object, personal::Owner};
use event_store::Clock;

use super::{
    batch::members,
    files::{FileError, Files, Object as StoredObject},
    reader::{Read, Reader},
    splitter::ResumePoint,
};
use crate::translate::fields::Fields;

/// Tells `each` the owner of every order in one version of a file, in the file's order; `None` for
/// a part of the file where nobody can say whose it is. The file is read as a stream, to its end.
pub async fn owners(
    files: &dyn Files,
    clock: &dyn Clock,
    object: &StoredObject,
    mut each: impl FnMut(Option<Owner>) + Send,
) -> Result<(), FileError> {
    let mut reader = Reader::new(files, clock, object, ResumePoint::of_file(&object.key));
    loop {
        match reader.read().await? {
            Read::Piece(piece) => {
                let members = members(&piece.content, piece.begins);
                each(members.ok().and_then(owner));
            }
            Read::Bytes => {}
            Read::End => return Ok(()),
        }
    }
}

/// The owner of the personal data of an order, valid or not, by its members. Ids are read as the
/// command reads them.
fn owner(members: Object) -> Option<Owner> {
    let mut fields = Fields::new(members);
    let customer = fields.id("customerId").ok()?;
    match customer {
        Some(id) => format!("customer#{id}").parse().ok(),
        None => {
            let id: OrderId = fields.id("orderId").ok()??.parse().ok()?;
            Some(Owner::Order(id))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn owner_of(json: &str) -> Option<String> {
        let members = domain::Json::parse(json).unwrap().into_object().unwrap();
        owner(members).map(|owner| owner.to_string())
    }

    #[test]
    fn an_order_is_of_its_customer_or_else_of_itself() {
        for (json, expected) in [
            (
                r#"{"orderId":"O-1","customerId":"C-1"}"#,
                Some("customer#C-1"),
            ),
            (r#"{"orderId":"O-1","customerId":7}"#, Some("customer#7")),
            (r#"{"orderId":"O-1","customerId":null}"#, Some("order#O-1")),
            (r#"{"orderId":"O-1","customerId":""}"#, Some("order#O-1")),
            (r#"{"orderId":12}"#, Some("order#12")),
            (r#"{"orderId":"O-1","customerId":{}}"#, None),
            (r#"{"orderId":"O-1","customerId":" C-1"}"#, None),
            (r#"{"items":[]}"#, None),
        ] {
            assert_eq!(owner_of(json).as_deref(), expected, "{json}");
        }
    }
}

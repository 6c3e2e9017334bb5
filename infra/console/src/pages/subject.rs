//! What a page names an order, a shipment or another thing by, and texts that are cut to a page's size.

use crate::{limits::CONTENT_CHARACTERS, links};

/// An order, a shipment or another thing, with a link where it has a page.
pub struct Subject {
    /// Its name, such as `order#1`.
    pub name: String,
    /// The path of its page, where it has one.
    pub link: Option<String>,
}

impl Subject {
    /// Reads a name such as `order#1`.
    pub fn of(name: &str) -> Self {
        let link = match name.split_once('#') {
            Some(("order", id)) => Some(links::order(id)),
            Some(("shipment", id)) => Some(links::shipment(id)),
            _ => None,
        };
        Self {
            name: name.to_owned(),
            link,
        }
    }
}

/// Returns as much of a content as a page shows.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(CONTENT_CHARACTERS) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_letter_is_about_leads_there() {
        let link = |name| Subject::of(name).link;
        assert_eq!(link("order#A 1"), Some("/orders/A%201".to_owned()));
        assert_eq!(link("shipment#a#b"), Some("/shipments/a%23b".to_owned()));
        for other in ["orders/a.json", "parcel#1", "logistics: Update", ""] {
            assert_eq!(link(other), None, "{other}");
        }
    }
}

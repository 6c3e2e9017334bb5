//! Paths of the console's pages and of the HTTP API, and quoting for command lines.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that are percent-encoded: all except the unreserved ones of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encodes a text as a segment of a path or a value of a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Returns the path of an order's page, which is also its path in the API.
pub fn order(id: &str) -> String {
    format!("/orders/{}", encoded(id))
}

/// Returns the path of a shipment's page, which is also its path in the API.
pub fn shipment(id: &str) -> String {
    format!("/shipments/{}", encoded(id))
}

/// Returns the path of the page of a file's import.
pub fn file(key: &str, version: &str) -> String {
    format!("/files/{}/{}", encoded(key), encoded(version))
}

/// Returns the path of the list of imports of a file that an order names as `s3://<bucket>/<key>`.
pub fn files_of(source_file: &str) -> String {
    let rest = source_file.strip_prefix("s3://").unwrap_or(source_file);
    let key = rest.split_once('/').map(|(_, key)| key);
    query("/files", &[("prefix", key)])
}

/// The page of parked aggregates and dead letters.
pub const STUCK: &str = "/stuck";

/// The page of refusals.
pub const REFUSED: &str = "/refused";

/// The page of the read models.
pub const READ_MODELS: &str = "/read-models";

/// Adds the values that are present and not empty to the query of `path`.
pub fn query(path: &str, values: &[(&str, Option<&str>)]) -> String {
    let mut address = path.to_owned();
    let mut separator = if path.contains('?') { '&' } else { '?' };
    for (name, value) in values {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            // Writing to a String does not fail.
            let _ = write!(address, "{separator}{name}={}", encoded(value));
            separator = '&';
        }
    }
    address
}

/// Quotes a text as one word of a shell, so that it can never be read as a command.
pub fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:=@%+,".contains(&byte);
    match !text.is_empty() && text.bytes().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_whatever_it_holds() {
        assert_eq!(order("A-1"), "/orders/A-1");
        assert_eq!(
            order("a b?c#d%\"<é>"),
            "/orders/a%20b%3Fc%23d%25%22%3C%C3%A9%3E"
        );
    }

    #[test]
    fn a_file_is_one_segment_and_leads_back_from_its_orders() {
        assert_eq!(file("orders/a b.json", "v"), "/files/orders%2Fa%20b.json/v");
        assert_eq!(
            files_of("s3://b/orders/a.json"),
            "/files?prefix=orders%2Fa.json"
        );
        assert_eq!(files_of("elsewhere"), "/files");
    }

    #[test]
    fn a_query_names_what_is_there() {
        let values = [
            ("a", Some("1 &2")),
            ("b", None),
            ("c", Some("")),
            ("d", Some("x")),
        ];
        assert_eq!(query("/orders", &values), "/orders?a=1%20%262&d=x");
        assert_eq!(query("/orders?z=1", &values[3..]), "/orders?z=1&d=x");
    }

    #[test]
    fn a_word_of_a_shell_stays_one() {
        assert_eq!(quoted("order/A-1"), "order/A-1");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("x'; rm -rf $HOME #"), r"'x'\''; rm -rf $HOME #'");
    }
}

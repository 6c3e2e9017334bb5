//! Where a list goes on: opaque outside, and good for the query that it came from alone.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use lambda::http::Problem;

/// What stands between the query and the place: in no id and no key.
const SEPARATOR: char = '\n';

/// The cursor of `query` at `place`.
pub fn encode(query: &str, place: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{query}{SEPARATOR}{place}"))
}

/// The place that `cursor` says, if it is one of `query`.
pub fn decode(query: &str, cursor: &str) -> Result<String, Problem> {
    let text = BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|b| String::from_utf8(b).ok());
    let place = text
        .as_deref()
        .and_then(|text| text.strip_prefix(query)?.strip_prefix(SEPARATOR));
    place
        .map(str::to_owned)
        .ok_or_else(|| Problem::invalid("invalid_cursor", "cursor", "it is not one of this list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_query() {
        let cursor = encode("log/SHIP-1", "2024-01-15T10:30:00.000Z#000001");
        assert_eq!(
            decode("log/SHIP-1", &cursor).as_deref(),
            Ok("2024-01-15T10:30:00.000Z#000001")
        );
        assert!(decode("log/SHIP-10", &cursor).is_err());
        assert!(decode("log/SHIP-1", "?").is_err());
    }
}

//! Cursors of lists: opaque to clients, and valid only for the query that they came from.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Digest, Json};
use lambda::http::Problem;

/// Characters of the checksum before the position in a cursor.
const CHECK: usize = 8;

/// The cursor at the position `place` of `query`. `query` contains everything that the position
/// depends on.
pub fn encode(query: &str, place: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{}{place}", check(query, place)))
}

/// The position in `cursor`; refused where the cursor belongs to another query, or was changed.
///
/// The checksum protects against mistakes, not against attackers: a made-up cursor leads to another
/// position of a list that its sender may read anyway. So the position itself must be validated as
/// well.
pub fn decode(query: &str, cursor: &str) -> Result<String, Problem> {
    let text = BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|b| String::from_utf8(b).ok());
    let parts = text
        .as_deref()
        .and_then(|text| text.split_at_checked(CHECK));
    match parts {
        Some((found, place)) if found == check(query, place) => Ok(place.to_owned()),
        _ => Err(foreign()),
    }
}

/// The problem of a cursor that does not belong to this list.
pub fn foreign() -> Problem {
    Problem::invalid(
        "invalid_cursor",
        "cursor",
        "this is not a cursor of this list",
    )
}

fn check(query: &str, place: &str) -> String {
    let digest = Digest::of(&Json::Array(vec![query.into(), place.into()]));
    digest.as_str().chars().take(CHECK).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "2024-01-15T10:30:00.000Z#000001";

    #[test]
    fn a_cursor_is_good_for_its_own_query() {
        let cursor = encode("log/SHIP-1", PLACE);
        assert_eq!(decode("log/SHIP-1", &cursor).as_deref(), Ok(PLACE));
        assert_eq!(decode("log/SHIP-10", &cursor), Err(foreign()));
        for nonsense in ["", "?", "YQ", "w6TDpMOkw6TDpA"] {
            assert_eq!(decode("log/SHIP-1", nonsense), Err(foreign()), "{nonsense}");
        }
    }

    #[test]
    fn a_cursor_with_another_letter_is_none() {
        let cursor = encode("log/SHIP-1", PLACE);
        for place in 0..cursor.len() - 1 {
            let letter = if &cursor[place..=place] == "A" {
                "B"
            } else {
                "A"
            };
            let mut changed = cursor.clone();
            changed.replace_range(place..=place, letter);
            assert_eq!(decode("log/SHIP-1", &changed), Err(foreign()), "{place}");
        }
    }
}

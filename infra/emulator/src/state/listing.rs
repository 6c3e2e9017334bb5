//! Pages of the keys and versions of objects, in the order of the UTF-8 bytes of the keys. SQLite
//! compares text in this order.

use rusqlite::{Connection, OptionalExtension, params};

use super::objects::{COLUMNS, Version, read};
use super::{State, StateError};

/// A character that sorts after every character that a key is likely to contain.
const LAST_CHARACTER: char = '\u{10FFFF}';

/// A request for a page of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// The id of the bucket.
    pub bucket: String,
    /// Only keys that start with this prefix are listed.
    pub prefix: String,
    /// Keys with the same text up to this delimiter after the prefix are listed as one common
    /// prefix.
    pub delimiter: Option<String>,
    /// Only keys after this one are listed.
    pub after: String,
    /// The maximum number of keys and common prefixes on the page.
    pub limit: usize,
}

/// A page of keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The current version of each key.
    pub objects: Vec<Version>,
    /// The common prefixes, with the delimiter.
    pub prefixes: Vec<String>,
    /// The value of `after` for the next page, if there is one.
    pub next: Option<String>,
}

impl State {
    /// Returns a page of the keys that have a current version.
    pub async fn list(&self, request: ListRequest) -> Result<Listing, StateError> {
        self.read(move |connection| list(connection, &request))
            .await
    }

    /// Returns up to `limit` versions after the one with this key and number: by key, and within a
    /// key the newest first. The `bool` is whether the version is the newest of its key.
    pub async fn list_versions(
        &self,
        bucket: String,
        prefix: String,
        behind: (String, i64),
        limit: usize,
    ) -> Result<Vec<(Version, bool)>, StateError> {
        self.read(move |connection| {
            let sql = format!(
                "SELECT {COLUMNS}, number =
                     (SELECT MAX(number) FROM objects WHERE bucket = ?5 AND key = o.key)
                 FROM objects o
                 WHERE bucket = ?5 AND key >= ?1 AND key >= ?2 AND (key > ?2 OR number < ?3)
                 ORDER BY key, number DESC LIMIT ?4"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let (key, number) = behind;
            let rows = statement.query_map(params![prefix, key, number, limit, bucket], |row| {
                Ok((read(row)?, row.get(9)?))
            })?;
            let mut found: Vec<(Version, bool)> = rows.collect::<Result<_, _>>()?;
            found.retain(|(version, _)| version.key.starts_with(&prefix));
            Ok(found)
        })
        .await
    }
}

fn list(connection: &Connection, request: &ListRequest) -> rusqlite::Result<Listing> {
    let mut listing = Listing::default();
    let mut after = request.after.clone();
    while let Some(version) = next(connection, request, &after)? {
        if listing.objects.len() + listing.prefixes.len() >= request.limit {
            // After a page with a maximum of zero entries there is no further page, as in S3.
            listing.next = (request.limit > 0).then_some(after);
            break;
        }
        match common(&version.key, request) {
            Some(prefix) => {
                after = format!("{prefix}{LAST_CHARACTER}");
                if listing.prefixes.last() != Some(&prefix) {
                    listing.prefixes.push(prefix);
                }
            }
            None => {
                after.clone_from(&version.key);
                listing.objects.push(version);
            }
        }
    }
    Ok(listing)
}

/// Returns the common prefix of a key: up to the first delimiter after the prefix of the request.
fn common(key: &str, request: &ListRequest) -> Option<String> {
    let delimiter = request.delimiter.as_ref().filter(|text| !text.is_empty())?;
    let rest = key.strip_prefix(&request.prefix)?;
    let end = request.prefix.len() + rest.find(delimiter)? + delimiter.len();
    Some(key[..end].to_owned())
}

/// Returns the current version of the first key after `after` that has one.
fn next(
    connection: &Connection,
    request: &ListRequest,
    after: &str,
) -> rusqlite::Result<Option<Version>> {
    let (bucket, prefix) = (request.bucket.as_str(), request.prefix.as_str());
    let sql = format!(
        "SELECT {COLUMNS} FROM objects o
         WHERE bucket = ?3 AND key >= ?1 AND key > ?2 AND marker = 0
           AND number = (SELECT MAX(number) FROM objects WHERE bucket = ?3 AND key = o.key)
         ORDER BY key LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement
        .query_row([prefix, after, bucket], read)
        .optional()?;
    Ok(found.filter(|version| version.key.starts_with(prefix)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::objects::tests::{put, version};
    use super::super::tests::Folder;
    use super::*;

    async fn filled(keys: &[&str]) -> State {
        let state = Folder::new().state();
        for (number, key) in keys.iter().enumerate() {
            put(&state, version(key, &number.to_string())).await;
        }
        state
    }

    /// Returns all pages as texts: the keys, then the common prefixes in brackets.
    async fn pages(state: &State, prefix: &str, delimiter: &str, limit: usize) -> Vec<String> {
        let mut request = ListRequest {
            bucket: "scans".to_owned(),
            prefix: prefix.to_owned(),
            delimiter: Some(delimiter.to_owned()),
            after: String::new(),
            limit,
        };
        let mut pages = Vec::new();
        loop {
            let page = state.list(request.clone()).await.unwrap();
            let keys = page.objects.into_iter().map(|version| version.key);
            let prefixes = page.prefixes.iter().map(|prefix| format!("[{prefix}]"));
            let entries: Vec<String> = keys.chain(prefixes).collect();
            assert!(entries.len() <= limit);
            pages.push(entries.join(" "));
            match page.next {
                Some(next) => request.after = next,
                None => return pages,
            }
        }
    }

    #[tokio::test]
    async fn keys_come_in_order_page_by_page() {
        let state = filled(&["b", "a/2", "a", "a/1", "ä", "c"]).await;
        assert_eq!(pages(&state, "", "", 9).await, ["a a/1 a/2 b c ä"]);
        assert_eq!(pages(&state, "", "", 2).await, ["a a/1", "a/2 b", "c ä"]);
        assert_eq!(pages(&state, "a/", "", 9).await, ["a/1 a/2"]);
        assert_eq!(pages(&state, "z", "", 9).await, [""]);
    }

    #[tokio::test]
    async fn what_keys_have_in_common_stands_for_them() {
        let state = filled(&["x", "a/1", "a/2", "a/b/3", "b/4"]).await;
        assert_eq!(pages(&state, "", "/", 9).await, ["x [a/] [b/]"]);
        assert_eq!(pages(&state, "", "/", 1).await, ["[a/]", "[b/]", "x"]);
        assert_eq!(pages(&state, "a/", "/", 9).await, ["a/1 a/2 [a/b/]"]);
    }

    #[tokio::test]
    async fn a_page_of_nothing_has_none_behind_it() {
        let state = filled(&["x"]).await;
        let page = state.list(ListRequest::default()).await.unwrap();
        assert_eq!(page, Listing::default());
    }

    #[tokio::test]
    async fn a_deleted_key_is_listed_by_its_versions_only() {
        let state = filled(&["a", "b"]).await;
        let mut mark = version("a", "mark");
        mark.marker = true;
        put(&state, mark).await;
        assert_eq!(pages(&state, "", "", 9).await, ["b"]);

        let listed = async |behind: (&str, i64), limit| {
            let behind = (behind.0.to_owned(), behind.1);
            let found = state.list_versions("scans".to_owned(), String::new(), behind, limit);
            let found = found.await.unwrap();
            let short = found
                .into_iter()
                .map(|(version, newest)| (version.id, newest));
            short.collect::<Vec<_>>()
        };
        let of = |id: &str, newest| (id.to_owned(), newest);
        let all = [of("mark", true), of("0", false), of("1", true)];
        assert_eq!(listed(("", 0), 9).await, all);
        assert_eq!(listed(("", 0), 1).await, all[..1]);
        assert_eq!(listed(("a", 3), 9).await, all[1..]);
        assert_eq!(listed(("a", 0), 9).await, all[2..]);
    }
}

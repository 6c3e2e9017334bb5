//! Objects: all versions of all keys, and the delete markers. The content of a version is in the
//! file that has the version's id as its name.
//!
//! A version and the deliveries that follow from it are stored in one transaction, so that neither
//! exists without the other.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{NewDelivery, State, StateError, dead_letters, uploads};
use crate::clock;
use crate::limits::PENDING_DELIVERIES;

/// The columns of a version, in the order that [`read`] expects.
pub(super) const COLUMNS: &str =
    "number, key, version, marker, size, etag, modified_ms, about, bucket";

/// A version of an object, or a delete marker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// The id of the bucket.
    pub bucket: String,
    /// The number of the version. Later versions, of any key, have higher numbers.
    pub number: i64,
    /// The key of the object.
    pub key: String,
    /// The id of the version, which is also the name of its file.
    pub id: String,
    /// Whether this is a delete marker, which has no content.
    pub marker: bool,
    /// The size of the content in bytes.
    pub size: u64,
    /// The entity tag, without quotes.
    pub etag: String,
    /// The time at which the version was stored, in milliseconds since 1970.
    pub modified_ms: i64,
    /// The headers of the object, as JSON that only their writer reads.
    pub about: String,
}

/// The condition on the current version of a key under which a new version is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// No condition.
    #[default]
    None,
    /// The key has no current version.
    Absent,
    /// The key has a current version.
    Present,
    /// The current version has this entity tag.
    Tagged(String),
}

/// The reason why a version was not stored. Nothing else was changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStored {
    /// The condition does not hold.
    Condition,
    /// The multipart upload was already completed or aborted.
    Upload,
}

/// Computes the deliveries that follow from a version which is stored or removed.
pub type Announce = Box<dyn FnOnce(&Version) -> Vec<NewDelivery> + Send>;

impl State {
    /// Stores a version and the deliveries that follow from it. Sets the number of the version.
    /// When this returns, both survive the end of the process. `upload` is the id of the multipart
    /// upload that the version completes.
    pub async fn put_version(
        &self,
        mut version: Version,
        condition: Condition,
        upload: Option<String>,
        announce: Announce,
    ) -> Result<Result<Version, NotStored>, StateError> {
        if self.pending() >= PENDING_DELIVERIES {
            return Err(StateError::Full);
        }
        let now = clock::now().timestamp_millis();
        self.write_and_deliver(now, move |transaction| {
            let before = current(transaction, &version.bucket, &version.key)?;
            if !condition.holds(before.as_ref()) {
                return Ok((Err(NotStored::Condition), Vec::new()));
            }
            if let Some(upload) = upload
                && !uploads::remove(transaction, &upload)?
            {
                return Ok((Err(NotStored::Upload), Vec::new()));
            }
            version.number = insert(transaction, &version)?;
            if version.marker {
                forget_dead_letter(transaction, &version)?;
            }
            let new = announce(&version);
            Ok((Ok(version), new))
        })
        .await
    }

    /// Removes one version permanently, and returns it; `None` where there is no such version.
    pub async fn remove_version(
        &self,
        bucket: String,
        key: String,
        id: String,
        announce: Announce,
    ) -> Result<Option<Version>, StateError> {
        let now = clock::now().timestamp_millis();
        self.write_and_deliver(now, move |transaction| {
            let Some(version) = by_id(transaction, &bucket, &key, &id)? else {
                return Ok((None, Vec::new()));
            };
            let sql = "DELETE FROM objects WHERE number = ?1";
            transaction.execute(sql, [version.number])?;
            forget_dead_letter(transaction, &version)?;
            let new = announce(&version);
            Ok((Some(version), new))
        })
        .await
    }

    /// Returns the version of a key with this id, or the newest one where `id` is `None`. It may be
    /// a delete marker.
    pub async fn version(
        &self,
        bucket: String,
        key: String,
        id: Option<String>,
    ) -> Result<Option<Version>, StateError> {
        self.read(move |connection| match id {
            Some(id) => by_id(connection, &bucket, &key, &id),
            None => newest(connection, &bucket, &key),
        })
        .await
    }

    /// Returns the names of all files that a version or a part refers to.
    pub async fn files(&self) -> Result<HashSet<String>, StateError> {
        let sql = "SELECT version FROM objects WHERE marker = 0 UNION SELECT file FROM parts";
        self.read(|connection| {
            let mut statement = connection.prepare(sql)?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
        .await
    }
}

impl Condition {
    fn holds(&self, current: Option<&Version>) -> bool {
        match self {
            Self::None => true,
            Self::Absent => current.is_none(),
            Self::Present => current.is_some(),
            Self::Tagged(etag) => current.is_some_and(|version| version.etag == *etag),
        }
    }
}

/// Reads a row with [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok(Version {
        bucket: row.get(8)?,
        number: row.get(0)?,
        key: row.get(1)?,
        id: row.get(2)?,
        marker: row.get(3)?,
        size: row.get(4)?,
        etag: row.get(5)?,
        modified_ms: row.get(6)?,
        about: row.get(7)?,
    })
}

pub(super) fn insert(transaction: &Transaction<'_>, version: &Version) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO objects (key, version, marker, size, etag, modified_ms, about, bucket)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    transaction.prepare_cached(sql)?.execute(params![
        version.key,
        version.id,
        version.marker,
        version.size,
        version.etag,
        version.modified_ms,
        version.about,
        version.bucket
    ])?;
    Ok(transaction.last_insert_rowid())
}

/// Removes the dead letter that was stored as this object, if the key has no current version any
/// more.
fn forget_dead_letter(transaction: &Transaction<'_>, version: &Version) -> rusqlite::Result<()> {
    let Version { bucket, key, .. } = version;
    if current(transaction, bucket, key)?.is_none() {
        dead_letters::forget_object(transaction, bucket, key)?;
    }
    Ok(())
}

fn newest(connection: &Connection, bucket: &str, key: &str) -> rusqlite::Result<Option<Version>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM objects WHERE bucket = ?1 AND key = ?2
         ORDER BY number DESC LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row([bucket, key], read).optional()
}

/// Returns the newest version, unless it is a delete marker.
fn current(connection: &Connection, bucket: &str, key: &str) -> rusqlite::Result<Option<Version>> {
    Ok(newest(connection, bucket, key)?.filter(|version| !version.marker))
}

fn by_id(
    connection: &Connection,
    bucket: &str,
    key: &str,
    id: &str,
) -> rusqlite::Result<Option<Version>> {
    let sql =
        format!("SELECT {COLUMNS} FROM objects WHERE version = ?1 AND key = ?2 AND bucket = ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row([id, key, bucket], read).optional()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::super::tests::Folder;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::state::Lane;

    /// Creates a version without a content.
    pub(crate) fn version(key: &str, id: &str) -> Version {
        Version {
            key: key.to_owned(),
            id: id.to_owned(),
            etag: format!("etag of {id}"),
            bucket: "scans".to_owned(),
            ..Version::default()
        }
    }

    /// Stores a version without a condition and without deliveries.
    pub(crate) async fn put(state: &State, version: Version) -> Version {
        let silent = Box::new(|_: &Version| Vec::new());
        let put = state.put_version(version, Condition::None, None, silent);
        put.await.unwrap().unwrap()
    }

    fn others() -> Lane {
        let without = Vec::new();
        Lane::Others { without }
    }

    fn announced() -> Announce {
        Box::new(|version| {
            vec![NewDelivery {
                function: "lend".to_owned(),
                request_id: "r".to_owned(),
                payload: version.number.to_string(),
            }]
        })
    }

    #[tokio::test]
    async fn a_version_and_what_follows_from_it_are_stored_together() {
        let folder = Folder::new();
        let state = folder.state();
        let put = state.put_version(version("k", "1"), Condition::None, None, announced());
        let stored = put.await.unwrap().unwrap();
        assert_eq!(state.pending(), 1);
        drop(state);

        let state = folder.state();
        let found = state
            .version("scans".to_owned(), "k".to_owned(), None)
            .await
            .unwrap();
        assert_eq!(found, Some(stored.clone()));
        let due = state
            .exchange(Vec::new(), others(), 9, i64::MAX)
            .await
            .unwrap();
        assert_eq!(due[0].payload, stored.number.to_string());
    }

    #[tokio::test]
    async fn the_newest_version_is_current_and_a_number_is_never_given_again() {
        let state = Folder::new().state();
        put(&state, version("k", "1")).await;
        let second = put(&state, version("k", "2")).await;
        let found = state
            .version("scans".to_owned(), "k".to_owned(), None)
            .await
            .unwrap();
        assert_eq!(found, Some(second.clone()));
        let gone = state.remove_version(
            "scans".to_owned(),
            "k".to_owned(),
            "2".to_owned(),
            announced(),
        );
        assert_eq!(gone.await.unwrap(), Some(second.clone()));
        assert_eq!(state.pending(), 1);
        let found = state
            .version("scans".to_owned(), "k".to_owned(), None)
            .await
            .unwrap();
        assert_eq!(found.unwrap().id, "1");
        assert!(put(&state, version("k", "3")).await.number > second.number);
    }

    #[tokio::test]
    async fn a_condition_is_held_against_the_current_version() {
        let state = Folder::new().state();
        let tried = async |id: &str, condition| {
            let put = state.put_version(version("k", id), condition, None, announced());
            put.await.unwrap().map(|version| version.id)
        };
        let etag = |id: &str| Condition::Tagged(format!("etag of {id}"));
        assert_eq!(
            tried("1", Condition::Present).await,
            Err(NotStored::Condition)
        );
        assert_eq!(tried("1", Condition::Absent).await, Ok("1".to_owned()));
        assert_eq!(
            tried("2", Condition::Absent).await,
            Err(NotStored::Condition)
        );
        assert_eq!(tried("2", etag("0")).await, Err(NotStored::Condition));
        assert_eq!(tried("2", etag("1")).await, Ok("2".to_owned()));
        assert_eq!(state.pending(), 2);

        let mut mark = version("k", "mark");
        mark.marker = true;
        put(&state, mark).await;
        assert_eq!(tried("3", etag("2")).await, Err(NotStored::Condition));
        assert_eq!(tried("3", Condition::Absent).await, Ok("3".to_owned()));
    }

    #[tokio::test]
    async fn a_version_belongs_to_its_key() {
        let state = Folder::new().state();
        put(&state, version("k", "1")).await;
        let found = state.version("scans".to_owned(), "other".to_owned(), Some("1".to_owned()));
        assert_eq!(found.await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_full_queue_accepts_no_version() {
        let state = Folder::new().state();
        state.pending.store(PENDING_DELIVERIES, Ordering::Relaxed);
        let put = state.put_version(version("k", "1"), Condition::None, None, announced());
        assert!(matches!(put.await, Err(StateError::Full)));
        let found = state
            .version("scans".to_owned(), "k".to_owned(), None)
            .await
            .unwrap();
        assert_eq!(found, None);
    }
}

//! Multipart uploads that are neither completed nor aborted. The content of a part is in a file of
//! its own.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{State, StateError};
use crate::limits::OPEN_UPLOADS;

/// A multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The id of the upload.
    pub id: String,
    /// The id of the bucket of the future object.
    pub bucket: String,
    /// The key of the future object.
    pub key: String,
    /// The headers of the future object, as JSON that only their writer reads.
    pub about: String,
}

/// A part that has been received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The part number, from 1 on.
    pub number: i32,
    /// The name of its file.
    pub file: String,
    /// The size in bytes.
    pub size: u64,
    /// The entity tag: the MD5 of the content in hexadecimal digits.
    pub etag: String,
}

impl State {
    /// Stores a new upload. Returns `false` where there are too many open uploads.
    pub async fn begin_upload(&self, upload: Upload) -> Result<bool, StateError> {
        self.write(move |transaction| {
            let sql = "INSERT INTO uploads (id, key, about, bucket)
                       SELECT ?1, ?2, ?3, ?5 WHERE (SELECT COUNT(*) FROM uploads) < ?4";
            let Upload {
                id,
                bucket,
                key,
                about,
            } = upload;
            let values = params![id, key, about, OPEN_UPLOADS, bucket];
            let added = transaction.execute(sql, values)?;
            Ok(added == 1)
        })
        .await
    }

    /// Returns an open upload and its parts in order; `None` where there is no such upload.
    pub async fn upload(
        &self,
        bucket: String,
        id: String,
        key: String,
    ) -> Result<Option<(Upload, Vec<Part>)>, StateError> {
        self.read(move |connection| {
            let sql = "SELECT about FROM uploads WHERE id = ?1 AND key = ?2 AND bucket = ?3";
            let values = [&id, &key, &bucket];
            let about = connection.query_row(sql, values, |row| row.get(0));
            let Some(about) = about.optional()? else {
                return Ok(None);
            };
            let sql = "SELECT number, file, size, etag FROM parts
                       WHERE upload = ?1 ORDER BY number";
            let mut statement = connection.prepare_cached(sql)?;
            let parts = statement.query_map([&id], |row| {
                Ok(Part {
                    number: row.get(0)?,
                    file: row.get(1)?,
                    size: row.get(2)?,
                    etag: row.get(3)?,
                })
            })?;
            let parts = parts.collect::<Result<_, _>>()?;
            let upload = Upload {
                id,
                bucket,
                key,
                about,
            };
            Ok(Some((upload, parts)))
        })
        .await
    }

    /// Stores a part, in place of an earlier one with the same number. Returns the name of the file
    /// that nothing refers to any more: the earlier part's, or this part's where the upload is not
    /// open.
    pub async fn add_part(&self, upload: String, part: Part) -> Result<Option<String>, StateError> {
        self.write(move |transaction| {
            let sql = "SELECT 1 FROM uploads WHERE id = ?1";
            let open = transaction.query_row(sql, [&upload], |_| Ok(()));
            if open.optional()?.is_none() {
                return Ok(Some(part.file));
            }
            let sql = "SELECT file FROM parts WHERE upload = ?1 AND number = ?2";
            let earlier = transaction
                .query_row(sql, params![upload, part.number], |row| row.get(0))
                .optional()?;
            let sql = "INSERT OR REPLACE INTO parts (upload, number, file, size, etag)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            let Part {
                number,
                file,
                size,
                etag,
            } = part;
            transaction.execute(sql, params![upload, number, file, size, etag])?;
            Ok(earlier)
        })
        .await
    }

    /// Removes an upload and its parts, without an object.
    pub async fn abort_upload(&self, id: String) -> Result<(), StateError> {
        self.write(move |transaction| remove(transaction, &id).map(|_| ()))
            .await
    }
}

/// Removes an upload and its parts. Returns whether there was one.
pub(super) fn remove(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<bool> {
    transaction.execute("DELETE FROM parts WHERE upload = ?1", [id])?;
    Ok(transaction.execute("DELETE FROM uploads WHERE id = ?1", [id])? == 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::objects::tests::version;
    use super::super::tests::Folder;
    use super::*;
    use crate::state::{Condition, NotStored, Version};

    fn upload(id: &str) -> Upload {
        Upload {
            id: id.to_owned(),
            bucket: "scans".to_owned(),
            key: "k".to_owned(),
            about: "{}".to_owned(),
        }
    }

    fn part(number: i32, file: &str) -> Part {
        Part {
            number,
            file: file.to_owned(),
            size: 1,
            etag: file.to_owned(),
        }
    }

    async fn files(state: &State) -> Vec<String> {
        let (_, parts) = state
            .upload("scans".to_owned(), "u".to_owned(), "k".to_owned())
            .await
            .unwrap()
            .unwrap();
        parts.into_iter().map(|part| part.file).collect()
    }

    #[tokio::test]
    async fn a_part_takes_the_place_of_the_one_with_its_number() {
        let folder = Folder::new();
        let state = folder.state();
        assert!(state.begin_upload(upload("u")).await.unwrap());
        for (number, file) in [(2, "b"), (1, "a")] {
            let left = state.add_part("u".to_owned(), part(number, file));
            assert_eq!(left.await.unwrap(), None);
        }
        let left = state.add_part("u".to_owned(), part(2, "c")).await.unwrap();
        assert_eq!(left.as_deref(), Some("b"));
        drop(state);
        assert_eq!(files(&folder.state()).await, ["a", "c"]);
    }

    #[tokio::test]
    async fn an_upload_ends_once() {
        let state = Folder::new().state();
        state.begin_upload(upload("u")).await.unwrap();
        state.add_part("u".to_owned(), part(1, "a")).await.unwrap();
        let end = async |id: &str| {
            let upload = Some("u".to_owned());
            let silent = Box::new(|_: &Version| Vec::new());
            let put = state.put_version(version("k", id), Condition::None, upload, silent);
            put.await.unwrap().map(|version| version.id)
        };
        assert_eq!(end("1").await, Ok("1".to_owned()));
        assert_eq!(end("2").await, Err(NotStored::Upload));
        let late = state
            .add_part("u".to_owned(), part(2, "late"))
            .await
            .unwrap();
        assert_eq!(late.as_deref(), Some("late"));
        assert_eq!(state.files().await.unwrap(), ["1".to_owned()].into());
    }

    #[tokio::test]
    async fn an_aborted_upload_leaves_nothing() {
        let state = Folder::new().state();
        state.begin_upload(upload("u")).await.unwrap();
        state.add_part("u".to_owned(), part(1, "a")).await.unwrap();
        state.abort_upload("u".to_owned()).await.unwrap();
        let found = state
            .upload("scans".to_owned(), "u".to_owned(), "k".to_owned())
            .await
            .unwrap();
        assert_eq!(found, None);
        assert!(state.files().await.unwrap().is_empty());
    }
}

//! The contents of objects and parts: one file for each, written once and never changed.
//!
//! A file counts once the state refers to it. A file without a reference, because the process ended
//! before it could be stored, is removed at the next start.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use futures::{Stream, TryStreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use crate::limits::READ_BYTES;

/// The folder of the contents.
#[derive(Debug, Clone)]
pub(super) struct Files {
    folder: PathBuf,
}

/// A new file. It is removed when this value is dropped, unless `keep` was called.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    kept: bool,
}

impl Files {
    /// Opens the folder, or creates it, and removes every file that is not in `known`.
    pub(super) fn open(folder: &Path, known: &HashSet<String>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| known.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Returns the time at which the folder was created.
    pub(super) fn made(&self) -> io::Result<std::time::SystemTime> {
        let about = fs::metadata(&self.folder)?;
        about.created().or_else(|_| about.modified())
    }

    /// Writes a content while it is received. The file is on disk when this returns.
    pub(super) async fn write<E: Into<axum::BoxError>>(
        &self,
        name: &str,
        mut content: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
    ) -> io::Result<Draft> {
        let draft = self.draft(name);
        let mut file = tokio::fs::File::create_new(&draft.path).await?;
        while let Some(bytes) = content.try_next().await.map_err(io::Error::other)? {
            file.write_all(&bytes).await?;
        }
        file.flush().await?;
        file.sync_all().await?;
        self.in_background(|folder| flush(&folder)).await?;
        Ok(draft)
    }

    /// Writes the contents of other files, one after the other, into a new file. The file is on
    /// disk when this returns.
    pub(super) async fn join(&self, name: &str, parts: Vec<String>) -> io::Result<Draft> {
        let draft = self.draft(name);
        let path = draft.path.clone();
        self.in_background(move |folder| {
            let mut file = fs::File::create_new(path)?;
            for part in parts {
                io::copy(&mut fs::File::open(folder.join(part))?, &mut file)?;
            }
            file.sync_all()?;
            flush(&folder)
        })
        .await?;
        Ok(draft)
    }

    /// Reads a range of bytes of a file. The file may be removed during this; the rest can still be
    /// read.
    pub(super) async fn read(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + Sync + use<>> {
        let mut file = tokio::fs::File::open(self.folder.join(name)).await?;
        file.seek(io::SeekFrom::Start(range.start)).await?;
        let file = file.take(range.end - range.start);
        Ok(stream::try_unfold(file, |mut file| async move {
            let mut bytes = Vec::with_capacity(READ_BYTES);
            let count = file.read_buf(&mut bytes).await?;
            Ok((count > 0).then(|| (Bytes::from(bytes), file)))
        }))
    }

    /// Removes files without a reference. A file that cannot be removed is removed at the next
    /// start.
    pub(super) async fn remove(&self, names: Vec<String>) {
        let removed = self.in_background(move |folder| {
            names
                .iter()
                .try_for_each(|name| fs::remove_file(folder.join(name)))
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, "an unused file was not removed: the next start does it");
        }
    }

    fn draft(&self, name: &str) -> Draft {
        Draft {
            path: self.folder.join(name),
            kept: false,
        }
    }

    async fn in_background<T: Send + 'static>(
        &self,
        job: impl FnOnce(PathBuf) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let folder = self.folder.clone();
        let done = tokio::task::spawn_blocking(move || job(folder)).await;
        done.map_err(io::Error::other)?
    }
}

impl Draft {
    /// Keeps the file.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // The file may not exist yet; otherwise the next start removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Flushes a folder to disk, so that the names of its files are durable.
fn flush(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::state::tests::Folder;

    fn content(text: &'static str) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin {
        let pieces = text.as_bytes().chunks(2);
        stream::iter(pieces.map(|piece| Ok(Bytes::from_static(piece))))
    }

    async fn text(files: &Files, name: &str, range: Range<u64>) -> String {
        let content = files.read(name, range).await.unwrap();
        let pieces: Vec<Bytes> = content.try_collect().await.unwrap();
        String::from_utf8(pieces.concat()).unwrap()
    }

    fn names(folder: &Folder) -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn a_content_is_read_back_whole_and_in_part() {
        let folder = Folder::new();
        let files = Files::open(folder.path(), &HashSet::new()).unwrap();
        files.write("a", content("hello")).await.unwrap().keep();
        files.write("b", content(" world")).await.unwrap().keep();
        let parts = vec!["a".to_owned(), "b".to_owned()];
        files.join("c", parts).await.unwrap().keep();
        assert_eq!(text(&files, "a", 0..5).await, "hello");
        assert_eq!(text(&files, "c", 0..11).await, "hello world");
        assert_eq!(text(&files, "c", 4..7).await, "o w");
        assert_eq!(text(&files, "c", 4..4).await, "");
    }

    #[tokio::test]
    async fn what_nobody_keeps_goes() {
        let folder = Folder::new();
        let files = Files::open(folder.path(), &HashSet::new()).unwrap();
        drop(files.write("a", content("hello")).await.unwrap());
        let broken = stream::iter([Ok(Bytes::from_static(b"x")), Err(io::Error::other("cut"))]);
        files.write("b", broken).await.unwrap_err();
        assert!(names(&folder).is_empty());
    }

    #[tokio::test]
    async fn a_start_removes_what_nothing_refers_to() {
        let folder = Folder::new();
        let files = Files::open(folder.path(), &HashSet::new()).unwrap();
        for name in ["a", "b"] {
            files.write(name, content("x")).await.unwrap().keep();
        }
        Files::open(folder.path(), &["a".to_owned()].into()).unwrap();
        assert_eq!(names(&folder), ["a"]);
    }
}

//! The contract of a bucket, tested against the bucket in memory.

use commands::import::files::{Chunks, FileError, Files, Object};
use support::files::MemoryFiles;

async fn all(mut chunks: Box<dyn Chunks>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await.unwrap() {
        bytes.extend(chunk);
    }
    bytes
}

async fn read(files: &dyn Files, object: &Object, offset: u64) -> Result<Vec<u8>, FileError> {
    Ok(all(files.open(object, offset).await?).await)
}

fn by_etag(object: &Object) -> Object {
    Object {
        version_id: None,
        ..object.clone()
    }
}

#[tokio::test]
async fn a_version_is_read_from_any_place_and_stays_what_it_was() {
    let files = MemoryFiles::in_chunks_of(2);
    let first = files.upload("orders/a", "abcde");
    let second = files.upload("orders/a", "vwxyz");
    for (offset, rest) in [(0, "abcde"), (3, "de"), (5, ""), (9, "")] {
        assert_eq!(read(&files, &first, offset).await, Ok(rest.into()));
    }
    assert_eq!(read(&files, &second, 1).await, Ok(b"wxyz".into()));
    assert_eq!(read(&files, &by_etag(&second), 1).await, Ok(b"wxyz".into()));
}

#[tokio::test]
async fn a_version_that_is_not_there_is_gone() {
    let files = MemoryFiles::default();
    let first = files.upload("orders/a", "abcde");
    files.upload("orders/a", "vwxyz");
    assert_eq!(
        read(&files, &by_etag(&first), 0).await,
        Err(FileError::Gone)
    );
    files.remove("orders/a");
    assert_eq!(read(&files, &first, 0).await, Err(FileError::Gone));
}

#[tokio::test]
async fn a_small_object_is_written_over_and_read() {
    let files = MemoryFiles::default();
    assert_eq!(files.get("reports/a", 9).await, Ok(None));
    files.put("reports/a", b"one".into()).await.unwrap();
    files.put("reports/a", b"other".into()).await.unwrap();
    assert_eq!(files.get("reports/a", 5).await, Ok(Some(b"other".into())));
    assert_eq!(files.get("reports/a", 4).await, Ok(None));
}

#[tokio::test]
async fn a_stream_that_is_cut_says_so() {
    let files = MemoryFiles::in_chunks_of(2);
    let object = files.upload("orders/a", "abcde");
    files.cut([3]);
    let mut chunks = files.open(&object, 0).await.unwrap();
    assert_eq!(chunks.next().await, Ok(Some(b"ab".into())));
    assert_eq!(chunks.next().await, Ok(Some(b"c".into())));
    assert!(matches!(
        chunks.next().await,
        Err(FileError::Unavailable(_))
    ));
    assert_eq!(read(&files, &object, 3).await, Ok(b"de".into()));
}

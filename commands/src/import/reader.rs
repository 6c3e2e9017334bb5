//! A file as a stream of pieces. A stream that breaks off is taken up again where it was.

use event_store::{Clock, clock::backoff};

use super::{
    files::{Chunks, FileError, Files, Object},
    splitter::{Mark, Piece, Splitter},
};
use crate::limits::{ORDER_BYTES_MAX, READ_ATTEMPTS, READ_WAIT};

/// Reads one version of a file from a mark on.
pub(super) struct Reader<'a> {
    files: &'a dyn Files,
    clock: &'a dyn Clock,
    object: &'a Object,
    splitter: Splitter,
    stream: Option<Box<dyn Chunks>>,
    /// The next byte to read.
    offset: u64,
    ended: bool,
}

/// What a look for the next piece has brought.
pub(super) enum Read {
    /// A piece.
    Piece(Piece),
    /// Some bytes, no piece yet.
    Bytes,
    /// The file is at its end.
    End,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        files: &'a dyn Files,
        clock: &'a dyn Clock,
        object: &'a Object,
        mark: Mark,
    ) -> Self {
        Self {
            files,
            clock,
            object,
            splitter: Splitter::new(mark, ORDER_BYTES_MAX),
            stream: None,
            offset: mark.offset,
            ended: false,
        }
    }

    /// The next piece, or one step towards it.
    pub(super) async fn read(&mut self) -> Result<Read, FileError> {
        if let Some(piece) = self.splitter.next_piece() {
            return Ok(Read::Piece(piece));
        }
        if self.ended || self.splitter.is_done() {
            return Ok(Read::End);
        }
        match self.chunk().await? {
            Some(chunk) => {
                self.offset += chunk.len() as u64;
                self.splitter.feed(&chunk);
            }
            None => {
                self.ended = true;
                self.splitter.end();
            }
        }
        Ok(Read::Bytes)
    }

    /// The next bytes, by as many streams as it takes.
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        let mut attempt = 1;
        loop {
            let error = match self.try_chunk().await {
                Err(FileError::Unavailable(error)) => error,
                settled => return settled,
            };
            self.stream = None;
            if attempt == READ_ATTEMPTS {
                return Err(FileError::Unavailable(error));
            }
            tracing::warn!(error, attempt, "a file is read on by another stream");
            let longest = backoff(attempt, READ_WAIT, READ_WAIT * READ_ATTEMPTS);
            self.clock.sleep(self.clock.jitter(longest)).await;
            attempt += 1;
        }
    }

    async fn try_chunk(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(self.files.open(self.object, self.offset).await?),
        };
        stream.next().await
    }
}

//! Reads a file as a stream of pieces, and resumes a stream that breaks off.

use event_store::{Clock, clock::backoff};

use super::{
    files::{Chunks, FileError, Files, Object},
    splitter::{Piece, ResumePoint, Splitter},
    unpacker::{Step, Unpacker},
};
use crate::limits::{ORDER_BYTES_MAX, READ_ATTEMPTS, READ_WAIT};

/// Reads one version of a file from a mark on.
pub(super) struct Reader<'a> {
    files: &'a dyn Files,
    clock: &'a dyn Clock,
    object: &'a Object,
    splitter: Splitter,
    packing: Packing,
    stream: Option<Box<dyn Chunks>>,
    /// The offset of the next byte to read of the stored file.
    offset: u64,
    /// The number of unpacked bytes before the mark that are still to be skipped.
    to_skip: u64,
    /// The file's first byte, while the second one has not come yet.
    beginning: Vec<u8>,
    ended: bool,
}

/// Whether the file is packed: its beginning shows it, and marks record it.
enum Packing {
    Unknown,
    Plain,
    Gzip(Box<Unpacker>),
}

/// The result of one step of reading.
pub(super) enum Read {
    /// A piece.
    Piece(Piece),
    /// Some bytes were read, and no piece is complete yet.
    Bytes,
    /// The end of the file.
    End,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        files: &'a dyn Files,
        clock: &'a dyn Clock,
        object: &'a Object,
        mark: ResumePoint,
    ) -> Self {
        // A plain file is read from its mark on; a packed one must be unpacked again up to it.
        let (packing, offset, to_skip) = match mark {
            ResumePoint { packed: true, .. } => (Packing::Gzip(Box::default()), 0, mark.offset),
            ResumePoint { offset: 0, .. } => (Packing::Unknown, 0, 0),
            _ => (Packing::Plain, mark.offset, 0),
        };
        Self {
            files,
            clock,
            object,
            splitter: Splitter::new(mark, ORDER_BYTES_MAX),
            packing,
            stream: None,
            offset,
            to_skip,
            beginning: Vec::new(),
            ended: false,
        }
    }

    /// Reads the next piece, or takes one step towards it.
    pub(super) async fn read(&mut self) -> Result<Read, FileError> {
        if let Some(piece) = self.splitter.next_piece() {
            return Ok(Read::Piece(piece));
        }
        if self.ended || self.splitter.is_done() {
            return Ok(Read::End);
        }
        if let Packing::Gzip(unpacker) = &mut self.packing {
            match unpacker.step() {
                Ok(Step::Bytes(bytes)) => {
                    self.take(&bytes);
                    return Ok(Read::Bytes);
                }
                Ok(Step::NeedsInput) => {}
                Ok(Step::End) => {
                    self.end();
                    return Ok(Read::Bytes);
                }
                Err(reason) => {
                    self.ended = true;
                    return Ok(Read::Piece(self.splitter.unpacking_failed(reason)));
                }
            }
        }
        let chunk = self.chunk().await?;
        self.offset += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        match (&mut self.packing, chunk) {
            (Packing::Unknown, Some(chunk)) => self.begin(&chunk),
            (Packing::Gzip(unpacker), Some(chunk)) => unpacker.feed(&chunk),
            (Packing::Gzip(unpacker), None) => unpacker.end(),
            (Packing::Plain, Some(chunk)) => self.take(&chunk),
            (Packing::Unknown | Packing::Plain, None) => self.end(),
        }
        Ok(Read::Bytes)
    }

    /// Takes the file's first bytes, which show whether it is packed.
    fn begin(&mut self, chunk: &[u8]) {
        self.beginning.extend_from_slice(chunk);
        if self.beginning.len() < 2 {
            return;
        }
        let beginning = std::mem::take(&mut self.beginning);
        if Unpacker::is_gzip(&beginning) {
            let mut unpacker = Box::<Unpacker>::default();
            unpacker.feed(&beginning);
            self.packing = Packing::Gzip(unpacker);
            self.splitter.set_packed();
        } else {
            self.packing = Packing::Plain;
            self.take(&beginning);
        }
    }

    /// Passes the bytes after the mark to the splitter.
    fn take(&mut self, bytes: &[u8]) {
        let skipped = bytes
            .len()
            .min(usize::try_from(self.to_skip).unwrap_or(usize::MAX));
        self.to_skip -= skipped as u64;
        self.splitter.feed(&bytes[skipped..]);
    }

    fn end(&mut self) {
        let beginning = std::mem::take(&mut self.beginning);
        self.take(&beginning);
        self.ended = true;
        self.splitter.end();
    }

    /// Reads the next chunk, and opens new streams after failures.
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

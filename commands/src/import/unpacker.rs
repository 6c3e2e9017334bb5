//! Gzip, unpacked as it comes: one member or several, a little at a time, so that what a few bytes
//! unpack to is never held as a whole.

use std::io::Write as _;

use flate2::write::MultiGzDecoder;

use crate::limits::UNPACKED_BYTES_MAX;

/// Bytes of packed data that are unpacked at once: they become a thousand times as many at most.
const STEP_BYTES: usize = 4 * 1024;

/// Why the rest of a packed file cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unpackable {
    /// It is damaged, or ends too early.
    #[error("from here on the file cannot be unpacked: its gzip data are damaged or cut off")]
    Damaged,
    /// It unpacks to more than is read.
    #[error(
        "from here on nothing is read: the file unpacks to more than {UNPACKED_BYTES_MAX} bytes"
    )]
    TooLarge,
}

/// Unpacks a file from its beginning.
pub(super) struct Unpacker {
    decoder: MultiGzDecoder<Vec<u8>>,
    packed: Vec<u8>,
    /// Bytes that have been unpacked.
    unpacked: u64,
    ended: bool,
}

/// A step of unpacking.
pub(super) enum Step {
    /// Some bytes more, perhaps none.
    Bytes(Vec<u8>),
    /// It wants more packed bytes.
    Hungry,
    /// The file is unpacked to its end.
    End,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self {
            decoder: MultiGzDecoder::new(Vec::new()),
            packed: Vec::new(),
            unpacked: 0,
            ended: false,
        }
    }
}

impl Unpacker {
    /// Does a file that begins like this want unpacking?
    pub(super) fn is_meant(beginning: &[u8]) -> bool {
        beginning.starts_with(&[0x1f, 0x8b])
    }

    /// Takes the next packed bytes.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.packed.extend_from_slice(chunk);
    }

    /// No more packed bytes will come.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Unpacks a little more.
    pub(super) fn step(&mut self) -> Result<Step, Unpackable> {
        if self.packed.is_empty() {
            if !self.ended {
                return Ok(Step::Hungry);
            }
            self.decoder.try_finish().map_err(|_| Unpackable::Damaged)?;
            let last = std::mem::take(self.decoder.get_mut());
            return Ok(match last.is_empty() {
                true => Step::End,
                false => Step::Bytes(last),
            });
        }
        let length = self.packed.len().min(STEP_BYTES);
        let written = self.decoder.write(&self.packed[..length]);
        let taken = written.map_err(|_| Unpackable::Damaged)?;
        if taken == 0 {
            return Err(Unpackable::Damaged);
        }
        self.packed.drain(..taken);
        let bytes = std::mem::take(self.decoder.get_mut());
        self.unpacked += bytes.len() as u64;
        match self.unpacked > UNPACKED_BYTES_MAX {
            true => Err(Unpackable::TooLarge),
            false => Ok(Step::Bytes(bytes)),
        }
    }
}

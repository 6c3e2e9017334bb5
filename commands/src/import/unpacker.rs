//! Unpacks gzip of one or several members as a stream, in small steps, so that a few bytes that
//! unpack to very many never fill the memory.

use std::io::Write as _;

use flate2::write::MultiGzDecoder;

use crate::limits::UNPACKED_BYTES_MAX;

/// Bytes of packed data for one step. They unpack to a thousand times as many at most.
const STEP_BYTES: usize = 4 * 1024;

/// Why the rest of a packed file cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// The gzip data are damaged, or end too early.
    #[error("from here on the file cannot be unpacked: its gzip data are damaged or cut off")]
    Damaged,
    /// The file unpacks to more bytes than the limit.
    #[error(
        "from here on nothing is read: the file unpacks to more than {UNPACKED_BYTES_MAX} bytes"
    )]
    TooLarge,
}

/// Unpacks a file from its beginning.
pub(super) struct Unpacker {
    decoder: MultiGzDecoder<Vec<u8>>,
    packed: Vec<u8>,
    /// The number of bytes that have been unpacked.
    unpacked: u64,
    ended: bool,
    /// Why nothing more is unpacked.
    broken: Option<UnpackError>,
}

/// The result of one step.
pub(super) enum Step {
    /// More unpacked bytes, perhaps none.
    Bytes(Vec<u8>),
    /// More packed bytes are needed.
    NeedsInput,
    /// The end of the file.
    End,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self {
            decoder: MultiGzDecoder::new(Vec::new()),
            packed: Vec::new(),
            unpacked: 0,
            ended: false,
            broken: None,
        }
    }
}

impl Unpacker {
    /// Whether a file with this beginning is packed.
    pub(super) fn is_gzip(beginning: &[u8]) -> bool {
        beginning.starts_with(&[0x1f, 0x8b])
    }

    /// Adds the next packed bytes.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.packed.extend_from_slice(chunk);
    }

    /// Says that there are no further packed bytes.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Unpacks a little more. The result of each step depends on the file alone, and not on the
    /// sizes of its chunks, since a retry must find the same orders at the same positions.
    pub(super) fn step(&mut self) -> Result<Step, UnpackError> {
        if let Some(reason) = self.broken {
            return Err(reason);
        }
        if self.packed.len() < STEP_BYTES && !self.ended {
            return Ok(Step::NeedsInput);
        }
        if self.packed.is_empty() {
            let finished = self.decoder.try_finish();
            return match (self.taken(finished.is_err()), self.broken) {
                (bytes, _) if !bytes.is_empty() => Ok(Step::Bytes(bytes)),
                (_, Some(reason)) => Err(reason),
                (_, None) => Ok(Step::End),
            };
        }
        let length = self.packed.len().min(STEP_BYTES);
        let written = self.decoder.write(&self.packed[..length]);
        // Flush, so that nothing that is unpacked already is lost if the next bytes are damaged.
        let flushed = self.decoder.flush();
        let read = written.as_ref().copied().unwrap_or(0);
        self.packed.drain(..read);
        let damaged = read == 0 || flushed.is_err();
        Ok(Step::Bytes(self.taken(damaged)))
    }

    /// Takes the unpacked bytes up to the limit, and notes why they are the last.
    fn taken(&mut self, damaged: bool) -> Vec<u8> {
        let mut bytes = std::mem::take(self.decoder.get_mut());
        let left = usize::try_from(UNPACKED_BYTES_MAX - self.unpacked).unwrap_or(usize::MAX);
        if damaged {
            self.broken = Some(UnpackError::Damaged);
        }
        if bytes.len() > left {
            bytes.truncate(left);
            self.broken = Some(UnpackError::TooLarge);
        }
        self.unpacked += bytes.len() as u64;
        bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// What comes out of a file that comes in chunks of this size, and how it ends.
    fn unpacked(file: &[u8], chunk: usize) -> (Vec<u8>, Option<UnpackError>) {
        let (mut unpacker, mut all) = (Unpacker::default(), Vec::new());
        let mut chunks = file.chunks(chunk);
        loop {
            match unpacker.step() {
                Ok(Step::Bytes(bytes)) => all.extend(bytes),
                Ok(Step::NeedsInput) => match chunks.next() {
                    Some(chunk) => unpacker.feed(chunk),
                    None => unpacker.end(),
                },
                Ok(Step::End) => return (all, None),
                Err(reason) => return (all, Some(reason)),
            }
        }
    }

    /// Bytes that pack badly, so that a file has many steps.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let byte = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            b'a' + (state >> 60) as u8
        };
        (0..length).map(byte).collect()
    }

    #[test]
    fn what_comes_out_does_not_depend_on_how_it_came_in() {
        let text = noise(100_000);
        let whole = [packed(&text[..60_000]), packed(&text[60_000..])].concat();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 0xff;
        for file in [&whole[..], &whole[..whole.len() / 3], &whole[..1], &damaged] {
            let expected = unpacked(file, file.len());
            for chunk in [1, 7, 4_095, 4_096, 4_097, 10_000] {
                assert_eq!(unpacked(file, chunk), expected, "chunks of {chunk}");
            }
        }
        assert_eq!(unpacked(&whole, 1_000), (text, None));
    }

    #[test]
    fn all_that_was_whole_comes_out_of_a_file_that_is_cut_off() {
        let text = noise(50_000);
        let whole = packed(&text);
        // Only the checksum and the length are missing.
        let (bytes, reason) = unpacked(&whole[..whole.len() - 8], 1_000);
        assert_eq!(
            (bytes.len(), reason),
            (text.len(), Some(UnpackError::Damaged))
        );
        assert_eq!(bytes, text);
    }
}

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
    /// Why nothing more is unpacked.
    broken: Option<Unpackable>,
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
            broken: None,
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

    /// Unpacks a little more. What comes out of which step depends on the file alone, and not on
    /// the chunks that it came in: a retry must meet the same orders at the same positions.
    pub(super) fn step(&mut self) -> Result<Step, Unpackable> {
        if let Some(reason) = self.broken {
            return Err(reason);
        }
        if self.packed.len() < STEP_BYTES && !self.ended {
            return Ok(Step::Hungry);
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
        // So that nothing which is unpacked already stays behind, whatever comes next.
        let flushed = self.decoder.flush();
        let read = written.as_ref().copied().unwrap_or(0);
        self.packed.drain(..read);
        let damaged = read == 0 || flushed.is_err();
        Ok(Step::Bytes(self.taken(damaged)))
    }

    /// What has been unpacked and not been taken, up to the limit; remembers why it is the last.
    fn taken(&mut self, damaged: bool) -> Vec<u8> {
        let mut bytes = std::mem::take(self.decoder.get_mut());
        let left = usize::try_from(UNPACKED_BYTES_MAX - self.unpacked).unwrap_or(usize::MAX);
        if damaged {
            self.broken = Some(Unpackable::Damaged);
        }
        if bytes.len() > left {
            bytes.truncate(left);
            self.broken = Some(Unpackable::TooLarge);
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
    fn unpacked(file: &[u8], chunk: usize) -> (Vec<u8>, Option<Unpackable>) {
        let (mut unpacker, mut all) = (Unpacker::default(), Vec::new());
        let mut chunks = file.chunks(chunk);
        loop {
            match unpacker.step() {
                Ok(Step::Bytes(bytes)) => all.extend(bytes),
                Ok(Step::Hungry) => match chunks.next() {
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
            (text.len(), Some(Unpackable::Damaged))
        );
        assert_eq!(bytes, text);
    }
}

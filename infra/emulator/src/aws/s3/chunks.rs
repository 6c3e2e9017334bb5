//! The content coding `aws-chunked`, in which SDKs send bodies whose checksum they do not know
//! beforehand: chunks with their lengths, possibly with signatures, and trailers after the last
//! chunk.
//!
//! The protocol library decodes it only with a signature that it has verified. The emulator accepts
//! any credentials, so the signatures of chunks are ignored, as the signature of the request is.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use futures::{Stream, TryStreamExt as _, stream};

use crate::limits::{CHUNK_LINE_BYTES, CHUNK_TRAILERS};

/// The trailers of a body, by lower-case name. They are present once the body has been read.
#[derive(Debug, Clone, Default)]
pub(super) struct Trailers(Arc<Mutex<BTreeMap<String, String>>>);

impl Trailers {
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let trailers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trailers.get(name).cloned()
    }
}

/// Decodes a body of `length` bytes, and puts its trailers into `trailers`.
pub(super) fn decode<E: Into<axum::BoxError>>(
    body: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    length: u64,
    trailers: Trailers,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let body = Box::pin(body.map_err(io::Error::other));
    let decoder = Decoder::new(length, trailers);
    stream::try_unfold((body, decoder), |(mut body, mut decoder)| async move {
        loop {
            if let Some(data) = decoder.ready.pop_front() {
                return Ok(Some((data, (body, decoder))));
            }
            match body.try_next().await? {
                Some(bytes) => decoder.push(bytes).map_err(malformed)?,
                None => {
                    decoder.finish().map_err(malformed)?;
                    return Ok(None);
                }
            }
        }
    })
}

fn malformed(Malformed: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed aws-chunked body")
}

#[derive(Debug, PartialEq, Eq)]
struct Malformed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// The line with the size of a chunk.
    Size,
    /// This number of bytes of a chunk.
    Data(u64),
    /// The end of the line after a chunk.
    EndOfChunk,
    /// A trailer, or the empty line after the last trailer.
    Trailer,
    /// Nothing: the body is complete.
    Nothing,
}

struct Decoder {
    expects: Expects,
    line: Vec<u8>,
    /// The number of bytes of data that are still to come.
    left: u64,
    found: usize,
    trailers: Trailers,
    ready: VecDeque<Bytes>,
}

impl Decoder {
    fn new(length: u64, trailers: Trailers) -> Self {
        Self {
            expects: Expects::Size,
            line: Vec::new(),
            left: length,
            found: 0,
            trailers,
            ready: VecDeque::new(),
        }
    }

    fn push(&mut self, mut bytes: Bytes) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            if let Expects::Data(size) = self.expects {
                let here = usize::try_from(size).map_or(bytes.len(), |size| size.min(bytes.len()));
                self.ready.push_back(bytes.split_to(here));
                let size = size - here as u64;
                self.expects = match size {
                    0 => Expects::EndOfChunk,
                    _ => Expects::Data(size),
                };
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let here = bytes.split_to(end.map_or(bytes.len(), |end| end + 1));
            self.line.extend_from_slice(&here);
            if self.line.len() > CHUNK_LINE_BYTES {
                return Err(Malformed);
            }
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                let line = str::from_utf8(&line).map_err(|_| Malformed)?;
                self.expects = self.take(line.trim_ascii())?;
            }
        }
        Ok(())
    }

    /// Reads one line, and returns what the decoder expects next.
    fn take(&mut self, line: &str) -> Result<Expects, Malformed> {
        match self.expects {
            Expects::Size => {
                let size = line.split(';').next().unwrap_or_default();
                let size = u64::from_str_radix(size, 16).map_err(|_| Malformed)?;
                self.left = self.left.checked_sub(size).ok_or(Malformed)?;
                Ok(match size {
                    0 => Expects::Trailer,
                    _ => Expects::Data(size),
                })
            }
            Expects::EndOfChunk if line.is_empty() => Ok(Expects::Size),
            Expects::Trailer if line.is_empty() => Ok(Expects::Nothing),
            Expects::Trailer => {
                let (name, value) = line.split_once(':').ok_or(Malformed)?;
                self.found += 1;
                if self.found > CHUNK_TRAILERS {
                    return Err(Malformed);
                }
                let mut trailers = self
                    .trailers
                    .0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                trailers.insert(name.to_ascii_lowercase(), value.trim_ascii().to_owned());
                Ok(Expects::Trailer)
            }
            Expects::Nothing if line.is_empty() => Ok(Expects::Nothing),
            _ => Err(Malformed),
        }
    }

    /// Checks that the body is complete. Some SDKs leave out the last empty line.
    fn finish(&self) -> Result<(), Malformed> {
        let over = matches!(self.expects, Expects::Trailer | Expects::Nothing);
        if over && self.left == 0 && self.line.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Decodes a body that arrives in pieces of `piece` bytes.
    async fn decoded(text: &str, piece: usize, length: u64) -> (io::Result<String>, Trailers) {
        let pieces: Vec<io::Result<Bytes>> = text
            .as_bytes()
            .chunks(piece)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let trailers = Trailers::default();
        let body = decode(stream::iter(pieces), length, trailers.clone());
        let data = body.try_fold(String::new(), async |text, bytes| {
            Ok(text + str::from_utf8(&bytes).unwrap())
        });
        (data.await, trailers)
    }

    #[tokio::test]
    async fn a_body_is_the_same_however_it_arrives() {
        let signed = "5;chunk-signature=ab\r\nhello\r\n6;chunk-signature=cd\r\n world\r\n\
                      0;chunk-signature=ef\r\n\r\n";
        let trailed = "b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        for text in [signed, trailed] {
            for piece in 1..text.len() + 1 {
                let (data, trailers) = decoded(text, piece, 11).await;
                assert_eq!(data.unwrap(), "hello world", "{piece}");
                let expected = (text == trailed).then(|| "AAAAAA==".to_owned());
                assert_eq!(trailers.get("x-amz-checksum-crc32"), expected);
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_a_body_too() {
        for text in ["0\r\n\r\n", "0\r\n"] {
            assert_eq!(decoded(text, 1, 0).await.0.unwrap(), "");
        }
    }

    #[tokio::test]
    async fn what_is_cut_off_or_malformed_is_refused() {
        let long = "a".repeat(CHUNK_LINE_BYTES + 1);
        for (text, length) in [
            ("", 0),
            ("5\r\nhel", 5),
            ("5\r\nhello", 5),
            ("5\r\nhello\r\n", 5),
            ("5\r\nhello\r\n0\r\nx-amz", 5),
            ("5\r\nhelloo\r\n0\r\n\r\n", 5),
            ("5\r\nhello\r\n0\r\n\r\n", 6),
            ("5\r\nhello\r\n0\r\n\r\n", 4),
            ("5\r\nhello\r\n0\r\n\r\nmore\r\n", 5),
            ("x\r\nhello\r\n0\r\n\r\n", 5),
            ("0\r\nno trailer\r\n\r\n", 0),
            (long.as_str(), 0),
        ] {
            let error = decoded(text, 4, length).await.0.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text}");
        }
    }
}

//! The part of HTTP/1.1 that a proxy between an SDK client and its server needs: messages with a
//! `content-length`, one after the other.

use std::io::{Error, ErrorKind, Result};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The most bytes of a message. DynamoDB's answers have at most 1 MB, which is a few MB in JSON
/// with base64.
const BYTES_MAX: usize = 16 * 1024 * 1024;

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// An HTTP request or answer.
#[derive(Debug, Clone)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    /// The header lines as they were received.
    headers: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// Returns an answer that the proxy makes itself.
    pub fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            start: format!("HTTP/1.1 {status} Scripted"),
            headers: vec![
                format!("content-type: {content_type}"),
                format!("content-length: {}", body.len()),
            ],
            body,
        }
    }

    /// Reads the next message. Returns `None` where the other side has closed the connection.
    pub async fn read(stream: &mut TcpStream) -> Result<Option<Self>> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(end) = find(&bytes, END_OF_HEAD) {
                break end;
            }
            let read = stream.read_buf(&mut bytes).await?;
            match (read, bytes.is_empty()) {
                (0, true) => return Ok(None),
                (0, false) => return Err(ErrorKind::UnexpectedEof.into()),
                _ if bytes.len() > BYTES_MAX => return Err(Error::other("too large")),
                _ => {}
            }
        };
        let mut body = bytes.split_off(head + END_OF_HEAD.len());
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let mut lines = text.split("\r\n").map(str::to_owned);
        let mut message = Self {
            start: lines.next().unwrap_or_default(),
            headers: lines.collect(),
            body: Vec::new(),
        };
        let length = message.header("content-length");
        let length = length.map_or(Some(0), |length| length.parse().ok());
        let length = length
            .filter(|length| *length <= BYTES_MAX && message.header("transfer-encoding").is_none())
            .ok_or_else(|| Error::other("a body of unknown length"))?;
        while body.len() < length {
            if stream.read_buf(&mut body).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        message.body = body;
        Ok(Some(message))
    }

    /// Sends the message: the whole of it, or only up to half of its body.
    pub async fn write(&self, stream: &mut TcpStream, whole: bool) -> Result<()> {
        let head = [std::slice::from_ref(&self.start), &self.headers].concat();
        let mut bytes = head.join("\r\n").into_bytes();
        bytes.extend_from_slice(END_OF_HEAD);
        let body = match whole {
            true => self.body.as_slice(),
            false => &self.body[..self.body.len() / 2],
        };
        bytes.extend_from_slice(body);
        stream.write_all(&bytes).await
    }

    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

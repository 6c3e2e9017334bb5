//! As much of HTTP/1.1 as it takes to stand between a client and its server: messages with a
//! `content-length`, one after the other.

use std::io::{Error, ErrorKind, Result};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Bytes of a message; DynamoDB's answers end at 1 MB, in base64 and JSON at a few.
const BYTES_MAX: usize = 16 * 1024 * 1024;

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// A request or an answer.
#[derive(Debug, Clone)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    /// Header lines as they came.
    headers: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// An answer of our own.
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

    /// The next message; `None` where the other side has closed.
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

    /// Sends the message's first bytes: all of them, or half the body.
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

    /// A header's value.
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

//! Detects the format of a file by its beginning.
//!
//! The hard case is a first line that is no complete JSON. Either the file is one order over
//! several lines, or its first line is broken and the others are orders. It counts as one order as
//! long as the lines together can still become JSON. Once they cannot, a line that is an object by
//! itself shows that each line is an order.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// The format that a beginning shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    /// Nothing yet; more bytes are needed.
    More,
    /// An array.
    Array,
    /// An object with an array of orders, whose first element begins after this many bytes.
    Orders(usize),
    /// One order on each line, from here on.
    Lines,
    /// One order over several lines, of this many bytes.
    Order(usize),
    /// One order over several lines, which is longer than the limit.
    TooLong,
    /// None of the formats.
    NotJson,
}

/// Detects the format by a beginning without leading white space, of which the first `longest`
/// bytes count; `ended` says that no more bytes follow.
pub(super) fn sniff(beginning: &[u8], ended: bool, longest: usize) -> Sniffed {
    // With more bytes, the answer would depend on the sizes of the chunks.
    let full = beginning.len() >= longest;
    let text = &beginning[..beginning.len().min(longest)];
    let ended = ended && !full;
    let first = text.first();
    if first == Some(&b'[') {
        return Sniffed::Array;
    }
    let is_object = first == Some(&b'{');
    if is_object {
        match orders_in(text) {
            Orders::At(begin) => return Sniffed::Orders(begin),
            Orders::Open if !ended && !full => return Sniffed::More,
            Orders::Open | Orders::Without => {}
        }
        if let Some(ends) = first_of_several(text) {
            return Sniffed::Order(ends);
        }
    }
    let line = text.iter().position(|byte| *byte == b'\n');
    let Some(first_line) = line.or(ended.then_some(text.len())) else {
        return match full && is_object {
            true => Sniffed::Lines,
            false if full => Sniffed::NotJson,
            false => Sniffed::More,
        };
    };
    if is_json(&text[..first_line]) {
        return Sniffed::Lines;
    }
    match is_object.then(|| first_value(text)) {
        Some(Value::Ends(ends)) if ends > first_line => Sniffed::Order(ends),
        Some(Value::Open) if !ended && !full => Sniffed::More,
        _ if has_order_line(text, ended) => Sniffed::Lines,
        Some(Value::Open) if full => Sniffed::TooLong,
        _ if ended || full => Sniffed::NotJson,
        _ => Sniffed::More,
    }
}

/// The number of bytes by which a foreign file is recognised.
pub(super) const SIGNATURE_BYTES: usize = 4;

/// The name of a file format other than JSON in UTF-8 that begins like this; `None` where the file
/// may be JSON.
pub(super) fn foreign(beginning: &[u8]) -> Option<&'static str> {
    match beginning {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0, 0, 0, b'[' | b'{', ..] | [b'[' | b'{', 0, 0, 0, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [b'[' | b'{', 0, ..] => Some("UTF-16 (little endian)"),
        [0xfe, 0xff, ..] | [0, b'[' | b'{', ..] => Some("UTF-16 (big endian)"),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Some("a ZIP archive, as spreadsheets are"),
        [b'B', b'Z', b'h', ..] => Some("packed by bzip2"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("packed by Zstandard"),
        [0xfd, b'7', b'z', b'X', ..] => Some("packed by xz"),
        [b'%', b'P', b'D', b'F', ..] => Some("a PDF"),
        [b'<', ..] => Some("XML or HTML"),
        _ => None,
    }
}

/// The position of an object's array of orders.
enum Orders {
    /// Its first element begins this many bytes after the object's beginning.
    At(usize),
    /// More bytes are needed.
    Open,
    /// The object has no array of orders.
    Without,
}

/// Members by which an order is told from an object around orders.
const ORDER_MEMBERS: [&[u8]; 3] = [b"orderId", b"items", b"snackItems"];

/// Looks for the member `orders` of the outermost object, as far as the text goes.
fn orders_in(text: &[u8]) -> Orders {
    let (mut depth, mut at) = (0_usize, 0);
    // The name of the outermost object's member whose value is being read.
    let mut name: Option<&[u8]> = None;
    while let Some(byte) = text.get(at) {
        match *byte {
            b'"' => {
                let Some(length) = string_length(&text[at..]) else {
                    return Orders::Open;
                };
                let inside = &text[at + 1..at + length - 1];
                at += length;
                if depth == 1 && name.is_none() {
                    if ORDER_MEMBERS.contains(&inside) {
                        return Orders::Without;
                    }
                    name = Some(inside);
                }
                continue;
            }
            b'[' if depth == 1 && name == Some(b"orders") => return Orders::At(at + 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return Orders::Without,
            b'}' | b']' => depth -= 1,
            b',' if depth == 1 => name = None,
            _ => {}
        }
        at += 1;
    }
    Orders::Open
}

/// The number of bytes of the string that a text begins with, its quotes included.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match *byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The number of bytes of the first object of a text, where another one follows it.
pub(super) fn first_of_several(text: &[u8]) -> Option<usize> {
    let Value::Ends(ends) = first_value(text) else {
        return None;
    };
    // An object on another line may have to be read as a line.
    let behind = text[ends..].iter();
    let next = behind
        .copied()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    (next == Some(b'{')).then_some(ends)
}

/// Whether one object seems to follow another on a line. It is quick, and always right where it
/// says no.
pub(super) fn has_adjacent(line: &[u8]) -> bool {
    let mut closed = false;
    for byte in line {
        match byte {
            b'{' if closed => return true,
            b'}' => closed = true,
            b' ' | b'\t' => {}
            _ => closed = false,
        }
    }
    false
}

enum Value {
    /// A complete value of this many bytes.
    Ends(usize),
    /// The text may still become JSON.
    Open,
    Broken,
}

fn first_value(text: &[u8]) -> Value {
    let mut values = Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Value::Ends(values.byte_offset()),
        Some(Err(error)) if error.is_eof() => Value::Open,
        _ => Value::Broken,
    }
}

/// Whether one of the complete lines is an object by itself. An indented one is rather a part of an
/// object.
fn has_order_line(text: &[u8], ended: bool) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n');
    if !ended {
        lines.next_back();
    }
    let mut lines = lines.filter(|line| line.starts_with(b"{"));
    lines.any(is_json)
}

/// Whether the whole text is one JSON value.
pub(super) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

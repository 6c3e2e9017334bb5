//! How a file is written: its beginning shows it.
//!
//! The hard case is a first line that is no whole JSON: either the file is one order over several
//! lines, or its first line is broken and the others are orders. It is one order for as long as
//! the lines together can still become JSON; once they cannot, a line that is an object in itself
//! says that it is lines.

use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// What a beginning shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    /// Nothing yet.
    More,
    /// An array.
    Array,
    /// An object with an array of orders, whose first element begins so many bytes behind.
    Orders(usize),
    /// An order a line, from here on.
    Lines,
    /// One order over several lines, of so many bytes.
    Order(usize),
    /// One order over several lines, beyond the limit.
    TooLong,
    /// None of all this.
    NotJson,
}

/// Looks at a beginning without white space before it, of which the first `longest` bytes count;
/// `ended` where no more follows.
pub(super) fn sniff(beginning: &[u8], ended: bool, longest: usize) -> Sniffed {
    // A look at more than that would let the answer depend on how the bytes came.
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

/// Bytes that tell a foreign file.
pub(super) const SIGNATURE_BYTES: usize = 4;

/// What a file is that begins like this and is no JSON in UTF-8; `None` of one that may be.
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

/// Where an object has its array of orders.
enum Orders {
    /// Its first element begins so many bytes behind the object's beginning.
    At(usize),
    /// That is not yet to be seen.
    Open,
    /// It is no such object.
    Without,
}

/// Members that an order has, and an object around orders has not.
const OF_AN_ORDER: [&[u8]; 3] = [b"orderId", b"items", b"snackItems"];

/// Looks for the member `orders` of an object's own, as far as the text goes.
fn orders_in(text: &[u8]) -> Orders {
    let (mut depth, mut at) = (0_usize, 0);
    // The name of the member whose value is looked at, in the object itself.
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
                    if OF_AN_ORDER.contains(&inside) {
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

/// Bytes of the string that a text begins with, its quotes included.
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

/// Bytes of the first object of a text, where another one follows behind it.
pub(super) fn first_of_several(text: &[u8]) -> Option<usize> {
    let Value::Ends(ends) = first_value(text) else {
        return None;
    };
    // On another line it may be one that is to be read as a line.
    let behind = text[ends..].iter();
    let next = behind
        .copied()
        .find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    (next == Some(b'{')).then_some(ends)
}

/// Does an object seem to follow another one on a line? Quick, and right where it says no.
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
    /// So many bytes are JSON.
    Ends(usize),
    /// It may still become JSON.
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

/// Is one of the whole lines an object in itself? One that is indented is rather a part of one.
fn has_order_line(text: &[u8], ended: bool) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n');
    if !ended {
        lines.next_back();
    }
    let mut lines = lines.filter(|line| line.starts_with(b"{"));
    lines.any(is_json)
}

/// Is this text JSON as a whole?
pub(super) fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

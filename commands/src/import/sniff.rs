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

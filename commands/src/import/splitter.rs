//! Splits a file's bytes into orders. It is pure: the bytes are fed in chunks of any size.
//!
//! The formats of an order file, and how errors in them are handled:
//!
//! - **JSON Lines**: one order on each line. A line that is no order is one rejection, even if it
//!   leaves a brace open. Blank lines, CRLF and a byte order mark are ignored.
//! - **An array** of orders. Each text between two commas is an order or one rejection. Where the
//!   array ends too early, the orders before count and the rest is one rejection. A comma after the
//!   last order is ignored.
//! - **An object with the array `orders`**; its other members are ignored. Where `orderId`, `items`
//!   or `snackItems` come before `orders`, the object is one order instead.
//! - **One order**, over any number of lines; or several of them, with or without white space
//!   between them.
//!
//! The format is detected at the file's beginning (module `sniff`). An order longer than the
//! limit is skipped without being held in memory, and the file continues after it. A file of any
//! other format is one rejection, and so is an empty file.
//!
//! Where the file is split depends on its bytes alone, never on the chunks. Each piece comes with a
//! [`ResumePoint`], from which another splitter splits the rest in the same way.

use serde::{Deserialize, Serialize};

use super::{
    sniff::{SIGNATURE_BYTES, Sniffed, first_of_several, foreign, has_adjacent, is_json, sniff},
    unpacker::UnpackError,
};

/// A position between two orders of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResumePoint {
    /// The number of bytes of the file before it.
    pub offset: u64,
    /// The format of what follows.
    pub format: Format,
    /// Whether the array lies in an object, which may have further members after it.
    #[serde(default)]
    pub wrapped: bool,
    /// Whether the file is packed; then `offset` counts unpacked bytes.
    #[serde(default)]
    pub packed: bool,
}

/// The format of a file, or of the rest of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Format {
    /// Not detected yet.
    Unknown,
    /// One order on each line.
    Lines,
    /// The first element of an array, or its end.
    FirstElement,
    /// An element of an array, after a comma.
    NextElement,
    /// The rest of the object around the array `orders`.
    Wrapper,
    /// The end of the file, although the array is not closed.
    Unclosed,
    /// The rest of the file is not read.
    End,
}

impl ResumePoint {
    /// The beginning of a file whose format is not detected yet.
    pub const BEGINNING: Self = Self {
        offset: 0,
        format: Format::Unknown,
        wrapped: false,
        packed: false,
    };

    /// The beginning of the file with this key. A name that ends in `.jsonl` or `.ndjson` decides
    /// the format: then a broken first line cannot be mistaken for another format.
    pub fn of_file(key: &str) -> Self {
        let key = key.to_ascii_lowercase();
        let lines = [".jsonl", ".ndjson"];
        match lines.iter().any(|end| key.ends_with(end)) {
            true => Self::FIRST_LINE,
            false => Self::BEGINNING,
        }
    }

    /// The beginning of a file that is known to have one order on each line.
    pub const FIRST_LINE: Self = Self {
        offset: 0,
        format: Format::Lines,
        wrapped: false,
        packed: false,
    };
}

/// A part of a file where one order is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The content of the piece.
    pub content: Content,
    /// The byte of the unpacked file at which it begins.
    pub begins: u64,
    /// Where the next piece may begin.
    pub after: ResumePoint,
}

/// The content of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text that is expected to be an order.
    Text(Vec<u8>),
    /// A text longer than the limit, which was skipped.
    TooLong,
    /// The rest of an array that is not closed.
    Unclosed,
    /// The file, or the rest of it, is in none of the formats.
    NotJson,
    /// The file is empty.
    Nothing,
    /// The file is not JSON in UTF-8 but something else, which this names.
    Foreign(&'static str),
    /// The rest of the file cannot be unpacked, for this reason.
    NotUnpacked(UnpackError),
}

/// Splits a file into pieces.
#[derive(Debug)]
pub struct Splitter {
    /// The position of `buffer[from]`, and the format of what follows.
    mark: ResumePoint,
    buffer: Vec<u8>,
    /// The bytes before this index are done.
    from: usize,
    /// The bytes before this index have been returned as pieces or skipped.
    seen: usize,
    /// Whether the file ends where the buffer ends.
    ended: bool,
    /// The most bytes of an order's text.
    longest: usize,
    /// The length at which the beginning is looked at again.
    sniff_at: usize,
    /// Whether a byte order mark may follow.
    before_byte_order_mark: bool,
    /// Whether no content has come so far.
    nothing_yet: bool,
    /// Whether it is inside the text of an order that is too long.
    skipping: bool,
    /// The byte at which that order begins.
    skipped_from: u64,
    /// Inside an element of an array: the number of open braces and brackets, and the state of a
    /// string.
    depth: u64,
    in_string: bool,
    escaped: bool,
}

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

impl Splitter {
    /// Splits the file from `mark` on into texts of at most `longest` bytes.
    pub fn new(mark: ResumePoint, longest: usize) -> Self {
        Self {
            mark,
            buffer: Vec::new(),
            from: 0,
            seen: 0,
            ended: false,
            longest,
            sniff_at: 1,
            before_byte_order_mark: mark.offset == 0,
            nothing_yet: mark.offset == 0,
            skipping: false,
            skipped_from: 0,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    /// Adds the next bytes of the file.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.from);
        self.from = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// Says that the file has no further bytes.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the rest of the file is not needed.
    pub fn is_done(&self) -> bool {
        self.mark.format == Format::End
    }

    /// Says that the file is packed, and is fed with unpacked bytes: marks record it.
    pub fn set_packed(&mut self) {
        self.mark.packed = true;
    }

    /// The piece that stands for the rest of a file that cannot be unpacked, including an order
    /// that has begun.
    pub fn unpacking_failed(&mut self, reason: UnpackError) -> Piece {
        self.last(Content::NotUnpacked(reason))
    }

    /// The number of bytes in the buffer.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The next piece; `None` where more bytes are needed, or nothing is left.
    pub fn next_piece(&mut self) -> Option<Piece> {
        if self.before_byte_order_mark {
            if self.rest().len() < BYTE_ORDER_MARK.len() && !self.ended {
                return None;
            }
            if self.rest().len() < SIGNATURE_BYTES && !self.ended {
                return None;
            }
            self.before_byte_order_mark = false;
            if let Some(what) = foreign(self.rest()) {
                return Some(self.last(Content::Foreign(what)));
            }
            if self.rest().starts_with(&BYTE_ORDER_MARK) {
                self.pass(BYTE_ORDER_MARK.len());
            }
        }
        loop {
            let piece = match self.mark.format {
                Format::Unknown => self.look(),
                Format::Lines => self.line(),
                Format::FirstElement | Format::NextElement => self.element(),
                Format::Wrapper => self.rest_of_wrapper(),
                Format::Unclosed => Found::Piece(self.last(Content::Unclosed)),
                Format::End => {
                    self.pass(self.rest().len());
                    Found::More
                }
            };
            match piece {
                Found::Piece(piece) => return Some(piece),
                Found::More => return None,
                Found::Another => {}
            }
        }
    }

    // ---- The beginning of a file

    fn look(&mut self) -> Found {
        self.pass_blank();
        if self.rest().is_empty() && self.ended {
            let nothing = self.nothing_yet;
            self.mark.format = Format::End;
            return match nothing {
                true => Found::Piece(self.last(Content::Nothing)),
                false => Found::More,
            };
        }
        if self.rest().len() < self.sniff_at.min(self.longest) && !self.ended {
            return Found::More;
        }
        match sniff(self.rest(), self.ended, self.longest) {
            Sniffed::More => {
                // The length doubles each time, so that a byte is looked at about twice and not a
                // thousand times.
                self.sniff_at = self.rest().len() * 2;
                return Found::More;
            }
            Sniffed::Array => {
                self.pass(1);
                self.mark.format = Format::FirstElement;
            }
            Sniffed::Orders(begin) => {
                self.pass(begin);
                (self.mark.format, self.mark.wrapped) = (Format::FirstElement, true);
            }
            Sniffed::Lines => self.mark.format = Format::Lines,
            Sniffed::Order(ends) => {
                let text = self.rest()[..ends].to_vec();
                return Found::Piece(self.cut(Content::Text(text), ends, Format::Unknown));
            }
            Sniffed::TooLong => return Found::Piece(self.last(Content::TooLong)),
            Sniffed::NotJson => return Found::Piece(self.last(Content::NotJson)),
        }
        self.nothing_yet = false;
        Found::Another
    }

    // ---- Lines

    fn line(&mut self) -> Found {
        let unseen = &self.rest()[self.seen..];
        let Some(length) = unseen.iter().position(|byte| *byte == b'\n') else {
            self.seen = self.rest().len();
            if !self.ended {
                self.skip_if_too_long();
                return Found::More;
            }
            let found = self.text_of_line(self.seen, self.seen);
            if matches!(found, Found::Another) {
                self.mark.format = Format::End;
            }
            return found;
        };
        let length = self.seen + length;
        self.text_of_line(length, length + 1)
    }

    /// The line's text has `length` bytes; the next line begins at `next`.
    fn text_of_line(&mut self, length: usize, next: usize) -> Found {
        if self.skipping || length > self.longest {
            return Found::Piece(self.cut(Content::TooLong, next, Format::Lines));
        }
        let text = self.rest()[..length].trim_ascii();
        if text.is_empty() {
            self.pass(next);
            return Found::Another;
        }
        // Some clients write several objects on one line.
        if has_adjacent(text)
            && let Some(ends) = first_of_several(text)
        {
            let blank = self.rest().len() - self.rest().trim_ascii_start().len();
            let text = text[..ends].to_vec();
            return Found::Piece(self.cut(Content::Text(text), blank + ends, Format::Lines));
        }
        let text = text.to_vec();
        Found::Piece(self.cut(Content::Text(text), next, Format::Lines))
    }

    // ---- Elements of an array

    fn element(&mut self) -> Found {
        if self.seen == 0 && !self.skipping {
            self.pass_blank();
        }
        while let Some(byte) = self.rest().get(self.seen) {
            let length = self.seen;
            match *byte {
                b'\\' if self.in_string => self.escaped = !self.escaped,
                b'"' if self.in_string && !self.escaped => self.in_string = false,
                _ if self.in_string => self.escaped = false,
                b'"' => self.in_string = true,
                b',' if self.depth == 0 => {
                    return self.text_of_element(length, Format::NextElement);
                }
                b']' if self.depth == 0 => {
                    // An empty array, or a comma after the last element.
                    if length == 0 && !self.skipping {
                        self.pass(1);
                        self.mark.format = self.behind_array();
                        self.nothing_yet = false;
                        return Found::Another;
                    }
                    return self.text_of_element(length, self.behind_array());
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.seen += 1;
        }
        if !self.ended {
            self.skip_if_too_long();
            return Found::More;
        }
        // The file ends within the array. A complete last order still counts.
        let text = self.rest().trim_ascii();
        let fits = self.rest().len() <= self.longest && !self.skipping;
        if fits && text.starts_with(b"{") && is_json(text) {
            let (text, all) = (text.to_vec(), self.rest().len());
            return Found::Piece(self.cut(Content::Text(text), all, Format::Unclosed));
        }
        Found::Piece(self.last(Content::Unclosed))
    }

    fn behind_array(&self) -> Format {
        match self.mark.wrapped {
            true => Format::Wrapper,
            false => Format::Unknown,
        }
    }

    /// Skips the rest of the object around the array.
    fn rest_of_wrapper(&mut self) -> Found {
        let mut length = 0;
        for byte in &self.buffer[self.from..] {
            length += 1;
            match *byte {
                b'\\' if self.in_string => self.escaped = !self.escaped,
                b'"' if self.in_string && !self.escaped => self.in_string = false,
                _ if self.in_string => self.escaped = false,
                b'"' => self.in_string = true,
                b'}' if self.depth == 0 => {
                    self.pass(length);
                    (self.mark.format, self.mark.wrapped) = (Format::Unknown, false);
                    (self.in_string, self.escaped, self.sniff_at) = (false, false, 1);
                    return Found::Another;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        // No piece ends within it, so another splitter begins where the array ends.
        self.pass(length);
        match self.ended {
            true => Found::Piece(self.last(Content::Unclosed)),
            false => Found::More,
        }
    }

    /// The element's text has `length` bytes, and is followed by a comma or the array's end.
    fn text_of_element(&mut self, length: usize, next: Format) -> Found {
        let content = match self.skipping || length > self.longest {
            true => Content::TooLong,
            false => Content::Text(self.rest()[..length].trim_ascii().to_vec()),
        };
        Found::Piece(self.cut(content, length + 1, next))
    }

    // ---- The buffer

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.from..).unwrap_or_default()
    }

    /// Removes this number of bytes from the buffer.
    fn pass(&mut self, bytes: usize) {
        self.from += bytes;
        self.mark.offset += bytes as u64;
        self.seen = 0;
    }

    /// Removes white space from the buffer.
    fn pass_blank(&mut self) {
        let blank = self.rest().len() - self.rest().trim_ascii_start().len();
        self.pass(blank);
    }

    /// Drops a text that is too long already; its end is still looked for.
    fn skip_if_too_long(&mut self) {
        if self.skipping || self.seen > self.longest {
            if !self.skipping {
                self.skipped_from = self.begins();
            }
            self.skipping = true;
            self.pass(self.seen);
        }
    }

    /// A piece that ends after `bytes` bytes of the buffer.
    fn cut(&mut self, content: Content, bytes: usize, next: Format) -> Piece {
        let begins = match self.skipping {
            true => self.skipped_from,
            false => self.begins(),
        };
        self.pass(bytes);
        self.mark.format = next;
        self.nothing_yet = false;
        (self.skipping, self.depth, self.sniff_at) = (false, 0, 1);
        (self.in_string, self.escaped) = (false, false);
        Piece {
            content,
            begins,
            after: self.mark,
        }
    }

    /// The byte at which the next text begins, after white space.
    fn begins(&self) -> u64 {
        let blank = self.rest().len() - self.rest().trim_ascii_start().len();
        self.mark.offset + blank as u64
    }

    /// The piece that stands for the whole rest of the file.
    fn last(&mut self, content: Content) -> Piece {
        self.cut(content, 0, Format::End)
    }
}

/// What a look at the buffer has found.
enum Found {
    Piece(Piece),
    /// More bytes are needed.
    More,
    /// No piece, but the buffer can be looked at again.
    Another,
}

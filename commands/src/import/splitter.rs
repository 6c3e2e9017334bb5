//! A file's bytes, cut into orders. Pure: it is fed with chunks, however they come.
//!
//! What an order file may be, and what is made of one that is not quite that:
//!
//! - **JSON Lines**: an order a line. A line that is no order is a rejection of its own, whatever
//!   brace it leaves open. Blank lines, CRLF and a byte order mark are passed over.
//! - **An array** of orders. What stands between two commas is an order or a rejection of its own.
//!   Where the array ends too early, what came before counts and the rest is one rejection.
//!   A comma behind the last one is passed over.
//! - **An object with the array `orders`**, and whatever stands beside it. An object is one order,
//!   and not this, where `orderId`, `items` or `snackItems` stand in it before `orders`.
//! - **One order**, over as many lines as it likes; several of them, one behind the other, with
//!   any white space between them or none.
//!
//! Which of them it is shows in its beginning ([`super::sniff`]). An order longer than the limit is
//! passed over without being held; the file goes on behind it. What is none of all this is one
//! rejection, and so is a file with nothing in it.
//!
//! The cuts depend on the bytes alone, never on the chunks, and each comes with a [`Mark`] from
//! which another splitter makes all later cuts alike.

use serde::{Deserialize, Serialize};

use super::{
    sniff::{SIGNATURE_BYTES, Sniffed, first_of_several, foreign, has_adjacent, is_json, sniff},
    unpacker::Unpackable,
};

/// A place between two orders of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// Bytes of the file that lie before it.
    pub offset: u64,
    /// What follows.
    pub format: Format,
    /// The array lies in an object, of which something may follow behind it.
    #[serde(default)]
    pub wrapped: bool,
    /// `offset` counts what the file unpacks to.
    #[serde(default)]
    pub packed: bool,
}

/// How a file, or the rest of one, is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Format {
    /// That has to show.
    Unknown,
    /// An order a line.
    Lines,
    /// The first element of an array, or its end.
    FirstElement,
    /// An element of an array, behind a comma.
    NextElement,
    /// The rest of the object that the array `orders` lies in.
    Wrapper,
    /// Nothing, where an array should go on.
    Unclosed,
    /// Nothing that is read.
    End,
}

impl Mark {
    /// The beginning of a file whose format has to show.
    pub const BEGINNING: Self = Self {
        offset: 0,
        format: Format::Unknown,
        wrapped: false,
        packed: false,
    };

    /// The beginning of a file that is known to have an order a line.
    pub const FIRST_LINE: Self = Self {
        offset: 0,
        format: Format::Lines,
        wrapped: false,
        packed: false,
    };
}

/// What stands in a file where one order may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub what: What,
    /// The byte of the file, unpacked, at which it begins.
    pub begins: u64,
    /// Where the next one may begin.
    pub after: Mark,
}

/// What a piece of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An order's text, or what stands in its place.
    Text(Vec<u8>),
    /// A text beyond the limit, passed over.
    TooLong,
    /// The rest of an array that ends too early.
    Unclosed,
    /// The file, or the rest of it, is no JSON.
    NotJson,
    /// There is nothing in the file.
    Nothing,
    /// The file is something else than JSON in UTF-8, this.
    Foreign(&'static str),
    /// The rest of the file cannot be unpacked, for this reason.
    Packed(Unpackable),
}

/// Cuts a file into pieces.
#[derive(Debug)]
pub struct Splitter {
    /// Where `buffer[from]` lies, and how it is to be read.
    mark: Mark,
    buffer: Vec<u8>,
    /// What lies before is done with.
    from: usize,
    /// What lies between `from` and here has been looked at.
    seen: usize,
    /// The buffer ends where the file does.
    ended: bool,
    /// Bytes of the longest order's text.
    longest: usize,
    /// How long the beginning must have become to be looked at again.
    sniff_at: usize,
    /// A byte order mark may come.
    before_mark: bool,
    /// Nothing has come that counts.
    nothing_yet: bool,
    /// Inside the text of an order that is too long.
    skipping: bool,
    /// The byte at which it began.
    skipped_from: u64,
    /// Inside an array's element: open braces and brackets, and what the string is about.
    depth: u64,
    in_string: bool,
    escaped: bool,
}

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

impl Splitter {
    /// Cuts what lies behind `mark` into texts of at most `longest` bytes.
    pub fn new(mark: Mark, longest: usize) -> Self {
        Self {
            mark,
            buffer: Vec::new(),
            from: 0,
            seen: 0,
            ended: false,
            longest,
            sniff_at: 1,
            before_mark: mark.offset == 0,
            nothing_yet: mark.offset == 0,
            skipping: false,
            skipped_from: 0,
            depth: 0,
            in_string: false,
            escaped: false,
        }
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.buffer.drain(..self.from);
        self.from = 0;
        self.buffer.extend_from_slice(chunk);
    }

    /// No more bytes will come.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Is nothing behind this of interest any more?
    pub fn is_done(&self) -> bool {
        self.mark.format == Format::End
    }

    /// The file is packed, and what comes is what it unpacks to: marks say so.
    pub fn set_packed(&mut self) {
        self.mark.packed = true;
    }

    /// The piece that stands for the rest of a file that cannot be unpacked. What is held of an
    /// order is a part of that rest.
    pub fn broken_off(&mut self, reason: Unpackable) -> Piece {
        self.last(What::Packed(reason))
    }

    /// Bytes that it holds.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The next piece; `None` where it takes more bytes, or where nothing is left.
    pub fn next_piece(&mut self) -> Option<Piece> {
        if self.before_mark {
            if self.rest().len() < BYTE_ORDER_MARK.len() && !self.ended {
                return None;
            }
            if self.rest().len() < SIGNATURE_BYTES && !self.ended {
                return None;
            }
            self.before_mark = false;
            if let Some(what) = foreign(self.rest()) {
                return Some(self.last(What::Foreign(what)));
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
                Format::Unclosed => Found::Piece(self.last(What::Unclosed)),
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

    // ---- Where it begins

    fn look(&mut self) -> Found {
        self.pass_blank();
        if self.rest().is_empty() && self.ended {
            let nothing = self.nothing_yet;
            self.mark.format = Format::End;
            return match nothing {
                true => Found::Piece(self.last(What::Nothing)),
                false => Found::More,
            };
        }
        if self.rest().len() < self.sniff_at.min(self.longest) && !self.ended {
            return Found::More;
        }
        match sniff(self.rest(), self.ended, self.longest) {
            Sniffed::More => {
                // Twice as much each time, so that a byte is looked at twice and not a thousand
                // times.
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
                return Found::Piece(self.cut(What::Text(text), ends, Format::Unknown));
            }
            Sniffed::TooLong => return Found::Piece(self.last(What::TooLong)),
            Sniffed::NotJson => return Found::Piece(self.last(What::NotJson)),
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
            return Found::Piece(self.cut(What::TooLong, next, Format::Lines));
        }
        let text = self.rest()[..length].trim_ascii();
        if text.is_empty() {
            self.pass(next);
            return Found::Another;
        }
        // Some write a batch of objects into one line.
        if has_adjacent(text)
            && let Some(ends) = first_of_several(text)
        {
            let blank = self.rest().len() - self.rest().trim_ascii_start().len();
            let text = text[..ends].to_vec();
            return Found::Piece(self.cut(What::Text(text), blank + ends, Format::Lines));
        }
        let text = text.to_vec();
        Found::Piece(self.cut(What::Text(text), next, Format::Lines))
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
                    // An empty array, or a comma behind the last element.
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
        // The file ends within the array. An order that is whole is an order all the same.
        let text = self.rest().trim_ascii();
        let fits = self.rest().len() <= self.longest && !self.skipping;
        if fits && text.starts_with(b"{") && is_json(text) {
            let (text, all) = (text.to_vec(), self.rest().len());
            return Found::Piece(self.cut(What::Text(text), all, Format::Unclosed));
        }
        Found::Piece(self.last(What::Unclosed))
    }

    fn behind_array(&self) -> Format {
        match self.mark.wrapped {
            true => Format::Wrapper,
            false => Format::Unknown,
        }
    }

    /// Passes over what stands behind the array in its object.
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
        // No mark is given out within it, so that another splitter begins where the array ends.
        self.pass(length);
        match self.ended {
            true => Found::Piece(self.last(What::Unclosed)),
            false => Found::More,
        }
    }

    /// The element's text has `length` bytes, and a comma or the array's end is behind it.
    fn text_of_element(&mut self, length: usize, next: Format) -> Found {
        let what = match self.skipping || length > self.longest {
            true => What::TooLong,
            false => What::Text(self.rest()[..length].trim_ascii().to_vec()),
        };
        Found::Piece(self.cut(what, length + 1, next))
    }

    // ---- The buffer

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.from..).unwrap_or_default()
    }

    /// Is done with so many bytes.
    fn pass(&mut self, bytes: usize) {
        self.from += bytes;
        self.mark.offset += bytes as u64;
        self.seen = 0;
    }

    /// Is done with white space.
    fn pass_blank(&mut self) {
        let blank = self.rest().len() - self.rest().trim_ascii_start().len();
        self.pass(blank);
    }

    /// Lets go of a text that is too long already; its end is still looked for.
    fn skip_if_too_long(&mut self) {
        if self.skipping || self.seen > self.longest {
            if !self.skipping {
                self.skipped_from = self.begins();
            }
            self.skipping = true;
            self.pass(self.seen);
        }
    }

    /// A piece that ends `bytes` from here.
    fn cut(&mut self, what: What, bytes: usize, next: Format) -> Piece {
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
            what,
            begins,
            after: self.mark,
        }
    }

    /// The byte at which what follows begins, without white space.
    fn begins(&self) -> u64 {
        let blank = self.rest().len() - self.rest().trim_ascii_start().len();
        self.mark.offset + blank as u64
    }

    /// The piece that takes all the rest with it.
    fn last(&mut self, what: What) -> Piece {
        self.cut(what, 0, Format::End)
    }
}

/// What a look at the buffer has found.
enum Found {
    Piece(Piece),
    /// It takes more bytes.
    More,
    /// Another look is worth it.
    Another,
}

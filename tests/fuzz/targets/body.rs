//! The body of an order over HTTP.
#![no_main]

use fuzz::body;
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus { body(data) });

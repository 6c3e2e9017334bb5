//! The role `api`: requests of an HTTP API.
#![no_main]

use fuzz::{Entry, command};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus { command(Entry::Api, data) });

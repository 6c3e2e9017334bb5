//! The role `query`: requests of an HTTP API.
#![no_main]

use fuzz::{Entry, projection};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus { projection(&[Entry::Query], data) });

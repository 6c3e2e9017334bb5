//! The role `invoke`: orders by direct invocation.
#![no_main]

use fuzz::{Entry, command};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus { command(Entry::Invoke, data) });

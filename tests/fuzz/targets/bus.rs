//! The role `bus`: events of EventBridge.
#![no_main]

use fuzz::{Entry, command};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus { command(Entry::Bus, data) });

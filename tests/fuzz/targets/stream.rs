//! The roles `project` and `notify`: batches of the stream.
#![no_main]

use fuzz::{Entry, projection};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|data: &[u8]| -> Corpus { projection(&[Entry::Project, Entry::Notify], data) });

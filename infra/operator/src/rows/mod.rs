//! Compares every row with the fold of its history, and every history with its rows. What differs
//! is named ([`Kind::Verify`]) or corrected ([`Kind::Rebuild`]). Nobody is notified.
//!
//! - [`verify_one`], [`rebuild_one`]: one order or shipment; [`repair`]: those that were found
//!   wrong
//! - [`verify_sample`]: a random part of the store
//! - [`price`], then [`WholeRun`]: the whole store, in a run that can be stopped and resumed
//! - [`running`]: the progress of such a run, which any process can read from its folder
//! - [`remember_run`], [`past()`]: the runs that have ended

mod drive;
mod one;
mod past;
mod run;
mod sample;
mod summary;
mod whole;

pub use one::{Repaired, rebuild_one, repair, verify_one};
pub use past::{PastRun, past, remember_repair, remember_run};
pub use projectors::rebuild::{
    Rebuilt,
    finding::{Difference, Finding, FindingKind},
    settle::Counted,
};
pub use run::{RunStatus, running};
pub use sample::{sample_price, verify_sample};
pub use summary::{Kind, Summary};
pub use whole::{Options, WholeRun, price};

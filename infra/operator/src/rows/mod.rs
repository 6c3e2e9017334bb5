//! Every row against the fold of its history, and every history for its rows: named ([`Kind::Verify`])
//! or made what they should be ([`Kind::Rebuild`]). Nobody is notified.
//!
//! - [`verify_one`], [`rebuild_one`]: one order or shipment; [`repair`]: those that were found wrong
//! - [`verify_sample`]: a part of the store, by chance
//! - [`price`], then [`WholeRun`]: all of it, which can be stopped and gone on with
//! - [`running`]: how far such a run is, read from its folder by anybody
//! - [`remember_run`], [`past()`]: those that have ended

mod drive;
mod one;
mod past;
mod run;
mod sample;
mod summary;
mod whole;

pub use one::{Repaired, rebuild_one, repair, verify_one};
pub use past::{PastRun, past, remember_run};
pub use projectors::rebuild::{
    Rebuilt,
    finding::{Difference, Finding, Wrong},
    settle::Counted,
};
pub use run::{RunProgress, running};
pub use sample::{sample_price, verify_sample};
pub use summary::{Kind, Summary};
pub use whole::{Options, WholeRun, price};

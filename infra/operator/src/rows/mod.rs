//! Every row against the fold of its history, and every history for its rows: named ([`Kind::Verify`])
//! or made what they should be ([`Kind::Rebuild`]). Nobody is notified.
//!
//! - [`verify_one`], [`rebuild_one`]: one order or shipment; [`mend`]: those that were found wrong
//! - [`verify_sample`]: a part of the store, by chance
//! - [`price`], then [`WholeRun`]: all of it, which can be stopped and gone on with
//! - [`running`]: how far such a run is, read from its folder by anybody
//! - [`note`], [`past()`]: those that have ended

mod drive;
mod one;
mod past;
mod run;
mod sample;
mod summary;
mod whole;

pub use one::{Mended, mend, rebuild_one, verify_one};
pub use past::{Past, note, past};
pub use projectors::rebuild::{
    Rebuilt,
    finding::{Difference, Finding, FindingKind},
    settle::Counted,
};
pub use run::{Running, running};
pub use sample::{sample_price, verify_sample};
pub use summary::{Kind, Summary};
pub use whole::{Options, WholeRun, price};

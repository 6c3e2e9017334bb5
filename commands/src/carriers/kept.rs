//! Remembers which scans that cannot be logged were already reported to the operator.
//!
//! Every later webhook of the same parcel brings such a scan again. A Lambda function stores
//! nothing between processes, so this memory belongs to one process: another process, or this one
//! once it has forgotten, reports the scan again. No scan is ignored unless it was reported.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use crate::limits::REPORTED_SCANS_MAX;

/// The ids of the scans that this process has reported, the latest [`REPORTED_SCANS_MAX`].
#[derive(Debug, Default)]
pub struct ReportedScans(Mutex<VecDeque<String>>);

impl ReportedScans {
    /// Whether this process has reported the scan with this id.
    pub fn knows(&self, id: &str) -> bool {
        self.lock().iter().any(|known| known == id)
    }

    /// Remembers that these scans were reported: their webhook is in the dead letter queue.
    pub fn add(&self, ids: impl IntoIterator<Item = String>) {
        let mut known = self.lock();
        known.extend(ids);
        let surplus = known.len().saturating_sub(REPORTED_SCANS_MAX);
        known.drain(..surplus);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        // A panic of another holder cannot leave this list half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_known_and_no_more_than_there_is_room_for() {
        let kept = ReportedScans::default();
        let all = 0..REPORTED_SCANS_MAX + 10;
        kept.add(all.clone().map(|number| number.to_string()));
        assert!(!kept.knows("0") && !kept.knows("9"));
        assert!(all.skip(10).all(|number| kept.knows(&number.to_string())));
    }
}

//! Scans that cannot be logged, and of which somebody was told.
//!
//! Every later webhook of their parcel brings them again. A function keeps nothing, so what is
//! known here is known to one process: another one, and this one once it has forgotten, tells of a
//! scan again. None is passed over that nobody was told of.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use crate::limits::REPORTED_SCANS_MAX;

/// The latest of those that this process has told of.
#[derive(Debug, Default)]
pub struct ReportedScans(Mutex<VecDeque<String>>);

impl ReportedScans {
    /// Was somebody told of this scan?
    pub fn knows(&self, id: &str) -> bool {
        self.lock().iter().any(|known| known == id)
    }

    /// Somebody was told of these scans: they are kept among the dead letters.
    pub fn add(&self, ids: impl IntoIterator<Item = String>) {
        let mut known = self.lock();
        known.extend(ids);
        let surplus = known.len().saturating_sub(REPORTED_SCANS_MAX);
        known.drain(..surplus);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        // Ids are whole whatever became of who held the lock.
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

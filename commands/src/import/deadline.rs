//! How long an invocation may still take.

use domain::Timestamp;
use event_store::Clock;

use crate::limits::TIME_RESERVE;

/// When an invocation has to come to an end by itself.
pub(super) struct Deadline<'a> {
    clock: &'a dyn Clock,
    /// Milliseconds since 1970, from which on nothing new is begun.
    near: Option<i64>,
}

impl<'a> Deadline<'a> {
    /// The reserve before `end`; never where there is no end.
    pub(super) fn before(end: Option<Timestamp>, clock: &'a dyn Clock) -> Self {
        let reserve = i64::try_from(TIME_RESERVE.as_millis()).unwrap_or(i64::MAX);
        let near = end.map(|end| end.millis().saturating_sub(reserve));
        Self { clock, near }
    }

    /// Is it time to come to an end?
    pub(super) fn is_near(&self) -> bool {
        self.near
            .is_some_and(|near| self.clock.now().millis() >= near)
    }
}

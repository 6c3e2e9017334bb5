//! The results of a retry so far.

use serde::Serialize;

use crate::{
    error::OperatorError,
    limits::{RETRIED_KEPT, UNREACHABLE_IN_A_ROW},
    progress::Progress,
    retried::{Retried, RetriedKind, RetryResult},
};

/// The result of a retry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The number of parked aggregates and dead letters that have succeeded and are removed.
    pub done: u64,
    /// The number of those that have failed and stay.
    pub stays: u64,
    /// The number of copies that were deleted, of messages that have succeeded.
    pub copies: u64,
    /// The approximate number of messages that another reader has received: SQS shows them again
    /// within [`MESSAGE_HIDDEN`](crate::limits::MESSAGE_HIDDEN).
    pub hidden: u64,
    /// The number of messages that were sent to the queue meanwhile; the next retry works on them.
    pub not_yet_due: u64,
    /// The first results, at most [`RETRIED_KEPT`].
    pub retried: Vec<Retried>,
}

impl Report {
    /// The number of messages that are left for the next retry.
    pub fn left(&self) -> u64 {
        self.hidden + self.not_yet_due
    }

    /// Whether anything has failed or is left for the next retry.
    pub fn is_wrong(&self) -> bool {
        self.stays + self.left() > 0
    }
}

/// Counts the results and reports them to a [`Progress`].
pub(super) struct Tally<'a> {
    pub(super) report: Report,
    pub(super) progress: &'a dyn Progress,
    unreachable: u32,
}

impl<'a> Tally<'a> {
    pub(super) fn new(progress: &'a dyn Progress) -> Self {
        Self {
            report: Report::default(),
            progress,
            unreachable: 0,
        }
    }

    /// Counts and reports one result. Fails where [`UNREACHABLE_IN_A_ROW`] results in a row were
    /// unreachable, since it makes no sense to continue.
    pub(super) fn note(
        &mut self,
        kind: RetriedKind,
        name: String,
        about: Vec<String>,
        result: RetryResult,
    ) -> Result<(), OperatorError> {
        self.unreachable = match result {
            RetryResult::Unreachable(_) => self.unreachable + 1,
            _ => 0,
        };
        let retried = result.into_retried(kind, name, about);
        match retried.done {
            true => self.report.done += 1,
            false => self.report.stays += 1,
        }
        self.progress.retries(&retried);
        if self.unreachable >= UNREACHABLE_IN_A_ROW {
            let reason = retried.reason.unwrap_or_default();
            let text = format!("{UNREACHABLE_IN_A_ROW} in a row failed, the last one with: ");
            return Err(OperatorError::of_call(text + &reason));
        }
        if self.report.retried.len() < RETRIED_KEPT {
            self.report.retried.push(retried);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::limits::REASON_CHARACTERS;

    #[derive(Default)]
    struct Recorded(Mutex<Vec<Retried>>);

    impl Progress for Recorded {
        fn retries(&self, retried: &Retried) {
            self.0.lock().unwrap().push(retried.clone());
        }
    }

    #[test]
    fn many_in_a_row_that_cannot_be_reached_end_a_retry() {
        let mut tally = Tally::new(&());
        let unreachable = || RetryResult::Unreachable("timed out".to_owned());
        let mut note = |result| {
            tally.note(
                RetriedKind::Parked,
                "order#1".to_owned(),
                Vec::new(),
                result,
            )
        };
        for _ in 1..UNREACHABLE_IN_A_ROW {
            note(unreachable()).unwrap();
        }
        note(RetryResult::Stays("damaged".to_owned())).unwrap();
        for _ in 1..UNREACHABLE_IN_A_ROW {
            note(unreachable()).unwrap();
        }
        assert!(note(unreachable()).is_err());
    }

    #[test]
    fn what_stays_is_wrong_and_each_is_told_as_it_is_reported() {
        assert!(!Report::default().is_wrong());
        for (copies, hidden, not_yet_due, wrong) in
            [(1, 0, 0, false), (0, 1, 0, true), (0, 0, 1, true)]
        {
            let report = Report {
                copies,
                hidden,
                not_yet_due,
                ..Report::default()
            };
            assert_eq!(report.is_wrong(), wrong);
        }
        let recorded = Recorded::default();
        let mut tally = Tally::new(&recorded);
        let mut note =
            |result| tally.note(RetriedKind::Message, "m".to_owned(), Vec::new(), result);
        note(RetryResult::Done).unwrap();
        note(RetryResult::Stays("x".repeat(REASON_CHARACTERS + 1))).unwrap();
        let report = tally.report;
        assert_eq!((report.done, report.stays), (1, 1));
        let reason = report.retried[1].reason.as_ref().unwrap();
        assert_eq!(reason.len(), REASON_CHARACTERS);
        assert!(report.is_wrong());
        assert_eq!(*recorded.0.lock().unwrap(), report.retried);
    }
}

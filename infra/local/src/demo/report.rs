//! The report of a run: its numbers, and whether they agree.

use std::fmt;
use std::time::Duration;

use super::outcome::Outcome;
use super::plan::Plan;
use super::tally::{Answers, Reasons, Tally};

/// A run with its plan, its answers and its results.
pub struct Report<'a> {
    /// The plan of what to send.
    pub plan: &'a Plan,
    /// The counts of the answers.
    pub tally: &'a Tally,
    /// The results that were counted afterwards.
    pub outcome: &'a Outcome,
    /// The time from the first request to the last answer.
    pub took: Duration,
    /// The time from the last answer until everything had caught up.
    pub lag: Duration,
}

impl Report<'_> {
    /// Returns every difference between the counted and the expected numbers.
    pub fn mismatches(&self) -> Vec<String> {
        let Self { tally, outcome, .. } = self;
        let events_refused: u64 = outcome.refused_events.values().sum();
        let created = outcome.messages.get("Order Created").copied().unwrap_or(0);
        let sums = [
            (
                "rows of orders",
                outcome.orders,
                "orders accepted",
                tally.orders.accepted,
            ),
            (
                "messages Order Created",
                created,
                "orders accepted",
                tally.orders.accepted,
            ),
            (
                "rows of updates, repeats and refusals",
                outcome.updates
                    + tally.http_updates.repeated
                    + self.repeated_events()
                    + events_refused,
                "updates accepted",
                tally.http_updates.accepted + tally.http_updates.repeated + tally.events.accepted,
            ),
            (
                "rows of shipments",
                outcome.shipments,
                "shipments updated",
                count(self.plan.shipments()),
            ),
        ];
        let broken = sums
            .iter()
            .filter(|(_, counted, _, expected)| counted != expected);
        let broken = broken
            .map(|(what, counted, of, expected)| format!("{counted} {what}, but {expected} {of}"));
        let failures = self.tally.failures().into_iter();
        broken
            .chain(failures.map(|(reason, times)| format!("{times} × {reason}")))
            .collect()
    }

    /// Returns the number of events that were sent twice deliberately. EventBridge accepts them,
    /// and the function recognises the repeats and reports nothing. The only sign is that there is
    /// no row for them.
    fn repeated_events(&self) -> u64 {
        let twice = self
            .plan
            .updates
            .iter()
            .filter(|update| update.twice && !update.over_http);
        count(twice.count())
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tally,
            outcome,
            took,
            lag,
            plan,
        } = self;
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let sent = tally.sent();
        let rate = sent * 1_000 / millis;
        writeln!(
            f,
            "Run {}: {sent} sent in {took:.1?}, {rate} a second\n",
            plan.run
        )?;
        answers(f, "orders", &tally.orders)?;
        answers(f, "completed or cancelled", &tally.follow_ups)?;
        answers(f, "shipment updates, HTTP", &tally.http_updates)?;
        answers(f, "shipment updates, events", &tally.events)?;
        line(
            f,
            "  refused by the function",
            outcome.refused_events.values().sum(),
        )?;
        reasons(f, &outcome.refused_events)?;
        writeln!(
            f,
            "\nEverything had caught up {lag:.1?} after the last answer:\n"
        )?;
        line(f, "rows of orders", outcome.orders)?;
        line(f, "rows of shipment updates", outcome.updates)?;
        line(f, "rows of shipments", outcome.shipments)?;
        for (kind, times) in &outcome.messages {
            line(f, &format!("messages {kind}"), *times)?;
        }
        Ok(())
    }
}

fn answers(f: &mut fmt::Formatter<'_>, what: &str, answers: &Answers) -> fmt::Result {
    line(f, &format!("{what}: sent"), answers.sent)?;
    line(f, "  accepted", answers.accepted)?;
    if answers.repeated > 0 {
        line(f, "  repeats recognised", answers.repeated)?;
    }
    line(f, "  refused", answers.refusals())?;
    reasons(f, &answers.refused)
}

fn reasons(f: &mut fmt::Formatter<'_>, reasons: &Reasons) -> fmt::Result {
    reasons
        .iter()
        .try_for_each(|(reason, times)| line(f, &format!("    {reason}"), *times))
}

fn line(f: &mut fmt::Formatter<'_>, what: &str, number: u64) -> fmt::Result {
    writeln!(f, "  {what:<36} {number:>7}")
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::DateTime;

    use super::*;

    fn mismatches(change: impl FnOnce(&mut Tally, &mut Outcome)) -> Vec<String> {
        let plan = Plan::draw("demo-1".to_owned(), 1, 0, 0, DateTime::UNIX_EPOCH);
        let mut tally = Tally::default();
        tally.orders.accepted = 10;
        tally.events.accepted = 6;
        let mut outcome = Outcome {
            orders: 10,
            updates: 5,
            messages: BTreeMap::from([("Order Created".to_owned(), 10)]),
            refused_events: Reasons::from([("invalid".to_owned(), 1)]),
            ..Outcome::default()
        };
        change(&mut tally, &mut outcome);
        let (took, lag) = (Duration::from_secs(1), Duration::ZERO);
        Report {
            plan: &plan,
            tally: &tally,
            outcome: &outcome,
            took,
            lag,
        }
        .mismatches()
    }

    #[test]
    fn a_run_that_adds_up_has_no_mismatch() {
        assert_eq!(mismatches(|_, _| {}), [] as [String; 0]);
    }

    #[test]
    fn what_is_missing_or_too_much_is_said() {
        assert_eq!(
            mismatches(|_, outcome| outcome.orders = 9),
            ["9 rows of orders, but 10 orders accepted"]
        );
        assert_eq!(mismatches(|_, outcome| outcome.updates = 4).len(), 1);
        assert_eq!(mismatches(|_, outcome| outcome.shipments = 1).len(), 1);
        assert_eq!(
            mismatches(|tally, _| Answers::count(&mut tally.orders.failed, "500 internal")),
            ["1 × 500 internal"]
        );
    }
}

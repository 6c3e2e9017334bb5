//! The expectations of an experiment, compared with what happened.

use std::collections::BTreeSet;

use super::run::{Experiment, Run};

/// Whether an expectation is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerdictState {
    /// The expectation is met.
    Met,
    /// The expectation is not met yet, but may be later.
    Pending,
    /// The expectation is not met and will not be.
    NotMet,
}

impl VerdictState {
    /// Returns a sign, a class of the style sheet, and a text.
    pub fn look(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Met => ("●", "good", "as expected"),
            Self::Pending => ("◐", "going", "not yet"),
            Self::NotMet => ("▲", "bad", "not as expected"),
        }
    }
}

/// One expectation and whether it is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The expectation, as a sentence.
    pub expected: String,
    /// What happened, as a sentence.
    pub happened: String,
    /// Whether the expectation is met.
    pub state: VerdictState,
}

/// Returns the expectations of a run's experiment; empty without one.
pub fn verdicts(run: &Run) -> Vec<Verdict> {
    let Some(experiment) = &run.experiment else {
        return Vec::new();
    };
    let mut all = match experiment {
        Experiment::Held(consumer) => vec![held(run, consumer)],
        Experiment::Lost => vec![answered_again(run)],
        Experiment::Twice => Vec::new(),
    };
    all.extend([
        one_event(run),
        one_row(run),
        messages_once(run),
        nothing_lost(run),
    ]);
    all
}

fn verdict(
    expected: impl Into<String>,
    happened: impl Into<String>,
    state: VerdictState,
) -> Verdict {
    Verdict {
        expected: expected.into(),
        happened: happened.into(),
        state,
    }
}

/// The consumer that writes rows.
pub const PROJECT: &str = "project";

fn held(run: &Run, consumer: &str) -> Verdict {
    let seen = &run.seen;
    let (what, first) = match consumer == PROJECT {
        true => ("The row", seen.rows.first().map(|row| &row.at)),
        false => {
            let mut own = seen.messages.iter().filter(|one| one.id.is_some());
            ("Each message", own.next().map(|one| &one.at))
        }
    };
    let expected =
        format!("{what} waits while {consumer} is held back, and comes once it is let go.");
    if seen.came_while_held {
        return verdict(
            expected,
            "It came although it was held back.",
            VerdictState::NotMet,
        );
    }
    match (first, &seen.released_at) {
        (None, None) => verdict(
            expected,
            format!("Nothing yet: {consumer} is held back."),
            VerdictState::Pending,
        ),
        (None, Some(at)) => verdict(
            expected,
            format!("Let go by {}; nothing yet.", at.exact()),
            VerdictState::Pending,
        ),
        (Some(came), Some(released)) => {
            let text = format!(
                "Let go by {}; it came at {}.",
                released.exact(),
                came.exact()
            );
            verdict(expected, text, VerdictState::Met)
        }
        (Some(_), None) => verdict(
            expected,
            "It was never seen held back.",
            VerdictState::NotMet,
        ),
    }
}

fn answered_again(run: &Run) -> Verdict {
    let expected = "The first try gets no answer; the same command, sent again with the same key, gets \
                    the one that was lost.";
    let lost = run
        .attempts
        .iter()
        .filter(|one| one.status.is_none())
        .count();
    let last = run.attempts.last().and_then(|last| last.status);
    match (lost, last) {
        (0, _) => verdict(expected, "No answer was lost.", VerdictState::NotMet),
        (lost, Some(status)) => {
            let text = format!("{lost} lost, then answered {status}.");
            let met = run.is_accepted();
            verdict(
                expected,
                text,
                if met {
                    VerdictState::Met
                } else {
                    VerdictState::NotMet
                },
            )
        }
        (lost, None) => verdict(
            expected,
            format!("{lost} lost, and none came."),
            VerdictState::NotMet,
        ),
    }
}

fn one_event(run: &Run) -> Verdict {
    let expected = "One order: one event places it.";
    let kinds: Vec<&str> = run
        .seen
        .events
        .iter()
        .map(|event| event.kind.as_str())
        .collect();
    let placed = kinds.iter().filter(|kind| **kind == "OrderPlaced").count();
    let distinct: BTreeSet<&str> = kinds.iter().copied().collect();
    match placed {
        0 => verdict(expected, "No event yet.", VerdictState::Pending),
        1 if distinct.len() == kinds.len() => verdict(
            expected,
            format!("Its events: {}.", kinds.join(", ")),
            VerdictState::Met,
        ),
        _ => verdict(
            expected,
            format!("Its events: {}.", kinds.join(", ")),
            VerdictState::NotMet,
        ),
    }
}

fn one_row(run: &Run) -> Verdict {
    let expected = "One row, at its last event.";
    match (run.seen.rows.last(), run.row_is_up_to_date()) {
        (Some(row), up_to_date) => verdict(
            expected,
            format!("{}, version {}.", row.status, row.version),
            if up_to_date {
                VerdictState::Met
            } else {
                VerdictState::Pending
            },
        ),
        (None, _) => verdict(expected, "No row yet.", VerdictState::Pending),
    }
}

fn messages_once(run: &Run) -> Verdict {
    let expected = "Each message under one id; one that comes again bears the same id, so that whoever \
                    hears it knows the repeat.";
    let own = run.seen.messages.iter().filter(|one| one.id.is_some());
    let (repeats, first): (Vec<_>, Vec<_>) = own.partition(|one| one.repeat);
    let text = format!("Ids: {}; repeats of them: {}.", first.len(), repeats.len());
    let made = run.seen.events.iter().map(|event| event.makes.len()).sum();
    let state = match first.len() {
        0 => VerdictState::Pending,
        more if more > made => VerdictState::NotMet,
        _ if run.missing().is_empty() => VerdictState::Met,
        _ => VerdictState::Pending,
    };
    verdict(expected, text, state)
}

fn nothing_lost(run: &Run) -> Verdict {
    let expected = "Nothing is lost: every message that an event makes has come, and nothing is parked \
                    or given up.";
    let seen = &run.seen;
    let (missing, failed) = (
        run.missing().len(),
        seen.parked.len() + seen.dead_letters.len(),
    );
    let text = match (missing, failed) {
        (0, 0) if seen.events.is_empty() => "Nothing to be lost yet.".to_owned(),
        (0, 0) => "Nothing is missing.".to_owned(),
        (missing, 0) => format!("{missing} still to come."),
        (_, failed) => format!("{failed} parked or given up."),
    };
    let state = match (failed, run.is_complete()) {
        (1.., _) => VerdictState::NotMet,
        (_, true) => VerdictState::Met,
        (_, false) => VerdictState::Pending,
    };
    verdict(expected, text, state)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{
        super::{
            run::{Attempt, Seen, SeenEvent, SeenMessage, SeenRow, Via},
            ways::Way,
        },
        *,
    };
    use crate::at::At;

    fn at(second: u32) -> At {
        At(format!("2026-03-01T08:00:{second:02}.000Z"))
    }

    fn event(sequence: u64, kind: &str) -> SeenEvent {
        SeenEvent {
            sequence,
            kind: kind.to_owned(),
            at: at(1),
            makes: vec![(format!("order#a/{sequence}/{kind}"), Via::Bus)],
        }
    }

    fn message(number: u64, kind: &str, repeat: bool) -> SeenMessage {
        SeenMessage {
            number,
            id: Some(format!("order#a/1/{kind}")),
            via: Via::Bus,
            what: kind.to_owned(),
            at: at(4),
            repeat,
        }
    }

    fn run(experiment: Experiment) -> Run {
        let attempt = |status| Attempt {
            at: at(1),
            status,
            said: "{}".to_owned(),
        };
        Run {
            id: "r".to_owned(),
            way: Way::Order,
            text: String::new(),
            order: String::new(),
            command: String::new(),
            experiment: Some(experiment),
            sent_at: at(0),
            attempts: vec![attempt(None), attempt(Some(200))],
            search_terms: Vec::new(),
            aggregate: "order#a".parse().ok(),
            seen: Seen {
                events: vec![event(1, "OrderPlaced")],
                rows: vec![SeenRow {
                    version: 1,
                    status: "PROCESSING".to_owned(),
                    at: at(5),
                }],
                messages: vec![message(1, "OrderPlaced", false)],
                ..Seen::default()
            },
        }
    }

    fn states(run: &Run) -> Vec<VerdictState> {
        verdicts(run).iter().map(|one| one.state).collect()
    }

    #[test]
    fn a_lost_answer_has_one_effect() {
        let mut lost = run(Experiment::Lost);
        assert_eq!(states(&lost), [VerdictState::Met; 5]);
        lost.attempts.remove(0);
        assert_eq!(states(&lost)[0], VerdictState::NotMet);
        lost.seen.events.push(event(2, "OrderPlaced"));
        assert_eq!(states(&lost)[1], VerdictState::NotMet);
    }

    #[test]
    fn what_is_held_back_waits_and_comes() {
        let mut held = run(Experiment::Held("project".to_owned()));
        assert_eq!(states(&held)[0], VerdictState::NotMet);
        held.seen.released_at = Some(at(4));
        held.seen.came_while_held = true;
        assert_eq!(states(&held)[0], VerdictState::NotMet);
        held.seen.came_while_held = false;
        assert_eq!(states(&held), [VerdictState::Met; 5]);
        held.seen.released_at = None;
        held.seen.held = true;
        held.seen.rows.clear();
        assert_eq!(
            states(&held),
            [
                VerdictState::Pending,
                VerdictState::Met,
                VerdictState::Pending,
                VerdictState::Met,
                VerdictState::Pending
            ]
        );
    }

    #[test]
    fn a_repeat_is_no_second_message_and_a_stranger_is() {
        let mut twice = run(Experiment::Twice);
        twice.seen.messages.push(message(2, "OrderPlaced", true));
        assert_eq!(states(&twice), [VerdictState::Met; 4]);
        twice.seen.messages.push(message(3, "Other", false));
        assert_eq!(states(&twice)[2], VerdictState::NotMet);
    }

    #[test]
    fn what_is_missing_parked_or_given_up_is_not_hidden() {
        let mut twice = run(Experiment::Twice);
        twice.seen.messages.clear();
        assert_eq!(
            states(&twice)[2..],
            [VerdictState::Pending, VerdictState::Pending]
        );
        twice.seen.parked.push("notify at event 1".to_owned());
        assert_eq!(states(&twice)[3], VerdictState::NotMet);
    }
}

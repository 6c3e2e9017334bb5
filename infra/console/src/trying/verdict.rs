//! What was to be expected of an experiment, and what happened.

use std::collections::BTreeSet;

use super::run::{Experiment, Run};

/// How an expectation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// It is so.
    Met,
    /// It may become so.
    Open,
    /// It is not so.
    Broken,
}

impl Stands {
    /// A shape, a class of the style sheet, and a word.
    pub fn look(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Met => ("●", "good", "as expected"),
            Self::Open => ("◐", "going", "not yet"),
            Self::Broken => ("▲", "bad", "not as expected"),
        }
    }
}

/// One expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was expected.
    pub expected: String,
    /// What happened.
    pub happened: String,
    /// How it stands.
    pub stands: Stands,
}

/// What is expected of a run's experiment, one after the other; nothing without one.
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

fn verdict(expected: impl Into<String>, happened: impl Into<String>, stands: Stands) -> Verdict {
    Verdict {
        expected: expected.into(),
        happened: happened.into(),
        stands,
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
    if seen.early {
        return verdict(
            expected,
            "It came although it was held back.",
            Stands::Broken,
        );
    }
    match (first, &seen.let_go_at) {
        (None, None) => verdict(
            expected,
            format!("Nothing yet: {consumer} is held back."),
            Stands::Open,
        ),
        (None, Some(at)) => verdict(
            expected,
            format!("Let go by {}; nothing yet.", at.exact()),
            Stands::Open,
        ),
        (Some(came), Some(let_go)) => {
            let text = format!("Let go by {}; it came at {}.", let_go.exact(), came.exact());
            verdict(expected, text, Stands::Met)
        }
        (Some(_), None) => verdict(expected, "It was never seen held back.", Stands::Broken),
    }
}

fn answered_again(run: &Run) -> Verdict {
    let expected = "The first try gets no answer; the same command, sent again with the same key, gets \
                    the one that was lost.";
    let lost = run.tries.iter().filter(|one| one.status.is_none()).count();
    let last = run.tries.last().and_then(|last| last.status);
    match (lost, last) {
        (0, _) => verdict(expected, "No answer was lost.", Stands::Broken),
        (lost, Some(status)) => {
            let text = format!("{lost} lost, then answered {status}.");
            let met = run.is_accepted();
            verdict(
                expected,
                text,
                if met { Stands::Met } else { Stands::Broken },
            )
        }
        (lost, None) => verdict(
            expected,
            format!("{lost} lost, and none came."),
            Stands::Broken,
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
        0 => verdict(expected, "No event yet.", Stands::Open),
        1 if distinct.len() == kinds.len() => verdict(
            expected,
            format!("Its events: {}.", kinds.join(", ")),
            Stands::Met,
        ),
        _ => verdict(
            expected,
            format!("Its events: {}.", kinds.join(", ")),
            Stands::Broken,
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
                Stands::Met
            } else {
                Stands::Open
            },
        ),
        (None, _) => verdict(expected, "No row yet.", Stands::Open),
    }
}

fn messages_once(run: &Run) -> Verdict {
    let expected = "Each message under one id; one that comes again bears the same id, so that whoever \
                    hears it knows the repeat.";
    let own = run.seen.messages.iter().filter(|one| one.id.is_some());
    let (repeats, first): (Vec<_>, Vec<_>) = own.partition(|one| one.repeat);
    let text = format!("Ids: {}; repeats of them: {}.", first.len(), repeats.len());
    let made = run.seen.events.iter().map(|event| event.makes.len()).sum();
    let stands = match first.len() {
        0 => Stands::Open,
        more if more > made => Stands::Broken,
        _ if run.missing().is_empty() => Stands::Met,
        _ => Stands::Open,
    };
    verdict(expected, text, stands)
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
    let stands = match (failed, run.is_complete()) {
        (1.., _) => Stands::Broken,
        (_, true) => Stands::Met,
        (_, false) => Stands::Open,
    };
    verdict(expected, text, stands)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{
        super::{
            run::{Seen, SeenEvent, SeenMessage, SeenRow, Try, Via},
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
        let tried = |status| Try {
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
            tries: vec![tried(None), tried(Some(200))],
            traces: Vec::new(),
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

    fn stand(run: &Run) -> Vec<Stands> {
        verdicts(run).iter().map(|one| one.stands).collect()
    }

    #[test]
    fn a_lost_answer_has_one_effect() {
        let mut lost = run(Experiment::Lost);
        assert_eq!(stand(&lost), [Stands::Met; 5]);
        lost.tries.remove(0);
        assert_eq!(stand(&lost)[0], Stands::Broken);
        lost.seen.events.push(event(2, "OrderPlaced"));
        assert_eq!(stand(&lost)[1], Stands::Broken);
    }

    #[test]
    fn what_is_held_back_waits_and_comes() {
        let mut held = run(Experiment::Held("project".to_owned()));
        assert_eq!(stand(&held)[0], Stands::Broken);
        held.seen.let_go_at = Some(at(4));
        held.seen.early = true;
        assert_eq!(stand(&held)[0], Stands::Broken);
        held.seen.early = false;
        assert_eq!(stand(&held), [Stands::Met; 5]);
        held.seen.let_go_at = None;
        held.seen.held = true;
        held.seen.rows.clear();
        assert_eq!(
            stand(&held),
            [
                Stands::Open,
                Stands::Met,
                Stands::Open,
                Stands::Met,
                Stands::Open
            ]
        );
    }

    #[test]
    fn a_repeat_is_no_second_message_and_a_stranger_is() {
        let mut twice = run(Experiment::Twice);
        twice.seen.messages.push(message(2, "OrderPlaced", true));
        assert_eq!(stand(&twice), [Stands::Met; 4]);
        twice.seen.messages.push(message(3, "Other", false));
        assert_eq!(stand(&twice)[2], Stands::Broken);
    }

    #[test]
    fn what_is_missing_parked_or_given_up_is_not_hidden() {
        let mut twice = run(Experiment::Twice);
        twice.seen.messages.clear();
        assert_eq!(stand(&twice)[2..], [Stands::Open, Stands::Open]);
        twice.seen.parked.push("notify at event 1".to_owned());
        assert_eq!(stand(&twice)[3], Stands::Broken);
    }
}

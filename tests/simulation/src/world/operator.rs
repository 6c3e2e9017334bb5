//! The operator: sets going again what has stopped, and has made again what was lost or spoilt.
//!
//! Whatever is done is an invocation like any other, under every fault, and is done again until it
//! succeeds: at random moments, and in any case once nothing else is left to do.

use domain::Timestamp;
use projectors::{
    notify, parked,
    parked::{Parked, Resumed},
    ports::RowError,
    rebuild::{RebuildError, erase},
};

use super::{works::Work, *};
use crate::{
    core::Act,
    platform::{Letter, Lost},
};

/// The consumers' numbers.
pub(super) const PROJECT: usize = 0;
pub(super) const NOTIFY: usize = 1;

/// What an operator knows of, and has under way.
#[derive(Default)]
pub(super) struct Operator {
    /// How much of what the stream has lost is known.
    known: usize,
    /// Rows were lost or spoilt, and no rebuild has begun since.
    pub(super) rebuild_due: bool,
    /// Commits of this time were lost unannounced, and no announcing has begun since.
    pub(super) announce_due: Option<(Timestamp, Timestamp)>,
    /// Has whatever is parked been tried since nothing goes wrong any more?
    tried_parked: bool,
    /// Work of several pieces.
    pub(super) works: Vec<Work>,
    /// How many works there were.
    pub(super) begun: u64,
}

impl Operator {
    /// Learns, by the streams' alarms, what they have lost.
    pub(super) fn learns(&mut self, lost: &[Lost]) {
        for lost in &lost[self.known..] {
            match lost.consumer {
                PROJECT => self.rebuild_due = true,
                _ => self.must_announce(lost.at, millis_behind(lost.at, 1)),
            }
        }
        self.known = lost.len();
    }

    /// Commits from one time to before another are to be announced, beside what is to be anyway.
    pub(super) fn must_announce(&mut self, from: Timestamp, to: Timestamp) {
        let (known_from, known_to) = self.announce_due.unwrap_or((from, to));
        self.announce_due = Some((from.min(known_from), to.max(known_to)));
    }
}

impl World {
    /// The operator comes by and does one thing, whatever else is going on.
    pub(super) fn operate(&mut self) {
        match self.core.choose(6) {
            0 => self.take_up_parked(),
            1 => self.redrive_one(),
            2 => self.rebuild_one(),
            3 if self.operator.rebuild_due || self.core.choose(8) == 0 => {
                let mend = self.core.choose(4) > 0;
                self.begin_rebuild(mend);
            }
            4 if self.operator.announce_due.is_some() => self.begin_announcing(),
            5 => self.read_one(),
            _ => {}
        }
    }

    /// Nothing is left to do but what only an operator can do: all of that begins. Was there any?
    pub(super) fn attend(&mut self) -> bool {
        // While things go wrong the operator comes, or does not.
        if self.core.faults_on() && self.core.choose(2) == 0 {
            return false;
        }
        let before = self.running.len() + self.operator.works.len();
        if self.parked_is_due() {
            self.take_up_parked();
        }
        let letters = self.platform.kept().letters.len();
        for _ in 0..letters {
            self.redrive_one();
        }
        if self.operator.rebuild_due {
            self.begin_rebuild(true);
        }
        if self.operator.announce_due.is_some() {
            self.begin_announcing();
        }
        self.running.len() + self.operator.works.len() > before
    }

    /// What cannot be read stays parked: that is tried once and not for ever.
    fn parked_is_due(&mut self) -> bool {
        let parked = self.rows.all(Table::Parked);
        let readable = |row: &Row| row.get("aggregate") != Some(&POISONED.into());
        let tried = std::mem::replace(&mut self.operator.tried_parked, !self.core.faults_on());
        parked.iter().any(readable) || (!tried && !parked.is_empty())
    }

    fn take_up_parked(&mut self) {
        self.core.note(|| "take up what is parked".to_owned());
        let (core, projectors) = (self.core.clone(), self.projectors());
        let work = async move {
            let all = parked::all(&projectors).await.map_err(row_failed)?;
            for one in &all {
                let resumed = match core.defect {
                    Some(Defect::ForgottenFirst) => forgotten_first(&projectors, one).await,
                    _ => parked::resume(&projectors, one).await,
                };
                match resumed.map_err(failed)? {
                    Resumed::Done => core.did(Act::Resumed),
                    Resumed::Stays(_) => core.did(Act::Stayed),
                }
            }
            core.did(Act::WentThroughParked);
            Ok(Value::Null)
        };
        self.running.push((Job::Errand, Box::pin(work)));
    }

    /// Has the rows of some aggregate made again.
    pub(super) fn rebuild_one(&mut self) {
        let kept = self.platform.kept();
        if kept.written.is_empty() {
            return;
        }
        let name = aggregate_of(&kept.written[self.core.choose(kept.written.len())]);
        drop(kept);
        self.core.note(|| format!("rebuild {name}"));
        let (core, projectors) = (self.core.clone(), self.projectors());
        let work = async move {
            let id = name.parse().unwrap();
            erase::aggregate(&projectors, &id).await.map_err(failed)?;
            core.did(Act::RebuiltOne);
            Ok(Value::Null)
        };
        self.running.push((Job::Errand, Box::pin(work)));
    }

    // ---- Dead letters

    fn redrive_one(&mut self) {
        let mut kept = self.platform.kept();
        if kept.letters.is_empty() {
            return;
        }
        let place = self.core.choose(kept.letters.len());
        let letter = kept.letters.swap_remove(place);
        drop(kept);
        self.core.note(|| match &letter {
            Letter::Event(delivery) => format!("redrive {}", delivery.event),
            Letter::Record { consumer, streamed } => {
                format!("redrive {} of {consumer}", aggregate_of(&streamed.item))
            }
        });
        let work: Running = match letter.clone() {
            Letter::Event(delivery) => {
                let commands = self.commands();
                Box::pin(async move {
                    let (payload, invocation) =
                        (payload(&delivery.event), Invocation::of("redrive"));
                    commands.handle(delivery.role, payload, &invocation).await
                })
            }
            Letter::Record { consumer, streamed } => {
                let silent = self.core.defect == Some(Defect::SilentRedrive);
                let consumer = if silent { PROJECT } else { consumer };
                Box::pin(redrive(self.projectors(), consumer, streamed))
            }
        };
        self.running.push((Job::Letter(letter), work));
    }

    pub(super) fn redriven(&mut self, letter: Letter, answer: Answer) {
        let again = self.core.strikes(Fault::Duplicate);
        match answer {
            Ok(answer) if answer != STAYS => {
                self.core.did(match &letter {
                    Letter::Record { .. } => Act::RecordRedriven,
                    Letter::Event(_) => Act::EventRedriven,
                });
                if again {
                    self.platform.kept().letters.push(letter);
                }
            }
            _ if self.core.defect == Some(Defect::ThrownAwayLetter) => {}
            // Nothing goes wrong any more, and still it is refused: it is left where it lies.
            Ok(_) if !self.core.faults_on() => {
                self.core.did(Act::LetterStayed);
                self.platform.kept().left.push(letter);
            }
            _ => self.platform.kept().letters.push(letter),
        }
    }
}

/// The planted order of things: forget, go on, and park again what stays.
async fn forgotten_first(projectors: &Projectors, one: &Parked) -> Result<Resumed, RebuildError> {
    let id = format!("{}#{}", one.consumer, one.aggregate);
    let there = projectors
        .rows
        .get(Table::Parked, Table::Parked.key(&id, ""));
    if let Some(row) = there.await? {
        projectors.rows.remove(Table::Parked, row.clone()).await?;
        let resumed = parked::resume(projectors, one).await;
        if let Ok(Resumed::Stays(_)) = resumed {
            projectors.rows.put_first(Table::Parked, row).await?;
        }
        return resumed;
    }
    Ok(Resumed::Done)
}

/// A record that can never be done.
const STAYS: &str = "stays";

/// Does for a consumer what a record of the stream should have made it do.
async fn redrive(projectors: Projectors, consumer: usize, streamed: Streamed) -> Answer {
    let commit = Commit::from_item((*streamed.item).clone());
    let commit = commit.map_err(|error| Failed(error.to_string()))?;
    let done = match consumer {
        PROJECT => erase::aggregate(&projectors, &commit.aggregate)
            .await
            .map(|_| ()),
        _ => notify::commits(&projectors, vec![commit]).await.map(|_| ()),
    };
    match done {
        Err(RebuildError::Corrupt(_)) => Ok(STAYS.into()),
        done => done.map(|()| Value::Null).map_err(failed),
    }
}

/// So many milliseconds behind a time.
pub(super) fn millis_behind(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(at.millis() + millis).unwrap()
}

fn failed(error: RebuildError) -> Failed {
    Failed(error.to_string())
}

fn row_failed(error: RowError) -> Failed {
    Failed(error.to_string())
}

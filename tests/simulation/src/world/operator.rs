//! The operator: resumes parked aggregates, retries dead letters, and rebuilds or announces again
//! what was lost or corrupted.
//!
//! Each action is an invocation like any other, under the same faults, and is repeated until it
//! succeeds. The operator acts at random moments, and in any case once nothing else is left to do
//! and faults are off.

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
    platform::{DeadLetter, Expired},
};

// The numbers of the stream's consumers.
pub(super) const PROJECT: usize = 0;
pub(super) const NOTIFY: usize = 1;

/// What the operator knows, and the work that it has started.
#[derive(Default)]
pub(super) struct Operator {
    /// How many of the expired records the operator knows of.
    known_expired: usize,
    /// Whether rows may be missing or wrong, and no rebuild has begun since.
    pub(super) rebuild_due: bool,
    /// The range of time whose commits must be announced again, from the first to before the
    /// second. It is taken when an announcing begins.
    pub(super) announce_due: Option<(Timestamp, Timestamp)>,
    /// Whether the parked aggregates have been tried since faults were switched off.
    tried_parked: bool,
    /// The running works of several pieces.
    pub(super) works: Vec<Work>,
    /// The number of works that were begun: the next one's number.
    pub(super) works_begun: u64,
}

impl Operator {
    /// Takes note of the records that the stream has dropped, as the streams' alarms report them,
    /// and of the rebuild or announcing that this makes necessary.
    pub(super) fn note_expired(&mut self, expired: &[Expired]) {
        for expired in &expired[self.known_expired..] {
            match expired.consumer {
                PROJECT => self.rebuild_due = true,
                _ => self.must_announce(expired.at, millis_behind(expired.at, 1)),
            }
        }
        self.known_expired = expired.len();
    }

    /// Extends the range of time to announce again by the commits from `from` to before `to`.
    pub(super) fn must_announce(&mut self, from: Timestamp, to: Timestamp) {
        let (known_from, known_to) = self.announce_due.unwrap_or((from, to));
        self.announce_due = Some((from.min(known_from), to.max(known_to)));
    }
}

impl World {
    /// Starts one random action of the operator, while others work.
    pub(super) fn act_at_random(&mut self) {
        match self.core.choose(6) {
            0 => self.resume_parked(),
            1 => self.retry_dead_letter(),
            2 => self.rebuild_one(),
            3 if self.operator.rebuild_due || self.core.choose(8) == 0 => {
                let repair = self.core.choose(4) > 0;
                self.begin_rebuild(repair);
            }
            4 if self.operator.announce_due.is_some() => self.begin_announcing(),
            5 => self.read_one(),
            _ => {}
        }
    }

    /// Starts everything that only an operator can do, once nothing else is left to do. Returns
    /// whether anything was started.
    pub(super) fn start_operator_work(&mut self) -> bool {
        // While faults strike, the operator comes only sometimes.
        if self.core.faults_on() && self.core.choose(2) == 0 {
            return false;
        }
        let before = self.running.len() + self.operator.works.len();
        if self.parked_is_due() {
            self.resume_parked();
        }
        let dead_letters = self.platform.state().dead_letters.len();
        for _ in 0..dead_letters {
            self.retry_dead_letter();
        }
        if self.operator.rebuild_due {
            self.begin_rebuild(true);
        }
        if self.operator.announce_due.is_some() {
            self.begin_announcing();
        }
        self.running.len() + self.operator.works.len() > before
    }

    /// Returns whether the parked aggregates must be tried. The poisoned order can never be
    /// resumed: once faults are off, it is tried once more and not for ever.
    fn parked_is_due(&mut self) -> bool {
        let parked = self.rows.all(Table::Parked);
        let readable = |row: &Row| row.get("aggregate") != Some(&POISONED.into());
        let tried = std::mem::replace(&mut self.operator.tried_parked, !self.core.faults_on());
        parked.iter().any(readable) || (!tried && !parked.is_empty())
    }

    fn resume_parked(&mut self) {
        self.core.note(|| "resume what is parked".to_owned());
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
            core.did(Act::TriedAllParked);
            Ok(Value::Null)
        };
        self.running.push((Job::Background, Box::pin(work)));
    }

    /// Rebuilds the rows of a random aggregate.
    pub(super) fn rebuild_one(&mut self) {
        let state = self.platform.state();
        if state.written.is_empty() {
            return;
        }
        let name = aggregate_of(&state.written[self.core.choose(state.written.len())]);
        drop(state);
        self.core.note(|| format!("rebuild {name}"));
        let (core, projectors) = (self.core.clone(), self.projectors());
        let work = async move {
            let id = name.parse().unwrap();
            erase::aggregate(&projectors, &id).await.map_err(failed)?;
            core.did(Act::RebuiltOne);
            Ok(Value::Null)
        };
        self.running.push((Job::Background, Box::pin(work)));
    }

    // ---- Dead letters

    fn retry_dead_letter(&mut self) {
        let mut state = self.platform.state();
        if state.dead_letters.is_empty() {
            return;
        }
        let place = self.core.choose(state.dead_letters.len());
        let letter = state.dead_letters.swap_remove(place);
        drop(state);
        self.core.note(|| match &letter {
            DeadLetter::Event(delivery) => format!("retry {}", delivery.event),
            DeadLetter::Record { consumer, streamed } => {
                format!("retry {} of {consumer}", aggregate_of(&streamed.item))
            }
        });
        let work: Running = match letter.clone() {
            DeadLetter::Event(delivery) => {
                let commands = self.commands();
                Box::pin(async move {
                    let (payload, invocation) =
                        (payload(&delivery.event), Invocation::of("redrive"));
                    commands.handle(delivery.role, payload, &invocation).await
                })
            }
            DeadLetter::Record { consumer, streamed } => {
                let silent = self.core.defect == Some(Defect::SilentRedrive);
                let consumer = if silent { PROJECT } else { consumer };
                Box::pin(retry_record(self.projectors(), consumer, streamed))
            }
        };
        self.running.push((Job::DeadLetter(letter), work));
    }

    pub(super) fn retry_ended(&mut self, letter: DeadLetter, answer: Answer) {
        let again = self.core.strikes(Fault::Duplicate);
        match answer {
            Ok(answer) if answer != STAYS => {
                self.core.did(match &letter {
                    DeadLetter::Record { .. } => Act::RecordRetried,
                    DeadLetter::Event(_) => Act::EventRetried,
                });
                if again {
                    self.platform.state().dead_letters.push(letter);
                }
            }
            _ if self.core.defect == Some(Defect::ThrownAwayLetter) => {}
            // It is refused without any fault, so another retry would change nothing.
            Ok(_) if !self.core.faults_on() => {
                self.core.did(Act::DeadLetterStayed);
                self.platform.state().unresolved.push(letter);
            }
            _ => self.platform.state().dead_letters.push(letter),
        }
    }
}

/// The planted defect `ForgottenFirst`: removes the parked row, then resumes the aggregate, and
/// parks it again where that fails.
async fn forgotten_first(projectors: &Projectors, one: &Parked) -> Result<Resumed, RebuildError> {
    let id = format!("{}#{}", one.consumer, one.aggregate);
    let stored = projectors
        .rows
        .get(Table::Parked, Table::Parked.key(&id, ""));
    if let Some(row) = stored.await? {
        projectors.rows.remove(Table::Parked, row.clone()).await?;
        let resumed = parked::resume(projectors, one).await;
        if let Ok(Resumed::Stays(_)) = resumed {
            projectors.rows.put_first(Table::Parked, row).await?;
        }
        return resumed;
    }
    Ok(Resumed::Done)
}

/// The answer of the retry of a record that can never be processed.
const STAYS: &str = "stays";

/// Retries a record of the stream: rebuilds its aggregate's rows for `project`, or announces its
/// commit for `notify`.
async fn retry_record(projectors: Projectors, consumer: usize, streamed: Streamed) -> Answer {
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

/// Returns the time `millis` milliseconds after a time.
pub(super) fn millis_behind(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(at.millis() + millis).unwrap()
}

fn failed(error: RebuildError) -> Failed {
    Failed(error.to_string())
}

fn row_failed(error: RowError) -> Failed {
    Failed(error.to_string())
}

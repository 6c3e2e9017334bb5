//! Works of several pieces, carried out as a state machine of Step Functions does: rebuilds,
//! sweeps and announcings. A piece is one invocation with a time limit. The answer of an unfinished
//! piece is the input of its next invocation; a failed invocation is repeated with the same input.

use domain::Timestamp;
use projectors::{
    announce::Announce,
    task::{Plan, Task},
};

use super::{operator::millis_behind, *};
use crate::core::Act;

/// The most pieces of a work that run at the same time.
const PIECES_AT_ONCE: usize = 2;

/// The most segments, and the most buckets, of a work.
const SEGMENTS_MAX: usize = 3;

/// The longest time limit of a piece in milliseconds, without the reserve that it keeps to end.
const PIECE_MILLIS_MAX: usize = 1_500;

/// The kind of a work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rebuild,
    Verify,
    Sweep,
    Announcing { from: Timestamp, to: Timestamp },
}

/// A work of several pieces: one execution of a state machine.
#[derive(Debug)]
pub(super) struct Work {
    number: u64,
    kind: Kind,
    /// Whether it began after faults were switched off. Then what is refused is refused for ever.
    undisturbed: bool,
    /// The inputs of pieces that can be invoked, for the first time or again.
    waiting: Vec<Value>,
    /// The inputs of pieces that can be invoked once all of `waiting` are done.
    then: Vec<Value>,
    running: usize,
    /// The number of histories that could not be folded, or of messages that were not accepted.
    refused: u64,
}

impl Work {
    /// Returns its number where one of its pieces can be invoked now.
    pub(super) fn startable(&self) -> Option<u64> {
        (!self.waiting.is_empty() && self.running < PIECES_AT_ONCE).then_some(self.number)
    }
}

impl World {
    /// Begins a rebuild of all rows; without `repair` it only compares them and repairs nothing.
    pub(super) fn begin_rebuild(&mut self, repair: bool) {
        self.operator.rebuild_due &= !repair;
        let plan = Task::Plan(Plan {
            run: format!("run-{}", self.operator.works_begun),
            segments: 1 + self.core.choose(SEGMENTS_MAX) as u32,
            buckets: 1 + self.core.choose(SEGMENTS_MAX) as u32,
            repair,
            only: None,
        });
        let kind = match repair {
            true => Kind::Rebuild,
            false => Kind::Verify,
        };
        self.begin(kind, vec![json!(plan)]);
    }

    pub(super) fn begin_sweep(&mut self) {
        self.begin(Kind::Sweep, vec![json!({ "operation": "sweep" })]);
    }

    pub(super) fn begin_announcing(&mut self) {
        let Some((from, to)) = self.operator.announce_due.take() else {
            return;
        };
        let late = i64::from(self.core.defect == Some(Defect::LateBeginning));
        let first = millis_behind(from, late);
        let segments = 1 + self.core.choose(SEGMENTS_MAX) as u32;
        let pieces = (0..segments).map(|segment| Announce::new((segment, segments), first, to));
        let pieces = pieces.map(|piece| json!(piece)).collect();
        self.begin(Kind::Announcing { from, to }, pieces);
    }

    fn begin(&mut self, kind: Kind, waiting: Vec<Value>) {
        self.core.note(|| format!("begin {kind:?}"));
        self.operator.works.push(Work {
            number: self.operator.works_begun,
            kind,
            undisturbed: !self.core.faults_on(),
            waiting,
            then: Vec::new(),
            running: 0,
            refused: 0,
        });
        self.operator.works_begun += 1;
    }

    /// Invokes a random waiting piece of a work, with a random time limit.
    pub(super) fn invoke_piece(&mut self, number: u64) {
        let Some(work) = self.work(number) else {
            return;
        };
        let place = self.core.choose(self.operator.works[work].waiting.len());
        let work = &mut self.operator.works[work];
        let piece = work.waiting.swap_remove(place);
        work.running += 1;
        let millis = self.core.choose(PIECE_MILLIS_MAX) as i64;
        self.core.note(|| format!("piece {piece}, {millis} ms"));
        let end = millis_behind(self.core.now(), millis);
        let (kind, state) = (work.kind, piece.clone());
        let projectors = self.projectors();
        let handle: Running = match kind {
            Kind::Announcing { .. } => Box::pin(announce(projectors, state, end)),
            Kind::Rebuild | Kind::Verify | Kind::Sweep => Box::pin(async move {
                let reserve = projectors::limits::REBUILD_RESERVE.as_millis() as i64;
                let invocation = Invocation {
                    deadline: Some(millis_behind(end, reserve)),
                    ..Invocation::of("piece")
                };
                let payload = payload(&state.to_string());
                projectors.handle(Role::Rebuild, payload, &invocation).await
            }),
        };
        self.running.push((Job::Piece { number, piece }, handle));
    }

    pub(super) fn piece_ended(&mut self, number: u64, piece: Value, answer: Answer) {
        let Some(place) = self.work(number) else {
            return;
        };
        let skips = self.core.defect == Some(Defect::SkippedRest);
        let work = &mut self.operator.works[place];
        work.running -= 1;
        match answer {
            // A failed piece of a sweep is not repeated: the next scheduled sweep replaces it.
            Err(_) if work.kind == Kind::Sweep => {
                self.operator.works.swap_remove(place);
                return;
            }
            Err(_) => work.waiting.push(piece),
            Ok(mut answer) if answer.get("gather").is_some() => {
                work.waiting = pieces(&mut answer, "gather");
                work.then = pieces(&mut answer, "settle");
            }
            Ok(answer) if answer["done"] == true || (skips && answer["operation"] == "settle") => {
                let refused = |name| answer["counted"][name].as_u64().unwrap_or_default();
                work.refused += refused("unreadable") + refused("refused");
            }
            Ok(answer) => {
                if answer != piece {
                    self.core.did(Act::Continued);
                }
                work.waiting.push(answer);
            }
        }
        if work.running == 0 && work.waiting.is_empty() {
            work.waiting = std::mem::take(&mut work.then);
            if work.waiting.is_empty() {
                let work = self.operator.works.swap_remove(place);
                self.work_ended(&work);
            }
        }
    }

    /// Ends a work. What was refused may have been refused by a fault, so it is due again where the
    /// work began while faults could strike.
    fn work_ended(&mut self, work: &Work) {
        let again = work.refused > 0 && !work.undisturbed;
        match work.kind {
            Kind::Sweep => self.core.did(Act::Swept),
            Kind::Verify => self.core.did(Act::Verified),
            Kind::Rebuild => {
                self.core.did(Act::RebuiltAll);
                self.operator.rebuild_due |= again;
                self.observed.reported_unreadable[PROJECT] |= work.refused > 0;
            }
            Kind::Announcing { from, to } => {
                self.core.did(Act::Announced);
                if again {
                    self.operator.must_announce(from, to);
                }
                self.observed.reported_unreadable[NOTIFY] |= work.refused > 0;
            }
        }
    }

    fn work(&self, number: u64) -> Option<usize> {
        let mut works = self.operator.works.iter();
        works.position(|work| work.number == number)
    }
}

/// Announces the rest of a segment until `end`. Where that fails, the next invocation continues
/// from the state that this one has reached.
async fn announce(projectors: Projectors, state: Value, end: Timestamp) -> Answer {
    let mut announce: Announce = serde_json::from_value(state).unwrap();
    let enough = || projectors.clock.now() >= end;
    if let Err(error) = announce.step(&projectors, enough).await {
        tracing::warn!(%error, "announcing is cut off");
    }
    Ok(json!(announce))
}

fn pieces(answer: &mut Value, name: &str) -> Vec<Value> {
    match answer[name].take() {
        Value::Array(pieces) => pieces,
        _ => Vec::new(),
    }
}

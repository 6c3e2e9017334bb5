//! Choices, time, faults, and how a task waits.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
};

use domain::Timestamp;

use crate::defects::Defect;

/// What can go wrong, each at a rate of its own that the seed draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A call is turned away before it has an effect: a throttle, a 5xx, a conflict.
    Throttle,
    /// A call has its effect, and its answer is lost: a time-out, a cut connection.
    LostAnswer,
    /// One entry of a call fails, and the call says 200.
    Entry,
    /// An invocation is gone, wherever it stands.
    Crash,
    /// A trigger comes once more though it was done.
    Duplicate,
    /// A record overtakes others in its shard.
    Reorder,
    /// The clock jumps.
    ClockJump,
    /// Nobody reads the stream for longer than it keeps its records.
    Outage,
    /// An operator rebuilds an aggregate's rows while commands flow: no fault, but a rival.
    Rebuild,
    /// A commit that nobody can read.
    Poison,
    /// A row or a message is refused as if for ever, by a mistake that is mended later.
    Refusal,
    /// Somebody changes, removes or invents rows.
    Spoiling,
    /// An operator comes by and sets going again what has stopped: no fault either.
    Operator,
    /// A sweep goes through the store, by the clock.
    Sweep,
    /// Hours go by in which nothing is heard of any shipment.
    Silence,
    /// The schedule has the watcher look for stalled shipments, whatever else goes on.
    Watch,
    /// The key that wraps the keys of persons is changed.
    Rotation,
    /// A call takes long to begin.
    Slow,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 18] = [
        Self::Throttle,
        Self::LostAnswer,
        Self::Entry,
        Self::Crash,
        Self::Duplicate,
        Self::Reorder,
        Self::ClockJump,
        Self::Outage,
        Self::Rebuild,
        Self::Poison,
        Self::Refusal,
        Self::Spoiling,
        Self::Operator,
        Self::Sweep,
        Self::Silence,
        Self::Watch,
        Self::Rotation,
        Self::Slow,
    ];

    /// The highest rate, in thousandths of the occasions, that a seed may draw.
    const fn highest_rate(self) -> u32 {
        match self {
            Self::Throttle | Self::LostAnswer | Self::Duplicate => 120,
            Self::Entry => 250,
            Self::Crash => 40,
            Self::Reorder => 500,
            Self::ClockJump => 20,
            Self::Outage => 6,
            Self::Rebuild => 10,
            Self::Poison => 300,
            Self::Refusal => 12,
            Self::Spoiling => 2,
            Self::Operator => 10,
            Self::Sweep => 2,
            Self::Silence => 8,
            Self::Watch => 16,
            Self::Rotation => 200,
            Self::Slow => 20,
        }
    }
}

/// What an operator, or what works for one, has brought to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// One aggregate's rows were made again.
    RebuiltOne,
    /// All rows were compared with all histories.
    RebuiltAll,
    /// Messages of a time were sent once more.
    Announced,
    /// A sweep has ended.
    Swept,
    /// A piece of one of those was gone on with where it had been cut off.
    GoneOn,
    /// What was parked was gone through.
    WentThroughParked,
    /// A parked aggregate was taken up.
    Resumed,
    /// A parked aggregate stayed so.
    Stayed,
    /// A record of the stream was redriven.
    RecordRedriven,
    /// An event was redriven.
    EventRedriven,
    /// A dead letter was tried and stayed one.
    LetterStayed,
    /// The watcher went through every status.
    Watched,
    /// All rows were compared with all histories, and none was mended.
    Verified,
    /// An erasure was answered.
    Erased,
    /// An order's history was read.
    Read,
}

impl Act {
    /// Every one.
    pub const ALL: [Self; 15] = [
        Self::RebuiltOne,
        Self::RebuiltAll,
        Self::Announced,
        Self::Swept,
        Self::GoneOn,
        Self::WentThroughParked,
        Self::Resumed,
        Self::Stayed,
        Self::RecordRedriven,
        Self::EventRedriven,
        Self::LetterStayed,
        Self::Watched,
        Self::Verified,
        Self::Erased,
        Self::Read,
    ];
}

/// Where choices come from.
pub trait Chooser: Send {
    /// One of `options`, from 0; there is at least one.
    fn choose(&mut self, options: usize) -> usize;
}

/// Choices drawn from a seed.
pub struct Seeded(pub fastrand::Rng);

impl Chooser for Seeded {
    fn choose(&mut self, options: usize) -> usize {
        self.0.usize(0..options)
    }
}

/// How much has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps of the scheduler.
    pub steps: u64,
    /// Calls of ports.
    pub calls: u64,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// What was done to set things right.
    pub acts: BTreeMap<Act, u64>,
}

impl Tally {
    /// Every fault that struck.
    pub fn faults_in_all(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.calls += other.calls;
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (act, count) in &other.acts {
            *self.acts.entry(*act).or_default() += count;
        }
    }
}

/// The one state that all parts of a world share.
struct State {
    chooser: Box<dyn Chooser>,
    rates: BTreeMap<Fault, u32>,
    faults_on: bool,
    millis: i64,
    offset: i64,
    latest: i64,
    puts: u64,
    tally: Tally,
    trace: Option<Vec<String>>,
}

/// A handle on it.
#[derive(Clone)]
pub struct Core {
    state: Arc<Mutex<State>>,
    /// The defect that is planted.
    pub defect: Option<Defect>,
    /// Is a call held up after its effect only? Whatever happens between that and the next call's
    /// effect is the same as if it had happened there: fewer interleavings, none of them lost.
    pub coarse: bool,
}

/// 2024-01-15T12:00:00Z
const BEGINNING: i64 = 1_705_320_000_000;

impl Core {
    /// A core whose choices come from `chooser`; with `traced` it writes down what happens.
    pub fn new(chooser: Box<dyn Chooser>, defect: Option<Defect>, traced: bool) -> Self {
        let state = State {
            chooser,
            rates: BTreeMap::new(),
            faults_on: true,
            millis: BEGINNING,
            offset: 0,
            latest: BEGINNING,
            puts: 0,
            tally: Tally::default(),
            trace: traced.then(Vec::new),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            defect,
            coarse: false,
        }
    }

    /// A core for every interleaving of a small world.
    pub fn coarse(chooser: Box<dyn Chooser>, traced: bool) -> Self {
        Self {
            coarse: true,
            ..Self::new(chooser, None, traced)
        }
    }

    /// Draws a rate for every fault but those of `without`.
    pub fn draw_rates(&self, without: &[Fault]) {
        for fault in Fault::ALL {
            // Drawn in any case, so that leaving one out changes nothing else about a seed.
            let rate = self.choose(fault.highest_rate() as usize + 1) as u32;
            if !without.contains(&fault) {
                self.state().rates.insert(fault, rate);
            }
        }
    }

    /// One of `options`, from 0.
    pub fn choose(&self, options: usize) -> usize {
        self.state().chooser.choose(options)
    }

    /// Does this fault strike now?
    pub fn strikes(&self, fault: Fault) -> bool {
        let mut state = self.state();
        let rate = state.rates.get(&fault).copied().unwrap_or_default();
        if !state.faults_on || rate == 0 || state.chooser.choose(1_000) >= rate as usize {
            return false;
        }
        *state.tally.faults.entry(fault).or_default() += 1;
        drop(state);
        self.note(|| format!("! {fault:?}"));
        true
    }

    /// From now on nothing goes wrong any more.
    pub fn end_faults(&self) {
        self.state().faults_on = false;
    }

    /// A step of the scheduler: time goes on, and may jump.
    pub fn step(&self) {
        let jump = self.strikes(Fault::ClockJump);
        let millis = self.choose(50) as i64;
        let hours = if jump { self.choose(7) as i64 - 3 } else { 0 };
        let mut state = self.state();
        state.tally.steps += 1;
        state.millis += millis;
        state.offset += hours * 3_600_000;
        state.latest = state.latest.max(state.millis + state.offset);
    }

    /// Hours go by in which nobody does anything.
    pub fn outage(&self, hours: i64) {
        self.pass(hours * 3_600_000);
    }

    /// Milliseconds go by in which nobody does anything.
    pub fn pass(&self, millis: i64) {
        let mut state = self.state();
        state.millis += millis;
        state.latest = state.latest.max(state.millis + state.offset);
    }

    /// The latest time that a clock has shown so far: it may have gone back since.
    pub fn latest(&self) -> Timestamp {
        Timestamp::from_millis(self.state().latest).unwrap()
    }

    /// Counts a put of a commit, whatever becomes of it.
    pub fn count_put(&self) {
        self.state().puts += 1;
    }

    /// Puts of commits so far.
    pub fn puts(&self) -> u64 {
        self.state().puts
    }

    /// Milliseconds that have gone by, whatever clocks show.
    pub fn elapsed(&self) -> i64 {
        self.state().millis - BEGINNING
    }

    /// What a clock shows.
    pub fn now(&self) -> Timestamp {
        let state = self.state();
        Timestamp::from_millis(state.millis + state.offset).unwrap()
    }

    /// Counts a call.
    pub fn count_call(&self) {
        self.state().tally.calls += 1;
    }

    /// Counts what was done to set things right.
    pub fn did(&self, act: Act) {
        *self.state().tally.acts.entry(act).or_default() += 1;
        self.note(|| format!("+ {act:?}"));
    }

    /// Does anything go wrong yet?
    pub fn faults_on(&self) -> bool {
        self.state().faults_on
    }

    /// How much has happened.
    pub fn tally(&self) -> Tally {
        self.state().tally.clone()
    }

    /// Writes down what happens, where somebody wants to read it.
    pub fn note(&self, text: impl FnOnce() -> String) {
        let mut state = self.state();
        if let Some(trace) = &mut state.trace {
            let line = text();
            trace.push(line);
        }
    }

    /// What has been written down.
    pub fn trace(&self) -> Vec<String> {
        self.state().trace.clone().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Waits until the scheduler moves this task again.
pub async fn hold() {
    let mut held = false;
    poll_fn(|context| {
        if std::mem::replace(&mut held, true) {
            return Poll::Ready(());
        }
        // A task may hold several calls at once; each of them wants to be asked again.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

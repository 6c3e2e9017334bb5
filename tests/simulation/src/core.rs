//! The random choices, the simulated time, the faults, and how a task is suspended.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
};

use domain::Timestamp;

use crate::defects::Defect;

/// A kind of fault or of competing activity. The seed draws a rate for each kind, from 0 to its
/// highest rate (`highest_rate`). The names are the values of `cargo sim --without`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A call fails before it has an effect, as by a throttle, a 5xx or a transaction conflict.
    Throttle,
    /// A call has its effect but its answer is lost, as by a time-out or a closed connection.
    LostAnswer,
    /// One entry of a batch call fails, and the call itself answers 200.
    Entry,
    /// An invocation ends without an answer, at whichever call it is suspended.
    Crash,
    /// A trigger that has succeeded is delivered once more.
    Duplicate,
    /// A record of the stream overtakes earlier records of its shard.
    Reorder,
    /// The clock jumps by up to three hours, forward or back.
    ClockJump,
    /// Nobody reads the stream for longer than it keeps its records.
    Outage,
    /// An operator rebuilds the rows of one aggregate while commands are running. This is no fault
    /// but a competing writer.
    Rebuild,
    /// The events table holds a commit of a version that this code cannot read.
    Poison,
    /// A row or a message is refused with a permanent error, as by a mistake in the configuration
    /// that is corrected later.
    Refusal,
    /// Somebody changes, removes or inserts rows by hand.
    Spoiling,
    /// An operator starts one action, such as a retry or a rebuild. This is no fault either.
    Operator,
    /// A scheduled sweep of the whole store starts.
    Sweep,
    /// One to four hours pass in which no shipment gets an update.
    Silence,
    /// The schedule invokes the watcher, which looks for stalled shipments, while others work.
    Watch,
    /// The master key that wraps the keys of personal data is rotated.
    Rotation,
    /// A call is delayed for many steps before its effect.
    Slow,
}

impl Fault {
    /// Every kind of fault.
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

/// An action of an operator, of a scheduled function or of a reader that has been completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// The rows of one aggregate were rebuilt.
    RebuiltOne,
    /// All rows were compared with all histories, and those that differed were repaired.
    RebuiltAll,
    /// The messages of a range of time were sent once more.
    Announced,
    /// A sweep of the whole store has ended.
    Swept,
    /// A piece of a rebuild, an announcing or a sweep ran out of time, and answered the state from
    /// which the next invocation continues.
    Continued,
    /// All parked aggregates were tried.
    TriedAllParked,
    /// A parked aggregate was resumed.
    Resumed,
    /// A parked aggregate was tried and stayed parked.
    Stayed,
    /// A dead letter with a record of the stream was retried with success.
    RecordRetried,
    /// A dead letter with an event was retried with success.
    EventRetried,
    /// A dead letter was retried without any fault, was refused again, and stayed a dead letter.
    DeadLetterStayed,
    /// The watcher has looked at the shipments of every status.
    Watched,
    /// All rows were compared with all histories, without a repair.
    Verified,
    /// The erasure of a person's data was answered with 200.
    Erased,
    /// The history of an order was read over the API.
    HistoryRead,
}

impl Act {
    /// Every kind of act.
    pub const ALL: [Self; 15] = [
        Self::RebuiltOne,
        Self::RebuiltAll,
        Self::Announced,
        Self::Swept,
        Self::Continued,
        Self::TriedAllParked,
        Self::Resumed,
        Self::Stayed,
        Self::RecordRetried,
        Self::EventRetried,
        Self::DeadLetterStayed,
        Self::Watched,
        Self::Verified,
        Self::Erased,
        Self::HistoryRead,
    ];
}

/// The source of all choices of a world.
pub trait Chooser: Send {
    /// Returns a number from 0 to `options` - 1. `options` is at least 1.
    fn choose(&mut self, options: usize) -> usize;
}

/// Choices of a random number generator, which a seed has started.
pub struct Seeded(pub fastrand::Rng);

impl Chooser for Seeded {
    fn choose(&mut self, options: usize) -> usize {
        self.0.usize(0..options)
    }
}

/// Counts of what has happened in one run, or in many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The steps of the scheduler.
    pub steps: u64,
    /// The calls of ports.
    pub calls: u64,
    /// The faults that struck, by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// The acts that were completed, by kind.
    pub acts: BTreeMap<Act, u64>,
}

impl Tally {
    /// Returns the number of faults that struck, of all kinds together.
    pub fn faults_in_all(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Adds the counts of another tally to these.
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

/// The state that all parts of a world share. A clock shows `millis + offset`, both in
/// milliseconds: `millis` only grows, a jump of the clock changes `offset`, and `latest` is the
/// greatest time that a clock has shown. `puts` counts the puts of commits, failed ones too.
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

/// A shared handle to the choices, the time and the counts of a world. A clone is the same world.
#[derive(Clone)]
pub struct Core {
    state: Arc<Mutex<State>>,
    /// The defect that is planted in this world, if any.
    pub defect: Option<Defect>,
    /// Whether a task is suspended only after the effect of a call, and not before it too. Whatever
    /// others do between the effect of one call and that of the next is the same as if they did it
    /// at this one suspension, so this leaves fewer interleavings to try and loses none.
    pub coarse: bool,
}

/// The time at which every world begins, in milliseconds since 1970: 2024-01-15T12:00:00Z.
const BEGINNING: i64 = 1_705_320_000_000;

impl Core {
    /// Returns a core whose choices come from `chooser`. With `traced` it records a trace, one line
    /// for each thing that happens.
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

    /// Returns a core for the interleavings of a small world, with the field `coarse` set.
    pub fn coarse(chooser: Box<dyn Chooser>, traced: bool) -> Self {
        Self {
            coarse: true,
            ..Self::new(chooser, None, traced)
        }
    }

    /// Draws a rate for every fault. The faults of `without` keep the rate 0.
    pub fn draw_rates(&self, without: &[Fault]) {
        for fault in Fault::ALL {
            // The rate is drawn in any case, so that excluding a fault does not change the choices
            // that follow.
            let rate = self.choose(fault.highest_rate() as usize + 1) as u32;
            if !without.contains(&fault) {
                self.state().rates.insert(fault, rate);
            }
        }
    }

    /// Returns a number from 0 to `options` - 1, as the world's [`Chooser`] chooses.
    pub fn choose(&self, options: usize) -> usize {
        self.state().chooser.choose(options)
    }

    /// Decides by this fault's rate whether it strikes now. Counts it and traces it where it does.
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

    /// Switches all faults off for the rest of the run.
    pub fn end_faults(&self) {
        self.state().faults_on = false;
    }

    /// Counts a step of the scheduler and advances time by up to 49 ms; the clock may jump.
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

    /// Advances time by so many hours, in which nobody does anything.
    pub fn pass_hours(&self, hours: i64) {
        self.pass_millis(hours * 3_600_000);
    }

    /// Advances time by so many milliseconds, in which nobody does anything.
    pub fn pass_millis(&self, millis: i64) {
        let mut state = self.state();
        state.millis += millis;
        state.latest = state.latest.max(state.millis + state.offset);
    }

    /// Returns the latest time that a clock has shown so far. The clock may have gone back since.
    pub fn latest(&self) -> Timestamp {
        Timestamp::from_millis(self.state().latest).unwrap()
    }

    /// Counts a put of a commit, whether it succeeds or not.
    pub fn count_put(&self) {
        self.state().puts += 1;
    }

    /// Returns the number of puts of commits so far, failed ones included.
    pub fn puts(&self) -> u64 {
        self.state().puts
    }

    /// Returns the milliseconds that have passed since the world began. Jumps of the clock do not
    /// change them.
    pub fn elapsed(&self) -> i64 {
        self.state().millis - BEGINNING
    }

    /// Returns the time that a clock shows, jumps included.
    pub fn now(&self) -> Timestamp {
        let state = self.state();
        Timestamp::from_millis(state.millis + state.offset).unwrap()
    }

    /// Counts a call of a port.
    pub fn count_call(&self) {
        self.state().tally.calls += 1;
    }

    /// Counts and traces an act that was completed.
    pub fn did(&self, act: Act) {
        *self.state().tally.acts.entry(act).or_default() += 1;
        self.note(|| format!("+ {act:?}"));
    }

    /// Returns whether faults can still strike.
    pub fn faults_on(&self) -> bool {
        self.state().faults_on
    }

    /// Returns the counts of what has happened so far.
    pub fn tally(&self) -> Tally {
        self.state().tally.clone()
    }

    /// Adds a line to the trace, where this run records one.
    pub fn note(&self, text: impl FnOnce() -> String) {
        let mut state = self.state();
        if let Some(trace) = &mut state.trace {
            let line = text();
            trace.push(line);
        }
    }

    /// Returns the trace, a line for each thing that happened. It is empty where none is recorded.
    pub fn trace(&self) -> Vec<String> {
        self.state().trace.clone().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Suspends the current task until the scheduler polls it again.
pub async fn suspend() {
    let mut held = false;
    poll_fn(|context| {
        if std::mem::replace(&mut held, true) {
            return Poll::Ready(());
        }
        // A task may await several calls at once, and a combinator polls again only the calls that
        // were woken.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

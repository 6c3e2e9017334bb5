//! Long work that goes on in this process, whichever page is open: a retry, and a run over the whole
//! store. One of each at a time.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use operator::{
    Environment, Kind, OperatorError, Progress, Stage,
    lock::LockHolder,
    retry::{self, LetterId, Report, Retried, Selection},
    rows::{Options, PastRun, Summary, WholeRun, remember_run},
};

use tokio::time::{Duration, Instant};

use crate::{backend::Failure, limits::RETRIED_SHOWN};

/// The work of this process.
#[derive(Default)]
pub struct Jobs {
    retry: Slot<Take, Report>,
    whole: Slot<Kind, Whole>,
}

/// What is taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// All of this.
    All(Selection),
    /// What one consumer has parked of one order or shipment.
    Parked {
        /// `project` or `notify`.
        consumer: String,
        /// As it stands in the key.
        aggregate: String,
    },
    /// One dead letter.
    Letter(LetterId),
}

/// What came of a run over the whole store.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    /// What came of it; with the rows of the first findings.
    pub summary: Summary,
    /// What it is called among the past runs, where it could be written down.
    pub name: Option<String>,
}

/// One kind of work: that which is under way, or has ended last.
struct Slot<What, Came>(Mutex<Option<Arc<Job<What, Came>>>>);

impl<What, Came> Default for Slot<What, Came> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// A piece of work.
pub struct Job<What, Came> {
    /// What is done.
    pub what: What,
    stop: AtomicBool,
    state: Mutex<State<Came>>,
}

/// How far a piece of work is.
#[derive(Debug, Clone)]
pub struct State<Came> {
    /// What it is doing.
    pub stage: Option<Stage>,
    /// How much of that is done,
    pub done: u64,
    /// of about so many.
    pub total: u64,
    /// What was taken up last, at most [`RETRIED_SHOWN`].
    pub retried: Vec<Retried>,
    /// What came of it, or why it has ended.
    pub ended: Option<Result<Came, Failure>>,
    /// When it has ended.
    ended_at: Option<Instant>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<What, Came: Clone> Job<What, Came> {
    fn new(what: What) -> Self {
        Self {
            what,
            stop: AtomicBool::new(false),
            state: Mutex::new(State {
                stage: None,
                done: 0,
                total: 0,
                retried: Vec::new(),
                ended: None,
                ended_at: None,
            }),
        }
    }

    /// How far it is.
    pub fn state(&self) -> State<Came> {
        locked(&self.state).clone()
    }

    /// Is it under way?
    pub fn goes_on(&self) -> bool {
        locked(&self.state).ended.is_none()
    }

    /// Is it under way, or has it ended no longer ago than this?
    pub fn is_news(&self, within: Duration) -> bool {
        let ended_at = locked(&self.state).ended_at;
        ended_at.is_none_or(|at| at.elapsed() < within)
    }

    /// Asks it to stop; it does so within a second or so.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Was it asked to stop?
    pub fn is_asked_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn end(&self, came: Result<Came, Failure>) {
        let mut state = locked(&self.state);
        (state.ended, state.ended_at) = (Some(came), Some(Instant::now()));
    }
}

impl<What: Send + Sync, Came: Send> Progress for Job<What, Came> {
    fn begins(&self, stage: Stage, done: u64, total: u64) {
        let mut state = locked(&self.state);
        (state.stage, state.done, state.total) = (Some(stage), done, total);
    }

    fn advances(&self, by: u64) {
        locked(&self.state).done += by;
    }

    fn retries(&self, retried: &Retried) {
        let mut state = locked(&self.state);
        if state.retried.len() < RETRIED_SHOWN {
            state.retried.push(retried.clone());
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl<What: Send + Sync + 'static, Came: Clone + Send + 'static> Slot<What, Came> {
    fn last(&self) -> Option<Arc<Job<What, Came>>> {
        locked(&self.0).clone()
    }

    /// Begins it; the one that is under way where there is one.
    fn begin<Work>(
        &self,
        what: What,
        work: impl FnOnce(Arc<Job<What, Came>>) -> Work,
    ) -> Result<(), Arc<Job<What, Came>>>
    where
        Work: Future<Output = Result<Came, OperatorError>> + Send + 'static,
    {
        let mut slot = locked(&self.0);
        if let Some(job) = slot.as_ref().filter(|job| job.goes_on()) {
            return Err(Arc::clone(job));
        }
        let job = Arc::new(Job::new(what));
        let done = tokio::spawn(work(Arc::clone(&job)));
        *slot = Some(Arc::clone(&job));
        tokio::spawn(async move {
            let came = match done.await {
                // Whoever looks alone begins nothing.
                Ok(came) => came.map_err(|error| Failure::from(error).of_operators()),
                Err(_) => Err(Failure::Said {
                    status: 500,
                    message: "it has ended by a defect: the console's log says more".to_owned(),
                }),
            };
            job.end(came);
        });
        Ok(())
    }
}

impl Jobs {
    /// The retry that is under way, or the last one.
    pub fn retry(&self) -> Option<Arc<Job<Take, Report>>> {
        self.retry.last()
    }

    /// The run over the whole store that is under way in this process, or the last one.
    pub fn whole(&self) -> Option<Arc<Job<Kind, Whole>>> {
        self.whole.last()
    }

    /// Takes it up. Where another retry is under way, nothing begins.
    pub fn take_up(&self, environment: Arc<Environment>, take: Take) {
        let wanted = take.clone();
        let _ = self.retry.begin(take, |job| async move {
            match wanted {
                Take::All(wanted) => retry::all(&environment, &wanted, &*job).await,
                Take::Parked {
                    consumer,
                    aggregate,
                } => {
                    let one = retry::one_parked(&environment, &consumer, &aggregate);
                    one.await.map(|retried| of_one(&*job, retried))
                }
                Take::Letter(id) => {
                    let one = retry::one_letter(&environment, &id);
                    one.await.map(|retried| of_one(&*job, retried))
                }
            }
        });
    }

    /// Begins a run, or goes on with one, and remembers it under `state` when it has ended. An error
    /// where this process or another one is at one.
    pub async fn go_through(
        &self,
        environment: Arc<Environment>,
        options: Options,
        state: &Path,
    ) -> Result<(), OperatorError> {
        let busy = || OperatorError::Busy("this console is at another run: one at a time".into());
        if self.whole.last().is_some_and(|job| job.goes_on()) {
            return Err(busy());
        }
        let run = Box::pin(WholeRun::begin(&environment, &options)).await?;
        let state = state.to_owned();
        let begun = self.whole.begin(options.kind, |job| async move {
            let begun = run.begun();
            let summary = run.finish(&*job).await?;
            let past = PastRun {
                kind: options.kind,
                only: options.only,
                begun,
                ended: environment.now(),
                by: LockHolder::this_process().command,
                summary,
            };
            let name = remember_run(&state, environment.name(), &past);
            if let Err(error) = &name {
                tracing::warn!(%error, "a run is not remembered");
            }
            Ok(Whole {
                summary: past.summary,
                name: name.ok(),
            })
        });
        begun.map_err(|_| busy())
    }
}

/// The report of one thing.
fn of_one(progress: &dyn Progress, retried: Retried) -> Report {
    progress.retries(&retried);
    Report {
        done: retried.done.into(),
        stays: (!retried.done).into(),
        retried: vec![retried],
        ..Report::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_a_defect_is_an_end() {
        let slot: Slot<u8, u8> = Slot::default();
        let (go, gone) = oneshot::channel::<()>();
        let work = |_| async {
            let _ = gone.await;
            Ok(7)
        };
        assert!(slot.begin(1, work).is_ok());
        let refused = slot.begin(2, |_| async { Ok(8) });
        assert_eq!(refused.err().unwrap().what, 1);
        let first = slot.last().unwrap();
        go.send(()).unwrap();
        while first.goes_on() {
            tokio::task::yield_now().await;
        }
        assert_eq!(first.state().ended, Some(Ok(7)));
        assert!(first.is_news(Duration::from_secs(60)) && !first.is_news(Duration::ZERO));
        assert!(slot.begin(3, |_| async { panic!("a defect") }).is_ok());
        let last = slot.last().unwrap();
        while last.goes_on() {
            tokio::task::yield_now().await;
        }
        assert!(last.state().ended.unwrap().is_err());
    }

    #[tokio::test]
    async fn who_is_told_to_stop_hears_it() {
        let job: Job<u8, u8> = Job::new(1);
        assert!(!job.stopped());
        job.stop();
        assert!(job.stopped() && job.is_asked_to_stop());
    }
}

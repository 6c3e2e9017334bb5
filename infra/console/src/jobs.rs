//! Long jobs that run in this process, whichever page is open: retries, and runs over the whole
//! store. There is at most one of each at a time.

use std::{
    collections::{BTreeMap, VecDeque},
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

/// The jobs of this process.
#[derive(Default)]
pub struct Jobs {
    retry: Slot<RetryTask, Report>,
    whole: Slot<Kind, RunOutcome>,
}

/// What a retry retries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetryTask {
    /// Everything of this selection.
    All(Selection),
    /// The parked position of one consumer in one order or shipment.
    Parked {
        /// `project` or `notify`.
        consumer: String,
        /// The aggregate as the key writes it, such as `order#A-1`.
        aggregate: String,
    },
    /// One dead letter.
    Letter(LetterId),
}

/// The result of a run over the whole store.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOutcome {
    /// The counts and findings of the run, with both rows of the first findings.
    pub summary: Summary,
    /// The name of the run among the past runs; `None` where it could not be stored.
    pub name: Option<String>,
}

/// The last job of one kind, which may still be running.
struct Slot<Task, Output>(Mutex<Option<Arc<Job<Task, Output>>>>);

impl<Task, Output> Default for Slot<Task, Output> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// A job that runs in this process.
pub struct Job<Task, Output> {
    /// What the job works on.
    pub task: Task,
    stop: AtomicBool,
    state: Mutex<State<Output>>,
}

/// The progress of a job.
#[derive(Debug, Clone)]
pub struct State<Output> {
    /// The current stage.
    pub stage: Option<Stage>,
    /// The number of items done in the current stage.
    pub done: u64,
    /// The approximate number of items of the current stage.
    pub total: u64,
    /// What was retried so far, the last [`RETRIED_SHOWN`] of it, in the order of time.
    pub retried: VecDeque<Retried>,
    /// How much was retried so far, including what is not kept.
    pub retried_number: u64,
    /// The result, or the failure that ended the job; `None` while it runs.
    pub ended: Option<Result<Output, Failure>>,
    /// When the job ended.
    ended_at: Option<Instant>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<Task, Output: Clone> Job<Task, Output> {
    fn new(task: Task) -> Self {
        Self {
            task,
            stop: AtomicBool::new(false),
            state: Mutex::new(State {
                stage: None,
                done: 0,
                total: 0,
                retried: VecDeque::new(),
                retried_number: 0,
                ended: None,
                ended_at: None,
            }),
        }
    }

    /// Returns the progress.
    pub fn state(&self) -> State<Output> {
        locked(&self.state).clone()
    }

    /// Whether the job is running.
    pub fn is_running(&self) -> bool {
        locked(&self.state).ended.is_none()
    }

    /// Whether the job is running, or ended less than `within` ago.
    pub fn ended_within(&self, within: Duration) -> bool {
        let ended_at = locked(&self.state).ended_at;
        ended_at.is_none_or(|at| at.elapsed() < within)
    }

    /// Asks the job to stop. It stops within about a second.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the job was asked to stop.
    pub fn is_asked_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn end(&self, output: Result<Output, Failure>) {
        let mut state = locked(&self.state);
        (state.ended, state.ended_at) = (Some(output), Some(Instant::now()));
    }
}

impl<Task: Send + Sync, Output: Send> Progress for Job<Task, Output> {
    fn begins(&self, stage: Stage, done: u64, total: u64) {
        let mut state = locked(&self.state);
        (state.stage, state.done, state.total) = (Some(stage), done, total);
    }

    fn advances(&self, by: u64) {
        locked(&self.state).done += by;
    }

    fn retries(&self, retried: &Retried) {
        let mut state = locked(&self.state);
        if state.retried.len() == RETRIED_SHOWN {
            state.retried.pop_front();
        }
        state.retried.push_back(retried.clone());
        state.retried_number += 1;
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl<Task: Send + Sync + 'static, Output: Clone + Send + 'static> Slot<Task, Output> {
    fn last(&self) -> Option<Arc<Job<Task, Output>>> {
        locked(&self.0).clone()
    }

    /// Starts a job. Fails with the running job where there is one.
    fn begin<Work>(
        &self,
        task: Task,
        work: impl FnOnce(Arc<Job<Task, Output>>) -> Work,
    ) -> Result<(), Arc<Job<Task, Output>>>
    where
        Work: Future<Output = Result<Output, OperatorError>> + Send + 'static,
    {
        let mut slot = locked(&self.0);
        if let Some(job) = slot.as_ref().filter(|job| job.is_running()) {
            return Err(Arc::clone(job));
        }
        let job = Arc::new(Job::new(task));
        let done = tokio::spawn(work(Arc::clone(&job)));
        *slot = Some(Arc::clone(&job));
        tokio::spawn(async move {
            let output = match done.await {
                // Users with the policy for reading start no jobs, so a denial names the operator's
                // policy.
                Ok(output) => output.map_err(|error| Failure::from(error).with_operator_policy()),
                Err(_) => Err(Failure::Message {
                    status: 500,
                    message: "the job ended because of a defect; the console's log says more"
                        .to_owned(),
                }),
            };
            job.end(output);
        });
        Ok(())
    }
}

impl Jobs {
    /// Returns the retry that is running, or the last one.
    pub fn retry(&self) -> Option<Arc<Job<RetryTask, Report>>> {
        self.retry.last()
    }

    /// Returns the run over the whole store that is running in this process, or the last one.
    pub fn whole_run(&self) -> Option<Arc<Job<Kind, RunOutcome>>> {
        self.whole.last()
    }

    /// Starts a retry. Does nothing where another retry is running.
    pub fn begin_retry(&self, environment: Arc<Environment>, task: RetryTask) {
        let of_job = task.clone();
        let _ = self.retry.begin(task, |job| async move {
            match of_job {
                RetryTask::All(wanted) => retry::all(&environment, &wanted, &*job).await,
                RetryTask::Parked {
                    consumer,
                    aggregate,
                } => {
                    let one = retry::one_parked(&environment, &consumer, &aggregate);
                    one.await.map(|retried| report_of_one(&*job, retried))
                }
                RetryTask::Letter(id) => {
                    let one = retry::one_letter(&environment, &id);
                    one.await.map(|retried| report_of_one(&*job, retried))
                }
            }
        });
    }

    /// Starts or continues a run, and stores its result under `state` when it ends. Fails where
    /// this process or another one is already working on a run.
    pub async fn begin_run(
        &self,
        environment: Arc<Environment>,
        options: Options,
        state: &Path,
    ) -> Result<(), OperatorError> {
        let busy = || {
            OperatorError::Busy(
                "this console is already working on a run; only one at a time is possible".into(),
            )
        };
        if self.whole.last().is_some_and(|job| job.is_running()) {
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
                mended: BTreeMap::new(),
            };
            let name = remember_run(&state, environment.name(), &past);
            if let Err(error) = &name {
                tracing::warn!(%error, "the result of a run could not be stored");
            }
            Ok(RunOutcome {
                summary: past.summary,
                name: name.ok(),
            })
        });
        begun.map_err(|_| busy())
    }
}

/// Returns the report of a retry of one thing.
fn report_of_one(progress: &dyn Progress, retried: Retried) -> Report {
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
    use operator::retry::RetriedKind;
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
        assert_eq!(refused.err().unwrap().task, 1);
        let first = slot.last().unwrap();
        go.send(()).unwrap();
        while first.is_running() {
            tokio::task::yield_now().await;
        }
        assert_eq!(first.state().ended, Some(Ok(7)));
        assert!(first.ended_within(Duration::from_secs(60)) && !first.ended_within(Duration::ZERO));
        assert!(slot.begin(3, |_| async { panic!("a defect") }).is_ok());
        let last = slot.last().unwrap();
        while last.is_running() {
            tokio::task::yield_now().await;
        }
        assert!(last.state().ended.unwrap().is_err());
    }

    #[test]
    fn the_last_of_many_that_were_retried_are_kept() {
        let job: Job<u8, u8> = Job::new(1);
        let all = RETRIED_SHOWN + 2;
        for number in 0..all {
            job.retries(&Retried {
                kind: RetriedKind::Message,
                name: number.to_string(),
                about: Vec::new(),
                done: true,
                reason: None,
                result: None,
            });
        }
        let state = job.state();
        let names: Vec<&str> = state.retried.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names.len(), RETRIED_SHOWN);
        assert_eq!((names[0], names[RETRIED_SHOWN - 1]), ("2", "501"));
        assert_eq!(state.retried_number, all as u64);
    }

    #[tokio::test]
    async fn who_is_told_to_stop_hears_it() {
        let job: Job<u8, u8> = Job::new(1);
        assert!(!job.stopped());
        job.stop();
        assert!(job.stopped() && job.is_asked_to_stop());
    }
}

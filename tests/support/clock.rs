//! A clock whose time passes only while every task sleeps.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::pin,
    sync::{Mutex, MutexGuard},
    task::{Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use domain::Timestamp;
use event_store::Clock;
use futures::future::{Either, select};

/// A clock that starts at 1970-01-01T00:00:00Z and is paused. Only [`PausedClock::run`] advances
/// it, and only when all of its work waits.
#[derive(Debug, Default)]
pub struct PausedClock {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    millis: i64,
    /// The wakers of sleeping tasks, by the end of the sleep in milliseconds and the sleep's
    /// number.
    asleep: BTreeMap<(i64, u64), Waker>,
    sleeps: u64,
}

impl PausedClock {
    /// Runs `work` to its end. Whenever all of it waits, time jumps to the end of the sleep that
    /// ends first.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let passes = poll_fn(|context| {
            let mut state = self.state();
            let Some(((ends, _), waker)) = state.asleep.pop_first() else {
                return Poll::<()>::Pending;
            };
            state.millis = state.millis.max(ends);
            drop(state);
            waker.wake();
            context.waker().wake_by_ref();
            Poll::Pending
        });
        match select(pin!(work), passes).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => unreachable!("time never ends"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

#[async_trait]
impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.state().millis).unwrap()
    }

    async fn sleep(&self, duration: Duration) {
        let ends = self.state().millis + i64::try_from(duration.as_millis()).unwrap();
        let mut number = None;
        poll_fn(|context| {
            let mut state = self.state();
            if let Some(number) = number {
                state.asleep.remove(&(ends, number));
            }
            if state.millis >= ends {
                return Poll::Ready(());
            }
            state.sleeps += 1;
            number = Some(state.sleeps);
            let key = (ends, state.sleeps);
            state.asleep.insert(key, context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}

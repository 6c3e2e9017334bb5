//! A bus and a topic in memory, with faults as tests need them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use event_store::Clock;
use projectors::ports::{Alert, Announcement, Bus, Sent, Topic};

/// The accepted messages of one kind, in order, and the calls that sent them.
pub struct Outbox<M> {
    state: Mutex<State<M>>,
    /// How long each call takes, and by which clock.
    delay: Option<(Arc<dyn Clock>, Duration)>,
}

#[derive(Debug)]
struct State<M> {
    accepted: Vec<M>,
    calls: Vec<usize>,
    script: VecDeque<Sent>,
    refused: Option<fn(&M) -> bool>,
}

impl<M> Default for Outbox<M> {
    fn default() -> Self {
        let state = State {
            accepted: vec![],
            calls: vec![],
            script: VecDeque::new(),
            refused: None,
        };
        Self {
            state: Mutex::new(state),
            delay: None,
        }
    }
}

impl<M> Outbox<M> {
    /// Returns an outbox of which every call waits this long, by this clock, before its effect.
    pub fn slow(clock: Arc<dyn Clock>, call: Duration) -> Self {
        Self {
            delay: Some((clock, call)),
            ..Self::default()
        }
    }
}

impl<M: Clone> Outbox<M> {
    /// Sets the answers to the next messages, one each. Later messages are accepted.
    pub fn script(&self, answers: impl IntoIterator<Item = Sent>) {
        self.state().script.extend(answers);
    }

    /// Refuses from now on every message for which `like` is true.
    pub fn refuse(&self, like: fn(&M) -> bool) {
        self.state().refused = Some(like);
    }

    /// Returns the accepted messages, in order.
    pub fn accepted(&self) -> Vec<M> {
        self.state().accepted.clone()
    }

    /// Returns the number of messages of each call.
    pub fn calls(&self) -> Vec<usize> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap()
    }

    async fn take(&self, messages: &[M]) -> Vec<Sent> {
        if let Some((clock, call)) = &self.delay {
            clock.sleep(*call).await;
        }
        let mut state = self.state();
        state.calls.push(messages.len());
        let mut answers = Vec::new();
        for message in messages {
            let refused = state.refused.is_some_and(|like| like(message));
            let answer = match refused {
                true => Sent::Refused("malformed".to_owned()),
                false => state.script.pop_front().unwrap_or(Sent::Accepted),
            };
            if answer == Sent::Accepted {
                state.accepted.push(message.clone());
            }
            answers.push(answer);
        }
        answers
    }
}

#[async_trait]
impl Bus for Outbox<Announcement> {
    async fn put(&self, announcements: &[Announcement]) -> Vec<Sent> {
        self.take(announcements).await
    }
}

#[async_trait]
impl Topic for Outbox<Alert> {
    async fn publish(&self, alerts: &[Alert]) -> Vec<Sent> {
        self.take(alerts).await
    }
}

//! Faults that are switched on on purpose, to test how a system handles them.
//!
//! All of them are faults that happen on AWS: a stream consumer that lags, an answer that its
//! client does not receive, and an event that is delivered twice. They are kept in memory only, so
//! that all are off after a start.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::limits::{LOST_ANSWERS_MAX, TWICE_MAX};
use crate::stop::Stop;

/// The faults that are on, in the form of the endpoint. A fault that is left out is off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FaultSettings {
    /// The ids of the functions whose stream consumers are held: they read nothing.
    pub held_consumers: BTreeSet<String>,
    /// The number of answers of the HTTP API that are still to be lost, after the request has had
    /// its effect. Only requests that may change something count (not `GET` and the like).
    pub lost_answers: u32,
    /// The number of seconds for which each batch of a stream and each asynchronous event is
    /// delivered to its function a second time, after the function has accepted it.
    pub twice_for_seconds: u64,
}

/// The reason why the faults were not switched. Nothing is changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFaults {
    /// A function to be held consumes no stream.
    #[error("heldConsumers: {name:?} reads no stream; those that do are {known}")]
    Consumer {
        /// The id in the request.
        name: String,
        /// The ids that are allowed, separated by commas.
        known: String,
    },
    /// The number of lost answers is above the limit.
    #[error("lostAnswers: at most {LOST_ANSWERS_MAX}")]
    Answers,
    /// The time for double deliveries is above the limit.
    #[error("twiceForSeconds: at most {}", TWICE_MAX.as_secs())]
    Twice,
}

/// The switches of the faults. Clones share them.
#[derive(Debug, Clone)]
pub struct Faults {
    consumers: Arc<BTreeSet<String>>,
    on: Arc<watch::Sender<ActiveFaults>>,
}

#[derive(Debug, Clone, Default)]
struct ActiveFaults {
    held: BTreeSet<String>,
    lost_answers: u32,
    twice_until: Option<Instant>,
}

impl Faults {
    /// Creates the switches, all off. `consumers` are the ids of the functions that consume
    /// streams.
    pub fn new(consumers: impl IntoIterator<Item = String>) -> Self {
        Self {
            consumers: Arc::new(consumers.into_iter().collect()),
            on: Arc::new(watch::Sender::default()),
        }
    }

    /// Returns the faults that are on now.
    pub fn now(&self) -> FaultSettings {
        let on = self.on.borrow();
        let left = on.twice_until.map(|until| until - Instant::now());
        FaultSettings {
            held_consumers: on.held.clone(),
            lost_answers: on.lost_answers,
            // Rounded up, so that the fault is not shown as off while it is still on.
            twice_for_seconds: left.map_or(0, |left| left.as_millis().div_ceil(1_000) as u64),
        }
    }

    /// Switches on the faults in `wanted`, and all others off. Fails where a value is above its
    /// limit, or an unknown consumer is named.
    pub fn switch(&self, wanted: FaultSettings) -> Result<(), InvalidFaults> {
        let mut strangers = wanted.held_consumers.difference(&self.consumers);
        if let Some(name) = strangers.next() {
            let known: Vec<&str> = self.consumers.iter().map(String::as_str).collect();
            return Err(InvalidFaults::Consumer {
                name: name.clone(),
                known: known.join(", "),
            });
        }
        if wanted.lost_answers > LOST_ANSWERS_MAX {
            return Err(InvalidFaults::Answers);
        }
        let twice = Duration::from_secs(wanted.twice_for_seconds);
        if twice > TWICE_MAX {
            return Err(InvalidFaults::Twice);
        }
        self.on.send_replace(ActiveFaults {
            held: wanted.held_consumers,
            lost_answers: wanted.lost_answers,
            twice_until: (!twice.is_zero()).then(|| Instant::now() + twice),
        });
        Ok(())
    }

    /// Whether this consumer is held.
    pub fn is_held(&self, consumer: &str) -> bool {
        self.on.borrow().held.contains(consumer)
    }

    /// Waits until this consumer is no longer held, or `stop` is requested.
    pub async fn wait_until_released(&self, consumer: &str, stop: &mut Stop) {
        let mut on = self.on.subscribe();
        let free = on.wait_for(|on| !on.held.contains(consumer));
        tokio::select! {
            _ = free => {}
            () = stop.wait() => {}
        }
    }

    /// Whether an event that was accepted is delivered a second time.
    pub fn delivers_twice(&self) -> bool {
        let until = self.on.borrow().twice_until;
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether the present answer must be lost. Each call that returns `true` counts as one lost
    /// answer.
    pub fn take_lost_answer(&self) -> bool {
        self.on.send_if_modified(|on| {
            let loses = on.lost_answers > 0;
            on.lost_answers = on.lost_answers.saturating_sub(1);
            loses
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn faults() -> Faults {
        Faults::new(["shelve".to_owned()])
    }

    #[test]
    fn what_is_left_out_is_off() {
        let faults = faults();
        assert_eq!(faults.now(), FaultSettings::default());
        let wanted = FaultSettings {
            held_consumers: ["shelve".to_owned()].into(),
            lost_answers: 1,
            twice_for_seconds: 60,
        };
        faults.switch(wanted.clone()).unwrap();
        assert_eq!(faults.now(), wanted);
        assert!(faults.is_held("shelve") && faults.delivers_twice());
        assert!(faults.take_lost_answer() && !faults.take_lost_answer());
        faults.switch(serde_json::from_str("{}").unwrap()).unwrap();
        assert!(
            !faults.is_held("shelve") && !faults.delivers_twice() && !faults.take_lost_answer()
        );
        assert_eq!(faults.now(), FaultSettings::default());
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let faults = faults();
        let stranger = FaultSettings {
            held_consumers: ["desk".to_owned()].into(),
            ..FaultSettings::default()
        };
        let answers = FaultSettings {
            lost_answers: LOST_ANSWERS_MAX + 1,
            ..FaultSettings::default()
        };
        let twice = FaultSettings {
            twice_for_seconds: TWICE_MAX.as_secs() + 1,
            ..FaultSettings::default()
        };
        let said = faults.switch(stranger).unwrap_err().to_string();
        assert_eq!(
            said,
            "heldConsumers: \"desk\" reads no stream; those that do are shelve"
        );
        assert_eq!(faults.switch(answers), Err(InvalidFaults::Answers));
        assert_eq!(faults.switch(twice), Err(InvalidFaults::Twice));
        assert_eq!(faults.now(), FaultSettings::default());
    }

    #[tokio::test]
    async fn twice_ends_by_itself() {
        let faults = faults();
        let wanted = FaultSettings {
            twice_for_seconds: 1,
            ..FaultSettings::default()
        };
        faults.switch(wanted).unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(
            (faults.delivers_twice(), faults.now().twice_for_seconds),
            (true, 1)
        );
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert_eq!(
            (faults.delivers_twice(), faults.now().twice_for_seconds),
            (false, 0)
        );
    }
}

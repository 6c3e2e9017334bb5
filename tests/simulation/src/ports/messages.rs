//! The bus, the topic, and the messages to operators.

use std::sync::Arc;

use async_trait::async_trait;
use commands::operator::{DeadLetterReason, Operator, Unreachable};
use projectors::ports::{Alert, Announcement, Bus, Sent, Topic};

use super::{after, before};
use crate::{
    core::{Core, Fault},
    defects::{self, Defect},
    platform::Platform,
};

/// The bus, the topic and the messages to operators under this world's faults. What they accept
/// goes to the platform.
pub struct SimOutbox {
    /// The world's choices, time and faults.
    pub core: Core,
    /// The platform, which gets every accepted message.
    pub platform: Arc<Platform>,
}

impl SimOutbox {
    /// Sends the messages of one call and returns an answer for each. With the planted defect
    /// `swallow`, a failed message is answered as accepted.
    async fn send<M: Clone>(
        &self,
        messages: &[M],
        swallow: Defect,
        accept: impl Fn(&Platform, M),
    ) -> Vec<Sent> {
        let failed = || Sent::Failed("fault".to_owned());
        if !before(&self.core, || format!("send {}", messages.len())).await {
            return vec![failed(); messages.len()];
        }
        let mut answers = Vec::new();
        for message in messages {
            if self.core.strikes(Fault::Refusal) {
                answers.push(Sent::Refused("fault".to_owned()));
            } else if self.core.strikes(Fault::Entry) {
                let swallowed = self.core.defect == Some(swallow);
                answers.push(if swallowed { Sent::Accepted } else { failed() });
            } else {
                accept(&self.platform, message.clone());
                answers.push(Sent::Accepted);
            }
        }
        if after(&self.core).await {
            answers
        } else {
            vec![failed(); messages.len()]
        }
    }
}

#[async_trait]
impl Bus for SimOutbox {
    async fn put(&self, announcements: &[Announcement]) -> Vec<Sent> {
        let core = self.core.clone();
        self.send(
            announcements,
            Defect::SwallowedEntry,
            move |platform, message| {
                platform.announced(defects::alter_announcement(&core, message));
            },
        )
        .await
    }
}

#[async_trait]
impl Topic for SimOutbox {
    async fn publish(&self, alerts: &[Alert]) -> Vec<Sent> {
        self.send(alerts, Defect::SwallowedAlert, |platform, alert| {
            platform.alerted(alert)
        })
        .await
    }
}

#[async_trait]
impl Operator for SimOutbox {
    async fn keep_dead_letter(
        &self,
        event: &str,
        _reason: &DeadLetterReason,
    ) -> Result<(), Unreachable> {
        if !before(&self.core, || "dead letter".to_owned()).await {
            return Err(Unreachable("fault".to_owned()));
        }
        self.platform.set_aside(event);
        if after(&self.core).await {
            Ok(())
        } else {
            Err(Unreachable("fault".to_owned()))
        }
    }

    async fn alert(&self, subject: &str, text: &str, _id: &str) -> Result<(), Unreachable> {
        if !before(&self.core, || "operator alert".to_owned()).await {
            return Err(Unreachable("fault".to_owned()));
        }
        self.platform
            .message_to_operator(format!("{subject}\n{text}"));
        if after(&self.core).await {
            Ok(())
        } else {
            Err(Unreachable("fault".to_owned()))
        }
    }
}

//! What the console reaches additional the HTTP API: the environment as an operator's command reaches it,
//! and what the local system alone tells.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Instant,
};

use http::Method;
use operator::{Environment, OperatorError, Target};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    Console,
    backend::{Api, Backend as _, Call, Denied, Failure, Policy},
    http_api::{Caller, HttpApi},
    jobs::Jobs,
    limits::{ADDITIONAL_AGAIN_AFTER, ADDITIONAL_TIMEOUT, ENVIRONMENT_KEPT, LOCAL_MESSAGES_PAGES},
    links,
};

/// An environment as an operator's command reaches it.
pub struct Operating {
    target: Target,
    /// Where runs are cached: the folder that the command line uses, too.
    pub state: PathBuf,
    /// The work that goes on in this process.
    pub jobs: Jobs,
    cached: Mutex<Option<(Arc<Environment>, Instant)>>,
    /// When it could last not be reached.
    unreachable_since: StdMutex<Option<Instant>>,
    /// The local system, which tells more than AWS has calls for.
    local: Option<LocalSystem>,
}

impl Operating {
    /// The environment that `target` names, with runs cached under `state`.
    pub fn new(target: Target, state: PathBuf) -> Self {
        let local = target.endpoint.as_deref().map(LocalSystem::at);
        Self {
            target,
            state,
            jobs: Jobs::default(),
            cached: Mutex::default(),
            unreachable_since: StdMutex::default(),
            local,
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.target.environment
    }

    /// The local system, where this is one.
    pub fn local(&self) -> Option<&LocalSystem> {
        self.local.as_ref()
    }

    /// The environment, reached; it is asked for its settings now and then only.
    pub async fn environment(&self) -> Result<Arc<Environment>, Failure> {
        let mut cached = self.cached.lock().await;
        if let Some((environment, at)) = &*cached
            && at.elapsed() < ENVIRONMENT_KEPT
        {
            return Ok(Arc::clone(environment));
        }
        let reached = self.reach().await;
        *self.unreachable_since() = reached.is_err().then(Instant::now);
        let environment = Arc::new(reached?);
        *cached = Some((Arc::clone(&environment), Instant::now()));
        Ok(environment)
    }

    async fn reach(&self) -> Result<Environment, Failure> {
        // The SDK tries for long, and nobody check_listening.
        if let Some(local) = &self.local {
            local.check_listening().await?;
        }
        // It is large, and whoever waits for it would be, too.
        Ok(Box::pin(self.target.connect()).await?)
    }

    fn unreachable_since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.unreachable_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands additional what a page shows, such as that its order is parked: `None` where nobody can
/// say it soon. The page does not wait for it.
pub async fn additional<T, Work>(
    console: &Console,
    work: impl FnOnce(Arc<Environment>) -> Work,
) -> Option<T>
where
    Work: Future<Output = Result<T, OperatorError>>,
{
    let operating = console.operating();
    let unreachable_since = *operating.unreachable_since();
    if unreachable_since.is_some_and(|since| since.elapsed() < ADDITIONAL_AGAIN_AFTER) {
        return None;
    }
    let looked = async {
        let environment = operating.environment().await?;
        work(environment).await.map_err(Failure::from)
    };
    match tokio::time::timeout(ADDITIONAL_TIMEOUT, looked).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(failure)) => {
            tracing::debug!(
                ?failure,
                "additional information for a page could not be read"
            );
            None
        }
        Err(_) => {
            *operating.unreachable_since() = Some(Instant::now());
            None
        }
    }
}

/// What a local system tells for which AWS has no call.
pub struct LocalSystem {
    http: Arc<HttpApi>,
    api: Api,
}

/// How far the local system has come.
#[derive(Debug, Clone, Deserialize)]
pub struct LocalStatus {
    /// Its consumers of the stream, by their functions' names.
    pub consumers: std::collections::BTreeMap<String, ConsumerLag>,
}

/// How far a consumer is behind.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ConsumerLag {
    /// How many records are still to come.
    pub behind: u64,
}

/// A message that was emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmittedMessage {
    /// The id by which consumers know a repeat.
    pub id: String,
    /// When.
    pub at: String,
}

impl LocalSystem {
    fn at(endpoint: &str) -> Self {
        let http = Arc::new(HttpApi::new(endpoint, Caller::Anybody));
        Self {
            api: Api::new(http.clone()),
            http,
        }
    }

    async fn check_listening(&self) -> Result<(), Failure> {
        let call = Call {
            method: Method::GET,
            path: "/_local/status".to_owned(),
            key: None,
            version: None,
            body: None,
        };
        // Whatever it answers: it may be another emulator.
        let answer = self.http.call(call).await;
        answer.map(drop).map_err(|reason| Failure::Message {
            status: 502,
            message: format!("Nobody speaks AWS's protocols there: {reason}."),
        })
    }

    /// How far its consumers are behind; `None` where it does not say so.
    pub async fn status(&self) -> Option<LocalStatus> {
        self.api.get("/_local/status").await.ok()
    }

    /// Those of the latest lines of metrics that have this member, oldest first; `None` where it does not
    /// say so.
    pub async fn metrics<Line: DeserializeOwned>(&self, member: &str) -> Option<Vec<Line>> {
        #[derive(Deserialize)]
        struct Reply<Line> {
            metrics: Vec<Line>,
        }
        // All of them are some megabytes.
        let path = links::query("/_local/metrics", &[("member", Some(member))]);
        let reply: Result<Reply<Line>, Failure> = self.api.get(&path).await;
        Some(reply.ok()?.metrics)
    }

    /// Those of the latest messages whose ids begin so, newest first; and whether all that are cached
    /// were looked at. `None` where it does not say so.
    pub async fn emitted(&self, prefix: &str) -> Option<(Vec<EmittedMessage>, bool)> {
        #[derive(Deserialize)]
        struct Reply {
            messages: Vec<Value>,
        }
        let (mut emitted, mut before) = (Vec::new(), String::new());
        for _ in 0..LOCAL_MESSAGES_PAGES {
            let path = format!("/_local/messages?limit=1000{before}");
            let reply: Reply = self.api.get(&path).await.ok()?;
            let Some(last) = reply.messages.last() else {
                return Some((emitted, true));
            };
            let number = last.get("number").and_then(Value::as_u64)?;
            before = format!("&before={number}");
            let own = reply.messages.iter().filter_map(read_message);
            emitted.extend(own.filter(|message| message.id.starts_with(prefix)));
        }
        Some((emitted, false))
    }
}

fn read_message(message: &Value) -> Option<EmittedMessage> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let id = message.pointer("/detail/id").and_then(text);
    let id = id.or_else(|| {
        let id = message.pointer("/attributes/id")?;
        text(id).or_else(|| id.get("Value").and_then(text))
    });
    Some(EmittedMessage {
        id: id?,
        at: message.get("at").and_then(text).unwrap_or_default(),
    })
}

impl From<OperatorError> for Failure {
    fn from(error: OperatorError) -> Self {
        let status = match &error {
            // Whoever looks is reply of the policy for looking; what wants the operator's says so.
            OperatorError::Denied { action, .. } => {
                return Self::Denied(Denied {
                    action: action.clone(),
                    message: error.to_string(),
                    policy: Policy::Console,
                });
            }
            OperatorError::Usage(_) => 400,
            OperatorError::NotFound(_) => 404,
            OperatorError::Corrupt(_)
            | OperatorError::TooMany(_)
            | OperatorError::Busy(_)
            | OperatorError::Stopped => 409,
            OperatorError::Unavailable(_) | OperatorError::Environment(_) => 502,
            OperatorError::Folder(_) => 500,
        };
        Self::Message {
            status,
            message: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_known_by_the_id_that_consumers_know_it_by() {
        let id = |message: Value| read_message(&message).map(|it| it.id);
        let event = json!({ "via": "EventBridge", "id": "e-1", "detail": { "id": "order#1/1/X" } });
        assert_eq!(id(event).as_deref(), Some("order#1/1/X"));
        let alert = json!({ "via": "SNS", "attributes": { "id": "shipment#1/1/Y" } });
        assert_eq!(id(alert).as_deref(), Some("shipment#1/1/Y"));
        let other = json!({ "via": "SNS", "attributes": {} });
        assert_eq!(id(other), None);
    }
}

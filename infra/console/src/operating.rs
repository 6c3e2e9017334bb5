//! Access beyond the HTTP API: to the environment by the operator's functions, and to what only the
//! local system can report.

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

/// The environment as the operator's functions reach it.
pub struct Operating {
    target: Target,
    /// The folder with the state of runs, which the command line uses, too.
    pub state: PathBuf,
    /// The jobs that run in this process.
    pub jobs: Jobs,
    cached: Mutex<Option<(Arc<Environment>, Instant)>>,
    /// When the last attempt to reach the environment failed; `None` after a success.
    unreachable_since: StdMutex<Option<Instant>>,
    /// The local system, which reports more than AWS has calls for.
    local: Option<LocalSystem>,
}

impl Operating {
    /// Creates the access to the environment that `target` names, with runs kept under `state`.
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

    /// Returns the name of the environment.
    pub fn name(&self) -> &str {
        &self.target.environment
    }

    /// Returns the local system, where the environment is one.
    pub fn local(&self) -> Option<&LocalSystem> {
        self.local.as_ref()
    }

    /// Connects to the environment, or returns the cached connection, which holds for
    /// [`ENVIRONMENT_KEPT`].
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
        // The SDK retries for a long time where nothing listens. This check fails at once.
        if let Some(local) = &self.local {
            local.check_listening().await?;
        }
        // The future is large. Boxed, it does not make the caller's future large, too.
        Ok(Box::pin(self.target.connect()).await?)
    }

    fn unreachable_since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.unreachable_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads additional information for a page, such as that its order is parked. Returns `None` where
/// it fails or takes longer than [`ADDITIONAL_TIMEOUT`], so that the page does not wait.
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

/// A local system, which reports things for which AWS has no call.
pub struct LocalSystem {
    http: Arc<HttpApi>,
    api: Api,
}

/// The status of the local system.
#[derive(Debug, Clone, Deserialize)]
pub struct LocalStatus {
    /// The consumers of the stream, by the names of their functions.
    pub consumers: std::collections::BTreeMap<String, ConsumerLag>,
}

/// How far a consumer of the stream is behind.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ConsumerLag {
    /// The number of records that the consumer has not processed yet.
    pub behind: u64,
}

/// A message that the local system sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmittedMessage {
    /// The id of the message, by which its receivers recognise a repeat.
    pub id: String,
    /// When the message was sent.
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
        // Any answer will do: it may be another emulator.
        let answer = self.http.call(call).await;
        answer.map(drop).map_err(|reason| Failure::Message {
            status: 502,
            message: format!("The AWS services of the local system do not answer: {reason}."),
        })
    }

    /// Returns how far the consumers are behind; `None` where the system does not report it.
    pub async fn status(&self) -> Option<LocalStatus> {
        self.api.get("/_local/status").await.ok()
    }

    /// Returns the latest lines of metrics that have this member, oldest first; `None` where the
    /// system does not report them.
    pub async fn metrics<Line: DeserializeOwned>(&self, member: &str) -> Option<Vec<Line>> {
        #[derive(Deserialize)]
        struct Reply<Line> {
            metrics: Vec<Line>,
        }
        // Without this filter the answer has some megabytes.
        let path = links::query("/_local/metrics", &[("member", Some(member))]);
        let reply: Result<Reply<Line>, Failure> = self.api.get(&path).await;
        Some(reply.ok()?.metrics)
    }

    /// Returns the latest messages whose ids begin with `prefix`, newest first, and whether all
    /// stored messages were searched. `None` where the system does not report them.
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
            // A denial names the policy for reading. Where the operator's policy is needed, the
            // caller replaces it by [`Failure::with_operator_policy`].
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

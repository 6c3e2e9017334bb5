//! Trying out a system on this machine: sending by each of the ways in, following the effects, and
//! switching faults on deliberately.
//!
//! - [`ways`]: the ways in, an example of each, and the command line that does the same
//! - [`send`]: sends one; [`aws`] does so over AWS's protocols
//! - [`faults`]: the faults that are switched on deliberately
//! - [`run`]: something that was sent and the effects that were seen; [`look`] reads them;
//!   [`verdict`] compares them with the expected ones

pub mod aws;
pub mod faults;
pub mod look;
pub mod run;
pub mod send;
pub mod verdict;
pub mod ways;

use std::{sync::Arc, time::SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use http::Method;
use lambda::Names;
use operator::{Environment, OperatorError, Target};
use serde::de::DeserializeOwned;
use tokio::{sync::OnceCell, time::timeout};

use crate::{
    About,
    at::At,
    backend::{Answer, Api, Backend, Call, Failure, NoAnswer},
    http_api::{Caller, HttpApi},
    limits::FAULTS_TIMEOUT,
};
use aws::{AwsPort, AwsRequest};
use faults::Faults;
use run::Runs;
use ways::{Addresses, Way};

/// Signs a webhook as a carrier's provider: returns the name and the value of the header for this
/// body.
pub type Sign = Arc<dyn Fn(&str) -> (String, String) + Send + Sync>;

/// What the page *Try it* uses of the local system, in addition to its HTTP API.
pub struct Playground {
    names: Names,
    aws_url: String,
    aws: Arc<dyn AwsPort>,
    local_api: Arc<dyn Backend>,
    sign: Option<Sign>,
    operator: OnceCell<Environment>,
    /// The runs: what was sent, with its effects.
    pub runs: Runs,
}

impl Playground {
    /// Creates the playground of the local system with these names, whose AWS protocols are at
    /// `aws_url`. `sign` signs EasyPost's webhooks, where the system has a secret for them.
    pub async fn new(names: Names, aws_url: &str, sign: Option<Sign>) -> Self {
        let aws_url = aws_url.trim_end_matches('/').to_owned();
        Self {
            aws: Arc::new(aws::Sdk::new(&names, &aws_url).await),
            local_api: Arc::new(HttpApi::new(&aws_url, Caller::Anybody)),
            names,
            aws_url,
            sign,
            operator: OnceCell::new(),
            runs: Runs::default(),
        }
    }

    /// Returns the faults that are on; `None` where they cannot be read within [`FAULTS_TIMEOUT`].
    pub async fn faults(&self) -> Option<Faults> {
        let asked = self.get_local::<Faults>("/_local/faults");
        timeout(FAULTS_TIMEOUT, asked).await.ok()?.ok()
    }

    /// Switches on the faults in `on`, and all others off.
    pub async fn switch(&self, on: &Faults) -> Result<(), Failure> {
        let body = serde_json::to_string(on);
        let body = body.map_err(|error| Failure::Unreadable(error.to_string()))?;
        let call = Call {
            method: Method::PUT,
            path: "/_local/faults".to_owned(),
            key: None,
            version: None,
            body: Some(body),
        };
        let answer = self.local_api.call(call).await.map_err(Failure::NoAnswer)?;
        match answer.status {
            200 => Ok(()),
            status => Err(Failure::Unreadable(format!("{status}: {}", answer.body))),
        }
    }

    /// Returns the names of the consumers of the stream.
    pub async fn consumers(&self) -> Result<Vec<String>, Failure> {
        #[derive(serde::Deserialize)]
        struct Status {
            consumers: std::collections::BTreeMap<String, serde::de::IgnoredAny>,
        }
        let status: Status = self.get_local("/_local/status").await?;
        Ok(status.consumers.into_keys().collect())
    }

    /// Notes which consumers switching to `on` will release. Called before the switch, so that no
    /// effect can come earlier than the note.
    pub fn note_release(&self, on: &Faults) {
        self.runs.note_release(on, &now());
    }

    /// Whether a carrier's webhook can be signed.
    pub fn can_sign(&self) -> bool {
        self.sign.is_some()
    }

    /// Returns an example of a new order or shipment.
    pub fn example(&self, way: Way) -> String {
        let id = uuid::Uuid::new_v4().simple().to_string();
        way.example(&format!("TRY-{}", &id[..8]), &now())
    }

    /// Returns the addresses and names for command lines.
    pub fn addresses<'a>(&'a self, about: &'a About) -> Addresses<'a> {
        Addresses {
            api_url: &about.api_url,
            aws_url: &self.aws_url,
            names: &self.names,
            sign: self.sign.as_ref(),
        }
    }

    async fn get_local<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        Api::new(Arc::clone(&self.local_api)).get(path).await
    }

    async fn operator(&self) -> Result<&Environment, OperatorError> {
        let target = Target {
            environment: self.names.environment().to_owned(),
            endpoint: Some(self.aws_url.clone()),
        };
        self.operator.get_or_try_init(|| target.connect()).await
    }

    async fn put(&self, request: AwsRequest) -> Result<Answer, NoAnswer> {
        self.aws.put(request).await
    }
}

/// Returns the current time as Waybill writes times.
fn now() -> At {
    let now: DateTime<Utc> = SystemTime::now().into();
    At(now.to_rfc3339_opts(SecondsFormat::Millis, true))
}

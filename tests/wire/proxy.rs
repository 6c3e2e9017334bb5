//! The proxy between the AWS SDK and the services. It applies faults to requests by a plan, and
//! records every request.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    http::Message,
    services::{Services, broken, operation, throttled},
};

/// A fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The service answers that it throttles the request, which has no effect.
    Throttled,
    /// The service answers with this status, and the request has no effect.
    Broken(u16),
    /// The service answers with 500, and the request has its effect.
    BrokenAfterTheEffect,
    /// The connection closes before the request reaches the service.
    CutBeforeTheEffect,
    /// The request has its effect, and the connection closes without an answer.
    CutAfterTheEffect,
    /// The request has its effect, and the connection closes in the middle of the answer.
    CutWithinTheAnswer,
    /// The request has its effect, and the answer never arrives.
    Held,
    /// The call succeeds, and the entries whose bits are set fail.
    Entries(u32),
}

impl Fault {
    /// All faults of a whole call.
    pub const ALL: [Self; 8] = [
        Self::Throttled,
        Self::Broken(500),
        Self::Broken(503),
        Self::BrokenAfterTheEffect,
        Self::CutBeforeTheEffect,
        Self::CutAfterTheEffect,
        Self::CutWithinTheAnswer,
        Self::Held,
    ];

    /// Returns whether the request has its effect under this fault.
    pub fn has_effect(self) -> bool {
        !matches!(
            self,
            Self::Throttled | Self::Broken(_) | Self::CutBeforeTheEffect
        )
    }
}

/// Which requests meet which faults.
#[derive(Debug, Clone)]
pub enum Plan {
    /// No request meets a fault.
    Fair,
    /// The first requests, of this number, meet this fault.
    First(u32, Fault),
    /// The next requests meet these faults, one each.
    Scripted(Vec<Fault>),
    /// This percentage of the requests meets a random fault of this generator.
    Drawn(fastrand::Rng, u32),
}

impl Plan {
    fn next(&mut self) -> Option<Fault> {
        match self {
            Self::Fair => None,
            Self::First(left, fault) => {
                *left = left.checked_sub(1)?;
                Some(*fault)
            }
            Self::Scripted(faults) => (!faults.is_empty()).then(|| faults.remove(0)),
            Self::Drawn(random, percent) => {
                if random.u32(0..100) >= *percent {
                    return None;
                }
                // An answer that never arrives costs a whole time-out, so it is drawn less often.
                let among = match random.u8(0..4) {
                    0 => return Some(Fault::Entries(random.u32(..))),
                    1 => Fault::ALL.len(),
                    _ => Fault::ALL.len() - 1,
                };
                Some(Fault::ALL[random.usize(0..among)])
            }
        }
    }
}

/// Counts of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The number of requests.
    pub requests: usize,
    /// The number of requests that were the SDK's own retries.
    pub by_sdk: usize,
    /// The number of SDK calls.
    pub calls: usize,
    /// The number of different operations.
    pub operations: usize,
}

/// A running proxy. It stops when this value is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// The address at which it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    services: Services,
    /// The plan, and the only operation to which it applies; an empty text for all operations.
    plan: Mutex<(Plan, &'static str)>,
    /// The operation of each request, and the SDK's id of the call, which is the same in each
    /// attempt.
    passed: Mutex<Vec<(String, String)>>,
}

impl Proxy {
    /// Starts a proxy before `services`, without faults.
    pub async fn start(services: Services) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            services,
            plan: Mutex::new((Plan::Fair, "")),
            passed: Mutex::default(),
        });
        Self {
            address: listener.local_addr().unwrap(),
            shared: shared.clone(),
            task: tokio::spawn(accept(listener, shared)),
        }
    }

    /// Applies a plan to all requests from now on.
    pub fn plan(&self, plan: Plan) {
        self.plan_for("", plan);
    }

    /// Applies a plan to the requests of one operation from now on. The others meet no fault.
    pub fn plan_for(&self, operation: &'static str, plan: Plan) {
        *self.shared.plan.lock().unwrap() = (plan, operation);
    }

    /// Returns the services behind the proxy.
    pub fn services(&self) -> &Services {
        &self.shared.services
    }

    /// Returns the counts since the last call: of requests for `operation`, or of all where that is
    /// empty.
    pub fn take_count(&self, operation: &str) -> Count {
        let passed = std::mem::take(&mut *self.shared.passed.lock().unwrap());
        let counted = passed
            .iter()
            .filter(|(of, _)| operation.is_empty() || of == operation);
        let (operations, calls): (Vec<&str>, Vec<&str>) = counted
            .map(|(operation, call)| (operation.as_str(), call.as_str()))
            .unzip();
        let different = |names: &[&str]| names.iter().collect::<BTreeSet<_>>().len();
        Count {
            requests: calls.len(),
            by_sdk: calls.len() - different(&calls),
            calls: different(&calls),
            operations: different(&operations),
        }
    }
}

impl Shared {
    /// Records a request and returns the fault that it meets.
    fn next(&self, request: &Message) -> Option<Fault> {
        let operation = operation(request);
        let (plan, only) = &mut *self.plan.lock().unwrap();
        let fault = match only.is_empty() || *only == operation {
            true => plan.next(),
            false => None,
        };
        let call = request.header("amz-sdk-invocation-id").unwrap_or_default();
        let mut passed = self.passed.lock().unwrap();
        passed.push((operation, call.to_owned()));
        fault
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Where a connection fails, the client notices it.
        tokio::spawn(carry(stream, shared.clone()));
    }
}

/// Passes on the requests of one connection until it closes.
async fn carry(mut client: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    while let Some(request) = Message::read(&mut client).await? {
        let fault = shared.next(&request);
        let failing = match fault {
            Some(Fault::Entries(failing)) => failing,
            _ => 0,
        };
        let answer = match fault.is_none_or(Fault::has_effect) {
            true => Some(shared.services.perform(&request, failing).await?),
            false => None,
        };
        let answer = match (fault, answer) {
            (None | Some(Fault::Entries(_)), Some(answer)) => answer,
            (Some(Fault::Throttled), _) => throttled(&request),
            (Some(Fault::Broken(status)), _) => broken(&request, status),
            (Some(Fault::BrokenAfterTheEffect), _) => broken(&request, 500),
            (Some(Fault::CutWithinTheAnswer), Some(answer)) => {
                return answer.write(&mut client, false).await;
            }
            (Some(Fault::Held), _) => return hold(client).await,
            _ => return Ok(()),
        };
        answer.write(&mut client, true).await?;
    }
    Ok(())
}

/// Sends nothing until the client closes the connection.
async fn hold(mut client: TcpStream) -> std::io::Result<()> {
    let gone = tokio::time::timeout(Duration::from_secs(60), client.read_u8());
    gone.await.map(drop).map_err(Into::into)
}

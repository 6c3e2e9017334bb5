//! The wire between the AWS SDK and the services. It harms what it carries, as its plan says, and
//! remembers every request.

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

/// What can happen to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The service says that it is too much; no effect.
    Throttled,
    /// The service answers with this status; no effect.
    Broken(u16),
    /// The service answers with 500, and it has happened all the same.
    BrokenAfterTheEffect,
    /// The connection ends before the request reaches the service.
    CutBeforeTheEffect,
    /// It has happened, and the connection ends without an answer.
    CutAfterTheEffect,
    /// It has happened, and the connection ends in the middle of the answer.
    CutWithinTheAnswer,
    /// It has happened, and the answer does not come.
    Held,
    /// The call succeeds, and the entries with these bits fail.
    Entries(u32),
}

impl Fault {
    /// All that a whole call can meet.
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

    /// Has what was asked for happened?
    pub fn has_effect(self) -> bool {
        !matches!(
            self,
            Self::Throttled | Self::Broken(_) | Self::CutBeforeTheEffect
        )
    }
}

/// What happens to which request.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Nothing does.
    Fair,
    /// The first so many requests meet this fault.
    First(u32, Fault),
    /// These faults, one by one.
    Scripted(Vec<Fault>),
    /// So many of a hundred requests meet any fault, as this generator has it.
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
                // An answer that never comes costs its whole time-out, so it is rarer.
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

/// What came by, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Requests.
    pub requests: usize,
    /// Those of them that were the SDK's own repeats.
    pub by_sdk: usize,
    /// Calls.
    pub calls: usize,
    /// Different operations.
    pub operations: usize,
}

/// The wire; it ends with the test.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    services: Services,
    /// The plan, and the only operation that it is for; every one where that is empty.
    plan: Mutex<(Plan, &'static str)>,
    /// Every request's operation, and the SDK's id of the call: each attempt of it has the same.
    passed: Mutex<Vec<(String, String)>>,
}

impl Proxy {
    /// A fair wire to `services`.
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

    /// What the requests from now on meet.
    pub fn plan(&self, plan: Plan) {
        self.plan_for("", plan);
    }

    /// What the requests for one operation meet from now on; the others meet nothing.
    pub fn plan_for(&self, operation: &'static str, plan: Plan) {
        *self.shared.plan.lock().unwrap() = (plan, operation);
    }

    /// What stands behind it.
    pub fn services(&self) -> &Services {
        &self.shared.services
    }

    /// What came by since the last look; only requests for `operation`, where that is not empty.
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
    /// Notes a request, and says what it meets.
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
        // A connection that fails is one that the client hears of.
        tokio::spawn(carry(stream, shared.clone()));
    }
}

/// Carries one connection's requests until it ends.
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

/// Says nothing until the client has gone.
async fn hold(mut client: TcpStream) -> std::io::Result<()> {
    let gone = tokio::time::timeout(Duration::from_secs(60), client.read_u8());
    gone.await.map(drop).map_err(Into::into)
}

//! Puts the pieces together, starts them in order and stops them in the opposite one.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::alarms::{Alarms, now_ms};
use crate::aws::s3::{Bucket, BucketError, Buckets};
use crate::aws::{self, Services};
use crate::definition::{Definition, InvalidDefinition};
use crate::deliveries::{self, Deliverer};
use crate::dynamodb::{self, Descriptions, DynamoDb, DynamoDbError, StreamView, Unread};
use crate::faults::Faults;
use crate::hosts::Allowed;
use crate::invoker::Invoker;
use crate::kms::{KeyFileError, Kms};
use crate::limits::{DYNAMODB_TIMEOUT, STOP_TIMEOUT};
use crate::measured::Measured;
use crate::printed::Printed;
use crate::requests::Requests;
use crate::rules::{InvalidRule, Rules};
use crate::state::{State, StateError};
use crate::stop::{self, Stop, Stopper};
use crate::stream::{Consumer, Surroundings};
use crate::{arn, gateway, measuring, schedule};

/// The emulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The definition does not hold together.
    #[error("the definition: {0}")]
    Definition(#[from] InvalidDefinition),
    /// A listener does not know where it listens.
    #[error("a listener: {0}")]
    Listener(#[from] io::Error),
    /// The embedded DynamoDB.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// The database file, read beside the embedded DynamoDB.
    #[error("the database: {0}")]
    Stream(#[from] rusqlite::Error),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The patterns of the rules.
    #[error("the event rules: {0}")]
    Rules(#[from] InvalidRule),
    /// The buckets.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The KMS keys.
    #[error(transparent)]
    Kms(#[from] KeyFileError),
    /// The HTTP client that reaches the embedded DynamoDB.
    #[error("the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Where an emulator listens: two ports that its owner has bound.
#[derive(Debug)]
pub struct Listeners {
    /// Listens for the HTTP API.
    pub http_api: TcpListener,
    /// Listens for the AWS protocols.
    pub aws: TcpListener,
}

/// Where an emulator keeps its data. They belong to one process at a time, which its owner sees to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The embedded DynamoDB's file.
    pub database: PathBuf,
    /// The state's file.
    pub state: PathBuf,
    /// The folder of the objects' contents.
    pub objects: PathBuf,
}

/// The running emulator.
pub struct Emulator {
    http_api: SocketAddr,
    aws: SocketAddr,
    /// What brings work in: the HTTP API, the streams' consumers, the deliveries, the schedules.
    work: Group,
    /// The AWS protocols, which work in flight still needs.
    services: Group,
    dynamodb: DynamoDb,
}

/// Tasks that are ended together.
struct Group {
    stopper: Stopper,
    stop: Stop,
    tasks: Vec<JoinHandle<()>>,
}

/// What several pieces work with.
struct Shared {
    definition: Arc<Definition>,
    state: State,
    invoker: Invoker,
    client: reqwest::Client,
    dynamodb_url: String,
    descriptions: Descriptions,
    rules: Arc<Rules>,
    kms: Arc<Kms>,
    buckets: Buckets,
    measured: Measured,
    alarms: Alarms,
    faults: Faults,
    /// Changes when a delivery has been accepted.
    accepted: watch::Sender<()>,
    /// Changes with each write to a table whose stream is read.
    written: watch::Sender<u64>,
}

impl Emulator {
    /// Starts a system. `printed` takes what its functions print. Fails where the definition does not
    /// hold together or the files cannot be used; then nothing of it runs.
    pub async fn start(
        definition: Definition,
        listeners: Listeners,
        files: Files,
        printed: Printed,
    ) -> Result<Self, StartError> {
        definition.check()?;
        let rules = Arc::new(Rules::read(&definition.rules)?);
        let (http_api, aws) = (reached_at(&listeners.http_api)?, listeners.aws()?);
        let kms = Kms::open(&definition.kms_keys)?;
        let oldest_bucket = definition.buckets.first();
        let oldest_bucket = oldest_bucket.map_or("", |bucket| bucket.id.as_str());
        let state = State::open(&files.state, oldest_bucket)?;
        let unread = unread(&definition, &state).await?;
        let dynamodb = dynamodb::start(&files.database, &definition.tables, &unread)?;
        let view = |table: &str| StreamView::open(&files.database, table.to_owned());
        let streams = definition.streamed_tables().into_iter().map(view);
        let streams = streams.collect::<Result<_, _>>()?;
        let (accepted, _) = watch::channel(());
        let buckets = Buckets::open(
            &definition.buckets,
            &files.objects,
            state.clone(),
            Arc::clone(&rules),
            accepted.clone(),
        );
        let shared = Shared {
            buckets: buckets.await?,
            invoker: Invoker::new(&definition.functions),
            measured: printed.measured().clone(),
            alarms: Alarms::new(&definition.alarms, now_ms()),
            faults: faults(&definition),
            definition: Arc::new(definition),
            state,
            client: reqwest::Client::builder()
                .timeout(DYNAMODB_TIMEOUT)
                .build()?,
            dynamodb_url: format!("http://{}/", dynamodb.address),
            descriptions: dynamodb.descriptions.clone(),
            rules,
            kms: Arc::new(kms),
            accepted,
            written: watch::channel(0).0,
        };
        let (mut services, mut work) = (Group::new(), Group::new());
        shared.serve_aws(&mut services, listeners.aws, aws, streams, printed);
        shared.consume_streams(&mut work);
        shared.deliver(&mut work);
        shared.run_schedules(&mut work);
        shared.measure(&mut work);
        shared.serve_http_api(&mut work, listeners.http_api, http_api.ip());
        Ok(Self {
            http_api,
            aws,
            work,
            services,
            dynamodb,
        })
    }

    /// Where the HTTP API answers.
    pub fn http_api(&self) -> SocketAddr {
        self.http_api
    }

    /// Where the AWS protocols answer.
    pub fn aws(&self) -> SocketAddr {
        self.aws
    }

    /// Ends the emulator, letting what is in flight come to its end within a bounded time.
    pub async fn stop(self) {
        self.work.end().await;
        self.services.end().await;
        let dynamodb = self.dynamodb;
        let stopped = tokio::task::spawn_blocking(move || dynamodb.stop());
        if tokio::time::timeout(STOP_TIMEOUT, stopped).await.is_err() {
            tracing::warn!("the embedded DynamoDB did not end in time");
        }
    }
}

impl Listeners {
    /// Where a client on this machine will reach the AWS protocols; fails where the operating system
    /// does not say.
    pub fn aws(&self) -> io::Result<SocketAddr> {
        reached_at(&self.aws)
    }
}

impl Shared {
    fn serve_aws(
        &self,
        group: &mut Group,
        listener: TcpListener,
        reached_at: SocketAddr,
        streams: Vec<StreamView>,
        printed: Printed,
    ) {
        let services = Services {
            definition: Arc::clone(&self.definition),
            queue_url: arn::queue_url(reached_at, &self.definition.dead_letter_queue.name),
            dynamodb_url: self.dynamodb_url.clone(),
            descriptions: self.descriptions.clone(),
            requests: Requests::default(),
            client: self.client.clone(),
            streams,
            state: self.state.clone(),
            invoker: self.invoker.clone(),
            printed,
            alarms: self.alarms.clone(),
            faults: self.faults.clone(),
            rules: Arc::clone(&self.rules),
            kms: Arc::clone(&self.kms),
            delivery_accepted: self.accepted.clone(),
            streams_written: self.written.clone(),
        };
        let allowed = Allowed::of(&self.definition.access, reached_at.ip());
        let router = allowed.guard(aws::router(services, self.buckets.clone()));
        group.spawn(|stop| serve(listener, router, stop));
    }

    fn serve_http_api(&self, group: &mut Group, listener: TcpListener, reached_at: IpAddr) {
        let Definition {
            access, http_api, ..
        } = &*self.definition;
        let router = gateway::router(&self.invoker, &self.faults, http_api, &access.origins);
        let allowed = Allowed::with_origins_of(access, reached_at);
        let router = allowed.guard(router);
        group.spawn(|stop| serve(listener, router, stop));
    }

    fn consume_streams(&self, group: &mut Group) {
        for consumer in &self.definition.stream_consumers {
            // Both are there: the definition was checked.
            let function = self.definition.function(&consumer.function);
            let dead_letters = self.buckets.of_id(&consumer.failure_bucket);
            let (Some(function), Some(dead_letters)) = (function, dead_letters) else {
                continue;
            };
            let surroundings = Surroundings {
                client: self.client.clone(),
                url: self.dynamodb_url.clone(),
                state: self.state.clone(),
                invoker: self.invoker.clone(),
                measured: self.measured.clone(),
                faults: self.faults.clone(),
                written: self.written.subscribe(),
            };
            let (consumer, dead_letters) = (consumer.clone(), Bucket::clone(dead_letters));
            group.spawn(|stop| {
                Consumer::new(consumer, &function.name, dead_letters, surroundings, stop).run()
            });
        }
    }

    fn deliver(&self, group: &mut Group) {
        for (lane, most) in deliveries::lanes(&self.definition) {
            let (state, invoker) = (self.state.clone(), self.invoker.clone());
            let faults = self.faults.clone();
            let accepted = self.accepted.subscribe();
            group.spawn(|stop| {
                Deliverer {
                    state,
                    lane,
                    most,
                    invoker,
                    faults,
                    accepted,
                    stop,
                }
                .run()
            });
        }
    }

    fn measure(&self, group: &mut Group) {
        let queue = self.definition.dead_letter_queue.name.clone();
        let (state, measured) = (self.state.clone(), self.measured.clone());
        let alarms = self.alarms.clone();
        group.spawn(|stop| measuring::run(queue, state, measured, alarms, stop));
    }

    fn run_schedules(&self, group: &mut Group) {
        for schedule in &self.definition.schedules {
            let (schedule, invoker) = (schedule.clone(), self.invoker.clone());
            group.spawn(|stop| schedule::run(schedule, invoker, stop));
        }
    }
}

impl Group {
    fn new() -> Self {
        let (stopper, stop) = stop::channel();
        Self {
            stopper,
            stop,
            tasks: Vec::new(),
        }
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(&mut self, task: impl FnOnce(Stop) -> F) {
        self.tasks.push(tokio::spawn(task(self.stop.clone())));
    }

    /// Asks all tasks to end, and ends those that do not.
    async fn end(self) {
        self.stopper.stop();
        for mut task in self.tasks {
            if tokio::time::timeout(STOP_TIMEOUT, &mut task).await.is_err() {
                tracing::warn!("a task did not end in time");
                task.abort();
            }
        }
    }
}

/// Nothing is on at the start.
fn faults(definition: &Definition) -> Faults {
    let consumers = definition.stream_consumers.iter();
    Faults::new(consumers.map(|consumer| consumer.function.clone()))
}

/// How far back each stream is needed: to the lowest checkpoint of its consumers.
async fn unread(
    definition: &Definition,
    state: &State,
) -> Result<Vec<(String, Unread)>, StateError> {
    let mut tables: BTreeMap<&str, Unread> = BTreeMap::new();
    for consumer in &definition.stream_consumers {
        let unread = match state.checkpoint(&consumer.function).await? {
            Some(checkpoint) => Unread::After(checkpoint),
            None => Unread::All,
        };
        let lowest = match (tables.remove(consumer.table.as_str()), unread) {
            (Some(Unread::All), _) | (_, Unread::All) => Unread::All,
            // Sequence numbers have one length, so that their text sorts as they do.
            (Some(Unread::After(one)), Unread::After(other)) => Unread::After(one.min(other)),
            (None, first) => first,
        };
        tables.insert(&consumer.table, lowest);
    }
    let tables = tables.into_iter();
    Ok(tables
        .map(|(table, unread)| (table.to_owned(), unread))
        .collect())
}

/// Where a client on this machine reaches the listener.
fn reached_at(listener: &TcpListener) -> io::Result<SocketAddr> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

async fn serve(listener: TcpListener, router: Router, mut stop: Stop) {
    let listener = listener.tap_io(|connection| {
        // An answer goes out at once; failing to say so only makes it later.
        let _ = connection.set_nodelay(true);
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service)
        .with_graceful_shutdown(async move { stop.wait().await })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "a server has ended");
    }
}

//! Creates the parts of an emulator, starts them in order and stops them in the reverse order.

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
use crate::dynamodb::{self, DynamoDb, DynamoDbError, StreamView, TableDescriptions, Unread};
use crate::faults::Faults;
use crate::hosts::Allowed;
use crate::invoker::Invoker;
use crate::kms::{KeyFileError, Kms};
use crate::limits::{DYNAMODB_TIMEOUT, STOP_TIMEOUT};
use crate::measured::MetricStore;
use crate::printed::Printed;
use crate::requests::Requests;
use crate::rules::{InvalidRule, Rules};
use crate::state::{State, StateError};
use crate::stop::{self, Stop, Stopper};
use crate::stream::{Consumer, Dependencies};
use crate::{arn, gateway, measuring, schedule};

/// The reason why the emulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The definition is invalid.
    #[error("the definition: {0}")]
    Definition(#[from] InvalidDefinition),
    /// The operating system does not return the address of a listener.
    #[error("a listener: {0}")]
    Listener(#[from] io::Error),
    /// The embedded DynamoDB does not start.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// The database file cannot be read directly.
    #[error("the database: {0}")]
    Stream(#[from] rusqlite::Error),
    /// The state cannot be opened.
    #[error(transparent)]
    State(#[from] StateError),
    /// The pattern of a rule is not supported.
    #[error("the event rules: {0}")]
    Rules(#[from] InvalidRule),
    /// The buckets cannot be opened.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The file of a KMS key cannot be used.
    #[error(transparent)]
    Kms(#[from] KeyFileError),
    /// The HTTP client for the embedded DynamoDB cannot be created.
    #[error("the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// The two listeners of an emulator, which its owner has bound.
#[derive(Debug)]
pub struct Listeners {
    /// The listener of the HTTP API.
    pub http_api: TcpListener,
    /// The listener of the AWS protocols.
    pub aws: TcpListener,
}

/// The files of an emulator. Only one process may use them at a time; the owner ensures this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The database file of the embedded DynamoDB.
    pub database: PathBuf,
    /// The file of the state.
    pub state: PathBuf,
    /// The folder of the contents of objects.
    pub objects: PathBuf,
}

/// A running emulator.
pub struct Emulator {
    http_api: SocketAddr,
    aws: SocketAddr,
    /// The tasks that start work: the HTTP API, the stream consumers, the deliveries, the
    /// schedules.
    work: Group,
    /// The server of the AWS protocols. It ends last, since work in flight still calls it.
    services: Group,
    dynamodb: DynamoDb,
}

/// Tasks that are stopped together.
struct Group {
    stopper: Stopper,
    stop: Stop,
    tasks: Vec<JoinHandle<()>>,
}

/// The values that several parts share.
struct Shared {
    definition: Arc<Definition>,
    state: State,
    invoker: Invoker,
    client: reqwest::Client,
    dynamodb_url: String,
    descriptions: TableDescriptions,
    rules: Arc<Rules>,
    kms: Arc<Kms>,
    buckets: Buckets,
    measured: MetricStore,
    alarms: Alarms,
    faults: Faults,
    /// Changes when an asynchronous invocation was accepted.
    accepted: watch::Sender<()>,
    /// The number of writes to tables with a stream.
    written: watch::Sender<u64>,
}

impl Emulator {
    /// Starts a system. `printed` receives the lines that its functions print. Fails where the
    /// definition is invalid or the files cannot be used; then no part of it runs.
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

    /// Returns the address at which the HTTP API answers.
    pub fn http_api(&self) -> SocketAddr {
        self.http_api
    }

    /// Returns the address at which the AWS protocols answer.
    pub fn aws(&self) -> SocketAddr {
        self.aws
    }

    /// Stops the emulator. Waits for work in flight, at most [`STOP_TIMEOUT`] for each task.
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
    /// Returns the address at which a client on this machine reaches the AWS protocols. Fails where
    /// the operating system does not return it.
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
            // Both exist: `Definition::check` has checked it.
            let function = self.definition.function(&consumer.function);
            let dead_letters = self.buckets.of_id(&consumer.failure_bucket);
            let (Some(function), Some(dead_letters)) = (function, dead_letters) else {
                continue;
            };
            let dependencies = Dependencies {
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
                Consumer::new(consumer, &function.name, dead_letters, dependencies, stop).run()
            });
        }
    }

    fn deliver(&self, group: &mut Group) {
        for (lane, max_in_flight) in deliveries::lanes(&self.definition) {
            let (state, invoker) = (self.state.clone(), self.invoker.clone());
            let faults = self.faults.clone();
            let accepted = self.accepted.subscribe();
            group.spawn(|stop| {
                Deliverer {
                    state,
                    lane,
                    max_in_flight,
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

    /// Requests all tasks to end, and aborts those that do not end in time.
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

/// Returns the switches of the faults, all off.
fn faults(definition: &Definition) -> Faults {
    let consumers = definition.stream_consumers.iter();
    Faults::new(consumers.map(|consumer| consumer.function.clone()))
}

/// Returns which part of each stream is still needed: the records after the lowest checkpoint of
/// its consumers.
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
            // All sequence numbers have the same length, so that they sort as texts in the order of
            // the numbers.
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

/// Returns the address at which a client on this machine reaches the listener.
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
        // Answers are sent without delay. Where this cannot be set, they are only later.
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

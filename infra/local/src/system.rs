//! Puts the pieces together, starts them in order and stops them in the opposite one.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::serve::ListenerExt as _;
use lambda::Names;
use lambda::names::InvalidEnvironment;
use lambda::settings::RebuildSettings;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::arn::{self, ACCOUNT, REGION};
use crate::aws::s3::{BucketError, Buckets};
use crate::aws::{self, Services};
use crate::deliveries::Deliverer;
use crate::dynamodb::{self, DynamoDb, DynamoDbError, StreamView, Unread};
use crate::functions::{Functions, Invoker, Waybill};
use crate::gateway;
use crate::hosts::Allowed;
use crate::limits::{DYNAMODB_TIMEOUT, STOP_TIMEOUT};
use crate::place::{Place, reached_at};
use crate::rules::{InvalidRule, Rules};
use crate::schedule;
use crate::settings::Settings;
use crate::state::{Lane, State, StateError};
use crate::stop::{self, Stop, Stopper};
use crate::stream::{CONSUMERS, Consumer, Surroundings};

/// The system does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment's name.
    #[error(transparent)]
    Environment(#[from] InvalidEnvironment),
    /// Another process has the data.
    #[error("{data} is in use by another waybill{by}; another folder: --data or WAYBILL_DATA")]
    InUse {
        /// The data folder.
        data: String,
        /// Which process it is, where known.
        by: String,
    },
    /// The data folder cannot be used.
    #[error("{data}: {cause}; another folder: --data or WAYBILL_DATA")]
    Data {
        /// The data folder.
        data: String,
        /// What the operating system says.
        cause: io::Error,
    },
    /// A port cannot be used.
    #[error("{address}: {cause}; another port: {flag} or {variable}")]
    Port {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the operating system says.
        cause: io::Error,
        /// The flag that changes it.
        flag: &'static str,
        /// The environment variable that changes it.
        variable: &'static str,
    },
    /// A listener does not know where it listens.
    #[error("a listener: {0}")]
    Listener(#[from] io::Error),
    /// The embedded DynamoDB.
    #[error(transparent)]
    DynamoDb(#[from] DynamoDbError),
    /// The database file, read beside the embedded DynamoDB.
    #[error("the database: {0}")]
    Stream(#[from] rusqlite::Error),
    /// The local state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The patterns of the rules.
    #[error("the event rules: {0}")]
    Rules(#[from] InvalidRule),
    /// The buckets.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The HTTP client that reaches the embedded DynamoDB.
    #[error("the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// The running system.
pub struct System {
    api: SocketAddr,
    aws: SocketAddr,
    /// What brings work in: the HTTP API, the stream's consumers, the deliveries.
    work: Group,
    /// The AWS protocols, which work in flight still needs.
    services: Group,
    dynamodb: DynamoDb,
    _lock: File,
}

/// Tasks that are ended together.
struct Group {
    stopper: Stopper,
    stop: Stop,
    tasks: Vec<JoinHandle<()>>,
}

impl System {
    /// Starts the system with its own handlers.
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        let secrets = settings.carrier_secrets();
        let make = |config: &SdkConfig, settings: &lambda::Settings| -> Arc<dyn Functions> {
            Arc::new(Waybill::new(config, settings, secrets))
        };
        Self::start_with(settings, make).await
    }

    /// Starts the system with the functions that `make` makes, given the configuration of AWS
    /// clients that reach this very system.
    pub async fn start_with(
        settings: &Settings,
        make: impl FnOnce(&SdkConfig, &lambda::Settings) -> Arc<dyn Functions>,
    ) -> Result<Self, StartError> {
        let names = Names::new(&settings.env)?;
        let place = Place::take(settings).await?;
        let (api, aws) = (reached_at(&place.api)?, reached_at(&place.aws)?);
        let state = State::open(&place.state)?;
        let dynamodb = dynamodb::start(
            &place.database,
            &names,
            settings.shards,
            &settings.read_models,
            unread(&state).await?,
        )?;
        let stream = StreamView::open(&place.database, names.events())?;
        let function_settings = function_settings(&names, settings, aws);
        let functions = make(&sdk_config(aws).await, &function_settings);
        let invoker = Invoker::new(functions);
        let url = format!("http://{}/", dynamodb.address);
        let client = reqwest::Client::builder()
            .timeout(DYNAMODB_TIMEOUT)
            .build()?;
        let (delivery_accepted, accepted) = watch::channel(());
        let rules = Arc::new(Rules::read(&names)?);
        let (events_written, written) = watch::channel(0);
        let (mut services, mut work) = (Group::new(), Group::new());

        let buckets = Buckets::open(
            &names,
            &place.objects,
            state.clone(),
            Arc::clone(&rules),
            delivery_accepted.clone(),
        );
        let buckets = buckets.await?;
        let dead_letters = buckets.dead_letters.clone();
        let offered = Services {
            names: names.clone(),
            function_settings,
            dynamodb_url: url.clone(),
            client: client.clone(),
            stream,
            state: state.clone(),
            invoker: invoker.clone(),
            rules,
            delivery_accepted,
            events_written,
        };
        let router = Allowed::of(settings).guard(aws::router(offered, buckets));
        services.spawn(|stop| serve(place.aws, router, stop));
        for role in CONSUMERS {
            let surroundings = Surroundings {
                client: client.clone(),
                url: url.clone(),
                names: names.clone(),
                state: state.clone(),
                dead_letters: dead_letters.clone(),
                invoker: invoker.clone(),
                written: written.clone(),
            };
            work.spawn(|stop| Consumer::new(role, surroundings, stop).run());
        }
        let router = gateway::router(&invoker, &names, &settings.cors_origin);
        let router = Allowed::with_origins_of(settings).guard(router);
        for lane in [Lane::Imports, Lane::Others] {
            let (state, invoker, accepted) = (state.clone(), invoker.clone(), accepted.clone());
            work.spawn(|stop| {
                Deliverer {
                    state,
                    lane,
                    invoker,
                    accepted,
                    stop,
                }
                .run()
            });
        }
        work.spawn(|stop| schedule::watch(invoker, stop));
        work.spawn(|stop| serve(place.api, router, stop));
        Ok(Self {
            api,
            aws,
            work,
            services,
            dynamodb,
            _lock: place.lock,
        })
    }

    /// Where the HTTP API answers.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Where the AWS protocols answer.
    pub fn aws(&self) -> SocketAddr {
        self.aws
    }

    /// Ends the system, letting what is in flight come to its end within a bounded time.
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

/// The configuration of clients that reach the AWS protocols at this address.
pub(crate) async fn sdk_config(aws: SocketAddr) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "local");
    lambda::sdk::loader()
        .endpoint_url(format!("http://{aws}"))
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .load()
        .await
}

/// What the functions are told of their environment.
fn function_settings(names: &Names, settings: &Settings, aws: SocketAddr) -> lambda::Settings {
    let queue = names.of(arn::DEAD_LETTERS);
    lambda::Settings {
        names: names.clone(),
        alerts_arn: arn::topic(names),
        dead_letters_url: format!("http://{aws}/{ACCOUNT}/{queue}"),
        bucket: names.orders_bucket(ACCOUNT),
        shards: settings.shards,
        read_models: settings.read_models.clone(),
        rebuild: RebuildSettings::default(),
        carrier_references: settings.carrier_reference.clone(),
        stalled_after: settings.stalled_after_hours.clone(),
    }
}

async fn unread(state: &State) -> Result<Unread, StateError> {
    let mut lowest: Option<String> = None;
    for role in CONSUMERS {
        let Some(checkpoint) = state.checkpoint(role.name()).await? else {
            return Ok(Unread::All);
        };
        // Sequence numbers have one length, so that their text sorts as they do.
        lowest = Some(lowest.map_or(checkpoint.clone(), |lowest| lowest.min(checkpoint)));
    }
    Ok(lowest.map_or(Unread::All, Unread::After))
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

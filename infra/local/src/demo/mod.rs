//! Sends orders and shipment updates to a running system and checks the results.
//!
//! - [`plan`]: what is sent, drawn from a seed; some of it is invalid deliberately, some sent twice
//! - [`send`] and [`tally`]: sending the plan, and counting the answers
//! - [`parcels`]: webhooks of carriers, and a parcel that stalls
//! - [`outcome`]: what is in the tables afterwards; [`report`]: whether the numbers agree

pub mod outcome;
pub mod parcels;
pub mod plan;
pub mod report;
pub mod send;
pub mod tally;

use std::net::SocketAddr;
use std::time::Instant;

use aws_sdk_dynamodb::operation::scan::ScanError;
use commands::carriers::Provider;
use indicatif::{ProgressBar, ProgressStyle};
use lambda::Names;
use lambda::names::InvalidEnvironment;
use tracing_subscriber::filter::LevelFilter;

use self::outcome::Observer;
use self::parcels::Parcels;
use self::plan::Plan;
use self::report::Report;
use self::send::Sender;
use crate::limits::DYNAMODB_TIMEOUT;
use crate::{Settings, StartError, System, clock, logs, system};

/// The settings of a demonstration: what it sends, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoSettings {
    /// Where the system runs; where none answers, one is started here for the demonstration
    #[command(flatten)]
    pub system: Settings,

    /// Orders to send
    #[arg(long, default_value_t = 2_000)]
    pub orders: usize,

    /// Shipment updates to send
    #[arg(long, default_value_t = 2_000)]
    pub updates: usize,

    /// Requests at the same moment
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,

    /// What the orders and updates are drawn from: the same seed draws the same ones
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// The reasons why a demonstration failed or its numbers do not agree.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The name of the environment is invalid.
    #[error(transparent)]
    Environment(#[from] InvalidEnvironment),
    /// No system answers, and none can be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system does not answer an HTTP request.
    #[error("the system does not answer: {0}")]
    Http(#[from] reqwest::Error),
    /// The rows of a table cannot be counted.
    #[error("a table cannot be read: {0}")]
    Scan(ScanError),
    /// The projections have not caught up within the time limit. The text is the last status.
    #[error("the system is still busy after the time limit: {0}")]
    NotIdle(String),
    /// The counted results differ from what was accepted. Each text is one difference.
    #[error("the numbers do not agree: {}", .0.join("; "))]
    Mismatch(Vec<String>),
}

/// Runs a demonstration on the system that answers, or on one that it starts itself.
pub async fn run(settings: &DemoSettings) -> Result<(), DemoError> {
    let Settings {
        bind,
        port,
        aws_port,
        ..
    } = settings.system;
    let (api, aws) = (SocketAddr::new(bind, port), SocketAddr::new(bind, aws_port));
    let http = reqwest::Client::builder()
        .timeout(DYNAMODB_TIMEOUT)
        .build()?;
    if answers(&http, api).await && answers(&http, aws).await {
        println!("Demonstrating on the system at http://{api}");
        return demonstrate(settings, http, api, aws).await;
    }
    // The handlers log deliberately wrong input as errors. The log file has them, the terminal does
    // not show them.
    logs::start(&settings.system.data, LevelFilter::OFF)?;
    let mut settings = settings.clone();
    settings.system.prepare_for_demo();
    let system = System::start(&settings.system).await?;
    println!("No system answers at http://{api}: one runs here for the demonstration");
    let demonstrated = demonstrate(&settings, http, system.api(), system.aws()).await;
    system.stop().await;
    demonstrated
}

async fn answers(http: &reqwest::Client, address: SocketAddr) -> bool {
    let answer = http.get(format!("http://{address}/health")).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

async fn demonstrate(
    settings: &DemoSettings,
    http: reqwest::Client,
    api: SocketAddr,
    aws: SocketAddr,
) -> Result<(), DemoError> {
    let names = Names::new(&settings.system.env)?;
    let config = system::sdk_config(aws).await;
    let now = clock::now();
    // Every run has its own ids, so that it can be counted among others.
    let run = format!("demo-{:x}", now.timestamp_millis());
    let plan = Plan::draw(run, settings.seed, settings.orders, settings.updates, now);
    let observer = Observer {
        http: http.clone(),
        aws: format!("http://{aws}"),
        dynamodb: aws_sdk_dynamodb::Client::new(&config),
        names: names.clone(),
    };
    let sender = Sender {
        http: http.clone(),
        api: format!("http://{api}"),
        events: aws_sdk_eventbridge::Client::new(&config),
        bus: names.bus(),
        bar: bar(plan.sends()),
    };
    let before = observer.before().await?;
    let start = Instant::now();
    let tally = sender.send(&plan, usize::from(settings.concurrency)).await;
    let took = start.elapsed();
    sender.bar.finish_and_clear();
    let lag = observer.wait_until_idle(Instant::now()).await?;
    let outcome = observer.count(&plan.run, before).await?;

    let report = Report {
        plan: &plan,
        tally: &tally,
        outcome: &outcome,
        took,
        lag,
    };
    println!("\n{report}");
    let mut mismatches = report.mismatches();
    let parcels = Parcels {
        http: &http,
        api: &format!("http://{api}"),
        aws: &format!("http://{aws}"),
        watch: &names.of("watch"),
        // Not the name of the run: parcels are counted separately.
        run: &format!("parcel-{:x}", now.timestamp_millis()),
        began: now,
    };
    let secrets = settings.system.carrier_secrets();
    let secret = secrets.0.get(&Provider::EasyPost);
    let secret = secret.and_then(|text| text.lines().next());
    let outcome = parcels.send(secret).await;
    println!("{outcome}");
    mismatches.extend(outcome.mismatches());
    if mismatches.is_empty() {
        Ok(())
    } else {
        Err(DemoError::Mismatch(mismatches))
    }
}

fn bar(sends: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(sends).unwrap_or(u64::MAX));
    // The default style is used where this one cannot be read.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} sent, {per_sec}") {
        bar.set_style(style);
    }
    bar
}

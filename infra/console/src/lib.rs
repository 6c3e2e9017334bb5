//! The web console: pages that show what Waybill is doing and why, locally or for an environment on
//! AWS.
//!
//! ```text
//! browser ─▶ guard ─▶ pages ─▶ backend (Waybill's HTTP API)
//!            hosts,    one file and one template each
//!            tokens        └──▶ operating (the operator's functions)
//! ```
//!
//! - [`backend`] is the port to the HTTP API, [`http_api`] reaches it over HTTP
//! - [`operating`] reaches the environment by the operator's functions; [`jobs`] runs long jobs
//! - [`guard`] decides which requests are admitted, and requires a token of every change
//!   ([`tokens`])
//! - [`view`] is what every page shares, [`denials`] the texts where credentials do not suffice;
//!   [`change`] makes changes; [`live`] notifies open pages of changes
//! - [`pages`] has the pages; [`rows`], [`story`] and [`diff`] read what they show, [`sparkline`]
//!   draws lines of numbers
//! - [`trying`] sends the texts of the page *Try it*, follows them, and switches faults on; only
//!   for a local system
//! - [`assets`] serves the static files; [`limits`] has every bound; [`args`] is the command
//!   `waybill console`, and [`address`] finds the address of the API

pub mod address;
pub mod args;
pub mod assets;
pub mod at;
pub mod backend;
pub mod change;
pub mod denials;
pub mod diff;
pub mod guard;
pub mod http_api;
pub mod jobs;
pub mod limits;
pub mod links;
pub mod live;
pub mod operating;
pub mod pages;
pub mod rows;
pub mod sparkline;
pub mod story;
pub mod tokens;
pub mod trying;
pub mod view;

use std::{net::IpAddr, sync::Arc};

use axum::{Router, middleware::from_fn_with_state};
use hosts::Allowed;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, oneshot},
};

use backend::{Api, Backend};
use operating::Operating;
use tokens::Tokens;
use trying::Playground;

/// The environment that the console shows, and how it may be changed.
#[derive(Debug, Clone)]
pub struct About {
    /// The name of the environment.
    pub environment: String,
    /// The address of its HTTP API, for a person.
    pub api_url: String,
    /// The arguments with which the command `waybill` uses this environment, such as `--local`.
    pub flags: String,
    /// Whether the environment is on this machine.
    pub is_local: bool,
    /// Whether changes are allowed although the environment is guarded.
    pub allow_changes: bool,
}

impl About {
    /// Whether the environment is production. Then its pages are red, changes have to be allowed
    /// when the console starts, and each one is confirmed.
    pub fn is_guarded(&self) -> bool {
        self.environment == "prod" || self.environment.starts_with("prod-")
    }

    /// Whether changes can be made from this console.
    pub fn may_change(&self) -> bool {
        !self.is_guarded() || self.allow_changes
    }
}

/// A console, shared by all its requests.
#[derive(Clone)]
pub struct Console(Arc<Parts>);

struct Parts {
    about: About,
    api: Api,
    operating: Operating,
    tokens: Tokens,
    streams: Arc<Semaphore>,
    allowed: Allowed,
    cookie: String,
    playground: Option<Arc<Playground>>,
}

impl Console {
    /// Creates a console of this environment. It accepts this machine's own names and `hosts` as
    /// `Host`. `port` is part of the cookie's name, so that two consoles on one machine do not
    /// share a cookie.
    pub fn new(
        about: About,
        backend: Arc<dyn Backend>,
        operating: Operating,
        hosts: impl IntoIterator<Item = String>,
        port: u16,
    ) -> Self {
        Self(Arc::new(Parts {
            about,
            api: Api::new(backend),
            operating,
            tokens: Tokens::random(),
            streams: Arc::new(Semaphore::new(limits::LIVE_STREAMS_MAX)),
            allowed: Allowed::new(hosts, []),
            // Browsers do not keep the cookies of two ports apart.
            cookie: format!("waybill-console-{port}"),
            playground: None,
        }))
    }

    /// Adds the page *Try it*, for a local system.
    pub fn with_playground(mut self, playground: Playground) -> Self {
        // The console is not shared before it serves, so this cannot fail.
        if let Some(parts) = Arc::get_mut(&mut self.0) {
            parts.playground = Some(Arc::new(playground));
        }
        self
    }

    /// Returns the router of all pages, behind the guard.
    pub fn router(self) -> Router {
        let guard = from_fn_with_state(self.clone(), guard::guard);
        pages::router().with_state(self).layer(guard)
    }

    /// Returns the environment that the console shows.
    pub fn about(&self) -> &About {
        &self.0.about
    }

    /// Returns the environment as the operator's functions reach it.
    pub fn operating(&self) -> &Operating {
        &self.0.operating
    }

    /// Returns the playground of the page *Try it*; `None` except for a local system.
    pub fn playground(&self) -> Option<&Arc<Playground>> {
        self.0.playground.as_ref()
    }

    /// Returns the HTTP API of the environment.
    pub fn api(&self) -> &Api {
        &self.0.api
    }
}

/// Returns the host name under which the console is reached in addition to this machine's own
/// names: the address that it listens on.
pub fn bound_name(bind: IpAddr) -> Option<String> {
    (!bind.is_unspecified()).then(|| bind.to_string())
}

/// Serves on this listener until `end` completes, and then for at most [`limits::STOP_TIMEOUT`]
/// what is still running: a page that listens for changes would run for long.
pub async fn serve(
    listener: TcpListener,
    console: Console,
    end: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (tell, told) = oneshot::channel();
    let end = async move {
        end.await;
        let _ = tell.send(());
    };
    let served = axum::serve(listener, console.router()).with_graceful_shutdown(end);
    let late = async move {
        let _ = told.await;
        tokio::time::sleep(limits::STOP_TIMEOUT).await;
    };
    tokio::select! {
        served = served.into_future() => served,
        () = late => Ok(()),
    }
}

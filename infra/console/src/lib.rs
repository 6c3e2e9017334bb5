//! The web console: what Waybill is doing and why, on pages, locally or of an environment on AWS.
//!
//! ```text
//! browser ─▶ guard ─▶ pages ─▶ backend (Waybill's HTTP API)
//!            hosts,    one file and one template each
//!            tokens        └──▶ operating (what an operator does)
//! ```
//!
//! - [`backend`] is the port to the HTTP API, [`http_api`] reaches it over HTTP
//! - [`operating`] reaches the environment as an operator's command does; [`jobs`] are long work
//! - [`guard`] lets in whom the console is for, and no change without its token ([`tokens`])
//! - [`view`] is what a page is given and answers with, [`denials`] what it says where credentials do not
//!   suffice; [`change`] makes changes; [`live`] tells of them
//! - [`pages`] has the pages; [`rows`], [`story`] and [`diff`] read what they show, [`sparkline`] draws it
//! - [`trying`] sends what the page *Try it* is given, follows it, and switches faults on; locally alone
//! - [`assets`] is what pages load; [`limits`] has every bound; [`args`] is the command `waybill console`,
//!   and [`address`] where the API is

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

/// What the console shows: which environment, and where it is.
#[derive(Debug, Clone)]
pub struct About {
    /// The environment's name.
    pub environment: String,
    /// Where its HTTP API is, for a person.
    pub api_url: String,
    /// What the command `waybill` is told to mean this environment, such as `--local`.
    pub flags: String,
    /// Is it on this machine?
    pub is_local: bool,
    /// May it be changed from here although it is guarded?
    pub allow_changes: bool,
}

impl About {
    /// Is it production? Then it is red, changes have to be allowed at the start, and each one is
    /// confirmed.
    pub fn is_guarded(&self) -> bool {
        self.environment == "prod" || self.environment.starts_with("prod-")
    }

    /// May anything be changed from here?
    pub fn may_change(&self) -> bool {
        !self.is_guarded() || self.allow_changes
    }
}

/// A console, shared by its requests.
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
    /// A console of this environment, over this way to its API, and as an operator reaches it. It
    /// answers to this machine's own names and to `hosts`. `port` tells its cookie from that of another
    /// console on this machine.
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

    /// The same with the page *Try it*, in front of a local system.
    pub fn with_playground(mut self, playground: Playground) -> Self {
        // Nobody shares it before it serves.
        if let Some(parts) = Arc::get_mut(&mut self.0) {
            parts.playground = Some(Arc::new(playground));
        }
        self
    }

    /// Its pages, guarded.
    pub fn router(self) -> Router {
        let guard = from_fn_with_state(self.clone(), guard::guard);
        pages::router().with_state(self).layer(guard)
    }

    /// Which environment it shows.
    pub fn about(&self) -> &About {
        &self.0.about
    }

    /// The environment as an operator's command reaches it.
    pub fn operating(&self) -> &Operating {
        &self.0.operating
    }

    /// Where something can be tried; locally alone.
    pub fn playground(&self) -> Option<&Arc<Playground>> {
        self.0.playground.as_ref()
    }

    /// The way to that environment.
    pub fn api(&self) -> &Api {
        &self.0.api
    }
}

/// How the console is called beside this machine's own names: by the address that it listens on.
pub fn bound_name(bind: IpAddr) -> Option<String> {
    (!bind.is_unspecified()).then(|| bind.to_string())
}

/// Answers on this listener until `end` comes, and for [`limits::STOP_TIMEOUT`] more what is under
/// way: a page that listens for news would go on for long.
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

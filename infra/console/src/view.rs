//! What every page shares: the request, the navigation, and the answer.
//!
//! A page has three parts that are written one after the other: the top of every page, the content
//! that the page renders, and the bottom. So a slow page can start: after [`WAITING_IS_SAID_AFTER`]
//! the top is sent with a sentence about what the page waits for. The sentence hides itself,
//! without a script, as soon as the rest arrives.

use std::{convert::Infallible, pin::Pin};

use askama::Template;
use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{FromRequestParts, OriginalUri},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse as _, Redirect, Response},
};
use futures::{StreamExt as _, stream};

use crate::{
    About, Console, assets,
    backend::{Failure, NoAnswer},
    denials,
    limits::{PAGE_TIMEOUT, WAITING_IS_SAID_AFTER},
    trying::faults::Faults,
};

/// The session that the guard has found or started.
#[derive(Debug, Clone)]
pub struct Session {
    /// The token of the session's forms.
    pub token: String,
}

/// One request for a page.
#[derive(Clone)]
pub struct View {
    /// The console.
    pub console: Console,
    /// The token that forms must contain.
    pub token: String,
    /// The path and query that were requested.
    pub address: String,
    /// The faults that are switched on; `None` where there are none.
    pub faults: Option<Faults>,
}

impl FromRequestParts<Console> for View {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, StatusCode> {
        let session = Extension::<Session>::from_request_parts(parts, console).await;
        let Extension(session) = session.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        let Ok(OriginalUri(uri)) = OriginalUri::from_request_parts(parts, console).await;
        let faults = match console.playground() {
            Some(playground) => playground.faults().await.filter(|on| !on.is_off()),
            None => None,
        };
        Ok(Self {
            faults,
            console: console.clone(),
            token: session.token,
            address: uri
                .path_and_query()
                .map_or("/", |it| it.as_str())
                .to_owned(),
        })
    }
}

/// Where a page stands in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nav {
    /// The page *Now*.
    Now,
    /// Orders.
    Orders,
    /// Shipments.
    Shipments,
    /// Files.
    Files,
    /// Read models.
    ReadModels,
    /// The page *Stuck*.
    Stuck,
    /// Webhooks.
    Webhooks,
    /// The page *Try it*, for a local system only.
    TryIt,
    /// No place in the navigation: search results and failures.
    None,
}

/// The navigation: place, title and path. A new page that belongs there is added here.
const NAVIGATION: [(Nav, &str, &str); 8] = [
    (Nav::Now, "Now", "/"),
    (Nav::Orders, "Orders", "/orders"),
    (Nav::Shipments, "Shipments", "/shipments"),
    (Nav::Files, "Files", "/files"),
    (Nav::ReadModels, "Read models", "/read-models"),
    (Nav::Stuck, "Stuck", "/stuck"),
    (Nav::Webhooks, "Webhooks", "/webhooks"),
    (Nav::TryIt, "Try it", "/try"),
];

/// What is known of a page before its data are read.
#[derive(Debug, Clone)]
pub struct Head {
    /// The title in the browser's tab, without the environment.
    pub title: String,
    /// The page's place in the navigation.
    pub nav: Nav,
    /// The text in the search field.
    pub search: String,
    /// What the page waits for, as the end of a sentence after "Waiting for", such as `the order
    /// A-1`.
    pub waits_for: String,
}

impl Head {
    /// Creates the head of a page without a search text.
    pub fn new(nav: Nav, title: impl Into<String>, waits_for: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            nav,
            search: String::new(),
            waits_for: waits_for.into(),
        }
    }
}

/// The result of a page.
#[derive(Debug)]
pub enum Page {
    /// The status code, and the HTML between top and bottom.
    Shown(StatusCode, String),
    /// A redirect to this path of the console.
    Redirect(String),
}

impl Page {
    /// Renders a page with status 200.
    pub fn of(template: &impl Template) -> Result<Self, Failure> {
        Self::with(StatusCode::OK, template)
    }

    /// Renders a page with this status code.
    pub fn with(status: StatusCode, template: &impl Template) -> Result<Self, Failure> {
        let body = template.render();
        let body = body.map_err(|error| Failure::Unreadable(error.to_string()))?;
        Ok(Self::Shown(status, body))
    }
}

#[derive(Template)]
#[template(path = "top.html")]
struct Top<'a> {
    head: &'a Head,
    about: &'a About,
    navigation: Vec<(Nav, &'a str, &'a str)>,
    faults: Option<&'a Faults>,
    token: &'a str,
    css: String,
    scripts: [String; 3],
    icon: String,
}

#[derive(Template)]
#[template(path = "bottom.html")]
struct Bottom<'a> {
    about: &'a About,
}

#[derive(Template)]
#[template(path = "waiting.html")]
struct Waiting<'a> {
    waits_for: &'a str,
    about: &'a About,
    seconds: u64,
}

#[derive(Template)]
#[template(path = "elsewhere.html")]
struct RedirectPage<'a> {
    to: &'a str,
}

/// The page that is shown in case of a failure.
#[derive(Template)]
#[template(path = "failed.html")]
struct Failed<'a> {
    title: &'a str,
    message: &'a str,
    advice: Vec<String>,
    /// A command line that may help.
    command: Option<&'a str>,
    /// The path for another attempt.
    again: Option<&'a str>,
}

impl View {
    /// Answers with the page that `work` returns. Where that takes longer than
    /// [`WAITING_IS_SAID_AFTER`], the page is started and says what it waits for; its status is
    /// then `200`, whatever the result. After [`PAGE_TIMEOUT`] the page fails.
    pub async fn show(
        self,
        head: Head,
        work: impl Future<Output = Result<Page, Failure>> + Send + 'static,
    ) -> Response {
        let limited = async move {
            let done = tokio::time::timeout(PAGE_TIMEOUT, work).await;
            done.unwrap_or(Err(Failure::NoAnswer(NoAnswer::TimedOut(PAGE_TIMEOUT))))
        };
        let mut work: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(limited);
        let page = tokio::select! {
            page = &mut work => Some(page),
            () = tokio::time::sleep(WAITING_IS_SAID_AFTER) => None,
        };
        match page {
            Some(page) => self.complete_page(&head, self.page_or_failure(page)),
            None => self.streamed_page(&head, work),
        }
    }

    /// Answers with a page that says that the request was refused.
    pub fn refused(&self, status: StatusCode, message: &str) -> Response {
        let head = Head::new(Nav::None, "Refused", "");
        let failed = Failed {
            title: "This was refused",
            message,
            advice: Vec::new(),
            command: None,
            again: None,
        };
        let body = failed.render().unwrap_or_default();
        self.complete_page(&head, Page::Shown(status, body))
    }

    fn about(&self) -> &About {
        self.console.about()
    }

    /// Returns the page, or the page of the failure.
    fn page_or_failure(&self, page: Result<Page, Failure>) -> Page {
        page.unwrap_or_else(|failure| self.failed(&failure))
    }

    fn failed(&self, failure: &Failure) -> Page {
        let about = self.about();
        let (status, title, message) = described(failure, about);
        let lost = matches!(
            failure,
            Failure::NoAnswer(_) | Failure::Message { status: 502, .. }
        );
        let failed = Failed {
            title,
            message: &message,
            advice: advice(failure, about),
            command: (lost && about.is_local).then_some("make run"),
            again: Some(&self.address),
        };
        Page::Shown(status, failed.render().unwrap_or_default())
    }

    fn top(&self, head: &Head) -> String {
        let playground = self.console.playground().is_some();
        let here = |page: &(Nav, &str, &str)| page.0 != Nav::TryIt || playground;
        let top = Top {
            head,
            about: self.about(),
            navigation: NAVIGATION.into_iter().filter(here).collect(),
            faults: self.faults.as_ref(),
            token: &self.token,
            css: assets::path("console.css"),
            scripts: ["htmx.js", "hx-sse.js", "console.js"].map(assets::path),
            icon: assets::path("icon.svg"),
        };
        top.render().unwrap_or_default()
    }

    fn bottom(&self) -> String {
        let about = self.about();
        Bottom { about }.render().unwrap_or_default()
    }

    fn complete_page(&self, head: &Head, page: Page) -> Response {
        match page {
            Page::Redirect(address) => Redirect::to(&address).into_response(),
            Page::Shown(status, body) => {
                let html = [self.top(head), body, self.bottom()].concat();
                (status, [(header::CONTENT_TYPE, HTML)], html).into_response()
            }
        }
    }

    /// Answers with the top at once, and with the rest when it is ready.
    fn streamed_page(
        self,
        head: &Head,
        work: Pin<Box<dyn Future<Output = Result<Page, Failure>> + Send>>,
    ) -> Response {
        let waiting = Waiting {
            waits_for: &head.waits_for,
            about: self.about(),
            seconds: PAGE_TIMEOUT.as_secs(),
        };
        let waiting = waiting.render().unwrap_or_default();
        let begin = [self.top(head), waiting].concat();
        let rest = async move {
            let body = match self.page_or_failure(work.await) {
                Page::Shown(_, body) => body,
                Page::Redirect(to) => RedirectPage { to: &to }.render().unwrap_or_default(),
            };
            [body, self.bottom()].concat()
        };
        let parts = stream::once(async move { begin }).chain(stream::once(rest));
        let parts = parts.map(|part| Ok::<_, Infallible>(Bytes::from(part)));
        ([(header::CONTENT_TYPE, HTML)], Body::from_stream(parts)).into_response()
    }
}

const HTML: &str = "text/html; charset=utf-8";

/// Returns how a failure is described to a person: status code, title and message.
pub fn described(failure: &Failure, about: &About) -> (StatusCode, &'static str, String) {
    let url = &about.api_url;
    match failure {
        Failure::NotFound(problem) => (
            StatusCode::NOT_FOUND,
            "There is no such thing",
            problem.detail.clone(),
        ),
        Failure::Refused(problem) if problem.is_denied() => denials::by_gateway(problem, about),
        Failure::Refused(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY);
            let at = problem.field.as_deref().filter(|field| !field.is_empty());
            let at = at.map_or(String::new(), |field| format!("{field}: "));
            let code = match problem.code.as_str() {
                "" => String::new(),
                code => format!(" ({code})"),
            };
            let message = format!("Waybill said no: {at}{}{code}", problem.detail);
            (status, "This was refused", message)
        }
        Failure::NoAnswer(NoAnswer::Lost(reason)) => (
            StatusCode::BAD_GATEWAY,
            "Waybill does not answer",
            format!("Nobody answers at {url}: {reason}."),
        ),
        Failure::NoAnswer(NoAnswer::TimedOut(time)) => (
            StatusCode::GATEWAY_TIMEOUT,
            "Waybill takes too long",
            format!(
                "There was no answer from {url} within {} s.",
                time.as_secs()
            ),
        ),
        Failure::Denied(denied) => (
            StatusCode::FORBIDDEN,
            denials::title(denied.policy),
            denials::by_aws(denied, about),
        ),
        Failure::Message { status, message } => {
            let title = match status {
                404 => "There is no such thing",
                409 => "This cannot be done now",
                502 => "Waybill does not answer",
                _ => "This cannot be done",
            };
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_GATEWAY);
            (status, title, message.clone())
        }
        Failure::Unreadable(reason) => {
            tracing::warn!(reason, "an answer could not be read");
            (
                StatusCode::BAD_GATEWAY,
                "The answer cannot be read",
                format!(
                    "What {url} has answered is not what this version of Waybill answers. Is it \
                     Waybill, and the same version?"
                ),
            )
        }
    }
}

/// Returns advice for a person after a failure.
fn advice(failure: &Failure, about: &About) -> Vec<String> {
    let lines: &[&str] = match failure {
        Failure::NoAnswer(_) | Failure::Message { status: 502, .. } if about.is_local => {
            &["Is the local system running? This starts it:"]
        }
        Failure::Message { status: 502, .. } => &[
            "Do the operator's credentials and region reach it? `aws sts get-caller-identity` says \
             whose they are.",
        ],
        Failure::NoAnswer(_) => &[
            "Is the address right (--api-url), and does this machine reach it?",
            "The alarms of the environment and the log of the function query say more.",
        ],
        Failure::Denied(_) => &["`aws sts get-caller-identity` says whose credentials they are."],
        Failure::Refused(problem) if problem.is_denied() => {
            &["`aws sts get-caller-identity` says whose credentials they are."]
        }
        Failure::Refused(problem) if problem.status >= 500 || problem.status == 429 => {
            &["It may succeed in a moment."]
        }
        _ => &[],
    };
    lines.iter().map(|&line| line.to_owned()).collect()
}

//! The page of webhooks that carriers' providers send, by provider. (Webhooks to customers are
//! planned.)

use std::collections::BTreeMap;

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use http::Method;
use operator::carriers::{self, PROVIDER, PROVIDERS, Secret, Webhooks, counted};
use serde::Deserialize;

use crate::{
    About, Console,
    backend::{Call, Failure, NoAnswer},
    limits::PART_TIMEOUT,
    view::{Head, Nav, Page, View, described},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/webhooks", get(show))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    /// Whether to ask each address if its secret is set.
    ask: bool,
}

/// A provider of carriers' webhooks.
struct Provider {
    name: &'static str,
    address: String,
    secret: Option<Secret>,
    counted: Webhooks,
    /// The outcomes of the webhooks as text, without refused ones.
    outcomes: String,
    /// The command line that sends an example.
    command: String,
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage<'a> {
    about: &'a About,
    providers: Vec<Provider>,
    asked: bool,
    /// Whether the numbers come from CloudWatch.
    by_cloudwatch: bool,
    /// Why the numbers are missing.
    unknown: Option<String>,
}

async fn show(view: View, Query(asked): Query<Params>) -> Response {
    let head = Head::new(Nav::Webhooks, "Webhooks", "the addresses of the webhooks");
    let console = view.console.clone();
    view.show(head, async move {
        let mut secrets = match asked.ask {
            true => secrets(&console).await?,
            false => BTreeMap::new(),
        };
        // The local system reports its lines of metrics; on AWS, CloudWatch has counted them.
        let lines = match console.operating().local() {
            Some(local) => local.metrics(PROVIDER).await,
            None => None,
        };
        let (measured, by_cloudwatch) = match &lines {
            Some(lines) => (Ok(counted(lines)), false),
            None => (measured(&console).await, true),
        };
        let unknown = measured.as_ref().err().cloned();
        let mut counted = measured.unwrap_or_default();
        let providers = PROVIDERS.into_iter().map(|name| {
            let counted = counted.remove(name).unwrap_or_default();
            let others = counted
                .outcomes
                .iter()
                .filter(|(outcome, _)| *outcome != "refused");
            let others: Vec<String> = others
                .map(|(outcome, count)| format!("{count} {}", words(outcome)))
                .collect();
            Provider {
                name,
                address: format!("{}/carriers/{name}", console.about().api_url),
                secret: secrets.remove(name),
                outcomes: others.join(", "),
                counted,
                command: format!(
                    "WAYBILL_CARRIER_SECRET_{}=… waybill carriers try {name} --url {}",
                    name.to_uppercase(),
                    console.about().api_url
                ),
            }
        });
        Page::of(&WebhooksPage {
            about: console.about(),
            providers: providers.collect(),
            asked: asked.ask,
            by_cloudwatch,
            unknown,
        })
    })
    .await
}

/// Returns an outcome in words.
fn words(outcome: &str) -> String {
    match outcome {
        "no_secret" => "without a secret".to_owned(),
        "nothing" => "about nothing to log".to_owned(),
        "too_large" => "too large".to_owned(),
        "unavailable" => "could not be checked".to_owned(),
        other => other.replace('_', " "),
    }
}

/// Reads the numbers from CloudWatch. Fails with the reason for a person.
async fn measured(console: &Console) -> Result<BTreeMap<String, Webhooks>, String> {
    let asked = async {
        let environment = console.operating().environment().await?;
        Ok(carriers::measured(&environment).await?)
    };
    let done = tokio::time::timeout(PART_TIMEOUT, asked).await;
    let done = done.unwrap_or(Err(Failure::NoAnswer(NoAnswer::TimedOut(PART_TIMEOUT))));
    done.map_err(|failure| described(&failure, console.about()).2)
}

/// Finds out which secrets are set, by the answers to a webhook without a signature.
async fn secrets(console: &Console) -> Result<BTreeMap<&'static str, Secret>, Failure> {
    let post = |path: String| async {
        let call = Call {
            method: Method::POST,
            path,
            key: None,
            version: None,
            body: Some("{}".to_owned()),
        };
        let answer = console.api().answer(call).await;
        answer.map(|answer| answer.status)
    };
    carriers::secrets(post).await
}

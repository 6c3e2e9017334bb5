//! Webhooks: those that carriers' providers send, by provider. (Those to customers are planned.)

use std::collections::BTreeMap;

use askama::Template;
use axum::{Router, extract::Query, response::Response, routing::get};
use http::Method;
use operator::carriers::{PROVIDERS, Secret, Webhooks, counted};
use serde::Deserialize;

use crate::{
    About, Console,
    backend::{Call, Failure},
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/webhooks", get(show))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// Is each address to be asked whether its secret is set?
    ask: bool,
}

/// A provider.
struct Provider {
    name: &'static str,
    address: String,
    secret: Option<Secret>,
    counted: Webhooks,
    /// What became of those that came, without those that were refused.
    outcomes: String,
    /// What tries an example.
    command: String,
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct WebhooksPage<'a> {
    about: &'a About,
    providers: Vec<Provider>,
    asked: bool,
    /// Are webhooks counted where this console can read it?
    counts: bool,
}

async fn show(view: View, Query(asked): Query<Asked>) -> Response {
    let head = Head::new(Nav::Webhooks, "Webhooks", "the addresses of the webhooks");
    let console = view.console.clone();
    view.show(head, async move {
        let mut secrets = match asked.ask {
            true => secrets(&console).await?,
            false => BTreeMap::new(),
        };
        // On AWS these are metrics of CloudWatch: whoever reads those fills this in.
        let lines = match console.operating().local() {
            Some(local) => Some(local.metrics().await),
            None => None,
        };
        let mut counted = lines.as_deref().map(counted).unwrap_or_default();
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
            counts: lines.is_some(),
        })
    })
    .await
}

/// An outcome in words.
fn words(outcome: &str) -> String {
    match outcome {
        "no_secret" => "without a secret".to_owned(),
        "nothing" => "about nothing to log".to_owned(),
        "too_large" => "too large".to_owned(),
        "unavailable" => "could not be checked".to_owned(),
        other => other.replace('_', " "),
    }
}

/// By what each address answers to a webhook without a signature.
async fn secrets(console: &Console) -> Result<BTreeMap<&'static str, Secret>, Failure> {
    let mut secrets = BTreeMap::new();
    for name in PROVIDERS {
        let call = Call {
            method: Method::POST,
            path: format!("/carriers/{name}"),
            key: None,
            version: None,
            body: Some("{}".to_owned()),
        };
        let answer = console.api().answer(call).await?;
        secrets.insert(name, Secret::by_status(answer.status));
    }
    Ok(secrets)
}

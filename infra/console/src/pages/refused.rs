//! The page of refusals in the last hour: how many, with which codes, and where each is recorded.

use std::collections::BTreeMap;

use askama::Template;
use axum::{Router, response::Response, routing::get};
use domain::Timestamp;
use lambda::metrics::REFUSAL_CODE;
use operator::{
    activity::activity,
    dead_letters::meaning,
    recent::{self, Files},
};
use serde::Deserialize;

use super::now::{Part, part};
use crate::{
    Console,
    at::At,
    limits::RECENT_SHOWN,
    view::{Head, Nav, Page, View},
};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/refused", get(show))
}

/// The length of the period that is shown, in milliseconds.
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// The refusals with one code.
#[derive(Debug, PartialEq, Eq)]
struct Code {
    code: String,
    meaning: Option<&'static str>,
    number: u64,
    /// The time of the last refusal.
    at: At,
}

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage {
    /// The numbers of orders and of updates that were refused in the last hour.
    counted: Part<(u64, u64)>,
    /// The refusals by code, from the local system; `None` on AWS.
    codes: Option<Vec<Code>>,
    files: Part<Files>,
    /// The log groups that record the refusals on AWS.
    logs: Vec<String>,
    query: String,
}

async fn show(view: View) -> Response {
    let console = view.console.clone();
    let head = Head::new(Nav::Now, "Refused", "what was refused in the last hour");
    view.show(head, async move {
        let lines = async {
            let local = console.operating().local()?;
            local.metrics(REFUSAL_CODE).await
        };
        let (counted, files, now, lines) = futures::join!(
            part(&console, |it| async move { activity(&it).await }),
            part(&console, |it| async move {
                recent::files(&it, "", None, RECENT_SHOWN).await
            }),
            part(&console, |it| async move { Ok(it.now()) }),
            lines,
        );
        let now = now.ok();
        let environment = &console.about().environment;
        let roles = ["api", "bus", "invoke"].into_iter();
        Page::of(&RefusedPage {
            counted: counted.map(|it| (it.refused_orders.total(), it.refused_updates.total())),
            codes: lines.zip(now).map(|(lines, now)| by_code(&lines, now)),
            files: files.map(|mut files| {
                files.files.retain(|file| file.rejected > 0);
                files
            }),
            logs: roles
                .map(|role| format!("/aws/lambda/waybill-{environment}-{role}"))
                .collect(),
            query: format!(
                "filter ispresent({REFUSAL_CODE}) | stats count(*) as refused by {REFUSAL_CODE}"
            ),
        })
    })
    .await
}

/// The members of a line of metrics that are read.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "_aws")]
    aws: Aws,
    /// The code of the refusal. The name of the member is [`REFUSAL_CODE`].
    #[serde(rename = "RefusalCode")]
    refusal_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Aws {
    timestamp: i64,
}

/// Counts the refusals of the last hour by code, most frequent first.
fn by_code(lines: &[Line], now: Timestamp) -> Vec<Code> {
    let mut codes: BTreeMap<&str, (u64, i64)> = BTreeMap::new();
    for line in lines {
        let at = line.aws.timestamp;
        if let Some(code) = &line.refusal_code
            && at > now.millis() - HOUR_MS
        {
            let (number, last) = codes.entry(code.as_str()).or_default();
            (*number, *last) = (*number + 1, at.max(*last));
        }
    }
    let told = |(code, (number, last)): (&str, (u64, i64))| Code {
        code: code.to_owned(),
        meaning: meaning(code),
        number,
        at: At(Timestamp::from_millis(last).map_or(String::new(), |at| at.to_string())),
    };
    let mut codes: Vec<Code> = codes.into_iter().map(told).collect();
    codes.sort_by_key(|it| std::cmp::Reverse(it.number));
    codes
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_of_the_last_hour_are_counted_by_their_code() {
        let now = Timestamp::from_millis(1_700_000_000_000).unwrap();
        let line = |code: &str, before: i64| {
            json!({
                "_aws": { "Timestamp": now.millis() - before },
                REFUSAL_CODE: code,
            })
        };
        let lines = [
            line("invalid_field", 5_000),
            line("order_closed", 1_000),
            line("order_closed", 2_000),
            line("order_closed", HOUR_MS + 1),
            json!({ "_aws": { "Timestamp": now.millis() }, "OrdersProcessed": 1 }),
        ];
        let lines = lines.map(|line| serde_json::from_value(line).unwrap());
        let codes = by_code(&lines, now);
        let told: Vec<_> = codes
            .iter()
            .map(|it| (it.code.as_str(), it.number))
            .collect();
        assert_eq!(told, [("order_closed", 2), ("invalid_field", 1)]);
        assert_eq!(codes[0].at, At("2023-11-14T22:13:19.000Z".to_owned()));
    }
}

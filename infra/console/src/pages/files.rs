//! Pages of order files: the list of imports, running and done, and the report of one of them.

use askama::Template;
use axum::{
    Router,
    extract::{Path, Query},
    http::header,
    response::{IntoResponse as _, Response},
    routing::get,
};
use operator::{
    Environment,
    recent::{self, FileId, FileReport, FileState, Files},
};
use serde::Deserialize;

use crate::{
    Console,
    at::{self, At},
    limits::FILES_SHOWN,
    links::{self, quoted},
    view::{Head, Nav, Page, View, described},
};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/files", get(show))
        .route("/files/{key}/{version}", get(show_one))
        .route("/files/{key}/{version}/raw", get(show_raw))
}

/// Returns the command line that uploads an order file.
pub(super) fn upload(environment: &Environment) -> String {
    let bucket = &environment.settings().bucket;
    let endpoint = environment.endpoint();
    let endpoint = endpoint.map_or(String::new(), |url| {
        format!(" --endpoint-url {}", quoted(url))
    });
    format!("aws s3 cp orders.json s3://{bucket}/orders/{endpoint}")
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Params {
    prefix: String,
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "files.html")]
struct List<'a> {
    prefix: &'a str,
    files: &'a Files,
    upload: String,
    next: Option<String>,
    /// Whether the page is the first one of the list.
    first: bool,
}

async fn show(view: View, Query(asked): Query<Params>) -> Response {
    let console = view.console.clone();
    let head = Head::new(Nav::Files, "Files", "the reports of files");
    view.show(head, async move {
        let environment = console.operating().environment().await?;
        let prefix = asked.prefix.trim();
        let after = asked.after.as_deref().filter(|after| !after.is_empty());
        let found = recent::files(&environment, prefix, after, FILES_SHOWN).await?;
        let next = found
            .next
            .as_deref()
            .map(|next| links::query("/files", &[("prefix", Some(prefix)), ("after", Some(next))]));
        Page::of(&List {
            prefix,
            upload: upload(&environment),
            next,
            first: after.is_none(),
            files: &found,
        })
    })
    .await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageParams {
    page: Option<u64>,
}

#[derive(Template)]
#[template(path = "file.html")]
struct One<'a> {
    report: &'a FileReport,
    at: At,
    /// The path of the file's page.
    address: String,
    /// The command line that prints the report.
    command: String,
    raw: String,
}

async fn show_one(
    view: View,
    Path((key, version)): Path<(String, String)>,
    Query(asked): Query<PageParams>,
) -> Response {
    let console = view.console.clone();
    let head = Head::new(Nav::Files, key.clone(), format!("the report of {key}"));
    view.show(head, async move {
        let environment = console.operating().environment().await?;
        let id = FileId { key, version };
        let report = recent::file_report(&environment, &id, asked.page.unwrap_or(1)).await?;
        let address = links::file(&id.key, &id.version);
        let part = (report.page < report.pages).then(|| report.page.to_string());
        let endpoint = environment.endpoint();
        let endpoint = endpoint.map_or(String::new(), |url| {
            format!(" --endpoint-url {}", quoted(url))
        });
        let object = quoted(&format!("s3://{}/{}", report.bucket, report.report));
        Page::of(&One {
            at: at::of(&report.file.at),
            command: format!("aws s3 cp {object} -{endpoint}"),
            raw: links::query(&format!("{address}/raw"), &[("page", part.as_deref())]),
            address,
            report: &report,
        })
    })
    .await
}

/// Returns the report as it lies in the bucket. It holds customers' data, so the browser is told to
/// save it and never to display it as a page.
async fn show_raw(
    view: View,
    Path((key, version)): Path<(String, String)>,
    Query(asked): Query<PageParams>,
) -> Response {
    let found = async {
        let environment = view.console.operating().environment().await?;
        Ok(recent::raw(&environment, &FileId { key, version }, asked.page).await?)
    };
    match found.await {
        Ok(content) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (
                    header::CONTENT_DISPOSITION,
                    "attachment; filename=\"report.json\"",
                ),
            ];
            (headers, content).into_response()
        }
        Err(failure) => {
            let (status, _, message) = described(&failure, view.console.about());
            view.refused(status, &message)
        }
    }
}

/// Returns how a state of a file is shown: class of the style sheet, sign and text.
pub(crate) fn state(state: &FileState) -> (&'static str, &'static str, &'static str) {
    match state {
        FileState::Done => ("good", "●", "done"),
        FileState::UnderWay => ("going", "◐", "under way"),
        FileState::Unreadable => ("bad", "▲", "unreadable"),
    }
}

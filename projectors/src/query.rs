//! The role `query`: read models and histories over HTTP.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use domain::{AggregateId, Json, OrderId, ShipmentId, json::Object, order};
use event_store::{Commit, StoreError};
use lambda::{
    Answer, Failed,
    http::{Problem, Request, Response},
};
use serde_json::value::RawValue;

use crate::{
    Projectors, cursor,
    limits::{HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX, LIST_MAX},
    ports::{Row, RowError, Table},
    processed_orders, shipment_log,
};

/// Handles a request of the HTTP API.
pub async fn handle(projectors: &Projectors, payload: &RawValue) -> Answer {
    let event: ApiGatewayV2httpRequest = serde_json::from_str(payload.get())
        .map_err(|_| Failed("not a request of an HTTP API".to_owned()))?;
    Ok(match answer(projectors, event).await {
        Ok(response) => response.to_payload(),
        Err(problem) => problem.to_payload(),
    })
}

async fn answer(
    projectors: &Projectors,
    event: ApiGatewayV2httpRequest,
) -> Result<Response, Problem> {
    let request = Request::new(event)?;
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["orders", id]) => order(projectors, parse("orderId", id)?).await,
        ("GET", ["orders", id, "history"]) => {
            history(
                projectors,
                &request,
                AggregateId::Order(parse("orderId", id)?),
            )
            .await
        }
        ("GET", ["shipments", id]) => shipment(projectors, parse("shipmentId", id)?).await,
        ("GET", ["shipments", id, "log"]) => {
            log(projectors, &request, parse("shipmentId", id)?).await
        }
        _ => Err(Problem::not_found("there is nothing here")),
    }
}

fn parse<T: std::str::FromStr<Err: ToString>>(field: &str, text: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|error: T::Err| Problem::invalid("invalid_field", field, error.to_string()))
}

// ---- One row

async fn order(projectors: &Projectors, id: OrderId) -> Result<Response, Problem> {
    let row = get(
        projectors,
        Table::ProcessedOrders,
        processed_orders::key(&id),
    )
    .await?;
    let mut row = row.ok_or_else(|| Problem::not_found("there is no such order"))?;
    let actions = match row.get("status") {
        Some(Json::String(status)) if status == order::Status::New.as_str() => {
            order::Status::New.allowed_actions()
        }
        Some(Json::String(status)) if status == order::Status::Processing.as_str() => {
            order::Status::Processing.allowed_actions()
        }
        _ => &[],
    };
    row.insert("allowedActions".to_owned(), list(actions));
    Ok(single(row))
}

async fn shipment(projectors: &Projectors, id: ShipmentId) -> Result<Response, Problem> {
    let row = get(
        projectors,
        Table::ShipmentLog,
        shipment_log::current_key(&id),
    )
    .await?;
    let mut row = row.ok_or_else(|| Problem::not_found("there is no such shipment"))?;
    row.remove("entry");
    for (stored, shown) in [
        ("currentStatus", "status"),
        ("currentTimestamp", "timestamp"),
    ] {
        if let Some(value) = row.remove(stored) {
            row.insert(shown.to_owned(), value);
        }
    }
    row.insert("allowedActions".to_owned(), list(&["update"]));
    Ok(single(row))
}

fn list(texts: &[&str]) -> Json {
    Json::Array(texts.iter().map(|text| (*text).into()).collect())
}

/// A row with its version as the tag that `If-Match` takes.
fn single(row: Row) -> Response {
    let version = row.get("version").map(Json::to_string).unwrap_or_default();
    Response::ok(Json::Object(row)).with("etag", format!("\"{version}\""))
}

async fn get(projectors: &Projectors, table: Table, key: Row) -> Result<Option<Row>, Problem> {
    projectors.rows.get(table, key).await.map_err(row_problem)
}

fn row_problem(error: RowError) -> Problem {
    tracing::warn!(%error, "rows cannot be read");
    match error {
        RowError::Unavailable(_) => Problem::unavailable(),
        RowError::Refused(_) => Problem::internal(),
    }
}

// ---- A shipment's log

async fn log(
    projectors: &Projectors,
    request: &Request,
    id: ShipmentId,
) -> Result<Response, Problem> {
    let query = format!("log/{id}");
    let limit = limit(request)?;
    let after = request
        .parameter("cursor")
        .map(|text| cursor::decode(&query, text))
        .transpose()?;
    let page = projectors
        .rows
        .log(id.as_str(), after.as_deref(), limit)
        .await;
    let page = page.map_err(row_problem)?;
    if page.rows.is_empty() && after.is_none() {
        return Err(Problem::not_found("there is no such shipment"));
    }
    let last = page
        .rows
        .last()
        .and_then(|row| row.get("entry"))
        .filter(|_| page.more);
    let next = match last {
        Some(Json::String(entry)) => cursor::encode(&query, entry).into(),
        _ => Json::Null,
    };
    Ok(Response::ok(Json::Object(Object::from([
        (
            "items".to_owned(),
            Json::Array(page.rows.into_iter().map(Json::Object).collect()),
        ),
        ("cursor".to_owned(), next),
    ]))))
}

/// `limit=`, 1 to 100.
fn limit(request: &Request) -> Result<u32, Problem> {
    let Some(text) = request.parameter("limit") else {
        return Ok(LIST_MAX);
    };
    let limit = text
        .parse()
        .ok()
        .filter(|limit| (1..=LIST_MAX).contains(limit));
    limit.ok_or_else(|| {
        let message = format!("a number from 1 to {LIST_MAX} was expected");
        Problem::invalid("invalid_field", "limit", message)
    })
}

// ---- A history

/// Every event with when, who and why; a page of up to 1,000 events or 4 MB.
async fn history(
    projectors: &Projectors,
    request: &Request,
    id: AggregateId,
) -> Result<Response, Problem> {
    let query = format!("history/{id}");
    let after = request
        .parameter("cursor")
        .map(|text| cursor::decode(&query, text))
        .transpose()?;
    let mut from = match after {
        Some(place) => parse("cursor", &place)?,
        None => 1,
    };
    let mut events = Vec::new();
    let mut bytes = 0;
    let next = loop {
        let limit = u32::try_from(HISTORY_EVENTS_MAX - events.len()).unwrap_or(1);
        let page = projectors
            .store
            .history(&id, from, limit)
            .await
            .map_err(store_problem)?;
        let mut cut = None;
        for commit in &page.commits {
            bytes += commit
                .events
                .iter()
                .map(|event| event.data.get().len())
                .sum::<usize>();
            if bytes > HISTORY_BYTES_MAX && !events.is_empty() {
                cut = Some(commit.sequence);
                break;
            }
            events.extend(told(commit)?);
        }
        match cut.or(page.next) {
            Some(sequence) if cut.is_some() || events.len() >= HISTORY_EVENTS_MAX => {
                break Some(sequence);
            }
            Some(sequence) => from = sequence,
            None => break None,
        }
    };
    if events.is_empty() && from == 1 {
        return Err(Problem::not_found("there is no such order"));
    }
    let next = next.map(|sequence| cursor::encode(&query, &sequence.to_string()));
    Ok(Response::ok(Json::Object(Object::from([
        ("events".to_owned(), Json::Array(events)),
        ("cursor".to_owned(), next.map_or(Json::Null, Json::from)),
    ]))))
}

/// A commit's events as a history tells them.
fn told(commit: &Commit) -> Result<Vec<Json>, Problem> {
    let cause = &commit.cause;
    let tell = |(event, sequence): (&domain::event::EncodedEvent, u64)| {
        let data = Json::parse(event.data.get()).map_err(|error| {
            tracing::error!(aggregate = %commit.aggregate, sequence, %error, "unreadable event");
            Problem::internal()
        })?;
        Ok(Json::Object(Object::from([
            ("sequence".to_owned(), sequence.into()),
            ("type".to_owned(), event.kind.clone().into()),
            ("at".to_owned(), commit.at.to_string().into()),
            ("data".to_owned(), data),
            ("actor".to_owned(), cause.actor.clone().into()),
            ("source".to_owned(), cause.source.clone().into()),
            ("commandId".to_owned(), cause.command_id.clone().into()),
            (
                "correlationId".to_owned(),
                cause.correlation_id.clone().into(),
            ),
            ("causationId".to_owned(), cause.causation_id.clone().into()),
        ])))
    };
    commit
        .events
        .iter()
        .zip(commit.sequence..)
        .map(tell)
        .collect()
}

fn store_problem(error: StoreError) -> Problem {
    match error {
        StoreError::Unavailable(error) => {
            tracing::warn!(%error, "a history cannot be read now");
            Problem::unavailable()
        }
        error => {
            tracing::error!(%error, "a history cannot be read");
            Problem::internal()
        }
    }
}

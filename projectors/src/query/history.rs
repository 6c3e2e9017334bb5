//! Queries of an order's history, page by page.

use domain::{
    AggregateId, Json,
    event::EncodedEvent,
    json::{InvalidJson, Object},
};
use event_store::Commit;
use lambda::http::{Problem, Request, Response};

use super::{parameters, parameters::parsed, problems::store_problem};
use crate::{
    Projectors, cursor,
    limits::{HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX},
};

/// All events with their time, sender and cause. A page has at most [`HISTORY_EVENTS_MAX`] events
/// or [`HISTORY_BYTES_MAX`] bytes.
pub(super) async fn history(
    projectors: &Projectors,
    request: &Request,
    id: AggregateId,
) -> Result<Response, Problem> {
    let why = "a history is never behind: there is nothing to wait for";
    parameters::without(request, "minVersion", why)?;
    let at = parameters::at(request)?;
    let query = match at {
        Some(at) => format!("history/{id}?at={at}"),
        None => format!("history/{id}"),
    };
    let after = parameters::cursor_position(request, &query)?;
    let mut from = match after {
        Some(position) => parsed("cursor", &position)?,
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
        let mut later = false;
        let commits = projectors.store.opened(page.commits).await;
        for commit in &commits.map_err(store_problem)? {
            if at.is_some_and(|at| commit.at > at) {
                later = true;
                break;
            }
            let shown = events_json(commit).map_err(|error| {
                let (aggregate, sequence) = (&commit.aggregate, commit.sequence);
                tracing::error!(%aggregate, sequence, %error, "unreadable event");
                Problem::internal()
            })?;
            // The sender and cause of each event count as well: they may be larger than the event.
            bytes += shown
                .iter()
                .map(|event| event.to_string().len())
                .sum::<usize>();
            if bytes > HISTORY_BYTES_MAX && !events.is_empty() {
                cut = Some(commit.sequence);
                break;
            }
            events.extend(shown);
        }
        match cut.or(page.next).filter(|_| !later) {
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

/// The JSON of a commit's events in a history. Numbers keep their text. Fails where an event's data
/// are no valid JSON.
pub fn events_json(commit: &Commit) -> Result<Vec<Json>, InvalidJson> {
    let cause = &commit.cause;
    let tell = |(event, sequence): (&EncodedEvent, u64)| {
        Ok(Json::Object(Object::from([
            ("sequence".to_owned(), sequence.into()),
            ("type".to_owned(), event.kind.clone().into()),
            ("at".to_owned(), commit.at.to_string().into()),
            ("data".to_owned(), Json::parse(event.data.get())?),
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
    let events = commit.events.iter().zip(commit.sequence..);
    events.map(tell).collect()
}

//! Reads the effects of a run: its events, row and messages, and what failed.

use std::{collections::BTreeSet, sync::Arc};

use domain::AggregateId;
use operator::{OperatorError, messages::Channel};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

use crate::{
    Console,
    at::At,
    backend::Failure,
    limits::{
        FOLLOW_EVERY, FOLLOW_LATER_EVERY, FOLLOWED_AT_FIRST, FOLLOWED_FOR, LOOKED_AT, SETTLED_AFTER,
    },
    links,
};

use super::{
    Playground, now,
    run::{Experiment, Run, SeenEvent, SeenMessage, SeenRow, Via},
    verdict,
};

/// Follows a run in the background until it is complete and nothing new arrives, for at most
/// [`FOLLOWED_FOR`].
pub fn follow(console: Console, playground: Arc<Playground>, id: String) {
    tokio::spawn(async move {
        let began = Instant::now();
        while began.elapsed() < FOLLOWED_FOR {
            look(&console, &playground, &id).await;
            match playground.runs.get(&id) {
                Some(run) if !is_settled(&run) => {}
                _ => return,
            }
            sleep(match began.elapsed() < FOLLOWED_AT_FIRST {
                true => FOLLOW_EVERY,
                false => FOLLOW_LATER_EVERY,
            })
            .await;
        }
    });
}

/// Whether the run is complete and nothing new has arrived for [`SETTLED_AFTER`], or there is
/// nothing to follow.
pub fn is_settled(run: &Run) -> bool {
    let long = run
        .seen
        .changed
        .is_none_or(|at| at.elapsed() > SETTLED_AFTER);
    run.aggregate.is_none() || (run.is_complete() && long)
}

/// Reads the current state once, and stores what is new in the run.
pub async fn look(console: &Console, playground: &Playground, id: &str) {
    let Some(run) = playground.runs.get(id) else {
        return;
    };
    // Six concurrent reads make a large future.
    let found = Box::pin(found(console, playground, &run)).await;
    playground.runs.change(id, |run| {
        let (fresh, look_error) = match found {
            Ok(found) => (merge(run, found), None),
            Err(look_error) => (false, Some(look_error)),
        };
        if fresh || run.seen.look_error != look_error {
            run.seen.look_error = look_error;
            run.seen.revision += 1;
            run.seen.changed = Some(Instant::now());
        }
    });
}

/// The current state of a run's order or shipment.
struct Found {
    events: Vec<SeenEvent>,
    row: Option<Row>,
    messages: Vec<SeenMessage>,
    dead_letters: Vec<(At, String)>,
    parked: Vec<String>,
    held: bool,
}

#[derive(Deserialize)]
struct Row {
    version: u64,
    status: String,
}

async fn found(console: &Console, playground: &Playground, run: &Run) -> Result<Found, String> {
    let (events, row, messages, dead_letters, parked, on) = futures::join!(
        events(playground, run),
        row(console, run),
        messages(playground, run),
        dead_letters(playground, run),
        parked(playground, run),
        playground.faults(),
    );
    let held = match &run.experiment {
        // Where the faults cannot be read, the last known state is kept.
        Some(Experiment::Held(consumer)) => on.map_or(run.seen.held, |on| on.holds(consumer)),
        _ => false,
    };
    Ok(Found {
        events: events.map_err(|error| error.to_string())?,
        row: row.map_err(|error| failure_text(&error))?,
        messages: messages.map_err(|error| failure_text(&error))?,
        dead_letters: dead_letters.map_err(|error| failure_text(&error))?,
        parked: parked.map_err(|error| error.to_string())?,
        held,
    })
}

fn failure_text(failure: &Failure) -> String {
    match failure {
        Failure::NotFound(problem) | Failure::Refused(problem) => problem.detail.clone(),
        Failure::NoAnswer(none) => none.to_string(),
        Failure::Unreadable(_) => "an answer cannot be read".to_owned(),
        Failure::Message { message, .. } => message.clone(),
        Failure::Denied(denied) => denied.message.clone(),
    }
}

/// Stores what is new in the run. Returns whether anything is.
fn merge(run: &mut Run, found: Found) -> bool {
    let seen = &mut run.seen;
    let mut fresh = false;
    if seen.held && !found.held {
        seen.released_at.get_or_insert_with(now);
        fresh = true;
    }
    seen.held = found.held;
    if let Some(Experiment::Held(consumer)) = &run.experiment
        && seen.held
        && seen.released_at.is_none()
    {
        seen.came_while_held |= match consumer == verdict::PROJECT {
            true => found.row.is_some(),
            false => found.messages.iter().any(|message| message.id.is_some()),
        };
    }
    if seen.events != found.events {
        seen.events = found.events;
        fresh = true;
    }
    if let Some(Row { version, status }) = found.row
        && seen.rows.last().is_none_or(|row| row.version != version)
    {
        let at = now();
        seen.rows.push(SeenRow {
            version,
            status,
            at,
        });
        fresh = true;
    }
    let last = seen.messages.last().map_or(0, |message| message.number);
    for mut message in found.messages {
        if message.number <= last {
            continue;
        }
        let same = |one: &SeenMessage| one.id == message.id && one.via == message.via;
        message.repeat = message.id.is_some() && seen.messages.iter().any(same);
        seen.messages.push(message);
        fresh = true;
    }
    if seen.dead_letters != found.dead_letters || seen.parked != found.parked {
        (seen.dead_letters, seen.parked) = (found.dead_letters, found.parked);
        fresh = true;
    }
    fresh
}

async fn events(playground: &Playground, run: &Run) -> Result<Vec<SeenEvent>, OperatorError> {
    let Some(aggregate) = &run.aggregate else {
        return Ok(Vec::new());
    };
    let environment = playground.operator().await?;
    let history = match operator::history::history(environment, aggregate, None).await {
        Ok(history) => history,
        Err(OperatorError::NotFound(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let events = history.events.into_iter().map(|event| SeenEvent {
        sequence: event.sequence,
        kind: event
            .kind
            .unwrap_or_else(|| "an unreadable event".to_owned()),
        at: At(event.at.map_or_else(String::new, |at| at.to_string())),
        makes: event
            .messages
            .into_iter()
            .map(|message| {
                let via = match message.channel {
                    Channel::Bus => Via::Bus,
                    Channel::Topic => Via::Topic,
                };
                (message.id, via)
            })
            .collect(),
    });
    Ok(events.collect())
}

async fn row(console: &Console, run: &Run) -> Result<Option<Row>, Failure> {
    match run.address() {
        Some(address) => console.api().find(&address).await,
        None => Ok(None),
    }
}

#[derive(Deserialize)]
struct Messages {
    messages: Vec<Message>,
}

/// A message as the local system lists it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    number: u64,
    at: At,
    detail_type: Option<String>,
    detail: Option<Labelled>,
    subject: Option<String>,
    #[serde(default)]
    message: String,
    attributes: Option<Labelled>,
}

#[derive(Deserialize)]
struct Labelled {
    id: Option<String>,
}

async fn messages(playground: &Playground, run: &Run) -> Result<Vec<SeenMessage>, Failure> {
    let path = format!("/_local/messages?limit={LOOKED_AT}");
    let listed: Messages = playground.get_local(&path).await?;
    let own = run
        .aggregate
        .as_ref()
        .map(|aggregate| format!("{aggregate}/"));
    let seen = listed.messages.into_iter().rev().filter_map(|one| {
        let (via, id) = match (&one.detail, &one.attributes) {
            (Some(detail), _) => (Via::Bus, detail.id.clone()),
            (None, attributes) => {
                let id = attributes.as_ref().and_then(|it| it.id.clone());
                (Via::Topic, id)
            }
        };
        let begins = |id: &String| own.as_ref().is_some_and(|own| id.starts_with(own.as_str()));
        // A message without such an id may be a notice that something failed.
        let id = id.filter(begins);
        let is_notice = || one.at >= run.sent_at && mentions(run, &one.message);
        (id.is_some() || is_notice()).then(|| SeenMessage {
            number: one.number,
            id,
            via,
            what: one.detail_type.or(one.subject).unwrap_or_default(),
            at: one.at,
            repeat: false,
        })
    });
    Ok(seen.collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeadLetters {
    dead_letters: Vec<DeadLetter>,
}

#[derive(Deserialize)]
struct DeadLetter {
    at: At,
    consumer: String,
    reason: String,
    payload: Box<RawValue>,
}

async fn dead_letters(playground: &Playground, run: &Run) -> Result<Vec<(At, String)>, Failure> {
    let path = format!("/_local/dead-letters?limit={LOOKED_AT}");
    let listed: DeadLetters = playground.get_local(&path).await?;
    let of_it =
        |letter: &DeadLetter| letter.at >= run.sent_at && mentions(run, letter.payload.get());
    let letters = listed.dead_letters.into_iter().rev().filter(of_it);
    Ok(letters
        .map(|letter| {
            let what = format!("{}: {}", letter.consumer, letter.reason);
            (letter.at, what)
        })
        .collect())
}

async fn parked(playground: &Playground, run: &Run) -> Result<Vec<String>, OperatorError> {
    let Some(aggregate) = run.aggregate.as_ref().map(AggregateId::to_string) else {
        return Ok(Vec::new());
    };
    let parked = operator::parked::all(playground.operator().await?).await?;
    let own: BTreeSet<String> = parked
        .into_iter()
        .filter(|parked| parked.aggregate == aggregate)
        .map(|parked| {
            format!(
                "{} at event {}: {}",
                parked.consumer, parked.sequence, parked.code
            )
        })
        .collect();
    Ok(own.into_iter().collect())
}

/// Whether this text contains one of the run's search terms, either plain or escaped as in JSON.
fn mentions(run: &Run, text: &str) -> bool {
    run.search_terms.iter().any(|term| {
        let within = serde_json::to_string(term).unwrap_or_default();
        text.contains(term.as_str()) || text.contains(within.trim_matches('"'))
    })
}

/// Returns the path of a run's page.
pub fn page(id: &str) -> String {
    format!("/try/runs/{}", links::encoded(id))
}

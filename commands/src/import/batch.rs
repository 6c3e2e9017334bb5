//! Executes the orders of a file in batches, concurrently.
//!
//! Orders with one id are executed one after the other, in the file's order, and a batch ends
//! before the next one begins. So of two entries with one id the earlier always wins.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use domain::{
    AggregateId, Json, Order, OrderId, Refusal,
    aggregate::Intent as _,
    json::{InvalidJson, Object},
    limits::ID_MAX,
    order::{Fulfilment, Intent, PlaceOrder},
};
use event_store::{Cause, Deadline};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use lambda::{http::Problem, trace::TraceParent};

use super::{
    event::File,
    progress::{OrderResult, Rejection},
    splitter::{Content, Piece},
    unpacker::UnpackError,
};
use crate::{
    Commands,
    execute::{Envelope, Failure, execute},
    limits::{BATCH_BYTES, BATCH_ORDERS, CONCURRENT_ORDERS, ORDER_BYTES_MAX, REASON_MAX},
    reply::problem,
    translate::{self, fields::Fields},
};

/// Pieces of a file that are executed together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) pieces: Vec<Piece>,
    bytes: usize,
}

impl Batch {
    pub(super) fn push(&mut self, piece: Piece) {
        if let Content::Text(text) = &piece.content {
            self.bytes += text.len();
        }
        self.pieces.push(piece);
    }

    pub(super) fn is_full(&self) -> bool {
        self.pieces.len() >= BATCH_ORDERS || self.bytes >= BATCH_BYTES
    }
}

/// The results of a batch.
pub(super) struct Executed {
    /// The result of each order, in order; `None` where it was not tried, or its result is not
    /// known.
    pub(super) results: Vec<Option<OrderResult>>,
    /// Why orders were not tried, where the reason was not the time. The text is for logs.
    pub(super) unavailable: Option<String>,
}

/// An order to execute, and its position in the batch.
struct Task {
    index: usize,
    position: u64,
    /// The byte of the unpacked file at which it begins.
    begins: u64,
    place: PlaceOrder,
}

/// Executes pieces, of which the first is at `position` in the file. No order is started once the
/// time is up, or once the table was unavailable.
pub(super) async fn execute_all(context: Context<'_>, position: u64, pieces: &[Piece]) -> Executed {
    let file = context.file;
    let mut results = vec![None; pieces.len()];
    let mut by_id: HashMap<OrderId, usize> = HashMap::new();
    let mut groups: Vec<Vec<Task>> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let position = position + index as u64;
        match read(piece, file, position) {
            Ok(place) => {
                let group = *by_id.entry(place.order_id.clone()).or_insert(groups.len());
                if group == groups.len() {
                    groups.push(Vec::new());
                }
                groups[group].push(Task {
                    index,
                    position,
                    begins: piece.begins,
                    place,
                });
            }
            Err(rejection) => results[index] = Some(OrderResult::Rejected(rejection)),
        }
    }
    let running = Running {
        context,
        unavailable: Mutex::default(),
    };
    // Boxed, since the compiler cannot prove that the bare futures are `Send`.
    let groups: Vec<BoxFuture<'_, _>> = groups
        .into_iter()
        .map(|group| running.one_by_one(group).boxed())
        .collect();
    let mut done = stream::iter(groups).buffer_unordered(CONCURRENT_ORDERS);
    while let Some(group) = done.next().await {
        for (index, result) in group {
            results[index] = Some(result);
        }
    }
    drop(done);
    let unavailable = running.unavailable().take();
    Executed {
        results,
        unavailable,
    }
}

/// What all orders of a file share.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) commands: &'a Commands,
    pub(super) file: &'a File,
    pub(super) deadline: &'a Deadline<'a>,
    pub(super) trace: Option<&'a TraceParent>,
}

/// A batch whose orders are being executed.
struct Running<'a> {
    context: Context<'a>,
    unavailable: Mutex<Option<String>>,
}

impl Running<'_> {
    async fn one_by_one(&self, orders: Vec<Task>) -> Vec<(usize, OrderResult)> {
        let mut results = Vec::with_capacity(orders.len());
        for order in orders {
            if self.context.deadline.has_passed() || self.unavailable().is_some() {
                break;
            }
            let index = order.index;
            match self.execute(order).await {
                Ok(result) => results.push((index, result)),
                Err(reason) => {
                    *self.unavailable() = Some(reason);
                    break;
                }
            }
        }
        results
    }

    /// Executes one order. An error means that its result is not known; its text is for logs.
    async fn execute(&self, order: Task) -> Result<OrderResult, String> {
        let (file, position, begins) = (self.context.file, order.position, order.begins);
        let order_id = order.place.order_id.clone();
        let intent = Intent::Place(Box::new(order.place));
        let envelope = Envelope {
            aggregate: AggregateId::Order(order_id.clone()),
            expected_version: None,
            cause: Cause {
                command_id: file.command_id(position),
                digest: intent.digest(),
                actor: file.actor(),
                source: "file".to_owned(),
                correlation_id: file.correlation_id(),
                causation_id: file.event_id.clone(),
                traceparent: self.context.trace.map(|trace| trace.as_str().to_owned()),
            },
            intent,
        };
        let Commands { store, clock, .. } = self.context.commands;
        match execute::<Order>(store, clock.as_ref(), envelope).await {
            Ok(outcome) if outcome.own => Ok(OrderResult::Accepted),
            Ok(_) => Ok(OrderResult::AlreadyKnown),
            Err(Failure::Unavailable(reason)) => Err(reason),
            Err(failure) => {
                let rejection =
                    rejected((position, begins), Some(order_id.into()), problem(failure));
                Ok(OrderResult::Rejected(rejection))
            }
        }
    }

    fn unavailable(&self) -> MutexGuard<'_, Option<String>> {
        self.unavailable
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

// ---- Reading an order

/// The order in a piece.
fn read(piece: &Piece, file: &File, position: u64) -> Result<PlaceOrder, Rejection> {
    let begins = piece.begins;
    let members = members(&piece.content, begins)
        .map_err(|problem| rejected((position, begins), None, problem))?;
    let order_id = match members.get("orderId") {
        Some(Json::String(id)) => Some(id.chars().take(ID_MAX).collect()),
        Some(Json::Number(id)) if id.is_whole() => Some(id.to_string()),
        _ => None,
    };
    let context = translate::order::Context {
        default_id: None,
        default_fulfilment: Fulfilment::Automatic,
    };
    match translate::order::place(Fields::new(members), context) {
        Ok(place) => Ok(PlaceOrder {
            source_file: Some(file.source_file()),
            ..place
        }),
        Err(refusal) => Err(rejected((position, begins), order_id, refusal.into())),
    }
}

/// The members of the order in a piece.
pub(super) fn members(content: &Content, begins: u64) -> Result<Object, Problem> {
    let not_json = |message: &str| Problem::invalid("not_json", "", message);
    let text = match content {
        Content::Text(text) => text,
        Content::TooLong => {
            let message = format!("an order has at most {ORDER_BYTES_MAX} bytes of text");
            return Err(Refusal::too_large("", message).into());
        }
        Content::Unclosed => return Err(not_json("the file ends within the array")),
        Content::NotJson => {
            let message = "from here on this is neither orders a line each, nor an array of \
                           orders, nor an order";
            return Err(not_json(message));
        }
        Content::Nothing => return Err(not_json("the file is empty")),
        Content::Foreign(what) => {
            let message = format!("the file is {what}; JSON in UTF-8 was expected");
            return Err(Problem::invalid("not_json", "", message));
        }
        Content::NotUnpacked(reason @ UnpackError::Damaged) => {
            return Err(Problem::invalid("not_unpacked", "", reason.to_string()));
        }
        Content::NotUnpacked(reason @ UnpackError::TooLarge) => {
            return Err(Refusal::too_large("", reason.to_string()).into());
        }
    };
    let text = std::str::from_utf8(text).map_err(|error| {
        let at = begins + error.valid_up_to() as u64;
        not_json(&format!(
            "not JSON: it is not UTF-8, at byte {at} of the file"
        ))
    })?;
    let order = Json::parse(text).map_err(|error| match error {
        InvalidJson::Syntax(_) => not_json(&syntax_error(text, begins)),
        other => Refusal::from(other).into(),
    })?;
    let kind = order.kind();
    let not_an_object = || {
        let message = format!("an order was expected, not {kind}");
        Problem::invalid("not_an_object", "", message)
    };
    order.into_object().ok_or_else(not_an_object)
}

/// What is wrong with an order's text, and at which byte of the file; the text begins at byte
/// `begins`.
fn syntax_error(text: &str, begins: u64) -> String {
    let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) else {
        return "not JSON".to_owned();
    };
    let lines = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    let before: usize = lines.map(str::len).sum();
    let at = begins + (before + error.column().saturating_sub(1)) as u64;
    let told = error.to_string();
    let what = told.split(" at line ").next().unwrap_or_default();
    format!("not JSON: {what}, at byte {at} of the file")
}

/// The rejection of the piece at a position, which begins at a byte of the file.
fn rejected((position, byte): (u64, u64), order_id: Option<String>, problem: Problem) -> Rejection {
    let short = |text: String| text.chars().take(REASON_MAX).collect();
    Rejection {
        position,
        byte: Some(byte),
        order_id,
        code: problem.code.to_owned(),
        field: problem.field.map(short),
        reason: short(problem.message),
    }
}

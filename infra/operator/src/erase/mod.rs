//! The erasure of a person's personal data, by an operator: of a customer, or of an order that names
//! none.
//!
//! [`plan`] says what there is and what would be done, and changes nothing; [`erase`] does it. It
//! notes the erasure and destroys the key, removes the order files that hold nobody else's orders,
//! and waits until the rows are rewritten, which the role `project` does. Every step can be
//! repeated: after a crash between any two, a second call ends the same.
//!
//! - `days`: days on which something ends; `orders`: the owner's orders, and what events and rows hold of them
//! - [`files`]: order files, in every version; [`letters`]: dead letters
//!
//! Nothing here returns personal data.

use std::time::Duration;

use commands::{erase::Erased, execute::Failure, limits::BACKUP_DAYS};
use domain::{Digest, Json, OrderId, Timestamp, personal::Owner};
use event_store::Cause;
use serde::Serialize;

use crate::{
    environment::Environment,
    error::OperatorError,
    limits::{ROWS_POLL_FIRST, ROWS_POLL_MAX, ROWS_WAIT},
    progress::{Progress, Stage},
};

mod days;
pub mod files;
pub mod letters;
mod orders;

pub use orders::Orders;

use files::{FileState, OrderFile};
use letters::Letters;

/// The key of an owner's personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(
    tag = "state",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Key {
    /// There never was one.
    None,
    /// It is there, and an erasure destroys it.
    #[serde(rename = "there")]
    Present {
        /// Its version, from 1.
        version: u32,
        /// When an earlier key was destroyed, if one was.
        erased_at: Option<Timestamp>,
    },
    /// It is destroyed, or there was none when the erasure was made.
    Destroyed {
        /// When.
        erased_at: Timestamp,
    },
}

/// What there is of an owner's personal data, before they are erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The owner.
    pub owner: Owner,
    /// The owner's key.
    pub key: Key,
    /// The owner's orders.
    pub orders: Orders,
    /// The order files that they came from.
    pub files: Vec<OrderFile>,
    /// Dead letters that hold the owner's id or orders.
    pub dead_letters: Letters,
    /// The last day on which a backup of the table of keys may hold the key, were it destroyed now.
    pub backups_until: String,
    /// The orders whose rows show personal data.
    #[serde(skip)]
    shown: Vec<OrderId>,
}

/// What an erasure has done, and what is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The owner.
    pub owner: Owner,
    /// The time from before which all personal data of the owner are erased.
    pub erased_at: Timestamp,
    /// Whether the key was destroyed before.
    #[serde(rename = "before")]
    pub was_erased_before: bool,
    /// The owner's orders, as they were before.
    pub orders: Orders,
    /// Rows that show no personal data any more.
    pub rows_rewritten: u64,
    /// Rows that still showed personal data when the time to wait was over.
    pub rows_left: u64,
    /// The order files, with what became of each.
    pub files: Vec<OrderFile>,
    /// Dead letters that hold the owner's id or orders.
    pub dead_letters: Letters,
    /// The last day on which a backup of the table of keys may hold the key.
    pub backups_until: String,
}

impl Report {
    /// Is anything left that goes by no fixed day, or that somebody must look at? Backups go by
    /// themselves, and so do dead letters.
    pub fn is_left(&self) -> bool {
        let Orders {
            more,
            stored_openly,
            unreadable,
            ..
        } = self.orders;
        let kept = |file: &OrderFile| !matches!(file.state, FileState::Removed | FileState::Gone);
        more || stored_openly + unreadable + self.rows_left > 0
            || self.files.iter().any(kept)
            || self.dead_letters.is_left()
    }
}

/// What there is of the owner's personal data, and what an erasure would do. It changes nothing.
/// `NotFound` where nothing is known of the owner, `Usage` for an order that names a customer: the
/// customer is the owner then.
pub async fn plan(
    environment: &Environment,
    owner: &Owner,
    progress: &dyn Progress,
) -> Result<Plan, OperatorError> {
    let key = key(environment, owner).await?;
    let found = orders::find(environment, owner, progress).await?;
    if key == Key::None && found.orders.number == 0 {
        return Err(OperatorError::NotFound(format!(
            "nothing is known of {owner}"
        )));
    }
    let files = files::look(environment, owner, &found.sources, progress).await?;
    let dead_letters = letters::look(environment, owner, &found.ids).await;
    Ok(Plan {
        owner: owner.clone(),
        key,
        orders: found.orders,
        files,
        dead_letters,
        backups_until: days::after(environment.now(), BACKUP_DAYS),
        shown: found.shown,
    })
}

/// Erases what was planned. It may be called again, also after it failed half-way.
pub async fn erase(
    environment: &Environment,
    plan: Plan,
    progress: &dyn Progress,
) -> Result<Report, OperatorError> {
    let clock = environment.projectors.clock.as_ref();
    let store = &environment.projectors.store;
    let erased: Erased = commands::erase::erase(store, clock, &plan.owner, cause())
        .await
        .map_err(failed)?;
    let files = files::remove(environment, plan.files, progress).await?;
    let (rows_rewritten, rows_left) = wait_for_rows(environment, &plan.shown, progress).await?;
    Ok(Report {
        erased_at: erased.erased_at,
        was_erased_before: erased.before,
        backups_until: erased.backups_until(),
        owner: plan.owner,
        orders: plan.orders,
        rows_rewritten,
        rows_left,
        files,
        dead_letters: plan.dead_letters,
    })
}

async fn key(environment: &Environment, owner: &Owner) -> Result<Key, OperatorError> {
    let unavailable = |error: event_store::table::Unavailable| {
        OperatorError::Unavailable(format!("the table of keys: {error}"))
    };
    let keys = environment.projectors.store.keys().map_err(unavailable)?;
    let Some(record) = keys.record(owner).await.map_err(unavailable)? else {
        return Ok(Key::None);
    };
    Ok(match (record.wrapped, record.erased_at) {
        (None, None) => Key::None,
        (None, Some(erased_at)) => Key::Destroyed { erased_at },
        (Some(_), erased_at) => Key::Present {
            version: record.version,
            erased_at,
        },
    })
}

/// Every call is a command of its own; where nothing is left to erase, it leaves no event.
fn cause() -> Cause {
    let id = uuid::Uuid::new_v4();
    Cause {
        command_id: format!("operator/{id}"),
        // Replaced by the command's own.
        digest: Digest::of(&Json::Null),
        actor: "operator".to_owned(),
        source: "operator".to_owned(),
        correlation_id: id.to_string(),
        causation_id: id.to_string(),
        traceparent: None,
    }
}

fn failed(failure: Failure) -> OperatorError {
    match failure {
        Failure::Unavailable(reason) => OperatorError::Unavailable(reason),
        other => OperatorError::Corrupt(other.to_string()),
    }
}

/// Waits until rows show no personal data any more, for a limited time: how many do not, and how many
/// still do.
async fn wait_for_rows(
    environment: &Environment,
    shown: &[OrderId],
    progress: &dyn Progress,
) -> Result<(u64, u64), OperatorError> {
    let clock = environment.projectors.clock.as_ref();
    let mut left: Vec<OrderId> = shown.to_vec();
    let (mut waited, mut wait) = (Duration::ZERO, ROWS_POLL_FIRST);
    progress.begins(Stage::AwaitingRows, 0, left.len() as u64);
    while !left.is_empty() && waited < ROWS_WAIT && !progress.stopped() {
        clock.sleep(wait).await;
        waited += wait;
        wait = (2 * wait).min(ROWS_POLL_MAX);
        let before = left.len();
        left = orders::still_shown(environment, left).await?;
        progress.advances((before - left.len()) as u64);
    }
    progress.ends();
    let left = left.len() as u64;
    Ok((shown.len() as u64 - left, left))
}

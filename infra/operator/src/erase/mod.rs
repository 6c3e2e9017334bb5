//! The erasure of a person's personal data, by an operator: those of a customer, or of an order
//! that names no customer.
//!
//! [`plan`] finds what there is and what would be done, and changes nothing; [`erase`] does it. It
//! notes the erasure and destroys the key, removes the order files that contain nobody else's
//! orders, and waits until the role `project` has rewritten the rows. Every step can be repeated:
//! after a crash between any two steps, a second call has the same result.
//!
//! - `days`: the days on which something ends
//! - `orders`: the owner's orders, with the personal data in their events and rows
//! - [`files`]: the order files, in every version
//! - [`letters`]: the dead letters
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

/// The state of the key with which an owner's personal data are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(
    tag = "state",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Key {
    /// There never was a key.
    None,
    /// The key exists, and an erasure destroys it.
    #[serde(rename = "there")]
    Present {
        /// The key's version, from 1.
        version: u32,
        /// The time at which an earlier key was destroyed; `None` where none was.
        erased_at: Option<Timestamp>,
    },
    /// The key is destroyed, or there was none at the time of the erasure.
    Destroyed {
        /// The time of the erasure.
        erased_at: Timestamp,
    },
}

/// The plan of an erasure: where an owner's personal data are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The owner of the personal data.
    pub owner: Owner,
    /// The state of the owner's key.
    pub key: Key,
    /// The owner's orders, as numbers.
    pub orders: Orders,
    /// The order files that contain the owner's orders.
    pub files: Vec<OrderFile>,
    /// The dead letters that contain the owner's id or orders.
    pub dead_letters: Letters,
    /// The last day on which a backup of the table of keys may contain the key, if it is destroyed
    /// now.
    pub backups_until: String,
    /// The orders whose rows show personal data.
    #[serde(skip)]
    shown: Vec<OrderId>,
}

/// The result of an erasure: what was done and what is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The owner of the personal data.
    pub owner: Owner,
    /// The time from before which all personal data of the owner are erased.
    pub erased_at: Timestamp,
    /// Whether the key had been destroyed before this erasure.
    #[serde(rename = "before")]
    pub was_erased_before: bool,
    /// The owner's orders, as they were before the erasure.
    pub orders: Orders,
    /// The number of orders whose rows do not show personal data any more, although they did
    /// before.
    pub rows_rewritten: u64,
    /// The number of orders whose rows still showed personal data when [`ROWS_WAIT`] was over.
    pub rows_left: u64,
    /// The order files, and what was done with each.
    pub files: Vec<OrderFile>,
    /// The dead letters that contain the owner's id or orders.
    pub dead_letters: Letters,
    /// The last day on which a backup of the table of keys may contain the key.
    pub backups_until: String,
}

impl Report {
    /// Whether anything is left that is not removed on a fixed day, or that needs a person's
    /// attention. Backups are removed by themselves; any dead letter that was found counts as left.
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

/// Finds the owner's personal data and plans their erasure. It changes nothing. Fails with
/// `NotFound` where nothing is known of the owner, and with `Usage` for an order that names a
/// customer: the customer is the owner then.
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

/// Carries out a plan. It may be called again, also after it has failed half-way.
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

/// The cause of the erasure's event. Every call is a command of its own; where nothing is left to
/// erase, it makes no event.
fn cause() -> Cause {
    let id = uuid::Uuid::new_v4();
    Cause {
        command_id: format!("operator/{id}"),
        // The command replaces it by its own digest.
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

/// Waits until rows show no personal data any more, for at most [`ROWS_WAIT`]. Returns the number
/// of orders whose rows show none, and of those whose rows still do.
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

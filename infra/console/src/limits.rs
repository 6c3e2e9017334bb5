//! Every bound of the console, in one place.

use std::time::Duration;

/// After this time a page says what it is waiting for.
pub const WAITING_IS_SAID_AFTER: Duration = Duration::from_secs(1);

/// One call of the backend.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Until a connection to the backend stands.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// All that a page or a change waits for. Above [`CALL_TIMEOUT`], so that a call says first which
/// one it was.
pub const PAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes of one answer of the backend: a history's page of 1,000 events, each with some room.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of a form that a browser sends.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

/// Rows of a page of a list.
pub const LIST_PAGE: usize = 50;

/// Steps of a history on one page; the backend gives up to 1,000.
pub const STEPS_MAX: usize = 1_000;

/// Steps up to which each says what it changed in the row. A longer history says it of the chosen
/// step alone, since each wants a row.
pub const STEPS_WITH_ROWS_MAX: usize = 8;

/// Scans of one shipment on a page, of up to 100 at a call.
pub const SCANS_MAX: usize = 500;

/// Shipments of an order that its page names.
pub const SHIPMENTS_OF_ORDER: usize = 20;

/// Items of an order, or members of a list, that a page writes out; it says how many more there are.
pub const ITEMS_SHOWN: usize = 200;

/// Characters of one value where two rows are compared; what is cut off says so.
pub const VALUE_CHARACTERS: usize = 400;

/// Pages that are told at once when what they show has changed.
pub const LIVE_STREAMS_MAX: usize = 32;

/// Between two looks for a live page, on this machine and elsewhere.
pub const LIVE_EVERY_LOCALLY: Duration = Duration::from_secs(2);
/// See [`LIVE_EVERY_LOCALLY`]: each look costs a request.
pub const LIVE_EVERY_ELSEWHERE: Duration = Duration::from_secs(10);

/// After this time a live page must ask again.
pub const LIVE_FOR: Duration = Duration::from_secs(15 * 60);

/// How long requests that are under way may hold up the end of the console.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a page waits to hear which faults are on.
pub const FAULTS_TIMEOUT: Duration = Duration::from_millis(500);

/// Tries at a command whose answer was lost.
pub const SEND_TRIES: usize = 3;

/// Until such a command is sent again.
pub const SEND_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Things sent by the page *Try it* that are remembered, and as many that are followed at once.
pub const RUNS_KEPT: usize = 50;

/// Of them, those that the page lists.
pub const RUNS_LISTED: usize = 8;

/// Between two looks at what became of something that was sent, at first and later.
pub const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// See [`FOLLOW_EVERY`].
pub const FOLLOW_LATER_EVERY: Duration = Duration::from_secs(2);

/// How long it is looked at often, and how long at all; its page looks by itself afterwards.
pub const FOLLOWED_AT_FIRST: Duration = Duration::from_secs(30);
/// See [`FOLLOWED_AT_FIRST`].
pub const FOLLOWED_FOR: Duration = Duration::from_secs(15 * 60);

/// After this time without anything new, something that is complete is followed no longer.
pub const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// The latest messages, and dead letters, among which those of one thing sent are looked for.
pub const LOOKED_AT: usize = 200;

/// For so many seconds an experiment has everything delivered twice.
pub const TWICE_SECONDS: u64 = 60;

/// Characters of a text that is sent: an order of some hundred items.
pub const TEXT_CHARACTERS: usize = 16_000;

/// Characters of what somebody searches for: an id has at most 128.
pub const SEARCH_CHARACTERS: usize = 128;

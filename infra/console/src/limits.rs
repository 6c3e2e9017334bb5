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

/// From so many seconds on somebody waits for a row or a message: the alarm rings at five minutes.
pub const BEHIND_SECONDS: u64 = 60;

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

/// An environment's settings are asked for again after this time.
pub const ENVIRONMENT_KEPT: Duration = Duration::from_secs(5 * 60);

/// How often the page *Now* is asked for again while somebody sees it, on this machine and elsewhere,
/// where each time costs some dozens of requests.
pub const NOW_EVERY_LOCALLY: Duration = Duration::from_secs(5);
/// See [`NOW_EVERY_LOCALLY`].
pub const NOW_EVERY_ELSEWHERE: Duration = Duration::from_secs(30);

/// One part of the page *Now*; then it says that it is missing, and the others stay.
pub const PART_TIMEOUT: Duration = Duration::from_secs(5);

/// Alerts, stalled shipments and files, each, on the page *Now*.
pub const RECENT_SHOWN: usize = 6;

/// Files of one page, each with a report that is read for it.
pub const FILES_SHOWN: usize = 25;

/// What stands beside what a page shows is waited for this long: less than the time after which the
/// page would say what it waits for.
pub const ADDITIONAL_TIMEOUT: Duration = Duration::from_millis(700);

/// Where that failed, it is not asked for again before this time.
pub const ADDITIONAL_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Pages of 1,000 messages of the local system that are looked through for one order or shipment.
pub const LOCAL_MESSAGES_PAGES: usize = 5;

/// Things taken up that a page of a retry names; the others are counted.
pub const RETRIED_SHOWN: usize = 500;

/// For so long the page *Stuck* says what the last retry came to.
pub const RETRY_TOLD_FOR: Duration = Duration::from_secs(15 * 60);

/// A page that begins a piece of work waits so long for its end, so that a short one is seen at once.
pub const SHORT_WORK: Duration = Duration::from_millis(1_500);

/// As [`SHORT_WORK`], of a retry: its end waits once for messages that do not come, and looks what became
/// of one.
pub const SHORT_RETRY: Duration = Duration::from_secs(4);

/// Between two looks for how far a piece of work is; a script looks by this, too (`every 1s`).
pub const WORK_LOOKED_AT_EVERY: Duration = Duration::from_millis(50);

/// Findings of a run that are kept with both rows. They hold what customers have sent, and lie in the
/// folder of the run until it ends.
pub const SIDES_KEPT: usize = 50;

/// Findings on one page.
pub const FINDINGS_SHOWN: usize = 50;

/// Dead letters of the stream on one page, each an object that is read for it.
pub const LETTERS_SHOWN: u32 = 25;

/// Characters of a dead letter's content on its page; what is cut off says so.
pub const CONTENT_CHARACTERS: usize = 100_000;

/// How long requests that are under way may hold up the end of the console.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a page waits to hear which faults are on.
pub const FAULTS_TIMEOUT: Duration = Duration::from_millis(500);

/// Tries at a command whose answer was lost.
pub const SEND_ATTEMPTS: usize = 3;

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

/// How long a search looks for where an order was refused, in files and dead letters.
pub const REFUSED_TIMEOUT: Duration = Duration::from_secs(10);

/// Characters of what somebody searches for: an id has at most 128.
pub const SEARCH_CHARACTERS: usize = 128;

//! Every bound of the console, in one place.

use std::time::Duration;

/// The time after which a page says what it is waiting for.
pub const WAITING_IS_SAID_AFTER: Duration = Duration::from_secs(1);

/// The time limit of one call of the backend.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// The time limit for connecting to the backend.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time limit of a page or a change with all its calls. It is above [`CALL_TIMEOUT`], so that
/// the call that is too slow is reported first.
pub const PAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// The largest answer of the backend, in bytes: a history's page of 1,000 events, with some room
/// for each.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The largest form that a browser may send, in bytes.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

/// The lag of rows or messages from which on pages mark it as wrong, in seconds. The alarm begins
/// at five minutes.
pub const BEHIND_SECONDS: u64 = 60;

/// The number of rows on a page of a list.
pub const LIST_PAGE: usize = 50;

/// The largest number of steps of a history on one page; the backend returns up to 1,000.
pub const STEPS_MAX: usize = 1_000;

/// The number of steps up to which each step shows what it changed in the row. A longer history
/// shows this for the chosen step only, since each step needs a row.
pub const STEPS_WITH_ROWS_MAX: usize = 8;

/// The largest number of scans of one shipment on a page. One call returns up to 100.
pub const SCANS_MAX: usize = 500;

/// The number of shipments that the page of an order lists.
pub const SHIPMENTS_OF_ORDER: usize = 20;

/// The number of items of an order that a page shows; it says how many more there are.
pub const ITEMS_SHOWN: usize = 200;

/// The number of characters of a value that a comparison of rows shows. A longer value is cut and
/// says so.
pub const VALUE_CHARACTERS: usize = 400;

/// The largest number of pages that listen for changes at the same time.
pub const LIVE_STREAMS_MAX: usize = 32;

/// The time between two polls for a live page, with a local system.
pub const LIVE_EVERY_LOCALLY: Duration = Duration::from_secs(2);
/// The same for an environment on AWS, where each poll costs a request.
pub const LIVE_EVERY_ELSEWHERE: Duration = Duration::from_secs(10);

/// The time after which a live page has to reconnect.
pub const LIVE_FOR: Duration = Duration::from_secs(15 * 60);

/// The time for which an environment's settings are cached.
pub const ENVIRONMENT_KEPT: Duration = Duration::from_secs(5 * 60);

/// The time after which the page *Now* reloads while it is visible, with a local system.
pub const NOW_EVERY_LOCALLY: Duration = Duration::from_secs(5);
/// The same for an environment on AWS, where each reload costs some dozens of requests.
pub const NOW_EVERY_ELSEWHERE: Duration = Duration::from_secs(30);

/// The time limit of one part of the page *Now*. After it the part says that it is missing, and the
/// others stay.
pub const PART_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of alerts, of stalled shipments and of files on the page *Now*.
pub const RECENT_SHOWN: usize = 6;

/// The number of files on one page. A report is read for each.
pub const FILES_SHOWN: usize = 25;

/// The time limit for additional information, such as that an order is parked. It is shorter than
/// the time after which the page would say what it waits for.
pub const ADDITIONAL_TIMEOUT: Duration = Duration::from_millis(700);

/// The time for which additional information is not requested again after it failed.
pub const ADDITIONAL_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// The number of pages, of 1,000 messages each, that are searched in the local system for one order
/// or shipment.
pub const LOCAL_MESSAGES_PAGES: usize = 5;

/// The number of retried items that the page of a retry lists; the others are counted.
pub const RETRIED_SHOWN: usize = 500;

/// The time for which the page *Stuck* shows the result of the last retry.
pub const RETRY_TOLD_FOR: Duration = Duration::from_secs(15 * 60);

/// The time that a page waits for a job that it has started, so that a short one is shown with its
/// result.
pub const SHORT_WORK: Duration = Duration::from_millis(1_500);

/// The same for a retry, which at its end waits once for messages that do not come and looks at the
/// result of one command.
pub const SHORT_RETRY: Duration = Duration::from_secs(4);

/// The time between two checks whether a short job has ended. (A script in the page asks every
/// second, `every 1s`.)
pub const WORK_LOOKED_AT_EVERY: Duration = Duration::from_millis(50);

/// The number of findings of a run that are kept with both rows. The rows hold customers' data, and
/// lie in the folder of the run until it ends.
pub const SIDES_KEPT: usize = 50;

/// The number of findings on one page.
pub const FINDINGS_SHOWN: usize = 50;

/// The number of dead letters of the stream on one page. An object is read for each.
pub const LETTERS_SHOWN: u32 = 25;

/// The number of characters of a dead letter's content on its page. A longer content is cut and
/// says so.
pub const CONTENT_CHARACTERS: usize = 100_000;

/// The time that running requests may delay the end of the console.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// The time limit for asking which faults are switched on.
pub const FAULTS_TIMEOUT: Duration = Duration::from_millis(500);

/// The largest number of attempts at a command whose answer was lost.
pub const SEND_ATTEMPTS: usize = 3;

/// The time before such a command is sent again.
pub const SEND_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The number of runs of the page *Try it* that are kept in memory, and followed at the same time.
pub const RUNS_KEPT: usize = 50;

/// The number of these runs that the page lists.
pub const RUNS_LISTED: usize = 8;

/// The time between two looks at a run during [`FOLLOWED_AT_FIRST`].
pub const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// The time between two looks at a run after [`FOLLOWED_AT_FIRST`].
pub const FOLLOW_LATER_EVERY: Duration = Duration::from_secs(2);

/// The time for which a run is looked at often.
pub const FOLLOWED_AT_FIRST: Duration = Duration::from_secs(30);
/// The time for which a run is followed at all. After it, only its page looks when it is loaded.
pub const FOLLOWED_FOR: Duration = Duration::from_secs(15 * 60);

/// The time without news after which a complete run is no longer followed.
pub const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// The number of latest messages, and of latest dead letters, that are searched for those of one
/// run.
pub const LOOKED_AT: usize = 200;

/// The time for which an experiment has everything delivered twice, in seconds.
pub const TWICE_SECONDS: u64 = 60;

/// The largest number of characters of a text to send: an order of some hundred items.
pub const TEXT_CHARACTERS: usize = 16_000;

/// The time limit for searching files and dead letters for a refused order.
pub const REFUSED_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest number of characters of a search text. An id has at most 128.
pub const SEARCH_CHARACTERS: usize = 128;

//! Every order and shipment as immutable commits in one DynamoDB table.
//!
//! - [`commit`]: one command's events, one item
//! - [`table`]: the few things asked of a table, and the error it may answer with
//! - [`dynamodb`], [`memory`]: the table on AWS, and its twin for tests
//! - [`store`]: append and history; [`load`]: an aggregate, from its latest snapshot; [`scan`]: all
//! - [`snapshot`], [`fingerprint`]: what rides in a commit of all that were before it
//! - [`recognise`]: the commit that a command has made before
//! - [`failure`]: what an AWS call failed with, fit for logs
//! - [`clock`]: time, waiting, jitter and the end of an invocation, so that a test can bring its own
//!
//! Every put of an event is [`store::EventStore::append`], conditional on a key that was never
//! written; nothing here updates or deletes.

pub mod clock;
pub mod commit;
pub mod dynamodb;
pub mod failure;
pub mod fingerprint;
pub mod limits;
pub mod load;
pub mod memory;
pub mod recognise;
pub mod scan;
pub mod size;
pub mod snapshot;
pub mod store;
pub mod table;

pub use clock::{Clock, Deadline, SystemClock};
pub use commit::{Cause, Commit};
pub use load::Loaded;
pub use snapshot::{Policy, Snapshot};
pub use store::{Append, EventStore, StoreError};

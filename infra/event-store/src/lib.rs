//! The event store: the histories of all orders and shipments, as immutable commits in one DynamoDB
//! table.
//!
//! - [`commit`]: a commit: the events of one command, stored as one item
//! - [`item`]: what an item is; [`error`]: what the event store cannot do
//! - [`table`]: the interface of the table, and the error of its calls
//! - [`dynamodb`], [`memory`]: the table on AWS, and in memory for tests
//! - [`store`]: appends commits and reads histories; [`load`]: loads an aggregate from its latest
//!   snapshot; [`scan`]: reads all histories
//! - [`snapshot`], [`fingerprint`]: what a commit can carry of its aggregate's earlier commits
//! - [`keys`], [`open`]: the keys of personal data; sealing and opening them
//! - [`recognise`]: finds the commit of a repeated command
//! - [`failure`]: describes a failed AWS call for logs, without customer data
//! - [`size`]: the sizes of items, as DynamoDB counts them
//! - [`limits`]: every limit of the event store
//! - [`clock`]: time, waiting, jitter and an invocation's deadline; a test can replace the clock
//!
//! Events are written by [`store::EventStore::append`] alone, on condition that their key does not
//! exist (optimistic concurrency). Nothing here updates or deletes an item.

pub mod clock;
pub mod commit;
pub mod dynamodb;
pub mod error;
pub mod failure;
pub mod fingerprint;
pub mod item;
pub mod keys;
pub mod limits;
pub mod load;
pub mod memory;
pub mod open;
pub mod recognise;
pub mod scan;
pub mod size;
pub mod snapshot;
pub mod store;
pub mod table;

pub use clock::{Clock, Deadline, SystemClock};
pub use commit::{Cause, Commit};
pub use error::StoreError;
pub use keys::Keys;
pub use load::Loaded;
pub use snapshot::{Policy, Snapshot};
pub use store::{Append, EventStore};

//! The ports on AWS: DynamoDB, EventBridge, SNS, S3.

mod ledger;
mod messages;
mod rows;

pub use ledger::S3Ledger;
pub use messages::{EventBridge, Sns};
pub use rows::DynamoDbRows;

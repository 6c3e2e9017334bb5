//! What happened last: shipments that somebody has to look at, and files that came in.
//!
//! Each is a bounded number of calls, and says where it is not all. On AWS they want, beside what
//! reaching an environment wants: `cloudwatch:GetMetricData` ([`crate::activity`]),
//! `cloudwatch:DescribeAlarms` ([`crate::alarms`]), `dynamodb:Query` on the index `CurrentStatusIndex`
//! and `dynamodb:GetItem` on the table of the read model `shipment-log`, `s3:ListBucket` on the bucket
//! of order files with the prefix `reports/`, and `s3:GetObject` on what lies there. What is parked and
//! the dead letters are counted with `dynamodb:Scan` on the table `parked` (it holds what is parked and
//! nothing else), `sqs:GetQueueAttributes` on the queue and `s3:ListBucket` on the bucket of dead letters.

mod files;
mod shipments;

pub use files::{
    FileId, FileReport, FileState, Files, ImportedFile, Rejection, file_report, files, raw,
};
pub use shipments::{RecentShipments, ShipmentNow, alerts, stalled};

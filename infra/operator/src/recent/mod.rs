//! What happened last: shipments that need a person's attention, and files that were imported.
//!
//! Each function makes a limited number of calls and says where its result is not complete. On AWS,
//! in addition to the permissions that connecting to an environment needs, they need:
//! `cloudwatch:GetMetricData` ([`crate::activity`]), `cloudwatch:DescribeAlarms`
//! ([`crate::alarms`]), `dynamodb:Query` on the index `CurrentStatusIndex` and `dynamodb:GetItem`
//! on the table of the read model `shipment-log`, `s3:ListBucket` on the bucket of order files with
//! the prefix `reports/`, and `s3:GetObject` on the objects under it. To count parked aggregates
//! and dead letters takes `dynamodb:Scan` on the table `parked` (which contains nothing else),
//! `sqs:GetQueueAttributes` on the queue and `s3:ListBucket` on the bucket of dead letters.

mod files;
mod shipments;

pub use files::{
    FileId, FileReport, FileState, Files, ImportedFile, Rejection, file_report, files, raw,
};
pub use shipments::{RecentShipments, ShipmentNow, alerts, stalled};

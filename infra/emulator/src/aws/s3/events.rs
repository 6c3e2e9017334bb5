//! The events about objects that S3 sends to EventBridge's default bus.

use std::sync::Arc;

use serde::Serialize;

use super::Caller;
use crate::arn::{self, ACCOUNT};
use crate::aws::events::{self, Event};
use crate::clock;
use crate::definition::DEFAULT_BUS;
use crate::rules::Rules;
use crate::state::{Announce, NewDelivery, Version};

/// The kind of change of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectChange {
    /// The object was put in one request.
    Put,
    /// The object was copied from another one.
    Copied,
    /// A multipart upload was completed.
    Completed,
    /// A delete marker was added; the earlier versions stay.
    MarkerAdded,
    /// One version was removed permanently.
    Removed,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Detail<'a> {
    version: &'static str,
    bucket: BucketName<'a>,
    object: Object<'a>,
    request_id: &'a str,
    requester: &'static str,
    source_ip_address: &'a str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_type: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct BucketName<'a> {
    name: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Object<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    etag: &'a str,
    version_id: &'a str,
    sequencer: String,
}

/// Returns a function that computes the deliveries for a change of a version in this bucket.
pub(super) fn announce(
    rules: Arc<Rules>,
    bucket: String,
    caller: Caller,
    change: ObjectChange,
) -> Announce {
    Box::new(move |version| {
        deliveries(&rules, &bucket, &caller, change, version).unwrap_or_else(|error| {
            // The event holds only text and whole numbers, which JSON can always represent.
            tracing::error!(%error, "an object's event could not be written");
            Vec::new()
        })
    })
}

fn deliveries(
    rules: &Rules,
    bucket: &str,
    caller: &Caller,
    change: ObjectChange,
    version: &Version,
) -> Result<Vec<NewDelivery>, serde_json::Error> {
    let detail = serde_json::value::to_raw_value(&detail(bucket, caller, change, version))?;
    let (id, resources) = (uuid::Uuid::new_v4().to_string(), [arn::bucket(bucket)]);
    let created = change.deletion().is_none();
    let event = Event::new(
        &id,
        "aws.s3",
        if created {
            "Object Created"
        } else {
            "Object Deleted"
        },
        clock::now(),
        &resources,
        &detail,
    );
    events::deliveries(rules, DEFAULT_BUS, &event)
}

fn detail<'a>(
    bucket: &'a str,
    caller: &'a Caller,
    change: ObjectChange,
    version: &'a Version,
) -> Detail<'a> {
    let deletion_type = change.deletion();
    Detail {
        version: "0",
        bucket: BucketName { name: bucket },
        object: Object {
            key: &version.key,
            size: deletion_type.is_none().then_some(version.size),
            etag: &version.etag,
            version_id: &version.id,
            // All sequencers have the same length, so that they sort as texts in the order of their
            // numbers.
            sequencer: format!("{:016X}", version.number),
        },
        request_id: &caller.request_id,
        requester: ACCOUNT,
        source_ip_address: &caller.address,
        reason: change.reason(),
        deletion_type,
    }
}

impl ObjectChange {
    fn reason(self) -> &'static str {
        match self {
            Self::Put => "PutObject",
            Self::Copied => "CopyObject",
            Self::Completed => "CompleteMultipartUpload",
            Self::MarkerAdded | Self::Removed => "DeleteObject",
        }
    }

    fn deletion(self) -> Option<&'static str> {
        match self {
            Self::MarkerAdded => Some("Delete Marker Created"),
            Self::Removed => Some("Permanently Deleted"),
            Self::Put | Self::Copied | Self::Completed => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::definition::toy::{self, SCANS};

    fn announced(key: &str, change: ObjectChange) -> Vec<NewDelivery> {
        let rules = Arc::new(Rules::read(&toy::library().rules).unwrap());
        let caller = Caller {
            request_id: "R1".to_owned(),
            address: "127.0.0.1".to_owned(),
        };
        let version = Version {
            number: 27,
            key: key.to_owned(),
            id: "v1".to_owned(),
            size: 5,
            etag: "e1".to_owned(),
            ..Version::default()
        };
        announce(rules, SCANS.to_owned(), caller, change)(&version)
    }

    #[test]
    fn an_object_reaches_its_rules_target_as_s3_announces_it() {
        let deliveries = announced("pages/a b.json", ObjectChange::Put);
        assert_eq!(deliveries.len(), 1);
        assert_eq!(deliveries[0].function, "scan");
        let mut event: Value = serde_json::from_str(&deliveries[0].payload).unwrap();
        for changing in ["id", "time"] {
            assert!(event[changing].take().is_string());
        }
        let expected = json!({
            "version": "0", "id": null, "detail-type": "Object Created", "source": "aws.s3",
            "account": "000000000000", "time": null, "region": "us-east-1",
            "resources": [format!("arn:aws:s3:::{SCANS}")],
            "detail": {
                "version": "0",
                "bucket": { "name": SCANS },
                "object": { "key": "pages/a b.json", "size": 5, "etag": "e1", "version-id": "v1",
                            "sequencer": "000000000000001B" },
                "request-id": "R1", "requester": "000000000000",
                "source-ip-address": "127.0.0.1", "reason": "PutObject",
            },
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn a_deletion_says_of_which_kind_it_is_and_reaches_nobody() {
        let version = Version::default();
        let caller = Caller::default();
        for (change, kind) in [
            (ObjectChange::MarkerAdded, "Delete Marker Created"),
            (ObjectChange::Removed, "Permanently Deleted"),
        ] {
            let detail = detail(SCANS, &caller, change, &version);
            let detail = serde_json::to_value(detail).unwrap();
            assert_eq!(detail["reason"], "DeleteObject");
            assert_eq!(detail["deletion-type"], kind);
            assert_eq!(detail["object"].get("size"), None);
            assert!(announced("pages/a.json", change).is_empty());
        }
    }

    #[test]
    fn only_what_a_rule_asks_for_reaches_its_target() {
        let reached = |key| announced(key, ObjectChange::Completed).len();
        assert_eq!(reached("pages/a.json"), 1);
        assert_eq!(reached("others/a.json"), 0);
    }
}

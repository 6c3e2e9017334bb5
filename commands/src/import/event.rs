//! Reads the events of S3: an object was created.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::files::Object;
use crate::{
    limits::{FILE_KEY_BYTES_MAX, FILE_VERSION_MAX, KEY_MAX},
    rejection::Rejection,
};

/// The prefix of the keys of order files.
pub const ORDERS: &str = "orders/";

/// The prefix of the keys of reports and of everything beside them.
pub const REPORTS: &str = "reports/";

/// The suffix of the keys of checkpoints.
pub const CHECKPOINT: &str = ".checkpoint.json";

/// One version of an order file, as S3 announced it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// The name of the file's bucket.
    pub bucket: String,
    /// The key and version of the file.
    pub object: Object,
    /// S3's sequence number of the write to this key: another one is another upload.
    pub sequencer: String,
    /// The id of the event that announced the file.
    pub event_id: String,
}

impl File {
    /// `s3://bucket/key`, as it stands in the rows of the file's orders.
    pub fn source_file(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.object.key)
    }

    /// The sender of the file's orders: `files/<bucket>`.
    pub fn actor(&self) -> String {
        format!("files/{}", self.bucket)
    }

    /// The command id of the order at this position, from 0.
    pub fn command_id(&self, position: u64) -> String {
        let (bucket, key) = (&self.bucket, &self.object.key);
        format!("file/{bucket}/{key}/{}/{position}", self.object.version())
    }

    /// The correlation id of all commits of the file: `<key>@<version>`, or its digest where that
    /// is too long.
    pub fn correlation_id(&self) -> String {
        let whole = format!("{}@{}", self.object.key, self.object.version());
        match whole.chars().count() <= KEY_MAX {
            true => whole,
            false => domain::Digest::of(&whole.into()).as_str().to_owned(),
        }
    }

    /// The key of an object beside the report, such as `report.json` itself.
    pub fn report_key(&self, name: &str) -> String {
        let (key, version) = (&self.object.key, self.object.version());
        format!("{REPORTS}{key}/{version}/{name}")
    }

    /// Whether both are the same upload. An event that is delivered twice may differ in its id.
    pub fn is_same_upload(&self, other: &Self) -> bool {
        self.object == other.object && self.sequencer == other.sequencer
    }
}

/// What an event asks the import to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Import a file.
    Import(File),
    /// Continue the import that wrote a checkpoint.
    Continue {
        /// The checkpoint's key.
        checkpoint: String,
        /// The id of the event that announced the checkpoint.
        event_id: String,
    },
    /// Do nothing: a folder was made in the console, which is an empty object.
    Nothing,
}

#[derive(Deserialize)]
struct Detail {
    bucket: Bucket,
    object: Created,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Created {
    key: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    etag: Option<String>,
    #[serde(default, rename = "version-id")]
    version_id: Option<String>,
    #[serde(default)]
    sequencer: Option<String>,
}

/// Reads an event about `bucket`. The conditions of the EventBridge rule are checked again, since a
/// rule can be changed by hand.
pub(super) fn read_event(payload: &RawValue, bucket: &str) -> Result<Request, Rejection> {
    let not_an_event = || Rejection::new("not_an_event", "this is no event of EventBridge");
    let event: EventBridgeEvent<Box<RawValue>> =
        serde_json::from_str(payload.get()).map_err(|_| not_an_event())?;
    let id = event.id.clone().filter(|id| !id.is_empty());
    let id = id.ok_or_else(not_an_event)?;
    let refused = |code: &'static str, text: &str| Rejection {
        event_id: id.clone(),
        ..Rejection::new(code, text)
    };
    if (event.source.as_str(), event.detail_type.as_str()) != ("aws.s3", "Object Created") {
        return Err(refused(
            "invalid_field",
            "the event is not Object Created of aws.s3",
        ));
    }
    let detail: Detail = serde_json::from_str(event.detail.get())
        .map_err(|_| refused("invalid_field", "the detail names no object"))?;
    if detail.bucket.name != bucket {
        return Err(refused(
            "invalid_field",
            "the event is about another bucket",
        ));
    }
    let created = detail.object;
    if created.key.starts_with(REPORTS) && created.key.ends_with(CHECKPOINT) {
        return Ok(Request::Continue {
            checkpoint: created.key,
            event_id: id,
        });
    }
    if !created.key.starts_with(ORDERS) {
        return Err(refused(
            "invalid_field",
            "the key is not that of an order file",
        ));
    }
    if created.key.ends_with('/') && created.size == Some(0) {
        return Ok(Request::Nothing);
    }
    if created.key.len() > FILE_KEY_BYTES_MAX {
        let text = format!("a key has at most {FILE_KEY_BYTES_MAX} bytes");
        return Err(refused("key_too_long", &text));
    }
    let object = object(created.key, created.version_id, created.etag)
        .ok_or_else(|| refused("invalid_field", "neither a version id nor an ETag"))?;
    Ok(Request::Import(File {
        bucket: detail.bucket.name,
        object,
        sequencer: created.sequencer.unwrap_or_default(),
        event_id: id,
    }))
}

fn object(key: String, version_id: Option<String>, etag: Option<String>) -> Option<Object> {
    // S3 says "null" where versioning is off: every object of the key has that version id.
    let version_id = version_id.filter(|id| !id.is_empty() && id != "null");
    let etag = etag.unwrap_or_default().trim_matches('"').to_owned();
    let object = Object {
        key,
        version_id,
        etag,
    };
    let version = object.version();
    let valid = (1..=FILE_VERSION_MAX).contains(&version.chars().count());
    // A '/' would look like a part of the key.
    (valid && !version.contains('/')).then_some(object)
}

//! The table of keys: one record for each owner of personal data.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::AttributeValue,
};
use domain::Timestamp;

use crate::{failure::describe, item::Item, table::Unavailable};

/// The attribute of the partition key: the owner, such as `customer#42`.
pub const OWNER: &str = "owner";

/// The record of an owner's key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRecord {
    /// The version of the latest key, from 1; 0 where there never was one.
    pub version: u32,
    /// The number of changes of the record. A change is written only if the stored record has the
    /// revision before it.
    pub revision: u32,
    /// The data key of that version, wrapped; `None` once it is destroyed.
    pub wrapped: Option<Vec<u8>>,
    /// The time of the latest erasure. Every key that was made before it is destroyed.
    pub erased_at: Option<Timestamp>,
}

/// A table of keys.
#[async_trait]
pub trait KeyTable: Send + Sync {
    /// Reads the record of an owner, consistently.
    async fn get(&self, owner: &str) -> Result<Option<KeyRecord>, Unavailable>;

    /// Writes a record if the stored one has the revision before it, or if there is none and this
    /// is the first. Returns whether it was written.
    async fn put(&self, owner: &str, record: &KeyRecord) -> Result<bool, Unavailable>;
}

/// A DynamoDB table of keys.
#[derive(Debug)]
pub struct DynamoDbKeys {
    client: Client,
    name: String,
}

impl DynamoDbKeys {
    /// The table with the name `name`.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { client, name }
    }
}

#[async_trait]
impl KeyTable for DynamoDbKeys {
    async fn get(&self, owner: &str) -> Result<Option<KeyRecord>, Unavailable> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(OWNER, AttributeValue::S(owner.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        answer.item.map(read).transpose()
    }

    async fn put(&self, owner: &str, record: &KeyRecord) -> Result<bool, Unavailable> {
        let put = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item(owner, record)));
        let put = match record.revision {
            0 | 1 => put.condition_expression("attribute_not_exists(revision)"),
            next => put
                .condition_expression("revision = :before")
                .expression_attribute_values(":before", AttributeValue::N((next - 1).to_string())),
        };
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
            }
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn item(owner: &str, record: &KeyRecord) -> Item {
    let number = |number: u32| AttributeValue::N(number.to_string());
    let mut item = Item::from([
        (OWNER.to_owned(), AttributeValue::S(owner.to_owned())),
        ("version".to_owned(), number(record.version)),
        ("revision".to_owned(), number(record.revision)),
    ]);
    if let Some(wrapped) = &record.wrapped {
        let bytes = AttributeValue::B(Blob::new(wrapped.clone()));
        item.insert("wrapped".to_owned(), bytes);
    }
    if let Some(at) = record.erased_at {
        item.insert("erasedAt".to_owned(), AttributeValue::S(at.to_string()));
    }
    item
}

/// Reads a record. One that cannot be read counts as unavailable: because of it, no data may be
/// treated as erased, and no key may be replaced.
fn read(item: Item) -> Result<KeyRecord, Unavailable> {
    let damaged = || Unavailable("a record in the table of keys is damaged".to_owned());
    let number = |name: &str| -> Result<u32, Unavailable> {
        let number = item.get(name).and_then(|value| value.as_n().ok());
        number
            .and_then(|number| number.parse().ok())
            .ok_or_else(damaged)
    };
    let wrapped = item.get("wrapped").map(AttributeValue::as_b);
    let wrapped = wrapped.transpose().map_err(|_| damaged())?;
    let erased_at = item.get("erasedAt").map(AttributeValue::as_s);
    let erased_at = erased_at.transpose().map_err(|_| damaged())?;
    Ok(KeyRecord {
        version: number("version")?,
        revision: number("revision")?,
        wrapped: wrapped.map(|bytes| bytes.clone().into_inner()),
        erased_at: match erased_at {
            Some(at) => Some(at.parse().map_err(|_| damaged())?),
            None => None,
        },
    })
}

fn unavailable<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> Unavailable {
    Unavailable(format!("the table of keys: {}", describe(&error)))
}

/// A table of keys in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryKeys {
    records: Mutex<HashMap<String, KeyRecord>>,
}

#[async_trait]
impl KeyTable for MemoryKeys {
    async fn get(&self, owner: &str) -> Result<Option<KeyRecord>, Unavailable> {
        let records = self
            .records
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        Ok(records.get(owner).cloned())
    }

    async fn put(&self, owner: &str, record: &KeyRecord) -> Result<bool, Unavailable> {
        let mut records = self
            .records
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let before = records.get(owner).map_or(0, |stored| stored.revision);
        let follows = before + 1 == record.revision;
        if follows {
            records.insert(owner.to_owned(), record.clone());
        }
        Ok(follows)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let full = KeyRecord {
            version: 2,
            revision: 3,
            wrapped: Some(vec![1, 2, 3]),
            erased_at: Some(Timestamp::EPOCH),
        };
        let bare = KeyRecord {
            revision: 1,
            ..KeyRecord::default()
        };
        for record in [full, bare] {
            assert_eq!(read(item("customer#1", &record)).unwrap(), record);
        }
    }

    #[test]
    fn a_damaged_record_is_neither_a_key_nor_an_erasure() {
        let mut damaged = item("customer#1", &KeyRecord::default());
        damaged.insert("wrapped".to_owned(), AttributeValue::S("text".to_owned()));
        assert!(read(damaged).is_err());
        assert!(read(Item::new()).is_err());
    }
}

//! Rows in memory. They pass the same contract tests as the rows on DynamoDB.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        LazyLock, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use domain::{Json, Number, json::object_dynamodb_bytes};
use projectors::{
    indexes::Index,
    ports::{Direction, Row, RowError, RowPage, Rows, SegmentPage, Start, Table},
    row::written_version,
    shipment_log::CURRENT,
};

/// The rows of a page of a scan. They are few, so that tests read several pages.
const SEGMENT_PAGE: usize = 5;

/// The key of a row: table, partition key, and sort key, which is empty where the table has none.
pub type RowKey = (Table, String, String);

/// The attributes that each index holds besides its keys, by table suffix and index name.
static INDEX_ATTRIBUTES: LazyLock<BTreeMap<(String, String), Vec<String>>> = LazyLock::new(|| {
    let mut shown = BTreeMap::new();
    for table in lambda::names::tables().unwrap().into_values() {
        for index in table.indexes {
            let key = (table.suffix.clone(), index.name);
            shown.insert(key, index.include.unwrap_or_default());
        }
    }
    shown
});

/// The tables of rows, in memory.
#[derive(Debug, Default)]
pub struct MemoryRows {
    rows: Mutex<BTreeMap<RowKey, Row>>,
    puts: AtomicU64,
    pages: AtomicU64,
    entries: AtomicU64,
    broken: Mutex<Option<RowError>>,
    parking_broken: Mutex<Option<RowError>>,
}

impl MemoryRows {
    /// Returns all rows of a table, ordered by key.
    pub fn all(&self, table: Table) -> Vec<Row> {
        self.rows()
            .iter()
            .filter(|(key, _)| key.0 == table)
            .map(|(_, row)| row.clone())
            .collect()
    }

    /// Returns the key of a row.
    pub fn key_of(&self, table: Table, row: &Row) -> RowKey {
        key(table, row)
    }

    /// Returns the version of the row with this key, or 0 where the row has none. Returns `None`
    /// where there is no such row.
    pub fn version_at(&self, place: &RowKey) -> Option<u64> {
        let rows = self.rows();
        rows.get(place).map(|row| version(row).unwrap_or_default())
    }

    /// Returns the number of write requests so far, failed ones and removals included.
    pub fn puts(&self) -> u64 {
        self.puts.load(Ordering::Relaxed)
    }

    /// Returns the number of pages of indexes that were read, and of the entries on them.
    pub fn listed(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.pages), read(&self.entries))
    }

    /// Lets every write to a read model fail with this error from now on; `None` ends that.
    pub fn break_with(&self, error: Option<RowError>) {
        *self.broken.lock().unwrap() = error;
    }

    /// Lets every write of a parked row fail with this error from now on; `None` ends that.
    pub fn break_parking_with(&self, error: Option<RowError>) {
        *self.parking_broken.lock().unwrap() = error;
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<RowKey, Row>> {
        self.rows.lock().unwrap()
    }

    fn check(&self, table: Table) -> Result<(), RowError> {
        self.puts.fetch_add(1, Ordering::Relaxed);
        let broken = match table {
            Table::Parked => &self.parking_broken,
            Table::ProcessedOrders | Table::ShipmentLog => &self.broken,
        };
        broken.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

fn text(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Json::String(text)) => text.clone(),
        _ => String::new(),
    }
}

fn key(table: Table, row: &Row) -> RowKey {
    match table {
        Table::ProcessedOrders => (table, text(row, "orderId"), String::new()),
        Table::ShipmentLog => (table, text(row, "shipmentId"), text(row, "entry")),
        Table::Parked => (table, text(row, "id"), String::new()),
    }
}

fn version(row: &Row) -> Option<u64> {
    written_version(row).and_then(|number| number.to_u64())
}

#[async_trait]
impl Rows for MemoryRows {
    async fn put(&self, table: Table, row: Row) -> Result<(), RowError> {
        self.check(table)?;
        self.rows().insert(key(table, &row), row);
        Ok(())
    }

    async fn put_newer(&self, table: Table, row: Row, new: u64) -> Result<(), RowError> {
        self.check(table)?;
        let mut rows = self.rows();
        let key = key(table, &row);
        let there = rows.get(&key).and_then(|row| row.get("version"));
        if there.is_none_or(|there| matches!(there, Json::Number(there) if *there < new.into())) {
            rows.insert(key, row);
        }
        Ok(())
    }

    async fn put_rebuilt(
        &self,
        table: Table,
        row: Row,
        new: u64,
        seen: Option<Number>,
    ) -> Result<(), RowError> {
        self.check(table)?;
        let mut rows = self.rows();
        let key = key(table, &row);
        let there = rows.get(&key).and_then(written_version);
        if there.is_none_or(|there| there <= new.into() || seen == Some(there)) {
            rows.insert(key, row);
        }
        Ok(())
    }

    async fn remove(&self, table: Table, row: Row) -> Result<(), RowError> {
        self.check(table)?;
        let mut rows = self.rows();
        let key = key(table, &row);
        if rows.get(&key).and_then(written_version) == written_version(&row) {
            rows.remove(&key);
        }
        Ok(())
    }

    async fn put_first(&self, table: Table, row: Row) -> Result<Option<Row>, RowError> {
        self.check(table)?;
        let mut rows = self.rows();
        let key = key(table, &row);
        let there = rows.get(&key).cloned();
        if there.is_none() {
            rows.insert(key, row);
        }
        Ok(there)
    }

    async fn get(&self, table: Table, wanted: Row) -> Result<Option<Row>, RowError> {
        Ok(self.rows().get(&key(table, &wanted)).cloned())
    }

    async fn log(
        &self,
        shipment_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        let rows = self.rows();
        let mut found = rows
            .iter()
            .filter(|((table, id, entry), _)| {
                *table == Table::ShipmentLog
                    && id == shipment_id
                    && entry.as_str() < CURRENT
                    && after.is_none_or(|after| entry.as_str() > after)
            })
            .map(|(_, row)| row.clone());
        let page: Vec<Row> = found.by_ref().take(limit as usize).collect();
        Ok(RowPage {
            more: found.next().is_some(),
            rows: page,
        })
    }

    async fn query_partition(
        &self,
        table: Table,
        partition: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        let rows = self.rows();
        let mut found = rows
            .iter()
            .filter(|((of, id, sort), _)| {
                *of == table && id == partition && after.is_none_or(|after| sort.as_str() > after)
            })
            .map(|(_, row)| row.clone());
        let page: Vec<Row> = found.by_ref().take(limit as usize).collect();
        Ok(RowPage {
            more: found.next().is_some(),
            rows: page,
        })
    }

    async fn segment(
        &self,
        table: Table,
        segment: u32,
        segments: u32,
        after: Option<Row>,
    ) -> Result<SegmentPage, RowError> {
        let after = after.map(|row| key(table, &row));
        let in_segment = |id: &str| {
            let mut hasher = DefaultHasher::new();
            id.hash(&mut hasher);
            hasher.finish() % u64::from(segments.max(1)) == u64::from(segment)
        };
        let rows = self.rows();
        let mut rest = rows.iter().filter(|(place, _)| {
            place.0 == table
                && in_segment(&place.1)
                && after.as_ref().is_none_or(|after| *place > after)
        });
        let page: Vec<(&RowKey, &Row)> = rest.by_ref().take(SEGMENT_PAGE).collect();
        let more = rest.next().is_some();
        let bytes: usize = page.iter().map(|(_, row)| object_dynamodb_bytes(row)).sum();
        Ok(SegmentPage {
            last: more
                .then(|| page.last().map(|(place, _)| table.key(&place.1, &place.2)))
                .flatten(),
            rows: page.into_iter().map(|(_, row)| row.clone()).collect(),
            half_units: bytes.div_ceil(4 * 1024) as u64,
        })
    }

    async fn list(
        &self,
        index: Index,
        partition: &str,
        start: &Start,
        direction: Direction,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        let rows = self.rows();
        let mut entries: Vec<(String, &RowKey, &Row)> = rows
            .iter()
            .filter(|((table, _, _), row)| {
                *table == index.table()
                    && row.get(index.partition_key()) == Some(&partition.into())
                    && row.contains_key(index.sort_key())
            })
            .map(|(key, row)| (text(row, index.sort_key()), key, row))
            .collect();
        entries.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        if direction == Direction::Down {
            entries.reverse();
        }
        let behind = |one: &str, other: &str| match direction {
            Direction::Up => one > other,
            Direction::Down => one < other,
        };
        let mut found = entries.into_iter().filter(|(sort, key, _)| match start {
            Start::Beginning => true,
            Start::At(at) => sort == at || behind(sort, at),
            Start::Behind(at) => behind(sort, at),
            Start::After { sort: at, id } => behind(sort, at) || (sort == at && behind(&key.1, id)),
        });
        let page = found.by_ref().take(limit as usize);
        let page: Vec<Row> = page.map(|(_, key, row)| shown(index, key, row)).collect();
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.entries.fetch_add(page.len() as u64, Ordering::Relaxed);
        Ok(RowPage {
            more: found.next().is_some(),
            rows: page,
        })
    }
}

/// Returns the attributes of a row that an index holds.
fn shown(index: Index, key: &RowKey, row: &Row) -> Row {
    let suffix = match index.table() {
        Table::ProcessedOrders => "processed-orders",
        Table::ShipmentLog | Table::Parked => "shipment-log",
    };
    let included = &INDEX_ATTRIBUTES[&(suffix.to_owned(), index.name().to_owned())];
    let keys = index.keys("", "", &key.1);
    row.iter()
        .filter(|(name, _)| included.contains(name) || keys.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

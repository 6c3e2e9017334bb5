//! Table, rows, bus, topic, operator and clock in this world: each call is held up before and
//! after its effect, and may fail at either end.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use commands::{
    import::files::{Chunks, FileError, Files, Object},
    operator::{Operator, Unreachable},
};
use domain::Timestamp;
use event_store::{
    Clock,
    commit::Item,
    memory::MemoryTable,
    table::{CommitTable, Page, Put, Unavailable},
};
use projectors::{
    indexes::Index,
    ports::{
        Alert, Announcement, Bus, Direction, Row, RowError, RowPage, Rows, Sent, Start, Table,
        Topic,
    },
};
use support::{files::MemoryFiles, rows::MemoryRows};

use crate::{
    core::{Core, Fault, hold},
    defects::{self, Defect},
    platform::Platform,
};

/// Brings a call to its effect, or turns it away before.
async fn before(core: &Core, what: impl FnOnce() -> String) -> bool {
    core.count_call();
    core.note(what);
    if !core.coarse {
        hold().await;
    }
    !core.strikes(Fault::Throttle)
}

/// Brings an answer back, or loses it.
async fn after(core: &Core) -> bool {
    hold().await;
    !core.strikes(Fault::LostAnswer)
}

// ---- The clock

/// The world's clock.
pub struct SimClock(pub Core);

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep(&self, _duration: Duration) {
        hold().await;
    }

    fn jitter(&self, max: Duration) -> Duration {
        max
    }
}

// ---- The event store

/// The table of commits.
pub struct SimTable {
    /// The world's choices.
    pub core: Core,
    /// What is stored.
    pub table: Arc<MemoryTable>,
    /// Where what is stored comes out again.
    pub platform: Arc<Platform>,
}

fn unavailable() -> Unavailable {
    Unavailable("fault".to_owned())
}

#[async_trait]
impl CommitTable for SimTable {
    async fn put_new(&self, item: Item) -> Result<Put, Unavailable> {
        let key = || format!("{:?} {:?}", item["aggregate"], item["sequence"]);
        if !before(&self.core, || format!("put {}", key())).await {
            return Err(unavailable());
        }
        let item = defects::written(&self.core, item);
        let put = match self.core.defect {
            Some(Defect::LostCondition) => {
                self.table.overwrite(item.clone())?;
                Put::Written
            }
            Some(Defect::UnstoredAnswer) if self.core.choose(20) == 0 => return Ok(Put::Written),
            _ => self.table.put_new(item.clone()).await?,
        };
        if put == Put::Written {
            self.platform.written(&self.core, item.clone());
            if self.core.defect == Some(Defect::DoubledWrite)
                && let Some(copy) = defects::copy_behind(&item)
                && self.table.put_new(copy.clone()).await? == Put::Written
            {
                self.platform.written(&self.core, copy);
            }
        }
        if !after(&self.core).await {
            return Err(unavailable());
        }
        match (put, self.core.defect) {
            (Put::Occupied(_), Some(Defect::SwallowedConflict)) => Ok(Put::Written),
            (put, _) => Ok(put),
        }
    }

    async fn newest(
        &self,
        aggregate: &str,
        below: Option<u64>,
        limit: u32,
    ) -> Result<Page, Unavailable> {
        if !before(&self.core, || format!("newest {aggregate}")).await {
            return Err(unavailable());
        }
        let page = self.table.newest(aggregate, below, limit).await?;
        match after(&self.core).await {
            true => Ok(defects::read(&self.core, page)),
            false => Err(unavailable()),
        }
    }

    async fn oldest(&self, aggregate: &str, from: u64, limit: u32) -> Result<Page, Unavailable> {
        if !before(&self.core, || format!("oldest {aggregate}")).await {
            return Err(unavailable());
        }
        let page = self.table.oldest(aggregate, from, limit).await?;
        match after(&self.core).await {
            true => Ok(defects::read(&self.core, page)),
            false => Err(unavailable()),
        }
    }

    async fn segment(
        &self,
        segment: u32,
        segments: u32,
        behind: Option<&Item>,
    ) -> Result<Page, Unavailable> {
        if !before(&self.core, || format!("segment {segment}")).await {
            return Err(unavailable());
        }
        let page = self.table.segment(segment, segments, behind).await?;
        match after(&self.core).await {
            true => Ok(page),
            false => Err(unavailable()),
        }
    }
}

// ---- Rows

/// The read models. It notes every version that a row has had.
pub struct SimRows {
    /// The world's choices.
    pub core: Core,
    /// What is stored.
    pub rows: Arc<MemoryRows>,
    /// Rows whose version went back.
    pub went_back: Arc<Mutex<Vec<String>>>,
}

fn out_of_reach() -> RowError {
    RowError::Unavailable("fault".to_owned())
}

impl SimRows {
    /// Puts a row, and notes where its version went back.
    async fn watched(
        &self,
        table: Table,
        row: Row,
        put: impl AsyncFnOnce(Row) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        let place = self.rows.place(table, &row);
        let earlier = self.rows.version_at(&place);
        put(row).await?;
        if self.rows.version_at(&place) < earlier {
            self.went_back.lock().unwrap().push(format!("{place:?}"));
        }
        Ok(())
    }
}

#[async_trait]
impl Rows for SimRows {
    async fn put(&self, table: Table, row: Row) -> Result<(), RowError> {
        if !before(&self.core, || {
            format!("row {table:?} {:?}", row.get("entry"))
        })
        .await
        {
            return Err(out_of_reach());
        }
        self.rows.put(table, row).await?;
        if after(&self.core).await {
            Ok(())
        } else {
            Err(out_of_reach())
        }
    }

    async fn put_newer(&self, table: Table, row: Row, version: u64) -> Result<(), RowError> {
        if !before(&self.core, || format!("row {table:?} version {version}")).await {
            return Err(out_of_reach());
        }
        let row = defects::row(&self.core, row);
        let place = self.rows.place(table, &row);
        let there = self.rows.version_at(&place).is_some();
        let put = async |row| match self.core.defect {
            Some(Defect::BlindRow) => self.rows.put(table, row).await,
            Some(Defect::FirstRowWins) if there => Ok(()),
            _ => self.rows.put_newer(table, row, version).await,
        };
        self.watched(table, row, put).await?;
        if after(&self.core).await {
            Ok(())
        } else {
            Err(out_of_reach())
        }
    }

    async fn put_rebuilt(
        &self,
        table: Table,
        row: Row,
        version: u64,
        seen: u64,
    ) -> Result<(), RowError> {
        if !before(&self.core, || format!("rebuilt {table:?} {version}")).await {
            return Err(out_of_reach());
        }
        let put = async |row| match self.core.defect {
            Some(Defect::BlindRebuild) => self.rows.put(table, row).await,
            _ => self.rows.put_rebuilt(table, row, version, seen).await,
        };
        self.watched(table, row, put).await?;
        if after(&self.core).await {
            Ok(())
        } else {
            Err(out_of_reach())
        }
    }

    async fn remove(&self, table: Table, row: Row) -> Result<(), RowError> {
        if !before(&self.core, || format!("remove {table:?}")).await {
            return Err(out_of_reach());
        }
        self.rows.remove(table, row).await?;
        if after(&self.core).await {
            Ok(())
        } else {
            Err(out_of_reach())
        }
    }

    async fn put_first(&self, table: Table, row: Row) -> Result<(), RowError> {
        if !before(&self.core, || format!("park {:?}", row.get("id"))).await {
            return Err(out_of_reach());
        }
        if self.core.defect != Some(Defect::SwallowedPark) {
            self.rows.put_first(table, row).await?;
        }
        if after(&self.core).await {
            Ok(())
        } else {
            Err(out_of_reach())
        }
    }

    async fn get(&self, table: Table, key: Row) -> Result<Option<Row>, RowError> {
        if !before(&self.core, || format!("get {table:?}")).await {
            return Err(out_of_reach());
        }
        self.rows.get(table, key).await
    }

    async fn log(
        &self,
        shipment_id: &str,
        behind: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        if !before(&self.core, || format!("log {shipment_id}")).await {
            return Err(out_of_reach());
        }
        self.rows.log(shipment_id, behind, limit).await
    }

    async fn list(
        &self,
        index: Index,
        partition: &str,
        start: &Start,
        direction: Direction,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        if !before(&self.core, || format!("list {index:?} {partition}")).await {
            return Err(out_of_reach());
        }
        self.rows
            .list(index, partition, start, direction, limit)
            .await
    }
}

// ---- Files

/// The bucket.
pub struct SimFiles {
    /// The world's choices.
    pub core: Core,
    /// What is stored.
    pub files: MemoryFiles,
}

/// An object on its way, which may break off.
struct SimChunks {
    core: Core,
    chunks: Box<dyn Chunks>,
}

fn no_bucket() -> FileError {
    FileError::Unavailable("fault".to_owned())
}

#[async_trait]
impl Files for SimFiles {
    fn bucket(&self) -> &str {
        self.files.bucket()
    }

    async fn open(&self, object: &Object, offset: u64) -> Result<Box<dyn Chunks>, FileError> {
        if !before(&self.core, || format!("open {} at {offset}", object.key)).await {
            return Err(no_bucket());
        }
        let chunks = self.files.open(object, offset).await?;
        Ok(Box::new(SimChunks {
            core: self.core.clone(),
            chunks,
        }))
    }

    async fn get(&self, key: &str, most: usize) -> Result<Option<Vec<u8>>, FileError> {
        if !before(&self.core, || format!("get {key}")).await {
            return Err(no_bucket());
        }
        self.files.get(key, most).await
    }

    async fn put(&self, key: &str, json: Vec<u8>) -> Result<(), FileError> {
        if !before(&self.core, || format!("put {key}")).await {
            return Err(no_bucket());
        }
        if self.core.defect != Some(Defect::LostReport) || !key.ends_with("/report.json") {
            self.files.put(key, json).await?;
        }
        if after(&self.core).await {
            Ok(())
        } else {
            Err(no_bucket())
        }
    }
}

#[async_trait]
impl Chunks for SimChunks {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        if after(&self.core).await {
            self.chunks.next().await
        } else {
            Err(no_bucket())
        }
    }
}

// ---- Messages

/// The bus and the topic: what they accept comes out at the platform.
pub struct SimOutbox {
    /// The world's choices.
    pub core: Core,
    /// Where messages come out.
    pub platform: Arc<Platform>,
}

impl SimOutbox {
    /// Sends the messages of one call, each with an answer of its own.
    async fn send<M: Clone>(
        &self,
        messages: &[M],
        swallow: Defect,
        accept: impl Fn(&Platform, M),
    ) -> Vec<Sent> {
        let failed = || Sent::Failed("fault".to_owned());
        if !before(&self.core, || format!("send {}", messages.len())).await {
            return vec![failed(); messages.len()];
        }
        let mut answers = Vec::new();
        for message in messages {
            if self.core.strikes(Fault::Entry) {
                let swallowed = self.core.defect == Some(swallow);
                answers.push(if swallowed { Sent::Accepted } else { failed() });
            } else {
                accept(&self.platform, message.clone());
                answers.push(Sent::Accepted);
            }
        }
        if after(&self.core).await {
            answers
        } else {
            vec![failed(); messages.len()]
        }
    }
}

#[async_trait]
impl Bus for SimOutbox {
    async fn put(&self, announcements: &[Announcement]) -> Vec<Sent> {
        let core = self.core.clone();
        self.send(
            announcements,
            Defect::SwallowedEntry,
            move |platform, message| {
                platform.announced(defects::announced(&core, message));
            },
        )
        .await
    }
}

#[async_trait]
impl Topic for SimOutbox {
    async fn publish(&self, alerts: &[Alert]) -> Vec<Sent> {
        self.send(alerts, Defect::SwallowedAlert, |platform, alert| {
            platform.alerted(alert)
        })
        .await
    }
}

#[async_trait]
impl Operator for SimOutbox {
    async fn keep_dead_letter(&self, event: &str, _reason: &str) -> Result<(), Unreachable> {
        if !before(&self.core, || "dead letter".to_owned()).await {
            return Err(Unreachable("fault".to_owned()));
        }
        self.platform.dead_letter(event);
        if after(&self.core).await {
            Ok(())
        } else {
            Err(Unreachable("fault".to_owned()))
        }
    }

    async fn alert(&self, subject: &str, text: &str, _id: &str) -> Result<(), Unreachable> {
        if !before(&self.core, || "operator alert".to_owned()).await {
            return Err(Unreachable("fault".to_owned()));
        }
        self.platform.told_operator(format!("{subject}\n{text}"));
        if after(&self.core).await {
            Ok(())
        } else {
            Err(Unreachable("fault".to_owned()))
        }
    }
}

//! The tables of rows: the read models and the parked aggregates.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use projectors::{
    indexes::Index,
    ports::{Direction, Row, RowError, RowPage, Rows, SegmentPage, Start, Table},
};
use support::rows::{MemoryRows, RowKey};

use super::{after, before};
use crate::{
    core::{Core, Fault},
    defects::{self, Defect},
};

/// The tables of rows under this world's faults. They note every row whose version goes back.
pub struct SimRows {
    /// The world's choices, time and faults.
    pub core: Core,
    /// The stored rows.
    pub rows: Arc<MemoryRows>,
    /// The keys of rows whose version went back.
    pub went_back: Arc<Mutex<Vec<String>>>,
    /// The rows that somebody has changed by hand, as they were left. The version of such a row may
    /// go back to the right one.
    pub spoilt: Arc<Mutex<BTreeMap<RowKey, Row>>>,
}

fn out_of_reach() -> RowError {
    RowError::Unavailable("fault".to_owned())
}

impl SimRows {
    /// Suspends the task before a put. Fails with [`RowError::Unavailable`] or, as if for ever,
    /// with [`RowError::Refused`], where a fault strikes.
    async fn before_put(
        &self,
        table: Table,
        what: impl FnOnce() -> String,
    ) -> Result<(), RowError> {
        if !before(&self.core, what).await {
            return Err(out_of_reach());
        }
        match table != Table::Parked && self.core.strikes(Fault::Refusal) {
            true => Err(RowError::Refused("fault".to_owned())),
            false => Ok(()),
        }
    }

    /// Puts a row by `put`, and notes it where its version went back.
    async fn watched(
        &self,
        table: Table,
        row: Row,
        rebuilt: bool,
        put: impl AsyncFnOnce(Row) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        let place = self.rows.key_of(table, &row);
        let earlier = self.rows.version_at(&place);
        // A rebuild may replace exactly the version that it has seen. Where somebody had set that
        // version by hand, the true row may have reached it meanwhile; then the rebuild compares
        // once more. So for a rebuild any row that was ever changed by hand is excepted.
        let spoilt = match rebuilt {
            true => self.spoilt.lock().unwrap().contains_key(&place),
            false => self.is_spoilt(&place),
        };
        put(row).await?;
        if self.rows.version_at(&place) < earlier && !spoilt {
            self.went_back.lock().unwrap().push(format!("{place:?}"));
        }
        Ok(())
    }

    /// Returns whether the stored row is still as somebody has changed it by hand.
    fn is_spoilt(&self, place: &RowKey) -> bool {
        let spoilt = self.spoilt.lock().unwrap();
        let Some(left) = spoilt.get(place) else {
            return false;
        };
        let (table, partition, _) = place;
        let stored = self.rows.all(*table).into_iter();
        let mut stored = stored.filter(|row| table.key_of(row)[0] == *partition);
        stored.any(|row| row == *left)
    }
}

#[async_trait]
impl Rows for SimRows {
    async fn put(&self, table: Table, row: Row) -> Result<(), RowError> {
        self.before_put(table, || format!("row {table:?} {:?}", row.get("entry")))
            .await?;
        self.rows.put(table, row).await?;
        if after(&self.core).await {
            Ok(())
        } else {
            Err(out_of_reach())
        }
    }

    async fn put_newer(&self, table: Table, row: Row, version: u64) -> Result<(), RowError> {
        self.before_put(table, || format!("row {table:?} version {version}"))
            .await?;
        let mut row = defects::alter_row(&self.core, row);
        let place = self.rows.key_of(table, &row);
        let stored = self.rows.version_at(&place).is_some();
        if self.core.defect == Some(Defect::KeptStall)
            && let Some(earlier) = self.rows.get(table, row.clone()).await?
            && let Some(since) = earlier.get("stalledSince")
        {
            row.insert("stalledSince".to_owned(), since.clone());
        }
        let put = async |row| match self.core.defect {
            Some(Defect::BlindRow) => self.rows.put(table, row).await,
            Some(Defect::FirstRowWins) if stored => Ok(()),
            _ => self.rows.put_newer(table, row, version).await,
        };
        self.watched(table, row, false, put).await?;
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
        seen: Option<domain::Number>,
    ) -> Result<(), RowError> {
        self.before_put(table, || format!("rebuilt {table:?} {version}"))
            .await?;
        let put = async |row| match self.core.defect {
            Some(Defect::BlindRebuild) => self.rows.put(table, row).await,
            _ => self.rows.put_rebuilt(table, row, version, seen).await,
        };
        self.watched(table, row, true, put).await?;
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
        let ignored =
            self.core.defect == Some(Defect::IgnoredSuperfluous) && table != Table::Parked;
        if !ignored {
            self.rows.remove(table, row).await?;
        }
        if after(&self.core).await {
            Ok(())
        } else {
            Err(out_of_reach())
        }
    }

    async fn put_first(&self, table: Table, row: Row) -> Result<Option<Row>, RowError> {
        if !before(&self.core, || format!("park {:?}", row.get("id"))).await {
            return Err(out_of_reach());
        }
        let stored = match self.core.defect {
            Some(Defect::SwallowedPark) => None,
            _ => self.rows.put_first(table, row).await?,
        };
        if after(&self.core).await {
            Ok(stored)
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

    async fn query_partition(
        &self,
        table: Table,
        partition: &str,
        behind: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        if !before(&self.core, || format!("whole {table:?} {partition}")).await {
            return Err(out_of_reach());
        }
        self.rows
            .query_partition(table, partition, behind, limit)
            .await
    }

    async fn segment(
        &self,
        table: Table,
        segment: u32,
        segments: u32,
        behind: Option<Row>,
    ) -> Result<SegmentPage, RowError> {
        if !before(&self.core, || format!("segment {table:?} {segment}")).await {
            return Err(out_of_reach());
        }
        let on = behind.is_some();
        let mut page = self.rows.segment(table, segment, segments, behind).await?;
        if self.core.defect == Some(Defect::LostAtPageEnd) && on && table != Table::Parked {
            defects::without_first(&mut page.rows, |row| table.aggregate(row));
        }
        Ok(page)
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
        let mut page = self
            .rows
            .list(index, partition, start, direction, limit)
            .await?;
        if self.core.defect == Some(Defect::UnwrittenRows) && index == Index::OrdersByCustomer {
            page.rows.clear();
        }
        if self.core.defect == Some(Defect::FirstShardWatched)
            && index == Index::ShipmentsWatched
            && !partition.ends_with("#0")
        {
            page.rows.clear();
        }
        Ok(page)
    }
}

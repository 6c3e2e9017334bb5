//! Rows with hooks: every call goes to other rows, and a test can act before, after or instead.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Number;
use projectors::{
    indexes::Index,
    ports::{Direction, Row, RowError, RowPage, Rows, SegmentPage, Start, Table},
};

/// What a test does around the calls of rows. The default methods change nothing.
pub trait Hooks: Send + Sync {
    /// Returns the rows to which the calls go.
    fn rows(&self) -> &Arc<dyn Rows>;

    /// Wraps every call. `work` is the call itself, `call` its name, such as `rows put_newer`.
    fn around<T: Send>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, RowError>> + Send,
    ) -> impl Future<Output = Result<T, RowError>> + Send {
        let _ = call;
        work
    }

    /// Returns the row that `put` and `put_newer` put in place of `row`.
    fn projected(&self, table: Table, row: Row) -> Row {
        let _ = table;
        row
    }

    /// Wraps `put_rebuilt`, inside of [`Hooks::around`]. `put` is the call itself, which puts
    /// `row`.
    fn rebuilt(
        &self,
        table: Table,
        row: &Row,
        put: impl Future<Output = Result<(), RowError>> + Send,
    ) -> impl Future<Output = Result<(), RowError>> + Send {
        let _ = (table, row);
        put
    }
}

/// Rows with hooks.
pub struct Hooked<H>(pub H);

#[async_trait]
impl<H: Hooks> Rows for Hooked<H> {
    async fn put(&self, table: Table, row: Row) -> Result<(), RowError> {
        let row = self.0.projected(table, row);
        let call = self.0.rows().put(table, row);
        self.0.around("rows put", call).await
    }

    async fn put_newer(&self, table: Table, row: Row, version: u64) -> Result<(), RowError> {
        let row = self.0.projected(table, row);
        let call = self.0.rows().put_newer(table, row, version);
        self.0.around("rows put_newer", call).await
    }

    async fn put_rebuilt(
        &self,
        table: Table,
        row: Row,
        version: u64,
        seen: Option<Number>,
    ) -> Result<(), RowError> {
        let put = self.0.rows().put_rebuilt(table, row.clone(), version, seen);
        let call = self.0.rebuilt(table, &row, put);
        self.0.around("rows put_rebuilt", call).await
    }

    async fn remove(&self, table: Table, row: Row) -> Result<(), RowError> {
        let call = self.0.rows().remove(table, row);
        self.0.around("rows remove", call).await
    }

    async fn put_first(&self, table: Table, row: Row) -> Result<Option<Row>, RowError> {
        let call = self.0.rows().put_first(table, row);
        self.0.around("rows put_first", call).await
    }

    async fn get(&self, table: Table, key: Row) -> Result<Option<Row>, RowError> {
        let call = self.0.rows().get(table, key);
        self.0.around("rows get", call).await
    }

    async fn log(
        &self,
        shipment_id: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        let call = self.0.rows().log(shipment_id, after, limit);
        self.0.around("rows log", call).await
    }

    async fn query_partition(
        &self,
        table: Table,
        partition: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        let call = self
            .0
            .rows()
            .query_partition(table, partition, after, limit);
        self.0.around("rows query_partition", call).await
    }

    async fn segment(
        &self,
        table: Table,
        segment: u32,
        segments: u32,
        after: Option<Row>,
    ) -> Result<SegmentPage, RowError> {
        let call = self.0.rows().segment(table, segment, segments, after);
        self.0.around("rows segment", call).await
    }

    async fn list(
        &self,
        index: Index,
        partition: &str,
        start: &Start,
        direction: Direction,
        limit: u32,
    ) -> Result<RowPage, RowError> {
        let rows = self.0.rows();
        let call = rows.list(index, partition, start, direction, limit);
        self.0.around("rows list", call).await
    }
}

//! What comes to the tables by other ways than Waybill's: a commit from newer code, and rows that
//! somebody has changed, removed or invented.

use domain::Json;
use support::rows::RowKey;

use super::*;

/// Rows that somebody invents at once, when it is many: more than are settled at a time.
const MANY: usize = projectors::limits::AGGREGATES_AT_ONCE + 4;

impl World {
    /// A commit from newer code, of an order of its own: it parks, and nothing else does.
    pub(super) fn poison(&mut self) {
        if !self.core.strikes(Fault::Poison) {
            return;
        }
        let envelope = support::envelopes::placing("poison", "poison");
        let loaded = event_store::Loaded::<domain::Order>::new(envelope.aggregate.clone());
        let command = domain::aggregate::Command {
            at: self.core.now(),
            intent: envelope.intent.clone(),
        };
        let events = domain::EventSourced::decide(&loaded.state, &command).unwrap();
        let mut commit = loaded
            .next_commit(events, self.core.now(), envelope.cause)
            .unwrap();
        commit.events[0].version = 99;
        let item = commit.to_item().unwrap();
        self.table.overwrite(item.clone()).unwrap();
        self.platform.written(&self.core, item);
    }

    /// Somebody changes, removes or invents rows: a rebuild is due.
    pub(super) fn spoil(&mut self) {
        let table = [Table::ProcessedOrders, Table::ShipmentLog][self.core.choose(2)];
        let rows = self.rows.all(table);
        match (self.core.choose(16), rows.len()) {
            (0, _) => (0..MANY).for_each(|number| {
                self.invent(Table::ProcessedOrders, &format!("stray-{number:02}"), "");
            }),
            (1..6, 1..) => self.change(table, rows[self.core.choose(rows.len())].clone()),
            (6..11, 1..) => {
                let row = rows[self.core.choose(rows.len())].clone();
                self.core.note(|| format!("row {row:?} is removed"));
                at_once(self.rows.remove(table, row)).unwrap();
            }
            _ => {
                // One that there may be one day, one that nobody wants, and one that cannot be.
                let (ids, entries) = match table {
                    Table::ShipmentLog => (
                        ["S1", "S2", "S9", "no id!"],
                        [shipment_log::CURRENT, "2024-01-15T10:05:00.000Z#000002"],
                    ),
                    _ => (["1", "3", "9", "no id!"], ["", ""]),
                };
                let entry = entries[self.core.choose(entries.len())];
                self.invent(table, ids[self.core.choose(ids.len())], entry);
            }
        }
        self.operator.rebuild_due = true;
    }

    fn invent(&mut self, table: Table, id: &str, entry: &str) {
        self.change(table, table.key(id, entry));
    }

    /// Puts a row that is wrong, under any version there may be.
    fn change(&mut self, table: Table, mut row: Row) {
        let version = row.get("version").and_then(|version| match version {
            Json::Number(number) => number.to_u64(),
            _ => None,
        });
        let version = version.unwrap_or_default();
        match self.core.choose(6) {
            0 => {}
            1 => drop(row.remove("version")),
            2 => drop(row.insert("version".to_owned(), "none".into())),
            3 => drop(row.insert("version".to_owned(), version.saturating_sub(1).into())),
            more => drop(row.insert("version".to_owned(), (version + more as u64 - 3).into())),
        }
        row.insert("spoilt".to_owned(), Json::Bool(true));
        self.core.note(|| format!("row {row:?} is spoilt"));
        let place: RowKey = self.rows.place(table, &row);
        self.spoilt.lock().unwrap().insert(place, row.clone());
        at_once(self.rows.put(table, row)).unwrap();
    }
}

/// What a future of a table in memory comes to: nothing holds it up.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a table in memory waits for nothing"),
    }
}

//! Changes of the tables that do not come from this code: a commit of newer code, and rows that
//! somebody has changed, removed or inserted by hand.

use domain::Json;
use support::rows::RowKey;

use super::*;

/// The number of rows when somebody inserts many at once: more than a rebuild settles at a time.
const MANY: usize = projectors::limits::AGGREGATES_AT_ONCE + 4;

impl World {
    /// Writes, by chance, a commit of newer code, of an order of its own. This order is parked, and
    /// no other aggregate may stay so.
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

    /// Changes, removes or inserts rows by hand. From then on a rebuild is due.
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
                // Ids of aggregates that may exist, of one that never exists, and an invalid id.
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

    /// Puts a wrong row, with a version that is right, missing, no number, too low or too high.
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
        let place: RowKey = self.rows.key_of(table, &row);
        self.spoilt.lock().unwrap().insert(place, row.clone());
        at_once(self.rows.put(table, row)).unwrap();
    }
}

/// Returns the output of a future that is ready at its first poll, as those of a table in memory
/// are. Panics where it is not.
pub(super) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a table in memory waits for nothing"),
    }
}

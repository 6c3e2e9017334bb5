//! The watcher, which looks for stalled shipments, and its schedule.

use domain::{Json, Timestamp};

use super::*;
use crate::core::Act;

/// The setting of this world: after how many hours without an update a shipment is stalled, by
/// status. With 0 it never is.
pub const STALLED_AFTER: &str = "CREATED=3,PICKED_UP=0,IN_TRANSIT=2,OUT_FOR_DELIVERY=1,DELAYED=0,\
                                 DELIVERY_ATTEMPTED=0,READY_FOR_PICKUP=0,RETURNING=0";

/// Half of these hours: the setting of the planted defect `WatchedTooEarly`.
const HALF_OF_IT: &str = "CREATED=1.5,PICKED_UP=0,IN_TRANSIT=1,OUT_FOR_DELIVERY=0.5,DELAYED=0,\
                          DELIVERY_ATTEMPTED=0,READY_FOR_PICKUP=0,RETURNING=0";

/// The interval of the schedule in milliseconds: a quarter of an hour, as it is deployed.
const BETWEEN_TURNS: i64 = 15 * 60 * 1_000;

/// The most scheduled runs until no shipment can stall any more. This limit is not reached.
const TURNS_MAX: u32 = 200;

impl World {
    /// Starts a run of the watcher, beside those that are running.
    pub(super) fn watch(&mut self) {
        self.core.note(|| "the watcher looks".to_owned());
        let (core, mut projectors) = (self.core.clone(), self.projectors());
        if core.defect == Some(Defect::WatchedTooEarly) {
            projectors.stalled_after = HALF_OF_IT.parse().unwrap();
        }
        let work = async move {
            let invocation = Invocation::of("request");
            let answer = projectors
                .handle(Role::Watch, payload("{}"), &invocation)
                .await?;
            core.did(Act::Watched);
            Ok(answer)
        };
        self.running.push((Job::Background, Box::pin(work)));
    }

    /// Once faults are off and nothing is left to do: lets time pass until the scheduled run at
    /// which the next shipment may be stalled, and starts that run. Returns whether there is such
    /// a shipment.
    pub(super) fn watch_when_due(&mut self) -> bool {
        if self.core.faults_on() || self.turns == TURNS_MAX {
            return false;
        }
        let (now, written) = (self.core.now(), self.platform.state().written.len());
        self.observed.quiet_since.get_or_insert((written, now));
        let Some(due) = self.next_due() else {
            return false;
        };
        self.turns += 1;
        // Earlier runs can find nothing and are skipped, except the last one before the shipment is
        // due.
        let idle = (due.millis() - now.millis() - BETWEEN_TURNS).max(0);
        let elapsed = self.core.elapsed();
        let turn = ((elapsed + idle) / BETWEEN_TURNS + 1) * BETWEEN_TURNS;
        self.core.pass_millis(turn - elapsed);
        self.watch();
        if self.core.choose(4) == 0 {
            self.watch();
        }
        true
    }

    /// Returns when the first of the shipments that may stall is stalled, by the rows.
    fn next_due(&self) -> Option<Timestamp> {
        let rows = self.rows.all(Table::ShipmentLog).into_iter();
        let watched = rows.filter(|row| !row.contains_key("stalledSince"));
        let due =
            watched.filter_map(
                |row| match (row.get("heardAt")?, row.get("currentStatus")?) {
                    (Json::String(last_update_at), Json::String(status)) => {
                        let after = self.projectors[0].stalled_after.of(status)?;
                        let last_update_at: Timestamp = last_update_at.parse().ok()?;
                        Timestamp::from_millis(last_update_at.millis() + after.as_millis() as i64)
                    }
                    _ => None,
                },
            );
        due.min()
    }
}

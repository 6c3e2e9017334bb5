//! The watcher: its schedule, which goes on whatever else happens.

use domain::{Json, Timestamp};

use super::*;
use crate::core::Act;

/// For how long nothing may be heard of a shipment in this world.
pub const STALLED_AFTER: &str = "CREATED=3,PICKED_UP=0,IN_TRANSIT=2,OUT_FOR_DELIVERY=1,DELAYED=0,\
                                 DELIVERY_ATTEMPTED=0,READY_FOR_PICKUP=0,RETURNING=0";

/// Half of that: what a watcher would take that is planted.
const HALF_OF_IT: &str = "CREATED=1.5,PICKED_UP=0,IN_TRANSIT=1,OUT_FOR_DELIVERY=0.5,DELAYED=0,\
                          DELIVERY_ATTEMPTED=0,READY_FOR_PICKUP=0,RETURNING=0";

/// Milliseconds from one turn of the schedule to the next: a quarter of an hour, as it is deployed.
const BETWEEN_TURNS: i64 = 15 * 60 * 1_000;

/// Turns of the schedule until no shipment is left to wait for: a bound, not reached.
const TURNS_MAX: u32 = 200;

impl World {
    /// A run of the watcher, beside whichever goes on.
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
        self.running.push((Job::Errand, Box::pin(work)));
    }

    /// Nothing goes wrong any more, and nothing is left to do: time goes by until the turn of the
    /// schedule at which a shipment may be due. Is there one to wait for?
    pub(super) fn keep_watch(&mut self) -> bool {
        if self.core.faults_on() || self.turns == TURNS_MAX {
            return false;
        }
        let (now, written) = (self.core.now(), self.platform.kept().written.len());
        self.observed.quiet.get_or_insert((written, now));
        let Some(due) = self.next_due() else {
            return false;
        };
        self.turns += 1;
        // The turns before can find nothing; the last of them is taken all the same.
        let idle = (due.millis() - now.millis() - BETWEEN_TURNS).max(0);
        let elapsed = self.core.elapsed();
        let turn = ((elapsed + idle) / BETWEEN_TURNS + 1) * BETWEEN_TURNS;
        self.core.pass(turn - elapsed);
        self.watch();
        if self.core.choose(4) == 0 {
            self.watch();
        }
        true
    }

    /// When the first of the shipments that may stall is due.
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

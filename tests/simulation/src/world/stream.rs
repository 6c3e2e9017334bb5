//! The stream: how consumers read batches of it, and what follows from their answers.

use super::*;

impl World {
    pub(super) fn start_batch(&mut self, consumer: usize, shard: usize) {
        let length = 1 + self.core.choose(BATCH_MAX);
        if self.core.strikes(Fault::Outage) {
            self.core.pass_hours(OUTAGE_HOURS);
        }
        let mut state = self.platform.state();
        state.trim(consumer, shard, self.core.elapsed());
        self.operator.note_expired(&state.expired);
        let (next, records) = (
            state.cursors[consumer][shard].next,
            state.shards[shard].len(),
        );
        let end = (next + length).min(records);
        let batch = state.shards[shard][next..end].to_vec();
        if batch.is_empty() {
            return;
        }
        state.cursors[consumer][shard].end = end;
        if self.core.defect == Some(Defect::EarlyCursor) {
            state.cursors[consumer][shard].next = end;
        }
        drop(state);
        self.core
            .note(|| format!("consumer {consumer} reads {next}..{end} of shard {shard}"));
        let handle = self.invoke_consumer(consumer, batch);
        self.running.push((Job::Batch { consumer, shard }, handle));
    }

    fn invoke_consumer(&self, consumer: usize, batch: Vec<Streamed>) -> Running {
        let mut projectors = self.projectors();
        if self.core.defect == Some(Defect::NotLookedAgain) && consumer == PROJECT {
            let keys = self.keys.instance(&self.core, true);
            projectors.store = projectors.store.with_keys(keys);
        }
        let role = [Role::Project, Role::Notify][consumer];
        if self.core.defect == Some(Defect::RememberedSequence) && consumer == 0 {
            let (remembered, rows) = (self.remembered.clone(), projectors.rows.clone());
            let items = batch
                .iter()
                .map(|streamed| (*streamed.item).clone())
                .collect();
            return Box::pin(project_by_last_sequence(
                remembered, rows, projectors, items,
            ));
        }
        let payload = batch_of_records(batch.iter().map(|streamed| streamed.record.as_ref()));
        Box::pin(async move {
            projectors
                .handle(role, payload, &Invocation::of("request"))
                .await
        })
    }

    pub(super) fn batch_ended(&mut self, consumer: usize, shard: usize, answer: Answer) {
        let again = self.core.strikes(Fault::Duplicate);
        let defect = self.core.defect;
        let mut state = self.platform.state();
        let cursor = &mut state.cursors[consumer][shard];
        if defect == Some(Defect::EarlyCursor) {
            return;
        }
        // Records are numbered from 1 within their batch.
        let failed_at = match &answer {
            Ok(answer) => answer["batchItemFailures"][0]["itemIdentifier"]
                .as_str()
                .map(|number| number.parse::<usize>().unwrap() - 1),
            Err(_) => Some(0),
        };
        let failed_at = match (failed_at, defect) {
            (_, Some(Defect::UnnamedFailures)) if answer.is_ok() => None,
            (Some(_), Some(Defect::LateFailure)) => Some(cursor.end - cursor.next - 1),
            (failed_at, _) => failed_at,
        };
        match failed_at {
            None if again => {}
            None => {
                cursor.next = cursor.end;
                cursor.attempts = 0;
            }
            Some(0) => cursor.attempts += 1,
            Some(place) => {
                cursor.next += place;
                cursor.attempts = 1;
            }
        }
        if cursor.attempts >= RECORD_ATTEMPTS {
            // The record goes to the failure destination, and the consumer continues behind it.
            let failed = cursor.next;
            cursor.next += 1;
            cursor.attempts = 0;
            let streamed = state.shards[shard][failed].clone();
            state
                .dead_letters
                .push(DeadLetter::Record { consumer, streamed });
        }
    }
}

/// The planted defect `RememberedSequence`, for orders. Shipments are projected correctly.
async fn project_by_last_sequence(
    remembered: Arc<Remembered>,
    rows: Arc<dyn Rows>,
    projectors: Projectors,
    batch: Vec<Item>,
) -> Answer {
    let mut shipments = Vec::new();
    for item in batch {
        let commit = Commit::from_item(item.clone()).map_err(|e| Failed(e.to_string()))?;
        if let Some(row) = remembered.row(&commit, &environment()) {
            let put = rows.put(Table::ProcessedOrders, row).await;
            put.map_err(|error| Failed(error.to_string()))?;
        } else if commit.aggregate.to_string().starts_with("shipment#") {
            shipments.push(item);
        }
    }
    projectors
        .handle(
            Role::Project,
            batch_of_items(&shipments),
            &Invocation::of("request"),
        )
        .await
}

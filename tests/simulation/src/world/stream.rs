//! The stream: how consumers read batches of it, and what follows from their answers.

use super::*;

impl World {
    pub(super) fn read(&mut self, consumer: usize, shard: usize) {
        let length = 1 + self.core.choose(BATCH_MAX);
        if self.core.strikes(Fault::Outage) {
            self.core.outage(OUTAGE_HOURS);
        }
        let mut kept = self.platform.kept();
        kept.trim(consumer, shard, self.core.elapsed());
        self.operator.learns(&kept.lost);
        let (next, records) = (kept.cursors[consumer][shard].next, kept.shards[shard].len());
        let end = (next + length).min(records);
        let batch = kept.shards[shard][next..end].to_vec();
        if batch.is_empty() {
            return;
        }
        kept.cursors[consumer][shard].end = end;
        if self.core.defect == Some(Defect::EarlyCursor) {
            kept.cursors[consumer][shard].next = end;
        }
        drop(kept);
        self.core
            .note(|| format!("consumer {consumer} reads {next}..{end} of shard {shard}"));
        let handle = self.consume(consumer, batch);
        self.running.push((Job::Batch { consumer, shard }, handle));
    }

    fn consume(&self, consumer: usize, batch: Vec<Streamed>) -> Running {
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
            return Box::pin(usual_recipe(remembered, rows, projectors, items));
        }
        let payload = batch_of_records(batch.iter().map(|streamed| streamed.record.as_ref()));
        Box::pin(async move {
            projectors
                .handle(role, payload, &Invocation::of("request"))
                .await
        })
    }

    pub(super) fn consumed(&mut self, consumer: usize, shard: usize, answer: Answer) {
        let again = self.core.strikes(Fault::Duplicate);
        let defect = self.core.defect;
        let mut kept = self.platform.kept();
        let cursor = &mut kept.cursors[consumer][shard];
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
            let lost = cursor.next;
            cursor.next += 1;
            cursor.attempts = 0;
            let streamed = kept.shards[shard][lost].clone();
            kept.letters.push(Letter::Record { consumer, streamed });
        }
    }
}

/// The planted defect `RememberedSequence`, for orders. Shipments are projected correctly.
async fn usual_recipe(
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

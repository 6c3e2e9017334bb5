//! Erasures, the reading of histories, and what is observed of keys and personal data at the end.

use domain::{Digest, Json, personal::Owner};
use event_store::{Cause, keys::KeyTable as _};

use super::{clients::request, spoiling::at_once, *};
use crate::{
    core::Act,
    defects::erasing,
    observed::{ErasureRequest, HistoryRead},
    plan::persons,
};

/// The number of instances of each function. Each has a cache of keys of its own.
pub(super) const INSTANCES: usize = 2;

impl World {
    /// Returns a random instance of the command functions.
    pub(super) fn commands(&self) -> Commands {
        self.commands[self.core.choose(INSTANCES)].clone()
    }

    /// Returns a random instance of the projectors.
    pub(super) fn projectors(&self) -> Projectors {
        self.projectors[self.core.choose(INSTANCES)].clone()
    }

    /// Notes that an erasure is requested, at its first attempt.
    pub(super) fn note_erasure_request(&mut self, planned: &PlannedRequest) {
        // A repeat covers no commit that was written after the first request.
        let same = |asked: &&ErasureRequest| asked.planned.identity() == planned.identity();
        let earlier = self.observed.erasures.iter().find(same);
        let now = self.platform.state().written.len();
        let asked = ErasureRequest {
            planned: planned.clone(),
            commits_before: earlier.map_or(now, |earlier| earlier.commits_before),
            answered: false,
        };
        self.observed.erasures.push(asked);
    }

    /// Notes that an erasure was answered with 200. From now on, the orders of its owner that were
    /// written before it was first requested must show no personal data.
    pub(super) fn erasure_answered(&mut self, index: usize) {
        self.core.did(Act::Erased);
        self.observed.erasures[index].answered = true;
        let asked = &self.observed.erasures[index];
        let owner = persons::owner(&asked.planned);
        let state = self.platform.state();
        for item in &state.written[..asked.commits_before] {
            let aggregate = aggregate_of(item);
            let of = persons::ORDERS
                .iter()
                .find(|order| aggregate == format!("order#{}", order.0));
            let of = of.map(|(id, customer, ..)| Owner::of(*customer, &id.parse().unwrap()));
            if of.as_ref() == Some(&owner) {
                self.erased_orders.insert(aggregate);
            }
        }
    }

    /// Starts a request for the history of a random order.
    pub(super) fn read_one(&mut self) {
        let order = persons::ORDERS[self.core.choose(persons::ORDERS.len())].0;
        self.read_history(order);
    }

    /// Starts a request for the history of every order, each of a random instance.
    pub(super) fn read_all(&mut self) {
        for (order, ..) in persons::ORDERS {
            self.read_history(order);
        }
    }

    fn read_history(&mut self, order: &str) {
        let aggregate = format!("order#{order}");
        let erased = self.erased_orders.contains(&aggregate);
        let at_rest = !self.core.faults_on();
        self.core
            .note(|| format!("read the history of {aggregate}"));
        let (core, projectors, reads) = (self.core.clone(), self.projectors(), self.reads.clone());
        let path = format!("/orders/{order}/history");
        let payload = payload(&request("GET", &path, json!({}), "").to_string());
        let work = async move {
            let invocation = Invocation::of("request").by_gateway();
            let answer = projectors.handle(Role::Query, payload, &invocation).await?;
            core.did(Act::HistoryRead);
            reads.lock().unwrap().push(HistoryRead {
                aggregate,
                erased,
                at_rest,
                status: answer["statusCode"].as_u64().unwrap_or_default(),
                text: answer["body"].as_str().unwrap_or_default().to_owned(),
            });
            Ok(Value::Null)
        };
        self.running.push((Job::Background, Box::pin(work)));
    }

    /// Notes at the end of the run: the histories of orders with their personal data unsealed, the
    /// table of keys, and the answers to requests for histories.
    pub(super) fn observe_persons(&self, observed: &mut Observed) {
        let store = EventStore::new(self.table.clone()).with_keys(self.keys.as_stored());
        let mut histories: BTreeMap<String, Vec<Commit>> = BTreeMap::new();
        for item in &observed.stored {
            let aggregate = aggregate_of(item);
            if let (true, Ok(commit)) = (
                aggregate.starts_with("order#"),
                Commit::from_item(item.clone()),
            ) {
                histories.entry(aggregate).or_default().push(commit);
            }
        }
        for (aggregate, history) in histories {
            match at_once(store.opened(history)) {
                Ok(opened) => drop(observed.opened.insert(aggregate, opened)),
                Err(error) => observed.unsealing_errors.push(error.to_string()),
            }
        }
        for (id, customer, ..) in persons::ORDERS {
            let owner = Owner::of(customer, &id.parse().unwrap()).to_string();
            if let Some(record) = at_once(self.keys.table.get(&owner)).unwrap() {
                observed.keys.insert(owner, record);
            }
        }
        observed.served = self.keys.served.lock().unwrap().clone();
        observed.clock_jumped = self.core.tally().faults.contains_key(&Fault::ClockJump);
        observed.reads = std::mem::take(&mut *self.reads.lock().unwrap());
    }
}

/// Erases the personal data of an owner: of a customer over the API, of an order without a customer
/// as an operator does.
pub(super) async fn erase(
    commands: Commands,
    planned: PlannedRequest,
    defect: Option<Defect>,
) -> Answer {
    let owner = persons::owner(&planned);
    let cause = Cause {
        command_id: planned.command_id(),
        digest: Digest::of(&Json::Null),
        actor: "anonymous".to_owned(),
        source: "operator".to_owned(),
        correlation_id: "c".to_owned(),
        causation_id: "c".to_owned(),
        traceparent: None,
    };
    if defect == Some(Defect::ErasedBeforeNoted) {
        return erasing::destroy_first(commands, owner, cause).await;
    }
    let answer = match &owner {
        Owner::Customer(_) => {
            let headers = json!({ "idempotency-key": planned.key });
            let payload = payload(&request("DELETE", &planned.path, headers, "").to_string());
            let invocation = Invocation::of("request").by_gateway();
            let role = commands::Role::Api;
            commands.handle(role, payload, &invocation).await?
        }
        Owner::Order(_) => {
            let (store, clock) = (&commands.store, commands.clock.as_ref());
            let erased = commands::erase::erase(store, clock, &owner, cause).await;
            let erased = erased.map_err(|error| Failed(error.to_string()))?;
            json!({ "statusCode": 200, "body": erased.to_json().to_string() })
        }
    };
    if defect == Some(Defect::DestroyedAnew) && answer["statusCode"] == 200 {
        erasing::destroy_again(commands, owner).await?;
    }
    Ok(answer)
}

//! The scheduler: what happens at each step, and what follows from the end of an invocation.

use super::*;
use crate::defects::marking;

/// Something that can be started.
#[derive(Debug, Clone, Copy)]
enum Start {
    Client(usize),
    Delivery(usize),
    Batch {
        consumer: usize,
        shard: usize,
    },
    /// A waiting piece of the work with this number.
    Piece(u64),
}

impl World {
    /// Takes steps until nothing is left to do, at most `steps`. Returns whether nothing is left.
    pub(super) fn run_until_idle(&mut self, steps: u64) -> bool {
        for _ in 0..steps {
            self.core.step();
            self.start_by_chance();
            let startable = self.startable();
            let options = startable.len() + self.running.len();
            if options == 0 {
                if self.start_operator_work() || self.watch_when_due() {
                    continue;
                }
                return true;
            }
            let choice = self.core.choose(options);
            match startable.get(choice) {
                Some(start) => self.start(*start),
                None => self.advance(choice - startable.len()),
            }
        }
        false
    }

    /// Starts, by chance, activities that no other part of the world waits for.
    fn start_by_chance(&mut self) {
        if self.core.strikes(Fault::Rebuild) {
            self.rebuild_one();
        }
        if self.core.strikes(Fault::Spoiling) {
            self.spoil();
        }
        if self.core.strikes(Fault::Operator) {
            self.act_at_random();
        }
        if self.core.strikes(Fault::Sweep) {
            self.begin_sweep();
        }
        if self.core.strikes(Fault::Silence) {
            self.core.pass_hours(1 + self.core.choose(4) as i64);
        }
        if self.core.strikes(Fault::Watch) {
            self.watch();
        }
    }

    /// Runs the requests of the clients alone, until all have a final answer. At each call where a
    /// task is suspended it may crash instead, at most `crashes` times in all.
    pub(super) fn commands_only(&mut self, mut crashes: usize) {
        for _ in 0..STEPS_MAX {
            let startable: Vec<Start> = (0..self.clients.len())
                .filter(|client| self.may_send(*client))
                .map(Start::Client)
                .collect();
            let options = startable.len() + self.running.len();
            if options == 0 {
                return;
            }
            let choice = if options == 1 {
                0
            } else {
                self.core.choose(options)
            };
            let Some(start) = startable.get(choice) else {
                let place = choice - startable.len();
                if crashes > 0 && self.core.choose(2) == 1 {
                    crashes -= 1;
                    let (job, _) = self.running.remove(place);
                    self.ended(job, Err(Failed("crash".to_owned())));
                } else {
                    self.advance(place);
                }
                continue;
            };
            self.start(*start);
        }
    }

    // ---- What can be started

    fn startable(&self) -> Vec<Start> {
        let clients = (0..CLIENTS)
            .filter(|client| self.may_send(*client))
            .map(Start::Client);
        let state = self.platform.state();
        let deliveries = (0..state.deliveries.len().min(2)).map(Start::Delivery);
        let waiting = |consumer: usize, shard: usize| {
            let cursor = &state.cursors[consumer][shard];
            let idle = !self.running.iter().any(|(job, _)| {
                matches!(job, Job::Batch { consumer: c, shard: s } if (*c, *s) == (consumer, shard))
            });
            idle && cursor.next < state.shards[shard].len()
        };
        let batches = (0..CONSUMERS)
            .flat_map(|consumer| (0..SHARDS).map(move |shard| (consumer, shard)))
            .filter(|(consumer, shard)| waiting(*consumer, *shard))
            .map(|(consumer, shard)| Start::Batch { consumer, shard });
        let works = self.operator.works.iter().filter_map(Work::startable);
        let pieces = works.map(Start::Piece);
        clients
            .chain(deliveries)
            .chain(batches)
            .chain(pieces)
            .collect()
    }

    fn may_send(&self, client: usize) -> bool {
        let client = &self.clients[client];
        !client.waiting && !client.planned.is_empty()
    }

    fn start(&mut self, start: Start) {
        match start {
            Start::Client(client) => self.send(client),
            Start::Delivery(place) => {
                let delivery = self.platform.state().deliveries.remove(place);
                self.core.note(|| format!("deliver {}", delivery.event));
                let commands = self.commands();
                let payload = payload(&delivery.event);
                let (role, invocation) = (delivery.role, Invocation::of("request"));
                let handle: Running = match self.core.defect.filter(|_| delivery.is_mark()) {
                    Some(defect @ (Defect::StaleMark | Defect::MarkedAnew)) => Box::pin(
                        marking::mark_wrongly(defect, commands, delivery.event.clone()),
                    ),
                    _ => Box::pin(async move { commands.handle(role, payload, &invocation).await }),
                };
                self.running.push((Job::Delivery(delivery), handle));
            }
            Start::Batch { consumer, shard } => self.start_batch(consumer, shard),
            Start::Piece(number) => self.invoke_piece(number),
        }
    }

    // ---- Running invocations

    fn advance(&mut self, place: usize) {
        if self.core.strikes(Fault::Crash) {
            let (job, _) = self.running.remove(place);
            self.ended(job, Err(Failed("crash".to_owned())));
            return;
        }
        let mut context = Context::from_waker(Waker::noop());
        let before = self.core.puts();
        let poll = self.running[place].1.as_mut().poll(&mut context);
        if let Job::Client { client } = self.running[place].0 {
            self.clients[client].puts += self.core.puts() - before;
        }
        if let Poll::Ready(answer) = poll {
            let (job, _) = self.running.remove(place);
            self.ended(job, answer);
        }
    }

    fn ended(&mut self, job: Job, answer: Answer) {
        match job {
            Job::Client { client } => self.answered(client, answer),
            Job::Batch { consumer, shard } => self.batch_ended(consumer, shard, answer),
            Job::Background => {}
            Job::DeadLetter(letter) => self.retry_ended(letter, answer),
            Job::Piece { number, piece } => self.piece_ended(number, piece, answer),
            Job::Delivery(mut delivery) => {
                delivery.attempts += 1;
                let again = answer.is_ok() && self.core.strikes(Fault::Duplicate);
                if answer.is_err() && delivery.attempts == DELIVERY_ATTEMPTS {
                    self.platform
                        .state()
                        .dead_letters
                        .push(DeadLetter::Event(delivery));
                } else if answer.is_err() || (again && delivery.attempts < DELIVERY_ATTEMPTS) {
                    self.platform.state().deliveries.push(delivery);
                }
            }
        }
    }
}

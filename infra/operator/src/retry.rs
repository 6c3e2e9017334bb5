//! `waybill retry`: takes up again what is parked, and what lies among the dead letters.

use domain::AggregateId;
use futures::{StreamExt, stream};
use projectors::parked::{Parked, TakenUp, take_up};
use serde::Serialize;
use serde_json::json;

use crate::{
    arguments,
    dead_letters::DeadLetters,
    limits::{
        FINDINGS_KEPT, MESSAGE_HIDDEN, PARKED_AT_ONCE, REASON_CHARACTERS, UNREACHABLE_IN_A_ROW,
    },
    messages,
    outcome::{OperatorError, Outcome, counted, say, say_json},
    parked, redrive,
    target::{Environment, Target},
};

/// What
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is taken up, in this order:
  parked        orders and shipments that a consumer has stopped at: their rows are made again, or
                their notifications are sent, from the event on that it stopped at
  stream        objects in the bucket of dead letters: what a consumer of the stream has given up
  message       the queue of dead letters: events of the bus and files that a function has given up.
                The function is run once more with them
Whatever succeeds is removed, and only then: this may be stopped at any moment and started again.
A message that is kept more than once, since it was delivered more than once, counts once: its copies
go and stay with it. Messages that another retry has taken, or one that was stopped, are hidden from
this one for up to 16 minutes, and those that come meanwhile are not yet due: both are counted, and
left to the next retry. What time it is, the environment says, and not this machine.
Doing it twice has no second effect; a notification may be sent twice, with the same id. What does not
succeed stays, with the reason. An event that a function refuses for good comes into the queue anew,
and is mailed anew: find out who sends it, or delete it.

Examples:
  waybill retry --dry-run --env prod
  waybill retry --local
  waybill retry order#ORD-1 --consumer notify --env prod
  waybill retry --only dead-letters --env prod --json

Ends with 0 where nothing is left, 3 where something stays, is hidden or not yet due, 1 where it could
not be carried out.")]
pub struct RetryArgs {
    /// What is parked of one order or shipment alone: `order#<orderId>` or `shipment#<shipmentId>`
    #[arg(value_name = "AGGREGATE", value_parser = arguments::aggregate)]
    aggregate: Option<AggregateId>,

    /// What one consumer of the stream has parked or given up alone
    #[arg(long, value_enum)]
    consumer: Option<Consumer>,

    /// One of both alone
    #[arg(long, value_enum)]
    only: Option<Only>,

    /// Say what there is, and do nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    target: Target,
}

/// A consumer of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Consumer {
    /// Rows
    Project,
    /// Notifications
    Notify,
}

impl Consumer {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Project, Self::Notify];

    /// As it stands in its function's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Notify => "notify",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// What is parked
    Parked,
    /// What was given up
    DeadLetters,
}

/// What became of one thing that was taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Became {
    /// It is done, and gone.
    Done,
    /// It stays, and will again unless something changes.
    Stays(String),
    /// It stays, since something could not be reached.
    Unreachable(String),
}

/// One thing that was taken up, as it is told.
#[derive(Debug, Serialize)]
struct Retried {
    kind: &'static str,
    name: String,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What is told of a retry.
pub(crate) struct Told {
    json: bool,
    /// The first ones.
    retried: Vec<Retried>,
    done: u64,
    stays: u64,
    unreachable: u32,
    /// Of messages that are not among these.
    pub(crate) beside: Beside,
}

/// Messages that were not taken up, each for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Beside {
    /// Copies of one that is done, removed with it.
    pub(crate) copies: u64,
    /// Those that somebody else has taken, about.
    pub(crate) hidden: u64,
    /// Those that came meanwhile.
    pub(crate) not_yet_due: u64,
}

impl Beside {
    /// Messages that are left for the next retry.
    fn left(self) -> u64 {
        self.hidden + self.not_yet_due
    }

    fn say(self) {
        let Self {
            copies,
            hidden,
            not_yet_due,
        } = self;
        if copies > 0 {
            say(&format!(
                "{} of these removed with them",
                counted_copies(copies)
            ));
        }
        if hidden > 0 {
            let minutes = MESSAGE_HIDDEN.as_secs() / 60;
            say(&format!(
                "{} hidden: another retry has taken them, or one that was stopped; start this \
                 again when they are back, in {minutes} minutes at the most",
                counted(hidden, "message")
            ));
        }
        if not_yet_due > 0 {
            say(&format!(
                "{} not yet due: they came while this went on; start it again for them",
                counted(not_yet_due, "message")
            ));
        }
    }
}

fn counted_copies(copies: u64) -> String {
    match copies {
        1 => "1 copy".to_owned(),
        _ => format!("{copies} copies"),
    }
}

impl Told {
    fn new(json: bool) -> Self {
        Self {
            json,
            retried: Vec::new(),
            done: 0,
            stays: 0,
            unreachable: 0,
            beside: Beside::default(),
        }
    }

    /// Tells of one thing. An error where there is no sense in going on.
    pub(crate) fn note(
        &mut self,
        kind: &'static str,
        name: String,
        became: Became,
    ) -> Result<(), OperatorError> {
        self.unreachable = match became {
            Became::Unreachable(_) => self.unreachable + 1,
            _ => 0,
        };
        let reason = match became {
            Became::Done => None,
            Became::Stays(reason) | Became::Unreachable(reason) => {
                Some(reason.chars().take(REASON_CHARACTERS).collect::<String>())
            }
        };
        match reason {
            None => self.done += 1,
            Some(_) => self.stays += 1,
        }
        if !self.json {
            match &reason {
                None => say(&format!("done   {kind:<7} {name}")),
                Some(reason) => say(&format!("stays  {kind:<7} {name}: {reason}")),
            }
        }
        if self.unreachable >= UNREACHABLE_IN_A_ROW {
            let text = format!("{UNREACHABLE_IN_A_ROW} in a row failed, the last one with: ");
            return Err(OperatorError::Said(text + &reason.unwrap_or_default()));
        }
        if self.json && self.retried.len() < FINDINGS_KEPT {
            self.retried.push(Retried {
                kind,
                name,
                done: reason.is_none(),
                reason,
            });
        }
        Ok(())
    }

    fn end(self) -> Result<Outcome, OperatorError> {
        let Self {
            done,
            stays,
            beside,
            ..
        } = self;
        match self.json {
            true => say_json(&json!({
                "done": done,
                "stays": stays,
                "copies": beside.copies,
                "hidden": beside.hidden,
                "notYetDue": beside.not_yet_due,
                "retried": self.retried,
            }))?,
            false if done + stays + beside.left() == 0 => say("there is nothing to take up"),
            false => say(&format!("{done} done, {stays} left")),
        }
        if !self.json {
            beside.say();
        }
        Ok(Outcome::wrong_if(stays + beside.left() > 0))
    }
}

/// Takes everything up.
pub(crate) async fn run(args: RetryArgs) -> Result<Outcome, OperatorError> {
    if args.aggregate.is_some() && args.only == Some(Only::DeadLetters) {
        let text = "a dead letter is not of one order or shipment: leave out one of both";
        return Err(OperatorError::Usage(text.to_owned()));
    }
    let environment = args.target.reach().await?;
    let parked = match args.only {
        Some(Only::DeadLetters) => Vec::new(),
        _ => wanted(&environment, &args).await?,
    };
    let letters = match args.only {
        Some(Only::Parked) => None,
        _ if args.aggregate.is_some() => None,
        _ => Some(DeadLetters::of(&environment)?),
    };
    if args.dry_run {
        return plan(&args, &parked, letters.as_ref()).await;
    }
    let mut told = Told::new(args.target.json);
    retry_parked(&environment, &parked, &mut told).await?;
    if let Some(letters) = &letters {
        redrive::objects(&environment, letters, args.consumer, &mut told).await?;
        if args.consumer.is_none() {
            messages::retry(&environment, letters, &mut told).await?;
        }
    }
    told.end()
}

/// What is parked and asked for.
async fn wanted(environment: &Environment, args: &RetryArgs) -> Result<Vec<Parked>, OperatorError> {
    let mut parked = parked::all(environment).await?;
    let aggregate = args.aggregate.as_ref().map(AggregateId::to_string);
    parked.retain(|one| {
        aggregate.as_ref().is_none_or(|id| one.aggregate == *id)
            && args.consumer.is_none_or(|of| one.consumer == of.name())
    });
    Ok(parked)
}

/// Says what there is.
async fn plan(
    args: &RetryArgs,
    parked: &[Parked],
    letters: Option<&DeadLetters>,
) -> Result<Outcome, OperatorError> {
    let objects = match letters {
        Some(letters) => letters.count_objects().await?,
        None => Default::default(),
    };
    let depth = match letters {
        Some(letters) if args.consumer.is_none() => letters.depth().await?,
        _ => Default::default(),
    };
    if args.target.json {
        say_json(&json!({
            "parked": parked,
            "objects": objects.number,
            "moreObjects": objects.more,
            "messages": depth.visible,
            "hidden": depth.hidden,
        }))?;
    } else {
        for one in parked {
            say(&format!("parked  {}", name(one)));
        }
        let or_more = if objects.more { " or more" } else { "" };
        say(&format!(
            "{} parked, {}{or_more} of the stream, {} of the bus and of files",
            parked.len(),
            counted(objects.number, "object"),
            counted(depth.visible, "message"),
        ));
        let hidden = depth.hidden;
        Beside {
            hidden,
            ..Beside::default()
        }
        .say();
    }
    let any = !parked.is_empty() || objects.number > 0 || depth.visible + depth.hidden > 0;
    Ok(Outcome::wrong_if(any))
}

fn name(parked: &Parked) -> String {
    format!("{} {}", parked.consumer, parked.aggregate)
}

async fn retry_parked(
    environment: &Environment,
    parked: &[Parked],
    told: &mut Told,
) -> Result<(), OperatorError> {
    let projectors = &environment.projectors;
    let work = parked.iter().map(|one| async move {
        let became = match take_up(projectors, one).await {
            Ok(TakenUp::Done) => Became::Done,
            Ok(TakenUp::Stays(reason)) => Became::Stays(reason),
            Err(error) => Became::Unreachable(error.to_string()),
        };
        (name(one), became)
    });
    let mut done = stream::iter(work).buffer_unordered(PARKED_AT_ONCE);
    while let Some((name, became)) = done.next().await {
        told.note("parked", name, became)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn many_in_a_row_that_cannot_be_reached_end_a_retry() {
        let mut told = Told::new(true);
        let unreachable = || Became::Unreachable("timed out".to_owned());
        let mut note = |became| told.note("parked", "order#1".to_owned(), became);
        for _ in 1..UNREACHABLE_IN_A_ROW {
            note(unreachable()).unwrap();
        }
        note(Became::Stays("damaged".to_owned())).unwrap();
        for _ in 1..UNREACHABLE_IN_A_ROW {
            note(unreachable()).unwrap();
        }
        assert!(note(unreachable()).is_err());
    }

    #[test]
    fn what_stays_is_told_by_the_outcome() {
        assert_eq!(Told::new(true).end().unwrap(), Outcome::Well);
        for (copies, hidden, not_yet_due, outcome) in [
            (1, 0, 0, Outcome::Well),
            (0, 1, 0, Outcome::Wrong),
            (0, 0, 1, Outcome::Wrong),
        ] {
            let mut told = Told::new(false);
            told.beside = Beside {
                copies,
                hidden,
                not_yet_due,
            };
            assert_eq!(told.end().unwrap(), outcome);
        }
        let mut told = Told::new(true);
        told.note("message", "m".to_owned(), Became::Done).unwrap();
        let stays = Became::Stays("x".repeat(REASON_CHARACTERS + 1));
        told.note("message", "n".to_owned(), stays).unwrap();
        assert_eq!((told.done, told.stays), (1, 1));
        let reason = told.retried[1].reason.as_ref().unwrap();
        assert_eq!(reason.len(), REASON_CHARACTERS);
        assert_eq!(told.end().unwrap(), Outcome::Wrong);
    }
}

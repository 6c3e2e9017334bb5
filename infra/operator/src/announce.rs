//! `waybill announce`: notifications sent once more, with the same ids.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use domain::{AggregateId, Timestamp};
use futures::{StreamExt, TryStreamExt, stream};
use projectors::{
    announce::{Announce, Announced},
    notify,
    rebuild::RebuildError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    arguments,
    cost::{Asking, Size, go_on, priced, size},
    drive::bar,
    folder::{Folder, STATE, usual},
    limits::{SEGMENTS, SEGMENTS_MAX, STEP},
    outcome::{OperatorError, Outcome, counted, say, say_json},
    target::{Environment, Limits, Target},
};

/// Which
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
For consumers that have missed something: events go to the bus, alerts to the topic, as when they
were announced first. They have the same ids, so whoever has heard one already knows it again.
Commits of a time are found by reading all commits once; what that costs is told first. Whoever is
stopped goes on from there by the same command; a message may be sent twice then.

Examples:
  waybill announce order#ORD-1 --local
  waybill announce shipment/SHIP-1 --from-sequence 7 --env prod
  waybill announce --from 2026-03-01T08:00:00Z --to 2026-03-01T09:30:00Z --dry-run --env prod
  waybill announce --from 2026-03-01 --to 2026-03-02 --read-units 500 --yes --env prod

Ends with 0 where everything is announced, 3 where something cannot be, 1 where it was not carried
out.",
    group = clap::ArgGroup::new("which").required(true).args(["aggregate", "from"])
)]
pub struct AnnounceArgs {
    /// All of one order or shipment: `order#<orderId>` or `shipment#<shipmentId>`
    #[arg(value_name = "AGGREGATE", value_parser = arguments::aggregate)]
    aggregate: Option<AggregateId>,

    /// From the first commit on that begins with this event or a later one
    #[arg(long, value_name = "N", default_value_t = 1, requires = "aggregate", value_parser = clap::value_parser!(u64).range(1..))]
    from_sequence: u64,

    /// What was committed at this time or later: ISO 8601, or a day
    #[arg(long, value_name = "TIME", requires = "to", value_parser = arguments::time)]
    from: Option<Timestamp>,

    /// and before this time
    #[arg(long, value_name = "TIME", requires = "from", value_parser = arguments::time)]
    to: Option<Timestamp>,

    #[command(flatten)]
    whole: Whole,

    #[command(flatten)]
    asking: Asking,

    #[command(flatten)]
    target: Target,
}

/// How a whole store is gone through.
#[derive(Debug, clap::Args)]
struct Whole {
    /// Parts of the store that are read at the same time
    #[arg(long, default_value_t = SEGMENTS, value_parser = clap::value_parser!(u32).range(1..=i64::from(SEGMENTS_MAX)))]
    segments: u32,

    /// Read units a second at most
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..))]
    read_units: Option<u32>,

    /// Folder for where it stands
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,

    /// Begin anew, whatever was begun before
    #[arg(long)]
    anew: bool,
}

/// Announces.
pub(crate) async fn run(args: AnnounceArgs) -> Result<Outcome, OperatorError> {
    if let (Some(from), Some(to)) = (args.from, args.to) {
        if from >= to {
            let text = format!("nothing is of {from} or later and before {to}");
            return Err(OperatorError::Usage(text));
        }
        let environment = args.target.reach().await?;
        return time(environment, &args, (from, to)).await;
    }
    let environment = args.target.reach().await?;
    match &args.aggregate {
        Some(id) => one(&environment, &args, id).await,
        None => Err(OperatorError::Usage("of what?".to_owned())),
    }
}

async fn one(
    environment: &Environment,
    args: &AnnounceArgs,
    id: &AggregateId,
) -> Result<Outcome, OperatorError> {
    let from = args.from_sequence;
    let what = format!("announces {id} from event {from} on, at the price of reading its history");
    if !go_on(args.asking, &what)? {
        return Ok(Outcome::Well);
    }
    let behind = match notify::history(&environment.projectors, id, from).await {
        Ok(behind) => behind,
        Err(RebuildError::Corrupt(reason)) => {
            let refused = json!({ "aggregate": id, "refused": reason });
            match args.target.json {
                true => say_json(&refused)?,
                false => say(&format!("{id} cannot be announced to its end: {reason}")),
            }
            return Ok(Outcome::Wrong);
        }
        Err(unavailable) => return Err(unavailable.into()),
    };
    if behind == from {
        let text = format!("{id} has no events from {from} on");
        return Err(OperatorError::Said(text));
    }
    let last = behind - 1;
    match args.target.json {
        true => say_json(&json!({ "aggregate": id, "fromSequence": from, "toSequence": last }))?,
        false => say(&format!("{id} is announced up to event {last}")),
    }
    Ok(Outcome::Well)
}

/// A run over the whole store, as its folder keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Run {
    /// Which environment it is of.
    of: String,
    /// When it was begun.
    begun: String,
    segments: Vec<Announce>,
}

impl Run {
    fn new(of: String, begun: String, segments: u32, (from, to): (Timestamp, Timestamp)) -> Self {
        let segment = |segment| Announce::new((segment, segments), from, to);
        let segments = (0..segments).map(segment).collect();
        Self {
            of,
            begun,
            segments,
        }
    }

    /// Does it do the same, however far it has come?
    fn is_same(&self, other: &Self) -> bool {
        let anew = |one: &Announce| Announce::new((one.segment, one.segments), one.from, one.to);
        let plan = |run: &Self| run.segments.iter().map(anew).collect::<Vec<_>>();
        self.of == other.of && plan(self) == plan(other)
    }

    fn counted(&self) -> Announced {
        let mut all = Announced::default();
        self.segments.iter().for_each(|one| all.add(&one.counted));
        all
    }
}

async fn time(
    mut environment: Environment,
    args: &AnnounceArgs,
    time: (Timestamp, Timestamp),
) -> Result<Outcome, OperatorError> {
    let whole = &args.whole;
    let size = size(&environment, &environment.names.events()).await?;
    let cost = format!(
        "{}, and a message or two for each commit of that time",
        priced(size.scan_units())
    );
    if !go_on(args.asking, &cost)? {
        return Ok(Outcome::Well);
    }
    let usual = || usual("announce", &args.target.env);
    let folder = Folder::open(&whole.state.clone().unwrap_or_else(usual))?;
    let begun = environment.projectors.clock.now().to_string();
    let mut run = Run::new(environment.identity(), begun, whole.segments, time);
    let known: Option<Run> = match whole.anew {
        true => None,
        false => folder.load(STATE)?,
    };
    if let Some(known) = known.filter(|known| known.is_same(&run)) {
        eprintln!("going on with what was begun at {}", known.begun);
        run = known;
    }
    environment.limited(Limits {
        read_units: whole.read_units,
        write_units: None,
    });
    let announced = finish(&environment, &folder, run, size).await?;
    folder.remove()?;
    match args.target.json {
        true => say_json(&result(&announced))?,
        false => say(&told(&announced)),
    }
    Ok(Outcome::wrong_if(announced.refused > 0))
}

/// Goes through every segment to its end, and writes down where each stands.
async fn finish(
    environment: &Environment,
    folder: &Folder,
    run: Run,
    size: Size,
) -> Result<Announced, OperatorError> {
    let bar = bar(
        size.items,
        "reading {wide_bar} {human_pos} of {human_len} commits, {per_sec}, {eta} left",
    );
    bar.set_position(run.counted().read);
    bar.reset_eta();
    let (at_once, all) = (run.segments.len(), run.segments.clone());
    folder.save(STATE, &run)?;
    let run = Mutex::new(run);
    let (run, bar) = (&run, &bar);
    let work = all
        .into_iter()
        .enumerate()
        .map(|(place, mut segment)| async move {
            while !segment.done {
                let (started, before) = (Instant::now(), segment.counted.read);
                segment
                    .step(&environment.projectors, || started.elapsed() >= STEP)
                    .await?;
                bar.inc(segment.counted.read - before);
                let mut run = locked(run);
                run.segments[place] = segment.clone();
                folder.save(STATE, &*run)?;
            }
            Ok::<(), OperatorError>(())
        });
    let work = stream::iter(work).map(Ok::<_, OperatorError>);
    let done = work.try_for_each_concurrent(at_once, |one| one).await;
    bar.finish_and_clear();
    done?;
    Ok(locked(run).counted())
}

fn locked(run: &Mutex<Run>) -> MutexGuard<'_, Run> {
    run.lock().unwrap_or_else(PoisonError::into_inner)
}

fn result(announced: &Announced) -> Value {
    json!({
        "read": announced.read,
        "commits": announced.commits,
        "messages": announced.messages,
        "refused": announced.refused,
        "readUnits": announced.half_units.div_ceil(2),
    })
}

fn told(announced: &Announced) -> String {
    let refused = match announced.refused {
        0 => String::new(),
        refused => format!(
            "; {refused} cannot be read, or announced: `waybill parked` and `waybill history` say more"
        ),
    };
    format!(
        "{} of {} announced, by {}{refused}; {} read units",
        announced.commits,
        counted(announced.read, "commit"),
        counted(announced.messages, "message"),
        announced.half_units.div_ceil(2),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn run(of: &str, segments: u32, to: i64) -> Run {
        let time = (Timestamp::EPOCH, Timestamp::from_millis(to).unwrap());
        Run::new(of.to_owned(), "now".to_owned(), segments, time)
    }

    #[test]
    fn only_a_run_that_does_the_same_goes_on() {
        let mut begun = run("dev", 2, 5);
        begun.segments[1].done = true;
        begun.segments[1].counted.read = 7;
        begun.begun = "earlier".to_owned();
        assert!(begun.is_same(&run("dev", 2, 5)));
        assert_eq!(begun.counted().read, 7);
        for other in [run("prod", 2, 5), run("dev", 3, 5), run("dev", 2, 6)] {
            assert!(!begun.is_same(&other));
        }
    }
}

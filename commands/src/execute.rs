//! The way of a command: recognise, load, decide, append; again where a rival was first.

use domain::{
    AggregateId, EventSourced, Refusal,
    aggregate::{Command, Intent},
};
use event_store::{
    Append, Cause, Clock, Commit, EventStore, Loaded, StoreError, clock::backoff,
    fingerprint::Mark, limits::ITEM_BYTES_MAX,
};
use lambda::http::Standing;

use crate::limits::{RIVAL_ATTEMPTS, RIVAL_WAIT_FIRST, RIVAL_WAIT_MOST, UNAVAILABLE_ATTEMPTS};

/// A command on its way: what is wanted, of what, and because of whom.
#[derive(Debug, Clone)]
pub struct Envelope<I> {
    /// The order or shipment.
    pub aggregate: AggregateId,
    /// What is wanted.
    pub intent: I,
    /// The version that the sender has seen, where it says so.
    pub expected_version: Option<u64>,
    /// Who and what caused it; its digest is the intent's.
    pub cause: Cause,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What happened, the kind of its last event; `None` where nothing had to.
    pub event: Option<String>,
    /// The status that it gave.
    pub status: String,
    /// The sequence of its last event.
    pub version: u64,
    /// Did this very command make it, now or in an earlier attempt? No where nothing had to
    /// happen, and where it was known by its content from another command.
    pub own: bool,
    /// Had it been made before, so that this time nothing happened?
    pub repeated: bool,
}

/// Why a command had no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The business says no; `standing` where something is there.
    #[error("{refusal}")]
    Refused {
        /// What it says.
        refusal: Refusal,
        /// How things stand.
        standing: Option<Standing>,
    },
    /// The command id was used before, with another content.
    #[error("command id used before with another content")]
    IdReused,
    /// The sender has seen another version.
    #[error("version {} is not the expected one", .0.version)]
    Moved(Standing),
    /// The aggregate can take no more.
    #[error("history full")]
    HistoryFull,
    /// Try again: the table is unavailable, or the history has an event of newer code, which
    /// another build will read. The text is for logs.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The history cannot be read. The text is for logs.
    #[error("{0}")]
    Corrupt(String),
}

impl Failure {
    /// What kind of failure, as its problem has it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { refusal, .. } => refusal.code(),
            Self::IdReused => "command_id_reused",
            Self::Moved(_) => "version_moved",
            Self::HistoryFull => "history_full",
            Self::Unavailable(_) => "unavailable",
            Self::Corrupt(_) => "internal",
        }
    }
}

/// One attempt, as far as it came.
enum Attempt {
    Settled(Outcome),
    RivalWasFirst,
}

/// Executes a command: once, however often it is sent, and never half.
pub async fn execute<A: EventSourced>(
    store: &EventStore,
    clock: &dyn Clock,
    mut envelope: Envelope<A::Intent>,
) -> Result<Outcome, Failure> {
    envelope.cause = envelope.cause.bounded();
    let mut unavailable = 0;
    for attempt in 1..=RIVAL_ATTEMPTS {
        if attempt > 1 {
            let longest = backoff(attempt - 1, RIVAL_WAIT_FIRST, RIVAL_WAIT_MOST);
            clock.sleep(clock.jitter(longest)).await;
        }
        // What comes first finds nothing there: the first attempt does without loading, and its
        // append finds out.
        let blind =
            attempt == 1 && envelope.intent.comes_first() && envelope.expected_version.is_none();
        let settled = match blind {
            true => begin::<A>(store, clock, &envelope).await,
            false => change::<A>(store, clock, &envelope).await,
        };
        match settled {
            Ok(Attempt::Settled(outcome)) => return Ok(outcome),
            Ok(Attempt::RivalWasFirst) => {}
            Err(Failure::Unavailable(reason)) => {
                unavailable += 1;
                if unavailable == UNAVAILABLE_ATTEMPTS {
                    return Err(Failure::Unavailable(reason));
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::Unavailable(format!(
        "{RIVAL_ATTEMPTS} times a rival was first"
    )))
}

/// An attempt on the assumption that nothing is there yet: one request.
async fn begin<A: EventSourced>(
    store: &EventStore,
    clock: &dyn Clock,
    envelope: &Envelope<A::Intent>,
) -> Result<Attempt, Failure> {
    let nothing: Loaded<A> = store.nothing(&envelope.aggregate);
    let commit = match decide(&nothing, clock, envelope) {
        Ok(Some(commit)) => commit,
        // A refusal counts only once the command is known to be new: what was accepted under
        // older rules stays accepted.
        Ok(None) | Err(Failure::Refused { .. }) => {
            return change::<A>(store, clock, envelope).await;
        }
        Err(failure) => return Err(failure),
    };
    let appended = match store.append(&commit).await {
        // Nothing was sent, so nobody has seen whether the command is known.
        Err(StoreError::TooLarge { .. }) => return change::<A>(store, clock, envelope).await,
        appended => appended?,
    };
    match appended {
        Append::Done => outcome::<A>(envelope, &commit, false).map(Attempt::Settled),
        Append::Occupied(first) if Mark::Command(&envelope.cause.command_id).is_on(&first) => {
            repeated::<A>(envelope, &first).map(Attempt::Settled)
        }
        // It is there already: how it stands says what to answer. That its first commit says the
        // same does not: this command's id may have made a later one.
        Append::Occupied(_) => change::<A>(store, clock, envelope).await,
    }
}

/// An attempt on the aggregate as it is.
async fn change<A: EventSourced>(
    store: &EventStore,
    clock: &dyn Clock,
    envelope: &Envelope<A::Intent>,
) -> Result<Attempt, Failure> {
    let mut loaded: Loaded<A> = store.load(&envelope.aggregate).await?;
    let command_id = &envelope.cause.command_id;
    let known = store
        .recognise(&mut loaded, command_id, &envelope.contents(), &|commit| {
            envelope.led_to::<A>(commit)
        })
        .await?;
    if let Some(commit) = known {
        if envelope.known_as_it_stands(&commit) {
            return Ok(Attempt::Settled(as_it_stands(envelope, &loaded)));
        }
        return repeated::<A>(envelope, &commit).map(Attempt::Settled);
    }
    if envelope
        .expected_version
        .is_some_and(|expected| expected != loaded.version)
    {
        return Err(Failure::Moved(standing(&loaded)));
    }
    match decide(&loaded, clock, envelope)? {
        Some(commit) => append::<A>(store, envelope, commit).await,
        None => Ok(Attempt::Settled(as_it_stands(envelope, &loaded))),
    }
}

/// The answer where nothing had to happen: how things stand now. To whoever creates what is there
/// already, it had been made before.
fn as_it_stands<A: EventSourced>(envelope: &Envelope<A::Intent>, loaded: &Loaded<A>) -> Outcome {
    Outcome {
        event: None,
        status: loaded.state.status().unwrap_or_default().to_owned(),
        version: loaded.version,
        own: false,
        repeated: envelope.intent.creates(),
    }
}

/// The commit that the command leads to; `None` where nothing is to be done.
fn decide<A: EventSourced>(
    loaded: &Loaded<A>,
    clock: &dyn Clock,
    envelope: &Envelope<A::Intent>,
) -> Result<Option<Commit>, Failure> {
    // A clock that was set back must not date a commit before its predecessor.
    let now = clock.now();
    let at = loaded.at.map_or(now, |last| last.max(now));
    let command = Command {
        at,
        intent: envelope.intent.clone(),
    };
    let events = loaded
        .state
        .decide(&command)
        .map_err(|refusal| Failure::Refused {
            refusal,
            standing: (loaded.version > 0).then(|| standing(loaded)),
        })?;
    if events.is_empty() {
        return Ok(None);
    }
    Ok(Some(loaded.next_commit(
        events,
        at,
        envelope.cause.clone(),
    )?))
}

async fn append<A: EventSourced>(
    store: &EventStore,
    envelope: &Envelope<A::Intent>,
    commit: Commit,
) -> Result<Attempt, Failure> {
    match store.append(&commit).await? {
        Append::Done => outcome::<A>(envelope, &commit, false).map(Attempt::Settled),
        // Our own earlier attempt, whose answer was lost, or the same command sent twice at once.
        Append::Occupied(other)
            if envelope.made::<A>(&other) && !envelope.known_as_it_stands(&other) =>
        {
            repeated::<A>(envelope, &other).map(Attempt::Settled)
        }
        Append::Occupied(_) => Ok(Attempt::RivalWasFirst),
    }
}

/// The answer to a command that has been executed before, if it is the same one.
fn repeated<A: EventSourced>(
    envelope: &Envelope<A::Intent>,
    commit: &Commit,
) -> Result<Outcome, Failure> {
    if !envelope.has_digest(&commit.cause.digest) || !envelope.led_to::<A>(commit) {
        return Err(Failure::IdReused);
    }
    outcome::<A>(envelope, commit, true)
}

/// The answer that a commit stands for, today as on the first day.
fn outcome<A: EventSourced>(
    envelope: &Envelope<A::Intent>,
    commit: &Commit,
    repeated: bool,
) -> Result<Outcome, Failure> {
    let events = commit
        .decoded::<A>()
        .map_err(|error| error.of(&commit.aggregate, commit.sequence))?;
    let last = events.last().ok_or_else(|| {
        Failure::Corrupt(format!("{}: a commit without events", commit.aggregate))
    })?;
    Ok(Outcome {
        event: commit.events.last().map(|event| event.kind.clone()),
        status: A::status_of(last).to_owned(),
        version: commit.version(),
        own: commit.cause.command_id == envelope.cause.command_id,
        repeated,
    })
}

/// How an aggregate stands.
fn standing<A: EventSourced>(loaded: &Loaded<A>) -> Standing {
    Standing {
        version: loaded.version,
        status: loaded.state.status().map(str::to_owned),
        allowed_actions: loaded.state.allowed_actions(),
    }
}

impl<I: Intent> Envelope<I> {
    /// The digests that it is known by whatever its id is: none where its content may be news.
    fn contents(&self) -> Vec<domain::Digest> {
        if !self.intent.known_by_content() {
            return Vec::new();
        }
        let digest = Some(self.cause.digest.clone());
        digest
            .into_iter()
            .chain(self.intent.earlier_digest())
            .collect()
    }

    /// Is this its content's digest, as this build or an earlier one takes it?
    fn has_digest(&self, digest: &domain::Digest) -> bool {
        self.cause.digest == *digest || self.intent.earlier_digest().as_ref() == Some(digest)
    }

    /// Does `commit` say what this command would lead to? One that cannot be read counts: whoever
    /// answers from it meets the error.
    fn led_to<A: EventSourced<Intent = I>>(&self, commit: &Commit) -> bool {
        let Ok(events) = commit.decoded::<A>() else {
            return true;
        };
        events
            .iter()
            .all(|event| A::follows_from(event, &self.intent))
    }

    /// Is what this command creates there by `commit` of another command? Then how it stands now
    /// is the answer: it may have been closed since.
    fn known_as_it_stands(&self, commit: &Commit) -> bool {
        self.intent.creates() && commit.cause.command_id != self.cause.command_id
    }

    /// Has this command, or one that is known as the same, made `commit`?
    fn made<A: EventSourced<Intent = I>>(&self, commit: &Commit) -> bool {
        let by_content = || {
            let digests = self.contents();
            let mut bears = digests
                .iter()
                .map(|digest| Mark::Content(digest).is_on(commit));
            bears.any(|bears| bears) && self.led_to::<A>(commit)
        };
        Mark::Command(&self.cause.command_id).is_on(commit) || by_content()
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(error) => Self::Unavailable(error.to_string()),
            StoreError::Newer { .. } => Self::Unavailable(error.to_string()),
            StoreError::Corrupt { .. } => Self::Corrupt(error.to_string()),
            StoreError::HistoryFull(_) => Self::HistoryFull,
            StoreError::TooLarge { bytes } => Self::Refused {
                refusal: Refusal::too_large(
                    "",
                    format!("it takes {bytes} bytes to keep, {ITEM_BYTES_MAX} at most"),
                ),
                standing: None,
            },
        }
    }
}

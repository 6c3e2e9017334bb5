//! Executes a command: load, recognise a repeat, decide, append; retried where a rival was first.

use domain::{
    AggregateId, EventSourced, Refusal,
    aggregate::{Command, Intent},
};
use event_store::{
    Append, Cause, Clock, Commit, EventStore, Loaded, StoreError, clock::backoff,
    fingerprint::LookupKey, limits::ITEM_BYTES_MAX,
};
use lambda::http::PresentState;

use crate::limits::{
    CONFLICT_ATTEMPTS, CONFLICT_WAIT_FIRST, CONFLICT_WAIT_MAX, UNAVAILABLE_ATTEMPTS,
};

/// A command with its metadata: its aggregate, its content and its cause.
#[derive(Debug, Clone)]
pub struct Envelope<I> {
    /// The id of the order or shipment that the command is sent to.
    pub aggregate: AggregateId,
    /// The content of the command.
    pub intent: I,
    /// The version that the aggregate must have, where the sender demands one.
    pub expected_version: Option<u64>,
    /// Who and what caused the command. Its digest is that of `intent`.
    pub cause: Cause,
}

/// The result of an executed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The kind of the last event that the command led to; `None` where nothing had to change.
    pub event: Option<String>,
    /// The status after that event, or the present one where nothing had to change.
    pub status: String,
    /// The sequence of that event, or the present version where nothing had to change.
    pub version: u64,
    /// Whether this command itself made the event, now or in an earlier attempt. False where
    /// nothing had to change, and where another command with the same content made it.
    pub own: bool,
    /// Whether the effect existed before, so that this execution changed nothing.
    pub repeated: bool,
}

/// Why a command had no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The business rules refuse the command.
    #[error("{refusal}")]
    Refused {
        /// The refusal, with its code and message.
        refusal: Refusal,
        /// The aggregate's present state, where it exists.
        present_state: Option<PresentState>,
    },
    /// The command id was used before, with another content.
    #[error("command id used before with another content")]
    IdReused,
    /// The aggregate's version, given here, is not the one that the sender expects.
    #[error("version {} is not the expected one", .0.version)]
    UnexpectedVersion(PresentState),
    /// The aggregate has reached its limit of commits or of their bytes.
    #[error("history full")]
    HistoryFull,
    /// The table is unavailable, or the history has an event of newer code, which another build can
    /// read. The command can be repeated. The text is for logs.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The history is damaged. The text is for logs.
    #[error("{0}")]
    Corrupt(String),
}

impl Failure {
    /// The failure's code, as in its problem.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { refusal, .. } => refusal.code(),
            Self::IdReused => "command_id_reused",
            Self::UnexpectedVersion(_) => "version_moved",
            Self::HistoryFull => "history_full",
            Self::Unavailable(_) => "unavailable",
            Self::Corrupt(_) => "internal",
        }
    }
}

/// The result of one attempt that did not fail.
enum Attempt {
    Settled(Outcome),
    Conflict,
}

/// Executes a command. It takes effect once, however often it is sent, and completely or not at
/// all.
pub async fn execute<A: EventSourced>(
    store: &EventStore,
    clock: &dyn Clock,
    mut envelope: Envelope<A::Intent>,
) -> Result<Outcome, Failure> {
    envelope.cause = envelope.cause.bounded();
    let mut unavailable = 0;
    for attempt in 1..=CONFLICT_ATTEMPTS {
        if attempt > 1 {
            let longest = backoff(attempt - 1, CONFLICT_WAIT_FIRST, CONFLICT_WAIT_MAX);
            clock.sleep(clock.jitter(longest)).await;
        }
        match try_once::<A>(store, clock, &mut envelope, attempt).await {
            Ok(Attempt::Settled(outcome)) => return Ok(outcome),
            Ok(Attempt::Conflict) => {}
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
        "{CONFLICT_ATTEMPTS} times a rival was first"
    )))
}

/// One attempt; the first one that reaches the keys seals the command's personal data.
async fn try_once<A: EventSourced>(
    store: &EventStore,
    clock: &dyn Clock,
    envelope: &mut Envelope<A::Intent>,
    attempt: u32,
) -> Result<Attempt, Failure> {
    let sealed = store.seal(&mut envelope.intent).await;
    if sealed.map_err(StoreError::from)? {
        envelope.cause.digest = envelope.intent.digest();
    }
    // A command that is probably the first of its aggregate is tried without a load: the append
    // fails where the aggregate exists.
    let without_load =
        attempt == 1 && envelope.intent.is_probably_first() && envelope.expected_version.is_none();
    match without_load {
        true => try_without_load::<A>(store, clock, envelope).await,
        false => try_with_load::<A>(store, clock, envelope).await,
    }
}

/// An attempt without a load, as if the aggregate did not exist: one request where that is so.
async fn try_without_load<A: EventSourced>(
    store: &EventStore,
    clock: &dyn Clock,
    envelope: &Envelope<A::Intent>,
) -> Result<Attempt, Failure> {
    let nothing: Loaded<A> = store.nothing(&envelope.aggregate);
    let commit = match decide(&nothing, clock, envelope) {
        Ok(Some(commit)) => commit,
        // A refusal counts only once the command is known to be new: a repeat of a command that
        // older rules accepted stays accepted.
        Ok(None) | Err(Failure::Refused { .. }) => {
            return try_with_load::<A>(store, clock, envelope).await;
        }
        Err(failure) => return Err(failure),
    };
    let appended = match store.append(&commit).await {
        // Nothing was sent, so it is not known yet whether the command is a repeat.
        Err(StoreError::TooLarge { .. }) => {
            return try_with_load::<A>(store, clock, envelope).await;
        }
        appended => appended?,
    };
    match appended {
        Append::Done => outcome::<A>(envelope, &commit, false).map(Attempt::Settled),
        Append::Occupied(first)
            if LookupKey::Command(&envelope.cause.command_id).matches(&first) =>
        {
            repeated::<A>(envelope, &first).map(Attempt::Settled)
        }
        // The aggregate exists, so its present state decides the answer. Its first commit does not,
        // even with the same content: this command's id may have made a later one.
        Append::Occupied(_) => try_with_load::<A>(store, clock, envelope).await,
    }
}

/// An attempt on the loaded aggregate.
async fn try_with_load<A: EventSourced>(
    store: &EventStore,
    clock: &dyn Clock,
    envelope: &Envelope<A::Intent>,
) -> Result<Attempt, Failure> {
    let mut loaded: Loaded<A> = store.load(&envelope.aggregate).await?;
    let command_id = &envelope.cause.command_id;
    let known = store
        .recognise(
            &mut loaded,
            command_id,
            &envelope.content_digests(),
            &|commit| envelope.leads_to::<A>(commit),
        )
        .await?;
    if let Some(commit) = known {
        if envelope.is_answered_by_present_state(&commit) {
            return Ok(Attempt::Settled(unchanged(envelope, &loaded)));
        }
        return repeated::<A>(envelope, &commit).map(Attempt::Settled);
    }
    if envelope
        .expected_version
        .is_some_and(|expected| expected != loaded.version)
    {
        return Err(Failure::UnexpectedVersion(present_state(&loaded)));
    }
    match decide(&loaded, clock, envelope)? {
        Some(commit) => append::<A>(store, envelope, commit).await,
        None => Ok(Attempt::Settled(unchanged(envelope, &loaded))),
    }
}

/// The result where nothing had to change: the present state. A command that creates an existing
/// aggregate counts as repeated.
fn unchanged<A: EventSourced>(envelope: &Envelope<A::Intent>, loaded: &Loaded<A>) -> Outcome {
    Outcome {
        event: None,
        status: loaded.state.status().unwrap_or_default().to_owned(),
        version: loaded.version,
        own: false,
        repeated: envelope.intent.creates(),
    }
}

/// The commit that the command leads to; `None` where nothing has to change.
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
            present_state: (loaded.version > 0).then(|| present_state(loaded)),
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
            if envelope.made::<A>(&other) && !envelope.is_answered_by_present_state(&other) =>
        {
            repeated::<A>(envelope, &other).map(Attempt::Settled)
        }
        Append::Occupied(_) => Ok(Attempt::Conflict),
    }
}

/// The result of a command that was executed before. Fails with [`Failure::IdReused`] where the
/// earlier command had another content.
fn repeated<A: EventSourced>(
    envelope: &Envelope<A::Intent>,
    commit: &Commit,
) -> Result<Outcome, Failure> {
    let same = envelope.has_digest(&commit.cause.digest) && envelope.leads_to::<A>(commit);
    if !same && !envelope.equals_except_personal_data::<A>(commit) {
        return Err(Failure::IdReused);
    }
    outcome::<A>(envelope, commit, true)
}

/// The result that follows from a commit: the same for every repeat.
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

/// The aggregate's present version, status and allowed actions.
fn present_state<A: EventSourced>(loaded: &Loaded<A>) -> PresentState {
    PresentState {
        version: loaded.version,
        status: loaded.state.status().map(str::to_owned),
        allowed_actions: loaded.state.allowed_actions(),
    }
}

impl<I: Intent> Envelope<I> {
    /// The digests by which its content is recognised under another command id; none where the same
    /// content may be a new command.
    fn content_digests(&self) -> Vec<domain::Digest> {
        if !self.intent.recognised_by_content() {
            return Vec::new();
        }
        let digest = Some(self.cause.digest.clone());
        digest
            .into_iter()
            .chain(self.intent.earlier_digest())
            .collect()
    }

    /// Whether `digest` is that of its content, as this build or an earlier one takes it.
    fn has_digest(&self, digest: &domain::Digest) -> bool {
        self.cause.digest == *digest || self.intent.earlier_digest().as_ref() == Some(digest)
    }

    /// Whether the events of `commit` follow from this command. A commit that cannot be decoded
    /// counts, so that answering from it meets the error.
    fn leads_to<A: EventSourced<Intent = I>>(&self, commit: &Commit) -> bool {
        let Ok(events) = commit.decoded::<A>() else {
            return true;
        };
        events
            .iter()
            .all(|event| A::follows_from(event, &self.intent))
    }

    /// Whether the events of `commit` have the content of this command, where their digests cannot
    /// be compared since the key of the personal data is destroyed.
    fn equals_except_personal_data<A: EventSourced<Intent = I>>(&self, commit: &Commit) -> bool {
        let events = commit.decoded::<A>().unwrap_or_default();
        let mut events = events.iter();
        events.any(|event| A::equals_except_personal_data(event, &self.intent))
    }

    /// Whether this command creates its aggregate, and another command made `commit`. Then the
    /// answer is the present state: the order may have been closed since.
    fn is_answered_by_present_state(&self, commit: &Commit) -> bool {
        self.intent.creates() && commit.cause.command_id != self.cause.command_id
    }

    /// Whether this command, or another one with the same content, made `commit`.
    fn made<A: EventSourced<Intent = I>>(&self, commit: &Commit) -> bool {
        let by_content = || {
            let digests = self.content_digests();
            let mut bears = digests
                .iter()
                .map(|digest| LookupKey::Content(digest).matches(commit));
            bears.any(|bears| bears) && self.leads_to::<A>(commit)
        };
        LookupKey::Command(&self.cause.command_id).matches(commit) || by_content()
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
                    format!("its commit would take {bytes} bytes, {ITEM_BYTES_MAX} at most"),
                ),
                present_state: None,
            },
        }
    }
}

//! A shipment: a log of what carriers say of it, in whatever order they say it.
//!
//! Every update is logged, a late one too. Current is the update with the latest `timestamp`; of
//! several with the same one (carriers tell minutes) the one whose status is furthest along; of
//! equal ones the one that came later.

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

use crate::{
    Digest, Json, OrderId, Refusal, ShipmentId, Timestamp,
    aggregate::{self, EventSourced},
    event::{EncodedEvent, Undecodable, Upcaster},
    json::Object,
    limits::CLOCK_AHEAD_HOURS,
    time::{Precision, SentTime},
};

// ---- What can be wanted

/// A command to a shipment.
pub type Command = aggregate::Command<Intent>;

/// What can be wanted of a shipment: that an update is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// What kind of update, its detail-type on the bus.
    pub kind: UpdateKind,
    /// What the carrier says it is.
    pub status: Status,
    /// How the carrier spells that status, where it is not the status itself.
    pub carrier_status: Option<String>,
    /// Where it is.
    pub location: Option<String>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// The carrier's own number.
    pub tracking_number: Option<String>,
    /// The order that it belongs to.
    pub order_id: Option<OrderId>,
    /// When the carrier says it was; without it, the event's time.
    pub timestamp: Option<SentTime>,
    /// The event that brought it.
    pub origin: Origin,
    /// Whatever else was sent.
    pub attributes: Object,
    /// The whole detail as sent, without what counts as missing. With the kind, which decides the
    /// status of a detail that names none, it makes two updates one.
    pub detail: Object,
}

/// The event that brought an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// Its id.
    pub id: String,
    /// Its source, such as `logistics.shipments`.
    pub source: String,
    /// Its time.
    pub time: Timestamp,
}

/// What kind of update, after its detail-type on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateKind {
    /// Anything.
    #[serde(rename = "Shipment Update")]
    Update,
    /// It was created.
    #[serde(rename = "Shipment Created")]
    Created,
    /// It is late.
    #[serde(rename = "Shipment Delayed")]
    Delayed,
}

impl UpdateKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Update, Self::Created, Self::Delayed];

    /// The detail-type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Update => "Shipment Update",
            Self::Created => "Shipment Created",
            Self::Delayed => "Shipment Delayed",
        }
    }

    /// The status that an update of this kind has where it names none.
    pub fn default_status(self) -> Option<Status> {
        match self {
            Self::Update => None,
            Self::Created => Some(Status("CREATED".to_owned())),
            Self::Delayed => Some(Status("DELAYED".to_owned())),
        }
    }
}

/// What a carrier says a shipment is: one of [`Status::KNOWN`], or any other word of its own that
/// matches `^[A-Z][A-Z0-9_]{0,39}$`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Status(String);

/// A text that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a status is a word of 1 to 40 letters, digits and '_', '-' or spaces, beginning with a letter"
)]
pub struct InvalidStatus;

impl Status {
    /// The status of this name, if it is one of [`Status::KNOWN`].
    pub fn known(name: &str) -> Option<&'static str> {
        Self::KNOWN.into_iter().find(|known| *known == name)
    }

    /// What carriers usually say.
    pub const KNOWN: [&'static str; 14] = [
        "CREATED",
        "PICKED_UP",
        "IN_TRANSIT",
        "OUT_FOR_DELIVERY",
        "DELIVERED",
        "DELAYED",
        "LOST",
        "DAMAGED",
        "EXCEPTION",
        "RETURNED",
        "READY_FOR_PICKUP",
        "DELIVERY_ATTEMPTED",
        "RETURNING",
        "CANCELLED",
    ];

    /// What somebody must look at.
    pub const CRITICAL: [&'static str; 4] = ["DELAYED", "LOST", "DAMAGED", "EXCEPTION"];

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Must somebody look at it?
    pub fn is_critical(&self) -> bool {
        Self::CRITICAL.contains(&self.as_str())
    }

    /// Reads a carrier's spelling: words in any case, parted by `_`, `-`, spaces or a capital, are
    /// the known status of the same letters, and `CANCELED` is `CANCELLED`. Another one becomes
    /// its words in capitals, parted by `_`.
    pub fn read(text: &str) -> Result<Self, InvalidStatus> {
        if let Some(known) = Self::known_by_letters(text) {
            return Ok(Self(known.to_owned()));
        }
        let forms = [
            text.to_owned(),
            in_capitals(text, true),
            in_capitals(text, false),
        ];
        let mut read = forms.into_iter().map(Self::try_from);
        read.find_map(Result::ok).ok_or(InvalidStatus)
    }

    fn known_by_letters(text: &str) -> Option<&'static str> {
        let letters = |text: &str| -> String {
            let letters = text.chars().filter(|c| !is_separator(*c));
            letters.map(|c| c.to_ascii_uppercase()).collect()
        };
        match letters(text).as_str() {
            "CANCELED" => Some("CANCELLED"),
            sent => Self::KNOWN.into_iter().find(|known| letters(known) == sent),
        }
    }

    /// How far along the way a status is: of updates with the same time the highest is current
    /// (the order is the contract's).
    pub fn progress(&self) -> u8 {
        match self.as_str() {
            "CREATED" => 0,
            "PICKED_UP" => 1,
            "OUT_FOR_DELIVERY" | "READY_FOR_PICKUP" | "DELIVERY_ATTEMPTED" | "RETURNING" => 3,
            "DELIVERED" | "RETURNED" | "LOST" | "DAMAGED" | "CANCELLED" => 4,
            // IN_TRANSIT, DELAYED, EXCEPTION, and what only the carrier knows.
            _ => 2,
        }
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, '_' | '-' | ' ')
}

/// `Customs hold`, `customs-hold` and `customsHold` as `CUSTOMS_HOLD`; the last one only where a
/// capital parts words, which makes them longer.
fn in_capitals(text: &str, capitals_part: bool) -> String {
    let mut written = String::new();
    let mut after_small = false;
    for c in text.trim_matches(is_separator).chars() {
        let capital = capitals_part && c.is_ascii_uppercase() && after_small;
        let parts = is_separator(c) || capital;
        if parts && !written.ends_with('_') {
            written.push('_');
        }
        if !is_separator(c) {
            written.push(c.to_ascii_uppercase());
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    written
}

impl TryFrom<String> for Status {
    type Error = InvalidStatus;

    fn try_from(text: String) -> Result<Self, InvalidStatus> {
        let inner = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
        if first && text.len() <= 40 && text.bytes().all(inner) {
            Ok(Self(text))
        } else {
            Err(InvalidStatus)
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.0
    }
}

impl aggregate::Intent for Intent {
    fn digest(&self) -> Digest {
        let mut content = self.detail.clone();
        // A detail cannot have a member without a name, so no other one looks like this.
        if self.kind != UpdateKind::Update {
            content.insert(String::new(), self.kind.as_str().into());
        }
        Digest::of(&Json::Object(content))
    }

    /// Builds before took the detail alone, whatever the kind was.
    fn earlier_digest(&self) -> Option<Digest> {
        let named = self.kind != UpdateKind::Update;
        named.then(|| Digest::of(&Json::Object(self.detail.clone())))
    }

    /// Without a time of its own, the same detail may well be news.
    fn known_by_content(&self) -> bool {
        self.timestamp.is_some()
    }

    fn creates(&self) -> bool {
        false
    }
}

// ---- What can have happened. These names and fields are stored: they never change, see `event`.

/// What has happened to a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// An update was logged.
    ShipmentUpdated(Box<ShipmentUpdated>),
}

/// An update was logged. It carries what its messages say of the shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShipmentUpdated {
    /// Which shipment.
    pub shipment_id: ShipmentId,
    /// When it was logged.
    pub at: Timestamp,
    /// What kind of update.
    pub kind: UpdateKind,
    /// What the carrier says it is.
    pub status: Status,
    /// How the carrier spells that status, where it is not the status itself. Since version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier_status: Option<String>,
    /// When the carrier says it was.
    pub timestamp: Timestamp,
    /// The offset that the carrier wrote its time in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_offset: Option<String>,
    /// How much less than a point in time the carrier told. Since version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_precision: Option<Precision>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Who carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_number: Option<String>,
    /// The order that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Was it the current one when it was decided? Messages say so. The fold compares for itself,
    /// since version 1 took the later sequence of two updates with the same time.
    pub current: bool,
    /// The current status before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_status: Option<Status>,
    /// The event that brought it.
    pub origin: Origin,
    /// Whatever else was sent.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub attributes: Object,
}

impl ShipmentUpdated {
    /// Did the current status become another one?
    pub fn changed_status(&self) -> bool {
        self.current && self.previous_status.as_ref() != Some(&self.status)
    }
}

/// The version that `ShipmentUpdated` is written in.
const UPDATED_VERSION: u32 = 2;

/// Every step from an older version of an event to the next.
const UPCASTERS: &[Upcaster] = &[Upcaster {
    kind: "ShipmentUpdated",
    from: 1,
    // Version 2 has two members more, both optional.
    up: |data| data,
}];

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        self.kind().to_owned()
    }

    fn event_version(&self) -> String {
        UPDATED_VERSION.to_string()
    }
}

impl Event {
    /// What happened, as it is written.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ShipmentUpdated(_) => "ShipmentUpdated",
        }
    }
}

// ---- What it is now

/// A shipment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shipment {
    /// How many updates are logged.
    pub updates: u64,
    /// Where it stands, `None` before the first update.
    pub current: Option<Current>,
    /// Who carries it, by the latest update that says so.
    pub carrier: Option<Known<String>>,
    /// The carrier's own number, by the latest update that says so.
    pub tracking_number: Option<Known<String>>,
    /// The order that it belongs to, by the latest update that says so.
    pub order_id: Option<Known<OrderId>>,
}

/// Where a shipment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Current {
    /// Which shipment it is.
    pub shipment_id: ShipmentId,
    /// The current update's status,
    pub status: Status,
    /// time
    pub timestamp: Timestamp,
    /// and place: a place belongs to its update, so it is not taken over from an older one.
    pub location: Option<String>,
}

impl Current {
    /// Is an update of this time and status current in its stead, when it comes now?
    fn yields_to(&self, timestamp: Timestamp, status: &Status) -> bool {
        (self.timestamp, self.status.progress()) <= (timestamp, status.progress())
    }
}

/// A fact of the shipment itself, which an update may leave out without denying it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known<T> {
    /// The fact.
    pub value: T,
    /// The time of the update that told it.
    pub timestamp: Timestamp,
}

/// Takes over what an update tells, unless a later one has told it already.
fn learn<T>(known: &mut Option<Known<T>>, told: Option<T>, timestamp: Timestamp) {
    if let Some(value) = told
        && known
            .as_ref()
            .is_none_or(|known| known.timestamp <= timestamp)
    {
        *known = Some(Known { value, timestamp });
    }
}

// ---- How it decides

impl EventSourced for Shipment {
    type Intent = Intent;

    const SHAPE: &'static str = "shipment/2";

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        let update = &command.intent;
        let sent = update.timestamp.as_ref();
        let timestamp = sent.map_or(update.origin.time, |sent| sent.at);
        if timestamp.is_ahead_of(command.at, CLOCK_AHEAD_HOURS) {
            let message = format!(
                "{timestamp} is more than {CLOCK_AHEAD_HOURS} hours after its arrival, {}",
                command.at
            );
            return Err(Refusal::field("timestamp", message));
        }
        let current = self.current.as_ref();
        Ok(vec![Event::ShipmentUpdated(Box::new(ShipmentUpdated {
            shipment_id: update.shipment_id.clone(),
            at: command.at,
            kind: update.kind,
            status: update.status.clone(),
            carrier_status: update.carrier_status.clone(),
            timestamp,
            timestamp_offset: sent.and_then(|sent| sent.offset.clone()),
            timestamp_precision: sent.and_then(|sent| sent.precision),
            location: update.location.clone(),
            carrier: update.carrier.clone(),
            tracking_number: update.tracking_number.clone(),
            order_id: update.order_id.clone(),
            current: current.is_none_or(|current| current.yields_to(timestamp, &update.status)),
            previous_status: current.map(|current| current.status.clone()),
            origin: update.origin.clone(),
            attributes: update.attributes.clone(),
        }))])
    }

    fn encode(event: &Event) -> Result<EncodedEvent, serde_json::Error> {
        match event {
            Event::ShipmentUpdated(data) => EncodedEvent::new(event.kind(), UPDATED_VERSION, data),
        }
    }

    fn decode(event: &EncodedEvent) -> Result<Event, Undecodable> {
        match event.kind.as_str() {
            "ShipmentUpdated" => event
                .read(UPDATED_VERSION, UPCASTERS)
                .map(Event::ShipmentUpdated),
            _ => Err(event.undecodable("no such event of a shipment")),
        }
    }

    fn status_of(event: &Event) -> &str {
        match event {
            Event::ShipmentUpdated(update) => update.status.as_str(),
        }
    }

    fn follows_from(event: &Event, intent: &Intent) -> bool {
        let Event::ShipmentUpdated(update) = event;
        update.kind == intent.kind && update.status == intent.status
    }

    fn status(&self) -> Option<&str> {
        self.current.as_ref().map(|current| current.status.as_str())
    }

    fn allowed_actions(&self) -> &'static [&'static str] {
        &["update"]
    }
}

// ---- How it evolves

impl Aggregate for Shipment {
    const TYPE: &'static str = "shipment";
    type Command = Command;
    type Event = Event;
    type Error = Refusal;
    type Services = ();

    async fn handle(
        &mut self,
        command: Command,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Refusal> {
        aggregate::handle(self, &command, sink).await
    }

    fn apply(&mut self, event: Event) {
        let Event::ShipmentUpdated(update) = event;
        self.updates += 1;
        let current = self.current.as_ref();
        if current.is_none_or(|current| current.yields_to(update.timestamp, &update.status)) {
            self.current = Some(Current {
                shipment_id: update.shipment_id,
                status: update.status,
                timestamp: update.timestamp,
                location: update.location,
            });
        }
        learn(&mut self.carrier, update.carrier, update.timestamp);
        learn(
            &mut self.tracking_number,
            update.tracking_number,
            update.timestamp,
        );
        learn(&mut self.order_id, update.order_id, update.timestamp);
    }
}

/// The detail that an update came with, without what counts as missing: `null` and empty strings.
pub fn meaningful(detail: Object) -> Object {
    let missing = |value: &Json| matches!(value, Json::Null) || *value == Json::from("");
    detail
        .into_iter()
        .filter(|(_, value)| !missing(value))
        .collect()
}

"""Every alarm of an environment, as data: what is measured, and when somebody must hear of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .config import CARRIERS, Config
from .functions import ROLES, Role
from .tables import Table
from .triggers import CONSUMERS, WATCH, Rule

MINUTE, FIVE_MINUTES = 60, 300

# Who waits for `api`, `carriers`, `query` or the bus waits 10 s on average at the most.
DURATION_AVERAGE_MS = 10_000
AVERAGED = ("api", "carriers", "bus", "query")

# Of any other function, the slowest of a hundred runs may take this share of its time.
DURATION_SHARE_PERCENT = 80

# One that ends by itself shortly before its time is up has overrun when only this is left.
OVERRUN_SECONDS = 10

# How far the rows and the messages may be behind the events.
BEHIND_MS = 5 * 60 * 1000


@dataclass(frozen=True)
class Metric:
    """A metric with the dimensions that it is kept under; with others there is none."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str = "Sum"


@dataclass(frozen=True)
class Alarm:
    """Rings when the metric is at least the threshold, or `above` it, in `periods` in a row. What
    is not measured is well; of one that is `silent`, that alone rings."""

    name: str
    says: str
    metric: Metric
    threshold: int
    seconds: int = FIVE_MINUTES
    periods: int = 1
    above: bool = False
    # Rings when nothing was measured in `periods` in a row, and whatever was measured is well.
    silent: bool = False
    # Wakes somebody up: something is lost, stuck, or refused to everybody.
    page: bool = False


@dataclass(frozen=True)
class Ids:
    """What AWS calls things that it names itself."""

    api: str
    mappings: dict[str, str]
    machine: str


def every(config: Config, tables: list[Table], rules: list[Rule], ids: Ids) -> list[Alarm]:
    """Every alarm of the environment."""
    return [
        *_business(config),
        *_carriers(config),
        *_projections(config),
        *_stream(config, ids),
        *_functions(config),
        *_tables(config, tables),
        *_rules(config, rules),
        *_edges(config, ids),
    ]


def _business(config: Config) -> Iterator[Alarm]:
    here = (("Environment", config.environment),)
    orders = "DeliveryApp/OrderProcessing"
    refused = "in five minutes, ten minutes long, more than ten were refused"
    errors = Metric(orders, "OrderProcessingErrors", here)
    yield Alarm("order-errors", f"Orders: {refused}.", errors, 10, periods=2, above=True)
    errors = Metric("LogisticsProcessing", "ProcessingErrors", here)
    yield Alarm("shipment-errors", f"Shipments: {refused}.", errors, 10, periods=2, above=True)
    says = "An order or a command to one could not be carried out at all."
    failures = Metric(orders, "ProcessingFailures", here)
    yield Alarm("failures", says, failures, 1, seconds=MINUTE, page=True)


# Webhooks that are not trusted, in five minutes: more than a try or two after a secret was changed.
REFUSED_WEBHOOKS = 20


def _carriers(config: Config) -> Iterator[Alarm]:
    here, shipments = ("Environment", config.environment), "LogisticsProcessing"
    for provider in CARRIERS:
        of = (here, ("Provider", provider))
        refused = Metric(shipments, "CarrierWebhooks", (*of, ("Outcome", "refused")))
        says = f"Webhooks of {provider} are refused: the secret may be another one."
        yield Alarm(f"carriers-{provider}-refused", says, refused, REFUSED_WEBHOOKS)
        unmapped = Metric(shipments, "UnmappedCarrierStatus", of)
        says = f"{provider} sends codes that its table lacks (commands/src/carriers)."
        yield Alarm(f"carriers-{provider}-unmapped", says, unmapped, 1)


def _projections(config: Config) -> Iterator[Alarm]:
    here = (("Environment", config.environment),)

    def own(name: str, statistic: str = "Sum") -> Metric:
        return Metric("Waybill", name, here, statistic)

    which = "`waybill parked` says which and why"
    says = f"An order or shipment was parked: {which}."
    yield Alarm("parking", says, own("AggregatesParked"), 1, seconds=MINUTE, page=True)
    # A sweep says how many there are, and nobody does in between: a period reaches to the next.
    says, parked = f"Orders or shipments are parked: {which}.", own("ParkedAggregates", "Maximum")
    yield Alarm("parked", says, parked, 1, seconds=config.sweep_minutes * 60)
    says = "A stored event was changed or removed, which nothing here ever does."
    yield Alarm("tampered", says, own("CommitsTampered"), 1, seconds=MINUTE, page=True)
    # One that dies says nothing at all, and fails too seldom for the alarm on its function's errors.
    says, swept = "Nothing was swept for two sweeps' time.", own("SweptAggregates", "SampleCount")
    seconds = config.sweep_minutes * 60
    yield Alarm("sweep-silent", says, swept, 1, seconds=seconds, periods=2, silent=True)
    says = "A sweep found an order or shipment whose events cannot be read."
    yield Alarm("sweep-unreadable", says, own("SweepUnreadable"), 1)
    says = "A sweep did not come to the end of its segment."
    yield Alarm("sweep-unfinished", says, own("SweepUnfinished"), 1)
    # Three times are one run and Lambda's two further tries at it: too few for the alarm on errors.
    says = "A search for stalled shipments failed three times in half an hour."
    failed = Metric("AWS/Lambda", "Errors", (("FunctionName", config.name(WATCH.role)),))
    yield Alarm("watch-failed", says, failed, 3, seconds=30 * MINUTE)


def _stream(config: Config, ids: Ids) -> Iterator[Alarm]:
    for role in CONSUMERS:
        function = (("FunctionName", config.name(role)),)
        mapping = (("EventSourceMappingUUID", ids.mappings[role]),)
        behind = Metric("AWS/Lambda", "IteratorAge", function, "Maximum")
        says = f"{role} is more than five minutes behind the events."
        yield Alarm(
            f"{role}-behind", says, behind, BEHIND_MS, MINUTE, periods=5, above=True, page=True
        )
        says = f"{role} gave records up: they lie in the bucket of dead letters."
        given_up = Metric("AWS/Lambda", "OnFailureDestinationDeliveredEventCount", mapping)
        yield Alarm(f"{role}-gave-up", says, given_up, 1, page=True)
        says = f"{role} lost records: `waybill rebuild` mends rows, `waybill announce` messages."
        dropped = Metric("AWS/Lambda", "DroppedEventCount", mapping)
        yield Alarm(f"{role}-dropped", says, dropped, 1, page=True)
        says = f"Records that {role} gave up could not be put into the bucket of dead letters."
        undelivered = Metric("AWS/Lambda", "DestinationDeliveryFailures", function)
        yield Alarm(f"{role}-undelivered", says, undelivered, 1, page=True)


def _functions(config: Config) -> Iterator[Alarm]:
    for role in ROLES:
        name, function = role.name, (("FunctionName", config.name(role.name)),)
        errors = Metric("AWS/Lambda", "Errors", function)
        yield Alarm(f"{name}-errors", f"{name} failed five times in five minutes.", errors, 5)
        throttles = Metric("AWS/Lambda", "Throttles", function)
        says = f"{name} was not run for want of concurrency."
        yield Alarm(f"{name}-throttles", says, throttles, 1)
        if name in AVERAGED:
            slow = Metric("AWS/Lambda", "Duration", function, "Average")
            says = f"{name} takes more than 10 s on average."
            yield Alarm(f"{name}-slow", says, slow, DURATION_AVERAGE_MS, periods=2, above=True)
        else:
            slow = Metric("AWS/Lambda", "Duration", function, "p99")
            yield Alarm(f"{name}-slow", f"{name} runs out of time.", slow, _slow_ms(role))
        if role.retries and role.retries.kept:
            lost = Metric("AWS/Lambda", "DeadLetterErrors", function)
            says = f"Events that {name} failed on could not be kept as dead letters."
            yield Alarm(f"{name}-lost", says, lost, 1, page=True)


def _slow_ms(role: Role) -> int:
    if role.uses_all_its_time:
        return (role.timeout_seconds - OVERRUN_SECONDS) * 1000
    return role.timeout_seconds * 1000 * DURATION_SHARE_PERCENT // 100


def _tables(config: Config, tables: list[Table]) -> Iterator[Alarm]:
    for table in tables:
        place = (("TableName", config.name(table.suffix)),)
        places: dict[str, tuple[tuple[str, str], ...]] = {table.suffix: place}
        for index in table.indexes:
            whole = (*place, ("GlobalSecondaryIndexName", index.name))
            places[f"{table.suffix}-{index.name}"] = whole
        for name, dimensions in places.items():
            for way in ("Read", "Write"):
                throttled = Metric("AWS/DynamoDB", f"{way}ThrottleEvents", dimensions)
                says = f"DynamoDB throttles {way.lower()}s of {name}."
                yield Alarm(f"{name}-{way.lower()}s-throttled", says, throttled, 5)


def _rules(config: Config, rules: list[Rule]) -> Iterator[Alarm]:
    for rule in rules:
        # On the default bus, the metric has no dimension for it.
        bus = () if rule.default_bus else (("EventBusName", config.bus),)
        dimensions = (*bus, ("RuleName", config.name(rule.name)))
        failed = Metric("AWS/Events", "FailedInvocations", dimensions)
        says = f"What the rule {rule.name} matched could not be delivered."
        yield Alarm(f"rule-{rule.name}-failed", says, failed, 1)
        if rule.kept:
            lost = Metric("AWS/Events", "InvocationsFailedToBeSentToDlq", dimensions)
            says = f"What the rule {rule.name} matched could not be kept as a dead letter."
            yield Alarm(f"rule-{rule.name}-lost", says, lost, 1, page=True)


def _edges(config: Config, ids: Ids) -> Iterator[Alarm]:
    stage = (("ApiId", ids.api), ("Stage", config.environment))
    says = "The HTTP API answered 5xx five times in five minutes."
    yield Alarm("5xx", says, Metric("AWS/ApiGateway", "5xx", stage), 5, page=True)
    queue = (("QueueName", config.name("dead-letters")),)
    waiting = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, "Maximum")
    says = "There are dead letters: `waybill retry` takes them up again."
    yield Alarm("dead-letters", says, waiting, 1, page=True)
    machine = (("StateMachineArn", ids.machine),)
    failed = Metric("AWS/States", "ExecutionsFailed", machine)
    yield Alarm("rebuild-failed", "A rebuild failed.", failed, 1)
    late = Metric("AWS/States", "ExecutionsTimedOut", machine)
    yield Alarm("rebuild-timed-out", "A rebuild did not end in its time.", late, 1)

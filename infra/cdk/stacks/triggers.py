"""What calls the functions: rules of the buses, the schedule, and the stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_

from .config import Config
from .functions import Functions
from .places import ORDERS_PREFIX, REPORTS_PREFIX, Places

# How long and how often EventBridge tries to hand an event to Lambda, which may be throttled or
# away; then it is a dead letter. (185 attempts are all that EventBridge makes.)
DELIVERY_AGE_SECONDS = 2 * 60 * 60
DELIVERY_ATTEMPTS = 185

# Records of one batch: what infra/local hands over, too.
BATCH_RECORDS = 100

# The consumers of the stream. DynamoDB allows two readers, and a third throttles both.
CONSUMERS = ("project", "notify")


@dataclass(frozen=True)
class Rule:
    """A rule on the environment's bus, or on the account's default one."""

    name: str
    role: str
    pattern: dict[str, Any] = field(hash=False)
    default_bus: bool = False
    # Whether what could not be delivered goes to the dead letters.
    kept: bool = True


SHIPMENTS = {
    "source": ["logistics.shipments"],
    "detail-type": ["Shipment Update", "Shipment Created", "Shipment Delayed"],
}
ORDER_COMMANDS = {
    "source": ["orders.commands"],
    "detail-type": ["Place Order", "Complete Order", "Cancel Order"],
}

# The schedule of the sweep. What could not be delivered says nothing that the next one does not.
SWEEP = Rule("sweep", "rebuild", {}, default_bus=True, kept=False)

# That of the search for stalled shipments, which are to be found within an hour: one run may be
# missed, or have too little time, and a second one, too.
WATCH = Rule("watch", "watch", {}, default_bus=True, kept=False)
WATCH_MINUTES = 15

SCHEDULED = (SWEEP, WATCH)


def rules(config: Config, account: str, bucket: str) -> list[Rule]:
    """The rules of an environment; a test holds them against the local system's."""
    carriers = [Rule("shipments-default", "bus", SHIPMENTS, default_bus=True)]
    return [
        Rule("shipments", "bus", SHIPMENTS),
        *(carriers if config.default_bus else []),
        Rule("order-commands", "bus", ORDER_COMMANDS),
        Rule("fulfilment", "bus", _fulfilment(account)),
        Rule("stalled", "bus", _stalled(account)),
        Rule("order-files", "import", _created(bucket, {"prefix": ORDERS_PREFIX}), True),
        # Storing the checkpoint of a file is what lets its import go on.
        Rule(
            "order-files-go-on",
            "import",
            _created(bucket, {"wildcard": f"{REPORTS_PREFIX}*.checkpoint.json"}),
            True,
        ),
    ]


def _fulfilment(account: str) -> dict[str, Any]:
    """Waybill completes `automatic` orders itself, as soon as it has announced them.

    What another account sends under Waybill's own name is not Waybill's; within this account
    policies say who may use that name.
    """
    return {
        "account": [account],
        "source": ["waybill.orders"],
        "detail-type": ["Order Created"],
        "detail": {"status": ["NEW"]},
    }


def _stalled(account: str) -> dict[str, Any]:
    """What the function `watch` asks for, and nobody of another account."""
    return {
        "account": [account],
        "source": ["waybill.watch"],
        "detail-type": ["Mark Stalled"],
    }


def _created(bucket: str, key: dict[str, str]) -> dict[str, Any]:
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [key]}},
    }


def add_rules(stack: Stack, at: Places, functions: Functions) -> None:
    """The rules of the buses with their targets."""
    for rule in rules(at.config, stack.account, at.orders_bucket_name):
        id = "".join(part.capitalize() for part in rule.name.split("-"))
        _add(
            stack,
            id,
            functions[rule.role],
            name=at.config.name(rule.name),
            event_bus_name=None if rule.default_bus else at.config.bus,
            event_pattern=rule.pattern,
            target={
                "dead_letter_config": events.CfnRule.DeadLetterConfigProperty(
                    arn=at.dead_letters_queue
                ),
            },
        )


def add_schedules(stack: Stack, config: Config, functions: Functions) -> None:
    """The schedules of the sweep and of the search for stalled shipments."""
    _add(
        stack,
        "Sweep",
        functions[SWEEP.role],
        name=config.name(SWEEP.name),
        schedule_expression=f"rate({config.sweep_minutes} minutes)",
        target={"input": '{"operation":"sweep"}'},
    )
    _add(
        stack,
        "Watch",
        functions[WATCH.role],
        name=config.name(WATCH.name),
        schedule_expression=f"rate({WATCH_MINUTES} minutes)",
        target={},
    )


def _add(
    stack: Stack,
    id: str,
    function: lambda_.Function,
    *,
    name: str,
    target: dict[str, Any],
    **kwargs: Any,
) -> None:
    rule = events.CfnRule(
        stack,
        f"{id}Rule",
        name=name,
        targets=[
            events.CfnRule.TargetProperty(
                id="function",
                arn=function.function_arn,
                retry_policy=events.CfnRule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=DELIVERY_AGE_SECONDS,
                    maximum_retry_attempts=DELIVERY_ATTEMPTS,
                ),
                **target,
            )
        ],
        **kwargs,
    )
    lambda_.CfnPermission(
        stack,
        f"{id}Permission",
        action="lambda:InvokeFunction",
        function_name=function.function_arn,
        principal="events.amazonaws.com",
        source_arn=rule.attr_arn,
    )


def add_mappings(
    stack: Stack, at: Places, stream: str | None, functions: Functions
) -> dict[str, lambda_.CfnEventSourceMapping]:
    """The two readers of the stream of events, by role."""
    config = at.config
    mapping = lambda_.CfnEventSourceMapping
    return {
        role: mapping(
            stack,
            f"{role.capitalize()}Mapping",
            function_name=functions[role].function_arn,
            event_source_arn=stream,
            # LATEST can miss events while the mapping is made.
            starting_position="TRIM_HORIZON",
            batch_size=BATCH_RECORDS,
            maximum_batching_window_in_seconds=0,
            parallelization_factor=config.stream_parallelism,
            function_response_types=["ReportBatchItemFailures"],
            bisect_batch_on_function_error=True,
            # Both are without end by default: one bad record would hold its shard for a day.
            maximum_retry_attempts=config.stream_retries,
            maximum_record_age_in_seconds=config.stream_age_minutes * 60,
            # S3 keeps the whole record; a queue or a topic would get its position only, which says
            # nothing once the stream has forgotten it.
            destination_config=mapping.DestinationConfigProperty(
                on_failure=mapping.OnFailureProperty(destination=at.dead_letters_bucket)
            ),
            metrics_config=mapping.MetricsConfigProperty(metrics=["EventCount"]),
        )
        for role in CONSUMERS
    }

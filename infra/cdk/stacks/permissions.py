"""What each role may do: exact actions on exact resources, as the code calls them.

The `grant_*` helpers of the library give more than is asked for. Events are read and appended only;
nobody here may read dead letters but the operator (operator.py). Personal data are opened by whoever
may read the table of keys and have KMS decrypt; the encryption context that CloudTrail logs of each
call of KMS is a hash of the key's owner, so nothing of a customer stands there.
"""

from __future__ import annotations

from aws_cdk import aws_iam as iam

from .places import ORDERS_PREFIX, REBUILDS_PREFIX, REPORTS_PREFIX, Places

Statements = list[iam.PolicyStatement]


def allow(actions: list[str], *resources: str) -> iam.PolicyStatement:
    """A statement that allows the actions on the resources."""
    return iam.PolicyStatement(actions=sorted(actions), resources=list(resources))


def policy(*statements: iam.PolicyStatement) -> iam.PolicyDocument:
    """A policy of these statements, one by one."""
    return iam.PolicyDocument(statements=list(statements))


def of(role: str, at: Places) -> dict[str, iam.PolicyDocument]:
    """The policies of a function: what it works with, and how it tells of it."""
    return {"work": policy(*WORK[role](at)), "told": policy(*_told(role, at))}


def _told(role: str, at: Places) -> Statements:
    return [
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], at.logs(role)),
        # X-Ray knows no resources.
        allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
    ]


# ---- commands


def _append(at: Places) -> Statements:
    return [allow(["dynamodb:PutItem", "dynamodb:Query"], at.table("events"))]


def _seal(at: Places) -> Statements:
    """Sealing the personal data of orders, and opening them."""
    return [
        allow(["dynamodb:GetItem", "dynamodb:PutItem"], at.table("keys")),
        allow(["kms:Decrypt", "kms:GenerateDataKey"], at.personal_data_key),
    ]


def _tell_operator(at: Places) -> Statements:
    return [
        allow(["sqs:SendMessage"], at.dead_letters_queue),
        allow(["sns:Publish"], at.topic),
    ]


def _direct(at: Places) -> Statements:
    # Lambda keeps what the function gives up, as the function.
    return [*_append(at), *_seal(at), allow(["sqs:SendMessage"], at.dead_letters_queue)]


def _bus(at: Places) -> Statements:
    return _append(at) + _seal(at) + _tell_operator(at)


def _import(at: Places) -> Statements:
    return [
        *_append(at),
        *_seal(at),
        *_tell_operator(at),
        allow(["s3:GetObject", "s3:GetObjectVersion"], at.objects(ORDERS_PREFIX)),
        allow(["s3:GetObject", "s3:PutObject"], at.objects(REPORTS_PREFIX)),
        _not_there(at),
    ]


def _not_there(at: Places) -> iam.PolicyStatement:
    """Without it, S3 says of an object that is not there that it is forbidden (403, not 404), and a
    file without a checkpoint looks like an outage. A condition on the prefix would take that away
    again: the reading of an object has none. (S3 API reference, GetObject, "Permissions".)"""
    return allow(["s3:ListBucket"], at.orders_bucket)


def _carriers(at: Places) -> Statements:
    return [
        *_append(at),
        *_tell_operator(at),
        allow(["secretsmanager:GetSecretValue"], *at.carrier_secrets()),
    ]


# ---- projectors


def opening(at: Places) -> Statements:
    """Opening the personal data of orders."""
    return [
        allow(["dynamodb:GetItem"], at.table("keys")),
        allow(["kms:Decrypt"], at.personal_data_key),
    ]


def destroying(at: Places) -> Statements:
    """Opening the personal data of orders, and destroying the keys of a customer and of that
    customer's orders: a record of the table stays, without its key."""
    return [
        allow(["dynamodb:GetItem", "dynamodb:PutItem"], at.table("keys")),
        allow(["dynamodb:Query"], *at.of_customers()),
        allow(["kms:Decrypt"], at.personal_data_key),
    ]


def _follow(at: Places) -> Statements:
    """The stream, the bucket for what is given up (the mapping writes it as the function), and the
    table of what is parked."""
    read = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    return [
        allow([*read, "dynamodb:ListStreams"], at.streams("events")),
        allow(["s3:PutObject"], f"{at.dead_letters_bucket}/*"),
        allow(["s3:ListBucket"], at.dead_letters_bucket),
        allow(["dynamodb:PutItem"], at.table("parked")),
    ]


def _project(at: Places) -> Statements:
    return [
        *_follow(at),
        *destroying(at),
        # Rows of an erased customer's orders are compared before they are written again.
        allow(["dynamodb:Query"], at.table("events"), *at.models("processedOrders")),
        allow(["dynamodb:PutItem"], *at.models("processedOrders"), *at.models("shipmentLog")),
    ]


def _notify(at: Places) -> Statements:
    return [
        *_follow(at),
        allow(["events:PutEvents"], at.bus),
        allow(["sns:Publish"], at.topic),
    ]


def _query(at: Places) -> Statements:
    orders, shipments = at.models("processedOrders"), at.models("shipmentLog")
    lists = at.lists("processedOrders") + at.lists("shipmentLog")
    return [
        *opening(at),
        allow(["dynamodb:GetItem"], *orders, *shipments),
        allow(["dynamodb:Query"], at.table("events"), *shipments, *lists),
    ]


def _watch(at: Places) -> Statements:
    return [
        allow(["dynamodb:Query"], *at.watched()),
        allow(["events:PutEvents"], at.bus),
    ]


def mending(at: Places) -> Statements:
    """Reading events and rows, one by one or all of them, and mending rows."""
    mend = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan"]
    return [
        *opening(at),
        allow(["dynamodb:Query", "dynamodb:Scan"], at.table("events")),
        allow(mend, *at.models("processedOrders"), *at.models("shipmentLog")),
    ]


def _rebuild(at: Places) -> Statements:
    return [
        *mending(at),
        # A sweep carries out erasures, too, in case that the stream has lost them.
        *destroying(at),
        # A sweep says how many are parked.
        allow(["dynamodb:Scan"], at.table("parked")),
        # The ledger; old ones go by themselves.
        allow(["s3:GetObject", "s3:PutObject"], at.objects(REBUILDS_PREFIX)),
        iam.PolicyStatement(
            actions=["s3:ListBucket"],
            resources=[at.orders_bucket],
            conditions={"StringLike": {"s3:prefix": f"{REBUILDS_PREFIX}*"}},
        ),
    ]


WORK = {
    "api": _direct,
    "invoke": _direct,
    "bus": _bus,
    "import": _import,
    "carriers": _carriers,
    "project": _project,
    "notify": _notify,
    "query": _query,
    "rebuild": _rebuild,
    "watch": _watch,
}

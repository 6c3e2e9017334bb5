"""What a person needs to erase a customer's personal data: a policy to attach to their role. It
cannot be undone, so the operator's policy (operator.py) does not have it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from . import exceptions
from .permissions import allow, destroying
from .places import ORDERS_PREFIX, Places


def add_policy(stack: Stack, at: Places) -> iam.ManagedPolicy:
    """The managed policy `waybill-<env>-erase`."""
    orders, shipments = at.models("processedOrders"), at.models("shipmentLog")
    read = ["dynamodb:Query", "dynamodb:Scan"]
    files = ["s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectVersion"]
    statements = [
        # What the environment's settings are, and how much there is.
        allow(["lambda:GetFunctionConfiguration"], at.function("rebuild")),
        allow(["dynamodb:DescribeTable"], *at.tables),
        # Reading, as an operator does: events and rows, what is parked, and how many dead letters
        # may hold copies. What dead letters say stays the operator's.
        allow(read, at.table("events"), *orders, *shipments),
        allow(["dynamodb:GetItem", "dynamodb:Scan"], at.table("parked")),
        allow(["sqs:GetQueueAttributes"], at.dead_letters_queue),
        allow(["s3:ListBucket"], at.dead_letters_bucket),
        # The erasure is an event, and destroys the keys.
        allow(["dynamodb:PutItem"], at.table("events")),
        *destroying(at),
        # Files of orders, every version of them.
        allow(files, at.objects(ORDERS_PREFIX)),
        # The rules by which those end that stay.
        allow(["s3:GetLifecycleConfiguration"], at.orders_bucket),
        iam.PolicyStatement(
            actions=["s3:ListBucketVersions"],
            resources=[at.orders_bucket],
            conditions={"StringLike": {"s3:prefix": f"{ORDERS_PREFIX}*"}},
        ),
    ]
    made = iam.ManagedPolicy(
        stack,
        "Erase",
        managed_policy_name=at.config.name("erase"),
        description=f"Waybill, {at.config.environment}: erasing a customer's personal data",
        statements=statements,
    )
    exceptions.of_erase(made, at)
    return made

"""What a person needs for the web console: a policy to attach to their role. It reads and changes
nothing; whoever shall change things has the operator's (operator.py) beside it."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from . import exceptions
from .http_api import HttpApi
from .permissions import allow, opening
from .places import REPORTS_PREFIX, Places


def add_policy(stack: Stack, at: Places, http: HttpApi) -> iam.ManagedPolicy:
    """The managed policy `waybill-<env>-console`."""
    orders, shipments = at.models("processedOrders"), at.models("shipmentLog")
    lists = at.lists("processedOrders") + at.lists("shipmentLog")
    statements = [
        # Whatever the API answers to a question.
        allow(["execute-api:Invoke"], http.questions),
        # What the environment's settings are, where its API is, and how much there is.
        allow(["lambda:GetFunctionConfiguration"], at.function("rebuild")),
        allow(["dynamodb:DescribeTable"], *at.tables),
        # One order or shipment, and lists by their indexes: no table is scanned.
        allow(["dynamodb:GetItem"], *orders, *shipments),
        allow(["dynamodb:Query"], at.table("events"), *orders, *shipments, *lists),
        # Histories with their personal data open.
        *opening(at),
        # What is parked has no index: the table holds nothing else, and is empty where all is well.
        allow(["dynamodb:GetItem", "dynamodb:Scan"], at.table("parked")),
        # How many dead letters there are. What they say is the operator's.
        allow(["sqs:GetQueueAttributes"], at.dead_letters_queue),
        allow(["s3:ListBucket"], at.dead_letters_bucket),
        # Imports of files. The whole bucket is listed for the reason that an import lists it: a
        # report that is not written yet must be missing, not forbidden (permissions.py).
        allow(["s3:ListBucket"], at.orders_bucket),
        allow(["s3:GetObject"], at.objects(REPORTS_PREFIX)),
        # CloudWatch's actions know no resources.
        allow(["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"], "*"),
    ]
    made = iam.ManagedPolicy(
        stack,
        "Console",
        managed_policy_name=at.config.name("console"),
        description=f"Waybill, {at.config.environment}: the web console, without changes",
        statements=statements,
    )
    exceptions.of_console(made, at, http.questions)
    return made

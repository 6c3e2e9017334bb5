"""What a person needs for the `waybill` command-line tool: a policy to attach to their role. Erasing
a customer's personal data is not in it (erase.py)."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from . import exceptions
from .http_api import HttpApi
from .permissions import allow, mending
from .places import Places

# Whose dead letters are handed to them again; and a rebuild of a segment.
INVOKED = ("invoke", "bus", "import", "carriers", "rebuild")


def add_policy(stack: Stack, at: Places, http: HttpApi) -> iam.ManagedPolicy:
    """The managed policy `waybill-<env>-operator`, the only one that opens dead letters."""
    letters = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"]
    parked = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Scan"]
    statements = [
        # What the environment's settings are, and how much there is.
        allow(["lambda:GetFunctionConfiguration"], at.function("rebuild")),
        allow(["dynamodb:DescribeTable"], *at.tables),
        # Which alarms ring. CloudWatch's actions know no resources.
        allow(["cloudwatch:DescribeAlarms"], "*"),
        # Verifying and rebuilding, here or by the state machine.
        *mending(at),
        allow(["states:StartExecution"], at.rebuild_machine),
        allow(["states:DescribeExecution"], at.rebuild_executions),
        # Completing and cancelling orders, logging updates.
        allow(["execute-api:Invoke"], *http.commands),
        # Announcing again.
        allow(["events:PutEvents"], at.bus),
        allow(["sns:Publish"], at.topic),
        # Taking up what is parked, and dead letters.
        allow(parked, at.table("parked")),
        allow([*letters, "sqs:GetQueueAttributes"], at.dead_letters_queue),
        allow(["s3:DeleteObject", "s3:GetObject"], f"{at.dead_letters_bucket}/*"),
        allow(["s3:ListBucket"], at.dead_letters_bucket),
        allow(["lambda:InvokeFunction"], *(at.function(role) for role in INVOKED)),
    ]
    made = iam.ManagedPolicy(
        stack,
        "Operator",
        managed_policy_name=at.config.name("operator"),
        description=f"Waybill, {at.config.environment}: the waybill command-line tool",
        statements=statements,
    )
    exceptions.of_operator(made, at, http.commands)
    return made

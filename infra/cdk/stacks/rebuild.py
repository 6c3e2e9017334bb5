"""The state machine of the rebuild, which calls the role `rebuild` until every segment is done."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as states

from . import exceptions
from .config import Config
from .log_group import add_log_group
from .permissions import allow, policy

# Lies beside the code that it calls.
DEFINITION = Path(__file__).resolve().parents[3] / "projectors" / "rebuild.asl.json"

# What a state machine needs to write a log (Step Functions developer guide, "Logging in CloudWatch
# Logs"); these actions know no resources.
DELIVER_LOGS = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
]

# What it needs to write traces, which know no resources either.
TRACE = [
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
]


def add_state_machine(
    stack: Stack, config: Config, function: lambda_.Function
) -> states.CfnStateMachine:
    """The state machine `waybill-<env>-rebuild`."""
    name = f"/aws/vendedlogs/states/{config.name('rebuild')}"
    log_group = add_log_group(stack, "RebuildMachineLogs", name, config.log_days)
    role = iam.Role(
        stack,
        "RebuildMachineRole",
        assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
        description=f"Waybill, {config.environment}: what the rebuild's state machine may do",
        inline_policies={
            "work": policy(allow(["lambda:InvokeFunction"], function.function_arn)),
            "told": policy(allow(DELIVER_LOGS, "*"), allow(TRACE, "*")),
        },
    )
    exceptions.of_rebuild_machine(role)
    machine = states.CfnStateMachine
    return machine(
        stack,
        "RebuildMachine",
        state_machine_name=config.name("rebuild"),
        role_arn=role.role_arn,
        definition_string=DEFINITION.read_text(encoding="utf-8"),
        definition_substitutions={"RebuildFunctionArn": function.function_arn},
        logging_configuration=machine.LoggingConfigurationProperty(
            # Its input and output are numbers of segments: nothing of an order.
            level="ALL",
            include_execution_data=True,
            destinations=[
                machine.LogDestinationProperty(
                    cloud_watch_logs_log_group=machine.CloudWatchLogsLogGroupProperty(
                        log_group_arn=log_group.log_group_arn
                    )
                )
            ],
        ),
        tracing_configuration=machine.TracingConfigurationProperty(enabled=True),
    )

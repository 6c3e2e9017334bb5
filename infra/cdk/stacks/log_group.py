"""Log groups."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_logs as logs


def add_log_group(stack: Stack, id: str, name: str, days: int) -> logs.LogGroup:
    """A log group that keeps its entries for so many days, and goes with its stack."""
    group = logs.LogGroup(stack, id, log_group_name=name, removal_policy=RemovalPolicy.DESTROY)
    resource = group.node.default_child
    assert isinstance(resource, logs.CfnLogGroup)
    # The library's own parameter knows names, not numbers.
    resource.retention_in_days = days
    return group

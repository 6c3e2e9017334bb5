"""The alias by which the gateway of the HTTP API invokes a function, and nobody else may.

A request says who its caller is, and `api` believes it only where Lambda says that this alias was
invoked (`GATEWAY_ALIAS` in infra/lambda/src/names.rs). The alias's own policy lets the gateway in,
and no policy of ours lets anybody else.
"""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_

from .functions import Functions

ALIAS = "live"

# The functions behind the HTTP API.
HTTP_ROLES = ("api", "query", "carriers")


def add_aliases(stack: Stack, functions: Functions) -> dict[str, lambda_.Alias]:
    """The aliases by role, each of the version that the function is at."""
    return {
        role: lambda_.Alias(
            stack,
            f"{role.capitalize()}Live",
            alias_name=ALIAS,
            version=functions[role].current_version,
        )
        for role in HTTP_ROLES
    }

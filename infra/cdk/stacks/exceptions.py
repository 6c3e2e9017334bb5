"""Where a rule of cdk-nag is not followed, and why: each resource with its own reason."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

from .places import ORDERS_PREFIX, REBUILDS_PREFIX, REPORTS_PREFIX, Places

X_RAY = "X-Ray's actions know no resources"
DELIVERIES = "X-Ray's actions and those that deliver logs know no resources"


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Says why `rule` is not followed here."""
    id = f"AwsSolutions::AwsSolutions-{rule}"
    Validations.of(construct).acknowledge(Acknowledgment(id=id, reason=reason))


def wildcards(construct: IConstruct, reasons: dict[str, str]) -> None:
    """Says why a policy here names these resources with a wildcard."""
    for resource, reason in reasons.items():
        acknowledge(construct, f"IAM5[Resource::{_said(construct, resource)}]", reason)


def _said(construct: IConstruct, resource: str) -> str:
    """What cdk-nag calls a resource: an account or an API that is not known yet has its name there."""
    resolved = Stack.of(construct).resolve(resource)
    parts = [resolved] if isinstance(resolved, str) else resolved["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)


def of_function(construct: IConstruct, role: str, at: Places) -> None:
    """What a function's role opens by a wildcard."""
    orders, reports = at.objects(ORDERS_PREFIX), at.objects(REPORTS_PREFIX)
    follow = {
        at.streams("events"): "the one stream of one table, whose name is the time it was made",
        f"{at.dead_letters_bucket}/*": "Lambda names the objects that it puts there",
    }
    by_role = {
        "import": {
            orders: "order files are named by those who upload them",
            reports: "reports are named like the files that they are about",
        },
        "project": follow,
        "notify": follow,
        "rebuild": {at.objects(REBUILDS_PREFIX): "the ledgers of rebuilds, each by its run"},
    }
    told = {at.logs(role): "the streams of its own log group, which Lambda names", "*": X_RAY}
    wildcards(construct, told | by_role.get(role, {}))


def of_operator(construct: IConstruct, at: Places, commands: list[str]) -> None:
    """What the operator's policy opens by a wildcard."""
    wildcards(
        construct,
        {command: "a command to any order or shipment" for command in commands}
        | {
            f"{at.dead_letters_bucket}/*": "Lambda names the objects that it puts there",
            at.rebuild_executions: "the runs of one state machine, each by its name",
            "*": "CloudWatch shows all alarms or none",
        },
    )


def of_console(construct: IConstruct, at: Places, questions: str) -> None:
    """What the console's policy opens by a wildcard."""
    wildcards(
        construct,
        {
            questions: "every question that the API answers; it changes nothing by one",
            at.objects(REPORTS_PREFIX): "reports are named like the files that they are about",
            "*": "CloudWatch shows all alarms and metrics or none",
        },
    )


def of_erase(construct: IConstruct, at: Places) -> None:
    """What the policy of whoever may erase opens by a wildcard."""
    files = "order files, named by those who upload them, of the customer who is erased"
    wildcards(construct, {at.objects(ORDERS_PREFIX): files})


def of_rebuild_machine(construct: IConstruct) -> None:
    """What the role of the rebuild's state machine opens by a wildcard."""
    wildcards(construct, {"*": DELIVERIES})


def of_deployments(construct: IConstruct, functions: list[str]) -> None:
    """What CodeDeploy's role opens by a wildcard."""
    versions = {f"{arn}:*": "the aliases and versions of one function" for arn in functions}
    wildcards(construct, versions | {"*": "CloudWatch describes all alarms or none"})


def of_bucket(construct: IConstruct) -> None:
    """Both buckets."""
    reason = "who read which object is for CloudTrail's data events, where an account wants it"
    acknowledge(construct, "S1", reason)


def of_dead_letters(construct: IConstruct) -> None:
    """The queue of dead letters."""
    acknowledge(construct, "SQS3", "it is the dead-letter queue of rules and functions itself")


def of_preflight(construct: IConstruct) -> None:
    """The route for what a browser asks first."""
    reason = "a preflight request carries no credentials, and its answer says what CORS says"
    acknowledge(construct, "APIG4", reason)


def of_open_route(construct: IConstruct) -> None:
    """A route for carriers' webhooks."""
    reason = "a provider has no credentials of AWS; its function checks each webhook's signature"
    acknowledge(construct, "APIG4", reason)


def of_open_api(construct: IConstruct) -> None:
    """The whole HTTP API, where the environment authorises nobody."""
    reason = "the setting authoriser is 'none', which prod refuses: an environment to try things in"
    acknowledge(construct, "APIG4", reason)

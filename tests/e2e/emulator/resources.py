"""Types and properties of CloudFormation that the stacks name and ministack lacks.

What they make can be asked for again. It does not work as on AWS: no archive is replayed, no
metric math evaluated, no mail sent of a budget. That they are right is asserted on the template.
"""

import json
import os

from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway, budgets, cloudwatch, eventbridge, lambda_svc
from ministack.services.cloudformation import provisioners

HANDLERS = provisioners._RESOURCE_HANDLERS


def answer(response) -> dict:
    """The body of a service's answer; an error is one of CloudFormation's."""
    status, body = response[0], response[2]
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 300:
        raise ValueError(text)
    return json.loads(text) if text else {}


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"


def named(property_name: str, length: int):
    """The resource's name: as the template says, else made up."""

    def name(logical_id, properties, stack):
        made_up = provisioners._physical_name(stack, logical_id, max_len=length)
        return properties.get(property_name) or made_up

    return name


# ---- AWS::Events::Archive

archive_name = named("ArchiveName", 48)


def archive(name: str, properties: dict) -> dict:
    pattern = properties.get("EventPattern") or ""
    return {
        "ArchiveName": name,
        "EventSourceArn": properties["SourceArn"],
        "Description": properties.get("Description", ""),
        "EventPattern": pattern if isinstance(pattern, str) else json.dumps(pattern),
        "RetentionDays": int(properties.get("RetentionDays", 0)),
    }


def archive_create(logical_id, properties, stack):
    name = archive_name(logical_id, properties, stack)
    answer(eventbridge._create_archive(archive(name, properties)))
    return name, {"Arn": arn("events", f"archive/{name}"), "ArchiveName": name}


def archive_update(name, old, new, stack):
    answer(eventbridge._update_archive(archive(name, new)))
    return name, {"Arn": arn("events", f"archive/{name}"), "ArchiveName": name}


def archive_delete(name, properties):
    if name in eventbridge._archives:
        answer(eventbridge._delete_archive({"ArchiveName": name}))


# ---- AWS::CloudWatch::CompositeAlarm, and alarms on metric math

composite_name = named("AlarmName", 255)


def composite_put(name: str, properties: dict):
    status, _, body = cloudwatch._put_composite_alarm(
        {}, {**properties, "AlarmName": name}, False, True
    )
    if status >= 300:
        raise ValueError(str(body))
    return name, {"Arn": arn("cloudwatch", f"alarm:{name}")}


def composite_create(logical_id, properties, stack):
    return composite_put(composite_name(logical_id, properties, stack), properties)


def composite_update(name, old, new, stack):
    return composite_put(name, new)


def composite_delete(name, properties):
    cloudwatch._composite_alarms.pop(name, None)


def on_math(record):
    """An alarm on metric math is kept under its first metric, in a namespace that nobody fills."""

    def recorded(name, properties):
        metrics = properties.get("Metrics")
        if not metrics:
            return record(name, properties)
        first = next(each["MetricStat"] for each in metrics if each.get("MetricStat"))
        alarm = record(
            name,
            {
                **{key: value for key, value in properties.items() if key != "Metrics"},
                "MetricName": first["Metric"]["MetricName"],
                "Namespace": "math/" + first["Metric"]["Namespace"],
                "Dimensions": first["Metric"].get("Dimensions", []),
                "Period": first.get("Period", 60),
                "Statistic": first.get("Stat", "Sum"),
            },
        )
        return {**alarm, "Metrics": metrics}

    return recorded


# ---- AWS::Budgets::Budget

budget_name = named("BudgetName", 100)


def budget_put(name: str, properties: dict):
    budget = {**properties["Budget"], "BudgetName": name}
    budget["BudgetLimit"] = {key: str(value) for key, value in budget["BudgetLimit"].items()}
    budgets._budgets[name] = {"Budget": budget}
    return name, {}


def budget_create(logical_id, properties, stack):
    return budget_put(budget_name(logical_id, properties["Budget"], stack), properties)


def budget_update(name, old, new, stack):
    return budget_put(name, new)


def budget_delete(name, properties):
    budgets._budgets.pop(name, None)


# ---- Properties that the provisioners drop


def with_dead_letters(change):
    """A function's dead-letter queue."""

    def changed(*arguments, **named_arguments):
        made = change(*arguments, **named_arguments)
        # Of (logical id, properties, stack), or of (id, old properties, new properties, stack).
        properties = [each for each in arguments if isinstance(each, dict)][-1]
        config = lambda_svc._functions[made[0]]["config"]
        config["DeadLetterConfig"] = properties.get("DeadLetterConfig") or {}
        return made

    return changed


def with_cors(change):
    """CORS of an HTTP API, which the provisioner keeps under the names of CloudFormation."""

    def changed(*arguments, **named_arguments):
        made = change(*arguments, **named_arguments)
        api = apigateway._apis[made[0]]
        cors = api.get("corsConfiguration")
        if cors:
            api["corsConfiguration"] = {key[0].lower() + key[1:]: cors[key] for key in cors}
        return made

    return changed


def with_own_address(create):
    """The address of an HTTP API, which ministack makes of a name that no machine resolves."""

    def created(*arguments, **named_arguments):
        api_id, attributes = create(*arguments, **named_arguments)
        here = f"{os.environ['MINISTACK_HOST']}:{os.environ['GATEWAY_PORT']}"
        address = f"http://{here}/_aws/execute-api/{api_id}"
        apigateway._apis[api_id]["apiEndpoint"] = address
        return api_id, attributes | {"ApiEndpoint": address}

    return created


def install() -> None:
    """Adds all of this to ministack's CloudFormation."""
    HANDLERS["AWS::Events::Archive"] = {
        "create": archive_create,
        "update": archive_update,
        "delete": archive_delete,
    }
    HANDLERS["AWS::CloudWatch::CompositeAlarm"] = {
        "create": composite_create,
        "update": composite_update,
        "delete": composite_delete,
    }
    HANDLERS["AWS::Budgets::Budget"] = {
        "create": budget_create,
        "update": budget_update,
        "delete": budget_delete,
    }
    provisioners._cw_metric_alarm_record = on_math(provisioners._cw_metric_alarm_record)
    for change in ("create", "update"):
        function, api = HANDLERS["AWS::Lambda::Function"], HANDLERS["AWS::ApiGatewayV2::Api"]
        function[change] = with_dead_letters(function[change])
        api[change] = with_cors(api[change])
    api["create"] = with_own_address(api["create"])

"""Alarms and dashboard: a metric that nobody measures is a promise that nobody keeps."""

import json
import re

import pytest

from conftest import REPOSITORY

ROLES = (
    "api",
    "invoke",
    "carriers",
    "bus",
    "import",
    "project",
    "notify",
    "query",
    "rebuild",
    "watch",
)
CONSUMERS = ("project", "notify")

FUNCTION = {("FunctionName",), ("FunctionName", "Resource")}
MAPPING = {("EventSourceMappingUUID",)}
TABLE = {("TableName",), ("TableName", "GlobalSecondaryIndexName")}
RULE = {("RuleName",), ("EventBusName", "RuleName")}

# The metrics of AWS that are used, and the sets of dimensions that each is kept under (from the
# services' own lists of metrics). `UserErrors`, for one, has none at all.
DIMENSIONS = {
    **{
        ("AWS/Lambda", name): FUNCTION
        for name in (
            "Invocations",
            "Errors",
            "Throttles",
            "Duration",
            "IteratorAge",
            "DeadLetterErrors",
            "DestinationDeliveryFailures",
        )
    },
    ("AWS/Lambda", "OnFailureDestinationDeliveredEventCount"): MAPPING,
    ("AWS/Lambda", "DroppedEventCount"): MAPPING,
    **{
        ("AWS/DynamoDB", name): TABLE
        for name in (
            "ReadThrottleEvents",
            "WriteThrottleEvents",
            "ConsumedReadCapacityUnits",
            "ConsumedWriteCapacityUnits",
        )
    },
    ("AWS/Events", "FailedInvocations"): RULE,
    ("AWS/Events", "InvocationsFailedToBeSentToDlq"): RULE,
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {("QueueName",)},
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): {("QueueName",)},
    **{
        ("AWS/ApiGateway", name): {("ApiId", "Stage")}
        for name in ("4xx", "5xx", "Count", "Latency")
    },
    ("AWS/States", "ExecutionsFailed"): {("StateMachineArn",)},
    ("AWS/States", "ExecutionsTimedOut"): {("StateMachineArn",)},
}


def own_metrics():
    """What infra/lambda/src/metrics.rs writes: (namespace, metric) → sets of dimensions."""
    source = (REPOSITORY / "infra/lambda/src/metrics.rs").read_text().split("#[cfg(test)]")[0]
    namespaces = dict(re.findall(r'const (ORDERS|SHIPMENTS|PROJECTIONS): &str = "([^"]+)"', source))
    assert len(namespaces) == 3
    found = {}
    for body in re.split(r"\n    pub fn ", source):
        names = re.findall(r'\(\s*"(\w+)",\s*"(?:Count|Milliseconds|Percent)"', body)
        # What is counted with a refusal's code has no dimension of its own.
        call = r"self\.write(?:_with_code)?\(\s*now,\s*(\w+),\s*(?:&\[([^\]]*)\]|\w+\.code,)"
        for namespace, more in re.findall(call, body):
            extra = tuple(re.findall(r'\("(\w+)"', more))
            for name in names:
                sets = found.setdefault((namespaces[namespace], name), set())
                sets.add(("Environment",))
                sets.add(("Environment", *extra))
    return found


KNOWN = DIMENSIONS | own_metrics()


def alarms(stacks):
    """Every alarm by the end of its name, those of the canary included."""
    made = [
        *stacks.operations.of("CloudWatch::Alarm").values(),
        *stacks.service.of("CloudWatch::Alarm").values(),
    ]
    start = stacks.name("")
    found = {alarm["AlarmName"].removeprefix(start): alarm for alarm in made}
    assert len(found) == len(made)
    return found


def dimensions(alarm):
    return {dimension["Name"]: dimension["Value"] for dimension in alarm.get("Dimensions", [])}


def measured(stacks, alarm_metric, **wanted):
    """The alarms on a metric with these dimensions."""
    return [
        alarm
        for alarm in alarms(stacks).values()
        if alarm["MetricName"] == alarm_metric and dimensions(alarm) == wanted
    ]


def check(stacks, namespace, metric, given):
    """There is such a metric, and what its dimensions name is there."""
    assert (namespace, metric) in KNOWN, f"{namespace} has no {metric}"
    sets = {frozenset(one) for one in KNOWN[(namespace, metric)]}
    assert frozenset(given) in sets, f"{metric} has no dimensions {sorted(given)}"
    tables = stacks.state.by("DynamoDB::Table", "TableName")
    rules = stacks.service.by("Events::Rule", "Name")
    functions = stacks.service.by("Lambda::Function", "FunctionName")
    if "FunctionName" in given:
        assert given["FunctionName"] in functions
    if "TableName" in given:
        indexes = tables[given["TableName"]].get("GlobalSecondaryIndexes", [])
        names = {index["IndexName"] for index in indexes}
        assert given.get("GlobalSecondaryIndexName") in {None, *names}
    if "RuleName" in given:
        assert rules[given["RuleName"]].get("EventBusName") == given.get("EventBusName")
    if "QueueName" in given:
        assert given["QueueName"] == stacks.state.only("SQS::Queue")["QueueName"]
    if "Stage" in given:
        assert given["Stage"] == stacks.service.only("ApiGatewayV2::Stage")["StageName"]
        assert "HttpApi" in given["ApiId"]
    if "Environment" in given:
        assert given["Environment"] == stacks.environment


def test_every_alarm_is_on_a_metric_that_there_is(stacks):
    for alarm in alarms(stacks).values():
        check(stacks, alarm["Namespace"], alarm["MetricName"], dimensions(alarm))


def test_every_alarm_tells_the_topic_and_only_the_one_on_silence_rings_without_data(stacks):
    topic = f"arn:aws:sns:us-east-1:<AWS::AccountId>:{stacks.name('alerts')}"
    for name, alarm in alarms(stacks).items():
        assert alarm["AlarmActions"] == [topic], name
        assert alarm.get("ActionsEnabled", True) is True
        missing = "breaching" if name == "sweep-silent" else "notBreaching"
        assert alarm["TreatMissingData"] == missing, name
        assert alarm["AlarmDescription"].endswith(".")


# The alarms that the business has always had: metric → (how it compares, threshold, seconds, periods, statistic).
ABOVE, AT_LEAST = "GreaterThanThreshold", "GreaterThanOrEqualToThreshold"
BELOW = "LessThanThreshold"
BUSINESS = {
    "OrderProcessingErrors": (ABOVE, 10, 300, 2, "Sum"),
    "ProcessingErrors": (ABOVE, 10, 300, 2, "Sum"),
    "ProcessingFailures": (AT_LEAST, 1, 60, 1, "Sum"),
    "AggregatesParked": (AT_LEAST, 1, 60, 1, "Sum"),
    "ParkedAggregates": (AT_LEAST, 1, 3600, 1, "Maximum"),
    "CommitsTampered": (AT_LEAST, 1, 60, 1, "Sum"),
    "SweptAggregates": (BELOW, 1, 3600, 2, "SampleCount"),
    "SweepUnfinished": (AT_LEAST, 1, 300, 1, "Sum"),
    "SweepUnreadable": (AT_LEAST, 1, 300, 1, "Sum"),
}


def rings(alarm):
    return (
        alarm["ComparisonOperator"],
        alarm["Threshold"],
        alarm["Period"],
        alarm["EvaluationPeriods"],
        alarm.get("Statistic") or alarm["ExtendedStatistic"],
    )


@pytest.mark.parametrize("metric", BUSINESS)
def test_what_the_business_watches_rings_as_it_always_did(stacks, metric):
    [alarm] = measured(stacks, metric, Environment=stacks.environment)
    assert rings(alarm) == BUSINESS[metric]


@pytest.mark.parametrize("role", ROLES)
def test_every_function_is_watched(stacks, role):
    function = {"FunctionName": stacks.name(role)}
    errors = [rings(alarm) for alarm in measured(stacks, "Errors", **function)]
    # One run of `watch` and Lambda's two retries never fail five times in five minutes.
    seldom = [(AT_LEAST, 3, 1800, 1, "Sum")] if role == "watch" else []
    assert sorted(errors) == sorted([(AT_LEAST, 5, 300, 1, "Sum"), *seldom])
    [throttles] = measured(stacks, "Throttles", **function)
    assert rings(throttles) == (AT_LEAST, 1, 300, 1, "Sum")
    [slow] = measured(stacks, "Duration", **function)
    timeout_ms = stacks.function(role)["Timeout"] * 1000
    if role in ("api", "carriers", "bus", "query"):
        assert rings(slow) == (ABOVE, 10_000, 300, 2, "Average")
        assert timeout_ms > 10_000
    elif role in ("import", "rebuild"):
        # They use their time and end by themselves, an import 25 s before its end.
        assert rings(slow) == (AT_LEAST, timeout_ms - 10_000, 300, 1, "p99")
    else:
        assert rings(slow) == (AT_LEAST, timeout_ms * 8 // 10, 300, 1, "p99")


@pytest.mark.parametrize("role", CONSUMERS)
def test_both_readers_of_the_stream_are_watched(stacks, role):
    function = {"FunctionName": stacks.name(role)}
    [behind] = measured(stacks, "IteratorAge", **function)
    assert behind["Statistic"] == "Maximum" and behind["Threshold"] <= 600_000
    for metric in ("OnFailureDestinationDeliveredEventCount", "DroppedEventCount"):
        found = [
            alarm
            for alarm in alarms(stacks).values()
            if alarm["MetricName"] == metric
            and f"Ref{role.capitalize()}Mapping" in dimensions(alarm)["EventSourceMappingUUID"]
        ]
        assert [rings(alarm) for alarm in found] == [(AT_LEAST, 1, 300, 1, "Sum")], metric
    assert measured(stacks, "DestinationDeliveryFailures", **function)


def test_every_table_and_index_is_watched_for_throttling(stacks):
    for table in stacks.state.of("DynamoDB::Table").values():
        name = {"TableName": table["TableName"]}
        places = [name] + [
            name | {"GlobalSecondaryIndexName": index["IndexName"]}
            for index in table.get("GlobalSecondaryIndexes", [])
        ]
        for place in places:
            for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
                [alarm] = measured(stacks, metric, **place)
                assert rings(alarm) == (AT_LEAST, 5, 300, 1, "Sum")


def test_every_queue_and_every_way_into_it_is_watched(stacks):
    for queue in stacks.state.of("SQS::Queue").values():
        [alarm] = measured(
            stacks, "ApproximateNumberOfMessagesVisible", QueueName=queue["QueueName"]
        )
        assert alarm["Threshold"] == 1 and alarm["ComparisonOperator"] == AT_LEAST
    for name, rule in stacks.service.by("Events::Rule", "Name").items():
        bus = {"EventBusName": rule["EventBusName"]} if "EventBusName" in rule else {}
        assert measured(stacks, "FailedInvocations", RuleName=name, **bus)
        if "DeadLetterConfig" in rule["Targets"][0]:
            assert measured(stacks, "InvocationsFailedToBeSentToDlq", RuleName=name, **bus)
    for function in stacks.service.of("Lambda::Function").values():
        if "DeadLetterConfig" in function:
            assert measured(stacks, "DeadLetterErrors", FunctionName=function["FunctionName"])


def test_the_http_api_and_the_rebuild_are_watched(stacks):
    found = {alarm["MetricName"] for alarm in alarms(stacks).values()}
    assert {"5xx", "ExecutionsFailed", "ExecutionsTimedOut"} <= found


def test_one_alarm_stands_for_all_that_cannot_wait(stacks):
    page = stacks.operations.only("CloudWatch::CompositeAlarm")
    ids = {
        alarm["AlarmName"]: id for id, alarm in stacks.operations.of("CloudWatch::Alarm").items()
    }
    named = set(re.findall(r"<(\w+)\.Arn>", page["AlarmRule"]))
    assert named <= set(ids.values()) and " AND " not in page["AlarmRule"]
    for name in ("tampered", "dead-letters", "5xx", "parking", "failures", "project-behind",
                 "notify-behind", "project-gave-up", "notify-gave-up", "project-dropped",
                 "notify-dropped"):  # fmt: skip
        assert ids[stacks.name(name)] in named, name
    assert page["AlarmActions"] and len(page["AlarmRule"]) < 10_000


def test_the_dashboard_shows_metrics_that_there_are(stacks):
    body = json.loads(stacks.operations.only("CloudWatch::Dashboard")["DashboardBody"])
    shown, named = set(), ""
    for widget in body["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], dict):
                named += metric[0]["expression"]
                continue
            namespace, name, *rest = (part for part in metric if isinstance(part, str))
            given = dict(zip(rest[::2], rest[1::2], strict=True))
            check(stacks, namespace, name, given)
            shown.add(name)
    # Of the systems before, and what else is ours.
    ours = {name for _, name in own_metrics()} - {"SweptAggregates", "CarrierWebhooks"}
    assert ours <= shown, ours - shown
    assert f'Environment="{stacks.environment}"' in named and "ShipmentUpdatesProcessed" in named
    assert "CarrierWebhooks" in named
    assert {"IteratorAge", "5xx", "Throttles", "ApproximateAgeOfOldestMessage"} <= shown


def test_the_budget_is_told_to_the_topic(prod, synthesise):
    budget = prod.operations.only("Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 1000, "Unit": "USD"}
    assert "CostFilters" not in budget["Budget"]
    for told in budget["NotificationsWithSubscribers"]:
        [subscriber] = told["Subscribers"]
        assert subscriber["SubscriptionType"] == "SNS"
        assert subscriber["Address"].endswith(prod.name("alerts"))
    tagged = synthesise("dev", budget_by_tag=True).operations.only("Budgets::Budget")
    assert tagged["Budget"]["CostFilters"] == {"TagKeyValue": ["user:environment$dev"]}
    assert not synthesise("dev", budget_usd=0).operations.of("Budgets::Budget")

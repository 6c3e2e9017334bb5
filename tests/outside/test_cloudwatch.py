"""What CloudWatch would say: metrics that functions print and AWS's own, and how alarms stand."""

from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from client import new_id
from orders import placed
from patience import until

ORDERS = "DeliveryApp/OrderProcessing"


def asked(client, namespace: str, name: str, statistic: str = "Sum", **dimensions: str) -> list[float]:
    """The values of the last quarter of an hour, the latest minute first."""
    now = datetime.now(timezone.utc)
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": named}
    stat = {"Metric": metric, "Period": 60, "Stat": statistic}
    answer = client.cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "one", "MetricStat": stat}],
        StartTime=now - timedelta(minutes=15),
        EndTime=now + timedelta(minutes=1),
    )
    (result,) = answer["MetricDataResults"]
    assert result["StatusCode"] == "Complete"
    assert all(time.second == 0 for time in result["Timestamps"])
    assert result["Timestamps"] == sorted(result["Timestamps"], reverse=True)
    return result["Values"]


def alarms(client, **wanted) -> dict[str, dict]:
    found = client.cloudwatch.describe_alarms(AlarmNamePrefix="waybill-dev-", **wanted)
    return {alarm["AlarmName"]: alarm for alarm in found["MetricAlarms"]}


def test_orders_and_updates_are_counted_by_the_minute(client):
    def processed() -> float:
        return sum(asked(client, ORDERS, "OrdersProcessed", Environment="dev"))

    before = processed()
    for _ in range(3):
        placed(client)
    until("three more orders are counted", lambda: processed() == before + 3)
    client.update(new_id("ship"), {"status": "LOST"}).ok()
    lost = {"Environment": "dev", "Status": "LOST"}
    until(
        "an update is counted by its status",
        lambda: sum(asked(client, "LogisticsProcessing", "ShipmentUpdatesProcessed", **lost)) >= 1,
    )


def test_consumers_of_the_stream_and_the_queue_are_measured(client):
    placed(client)
    for role in ("project", "notify"):
        function = {"FunctionName": f"waybill-dev-{role}"}
        until(
            f"{role} is measured",
            lambda: asked(client, "AWS/Lambda", "IteratorAge", "Maximum", **function),
        )
    queue = {"QueueName": "waybill-dev-dead-letters"}
    depth = "ApproximateNumberOfMessagesVisible"
    until("the queue is measured", lambda: asked(client, "AWS/SQS", depth, "Maximum", **queue))


def test_an_alarm_rings_for_a_dead_letter_and_says_why(client):
    name = "waybill-dev-dead-letters"
    before = alarms(client)[name]
    assert (before["StateValue"], before["Threshold"], before["Period"]) == ("OK", 1.0, 300)
    assert before["AlarmActions"][0].endswith(":waybill-dev-alerts")
    # An event of the bus that can never succeed.
    client.put_event({"shipmentId": new_id("ship")})
    until("the alarm rings", lambda: alarms(client)[name]["StateValue"] == "ALARM")
    rings = alarms(client, StateValue="ALARM")
    assert name in rings
    assert "Threshold Crossed" in rings[name]["StateReason"]
    assert rings[name]["StateTransitionedTimestamp"] > before["StateTransitionedTimestamp"]


def test_what_is_not_offered_is_refused(client):
    with pytest.raises(ClientError) as refused:
        asked(client, ORDERS, "OrdersProcessed", "p99", Environment="dev")
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValue"
    with pytest.raises(ClientError) as refused:
        client.cloudwatch.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "a"}])
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"

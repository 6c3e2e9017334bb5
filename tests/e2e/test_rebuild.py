"""The state machine mends every row, and tells nobody."""

import json

from client import new_id
from deployed import NAME
from patience import until
from rest import at_rest, snapshot

REBUILD_SECONDS = 120


def run(waybill) -> dict:
    """One execution of the state machine, to its end."""
    started = waybill.states.start_execution(
        stateMachineArn=waybill.outputs["RebuildMachineArn"],
        input=json.dumps({"run": new_id("run"), "segments": 4, "buckets": 4, "mend": True}),
    )
    described = lambda: waybill.states.describe_execution(executionArn=started["executionArn"])

    def ended():
        execution = described()
        return execution if execution["status"] != "RUNNING" else None

    return until("the end of the rebuild", ended, REBUILD_SECONDS)


def test_rows_that_were_changed_lost_and_invented_are_as_they_were(waybill, inbox):
    at_rest(waybill, inbox)
    before = snapshot(waybill)
    said = len(inbox.announced), len(inbox.alerts)
    changed, lost = waybill.rows("processed-orders")[:2]
    table = {"TableName": f"{NAME}-processed-orders"}
    waybill.dynamodb.update_item(
        **table,
        Key={"orderId": {"S": changed["orderId"]}},
        UpdateExpression="SET customerId = :other",
        ExpressionAttributeValues={":other": {"S": "somebody-else"}},
    )
    waybill.dynamodb.delete_item(**table, Key={"orderId": {"S": lost["orderId"]}})
    waybill.dynamodb.put_item(
        **table, Item={"orderId": {"S": new_id("INVENTED")}, "version": {"N": "1"}}
    )
    assert snapshot(waybill) != before
    execution = run(waybill)
    assert execution["status"] == "SUCCEEDED", execution
    after = snapshot(waybill)
    for name, rows in before.items():
        assert after[name] == rows, f"{name} is not as it was"
    inbox.drain()
    assert (len(inbox.announced), len(inbox.alerts)) == said


def test_what_the_schedule_sends_is_understood(waybill, inbox):
    at_rest(waybill, inbox)
    before = snapshot(waybill)
    assert waybill.events.describe_rule(Name=f"{NAME}-sweep")["State"] == "ENABLED"
    [target] = waybill.events.list_targets_by_rule(Rule=f"{NAME}-sweep")["Targets"]
    assert target["Arn"].endswith(f":function:{NAME}-rebuild"), target
    waybill.invoke("rebuild", target["Input"])
    # Rows that are right stay as they are.
    assert snapshot(waybill) == before

"""The console in front of the deployed environment: what the policy `waybill-<env>-console` shows, and
what it does not let anybody do."""

import pytest
from botocore.exceptions import ClientError

from client import new_id
from console import Console
from deployed import NAME, Caller
from deployment import ENVIRONMENT
from orders import order, update
from process import ACCOUNT

DENIED = {"AccessDenied", "AccessDeniedException"}


def policy(waybill, whose: str) -> str:
    return waybill.outputs[f"{whose.capitalize()}PolicyArn"]


@pytest.fixture(scope="module")
def start(waybill, tmp_path_factory):
    """Starts consoles with the credentials of somebody, and ends them."""
    running = []

    def started(caller: Caller, *more: str) -> Console:
        folder = tmp_path_factory.mktemp("console")
        console = Console(waybill.aws, caller.cloud.credentials, *more, folder=folder)
        running.append(console)
        return console

    yield started
    for console in running:
        console.stop()


@pytest.fixture(scope="module")
def viewer(waybill) -> Caller:
    """Somebody who has the console's policy, and nothing else."""
    return Caller(waybill.cloud, "e2e-viewer", policy=policy(waybill, "console"))


@pytest.fixture(scope="module")
def console(viewer, start) -> Console:
    return start(viewer).start()


@pytest.fixture(scope="module")
def placed(waybill) -> str:
    """An order that the shop completes, whose shipment is lost."""
    order_id, shipment_id = new_id("ORD"), new_id("SHIP")
    body = order(orderId=order_id, customerId=order_id, fulfilment="merchant")
    waybill.place(body, new_id("key")).ok()
    waybill.order(order_id)
    sent = update(shipment_id, orderId=order_id, status="LOST")
    version = waybill.update(shipment_id, sent, new_id("key")).ok()["version"]
    waybill.get(f"/shipments/{shipment_id}?minVersion={version}").ok()
    return order_id


@pytest.fixture(scope="module")
def shipped(waybill, placed) -> str:
    [shipment] = waybill.get(f"/shipments?orderId={placed}").ok()["items"]
    return shipment["shipmentId"]


def test_the_environment_says_where_its_api_is(waybill, console):
    assert f"environment {ENVIRONMENT} at {waybill.outputs['ApiUrl']} is" in console.said


def test_orders(console, placed):
    for address in ("/orders", "/orders?status=PROCESSING", f"/orders?customerId={placed}"):
        page = console.get(address)
        assert page.status == 200, page.text
        assert placed in page.text and "109.97 USD" in page.text and ENVIRONMENT in page.text


def test_an_order(console, placed, shipped):
    page = console.get(f"/orders/{placed}")
    assert page.status == 200, page.text
    for told in (placed, "Why it is PROCESSING", "109.97 USD", "prod1", "prod2", shipped, "LOST"):
        assert told in page.text, told


def test_the_history_of_an_order(console, placed):
    page = console.get(f"/orders/{placed}/history")
    assert page.status == 200, page.text
    # Who placed it is the role that signed, and no name that somebody sent.
    for told in ("OrderPlaced", f"{ACCOUNT}:assumed-role/e2e-shop", "The row after event 1"):
        assert told in page.text, told


def test_shipments(console, placed, shipped):
    for address in ("/shipments", "/shipments?status=LOST", f"/shipments?orderId={placed}"):
        page = console.get(address)
        assert page.status == 200 and shipped in page.text, page.text


def test_a_shipment(console, placed, shipped):
    page = console.get(f"/shipments/{shipped}")
    assert page.status == 200, page.text
    for told in (shipped, "LOST", "Memphis, TN", "FedEx", placed):
        assert told in page.text, told


def test_what_is_searched_for_is_found(console, placed, shipped):
    for sought in (placed, shipped):
        assert sought in console.get(f"/find?q={sought}").text


@pytest.mark.enforced
def test_who_may_look_changes_nothing_and_is_told_what_is_missing(waybill, console, placed):
    before = waybill.order(placed)
    action = f"/orders/{placed}/complete"
    page = console.send(action, console.get(f"/orders/{placed}").form(action))
    assert page.status == 403, page.text
    assert f"POST /orders/{placed}/complete was answered 403" in page.text
    assert f"these credentials may not do it. The policy {NAME}-operator lets them" in page.text
    assert "Nothing was changed" in page.text
    assert waybill.order(placed) == before and before["status"] == "PROCESSING"
    assert len(waybill.history(placed)) == 1


# Who draws a page has no `Scan` of a table that grows: the console's policy here, and the role of
# `query` in test_permissions.py. So a page that is drawn was drawn without.
@pytest.mark.enforced
@pytest.mark.parametrize("suffix", ["events", "processed-orders", "shipment-log"])
def test_no_page_scans_a_table(viewer, suffix):
    with pytest.raises(ClientError) as refused:
        viewer.cloud.dynamodb.scan(TableName=f"{NAME}-{suffix}", Limit=1)
    assert refused.value.response["Error"]["Code"] in DENIED, refused.value


def look(cloud, waybill, suffix="parked"):
    cloud.dynamodb.scan(TableName=f"{NAME}-{suffix}", Limit=1)


def count_dead_letters(cloud, waybill):
    queue = waybill.outputs["DeadLettersQueueUrl"]
    cloud.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])


def list_dead_records(cloud, waybill):
    cloud.s3.list_objects_v2(Bucket=waybill.dead_letters_bucket)


def list_reports(cloud, waybill):
    cloud.s3.list_objects_v2(Bucket=waybill.bucket, Prefix="reports/")


def describe(cloud, waybill):
    cloud.dynamodb.describe_table(TableName=f"{NAME}-events")


def get_alarms(cloud, waybill):
    cloud.client("cloudwatch").describe_alarms(AlarmNamePrefix=NAME)


def get_missing_report(cloud, waybill):
    """What is not there is missing, and not forbidden."""
    with pytest.raises(ClientError) as missing:
        cloud.s3.get_object(Bucket=waybill.bucket, Key="reports/orders/none/1/report.json")
    assert missing.value.response["Error"]["Code"] == "NoSuchKey", missing.value


MAY = [look, count_dead_letters, list_dead_records, list_reports, describe, get_alarms]


@pytest.mark.enforced
@pytest.mark.parametrize("act", [*MAY, get_missing_report], ids=lambda act: act.__name__)
def test_the_console_sees_what_it_shows(waybill, viewer, act):
    act(viewer.cloud, waybill)


def take_dead_letters(cloud, waybill):
    cloud.sqs.receive_message(QueueUrl=waybill.outputs["DeadLettersQueueUrl"])


def open_dead_record(cloud, waybill):
    cloud.s3.get_object(Bucket=waybill.dead_letters_bucket, Key="aws/lambda/any")


def forget_parked(cloud, waybill):
    cloud.dynamodb.delete_item(TableName=f"{NAME}-parked", Key={"id": {"S": "nobody"}})


def read_file(cloud, waybill):
    cloud.s3.get_object(Bucket=waybill.bucket, Key="orders/any.json")


def invoke(cloud, waybill):
    cloud.functions.invoke(FunctionName=f"{NAME}-rebuild", Payload=b"{}")


def mend(cloud, waybill):
    item = {"orderId": {"S": "nobody"}}
    cloud.dynamodb.put_item(TableName=f"{NAME}-processed-orders", Item=item)


MAY_NOT = [take_dead_letters, open_dead_record, forget_parked, read_file, invoke, mend]


@pytest.mark.enforced
@pytest.mark.parametrize("act", MAY_NOT, ids=lambda act: act.__name__)
def test_the_console_does_nothing_else(waybill, viewer, act):
    with pytest.raises(ClientError) as refused:
        act(viewer.cloud, waybill)
    assert refused.value.response["Error"]["Code"] in DENIED, refused.value


@pytest.mark.enforced
def test_without_any_policy_the_console_does_not_start_and_says_what_is_missing(waybill, start):
    nobody = Caller(waybill.cloud, "e2e-nobody", action="execute-api:Invoke")
    console = start(nobody)
    assert console.ended() == 1
    for told in (f"{NAME}-rebuild", f"the policy {NAME}-console", "--api-url"):
        assert told in console.said, console.said


@pytest.mark.enforced
def test_with_the_address_the_gateway_alone_is_asked(waybill, start):
    """Somebody who may ask nobody where the API is, and may not ask the API either."""
    nobody = Caller(waybill.cloud, "e2e-stray", action="execute-api:ManageConnections")
    console = start(nobody, "--api-url", waybill.outputs["ApiUrl"]).start()
    page = console.get("/orders")
    assert page.status == 403, page.text
    assert f"may not see it. The policy {NAME}-console lets them" in page.text


@pytest.mark.enforced
def test_with_the_operators_policy_beside_it_orders_are_completed_but_not_placed(
    waybill, start, placed
):
    operator = Caller(waybill.cloud, "e2e-mender", policy=policy(waybill, "console"))
    waybill.cloud.iam.attach_role_policy(
        RoleName="e2e-mender", PolicyArn=policy(waybill, "operator")
    )
    console = start(operator).start()
    action = f"/orders/{placed}/complete"
    page = console.send(action, console.get(f"/orders/{placed}").form(action))
    assert page.status == 200 and "PROCESSED" in page.text, page.text
    assert waybill.order(placed, version=2)["status"] == "PROCESSED"
    mine, waybill.caller = waybill.caller, operator
    try:
        assert waybill.place(order(orderId=new_id("ORD")), new_id("key")).status == 403
    finally:
        waybill.caller = mine

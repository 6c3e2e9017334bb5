"""Every page of the console and every kind of action, in front of the deployed environment: whoever has
the policy `waybill-<env>-console` alone reads all of them but dead letters, changes nothing, and is told
which action was denied and which policy is missing."""

import json
import re
import subprocess
import uuid
from urllib.parse import quote

import pytest

from client import new_id
from console import BINARY, Console, Page
from deployed import NAME, Caller
from deployment import ENVIRONMENT
from exact import json_text
from orders import order, update
from patience import until
from process import REGION, environment

PROVIDERS = ("easypost", "aftership", "shipengine", "shippo", "17track", "sendcloud")
CONSOLE, OPERATOR = f"{NAME}-console", f"{NAME}-operator"
LETS = f"The policy {OPERATOR} lets them"

pytestmark = pytest.mark.enforced


@pytest.fixture(scope="module")
def viewer(waybill) -> Caller:
    policy = waybill.outputs["ConsolePolicyArn"]
    return Caller(waybill.cloud, "e2e-reader", policy=policy)


@pytest.fixture(scope="module")
def operator(waybill) -> Caller:
    """Somebody who has the operator's policy beside it."""
    caller = Caller(waybill.cloud, "e2e-console-operator", policy=waybill.outputs["ConsolePolicyArn"])
    policy = waybill.outputs["OperatorPolicyArn"]
    waybill.cloud.iam.attach_role_policy(RoleName="e2e-console-operator", PolicyArn=policy)
    return caller


def started(waybill, caller: Caller, folder) -> Console:
    return Console(waybill.aws, caller.cloud.credentials, folder=folder)


@pytest.fixture(scope="module")
def console(waybill, viewer, tmp_path_factory):
    running = started(waybill, viewer, tmp_path_factory.mktemp("reader"))
    yield running.start()
    running.stop()


@pytest.fixture(scope="module")
def theirs(waybill, operator, tmp_path_factory):
    """The operator's console."""
    running = started(waybill, operator, tmp_path_factory.mktemp("operator"))
    yield running.start()
    running.stop()


@pytest.fixture(scope="module")
def there(waybill):
    """One of everything that a page is about, by its name."""
    # That a secret is missing is kept for a while by whoever was asked for it: it is made first.
    secret = f"waybill/{ENVIRONMENT}/carriers/sendcloud"
    waybill.secrets.create_secret(Name=secret, SecretString="s3cret")
    names = {what: new_id(what) for what in ("ORD", "SHIP", "WRONG", "PARKED", "F")}
    placed = order(orderId=names["ORD"], fulfilment="merchant")
    waybill.place(placed, new_id("key")).ok()
    sent = update(names["SHIP"], orderId=names["ORD"], status="LOST")
    waybill.update(names["SHIP"], sent, new_id("key")).ok()
    waybill.place(order(orderId=names["WRONG"]), new_id("key")).ok()
    commit = {
        "aggregate": {"S": f"order#{names['PARKED']}"},
        "sequence": {"N": "1"},
        "events": {"S": "not JSON"},
    }
    waybill.dynamodb.put_item(TableName=f"{NAME}-events", Item=commit)
    waybill.put_event({"status": "DELIVERED"})
    names["letter"] = f"aws/lambda/{uuid.uuid4()}/shardId-1/2026/03/01/{uuid.uuid4()}"
    record = {"Bucket": waybill.dead_letters_bucket, "Key": names["letter"]}
    waybill.s3.put_object(**record, Body=b"nobody can read it")
    file = {"Bucket": waybill.bucket, "Key": f"orders/{names['F']}.json"}
    good, bad = order(orderId=names["F"]), order(orderId=new_id("BAD"), items=[])
    waybill.s3.put_object(**file, Body=json_text([good, bad]).encode())
    waybill.order(names["ORD"])
    waybill.shipment(names["SHIP"])
    reports = {"Bucket": waybill.bucket, "Prefix": f"reports/orders/{names['F']}.json/"}
    reported = lambda: [
        each["Key"]
        for each in waybill.s3.list_objects_v2(**reports).get("Contents", [])
        if each["Key"].endswith("/report.json")
    ]
    names["version"] = until("a report", reported)[0].split("/")[-2]
    until("it is parked", lambda: waybill.item("parked", id=f"project#order#{names['PARKED']}"))
    # It is no longer what follows from its events.
    row = until("a row", lambda: waybill.item("processed-orders", orderId=names["WRONG"]))
    assert row
    waybill.dynamodb.update_item(
        TableName=f"{NAME}-processed-orders",
        Key={"orderId": {"S": names["WRONG"]}},
        UpdateExpression="SET customerId = :other",
        ExpressionAttributeValues={":other": {"S": "somebody-else"}},
    )
    yield names
    waybill.secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)


def aggregate(of: str) -> str:
    return quote(of, safe="")


# What a page shows, in which `{ORD}` and so on stand for what is there.
PAGES = {
    "/": ["Orders a minute", "Rows behind by", "{SHIP}", "orders/{F}.json", "None of"],
    "/orders": ["{ORD}"],
    "/orders/{ORD}": ["PROCESSING", "109.97 USD"],
    "/orders/{ORD}/history": ["OrderPlaced"],
    "/orders/{ORD}?at=2030-01-01": ["{ORD}"],
    "/shipments": ["{SHIP}"],
    "/shipments?stalled=true": ["Stalled"],
    "/shipments/{SHIP}": ["LOST"],
    "/find?q={ORD}": ["{ORD}"],
    "/files": ["orders/{F}.json", "done 2 1 0 1"],
    "/files/orders%2F{F}.json/{version}": ["items"],
    "/read-models": [f"{NAME}-processed-orders", "not behind", "Rebuilds on AWS", "The last sweep"],
    "/read-models/verify": ["read units"],
    "/read-models/rebuild?only=shipment-log": ["read units"],
    "/read-models/run?kind=verify": ["Read models"],
    "/read-models/rows?aggregate=order%23{WRONG}": ["somebody-else"],
    "/messages?aggregate=order%23{ORD}": ["order#{ORD}/1/Order Created"],
    "/messages/announce?aggregate=order%23{ORD}": ["order#{ORD}/1/Order Created"],
    "/stuck": ["{PARKED}", "unreadable_commit", "counted here, and not opened", LETS],
    "/stuck/parked?consumer=project&aggregate=order%23{PARKED}": ["event 1"],
    "/stuck/retry": ["parked", "dead letters"],
    "/webhooks": ["easypost", "in the last 24 hours"],
    "/webhooks?ask=true": ["is set", "is not set"],
}


@pytest.mark.parametrize("address", PAGES)
def test_who_may_look_sees_every_page(console, there, address):
    page = console.get(address.format(**there))
    assert page.status == 200, page.text
    for told in PAGES[address]:
        assert told.format(**there) in page.text, page.text
    # Nothing of it is missing.
    for missing in ("is missing:", "Not known here", "is not known here", CONSOLE):
        assert missing not in page.text, page.text


LETTERS = ["place=stream&name={letter}", "place=message&name=any"]


@pytest.mark.parametrize("which", LETTERS)
@pytest.mark.parametrize("more", ["", "&content=true"])
def test_a_dead_letter_is_the_operators(console, there, which, more):
    page = console.get(f"/stuck/letter?{which.format(**there)}{more}")
    assert page.status == 403, page.text
    action = "s3:GetObject" if "stream" in which else "sqs:ReceiveMessage"
    assert f"these credentials may not do it ({action}). {LETS}" in page.text, page.text


def test_the_raw_report_of_a_file_is_shown(console, there):
    page = console.get(f"/files/orders%2F{there['F']}.json/{there['version']}/raw")
    assert page.status == 200 and json.loads(page.html)["rejected"], page.html


# Each form, on the page that has it, and the action that is denied; the API's commands are denied by
# the gateway, which names none.
AT_ONCE = [
    ("/orders/{ORD}", "/orders/{ORD}/complete", {}, ""),
    ("/orders/{ORD}", "/orders/{ORD}/cancel", {"reason": "no"}, ""),
    ("/shipments/{SHIP}", "/shipments/{SHIP}/updates", {"status": "DELIVERED"}, ""),
    (
        "/messages/announce?aggregate=order%23{ORD}",
        "/messages/announce?aggregate=order%23{ORD}",
        {},
        "events:PutEvents",
    ),
    (
        "/messages/announce?aggregate=order%23{ORD}&event=1",
        "/messages/announce?aggregate=order%23{ORD}&event=1",
        {},
        "events:PutEvents",
    ),
    (
        "/read-models/rows?aggregate=order%23{WRONG}",
        "/read-models/rows?aggregate=order%23{WRONG}",
        {},
        "dynamodb:PutItem",
    ),
]


@pytest.mark.parametrize("page, action, fields, denied", AT_ONCE, ids=lambda it: str(it)[:40])
def test_a_change_is_denied_and_names_what_is_missing(
    waybill, console, there, page, action, fields, denied
):
    before = [waybill.order(there[each]) for each in ("ORD", "WRONG")]
    page, action = page.format(**there), action.format(**there)
    answer = console.send(action, console.get(page).form(action) | fields)
    assert answer.status == 403, answer.text
    named = f" ({denied})" if denied else ""
    assert f"these credentials may not do it{named}. {LETS}" in answer.text
    assert "Nothing was changed" in answer.text
    assert [waybill.order(there[each]) for each in ("ORD", "WRONG")] == before
    assert waybill.get(f"/shipments/{there['SHIP']}").ok()["status"] == "LOST"


# What goes on in the console's process: the page of it says how it has ended.
RUNS = [
    ("/read-models/verify", "/read-models/run/verify", "/read-models/run?kind=verify"),
    (
        "/read-models/rebuild?only=shipment-log",
        "/read-models/run/rebuild?only=shipment-log",
        "/read-models/run?kind=rebuild",
    ),
]


@pytest.mark.parametrize("page, action, address", RUNS)
def test_a_run_is_denied_and_names_what_is_missing(console, page, action, address):
    console.send(action, console.get(page).form(action))

    def ended() -> Page | None:
        shown = console.get(address)
        return shown if LETS in shown.text else None

    shown = until("the end of the run", ended)
    assert "these credentials may not do it (dynamodb:Scan)" in shown.text


def parked(there) -> str:
    return f"consumer=project&aggregate=order%23{there['PARKED']}"


def test_a_retry_of_what_is_parked_says_what_is_missing_or_why_it_stays(waybill, console, there):
    action = f"/stuck/retry?{parked(there)}"
    form = console.get(f"/stuck/parked?{parked(there)}").form(action)
    shown = console.send(action, form)
    # Its events cannot be read: so nothing was written, and it stays as it is.
    assert "0 set going again, 1 still stuck" in shown.text, shown.text
    assert waybill.item("parked", id=f"project#order#{there['PARKED']}")


@pytest.mark.parametrize("which", LETTERS)
def test_a_retry_of_a_dead_letter_is_denied_and_names_what_is_missing(console, there, which):
    form = console.get("/stuck/retry").form("/stuck/retry")
    console.send(f"/stuck/retry?{which.format(**there)}", form)
    shown = until("its end", lambda: over(console))
    assert LETS in shown.text and "these credentials may not do it" in shown.text, shown.text


def over(console) -> Page | None:
    shown = console.get("/stuck")
    ended = "still stuck" in shown.text or "has ended before its end" in shown.text
    return shown if ended else None


def test_a_retry_of_all_is_denied_and_names_what_is_missing(waybill, console, there):
    form = console.get("/stuck/retry").form("/stuck/retry")
    console.send("/stuck/retry", form)
    shown = until("its end", lambda: over(console))
    assert LETS in shown.text and "(sqs:ReceiveMessage)" in shown.text, shown.text
    kept = waybill.s3.list_objects_v2(Bucket=waybill.dead_letters_bucket, Prefix=there["letter"])
    assert kept["KeyCount"] == 1


def test_with_the_operators_policy_beside_it_letters_are_opened_and_rows_mended(
    waybill, theirs, there
):
    page = theirs.get(f"/stuck/letter?place=stream&name={there['letter']}&content=true")
    assert page.status == 200 and "nobody can read it" in page.text, page.text
    page = theirs.get("/stuck")
    assert page.status == 200 and "not opened" not in page.text, page.text
    action = f"/read-models/rows?aggregate={aggregate('order#' + there['WRONG'])}"
    page = theirs.send(action, theirs.get(action).form(action))
    assert page.status == 200, page.text
    assert waybill.item("processed-orders", orderId=there["WRONG"])["customerId"] != "somebody-else"


# The command line, which asks the same functions.


def command(waybill, caller: Caller, *words: str) -> subprocess.CompletedProcess:
    given = caller.cloud.credentials
    variables = environment(
        AWS_ENDPOINT_URL=waybill.aws,
        AWS_REGION=REGION,
        AWS_ACCESS_KEY_ID=given.access_key,
        AWS_SECRET_ACCESS_KEY=given.secret_key,
        AWS_SESSION_TOKEN=given.token,
    )
    line = [str(BINARY), *words, "--env", ENVIRONMENT]
    return subprocess.run(line, capture_output=True, text=True, env=variables, timeout=60)


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_the_command_status_says_how_the_alarms_stand(waybill, there, who, request):
    told = command(waybill, request.getfixturevalue(who), "status")
    assert told.returncode == 3, told.stdout + told.stderr
    alarms = told.stdout.partition("alarms\n")[2]
    assert re.match(r"  (none rings|\S+ rings since )", alarms), told.stdout


def test_the_command_carriers_says_of_each_provider_whether_its_secret_is_set(
    waybill, viewer, there
):
    told = command(waybill, viewer, "carriers")
    assert told.returncode == 0, told.stderr
    rows = dict(line.split(maxsplit=1) for line in told.stdout.splitlines())
    assert set(rows) == set(PROVIDERS) and len(set(rows.values())) == 2, rows
    said = {each for each, told in rows.items() if told == "secret is set"}
    # Whoever is asked keeps for a while what there was before: that of `test_carriers`, or this one.
    assert said and said <= {"easypost", "sendcloud"}, rows

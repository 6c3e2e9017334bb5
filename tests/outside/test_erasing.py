"""A person is erased: by the command and over HTTP; what is left is what was announced."""

import gzip
import json
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from client import Client, new_id
from exact import json_text
from expect import at_rest
from operator_cli import FAILED, WELL, WRONG, environment, start, waybill
from orders import order, snack_order
from patience import until
from system import REPOSITORY, System, binary
from traces import found_in, forms

ERASED = "[erased]"
COMMANDS = {"Source": "orders.commands", "EventBusName": "waybill-dev"}
ANN, BOB = "C-ann", "C-bob"


def personal(who: str) -> dict:
    return {
        "customerName": f"{who} Überquetzalin",
        "personal": {
            "mail": f"{who}.quetzal@überpost.example",
            "address": {"street": f"{who} Gülbahçe Sokağı 7"},
        },
    }


def secrets(who: str) -> dict[str, str]:
    """What must not be found: pieces long enough to be nobody else's."""
    mine = personal(who)
    return {
        "name": mine["customerName"],
        "mail": mine["personal"]["mail"],
        "street": mine["personal"]["address"]["street"],
    }


@dataclass
class Story:
    system: System
    orders: dict[str, list[str]] = field(default_factory=lambda: {ANN: [], BOB: []})
    body: dict = field(default_factory=dict)
    placed: dict = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)

    @property
    def client(self) -> Client:
        return self.system.client


def of(customer: str, **changes) -> dict:
    who = customer.removeprefix("C-")
    mine = {"orderId": new_id("E"), "customerId": customer} | personal(who)
    return order(**mine | changes)


def uploaded(client: Client, key: str, orders: list[dict], packed: bool = False) -> None:
    body = json.dumps([json.loads(json_text(each)) for each in orders]).encode()
    client.put(key, gzip.compress(body) if packed else body)


def wrapped(client: Client) -> dict[str, bytes]:
    items = client.dynamodb.scan(TableName="waybill-dev-keys")["Items"]
    return {it["owner"]["S"]: it["wrapped"]["B"] for it in items if "wrapped" in it}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Two customers whose orders came in by every way."""
    system = System(tmp_path_factory.mktemp("erasing")).start()
    story = Story(system)
    client = system.client
    shared, files = [], {ANN: [], BOB: []}
    for customer, ids in story.orders.items():
        over_http, on_the_bus = of(customer), of(customer)
        story.body[customer] = over_http
        story.placed[customer] = client.place(over_http, key=f"key-{customer}").ok()
        client.put_event(on_the_bus, DetailType="Place Order", **COMMANDS)
        snack = personal(customer.removeprefix("C-")) | {"orderId": new_id("E"), "customerId": customer}
        client.invoke("invoke", snack_order(**snack))
        files[customer] = [of(customer), of(customer)]
        shared.append(of(customer))
        ids += [over_http["orderId"], on_the_bus["orderId"], snack["orderId"]]
        ids += [each["orderId"] for each in files[customer]] + [shared[-1]["orderId"]]
    uploaded(client, "orders/ann.json", files[ANN][:1])
    until("the first upload", lambda: client.get(f"/orders/{files[ANN][0]['orderId']}").status == 200)
    uploaded(client, "orders/ann.json", files[ANN], packed=True)
    uploaded(client, "orders/shared.json", shared)
    uploaded(client, "orders/bob.json", files[BOB])
    for ids in story.orders.values():
        for each in ids:
            client.order(each)
    at_rest(client)
    story.keys = wrapped(client)
    assert set(story.keys) == {f"customer#{ANN}", f"customer#{BOB}"}
    yield story
    system.kill()


def shown(client: Client, order_id: str) -> set[str]:
    """Every personal value that rows, history and lists show of an order."""
    row = client.get(f"/orders/{order_id}").ok()
    [placed, *_] = client.history(order_id)
    at = client.get(f"/orders/{order_id}?at={row['updatedAt']}").ok()
    listed = client.get(f"/orders?customerId={row['customerId']}&limit=100").ok()["items"]
    values = [each[name] for each in (row, placed["data"], at) for name in ("customerName", "personal")]
    values += [each["customerName"] for each in listed if each["orderId"] == order_id]
    assert len(values) == 7 and "sealed" not in placed["data"]
    return {json.dumps(each, sort_keys=True) for each in values}


def is_open(client: Client, customer: str, order_id: str) -> bool:
    return json.dumps(personal(customer.removeprefix("C-"))["personal"], sort_keys=True) in shown(
        client, order_id
    )


def is_erased(client: Client, order_id: str) -> bool:
    return shown(client, order_id) == {f'"{ERASED}"'}


def says_no_secret(text: str, who: str) -> None:
    assert [form for secret in secrets(who).values() for form in forms(secret).values() if form in text.encode()] == []


def test_before_it_the_search_finds_every_secret(story):
    hits = found_in(story.system.data, secrets("ann") | {"key": story.keys[f"customer#{ANN}"]})
    assert {name for _, name, _ in hits} == {"name", "mail", "street", "key"}
    assert len({file for file, _, _ in hits}) >= 3, hits


def test_a_dry_run_says_all_of_it_and_changes_nothing(story):
    ran = waybill(story.system, "erase", "customer", ANN, "--dry-run", "--json")
    assert ran.code == WELL, ran.err
    plan = ran.json
    assert plan["owner"] == f"customer#{ANN}" and plan["key"]["state"] == "there"
    assert (plan["orders"]["number"], plan["orders"]["rows"]) == (6, 6)
    assert plan["orders"]["storedOpenly"] == plan["orders"]["unreadable"] == 0
    states = {each["file"].rpartition("/")[2]: each for each in plan["files"]}
    assert {name: each["state"] for name, each in states.items()} == {
        "ann.json": "toBeRemoved",
        "shared.json": "shared",
    }
    assert [each["orders"] for each in states["ann.json"]["versions"]] == [2, 1]
    [only] = states["shared.json"]["versions"]
    assert (only["orders"], only["others"], only["ends"]) == (1, 1, "never")
    text = waybill(story.system, "erase", "customer", ANN, "--dry-run")
    assert text.code == WELL and "6 orders since" in text.out
    assert "shared.json holds orders of others, too, and stays until somebody removes it" in text.out
    for said in (ran, text):
        says_no_secret(said.out + said.err, "ann")
    assert is_open(story.client, ANN, story.orders[ANN][0])
    assert wrapped(story.client) == story.keys


@pytest.mark.parametrize("typed", ["", "C-bob\n", "yes\n"])
def test_who_does_not_type_the_id_erases_nothing(story, typed):
    ran = subprocess.run(
        [binary(), "erase", "customer", ANN, "--endpoint-url", story.client.aws],
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(),
        check=False,
    )
    assert ran.returncode == FAILED and "nothing was done" in ran.stderr
    assert wrapped(story.client) == story.keys


def test_who_is_not_known_is_said_to_be_so(story):
    for words in (["customer", "C-nobody"], ["order", "E-nobody"]):
        ran = waybill(story.system, "erase", *words, "--yes")
        assert ran.code == FAILED and "nothing is known of" in ran.err
    of_ann = waybill(story.system, "erase", "order", story.orders[ANN][0], "--yes")
    assert of_ann.code == 2 and f"erase the customer {ANN}" in of_ann.err


def test_a_dead_letter_is_named_with_its_day(story):
    broken = of(ANN, totalAmount=1)
    story.client.put_event(broken, DetailType="Place Order", **COMMANDS)

    def found():
        ran = waybill(story.system, "erase", "customer", ANN, "--dry-run", "--json")
        return ran.json["deadLetters"]["found"]

    [letter] = until("the dead letter", found)
    assert letter["id"]["place"] == "message" and len(letter["goneOn"]) == len("2026-03-01")


def test_a_customer_is_erased(story):
    client = story.client
    process = start(story.system, "erase", "customer", ANN, "--yes", "--json")
    out, err = process.communicate(timeout=120)
    # A file with others' orders, and a dead letter, are left.
    assert process.returncode == WRONG, err
    report = json.loads(out)
    assert (report["before"], report["rowsRewritten"], report["rowsLeft"]) == (False, 6, 0)
    states = {each["file"].rpartition("/")[2]: each["state"] for each in report["files"]}
    assert states == {"ann.json": "removed", "shared.json": "shared"}
    says_no_secret(out + err, "ann")
    for each in story.orders[ANN]:
        assert is_erased(client, each)
    for each in story.orders[BOB]:
        assert is_open(client, BOB, each)
    listed = client.s3.list_object_versions(Bucket=client.bucket, Prefix="orders/")
    assert {it["Key"] for it in listed["Versions"]} == {"orders/shared.json", "orders/bob.json"}
    assert not listed.get("DeleteMarkers")
    assert set(wrapped(client)) == {f"customer#{BOB}"}


def test_after_it_rows_are_what_follows_from_the_events(story):
    client = story.client
    before = {each: client.get(f"/orders/{each}").ok() for each in story.orders[ANN]}
    ran = waybill(story.system, "verify", "--yes")
    assert ran.code == WELL, ran.out
    ran = waybill(story.system, "rebuild", "--yes", "--anew", "--json")
    assert ran.code == WELL and ran.json["counted"]["written"] == 0
    assert {each: client.get(f"/orders/{each}").ok() for each in before} == before


def test_a_second_time_is_no_error(story):
    ran = waybill(story.system, "erase", "customer", ANN, "--yes", "--json")
    assert ran.code == WRONG, ran.err
    assert ran.json["before"] and ran.json["rowsRewritten"] == 0
    states = {each["file"].rpartition("/")[2]: each["state"] for each in ran.json["files"]}
    assert states == {"ann.json": "gone", "shared.json": "shared"}


def test_what_was_announced_goes_and_nothing_else_is_left(story):
    """The shared file and the dead letter were announced. Once a person has removed them, and the
    system has stopped, no byte of the customer's data is in its folder, nor the key."""
    client = story.client
    sqs = client._aws("sqs")
    url = sqs.get_queue_url(QueueName="waybill-dev-dead-letters")["QueueUrl"]

    def emptied():
        for each in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
            return True
        return False

    until("the dead letter is removed", emptied)
    listed = client.s3.list_object_versions(Bucket=client.bucket, Prefix="orders/shared.json")
    for each in listed["Versions"]:
        client.s3.delete_object(
            Bucket=client.bucket, Key=each["Key"], VersionId=each["VersionId"]
        )
    assert story.system.stop() == 0
    key = {"key": story.keys[f"customer#{ANN}"]}
    assert found_in(story.system.data, secrets("ann") | key) == set()
    of_bob = found_in(story.system.data, secrets("bob"))
    assert {name for _, name, _ in of_bob} == {"name", "mail", "street"}
    story.system.start()
    assert is_erased(client, story.orders[ANN][0])
    assert is_open(client, BOB, story.orders[BOB][0])


def test_a_repeat_of_a_command_has_no_second_effect_after_it(story):
    client = story.client
    again = client.place(story.body[ANN], key=f"key-{ANN}")
    assert again.ok() == story.placed[ANN]
    assert len(client.history(story.orders[ANN][0])) == 1
    assert is_erased(client, story.orders[ANN][0])


def test_a_later_order_of_the_same_customer_is_open(story):
    """Of functions that have not the destroyed key in memory, as they may for five minutes."""
    story.system.stop()
    story.system.start()
    client = story.client
    later = of(ANN)
    client.place(later).ok()
    client.order(later["orderId"])
    assert is_open(client, ANN, later["orderId"])
    assert is_erased(client, story.orders[ANN][0])


def test_a_customer_is_erased_over_http(story):
    client = story.client
    path = f"/customers/{BOB}/personal-data"
    told = client.request("DELETE", path, headers={"Idempotency-Key": "erase-bob"}).ok()
    assert (told["message"], told["customerId"]) == ("Personal data erased", BOB)
    assert set(told["copies"]) == {"backups", "orderFiles", "deadLetters"}
    for each in story.orders[BOB]:
        until(f"{each} is erased", lambda each=each: is_erased(client, each))
    again = client.request("DELETE", path, headers={"Idempotency-Key": "erase-bob"}).ok()
    assert again["message"] == "Personal data were erased before"
    assert again["erasedAt"] == told["erasedAt"]
    ran = waybill(story.system, "verify", "--yes", "--anew")
    assert ran.code == WELL, ran.out


def stored_by_an_older_build(client: Client, customer: str) -> str:
    """An order whose event holds personal data as they were sent; its id."""
    model = of(customer, customerName=None, personal=None)
    client.place(model).ok()
    [item] = items_of(client, model["orderId"])
    order_id = new_id("OLD")
    [event] = json.loads(item["events"]["S"])
    who = personal(customer.removeprefix("C-"))
    event["version"] = 2
    event["data"]["orderId"] = order_id
    event["data"]["customerName"] = who["customerName"]
    event["data"].setdefault("attributes", {})["personal"] = who["personal"]
    item["aggregate"] = {"S": f"order#{order_id}"}
    item["events"] = {"S": json.dumps([event])}
    client.dynamodb.put_item(TableName="waybill-dev-events", Item=item)
    client.order(order_id)
    return order_id


def items_of(client: Client, order_id: str) -> list[dict]:
    return client.dynamodb.query(
        TableName="waybill-dev-events",
        KeyConditionExpression="#a = :a",
        ExpressionAttributeNames={"#a": "aggregate"},
        ExpressionAttributeValues={":a": {"S": f"order#{order_id}"}},
    )["Items"]


def test_what_an_older_build_stored_openly_is_rewritten_by_a_person(story):
    """By the script of infra/operator/ERASING.md."""
    system, client, customer = story.system, story.client, "C-old"
    old = stored_by_an_older_build(client, customer)
    assert client.order(old)["customerName"] == personal("old")["customerName"]
    ran = waybill(system, "erase", "customer", customer, "--yes", "--json")
    assert ran.code == WRONG and ran.json["orders"]["storedOpenly"] == 1, ran.err
    row = client.order(old)
    assert (row["customerName"], row["attributes"]["personal"]) == (ERASED, ERASED)
    assert client.history(old)[0]["data"]["customerName"] == ERASED
    assert personal("old")["customerName"] in json.loads(
        items_of(client, old)[0]["events"]["S"]
    )[0]["data"].values()

    script = REPOSITORY / "infra/operator/rewrite_open_events.py"
    rewritten = subprocess.run(
        [sys.executable, script, "waybill-dev-events", f"order#{old}"],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(
            AWS_ENDPOINT_URL=client.aws,
            AWS_REGION="us-east-1",
            AWS_DEFAULT_REGION="us-east-1",
            AWS_ACCESS_KEY_ID="local",
            AWS_SECRET_ACCESS_KEY="local",
        ),
        check=False,
    )
    assert rewritten.returncode == 0, rewritten.stderr
    says_no_secret(json.dumps(items_of(client, old)) + rewritten.stdout, "old")
    ran = waybill(system, "erase", "customer", customer, "--yes", "--json")
    assert ran.code == WELL and ran.json["orders"]["storedOpenly"] == 0, ran.out
    assert client.order(old) == row
    assert waybill(system, "verify", f"order#{old}").code == WELL


def test_an_order_without_a_customer_is_erased_by_itself(story):
    client = story.client
    body = of(ANN) | {"customerId": None}
    body = {name: value for name, value in body.items() if value is not None}
    order_id = client.place(body).ok()["orderId"]
    assert client.order(order_id)["customerName"] == body["customerName"]
    ran = waybill(story.system, "erase", "order", order_id, "--yes")
    assert ran.code == WELL, ran.out + ran.err
    assert f"order#{order_id} is erased" in ran.out and "1 row rewritten" in ran.out
    assert client.order(order_id)["customerName"] == ERASED
    says_no_secret(ran.out + ran.err, "ann")

"""The HTTP API against its OpenAPI document: neither may know what the other does not."""

import json
import re
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import documents
from client import new_id
from generated import Outcome, Task, command_line, run
from orders import order, update
from system import REPOSITORY

METHODS = {"get", "post", "put", "patch", "delete", "head", "options"}
REQUESTS_MIN = 20_000
WORKERS = 2
# Requests that keep to the schemas and such that break them, and the share of the first that must
# succeed: a closed order stays closed.
PLAN = {
    ("/orders", "post"): (800, 400, 0.4),
    ("/shipments/{shipmentId}/updates", "post"): (1_000, 500, 0.5),
    ("/orders/{orderId}/complete", "post"): (1_000, 500, 0.4),
    ("/orders/{orderId}/cancel", "post"): (1_000, 500, 0.4),
    ("/customers/{customerId}/personal-data", "delete"): (300, 100, 0.9),
    # Nobody has a secret here: whatever comes, the address is not there.
    ("/carriers/{provider}", "post"): (100, 50, 0.0),
    ("/orders", "get"): (1_900, 700, 0.5),
    ("/orders/{orderId}", "get"): (1_900, 700, 0.5),
    ("/orders/{orderId}/history", "get"): (1_900, 700, 0.5),
    ("/shipments", "get"): (1_900, 700, 0.5),
    ("/shipments/{shipmentId}", "get"): (1_900, 700, 0.5),
    ("/shipments/{shipmentId}/log", "get"): (1_900, 700, 0.5),
}
CONFLICTS = {409, 412, 422}


# ---- The document itself


def operations() -> set[tuple[str, str]]:
    paths = documents.openapi()["paths"]
    return {(path, method) for path in paths for method in METHODS & set(paths[path])}


def test_the_document_is_openapi_3_1():
    assert documents.openapi()["openapi"].startswith("3.1.")
    faults = OpenAPIV31SpecValidator(documents.openapi()).iter_errors()
    assert [f"{list(fault.absolute_path)}: {fault.message}" for fault in faults] == []


def examples(node, place=""):
    """Every example beside a schema, with that schema."""
    if isinstance(node, list):
        for each in node:
            yield from examples(each, place)
    if not isinstance(node, dict):
        return
    if "schema" in node:
        if "example" in node:
            yield place, node["schema"], node["example"]
        for name, example in node.get("examples", {}).items():
            yield f"{place}/{name}", node["schema"], example["value"]
    elif "type" in node and isinstance(node.get("examples"), list):
        schema = {name: value for name, value in node.items() if name != "examples"}
        for example in node["examples"]:
            yield place, schema, example
    for name, value in node.items():
        if name not in ("example", "examples"):
            yield from examples(value, f"{place}/{name}")


def test_every_example_is_valid_by_its_schema():
    document = documents.closed(documents.openapi())
    found = list(examples(document))
    assert len(found) >= 20
    for place, schema, example in found:
        whole = {"components": document["components"], "allOf": [schema]}
        faults = Draft202012Validator(whole).iter_errors(example)
        assert [f"{place}: {fault.message}" for fault in faults] == []


# Of each kind of event that an order has, the build keeps a sample.
ORDER_EVENTS = sorted(
    {
        file.name.split(".")[0]
        for file in (REPOSITORY / "domain/golden").glob("Order*.json")
    }
)


def test_every_kind_of_event_of_an_order_is_in_its_history():
    event = documents.openapi()["components"]["schemas"]["HistoryEvent"]
    assert sorted(event["properties"]["type"]["enum"]) == ORDER_EVENTS
    told = [each["properties"]["type"]["const"] for each in event["oneOf"]]
    assert sorted(told) == ORDER_EVENTS


def as_told(stored: str) -> dict:
    """The data of a stored event as a history tells them: personal data are opened, or erased."""
    data = json.loads(stored)
    sealed = data.pop("sealed", {})
    return data | {name: "[erased]" for name in sealed if name != "key"}


@pytest.mark.parametrize("event", ORDER_EVENTS)
def test_every_event_ever_written_is_as_a_history_tells_it(event):
    schemas = documents.openapi()["components"]["schemas"]
    for file in sorted((REPOSITORY / "domain/golden").glob(f"{event}.*.json")):
        closed = documents.closed({"schemas": schemas})
        whole = {"components": closed, "allOf": [closed["schemas"][event]]}
        faults = Draft202012Validator(whole).iter_errors(as_told(file.read_text()))
        assert [f"{file.name}: {fault.message}" for fault in faults] == []


def test_every_operation_is_described_for_people():
    for path, method in operations():
        operation = documents.openapi()["paths"][path][method]
        assert operation["summary"] and operation["operationId"] and operation["tags"]
        assert all(
            answer.get("description") or answer.get("$ref")
            for answer in operation["responses"].values()
        )


# ---- What the system knows and the document might lack


def shape(path: str) -> str:
    """A path whose parameters have no names."""
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_route_of_the_gateway_is_documented_and_no_other():
    source = (REPOSITORY / "infra/local/src/routes.rs").read_text()
    routes = re.findall(r'\broute\(\s*"([A-Z]+)",\s*"(/[^"]*)"', source)
    told = re.search(r"ROUTES: \[Route; (\d+)\]", source)
    assert told and len(routes) == int(told.group(1)), (
        "the routes are written otherwise"
    )
    known = {(shape(path), method.lower()) for method, path in routes}
    assert known == {(shape(path), method) for path, method in operations()}


def sources():
    """Rust that answers requests, without its tests."""
    for crate in ("domain", "commands", "projectors", "infra/lambda"):
        for file in (REPOSITORY / crate / "src").rglob("*.rs"):
            yield file, file.read_text().partition("#[cfg(test)]")[0]


def test_every_code_of_a_problem_is_documented_and_no_other():
    made = re.compile(
        r"Problem(?:::|\s*\{\s*)new\(\s*[^,]+,\s*([^,]+),"
        r"|Problem::(?:invalid|forbidden)\(\s*([^,]+),"
    )
    codes, unreadable = set(), []
    for file, text in sources():
        found = [one or other for one, other in made.findall(text)]
        if file.name == "http.rs":
            found += re.findall(r"Self::new\(\s*\d+,\s*([^,]+),", text)
        if {"domain", "translate"} & set(file.parts):
            found += re.findall(r'\bcode: ("\w+")', text)
        for code in found:
            if re.fullmatch(r'"\w+"', code):
                codes.add(code.strip('"'))
            elif code != "code":  # handed through: its origin is in the list
                unreadable.append(f"{file}: {code}")
    assert unreadable == []
    assert len(codes) > 10, "problems are written otherwise"
    documented = documents.openapi()["components"]["schemas"]["ProblemCode"]
    assert codes == set(documented["enum"])
    table = re.findall(r"^\| `(\w+)` \|", documented["description"], re.MULTILINE)
    assert table == documented["enum"]


def test_every_documented_currency_is_accepted_and_is_all_there_are(client):
    schemas = documents.openapi()["components"]["schemas"]
    codes = [code for code in schemas["SentCurrency"]["enum"] if code]
    assert len(codes) == len(set(codes)) > 150
    for code in codes:
        answer = client.place(order(currency=code, totalAmount=None), new_id("key"))
        assert answer.status == 200, f"{code}: {answer.text}"
    for code in ("AAA", "XAU", "US", "XXY"):
        assert client.place(order(currency=code), new_id("key")).status == 400


def test_a_row_that_does_not_catch_up_is_answered_as_documented(client, existing):
    answer = client.get(f"/orders/{existing[0][0]}?minVersion=1000")
    assert answer.status == 503 and answer.headers["retry-after"]
    schemas = documents.openapi()["components"]
    whole = {"components": schemas, **schemas["schemas"]["Problem"]}
    Draft202012Validator(whole).validate(answer.json)
    assert answer.json["code"] == "not_caught_up"


# ---- Generated requests


@pytest.fixture(scope="module")
def existing(system) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Orders and shipments for the requests to meet, and those of the examples."""
    client = system.client
    orders = ["536365", "ORD-2024-0001", *(f"GEN-{n}" for n in range(2_000))]
    shipments = ["SHIP-12345", "SHIP-1", *(f"GEN-{n}" for n in range(100))]
    for order_id in orders:
        client.place(order(orderId=order_id), new_id("key")).ok()
    for shipment_id in shipments:
        body = update(shipment_id, orderId=orders[0])
        client.update(shipment_id, body, new_id("key")).ok()
    client.order(orders[-1])
    client.shipment(shipments[-1])
    return tuple(orders), tuple(shipments)


@pytest.fixture(scope="module")
def outcomes(system, existing) -> dict[tuple[str, str, str], Outcome]:
    """What became of all requests: of each operation, those that keep and those that break."""
    tasks = [
        Task(system.client.http, path, method.upper(), mode, number, *existing)
        for (path, method), (keep, broken, _) in PLAN.items()
        for mode, number in (("positive", keep), ("negative", broken))
    ]
    # The slowest stand first in the plan, so that no worker is left alone at the end.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", "0")  # the same requests every time
        with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
            results = list(pool.map(run, tasks))
    return {
        (task.path, task.method.lower(), task.mode): result
        for task, result in zip(tasks, results, strict=True)
    }


def test_every_boundary_of_the_document_is_answered_as_documented(system, tmp_path):
    done = command_line(tmp_path, system.client.http)
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr
    sent = int(re.search(r"(\d+) generated", done.stdout).group(1))
    assert sent > 1_000


def test_the_plan_has_every_operation():
    assert set(PLAN) == operations()


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize(("path", "method"), PLAN, ids=lambda part: part)
def test_generated_requests_are_answered_as_documented(outcomes, path, method, mode):
    outcome = outcomes[path, method, mode]
    assert not outcome.failures, "\n\n".join(outcome.failures)
    # A made-up body may be larger than one may be.
    assert outcome.statuses.keys() <= {200, 400, 404, 413} | CONFLICTS
    if mode == "positive":
        share = outcome.statuses[200] / outcome.statuses.total()
        assert share >= PLAN[path, method][2], outcome


def test_there_were_at_least_20_000_requests(outcomes):
    statuses = sum((outcome.statuses for outcome in outcomes.values()), Counter())
    assert statuses.total() >= REQUESTS_MIN, statuses


def test_generated_requests_meet_refusals_of_every_kind(outcomes):
    met = sum((outcome.codes for outcome in outcomes.values()), Counter())
    wanted = {
        *("invalid_field", "invalid_header", "invalid_query", "invalid_cursor"),
        *("not_json", "not_an_object", "total_mismatch", "not_found", "order_closed"),
        *("version_moved", "command_id_reused"),
    }
    assert wanted <= met.keys()

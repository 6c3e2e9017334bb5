"""Requests that schemathesis makes up, and what is held against the answers.

Positive ones keep to the schemas, negative ones break them somewhere.
"""

import json
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import reduce
from itertools import count
from operator import getitem
from pathlib import Path
from subprocess import CompletedProcess
from subprocess import run as run_process
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

import documents
from unsaid import explains, keep_from_waiting, steer

FAILURES_TOLD = 3
COMMAND_SECONDS = 300
# Whoever asks for a version that is far off waits 5 seconds.
MIN_VERSION = {"$ref": "#/components/parameters/MinVersion"}
# A positive request may be refused by how things stand.
STATE = {404, 409, 412, 422}
CHECKED = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]


@dataclass(frozen=True)
class Task:
    """So many requests to one operation; `orders` and `shipments` are there already."""

    url: str
    path: str
    method: str
    mode: str
    number: int
    orders: tuple[str, ...]
    shipments: tuple[str, ...]


@dataclass
class Outcome:
    statuses: Counter = field(default_factory=Counter)
    codes: Counter = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def run(task: Task) -> Outcome:
    """Sends the requests of a task, the same ones every time."""
    load_all_checks()
    schema = schemathesis.openapi.from_dict(local_document())
    mode = GenerationMode(task.mode)
    cases = schema[task.path][task.method].as_strategy(generation_mode=mode)
    checks = CHECKS.get_by_names(CHECKED)
    outcome, session, steps = Outcome(), requests.Session(), count()

    @settings(
        max_examples=task.number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def send(case) -> None:
        step = next(steps)
        # Every eighth stays as it was made up.
        if mode == GenerationMode.POSITIVE and step % 8:
            steer(case, task.orders, task.shipments, step)
        keep_from_waiting(case)
        response = case.call(base_url=task.url, session=session)
        outcome.statuses[response.status_code] += 1
        code = code_of(response)
        if code:
            outcome.codes[code] += 1
        try:
            case.validate_response(response, checks=checks)
            if mode == GenerationMode.POSITIVE:
                check_positive(case, response)
            else:
                check_negative(case, response)
        except (AssertionError, *failures()) as failure:
            if len(outcome.failures) < FAILURES_TOLD:
                asked = case.as_curl_command()
                outcome.failures.append(f"{failure}\n{asked}\n{response.text[:500]}")

    send()
    return outcome


def local_document() -> dict:
    """The document of the local system, which asks nobody for credentials."""
    document = documents.closed(documents.openapi())
    return {name: part for name, part in document.items() if name != "security"}


def command_line(folder: Path, url: str) -> CompletedProcess:
    """Schemathesis by itself: the examples, every boundary of every schema, and chains of calls by
    the document's links."""
    document = local_document()
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and "parameters" in operation:
                kept = [each for each in operation["parameters"] if each != MIN_VERSION]
                operation["parameters"] = kept
    file = folder / "openapi.json"
    file.write_text(json.dumps(document))
    arguments = {
        "--url": url,
        "--phases": "examples,coverage,stateful",
        "--checks": ",".join(CHECKED),
        "--max-examples": "60",
        # One thread: Python 3.11 parses syntax trees wrongly in two at once (gh-106905).
        "--workers": "1",
    }
    return run_process(
        [
            Path(sys.executable).with_name("schemathesis"),
            *("run", file, "--generation-deterministic", "--no-color"),
            *(part for pair in arguments.items() for part in pair),
        ],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )


def failures() -> tuple[type[BaseException], ...]:
    return (schemathesis.core.failures.FailureGroup, schemathesis.core.failures.Failure)


def code_of(response) -> str | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body.get("code") if isinstance(body, dict) else None


def check_positive(case, response) -> None:
    """What the document calls valid is not refused without a reason that it cannot say."""
    if response.status_code == 200 or response.status_code in STATE:
        return
    problem = response.json()
    assert response.status_code == 400 and explains(case, problem), (
        "valid by the document, and refused"
    )


def check_negative(case, response) -> None:
    """What breaks the document is not carried out.

    Schemathesis also adds parameters that are not documented, and they are ignored as documented:
    so what was carried out is judged as it went over the wire.
    """
    if response.status_code < 400:
        faults = broken_rules(case.operation.definition.raw, response.request)
        assert not faults, f"carried out against the document: {faults}"


def broken_rules(operation: dict, request: requests.PreparedRequest) -> list[str]:
    """Which documented rules a request has broken; ids in paths are the system's to judge."""
    query = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
    faults = []
    for parameter in map(resolved, operation.get("parameters", [])):
        name, schema = parameter["name"], resolved(parameter["schema"])
        if parameter["in"] == "header" and name in request.headers:
            sent = request.headers[name]
            sent = (sent.decode("latin-1") if isinstance(sent, bytes) else sent).strip()
        elif parameter["in"] == "query" and name in query:
            sent = ",".join(query[name])
        else:
            continue
        whole = schema["type"] == "integer" and re.fullmatch(r"\d{1,20}", sent)
        faults += faults_of(name, schema, int(sent) if whole else sent)
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        # Without a body it is an empty object.
        body = json.loads(request.body) if request.body else {}
        faults += faults_of("body", schema, body)
    return faults


def resolved(node: dict) -> dict:
    """What a reference within the document stands for."""
    while "$ref" in node:
        target = node["$ref"].removeprefix("#/").split("/")
        node = reduce(getitem, target, documents.openapi())
    return node


def faults_of(name: str, schema: dict, value: Any) -> list[str]:
    whole = {"components": documents.openapi()["components"], "allOf": [schema]}
    faults = Draft202012Validator(whole).iter_errors(value)
    return [f"{name}: {fault.message[:200]}" for fault in faults]

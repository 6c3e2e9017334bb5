"""Everything once more: the stream, the events, the files. Nothing happens twice."""

import json
import random

import pytest

from rest import at_rest, snapshot
from stream import batch

# What AWS puts into one invocation at most.
BATCH = 100


@pytest.fixture
def nothing_changes(waybill, inbox):
    """Whatever the test does, commits, rows and what is said of them stay as they were."""
    at_rest(waybill, inbox)
    before = snapshot(waybill), inbox.said()
    yield
    at_rest(waybill, inbox)
    after = snapshot(waybill), inbox.said()
    for table, rows in before[0].items():
        assert after[0][table] == rows, f"{table} has changed"
    assert after[1].keys() == before[1].keys()


def commits(waybill, order: str) -> list[dict]:
    found = waybill.scan("events")
    found.sort(key=lambda item: (item["aggregate"]["S"], int(item["sequence"]["N"])))
    if order == "backwards":
        return found[::-1]
    if order == "shuffled and twice":
        found *= 2
        random.Random(1).shuffle(found)
    return found


@pytest.mark.parametrize("order", ["forwards", "backwards", "shuffled and twice"])
@pytest.mark.parametrize("role", ["project", "notify"])
def test_the_whole_stream(waybill, nothing_changes, role, order):
    found = commits(waybill, order)
    for start in range(0, len(found), BATCH):
        answer = waybill.invoke(role, batch(found[start : start + BATCH]))
        assert not answer["batchItemFailures"], answer


def accepted(waybill, inbox, role: str) -> list[dict]:
    """The events that this function has got, but for those that it refused."""
    refused = {line.get("event_id") for line in waybill.log_lines(role)}
    return [event for event in inbox.delivered(role) if event["id"] not in refused]


@pytest.mark.parametrize("role", ["bus", "import"])
def test_every_event(waybill, inbox, nothing_changes, role):
    events = accepted(waybill, inbox, role)
    assert events, f"no event for {role}"
    for event in events:
        waybill.invoke(role, json.dumps(event))

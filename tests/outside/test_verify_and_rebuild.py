"""`waybill verify` names every row that is wrong, and `waybill rebuild` mends it: at rest, and
killed again and again while commands arrive."""

import os
import random
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from client import Answer, Client
from exact import json_text
from expect import at_rest
from load import Load
from oracle import announcements_of
from orders import update
from patience import until
from rebuilding import (
    WELL,
    WRONG,
    Done,
    Operator,
    announced,
    check_folds,
    histories,
    rows_of,
)
from reports import IMPORT_SECONDS
from spoiling import TABLES, Spoilt, spoil
from system import System

SEED = int(os.environ.get("WAYBILL_SEED", "1"))
KILLS = 20
SHIPMENTS = 200
SPOILT_MAX = 300  # of the real rows of each table
EVENTS_MAX = 10  # of one PutEvents
STATUSES = ["CREATED", "IN_TRANSIT", "DELAYED", "DELIVERED"]
WHERE = ("--state", "state", "--segments", "4")
SAID = re.compile(r"going on with what was begun at (\S+)")


@pytest.fixture(scope="module")
def shop(months):
    """The months, and shipments beside them."""
    send_shipments(months.system.client)
    at_rest(months.system.client, IMPORT_SECONDS)
    return months


def send_shipments(client: Client) -> None:
    """Shipments of one to five updates each, some of them late."""
    rng = random.Random(SEED)
    details = []
    for shipment in range(SHIPMENTS):
        for number in range(rng.randint(1, 5)):
            day = rng.randint(1, 28)
            details.append(
                update(
                    f"PARCEL-{shipment}",
                    status=rng.choice(STATUSES),
                    location=f"depot {number}",
                    orderId=f"{700_000 + shipment}" if shipment % 3 else None,
                    timestamp=f"2011-01-{day:02}T08:00:00Z" if number % 2 else None,
                    weightKg=rng.randint(1, 30),
                )
            )
    for start in range(0, len(details), EVENTS_MAX):
        entries = [
            {
                "Source": "logistics.shipments",
                "DetailType": "Shipment Update",
                "Detail": json_text(detail),
            }
            for detail in details[start : start + EVENTS_MAX]
        ]
        assert client.events.put_events(Entries=entries)["FailedEntryCount"] == 0


# At rest.


@dataclass
class Mended:
    before: dict
    spoilt: Spoilt
    spoilt_rows: dict
    noticed: Done
    rows_after_verify: dict
    rebuilt: Done
    after: dict
    clean: Done
    again: Done
    emitted: tuple
    emitted_after: tuple


@pytest.fixture(scope="module")
def mended(shop, tmp_path_factory):
    client = shop.system.client
    operator = Operator(shop.system, tmp_path_factory.mktemp("operator"))

    def emitted():
        status = client.local("status")
        del status["dynamodbRequests"]  # looking makes some
        return announced(client), status

    before, emitted_before = rows_of(client), emitted()
    number = SPOILT_MAX if shop.name == "real" else None
    spoilt = spoil(client, random.Random(SEED), before, number)
    spoilt_rows = rows_of(client)
    return Mended(
        before=before,
        emitted=emitted_before,
        spoilt=spoilt,
        spoilt_rows=spoilt_rows,
        noticed=operator.verify(),
        rows_after_verify=rows_of(client),
        rebuilt=operator.rebuild(),
        after=rows_of(client),
        clean=operator.verify(),
        again=operator.rebuild(),
        emitted_after=emitted(),
    )


def test_there_is_enough_to_spoil(mended):
    assert mended.spoilt.rows + mended.spoilt.invented == len(mended.spoilt.findings)
    for table in TABLES:
        assert len(mended.before[table]) > 250
        kinds = {wrong for where, *_, wrong in mended.spoilt.findings if where == table}
        assert kinds == {"missing", "stale", "superfluous", "different"}


def test_verify_names_each_row_that_is_wrong_and_no_other(mended):
    assert mended.noticed.code == WRONG, mended.noticed.err
    named = mended.noticed.findings()
    assert set(named) == mended.spoilt.findings
    assert len(named) == len(set(named))


def test_verify_changes_nothing(mended):
    assert mended.rows_after_verify == mended.spoilt_rows


def test_rebuild_mends_each_and_writes_no_other(mended):
    assert mended.rebuilt.code == WELL, mended.rebuilt.err
    counted = mended.rebuilt.json["counted"]
    assert counted["written"] == mended.spoilt.rows
    assert counted["removed"] == mended.spoilt.invented
    assert mended.rebuilt.findings() == mended.noticed.findings()


def test_rows_are_again_what_they_were_byte_by_byte(mended):
    assert mended.spoilt_rows != mended.before
    assert mended.after == mended.before


def test_a_second_verify_is_clean(mended):
    assert mended.clean.code == WELL, mended.clean.out
    assert mended.clean.findings() == []
    aggregates = len(mended.before["processed-orders"]) + SHIPMENTS
    assert mended.clean.json["counted"]["aggregates"] == aggregates


def test_a_second_rebuild_writes_nothing(mended):
    assert mended.again.code == WELL
    counted = mended.again.json["counted"]
    assert (counted["written"], counted["removed"], counted["examined"]) == (0, 0, 0)


def test_nobody_was_notified(mended):
    assert mended.emitted_after == mended.emitted


# Under fire.


class Rush(Load):
    """Clients at full speed. Nobody is in their way, so no answer is but a success."""

    CLIENTS = 4
    SHIPMENTS = 400  # many, so that no history gets full

    def __init__(self, system: System):
        self.refused: list[Answer] = []
        super().__init__(system, SEED)

    def _detail(self, rng, mark):
        self.attempted.add(mark)
        shipment_id = f"RUSH-{rng.randrange(self.SHIPMENTS)}"
        return shipment_id, update(
            shipment_id, status=rng.choice(STATUSES), location=mark
        )

    def _send(self, rng, send):
        answer = send()
        if answer.status != 200:
            self.refused.append(answer)
        self._count()
        return answer


@dataclass
class Raced:
    load: Rush
    before: dict
    emitted: dict
    # When each start said that what it goes on with was begun; "" where it began anew.
    begun: list[str] = field(default_factory=list)
    left: list[bool] = field(default_factory=list)
    kills: int = 0
    last: Done | None = None
    answers_meanwhile: int = 0
    after: dict = field(default_factory=dict)
    histories: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def raced(shop, tmp_path_factory):
    client, rng = shop.system.client, random.Random(SEED)
    operator = Operator(shop.system, tmp_path_factory.mktemp("killed"))
    raced = Raced(Rush(shop.system), rows_of(client), announced(client))
    spoil(client, rng, raced.before, SPOILT_MAX)
    with ThreadPoolExecutor(Rush.CLIENTS) as clients:
        working = [clients.submit(raced.load.work, n) for n in range(Rush.CLIENTS)]
        try:
            answers = raced.load.acknowledged()
            kill_and_start_again(operator, raced, rng)
            raced.last = operator.rebuild(*WHERE)
            raced.answers_meanwhile = raced.load.acknowledged() - answers
        finally:
            raced.load.stop()
        for each in working:
            each.result()
    at_rest(client, IMPORT_SECONDS)
    raced.after = rows_of(client)
    raced.histories = histories(client, "order#ORD-", "shipment#RUSH-")
    return raced


def kill_and_start_again(operator: Operator, raced: Raced, rng: random.Random) -> None:
    """Starts a rebuild that would take some 20 seconds, and kills it at random moments."""
    told = operator.run("rebuild", "--dry-run").err
    limit = max(int(re.search(r"about (\d+) read units", told)[1]) // 20, 1)
    command = operator.command("rebuild", *WHERE, "--read-units", str(limit))
    log = operator.folder / "told"
    while raced.kills < KILLS:
        raced.left.append((operator.folder / "state/run.json").exists())
        with log.open("wb") as file:
            running = subprocess.Popen(
                command,
                **operator.surroundings(),
                stdout=subprocess.DEVNULL,
                stderr=file,
            )
        first = SAID if raced.left[-1] else re.compile("read units")
        try:
            until("its first line", lambda line=first: line.search(log.read_text()))
            time.sleep(rng.uniform(0, 1.5))
        finally:
            running.kill()
        ended = running.wait(timeout=30)
        said = SAID.search(log.read_text())
        raced.begun.append(said[1] if said else "")
        if ended != WELL:
            raced.kills += 1


def test_it_was_killed_and_went_on_where_it_was(raced):
    assert raced.kills == KILLS
    # It goes on where there is something to go on with, and says so.
    assert [bool(begun) for begun in raced.begun] == raced.left
    assert sum(raced.left) >= KILLS * 3 // 4
    # A time is said again until what was begun then has come to its end.
    times = [begun for begun in raced.begun if begun]
    assert times == sorted(times) and len(set(times)) < len(times) // 2
    assert raced.last.code == WELL, raced.last.err


def test_no_command_was_refused_and_each_is_kept(raced):
    assert raced.load.refused == []
    assert raced.answers_meanwhile > 200
    for order_id in raced.load.placed:
        assert raced.histories[f"order#{order_id}"][0]["type"] == "OrderPlaced"
    for order_id, answer in raced.load.closed.items():
        end = {"PROCESSED": "OrderProcessed", "CANCELLED": "OrderCancelled"}
        types = [event["type"] for event in raced.histories[f"order#{order_id}"]]
        assert types == ["OrderPlaced", end[answer["status"]]]
    logged = [
        event["data"]["location"]
        for name, events in raced.histories.items()
        if name.startswith("shipment#")
        for event in events
    ]
    assert sorted(logged) == sorted(raced.load.updated)


def test_rows_that_no_command_touched_are_what_they_were(raced):
    for table, rows in raced.after.items():
        untouched = {key: row for key, row in rows.items() if not is_new(key)}
        assert untouched == raced.before[table]


def test_rows_of_the_new_commands_are_the_folds_of_their_histories(raced):
    new = {
        table: {key: row for key, row in rows.items() if is_new(key)}
        for table, rows in raced.after.items()
    }
    check_folds(new, raced.histories)


def is_new(key: tuple[str, str]) -> bool:
    return key[0].startswith(("ORD-", "RUSH-"))


def test_nothing_was_announced_but_the_new_commands(raced, shop):
    client = shop.system.client
    emitted = announced(client)
    new = {
        message
        for name, events in raced.histories.items()
        for message in announcements_of(name, events)
    }
    assert {key for key in emitted if key not in raced.emitted} == {
        (via, message)
        for message in new
        for via in ("EventBridge", "SNS")
        if via == "EventBridge" or message.endswith("/Shipment Alert")
    }
    assert {key: emitted[key] for key in raced.emitted} == raced.emitted
    assert client.scan("parked") == []

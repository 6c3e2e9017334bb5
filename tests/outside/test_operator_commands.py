"""`waybill status`, `history`, `parked`: an operator looks; and what a shell sees."""

import contextlib
import os
import subprocess

import pytest

from client import new_id
from exact import read_json
from expect import at_rest
from operator_cli import (
    COMMAND_SECONDS,
    FAILED,
    UNKNOWN_EVENT,
    USAGE,
    WELL,
    WRONG,
    Between,
    environment,
    letter,
    poisoned,
    put,
    send,
    waybill,
)
from orders import placed, update
from system import System, binary, free_ports

COMMANDS = ["status", "verify", "rebuild", "history", "parked", "retry", "announce"]
# More than one page of 200.
UPDATES = 230


@pytest.fixture
def own(tmp_path):
    running = System(tmp_path).start()
    yield running
    running.kill()


# status


def test_the_status_says_what_is_there_and_ends_with_0_where_all_is_well(own):
    for _ in range(3):
        own.client.order(placed(own.client))
    at_rest(own.client)
    ran = waybill(own, "status", "--json")
    assert ran.code == WELL, ran
    assert ran.json["environment"] == "dev"
    sizes = {each["table"]: each for each in ran.json["tables"]}
    assert sizes["waybill-dev-events"]["items"] == 3
    assert sizes["waybill-dev-processed-orders"]["items"] == 3
    assert sizes["waybill-dev-shipment-log"]["items"] == 0
    assert all(each["bytes"] > 0 for each in sizes.values() if each["items"])
    nothing = {"messages": 0, "messagesInFlight": 0, "objects": 0, "moreObjects": False}
    assert ran.json["deadLetters"] == nothing
    assert ran.json["parked"] == ran.json["unfinished"] == []
    text = waybill(own, "status")
    assert text.code == WELL and text.err == ""
    assert "waybill-dev-events" in text.out and "3 items" in text.out
    assert "nothing" in text.out


def test_the_status_says_what_is_parked_and_dead_and_ends_with_3(own):
    oldest, _ = poisoned(own.client)
    poisoned(own.client)
    (commit,) = own.client.commits(f"order#{placed(own.client)}")
    letter(own.client, "project", [commit])
    send(own.client, "one")
    send(own.client, "two")
    ran = waybill(own, "status", "--json")
    assert ran.code == WRONG
    since = own.client.item("parked", id=f"notify#order#{oldest}")["since"]["S"]
    of_notify = {"consumer": "notify", "aggregates": 2, "since": since}
    assert ran.json["parked"][0] == of_notify
    assert ran.json["parked"][1]["consumer"] == "project"
    told = ran.json["deadLetters"]
    assert (told["messages"], told["objects"]) == (2, 1)
    text = waybill(own, "status").out
    assert f"notify  2, the oldest since {since}" in text
    assert "2 messages" in text and "1 object\n" in text


# parked


def test_what_is_parked_is_listed_oldest_first(own):
    assert waybill(own, "parked", "--json").json == {"parked": []}
    assert waybill(own, "parked").code == WELL
    first, _ = poisoned(own.client)
    second, _ = poisoned(own.client)
    ran = waybill(own, "parked", "--json")
    assert ran.code == WRONG
    found = ran.json["parked"]
    named = [(each["consumer"], each["aggregate"]) for each in found]
    assert {each[1] for each in named[:2]} == {f"order#{first}"}
    assert {each[1] for each in named[2:]} == {f"order#{second}"}
    assert {each[0] for each in named} == {"project", "notify"}
    for each in found:
        assert (each["sequence"], bool(each["code"])) == (1, True)
    text = waybill(own, "parked").out
    assert f"order#{first}" in text and found[0]["since"] in text
    assert "4 parked" in text


# history


def test_a_history_is_the_one_of_the_http_api(system):
    client = system.client
    order_id = placed(client)
    client.cancel(order_id, "no longer wanted", key=new_id("key")).ok()
    ran = waybill(system, "history", f"order#{order_id}", "--json")
    assert ran.code == WELL, ran
    assert ran.json["aggregate"] == f"order#{order_id}"
    assert ran.json["events"] == client.history(order_id)
    # Money as it was sent, in text, too.
    text = waybill(system, "history", f"order/{order_id}")
    assert text.code == WELL
    for word in ("29.99", "OrderPlaced", "OrderCancelled", "no longer wanted"):
        assert word in text.out
    assert f"2 events of order#{order_id}" in text.out


def test_a_history_goes_on_over_its_pages_and_back_in_time(system):
    client, shipment_id = system.client, new_id("SHIP")
    for n in range(UPDATES):
        detail = update(shipment_id, location=f"place {n}")
        client.update(shipment_id, detail, new_id("key")).ok()
    ran = waybill(system, "history", f"shipment#{shipment_id}", "--json")
    events = ran.json["events"]
    assert [each["sequence"] for each in events] == list(range(1, UPDATES + 1))
    then = events[99]["at"]
    past = waybill(system, "history", f"shipment/{shipment_id}", "--at", then, "--json")
    assert past.json["events"] == [each for each in events if each["at"] <= then]
    before = waybill(system, "history", f"shipment/{shipment_id}", "--at", "2020-01-01")
    assert before.code == FAILED
    assert before.err.strip().endswith("has no events by 2020-01-01T00:00:00.000Z")


def test_what_cannot_be_read_is_shown_beside_what_can(system):
    client = system.client
    order_id = placed(client)
    (commit,) = client.commits(f"order#{order_id}")
    for sequence, events in ((2, UNKNOWN_EVENT), (3, '[{"type":'), (7, None)):
        bad = commit | {"sequence": {"N": str(sequence)}}
        put(client, bad if events is None else bad | {"events": {"S": events}})
    ran = waybill(system, "history", f"order#{order_id}", "--json")
    assert ran.code == WRONG
    first, unknown, broken, late = ran.json["events"]
    assert (first["type"], "unreadable" in first) == ("OrderPlaced", False)
    # An event of newer code is shown as it is, and said to be one.
    assert (unknown["type"], unknown["data"]) == ("OrderExploded", {"orderId": "x"})
    assert "OrderExploded" in unknown["unreadable"]
    assert broken == {"sequence": 3, "unreadable": broken["unreadable"]}
    assert late["sequence"] == 7 and "unreadable" not in late
    text = waybill(system, "history", f"order#{order_id}")
    assert text.code == WRONG
    assert f"4 events of order#{order_id}, 2 of them unreadable" in text.out


def test_a_gap_is_shown(system):
    client = system.client
    order_id = placed(client)
    (commit,) = client.commits(f"order#{order_id}")
    put(client, commit | {"sequence": {"N": "3"}})
    ran = waybill(system, "history", f"order#{order_id}", "--json")
    assert ran.code == WRONG
    gap = ran.json["events"][1]
    assert gap["sequence"] == 3 and "with 2 was expected" in gap["unreadable"]


def test_an_order_that_is_not_there_is_said_in_a_sentence(system):
    ran = waybill(system, "history", "order#NOBODY", "--json")
    assert (ran.code, ran.out) == (FAILED, "")
    assert ran.err == "waybill: order#NOBODY has no events\n"


# The shell.


@pytest.mark.parametrize(
    "words",
    [
        ["history"],
        ["history", "parcel#1"],
        ["history", "order#1", "--at", "yesterday"],
        ["announce"],
        ["announce", "order#1", "--from", "2026-01-01", "--to", "2026-01-02"],
        ["announce", "--from", "2026-01-01"],
        ["announce", "--from", "2026-01-02", "--to", "2026-01-01"],
        ["announce", "--from", "2026-01-01", "--to", "2026-01-02", "--segments", "0"],
        ["announce", "order#1", "--from-sequence", "0"],
        ["retry", "--consumer", "query"],
        ["retry", "order#1", "--only", "dead-letters"],
        ["retry", "--role", "bus"],
        ["retry", "--reason", "unavailable"],
        ["retry", "--role", "bus", "--reason", "unavailable", "--dry-run"],
        ["dead-letters", "--yes"],
        ["dead-letters", "--discard", "1", "--payload", "2"],
        ["parked", "--nonsense"],
        ["status", "order#1"],
        ["status", "--local"],  # and with --endpoint-url
    ],
)
def test_what_is_not_understood_ends_with_2(system, words):
    ran = waybill(system, *words)
    assert (ran.code, ran.out) == (USAGE, ""), ran
    assert ran.err


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["history", "order#1"],
        ["parked"],
        ["retry"],
        ["announce", "order#1"],
    ],
)
def test_where_nobody_answers_it_is_said_in_a_sentence(tmp_path, words):
    (port,) = free_ports(1)
    ran = subprocess.run(
        [str(binary()), *words, "--endpoint-url", f"http://127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=tmp_path,
        timeout=90,
    )
    assert (ran.returncode, ran.stdout) == (FAILED, "")
    assert ran.stderr.startswith("waybill: ") and ran.stderr.count("\n") == 1
    assert "refused" in ran.stderr


def test_an_environment_that_is_not_there_is_said_in_a_sentence(system):
    ran = waybill(system, "status", "--env", "nobody")
    assert ran.code == FAILED
    assert "waybill-nobody-rebuild" in ran.err and ran.err.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command):
    run = [str(binary()), command, "--help"]
    told = subprocess.run(run, capture_output=True, text=True, timeout=30)
    assert told.returncode == WELL
    assert "--json" in told.stdout and "--env" in told.stdout


@pytest.mark.parametrize(
    "command", ["status", "history", "parked", "retry", "announce"]
)
def test_a_help_has_examples_and_exit_codes(command):
    run = [str(binary()), command, "--help"]
    told = subprocess.run(run, capture_output=True, text=True, timeout=30).stdout
    assert "Examples:\n" in told and "Ends with 0" in told


def test_bash_completes_the_commands(tmp_path):
    script = (
        'source <(waybill completion bash) && complete -p waybill && '
        'COMP_WORDS=(waybill par) COMP_CWORD=1 && _waybill waybill par waybill && '
        'echo "${COMPREPLY[@]}"'
    )
    path = f"{binary().parent}:{os.environ['PATH']}"
    bash = ["bash", "--norc", "-c", script]
    ran = subprocess.run(
        bash, capture_output=True, text=True, env=environment(PATH=path), timeout=30
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "parked"


def test_that_nobody_reads_on_is_no_error(system):
    order_id = placed(system.client)
    command = f"{binary()} history order#{order_id} --endpoint-url {system.client.aws}"
    piped = f"set -o pipefail; {command} | head -1 > /dev/null"
    ran = subprocess.run(
        ["bash", "-c", piped], capture_output=True, text=True, env=environment()
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_that_it_is_the_local_system_counts_above_a_variable(tmp_path):
    more = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "WAYBILL_ENV": "nobody"}
    run = [str(binary()), "status", "--local"]
    ran = subprocess.run(
        run, capture_output=True, text=True, env=environment(**more), timeout=90
    )
    # Whether there is a local system on this machine, and with which environment, is open.
    assert ran.returncode == FAILED, ran.stderr
    assert "waybill-nobody-rebuild" in ran.stderr


def test_variables_say_which_environment(system):
    more = {"AWS_ENDPOINT_URL": system.client.aws, "WAYBILL_ENV": "dev"}
    run = [str(binary()), "status", "--json"]
    ran = subprocess.run(run, capture_output=True, text=True, env=environment(**more))
    assert read_json(ran.stdout)["environment"] == "dev"


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_what_was_never_there_does_not_pass_for_well(system, command):
    ran = waybill(system, command, "order#NOBODY-HAS-PLACED-IT")
    assert ran.code == FAILED and "has no events" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("words", [("verify",), ("verify", "--one-of", "2")])
def test_where_nothing_is_compared_nothing_is_well(own, words):
    ran = waybill(own, *words, "--json")
    assert (ran.code, ran.out) == (FAILED, "")
    assert "nothing was compared" in ran.err


def test_a_sample_that_breaks_off_does_not_pass_for_well(system):
    """Some parts of a store this small hold nothing, so there is a part with an order first."""
    for _ in range(30):
        placed(system.client)
    at_rest(system.client)
    scanned = []

    def answer(_path, target):
        if not target.endswith("Scan"):
            return None
        scanned.append(target)
        # The first scan is of the events; those of the rows are refused for good.
        return None if len(scanned) == 1 else (500, {}, '{"__type":"InternalServerError"}')

    with Between(system.client, answer) as endpoint:
        ran = waybill(system, "verify", "--one-of", "2", endpoint=endpoint)
    assert len(scanned) > 1
    assert (ran.code, ran.out) == (FAILED, ""), ran


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_a_history_that_cannot_be_read_is_wrong_and_not_a_failure(system, command):
    order_id = placed(system.client)
    (commit,) = system.client.commits(f"order#{order_id}")
    bad = commit | {"sequence": {"N": "2"}, "events": {"S": UNKNOWN_EVENT}}
    put(system.client, bad)
    ran = waybill(system, command, f"order#{order_id}")
    assert ran.code == WRONG, ran
    assert f"order#{order_id}" in ran.err


def all_of(terminal: int) -> bytes:
    """What stands on a terminal that nobody writes to any more."""
    told = b""
    # Linux says that its other end is closed by an error.
    with contextlib.suppress(OSError):
        while some := os.read(terminal, 10_000):
            told += some
    return told


@pytest.mark.parametrize(
    "words", [("verify",), ("verify", "--one-of", "2"), ("rebuild",)]
)
def test_who_says_no_is_not_told_that_all_is_well(system, words):
    ours, terminal = os.openpty()
    process = subprocess.Popen(
        [str(binary()), *words, "--endpoint-url", system.client.aws],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        cwd=system.data.parent,
        env=environment(),
    )
    os.close(terminal)
    os.write(ours, b"n\n")
    out, _ = process.communicate(timeout=COMMAND_SECONDS)
    told = all_of(ours).decode()
    os.close(ours)
    assert "Go on?" in told and "nothing was done" in told
    assert (process.returncode, out) == (FAILED, b"")

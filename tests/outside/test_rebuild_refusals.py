"""What a rebuild or a verification cannot do is said in one sentence, and by the exit code."""

import pytest

from client import new_id
from expect import at_rest
from orders import placed
from rebuilding import FAILED, MISUSED, WELL, WRONG, Done, Operator
from system import System, free_ports


@pytest.fixture(scope="module")
def operator(system, tmp_path_factory):
    return Operator(system, tmp_path_factory.mktemp("operator"))


def one_sentence(done: Done, code: int, *words: str) -> None:
    assert done.code == code, done.err
    assert done.out == ""
    said = done.err.strip().splitlines()
    # Where arguments are not understood, there is a hint at the help besides.
    assert len([line for line in said if line and "--help" not in line]) == 1, said
    for word in words:
        assert word in said[0], said


@pytest.mark.parametrize("command", ["verify", "rebuild"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "orders"], ["orders", "processed-orders"]),
        (["--only", "processed-orders-v02"], ["processed-orders-v02"]),
        (["--segments", "0"], ["--segments", "0"]),
        (["--segments", "257"], ["--segments", "256"]),
        (["--segments", "many"], ["--segments", "many"]),
        (["--read-units", "0"], ["--read-units"]),
        (["--write-units=-1"], ["--write-units", "-1"]),
        (["parcel#1"], ["order#<orderId>"]),
        (["order#a/b"], ["order#<orderId>"]),
    ],
)
def test_arguments_that_cannot_be(operator, command, arguments, words):
    one_sentence(operator.run(command, *arguments), MISUSED, *words)


def test_a_sample_of_all_is_none(operator):
    one_sentence(operator.run("verify", "--one-of", "1"), MISUSED, "--one-of")


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_a_read_model_that_the_environment_has_not(operator, command):
    done = operator.run(command, "--only", "shipment-log-v2")
    one_sentence(done, FAILED, "shipment-log-v2", "processed-orders,shipment-log")


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_an_environment_that_is_not_there(operator, command):
    done = operator.run(command, "--env", "qa-9")
    one_sentence(done, FAILED, "waybill-qa-9-rebuild")


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_nobody_listens_there(tmp_path, command):
    [port] = free_ports(1)
    nobody = System(tmp_path, (port, port))
    done = Operator(nobody, tmp_path).run(command)
    one_sentence(done, FAILED, "waybill-dev-rebuild")


def test_a_folder_that_cannot_be(operator):
    (operator.folder / "file").write_text("")
    done = operator.run("rebuild", "--state", "file/state")
    assert done.code == FAILED and "file/state" in done.err


def test_a_dry_run_says_the_cost_and_does_nothing(operator, client):
    order_id = placed(client)
    at_rest(client)
    key = {"orderId": {"S": order_id}}
    client.dynamodb.delete_item(TableName="waybill-dev-processed-orders", Key=key)
    done = operator.run("rebuild", "--dry-run")
    assert done.code == WELL
    assert "read units" in done.err and "$" in done.err
    assert client.item("processed-orders", orderId=order_id) is None
    assert operator.verify(f"order#{order_id}").code == WRONG
    rebuilt = operator.rebuild(f"order/{order_id}")
    assert rebuilt.json == {"written": 1, "removed": 0}
    assert operator.verify(f"order#{order_id}").code == WELL


@pytest.mark.parametrize("command", ["verify", "rebuild"])
@pytest.mark.parametrize(
    "option",
    [
        ["--dry-run"],
        ["--only", "processed-orders"],
        ["--segments", "2"],
        ["--state", "state"],
        ["--anew"],
        ["--read-units", "5"],
        ["--write-units", "5"],
    ],
)
def test_what_is_of_all_does_not_go_with_one(operator, client, command, option):
    order_id = placed(client)
    at_rest(client)
    key = {"orderId": {"S": order_id}}
    client.dynamodb.delete_item(TableName="waybill-dev-processed-orders", Key=key)
    done = operator.run(command, f"order#{order_id}", *option)
    assert (done.code, done.out) == (MISUSED, ""), done
    assert option[0] in done.err
    assert client.item("processed-orders", orderId=order_id) is None
    assert operator.rebuild(f"order#{order_id}").json["written"] == 1


def test_a_row_of_an_order_that_never_was_is_removed_once(operator, client):
    """Whoever has mistyped an id is not told that all is well; where there is a row, it was
    no mistake."""
    never = new_id("NEVER")
    row = {"orderId": {"S": never}, "version": {"N": "1"}}
    client.dynamodb.put_item(TableName="waybill-dev-processed-orders", Item=row)
    rebuilt = operator.rebuild(f"order#{never}")
    assert (rebuilt.code, rebuilt.json) == (WELL, {"written": 0, "removed": 1})
    told = operator.rebuild(f"order#{never}")
    assert (told.code, told.out) == (FAILED, "") and "has no events" in told.err


def test_what_is_wrong_is_told_in_words_too(operator, client):
    order_id = placed(client)
    at_rest(client)
    key = {"orderId": {"S": order_id}}
    client.dynamodb.delete_item(TableName="waybill-dev-processed-orders", Key=key)
    told = operator.run("verify", f"order#{order_id}")
    assert told.code == WRONG
    assert "missing" in told.out and order_id in told.out
    assert "`waybill rebuild` mends them" in told.out
    told = operator.run("rebuild")
    assert told.code == WELL and "1 row written, 0 removed" in told.out
    told = operator.run("verify")
    assert told.code == WELL and "every row is as it should be" in told.out

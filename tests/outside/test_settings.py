"""How the local system is told where to run, and what it says of itself."""

import socket
import subprocess

import pytest

from expect import message
from orders import order, placed
from system import System, binary, free_ports


@pytest.fixture
def another(tmp_path):
    system = System(tmp_path)
    yield system
    system.kill()


def test_ports_data_and_environment_by_variables(another):
    another.told_by_variables = True
    another.environment = "qa-2"
    client = another.start().client
    order_id = client.place(order()).ok()["orderId"]
    assert client.order(order_id)["environment"] == "qa-2"
    created = message(client, f"order#{order_id}/1/Order Created")
    assert created["bus"] == "waybill-qa-2"
    tables = client.dynamodb.list_tables()["TableNames"]
    suffixes = ("events", "keys", "parked", "processed-orders", "shipment-log")
    assert sorted(tables) == [f"waybill-qa-2-{suffix}" for suffix in suffixes]
    assert another.data.exists()


def test_a_short_banner_says_what_runs_where_and_what_to_paste(another):
    another.start()
    banner = another.log.read_text()
    assert f"127.0.0.1:{another.port}" in banner
    assert f"127.0.0.1:{another.aws_port}" in banner
    assert banner.count("curl ") + banner.count("aws ") >= 3


def test_only_this_machine_can_reach_it(another):
    another.start()
    # A datagram is not sent by connecting; it only tells which address would.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but its own loopback")
        address = probe.getsockname()[0]
    for port in (another.port, another.aws_port):
        with socket.socket() as outside:
            assert outside.connect_ex((address, port)) != 0


def refused_to_start(*arguments: str) -> str:
    """What it says when it cannot start; it must end by itself, and plainly."""
    done = subprocess.run(
        [str(binary()), "local", "--console-port", "0", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert said.strip() and "panicked" not in said
    return said


@pytest.mark.parametrize("environment", ["", "Dev", "a_b", "x/y", "x" * 21])
def test_an_environment_that_cannot_stand_in_a_name_is_refused(tmp_path, environment):
    said = refused_to_start("--env", environment, "--data", str(tmp_path))
    assert "environment" in said


def test_a_taken_port_is_said_plainly(another, tmp_path):
    another.start()
    ports = ["--port", str(another.port), "--aws-port", str(another.aws_port)]
    said = refused_to_start(*ports, "--data", str(tmp_path / "second"))
    assert str(another.port) in said


def test_two_processes_do_not_share_a_folder(another):
    another.start()
    port, aws_port = map(str, free_ports(2))
    ports = ["--port", port, "--aws-port", aws_port]
    refused_to_start(*ports, "--data", str(another.data))
    # The first one has not noticed.
    placed(another.client)


def test_a_polite_stop_is_quick_and_loses_nothing(another):
    client = another.start().client
    order_id = placed(client, fulfilment="automatic")
    assert another.stop() == 0
    another.start()
    assert client.order(order_id, version=2)["status"] == "PROCESSED"

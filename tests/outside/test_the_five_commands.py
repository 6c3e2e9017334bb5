"""What a newcomer pastes must work word for word."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exact import read_json
from orders import TOTAL
from patience import until
from system import System, free_ports, is_free

PLACE = (
    "curl -s -X POST localhost:8080/orders -H 'Idempotency-Key: k-1'"
    " -H 'Content-Type: application/json' -d '"
    '{"customerId":"customer123","items":[{"productId":"prod1","quantity":2,'
    '"price":29.99},{"productId":"prod2","quantity":1,"price":49.99}],'
    '"totalAmount":109.97,"currency":"USD"}\''
)
UPDATE = (
    "aws --endpoint-url http://localhost:4566 events put-events --entries '"
    '[{"Source":"logistics.shipments","DetailType":"Shipment Update","Detail":'
    r'"{\"shipmentId\":\"SHIP-12345\",\"status\":\"DELAYED\",'
    r'\"location\":\"Memphis, TN\",\"carrier\":\"FedEx\"}"}]'
    "'"
)
SCAN = (
    "aws --endpoint-url http://localhost:4566 dynamodb scan"
    " --table-name waybill-dev-processed-orders"
)
LOG = "curl -s localhost:8080/shipments/SHIP-12345/log"
MESSAGES = "curl -s localhost:4566/_local/messages"


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """On the ports that the newcomer has, where nobody else listens there."""
    usual = (8080, 4566)
    ports = usual if all(map(is_free, usual)) else tuple(free_ports(2))
    system = System(tmp_path_factory.mktemp("system"), ports).start()
    yield system
    system.kill()


def paste(system: System, command: str) -> str:
    """Runs a line in a shell that has curl and the AWS command line."""
    command = command.replace("localhost:8080", f"localhost:{system.port}")
    command = command.replace("localhost:4566", f"localhost:{system.aws_port}")
    tools = Path(sys.executable).parent
    assert shutil.which("aws", path=f"{tools}:{os.environ['PATH']}"), "no aws"
    env = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        # Any credentials do; the command line refuses to run without.
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        # Nobody's own settings take part.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    done = subprocess.run(
        command,
        check=False,
        shell=True,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_five_lines_pasted_one_after_the_other(system):
    first = read_json(paste(system, PLACE))
    assert first["status"] == "PROCESSING" and first["version"] == 1
    assert first["orderId"] and first["message"]
    assert read_json(paste(system, PLACE)) == first
    assert len(system.client.history(first["orderId"])) == 1
    assert len(system.client.commits(f"order#{first['orderId']}")) == 1

    put = json.loads(paste(system, UPDATE))
    assert put["FailedEntryCount"] == 0 and put["Entries"][0]["EventId"]

    def scanned():
        return json.loads(paste(system, SCAN))["Items"]

    (row,) = until("the order's row", scanned)
    assert row["orderId"] == {"S": first["orderId"]}
    assert row["totalAmount"] == {"N": str(TOTAL)}
    assert row["status"] == {"S": "PROCESSING"}

    def logged():
        return read_json(paste(system, LOG)).get("items")

    (entry,) = until("the shipment's log", logged)
    assert entry["status"] == "DELAYED" and entry["location"] == "Memphis, TN"
    assert entry["carrier"] == "FedEx"

    def emitted():
        messages = read_json(paste(system, MESSAGES))["messages"]
        kinds = {each.get("detailType", each.get("subject")) for each in messages}
        return kinds >= wanted

    wanted = {
        "Order Created",
        "Shipment Status Changed",
        "Shipment Alert",
        "Logistics Alert: DELAYED - SHIP-12345",
    }
    until(f"messages {wanted}", emitted)


def test_a_restart_remembers_all_of_it(system):
    before = [each["number"] for each in system.client.messages()]
    assert before == sorted(before, reverse=True)
    order_id = read_json(paste(system, PLACE))["orderId"]
    system.kill()
    system.start()
    assert read_json(paste(system, PLACE))["orderId"] == order_id
    assert read_json(paste(system, LOG))["items"]
    after = [each["number"] for each in system.client.messages()]
    assert set(before) <= set(after)

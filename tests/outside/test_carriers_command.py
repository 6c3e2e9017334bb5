"""The command `waybill carriers`: which providers have a secret, and a try of each."""

import json
import subprocess

import pytest

from carriers import SECRETS, running_with_secrets
from operator_cli import environment
from system import binary


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    yield from running_with_secrets(tmp_path_factory.mktemp("system"))


def carriers(client, *words: str, **secrets: str) -> subprocess.CompletedProcess:
    """The command `waybill carriers`, on this system."""
    named = {f"WAYBILL_CARRIER_SECRET_{name.upper()}": value for name, value in secrets.items()}
    return subprocess.run(
        [str(binary()), "carriers", *words, "--url", client.http],
        capture_output=True,
        text=True,
        env=environment(**named),
        timeout=60,
    )


def test_the_command_line_says_which_providers_have_a_secret(client):
    told = carriers(client)
    assert told.returncode == 0, told.stderr
    rows = dict(line.split(maxsplit=1) for line in told.stdout.splitlines())
    expected = dict.fromkeys(SECRETS, "secret is set")
    assert rows == expected | {"shipengine": "secret is not set"}


@pytest.mark.parametrize("provider", SECRETS)
def test_the_command_line_tries_a_provider(client, provider):
    tried = carriers(client, "try", provider, **{provider: SECRETS[provider]})
    assert tried.returncode == 0, tried.stderr
    answer = json.loads(tried.stdout)
    [row] = client.log(answer["shipmentId"], 1)
    assert (row["status"], row["eventSource"]) == ("IN_TRANSIT", f"carriers/{provider}")


def test_the_command_line_says_why_a_try_is_not_taken(client):
    wrong = carriers(client, "try", "aftership", aftership="another")
    assert wrong.returncode == 1 and "401" in wrong.stderr
    without = carriers(client, "try", "aftership")
    assert without.returncode == 1 and "WAYBILL_CARRIER_SECRET_AFTERSHIP" in without.stderr
    nobody_else = carriers(client, "try", "shipengine", shipengine="any")
    assert nobody_else.returncode == 1 and "ShipEngine" in nobody_else.stderr

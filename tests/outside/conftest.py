"""Tests of Waybill from outside: HTTP, the AWS protocols and kill -9, nothing else.

They want a built binary (`WAYBILL_BIN`, by default `target/debug/waybill`):

    pip install -r tests/outside/requirements.txt
    pytest tests/outside

`WAYBILL_KILLS` sets how often the process is killed under load (default 50);
`ONLINE_RETAIL` names the folder of the "Online Retail" data set, whose first day
is then posted beside the generated one.
"""

import pytest

from client import Client
from months import MONTHS, Months
from system import System


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """One system a module: its tests keep apart by the ids they use."""
    running = System(tmp_path_factory.mktemp("system")).start()
    yield running
    # Whatever a test did to it, the process must still be there: nothing that a
    # client can send may end it.
    alive = running.is_running()
    running.kill()
    assert alive, f"the process ended by itself:\n{running.log_tail()}"


@pytest.fixture
def client(system) -> Client:
    return system.client


@pytest.fixture(scope="session", params=MONTHS)
def loaded_months(request, tmp_path_factory):
    """To take the real months takes minutes: once for all."""
    months = Months(request.param, tmp_path_factory.mktemp("loaded"))
    try:
        yield months.load()
    finally:
        months.remove()


@pytest.fixture(scope="module")
def months(loaded_months, tmp_path_factory):
    months = loaded_months.copied_to(tmp_path_factory.mktemp("months"))
    yield months
    months.remove()

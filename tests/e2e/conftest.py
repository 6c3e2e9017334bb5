"""Waybill deployed: the real stacks, by the real CDK, in an emulator of AWS that others wrote.

    make e2e

Everything is tested from outside, with AWS's own clients and HTTP. `E2E_IAM=enforced` has every
call checked against the policies of whoever makes it. Logs lie under `target/e2e/`:
`functions.log`, `cdk.log` and `emulator.log`.

One deployment serves all tests of a run, so modules run in the order below: what is destructive
comes last.
"""

import os
from pathlib import Path

import pytest

from deployed import Deployed, Inbox
from deployment import Deployment, built
from process import WORK, Emulator

ENFORCED = os.environ.get("E2E_IAM", "") == "enforced"

ORDER = [
    "test_the_emulator",
    "test_entry_points",
    "test_carriers",
    "test_reading",
    "test_personal_data",
    "test_erasing",
    "test_bad_input",
    "test_poison",
    "test_failing_notifications",
    "test_redelivery",
    "test_rebuild",
    "test_permissions",
    "test_console",
    "test_console_pages",
    "test_update",
    "test_removal",
]


def counts(item) -> bool:
    """What says nothing about permissions runs once, what is about them where they are enforced."""
    elsewhere = "unenforced" if ENFORCED else "enforced"
    return item.get_closest_marker(elsewhere) is None


def pytest_collection_modifyitems(config, items):
    place = lambda item: ORDER.index(Path(item.fspath).stem)
    elsewhere = [item for item in items if not counts(item)]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = sorted(filter(counts, items), key=place)


@pytest.fixture(scope="session")
def emulator():
    running = Emulator(WORK / ("enforced" if ENFORCED else "open"), ENFORCED).start()
    yield running
    alive = running.is_running()
    running.stop()
    assert alive, f"the emulator ended by itself: {running.log}"


@pytest.fixture(scope="session")
def deployment(emulator) -> Deployment:
    """Everything deployed, into an account where nothing was."""
    deployment = Deployment(emulator, built())
    deployment.bootstrap()
    deployment.deploy()
    return deployment


@pytest.fixture(scope="session")
def waybill(deployment) -> Deployed:
    return Deployed(deployment)


@pytest.fixture(scope="session")
def inbox(waybill) -> Inbox:
    """Hears everything from the first test on."""
    return Inbox(waybill)

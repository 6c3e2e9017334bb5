"""Checks of the stacks on their templates: what no tool catches, and what is contract.

They need no network, no account and no executables.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import aws_cdk as cdk
import pytest

import app
from stacks import config
from template import Stacks

HERE = Path(__file__).parent
CDK = HERE.parent
REPOSITORY = CDK.parents[1]

ENVIRONMENTS = ("dev", "staging", "prod")

ALERT_EMAIL = "ops@example.org"

# With the flags of the command line, or another template would be tested.
FLAGS = json.loads((CDK / "cdk.json").read_text())["context"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-snapshots", action="store_true", help="write the templates down as they are now"
    )


@pytest.fixture(scope="session")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Something in place of the executables."""
    folder = tmp_path_factory.mktemp("binaries")
    for name in ("commands", "projectors"):
        bootstrap = folder / name / "bootstrap"
        bootstrap.parent.mkdir()
        bootstrap.write_text(f"in place of {name}\n")
        bootstrap.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def synthesise(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Stacks]:
    """The templates of an environment, with other settings than the file's if any are given."""

    @cache
    def synthesised(environment: str, **overrides) -> Stacks:
        settings = {"alert_email": ALERT_EMAIL}
        settings |= {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in overrides.items()
        }
        out = tmp_path_factory.mktemp(environment)
        made = cdk.App(context=FLAGS, outdir=str(out), analytics_reporting=False)
        app.add_stacks(made, config.load(environment, **settings), binaries)
        made.synth()
        return Stacks(
            environment,
            {
                name: json.loads((out / f"waybill-{environment}-{name}.template.json").read_text())
                for name in ("state", "service", "operations")
            },
        )

    return synthesised


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def stacks(request: pytest.FixtureRequest, synthesise: Callable[..., Stacks]) -> Stacks:
    """The templates of each environment in turn."""
    return synthesise(request.param)


@pytest.fixture(scope="session")
def dev(synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise("dev")


@pytest.fixture(scope="session")
def prod(synthesise: Callable[..., Stacks]) -> Stacks:
    return synthesise("prod")

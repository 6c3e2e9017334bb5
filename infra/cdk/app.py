"""Waybill's stacks for one environment: `cdk synth -c env=dev`.

-c env=dev-alice              which environment (environments.toml)
-c alert_email=a@example.org  in place of the file's setting
-c environments=other.toml    another file of settings
-c binaries=dir               dir/commands/bootstrap and dir/projectors/bootstrap;
                              target/lambda, where `make package` puts them, if not given
-c credentials=cli            publish and deploy as whoever calls, not as bootstrap's roles
"""

from __future__ import annotations

import sys
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from stacks.config import FILE, Config, InvalidSetting, load
from stacks.operations import Operations
from stacks.service import Service
from stacks.state import State

REPOSITORY = Path(__file__).resolve().parents[2]


def add_stacks(app: cdk.App, config: Config, binaries: Path) -> list[cdk.Stack]:
    """The stacks of one environment: what keeps state, what does not, and what tells of both."""
    common = {
        "env": cdk.Environment(account=config.account or None, region=config.region),
        "tags": {"application": "waybill", "environment": config.environment},
        "termination_protection": config.keep_data,
    }
    if app.node.try_get_context("credentials") == "cli":
        common["synthesizer"] = cdk.CliCredentialsStackSynthesizer()

    def stack(kind, name, **kwargs):
        says = f"Waybill, {config.environment}: {name}"
        return kind(app, config.name(name), description=says, **common, **kwargs)

    state = stack(State, "state", config=config)
    service = stack(Service, "service", state=state, binaries=binaries)
    operations = stack(Operations, "operations", state=state, service=service)
    return [state, service, operations]


def main() -> None:
    app = cdk.App()
    given = app.node.try_get_context
    email = given("alert_email")
    try:
        config = load(
            given("env") or "dev",
            Path(given("environments") or FILE),
            **({"alert_email": email} if email else {}),
        )
        binaries = Path(given("binaries") or REPOSITORY / "target" / "lambda")
        for name in ("commands", "projectors"):
            if not (binaries / name / "bootstrap").is_file():
                raise InvalidSetting(f"{binaries / name}/bootstrap is missing: run `make package`")
        add_stacks(app, config, binaries)
    except InvalidSetting as error:
        sys.exit(str(error))
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


if __name__ == "__main__":
    main()

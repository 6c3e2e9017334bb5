"""The command line itself: without a network, under the rules of cdk-nag and cfn-lint."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ALERT_EMAIL, CDK, ENVIRONMENTS

SECONDS = 120

CLI = CDK / "node_modules/.bin/cdk"
TOOLS = CDK / ".venv/bin"

# Where nobody listens: whoever asks the network fails at once.
NOWHERE = "http://127.0.0.1:9"


def without_network(words):
    """The command line in a network of its own with nobody in it, where the system allows that."""
    alone = ["unshare", "--map-root-user", "--net"]
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([*alone, "true"], capture_output=True).returncode == 0:
        return [*alone, *words]
    return words


def run(words, **more):
    """A command line, in an environment without accounts."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    proxies = {name: NOWHERE for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    environment |= {"PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}", **proxies, **more}
    return subprocess.run(
        words, cwd=CDK, env=environment, capture_output=True, text=True, timeout=SECONDS
    )


def synth(out, binaries, *context):
    given = [word for each in (f"binaries={binaries}", *context) for word in ("-c", each)]
    return run(without_network([str(CLI), "synth", "--quiet", "--output", str(out), *given]))


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def assembly(request, binaries, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("assembly")
    context = (f"env={request.param}", f"alert_email={ALERT_EMAIL}")
    done = synth(out, binaries, *context)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_it_synthesises_without_a_network_and_no_rule_of_cdk_nag_is_broken(assembly):
    assert len(list(assembly.glob("*.template.json"))) == 3
    report = json.loads((assembly / "validation-report.json").read_text())
    concluded = {plugin["pluginName"]: plugin["conclusion"] for plugin in report["pluginReports"]}
    assert concluded == {"AwsSolutions": "success"}


def test_stacks_are_tagged_named_and_protected_where_data_are_kept(assembly):
    manifest = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    stacks = {
        name: artifact["properties"]
        for name, artifact in manifest.items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    [environment] = {name.removeprefix("waybill-").rpartition("-")[0] for name in stacks}
    ends = ("state", "service", "operations")
    assert stacks.keys() == {f"waybill-{environment}-{end}" for end in ends}
    for properties in stacks.values():
        assert properties["tags"] == {"application": "waybill", "environment": environment}
        protected = properties.get("terminationProtection", False)
        assert protected is (environment != "dev")


def test_cfn_lint_finds_nothing(assembly):
    templates = [str(path) for path in assembly.glob("*.template.json")]
    done = run([str(TOOLS / "cfn-lint"), *templates])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ("env=prod", "setting alert_email is empty: in prod"),
        ("env=nobody", "environment 'nobody'"),
        ("binaries=/nowhere", "/nowhere/commands/bootstrap is missing: run `make package`"),
    ],
)
def test_what_is_wrong_is_a_sentence(context, sentence, binaries, tmp_path):
    done = synth(tmp_path, binaries, context)
    assert done.returncode != 0
    assert sentence in done.stderr and "Traceback" not in done.stderr


def test_the_rules_are_on():
    flags = json.loads((CDK / "cdk.json").read_text())["context"]
    assert flags["@aws-cdk/core:validateAgainstDefaultRules"] is True
    assert flags["@aws-cdk/core:defaultCrossStackReferences"] == "strong"

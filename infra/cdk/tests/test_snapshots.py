"""The templates as they were last looked through: `make snapshots` writes them down anew."""

import json
import re

import pytest
import yaml

from conftest import ENVIRONMENTS, HERE
from template import text

FOLDER = HERE / "snapshots"

# What changes with every build and says nothing: hashes of code, of versions.
HASHES = (
    (re.compile(r"\b[0-9a-f]{64}\.zip\b"), "<hash>.zip"),
    (re.compile(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}"), r"\1<hash>"),
)

# The bootstrap's own, the same in every template.
NOT_OURS = ("Parameters", "Rules")


def readable(template):
    """The template, as a person reads it."""
    resources = {
        id: {key: value for key, value in resource.items() if key != "Metadata"}
        for id, resource in template["Resources"].items()
    }
    for resource in resources.values():
        if resource["Type"] == "AWS::CloudWatch::Dashboard":
            properties = resource["Properties"]
            body = json.loads(text(properties["DashboardBody"]))
            resource["Properties"] = properties | {"DashboardBody": body}
        if resource["Type"] == "AWS::StepFunctions::StateMachine":
            # A file of its own, which is looked through where it lies.
            resource["Properties"] = resource["Properties"] | {"DefinitionString": "<file>"}
    whole = {key: value for key, value in template.items() if key not in NOT_OURS}
    written = yaml.safe_dump(text(whole | {"Resources": resources}), width=100, sort_keys=True)
    for pattern, name in HASHES:
        written = pattern.sub(name, written)
    return written


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("stack", ["state", "service", "operations"])
def test_a_template_is_the_one_that_was_looked_through(environment, stack, synthesise, request):
    template = synthesise(environment).all[stack].json
    file = FOLDER / environment / f"{stack}.yaml"
    if request.config.getoption("--write-snapshots"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(readable(template))
    assert readable(template) == file.read_text(), "make snapshots, and look the difference through"

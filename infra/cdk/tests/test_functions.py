"""The functions: what they are told, how long they may take, and what becomes of their failures."""

import re

import pytest

from conftest import REPOSITORY
from template import text

ROLES = (
    "api",
    "invoke",
    "bus",
    "import",
    "carriers",
    "project",
    "notify",
    "query",
    "rebuild",
    "watch",
)


def constant(path, name):
    """A number in a `limits.rs`."""
    [value] = re.findall(rf"{name}: \S+ =\s*([^;]+);", (REPOSITORY / path).read_text())
    digits = re.sub(r"Duration::from_(secs|millis)|[()_]", "", value)
    return int(digits) / (1000 if "millis" in value else 1)


def roles_of(path):
    """The handlers' names that an executable knows."""
    return set(re.findall(r'"(\w+)" => Ok\(Self::', (REPOSITORY / path).read_text()))


def test_the_handlers_are_those_that_the_executables_know(stacks):
    commands, projectors = (roles_of(f"{name}/src/lib.rs") for name in ("commands", "projectors"))
    assert commands | projectors == set(ROLES)
    assert len(stacks.service.of("Lambda::Function")) == len(ROLES)
    code = {role: stacks.function(role)["Code"]["S3Key"] for role in ROLES}
    assert len({code[role] for role in commands}) == 1
    assert len({code[role] for role in projectors}) == 1
    assert code["api"] != code["query"]
    for role in ROLES:
        assert stacks.function(role)["Handler"] == role


def test_they_are_told_what_they_ask_for(stacks):
    asked = set(
        re.findall(r'"(WAYBILL_\w+)"', (REPOSITORY / "infra/lambda/src/settings.rs").read_text())
    )
    # Asked for by whoever reads an environment's settings from outside.
    operator = (REPOSITORY / "infra/operator/src/target.rs").read_text()
    asked |= set(re.findall(r'API_URL: &str = "(WAYBILL_\w+)"', operator))
    needed = {"WAYBILL_ENV", "WAYBILL_ALERTS_ARN", "WAYBILL_DEAD_LETTERS_URL", "WAYBILL_BUCKET"}
    needed |= {"WAYBILL_SHARDS", "WAYBILL_READ_MODELS"}
    assert needed <= asked
    for role in ROLES:
        told = stacks.function(role)["Environment"]["Variables"]
        assert told.keys() <= asked and needed <= told.keys()
        assert ("WAYBILL_SWEEP_SEGMENTS" in told) == (role == "rebuild")
        assert ("WAYBILL_API_URL" in told) == (role == "rebuild")
        assert ("WAYBILL_CARRIER_REFERENCES" in told) == (role == "carriers")
        assert ("WAYBILL_STALLED_AFTER_HOURS" in told) == (role == "watch")
        assert told["WAYBILL_ENV"] == stacks.environment
        assert told["WAYBILL_BUCKET"] == stacks.name("orders-<AWS::AccountId>")
        assert told["WAYBILL_ALERTS_ARN"].endswith(f":<AWS::AccountId>:{stacks.name('alerts')}")
        assert "DeadLetters" in told["WAYBILL_DEAD_LETTERS_URL"]
        assert told["WAYBILL_SHARDS"] == ("8" if stacks.environment == "prod" else "1")
    rebuild = stacks.function("rebuild")["Environment"]["Variables"]
    assert int(rebuild["WAYBILL_SWEEP_SEGMENTS"]) * int(rebuild["WAYBILL_SWEEP_MINUTES"]) == (
        7 * 24 * 60
    )
    assert int(rebuild["WAYBILL_REBUILD_READ_UNITS"]) > 0
    assert rebuild["WAYBILL_API_URL"] == text(stacks.service.json["Outputs"]["ApiUrl"]["Value"])
    assert int(rebuild["WAYBILL_REBUILD_WRITE_UNITS"]) > 0


def test_each_has_the_time_that_its_limits_say(dev):
    seconds = {role: dev.function(role)["Timeout"] for role in ROLES}
    call = constant("infra/lambda/src/sdk.rs", "CALL_TIMEOUT")
    attempts = constant("commands/src/limits.rs", "UNAVAILABLE_ATTEMPTS")
    sends = constant("projectors/src/limits.rs", "SEND_ATTEMPTS")
    wait = constant("projectors/src/limits.rs", "VERSION_WAIT")
    reserve = constant("commands/src/limits.rs", "TIME_RESERVE")
    assert attempts * call < seconds["api"] <= 30
    assert (attempts + 2) * call <= seconds["bus"]
    assert wait + 2 * call < seconds["query"] <= 30
    assert 2 * sends * call < seconds["notify"]
    # However slow a service is, each delivery of a batch gets some records further.
    batch_reserve = constant("projectors/src/limits.rs", "BATCH_RESERVE")
    for role in ("project", "notify"):
        assert batch_reserve > 1 and batch_reserve + 2 * call < seconds[role]
    assert batch_reserve + sends * call < seconds["watch"]
    assert seconds["import"] == seconds["rebuild"] == 900 > 10 * reserve
    # The alarm for an average of 10 s could not ring with less.
    for role in ("api", "bus", "query"):
        assert seconds[role] > 10


def test_each_has_memory_tracing_and_a_log_of_its_own(stacks):
    groups = stacks.service.of("Logs::LogGroup")
    days = {"dev": 14, "staging": 30, "prod": 365}[stacks.environment]
    assert {group["RetentionInDays"] for group in groups.values()} == {days}
    for role in ROLES:
        function = stacks.function(role)
        assert function["MemorySize"] == (1024 if role in ("import", "rebuild") else 512)
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Runtime"] == "provided.al2023"
        logging = function["LoggingConfig"]
        assert logging["LogFormat"] == "JSON"
        group = groups[logging["LogGroup"].strip("<>")]
        assert group["LogGroupName"] == f"/aws/lambda/{stacks.name(role)}"


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_all_run_on_the_architecture_that_is_set(synthesise, architecture):
    stacks = synthesise("dev", architecture=architecture)
    for role in ROLES:
        assert stacks.function(role)["Architectures"] == [architecture]


def test_what_fails_for_good_is_a_dead_letter(stacks):
    queue = f"arn:aws:sqs:us-east-1:<AWS::AccountId>:{stacks.name('dead-letters')}"
    for role in ROLES:
        kept = stacks.function(role).get("DeadLetterConfig")
        assert kept == ({"TargetArn": queue} if role in ("api", "invoke", "bus", "import") else None), role
    configured = {}
    for config in stacks.service.of("Lambda::EventInvokeConfig").values():
        function = config["FunctionName"].strip("<>")
        name = stacks.service.of("Lambda::Function")[function]["FunctionName"]
        configured[name] = config
        assert config["MaximumRetryAttempts"] == 2 and config["Qualifier"] == "$LATEST"
    ages = {
        name.rpartition("-")[2]: config["MaximumEventAgeInSeconds"]
        for name, config in configured.items()
    }
    assert ages == {
        "api": 21600,
        "invoke": 21600,
        "bus": 7200,
        "import": 21600,
        "rebuild": 3600,
        "watch": 900,
    }


def test_only_the_import_may_call_itself(stacks):
    for role in ROLES:
        loop = stacks.function(role).get("RecursiveLoop")
        assert loop == ("Allow" if role == "import" else None)


def test_the_http_functions_are_moved_carefully_where_it_matters(stacks):
    careful = stacks.environment != "dev"
    groups = stacks.service.of("CodeDeploy::DeploymentGroup")
    assert len(groups) == (3 if careful else 0)
    aliases = stacks.service.of("Lambda::Alias")
    assert len(aliases) == 3
    for group in groups.values():
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        rollback = group["AutoRollbackConfiguration"]
        assert rollback["Enabled"] is True
        assert "DEPLOYMENT_STOP_ON_ALARM" in rollback["Events"]
        assert group["AlarmConfiguration"]["Enabled"] is True
        assert len(group["AlarmConfiguration"]["Alarms"]) == 2
    for id in aliases:
        update = stacks.service.resources[id].get("UpdatePolicy", {})
        assert ("CodeDeployLambdaAliasUpdate" in update) == careful


def test_the_gateway_alone_invokes_the_functions_behind_it(stacks):
    service = stacks.service
    names = (REPOSITORY / "infra/lambda/src/names.rs").read_text()
    [known] = re.findall(r'GATEWAY_ALIAS: &str = "(\w+)"', names)
    aliases = service.of("Lambda::Alias")
    functions = {alias["FunctionName"].strip("<>") for alias in aliases.values()}
    behind = {service.of("Lambda::Function")[id]["FunctionName"] for id in functions}
    assert behind == {stacks.name(role) for role in ("api", "query", "carriers")}
    assert {alias["Name"] for alias in aliases.values()} == {known}
    for integration in service.of("ApiGatewayV2::Integration").values():
        target = integration["IntegrationUri"].strip("<>").removesuffix(".Arn")
        assert target in aliases
    # Who may be let in by a resource's policy: the gateway by the alias, and nobody past it.
    for permission in service.of("Lambda::Permission").values():
        let_in = permission["FunctionName"].strip("<>").removesuffix(".Arn")
        by_gateway = permission["Principal"] == "apigateway.amazonaws.com"
        assert (let_in in aliases) == by_gateway
        assert let_in not in functions

"""Rules, schedule, queue, topic, buckets: how work comes in, and where it goes when it fails."""

import json
import re

from conftest import ALERT_EMAIL, REPOSITORY
from template import several

LOCAL = (REPOSITORY / "infra/local/src/rules.rs").read_text()

ACCOUNT = "<AWS::AccountId>"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"


def local_rules(bucket):
    """The local system's rules: name → (bus, pattern, role)."""
    patterns = {
        name: json.loads(text.replace("{bucket}", bucket).replace("{account}", ACCOUNT))
        for name, text in re.findall(r'const (\w+): &str = r#"(.*?)"#;', LOCAL, re.S)
    }
    rule = re.compile(
        r'Rule \{\s*name: "([\w-]+)",\s*bus: Bus::(\w+),\s*pattern: (\w+),\s*target: Role::(\w+),'
    )
    return {
        name: (bus, patterns[pattern], role.lower())
        for name, bus, pattern, role in rule.findall(LOCAL)
    }


def rules(stacks):
    return stacks.service.by("Events::Rule", "Name")


def role_of(stacks, target):
    function = target.strip("<>").removesuffix(".Arn")
    return stacks.service.of("Lambda::Function")[function]["Handler"]


def test_the_rules_are_those_of_the_local_system(stacks):
    expected = local_rules(stacks.name("orders-<AWS::AccountId>"))
    assert len(expected) == 7
    if stacks.environment != "dev":
        del expected["shipments-default"]
    made = {name: rule for name, rule in rules(stacks).items() if "ScheduleExpression" not in rule}
    assert made.keys() == {stacks.name(name) for name in expected}
    for name, (bus, pattern, role) in expected.items():
        rule = made[stacks.name(name)]
        own = None if bus == "Default" else f"waybill-{stacks.environment}"
        assert rule.get("EventBusName") == own
        assert rule["EventPattern"] == pattern
        assert rule.get("State", "ENABLED") == "ENABLED"
        [target] = rule["Targets"]
        assert role_of(stacks, target["Arn"]) == role


def test_orders_are_completed_by_what_this_account_has_announced_alone(stacks):
    pattern = rules(stacks)[stacks.name("fulfilment")]["EventPattern"]
    assert pattern["account"] == [ACCOUNT]
    assert pattern["source"] == ["waybill.orders"]
    # Nobody from outside is let onto the bus, unless somebody adds a policy by hand.
    assert not stacks.state.of("Events::EventBusPolicy")


def test_shipments_are_stalled_by_what_this_account_asks_for_alone(stacks):
    pattern = rules(stacks)[stacks.name("stalled")]["EventPattern"]
    assert pattern["account"] == [ACCOUNT]
    assert pattern["source"] == ["waybill.watch"]


def test_stalled_shipments_are_looked_for_well_within_an_hour(stacks):
    rule = rules(stacks)[stacks.name("watch")]
    assert rule["ScheduleExpression"] == "rate(15 minutes)"
    [target] = rule["Targets"]
    assert role_of(stacks, target["Arn"]) == "watch"


def test_what_cannot_be_delivered_is_kept(stacks):
    for rule in rules(stacks).values():
        [target] = rule["Targets"]
        retried = target["RetryPolicy"]
        assert 2 <= retried["MaximumRetryAttempts"] <= 185
        assert 60 <= retried["MaximumEventAgeInSeconds"] <= 86_400
        kept = {"Arn": f"{QUEUE}{stacks.name('dead-letters')}"}
        scheduled = "ScheduleExpression" in rule
        assert target.get("DeadLetterConfig") == (None if scheduled else kept)


def test_the_sweep_comes_as_often_as_the_function_thinks(stacks):
    rule = rules(stacks)[stacks.name("sweep")]
    [target] = rule["Targets"]
    assert json.loads(target["Input"]) == {"operation": "sweep"}
    assert role_of(stacks, target["Arn"]) == "rebuild"
    told = stacks.function("rebuild")["Environment"]["Variables"]["WAYBILL_SWEEP_MINUTES"]
    assert rule["ScheduleExpression"] == f"rate({told} minutes)"


def test_the_state_machine_is_the_one_beside_the_code(stacks):
    machine = stacks.service.only("StepFunctions::StateMachine")
    assert machine["StateMachineName"] == stacks.name("rebuild")
    definition = (REPOSITORY / "projectors/rebuild.asl.json").read_text()
    assert machine["DefinitionString"] == definition
    wanted = set(re.findall(r"\$\{(\w+)\}", definition))
    given = machine["DefinitionSubstitutions"]
    assert given.keys() == wanted == {"RebuildFunctionArn"}
    assert role_of(stacks, given["RebuildFunctionArn"]) == "rebuild"
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["TracingConfiguration"] == {"Enabled": True}


def test_each_rule_may_call_its_function_and_nobody_else_may(stacks):
    rules_by_id = stacks.service.of("Events::Rule")
    allowed = {}
    for permission in stacks.service.of("Lambda::Permission").values():
        assert permission["Action"] == "lambda:InvokeFunction"
        assert permission["Principal"] in ("events.amazonaws.com", "apigateway.amazonaws.com")
        assert permission["SourceArn"]
        if permission["Principal"] == "events.amazonaws.com":
            rule = permission["SourceArn"].strip("<>").removesuffix(".Arn")
            allowed[rule] = permission["FunctionName"]
    assert allowed == {id: rule["Targets"][0]["Arn"] for id, rule in rules_by_id.items()}


def test_the_queue_takes_dead_letters_from_our_rules_alone_and_keeps_them_a_fortnight(stacks):
    queue = stacks.state.only("SQS::Queue")
    assert queue["QueueName"] == stacks.name("dead-letters")
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
    assert queue["SqsManagedSseEnabled"] is True
    policy = stacks.state.only("SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    [allowed] = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert allowed["Action"] == "sqs:SendMessage"
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    rule = "arn:aws:events:us-east-1:<AWS::AccountId>:rule/"
    own = f"waybill-{stacks.environment}"
    assert allowed["Condition"] == {
        "ArnLike": {"aws:SourceArn": [f"{rule}{own}-*", f"{rule}{own}/{own}-*"]}
    }


def test_everything_in_transit_is_encrypted(stacks):
    policies = [
        *stacks.state.of("S3::BucketPolicy").values(),
        *stacks.state.of("SQS::QueuePolicy").values(),
        *stacks.state.of("SNS::TopicPolicy").values(),
    ]
    assert len(policies) == 4
    for policy in policies:
        insecure = {"Bool": {"aws:SecureTransport": "false"}}
        denied = [
            statement
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny" and statement.get("Condition") == insecure
        ]
        assert denied and denied[0]["Principal"] in ("*", {"AWS": "*"})


def test_the_topic_lets_alarms_and_budgets_in_and_mails_somebody(stacks):
    """A policy of its own takes the place of the one that would let alarms publish."""
    policy = stacks.state.only("SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    [allowed] = [statement for statement in policy if statement["Effect"] == "Allow"]
    services = several(allowed["Principal"]["Service"])
    assert set(services) == {"cloudwatch.amazonaws.com", "budgets.amazonaws.com"}
    assert allowed["Action"] == "sns:Publish"
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": "<AWS::AccountId>"}}
    subscription = stacks.state.only("SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", ALERT_EMAIL)


def test_buckets_are_private_encrypted_and_named_by_account(stacks):
    buckets = stacks.state.by("S3::Bucket", "BucketName")
    names = ("orders-<AWS::AccountId>", "dead-letters-<AWS::AccountId>")
    assert buckets.keys() == {stacks.name(name) for name in names}
    for bucket in buckets.values():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]


def test_the_orders_bucket_tells_of_its_files_and_keeps_orders_and_reports(stacks):
    buckets = stacks.state.by("S3::Bucket", "BucketName")
    bucket = buckets[stacks.name("orders-<AWS::AccountId>")]
    told = bucket["NotificationConfiguration"]["EventBridgeConfiguration"]
    assert told == {"EventBridgeEnabled": True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    for rule in bucket["LifecycleConfiguration"]["Rules"]:
        assert "ExpirationInDays" not in rule or rule["Prefix"] == "rebuilds/"


def test_the_bus_is_archived(stacks):
    bus = stacks.state.only("Events::EventBus")
    archive = stacks.state.only("Events::Archive")
    assert bus["Name"] == f"waybill-{stacks.environment}"
    assert archive["SourceArn"].endswith(".Arn>") and "EventPattern" not in archive
    assert archive["RetentionDays"] >= 7


def test_nothing_is_made_that_runs_code_of_somebody_else(stacks):
    for template in stacks.all.values():
        assert not template.of("CloudFormation::CustomResource")
        for resource in template.resources.values():
            assert not resource["Type"].startswith("Custom::")
    assert len(stacks.service.of("Lambda::Function")) == 10
    assert not stacks.state.of("Lambda::Function")
    assert not stacks.operations.of("Lambda::Function")

"""What each role may do: this list, and nothing beside it."""

import json

from template import several


def arn(service, rest):
    return f"arn:aws:{service}:us-east-1:<AWS::AccountId>:{rest}"


def expected(stacks):
    """Role → {(action, resource)}, and the conditions where there are any."""
    name = stacks.name
    events, orders, log, parked, keys = tables = [
        arn("dynamodb", f"table/{name(suffix)}")
        for suffix in ("events", "processed-orders", "shipment-log", "parked", "keys")
    ]
    stream = f"{events}/stream/*"
    bucket = f"arn:aws:s3:::{name('orders-<AWS::AccountId>')}"
    dead_bucket = f"arn:aws:s3:::{name('dead-letters-<AWS::AccountId>')}"
    queue = arn("sqs", name("dead-letters"))
    topic = arn("sns", name("alerts"))
    bus = arn("events", f"event-bus/waybill-{stacks.environment}")
    status = "StatusIndex" if stacks.environment != "prod" else "StatusShardIndex"
    indexes = [
        *(f"{orders}/index/{i}" for i in ("StatusShardIndex", "CustomerIndex", "DayIndex")),
        *(f"{log}/index/{i}" for i in (status, "CurrentStatusIndex", "OrderIndex", "WatchIndex")),
    ]
    providers = ("easypost", "aftership", "shipengine", "shippo", "17track", "sendcloud")
    secrets = [
        arn("secretsmanager", f"secret:waybill/{stacks.environment}/carriers/{provider}-??????")
        for provider in providers
    ]
    append = {("dynamodb:PutItem", events), ("dynamodb:Query", events)}
    opening = {("dynamodb:GetItem", keys), ("kms:Decrypt", "<PersonalDataKey>")}
    seal = opening | {("dynamodb:PutItem", keys), ("kms:GenerateDataKey", "<PersonalDataKey>")}
    destroying = opening | {
        ("dynamodb:PutItem", keys),
        ("dynamodb:Query", f"{orders}/index/CustomerIndex"),
    }
    tell = {("sqs:SendMessage", queue), ("sns:Publish", topic)}
    follow = {
        ("dynamodb:DescribeStream", stream),
        ("dynamodb:GetRecords", stream),
        ("dynamodb:GetShardIterator", stream),
        ("dynamodb:ListStreams", stream),
        ("dynamodb:PutItem", parked),
        ("s3:PutObject", f"{dead_bucket}/*"),
        ("s3:ListBucket", dead_bucket),
    }
    mend = opening | {
        *((f"dynamodb:{action}", events) for action in ("Query", "Scan")),
        *(
            (f"dynamodb:{action}", table)
            for action in ("Query", "Scan", "PutItem", "DeleteItem")
            for table in (orders, log)
        ),
    }
    work = {
        "api": append | seal | {("sqs:SendMessage", queue)},
        "invoke": append | seal | {("sqs:SendMessage", queue)},
        "bus": append | seal | tell,
        "import": append
        | seal
        | tell
        | {
            ("s3:GetObject", f"{bucket}/orders/*"),
            ("s3:GetObjectVersion", f"{bucket}/orders/*"),
            ("s3:GetObject", f"{bucket}/reports/*"),
            ("s3:PutObject", f"{bucket}/reports/*"),
            ("s3:ListBucket", bucket),
        },
        "carriers": append
        | tell
        | {("secretsmanager:GetSecretValue", secret) for secret in secrets},
        "project": follow
        | destroying
        | {
            ("dynamodb:Query", events),
            ("dynamodb:Query", orders),
            ("dynamodb:PutItem", orders),
            ("dynamodb:PutItem", log),
        },
        "notify": follow | {("events:PutEvents", bus), ("sns:Publish", topic)},
        "query": opening
        | {
            ("dynamodb:GetItem", orders),
            ("dynamodb:GetItem", log),
            ("dynamodb:Query", events),
            ("dynamodb:Query", log),
            *(("dynamodb:Query", index) for index in indexes),
        },
        "watch": {
            ("dynamodb:Query", f"{log}/index/WatchIndex"),
            ("events:PutEvents", bus),
        },
        "rebuild": mend
        | destroying
        | {
            ("dynamodb:Scan", parked),
            ("s3:GetObject", f"{bucket}/rebuilds/*"),
            ("s3:PutObject", f"{bucket}/rebuilds/*"),
            ("s3:ListBucket", bucket),
        },
    }
    api = arn("execute-api", f"<HttpApi>/{stacks.environment}")
    traces = {("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")}
    roles = {}
    for role, may in work.items():
        logs = arn("logs", f"log-group:/aws/lambda/{name(role)}:*")
        told = {("logs:CreateLogStream", logs), ("logs:PutLogEvents", logs)} | traces
        roles[f"Waybill, {stacks.environment}: what {role} may do"] = may | told
    roles[f"Waybill, {stacks.environment}: what the rebuild's state machine may do"] = {
        ("lambda:InvokeFunction", "<Rebuild>"),
        *((f"logs:{action}", "*") for action in DELIVER_LOGS),
        *traces,
        ("xray:GetSamplingRules", "*"),
        ("xray:GetSamplingTargets", "*"),
    }
    roles[name("operator")] = mend | {
        ("lambda:GetFunctionConfiguration", arn("lambda", f"function:{name('rebuild')}")),
        ("cloudwatch:DescribeAlarms", "*"),
        *(("dynamodb:DescribeTable", table) for table in tables),
        *(
            (f"dynamodb:{action}", parked)
            for action in ("Scan", "GetItem", "PutItem", "DeleteItem")
        ),
        ("execute-api:Invoke", f"{api}/POST/orders/*/complete"),
        ("execute-api:Invoke", f"{api}/POST/orders/*/cancel"),
        ("execute-api:Invoke", f"{api}/POST/shipments/*/updates"),
        ("states:StartExecution", arn("states", f"stateMachine:{name('rebuild')}")),
        ("states:DescribeExecution", arn("states", f"execution:{name('rebuild')}:*")),
        ("events:PutEvents", bus),
        ("sns:Publish", topic),
        *((f"sqs:{action}", queue) for action in TAKE_UP),
        ("s3:GetObject", f"{dead_bucket}/*"),
        ("s3:DeleteObject", f"{dead_bucket}/*"),
        ("s3:ListBucket", dead_bucket),
        *(
            ("lambda:InvokeFunction", arn("lambda", f"function:{name(role)}"))
            for role in ("invoke", "bus", "import", "carriers", "rebuild")
        ),
    }
    roles[name("console")] = opening | {
        ("execute-api:Invoke", f"{api}/GET/*"),
        ("lambda:GetFunctionConfiguration", arn("lambda", f"function:{name('rebuild')}")),
        *(("dynamodb:DescribeTable", table) for table in tables),
        *(("dynamodb:GetItem", table) for table in (orders, log, parked)),
        *(("dynamodb:Query", each) for each in (events, orders, log, *indexes)),
        ("dynamodb:Scan", parked),
        ("sqs:GetQueueAttributes", queue),
        ("s3:ListBucket", dead_bucket),
        ("s3:ListBucket", bucket),
        ("s3:GetObject", f"{bucket}/reports/*"),
        ("cloudwatch:DescribeAlarms", "*"),
        ("cloudwatch:GetMetricData", "*"),
    }
    files = f"{bucket}/orders/*"
    roles[name("erase")] = append | destroying | {
        ("lambda:GetFunctionConfiguration", arn("lambda", f"function:{name('rebuild')}")),
        *(("dynamodb:DescribeTable", table) for table in tables),
        *((f"dynamodb:{a}", table) for a in ("Query", "Scan") for table in (events, orders, log)),
        *((f"dynamodb:{action}", parked) for action in ("GetItem", "Scan")),
        ("sqs:GetQueueAttributes", queue),
        ("s3:ListBucket", dead_bucket),
        ("s3:GetLifecycleConfiguration", bucket),
        ("s3:ListBucketVersions", bucket),
        *((f"s3:{a}", files) for a in ("GetObject", "GetObjectVersion", "DeleteObjectVersion")),
    }
    if stacks.environment != "dev":
        moved = ("api", "query", "carriers")
        functions = [arn("lambda", f"function:{name(role)}") for role in moved]
        roles[f"Waybill, {stacks.environment}: moving aliases to new versions"] = {
            *((f"lambda:{a}", f"{f}{v}") for a in MOVE for f in functions for v in ("", ":*")),
            ("cloudwatch:DescribeAlarms", "*"),
        }
    return roles


DELIVER_LOGS = (
    "CreateLogDelivery",
    "DeleteLogDelivery",
    "DescribeLogGroups",
    "DescribeResourcePolicies",
    "GetLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "UpdateLogDelivery",
)
TAKE_UP = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")
MOVE = ("GetAlias", "UpdateAlias", "GetProvisionedConcurrencyConfig")


def granted(stacks):
    rebuild = stacks.service.logical_id("Lambda::Function", "FunctionName", stacks.name("rebuild"))
    [api] = stacks.service.of("ApiGatewayV2::Api")
    [key] = stacks.state.of("KMS::Key")
    may = {}
    for who, statement in stacks.statements():
        assert statement["Effect"] == "Allow" and "NotAction" not in statement
        for action in several(statement["Action"]):
            for resource in several(statement["Resource"]):
                resource = resource.replace(f"<{rebuild}.Arn>", "<Rebuild>")
                resource = resource.replace(f"<{api}>", "<HttpApi>")
                # An export of the other stack: its name has the key's id and attribute.
                if f"FnGetAtt{key}Arn" in resource:
                    resource = "<PersonalDataKey>"
                may.setdefault(who, set()).add((action, resource))
    return may


def test_each_role_may_do_exactly_what_its_code_calls(stacks):
    may, should = granted(stacks), expected(stacks)
    assert may.keys() == should.keys()
    for role, allowed in may.items():
        assert allowed - should[role] == set(), f"{role}: more than it needs"
        assert should[role] - allowed == set(), f"{role}: less than it needs"


def test_no_action_is_a_pattern(stacks):
    for who, statement in stacks.statements():
        for action in several(statement["Action"]):
            assert "*" not in action, who


def test_only_commands_and_erasures_write_events_and_they_only_append(stacks):
    events = f":table/{stacks.name('events')}"
    for who, statement in stacks.statements():
        touched = any(events in resource for resource in several(statement["Resource"]))
        writing = [a for a in several(statement["Action"]) if not reads(a)]
        if touched and writing:
            assert writing == ["dynamodb:PutItem"], who
            writers = ("api", "invoke", "carriers", "bus", "import")
            commands = [f"Waybill, {stacks.environment}: what {role} may do" for role in writers]
            assert who in [*commands, stacks.name("erase")], who


def reads(action):
    verb = action.partition(":")[2]
    return verb.startswith(("Get", "Query", "Scan", "Describe", "List"))


def test_records_of_keys_are_put_by_few_and_removed_by_nobody(stacks):
    """A key in the table opens nothing without KMS, and the other way round: both or none."""
    keys = f":table/{stacks.name('keys')}"
    table, kms = {}, {}
    for who, statement in stacks.statements():
        for action in several(statement["Action"]):
            if action.startswith("kms:"):
                kms.setdefault(who, set()).add(action)
            elif any(resource.endswith(keys) for resource in several(statement["Resource"])):
                table.setdefault(who, set()).add(action)
    described = {"dynamodb:DescribeTable"}
    opened = {"dynamodb:GetItem"}
    put = opened | {"dynamodb:PutItem"}
    may = f"Waybill, {stacks.environment}: what {{}} may do".format
    sealing = {may(role): put for role in ("api", "invoke", "bus", "import")}
    reading = {may("query"): opened}
    people = {stacks.name(name): opened | described for name in ("operator", "console")}
    erasing = {may(role): put for role in ("project", "rebuild")}
    erasing[stacks.name("erase")] = put | described
    assert table == sealing | reading | people | erasing
    assert kms == {
        who: {"kms:Decrypt", *(["kms:GenerateDataKey"] if who in sealing else [])} for who in table
    }


def test_the_console_changes_nothing_and_scans_no_table_that_grows(stacks):
    seen = [each for who, each in stacks.statements() if who == stacks.name("console")]
    assert seen
    for statement in seen:
        for action in several(statement["Action"]):
            for resource in several(statement["Resource"]):
                if action == "execute-api:Invoke":
                    # `GET` is what asks; each of these routes leads to the function that only reads.
                    assert resource.partition(f"/{stacks.environment}/")[2] == "GET/*"
                else:
                    assert reads(action) or action == "kms:Decrypt", action
                if action == "dynamodb:Scan":
                    assert resource.endswith(f":table/{stacks.name('parked')}")


def test_no_policy_places_orders_by_the_api(stacks):
    for who, statement in stacks.statements():
        if "execute-api:Invoke" in several(statement["Action"]):
            for resource in several(statement["Resource"]):
                assert not resource.endswith(("/POST/orders", "/POST/*", "/*/*")), who


def test_only_the_operator_opens_dead_letters(stacks):
    opened = {"s3:GetObject", "sqs:ReceiveMessage", "sqs:PurgeQueue"}
    for who, statement in stacks.statements():
        dead = any("dead-letters" in resource for resource in several(statement["Resource"]))
        if dead and opened & set(several(statement["Action"])):
            assert who == stacks.name("operator")


def test_listing_is_narrowed_where_it_can_be(stacks):
    """A rebuild sees its own prefix; an import and the console have to be told of objects that are
    not there, which a condition would take away."""
    for who, statement in stacks.statements():
        if statement["Action"] == "s3:ListBucketVersions":
            assert statement["Condition"] == {"StringLike": {"s3:prefix": "orders/*"}}
        if statement["Action"] == "s3:ListBucket" and "-orders-" in statement["Resource"]:
            narrowed = statement.get("Condition")
            if "what import may do" in who or who == stacks.name("console"):
                assert narrowed is None
            else:
                assert narrowed == {"StringLike": {"s3:prefix": "rebuilds/*"}}


def test_policies_are_small_enough_for_iam(synthesise):
    """6,144 characters for a managed policy, 10,240 for all that stand in a role, white space apart
    (IAM quotas). A name of an environment has 20 characters at most, an account 12."""
    stacks = synthesise("dev-" + "a" * 16, shards=8, keep_indexes=("StatusIndex",))
    sizes = {}
    for who, statement in stacks.statements():
        written = json.dumps(statement, separators=(",", ":"))
        written = written.replace("<AWS::AccountId>", "000000000000")
        sizes[who] = sizes.get(who, 100) + len(written) + 1
    for policy in ("operator", "console", "erase"):
        assert sizes[stacks.name(policy)] <= 6_144
    assert max(sizes.values()) <= 10_240


def test_each_function_has_a_role_of_its_own(stacks):
    roles = [function["Role"] for function in stacks.service.of("Lambda::Function").values()]
    assert len(set(roles)) == len(roles) == 10

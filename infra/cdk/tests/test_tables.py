"""Tables as `infra/tables.json` describes them, which Rust reads, too."""

import json

import pytest

from conftest import REPOSITORY
from template import several

DESCRIBED = json.loads((REPOSITORY / "infra/tables.json").read_text())


def keys(described):
    """The key schema of a table or an index."""
    schema = [{"AttributeName": described["partitionKey"]["name"], "KeyType": "HASH"}]
    if "sortKey" in described:
        schema.append({"AttributeName": described["sortKey"]["name"], "KeyType": "RANGE"})
    return schema


def indexes(described, shards):
    wanted = {None: True, "oneShard": shards == 1, "moreShards": shards > 1}
    return [index for index in described.get("indexes", []) if wanted[index.get("onlyWith")]]


def projection(index):
    if "include" not in index:
        return {"ProjectionType": "ALL"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": index["include"]}


def table(stacks, described):
    return stacks.state.by("DynamoDB::Table", "TableName")[stacks.name(described["suffix"])]


@pytest.mark.parametrize("shards", [1, 2, 64])
def test_keys_and_indexes_are_those_of_the_file(synthesise, shards):
    stacks = synthesise("dev", shards=shards)
    assert len(stacks.state.of("DynamoDB::Table")) == len(DESCRIBED)
    for described in DESCRIBED.values():
        made = table(stacks, described)
        assert made["KeySchema"] == keys(described)
        assert made.get("StreamSpecification", {}).get("StreamViewType") == described.get("stream")
        assert [
            (index["IndexName"], index["KeySchema"], index["Projection"])
            for index in made.get("GlobalSecondaryIndexes", [])
        ] == [
            (index["name"], keys(index), projection(index)) for index in indexes(described, shards)
        ]


@pytest.mark.parametrize("shards", [1, 2])
def test_the_attributes_of_all_keys_are_defined_and_no_others(synthesise, shards):
    stacks = synthesise("dev", shards=shards)
    for described in DESCRIBED.values():
        defined = {
            attribute["AttributeName"]: attribute["AttributeType"]
            for attribute in table(stacks, described)["AttributeDefinitions"]
        }
        keyed = [described, *indexes(described, shards)]
        assert defined == {
            place[key]["name"]: place[key]["type"]
            for place in keyed
            for key in ("partitionKey", "sortKey")
            if key in place
        }


def test_an_index_can_be_kept_while_another_takes_its_place(synthesise):
    stacks = synthesise("dev", shards=4, keep_indexes=("StatusIndex",))
    made = table(stacks, DESCRIBED["shipmentLog"])
    names = [index["IndexName"] for index in made["GlobalSecondaryIndexes"]]
    assert {"StatusIndex", "StatusShardIndex"} <= set(names)


def test_every_table_can_be_restored_and_is_paid_by_the_request(stacks):
    for made in stacks.state.of("DynamoDB::Table").values():
        restored = made["PointInTimeRecoverySpecification"]
        assert restored["PointInTimeRecoveryEnabled"] is True
        assert restored["RecoveryPeriodInDays"] >= 7
        assert made["BillingMode"] == "PAY_PER_REQUEST"


def test_data_are_kept_in_staging_and_prod(stacks):
    kept = stacks.environment != "dev"
    kinds = ("DynamoDB::Table", "S3::Bucket", "Events::EventBus", "SQS::Queue")
    for kind in (*kinds, "KMS::Key", "KMS::Alias"):
        for id in stacks.state.of(kind):
            resource = stacks.state.resources[id]
            expected = "Retain" if kept else "Delete"
            assert resource.get("DeletionPolicy", "Delete") == expected, id
            assert resource.get("UpdateReplacePolicy", "Delete") == expected, id
    for made in stacks.state.of("DynamoDB::Table").values():
        assert made["DeletionProtectionEnabled"] is kept


def test_the_key_of_personal_data_is_rotated_and_not_deleted_in_a_hurry(stacks):
    key = stacks.state.only("KMS::Key")
    assert key["EnableKeyRotation"] is True
    assert key["PendingWindowInDays"] == 30
    alias = stacks.state.only("KMS::Alias")
    # As infra/lambda/src/names.rs calls it.
    assert alias["AliasName"] == f"alias/{stacks.name('personal-data')}"
    [id] = stacks.state.of("KMS::Key")
    assert alias["TargetKeyId"] == f"<{id}.Arn>"


@pytest.mark.parametrize("kept", ["events", "keys"])
def test_nobody_may_change_or_remove_an_event_or_the_record_of_a_key(stacks, kept):
    [statement] = table(stacks, DESCRIBED[kept])["ResourcePolicy"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny" and statement["Principal"] in ("*", {"AWS": "*"})
    assert "Condition" not in statement
    assert statement["Resource"].endswith(f":table/{stacks.name(kept)}")
    assert set(statement["Action"]) == {
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
        "dynamodb:BatchWriteItem",
        "dynamodb:PartiQLInsert",
        "dynamodb:PartiQLUpdate",
        "dynamodb:PartiQLDelete",
    }


def actions(stacks, suffix):
    """(function, action, what is behind the table's name) of every permission on a table."""
    arn = f"arn:aws:dynamodb:us-east-1:<AWS::AccountId>:table/{stacks.name(suffix)}"
    found = set()
    for role in stacks.service.of("IAM::Role").values():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                for resource in several(statement["Resource"]):
                    if resource == arn or resource.startswith(f"{arn}/"):
                        rest = resource.removeprefix(arn)
                        for action in several(statement["Action"]):
                            found.add((role["Description"], action, rest))
    return found


def test_a_later_generation_has_a_table_and_permissions_as_the_first(synthesise):
    models = ("processed-orders", "processed-orders-v2", "shipment-log")
    stacks = synthesise("dev", read_models=models)
    made = stacks.state.by("DynamoDB::Table", "TableName")
    first, second = (made[stacks.name(model)] for model in models[:2])
    assert second == first | {"TableName": stacks.name(models[1])}
    assert len(actions(stacks, models[0])) > 5
    assert actions(stacks, models[0]) == actions(stacks, models[1])
    for role in ("project", "query", "rebuild"):
        function = stacks.service.by("Lambda::Function", "FunctionName")[stacks.name(role)]
        variables = function["Environment"]["Variables"]
        assert variables["WAYBILL_READ_MODELS"] == ",".join(models)

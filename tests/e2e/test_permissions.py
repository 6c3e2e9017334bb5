"""Each role may do what it does, and nothing else: asked as the role, and refused."""

import pytest
from botocore.exceptions import ClientError

from client import new_id
from cloud import Cloud
from deployed import NAME, Caller
from deployment import ENVIRONMENT
from execution import credentials_of

pytestmark = pytest.mark.enforced

DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}

KEY_KEY = {"owner": {"S": "order#nobody"}}
KMS_KEY = f"alias/{NAME}-personal-data"
CONTEXT = {"owner": "a hash"}

EVENT_KEY = {"aggregate": {"S": "order#nobody"}, "sequence": {"N": "1"}}


def table(suffix: str) -> str:
    return f"{NAME}-{suffix}"


def put(suffix: str):
    item = {
        "events": EVENT_KEY,
        "processed-orders": {"orderId": {"S": "nobody"}},
        "shipment-log": {"shipmentId": {"S": "nobody"}, "entry": {"S": "CURRENT"}},
        "parked": {"id": {"S": "nobody"}},
        "keys": KEY_KEY,
    }[suffix]
    return lambda cloud, _: cloud.dynamodb.put_item(TableName=table(suffix), Item=item)


def get_key(cloud, _):
    cloud.dynamodb.get_item(TableName=table("keys"), Key=KEY_KEY)


def delete_key(cloud, _):
    cloud.dynamodb.delete_item(TableName=table("keys"), Key=KEY_KEY)


def batch_write_keys(cloud, _):
    request = {table("keys"): [{"PutRequest": {"Item": KEY_KEY}}]}
    cloud.dynamodb.batch_write_item(RequestItems=request)


def make_data_key(cloud, _):
    cloud.kms.generate_data_key(KeyId=KMS_KEY, KeySpec="AES_256", EncryptionContext=CONTEXT)


def unwrap(cloud, waybill):
    """Decrypting what somebody else has had encrypted, who may do anything."""
    made = waybill.cloud.kms.generate_data_key(
        KeyId=KMS_KEY, KeySpec="AES_256", EncryptionContext=CONTEXT
    )
    opened = cloud.kms.decrypt(
        KeyId=KMS_KEY, CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT
    )
    assert opened["Plaintext"] == made["Plaintext"]


def get_order(cloud, _):
    cloud.dynamodb.get_item(TableName=table("processed-orders"), Key={"orderId": {"S": "nobody"}})


def query_events(cloud, _):
    cloud.dynamodb.query(
        TableName=table("events"),
        KeyConditionExpression="#a = :a",
        ExpressionAttributeNames={"#a": "aggregate"},
        ExpressionAttributeValues={":a": {"S": "order#nobody"}},
    )


def scan_events(cloud, _):
    cloud.dynamodb.scan(TableName=table("events"), Limit=1)


def delete_event(cloud, _):
    cloud.dynamodb.delete_item(TableName=table("events"), Key=EVENT_KEY)


def update_event(cloud, _):
    cloud.dynamodb.update_item(
        TableName=table("events"),
        Key=EVENT_KEY,
        UpdateExpression="SET actor = :a",
        ExpressionAttributeValues={":a": {"S": "somebody"}},
    )


def batch_write_events(cloud, _):
    request = {table("events"): [{"PutRequest": {"Item": EVENT_KEY}}]}
    cloud.dynamodb.batch_write_item(RequestItems=request)


def delete_order_row(cloud, _):
    cloud.dynamodb.delete_item(
        TableName=table("processed-orders"), Key={"orderId": {"S": "nobody"}}
    )


def put_event(cloud, _):
    entry = {"EventBusName": NAME, "Source": "x", "DetailType": "x", "Detail": "{}"}
    cloud.events.put_events(Entries=[entry])


def publish(cloud, waybill):
    # With a subject and an id, as everything that is said on the topic.
    attributes = {"id": {"DataType": "String", "StringValue": new_id("test")}}
    cloud.sns.publish(
        TopicArn=waybill.topic, Subject="x", Message="x", MessageAttributes=attributes
    )


def read_dead_letters(cloud, waybill):
    cloud.sqs.receive_message(QueueUrl=waybill.outputs["DeadLettersQueueUrl"])


def read_dead_records(cloud, waybill):
    cloud.s3.get_object(Bucket=waybill.dead_letters_bucket, Key="aws/lambda/any")


def put_file(cloud, waybill):
    cloud.s3.put_object(Bucket=waybill.bucket, Key=f"orders/{new_id('x')}.json", Body=b"[]")


def put_report(cloud, waybill):
    cloud.s3.put_object(Bucket=waybill.bucket, Key=f"reports/{new_id('x')}", Body=b"{}")


def put_progress(cloud, waybill):
    cloud.s3.put_object(Bucket=waybill.bucket, Key=f"rebuilds/{new_id('x')}", Body=b"{}")


def read_secret(name):
    """Reading a secret by its name."""

    def act(cloud, _):
        cloud.secrets.get_secret_value(SecretId=f"waybill/{name}")

    act.__name__ = f"read_secret_{name.rpartition('/')[2]}"
    return act


def invoke(name):
    """Invoking a function, which may name an alias."""

    def act(cloud, _):
        cloud.functions.invoke(FunctionName=f"{NAME}-{name}", Payload=b"{}")

    act.__name__ = f"invoke_{name.replace(':', '_')}"
    return act


# Events are immutable and records of keys stay, whoever it is; and dead letters are the operator's.
NOBODY = [
    *(delete_event, update_event, batch_write_events, delete_key, batch_write_keys),
    *(read_dead_letters, read_dead_records),
]
SEALING = [get_key, unwrap, make_data_key]
OPENING = [get_key, unwrap]
KEYS = [*SEALING, put("keys")]
OWN_SECRET = f"{ENVIRONMENT}/carriers/shippo"
OTHERS_SECRET = "other/carriers/shippo"
NO_PROVIDERS_SECRET = f"{ENVIRONMENT}/carriers/nobody"
ROWS = [put("processed-orders"), put("shipment-log"), delete_order_row]

# Of each role something that it may, so that a refusal is not for another reason; and what it may
# not.
ROLES = {
    "api": (query_events, [*ROWS, scan_events, get_order, publish, put_event, put_report]),
    "invoke": (query_events, [*ROWS, scan_events, get_order, publish, put_event, put_report]),
    "bus": (query_events, [*ROWS, scan_events, get_order, put_event, put_file, invoke("api")]),
    "carriers": (
        query_events,
        [
            *(*ROWS, *KEYS, scan_events, get_order, put_event, put_report, invoke("api")),
            *(read_secret(OTHERS_SECRET), read_secret(NO_PROVIDERS_SECRET)),
        ],
    ),
    "import": (put_report, [*ROWS, scan_events, get_order, put_event, put_file]),
    "project": (
        query_events,
        [
            *(put("events"), delete_order_row, scan_events, publish, put_event, put_report),
            make_data_key,
        ],
    ),
    "notify": (put_event, [*ROWS, *KEYS, put("events"), query_events, get_order, put_report]),
    "query": (
        get_order,
        [
            *(*ROWS, put("events"), put("parked"), scan_events, publish, put_event),
            *(put("keys"), make_data_key),
        ],
    ),
    "watch": (
        put_event,
        [*ROWS, *KEYS, put("events"), query_events, scan_events, publish, put_report],
    ),
    "rebuild": (
        scan_events,
        [
            *(put("events"), publish, put_event, put_file, put_report),
            make_data_key,
        ],
    ),
}

# Who opens personal data, and who seals them.
WITH_KEYS = {role: SEALING for role in ("api", "invoke", "bus", "import")}
WITH_KEYS |= {role: OPENING for role in ("project", "query", "rebuild")}

FORBIDDEN = [
    pytest.param(role, act, id=f"{role}-{act.__name__.strip('<>')}-{place}")
    for role, (_, acts) in ROLES.items()
    for place, act in enumerate([*NOBODY, *acts])
]


@pytest.fixture(scope="module")
def as_role(waybill):
    """AWS as each function's role sees it."""
    return {role: Cloud(waybill.aws, credentials_of(waybill, role)) for role in ROLES}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_is_its_own(waybill, as_role, role):
    may, _ = ROLES[role]
    may(as_role[role], waybill)


@pytest.mark.parametrize("role", WITH_KEYS)
def test_a_role_seals_or_opens_personal_data(waybill, as_role, role):
    for act in WITH_KEYS[role]:
        act(as_role[role], waybill)


@pytest.fixture(scope="module")
def secrets(waybill):
    """A secret of a carrier, and two that are none of this environment's."""
    names = [f"waybill/{name}" for name in (OWN_SECRET, OTHERS_SECRET, NO_PROVIDERS_SECRET)]
    for name in names:
        waybill.secrets.create_secret(Name=name, SecretString="x")
    yield
    for name in names:
        waybill.secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


@pytest.mark.usefixtures("secrets")
def test_the_secrets_of_carriers_are_read_by_their_function_alone(waybill, as_role):
    own = read_secret(OWN_SECRET)
    own(as_role["carriers"], waybill)
    for role in ROLES.keys() - {"carriers"}:
        with pytest.raises(ClientError) as refused:
            own(as_role[role], waybill)
        assert refused.value.response["Error"]["Code"] in DENIED, (role, refused.value)


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(("role", "act"), FORBIDDEN)
def test_a_role_may_do_nothing_else(waybill, as_role, role, act):
    with pytest.raises(ClientError) as refused:
        act(as_role[role], waybill)
    assert refused.value.response["Error"]["Code"] in DENIED, refused.value


@pytest.fixture(scope="module")
def operator(waybill) -> Cloud:
    """AWS as somebody sees it who has nothing but the operator's policy."""
    return Caller(waybill.cloud, "e2e-operator", policy=waybill.outputs["OperatorPolicyArn"]).cloud


@pytest.fixture(scope="module")
def eraser(waybill) -> Cloud:
    """AWS as somebody sees it who has nothing but the policy of whoever may erase."""
    return Caller(waybill.cloud, "e2e-eraser", policy=waybill.outputs["ErasePolicyArn"]).cloud


def remove_a_file(cloud, waybill):
    """Every version of a file of orders."""
    key = f"orders/{new_id('x')}.txt"
    waybill.cloud.s3.put_object(Bucket=waybill.bucket, Key=key, Body=b"x")
    versions = cloud.s3.list_object_versions(Bucket=waybill.bucket, Prefix=key)["Versions"]
    for version in versions:
        place = {"Bucket": waybill.bucket, "Key": key, "VersionId": version["VersionId"]}
        cloud.s3.get_object(**place)
        cloud.s3.delete_object(**place)


def list_reports(cloud, waybill):
    cloud.s3.list_object_versions(Bucket=waybill.bucket, Prefix="reports/")


ERASERS = [*OPENING, put("keys"), query_events, scan_events, remove_a_file]


@pytest.mark.parametrize("act", ERASERS, ids=lambda act: act.__name__.strip("<>"))
def test_whoever_may_erase_destroys_keys_and_removes_files(waybill, eraser, act):
    act(eraser, waybill)


@pytest.mark.parametrize(
    "act",
    [*NOBODY, *ROWS, make_data_key, put_event, put_file, put_report, list_reports, invoke("api")],
    ids=lambda act: act.__name__.strip("<>"),
)
def test_whoever_may_erase_may_do_nothing_else(waybill, eraser, act):
    with pytest.raises(ClientError) as refused:
        act(eraser, waybill)
    assert refused.value.response["Error"]["Code"] in DENIED, refused.value


def list_dead_records(cloud, waybill):
    cloud.s3.list_objects_v2(Bucket=waybill.dead_letters_bucket)


OPERATORS = [
    *(read_dead_letters, list_dead_records, scan_events, query_events, put_event, publish),
    *OPENING,
]


@pytest.mark.parametrize("act", OPERATORS, ids=lambda act: act.__name__)
def test_an_operator_may_open_dead_letters_and_look_at_everything(waybill, operator, act):
    act(operator, waybill)


@pytest.mark.parametrize(
    "act",
    [
        *(put("events"), delete_event, update_event, batch_write_events, put_file, invoke("api")),
        *(invoke("api:live"), put("keys"), delete_key, make_data_key),
    ],
    ids=lambda act: act.__name__.strip("<>"),
)
def test_an_operator_may_not_change_what_happened(waybill, operator, act):
    with pytest.raises(ClientError) as refused:
        act(operator, waybill)
    assert refused.value.response["Error"]["Code"] in DENIED, refused.value


def test_who_may_not_invoke_the_api_does_not_reach_it(waybill):
    stranger = Caller(waybill.cloud, "e2e-stranger", action="execute-api:ManageConnections")
    mine, waybill.caller = waybill.caller, stranger
    try:
        assert waybill.get("/orders?status=PROCESSED").status == 403
    finally:
        waybill.caller = mine

"""The tools people know, on the port that stands in for AWS."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from client import new_id
from exact import json_text
from expect import at_rest
from orders import placed, snack_order, update

TOPIC = "arn:aws:sns:us-east-1:000000000000:waybill-dev-alerts"


def test_the_tables_have_the_keys_of_the_contract(client):
    keys = {
        "events": ["aggregate", "sequence"],
        "processed-orders": ["orderId"],
        "shipment-log": ["shipmentId", "entry"],
        "parked": ["id"],
        "keys": ["owner"],
    }
    for suffix, names in keys.items():
        table = client.dynamodb.describe_table(TableName=f"waybill-dev-{suffix}")
        schema = table["Table"]["KeySchema"]
        assert [key["AttributeName"] for key in schema] == names


def test_a_commit_comes_out_of_the_stream(client):
    order_id = placed(client)
    stream = client.dynamodb.describe_table(TableName="waybill-dev-events")
    arn = stream["Table"]["LatestStreamArn"]
    streams = boto3.client(
        "dynamodbstreams",
        endpoint_url=client.aws,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found = []
    for _ in range(100):
        page = streams.get_records(ShardIterator=iterator, Limit=1000)
        found += [
            each["dynamodb"]["Keys"]["aggregate"]["S"] for each in page["Records"]
        ]
        iterator = page.get("NextShardIterator")
        if not page["Records"] or not iterator:
            break
    assert found.count(f"order#{order_id}") == 1


def test_a_message_of_anybody_reaches_the_topic(client):
    text = new_id("text")
    client.sns.publish(TopicArn=TOPIC, Message=text, Subject="Hello")
    sent = [each for each in client.messages() if each.get("message") == text]
    assert len(sent) == 1 and sent[0]["subject"] == "Hello"


def test_a_batch_of_messages_fails_per_entry(client):
    text = new_id("text")
    answer = client.sns.publish_batch(
        TopicArn=TOPIC,
        PublishBatchRequestEntries=[
            {"Id": "good", "Message": text},
            {"Id": "bad", "Message": text, "Subject": "line\nbreak"},
        ],
    )
    assert [each["Id"] for each in answer["Successful"]] == ["good"]
    assert [each["Id"] for each in answer["Failed"]] == ["bad"]
    assert answer["Failed"][0]["SenderFault"] is True
    assert len([m for m in client.messages() if m.get("message") == text]) == 1


def test_more_than_ten_entries_are_refused(client):
    entry = {"Source": "a", "DetailType": "b", "Detail": "{}"}
    with pytest.raises(ClientError):
        client.events.put_events(Entries=[entry] * 11)
    entries = [{"Id": str(n), "Message": "x"} for n in range(11)]
    with pytest.raises(ClientError):
        client.sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)


def test_an_unknown_function_or_topic_is_not_found(client):
    with pytest.raises(ClientError) as refused:
        client.functions.invoke(FunctionName="waybill-dev-nobody", Payload=b"{}")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(ClientError):
        client.sns.publish(TopicArn=TOPIC + "-nobody", Message="x")


def test_an_invocation_may_be_asynchronous(client):
    body = snack_order(orderId=new_id("ASYNC"))
    answer = client.functions.invoke(
        FunctionName="waybill-dev-invoke",
        InvocationType="Event",
        Payload=json_text(body).encode(),
    )
    assert answer["StatusCode"] == 202
    assert client.order(body["orderId"], version=2)["status"] == "PROCESSED"


def test_a_query_function_answers_a_request_of_the_http_api(client):
    order_id = placed(client)
    client.order(order_id)
    path = f"/orders/{order_id}"
    answer = client.invoke(
        "query",
        {
            "version": "2.0",
            "routeKey": "GET /orders/{orderId}",
            "rawPath": path,
            "rawQueryString": "",
            "headers": {},
            "pathParameters": {"orderId": order_id},
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "domainName": "localhost",
                "http": {
                    "method": "GET",
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "test",
                },
                "requestId": new_id("request"),
                "routeKey": "GET /orders/{orderId}",
                "stage": "$default",
                "time": "15/Jan/2024:10:30:00 +0000",
                "timeEpoch": 1_705_314_600_000,
            },
            "isBase64Encoded": False,
        },
    )
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["orderId"] == order_id


def test_events_are_looked_at_one_by_one(client):
    good, bad = new_id("SHIP"), new_id("SHIP")
    shipment = {"Source": "logistics.shipments", "DetailType": "Shipment Update"}
    put = client.events.put_events(
        Entries=[
            shipment | {"Detail": json_text(update(good))},
            {"DetailType": "Shipment Update", "Detail": json_text(update(bad))},
        ]
    )
    assert put["FailedEntryCount"] == 1
    assert put["Entries"][0]["EventId"] and put["Entries"][1]["ErrorCode"]
    assert client.log(good)
    at_rest(client)
    assert client.get(f"/shipments/{bad}").status == 404


def test_a_browser_may_send_a_key_and_read_the_tag(client):
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,idempotency-key,if-match",
    }
    answer = client.request("OPTIONS", "/orders", headers=asked)
    assert answer.status in (200, 204)
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert allowed == "*" or {"idempotency-key", "if-match"} <= {
        name.strip() for name in allowed.split(",")
    }
    order_id = placed(client)
    client.order(order_id)
    origin = {"Origin": "https://shop.example"}
    row = client.request("GET", f"/orders/{order_id}", headers=origin)
    assert row.headers["access-control-allow-origin"] in ("*", origin["Origin"])
    assert "etag" in row.headers["access-control-expose-headers"].lower()

"""The five systems that are replaced, each by what its users do today.

Every test speaks one system's own language and nothing of Waybill's: what it sends
and where it looks is what that system's integrations and dashboards do.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal

import boto3
import pytest
import requests
from boto3.dynamodb.conditions import Key
from botocore.config import Config

from client import new_id
from patience import until

SECOND = 1_000


@pytest.fixture
def aws(system):
    """An AWS session of somebody who knows the endpoint and nothing else."""

    def make(kind, service):
        return kind(
            service,
            endpoint_url=system.client.aws,
            region_name="us-east-1",
            aws_access_key_id="somebody",
            aws_secret_access_key="secret",
            config=Config(s3={"addressing_style": "path"}),
        )

    class Aws:
        client = staticmethod(lambda service: make(boto3.client, service))
        table = staticmethod(
            lambda name: make(boto3.resource, "dynamodb").Table(f"waybill-dev-{name}")
        )

    return Aws


def alert(system, subject: str) -> dict:
    """What the people who subscribed to the topic get."""
    wanted = lambda each: each["via"] == "SNS" and each["subject"] == subject
    sent = lambda: next(filter(wanted, system.client.messages()), None)
    return until(f"a mail {subject!r}", sent)


def epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


class TestDeliveryOrders:
    """S1: order files in a bucket."""

    def test_a_file_of_orders_becomes_rows(self, aws):
        ids = [new_id("DEL"), new_id("DEL")]
        orders = [
            {
                "orderId": ids[0],
                "customerId": "C-9",
                "deliveryAddress": {"city": "Leeds", "floor": 2},
                "weightKg": 3.75,
                "items": [{"name": "Lamp", "quantity": 2, "price": 12.5}],
            },
            {
                "orderId": ids[1],
                "priority": "high",
                "items": [{"name": "Vase", "quantity": 1, "price": "7.99"}],
            },
        ]
        bucket, key = "waybill-dev-orders-000000000000", f"orders/{new_id('day')}.json"
        aws.client("s3").put_object(
            Bucket=bucket, Key=key, Body=json.dumps(orders).encode()
        )
        table = aws.table("processed-orders")

        def processed(order_id):
            row = table.get_item(Key={"orderId": order_id}).get("Item")
            return row if row and row["status"] == "PROCESSED" else None

        rows = [until(f"{id} processed", lambda id=id: processed(id)) for id in ids]
        for row in rows:
            assert row["sourceFile"] == f"s3://{bucket}/{key}"
            assert row["environment"] == "dev"
            assert row["processedTimestamp"] == epoch(row["processedAt"])
            assert row["processingDate"] == row["processedAt"][:10]
        # Its own fields are one level down now; numbers are what they were.
        attributes = rows[0]["attributes"]
        assert attributes["deliveryAddress"] == {"city": "Leeds", "floor": 2}
        assert attributes["weightKg"] == Decimal("3.75")
        assert rows[1]["attributes"]["priority"] == "high"
        assert rows[0]["totalAmount"] == 25 and rows[1]["totalAmount"] == Decimal("7.99")

    def test_one_order_alone_is_a_file_too(self, aws):
        order_id = new_id("DEL")
        order = {
            "orderId": order_id,
            "items": [{"name": "Lamp", "quantity": 1, "price": 1}],
        }
        aws.client("s3").put_object(
            Bucket="waybill-dev-orders-000000000000",
            Key=f"orders/{order_id}.json",
            Body=json.dumps(order, indent=2).encode(),
        )
        table = aws.table("processed-orders")
        until("its row", lambda: table.get_item(Key={"orderId": order_id}).get("Item"))

    def test_one_bad_order_is_told_and_does_not_stop_the_others(self, system, aws):
        good, bad = new_id("DEL"), new_id("DEL")
        item = {"name": "Lamp", "quantity": 1, "price": 1}
        orders = [
            {"orderId": bad, "items": [item | {"quantity": -1}]},
            {"orderId": good, "items": [item]},
        ]
        key = f"orders/{new_id('dirty')}.json"
        s3, bucket = aws.client("s3"), "waybill-dev-orders-000000000000"
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(orders).encode())
        table = aws.table("processed-orders")
        until("its row", lambda: table.get_item(Key={"orderId": good}).get("Item"))
        assert "Item" not in table.get_item(Key={"orderId": bad})
        mail = alert(system, "Logistics Processing Error - dev")
        assert "Rejected: 1" in mail["message"] and bad not in mail["message"]
        report = mail["message"].split(f"s3://{bucket}/")[1].strip()
        text = s3.get_object(Bucket=bucket, Key=report)["Body"].read()
        (rejection,) = json.loads(text)["rejections"]
        assert (rejection["position"], rejection["orderId"]) == (0, bad)
        assert "quantity" in rejection["field"] and rejection["reason"]

    def test_the_days_orders_are_answered_in_order_of_time(self, aws):
        """What its time index could not: a range."""
        today = datetime.now(UTC).date().isoformat()
        ids = [new_id("DEL") for _ in range(3)]
        item = {"name": "Lamp", "quantity": 1, "price": 1}
        lines = "\n".join(json.dumps({"orderId": id, "items": [item]}) for id in ids)
        aws.client("s3").put_object(
            Bucket="waybill-dev-orders-000000000000",
            Key=f"orders/{new_id('lines')}.jsonl",
            Body=lines.encode(),
        )
        table = aws.table("processed-orders")
        description = table.meta.client.describe_table(TableName=table.name)["Table"]
        (index,) = (
            each
            for each in description["GlobalSecondaryIndexes"]
            if "processedAt" in str(each["KeySchema"])
        )
        day = index["KeySchema"][0]["AttributeName"]

        def found():
            rows = table.query(
                IndexName=index["IndexName"],
                KeyConditionExpression=Key(day).eq(f"{today}#0")
                & Key("processedAt").gte(today),
            )["Items"]
            times = [row["processedAt"] for row in rows]
            assert times == sorted(times)
            return set(ids) <= {row["orderId"] for row in rows}

        until("the orders of today", found)


class TestShipmentLogistics:
    """S2: shipment updates on the default bus."""

    def put(self, aws, **detail):
        answer = aws.client("events").put_events(
            Entries=[
                {
                    "Source": "logistics.shipments",
                    "DetailType": "Shipment Update",
                    "Detail": json.dumps(detail),
                }
            ]
        )
        assert answer["FailedEntryCount"] == 0
        return answer["Entries"][0]["EventId"]

    def rows(self, aws, shipment_id, count):
        table = aws.table("shipment-log")

        def seen():
            rows = table.query(
                KeyConditionExpression=Key("shipmentId").eq(shipment_id)
                & Key("entry").lt("CURRENT")
            )["Items"]
            return rows if len(rows) >= count else None

        return until(f"{count} rows of {shipment_id}", seen)

    def test_every_update_is_a_row(self, aws):
        shipment_id = new_id("SHIP")
        before = datetime.now(UTC).timestamp()
        self.put(aws, shipmentId=shipment_id, status="IN_TRANSIT", temperature=4.5)
        (row,) = self.rows(aws, shipment_id, 1)
        assert row["status"] == "IN_TRANSIT"
        assert row["location"] == "Unknown" and row["carrier"] == "Unknown"
        # The number that used to be `timestamp`.
        assert before - 60 <= row["timestampMs"] / SECOND <= before + 60
        assert row["eventTime"].endswith("Z")
        assert json.loads(row["rawEvent"])["detail"]["temperature"] == 4.5

    def test_two_updates_at_once_are_two_rows(self, aws):
        shipment_id = new_id("SHIP")
        for status in ["IN_TRANSIT", "OUT_FOR_DELIVERY"]:
            self.put(aws, shipmentId=shipment_id, status=status)
        assert len(self.rows(aws, shipment_id, 2)) == 2

    def test_a_critical_status_is_mailed(self, system, aws):
        shipment_id = new_id("SHIP")
        self.put(aws, shipmentId=shipment_id, status="LOST", carrier="UPS")
        mail = alert(system, f"Logistics Alert: LOST - {shipment_id}")
        assert shipment_id in mail["message"] and "UPS" in mail["message"]

    def test_a_failure_is_mailed(self, system, aws):
        self.put(aws, status="IN_TRANSIT", note="nobody knows which shipment")
        mail = alert(system, "Logistics Processing Error - dev")
        assert "nobody knows" not in mail["message"]


class TestShipmentLogisticsTheSecond:
    """S3: three kinds of updates on a custom bus, with the carrier's own times."""

    def put(self, aws, kind, **detail):
        answer = aws.client("events").put_events(
            Entries=[
                {
                    "EventBusName": "waybill-dev",
                    "Source": "logistics.shipments",
                    "DetailType": kind,
                    "Detail": json.dumps(detail),
                }
            ]
        )
        assert answer["FailedEntryCount"] == 0
        return answer["Entries"][0]["EventId"]

    def test_three_kinds_and_the_index_by_status(self, aws):
        shipment_id, number = new_id("SHIP"), "1Z-999"
        event_id = self.put(
            aws,
            "Shipment Created",
            shipmentId=shipment_id,
            trackingNumber=number,
            timestamp="2024-05-01T08:00:00Z",
        )
        self.put(
            aws,
            "Shipment Update",
            shipmentId=shipment_id,
            status="IN_TRANSIT",
            timestamp="2024-05-01T10:00:00+02:00",
        )
        self.put(
            aws,
            "Shipment Delayed",
            shipmentId=shipment_id,
            timestamp="2024-05-02T08:00:00Z",
        )
        table = aws.table("shipment-log")

        def by_status(status):
            rows = table.query(
                IndexName="StatusIndex",
                KeyConditionExpression=Key("status").eq(status)
                & Key("timestamp").between("2024-05-01", "2024-05-03"),
            )["Items"]
            return [row for row in rows if row["shipmentId"] == shipment_id]

        (created,) = until("CREATED", lambda: by_status("CREATED"))
        (moving,) = until("IN_TRANSIT", lambda: by_status("IN_TRANSIT"))
        (delayed,) = until("DELAYED", lambda: by_status("DELAYED"))
        # Two at the same moment are two rows, and times are in UTC with milliseconds.
        assert created["timestamp"] == moving["timestamp"] == "2024-05-01T08:00:00.000Z"
        assert created["trackingNumber"] == number
        assert created["eventType"] == "Shipment Created"
        assert created["eventSource"] == "logistics.shipments"
        assert created["eventId"] == event_id
        assert created["processedAt"].endswith("Z")
        assert delayed["eventType"] == "Shipment Delayed"

    def test_an_update_without_status_is_refused_and_mailed(self, system, aws):
        shipment_id = new_id("SHIP")
        event_id = self.put(aws, "Shipment Update", shipmentId=shipment_id)
        told = lambda: event_id in str(system.client.local("dead-letters"))
        until("the event among the dead letters", told)
        assert alert(system, "Logistics Processing Error - dev")


class TestWebShopOrders:
    """S4: `POST /orders` of a web shop, the stage in the path."""

    ORDER = {
        "customerId": "customer123",
        "items": [
            {"productId": "prod1", "quantity": 2, "price": 29.99},
            {"productId": "prod2", "quantity": 1, "price": 49.99},
        ],
        "totalAmount": 109.97,
    }

    def test_its_own_check(self, system, aws):
        answer = requests.post(
            f"{system.client.http}/dev/orders", json=self.ORDER, timeout=30
        )
        assert answer.status_code == 200
        body = answer.json()
        assert "orderId" in body and body["message"]
        assert body["status"] == "PROCESSING"
        table = aws.table("processed-orders")
        key = {"orderId": body["orderId"]}
        row = until("its row", lambda: table.get_item(Key=key).get("Item"))
        assert row["status"] == "PROCESSING"
        assert row["customerId"] == "customer123" and row["currency"] == "USD"
        assert row["totalAmount"] == Decimal("109.97")
        assert row["items"][1]["price"] == Decimal("49.99")
        assert row["createdAt"] and row["updatedAt"]

    def test_a_browser_may_ask(self, system):
        answer = requests.options(
            f"{system.client.http}/dev/orders",
            headers={
                "Origin": "https://shop.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,idempotency-key",
            },
            timeout=30,
        )
        assert answer.status_code in (200, 204)
        asked_for = "https://shop.example"
        assert answer.headers["access-control-allow-origin"] == asked_for
        allowed = answer.headers["access-control-allow-headers"].lower()
        assert "idempotency-key" in allowed and "content-type" in allowed

    def test_a_refusal_says_message(self, system):
        order = self.ORDER | {"totalAmount": 1}
        answer = requests.post(
            f"{system.client.http}/dev/orders", json=order, timeout=30
        )
        assert answer.status_code == 400
        assert "totalAmount" in answer.json()["field"] and answer.json()["message"]

    def test_the_shop_completes_it(self, system):
        http = system.client.http
        order_id = requests.post(
            f"{http}/dev/orders",
            json=self.ORDER,
            headers={"Idempotency-Key": new_id("key")},
            timeout=30,
        ).json()["orderId"]
        done = requests.post(f"{http}/dev/orders/{order_id}/complete", timeout=30)
        assert done.json()["status"] == "PROCESSED"


class TestSnackOrders:
    """S5: the bare order by direct invocation, and an event when it is there."""

    def test_it_is_new_then_announced_then_processed(self, system, aws):
        snack = {
            "customerName": "Aïcha",
            "snackItems": [{"name": "Crisps", "quantity": 3, "price": 1.10}],
            "totalAmount": 3.3,
        }
        answer = aws.client("lambda").invoke(
            FunctionName="waybill-dev-invoke", Payload=json.dumps(snack).encode()
        )
        assert "FunctionError" not in answer
        placed = json.loads(answer["Payload"].read())
        assert placed["status"] == "NEW"
        table = aws.table("processed-orders")
        key = {"orderId": placed["orderId"]}

        def processed():
            row = table.get_item(Key=key).get("Item")
            return row if row and row["status"] == "PROCESSED" else None

        row = until("it is processed", processed)
        assert row["processedAt"] and row["customerName"] == "Aïcha"

        def created(each):
            about = (each.get("detail") or {}).get("orderId") == placed["orderId"]
            return about and each["detailType"] == "Order Created"

        announced = lambda: list(filter(created, system.client.messages()))
        assert len(until("Order Created on the bus", announced)) == 1

    def test_a_bad_order_is_told_and_no_function_error(self, aws):
        answer = aws.client("lambda").invoke(
            FunctionName="waybill-dev-invoke", Payload=b'{"customerName":"Bo"}'
        )
        assert "FunctionError" not in answer
        assert "tems" in json.loads(answer["Payload"].read())["error"]["field"]

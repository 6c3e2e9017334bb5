"""Personal data of orders, deployed: shown open by the API, stored encrypted by KMS."""

import pytest

from client import new_id
from deployed import NAME
from orders import order

CUSTOMER_NAME = "Ayşe Yılmaz"
PERSONAL = {"mail": "ayse.yilmaz@example.com", "address": {"city": "İzmir"}}
# What must not stand in the table; as it is, or as JSON may escape it.
SECRETS = ["Yılmaz", "Y\\u0131lmaz", "ayse.yilmaz", "zmir"]


@pytest.fixture(scope="module")
def placed(waybill) -> tuple[str, str]:
    """The id of a customer, and of an order of that customer with personal data."""
    customer, order_id = new_id("customer"), new_id("ORD")
    own = {"customerId": customer, "customerName": CUSTOMER_NAME, "personal": PERSONAL}
    waybill.place(order(orderId=order_id, **own), new_id("key")).ok()
    return customer, order_id


def is_open(shown: dict) -> bool:
    return (shown["customerName"], shown["personal"]) == (CUSTOMER_NAME, PERSONAL)


def test_row_and_history_are_open(waybill, placed):
    _, order_id = placed
    assert is_open(waybill.order(order_id))
    [first] = waybill.history(order_id)
    assert is_open(first["data"]) and "sealed" not in first["data"]


def test_the_table_of_events_holds_no_plain_text(waybill, placed):
    _, order_id = placed
    [commit] = [each for each in waybill.rows("events") if each["aggregate"] == f"order#{order_id}"]
    assert "sealed" in str(commit)
    assert [secret for secret in SECRETS if secret in str(commit)] == []


def test_the_key_of_the_customer_is_encrypted_by_kms(waybill, placed):
    customer, order_id = placed
    record = waybill.item("keys", owner=f"customer#{customer}")
    assert record["version"] == 1 and record["wrapped"]
    kms = waybill.cloud.kms
    key = kms.describe_key(KeyId=f"alias/{NAME}-personal-data")["KeyMetadata"]
    assert key["KeyState"] == "Enabled"
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
    # Without the context that names its owner by a hash, nobody gets it open.
    with pytest.raises(kms.exceptions.InvalidCiphertextException):
        kms.decrypt(KeyId=key["KeyId"], CiphertextBlob=bytes(record["wrapped"]))


def test_an_order_without_a_customer_has_a_key_of_its_own(waybill):
    order_id = new_id("ORD")
    body = order(orderId=order_id, customerId=None, customerName=CUSTOMER_NAME)
    waybill.place(body, new_id("key")).ok()
    assert waybill.order(order_id)["customerName"] == CUSTOMER_NAME
    assert waybill.item("keys", owner=f"order#{order_id}")["version"] == 1

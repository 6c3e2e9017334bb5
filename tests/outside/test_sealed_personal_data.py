"""Personal data of orders: shown open, stored encrypted, and opened by the key in its file alone."""

import stat

import boto3
import pytest

from client import new_id
from expect import no_internals, problem
from orders import order
from patience import until
from system import System

PERSONAL = {
    "mail": "ayse.yilmaz@example.com",
    "address": {"street": "Gülbahçe Sokağı 7", "city": "İzmir"},
}
NAME = "Ayşe Yılmaz"
# What must not stand in the table; as it is, or as JSON may escape it.
SECRETS = ["Yılmaz", "Y\\u0131lmaz", "ayse.yilmaz", "Sokağı", "Soka\\u011f", "zmir"]


@pytest.fixture
def own(tmp_path):
    """A system that a test may stop and damage."""
    system = System(tmp_path).start()
    yield system
    system.kill()


def place(client, **changes) -> str:
    body = order(orderId=new_id("P"), customerName=NAME, personal=PERSONAL, **changes)
    return client.place(body).ok()["orderId"]


def events(client) -> list[dict]:
    pages = client.dynamodb.get_paginator("scan").paginate(TableName="waybill-dev-events")
    return [item for page in pages for item in page["Items"]]


def keys(client) -> list[dict]:
    return client.dynamodb.scan(TableName="waybill-dev-keys")["Items"]


def is_open(client, order_id: str) -> None:
    """Row and history show the personal data."""
    [first, *_] = client.history(order_id)
    for shown in (client.order(order_id), first["data"]):
        assert (shown["customerName"], shown["personal"]) == (NAME, PERSONAL)
        assert "sealed" not in shown


@pytest.mark.parametrize("customer", ["C-7", None])
def test_they_are_shown_open_and_stored_sealed_over_a_restart(own, customer):
    order_id = place(own.client, customerId=customer)
    is_open(own.client, order_id)
    text = str(events(own.client))
    assert order_id in text
    assert [secret for secret in SECRETS if secret in text] == []
    [record] = keys(own.client)
    owner = f"customer#{customer}" if customer else f"order#{order_id}"
    assert record["owner"] == {"S": owner}
    # 32 bytes, and what the encryption adds.
    assert len(record["wrapped"]["B"]) > 32

    own.kill()
    own.start()
    is_open(own.client, order_id)
    another = place(own.client, customerId=customer)
    is_open(own.client, another)
    assert len(keys(own.client)) == (1 if customer else 2)


def test_the_keys_file_is_its_owners_and_has_one_line(own):
    place(own.client)
    [file] = own.data.glob("*.keys")
    assert file.name == "dev.personal-data.keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().splitlines()) == 1


def test_a_further_line_is_a_rotation(own):
    order_id = place(own.client, customerId="C-1")
    file = own.data / "dev.personal-data.keys"
    own.kill()
    with file.open("a") as keys_file:
        keys_file.write("c2hhbGwgSSBjb21wYXJlIHRoZWUgdG8gYSBzdW1tZXI=\n")
    own.start()
    is_open(own.client, order_id)
    is_open(own.client, place(own.client, customerId="C-2"))


def test_without_the_file_nothing_is_opened_and_nothing_counts_as_erased(own):
    order_id = place(own.client)
    is_open(own.client, order_id)
    file = own.data / "dev.personal-data.keys"
    own.kill()
    kept = file.read_text()
    file.unlink()
    own.start()
    told = own.client.get(f"/orders/{order_id}/history")
    problem(told, 503)
    no_internals(told.text)
    assert "erased" not in told.text
    own.kill()
    file.write_text(kept)
    own.start()
    is_open(own.client, order_id)


def test_nothing_starts_with_a_damaged_file_and_the_file_stays(own):
    place(own.client)
    file = own.data / "dev.personal-data.keys"
    own.kill()
    damaged = file.read_text() + "half a line"
    file.write_text(damaged)
    own.spawn()
    until("it has ended", lambda: not own.is_running())
    assert "dev.personal-data.keys: line 2 is not 32 bytes in base64" in own.log_tail()
    assert file.read_text() == damaged


def test_a_stranger_to_waybill_may_use_the_key(own):
    """boto3, as on AWS."""
    kms = boto3.client(
        "kms",
        endpoint_url=own.client.aws,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    alias = "alias/waybill-dev-personal-data"
    made = kms.generate_data_key(
        KeyId=alias, KeySpec="AES_256", EncryptionContext={"b": "2", "a": "1"}
    )
    opened = kms.decrypt(
        CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "1", "b": "2"}
    )
    assert opened["Plaintext"] == made["Plaintext"] and len(made["Plaintext"]) == 32
    assert opened["KeyId"] == kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"]
    [listed] = kms.list_aliases()["Aliases"]
    assert listed["AliasName"] == alias
    with pytest.raises(kms.exceptions.InvalidCiphertextException):
        kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "1"})
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.generate_data_key(KeyId="alias/nobody", KeySpec="AES_256")

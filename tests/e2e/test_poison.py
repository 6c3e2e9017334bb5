"""A commit that nobody can read stops its own order only."""

from client import new_id
from deployed import NAME
from orders import order
from patience import until

READERS = ["project", "notify"]

PARKED = ("Waybill", "AggregatesParked", "Environment", "Consumer")


def test_a_poison_record_parks_its_aggregate_and_the_others_go_on(waybill, inbox):
    poisoned, other = new_id("POISON"), new_id("ORD")
    waybill.dynamodb.put_item(
        TableName=f"{NAME}-events",
        Item={
            "aggregate": {"S": f"order#{poisoned}"},
            "sequence": {"N": "1"},
            "events": {"S": "not JSON"},
        },
    )
    waybill.place(order(orderId=other), new_id("key")).ok()
    for reader in READERS:
        key = f"{reader}#order#{poisoned}"
        row = until(f"{key} parked", lambda key=key: waybill.item("parked", id=key))
        assert (row["code"], row["sequence"]) == ("unreadable_commit", 1), row
        assert row["since"].endswith("Z"), row
        told = lambda reader=reader: waybill.metrics(reader, *PARKED)
        until(f"{reader} to tell that it parked one", lambda told=told: sum(told()) >= 1)
    # What lies behind it in the stream is projected and announced.
    waybill.order(other)
    inbox.announcement(f"order#{other}/1/Order Created")
    assert waybill.item("processed-orders", orderId=poisoned) is None

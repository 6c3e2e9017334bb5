"""The measure itself: an oracle that cannot say no proves nothing."""

from decimal import Decimal

import pytest

from dirty_day import LINES_MAX, dirty_day
from exact import json_text, read_json
from oracle import (
    announcements_of,
    differences,
    faults_of,
    fold_order,
    fold_shipment,
    in_cents,
    nearly,
    total_of,
)

HTTP_BYTES_MAX = 256 * 1024


def placed(sequence=1, at="2010-12-01T08:26:00.000Z", price="2.55", **more):
    items = [{"productId": "a", "quantity": 3, "price": Decimal(price)}]
    data = {"orderId": "1", "items": items, "currency": "GBP", **more}
    data.setdefault("fulfilment", "merchant")
    return {"sequence": sequence, "type": "OrderPlaced", "at": at, "data": data}


def updated(sequence, timestamp, status, **more):
    at = f"2024-01-15T12:00:0{sequence}.000Z"
    data = {"shipmentId": "S", "timestamp": timestamp, "status": status, **more}
    return {"sequence": sequence, "type": "ShipmentUpdated", "at": at, "data": data}


def test_numbers_survive_their_way_through_json():
    text = '{"a":[2.10,-0.5,12345678901234567890.123456789,1E+3,7,true,null,"é\\n"]}'
    assert json_text(read_json(text)) == text


def test_a_total_is_exact_where_floats_and_28_digits_are_not():
    price = Decimal("12345678901234567890123456789012.345678")
    items = [{"quantity": 3, "price": price}, {"quantity": 1, "price": Decimal("0.1")}]
    assert str(total_of(items)) == "37037036703703703670370370367037.137034"


def test_a_total_has_what_the_prices_do_not_include():
    discount = {"type": "discount", "amount": Decimal("-0.70")}
    tax = {"type": "tax", "amount": Decimal(19), "included": True}
    items = [{"quantity": 1, "price": Decimal("6.99"), "adjustments": [discount, tax]}]
    shipping = {"type": "shipping", "amount": "6.99"}
    assert total_of(items) == Decimal("6.29")
    assert total_of(items, [shipping, tax]) == Decimal("13.28")
    assert in_cents(Decimal("-0.125")) == Decimal("-0.13")


def test_a_name_is_nearly_another_within_one_letter():
    for sent in ["curency", "Currency", "cur-ren_cy", "currencyy", "currenzy", "currecny"]:
        assert nearly(sent, "currency"), sent
    for sent in ["currency", "currency2", "currencies", "current", "crency"]:
        assert not nearly(sent, "currency"), sent


def test_the_fold_notices_a_wrong_total_and_a_wrong_status():
    row = fold_order([placed()])
    assert row["totalAmount"] == Decimal("7.65") and row["status"] == "PROCESSING"
    assert differences(row, row) == {}
    assert "totalAmount" in differences(row | {"totalAmount": Decimal("7.64")}, row)
    assert "status" in differences({}, row)


@pytest.mark.parametrize("sequences", [[2], [1, 3], [1, 1]])
def test_the_fold_refuses_a_gap_and_a_fork(sequences):
    with pytest.raises(AssertionError):
        fold_order([placed(sequence) for sequence in sequences])


def test_the_fold_refuses_an_event_after_the_end():
    end = {"at": "2010-12-01T08:27:00.000Z", "type": "OrderProcessed", "data": {}}
    fold_order([placed(), end | {"sequence": 2}])
    with pytest.raises(AssertionError):
        fold_order([placed(), end | {"sequence": 2}, end | {"sequence": 3}])


def stalled(sequence, since, status):
    event = updated(sequence, None, status)
    data = {"shipmentId": "S", "stalledSince": since, "status": status}
    return event | {"type": "ShipmentStalled", "data": data}


def test_the_fold_of_a_shipment_that_stalls():
    noon, one = (f"2024-01-15T{hour}:00:00.000Z" for hour in (12, 13))
    first, late = updated(1, one, "IN_TRANSIT"), updated(3, noon, "LOST")
    silent = stalled(2, first["at"], "IN_TRANSIT")
    rows, row = fold_shipment([first, silent])
    assert len(rows) == 1 and row["stalledSince"] == first["at"]
    assert (row["version"], row["updates"]) == (2, 1)
    _, row = fold_shipment([first, silent, late])
    assert "stalledSince" not in row and row["currentStatus"] == "IN_TRANSIT"
    for wrong in (
        [stalled(1, noon, "IN_TRANSIT")],
        [first, stalled(2, noon, "IN_TRANSIT")],
        [first, stalled(2, first["at"], "LOST")],
        [first, silent, stalled(3, first["at"], "IN_TRANSIT")],
        [first, silent, late, stalled(4, late["at"], "IN_TRANSIT")],
    ):
        with pytest.raises((AssertionError, IndexError)):
            fold_shipment(wrong)
    kinds = {f"S/{n}/{kind}" for n, kind in ((1, "Shipment Status Changed"), (2, "Shipment Stalled"))}
    assert announcements_of("S", [first, silent]) == kinds


def test_the_fold_of_a_shipment_keeps_the_latest_not_the_last():
    noon, one, two = (f"2024-01-15T{hour}:00:00.000Z" for hour in (12, 13, 14))
    events = [
        updated(1, one, "IN_TRANSIT", carrier="FedEx"),
        updated(2, noon, "LOST"),
        updated(3, two, "IN_TRANSIT"),
        updated(4, two, "DELIVERED"),
    ]
    log, current = fold_shipment(events)
    statuses = [row["status"] for row in log]
    assert statuses == ["LOST", "IN_TRANSIT", "IN_TRANSIT", "DELIVERED"]
    assert current["currentStatus"] == "DELIVERED" and current["updates"] == 4
    assert current["carrier"] == "FedEx" and log[0]["carrier"] == "Unknown"
    assert announcements_of("shipment#S", events) == {
        "shipment#S/1/Shipment Status Changed",
        "shipment#S/2/Shipment Alert",
        "shipment#S/4/Shipment Status Changed",
    }


@pytest.mark.parametrize("seed", range(5))
def test_a_dirty_day_has_every_kind_and_fits_its_transport(seed):
    day = dirty_day(seed)
    assert json_text(day) == json_text(dirty_day(seed))
    assert len({order["orderId"] for order in day}) == len(day)
    assert max(len(json_text(order).encode()) for order in day) <= HTTP_BYTES_MAX
    lines = [line for order in day for line in order["items"]]
    seen = {fault for order in day for fault in faults_of(order)}
    assert seen == {"quantity", "totalAmount"}
    assert any(order["orderId"].startswith("C") for order in day)
    assert any("customerId" not in order for order in day)
    assert any("name" not in line for line in lines)
    assert any(line["price"] == 0 for line in lines)
    assert max(len(order["items"]) for order in day) == LINES_MAX
    assert any("totalAmount" in order for order in day if not faults_of(order))

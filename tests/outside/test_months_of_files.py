"""Months of a shop, uploaded as order files, against Python's `decimal`."""

from collections import defaultdict
from decimal import Decimal

from expect import at_rest
from months import GENERATED
from oracle import differences, faults_of, fold_order, total_of
from reports import IMPORT_SECONDS


def test_the_data_are_whole(months):
    files, orders = (10, 18_786) if months.name == "real" else (2, GENERATED)
    assert (len(months.files), len(months.all)) == (files, orders)


def test_accepted_and_refused_are_all(months):
    for name, report in months.reports.items():
        good = sum(not faults_of(order) for order in months.orders[name])
        assert report["total"] == len(months.orders[name])
        assert (report["accepted"], report["alreadyKnown"]) == (good, 0), name
        assert report["rejected"] == report["total"] - good


def test_each_refusal_is_named(months):
    for name, report in months.reports.items():
        told = {each["position"]: each for each in report["rejections"]}
        for position, order in enumerate(months.orders[name]):
            faults = faults_of(order)
            assert bool(faults) == (position in told), order["orderId"]
            if faults:
                rejection = told[position]
                assert rejection["orderId"] == order["orderId"]
                assert any(fault in rejection["field"] for fault in faults), rejection
                assert rejection["reason"] and rejection["code"]


def test_sums_are_those_of_pythons_decimal(months):
    def sums(orders, of):
        by = defaultdict(Decimal)
        for order, total in orders:
            by[of(order)] += total
        return dict(by)

    sent = [(order, total_of(order["items"])) for order in months.accepted.values()]
    kept = [(row, row["totalAmount"]) for row in months.rows.values()]
    customer = lambda order: order.get("customerId") or None
    assert sums(sent, customer) == sums(kept, customer)
    day = lambda order: order["placedAt"][:10]
    placed = lambda row: row["placedAt"][:10]
    assert sums(sent, day) == sums(kept, placed)
    whole = lambda _: "all"
    assert sums(sent, whole) == sums(kept, whole)


def test_there_is_a_row_for_each_and_for_nothing_else(months):
    assert set(months.rows) == set(months.accepted)
    for row in months.rows.values():
        waits = months.accepted[row["orderId"]].get("fulfilment") == "merchant"
        assert row["status"] == ("PROCESSING" if waits else "PROCESSED")
        assert row["sourceFile"].rpartition("/")[2] in months.files


def test_rows_queries_and_history_agree(months):
    client = months.system.client
    for order_id in sorted(months.rows)[::25]:
        history = client.history(order_id)
        expected = fold_order(history)
        assert not differences(months.rows[order_id], expected), order_id
        assert not differences(client.get(f"/orders/{order_id}").ok(), expected)


def test_a_customers_orders_are_listed_whole(months):
    client = months.system.client
    by_customer = defaultdict(set)
    for order_id, row in months.rows.items():
        by_customer[row.get("customerId")].add(order_id)
    del by_customer[None]
    most = sorted(by_customer, key=lambda each: len(by_customer[each]))[-5:]
    for customer in most:
        listed, cursor = [], ""
        while cursor is not None:
            page = client.get(f"/orders?customerId={customer}&limit=100{cursor}").ok()
            listed += page["items"]
            cursor = f"&cursor={page['cursor']}" if page["cursor"] else None
        assert {each["orderId"] for each in listed} == by_customer[customer]
        times = [each["createdAt"] for each in listed]
        assert times == sorted(times) and len(listed) == len(by_customer[customer])


def test_a_second_upload_adds_no_event(months):
    client = months.system.client

    def commits():
        pages = client.dynamodb.get_paginator("scan").paginate(
            TableName="waybill-dev-events", Select="COUNT"
        )
        return sum(page["Count"] for page in pages)

    before = commits()
    again = months.upload()
    at_rest(client, IMPORT_SECONDS)
    assert commits() == before
    for name, first in months.reports.items():
        assert again[name]["version"] != first["version"]
        assert again[name]["accepted"] == 0
        assert again[name]["alreadyKnown"] == first["accepted"]
        assert again[name]["rejections"] == first["rejections"]

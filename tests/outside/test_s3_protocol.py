"""S3 as boto3 knows it: objects, versions, lists, the bucket, and what follows from an object."""

import hashlib
from datetime import datetime, timedelta, timezone

import pytest
from botocore.exceptions import ClientError

from client import new_id
from exact import json_text, read_json
from expect import at_rest
from orders import order
from patience import at_once, until
from s3 import MIB, key, keys, random_bytes, refused

# Objects.


def test_an_object_is_put_and_read_back(client):
    name, body = key(" ä+%.json"), random_bytes(100_000)
    put = client.put(name, body, ContentType="text/x", Metadata={"by": "me"})
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert put["VersionId"]
    for answer in (
        client.s3.get_object(Bucket=client.bucket, Key=name),
        client.s3.head_object(Bucket=client.bucket, Key=name),
    ):
        assert answer["ETag"] == put["ETag"]
        assert answer["VersionId"] == put["VersionId"]
        assert answer["ContentLength"] == len(body)
        assert answer["ContentType"] == "text/x"
        assert answer["Metadata"] == {"by": "me"}
        assert datetime.now(timezone.utc) - answer["LastModified"] < timedelta(hours=1)
    assert client.object(name) == body


def test_an_object_may_be_empty(client):
    name = key()
    client.put(name, b"")
    assert client.object(name) == b""
    error = refused(
        client.s3.get_object, Bucket=client.bucket, Key=name, Range="bytes=0-"
    )
    assert error["Code"] == "InvalidRange"


def test_a_part_of_an_object_is_read(client):
    name, body = key(), random_bytes(1_000_000)
    client.put(name, body)
    for asked, expected in [
        ("bytes=0-9", body[:10]),
        ("bytes=999990-", body[-10:]),
        ("bytes=-7", body[-7:]),
        ("bytes=300000-799999", body[300_000:800_000]),
        ("bytes=999999-2000000", body[-1:]),
    ]:
        answer = client.s3.get_object(Bucket=client.bucket, Key=name, Range=asked)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["ContentRange"].endswith("/1000000")
        assert answer["Body"].read() == expected, asked
    error = refused(
        client.s3.get_object, Bucket=client.bucket, Key=name, Range="bytes=1000000-"
    )
    assert (error["Status"], error["Code"]) == (416, "InvalidRange")


def test_a_condition_is_held_against_the_version(client):
    name = key()
    first, second = client.put(name, b"1"), client.put(name, b"2")
    read = {"Bucket": client.bucket, "Key": name}
    assert client.object(name, IfMatch=second["ETag"]) == b"2"
    error = refused(client.s3.get_object, IfMatch=first["ETag"], **read)
    assert (error["Status"], error["Code"]) == (412, "PreconditionFailed")
    old = {"VersionId": first["VersionId"], "IfMatch": first["ETag"]}
    assert client.object(name, **old) == b"1"
    error = refused(client.s3.get_object, IfNoneMatch=second["ETag"], **read)
    assert error["Status"] == 304


def test_a_write_may_want_a_key_to_be_free_or_unchanged(client):
    name = key()
    first = client.put(name, b"1", IfNoneMatch="*")
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"another"'}):
        error = refused(client.put, key=name, body=b"2", **condition)
        assert (error["Status"], error["Code"]) == (412, "PreconditionFailed")
    client.put(name, b"3", IfMatch=first["ETag"])
    assert client.object(name) == b"3"


def test_of_many_who_want_a_free_key_one_gets_it(client):
    name = key()

    def put(number):
        try:
            client.put(name, str(number).encode(), IfNoneMatch="*")
            return number
        except ClientError:
            return None

    client.s3  # made once, before the threads need it
    won = at_once([lambda n=n: put(n) for n in range(10)])
    (winner,) = [number for number in won if number is not None]
    assert client.object(name) == str(winner).encode()


def test_an_object_that_does_not_arrive_whole_is_refused(client):
    name = key()
    error = refused(client.put, key=name, body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
    assert error["Code"] == "BadDigest"
    error = refused(client.put, key=name, body=b"x", ChecksumCRC32="AAAAAA==")
    assert error["Code"] == "BadDigest"
    error = refused(client.s3.head_object, Bucket=client.bucket, Key=name)
    assert error["Status"] == 404


def test_an_object_that_is_too_large_is_refused_before_it_comes(client):
    too_large = {"Content-Length": str(5 * 1024 * MIB + 1)}
    address = f"{client.aws}/{client.bucket}/{key()}"
    answer = client.request("PUT", address, iter([]), too_large)
    assert answer.status == 400 and "EntityTooLarge" in answer.text


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_is_taken(client, algorithm):
    name, body = key(), random_bytes(70_000)
    client.put(name, body, ChecksumAlgorithm=algorithm)
    assert client.object(name) == body


# Versions.


def test_every_version_stays_until_it_is_deleted(client):
    name = key()
    versions = [client.put(name, b"%d" % n)["VersionId"] for n in range(3)]
    assert len(set(versions)) == 3
    for number, version in enumerate(versions):
        assert client.object(name, VersionId=version) == b"%d" % number
    gone = client.s3.delete_object(Bucket=client.bucket, Key=name)
    assert gone["DeleteMarker"] is True
    error = refused(client.s3.get_object, Bucket=client.bucket, Key=name)
    assert (error["Status"], error["Code"]) == (404, "NoSuchKey")
    assert client.object(name, VersionId=versions[0]) == b"0"
    listed = client.s3.list_object_versions(Bucket=client.bucket, Prefix=name)
    assert [each["VersionId"] for each in listed["Versions"]] == versions[::-1]
    assert not any(each["IsLatest"] for each in listed["Versions"])
    (marker,) = listed["DeleteMarkers"]
    assert marker["IsLatest"] and marker["VersionId"] == gone["VersionId"]

    # Without the marker, the newest version is there again.
    for version in (gone["VersionId"], versions[1]):
        client.s3.delete_object(Bucket=client.bucket, Key=name, VersionId=version)
    assert client.object(name) == b"2"
    error = refused(
        client.s3.get_object, Bucket=client.bucket, Key=name, VersionId=versions[1]
    )
    assert (error["Status"], error["Code"]) == (404, "NoSuchVersion")


def test_versions_are_listed_page_by_page(client):
    prefix = key("/")
    expected = [
        (f"{prefix}{name}", client.put(f"{prefix}{name}", b"")["VersionId"])
        for name in "abc"
        for _ in range(3)
    ]
    pages = client.s3.get_paginator("list_object_versions").paginate(
        Bucket=client.bucket, Prefix=prefix, PaginationConfig={"PageSize": 2}
    )
    found = [(e["Key"], e["VersionId"]) for page in pages for e in page["Versions"]]
    assert sorted(found) == sorted(expected)
    assert [name for name, _ in found] == [name for name, _ in expected]


def test_many_keys_are_deleted_at_once(client):
    prefix = key("/")
    names = [f"{prefix}{n}" for n in range(5)]
    for name in names:
        client.put(name, b"x")
    wanted = {"Objects": [{"Key": name} for name in names]}
    answer = client.s3.delete_objects(Bucket=client.bucket, Delete=wanted)
    assert [each["Key"] for each in answer["Deleted"]] == names
    assert keys(client, Prefix=prefix) == []


# Lists.


def test_keys_are_listed_in_order_page_by_page(client):
    prefix = key("/")
    names = [f"{prefix}{n:04}" for n in range(25)]
    for name in reversed(names):
        client.put(name, b"x")
    pages = client.s3.get_paginator("list_objects_v2").paginate(
        Bucket=client.bucket, Prefix=prefix, PaginationConfig={"PageSize": 10}
    )
    pages = [[each["Key"] for each in page["Contents"]] for page in pages]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert sum(pages, []) == names
    assert keys(client, Prefix=prefix, StartAfter=names[20]) == names[21:]


def test_a_delimiter_makes_folders(client):
    prefix = key("/")
    for name in ("a/1", "a/2", "b/3", "c & d", "e"):
        client.put(f"{prefix}{name}", b"x")
    page = client.s3.list_objects_v2(
        Bucket=client.bucket, Prefix=prefix, Delimiter="/"
    )
    folders = [each["Prefix"] for each in page["CommonPrefixes"]]
    assert folders == [f"{prefix}a/", f"{prefix}b/"]
    assert [each["Key"] for each in page["Contents"]] == [f"{prefix}c & d", f"{prefix}e"]
    assert page["KeyCount"] == 4 and not page["IsTruncated"]


# The bucket.


def test_the_bucket_for_order_files_keeps_versions(client):
    names = [each["Name"] for each in client.s3.list_buckets()["Buckets"]]
    assert names.count(client.bucket) == 1
    mine = {"Bucket": client.bucket}
    assert client.s3.head_bucket(**mine)["BucketRegion"] == "us-east-1"
    assert client.s3.get_bucket_location(**mine)["LocationConstraint"] is None
    assert client.s3.get_bucket_versioning(**mine)["Status"] == "Enabled"


def test_another_bucket_does_not_exist(client):
    other = {"Bucket": "waybill-prod-orders-000000000000"}
    for call, fields in [
        (client.s3.put_object, {"Key": "k", "Body": b"x"}),
        (client.s3.get_object, {"Key": "k"}),
        (client.s3.delete_object, {"Key": "k"}),
        (client.s3.list_objects_v2, {}),
        (client.s3.list_object_versions, {}),
        (client.s3.create_multipart_upload, {"Key": "k"}),
        (client.s3.get_bucket_location, {}),
    ]:
        error = refused(call, **other, **fields)
        assert (error["Status"], error["Code"]) == (404, "NoSuchBucket")
    assert refused(client.s3.head_bucket, **other)["Status"] == 404


def test_an_unknown_key_is_an_error_of_s3(client):
    error = refused(client.s3.get_object, Bucket=client.bucket, Key=key())
    assert (error["Status"], error["Code"]) == (404, "NoSuchKey")
    answer = client.request("GET", f"{client.aws}/{client.bucket}/{key()}")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("application/xml")
    assert "<Code>NoSuchKey</Code>" in answer.text
    assert answer.headers["x-amz-request-id"]


def test_s3_takes_nothing_from_the_other_services(client):
    assert client.request("GET", f"{client.aws}/health").json == {"status": "ok"}
    assert client.local("status")["environment"] == "dev"
    assert client.request("GET", f"{client.aws}/_local/nothing").status == 404
    # Signed for another service, so no bucket is meant.
    error = refused(client.functions.list_functions)
    assert error["Code"] == "UnknownOperationException"


# What follows from an object.


def reports(client, name: str) -> list[dict]:
    found = []
    for each in keys(client, Prefix="reports/"):
        if name in each and each.endswith("report.json"):
            found.append(read_json(client.object(each).decode()))
    return found


def test_an_order_file_is_imported(client):
    order_id = new_id("FILE")
    name = f"orders/{new_id('file')}.json"
    client.put(name, json_text(order(orderId=order_id)).encode())
    row = client.order(order_id)
    assert row["sourceFile"] == f"s3://{client.bucket}/{name}"
    (report,) = until("the report", lambda: reports(client, name))
    assert report["accepted"] == 1


def test_an_object_elsewhere_reaches_nobody(client):
    order_id = new_id("FILE")
    client.put(key(), json_text(order(orderId=order_id)).encode())
    at_rest(client)
    assert client.get(f"/orders/{order_id}").status == 404

"""S3 as its users know it: boto3, the `aws` command, and curl with a presigned address."""

import hashlib
import os
import random
import shutil
import subprocess
from datetime import datetime, timedelta, timezone

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from client import new_id
from exact import json_text, read_json
from expect import at_rest
from orders import order
from patience import at_once, until
from system import System

MIB = 1024 * 1024
PARTS = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB)


def key(name: str = "") -> str:
    """A fresh key that no rule listens to."""
    return f"elsewhere/{new_id('object')}{name}"


def random_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def refused(call, **fields) -> dict:
    """The error of a call that must be refused, with its status."""
    with pytest.raises(ClientError) as error:
        call(**fields)
    answer = error.value.response
    return answer["Error"] | {"Status": answer["ResponseMetadata"]["HTTPStatusCode"]}


def keys(client, **fields) -> list[str]:
    page = client.s3.list_objects_v2(Bucket=client.bucket, **fields)
    return [each["Key"] for each in page.get("Contents", [])]


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


# Uploads in parts.


def test_a_large_file_goes_up_and_down_in_parts(client, tmp_path):
    name, body = key(), random_bytes(20 * MIB)
    up, down = tmp_path / "up", tmp_path / "down"
    up.write_bytes(body)
    client.s3.upload_file(str(up), client.bucket, name, Config=PARTS)
    head = client.s3.head_object(Bucket=client.bucket, Key=name)
    assert head["ContentLength"] == len(body)
    chunks = [body[at : at + 8 * MIB] for at in range(0, len(body), 8 * MIB)]
    joint = hashlib.md5(b"".join(hashlib.md5(chunk).digest() for chunk in chunks))
    assert head["ETag"] == f'"{joint.hexdigest()}-3"'
    client.s3.download_file(client.bucket, name, str(down), Config=PARTS)
    assert down.read_bytes() == body
    inside = client.object(name, Range=f"bytes={8 * MIB - 5}-{8 * MIB + 4}")
    assert inside == body[8 * MIB - 5 : 8 * MIB + 5]


def begun(client, name: str, **fields) -> dict:
    answer = client.s3.create_multipart_upload(
        Bucket=client.bucket, Key=name, **fields
    )
    return {"Bucket": client.bucket, "Key": name, "UploadId": answer["UploadId"]}


def test_parts_come_in_any_order_and_again(client):
    name = key()
    upload = begun(client, name, ContentType="text/x")
    part = lambda number, body: client.s3.upload_part(
        PartNumber=number, Body=body, **upload
    )
    first = random_bytes(5 * MIB)
    part(2, b"wrong")
    second, one = part(2, b"end"), part(1, first)
    listed = [
        {"PartNumber": 1, "ETag": one["ETag"]},
        {"PartNumber": 2, "ETag": second["ETag"]},
    ]
    complete = client.s3.complete_multipart_upload
    for parts, code in [
        (listed[::-1], "InvalidPartOrder"),
        (listed + [{"PartNumber": 3, "ETag": '"x"'}], "InvalidPart"),
        ([{"PartNumber": 2, "ETag": one["ETag"]}], "InvalidPart"),
    ]:
        error = refused(complete, MultipartUpload={"Parts": parts}, **upload)
        assert error["Code"] == code
    answer = complete(MultipartUpload={"Parts": listed}, **upload)
    assert answer["ETag"].endswith('-2"') and answer["VersionId"]
    assert client.object(name) == first + b"end"
    head = client.s3.head_object(Bucket=client.bucket, Key=name)
    assert head["ContentType"] == "text/x"
    error = refused(complete, MultipartUpload={"Parts": listed}, **upload)
    assert (error["Status"], error["Code"]) == (404, "NoSuchUpload")


def test_an_aborted_upload_leaves_nothing(client, system):
    name = key()
    upload = begun(client, name)
    before = set(os.listdir(system.data / "dev.objects"))
    client.s3.upload_part(PartNumber=1, Body=b"x", **upload)
    assert len(set(os.listdir(system.data / "dev.objects")) - before) == 1
    client.s3.abort_multipart_upload(**upload)
    assert set(os.listdir(system.data / "dev.objects")) == before
    error = refused(client.s3.upload_part, PartNumber=1, Body=b"x", **upload)
    assert error["Code"] == "NoSuchUpload"
    error = refused(client.s3.head_object, Bucket=client.bucket, Key=name)
    assert error["Status"] == 404


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


# Other ways to speak it.


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_address_needs_no_credentials(client, version):
    signing = boto3.client(
        "s3",
        endpoint_url=client.aws,
        region_name="us-east-1",
        aws_access_key_id="somebody",
        aws_secret_access_key="else",
        config=Config(signature_version=version),
    )
    name = key()
    where = {"Bucket": client.bucket, "Key": name}
    for call, options in [("put_object", ["-T", "-"]), ("get_object", [])]:
        address = signing.generate_presigned_url(call, Params=where)
        command = ["curl", "-sSf", "-H", "Content-Type:", *options, address]
        ran = subprocess.run(
            command, input=b"by curl", capture_output=True, timeout=30, check=True
        )
    assert ran.stdout == b"by curl"
    assert client.object(name) == b"by curl"


def aws(client, *words, folder) -> str:
    # Settings of whoever runs the tests must not change what is tested.
    env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "will do",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    program = shutil.which("aws")
    assert program, "the aws command is not on the path"
    command = [program, "--endpoint-url", client.aws, "s3", *words]
    ran = subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_aws_command_copies_lists_syncs_and_removes(client, tmp_path):
    prefix = key("/")
    there = f"s3://{client.bucket}/{prefix}"
    large = random_bytes(12 * MIB)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "large").write_bytes(large)
    (tmp_path / "in" / "sub" / "small").write_text("small")
    (tmp_path / "one.json").write_text("{}")

    assert client.bucket in aws(client, "ls", folder=tmp_path)
    aws(client, "cp", "one.json", there, folder=tmp_path)
    assert "one.json" in aws(client, "ls", there, folder=tmp_path)
    aws(client, "sync", "in", there, folder=tmp_path)
    assert aws(client, "sync", "in", there, folder=tmp_path) == ""
    listed = aws(client, "ls", there, folder=tmp_path)
    assert "PRE sub/" in listed and "large" in listed
    aws(client, "cp", f"{there}one.json", f"{there}two.json", folder=tmp_path)
    aws(client, "sync", there, "out", folder=tmp_path)
    assert (tmp_path / "out" / "large").read_bytes() == large
    assert (tmp_path / "out" / "sub" / "small").read_text() == "small"
    assert (tmp_path / "out" / "two.json").read_text() == "{}"
    aws(client, "rm", "--recursive", there, folder=tmp_path)
    assert keys(client, Prefix=prefix) == []


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


# kill -9.


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    system = System(tmp_path).start()
    try:
        sent = {}
        for round_ in range(3):
            for n in range(10):
                name, body = f"elsewhere/{round_}-{n}", random_bytes(50_000, n)
                sent[name] = (system.client.put(name, body)["VersionId"], body)
            ids = [new_id("FILE") for _ in range(5)]
            for order_id in ids:
                text = json_text(order(orderId=order_id))
                system.client.put(f"orders/{order_id}.json", text.encode())
            upload = begun(system.client, "elsewhere/unfinished")
            add = lambda number, body: {
                "PartNumber": number,
                "ETag": system.client.s3.upload_part(
                    PartNumber=number, Body=body, **upload
                )["ETag"],
            }
            parts = [add(1, b"x" * 5 * MIB)]
            system.kill()
            system.start()
            # Its event was stored with it, so the file is imported now at the latest.
            for order_id in ids:
                assert system.client.order(order_id)["orderId"] == order_id
            parts.append(add(2, b"end"))
            system.client.s3.complete_multipart_upload(
                MultipartUpload={"Parts": parts}, **upload
            )
            assert system.client.object("elsewhere/unfinished")[-3:] == b"end"
        for name, (version, body) in sent.items():
            assert system.client.object(name, VersionId=version) == body
        at_rest(system.client)
    finally:
        system.kill()


def test_a_kill_in_the_middle_of_an_upload_leaves_nothing_behind(tmp_path):
    system = System(tmp_path).start()
    folder = system.data / "dev.objects"
    try:
        client = system.client
        pieces = [b"x" * MIB, None]

        class Slow:
            """A body whose second half never comes."""

            def __iter__(self):
                yield pieces[0]
                until("the first half is being written", lambda: os.listdir(folder))
                system.kill()
                yield b"y" * MIB

        address = f"{client.aws}/{client.bucket}/elsewhere/half"
        with pytest.raises(Exception):
            client._pool.request(
                "PUT", address, body=iter(Slow()), headers={"Content-Length": str(2 * MIB)}
            )
        assert len(os.listdir(folder)) == 1
        system.start()
        assert os.listdir(folder) == []
        assert keys(system.client) == []
    finally:
        system.kill()

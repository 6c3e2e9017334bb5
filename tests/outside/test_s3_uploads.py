"""Uploads to S3 in parts, and what a `kill -9` leaves of any upload."""

import hashlib
import os

import pytest
from boto3.s3.transfer import TransferConfig

from client import new_id
from exact import json_text
from expect import at_rest
from orders import order
from patience import until
from s3 import MIB, begun, key, keys, random_bytes, refused
from system import System

PARTS = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB)

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

"""What the tests of S3 share: fresh keys, contents, and the errors of S3."""

import random

import pytest
from botocore.exceptions import ClientError

from client import new_id

MIB = 1024 * 1024


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


def begun(client, name: str, **fields) -> dict:
    answer = client.s3.create_multipart_upload(
        Bucket=client.bucket, Key=name, **fields
    )
    return {"Bucket": client.bucket, "Key": name, "UploadId": answer["UploadId"]}

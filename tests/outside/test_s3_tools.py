"""S3 by other tools than boto3: curl with a presigned address, and the `aws` command."""

import os
import shutil
import subprocess

import boto3
import pytest
from botocore.config import Config

from s3 import MIB, key, keys, random_bytes


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

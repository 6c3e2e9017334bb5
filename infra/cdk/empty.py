"""Empties the buckets of an environment that keeps no data, before its stacks are removed.

    python empty.py dev-alice [environments.toml]

CloudFormation removes no bucket with something in it, and a function that would empty them is a
function that can.
"""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from stacks.config import InvalidSetting, load

# Objects of one page, which is also what one call removes at most, and pages of a bucket.
PAGE_OBJECTS = 1000
PAGES_MAX = 100_000


def empty(bucket: str, s3) -> int:
    """Removes every version of every object; how many those were."""
    removed = 0
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": PAGE_OBJECTS}
    )
    for number, page in enumerate(pages):
        if number == PAGES_MAX:
            sys.exit(f"{bucket} is too large: empty it by a lifecycle rule")
        versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
        keys = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions]
        if keys:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
            # 200 says nothing about the objects: each has its own answer.
            for error in answer.get("Errors", []):
                sys.exit(f"{bucket}: {error['Key']} stays: {error['Code']}")
        removed += len(keys)
    return removed


def main() -> None:
    try:
        # Whom it mails makes no difference here.
        config = load(sys.argv[1], *map(Path, sys.argv[2:3]), alert_email="ops@example.org")
    except (IndexError, InvalidSetting) as error:
        sys.exit(f"which environment? ({error})")
    if config.keep_data:
        sys.exit(
            f"setting keep_data is true: {config.environment} keeps its tables and buckets, which "
            "are protected. Removing them is for a person, one by one."
        )
    account = boto3.client("sts").get_caller_identity()["Account"]
    s3 = boto3.client("s3", region_name=config.region)
    for suffix in ("orders", "dead-letters"):
        bucket = config.name(f"{suffix}-{account}")
        try:
            print(f"{bucket}: {empty(bucket, s3)} removed")
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
            print(f"{bucket}: not there")


if __name__ == "__main__":
    main()

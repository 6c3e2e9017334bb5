"""What an import says of a file: its report, and the rejections beside it."""

import json
from typing import Any

from botocore.exceptions import ClientError

from client import Client
from patience import until

# An import of thousands of orders, on a machine that is busy otherwise.
IMPORT_SECONDS = 240


def upload(client: Client, name: str, body: bytes) -> tuple[str, str]:
    """Stores an order file; its key and the version that S3 gave it."""
    key = f"orders/{name}"
    return key, client.put(key, body)["VersionId"]


def report_of(client: Client, key: str, version: str) -> dict[str, Any]:
    """The report of one file, once it is there, with every rejection in it."""

    def written():
        try:
            return json.loads(client.object(f"reports/{key}/{version}/report.json"))
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchKey", error
            return None

    report = until(f"a report of {key}", written, IMPORT_SECONDS)
    rejections = []
    for part in report["rejectionParts"]:
        rejections += json.loads(client.object(part))["rejections"]
    report["rejections"] = rejections + report["rejections"]
    counted = report["accepted"] + report["alreadyKnown"] + report["rejected"]
    assert counted == report["total"], report
    assert len(report["rejections"]) == report["rejected"], report
    return report


def imported(client: Client, name: str, body: bytes) -> dict[str, Any]:
    return report_of(client, *upload(client, name, body))

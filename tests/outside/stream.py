"""The stream of the events table, as the platform hands it to its readers."""

import base64
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/waybill-dev-events"


def batch(commits: list[dict]) -> dict:
    """An invocation's payload: the stored commits as newly inserted."""
    return {"Records": [record(n, commit) for n, commit in enumerate(commits, 1)]}


def record(number: int, commit: dict) -> dict:
    image = {name: _jsonable(value) for name, value in commit.items()}
    return {
        "eventID": f"{number:032x}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": Decimal(1705314600),
            "Keys": {name: image[name] for name in ("aggregate", "sequence")},
            "NewImage": image,
            "SequenceNumber": f"{number:021}",
            "SizeBytes": 1000,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": f"{TABLE}/stream/2024-01-01T00:00:00.000",
    }


def _jsonable(value: Any) -> Any:
    """Binary values travel as base64, all others as they are."""
    if isinstance(value, dict):
        return {name: _jsonable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, (bytes, Binary)):
        return base64.b64encode(bytes(value)).decode()
    return value

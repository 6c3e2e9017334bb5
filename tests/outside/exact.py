"""JSON and DynamoDB items with their numbers exact: never a float on the way."""

import base64
import json
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer


def read_json(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


def json_text(value: Any) -> str:
    """JSON with every Decimal as it was written, which `json.dumps` cannot do."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k)}:{json_text(v)}" for k, v in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, bytes):
        # As DynamoDB's JSON has what is binary.
        return json.dumps(base64.b64encode(value).decode())
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def plain(item: dict) -> dict:
    """An item in DynamoDB's notation as ordinary values, numbers as Decimal."""
    read = TypeDeserializer().deserialize
    return {name: read(value) for name, value in item.items()}

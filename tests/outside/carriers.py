"""Carriers' webhooks as their providers sign and write them, and a system that has their secrets."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from system import System

SECRETS = {
    "easypost": "s\u00e9cret of easypost",
    "aftership": "aftership's",
    "shippo": "shippo's",
    "17track": "0123456789ABCDEF",
    "sendcloud": "old one\nnew one",
}


def running_with_secrets(folder: Path) -> Iterator[System]:
    """What a fixture yields: a system with every provider's secret, checked to run to the end."""
    running = System(folder)
    running.more = [f"--carrier-secret={name}={secret}" for name, secret in SECRETS.items()]
    running.start()
    yield running
    alive = running.is_running()
    running.kill()
    assert alive, f"the process ended by itself:\n{running.log_tail()}"


def mac(secret: str, *parts: bytes) -> bytes:
    return hmac.new(secret.encode(), b"".join(parts), hashlib.sha256).digest()


def signature(provider: str, body: bytes, secret: str | None = None) -> dict[str, str]:
    """The headers that the provider sends with this body."""
    secret = secret or SECRETS[provider].splitlines()[-1]
    match provider:
        case "easypost":
            # Its libraries sign with the decomposed form.
            decomposed = secret.replace("\u00e9", "e\u0301")
            return {"X-Hmac-Signature": f"hmac-sha256-hex={mac(decomposed, body).hex()}"}
        case "aftership":
            return {"aftership-hmac-sha256": base64.b64encode(mac(secret, body)).decode()}
        case "shippo":
            at = str(int(time.time()))
            signed = mac(secret, at.encode(), b".", body).hex()
            return {"Shippo-Auth-Signature": f"t={at},v1={signed}"}
        case "17track":
            return {"sign": hashlib.sha256(body + b"/" + secret.encode()).hexdigest()}
        case "sendcloud":
            return {"Sendcloud-Signature": mac(secret, body).hex()}


def send(client, provider: str, event, headers=None):
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    headers = signature(provider, body) if headers is None else headers
    return client.request("POST", f"/carriers/{provider}", body, headers)


def minute(number: int) -> str:
    at = datetime(2025, 8, 1, tzinfo=UTC) + timedelta(minutes=number)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def tracker(code: str, scans: int, first: int = 0) -> dict:
    """An event of EasyPost about a parcel with so many scans, newest last."""
    details = [
        {
            "object": "TrackingDetail",
            "message": f"scan {number}",
            "status": "in_transit",
            "status_detail": "arrived_at_facility",
            "datetime": minute(number),
            "carrier_code": "AR",
            "tracking_location": {"city": "Orlando", "state": "FL", "country": "US", "zip": None},
        }
        for number in range(first, scans)
    ]
    return {
        "description": "tracker.updated",
        "mode": "production",
        "result": {
            "object": "Tracker",
            "tracking_code": code,
            "carrier": "FedEx",
            "tracking_details": details,
        },
    }


def of_each_provider(code: str) -> dict[str, dict]:
    """One scan by each provider: out for delivery in Orlando at the third minute."""
    at = minute(3)
    return {
        "easypost": {
            "description": "tracker.created",
            "result": {
                "object": "Tracker",
                "tracking_code": code,
                "carrier": "UPS",
                "tracking_details": [
                    {
                        "status": "out_for_delivery",
                        "message": "text",
                        "datetime": at,
                        "carrier_code": "OF",
                        "tracking_location": {"city": "Orlando", "state": "FL"},
                    }
                ],
            },
        },
        "aftership": {
            "event": "tracking_update",
            "msg": {
                "tracking_number": code,
                "slug": "UPS",
                "checkpoints": [
                    {
                        "checkpoint_time": at,
                        "tag": "OutForDelivery",
                        "subtag": "OutForDelivery_001",
                        "raw_tag": "OF",
                        "message": "text",
                        "city": "Orlando",
                        "state": "FL",
                    }
                ],
            },
        },
        "shippo": {
            "event": "track_updated",
            "test": False,
            "data": {
                "tracking_number": code,
                "carrier": "UPS",
                "tracking_history": [
                    {
                        "status": "TRANSIT",
                        "substatus": {"code": "out_for_delivery"},
                        "status_date": at,
                        "status_details": "text",
                        "location": {"city": "Orlando", "state": "FL"},
                    }
                ],
            },
        },
        "17track": {
            "event": "TRACKING_UPDATED",
            "data": {
                "number": code,
                "carrier": 100002,
                "track_info": {
                    "tracking": {
                        "providers": [
                            {
                                "provider": {"key": 100002, "name": "UPS"},
                                "events": [
                                    {
                                        "time_iso": at,
                                        "sub_status": "OutForDelivery_Other",
                                        "description": "text",
                                        "address": {"city": "Orlando", "state": "FL"},
                                    }
                                ],
                            }
                        ]
                    }
                },
            },
        },
        "sendcloud": {
            "action": "parcel_status_changed",
            "carrier_status_change_timestamp": 1754006580000,
            "timestamp": 1754006589999,
            "parcel": {
                "tracking_number": code,
                "carrier": {"code": "UPS"},
                "status": {"id": 92, "message": "text"},
                "city": "the recipient's",
            },
        },
    }


def counted(client, name: str, provider: str, outcome: str | None = None) -> int:
    lines = client.local("metrics")["metrics"]
    return sum(
        line[name]
        for line in lines
        if name in line and line["Provider"] == provider and line.get("Outcome") == outcome
    )

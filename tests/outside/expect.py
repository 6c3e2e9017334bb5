"""What every refusal owes its reader, and how messages are found again."""

import json
import re
from typing import Any

from client import Answer, Client
from patience import PATIENCE_SECONDS, until

# Words that only the inside knows. None may stand in any answer to a client.
INTERNAL = re.compile(
    r"SdkError|ServiceError|DispatchFailure|ConditionalCheck|ValidationException"
    r"|ResourceNotFound|waybill-dev-|DynamoD|dynoxide|sqlite|serde|tokio"
    r"|panicked|RUST_BACKTRACE|\.rs\b|arn:aws|Some\(|Err\(|Error \{",
    re.IGNORECASE,
)


def no_internals(text: str) -> None:
    found = INTERNAL.search(text)
    assert not found, f"an answer tells internals ({found.group()}): {text}"


def problem(answer: Answer, status: int, field: str | None = None) -> dict:
    """The body of an answer that must be a problem (RFC 9457) of that status."""
    assert answer.status == status, f"{answer.status}, not {status}: {answer.text}"
    kind = answer.headers["content-type"].partition(";")[0]
    assert kind == "application/problem+json"
    return problem_body(answer.json, status, field)


def problem_body(body: Any, status: int, field: str | None = None) -> dict:
    no_internals(json.dumps(body, default=str))
    assert body["status"] == status, body
    assert body["type"] and isinstance(body["type"], str), body
    assert body["title"] and isinstance(body["title"], str), body
    assert body["detail"] and body["message"] == body["detail"], body
    assert re.fullmatch(r"[a-z][a-z0-9_]*", body["code"]), body
    if field is not None:
        assert field in body.get("field", ""), body
    return body


def conflict(answer: Answer, version: int, status: str) -> dict:
    """A refusal by the order's state, which tells the client where it stands."""
    body = problem(answer, 409)
    assert body["version"] == version, body
    assert body["orderStatus"] == status, body
    actions = [] if status in ("PROCESSED", "CANCELLED") else ["complete", "cancel"]
    assert sorted(body["allowedActions"]) == sorted(actions), body
    return body


# Messages.


def attributes_of(message: dict) -> dict[str, str]:
    """An SNS message's attributes by name, whichever way they are written."""
    return {
        name: value if isinstance(value, str) else value["Value"]
        for name, value in (message.get("attributes") or {}).items()
    }


def id_of(message: dict) -> str:
    """The id that consumers deduplicate by; "" where a message has none."""
    if message["via"] == "EventBridge":
        return (message.get("detail") or {}).get("id", "")
    return attributes_of(message).get("id", "")


def messages_about(client: Client, aggregate: str, via: str | None = None) -> list:
    """All messages of an aggregate, oldest first."""
    return [
        message
        for message in reversed(client.messages())
        if id_of(message).startswith(f"{aggregate}/") and via in (None, message["via"])
    ]


def message(client: Client, message_id: str, via: str = "EventBridge") -> dict:
    """The message with this id, once it has been emitted."""

    def found():
        return next(
            (
                each
                for each in client.messages()
                if id_of(each) == message_id and each["via"] == via
            ),
            None,
        )

    return until(f"{via} message {message_id}", found)


def announced(client: Client, order_id: str) -> set[str]:
    """The detail-types that were announced of an order."""
    about = messages_about(client, f"order#{order_id}")
    return {each["detailType"] for each in about}


def at_rest(client: Client, seconds: float = PATIENCE_SECONDS) -> dict:
    """Waits until nothing is on its way any more; the status then.

    What is on its way moves from the stream to the deliveries and back, so one
    look may miss it in between: two equal ones do not.
    """
    seen: list[dict] = []

    def resting():
        status = client.local("status")
        seen.append(status)
        behind = [each["behind"] for each in status["consumers"].values()]
        busy = any(behind) or status["pendingDeliveries"]
        return status if not busy and seen[-2:] == [status, status] else None

    return until("rest: consumers caught up, nothing pending", resting, seconds)

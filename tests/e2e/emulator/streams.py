"""The mapping of a DynamoDB stream to a function, as Lambda runs it.

ministack polls all mappings in one thread and knows no partial batch response, no bisecting and
no limit of retries. Here each mapping has a thread of its own, so that a slow reader holds no
other one back, and:

- a partial batch response goes on from the lowest record that it names;
- a batch that failed as a whole is cut in half, where the mapping says so, which counts as no
  attempt, or comes again until its attempts or its age are used up;
- then it goes to the failure destination, and the mapping goes on behind it;
- the function's role must be allowed to read the stream (where IAM is enforced).
"""

import json
import logging
import threading
import time
from dataclasses import dataclass

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.arn import parse_arn
from ministack.core.lambda_runtime import execution_credentials
from ministack.core.responses import get_region
from ministack.services import dynamodb, lambda_svc

from . import failures, limits

log = logging.getLogger("emulator.streams")

READING = ("DescribeStream", "GetRecords", "GetShardIterator")


@dataclass
class Piece:
    """Records of the stream that go to the function together: positions, and failed attempts."""

    start: int
    end: int
    attempts: int = 0

    def halves(self) -> list["Piece"]:
        middle = (self.start + self.end) // 2
        return [Piece(self.start, middle), Piece(middle, self.end)]


class Reader:
    """What one mapping has read, and what it is at."""

    def __init__(self, mapping: dict):
        self.mapping = mapping
        self.id = mapping["UUID"]
        self.table = mapping["EventSourceArn"].split("/")[1]
        self.position: int | None = None
        self.pieces: list[Piece] = []
        self.wait = 0.0

    def run(self) -> None:
        """Reads until the mapping is gone."""
        while lambda_svc._esms.get(self.id) is self.mapping:
            self.wait = limits.MAPPING_PAUSE_SECONDS
            try:
                self.step()
            except Exception:
                log.exception("mapping %s", self.id)
            time.sleep(self.wait)
        READERS.pop(self.id, None)

    def step(self) -> None:
        """One invocation, where there is something to read."""
        name, qualifier = self.mapping["FunctionName"], self.mapping.get("Qualifier")
        function, _ = lambda_svc._get_func_record_for_qualifier(name, qualifier)
        table = dynamodb._tables.get(self.table)
        arn = self.mapping["EventSourceArn"]
        if function is None or not table or table.get("LatestStreamArn") != arn:
            return
        if not self.mapping.get("Enabled", True):
            return
        piece = self.next_piece()
        if piece is None or not self.may_read(function):
            return
        # Behind this step there may be more: do not wait for it.
        self.wait = 0.0
        count = piece.end - piece.start
        records = dynamodb.stream_records_since(self.table, piece.start, count)
        wanted = lambda_svc._apply_filter_criteria(records, self.mapping)
        if not wanted:
            return self.done(piece)
        result = lambda_svc._execute_function(function, {"Records": wanted})
        failed = first_failed(result, records, self.mapping)
        if failed is None:
            self.mapping["LastProcessingResult"] = f"OK - {len(wanted)} records"
            return self.done(piece)
        self.mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
        self.failed(piece, failed, records, function, result)

    def next_piece(self) -> Piece | None:
        first = dynamodb.stream_start_position(self.table)
        end = dynamodb.stream_end_position(self.table)
        if self.position is None:
            from_start = self.mapping.get("StartingPosition") == "TRIM_HORIZON"
            self.position = first if from_start else end
        if not self.pieces:
            most = self.mapping.get("BatchSize", 100)
            records = dynamodb.stream_records_since(self.table, self.position, most)
            count = fitting(records)
            if not count:
                return None
            start = max(self.position, first)
            self.pieces = [Piece(start, start + count)]
        return self.pieces[0]

    def may_read(self, function: dict) -> bool:
        if not app.AUTH:
            return True
        key = execution_credentials(function["config"])["AWS_ACCESS_KEY_ID"]
        arn = self.mapping["EventSourceArn"]
        for action in READING:
            if iam_evaluator.enforce(
                key, f"dynamodb:{action}", "dynamodb", get_region(), resource_arn=arn
            ):
                self.mapping["LastProcessingResult"] = f"PROBLEM: no {action}"
                log.error("mapping %s: its role lacks dynamodb:%s", self.id, action)
                self.wait = limits.RETRY_MOST_SECONDS
                return False
        return True

    def done(self, piece: Piece) -> None:
        self.position = piece.end
        self.pieces.pop(0)

    def failed(self, piece, at: int, records, function, result) -> None:
        if at > 0:
            # What lies before it is done with, and never comes again.
            self.position = piece.start + at
            self.pieces[0] = Piece(self.position, piece.end)
            self.pause(0)
        elif self.mapping.get("BisectBatchOnFunctionError") and len(records) > 1:
            self.pieces[0:1] = piece.halves()
            self.pause(0)
        elif condition := self.exhausted(piece, records):
            failures.deliver(self.mapping, function, records, result, condition, piece.attempts + 1)
            self.done(piece)
        else:
            # One that could not even be invoked has used up no attempt.
            piece.attempts += 0 if result.get("throttle") else 1
            self.pause(piece.attempts)

    def pause(self, attempts: int) -> None:
        wait = limits.RETRY_FIRST_SECONDS * 2 ** min(attempts, 10)
        self.wait = min(wait, limits.RETRY_MOST_SECONDS)

    def exhausted(self, piece: Piece, records: list[dict]) -> str | None:
        """Why these records do not come again; `None` where they do."""
        age = number(self.mapping.get("MaximumRecordAgeInSeconds"))
        first = float(records[0]["dynamodb"]["ApproximateCreationDateTime"])
        if 0 < age < time.time() - first:
            return "MaxRecordAgeExceeded"
        most = number(self.mapping.get("MaximumRetryAttempts"))
        return "RetryAttemptsExhausted" if 0 <= most <= piece.attempts else None


def number(setting) -> int:
    """A limit of a mapping: -1, as without one, stands for none."""
    return -1 if setting is None else int(setting)


def fitting(records: list[dict]) -> int:
    """How many of the first records one invocation takes; at least one of any."""
    total = 0
    for count, record in enumerate(records):
        total += len(json.dumps(record, default=str))
        if total > limits.INVOCATION_BYTES:
            return max(count, 1)
    return len(records)


def first_failed(result: dict, records: list[dict], mapping: dict) -> int | None:
    """The place of the first record that comes again; `None` where none does."""
    if result.get("error") or result.get("throttle"):
        return 0
    if "ReportBatchItemFailures" not in (mapping.get("FunctionResponseTypes") or []):
        return None
    body = result.get("body")
    failures_named = (body or {}).get("batchItemFailures") if isinstance(body, dict) else None
    if not failures_named:
        return None
    places = {str(r["dynamodb"]["SequenceNumber"]): i for i, r in enumerate(records)}
    # A name that is in no record means that the whole batch failed.
    return min(places.get(str(each.get("itemIdentifier")), 0) for each in failures_named)


READERS: dict[str, Reader] = {}


def poll() -> bool:
    """Gives every mapping of a DynamoDB stream its reader. ministack's poller calls it."""
    for account, region, mapping in lambda_svc._iter_all_esms():
        arn = mapping.get("EventSourceArn", "")
        if ":dynamodb:" not in arn or mapping["UUID"] in READERS:
            continue
        spec = parse_arn(arn)
        if (spec.account_id, spec.region) != (account, region):
            continue
        reader = READERS[mapping["UUID"]] = Reader(mapping)
        name = f"mapping-{reader.table}"
        scope = (account, region)
        threading.Thread(target=in_scope, args=(scope, reader.run), name=name, daemon=True).start()
    return False


def in_scope(scope: tuple[str, str], run) -> None:
    account, region = scope
    lambda_svc._request_account_id.set(account)
    lambda_svc._request_region.set(region)
    run()


def install() -> None:
    """Puts this in the place of ministack's poller of DynamoDB streams."""
    lambda_svc._poll_dynamodb_streams = poll
    lambda_svc._ESM_IDLE_WAKE_GAP_SECONDS = limits.MAPPINGS_SECONDS

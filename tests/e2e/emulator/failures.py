"""Where a mapping puts the records that it gives up: a bucket, a queue or a topic.

A bucket gets the whole invocation (`payload`, JSON within JSON) under
`aws/lambda/<mapping>/<shard>/<yyyy>/<mm>/<dd>/<yyyy-mm-ddThh.mm.ss>-<uuid>`; a queue or topic gets
positions only. It is written with the credentials of the function's role, as Lambda does, so a
role without `s3:PutObject` and `s3:ListBucket` shows.
"""

import json
import logging
import os
import uuid
from datetime import UTC, datetime

import botocore.session
from botocore.config import Config
from ministack.core.arn import parse_arn
from ministack.core.lambda_runtime import execution_credentials
from ministack.core.responses import get_account_id, get_region

from . import limits

log = logging.getLogger("emulator.failures")

SHARD = "shardId-00000000000000000000-00000000"


def deliver(mapping, function, records, result, condition: str, attempts: int) -> None:
    """Sends what is known of a failed batch; without a destination it is gone, as on AWS."""
    config = mapping.get("DestinationConfig") or {}
    destination = (config.get("OnFailure") or {}).get("Destination")
    if not destination:
        log.error("mapping %s drops %d records", mapping["UUID"], len(records))
        return
    record = invocation_record(mapping, function, records, result, condition, attempts)
    try:
        send(destination, mapping, function["config"], record, records)
    except Exception:
        log.exception("mapping %s cannot reach its failure destination", mapping["UUID"])


def send(destination: str, mapping: dict, config: dict, record: dict, records: list) -> None:
    spec = parse_arn(destination)
    client = client_of(config, spec.service)
    if spec.service == "s3":
        record["payload"] = json.dumps({"Records": records}, default=str)
        client.head_bucket(Bucket=spec.resource)
        client.put_object(
            Bucket=spec.resource,
            Key=key(mapping["UUID"], datetime.now(UTC)),
            Body=json.dumps(record).encode(),
            ExpectedBucketOwner=get_account_id(),
        )
    elif spec.service == "sqs":
        url = client.get_queue_url(QueueName=spec.resource)["QueueUrl"]
        client.send_message(QueueUrl=url, MessageBody=json.dumps(record))
    elif spec.service == "sns":
        client.publish(TopicArn=destination, Message=json.dumps(record))
    else:
        raise ValueError(f"{destination} is no failure destination")


def client_of(config: dict, service: str):
    """A client that is the function."""
    credentials = execution_credentials(config)
    return botocore.session.get_session().create_client(
        service,
        endpoint_url=f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        region_name=get_region(),
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=credentials["AWS_SESSION_TOKEN"] or None,
        config=Config(
            s3={"addressing_style": "path"},
            read_timeout=limits.DESTINATION_SECONDS,
            retries={"total_max_attempts": limits.DESTINATION_ATTEMPTS},
        ),
    )


def key(mapping_id: str, now: datetime) -> str:
    """The key of a failed batch in a bucket."""
    name = f"{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
    return f"aws/lambda/{mapping_id}/{SHARD}/{now:%Y/%m/%d}/{name}"


def invocation_record(mapping, function, records, result, condition, attempts) -> dict:
    """What every destination is told."""
    first, last = records[0]["dynamodb"], records[-1]["dynamodb"]
    return {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": function["config"]["FunctionArn"],
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": function["config"].get("Version", "$LATEST"),
            "functionError": "Unhandled" if result.get("error") else None,
        },
        "version": "1.0",
        "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "DDBStreamBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": str(first["SequenceNumber"]),
            "endSequenceNumber": str(last["SequenceNumber"]),
            "approximateArrivalOfFirstRecord": arrival(first),
            "approximateArrivalOfLastRecord": arrival(last),
            "batchSize": len(records),
            "streamArn": mapping["EventSourceArn"],
        },
    }


def arrival(record: dict) -> str:
    seconds = float(record["ApproximateCreationDateTime"])
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"

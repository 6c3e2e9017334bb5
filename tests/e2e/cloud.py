"""The AWS clients of somebody outside, as whom they like."""

from functools import cached_property

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from process import REGION

REQUEST_SECONDS = 60

# The one who deployed, and may do anything.
ROOT = Credentials("test", "test")


class Cloud:
    """AWS at `url`, asked with `credentials`."""

    def __init__(self, url: str, credentials: Credentials = ROOT):
        self.url = url
        self.credentials = credentials

    def client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.credentials.access_key,
            aws_secret_access_key=self.credentials.secret_key,
            aws_session_token=self.credentials.token,
            # A test that loses an answer must know it; it repeats by itself.
            config=Config(
                retries={"total_max_attempts": 1},
                max_pool_connections=64,
                read_timeout=REQUEST_SECONDS,
                s3={"addressing_style": "path"},
            ),
        )

    def signed(self, method: str, url: str, body: bytes, headers: dict) -> dict:
        """The headers of a request to an HTTP API, with its signature."""
        request = AWSRequest(method=method, url=url, data=body, headers=headers)
        SigV4Auth(self.credentials, "execute-api", REGION).add_auth(request)
        return dict(request.headers)

    @cached_property
    def dynamodb(self):
        return self.client("dynamodb")

    @cached_property
    def streams(self):
        return self.client("dynamodbstreams")

    @cached_property
    def events(self):
        return self.client("events")

    @cached_property
    def functions(self):
        return self.client("lambda")

    @cached_property
    def iam(self):
        return self.client("iam")

    @cached_property
    def kms(self):
        return self.client("kms")

    @cached_property
    def logs(self):
        return self.client("logs")

    @cached_property
    def s3(self):
        return self.client("s3")

    @cached_property
    def secrets(self):
        return self.client("secretsmanager")

    @cached_property
    def sns(self):
        return self.client("sns")

    @cached_property
    def sqs(self):
        return self.client("sqs")

    @cached_property
    def states(self):
        return self.client("stepfunctions")

    @cached_property
    def sts(self):
        return self.client("sts")

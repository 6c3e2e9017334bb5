"""What keeps no state: functions, what triggers them, the HTTP API, the rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from . import console, erase, gateway_alias, operator, rebuild, triggers
from .canary import Canary
from .functions import Functions
from .http_api import HttpApi
from .places import Places
from .state import State


class Service(Stack):
    """What keeps no state; it can be removed and deployed again."""

    def __init__(
        self, scope: Construct, id: str, *, state: State, binaries: Path, **kwargs: Any
    ) -> None:
        super().__init__(scope, id, **kwargs)
        config = state.config
        # Most of it is found by name; what is, has to be there first all the same.
        self.add_stack_dependency(state)
        at = Places(self, config, state.described, state.personal_data_key.key_arn)
        self.functions = Functions(self, state, at, binaries)
        aliases = gateway_alias.add_aliases(self, self.functions)
        self.http = HttpApi(self, config, aliases)
        if config.canary:
            Canary(self, at, aliases).watch(self.http)
        triggers.add_rules(self, at, self.functions)
        triggers.add_schedules(self, config, self.functions)
        self.mappings = triggers.add_mappings(
            self, at, state.tables["events"].table_stream_arn, self.functions
        )
        self.machine = rebuild.add_state_machine(self, config, self.functions["rebuild"])
        self.operator = operator.add_policy(self, at, self.http)
        self.console = console.add_policy(self, at, self.http)
        self.erase = erase.add_policy(self, at)
        # Whoever reads the environment's settings there, learns where its API is, too.
        self.functions["rebuild"].add_environment("WAYBILL_API_URL", self.http.url)
        self._outputs(at)

    def _outputs(self, at: Places) -> None:
        config = at.config
        url = self.http.url
        output = {
            "ApiUrl": url,
            "ApiId": self.http.api.api_id,
            "RebuildMachineArn": self.machine.attr_arn,
            "OperatorPolicyArn": self.operator.managed_policy_arn,
            "ConsolePolicyArn": self.console.managed_policy_arn,
            "ErasePolicyArn": self.erase.managed_policy_arn,
            "TryAnOrder": _curl(
                config.authoriser,
                self.region,
                f"-X POST {url}/orders -H 'Idempotency-Key: k-1' -d "
                """'{"customerId":"c-1","items":[{"name":"Lamp","quantity":2,"price":12.50}]}'""",
            ),
            "TryAShipment": (
                "aws events put-events --entries '"
                f'[{{"EventBusName":"{config.bus}","Source":"logistics.shipments",'
                '"DetailType":"Shipment Update",'
                '"Detail":"{\\"shipmentId\\":\\"SHIP-1\\",\\"status\\":\\"DELAYED\\"}"}]\''
                f" --region {self.region}"
            ),
            "TryAFile": (
                """echo '{"orderId":"DEL-1","items":[{"name":"Lamp","quantity":2,"price":1.5}]}' """
                f"| aws s3 cp - s3://{at.orders_bucket_name}/orders/try.json"
            ),
            "TryAnInvocation": (
                f"aws lambda invoke --function-name {config.name('invoke')} --region {self.region} "
                "--cli-binary-format raw-in-base64-out --payload "
                """'{"snackItems":[{"name":"Crisps","quantity":3,"price":1.10}]}' /dev/stdout"""
            ),
            "TryAQuery": _curl(config.authoriser, self.region, f"{url}/shipments/SHIP-1"),
        }
        for id, value in output.items():
            CfnOutput(self, id, value=value)


def _curl(authoriser: str, region: str, call: str) -> str:
    """A call as whoever the authoriser lets in makes it."""
    signed = (
        f"--aws-sigv4 aws:amz:{region}:execute-api "
        '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" '
        '-H "x-amz-security-token: $AWS_SESSION_TOKEN" '
    )
    how = {"iam": signed, "jwt": '-H "Authorization: Bearer $TOKEN" ', "none": ""}
    return f"curl -s {how[authoriser]}-H 'Content-Type: application/json' {call}"

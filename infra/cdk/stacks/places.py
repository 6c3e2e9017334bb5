"""Where things are, by their names: a policy that says what it opens can be read by a person, and
stacks hold on to each other only by what AWS names itself."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import ArnFormat, Stack

from . import tables
from .config import CARRIERS, Config
from .tables import Table

# Order files, and what is written about them; the ledgers of rebuilds.
ORDERS_PREFIX, REPORTS_PREFIX, REBUILDS_PREFIX = "orders/", "reports/", "rebuilds/"

# The index of a customer's orders (projectors/src/query).
OF_CUSTOMERS = "/index/CustomerIndex"

# The index of shipments that may stall, or have (projectors/src/watch.rs).
WATCHED = "/index/WatchIndex"


class Places:
    """The ARNs of one environment, as `stack` sees them. The key of personal data is named by AWS:
    a stack that opens it to nobody does not need it."""

    def __init__(
        self,
        stack: Stack,
        config: Config,
        described: Mapping[str, Table],
        personal_data_key: str = "",
    ) -> None:
        self._stack = stack
        self.config = config
        self._described = described
        self.personal_data_key = personal_data_key

    def _arn(self, service: str, resource: str, name: str, colon: bool = False) -> str:
        form = ArnFormat.COLON_RESOURCE_NAME if colon else ArnFormat.SLASH_RESOURCE_NAME
        return self._stack.format_arn(
            service=service, resource=resource, resource_name=name, arn_format=form
        )

    def _bucket(self, name: str) -> str:
        return self._stack.format_arn(service="s3", region="", account="", resource=name)

    def table(self, id: str) -> str:
        """A table, by its key in infra/tables.json."""
        return self._arn("dynamodb", "table", self.config.name(self._described[id].suffix))

    @property
    def tables(self) -> list[str]:
        """Every table."""
        return [self.table(id) for id in self._described]

    def indexes(self, id: str) -> list[str]:
        """The indexes of a table, one by one."""
        return [f"{self.table(id)}/index/{index.name}" for index in self._described[id].indexes]

    def models(self, id: str) -> list[str]:
        """A read model with the later generations beside it, by its key in infra/tables.json."""
        return [self.table(table.id) for table in tables.models(id, self._described)]

    def lists(self, id: str) -> list[str]:
        """The ARNs of every index of a read model and of its later generations."""
        return self._of_models(id)

    def watched(self) -> list[str]:
        """The index of shipments that may stall, or have, of every generation."""
        return [index for index in self._of_models("shipmentLog") if index.endswith(WATCHED)]

    def of_customers(self) -> list[str]:
        """The index of a customer's orders, of every generation."""
        indexes = self._of_models("processedOrders")
        return [index for index in indexes if index.endswith(OF_CUSTOMERS)]

    def _of_models(self, id: str) -> list[str]:
        models = tables.models(id, self._described)
        return [index for table in models for index in self.indexes(table.id)]

    def streams(self, id: str) -> str:
        """The streams of a table: their names end in the time that they were switched on."""
        return f"{self.table(id)}/stream/*"

    @property
    def orders_bucket_name(self) -> str:
        """The bucket for order files and their reports."""
        return self.config.name(f"orders-{self._stack.account}")

    @property
    def dead_letters_bucket_name(self) -> str:
        """The bucket for records of the stream that were given up."""
        return self.config.name(f"dead-letters-{self._stack.account}")

    @property
    def orders_bucket(self) -> str:
        """The bucket for order files and their reports."""
        return self._bucket(self.orders_bucket_name)

    @property
    def dead_letters_bucket(self) -> str:
        """The bucket for records of the stream that were given up."""
        return self._bucket(self.dead_letters_bucket_name)

    def objects(self, prefix: str) -> str:
        """What lies under a prefix of the bucket for order files."""
        return f"{self.orders_bucket}/{prefix}*"

    @property
    def bus(self) -> str:
        """The event bus."""
        return self._arn("events", "event-bus", self.config.bus)

    def rule(self, name: str, default_bus: bool = True) -> str:
        """A rule on the default bus, or on the environment's own."""
        bus = "" if default_bus else f"{self.config.bus}/"
        return self._arn("events", "rule", f"{bus}{self.config.name(name)}")

    @property
    def topic(self) -> str:
        """The topic for alerts."""
        return self._stack.format_arn(service="sns", resource=self.config.name("alerts"))

    @property
    def dead_letters_queue(self) -> str:
        """The queue for events that were given up."""
        return self._stack.format_arn(service="sqs", resource=self.config.name("dead-letters"))

    def function(self, role: str) -> str:
        """A function by its role."""
        return self._arn("lambda", "function", self.config.name(role), colon=True)

    def logs(self, role: str) -> str:
        """The log streams of a function."""
        name = f"/aws/lambda/{self.config.name(role)}:*"
        return self._arn("logs", "log-group", name, colon=True)

    def carrier_secrets(self) -> list[str]:
        """The secrets of carriers' webhooks, one by one: behind each name AWS puts a hyphen and six
        characters of its own."""
        names = (f"waybill/{self.config.environment}/carriers/{name}-??????" for name in CARRIERS)
        return [self._arn("secretsmanager", "secret", name, colon=True) for name in names]

    @property
    def rebuild_machine(self) -> str:
        """The state machine of the rebuild."""
        return self._arn("states", "stateMachine", self.config.name("rebuild"), colon=True)

    @property
    def rebuild_executions(self) -> str:
        """The runs of the state machine of the rebuild."""
        return self._arn("states", "execution", f"{self.config.name('rebuild')}:*", colon=True)

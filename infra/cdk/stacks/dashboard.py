"""The dashboard of an environment: the systems before, and the projections' health."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from .alarms import Ids
from .config import Config
from .functions import ROLES
from .tables import Table
from .triggers import CONSUMERS

# A dashboard is 24 columns wide.
THIRD, HALF, FULL, HEIGHT = 8, 12, 24, 6

PERIOD = Duration.minutes(5)


def add_dashboard(
    stack: Stack, config: Config, tables: list[Table], ids: Ids, alarms: list[cloudwatch.Alarm]
) -> None:
    """The dashboard `waybill-<env>`."""
    board = cloudwatch.Dashboard(
        stack, "Dashboard", dashboard_name=config.bus, default_interval=Duration.hours(12)
    )
    board.add_widgets(
        cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=FULL, height=HEIGHT)
    )
    board.add_widgets(*_orders(config))
    board.add_widgets(*_shipments(config))
    board.add_widgets(*_http(config, ids))
    board.add_widgets(*_projections(config))
    board.add_widgets(*_stuck(config, ids))
    board.add_widgets(*_functions(config))
    board.add_widgets(*_tables(config, tables))


def _metric(
    namespace: str, name: str, dimensions: dict[str, str], statistic: str = "Sum", label: str = ""
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=PERIOD,
        label=label or name,
    )


def _graph(title: str, width: int, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=width, height=HEIGHT)


def _orders(config: Config) -> list[cloudwatch.GraphWidget]:
    here, orders = {"Environment": config.environment}, "DeliveryApp/OrderProcessing"
    counts = ("OrdersProcessed", "OrderProcessingErrors", "ProcessingFailures")
    return [
        _graph("Orders", THIRD, *(_metric(orders, name, here) for name in counts)),
        _graph(
            "Orders: processing time (ms)",
            THIRD,
            *(
                _metric(orders, "ProcessingTime", here, statistic, statistic)
                for statistic in ("Average", "p99")
            ),
        ),
        _graph("Orders: success (%)", THIRD, _metric(orders, "SuccessRate", here, "Average")),
    ]


def _shipments(config: Config) -> list[cloudwatch.GraphWidget]:
    here, shipments = {"Environment": config.environment}, "LogisticsProcessing"
    by_status = cloudwatch.MathExpression(
        expression=(
            "SEARCH('{LogisticsProcessing,Environment,Status} "
            f'MetricName="ShipmentUpdatesProcessed" Environment="{config.environment}"\', \'Sum\', '
            f"{PERIOD.to_seconds()})"
        ),
        using_metrics={},
        period=PERIOD,
        label="",
    )
    webhooks = cloudwatch.MathExpression(
        expression=(
            "SEARCH('{LogisticsProcessing,Environment,Provider,Outcome} "
            f'MetricName="CarrierWebhooks" Environment="{config.environment}"\', \'Sum\', '
            f"{PERIOD.to_seconds()})"
        ),
        using_metrics={},
        period=PERIOD,
        label="",
    )
    return [
        _graph(
            "Shipment updates",
            THIRD,
            *(
                _metric(shipments, n, here)
                for n in ("ShipmentUpdatesProcessed", "ProcessingErrors", "ShipmentsStalled")
            ),
        ),
        _graph("Shipment updates by status", THIRD, by_status),
        _graph(
            "Carriers' webhooks by provider and outcome, and codes without a mapping",
            THIRD,
            webhooks,
            _metric(shipments, "UnmappedCarrierStatus", here),
        ),
    ]


def _http(config: Config, ids: Ids) -> list[cloudwatch.GraphWidget]:
    stage = {"ApiId": ids.api, "Stage": config.environment}
    return [
        _graph(
            "HTTP API",
            HALF,
            *(_metric("AWS/ApiGateway", name, stage) for name in ("Count", "4xx", "5xx")),
        ),
        _graph(
            "HTTP API: latency (ms)",
            HALF,
            *(_metric("AWS/ApiGateway", "Latency", stage, s, s) for s in ("p50", "p99")),
        ),
    ]


def _projections(config: Config) -> list[cloudwatch.GraphWidget]:
    here, own = {"Environment": config.environment}, "Waybill"
    ages = [
        _metric("AWS/Lambda", "IteratorAge", {"FunctionName": config.name(role)}, "Maximum", role)
        for role in CONSUMERS
    ]
    health = [
        _metric(own, "AggregatesParked", here),
        _metric(own, "ParkedAggregates", here, "Maximum"),
        _metric(own, "CommitsTampered", here),
    ]
    sweep = [
        _metric(own, name, here) for name in ("SweepMended", "SweepUnreadable", "SweepUnfinished")
    ]
    return [
        _graph("Behind the events (ms)", THIRD, *ages),
        _graph("Parked, tampered", THIRD, *health),
        _graph("Sweep", THIRD, *sweep),
    ]


def _stuck(config: Config, ids: Ids) -> list[cloudwatch.GraphWidget]:
    given_up = [
        _metric("AWS/Lambda", name, {"EventSourceMappingUUID": uuid}, "Sum", f"{role}: {name}")
        for role, uuid in ids.mappings.items()
        for name in ("OnFailureDestinationDeliveredEventCount", "DroppedEventCount")
    ]
    queue = {"QueueName": config.name("dead-letters")}
    waiting = [
        _metric("AWS/SQS", name, queue, "Maximum")
        for name in ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage")
    ]
    return [
        _graph("Records given up", THIRD, *given_up),
        _graph("Dead letters", THIRD, waiting[0]),
        _graph("Dead letters: age of the oldest (s)", THIRD, waiting[1]),
    ]


def _functions(config: Config) -> list[cloudwatch.GraphWidget]:
    def each(metric: str, statistic: str) -> list[cloudwatch.IMetric]:
        return [
            _metric(
                "AWS/Lambda", metric, {"FunctionName": config.name(role.name)}, statistic, role.name
            )
            for role in ROLES
        ]

    quarter = FULL // 4
    return [
        _graph("Functions: invocations", quarter, *each("Invocations", "Sum")),
        _graph("Functions: errors", quarter, *each("Errors", "Sum")),
        _graph("Functions: throttles", quarter, *each("Throttles", "Sum")),
        _graph("Functions: duration, p99 (ms)", quarter, *each("Duration", "p99")),
    ]


def _tables(config: Config, tables: list[Table]) -> list[cloudwatch.GraphWidget]:
    def each(metric: str) -> list[cloudwatch.IMetric]:
        return [
            _metric(
                "AWS/DynamoDB",
                metric,
                {"TableName": config.name(table.suffix)},
                "Sum",
                table.suffix,
            )
            for table in tables
        ]

    throttles = each("WriteThrottleEvents") + [
        _metric(
            "AWS/DynamoDB",
            "WriteThrottleEvents",
            {"TableName": config.name(table.suffix), "GlobalSecondaryIndexName": index.name},
            "Sum",
            index.name,
        )
        for table in tables
        for index in table.indexes
    ]
    return [
        _graph("Tables: write units", THIRD, *each("ConsumedWriteCapacityUnits")),
        _graph("Tables: read units", THIRD, *each("ConsumedReadCapacityUnits")),
        _graph("Tables and indexes: throttled writes", THIRD, *throttles),
    ]

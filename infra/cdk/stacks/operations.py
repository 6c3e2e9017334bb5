"""What tells people how it goes: alarms, the one to page on, the dashboard, the budget."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from . import alarms, triggers
from .config import Config
from .dashboard import add_dashboard
from .places import Places
from .service import Service
from .state import State

# Shares of the budget, in per cent, at which somebody hears of it.
SPENT_PERCENT, FORECAST_PERCENT = 80, 100


def _comparison(alarm: alarms.Alarm) -> cloudwatch.ComparisonOperator:
    operator = cloudwatch.ComparisonOperator
    if alarm.silent:
        return operator.LESS_THAN_THRESHOLD
    if alarm.above:
        return operator.GREATER_THAN_THRESHOLD
    return operator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD


class Operations(Stack):
    """Alarms, dashboard, budget; nothing depends on it."""

    def __init__(
        self, scope: Construct, id: str, *, state: State, service: Service, **kwargs: Any
    ) -> None:
        super().__init__(scope, id, **kwargs)
        config = state.config
        self.add_stack_dependency(service)
        at = Places(self, config, state.described)
        self._topic = actions.SnsAction(sns.Topic.from_topic_arn(self, "Alerts", at.topic))
        rules = triggers.rules(config, self.account, at.orders_bucket_name)
        ids = alarms.Ids(
            api=service.http.api.api_id,
            mappings={role: mapping.ref for role, mapping in service.mappings.items()},
            machine=service.machine.attr_arn,
        )
        described = alarms.every(
            config, list(state.described.values()), [*rules, *triggers.SCHEDULED], ids
        )
        made = {alarm.name: self._alarm(config, alarm) for alarm in described}
        self._page(config, [made[alarm.name] for alarm in described if alarm.page])
        add_dashboard(self, config, list(state.described.values()), ids, list(made.values()))
        if config.budget_usd:
            self._budget(config, at.topic)

    def _alarm(self, config: Config, alarm: alarms.Alarm) -> cloudwatch.Alarm:
        missing = cloudwatch.TreatMissingData
        made = cloudwatch.Alarm(
            self,
            "".join(part[0].upper() + part[1:] for part in alarm.name.split("-")),
            alarm_name=config.name(alarm.name),
            alarm_description=alarm.says,
            metric=cloudwatch.Metric(
                namespace=alarm.metric.namespace,
                metric_name=alarm.metric.name,
                dimensions_map=dict(alarm.metric.dimensions),
                statistic=alarm.metric.statistic,
                period=Duration.seconds(alarm.seconds),
            ),
            threshold=alarm.threshold,
            evaluation_periods=alarm.periods,
            comparison_operator=_comparison(alarm),
            treat_missing_data=missing.BREACHING if alarm.silent else missing.NOT_BREACHING,
        )
        made.add_alarm_action(self._topic)
        return made

    def _page(self, config: Config, worst: list[cloudwatch.Alarm]) -> None:
        page = cloudwatch.CompositeAlarm(
            self,
            "Page",
            composite_alarm_name=config.name("page"),
            alarm_description="Something is lost, stuck, or refused to everybody.",
            alarm_rule=cloudwatch.AlarmRule.any_of(*worst),
        )
        page.add_alarm_action(self._topic)

    def _budget(self, config: Config, topic_arn: str) -> None:
        budget = budgets.CfnBudget

        def notification(
            kind: str, percent: int
        ) -> budgets.CfnBudget.NotificationWithSubscribersProperty:
            return budget.NotificationWithSubscribersProperty(
                notification=budget.NotificationProperty(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                ),
                subscribers=[budget.SubscriberProperty(subscription_type="SNS", address=topic_arn)],
            )

        tag = {"TagKeyValue": [f"user:environment${config.environment}"]}
        budget(
            self,
            "Budget",
            budget=budget.BudgetDataProperty(
                budget_name=config.bus,
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budget.SpendProperty(amount=config.budget_usd, unit="USD"),
                cost_filters=tag if config.budget_by_tag else None,
            ),
            notifications_with_subscribers=[
                notification("ACTUAL", SPENT_PERCENT),
                notification("FORECASTED", FORECAST_PERCENT),
            ],
        )

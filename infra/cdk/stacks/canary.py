"""New versions of the HTTP functions: a tenth of the requests first, and back if they fail."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns

from . import exceptions
from .functions import Functions
from .http_api import HttpApi
from .permissions import allow, policy
from .places import Places

# What the HTTP API calls.
ALIAS = "live"

HTTP_ROLES = ("api", "query", "carriers")


class Canary:
    """Aliases of the functions behind the HTTP API, and how CodeDeploy moves them."""

    def __init__(self, stack: Stack, at: Places, functions: Functions) -> None:
        self._stack = stack
        self._at = at
        self._config = at.config
        self._topic = sns.Topic.from_topic_arn(stack, "CanaryAlerts", at.topic)
        self._functions = functions
        self._aliases = {role: self._alias(role) for role in HTTP_ROLES}

    def alias(self, role: str) -> lambda_.Alias:
        """What the HTTP API calls for this role."""
        return self._aliases[role]

    def _alias(self, role: str) -> lambda_.Alias:
        version = self._functions[role].current_version
        return lambda_.Alias(
            self._stack, f"{role.capitalize()}Live", alias_name=ALIAS, version=version
        )

    def watch(self, http: HttpApi) -> None:
        """Takes a new version back when an alarm rings while it is tried."""
        application = codedeploy.LambdaApplication(
            self._stack, "Deployments", application_name=self._config.bus
        )
        failing = self._alarm(
            "canary-5xx",
            "The HTTP API answers 5xx while a new version may be on trial.",
            cloudwatch.Metric(
                namespace="AWS/ApiGateway",
                metric_name="5xx",
                dimensions_map={"ApiId": http.api.api_id, "Stage": self._config.environment},
                statistic="Sum",
                period=Duration.minutes(1),
            ),
            threshold=5,
        )
        role = self._role()
        for name, alias in self._aliases.items():
            errors = self._alarm(
                f"canary-{name}",
                f"The function {name} fails while a new version of it may be on trial.",
                cloudwatch.Metric(
                    namespace="AWS/Lambda",
                    metric_name="Errors",
                    dimensions_map={
                        "FunctionName": self._config.name(name),
                        "Resource": f"{self._config.name(name)}:{ALIAS}",
                    },
                    statistic="Sum",
                    period=Duration.minutes(1),
                ),
                threshold=1,
            )
            codedeploy.LambdaDeploymentGroup(
                self._stack,
                f"{name.capitalize()}Deployment",
                application=application,
                alias=alias,
                role=role.without_policy_updates(),
                deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
                alarms=[failing, errors],
                auto_rollback=codedeploy.AutoRollbackConfig(
                    failed_deployment=True, stopped_deployment=True, deployment_in_alarm=True
                ),
            )

    def _role(self) -> iam.Role:
        """What CodeDeploy may do, instead of the managed policy, which is for every function."""
        functions = [self._at.function(role) for role in HTTP_ROLES]
        move = ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"]
        statements = [
            allow(move, *functions, *(f"{arn}:*" for arn in functions)),
            # CloudWatch describes alarms all or none.
            allow(["cloudwatch:DescribeAlarms"], "*"),
        ]
        made = iam.Role(
            self._stack,
            "DeploymentRole",
            assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"),
            description=f"Waybill, {self._config.environment}: moving aliases to new versions",
            inline_policies={"work": policy(*statements)},
        )
        exceptions.of_deployments(made, functions)
        return made

    def _alarm(
        self, name: str, description: str, metric: cloudwatch.Metric, threshold: int
    ) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self._stack,
            "".join(part.capitalize() for part in name.split("-")) + "Alarm",
            alarm_name=self._config.name(name),
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self._topic))
        return alarm

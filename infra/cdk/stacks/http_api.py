"""The HTTP API: routes, authorisation, CORS, throttling, access log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_

from . import exceptions, interface
from .config import Config
from .log_group import add_log_group

# How long a browser remembers what it may send.
CORS_HOURS = 1

# No path, no caller, no address: an order's id and who asks are no business of a log.
ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTime": "$context.requestTime",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "responseLatency": "$context.responseLatency",
    "responseLength": "$context.responseLength",
    "integrationStatus": "$context.integrationStatus",
    "integrationLatency": "$context.integrationLatency",
    "integrationError": "$context.integrationErrorMessage",
    "authorizerError": "$context.authorizer.error",
    "error": "$context.error.message",
}


class HttpApi:
    """The HTTP API in front of `api`, `query` and `carriers`; its stage is called like the
    environment."""

    def __init__(
        self, stack: Stack, config: Config, targets: Mapping[str, lambda_.IFunction]
    ) -> None:
        self._config = config
        self._integrations = {
            role: integrations.HttpLambdaIntegration(role.capitalize(), target)
            for role, target in targets.items()
        }
        authoriser = self._authoriser()
        self.api = gateway.HttpApi(
            stack,
            "HttpApi",
            api_name=config.name("api"),
            create_default_stage=False,
            default_authorizer=authoriser,
            cors_preflight=gateway.CorsPreflightOptions(
                allow_origins=list(config.cors_origins),
                allow_methods=[gateway.CorsHttpMethod[name] for name in interface.CORS_METHODS],
                allow_headers=list(interface.CORS_HEADERS),
                expose_headers=list(interface.CORS_EXPOSED_HEADERS),
                max_age=Duration.hours(CORS_HOURS),
            ),
        )
        if config.authoriser == "none":
            exceptions.of_open_api(self.api)
        self._open_routes: list[gateway.HttpRoute] = []
        self._add_routes()
        self.stage = self._stage(stack)

    @property
    def url(self) -> str:
        """Where it is called, stage included, without a slash at the end."""
        return f"{self.api.api_endpoint}/{self._config.environment}"

    @property
    def questions(self) -> str:
        """Every `GET` of this stage, for a policy."""
        return self._arn("GET/*")

    @property
    def commands(self) -> list[str]:
        """The commands to an order or shipment that is there, for a policy. Erasing a person is
        none of them."""
        found = (
            route
            for route in interface.routes()
            if route.role == "api" and route.method == "POST"
        )
        return [
            self._arn(f"{route.method}{re.sub('{[^}]+}', '*', route.path)}")
            for route in found
            if "{" in route.path
        ]

    def _arn(self, call: str) -> str:
        return Stack.of(self.api).format_arn(
            service="execute-api",
            resource=self.api.api_id,
            resource_name=f"{self._config.environment}/{call}",
        )

    def _authoriser(self) -> gateway.IHttpRouteAuthorizer:
        config = self._config
        if config.authoriser == "iam":
            return authorizers.HttpIamAuthorizer()
        if config.authoriser == "jwt":
            return authorizers.HttpJwtAuthorizer(
                "Jwt", config.jwt_issuer, jwt_audience=list(config.jwt_audiences)
            )
        return gateway.HttpNoneAuthorizer()

    def _scopes(self, method: str) -> list[str] | None:
        config = self._config
        if config.authoriser != "jwt":
            return None
        scopes = {"POST": config.jwt_command_scopes, "DELETE": config.jwt_erase_scopes}
        return list(scopes.get(method, config.jwt_read_scopes)) or None

    def _add_routes(self) -> None:
        for route in interface.routes():
            if route.is_open:
                self._add_open_route(route)
                continue
            self.api.add_routes(
                path=route.path,
                methods=[gateway.HttpMethod[route.method]],
                integration=self._integrations[route.role],
                authorization_scopes=self._scopes(route.method),
            )
        query = self._integrations["query"]
        # What a browser asks first carries no credentials; the route $default would take it and
        # want some. (API Gateway developer guide, "CORS for an HTTP API with a $default route".)
        preflight = self.api.add_routes(
            path="/{proxy+}",
            methods=[gateway.HttpMethod.OPTIONS],
            integration=query,
            authorizer=gateway.HttpNoneAuthorizer(),
        )
        exceptions.of_preflight(preflight[0])
        # Whatever no other route takes, so that its answer, too, is one that a function wrote.
        gateway.HttpRoute(
            self.api,
            "EveryOther",
            http_api=self.api,
            route_key=gateway.HttpRouteKey.DEFAULT,
            integration=query,
            authorization_scopes=self._scopes("GET"),
        )

    def _add_open_route(self, route: interface.Route) -> None:
        """A route that the gateway lets everybody in to: its function asks for a signature."""
        made = self.api.add_routes(
            path=route.path,
            methods=[gateway.HttpMethod[route.method]],
            integration=self._integrations[route.role],
            authorizer=gateway.HttpNoneAuthorizer(),
        )
        exceptions.of_open_route(made[0])
        self._open_routes += made

    def _throttles(self) -> dict[str, dict[str, int]]:
        """What a route takes that has a limit of its own, in the template's own words."""
        config = self._config
        limit = {
            "ThrottlingRateLimit": config.carriers_rate,
            "ThrottlingBurstLimit": config.carriers_burst,
        }
        routes = (route for route in interface.routes() if route.is_open)
        return {f"{route.method} {route.path}": limit for route in routes}

    def _stage(self, stack: Stack) -> gateway.HttpStage:
        config = self._config
        # The gateway writes to groups of this prefix without a resource policy, which has a limit.
        name = f"/aws/vendedlogs/{config.name('api-access')}"
        access = add_log_group(stack, "AccessLogs", name, config.log_days)
        stage = gateway.HttpStage(
            stack,
            "Stage",
            http_api=self.api,
            stage_name=config.environment,
            auto_deploy=True,
            throttle=gateway.ThrottleSettings(
                rate_limit=config.throttle_rate, burst_limit=config.throttle_burst
            ),
        )
        resource = stage.node.default_child
        assert isinstance(resource, gateway.CfnStage)
        resource.access_log_settings = gateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=access.log_group_arn, format=json.dumps(ACCESS_LOG)
        )
        resource.route_settings = self._throttles()
        # A route's own settings name it, so it has to be there.
        stage.node.add_dependency(*self._open_routes)
        return stage

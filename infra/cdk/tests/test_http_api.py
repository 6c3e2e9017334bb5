"""The HTTP API: the routes of openapi.yaml, and what the local system says to browsers."""

import json
import re

import pytest
import yaml

from conftest import REPOSITORY

OPENAPI = yaml.safe_load((REPOSITORY / "infra/api/openapi.yaml").read_text())
GATEWAY = (REPOSITORY / "infra/local/src/routes.rs").read_text()

PREFLIGHT = "OPTIONS /{proxy+}"

# The function checks the sender's own signature.
WEBHOOKS = "POST /carriers/{provider}"
OPEN = (PREFLIGHT, WEBHOOKS)


def routes(stacks):
    return stacks.service.by("ApiGatewayV2::Route", "RouteKey")


def role_of(stacks, route):
    """The function behind a route, also where an alias stands between."""
    integration = stacks.service.of("ApiGatewayV2::Integration")[
        re.findall(r"<(\w+)>", route["Target"])[0]
    ]
    target = integration["IntegrationUri"].strip("<>").removesuffix(".Arn")
    aliases = stacks.service.of("Lambda::Alias")
    if target in aliases:
        target = aliases[target]["FunctionName"].strip("<>")
    return stacks.service.of("Lambda::Function")[target]["Handler"]


def documented():
    return {
        f"{method.upper()} {path}"
        for path, item in OPENAPI["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }


def test_the_routes_are_those_of_the_document(stacks):
    assert routes(stacks).keys() - {"$default", PREFLIGHT} == documented()


def test_they_are_those_of_the_local_system_too(stacks):
    def shape(key):
        return re.sub(r"\{\w+\}", "{}", key)

    local = {
        (shape(f"{method} {path}"), role.lower())
        for method, path, role in re.findall(r'route\("(\w+)", "(\S+)", Role::(\w+)\)', GATEWAY)
    }
    assert len(local) == 12
    made = {
        (shape(key), role_of(stacks, route))
        for key, route in routes(stacks).items()
        if key not in ("$default", PREFLIGHT)
    }
    assert made == local
    assert role_of(stacks, routes(stacks)["$default"]) == "query"


def test_functions_get_what_they_read(stacks):
    for integration in stacks.service.of("ApiGatewayV2::Integration").values():
        assert integration["PayloadFormatVersion"] == "2.0"
        assert integration["IntegrationType"] == "AWS_PROXY"


def test_every_call_is_authorised_but_a_preflight_and_a_webhook(stacks):
    for key, route in routes(stacks).items():
        kind = "NONE" if key in OPEN else "AWS_IAM"
        assert route["AuthorizationType"] == kind, key


def test_tokens_need_the_scopes_that_are_set(synthesise):
    stacks = synthesise(
        "staging",
        authoriser="jwt",
        jwt_issuer="https://issuer.example.org",
        jwt_audiences=("waybill",),
        jwt_read_scopes=("waybill/read",),
        jwt_command_scopes=("waybill/command",),
        jwt_erase_scopes=("waybill/erase",),
    )
    authoriser = stacks.service.only("ApiGatewayV2::Authorizer")
    assert authoriser["JwtConfiguration"] == {
        "Audience": ["waybill"],
        "Issuer": "https://issuer.example.org",
    }
    for key, route in routes(stacks).items():
        if key in OPEN:
            assert route["AuthorizationType"] == "NONE"
            continue
        assert route["AuthorizationType"] == "JWT" and route["AuthorizerId"]
        scopes = {"POST": "command", "DELETE": "erase"}.get(key.split()[0], "read")
        assert route["AuthorizationScopes"] == [f"waybill/{scopes}"]


def test_nobody_is_asked_only_where_it_is_set(synthesise):
    stacks = synthesise("dev", authoriser="none")
    assert {route["AuthorizationType"] for route in routes(stacks).values()} == {"NONE"}


def test_a_browser_may_send_what_it_may_send_locally(stacks):
    cors = stacks.service.only("ApiGatewayV2::Api")["CorsConfiguration"]
    body = GATEWAY[GATEWAY.index("fn cors(") :]
    [headers] = re.findall(r"let headers = \[(.*?)\];", body, re.S)
    standard = re.findall(r"^\s*([A-Z_]+),", headers, re.M)
    own = re.findall(r'from_static\("([\w-]+)"\)', headers)
    local = {name.lower().replace("_", "-") for name in standard} | set(own)
    assert len(local) == len(standard) + len(own) >= 6
    assert set(cors["AllowHeaders"]) == local and "idempotency-key" in local
    [methods] = re.findall(r"let methods = \[(.*?)\];", body)
    assert set(cors["AllowMethods"]) == set(re.findall(r"Method::(\w+)", methods))
    [exposed] = re.findall(r"let exposed = \[(.*?)\];", body)
    assert set(cors["ExposeHeaders"]) == {exposed.lower()}
    assert cors["AllowOrigins"] == ["*"] and not cors.get("AllowCredentials")


@pytest.mark.parametrize(
    ("environment", "rate", "burst"), [("dev", 500, 1000), ("prod", 2000, 4000)]
)
def test_the_stage_is_called_like_the_environment_and_throttles(
    synthesise, environment, rate, burst
):
    stage = synthesise(environment).service.only("ApiGatewayV2::Stage")
    assert stage["StageName"] == environment and stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": rate,
        "ThrottlingBurstLimit": burst,
    }


@pytest.mark.parametrize(("environment", "rate"), [("dev", 50), ("prod", 200)])
def test_webhooks_have_a_limit_of_their_own(synthesise, environment, rate):
    stage = synthesise(environment).service.only("ApiGatewayV2::Stage")
    assert stage["RouteSettings"] == {
        WEBHOOKS: {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": 2 * rate}
    }
    assert rate < stage["DefaultRouteSettings"]["ThrottlingRateLimit"]


def test_the_access_log_is_json_and_says_nothing_of_customers(stacks):
    stage = stacks.service.only("ApiGatewayV2::Stage")
    format = json.loads(stage["AccessLogSettings"]["Format"])
    assert {"requestId", "routeKey", "status"} <= format.keys()
    told = " ".join(format.values())
    for private in ("sourceIp", "$context.path", "identity", "claims", "userArn", "$request"):
        assert private not in told
    group = stage["AccessLogSettings"]["DestinationArn"].strip("<>").removesuffix(".Arn")
    name = stacks.service.of("Logs::LogGroup")[group]["LogGroupName"]
    assert name.startswith("/aws/vendedlogs/")

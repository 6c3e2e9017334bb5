"""EventBridge and the HTTP API to a function, as AWS does it.

ministack asks nobody whether they may invoke it: here the function's own policy must allow the rule
or the route, of the alias where one is named. A function that is invoked by an alias is told so,
which ministack leaves out. For a rule, ministack runs the function once and forgets a failure: here
the invocation is asynchronous, with the function's retries, and what fails in the end goes to its
dead-letter queue as it came.
"""

import contextvars
import json
import logging
from fnmatch import fnmatchcase

from ministack.core.arn import execute_api_arn, parse_arn
from ministack.core.responses import get_account_id, get_region
from ministack.services import apigateway, eventbridge, lambda_svc, s3, sqs

log = logging.getLogger("emulator.deliveries")

RULE = contextvars.ContextVar("rule", default=None)
VERSION = contextvars.ContextVar("version", default=None)

ORIGINAL_ROUTE = apigateway._invoke_lambda_proxy
ORIGINAL_TARGET = eventbridge._invoke_target
ORIGINAL_FAILURE = lambda_svc._route_async_failure
ORIGINAL_S3_EVENT = s3._fire_s3_event
ORIGINAL_DISPATCH = eventbridge._dispatch_event
ORIGINAL_QUALIFIED = lambda_svc._effective_func_record_for_qualifier


def qualified(function, qualifier):
    """A function as it is invoked by a qualifier, which is then the end of its ARN."""
    record, config = ORIGINAL_QUALIFIED(function, qualifier)
    if config and qualifier and qualifier != "$LATEST":
        arn = function["config"]["FunctionArn"]
        config = {**config, "FunctionArn": f"{arn}:{qualifier}"}
    return record, config


def invoke_target(target, event, rule, view=None):
    """Remembers which rule delivers, and to which dead-letter queue of its own."""
    token = RULE.set((rule, target))
    try:
        return ORIGINAL_TARGET(target, event, rule, view)
    finally:
        RULE.reset(token)


def dispatch_to_lambda(arn: str, payload: str) -> None:
    """Invokes a function for a rule, where the function's policy lets the rule."""
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not config:
        return undelivered(arn, payload, "no such function")
    rule, _ = RULE.get() or ({}, {})
    if not allowed(arn, "events", rule.get("Arn", "")):
        return undelivered(arn, payload, "the function's policy does not let the rule invoke it")
    record = lambda_svc._execution_record_for_config(function, config)
    lambda_svc.invoke_async_with_retry(record, json.loads(payload))


def allowed(function_arn: str, service: str, source_arn: str) -> bool:
    """Does the function's policy let this service invoke it for that source?"""
    policy = lambda_svc.function_policy_for_arn(function_arn)
    for statement in (policy or ({"Statement": []}, ""))[0]["Statement"]:
        principal = statement.get("Principal")
        named = principal.get("Service") if isinstance(principal, dict) else principal
        conditions = (statement.get("Condition") or {}).values()
        pairs = [pair for each in conditions for pair in each.items()]
        sources = [pattern for key, pattern in pairs if key.lower() == "aws:sourcearn"]
        of_it = statement.get("Resource") == function_arn
        from_it = all(fnmatchcase(source_arn, pattern) for pattern in sources)
        if named == f"{service}.amazonaws.com" and of_it and from_it:
            return True
    return False


def undelivered(arn: str, payload: str, why: str) -> None:
    """What a rule cannot deliver goes to the dead-letter queue of its target."""
    log.error("%s: %s", arn, why)
    _, target = RULE.get() or ({}, {})
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue:
        eventbridge._dispatch_to_sqs(parse_arn(queue), payload)


async def invoke_for_route(integration, api_id, stage, path, method, *rest, **named):
    """Invokes a function for a route, where the function's policy lets it."""
    route = named.get("route_key") or (rest[3] if len(rest) > 3 else "$default")
    # A source is named by its route, parameters and all, not by the path of a request.
    place = route.split(" ", 1)[-1]
    source = execute_api_arn(get_region(), get_account_id(), api_id, stage, method, place)
    if place == "$default":
        source = f"{source.rsplit('/', 2)[0]}/$default"
    arn = apigateway._extract_lambda_ref_from_integration_uri(integration["integrationUri"])
    if not allowed(arn, "apigateway", source):
        log.error("%s: its policy does not let %s invoke it", arn, source)
        return 500, {"Content-Type": "application/json"}, b'{"message":"Internal Server Error"}'
    return await ORIGINAL_ROUTE(integration, api_id, stage, path, method, *rest, **named)


def route_failure(target_arn: str, function_name: str, event, result: dict) -> None:
    """A dead-letter queue gets the event as it came; other destinations are ministack's."""
    function = lambda_svc._functions.get(function_name) or {}
    config = function.get("config") or {}
    queue = (config.get("DeadLetterConfig") or {}).get("TargetArn")
    if target_arn != queue or sqs._queue_by_arn(queue) is None:
        return ORIGINAL_FAILURE(target_arn, function_name, event, result)
    body = result.get("body")
    message = body.get("errorMessage", "") if isinstance(body, dict) else ""
    reason = {"DataType": "String", "StringValue": message or "unknown"}
    sent = {"MessageBody": json.dumps(event), "MessageAttributes": {"ErrorMessage": reason}}
    sqs._act_send_message(sent, sqs._queue_by_arn(queue)["url"])


def fire_s3_event(*arguments, version_id=None, **named):
    """Remembers the version that an event of S3 is about."""
    token = VERSION.set(version_id)
    try:
        return ORIGINAL_S3_EVENT(*arguments, version_id=version_id, **named)
    finally:
        VERSION.reset(token)


def dispatch_event(event, view=None):
    """An event of S3 names the object's version, which ministack leaves out."""
    version = VERSION.get()
    if event.get("Source") == "aws.s3" and version:
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version
        event = {**event, "Detail": json.dumps(detail)}
        view = None
    return ORIGINAL_DISPATCH(event, view)


def install() -> None:
    """Puts this in the place of ministack's deliveries."""
    apigateway._invoke_lambda_proxy = invoke_for_route
    eventbridge._invoke_target = invoke_target
    eventbridge._dispatch_to_lambda = dispatch_to_lambda
    eventbridge._dispatch_event = dispatch_event
    lambda_svc._effective_func_record_for_qualifier = qualified
    lambda_svc._route_async_failure = route_failure
    s3._fire_s3_event = fire_s3_event

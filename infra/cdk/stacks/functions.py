"""The functions: two executables, ten roles, each with a role and a log group of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from . import exceptions, permissions
from .config import Config
from .log_group import add_log_group
from .places import Places
from .state import State


@dataclass(frozen=True)
class Retries:
    """What becomes of an event that the function failed on, where nobody waits for the answer."""

    age_minutes: int
    # Whether an event that has failed three times goes to the dead letters.
    kept: bool


@dataclass(frozen=True)
class Role:
    """A role and what is decided about it; its memory is a setting."""

    name: str
    executable: str
    timeout_seconds: int
    retries: Retries | None = None
    # A function that ends by itself shortly before its time is up has used it, not overrun it.
    uses_all_its_time: bool = False
    # Lambda stops a function that seems to call itself in a circle; this one does, on purpose.
    calls_itself: bool = False


# Lambda tries an event again twice; more it does not know.
RETRIES = 2

# The longest that Lambda lets a function run.
LONGEST_SECONDS = 900

ROLES = (
    # A command ends within 8 s at the worst (commands/src/limits.rs). The alarm is for an average
    # of 10 s, which a time-out of 10 s would never let happen; a client waits 30 s at most.
    # While it still takes bare orders, those are kept as the function `invoke` keeps them.
    Role("api", "commands", 20, Retries(age_minutes=360, kept=True)),
    # As a command. An order that nothing could be stored of is tried again, for the six hours that
    # are all that Lambda offers, and then kept.
    Role("invoke", "commands", 20, Retries(age_minutes=360, kept=True)),
    # As a command, and after a refusal 4 s each for the queue and the topic.
    Role("bus", "commands", 20, Retries(age_minutes=120, kept=True)),
    # A file takes its time, and 25 s before the end a checkpoint is left, whose event goes on with
    # it. Many files at once wait for their turn: six hours are all that Lambda offers.
    Role(
        "import",
        "commands",
        LONGEST_SECONDS,
        Retries(age_minutes=360, kept=True),
        uses_all_its_time=True,
        calls_itself=True,
    ),
    # A webhook brings up to 2,000 scans: twenty commits one behind another, of some 30 ms each. The
    # worst, as a command: the table fails twice within 8 s. Providers wait some 7 s.
    Role("carriers", "commands", 20),
    # A hundred records, sixteen aggregates at a time, each a load and a put of 4 s at the worst.
    Role("project", "projectors", 60),
    # Four attempts of 4 s at the bus and as many at the topic, and the waits between them.
    Role("notify", "projectors", 60),
    # Five seconds of waiting for a version, and then a read or two of 4 s at the worst.
    Role("query", "projectors", 20),
    # A segment takes its time. The sweep's event says nothing that the next one does not: it is not
    # kept, and an hour later it is the next one's turn.
    Role(
        "rebuild",
        "projectors",
        LONGEST_SECONDS,
        Retries(age_minutes=60, kept=False),
        uses_all_its_time=True,
    ),
    # A page of each status and shard, sixteen at once, of 4 s at the worst; and where there are many
    # silent shipments, as far as the time goes. The next run begins anew.
    Role("watch", "projectors", 60, Retries(age_minutes=15, kept=False)),
)


class Functions(Mapping[str, lambda_.Function]):
    """The functions by role."""

    def __init__(self, stack: Stack, state: State, at: Places, binaries: Path) -> None:
        self._stack = stack
        self._state = state
        self._at = at
        self._dead_letters = sqs.Queue.from_queue_arn(stack, "Kept", at.dead_letters_queue)
        self._code = {
            name: lambda_.Code.from_asset(str(binaries / name))
            for name in dict.fromkeys(role.executable for role in ROLES)
        }
        self._functions = {role.name: self._function(role) for role in ROLES}

    def __getitem__(self, role: str) -> lambda_.Function:
        return self._functions[role]

    def __iter__(self):
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def _function(self, role: Role) -> lambda_.Function:
        config, stack, id = self._state.config, self._stack, role.name.capitalize()
        name = config.name(role.name)
        log_group = add_log_group(stack, f"{id}Logs", f"/aws/lambda/{name}", config.log_days)
        execution = self._role(role, id)
        retries = role.retries
        return lambda_.Function(
            stack,
            id,
            function_name=name,
            description=f"Waybill, {config.environment}: {role.name}",
            code=self._code[role.executable],
            handler=role.name,
            runtime=lambda_.Runtime.PROVIDED_AL2023,
            architecture=_architecture(config),
            # What the role may do is decided in permissions.py alone.
            role=execution.without_policy_updates(),
            timeout=Duration.seconds(role.timeout_seconds),
            memory_size=config.memory_mb(role.name),
            environment=self._environment(role.name),
            logging_format=lambda_.LoggingFormat.JSON,
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if role.calls_itself else None,
            retry_attempts=RETRIES if retries else None,
            max_event_age=Duration.minutes(retries.age_minutes) if retries else None,
            dead_letter_queue=self._dead_letters if retries and retries.kept else None,
        )

    def _role(self, role: Role, id: str) -> iam.Role:
        made = iam.Role(
            self._stack,
            f"{id}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Waybill, {self._state.config.environment}: what {role.name} may do",
            inline_policies=permissions.of(role.name, self._at),
        )
        exceptions.of_function(made, role.name, self._at)
        return made

    def _environment(self, role: str) -> dict[str, str]:
        """What infra/lambda/src/settings.rs reads."""
        config, state = self._state.config, self._state
        variables = {
            "WAYBILL_ENV": config.environment,
            "WAYBILL_ALERTS_ARN": self._at.topic,
            "WAYBILL_DEAD_LETTERS_URL": state.dead_letters.queue_url,
            "WAYBILL_BUCKET": self._at.orders_bucket_name,
            "WAYBILL_SHARDS": str(config.shards),
            "WAYBILL_READ_MODELS": ",".join(config.read_models),
        }
        if role == "carriers":
            variables["WAYBILL_CARRIER_REFERENCES"] = ",".join(config.carrier_references)
        if role == "watch":
            variables["WAYBILL_STALLED_AFTER_HOURS"] = ",".join(config.stalled_after_hours)
        if role == "rebuild":
            variables |= {
                "WAYBILL_REBUILD_READ_UNITS": str(config.rebuild_read_units),
                "WAYBILL_REBUILD_WRITE_UNITS": str(config.rebuild_write_units),
                "WAYBILL_SWEEP_SEGMENTS": str(config.sweep_segments),
                "WAYBILL_SWEEP_MINUTES": str(config.sweep_minutes),
            }
        return variables


def _architecture(config: Config) -> lambda_.Architecture:
    arm = config.architecture == "arm64"
    return lambda_.Architecture.ARM_64 if arm else lambda_.Architecture.X86_64

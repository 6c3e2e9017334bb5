"""The settings of one environment, read from `environments.toml` and checked.

`python -m stacks.config dev architecture` says one of them.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent.parent / "environments.toml"

# What infra/lambda/src/names.rs takes, and lower-case names of buckets beside it.
ENVIRONMENT = re.compile(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?")

# What infra/lambda/src/read_models.rs takes.
READ_MODEL = r"(processed-orders|shipment-log)(-v([2-9]|[1-9]\d+))?"
READ_MODELS_MAX = 6

# Who brings carriers' webhooks, as commands/src/carriers/mod.rs calls them.
CARRIERS = ("easypost", "aftership", "shipengine", "shippo", "17track", "sendcloud")

# What infra/lambda/src/stalled_after.rs takes, in parts of an hour no smaller than half a minute.
EXPECTING_UPDATES = (
    "CREATED",
    "PICKED_UP",
    "IN_TRANSIT",
    "OUT_FOR_DELIVERY",
    "DELAYED",
    "DELIVERY_ATTEMPTED",
    "READY_FOR_PICKUP",
    "RETURNING",
)
STALLED_AFTER = rf"({'|'.join(EXPECTING_UPDATES)})=(\d{{1,4}}(\.\d{{1,2}})?)"

# What CloudWatch Logs can keep (its API reference, PutRetentionPolicy), up to ten years.
LOG_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)

# A stream keeps a record for 24 hours: what is given up before then has gone to the dead letters.
STREAM_AGE_MINUTES_MAX = 23 * 60


class InvalidSetting(Exception):
    """A setting that is unknown, missing or wrong, in a sentence that names it."""


@dataclass(frozen=True)
class Config:
    """The settings of one environment; what each means stands in `environments.toml`."""

    environment: str
    kind: str
    region: str
    account: str
    alert_email: str
    authoriser: str
    jwt_issuer: str
    jwt_audiences: tuple[str, ...]
    jwt_read_scopes: tuple[str, ...]
    jwt_command_scopes: tuple[str, ...]
    jwt_erase_scopes: tuple[str, ...]
    cors_origins: tuple[str, ...]
    throttle_rate: int
    throttle_burst: int
    carriers_rate: int
    carriers_burst: int
    carrier_references: tuple[str, ...]
    stalled_after_hours: tuple[str, ...]
    architecture: str
    api_memory_mb: int
    invoke_memory_mb: int
    bus_memory_mb: int
    query_memory_mb: int
    project_memory_mb: int
    notify_memory_mb: int
    import_memory_mb: int
    carriers_memory_mb: int
    rebuild_memory_mb: int
    watch_memory_mb: int
    shards: int
    keep_indexes: tuple[str, ...]
    read_models: tuple[str, ...]
    default_bus: bool
    stream_retries: int
    stream_age_minutes: int
    stream_parallelism: int
    rebuild_read_units: int
    rebuild_write_units: int
    sweep_segments: int
    sweep_minutes: int
    keep_data: bool
    restore_days: int
    archive_days: int
    log_days: int
    file_version_days: int
    canary: bool
    budget_usd: int
    budget_by_tag: bool

    def name(self, suffix: str) -> str:
        """`waybill-<env>-<suffix>`, as infra/lambda/src/names.rs writes it."""
        return f"waybill-{self.environment}-{suffix}"

    @property
    def bus(self) -> str:
        """The event bus."""
        return f"waybill-{self.environment}"

    def memory_mb(self, role: str) -> int:
        """The memory of the function of this role."""
        return getattr(self, f"{role}_memory_mb")


Check = tuple[Callable[[Any], bool], str]


def _within(least: int, most: int) -> Check:
    return lambda value: least <= value <= most, f"a whole number from {least} to {most}"


def _one_of(*values: Any) -> Check:
    return lambda value: value in values, "one of " + ", ".join(map(str, values))


def _matching(pattern: str, says: str) -> Check:
    return lambda value: re.fullmatch(pattern, value) is not None, says


def _all_matching(pattern: str, says: str) -> Check:
    return lambda values: all(re.fullmatch(pattern, value) for value in values), says


MEMORY = _within(128, 10240)
SCOPES = _all_matching(r"[!-~]{1,64}", "a list of scopes")

CHECKS: Mapping[str, Check] = {
    "region": _matching(r"[a-z]{2}(-[a-z]+)+-\d", "a region such as us-east-1"),
    "account": _matching(r"(\d{12})?", "an account's 12 digits, or empty"),
    "alert_email": _matching(r"([^@\s]+@[^@\s]+\.[^@\s]+)?", "a mail address, or empty"),
    "authoriser": _one_of("iam", "jwt", "none"),
    "jwt_issuer": _matching(r"(https://\S+)?", "an address that begins with https://, or empty"),
    "jwt_audiences": _all_matching(r"\S+", "a list of audiences"),
    "jwt_read_scopes": SCOPES,
    "jwt_command_scopes": SCOPES,
    "jwt_erase_scopes": SCOPES,
    "cors_origins": _all_matching(r"\*|https?://[^/\s]+", "a list of origins, or of *"),
    "throttle_rate": _within(1, 10_000),
    "throttle_burst": _within(1, 5_000),
    "carriers_rate": _within(1, 10_000),
    "carriers_burst": _within(1, 5_000),
    "carrier_references": _all_matching(
        "|".join(CARRIERS), "a list of " + ", ".join(CARRIERS)
    ),
    "stalled_after_hours": _all_matching(
        STALLED_AFTER,
        "a list of a status with hours below 10,000 each, such as IN_TRANSIT=72, of "
        + ", ".join(EXPECTING_UPDATES),
    ),
    "architecture": _one_of("arm64", "x86_64"),
    "shards": _within(1, 64),
    "keep_indexes": _all_matching(r"[A-Za-z]+", "a list of indexes"),
    "read_models": _all_matching(
        READ_MODEL, "a list of processed-orders and shipment-log, either also with -v2, -v3 …"
    ),
    "stream_retries": _within(1, 10_000),
    "stream_age_minutes": _within(1, STREAM_AGE_MINUTES_MAX),
    "stream_parallelism": _within(1, 10),
    "rebuild_read_units": _within(1, 1_000_000),
    "rebuild_write_units": _within(1, 1_000_000),
    "sweep_segments": _within(1, 1_000_000),
    "sweep_minutes": _within(15, 24 * 60),
    "restore_days": _within(1, 35),
    "archive_days": _within(1, 3_650),
    "log_days": _one_of(*LOG_DAYS),
    "file_version_days": _within(1, 3_650),
    "budget_usd": _within(0, 10_000_000),
}


def load(environment: str, file: Path = FILE, **overrides: Any) -> Config:
    """The settings of `environment`; `overrides` are those given on the command line."""
    try:
        sections = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(f"{file.name} cannot be read: {error}") from error
    return read(environment, sections, **overrides)


def read(environment: str, sections: Mapping[str, Mapping[str, Any]], **overrides: Any) -> Config:
    """The settings of `environment` out of the sections of a file, checked."""
    if not ENVIRONMENT.fullmatch(environment):
        raise InvalidSetting(
            f"environment {environment!r}: 1 to 20 of a-z, 0-9 and '-', no '-' at either end"
        )
    kind = environment.split("-")[0]
    if kind == "defaults":
        raise InvalidSetting(f"environment {environment!r}: [defaults] is the section of them all")
    if kind not in sections:
        raise InvalidSetting(
            f"environment {environment!r}: environments.toml has no section [{kind}]"
        )
    settings: dict[str, Any] = {}
    for section in dict.fromkeys(("defaults", kind, environment)):
        settings |= sections.get(section, {})
    settings |= overrides
    names = {field.name for field in fields(Config)} - {"environment", "kind"}
    for name in sorted(settings.keys() - names):
        raise InvalidSetting(f"setting {name}: there is no such setting")
    for name in sorted(names - settings.keys()):
        raise InvalidSetting(f"setting {name}: it is missing")
    checked = {name: _checked(name, settings[name]) for name in names}
    config = Config(environment=environment, kind=kind, **checked)
    _check_together(config)
    return config


def _checked(name: str, value: Any) -> Any:
    """The value, if it is of its setting's type and passes its check."""
    kind = next(field.type for field in fields(Config) if field.name == name)
    expected = {"str": str, "int": int, "bool": bool}.get(str(kind), list)
    of_kind = type(value) is expected
    if expected is list and of_kind:
        of_kind = all(type(item) is str for item in value)
    says = {str: "a text", int: "a whole number", bool: "true or false", list: "a list of texts"}
    if not of_kind:
        raise InvalidSetting(f"setting {name} is {value!r}: {says[expected]} was expected")
    default = MEMORY if name.endswith("_memory_mb") else (lambda _: True, "")
    check, expectation = CHECKS.get(name, default)
    if not check(value):
        raise InvalidSetting(f"setting {name} is {value!r}: {expectation} was expected")
    return tuple(value) if expected is list else value


def _check_together(config: Config) -> None:
    """What one setting says about another."""
    if config.kind == "prod" and config.authoriser == "none":
        raise InvalidSetting("setting authoriser is 'none': in prod, calls are authorised")
    if config.kind in ("prod", "staging") and not config.alert_email:
        raise InvalidSetting(
            f"setting alert_email is empty: in {config.kind}, somebody must hear of alarms; "
            "set it in environments.toml, or give ALERT_EMAIL=... to make"
        )
    if config.kind in ("prod", "staging") and not config.keep_data:
        raise InvalidSetting(f"setting keep_data is false: in {config.kind}, data are kept")
    if config.authoriser == "jwt" and not (config.jwt_issuer and config.jwt_audiences):
        raise InvalidSetting(
            "setting authoriser is 'jwt': jwt_issuer and jwt_audiences say whose tokens count"
        )
    if config.authoriser == "jwt" and not config.jwt_erase_scopes:
        raise InvalidSetting(
            "setting jwt_erase_scopes is empty: erasing a person's data wants a scope of its own"
        )
    kinds = {re.fullmatch(READ_MODEL, model)[1] for model in config.read_models}
    each_once = len(set(config.read_models)) == len(config.read_models) <= READ_MODELS_MAX
    if len(kinds) < 2 or not each_once:
        raise InvalidSetting(
            "setting read_models: at least one of processed-orders and of shipment-log, "
            f"each once, {READ_MODELS_MAX} at most"
        )
    stalling = [each.partition("=")[0] for each in config.stalled_after_hours]
    if len(set(stalling)) < len(stalling):
        raise InvalidSetting("setting stalled_after_hours: a status stands in it twice")
    if "*" in config.cors_origins and len(config.cors_origins) > 1:
        raise InvalidSetting("setting cors_origins: '*' stands alone")


def main() -> None:
    """Says a setting: the environment, its name, and what overrides the file as `name=value`."""
    environment, setting, *given = sys.argv[1:]
    overrides: dict[str, Any] = dict(pair.split("=", 1) for pair in given)
    try:
        print(getattr(load(environment, **overrides), setting))
    except InvalidSetting as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

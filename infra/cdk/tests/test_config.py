"""The settings: what is wrong is refused in a sentence that names it."""

import re
from dataclasses import FrozenInstanceError

import pytest

from stacks import tables
from stacks.config import FILE, Config, InvalidSetting, load

MAIL = {"alert_email": "ops@example.org"}

WRONG = {
    "region": ["", "nowhere", 1],
    "account": ["12345", 123456789012],
    "alert_email": ["ops", "a b@example.org", None],
    "authoriser": ["", "basic", True],
    "jwt_issuer": ["http://issuer.example.org", "issuer"],
    "jwt_audiences": ["waybill", [1], [""]],
    "jwt_read_scopes": [["two words"]],
    "jwt_command_scopes": [[""]],
    "jwt_erase_scopes": ["customers:erase", [""]],
    "cors_origins": [["shop.example.org"], "*", ["*", "https://shop.example.org"]],
    "throttle_rate": [0, -1, 10_001, "500", 1.5, True],
    "throttle_burst": [0, 5_001],
    "carriers_rate": [0, 10_001, "50"],
    "carriers_burst": [0, 5_001],
    "carrier_references": ["orders", True, ["yes"]],
    "stalled_after_hours": [
        "IN_TRANSIT=72",
        ["IN_TRANSIT"],
        ["DELIVERED=3"],
        ["in_transit=3"],
        ["CREATED=-1"],
        ["CREATED=10000"],
        ["CREATED=1", "CREATED=2"],
    ],
    "architecture": ["arm", "x86-64"],
    "api_memory_mb": [127, 10_241, "512"],
    "rebuild_memory_mb": [0],
    "shards": [0, 65, "8"],
    "keep_indexes": ["StatusIndex", ["Status-Index"]],
    "read_models": [
        ["processed-orders"],
        ["processed-orders", "shipment-log", "shipment-log"],
        ["processed-orders", "shipment-log-v1"],
        ["orders", "shipment-log"],
    ],
    "default_bus": ["yes", 1],
    "stream_retries": [-1, 0, 10_001],
    "stream_age_minutes": [-1, 0, 1_440],
    "stream_parallelism": [0, 11],
    "rebuild_read_units": [0],
    "rebuild_write_units": [0],
    "sweep_segments": [0],
    "sweep_minutes": [0, 14, 1_441],
    "keep_data": ["true"],
    "restore_days": [0, 36],
    "archive_days": [0],
    "log_days": [0, 2, 10_000],
    "file_version_days": [0],
    "canary": [1],
    "budget_usd": [-1, 9.5],
    "budget_by_tag": ["no"],
}


@pytest.mark.parametrize(
    ("setting", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_wrong_setting_is_named(setting, value):
    with pytest.raises(InvalidSetting, match=f"^setting {setting}\\b"):
        load("dev", **{setting: value})


def test_every_setting_has_been_wrong_here():
    memory = {name for name in Config.__dataclass_fields__ if name.endswith("_memory_mb")}
    assert Config.__dataclass_fields__.keys() - memory - WRONG.keys() == {"environment", "kind"}


@pytest.mark.parametrize(
    ("environment", "settings", "sentence"),
    [
        ("prod", {"authoriser": "none", **MAIL}, "setting authoriser is 'none': in prod"),
        ("prod-eu", {"authoriser": "none", **MAIL}, "setting authoriser is 'none': in prod"),
        ("prod", {}, "setting alert_email is empty: in prod"),
        ("staging", {}, "setting alert_email is empty: in staging"),
        ("prod", {"keep_data": False, **MAIL}, "setting keep_data is false: in prod"),
        ("staging", {"keep_data": False, **MAIL}, "setting keep_data is false: in staging"),
        ("dev", {"authoriser": "jwt"}, "setting authoriser is 'jwt': jwt_issuer"),
        (
            "dev",
            {
                "authoriser": "jwt",
                "jwt_issuer": "https://issuer.example.org",
                "jwt_audiences": ["waybill"],
                "jwt_erase_scopes": [],
            },
            "setting jwt_erase_scopes is empty",
        ),
        ("dev", {"speed": 3}, "setting speed: there is no such setting"),
    ],
)
def test_what_does_not_go_together_is_refused(environment, settings, sentence):
    with pytest.raises(InvalidSetting, match=re.escape(sentence)):
        load(environment, **settings)


@pytest.mark.parametrize("environment", ["", "Dev", "dev_alice", "dev-" + "a" * 17, "-dev", "dev-"])
def test_a_name_that_resources_cannot_have_is_refused(environment):
    with pytest.raises(InvalidSetting, match="^environment "):
        load(environment)


@pytest.mark.parametrize("environment", ["production", "alice", "defaults", "defaults-a"])
def test_a_name_of_no_known_kind_is_refused(environment):
    with pytest.raises(InvalidSetting, match=f"environment '{environment}'"):
        load(environment)


def test_an_environment_takes_the_settings_of_its_kind_and_then_its_own(tmp_path):
    file = tmp_path / "environments.toml"
    file.write_text(FILE.read_text() + "\n[dev-alice]\nlog_days = 3\n")
    alice, bob = load("dev-alice", file), load("dev-bob", file)
    assert (alice.kind, alice.log_days, alice.default_bus) == ("dev", 3, True)
    assert (bob.kind, bob.log_days) == ("dev", 14)
    assert bob.name("events") == "waybill-dev-bob-events"


def test_a_missing_setting_and_a_broken_file_are_named(tmp_path):
    file = tmp_path / "environments.toml"
    file.write_text(FILE.read_text().replace("log_days = 90\n", "").replace("log_days = 14\n", ""))
    with pytest.raises(InvalidSetting, match="setting log_days: it is missing"):
        load("dev", file)
    file.write_text("[dev")
    with pytest.raises(InvalidSetting, match="environments.toml cannot be read"):
        load("dev", file)
    with pytest.raises(InvalidSetting, match="missing.toml cannot be read"):
        load("dev", tmp_path / "missing.toml")


def test_settings_do_not_change():
    with pytest.raises(FrozenInstanceError):
        load("dev").shards = 2  # type: ignore[misc]


def test_an_index_that_is_kept_must_be_one():
    with pytest.raises(InvalidSetting, match="setting keep_indexes: there is no index Nothing"):
        tables.read(load("dev", keep_indexes=["Nothing"]))

"""Tables, keys and indexes as `infra/tables.json` describes them, for Rust and for the stacks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .config import READ_MODEL, Config, InvalidSetting

FILE = Path(__file__).resolve().parents[2] / "tables.json"


@dataclass(frozen=True)
class Key:
    """A key attribute and its DynamoDB type."""

    name: str
    type: str


@dataclass(frozen=True)
class Index:
    """A global secondary index; without `include` it shows all attributes."""

    name: str
    partition_key: Key
    sort_key: Key
    include: tuple[str, ...] | None


@dataclass(frozen=True)
class Table:
    """A table with the indexes that it has in one environment."""

    id: str
    suffix: str
    partition_key: Key
    sort_key: Key | None
    stream: str | None
    indexes: tuple[Index, ...]


# The read models by their tables' suffix, before a generation.
READ_MODELS = {"processed-orders": "processedOrders", "shipment-log": "shipmentLog"}


def read(config: Config) -> dict[str, Table]:
    """Every table of the environment, by its key in the file."""
    described = json.loads(FILE.read_text(encoding="utf-8"))
    known = {index["name"] for table in described.values() for index in table.get("indexes", [])}
    for name in config.keep_indexes:
        if name not in known:
            raise InvalidSetting(f"setting keep_indexes: there is no index {name}")
    tables = {id: _table(id, table, config) for id, table in described.items()}
    others = {id: table for id, table in tables.items() if _kind(table.suffix) is None}
    models = [_model(suffix, tables) for suffix in config.read_models]
    return others | {model.id: model for model in models}


def models(id: str, tables: Mapping[str, Table]) -> list[Table]:
    """The table and the later generations beside it, by its key in the file."""
    return [table for table in tables.values() if _id(table.suffix) == id]


def _kind(suffix: str) -> re.Match[str] | None:
    return re.fullmatch(READ_MODEL, suffix)


def _id(suffix: str) -> str | None:
    """The key in the file of what a read model is a generation of."""
    kind = _kind(suffix)
    return READ_MODELS[kind[1]] if kind else None


def _model(suffix: str, tables: Mapping[str, Table]) -> Table:
    """A later generation has the keys and indexes that stand under its own suffix, or where none do
    those of the first, as infra/lambda/src/names.rs says."""
    own = next((table for table in tables.values() if table.suffix == suffix), None)
    if own:
        return own
    first = tables[_id(suffix)]
    generation = suffix.rpartition("-v")[2]
    return replace(first, id=f"{first.id}V{generation}", suffix=suffix)


def _table(id: str, table: dict[str, Any], config: Config) -> Table:
    indexes = [i for i in table.get("indexes", []) if _has(i, config)]
    return Table(
        id=id,
        suffix=table["suffix"],
        partition_key=Key(**table["partitionKey"]),
        sort_key=Key(**table["sortKey"]) if "sortKey" in table else None,
        stream=table.get("stream"),
        indexes=tuple(_index(index) for index in indexes),
    )


def _has(index: dict[str, Any], config: Config) -> bool:
    wanted = {None: True, "oneShard": config.shards == 1, "moreShards": config.shards > 1}
    return wanted[index.get("onlyWith")] or index["name"] in config.keep_indexes


def _index(index: dict[str, Any]) -> Index:
    return Index(
        name=index["name"],
        partition_key=Key(**index["partitionKey"]),
        sort_key=Key(**index["sortKey"]),
        include=tuple(index["include"]) if "include" in index else None,
    )

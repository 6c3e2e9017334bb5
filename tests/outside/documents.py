"""The documents of the interface, each with its files brought together into one."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from system import REPOSITORY

FOLDER = REPOSITORY / "infra/api"
# Which files belong to which document, and where they go within it.
SCHEMAS = "#/components/schemas/"
PLACES = {
    "schemas.yaml": SCHEMAS,
    "rows.yaml": SCHEMAS,
    "messages.yaml": SCHEMAS,
    "parts.yaml": "#/components/",
}
FILES = {
    "openapi.yaml": ("parts.yaml", "schemas.yaml", "rows.yaml"),
    "asyncapi.yaml": ("schemas.yaml", "messages.yaml"),
}


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


def bundled(name: str) -> dict:
    """A document with what stands in other files among its own components."""
    document = moved(read(name), own="#/")
    components = document["components"]
    for file in FILES[name]:
        place = PLACES[file]
        into = components.setdefault("schemas", {}) if place == SCHEMAS else components
        for title, part in moved(read(file), own=place).items():
            assert title not in into, f"{title} is there twice"
            into[title] = part
    return document


def moved(node: Any, own: str) -> Any:
    """The same with every reference pointing to where its target has gone."""
    if isinstance(node, list):
        return [moved(each, own) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {name: moved(value, own) for name, value in node.items()}
    target = copy.get("$ref")
    if isinstance(target, str):
        file, _, within = target.partition("#/")
        place = PLACES[Path(file).name] if file else own
        copy["$ref"] = place + within
    return copy


def closed(node: Any) -> Any:
    """The same, where an object has no members but those that its schema names.

    Readers must not mind further members, so the documents do not forbid them;
    here one that is not documented is a fault.
    """
    if isinstance(node, list):
        return [closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    copy = {name: closed(value) for name, value in node.items()}
    if copy.get("type") == "object" and "properties" in copy:
        copy.setdefault("additionalProperties", False)
    return copy


@cache
def openapi() -> dict:
    return bundled("openapi.yaml")


@cache
def asyncapi() -> dict:
    return bundled("asyncapi.yaml")

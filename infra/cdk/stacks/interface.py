"""The routes of the HTTP API, as `infra/api/openapi.yaml` lists them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

FILE = Path(__file__).resolve().parents[2] / "api" / "openapi.yaml"

# Headers that a browser may send, and those that a page may read: the same as the local system's
# (infra/local/src/routes.rs), which a test compares.
CORS_HEADERS = (
    "authorization",
    "content-type",
    "if-match",
    "idempotency-key",
    "traceparent",
    "x-correlation-id",
)
CORS_EXPOSED_HEADERS = ("etag",)
CORS_METHODS = ("GET", "POST", "DELETE")


@dataclass(frozen=True)
class Route:
    """A route and the function behind it: commands are `POST`, and erasing a person is `DELETE`;
    queries are `GET`, and carriers' webhooks have a function of their own."""

    method: str
    path: str

    @property
    def is_open(self) -> bool:
        """Whether the gateway asks nobody: the function checks the sender's own signature."""
        return self.path.startswith("/carriers/")

    @property
    def role(self) -> str:
        """The role of the function behind it."""
        if self.is_open:
            return "carriers"
        return "query" if self.method == "GET" else "api"


def routes() -> list[Route]:
    """Every route, in the order of the document."""
    paths = yaml.safe_load(FILE.read_text(encoding="utf-8"))["paths"]
    return [
        Route(method, path)
        for path, item in paths.items()
        for method in CORS_METHODS
        if method.lower() in item
    ]

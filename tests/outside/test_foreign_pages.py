"""A web page, or a name that somebody else's server lets point here, does not reach the system."""

import socket

import pytest

from client import new_id
from exact import json_text, read_json
from expect import problem_body
from orders import order
from system import SHOP

FOREIGN_HOSTS = ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", ""]
OWN_HOSTS = ["localhost", "localhost:{port}", "LOCALHOST.:{port}", "127.0.0.1", "[::1]"]
BOTH = pytest.mark.parametrize("port", ["http", "aws"])


@pytest.fixture
def ports(system) -> dict[str, int]:
    return {"http": system.port, "aws": system.aws_port}


def asked(port: int, head: str) -> tuple[int, str]:
    """Status and body of a request that is written down whole."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    head, _, body = answer.decode().partition("\r\n\r\n")
    return int(head.split()[1]), body


@BOTH
@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_refused(ports, port, host):
    host = host.format(port=ports[port])
    status, body = asked(
        ports[port], f"GET /health HTTP/1.1\nHost: {host}\nConnection: close"
    )
    assert status == 403
    assert problem_body(read_json(body), 403)["code"] == "foreign_host"


@BOTH
@pytest.mark.parametrize("host", OWN_HOSTS)
def test_this_machines_names_are_its_own(ports, port, host):
    host = host.format(port=ports[port])
    head = f"GET /health HTTP/1.1\nHost: {host}\nConnection: close"
    assert asked(ports[port], head)[0] == 200


@BOTH
def test_a_foreign_name_in_the_request_line_or_beside_another_is_refused(ports, port):
    for head in (
        "GET http://evil.example/health HTTP/1.1\nHost: localhost",
        "GET /health HTTP/1.1\nHost: localhost\nHost: evil.example",
    ):
        assert asked(ports[port], f"{head}\nConnection: close")[0] in (400, 403)


@BOTH
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_a_page_of_another_origin_is_refused(client, ports, port, origin):
    payload = json_text(order(orderId=new_id("ORD")))
    path = {"http": "/orders", "aws": "/2015-03-31/functions/waybill-dev-invoke/invocations"}
    url = f"http://127.0.0.1:{ports[port]}{path[port]}"
    sent = {"Origin": origin, "Content-Type": "text/plain"}
    answer = client.request("POST", url, payload, sent)
    assert answer.status == 403
    assert problem_body(answer.json, 403)["code"] == "foreign_origin"


def test_a_page_that_was_asked_for_may_call_the_http_api_alone(client, ports):
    body = json_text(order(orderId=new_id("ORD")))
    answer = client.post("/orders", body, new_id("key"), {"Origin": SHOP})
    answer.ok()
    assert answer.headers["access-control-allow-origin"] == SHOP
    health = f"http://127.0.0.1:{ports['aws']}/health"
    assert client.request("GET", health, headers={"Origin": SHOP}).status == 403

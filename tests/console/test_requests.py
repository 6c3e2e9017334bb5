"""What each page asks for: of the HTTP API, by AWS's protocols, and of DynamoDB behind both. The time
that a page takes follows from it, so it is bound in counts: no page scans a table that grows, and none
asks for more than it shows."""

from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest

from conftest import SCRIPT, quoted
from running import POOL, AwsBetween, Between, Console

# Of each page the most calls of the HTTP API, the most requests to DynamoDB by operation, whoever sends
# them, and the most other calls by AWS's protocols. What is not named is not asked for.
ORDER = "order%23R-1"
FILES, LETTERS = ("GET /waybill-dev-orders-000000000000", "GET /waybill-dev-dead-letters-000000000000")
# What is parked has no index: a table that is empty where all is well.
PARKED = {"Scan waybill-dev-parked": 1}
COUNTED = {LETTERS: 1, "GetQueueAttributes": 1}
EVENTS, ORDERS, LOG = "waybill-dev-events", "waybill-dev-processed-orders", "waybill-dev-shipment-log"
STOPPED = {"GetItem waybill-dev-parked": 2}
# A customer's name is sealed. Whoever reads events with one asks for the record of its key each time, so
# that an erasure is felt at once.
KEYS = "GetItem waybill-dev-keys"
# An order with its history and shipments.
OF_ORDER = {f"GetItem {ORDERS}": 1, f"Query {EVENTS}": 2, f"Query {LOG}": 1, **STOPPED, KEYS: 1}
# The row after each of its two events, and for the messages of each event what its history says of it,
# and whether they are held back.
OF_HISTORY = {f"Query {EVENTS}": 4, **STOPPED, KEYS: 4}
# The latest names of files, the report of each, and as many pages of what these had rejected
# (REFUSED_FILES and REFUSED_PAGES of the operator's limits).
SEARCHED_FILES = 5 + 50 + 50
PAGES = {
    # Alerts of four statuses, and what is stalled; the reports of the files that it shows.
    "/": (
        0,
        {f"Query {LOG}": 5, **PARKED},
        {"GetMetricData": 1, "DescribeAlarms": 1, FILES: 9, **COUNTED},
    ),
    # One of each of four statuses.
    "/orders": (1, {f"Query {ORDERS}": 4}, {}),
    "/orders?status=CANCELLED": (1, {f"Query {ORDERS}": 1}, {}),
    "/orders?customerId=many": (1, {f"Query {ORDERS}": 1}, {}),
    "/orders?day=2026-03-01": (1, {f"Query {ORDERS}": 1}, {}),
    "/orders/R-1": (3, OF_ORDER, {}),
    # The row of that time is folded from the events, and they are shown.
    "/orders/R-1?at=2030-01-01": (3, OF_ORDER | {KEYS: 2}, {}),
    "/orders/R-1/history": (3, OF_HISTORY, {}),
    "/orders/R-1/history?after=1": (3, OF_HISTORY, {}),
    "/shipments": (5, {f"Query {LOG}": 5}, {}),
    "/shipments?status=DELAYED": (1, {f"Query {LOG}": 1}, {}),
    "/shipments?stalled=true": (1, {f"Query {LOG}": 1}, {}),
    "/shipments?orderId=R-1": (1, {f"Query {LOG}": 1}, {}),
    # Beside the scans their messages: the history, and whether they are held back.
    "/shipments/SHIP-1": (
        2,
        {
            f"GetItem {LOG}": 1,
            f"Query {LOG}": 1,
            f"Query {EVENTS}": 1,
            "GetItem waybill-dev-parked": 4,
        },
        {},
    ),
    # Both kinds are asked for, and then the page of the one that there is.
    "/find?q=R-1": (5, OF_ORDER | {f"GetItem {ORDERS}": 2, f"GetItem {LOG}": 1}, {}),
    # Of what is none, where it was refused: in files, in the queue, which is counted first, and whether
    # an order or a shipment of this name is parked.
    "/find?q=nobody": (
        2,
        {f"GetItem {ORDERS}": 1, f"GetItem {LOG}": 1, "GetItem waybill-dev-parked": 4},
        {FILES: SEARCHED_FILES, "GetQueueAttributes": 1},
    ),
    # The bucket's names, and the report of each file that is shown; 25 at the most.
    "/files": (0, {}, {FILES: 26}),
    "/files?prefix=orders/nothing": (0, {}, {FILES: 1}),
    "/read-models": (0, {f"DescribeTable {ORDERS}": 1, f"DescribeTable {LOG}": 1}, {}),
    "/read-models/verify": (0, {f"DescribeTable {each}": 1 for each in (EVENTS, ORDERS, LOG)}, {}),
    "/read-models/rebuild?only=shipment-log": (
        0,
        {f"DescribeTable {each}": 1 for each in (EVENTS, LOG)},
        {},
    ),
    "/read-models/run?kind=verify": (0, {f"DescribeTable {each}": 1 for each in (ORDERS, LOG)}, {}),
    f"/read-models/rows?aggregate={ORDER}": (0, {f"Query {EVENTS}": 2, f"Query {ORDERS}": 1, KEYS: 1}, {}),
    f"/messages?aggregate={ORDER}": (0, {f"Query {EVENTS}": 1, **STOPPED, KEYS: 1}, {}),
    f"/messages/announce?aggregate={ORDER}": (0, {f"Query {EVENTS}": 1}, {}),
    "/stuck": (0, PARKED, COUNTED),
    "/stuck/retry": (0, PARKED, COUNTED),
    "/webhooks": (0, {}, {}),
    # One webhook without a signature to each provider, as whoever looks has asked for.
    "/webhooks?ask=true": (6, {}, {}),
    "/try": (0, {}, {}),
}

# Where something is stuck: each dead letter of the stream that is shown is read, and messages of the
# queue are taken and given back.
GIVEN = {"ReceiveMessage": 3, "ChangeMessageVisibility": 3, "GetQueueAttributes": 2}
STUCK = {
    "/stuck": (0, PARKED, {LETTERS: 3, **GIVEN}),
    "/stuck/retry": (0, PARKED, COUNTED),
    "/stuck/parked?consumer=project&aggregate=order%23poison": (
        0,
        {"GetItem waybill-dev-parked": 1, f"Query {EVENTS}": 1},
        {},
    ),
    "/": PAGES["/"],
}


class Watched:
    """A console, of which everything is counted that it asks for, and what that makes others ask."""

    def __init__(self, system, console):
        self.system = system
        self.api, self.aws = Between(system.api), AwsBetween(system.aws)
        self.console: Console = console(self.api.url, "--endpoint-url", self.aws.url)
        # The environment is asked for its settings once in a while, whichever page comes first.
        self.load("/read-models")

    def load(self, address: str) -> str:
        """A page's HTML; from then on what it has asked for is known."""
        self.api.calls.clear()
        self.aws.calls.clear()
        before = self.requests()
        answer = POOL.request("GET", self.console.url + address, redirect=True, retries=3)
        assert answer.status == 200, (address, answer.data)
        self.dynamodb = Counter(self.requests())
        self.dynamodb.subtract(before)
        self.dynamodb = +self.dynamodb
        return answer.data.decode()

    def requests(self) -> dict[str, int]:
        """Requests to the embedded DynamoDB since its start, by operation and table."""
        status = POOL.request("GET", self.system.aws + "/_local/status").json()
        return status["dynamodbRequests"]

    @property
    def others(self) -> Counter:
        """Calls by AWS's protocols of other services, without what the local system alone knows."""
        calls = [it for it in self.aws.calls if not it.target.startswith("DynamoDB_")]
        return Counter(it.operation for it in calls if not it.path.startswith("/_local"))

    def stop(self) -> None:
        self.api.stop()
        self.aws.stop()


@pytest.fixture(scope="module")
def consoles(tmp_path_factory):
    started = []

    def start(api: str, *more: str) -> Console:
        started.append(Console(tmp_path_factory.mktemp("console"), api, *more))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="module")
def watched(system, consoles):
    watching = Watched(system, consoles)
    yield watching
    watching.stop()


@pytest.fixture(scope="module")
def watched_broken(broken, consoles):
    watching = Watched(broken, consoles)
    yield watching
    watching.stop()


# The system works on its own, too, such as by the watcher: what a page asks for, it asks for each time.
LOADS = 3


def beyond(watching: Watched, bounds) -> list:
    """What was asked for and is not within the bounds."""
    most_calls, most_requests, most_others = bounds
    found = [watching.api.calls] if len(watching.api.calls) > most_calls else []
    for counted, most in ((watching.dynamodb, most_requests), (watching.others, most_others)):
        found += [(name, number) for name, number in counted.items() if number > most.get(name, 0)]
    return found


def assert_within(watching: Watched, address: str, bounds) -> None:
    for _ in range(LOADS):
        watching.load(address)
        if not (found := beyond(watching, bounds)):
            return
    raise AssertionError(found)


@pytest.mark.parametrize("address", PAGES)
def test_a_page_asks_for_no_more_than_this(watched, address):
    assert_within(watched, address, PAGES[address])


@pytest.mark.parametrize("address", STUCK)
def test_nor_does_one_where_something_is_stuck(watched_broken, address):
    assert_within(watched_broken, address, STUCK[address])


def test_no_page_scans_a_table_that_grows():
    """Of the bounds, so that none of them allows it."""
    allowed = [name for _, names, _ in [*PAGES.values(), *STUCK.values()] for name in names]
    assert {name for name in allowed if "Scan" in name} == set(PARKED)


# Lists that have more than a page shows, and how a row of theirs begins.
LISTS = ["/orders", "/orders?customerId=many", "/orders?status=PROCESSING"]


@pytest.mark.parametrize("address", LISTS)
def test_a_list_asks_for_no_more_rows_than_it_shows(watched, address):
    html = watched.load(address)
    rows = html.count('<th scope="row"')
    asked = [parse_qs(urlsplit(path).query) for _, path in watched.api.calls]
    assert [int(one["limit"][0]) for one in asked] == [rows], (rows, asked)
    assert rows == 50, "there are more than a page shows"


def test_every_call_of_a_list_has_a_limit(watched):
    """Of shipments a status has 10 on the page of all, and 50 on its own; of an order up to 20."""
    most = {
        "/shipments": 10,
        "/shipments?status=DELAYED": 50,
        "/shipments?stalled=true": 50,
        "/shipments?orderId=R-1": 50,
        "/orders/R-1": 20,
    }
    for address, limit in most.items():
        watched.load(address)
        lists = [path for _, path in watched.api.calls if path.startswith("/shipments?")]
        assert lists, address
        for path in lists:
            assert int(parse_qs(urlsplit(path).query)["limit"][0]) <= limit, path


def test_what_now_lists_is_asked_for_with_one_more_than_it_shows(watched):
    html = watched.load("/")
    queries = [it.members for it in watched.aws.calls if it.operation == "Query"]
    shown = 6
    assert len(queries) == 5 and {it["Limit"] for it in queries} == {shown + 1}, queries
    alerts = html.partition('id="alerts"')[2].partition("</section>")[0]
    assert alerts.count("<li>") <= shown


def test_who_shows_files_reads_the_reports_that_are_shown_and_no_others(watched):
    html = watched.load("/files")
    read = [it.path for it in watched.aws.calls if it.path.endswith("x-id=GetObject")]
    shown = html.count('<a href="/files/orders%2F')
    assert len(read) == shown >= 2, read


def test_a_hostile_name_costs_no_more(watched):
    assert_within(watched, f"/orders/{quoted(SCRIPT)}", PAGES["/orders/R-1"])

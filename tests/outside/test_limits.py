"""Where there is an end: pages and cursors; and a history that has none yet."""

import pytest

from client import new_id
from expect import at_rest, problem
from orders import placed, update

# Updates of a shipment whose repeats no snapshot knows alone.
LONG = 2_100


@pytest.fixture(scope="module")
def shipment_id(system) -> str:
    """A shipment with a log of several pages."""
    client, shipment_id = system.client, new_id("SHIP")
    for n in range(12):
        body = update(shipment_id, timestamp=f"2024-01-15T10:{n:02}:00Z")
        client.update(shipment_id, body, new_id("key")).ok()
    client.log(shipment_id, 12)
    return shipment_id


@pytest.mark.parametrize("limit", [1, 5, 11, 12, 100])
def test_a_page_has_as_many_entries_as_were_asked_for(client, shipment_id, limit):
    page = client.get(f"/shipments/{shipment_id}/log?limit={limit}").ok()
    assert len(page["items"]) == min(limit, 12)
    if limit < 12:
        assert page["cursor"]
    elif page["cursor"]:
        # A full page may not know yet that it is the last; the next one does.
        path = f"/shipments/{shipment_id}/log?cursor={page['cursor']}"
        assert client.get(path).ok() == {"items": [], "cursor": None}


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "101", "9" * 30, "", "%00"])
def test_a_limit_out_of_bounds_is_refused(client, shipment_id, limit):
    problem(client.get(f"/shipments/{shipment_id}/log?limit={limit}"), 400, "limit")


@pytest.mark.parametrize(
    "cursor", ["x", "bm9uc2Vuc2U", "%00", "A" * 5_000, "e30", "%22"]
)
@pytest.mark.parametrize("of", ["log", "history"])
def test_a_cursor_that_was_not_given_is_refused(client, shipment_id, cursor, of):
    path = f"/shipments/{shipment_id}/log"
    if of == "history":
        path = f"/orders/{placed(client)}/history"
    problem(client.get(f"{path}?cursor={cursor}"), 400, "cursor")


def test_a_cursor_of_one_log_does_not_open_another(client, shipment_id):
    other = new_id("SHIP")
    client.update(other, update(other), new_id("key")).ok()
    client.log(other)
    page = client.get(f"/shipments/{shipment_id}/log?limit=2").ok()
    problem(
        client.get(f"/shipments/{other}/log?cursor={page['cursor']}"), 400, "cursor"
    )


def test_a_long_history_takes_more_and_forgets_nothing(client):
    """Beyond what one snapshot remembers, and what earlier builds took; how much is the most is a
    test of the event store's contract, since 20,000 updates take minutes."""
    shipment_id, first_key = new_id("SHIP"), new_id("first")
    first = client.update(shipment_id, update(shipment_id), first_key).ok()
    middle_key, middle = first_key, first
    for n in range(LONG - 1):
        last_key = new_id("key")
        last = client.update(shipment_id, update(shipment_id), last_key).ok()
        if n == LONG // 2:
            middle_key, middle = last_key, last
    assert last["version"] == LONG
    # What was accepted is known for ever.
    assert client.update(shipment_id, update(shipment_id), first_key).ok() == first
    assert client.update(shipment_id, update(shipment_id), middle_key).ok() == middle
    assert client.update(shipment_id, update(shipment_id), last_key).ok() == last
    other = update(shipment_id, status="LOST")
    problem(client.update(shipment_id, other, first_key), 422)
    problem(client.update(shipment_id, other, middle_key), 422)
    assert len(client.commits(f"shipment#{shipment_id}")) == LONG
    row = client.shipment(shipment_id, LONG)
    assert row["updates"] == LONG
    assert len(client.log(shipment_id, LONG)) == LONG
    at_rest(client)

"""A new version is deployed while orders flow, and none of them is lost."""

import threading
import time

from urllib3.exceptions import HTTPError

from client import new_id
from deployed import NAME
from deployment import another_build
from orders import order, snack_order
from patience import until
from rest import at_rest, histories

# A client that keeps its key sends again for so long.
PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.05
# Orders that must have come while the new version was being deployed, of each kind.
FLOW_MIN = 10


class Flow(threading.Thread):
    """Sends one kind of order after the other until it is told to stop."""

    def __init__(self, send):
        super().__init__(daemon=True)
        self.send, self.stopping = send, threading.Event()
        self.accepted: list[str] = []
        self.failure: BaseException | None = None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.accepted.append(self.send())
                time.sleep(PAUSE_SECONDS)
        except BaseException as failure:
            self.failure = failure

    def stop(self) -> list[str]:
        self.stopping.set()
        self.join(timeout=2 * PATIENCE_SECONDS)
        if self.failure:
            raise self.failure
        return self.accepted


def until_answered(send):
    """As a client does that keeps its key: a 5xx or a broken connection is no answer."""

    def answered():
        try:
            answer = send()
        except HTTPError:
            return None
        return answer if answer.status < 500 else None

    return until("an answer", answered, PATIENCE_SECONDS)


def by_http(waybill) -> str:
    body, key = order(orderId=new_id("UPD")), new_id("key")
    return until_answered(lambda: waybill.place(body, key)).ok()["orderId"]


def by_bus(waybill) -> str:
    body = order(orderId=new_id("UPD"))
    waybill.put_event(body, Source="orders.commands", DetailType="Place Order")
    return body["orderId"]


def by_invocation(waybill) -> str:
    command = {**snack_order(), "commandId": new_id("snack")}

    def invoked():
        try:
            return waybill.invoke("invoke", command)
        except AssertionError:
            # The function was replaced under it.
            return None

    return until("an answer", invoked, PATIENCE_SECONDS)["orderId"]


WAYS = (by_http, by_bus, by_invocation)


def test_no_order_is_lost_while_a_new_version_is_deployed(waybill, inbox, deployment, tmp_path):
    code = lambda: {
        role: waybill.functions.get_function(FunctionName=f"{NAME}-{role}")["Configuration"]
        for role in ("api", "bus", "import", "carriers", "project", "notify", "query")
    }
    before = code()
    flows = [Flow(lambda way=way: way(waybill)) for way in WAYS]
    for flow in flows:
        flow.start()
    try:
        until("the flow", lambda: all(flow.accepted for flow in flows))
        sent = [len(flow.accepted) for flow in flows]
        deployment.deploy(another_build(deployment.binaries, tmp_path / "binaries"))
        came = [len(flow.accepted) - count for flow, count in zip(flows, sent, strict=True)]
    finally:
        for flow in flows:
            flow.stopping.set()
    orders = [flow.stop() for flow in flows]
    assert min(came) >= FLOW_MIN, f"too few came in between: {came}"

    after = code()
    for role, config in before.items():
        assert after[role]["CodeSha256"] != config["CodeSha256"], f"{role} is as it was"
    # Every function runs its new version, and all is as if nothing had happened.
    at_rest(waybill, inbox, seconds=90)
    stored = histories(waybill)
    for order_id in (each for kind in orders for each in kind):
        commits = stored[f"order#{order_id}"]
        placed = [e for c in commits for e in c["events"] if e["type"] == "OrderPlaced"]
        assert len(placed) == 1, order_id
        assert waybill.item("processed-orders", orderId=order_id), order_id

"""Clients that keep a system busy and remember what it acknowledged."""

import random
import threading
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from client import Answer
from orders import order, update
from patience import answered
from system import System

STATUSES = ["IN_TRANSIT", "OUT_FOR_DELIVERY", "DELAYED", "DELIVERED"]
SHIPMENTS = 12  # few, so that clients meet on them
STEPS_MAX = 20_000  # of one client; the kills end long before


class Load:
    CLIENTS = 8

    def __init__(self, system: System, seed: int):
        self._client = system.client
        # Made once and here: boto3 does not make clients on two threads at a time.
        assert self._client.events
        self._seed = seed
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._answers = 0
        # By id, what was acknowledged.
        self.placed: dict[str, dict] = {}
        self.closed: dict[str, dict] = {}
        # Updates carry a mark of their own as location.
        self.updated: set[str] = set()
        self.attempted: set[str] = set()

    def acknowledged(self) -> int:
        return self._answers

    def answers_again(self) -> Callable[[], bool]:
        before = self._answers
        return lambda: self._answers > before + self.CLIENTS

    def stop(self) -> None:
        self._stop.set()

    def work(self, number: int) -> None:
        rng = random.Random(f"{self._seed}/{number}")
        open_orders: list[str] = []
        for step in range(STEPS_MAX):
            if self._stop.is_set():
                return
            mark = f"{number}-{step}"
            kind = rng.choice(["place", "place", "close", "update", "bus"])
            if kind == "close" and open_orders:
                self._close(rng, open_orders.pop(), mark)
            elif kind == "update":
                self._update(rng, mark)
            elif kind == "bus":
                self._put(rng, mark)
            else:
                self._place(rng, f"ORD-{mark}", open_orders)

    def _place(self, rng: random.Random, order_id: str, open_orders: list[str]) -> None:
        fulfilment = rng.choice(["merchant", "automatic"])
        body = order(orderId=order_id, fulfilment=fulfilment)
        answer = self._send(rng, lambda: self._client.place(body, f"place-{order_id}"))
        if answer is not None:
            self.placed[order_id] = answer.ok()
            if fulfilment == "merchant":
                open_orders.append(order_id)

    def _close(self, rng: random.Random, order_id: str, mark: str) -> None:
        act = rng.choice([self._client.complete, self._client.cancel])
        answer = self._send(rng, lambda: act(order_id, key=mark))
        if answer is not None:
            # Nobody else closes this order, so a conflict would be with our own
            # write, made and never answered: I4.
            self.closed[order_id] = answer.ok()

    def _update(self, rng: random.Random, mark: str) -> None:
        shipment_id, body = self._detail(rng, mark)
        answer = self._send(rng, lambda: self._client.update(shipment_id, body, mark))
        if answer is not None:
            assert answer.ok()["shipmentId"] == shipment_id
            self.updated.add(mark)

    def _put(self, rng: random.Random, mark: str) -> None:
        """An event has no key of the sender's, so it is sent once, come what may."""
        _, body = self._detail(rng, mark)
        try:
            self._client.put_event(body)
        except (BotoCoreError, ClientError):
            return
        self.updated.add(mark)
        self._count()

    def _detail(self, rng: random.Random, mark: str) -> tuple[str, dict]:
        shipment_id = f"SHIP-{rng.randrange(SHIPMENTS)}"
        self.attempted.add(mark)
        return shipment_id, update(
            shipment_id, status=rng.choice(STATUSES), location=mark
        )

    def _send(self, rng: random.Random, send: Callable[[], Answer]) -> Answer | None:
        """Some clients never come back for an answer that got lost."""
        try:
            answer = send()
        except HTTPError:
            if rng.random() < 0.2:
                return None
            answer = answered(send)
        if answer.status == 503:
            answer = answered(send)
        self._count()
        return answer

    def _count(self) -> None:
        with self._lock:
            self._answers += 1

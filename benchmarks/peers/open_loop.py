"""Raters who send by their own clocks, many in one thread, whatever the server does.

Each has one connection that stays open and a chunk that is due every second. A chunk that is due
while the one before waits for its answer is sent after it, and is late from when it was due: so a
server that stalls is not asked less, and its stall is seen in every chunk that it held up.
"""

from __future__ import annotations

import heapq
import json
import selectors
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["Load", "bodies_of", "run_load"]

RATE_HZ = 60
PATIENCE_SECONDS = 30.0
READ_BYTES = 1 << 14


@dataclass
class Load:
    """What came of it."""

    waits_ms: list[float] = field(default_factory=list)
    """From when each chunk was due to its answer."""
    errors: int = 0
    """Answers other than 200, connections that broke, and chunks never answered."""
    late_starts_ms: list[float] = field(default_factory=list)
    """How late this program itself was with each chunk, which is part of the wait."""
    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    """Take and number of each chunk that was answered with 200."""


def bodies_of(seconds: int) -> list[bytes]:
    """The bodies of a take, one a second of 60 samples, as a browser would send them."""
    return [_body(second) for second in range(seconds)]


def run_load(url: str, raters: list[tuple[str, str]], bodies: list[bytes]) -> Load:
    """Sends all bodies of all raters, a second apart, their clocks spread over the second.

    Args:
        url: Where the server is.
        raters: Token and take of each.
        bodies: One a chunk, the same for everybody.
    """
    load = Load()
    address = urlsplit(url)
    with selectors.DefaultSelector() as selector:
        connections = [_Connection(address, token, take, bodies) for token, take in raters]
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        _drive(selector, connections, len(bodies), load)
        for connection in connections:
            load.errors += len(connection.due) + connection.is_waiting
            connection.socket.close()
    return load


class _Connection:
    """One rater's."""

    def __init__(self, address, token, take, bodies):
        self.socket = socket.create_connection((address.hostname, address.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.take, self._bodies = take, bodies
        self._head = (
            f"Host: {address.netloc}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\n"
        )
        self.due: deque[tuple[int, float]] = deque()
        self.is_waiting = False
        self.is_broken = False
        self._received = b""

    def add(self, seq: int, moment: float) -> None:
        self.due.append((seq, moment))
        if not self.is_waiting:
            self.send()

    def send(self) -> None:
        seq = self.due[0][0]
        body = self._bodies[seq]
        path = f"/api/v1/takes/{self.take}/chunks/{seq}"
        head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        self.is_waiting = True
        try:
            self.socket.sendall(head.encode() + body)
        except OSError:
            self.is_broken = True

    def receive(self, load: Load) -> None:
        """Takes what has come, and notes an answer that is whole."""
        try:
            data = self.socket.recv(READ_BYTES)
        except OSError:
            data = b""
        self.is_broken = not data
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _length_in(head):
            return
        now, (seq, moment) = time.perf_counter(), self.due.popleft()
        self._received, self.is_waiting = b"", False
        load.waits_ms.append(1000 * (now - moment))
        if head.startswith(b"HTTP/1.1 200"):
            load.acknowledged.append((self.take, seq))
        else:
            load.errors += 1
        if self.due:
            self.send()


def _drive(selector, connections, chunks: int, load: Load) -> None:
    begun = time.perf_counter() + 0.5
    moments = [(begun + n / len(connections), n, 0) for n in range(len(connections))]
    heapq.heapify(moments)
    open_count, end = len(connections), begun + chunks + PATIENCE_SECONDS
    while open_count and time.perf_counter() < end:
        while moments and moments[0][0] <= time.perf_counter():
            moment, number, seq = heapq.heappop(moments)
            load.late_starts_ms.append(1000 * (time.perf_counter() - moment))
            connections[number].add(seq, moment)
            if seq + 1 < chunks:
                heapq.heappush(moments, (moment + 1, number, seq + 1))
        pause = moments[0][0] - time.perf_counter() if moments else 0.1
        for key, _ in selector.select(max(0.0, pause)):
            key.data.receive(load)
            if key.data.is_broken:
                selector.unregister(key.fileobj)
                open_count -= 1
        if not moments and not any(c.is_waiting and not c.is_broken for c in connections):
            return


def _length_in(head: bytes) -> int:
    at = head.lower().index(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0])


def _body(second: int) -> bytes:
    times = [second + n / RATE_HZ for n in range(RATE_HZ)]
    samples = {
        "media_time": [round(t, 6) for t in times],
        "frame": [second] * RATE_HZ,
        "clock_ms": [round(1000 * t + 0.1, 1) for t in times],
        "arousal": [round(((7 * n + second) % 2000) / 1000 - 1, 4) for n in range(RATE_HZ)],
        "valence": [round(((11 * n + second) % 2000) / 1000 - 1, 4) for n in range(RATE_HZ)],
        "flags": [0] * RATE_HZ,
    }
    return json.dumps({"samples": samples}).encode()

"""A TCP proxy that stands for the network: it can fall silent, or close every connection."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Literal

__all__ = ["BrokenNetwork"]

READ_BYTES = 1 << 16
START_SECONDS = 10

State = Literal["open", "silent", "closed"]


class BrokenNetwork:
    """Forwards connections to a port of this machine while it is open.

    Silent, bytes vanish and nobody is told, as when a cable is out; what was open then is broken
    for good. Closed, connections are reset, as when a router starts anew.
    """

    def __init__(self, target_port: int):
        self._target_port = target_port
        self._state: State = "open"
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._is_ready = threading.Event()
        self.port = 0
        threading.Thread(target=self._run, daemon=True).start()
        self._is_ready.wait(START_SECONDS)

    @property
    def url(self) -> str:
        """What raters see of the server."""
        return f"http://127.0.0.1:{self.port}"

    def set_state(self, state: State) -> None:
        """Changes how the network is, from now on."""
        self._loop.call_soon_threadsafe(self._change, state)

    def stop(self) -> None:
        """Ends it."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        serving = asyncio.start_server(self._connect, "127.0.0.1", 0)
        server = self._loop.run_until_complete(serving)
        self.port = server.sockets[0].getsockname()[1]
        self._is_ready.set()
        self._loop.run_forever()

    def _change(self, state: State):
        self._state = state
        if state != "silent":
            for writer in list(self._writers):
                writer.transport.abort()

    async def _connect(self, reader, writer):
        if self._state == "closed":
            writer.transport.abort()
            return
        self._writers.add(writer)
        with suppress(OSError, asyncio.CancelledError):
            if self._state == "silent":
                await self._swallow(reader)
            else:
                await self._forward(reader, writer)
        self._writers.discard(writer)
        writer.transport.abort()

    async def _forward(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        try:
            there = asyncio.ensure_future(self._pump(reader, far_writer))
            back = asyncio.ensure_future(self._pump(far_reader, writer))
            _, left = await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for task in left:
                task.cancel()
        finally:
            far_writer.transport.abort()

    async def _pump(self, reader, writer):
        with suppress(OSError):
            while block := await reader.read(READ_BYTES):
                if self._state == "open":
                    writer.write(block)
                    await writer.drain()
            if self._state == "silent":
                await asyncio.Event().wait()  # nobody hears that the other side is gone

    async def _swallow(self, reader):
        while await reader.read(READ_BYTES):
            pass

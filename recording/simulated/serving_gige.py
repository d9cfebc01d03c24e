"""Starts the GigE camera made of software, gives it a take to send, and switches it off."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from mavfer.errors import Busy, DeviceError
from mavfer.files import locked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recording.simulated.serving_frames import ServedFrames

__all__ = ["GigeServer"]

_LOCK: Final = Path(tempfile.gettempdir()) / "mavfer-gige-server.lock"
_BETWEEN_TRIES_SECONDS: Final = 0.1
_WAY_OUT: Final = "Install Aravis (apt-get install gir1.2-aravis-0.8)"


class GigeServer:
    """The camera in a process of its own, which ends with this one; a context.

    Real GVCP and GVSP packets come from it, at `serving_gige_camera.ADDRESS`. The address is one,
    and nothing would keep a second camera from taking its packets, so servers wait for each other.
    """

    command: Sequence[str] = (sys.executable, "-m", "recording.simulated.serving_gige_camera")
    """What starts the camera's process."""

    patience_seconds: float = 20.0
    """How long to wait for the address."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._asking = threading.Lock()
        self._address = ExitStack()
        self._has_address = False

    def __enter__(self) -> Self:
        """Switches the camera on."""
        self.switch_on()
        return self

    def __exit__(self, *_: object) -> None:
        """Switches it off."""
        self.close()

    def switch_on(self) -> None:
        """Starts the camera, unless it is on; waits until it answers.

        Raises:
            Busy: Another server has the address.
            DeviceError: Aravis is not installed, or the camera cannot be switched on.
        """
        if self._process is not None:
            return
        self._take_address()
        self._process = subprocess.Popen(
            list(self.command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        problem = self._answer()["problem"]
        if problem:
            self.close()
            message = f"served GigE camera: cannot be switched on ({problem}). {_WAY_OUT}"
            raise DeviceError(message)

    def play(self, frames: ServedFrames) -> None:
        """Sets the camera up to send a take, from the moment that `begin` says.

        Raises:
            DeviceError: The camera has died.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "take.npz"
            frames.save(path)
            self.tell(play=str(path))

    def begin(self, begin_ns: int) -> None:
        """Lets the take begin at a time of the host's monotonic clock."""
        self.tell(begin_ns=begin_ns)

    def sent(self) -> list[int]:
        """Block ids of the frames that were sent, in order."""
        return list(self.tell(sent=True))

    def tell(self, **order: Any) -> Any:
        """Gives an order, waits until the camera has answered, and gives what it said.

        Raises:
            DeviceError: The camera has died.
        """
        with self._asking:
            if self._process is None or self._process.stdin is None:
                raise DeviceError("served GigE camera: is switched off. Call switch_on()")
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return self._answer()

    def kill(self) -> None:
        """Pulls the cable; `switch_on` plugs it in again."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def close(self) -> None:
        """Switches the camera off, and leaves the address to others."""
        self.kill()
        self._address.close()
        self._has_address = False

    def _take_address(self) -> None:
        until = time.monotonic() + self.patience_seconds
        while not self._has_address:
            try:
                self._address.enter_context(locked(_LOCK, "a GigE camera is served"))
            except Busy:
                if time.monotonic() >= until:
                    raise
                time.sleep(_BETWEEN_TRIES_SECONDS)
            else:
                self._has_address = True

    def _answer(self) -> Any:
        line = "" if self._process is None else self._process.stdout.readline()  # type: ignore[union-attr]  # a pipe
        if not line:
            self.kill()
            raise DeviceError("served GigE camera: has died. Switch it on again")
        return json.loads(line)

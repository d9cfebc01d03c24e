"""Every error that mavfer raises on purpose.

```
MavferError            a known problem: one line that says what, where and what to do
├── DataError          your data (exit code 1)
│   ├── NotFound       a study, session, shard, file or name that is not there
│   ├── AlreadyThere   something exists that would have to be overwritten
│   ├── Busy           another process is working on the same thing
│   ├── InvalidFile    torn, cut off, not what its name says, or against its schema
│   │   ├── WrongVersion       written by a newer or an unknown version of the format
│   │   └── ChecksumMismatch   bytes changed since they were written
│   ├── NotAligned     streams, clocks or cameras cannot be brought together
│   └── InvalidArray   an array of the wrong shape, type or length
├── DeviceError        a camera or its driver (exit code 1)
└── CommandError       your command (exit code 2)
    └── MissingExtra   a package of an optional extra is not installed
```
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

__all__ = [
    "AlreadyThere",
    "Busy",
    "ChecksumMismatch",
    "CommandError",
    "DataError",
    "DeviceError",
    "InvalidArray",
    "InvalidFile",
    "MavferError",
    "MissingExtra",
    "NotAligned",
    "NotFound",
    "WrongVersion",
    "require",
]


class MavferError(Exception):
    """A known problem, told in one line: what is wrong, where, and what to do next."""

    exit_code = 1


class DataError(MavferError):
    """Something is wrong with the data given to mavfer."""


class NotFound(DataError):
    """A study, session, shard, file or name is not there."""


class AlreadyThere(DataError):
    """Something exists that would have to be overwritten."""


class Busy(DataError):
    """Another process is working on the same thing."""


class InvalidFile(DataError):
    """A file is torn, cut off, not what its name says, or against its schema."""


class WrongVersion(InvalidFile):
    """A file was written by a newer or an unknown version of its format."""


class ChecksumMismatch(InvalidFile):
    """The bytes of a file are not those that were written."""


class NotAligned(DataError):
    """Streams, clocks or cameras cannot be brought together."""


class InvalidArray(DataError):
    """An array has the wrong shape, type or length."""


class DeviceError(MavferError):
    """A camera or its driver does not do what it should."""


class CommandError(MavferError):
    """The command asks for something that does not exist or cannot be."""

    exit_code = 2


class MissingExtra(CommandError):
    """A package of an optional extra is not installed."""


def require(module: str, extra: str) -> ModuleType | Any:
    """The imported `module`, or the `pip install` line that provides it.

    Args:
        module: Name to import, for example "dlib".
        extra: The extra of mavfer that installs it, for example "preprocess".

    Raises:
        MissingExtra: The module, or a system library that it needs, is not installed.
    """
    loaded = sys.modules.get(module)  # asked for many times a frame: the import system takes longer
    if loaded is not None:
        return loaded
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        message = f"{module} is not installed. Run: pip install 'mavfer[{extra}]'"
        raise MissingExtra(message) from error
    except ImportError as error:
        message = (
            f"{module} is installed but cannot be loaded ({error}). "
            f"Install the system library that it names, then run again"
        )
        raise MissingExtra(message) from error

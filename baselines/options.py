"""What an option may be: its kind follows from its default, its range and choices from its field.

Each model has a frozen dataclass of its own widths and choices, a subclass of `Options`; what every
model shares stands in `baselines.config`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from math import inf
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from baselines.config import Config

__all__ = ["Options", "checked", "require_in_range", "share", "zero_or_more"]


@dataclass(frozen=True)
class Options:
    """What a model adds to the options that all share; subclasses name their fields.

    A field's annotation is bool, int, float, str, a tuple of integers or a `Literal` of texts.
    Numbers are above 0 unless the default is written as `share(…)` or `zero_or_more(…)`.
    """

    def __post_init__(self) -> None:
        require_in_range(self)

    def require_fit(self, config: Config) -> None:
        """Raises CommandError where these sizes and the shared ones do not go together."""

    @property
    def is_narrow(self) -> bool:
        """Whether the layers of any list of widths are fewer or thinner than by default."""
        return any(
            sum(getattr(self, each.name)) < sum(each.default)
            for each in fields(self)
            if isinstance(each.default, tuple) and each.name.endswith("widths")
        )


def share(default: float) -> Any:
    """A field from 0 to 1."""
    return field(default=default, metadata={"least": 0, "most": 1})


def zero_or_more(default: float) -> Any:
    """A field that may be 0; whole where its default is."""
    return field(default=default, metadata={"least": 0})


def checked(key: str, value: Any, defaults: Mapping[str, Any]) -> Any:
    """A value of the kind that the option has: whole numbers pass as floats, lists as tuples.

    Raises:
        CommandError: There is no such option, or the value is of another kind.
    """
    if key not in defaults:
        message = f"no option {key!r}. There are: {', '.join(defaults)}"
        raise CommandError(message)
    default = defaults[key]
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if isinstance(default, tuple) and isinstance(value, list):
        value = tuple(value)
    if type(value) is not type(default) or not _holds_integers(value):
        kind = "a list of integers" if isinstance(default, tuple) else type(default).__name__
        message = f"option {key} is {value!r}, must be {kind}, for example {json.dumps(default)}"
        raise CommandError(message)
    return value


def require_in_range(options: Any) -> None:
    """Raises CommandError where a number makes no sense, or a word is none of the choices."""
    kinds = get_type_hints(type(options))
    for each in fields(options):
        value, kind = getattr(options, each.name), kinds[each.name]
        if get_origin(kind) is Literal and value not in get_args(kind):
            allowed = ", ".join(get_args(kind))
            message = f"option {each.name} is {value!r}. Choose one of {allowed}"
            raise CommandError(message)
        _require_number_in_range(each.name, value, each.metadata)


def _require_number_in_range(name: str, value: Any, metadata: Mapping[str, Any]) -> None:
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        is_too_small = number < metadata["least"] if "least" in metadata else number <= 0
        is_too_large = number > metadata.get("most", number) or number >= metadata.get("below", inf)
        if is_too_small or is_too_large:
            message = f"option {name} is {value!r}, must be {_limits(metadata)}"
            raise CommandError(message)


def _limits(metadata: Mapping[str, Any]) -> str:
    if "below" in metadata:
        return f"{metadata.get('least', 0)} or more and below {metadata['below']}"
    if "most" in metadata:
        return f"between {metadata.get('least', 0)} and {metadata['most']}"
    return "larger"


def _holds_integers(value: Any) -> bool:
    return not isinstance(value, tuple) or all(type(number) is int for number in value)

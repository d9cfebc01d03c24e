"""Every option of a training run, in one frozen object: defaults, then TOML, then `--set k=v`.

A file's keys hold for all models; a table named after a model holds for that model only.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from mavfer.errors import CommandError, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Config", "config_names", "read_config"]

EmotionInput = Literal["all", "color"]
Norm = Literal["none", "group"]
Schedule = Literal["constant", "one-cycle"]
Device = Literal["auto", "cpu", "cuda"]

_CHOICES: Final[dict[str, Any]] = {
    "emotion_input": EmotionInput,
    "norm": Norm,
    "schedule": Schedule,
    "device": Device,
}
_MAY_BE_ZERO: Final = {
    *("rate_hz", "shift_pixels", "color_gain", "thermal_offset_celsius", "depth_offset_mm"),
    *("weight_decay", "clip_norm", "ccc_weight", "mse_weight", "dropout", "validate_every"),
    *("threads", "attention_frames", "attention_share"),
}
_SHARES: Final = {"dropout", "attention_share", "color_gain", "view_eye_distance", "view_eye_y"}
_TABLES_OF: Final = ("sta", "mran")
_EMOTION_LAYERS_BEFORE: Final = 2


@dataclass(frozen=True)
class Config:
    """Options of a run; the defaults are STA's published sizes where they are known."""

    # What the network sees.
    size: int = 96
    """Rows and columns of the input. Unknown in the papers; ours."""
    view_eye_distance: float = 0.54
    """Distance of the eyes in the input, as a share of its width."""
    view_eye_y: float = 0.24
    """Height of the eyes in the input, as a share from its upper edge."""
    frames: int = 16
    """Frames of a clip."""
    rate_hz: float = 4.0
    """Frames a second of a clip; every n-th frame is taken so as to come near. 0: every frame."""
    hop: int = 8
    """Clip frames from one training clip to the next."""

    # The network.
    encoder_widths: tuple[int, ...] = (32, 64, 128)
    encoder_strides: tuple[int, ...] = (1, 1, 1)
    decoder_widths: tuple[int, ...] = (64, 32)
    emotion_widths: tuple[int, ...] = (32, 64, 128, 256)
    """3-D convolutions; two stand before the product with the attention, the others after it."""
    emotion_strides: tuple[int, ...] = (1, 1)
    """In space, of the two before the product."""
    dense_widths: tuple[int, ...] = (1024, 1024)
    norm: Norm = "none"
    attention_share: float = 1.0
    """1: volume times attention; 0: attention does nothing; between: a mixture of both."""
    emotion_input: EmotionInput = "all"
    """mran: which streams' boosted volumes the 3-D CNN reads; "color" leaves guidance only."""
    dropout: float = 0.5

    # Training.
    epochs: int = 100
    batch_size: int = 16
    learning_rate: float = 1e-4
    schedule: Schedule = "constant"
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    """Longest gradient; 0: never cut."""
    ccc_weight: float = 0.0
    mse_weight: float = 1.0
    validate_every: int = 1
    """Epochs between two looks at the part "val", where there is one; 0: never."""
    keep_best: bool = False
    """Keep the weights that were best on "val", instead of the last."""

    # Augmentation.
    shift_pixels: int = 4
    """Largest shift of a clip, in pixels of the input."""
    mirror: bool = True
    color_gain: float = 0.2
    """Largest change of the color's contrast, as a share."""
    thermal_offset_celsius: float = 0.0
    depth_offset_mm: float = 0.0

    # The machine, and what is kept.
    device: Device = "auto"
    threads: int = 0
    """Threads of torch; 0: its own choice."""
    attention_frames: int = 6
    """Frames of each evaluated session whose attention is kept for pictures."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            _require_in_range(name, value)
        if len(self.encoder_strides) != len(self.encoder_widths):
            message = "encoder_strides needs one number a width. Set both to the same length"
            raise CommandError(message)
        if len(self.emotion_strides) != _EMOTION_LAYERS_BEFORE:
            message = "emotion_strides needs two numbers. Set it like [1, 1]"
            raise CommandError(message)
        if len(self.emotion_widths) < _EMOTION_LAYERS_BEFORE:
            message = "emotion_widths needs two numbers or more. Set it like [32, 64, 128, 256]"
            raise CommandError(message)
        self._require_sizes_that_fit()

    @property
    def code_size(self) -> int:
        """Rows and columns of the encoder's last map."""
        size = self.size
        for stride in self.encoder_strides:
            size = (size + stride - 1) // stride // 2
        return size

    @property
    def volume_size(self) -> int:
        """Rows and columns of the volume that the attention multiplies."""
        size = self.size
        for stride in self.emotion_strides:
            size = (size + stride - 1) // stride
        return size

    def _require_sizes_that_fit(self) -> None:
        attention = self.code_size << (len(self.decoder_widths) + 1)
        if attention != self.volume_size:
            message = (
                f"attention is {attention} pixels wide and its volume {self.volume_size}. "
                f"Change size, encoder_strides, decoder_widths or emotion_strides"
            )
            raise CommandError(message)
        if self.volume_size >> (len(self.emotion_widths) - 1) == 0:
            message = f"size {self.size} is too small for {len(self.emotion_widths)} emotion_widths"
            raise CommandError(message)

    @property
    def is_narrow(self) -> bool:
        """Whether the encoder has fewer channels than the published one."""
        return sum(self.encoder_widths) < sum(Config.encoder_widths)

    def to_document(self) -> dict[str, Any]:
        """Every option in force, as JSON."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document

    def to_toml(self) -> str:
        """Every option in force, one a line; `read_config` reads it back."""
        # Numbers, texts, true, false and lists of them are spelled alike in JSON and TOML.
        return "".join(f"{key} = {json.dumps(v)}\n" for key, v in self.to_document().items())


def config_names() -> list[str]:
    """Names of the configurations that ship with mavfer."""
    files = resources.files("baselines.configs").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def read_config(model: str, source: str | None = None, settings: Sequence[str] = ()) -> Config:
    """The options of a run.

    Args:
        model: Whose table in the file counts, and whose own file where `source` is None.
        source: A TOML file, or the name of one that ships, such as "demo".
        settings: Texts "key=value", stronger than the file; values are spelled as in TOML.

    Raises:
        NotFound: There is no such file.
        CommandError: The file is not TOML, a key is unknown, or a value is of the wrong kind.
    """
    where = source or model
    options = _options_of(where, model)
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign:
            message = f"--set {setting!r}: not of the form KEY=VALUE, for example epochs=3"
            raise CommandError(message)
        options[key.strip()] = _value(text.strip())
    return Config(**{key: _checked(key, value) for key, value in options.items()})


def _options_of(source: str, model: str) -> dict[str, Any]:
    """The keys of a file, the model's table laid over those of all models."""
    try:
        document = tomllib.loads(_text_of(source))
    except tomllib.TOMLDecodeError as error:
        message = f"{source}: not readable as TOML ({error}). Correct the line"
        raise CommandError(message) from error
    tables = {name: document.pop(name, {}) for name in _TABLES_OF}
    options: dict[str, Any] = document | tables.get(model, {})
    return options


def _text_of(source: str) -> str:
    if source in config_names():
        shipped = resources.files("baselines.configs").joinpath(f"{source}.toml")
        return shipped.read_text(encoding="utf-8")
    path = Path(source)
    if not path.is_file():
        message = (
            f"{source}: no such file, and no configuration of this name ships. "
            f"There are: {', '.join(config_names())}"
        )
        raise NotFound(message)
    return path.read_text(encoding="utf-8")


def _value(text: str) -> Any:
    """What a value means in TOML; a bare word is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _checked(key: str, value: Any) -> Any:
    """A value of the kind that the option has."""
    defaults: Mapping[str, Any] = {field.name: field.default for field in fields(Config)}
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


def _holds_integers(value: Any) -> bool:
    return not isinstance(value, tuple) or all(type(number) is int for number in value)


def _require_in_range(name: str, value: Any) -> None:
    """Raises where a number makes no sense, or a word is not one of the choices."""
    if name in _CHOICES:
        if value not in get_args(_CHOICES[name]):
            allowed = ", ".join(get_args(_CHOICES[name]))
            message = f"option {name} is {value!r}. Choose one of {allowed}"
            raise CommandError(message)
        return
    for number in value if isinstance(value, tuple | list) else (value,):
        is_too_small = number < 0 or (number == 0 and name not in _MAY_BE_ZERO)
        if not isinstance(number, bool) and (is_too_small or (name in _SHARES and number > 1)):
            limit = "between 0 and 1" if name in _SHARES else "larger"
            message = f"option {name} is {value!r}, must be {limit}"
            raise CommandError(message)

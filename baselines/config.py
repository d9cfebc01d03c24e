"""Every option of a training run, in one frozen object: defaults, then TOML, then `--set k=v`.

What all models share stands here; a model's own widths and choices are its class's `Options`, an
instance of which is `Config.model`. A file's keys hold for all models, and those in a table named
after a model for that model only.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from baselines.models import MODELS, find_model
from baselines.options import Options, checked, require_in_range, share, zero_or_more
from mavfer.errors import CommandError, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Config", "config_names", "read_config"]

Task = Literal["dimensions", "classes", "both"]
Schedule = Literal["constant", "one-cycle"]
Precision = Literal["float32", "bf16"]
Device = Literal["auto", "cpu", "cuda"]

_MODEL: Final = "model"


@dataclass(frozen=True)
class Config:
    """Options of a run; the defaults are STA's published training where it is known."""

    # What the network sees.
    size: int = 96
    """Rows and columns of the input. Unknown in the papers; ours."""
    view_eye_distance: float = field(default=0.54, metadata={"most": 1})
    """Distance of the eyes in the input, as a share of its width."""
    view_eye_y: float = field(default=0.24, metadata={"most": 1})
    """Height of the eyes in the input, as a share from its upper edge."""
    frames: int = 16
    """Frames of a clip."""
    rate_hz: float = zero_or_more(4.0)
    """Frames a second of a clip; every n-th frame is taken so as to come near. 0: every frame."""
    hop: int = 8
    """Clip frames from one training clip to the next."""

    # What it answers.
    task: Task = "dimensions"
    """Arousal and valence, the study's expression classes, or both."""

    # Training.
    epochs: int = 100
    """Times that every training clip is seen."""
    batch_size: int = 16
    """Clips at a time; the CCC of the loss is taken over them."""
    accumulate: int = 1
    """Batches whose gradients are averaged before a step."""
    learning_rate: float = 1e-4
    schedule: Schedule = "constant"
    """How the rate goes: one-cycle rises to it and falls to almost nothing."""
    weight_decay: float = zero_or_more(0.0)
    """Of AdamW; 0 makes it Adam."""
    clip_norm: float = zero_or_more(1.0)
    """Longest gradient; 0: never cut."""
    ccc_weight: float = zero_or_more(0.0)
    """Weight of 1 - CCC in the loss."""
    mse_weight: float = zero_or_more(1.0)
    """Weight of the mean squared error in the loss."""
    class_weight: float = zero_or_more(1.0)
    """Weight of the cross-entropy of expression classes in the loss."""
    modality_dropout: float = share(0.0)
    """Share of training clips in which one stream that is there is hidden, never the last one."""
    ema_decay: float = field(default=0.0, metadata={"least": 0, "below": 1})
    """Share of the averaged weights that a step keeps; those are judged then. 0: no average."""
    validate_every: int = zero_or_more(1)
    """Epochs between two looks at the part "val", where there is one; 0: never."""
    keep_best: bool = False
    """Keep the weights that were best on "val", instead of the last."""
    patience: int = zero_or_more(0)
    """Looks at "val" without a better score after which training stops; 0: it never does."""

    # Augmentation.
    shift_pixels: int = zero_or_more(4)
    """Largest shift of a clip, in pixels of the input."""
    mirror: bool = True
    color_gain: float = share(0.2)
    """Largest change of the color's contrast, as a share."""
    thermal_offset_celsius: float = zero_or_more(0.0)
    depth_offset_mm: float = zero_or_more(0.0)

    # The machine, and what is kept.
    device: Device = "auto"
    threads: int = zero_or_more(0)
    """Threads of torch; 0: its own choice."""
    precision: Precision = "float32"
    """Of training; bf16 is mixed precision. What is predicted at last is float32 always."""
    recompute_encoder: bool = False
    """Compute what is inside encoders twice rather than remember it: a third of the memory."""
    checkpoint_every: int = zero_or_more(1)
    """Epochs between two checkpoints to resume from; 0: none."""
    attention_frames: int = zero_or_more(6)
    """Frames of each evaluated session whose attention is kept for pictures."""

    model: Any = field(default_factory=Options)
    """The model's own options, an instance of its class's `Options`."""

    def __post_init__(self) -> None:
        require_in_range(self)
        self.model.require_fit(self)

    @property
    def is_narrow(self) -> bool:
        """Whether the model has fewer or thinner layers than by default."""
        return bool(self.model.is_narrow)

    def to_document(self) -> dict[str, Any]:
        """Every option in force, the model's own beside the shared ones, as JSON."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        own: dict[str, Any] = document.pop(_MODEL)
        return document | own

    def to_toml(self) -> str:
        """Every option in force, one a line; `read_config` of the same model reads it back."""
        # Numbers, texts, true, false and lists of them are spelled alike in JSON and TOML.
        return "".join(f"{key} = {json.dumps(v)}\n" for key, v in self.to_document().items())


def config_names() -> list[str]:
    """Names of the configurations that ship with mavfer."""
    files = resources.files("baselines.configs").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def read_config(model: str, source: str | None = None, settings: Sequence[str] = ()) -> Config:
    """The options of a run.

    Args:
        model: Whose options there are, whose table in the file counts, and whose default file
            where `source` is None.
        source: A TOML file, or the name of one that ships, such as "demo".
        settings: Texts "key=value", stronger than the file; values are spelled as in TOML.

    Raises:
        NotFound: There is no such file.
        CommandError: No such model, the file is not TOML, a key is unknown, or a value is of the
            wrong kind.
    """
    entry = find_model(model)
    options = _options_of(source or entry.default_config, model)
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign:
            message = f"--set {setting!r}: not of the form KEY=VALUE, for example epochs=3"
            raise CommandError(message)
        options[key.strip()] = _value(text.strip())
    shared, own = _defaults(Config), _defaults(entry.Options)
    options = {key: checked(key, value, shared | own) for key, value in options.items()}
    of_model = entry.Options(**{key: v for key, v in options.items() if key in own})
    return Config(model=of_model, **{key: v for key, v in options.items() if key in shared})


def _defaults(kind: type[Any]) -> dict[str, Any]:
    """Options by name, with their defaults."""
    return {each.name: each.default for each in fields(kind) if each.name != _MODEL}


def _options_of(source: str, model: str) -> dict[str, Any]:
    """The keys of a file, the model's table laid over those of all models."""
    try:
        document = tomllib.loads(_text_of(source))
    except tomllib.TOMLDecodeError as error:
        message = f"{source}: not readable as TOML ({error}). Correct the line"
        raise CommandError(message) from error
    tables = {name: document.pop(name) for name in list(document) if name in MODELS}
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

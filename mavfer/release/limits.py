"""What the data cannot show, said once for the datasheet and for croissant.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mavfer.release.wording import listed, share_text
from mavfer.streams import STREAM_NAMES

if TYPE_CHECKING:
    from mavfer.release.contents import Capture, Contents

__all__ = ["bias_sentences", "codec_text", "limit_sentences", "sensitive_sentence"]

_LOSSLESS: Final = "x264-lossless"

_CODECS: Final = {
    "h264": "H.264, constant rate factor 18",
    "jpeg95": "JPEG of quality 95",
    "camera-jpeg": "JPEG as the camera gave it",
    _LOSSLESS: "lossless H.264",
}
_FEW_SUBJECTS: Final = 30
"""Below this, scores of models differ widely from one division of the subjects to another; ours."""


def codec_text(way: Capture) -> str:
    """How the frames of one way of capture were stored."""
    if way.codec is None:
        return "counts, lossless"
    if way.is_lossless_copy:
        return f"{way.codec} as the source had it"
    return _CODECS.get(way.codec, way.codec)


def limit_sentences(contents: Contents) -> list[str]:
    """What follows from how the data were captured and labelled, a sentence or two each."""
    return [
        sentence
        for sentence in (
            _about_compression(contents),
            _about_missing_streams(contents),
            _about_missing_faces(contents),
            _about_carried(contents),
            _about_calibration(contents),
            _about_raters(contents),
            _about_labels(contents),
        )
        if sentence
    ]


def bias_sentences(contents: Contents) -> list[str]:
    """For whom the data do not stand, a sentence or two each."""
    sentences = [_about_simulated(contents), _about_number(contents), _about_landmarks(contents)]
    return [sentence for sentence in sentences if sentence]


def sensitive_sentence(contents: Contents) -> str:
    """What the data tell of a person."""
    if contents.simulated_subjects == contents.subjects:
        return "No person was recorded: all subjects are simulated from one public photograph."
    kinds = listed(
        {"color": "pictures", "depth": "the shape", "thermal": "the skin temperature"}[name]
        for name in contents.streams
    )
    return (
        f"The data hold {kinds} of faces, and what raters thought their owners felt. Faces "
        "identify people, and shape and temperature may tell of health. Names are not in the "
        "release; codes stand for subjects, but codes do not make faces anonymous."
    )


def _about_simulated(contents: Contents) -> str:
    simulated = contents.simulated_subjects
    if not simulated:
        return ""
    if simulated == contents.subjects:
        who = "All subjects are"
    else:
        who = f"Subject {simulated[0]} is" if len(simulated) == 1 else f"{listed(simulated)} are"
    return (
        f"{who} simulated: one photograph, drawn on a head that moves. So no claim about skin "
        "tone, identity or any group of people may be drawn from such subjects, and scores on "
        "them say nothing of scores on people."
    )


def _about_number(contents: Contents) -> str:
    people = len(contents.subjects) - len(contents.simulated_subjects)
    if people == 1:
        return "Only one person was recorded, so nothing can be said of other people."
    if 1 < people < _FEW_SUBJECTS:
        return (
            f"Only {people} people were recorded. Scores will differ widely from one division of "
            "the subjects to another; give them over folds, with intervals."
        )
    return ""


def _about_landmarks(contents: Contents) -> str:
    if contents.simulated_subjects == contents.subjects:
        return ""
    return (
        "Faces were found by a landmark model that works less well on some faces and poses than "
        "on others; frames without a face may therefore be spread unevenly over subjects."
    )


def _about_compression(contents: Contents) -> str:
    ways = [
        way
        for way in contents.captures
        if way.stream == "color" and (way.is_lossless_copy or way.codec != _LOSSLESS)
    ]
    if not ways:
        return ""
    how = listed(dict.fromkeys(codec_text(way) for way in ways))
    return (
        f"Color was compressed when it was captured ({how}). The shards keep the decoded pixels "
        "bit for bit, and with them the traces of that compression; very fine texture and the "
        "tiny changes of skin color that pulse makes may be lost."
    )


def _about_missing_streams(contents: Contents) -> str:
    total = len(contents.lines)
    lacking = [
        f"{total - len(contents.of_stream(name))} without {name}"
        for name in STREAM_NAMES
        if len(contents.of_stream(name)) < total
    ]
    if not lacking:
        return ""
    return f"Not every session has every stream: of {total} there are {listed(lacking)}."


def _about_missing_faces(contents: Contents) -> str:
    missing = contents.frames - contents.total("valid_frames")
    if not missing:
        return ""
    return (
        f"In {share_text(missing, contents.frames)} of the frames there is no usable face. They "
        "keep their rows, with the reason beside them, and are not missing at random."
    )


def _about_carried(contents: Contents) -> str:
    carried = contents.total("carried_frames")
    if not carried:
        return ""
    return (
        f"In {share_text(carried, contents.frames)} of the frames color showed no face and the "
        "head was carried by depth. There landmarks follow the head and not the expression, and "
        "color shows little."
    )


def _about_calibration(contents: Contents) -> str:
    if set(contents.streams) == {"color"}:
        return ""
    measured_ones = [each for each in contents.calibrations if each.method != "simulated"]
    if contents.calibrations and not measured_ones:
        return ""
    worst = [each.max_error_pixels for each in measured_ones]
    measured = [error for error in worst if error is not None]
    if not measured:
        return "How well the streams lie upon each other was not measured."
    return (
        "Depth and thermal were put upon color by calibration; points carried into thermal were "
        f"at most {max(measured):.2f} pixels off when that was measured."
    )


def _about_raters(contents: Contents) -> str:
    ratings = contents.ratings
    if ratings is None or not ratings.kinds.get("simulated"):
        return ""
    whose = "All raters are" if set(ratings.kinds) == {"simulated"} else "Some raters are"
    return (
        f"{whose} simulated: they rated from the simulator's truth with errors that we chose, and "
        "say nothing of how well people agree."
    )


def _about_labels(contents: Contents) -> str:
    if not contents.labels:
        return ""
    return (
        "Labels are what raters thought they saw, not what subjects felt. They are the raters' "
        "common view, with the delay of their reaction taken out as far as it is known."
    )

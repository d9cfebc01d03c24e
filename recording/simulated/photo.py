"""The portrait from which every simulated face is made, and what is where in it.

The photograph is scikit-image's public-domain portrait of the astronaut Eileen Collins (NASA). All
positions are pixels of that photograph; textures are twice as fine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "INNER_LIPS",
    "LANDMARKS",
    "LEFT_EYE",
    "OUTER_LIPS",
    "PHOTO_HEIGHT",
    "PHOTO_WIDTH",
    "RIGHT_EYE",
    "TEXTURE_SCALE",
    "Portrait",
    "prepare_portrait",
]

PHOTO_WIDTH: Final = 420
"""Columns of the photograph that are used; right of them stands a rocket."""
PHOTO_HEIGHT: Final = 400
"""Rows of the texture; below `_LAST_ROW` the suit is mirrored, because a helmet comes in."""
_LAST_ROW: Final = 338
TEXTURE_SCALE: Final = 2

RIGHT_EYE: Final = slice(36, 42)
"""Landmarks around the subject's right eye, on the left of the image."""
LEFT_EYE: Final = slice(42, 48)
OUTER_LIPS: Final = slice(48, 60)
INNER_LIPS: Final = slice(60, 68)

LANDMARKS: Final[NDArray[np.float64]] = np.array(
    [
        (179.5, 104.0), (180.0, 115.5), (181.0, 126.5), (182.0, 138.0), (184.5, 149.5),
        (190.5, 159.5), (199.5, 168.0), (209.0, 175.5), (220.0, 178.0), (232.0, 176.5),
        (243.0, 170.5), (253.0, 163.0), (260.5, 153.5), (265.0, 142.5), (268.0, 131.0),
        (270.0, 119.5), (271.5, 107.5),
        (186.0, 94.0), (192.0, 88.0), (200.5, 87.0), (208.5, 89.0), (216.5, 92.5),
        (235.5, 94.0), (243.5, 91.0), (251.5, 90.5), (260.0, 92.0), (265.5, 99.0),
        (225.5, 102.0), (225.5, 110.5), (225.0, 118.5), (225.0, 127.0),
        (214.0, 131.0), (219.0, 132.5), (224.0, 134.0), (229.5, 133.0), (234.5, 131.5),
        (195.0, 101.0), (200.5, 98.0), (207.0, 98.5), (212.5, 103.5), (206.0, 104.0),
        (199.5, 103.5),
        (237.5, 105.0), (243.5, 100.5), (250.0, 100.5), (255.0, 104.0), (250.0, 106.0),
        (243.5, 106.0),
        (199.5, 138.5), (208.5, 139.0), (217.0, 139.5), (223.0, 141.0), (229.0, 140.0),
        (237.0, 140.0), (245.5, 140.5), (237.0, 150.5), (228.5, 154.5), (222.0, 155.0),
        (215.5, 154.0), (207.0, 149.0),
        (202.5, 139.5), (217.0, 143.0), (223.0, 144.0), (229.0, 143.5), (242.5, 141.5),
        (229.0, 149.5), (222.5, 150.0), (216.5, 149.0),
    ]
)  # fmt: skip
"""(68, 2) dlib's landmarks, found once on the portrait enlarged four times, to a quarter pixel."""

# Surely the person, as polygons: without them the segmentation keeps the head alone.
_SURE_PERSON: Final = (
    [(185, 40), (225, 24), (265, 45), (285, 80), (270, 120), (258, 150), (225, 172), (190, 152),
     (178, 110), (165, 80)],
    [(190, 160), (250, 172), (280, 205), (290, 240), (250, 280), (180, 265), (140, 220), (130, 180),
     (170, 158)],
    [(110, 225), (170, 275), (230, 296), (290, 275), (330, 260), (350, 300), (345, 338), (50, 338),
     (60, 260)],
)  # fmt: skip
# Surely not the person.
_SURE_BACKGROUND: Final = (
    [(0, 0), (140, 0), (140, 110), (100, 170), (60, 220), (40, 235), (18, 338), (0, 338)],
    [(320, 0), (420, 0), (420, 338), (372, 338), (362, 290), (345, 255), (312, 225), (312, 150)],
    [(269, 147), (310, 150), (312, 225), (300, 218), (284, 191), (264, 169)],
)
_HAIR_BELOW_EARS: Final = 138
_TEETH: Final = (214.0, 204.0, 190.0)
_CAVITY: Final = (74.0, 28.0, 28.0)
_MOUTH_REACH: Final = 16
"""Photo pixels below the inner lips that an open mouth can show."""
_IRIS_RADIUS: Final = 3.9
_LIP_GAINS: Final = (0.82, 0.6, 0.63)
_RIM_DARKNESS: Final = 0.5


@dataclass(frozen=True)
class Portrait:
    """Textures of the person (height, width) = 2 x (PHOTO_HEIGHT, PHOTO_WIDTH)."""

    color: NDArray[np.float32]
    """(h, w, 3) the person, continued a little beyond the outline."""
    opacity: NDArray[np.uint8]
    """(h, w) 255 on the person; 0 outside, between the lips and between the lids."""
    inner_color: NDArray[np.uint8]
    """(h, w, 3) what shows through the holes: teeth, mouth, eyeballs."""
    skin: NDArray[np.float32]
    """(h, w) share of skin, 0-1."""
    hair: NDArray[np.float32]
    """(h, w) share of hair, 0-1."""
    clothes: NDArray[np.float32]
    """(h, w) share of orange cloth, 0-1; ring and collar stay as they are."""


@lru_cache(maxsize=1)
def prepare_portrait() -> Portrait:
    """The portrait with the person cut out; computed once a process, in about a second.

    Raises:
        MissingExtra: scikit-image or OpenCV is not installed.
    """
    cv2 = require("cv2", "record")
    photo = require("skimage.data", "demo").astronaut()[:_LAST_ROW, :PHOTO_WIDTH]
    person = _segment_person(cv2, photo)
    bare = _fine(cv2, _mirror_below(_continue_outwards(cv2, photo, person)))
    color = bare * _lipstick(cv2)
    outline = np.clip(_fine(cv2, _mirror_below(_soft_outline(cv2, person))), 0, 1)
    skin, hair, clothes = _share_out(cv2, color, outline)
    return Portrait(
        color=color,
        opacity=np.round(255 * outline * (1 - _holes(cv2))).astype(np.uint8),
        inner_color=_paint_inside(cv2, bare),
        skin=skin,
        hair=hair,
        clothes=clothes,
    )


def _segment_person(cv2: Any, photo: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The person's pixels (H, W), by grabCut from the two lists of polygons."""
    marks = np.full(photo.shape[:2], cv2.GC_PR_BGD, np.uint8)
    around = [np.array(p, np.int32) for p in _SURE_PERSON]
    cv2.fillPoly(marks, around, cv2.GC_PR_FGD)
    marks = np.where(cv2.dilate(marks, np.ones((25, 25))) == cv2.GC_PR_FGD, cv2.GC_PR_FGD, marks)
    cv2.fillPoly(marks, around, cv2.GC_FGD)
    for polygon in _SURE_BACKGROUND:
        cv2.fillPoly(marks, [np.array(polygon, np.int32)], cv2.GC_BGD)
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(photo[..., ::-1].copy(), marks, None, *models, 3, cv2.GC_INIT_WITH_MASK)
    person = ((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)).astype(np.uint8)
    person = cv2.morphologyEx(person, cv2.MORPH_CLOSE, np.ones((9, 9)))
    person = cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((7, 7)))
    labels = cv2.connectedComponents(person)[1]
    return np.asarray(labels == labels[int(LANDMARKS[30, 1]), int(LANDMARKS[30, 0])])


def _soft_outline(cv2: Any, person: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Opacity 0-1 (H, W): a little inside the person, feathered."""
    eroded = cv2.erode(person.astype(np.float32), np.ones((3, 3)))
    return np.asarray(cv2.GaussianBlur(eroded, None, 0.9))


def _continue_outwards(
    cv2: Any, photo: NDArray[np.uint8], person: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The person's colors continued over the outline, so that no backdrop shines at the edge."""
    inside = cv2.erode(person.astype(np.float32), np.ones((5, 5)))
    weight = cv2.GaussianBlur(inside, None, 3) + np.float32(1e-3)
    spread = cv2.GaussianBlur(photo * inside[..., None], None, 3) / weight[..., None]
    return np.where(inside[..., None] > 0, photo, spread).astype(np.float32)


def _mirror_below(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """`rows` continued by their mirror image down to PHOTO_HEIGHT."""
    missing = PHOTO_HEIGHT - len(rows)
    return np.concatenate([rows, rows[: -missing - 1 : -1]])


def _fine(cv2: Any, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """`image` at the texture's resolution."""
    size = (PHOTO_WIDTH * TEXTURE_SCALE, PHOTO_HEIGHT * TEXTURE_SCALE)
    fine = cv2.resize(image, size, interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(np.clip(fine, 0, 255), np.float32)


def _texels(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Texture positions of photo positions: pixel centres are at integers in both."""
    return points * TEXTURE_SCALE + (TEXTURE_SCALE - 1) / 2


def _filled(cv2: Any, contour: NDArray[np.float64]) -> NDArray[np.uint8]:
    """255 inside a contour of photo positions, smooth to a quarter texel."""
    mask = np.zeros((PHOTO_HEIGHT * TEXTURE_SCALE, PHOTO_WIDTH * TEXTURE_SCALE), np.uint8)
    points = np.round(_texels(contour) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
    return mask


def _holes(cv2: Any) -> NDArray[np.float32]:
    """1 between the lips and between the lids, 0 elsewhere, soft at the rim."""
    parts = [_filled(cv2, LANDMARKS[part]) for part in (RIGHT_EYE, LEFT_EYE, INNER_LIPS)]
    soft = cv2.GaussianBlur(np.maximum.reduce(parts), None, 0.8)
    return np.asarray(soft / 255, np.float32)


def _lipstick(cv2: Any) -> NDArray[np.float32]:
    """Gains (h, w, 3) that darken lips and their inner rim, so that a shut mouth stays a line.

    Without it the pale lips of the portrait vanish when they meet, for people and detectors alike.
    """
    lips = cv2.GaussianBlur(_filled(cv2, LANDMARKS[OUTER_LIPS]), None, 1.5) / 255
    inner = _filled(cv2, LANDMARKS[INNER_LIPS])
    rim = cv2.GaussianBlur(cv2.dilate(inner, np.ones((5, 5))) - inner, None, 1.0) / 255
    gains = 1 - lips[..., None] * (1 - np.array(_LIP_GAINS))
    return np.asarray(gains * (1 - _RIM_DARKNESS * rim[..., None]), np.float32)


def _share_out(
    cv2: Any, color: NDArray[np.float32], outline: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Shares (h, w) of skin, hair and clothes."""
    rows = np.arange(len(color))[:, None] / TEXTURE_SCALE
    neck = np.array([(184, 150), (182, 176), (205, 184), (250, 184), (262, 172), (261, 150)])
    ears = np.array([(170, 112), (172, 128), (182, 136), (270, 132), (279, 124), (280, 112)])
    fringe = [(185.0, 90.0), (192.0, 80.0), (225.0, 77.0), (252.0, 82.0), (264.0, 92.0)]
    face = np.concatenate([LANDMARKS[:17], np.array(fringe)[::-1]])
    region = np.maximum.reduce([_filled(cv2, part) for part in (face, neck, ears)])
    chroma = cv2.cvtColor(color.astype(np.uint8), cv2.COLOR_RGB2YCrCb)
    is_skin = (chroma[..., 1] > 133) & (chroma[..., 2] < 128) & (chroma[..., 0] > 70)  # noqa: PLR2004 (measured on this photograph)
    inner_face = _filled(cv2, LANDMARKS[:17] * 0.94 + np.array([225, 125]) * 0.06) > 0
    inside = ((region > 0) & (is_skin | inner_face)).astype(np.float32)
    inside = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((11, 11)))
    skin = cv2.GaussianBlur(inside, None, 2.5) * outline
    above = np.clip((_HAIR_BELOW_EARS - rows) / 4, 0, 1).astype(np.float32)
    hair = above * (1 - skin) * outline
    orange = np.clip((color[..., 0] - color[..., 2] - 40) / 50, 0, 1)
    return skin, hair, (1 - above) * (1 - skin) * outline * orange


def _paint_inside(cv2: Any, color: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Teeth, mouth and eyeballs (h, w, 3), reaching further than any opening."""
    inside = _paint_mouth(cv2, color)
    for part in (RIGHT_EYE, LEFT_EYE):
        _paint_eye(inside, LANDMARKS[part])
    return inside.astype(np.uint8)


def _paint_mouth(cv2: Any, color: NDArray[np.float32]) -> NDArray[np.float32]:
    """The photograph's teeth widened to the corners, dark below them, a tongue at the bottom."""
    height, width = color.shape[:2]
    x, y = (axis / TEXTURE_SCALE for axis in np.meshgrid(np.arange(width), np.arange(height)))
    bite = 149.0 - ((x - 222.5) / 20) ** 2 * 5
    teeth = cv2.erode(_filled(cv2, LANDMARKS[INNER_LIPS]), np.ones((5, 5))) > 0
    teeth &= color.mean(axis=2) > 150  # noqa: PLR2004 (enamel in this photograph)
    known = teeth[..., None].astype(np.float32)
    weight = cv2.GaussianBlur(known, None, 2.2)[..., None]
    spread = cv2.GaussianBlur(color * known, None, 2.2)
    enamel = (spread + 0.02 * np.array(_TEETH)) / (weight + 0.02)
    shadow = 0.86 * (1 - 0.35 * np.clip(abs(x - 222.5) / 22, 0, 1) ** 2)
    enamel *= shadow[..., None]
    below = np.clip((y - bite) / 1.5, 0, 1)[..., None]
    tongue = np.clip((y - bite - 6) / 8, 0, 1)[..., None] * np.array([70.0, 26.0, 24.0])
    return np.asarray(enamel * (1 - below) + (np.array(_CAVITY) * 0.7 + tongue) * below, np.float32)


def _paint_eye(inside: NDArray[np.float32], contour: NDArray[np.float64]) -> None:
    """Sclera, iris, pupil and highlight, painted around an eye's centre."""
    centre, reach = contour.mean(axis=0), np.array([18.0, 12.0])
    left, top = _texels(centre - reach).astype(int)
    right, bottom = _texels(centre + reach).astype(int)
    y, x = np.mgrid[top:bottom, left:right] / TEXTURE_SCALE
    radius = np.hypot(x - centre[0], (y - centre[1]) + 0.4)
    corner = np.clip(abs(x - centre[0]) / 10, 0, 1) ** 2
    sclera = np.array([184.0, 174.0, 170.0]) - corner[..., None] * np.array([48.0, 64.0, 64.0])
    sclera = sclera * (0.72 + 0.28 * np.clip((y - centre[1] + 3.5) / 3, 0, 1))[..., None]
    iris = np.array([74.0, 62.0, 50.0]) * (0.75 + 0.35 * radius / _IRIS_RADIUS)[..., None]
    eye = _blend(sclera, iris, np.clip(_IRIS_RADIUS + 0.4 - radius, 0, 1))
    eye = _blend(eye, np.full(3, 14.0), np.clip(1.9 - radius, 0, 1))
    spot = np.hypot(x - centre[0] + 1.3, y - centre[1] + 1.6)
    inside[top:bottom, left:right] = _blend(eye, np.full(3, 240.0), np.clip(1.1 - spot, 0, 1))


def _blend(
    below: NDArray[np.float64], above: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`above` (…, 3) laid over `below` (…, 3) with opacity `share` (…)."""
    return below + (above - below) * share[..., None]

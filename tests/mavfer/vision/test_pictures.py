import cv2
import numpy as np
import pytest

from mavfer.errors import InvalidArray
from mavfer.vision.pictures import (
    attention_picture,
    brightened,
    contact_sheet,
    depth_picture,
    encode_picture,
    fitted,
    text_picture,
    thermal_picture,
)

NOTHING = [236, 238, 241]


def test_near_is_brighter_than_far():
    depth = np.full((40, 40), 700, np.uint16)
    depth[:, 20:] = 760
    picture = depth_picture(depth).astype(int).sum(axis=2)

    assert (picture[:, :20] > picture[:, 20:]).all()


def test_warm_is_brighter_than_cold_and_the_same_in_every_frame():
    warm = np.full((8, 8), 30715, np.uint16)
    mixed = warm.copy()
    mixed[:4] = 29815

    assert (thermal_picture(mixed)[4:] == thermal_picture(warm)[4:]).all()
    assert thermal_picture(mixed)[0, 0].sum() < thermal_picture(warm)[0, 0].sum()


@pytest.mark.parametrize("picture_of", [depth_picture, thermal_picture])
def test_what_was_not_measured_is_light_gray(picture_of):
    crop = np.full((40, 40), 30000, np.uint16)
    crop[3, 5] = 0

    assert picture_of(crop)[3, 5].tolist() == NOTHING
    assert (picture_of(np.zeros((40, 40), np.uint16)) == NOTHING).all()


def test_dark_pictures_are_brightened_and_bright_ones_left_alone():
    dark = np.full((10, 10, 3), 4, np.uint8)
    bright = np.full((10, 10, 3), 240, np.uint8)

    assert brightened(dark).mean() > 200
    assert (brightened(bright) == bright).all()


def test_a_contact_sheet_sets_pictures_in_rows():
    red = np.zeros((30, 20, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    sheet = contact_sheet([[red, red], [red]], tile=16)

    assert sheet.shape == (36, 36, 3)
    assert (sheet[:16, :16] == [255, 0, 0]).all()
    assert (sheet[20:, 20:] == 255).all()


def test_a_contact_sheet_of_nothing_is_refused():
    with pytest.raises(InvalidArray, match="there is no picture to show"):
        contact_sheet([], tile=16)


def test_a_png_reads_back_as_it_was():
    picture = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    read = cv2.imdecode(np.frombuffer(encode_picture(picture, ".png"), np.uint8), cv2.IMREAD_COLOR)

    assert (read[:, :, ::-1] == picture).all()


def test_attention_covers_where_it_is_and_leaves_an_even_spread_alone():
    picture = np.full((40, 40, 3), 100, np.uint8)
    attention = np.ones((8, 8))
    attention[2, 5] = 57
    box = np.array([4, 4, 32, 32])

    even = attention_picture(picture, np.ones((8, 8)), box)
    seen = attention_picture(picture, attention, box).astype(int)

    assert (even[6:34, 6:34] == 100).all()
    assert (even[:3] > 180).all()
    covered = np.argwhere(seen[:, :, 0] > seen[:, :, 1] + 50)
    assert covered.mean(axis=0) == pytest.approx((4 + 2.5 * 4 - 0.5, 4 + 5.5 * 4 - 0.5), abs=0.6)
    assert (seen[30, 10] < 80).all()


def test_a_fitted_picture_keeps_its_shape_and_is_in_the_middle():
    red = np.zeros((30, 20, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    framed = fitted(red, 60, 100)

    assert framed.shape == (60, 100, 3)
    assert (framed[:, 30:70] == [255, 0, 0]).all()
    assert (framed[:, :30] == 255).all()
    assert (framed[:, 70:] == 255).all()


@pytest.mark.parametrize("align", ["left", "middle", "right"])
def test_text_stands_where_it_should(align):
    written = text_picture("abc", (20, 300), ink=(0, 0, 0), align=align)
    columns = np.flatnonzero((written < 128).any(axis=(0, 2)))
    margins = {"left": columns[0], "right": 299 - columns[-1], "middle": 0}

    assert written.shape == (20, 300, 3)
    assert margins[align] <= 3
    assert align != "middle" or abs(columns.mean() - 150) < 6


def test_text_that_is_too_long_is_cut_and_ends_in_dots():
    cut = text_picture("a" * 200, (20, 100), ink=(0, 0, 0))
    dots = text_picture("a" * 5 + "...", (20, 100), ink=(0, 0, 0))

    assert (cut[:, :20] == dots[:, :20]).all()
    assert (cut[:, 97:] > 128).all() or (cut[:8, 90:] > 128).all()


def test_no_text_is_white():
    assert (text_picture("", (20, 30), ink=(0, 0, 0)) == 255).all()
    assert (text_picture("wide", (20, 2), ink=(0, 0, 0)) == 255).all()

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mavfer.study import pixels
from mavfer.study.pixels import NONE, ROWS, TIME, encode_group, restore_frame

SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 9), st.integers(1, 9))


@st.composite
def groups(draw):
    """Groups of both types, full of extremes."""
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    shape = draw(SHAPES)
    if draw(st.booleans()):
        shape = (*shape, 3)
    top = np.iinfo(dtype).max
    values = st.sampled_from([0, 1, 2, top // 2, top // 2 + 1, top - 1, top]) | st.integers(0, top)
    return draw(hnp.arrays(dtype, shape, elements=values))


def decode(chunks, predictor, like):
    out = np.full_like(like, 77)
    for number, chunk in enumerate(chunks):
        previous = out[number - 1] if predictor == TIME and number else None
        restore_frame(memoryview(chunk), out[number], predictor=predictor, previous=previous)
    return out


@settings(max_examples=150, deadline=None)
@given(groups(), st.sampled_from(["fast", "small", "raw"]))
def test_a_group_comes_back_exactly(frames, profile):
    predictor, chunks = encode_group(frames, profile)

    assert len(chunks) == len(frames)
    np.testing.assert_array_equal(decode(chunks, predictor, frames), frames)


@settings(max_examples=60, deadline=None)
@given(groups(), st.sampled_from([ROWS, TIME]))
def test_each_predictor_is_exact_also_where_it_is_not_chosen(frames, predictor):
    codec = pixels.PROFILES["fast"]
    encode = pixels._by_time if predictor == TIME else pixels._by_rows
    chunks = [pixels._by_rows(frames, 0, codec)]
    chunks += [encode(frames, number, codec) for number in range(1, len(frames))]

    np.testing.assert_array_equal(decode(chunks, predictor, frames), frames)


def test_the_fold_follows_the_documented_table():
    difference = np.array([0, -1, 1, -2, 127, -128], np.int8).view(np.uint8)

    np.testing.assert_array_equal(pixels._fold(difference), [0, 1, 2, 3, 254, 255])


def test_still_pictures_are_predicted_from_the_frame_before():
    noise = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)

    assert encode_group(np.repeat(noise, 8, axis=0), "fast")[0] == TIME


def test_changing_smooth_pictures_are_predicted_from_the_row_above():
    steps = np.random.default_rng(0).integers(0, 20, (8, 32, 32), dtype=np.uint16)
    steps[:, 0] *= 1000

    assert encode_group(np.cumsum(steps, axis=1, dtype=np.uint16), "fast")[0] == ROWS


def test_the_raw_profile_stores_pixels_as_they_are():
    frames = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)

    assert encode_group(frames, "raw") == (NONE, [f.tobytes() for f in frames])


def test_noisy_faces_shrink_to_under_half(shard_factory):
    for frames, share in zip(shard_factory.faces(8, 96, 96), (0.62, 0.45, 0.45), strict=True):
        _, chunks = encode_group(frames, "fast")

        assert sum(map(len, chunks)) < share * frames.nbytes


def test_bytes_that_are_no_chunk_are_refused():
    out = np.empty((4, 4), np.uint8)

    with pytest.raises((ValueError, RuntimeError), match=r"blosc|[Bb]uffer|header|bytes|size"):
        restore_frame(memoryview(b"\x02\x01nonsense" * 3), out, predictor=ROWS, previous=None)

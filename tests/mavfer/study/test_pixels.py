import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mavfer.study import pixels
from mavfer.study.pixels import GREEN, NONE, PLANE, ROWS, TIME, encode_group, restore_frame

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


@pytest.fixture(params=["numpy", "compiled"])
def reader(request, monkeypatch):
    """Both ways to restore and store frames."""
    return use(request.param, monkeypatch)


def use(way, monkeypatch):
    monkeypatch.setattr(pixels, "_PATIENCE", 0)
    if way == "numpy":
        monkeypatch.setattr(pixels, "_compiled", lambda: None)
    else:
        pytest.importorskip("numba")
    return way


@st.composite
def crops(draw):
    """Groups of sizes that the compiled loops take: 64 elements divide them."""
    dtype = draw(st.sampled_from([np.uint8, np.uint16]))
    shape = draw(st.sampled_from([(8, 8), (16, 12), (24, 16), (40, 40)]))
    count, seed, noise = draw(st.tuples(st.integers(1, 4), st.integers(0, 99), st.integers(0, 9)))
    random = np.random.default_rng(seed)
    if dtype == np.uint8:
        shape = (*shape, 3)
    smooth = np.cumsum(random.integers(0, 5, (count, *shape)), axis=2)
    top = 1 << random.integers(0, 8 * np.dtype(dtype).itemsize + 1)
    return (smooth + random.integers(0, 1 + noise * top // 9, (count, *shape))).astype(dtype)


def codes(frames):
    return [
        ROWS,
        TIME,
        PLANE,
        *((ROWS | GREEN, TIME | GREEN, PLANE | GREEN) if colors(frames) else ()),
    ]


def colors(frames):
    return frames.ndim == 4 and frames.shape[-1] == 3 and frames.itemsize == 1


def encode(frames, predictor, codec=pixels.PROFILES["fast"]):
    before = [None, *frames[:-1]]
    return [
        pixels.encode_frame(frame, previous, predictor, codec)
        for frame, previous in zip(frames, before, strict=True)
    ]


def decode(chunks, predictor, like):
    out = np.full_like(like, 77)
    for number, chunk in enumerate(chunks):
        is_chain = predictor & ~GREEN == TIME
        previous = out[number - 1] if is_chain and number else None
        restore_frame(memoryview(chunk), out[number], predictor=predictor, previous=previous)
    return out


@settings(max_examples=150, deadline=None)
@given(groups(), st.sampled_from(["fast", "small", "raw"]))
def test_a_group_comes_back_exactly(frames, profile):
    predictor, chunks = encode_group(frames, profile)

    assert len(chunks) == len(frames)
    np.testing.assert_array_equal(decode(chunks, predictor, frames), frames)


@settings(max_examples=60, deadline=None)
@given(groups())
def test_each_predictor_is_exact_also_where_it_is_not_chosen(frames):
    for predictor in codes(frames):
        chunks = encode(frames, predictor)

        np.testing.assert_array_equal(decode(chunks, predictor, frames), frames)


@pytest.mark.parametrize("writer", ["numpy", "compiled"])
def test_numpy_and_compiled_loops_read_each_other(writer, reader, monkeypatch):
    @settings(max_examples=40, deadline=None)
    @given(crops())
    def exchange(frames):
        for predictor in codes(frames):
            with monkeypatch.context() as patch:
                use(writer, patch)
                chunks = encode(frames, predictor)

            np.testing.assert_array_equal(decode(chunks, predictor, frames), frames)

    exchange()


@pytest.mark.parametrize("profile", ["fast", "small"])
def test_compiled_loops_follow_blocks_and_streams_of_other_writers(monkeypatch, profile):
    frames = np.random.default_rng(0).integers(0, 900, (2, 224, 224), dtype=np.uint16)
    with monkeypatch.context() as patch:
        use("numpy", patch)
        chunks = encode(frames, ROWS, pixels.PROFILES[profile])
    use("compiled", monkeypatch)

    np.testing.assert_array_equal(decode(chunks, ROWS, frames), frames)


def test_damaged_chunks_are_refused_or_wrong_but_never_fatal(monkeypatch):
    use("compiled", monkeypatch)
    random = np.random.default_rng(0)
    frame = np.cumsum(random.integers(0, 9, (1, 40, 40, 3)), axis=1, dtype=np.uint8)
    whole = np.frombuffer(encode(frame, ROWS | GREEN)[0], np.uint8)
    kernels = pixels._compiled()
    scratch = kernels.Scratch(frame.nbytes)
    out = np.empty(frame.size, np.uint8)
    refused = 0
    for _ in range(2000):
        chunk = whole[: random.integers(1, len(whole) + 1)].copy()
        chunk[random.integers(0, len(chunk), 3)] = random.integers(0, 256, 3)
        arrays = (scratch.planes, scratch.samples)
        refused += not kernels.restore(chunk, out, out, False, ROWS | GREEN, (40, 3), arrays)

    assert refused > 1000
    np.testing.assert_array_equal(scratch.planes[-8:], 0)


def test_a_frame_of_noise_grows_by_a_header_only(monkeypatch):
    use("compiled", monkeypatch)
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    chunks = encode(noise, ROWS)

    assert len(chunks[0]) <= noise.nbytes + 24
    np.testing.assert_array_equal(decode(chunks, ROWS, noise), noise)


def test_the_fold_follows_the_documented_table():
    difference = np.array([0, -1, 1, -2, 127, -128], np.int8).view(np.uint8)

    np.testing.assert_array_equal(pixels._fold(difference), [0, 1, 2, 3, 254, 255])


def test_still_pictures_are_predicted_from_the_frame_before():
    noise = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)

    assert encode_group(np.repeat(noise, 8, axis=0), "fast")[0] == TIME


def test_changing_smooth_pictures_are_predicted_from_the_row_above():
    steps = np.random.default_rng(0).integers(0, 20, (8, 32, 32), dtype=np.uint16)
    steps[:, 0] *= 1000
    steps[:, 0] ^= np.random.default_rng(1).integers(0, 60000, (8, 32), dtype=np.uint16)

    assert encode_group(np.cumsum(steps, axis=1, dtype=np.uint16), "fast")[0] == ROWS


def test_slanted_surfaces_are_predicted_from_three_neighbours():
    noise = np.random.default_rng(0).integers(0, 3, (8, 64, 64))
    x = np.arange(64)
    surface = (700 + 37 * x + 53 * x[:, None] + 40 * np.arange(8)[:, None, None] + noise).astype(
        np.uint16
    )

    assert encode_group(surface, "fast")[0] == PLANE


def test_noise_that_all_colors_share_is_stored_once():
    random = np.random.default_rng(0)
    gray = random.integers(90, 130, (8, 48, 48, 1))
    frames = (gray + random.integers(0, 2, (8, 48, 48, 3))).astype(np.uint8)

    assert encode_group(frames, "fast")[0] & GREEN


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


def test_without_a_folder_for_compiled_loops_numpy_reads_and_says_so():
    pytest.importorskip("numba")
    script = """
import os, sys, warnings
os.environ.pop("HOME", None)
from numba.core import caching
def nowhere(self, *a): raise RuntimeError("cannot cache function: no locator available")
caching.CacheImpl.__init__ = nowhere
from mavfer.study import pixels
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    assert pixels._compiled() is None
assert "Set NUMBA_CACHE_DIR to a folder that may be written" in str(told[-1].message), told
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr

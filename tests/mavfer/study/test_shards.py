import json
import pickle
import re
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mavfer
from mavfer.errors import ChecksumMismatch, InvalidArray, InvalidFile, NotFound, WrongVersion
from mavfer.study import descriptors
from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5
from mavfer.study.shards import Shard

ROOT = Path(__file__).parents[3]
FRAMES = 29


@pytest.fixture(scope="module")
def pixels(shard_factory):
    return dict(zip(shard_factory.ALL, shard_factory.faces(FRAMES), strict=True))


@pytest.fixture(scope="module")
def written(shard_factory, pixels, tmp_path_factory):
    """One shard for all tests that do not change it."""
    path = tmp_path_factory.mktemp("shards") / "S01-001.h5"
    shard_factory.write_shard(path, pixels.values(), masks=True, at_once=5)
    return path


@pytest.fixture
def copy(written, tmp_path):
    return Path(shutil.copy(written, tmp_path / written.name))


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_rows_come_back_exactly(written, pixels, data):
    stream = data.draw(st.sampled_from(sorted(pixels)))
    start, stop = data.draw(st.integers(0, FRAMES - 1)), data.draw(st.integers(0, FRAMES))
    step = data.draw(st.integers(-9, 9).filter(bool))
    rows = range(start, stop, step)

    np.testing.assert_array_equal(Shard(written).read(stream, rows), pixels[stream][list(rows)])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_shards_of_any_size_and_profile_come_back_exactly(shard_factory, tmp_path_factory, data):
    count = data.draw(st.integers(1, 20))
    height, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    top = data.draw(st.sampled_from([1, 7, 2**16]))
    depth = random.choice([0, 1, top - 1, 65535], (count, height, width)).astype(np.uint16)
    color = random.choice([0, 1, 254, 255], (count, height, width, 3)).astype(np.uint8)
    path = tmp_path_factory.mktemp("any") / "S01-001.h5"
    shard_factory.write_shard(
        path,
        (color, depth, depth[::-1]),
        at_once=data.draw(st.integers(1, 20)),
        profile=data.draw(st.sampled_from(["fast", "small", "raw"])),
        group_size=data.draw(st.integers(1, 9)),
    )
    shard = Shard(path)

    np.testing.assert_array_equal(shard.read("color", range(count)), color)
    np.testing.assert_array_equal(shard.read("depth", range(count)), depth)
    np.testing.assert_array_equal(shard.read("thermal", range(count)), depth[::-1])


def test_ten_lines_without_mavfer_read_the_same_pixels(shard_factory, tmp_path):
    text = (ROOT / "docs" / "shard_format.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    script = tmp_path / "reader.py"
    script.write_text(block, encoding="utf-8")
    assert "mavfer" not in block
    read_stream = runpy.run_path(str(script))["read_stream"]
    options = {f"S01-00{n}": {"profile": p} for n, p in enumerate(("fast", "small", "raw"))}
    study = shard_factory.make_study(tmp_path / "study", options, frames=21)
    for recording in mavfer.load(study.root, labels=None):
        for stream in shard_factory.ALL:
            read = read_stream(study.shard_path(recording.session), stream)

            np.testing.assert_array_equal(read, recording.stream(stream)[:])


def test_a_shard_fits_its_schema_and_keeps_group_streams_side_by_side(written):
    with open_hdf5(written) as file:
        document = require_valid_hdf5(file, "shard", written)
        first = {name: file[f"index/{name}"]["offset"][0] for name in ("color", "depth", "thermal")}
        second = file["index/color"]["offset"][8]

    assert document["attributes"]["frames"] == FRAMES
    assert first["color"] < first["depth"] < first["thermal"] < second


def test_columns_masks_and_documents_come_back(shard_factory, written, pixels):
    shard = Shard(written)
    expected = shard_factory.columns(FRAMES)

    for name, column in expected.items():
        assert shard.column(name).dtype == column.dtype
        assert shard.column(name).tobytes() == column.tobytes()
    np.testing.assert_array_equal(
        shard.mask("depth", range(20, 3, -3)), pixels["depth"][20:3:-3] > 0
    )
    assert shard.documents()["settings"] == {"lighting": "bright", "seed": 7}
    assert shard.documents()["calibration"] is None


def test_documents_of_a_megabyte_are_no_problem(shard_factory, pixels, tmp_path):
    path = tmp_path / "S01-001.h5"
    settings = {f"note-{n}": "größer – 大きい" for n in range(25_000)}
    shard_factory.write_shard(path, pixels.values(), settings=settings)

    assert len(json.dumps(settings)) > 1_000_000
    assert Shard(path).documents()["settings"] == settings


def test_a_session_with_color_alone_has_no_other_stream(shard_factory, pixels, tmp_path):
    path = tmp_path / "S01-001.h5"
    shard_factory.write_shard(path, pixels.values(), streams=("color",))

    assert list(Shard(path).streams) == ["color"]
    with pytest.raises(NotFound, match="has no mask for depth"):
        Shard(path).mask("depth", range(3))


def test_one_flipped_byte_is_reported_with_session_stream_and_frame(copy):
    shard = Shard(copy)
    random = np.random.default_rng(5)
    original = copy.read_bytes()
    for stream, index in shard.streams.items():
        for frame in random.choice(FRAMES, 6, replace=False):
            offset, length, _ = index.table[frame].item()
            damaged = bytearray(original)
            position = offset + int(random.integers(length))
            damaged[position] ^= 1 << int(random.integers(8))
            copy.write_bytes(damaged)

            with pytest.raises(
                ChecksumMismatch, match=f"session S01-001, {stream} frame {frame}, byte {offset}:"
            ):
                Shard(copy).verify()
            with pytest.raises(ChecksumMismatch, match=f"{stream} frame {frame}, "):
                Shard(copy).read(stream, range(int(frame), int(frame) + 1))


def test_a_flipped_byte_of_a_column_is_reported_with_its_name(copy):
    with h5py.File(copy) as file:
        offset = file["frames/landmarks"].id.get_chunk_info(0).byte_offset
    damaged = bytearray(copy.read_bytes())
    damaged[offset + 100] ^= 4
    copy.write_bytes(damaged)

    with pytest.raises(ChecksumMismatch, match="column /frames/landmarks changed"):
        Shard(copy).column("landmarks")


def test_a_truncated_file_is_reported_wherever_it_ends(copy):
    whole = copy.read_bytes()
    for share in (0.0, 0.001, 0.3, 0.7, 0.99):
        copy.write_bytes(whole[: int(share * len(whole))])

        with pytest.raises(InvalidFile, match=r"torn|cut off"):
            Shard(copy).read("color", range(FRAMES))


def test_an_index_that_points_outside_the_file_is_reported(copy):
    with h5py.File(copy, "r+") as file:
        table = file["index/thermal"][:]
        table["offset"][11] = 10**12
        file["index/thermal"][...] = table

    with pytest.raises(InvalidFile, match="thermal frame 11: the index points to byte"):
        Shard(copy).read("color", range(1))


def test_an_index_that_points_to_other_frames_is_reported(copy):
    with h5py.File(copy, "r+") as file:
        table = file["index/depth"][:]
        table["offset"][2] = table["offset"][20]
        file["index/depth"][...] = table

    with pytest.raises(ChecksumMismatch, match="depth frame 2"):
        Shard(copy).read("depth", range(8))


@pytest.mark.parametrize(
    ("version", "way_out"),
    [(2, r"Update mavfer: pip install 'mavfer>=[0-9.]+'"), (0, "Make it again")],
)
def test_another_version_is_refused_with_the_way_out(copy, version, way_out):
    with h5py.File(copy, "r+") as file:
        file.attrs["version"] = version

    with pytest.raises(WrongVersion, match=f"shard version {version}, .* {way_out}"):
        _ = Shard(copy).frames


def test_another_hdf5_file_is_no_shard(tmp_path):
    path = tmp_path / "S01-001.h5"
    with h5py.File(path, "w") as file:
        file["color"] = np.zeros(3)

    with pytest.raises(InvalidFile, match="not a shard"):
        _ = Shard(path).frames


def test_a_missing_shard_and_an_unknown_column_say_so(tmp_path, written):
    with pytest.raises(NotFound, match="no such shard"):
        _ = Shard(tmp_path / "S09-001.h5").frames
    with pytest.raises(NotFound, match=r"no column 'smile' in /frames. There are: crop_matrix"):
        Shard(written).column("smile")


def test_a_shard_replaced_while_it_is_open_is_noticed(shard_factory, pixels, copy):
    shard = Shard(copy)
    shard.read("color", range(3))
    shard_factory.write_shard(copy, [p[:10] for p in pixels.values()])
    descriptors.forget(copy)

    with pytest.raises(InvalidFile, match=r"changed since it was opened. Load the study again"):
        shard.read("color", range(3))


def test_descriptors_stay_bounded(written, tmp_path):
    for number in range(descriptors.MAX_OPEN_FILES + 20):
        path = Path(shutil.copy(written, tmp_path / f"S{number}-001.h5"))
        Shard(path).read("color", range(1))
    links = [entry for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
    paths = [str(entry.readlink()) for entry in links]

    assert len([p for p in paths if p.startswith(str(tmp_path))]) <= descriptors.MAX_OPEN_FILES


def test_threads_and_pickles_read_the_same(written, pixels):
    shard = pickle.loads(pickle.dumps(Shard(written)))
    wrong = []

    def read(start):
        for stream in pixels:
            rows = range(start, FRAMES, 2)
            if not np.array_equal(shard.read(stream, rows), pixels[stream][start::2]):
                wrong.append((stream, start))

    threads = [threading.Thread(target=read, args=(start,)) for start in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_an_exception_while_writing_leaves_nothing(shard_factory, pixels, tmp_path):
    path = tmp_path / "S01-001.h5"
    writer = shard_factory.ShardWriter(path, shard_factory.header())

    def record():
        with writer:
            writer.append(*pixels.values())
            message = "the camera fell over"
            raise ValueError(message)

    with pytest.raises(ValueError, match="the camera fell over"):
        record()
    assert list(tmp_path.iterdir()) == []


def test_leaving_without_finish_leaves_nothing(shard_factory, pixels, tmp_path):
    writer = shard_factory.ShardWriter(tmp_path / "S01-001.h5", shard_factory.header())

    def record():
        with writer:
            writer.append(*pixels.values())

    with pytest.raises(RuntimeError, match=r"finish\(\) was not called"):
        record()
    assert list(tmp_path.iterdir()) == []


def test_the_writer_refuses_what_does_not_fit(shard_factory, pixels, tmp_path):
    color, depth, thermal = pixels.values()
    path = tmp_path / "S01-001.h5"

    def write(*appends, table=None):
        with shard_factory.ShardWriter(path, shard_factory.header()) as writer:
            for arrays in appends:
                writer.append(*arrays)
            writer.finish(table or shard_factory.columns(writer.frames or 1))

    with pytest.raises(InvalidArray, match=r"depth must be uint16 \(29, 24, 20\), is float64"):
        write((color, depth.astype(float), thermal))
    with pytest.raises(InvalidArray, match="streams and masks must be the same in every append"):
        write((color, depth, thermal), (color, None, thermal))
    with pytest.raises(InvalidArray, match=r"crops of \(10, 20, 3\) after crops of \(24, 20, 3\)"):
        write((color,), (color[:, :10],))
    with pytest.raises(InvalidArray, match="at least one frame"):
        write((color[:0],))
    with pytest.raises(InvalidArray, match="column host_ns has 3 rows, not 29"):
        write((color,), table=shard_factory.columns(3))
    table = shard_factory.columns(FRAMES)
    del table["valid"]
    with pytest.raises(InvalidFile, match="'/frames/valid' is a required property"):
        write((color,), table=table)
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, runpy, sys
factory = runpy.run_path(sys.argv[1])
pixels = factory["faces"](60, 64, 64)
from pathlib import Path
from mavfer.errors import DataError
whole = Path(sys.argv[2])
factory["write_shard"](whole, pixels, at_once=8)
size = whole.stat().st_size
whole.unlink()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(size * float(sys.argv[3])),) * 2)
try:
    factory["write_shard"](Path(sys.argv[2]), pixels, at_once=8)
except DataError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limit")
@pytest.mark.parametrize("share", [0.001, 0.5, 0.95, 0.98])
def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path, share):
    factory, path = Path(__file__).parents[1] / "shard_factory.py", tmp_path / "S01-001.h5"
    command = [sys.executable, "-c", FULL_DISK, str(factory), str(path), str(share)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert re.fullmatch(r".*S01-001\.h5: cannot be written \(.*\)\. Free space.*\n", done.stdout)
    assert list(tmp_path.iterdir()) == []


ENDLESS = """
import runpy, sys
from pathlib import Path
factory = runpy.run_path(sys.argv[1])
pixels = factory["faces"](16, 64, 64)
with factory["ShardWriter"](Path(sys.argv[2]), factory["header"]()) as writer:
    while True:
        writer.append(*pixels)
        print(writer.frames, flush=True)
"""


def test_killed_writers_leave_only_parts_that_are_never_listed(shard_factory, tmp_path):
    study = shard_factory.make_study(tmp_path / "study", {"S01-001": {}})
    factory = Path(__file__).parents[1] / "shard_factory.py"
    for number in range(4):
        path = study.shard_path(f"S02-{number:03d}")
        command = [sys.executable, "-c", ENDLESS, str(factory), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            writer.stdout.readline()
            time.sleep(0.013 * number)
            writer.send_signal(signal.SIGKILL)
        part = path.with_name(path.name + ".part")
        with h5py.File(part) as file:
            frames = file["color"].shape[0]

        assert frames % 8 == 0
        assert not path.exists()
    assert mavfer.load(study.root, labels=None).sessions == ["S01-001"]

import hashlib
import multiprocessing
import os
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mavfer
from mavfer.errors import ChecksumMismatch, CommandError, InvalidArray, InvalidFile, NotFound

# What seed 7 gave in epoch 2 when the order was laid down; published runs depend on it.
ORDER = [17, 25, 1, 16, 9, 10, 3, 20]
STARTS = [1, 5, 11, 15, 18, 21, 24, 29]


@pytest.fixture
def ds(study, shard_factory):
    shard_factory.write_label(study, "S01-001")
    return mavfer.load(study.root)


@pytest.fixture(scope="module")
def shared(shard_factory, tmp_path_factory):
    """A data set for tests that only read."""
    study = shard_factory.make_study(tmp_path_factory.mktemp("shared") / "study")
    return mavfer.load(study.root, labels=None)


def starts(clips):
    return [(clips.locate(i)[0].session, clips.locate(i)[1].start) for i in range(len(clips))]


def digest(batches):
    """Hash of everything in the clips of some batches, in order."""
    total = hashlib.sha256()
    for batch in batches:
        for place in range(len(batch["start"])):
            total.update(f"{batch['session'][place]} {batch['start'][place]}".encode())
            total.update(batch["color"][place].tobytes())
            total.update(batch["thermal"][place].tobytes())
    return total.hexdigest()


def test_a_clip_has_the_documented_arrays(ds, shard_factory):
    clip = ds.clips(length=6, stride=2, hop=5)[1]
    color, depth, thermal = shard_factory.faces(40)

    np.testing.assert_array_equal(clip["color"], color[5:16:2])
    np.testing.assert_array_equal(clip["depth"], depth[5:16:2])
    np.testing.assert_array_equal(clip["thermal"], thermal[5:16:2])
    assert set(clip["valid"]) == {"color", "depth", "thermal"}
    assert clip["valid"]["depth"].tolist() == [True] * 6
    assert clip["arousal"].dtype == clip["valence"].dtype == np.float32
    np.testing.assert_allclose(clip["arousal"], np.sin(np.arange(5, 16, 2) / 7), atol=1e-6)
    assert clip["label_valid"].all()
    assert clip["label_valid"].dtype == bool
    np.testing.assert_allclose(clip["time_seconds"], np.arange(5, 16, 2) / 30, atol=1e-6)
    assert (clip["session"], clip["subject"], clip["start"]) == ("S01-001", "S01", 5)


def test_streams_that_a_session_lacks_are_masked_zeros_or_dropped(ds):
    clips = ds[1:2].clips(length=4)

    assert clips[0]["depth"].shape == (4, 24, 20)
    assert not clips[0]["depth"].any()
    assert not clips[0]["valid"]["thermal"].any()
    assert clips[0]["valid"]["color"].all()
    assert len(ds.clips(length=16, missing="mask")) == 6
    assert len(ds.clips(length=16, missing="drop")) == 4


def test_clips_have_only_the_streams_asked_for(study):
    clips = mavfer.load(study.root, modalities=("thermal",), labels=None).clips(length=4)

    assert "color" not in clips[0]
    assert list(clips[0]["valid"]) == ["thermal"]


def test_grid_starts_stand_every_hop(shared):
    clips = shared.clips(length=10, hop=12)

    assert starts(clips)[:3] == [("S01-001", 0), ("S01-001", 12), ("S01-001", 24)]
    assert len(clips) == 9
    assert "9 clips of 10 frames from 3 sessions" in repr(clips)


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(1, 14),
    stride=st.integers(1, 3),
    hop=st.integers(1, 20),
    start=st.sampled_from(["grid", "random", "group"]),
    epoch=st.integers(0, 5),
)
def test_every_clip_stays_in_its_cell(shared, length, stride, hop, start, epoch):  # noqa: PLR0917 (drawn)
    clips = shared.clips(length=length, stride=stride, hop=hop, start=start).set_epoch(epoch)
    for index in range(len(clips)):
        recording, rows = clips.locate(index)
        cell = index % (len(clips) // 3) * hop

        assert len(rows) == length
        assert 0 <= rows[0] <= rows[-1] < len(recording)
        assert cell - 8 < rows.start < cell + hop
        if start == "group":
            assert rows.start % 8 == 0


def test_random_starts_change_with_the_epoch_and_reach_every_frame(shared):
    clips = shared.clips(length=8, hop=11, start="random")
    seen = {start for epoch in range(60) for _, start in starts(clips.set_epoch(epoch))}

    assert starts(clips.set_epoch(1)) != starts(clips.set_epoch(2))
    assert seen == set(range(33))
    assert starts(clips.set_epoch(3)) == starts(pickle.loads(pickle.dumps(clips)).set_epoch(3))


def test_the_order_never_changes_between_versions(shared):
    clips = shared.clips(length=8, hop=4, start="random", seed=7)

    assert clips.order(2, shuffle=True)[:8].tolist() == ORDER
    assert [start for _, start in starts(clips.set_epoch(2))][:8] == STARTS


def test_indices_outside_are_refused(shared):
    clips = shared.clips(length=8)

    assert clips[-1]["session"] == "S02-001"
    with pytest.raises(IndexError, match=f"clip {len(clips)} of {len(clips)}"):
        clips[len(clips)]


def test_many_at_once_come_in_the_order_asked_for(shared):
    clips = shared.clips(length=4, hop=4)

    assert [c["start"] for c in clips.__getitems__([5, 0, 3])] == [20, 0, 12]


def test_what_makes_no_sense_is_told(shared):
    with pytest.raises(CommandError, match="length is 0, must be 1 or more"):
        shared.clips(length=0)
    with pytest.raises(CommandError, match=r"start is 'middle'. Choose one of grid, random, group"):
        shared.clips(start="middle")
    with pytest.raises(CommandError, match=r"missing is 'skip'. Choose one of mask, drop"):
        shared.clips(missing="skip")
    with pytest.raises(NotFound, match=r"no clip of 100 frames .* \(longest: 40 frames\)"):
        shared.clips(length=100)
    with pytest.raises(CommandError, match="rank 2 of world_size 2"):
        shared.clips().loader(rank=2, world_size=2)
    with pytest.raises(CommandError, match="threads is 0, must be 1 or more"):
        shared.clips().loader(threads=0)


def test_stills_give_clips_of_one_image(shard_factory, tmp_path):
    sessions = {"S01-001": {"kind": "stills"}, "S02-001": {}}
    ds = mavfer.load(shard_factory.make_study(tmp_path / "s", sessions).root, labels=None)
    clips = ds.select("kind == 'stills'").clips(length=16)

    assert len(clips) == 40
    assert clips[3]["color"].shape == (1, 24, 20, 3)
    with pytest.raises(CommandError, match="S01-001 holds stills, others hold video"):
        ds.clips(length=16)


def test_expressions_are_given_where_the_study_has_classes(study, shard_factory):
    shard_factory.write_label(study, "S01-001", expression=[1] * 40)
    study.document["expression_classes"] = ["neutral", "happy"]
    shard_factory.write_json(study.root / "study.json", study.document)
    clips = mavfer.load(study.root).clips(length=4)

    assert clips[0]["expression"].tolist() == [1] * 4
    assert clips[-1]["expression"].tolist() == [-1] * 4


# The loader.


def test_batches_hold_the_clips_in_the_order_of_seed_and_epoch(shared):
    clips = shared.clips(length=8, hop=4, start="random", seed=3)
    loader = clips.loader(batch_size=4)
    for epoch in range(2):
        expected = [clips.set_epoch(epoch)[int(i)] for i in clips.order(epoch, shuffle=True)]
        seen = 0
        for batch in loader:
            for place in range(len(batch["start"])):
                clip = expected[seen]
                seen += 1
                np.testing.assert_array_equal(batch["color"][place], clip["color"])
                np.testing.assert_array_equal(batch["depth"][place], clip["depth"])
                np.testing.assert_array_equal(
                    batch["valid"]["depth"][place], clip["valid"]["depth"]
                )
                np.testing.assert_array_equal(batch["time_seconds"][place], clip["time_seconds"])
                assert batch["session"][place] == clip["session"]

        assert seen == len(clips) == 27
        assert loader.epoch == epoch + 1
    assert len(loader) == 7


def test_the_order_does_not_depend_on_threads_or_prefetch(shared):
    clips = shared.clips(length=8, hop=4, start="random")
    digests = {
        digest(clips.loader(batch_size=size, threads=threads, prefetch=prefetch))
        for size, threads, prefetch in ((1, 1, 0), (4, 2, 2), (5, 3, 1), (40, 4, 3))
    }

    assert len(digests) == 1


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_share_the_clips_of_the_one_order(shared, world_size):
    clips = shared.clips(length=8, hop=4, start="random")
    whole = [(s, t) for b in clips.loader() for s, t in zip(b["session"], b["start"], strict=True)]
    for rank in range(world_size):
        loader = clips.loader(batch_size=3, rank=rank, world_size=world_size)
        own = [(s, t) for b in loader for s, t in zip(b["session"], b["start"], strict=True)]

        assert own == whole[rank::world_size]
    equal = [
        len(clips.loader(batch_size=3, rank=r, world_size=world_size, drop_last=True))
        for r in range(world_size)
    ]
    assert equal == [27 // 3 // world_size] * world_size


def test_a_loader_goes_on_where_its_state_was_taken(shared):
    clips = shared.clips(length=8, hop=4, start="random")
    whole = clips.loader(batch_size=4)
    whole.set_epoch(1)
    expected = [batch["start"].copy() for batch in whole]
    first = clips.loader(batch_size=4)
    first.set_epoch(1)
    for number, _ in enumerate(first):
        if number == 2:
            state = pickle.loads(pickle.dumps(first.state_dict()))
            break
    resumed = clips.loader(batch_size=4)
    resumed.load_state_dict(state)
    rest = [batch["start"].copy() for batch in resumed]

    assert state == {"seed": 0, "epoch": 1, "position": 12}
    np.testing.assert_array_equal(np.concatenate(rest), np.concatenate(expected[3:]))
    assert resumed.state_dict() == {"seed": 0, "epoch": 2, "position": 0}
    with pytest.raises(CommandError, match="state of seed 0, the clips have 5"):
        shared.clips(seed=5).loader().load_state_dict(state)


def test_buffers_are_used_again(shared):
    loader = shared.clips(length=8, hop=4).loader(batch_size=3, prefetch=2)

    assert len({batch["color"].ctypes.data for batch in loader}) == 3


def test_an_exception_of_a_thread_comes_out_and_threads_end(study):
    ds = mavfer.load(study.root, labels=None)
    table = ds["S02-001"].shard.streams["color"].table
    path = study.shard_path("S02-001")
    with path.open("r+b") as file:
        file.seek(int(table["offset"][30]) + 5)
        file.write(b"\xff\x00\xff")
    ds = mavfer.load(study.root, labels=None)

    with pytest.raises(ChecksumMismatch, match="session S02-001, color frame 30"):
        for _ in ds.clips(length=8, hop=4).loader(batch_size=4):
            pass
    assert loader_threads() == []


def test_breaking_off_ends_the_threads(shared):
    for _ in shared.clips(length=8, hop=4).loader():
        break

    assert loader_threads() == []


def test_crops_of_different_sizes_do_not_fit_a_batch(shard_factory, tmp_path):
    sessions = {"S01-001": {}, "S02-001": {"height": 30}}
    ds = mavfer.load(shard_factory.make_study(tmp_path / "s", sessions).root, labels=None)

    assert ds.clips()[0]["color"].shape == (16, 24, 20, 3)
    with pytest.raises(InvalidArray, match=r"different sizes \(24x20, 30x20\) do not fit a batch"):
        ds.clips().loader()


def loader_threads():
    import threading

    return [t.name for t in threading.enumerate() if t.name.startswith("mavfer-clips")]


def test_channels_come_first_where_asked(shared):
    plain = shared.clips(length=6, hop=6, views=("thermal_celsius",))
    first = shared.clips(length=6, hop=6, views=("thermal_celsius",), layout="CTHW")
    batch = next(iter(first.loader(batch_size=4, shuffle=False)))
    for index in range(4):
        expected, clip = plain[index], first[index]

        np.testing.assert_array_equal(clip["color"], np.moveaxis(expected["color"], -1, 0))
        assert clip["color"].flags.c_contiguous
        for name in ("depth", "thermal", "thermal_celsius"):
            np.testing.assert_array_equal(clip[name], expected[name][None])
        for name in ("color", "depth", "thermal", "thermal_celsius"):
            np.testing.assert_array_equal(batch[name][index], clip[name])
            assert batch[name].flags.c_contiguous
    with pytest.raises(CommandError, match=r"layout is 'HWC'. Choose one of THWC, CTHW"):
        shared.clips(layout="HWC")


def test_shards_held_in_memory_are_read_once(study, monkeypatch):
    from mavfer.study import shards

    ds = mavfer.load(study.root, labels=None)
    expected = digest(ds.clips(length=8, hop=4).loader())
    read = []
    original = shards.read_bytes
    monkeypatch.setattr(shards, "read_bytes", lambda *a: read.append(a) or original(*a))
    held = mavfer.load(study.root, labels=None).clips(length=8, hop=4, cache="ram")
    first = digest(held.loader())
    held.set_epoch(0)
    times = len(read)
    again = held.loader()

    assert first == digest(again) == expected
    assert times == len(read) == 3  # one for each session, none in the second epoch
    assert digest(pickle.loads(pickle.dumps(held)).loader()) == expected


def test_a_cache_larger_than_the_machine_is_refused(shared, monkeypatch):
    monkeypatch.setattr("mavfer.clips.memory_bytes", lambda: 1000)

    with pytest.raises(
        CommandError, match=r"cache='ram': the shards have 0.0 GB, this machine has"
    ):
        shared.clips(cache="ram")


def test_a_replaced_shard_is_noticed_also_where_bytes_are_held(study, shard_factory):
    ds = mavfer.load(study.root, labels=None)
    clips = ds.clips(length=8, hop=8, cache="ram")
    table = ds["S01-001"].shard.streams["color"].table
    path = study.shard_path("S01-001")
    with path.open("r+b") as file:
        file.seek(int(table["offset"][3]) + 5)
        file.write(b"\xff\x00\xff")

    with pytest.raises(InvalidFile, match="changed since"):
        clips[0]


@pytest.mark.parametrize(("workers", "world_size"), [(0, 1), (2, 1), (1, 2)])
def test_a_sampler_gives_torch_the_order_of_the_loader(shared, workers, world_size):
    data = pytest.importorskip("torch.utils.data", reason="torch is not installed")
    clips = shared.clips(length=8, hop=4, start="random", seed=5).set_epoch(3)
    loader = clips.loader(batch_size=4)
    loader.set_epoch(3)
    expected = [int(start) for batch in loader for start in batch["start"]]
    for rank in range(world_size):
        sampler = clips.sampler(rank=rank, world_size=world_size)
        sampler.set_epoch(3)
        batches = data.DataLoader(clips, batch_size=4, sampler=sampler, num_workers=workers)
        found = [int(start) for batch in batches for start in batch["start"]]

        assert found == expected[rank::world_size]
        assert len(sampler) == len(found)
        resumed = clips.sampler(rank=rank, world_size=world_size)
        resumed.load_state_dict(sampler.state_dict(done=5))
        assert list(resumed) == list(sampler)[5:]
        assert len(resumed) == len(found) - 5


def test_batches_are_pinned_where_torch_has_a_gpu(shared, monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    asked = []
    zeros = torch.zeros
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch, "zeros", lambda *a, pin_memory, **k: asked.append(pin_memory) or zeros(*a, **k)
    )
    clips = shared.clips(length=8, hop=4, views=("depth_mm",))
    batch = clips.empty_batch(2)

    assert asked == [True] * 4
    assert batch["thermal"].dtype == np.uint16
    assert batch["depth_mm"].dtype == np.float32
    clips.read_into(0, batch, 1)
    np.testing.assert_array_equal(batch["color"][1], clips[0]["color"])


# Other processes.


def read_in_child(clips, queue):
    queue.put([clips[i]["color"].tobytes() for i in range(len(clips))])


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_forked_child_reads_what_its_parent_has_open(shared):
    clips = shared.clips(length=8, hop=8)
    expected = [clips[i]["color"].tobytes() for i in range(len(clips))]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=read_in_child, args=(clips, queue))
    child.start()
    found = queue.get(timeout=60)
    child.join()

    assert found == expected
    assert [clips[i]["color"].tobytes() for i in range(len(clips))] == expected


@pytest.mark.parametrize(
    ("workers", "method"), [(0, None), (2, "fork"), (1, "spawn"), (1, "forkserver")]
)
def test_torch_reads_the_same_clips_with_and_without_workers(shared, workers, method):
    data = pytest.importorskip("torch.utils.data", reason="torch is not installed")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    clips = shared.clips(length=8, hop=8, start="random").set_epoch(4)
    loader = data.DataLoader(
        clips, batch_size=4, num_workers=workers, multiprocessing_context=method
    )
    batches = list(loader)

    assert [len(batch["start"]) for batch in batches] == [4, 4, 4, 3]
    assert batches[0]["depth"].shape == (4, 8, 24, 20)
    assert str(batches[0]["thermal"].dtype) == "torch.uint16"
    found = [
        batch["color"][place].numpy() for batch in batches for place in range(len(batch["start"]))
    ]
    for index, color in enumerate(found):
        np.testing.assert_array_equal(color, clips[index]["color"])

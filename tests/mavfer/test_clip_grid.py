import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mavfer
from mavfer.clip_grid import lay_grid
from mavfer.errors import CommandError, NotFound


class Session:
    """What a grid needs of a recording."""

    def __init__(self, usable):
        self.usable = np.asarray(usable, bool)
        self.info = {"group_size": 8}

    def __len__(self):
        return len(self.usable)


def first_frames(grid, start, epoch=0):
    return [
        grid.first_frame(place, start, seed=0, epoch=epoch, index=place)
        for place in range(len(grid))
    ]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.booleans(), min_size=1, max_size=120),
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(1, 20),
    st.sampled_from(["grid", "random", "group"]),
    st.sampled_from([0.25, 0.5, 1.0]),
)
def test_clips_have_the_least_validity_and_none_that_has_it_is_left_out(  # noqa: PLR0917 (drawn)
    usable, length, stride, hop, start, min_valid
):
    session = Session(usable)
    span = (length - 1) * stride + 1
    options = {"span": span, "stride": stride, "hop": hop, "start": start}
    grid = lay_grid(session, **options, min_valid=min_valid)
    share = {
        first: np.mean(session.usable[first : first + span : stride])
        for first in range(max(len(session) - span + 1, 0))
    }
    for epoch in range(3):
        for first in first_frames(grid, start, epoch):
            assert share[first] >= min_valid
    everywhere = lay_grid(session, **options, min_valid=0)
    for place, cell in enumerate(everywhere.cells):
        begin = int(cell) * hop
        if start == "grid":
            is_possible = share[begin] >= min_valid
        elif start == "random":
            is_possible = any(
                share[f] >= min_valid for f in range(begin, begin + hop) if f in share
            )
        else:
            drawn = {
                everywhere.first_frame(place, start, seed=s, epoch=0, index=place)
                for s in range(60)
            }
            is_possible = any(share[f] >= min_valid for f in drawn)

        assert (cell in grid.cells) == is_possible


def test_without_a_least_validity_no_column_is_read(shard_factory, tmp_path, monkeypatch):
    from mavfer.recordings import Recording

    study = shard_factory.make_study(tmp_path / "study")
    ds = mavfer.load(study.root, labels=None)
    monkeypatch.setattr(Recording, "usable", property(lambda self: pytest.fail("read")))

    assert len(ds.clips(length=8, hop=8)) == 15


def test_sessions_without_a_face_give_no_clips(shard_factory, tmp_path):
    nobody = np.zeros(40, np.uint8)
    half = np.where(np.arange(40) < 20, 7, 0).astype(np.uint8)
    sessions = {
        "S01-001": {"table": shard_factory.columns(40, valid=nobody)},
        "S02-001": {"table": shard_factory.columns(40, valid=half)},
    }
    ds = mavfer.load(shard_factory.make_study(tmp_path / "s", sessions).root, labels=None)
    clips = ds.clips(length=8, hop=8, min_valid=0.5)

    assert [clips.locate(i)[1].start for i in range(len(clips))] == [0, 8, 16]
    assert clips.locate(2)[0].session == "S02-001"
    with pytest.raises(NotFound, match="no clip of 24 frames has 100% of them with a face"):
        ds.clips(length=24, min_valid=1.0)
    with pytest.raises(CommandError, match=r"min_valid is 1.5, must be a share between 0 and 1"):
        ds.clips(min_valid=1.5)

import numpy as np
import pytest

from mavfer.errors import AlreadyThere, CommandError, InvalidFile, NotFound
from mavfer.study.labels import (
    LabelTrace,
    is_label_made_so,
    label_names,
    read_label,
    read_label_traces,
    write_label,
)

DIMENSIONS = ("arousal", "valence")


def read(study, **changes):
    options = {"name": "gold", "session": "S01-001", "frames": 40, "dimensions": DIMENSIONS}
    return read_label(study, **(options | changes))


def test_a_label_comes_back_with_gaps_as_nan(study, shard_factory):
    values = [None, *np.linspace(-1, 1, 39)]
    shard_factory.write_label(study, "S01-001", arousal=values, expression=[None, *[2] * 39])
    label = read(study)

    assert label_names(study) == ["gold"]
    assert np.isnan(label.values["arousal"][0])
    np.testing.assert_allclose(label.values["arousal"][1:], values[1:], rtol=1e-6)
    assert label.expression.tolist() == [-1, *[2] * 39]


def test_a_dimension_without_a_column_is_nan(study, shard_factory):
    shard_factory.write_label(study, "S01-001")

    assert np.isnan(read(study, dimensions=("dominance",)).values["dominance"]).all()


def test_a_label_of_other_frames_is_refused(study, shard_factory):
    shard_factory.write_label(study, "S01-001", frames=39)

    with pytest.raises(InvalidFile, match="39 rows, the shard has 40 frames"):
        read(study)


def test_rows_that_skip_a_frame_are_refused(study, shard_factory):
    path = shard_factory.write_label(study, "S01-001")
    path.write_text(path.read_text().replace("\n7,", "\n8,", 1), encoding="utf-8")

    with pytest.raises(InvalidFile, match="frame must count 0, 1, 2"):
        read(study)


def test_text_instead_of_a_number_is_named(study, shard_factory):
    shard_factory.write_label(study, "S01-001", valence=["high", *[0] * 39])

    with pytest.raises(InvalidFile, match="column valence: could not convert string"):
        read(study)


def test_missing_labels_and_impossible_names_are_told(study):
    with pytest.raises(NotFound, match=r"no such label. Make it: mavfer label"):
        read(study)
    with pytest.raises(CommandError, match="not a label name"):
        read(study, name="../gold")


def document(**changes):
    plain = {
        "session": "S01-001",
        "name": "gold",
        "method": "mean",
        "dimensions": {},
        "settings": {"reaction_seconds": 2.0},
        "inputs": {"ratings/S01-001/arousal.R1.001.csv": "0" * 64},
    }
    return plain | changes


def write(study, value=0.25, **options):
    values = np.full(40, value)
    values[3] = np.nan
    trace = LabelTrace(values, values - 0.1, values + 0.1, np.full(40, 3))
    times = np.arange(40) / 30
    return write_label(study, document(), times, {"arousal": trace}, **options)


def test_a_written_label_comes_back(study):
    write(study)
    label = read(study)

    assert np.isnan(label.values["arousal"][3])
    assert label.values["arousal"][4] == np.float32(0.25)
    assert np.isnan(label.values["valence"]).all()


def test_a_label_is_written_over_only_when_asked(study):
    path = write(study)
    before = path.read_bytes()

    with pytest.raises(AlreadyThere, match="Choose another --name, or pass --replace"):
        write(study, 0.5)
    assert path.read_bytes() == before
    write(study, 0.5, replace=True)
    assert read(study).values["arousal"][0] == np.float32(0.5)


def test_a_label_made_in_the_same_way_is_known(study):
    assert not is_label_made_so(study, document())
    path = write(study)

    assert is_label_made_so(study, document())
    for change in ({"method": "ewe"}, {"settings": {}}, {"inputs": {}}):
        with pytest.raises(AlreadyThere, match="other ratings or with other options"):
            is_label_made_so(study, document(**change))
    path.write_text(path.read_text().replace("0.25", "0.26"), encoding="utf-8")
    with pytest.raises(AlreadyThere, match="other ratings or with other options"):
        is_label_made_so(study, document())


def test_a_written_label_reads_back_with_its_band(study):
    write(study)
    traces, beside = read_label_traces(study, "gold", "S01-001")

    assert beside["method"] == document()["method"]
    assert list(traces) == ["arousal"]
    assert np.isnan(traces["arousal"].value[3])
    np.testing.assert_allclose(traces["arousal"].low[4:], traces["arousal"].value[4:] - 0.1)
    np.testing.assert_allclose(traces["arousal"].high[4:], traces["arousal"].value[4:] + 0.1)
    assert set(traces["arousal"].raters) == {3}

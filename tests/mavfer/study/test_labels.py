import numpy as np
import pytest

from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.study.labels import label_names, read_label

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

import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mavfer.errors import AlreadyThere, CommandError, InvalidFile, NotFound
from mavfer.files import sha256_of
from mavfer.study.ratings import (
    find_ratings,
    rating_at,
    read_latest_rating,
    read_rating,
    read_rating_and_repeat,
    write_rating,
)


@pytest.fixture
def rate(study, shard_factory):
    """Writes samples of one rater and gives what is known at some times."""

    def write(samples, times, lag=0.0, **options):
        full = [(*sample, 0) if len(sample) == 2 else sample for sample in samples]
        path = shard_factory.write_rating(study, "S01-001", "arousal", "R1", full, **options)
        return rating_at(read_rating(path), np.array(times, float), lag_seconds=lag).tolist()

    return write


def same(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-9, equal_nan=True)


NAN = float("nan")


def test_between_samples_the_rating_is_linear(rate):
    same(rate([(0, 0.0), (0.4, 0.8)], [0, 0.1, 0.3, 0.4]), [0, 0.2, 0.6, 0.8])


def test_nothing_is_known_across_a_gap_or_outside(rate):
    samples = [(1, 0.1), (1.5, 0.1), (2.01, 0.9), (2.3, 0.9)]

    same(rate(samples, [0.9, 1.2, 1.7, 2.1, 2.4]), [NAN, 0.1, NAN, 0.9, NAN])


def test_the_last_pass_over_a_stretch_wins(rate):
    first = [(t / 10, 0.0) for t in range(11)]
    again = [(t / 10, 1.0) for t in range(4, 8)]

    for passes in ([(0, 11), (11, 4)], []):
        same(
            rate(first + again, [0.2, 0.4, 0.55, 0.7, 0.75, 1.0], passes=passes),
            [0, 1, 1, 1, 0, 0],
        )


def test_two_passes_that_follow_each_other_are_not_joined(rate):
    samples = [(0, 0.0), (0.2, 0.0), (0.4, 1.0), (0.6, 1.0)]

    same(rate(samples, [0.1, 0.3, 0.5], passes=[(0, 2), (2, 2)]), [0, NAN, 1])


def test_samples_while_paused_or_without_a_value_are_not_used(rate):
    samples = [(0, 0.0), (0.1, 0.9, 1), (0.2, None), (0.3, 0.3)]

    same(rate(samples, [0.1, 0.2]), [0.1, 0.2])


def test_of_samples_at_one_time_the_last_holds(rate):
    same(rate([(0, 0.0), (0.2, 0.5), (0.2, 0.7), (0.4, 0.7)], [0.2, 0.3]), [0.7, 0.7])


def test_the_label_is_the_rating_one_lag_later(rate):
    samples = [(t / 10, t / 10) for t in range(31)]

    same(rate(samples, [0, 1, 2.5], lag=0.8), [0.8, 1.8, NAN])


def test_the_last_frame_counts_though_its_media_time_is_rounded(rate):
    last = round(39 / 30 * 90_000) / 90_000 - 1e-6

    same(rate([(1.0, 0.5), (last, 0.5)], [39 / 30]), [0.5])


def test_the_last_finished_take_counts(study, shard_factory):
    for take, complete in ((1, True), (2, True), (10, False)):
        shard_factory.write_rating(
            study, "S01-001", "valence", "R1", [(0, take / 10, 0)], take=take, complete=complete
        )

    assert [take for _, _, take, _ in find_ratings(study, "S01-001")] == [1, 2, 10]
    assert read_latest_rating(study, "S01-001", "valence", "R1").take == 2


def test_a_hidden_repeat_never_counts_and_is_kept_apart(study):
    repeated = document(take=2, is_complete=True, settings={"hidden_repeat": True})
    write_rating(study, repeated, SAMPLES)
    with pytest.raises(NotFound, match="no arousal rating by R1"):
        read_latest_rating(study, "S01-001", "arousal", "R1")
    write_rating(study, document(take=1, is_complete=False), SAMPLES)
    rating, repeat = read_rating_and_repeat(study, "S01-001", "arousal", "R1")

    assert read_latest_rating(study, "S01-001", "arousal", "R1").take == 1
    assert (rating.take, repeat.take) == (1, 2)
    assert (rating.is_hidden_repeat, repeat.is_hidden_repeat) == (False, True)
    assert read_rating_and_repeat(study, "S01-001", "arousal", "R2") == (None, None)


def test_no_rating_and_impossible_codes_are_told(study):
    with pytest.raises(NotFound, match="no arousal rating by R9"):
        read_latest_rating(study, "S01-001", "arousal", "R9")
    with pytest.raises(CommandError, match="not a rater code"):
        read_latest_rating(study, "S01-001", "arousal", "../R9")


def test_samples_that_do_not_fit_their_json_are_refused(study, shard_factory):
    path = shard_factory.write_rating(study, "S01-001", "arousal", "R1", [(0, 0.1, 0), (1, 0, 0)])
    text = path.read_text()
    path.write_text(text[: text.rindex("1,")], encoding="utf-8")
    with pytest.raises(InvalidFile, match=r"1 samples, .*json says 2|cells, the header has"):
        read_rating(path)
    path.write_text(text.replace("0.1", "high"), encoding="utf-8")
    with pytest.raises(InvalidFile, match="'high' is not of type 'number', 'null'"):
        read_rating(path)
    shard_factory.write_rating(study, "S01-001", "arousal", "R1", [(0, 0.1, 0)], passes=[(0, 5)])
    with pytest.raises(InvalidFile, match="a pass goes beyond the 1 samples"):
        read_rating(path)


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("0.1,", "0.1.1,", "'0.1.1' is not of type 'number'"),
        (",0\n", ",0.5\n", "'0.5' is not of type 'integer'"),
        (",0\n", ",70000\n", "70000 is greater than the maximum"),
        (",0\n", "\n", "4 cells, the header has 5"),
        (",0\n", ",\n", "None is not of type 'integer'"),
        ("media_time", "time", "'media_time' is a required property"),
    ],
)
def test_a_cell_that_does_not_fit_is_told(study, shard_factory, good, bad, said):
    samples = [(t / 10, 0.1, 0) for t in range(40)]
    path = shard_factory.write_rating(study, "S01-001", "arousal", "R1", samples)
    text = path.read_text(encoding="utf-8")
    at = text.rindex(good)
    path.write_text(text[:at] + bad + text[at + len(good) :], encoding="utf-8")

    with pytest.raises(InvalidFile, match=said):
        read_rating(path)


def test_a_file_from_another_system_reads_the_same(study, shard_factory):
    samples = [(t / 7, None if t % 5 == 0 else t / 3, t % 2) for t in range(50)]
    path = shard_factory.write_rating(study, "S01-001", "arousal", "R1", samples)
    plain = read_rating(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    other = read_rating(path)

    np.testing.assert_array_equal(other.media_time, plain.media_time)
    np.testing.assert_array_equal(other.value, plain.value)
    np.testing.assert_array_equal(other.flags, plain.flags)
    assert plain.media_time.tolist() == [t / 7 for t in range(50)]
    assert np.isnan(plain.value).sum() == 10


def document(**changes):
    plain = {
        "session": "S01-001",
        "dimension": "arousal",
        "rater": "R1",
        "take": 1,
        "kind": "simulated",
        "scale": {"kind": "bounded", "low": -1, "high": 1},
        "input": {},
        "settings": {"reaction_seconds": 0.8},
        "passes": [],
        "dropped_frames": 0,
        "video_sha256": None,
        "is_complete": True,
    }
    return plain | changes


@given(values=st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_numbers_read_back_equal(study, values):
    shutil.rmtree(study.ratings_folder, ignore_errors=True)
    times = np.sort(np.random.default_rng(0).random(len(values)))
    samples = {
        "media_time": times,
        "frame": [None] * len(values),
        "clock_ms": times * 1e3,
        "value": values,
        "flags": np.zeros(len(values), int),
    }
    rating = read_rating(write_rating(study, document(), samples))

    np.testing.assert_array_equal(rating.media_time, times)
    np.testing.assert_array_equal(rating.value, np.array(values, float))
    assert rating.document["settings"] == {"reaction_seconds": 0.8}
    assert rating.document["samples_sha256"] == sha256_of(study.ratings_folder / CSV)


SAMPLES = {"media_time": [0.0], "frame": [0], "clock_ms": [0.0], "value": [NAN], "flags": [0]}
CSV = "S01-001/arousal.R1.001.csv"


def test_a_take_is_never_overwritten(study):
    path = write_rating(study, document(), SAMPLES)
    before = path.read_bytes()

    with pytest.raises(AlreadyThere, match="a rating is never overwritten"):
        write_rating(study, document(), SAMPLES | {"value": [0.5]})
    assert path.read_bytes() == before
    assert write_rating(study, document(take=2), SAMPLES).name == "arousal.R1.002.csv"


def test_a_take_of_which_half_is_there_is_written_again(study):
    path = write_rating(study, document(), SAMPLES)
    path.unlink()

    assert find_ratings(study, "S01-001") == []
    assert write_rating(study, document(), SAMPLES) == path


def test_a_wrong_rating_leaves_nothing_behind(study):
    with pytest.raises(InvalidFile, match="not a valid rating file"):
        write_rating(study, document(kind="robot"), SAMPLES)
    with pytest.raises(InvalidFile, match="not a valid rating-samples file"):
        write_rating(study, document(), SAMPLES | {"frame": [-1]})
    with pytest.raises(CommandError, match="not a rating's name"):
        write_rating(study, document(rater="a/b"), SAMPLES)
    assert [path for path in study.ratings_folder.rglob("*") if path.is_file()] == []

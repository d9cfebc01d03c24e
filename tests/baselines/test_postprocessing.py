import re
from pathlib import Path

import numpy as np
import pytest

from baselines.postprocessing import MEDIAN_SECONDS, SHIFT_SECONDS, fit_avec2018, fit_chain
from baselines.prediction_steps import Centre, Gain, Median, Offset, Scale, Shift
from mavfer.errors import CommandError, InvalidArray
from mavfer.metrics import ccc

NAN = float("nan")
TRAIN = Path(__file__).parent.parent.parent / "docs" / "train.md"


def labels_of(recordings=3, times=1200):
    random = np.random.default_rng(0)
    steps = random.normal(0, 1, (recordings, times + 99))
    return [np.convolve(each, np.hanning(100), "valid") / 8 for each in steps]


def pooled(recordings, labels):
    return ccc(np.concatenate(recordings), np.concatenate(labels))


def kinds(chain):
    return [type(step) for step in chain.steps]


def test_the_ranges_are_the_published_ones():
    medians = [round(seconds * 25) for seconds in MEDIAN_SECONDS]
    shifts = [round(seconds * 25) for seconds in SHIFT_SECONDS]

    assert medians == list(range(10, 501, 10))
    assert shifts == [*range(1, 252, 5), *range(-1, -252, -5)]


def test_right_predictions_are_left_alone():
    labels = labels_of()
    chain = fit_chain(labels, labels)

    assert chain.steps == ()
    assert chain.validation_ccc == (1.0,)
    np.testing.assert_array_equal(chain.apply(labels), labels)


def test_a_known_shift_is_undone():
    labels = labels_of()
    late = [Shift(36)(label) for label in labels]
    chain = fit_chain(late, labels, median_seconds=())

    assert chain.steps[-1] == Shift(-36)
    assert chain.validation_ccc[-1] > 0.99


def test_shifts_and_windows_are_seconds():
    labels = labels_of()
    late = [Shift(72)(label) for label in labels]

    chain = fit_chain(late, labels, rate_hz=50, median_seconds=())
    near = fit_chain(late, labels, rate_hz=50, median_seconds=(), shift_seconds=[-1.2, 1.0])
    assert chain.steps[-1] == Shift(-72)
    assert near.steps[-1] == Shift(-60)


def test_noise_level_and_spread_are_mended_in_this_order():
    random = np.random.default_rng(1)
    labels = labels_of()
    predictions = [
        0.3 * label + level + random.normal(0, 0.4, len(label))
        for label, level in zip(labels, (0.0, 0.1, 0.2), strict=True)
    ]
    chain = fit_chain(predictions, labels)

    assert kinds(chain)[:3] == [Median, Centre, Scale]
    values = np.array(chain.validation_ccc)
    assert (np.diff(values) > 0).all()
    assert values[0] == pytest.approx(pooled(predictions, labels))
    assert values[-1] == pytest.approx(pooled(chain.apply(predictions), labels))
    assert chain.steps[1].mean == pytest.approx(np.mean(labels))
    assert chain.steps[2].deviation == pytest.approx(np.std(labels))


def test_the_best_window_is_the_one_that_a_loop_finds():
    random = np.random.default_rng(2)
    labels = labels_of()
    predictions = [label + random.normal(0, 1, len(label)) for label in labels]
    chain = fit_chain(predictions, labels, shift_seconds=())

    scores = {
        samples: pooled([Median(samples)(each) for each in predictions], labels)
        for samples in range(10, 501, 10)
    }
    assert chain.steps[0] == Median(max(scores, key=scores.get))


def test_test_recordings_get_what_was_found_on_validation():
    labels = labels_of(4)
    predictions = [0.5 * label + 1.0 for label in labels]
    chain = fit_chain(predictions[:2], labels[:2])
    (test,) = chain.apply(predictions[3:])

    expected = predictions[3]
    for step in chain.steps:
        expected = step(expected)
    np.testing.assert_array_equal(test, expected)
    assert {Centre, Scale} <= set(kinds(chain))
    centre = next(step for step in chain.steps if isinstance(step, Centre))
    assert centre.mean == pytest.approx(np.mean(labels[:2]))


def test_avec2018_moves_and_multiplies_everything_alike_by_hand():
    labels = [np.array([0.0, 1.0, 2.0]), np.array([2.0, 3.0, 4.0])]
    predictions = [np.array([5.0, 5.5, 6.0]), np.array([6.0, 6.5, 7.0])]
    chain = fit_avec2018(predictions, labels, aggregate="pooled")

    # Means 2 and 6; then deviations in the ratio 2 - about 0, so that the level of 2 doubles.
    # That is no better, and is not kept.
    assert chain.steps == (Offset(-4.0),)
    centred = [each - 2.0 for each in labels]
    chain = fit_avec2018(predictions, centred, aggregate="pooled")
    assert chain.steps == (Offset(-6.0), Gain(pytest.approx(2.0)))
    np.testing.assert_allclose(chain.apply(predictions), centred, atol=1e-12)
    assert chain.validation_ccc[-1] == pytest.approx(1)


def test_the_two_aggregates_are_different_quantities():
    labels = [np.array([0.0, 1.0, 2.0]), np.array([10.0, 11.0, 12.0])]
    predictions = [np.array([2.0, 1.0, 0.0]), np.array([12.0, 11.0, 10.0])]

    assert fit_chain(predictions, labels).validation_ccc[0] > 0.9
    chain = fit_chain(predictions, labels, aggregate="mean_of_sessions", shift_seconds=())
    assert chain.validation_ccc[0] == pytest.approx(-1)


def test_missing_values_count_for_nothing():
    random = np.random.default_rng(3)
    labels = labels_of(2)
    predictions = [0.5 * label + 1 + random.normal(0, 0.5, len(label)) for label in labels]
    nothing = np.full(50, NAN)
    whole = fit_chain(predictions, labels, shift_seconds=())
    chain = fit_chain(
        [*(np.concatenate([each, nothing]) for each in predictions), nothing],
        [*(np.concatenate([each, nothing]) for each in labels), nothing],
        shift_seconds=(),
    )

    assert kinds(whole) == [Median, Centre, Scale]
    assert chain.steps == whole.steps
    assert np.isnan(chain.apply([nothing])[0]).all()


def test_constant_predictions_are_no_reason_to_fall():
    labels = labels_of(2)
    chain = fit_chain([np.full(1200, 0.5)] * 2, labels)
    same = fit_chain([np.zeros(9)], [np.zeros(9)])

    assert chain.validation_ccc[0] == pytest.approx(0)
    assert same.steps == ()
    assert np.isnan(same.validation_ccc[0])
    assert fit_avec2018([np.zeros(9)], [np.arange(9)]).validation_ccc[0] == 0


def test_what_was_done_is_told_with_its_score():
    labels = labels_of(2)
    text = str(fit_chain([label + 1.0 for label in labels], labels, shift_seconds=()))

    assert re.match(r"raw: CCC on validation 0\.\d+\neach recording's mean set to", text)


@pytest.mark.parametrize(
    ("predictions", "labels", "options", "error", "message"),
    [
        ([[1, 2]], [[1]], {}, InvalidArray, "must be the same"),
        ([[1, 2]], [], {}, InvalidArray, "must be the same"),
        ([[[1, 2]]], [[1, 2]], {}, InvalidArray, "give"),
        ([[1, np.inf]], [[1, 2]], {}, InvalidArray, "without infinite values"),
        ([], [], {}, CommandError, "Give the part val"),
        ([[NAN, 1]], [[1, NAN]], {}, CommandError, "Give the part val"),
        ([[1, 2]], [[1, 2]], {"rate_hz": 0}, CommandError, "must be above 0"),
        ([[1, 2]], [[1, 2]], {"aggregate": "all"}, CommandError, "Choose one of pooled"),
    ],
)
def test_bad_input_is_told(predictions, labels, options, error, message):
    with pytest.raises(error, match=message):
        fit_chain(predictions, labels, **options)


def test_the_example_of_the_documents_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", TRAIN.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "fit_chain" in block]
    exec(example, {})

    *_, last = capsys.readouterr().out.splitlines()
    raw, processed = map(float, last.split())
    assert processed > raw

"""Scores of classes are those of scikit-learn, from counts that can be added."""

import numpy as np
import pytest

from baselines.confusion import accuracy, class_f1, confusion, f1_macro

CLASSES = 4


def example(seed=0, count=200):
    random = np.random.default_rng(seed)
    label = random.integers(0, CLASSES - 1, count)  # the last class never occurs
    answered = np.where(random.random(count) < 0.6, label, random.integers(0, CLASSES - 1, count))
    return answered, label


def test_counts_and_scores_are_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    answered, label = example()

    counts = confusion(answered, label, CLASSES)

    np.testing.assert_array_equal(
        counts, sklearn.confusion_matrix(label, answered, labels=range(CLASSES))
    )
    assert accuracy(counts) == pytest.approx(sklearn.accuracy_score(label, answered))
    assert f1_macro(counts) == pytest.approx(sklearn.f1_score(label, answered, average="macro"))
    expected = sklearn.f1_score(label, answered, average=None)
    np.testing.assert_allclose(class_f1(counts)[:3], expected)
    assert np.isnan(class_f1(counts)[3])


def test_counts_of_parts_add_up():
    answered, label = example()

    halves = [confusion(answered[s], label[s], CLASSES) for s in (slice(70), slice(70, None))]

    np.testing.assert_array_equal(sum(halves), confusion(answered, label, CLASSES))


def test_what_is_missing_does_not_count():
    counts = confusion([0, -1, np.nan, 1], [0, 1, 1, np.nan], 2)

    assert counts.tolist() == [[1, 0], [0, 0]]


def test_without_a_frame_nothing_is_known():
    counts = confusion([], [], 2)

    assert np.isnan(accuracy(counts))
    assert np.isnan(f1_macro(counts))

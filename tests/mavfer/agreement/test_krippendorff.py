import warnings

import krippendorff
import numpy as np
import pytest

from mavfer import agreement
from mavfer.errors import CommandError, InvalidArray

NAN = float("nan")
LEVELS = ("nominal", "ordinal", "interval", "ratio")
# Four observers, twelve units: Krippendorff 2011, section C.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)


@pytest.mark.parametrize(
    ("level", "printed"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_the_published_example(level, printed):
    assert agreement.krippendorff_alpha(PUBLISHED, level) == pytest.approx(printed, abs=0.0005)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(4))
def test_any_level_with_gaps_is_that_of_the_package(level, seed):
    random = np.random.default_rng(seed)
    ratings = np.clip(random.integers(0, 5, 40) + random.integers(-1, 2, (4, 40)), 0, 5) * 1.0
    ratings[random.random((4, 40)) < 0.2] = NAN
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = krippendorff.alpha(ratings, level_of_measurement=level)

    assert agreement.krippendorff_alpha(ratings, level) == pytest.approx(expected, abs=1e-9)


def test_continuous_traces_are_no_trouble():
    random = np.random.default_rng(0)
    common = random.normal(size=1000)
    ratings = np.abs(common + random.normal(size=(6, 1000)))

    for level in ("ordinal", "interval", "ratio"):
        assert 0 < agreement.krippendorff_alpha(ratings, level) < 1


def test_sessions_give_one_value_each_and_contradiction_is_negative():
    line = np.arange(10.0)
    found = agreement.krippendorff_alpha([[line, line], [line, -line]])

    assert found[0] == 1
    assert found[1] < 0


def test_degenerate_ratings_have_documented_answers():
    for level in LEVELS:
        assert np.isnan(agreement.krippendorff_alpha([[1.0, 2.0]], level))
        assert np.isnan(agreement.krippendorff_alpha([[3.0, 3.0], [3.0, 3.0]], level))
        assert np.isnan(agreement.krippendorff_alpha(np.full((2, 3), NAN), level))
    with pytest.raises(CommandError, match="Choose one of nominal, ordinal"):
        agreement.krippendorff_alpha(PUBLISHED, "linear")
    with pytest.raises(InvalidArray, match="negative values, which have no ratios"):
        agreement.krippendorff_alpha([[-1.0, 2.0], [1.0, 2.0]], "ratio")

import warnings
from itertools import permutations

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


def of_pairs(ratings, level):
    """The definition: differences of all pairs within the units, beside those of all pairs."""
    units = [column[~np.isnan(column)] for column in ratings.T]
    units = [unit for unit in units if len(unit) > 1]
    values = np.concatenate(units)
    between = {
        "nominal": lambda a, b: float(a != b),
        "ordinal": lambda a, b: (
            np.sum((values >= min(a, b)) & (values <= max(a, b)))
            - (np.sum(values == a) + np.sum(values == b)) / 2
        ),
        "interval": lambda a, b: a - b,
        "ratio": lambda a, b: (a - b) / (a + b),
    }[level]
    within = sum(
        between(a, b) ** 2 / (len(unit) - 1) for unit in units for a, b in permutations(unit, 2)
    )
    among = sum(between(a, b) ** 2 for a, b in permutations(values, 2))
    return 1 - (within / len(values)) / (among / (len(values) * (len(values) - 1)))


@pytest.mark.parametrize(
    ("level", "printed"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_the_published_example(level, printed):
    found = agreement.krippendorff_alpha(PUBLISHED, level)

    assert found == pytest.approx(printed, abs=0.0005)
    assert found == pytest.approx(of_pairs(PUBLISHED, level), abs=1e-12)


@pytest.mark.parametrize("gaps", [0, 0.2, 0.7])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(3))
def test_any_level_is_that_of_the_package(level, seed, gaps):
    random = np.random.default_rng(seed)
    ratings = np.clip(random.integers(0, 5, 40) + random.integers(-1, 2, (4, 40)), 0, 5) * 1.0
    ratings[random.random((4, 40)) < gaps] = NAN
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

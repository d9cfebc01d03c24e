import numpy as np
import pytest

from mavfer import fusion
from mavfer.errors import CommandError


def test_the_same_seed_gives_the_same_raters():
    one, same, other = (fusion.simulate_raters(seed, seconds=10) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one.ratings, same.ratings)
    assert (one.ratings != other.ratings).any()


def test_raters_follow_the_truth_their_lag_later():
    panel = fusion.simulate_raters(3, seconds=400, with_bad=False)

    for rating, lag in zip(panel.ratings, panel.lags_seconds, strict=True):
        late = round(lag * 25)
        assert 0.5 < np.corrcoef(rating[late:], panel.truth[:-late])[0, 1] < 1


def test_the_last_two_are_mirrored_and_still():
    panel = fusion.simulate_raters(4, raters=5, seconds=200)
    late = round(panel.lags_seconds[3] * 25)

    assert panel.is_bad.tolist() == [False, False, False, True, True]
    assert np.corrcoef(panel.ratings[3, late:], panel.truth[:-late])[0, 1] < -0.4
    assert np.ptp(panel.ratings[4]) == np.ptp(panel.followed[4]) == 0


def test_noise_fades_as_slowly_as_asked():
    fast, slow = (
        fusion.simulate_raters(5, seconds=300, noise_seconds=seconds, with_bad=False)
        for seconds in (0.0, 2.0)
    )

    def roughness(panel):
        return np.diff(panel.ratings, axis=1).std()

    assert roughness(slow) < 0.3 * roughness(fast)


@pytest.mark.parametrize(
    "wrong", [{"raters": 2}, {"seconds": 0}, {"rate_hz": -1}, {"noise_seconds": -1}]
)
def test_numbers_that_make_no_sense_are_told(wrong):
    with pytest.raises(CommandError, match="at least 3 raters"):
        fusion.simulate_raters(1, **wrong)

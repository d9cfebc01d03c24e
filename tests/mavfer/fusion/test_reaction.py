import numpy as np
import pytest

from mavfer import fusion
from mavfer.errors import CommandError, InvalidArray
from mavfer.fusion.reaction import reaction_from_features

RATE_HZ = 10
NAN = float("nan")


def session(seed, seconds=120, late=2.3):
    """Raters, and features of what they saw: one follows it, one bends it, one is of no use."""
    random = np.random.default_rng(seed)
    panel = fusion.simulate_raters(
        seed, seconds=seconds, rate_hz=RATE_HZ, noise_seconds=0.5, with_bad=False
    )
    felt = panel.truth
    noise = random.normal(size=(3, len(felt)))
    features = np.stack([felt + 0.2 * noise[0], np.exp(-2 * felt) + 0.2 * noise[1], noise[2]])
    frames = round(late * RATE_HZ)
    ratings = np.full((2, len(felt)), NAN)
    ratings[:, frames:] = felt[:-frames] * [[0.7], [1.2]] + 0.1
    ratings += 0.1 * random.normal(size=ratings.shape)
    return ratings, features


@pytest.mark.parametrize("late", [0.6, 2.3, 5.0])
def test_the_delay_of_the_raters_is_found(late):
    errors = [
        reaction_from_features(*session(seed, late=late), RATE_HZ).seconds - late
        for seed in range(6)
    ]

    assert np.median(np.abs(errors)) <= 0.1


def test_lags_among_the_raters_are_taken_out_first():
    ratings, features = session(2, late=2.0)
    later = np.full_like(ratings, NAN)
    later[0], later[1, 10:] = ratings[0], ratings[1, :-10]

    found = reaction_from_features(later, features, RATE_HZ, lags=[0.0, 1.0])

    assert found.seconds == pytest.approx(2.0, abs=0.1)


def test_features_that_say_nothing_have_no_answer():
    ratings, features = session(3)
    unrelated = session(4)[1][:, : ratings.shape[1]]

    assert np.isnan(reaction_from_features(ratings, features[2:], RATE_HZ).seconds)
    assert np.isnan(reaction_from_features(ratings, unrelated, RATE_HZ).seconds)
    assert np.isnan(reaction_from_features(ratings, np.ones_like(features), RATE_HZ).seconds)


def test_raters_ahead_of_the_pictures_have_no_answer():
    ratings, features = session(5, late=1.0)

    early = reaction_from_features(ratings[:, 40:], features[:, :-40], RATE_HZ)

    assert np.isnan(early.seconds)
    assert early.delays_seconds[early.information.argmax()] == pytest.approx(-3.0, abs=0.2)


def test_missing_frames_and_another_scale_change_little():
    ratings, features = session(6)
    random = np.random.default_rng(0)
    features[:, random.random(features.shape[1]) < 0.3] = NAN
    ratings[0, 200:300] = NAN

    found = reaction_from_features(100 * ratings, np.exp(3 * features), RATE_HZ)

    assert found.seconds == pytest.approx(2.3, abs=0.15)


def test_short_sessions_are_put_one_after_the_other():
    gap = np.full((5, round(12 * RATE_HZ) + 1), NAN)
    parts = [np.vstack(session(seed, seconds=20)) for seed in range(8)]
    joined = np.concatenate([each for part in parts for each in (part, gap)], axis=1)

    found = reaction_from_features(joined[:2], joined[2:], RATE_HZ)

    assert found.seconds == pytest.approx(2.3, abs=0.15)


def test_what_does_not_fit_is_told():
    ratings, features = session(7, seconds=20)

    with pytest.raises(InvalidArray, match=r"give \(K, T\) and \(F, T\)"):
        reaction_from_features(ratings, features[:, :-1], RATE_HZ)
    with pytest.raises(InvalidArray, match="without infinite values"):
        reaction_from_features(ratings, np.full_like(features, np.inf), RATE_HZ)
    with pytest.raises(InvalidArray, match="one number a rater"):
        reaction_from_features(ratings, features, RATE_HZ, lags=[0.0])
    with pytest.raises(CommandError, match="above 0"):
        reaction_from_features(ratings, features, 0)

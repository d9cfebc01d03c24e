"""What is predicted from arrays is what scikit-learn predicts."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR, LinearSVR

from baselines.models.classical.regression import FrameRegressor, SvrOptions, bridged


class Given(FrameRegressor):
    """Whose features are those that a session brings with it."""

    default_config = "given"

    def features(self, session):
        return session.features


def session(count=120, seed=0):
    random = np.random.default_rng(seed)
    features = random.normal(size=(count, 5)) * [1, 10, 0.1, 1, 1] + [0, 5, 0, 0, 100]
    labels = np.stack([np.tanh(features[:, 0]), features[:, 3] * 0.3], axis=1)
    recording = SimpleNamespace(info={"rate_hz": None})
    return SimpleNamespace(features=features, labels=labels.astype(np.float32), recording=recording)


def regressor(**options):
    config = SimpleNamespace(model=SvrOptions(**options), rate_hz=0.0)
    return Given(config, ("color",), ("arousal", "valence"))


def scikit(options, features, labels, held_out):
    scaler = StandardScaler().fit(features)
    given, asked = scaler.transform(features), scaler.transform(held_out)
    if options.kernel == "linear":
        made = LinearSVR(
            C=options.penalty,
            epsilon=options.epsilon,
            loss="squared_epsilon_insensitive",
            dual=False,
            random_state=0,
        )
    else:
        made = SVR(C=options.penalty, epsilon=options.epsilon)
    return np.stack([made.fit(given, label).predict(asked) for label in labels.T], axis=1)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_predictions_are_those_of_scikit_learn(kernel):
    model, seen, held_out = regressor(kernel=kernel), session(), session(700, seed=1)

    model.fit([seen])

    expected = scikit(
        model.config.model, seen.features, seen.labels.astype(float), held_out.features
    )
    np.testing.assert_allclose(model.predict(held_out), expected, atol=1e-9)


def test_a_missing_feature_stands_at_its_mean():
    model, seen = regressor(), session()
    model.fit([seen])
    partly, at_mean = session(3, seed=2), session(3, seed=2)
    partly.features[1, 1] = np.nan
    at_mean.features[1, 1] = seen.features[:, 1].mean()

    np.testing.assert_allclose(model.predict(partly), model.predict(at_mean), atol=1e-12)


def test_frames_without_features_lie_between_their_neighbours():
    model = regressor()
    model.fit([session()])
    gappy = session(4, seed=2)
    gappy.features[1:3] = np.nan

    values = model.predict(gappy)

    np.testing.assert_allclose(values[1], values[0] + (values[3] - values[0]) / 3)


def test_a_dimension_is_fitted_on_its_own_rated_frames():
    model, seen = regressor(), session()
    seen.labels[60:, 0] = np.nan

    model.fit([seen])

    expected = scikit(
        model.config.model,
        seen.features,
        seen.labels[:, 1:].astype(float),
        seen.features,
    )
    np.testing.assert_allclose(model.predict(seen)[:, 1:], expected, atol=1e-9)


def test_a_constant_feature_does_no_harm():
    model, seen = regressor(), session()
    seen.features[:, 2] = 4.0

    model.fit([seen])

    assert np.isfinite(model.predict(seen)).all()


def test_features_of_one_kind_keep_their_proportions():
    model, seen = regressor(), session()
    model.kinds = lambda _: np.array([0, 0, 0, 1, 1])

    model.fit([seen])

    deviations = seen.features.std(0)
    np.testing.assert_allclose(
        model.arrays["deviation"],
        np.sqrt([*[np.mean(deviations[:3] ** 2)] * 3, *[np.mean(deviations[3:] ** 2)] * 2]),
    )


def test_nothing_known_is_nothing_told():
    assert np.isnan(bridged(np.zeros((3, 2)), np.zeros(3, bool))).all()

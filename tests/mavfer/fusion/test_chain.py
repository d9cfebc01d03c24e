import numpy as np

from mavfer.fusion.chain import solve_chain


def test_moments_are_those_of_the_full_matrix():
    random = np.random.default_rng(3)
    beside = np.append(0.0, random.uniform(-1, 1, 11))
    diagonal = 2.5 + random.uniform(0, 1, 12)
    pull = random.normal(size=12)
    precision = np.diag(diagonal) + np.diag(beside[1:], 1) + np.diag(beside[1:], -1)
    covariance = np.linalg.inv(precision)

    chain = solve_chain(diagonal, beside, pull)

    np.testing.assert_allclose(chain.mean, covariance @ pull, rtol=1e-12)
    np.testing.assert_allclose(chain.variance, np.diag(covariance), rtol=1e-12)
    np.testing.assert_allclose(chain.covariance[1:], np.diag(covariance, 1), rtol=1e-11)
    np.testing.assert_array_equal(chain.before[0], np.append(0.0, chain.mean[:-1]))


def test_one_variable_is_a_chain():
    chain = solve_chain(np.array([4.0]), np.zeros(1), np.array([2.0]))

    assert (chain.mean[0], chain.variance[0]) == (0.5, 0.25)

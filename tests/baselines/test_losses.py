"""What training makes small is what is scored."""

import numpy as np
import torch

from baselines.losses import NO_CLASS, ccc_per_dimension, class_loss, regression_loss
from mavfer import metrics


def example():
    random = np.random.default_rng(0)
    predicted, label = random.normal(0, 1, (2, 4, 10, 2)).astype(np.float32)
    return torch.tensor(predicted), torch.tensor(predicted + label), torch.rand(4, 10, 2) < 0.7


def test_the_loss_is_made_of_the_scores_of_each_dimension():
    predicted, label, mask = example()
    expected = []
    for column in range(2):
        chosen = mask[..., column].numpy()
        a, b = predicted[..., column].numpy()[chosen], label[..., column].numpy()[chosen]
        expected.append(1 - metrics.ccc(a, b) + 0.5 * metrics.rmse(a, b) ** 2)

    loss = regression_loss(predicted, label, mask, ccc_weight=1, mse_weight=0.5)

    assert abs(loss.item() - np.mean(expected)) < 1e-5


def test_what_is_masked_does_not_matter_even_where_it_is_nan():
    predicted, label, mask = example()
    spoiled = torch.where(mask, label, torch.nan)

    loss = regression_loss(predicted, spoiled, mask, ccc_weight=1, mse_weight=1)

    assert loss == regression_loss(predicted, label, mask, ccc_weight=1, mse_weight=1)


def test_a_dimension_that_nobody_rated_is_left_out():
    predicted, label, mask = example()
    mask[..., 1] = False
    alone = (predicted[..., :1], label[..., :1], mask[..., :1])

    loss = regression_loss(predicted, label, mask, ccc_weight=1, mse_weight=1)

    torch.testing.assert_close(loss, regression_loss(*alone, ccc_weight=1, mse_weight=1))


def test_without_a_label_the_loss_and_its_gradient_are_zero():
    predicted, label, mask = example()
    predicted.requires_grad_()

    loss = regression_loss(predicted, label, torch.zeros_like(mask), ccc_weight=1, mse_weight=1)
    loss.backward()

    assert loss == 0
    assert predicted.grad.abs().max() == 0


def test_a_constant_agrees_with_nothing():
    _, label, mask = example()

    assert ccc_per_dimension(torch.zeros_like(label), label, mask).tolist() == [0, 0]


def test_the_loss_of_classes_is_the_mean_over_frames_that_have_one():
    logits = torch.randn(2, 3, 4)
    label = torch.tensor([[0, 3, NO_CLASS], [NO_CLASS, 1, 2]])
    chances = logits.softmax(-1)
    expected = [-chances[b, t, label[b, t]].log() for b, t in ((0, 0), (0, 1), (1, 1), (1, 2))]

    torch.testing.assert_close(class_loss(logits, label), torch.stack(expected).mean())


def test_without_a_class_the_loss_and_its_gradient_are_zero():
    logits = torch.randn(1, 2, 3, requires_grad=True)

    loss = class_loss(logits, torch.full((1, 2), NO_CLASS))
    loss.backward()

    assert loss == 0
    assert logits.grad.abs().max() == 0

"""The recurrent cell does what its equations say."""

import torch

from baselines.convlstm import ConvLstm


def cell(guide=0):
    torch.manual_seed(0)
    made = ConvLstm(3, 4, 5, guide)
    torch.nn.init.normal_(made.cell_to_output)
    return made


def by_hand(made, maps):
    """The equations of the docstring, frame by frame."""
    hidden = state = torch.zeros(len(maps), 4, 5, 5)
    states = []
    for frame in maps.unbind(1):
        i, f, c, o = (made.from_input(frame) + made.from_hidden(hidden)).chunk(4, 1)
        peep_i, peep_f = made.from_cell(state).chunk(2, 1)
        state = torch.sigmoid(f + peep_f) * state + torch.sigmoid(i + peep_i) * torch.tanh(c)
        hidden = torch.sigmoid(o + made.cell_to_output * state) * torch.tanh(state)
        states.append(hidden)
    return torch.stack(states, 1)


def test_the_states_are_those_of_the_equations():
    made, maps = cell(), torch.randn(2, 6, 3, 5, 5)

    states = made(maps)

    assert states.shape == (2, 6, 4, 5, 5)
    torch.testing.assert_close(states, by_hand(made, maps))


def test_a_frame_does_not_change_the_states_before_it():
    made, maps = cell(), torch.randn(1, 6, 3, 5, 5)
    changed = maps.clone()
    changed[:, 4] += 1

    before, after = made(maps), made(changed)

    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert (before[:, 4:] - after[:, 4:]).abs().min(dim=1).values.max() > 1e-3


def test_a_guide_of_zeros_changes_nothing_and_another_does():
    made, maps = cell(guide=2), torch.randn(1, 3, 3, 5, 5)

    unguided = made(maps)

    assert torch.equal(made(maps, torch.zeros(1, 3, 2, 5, 5)), unguided)
    assert not torch.allclose(made(maps, torch.ones(1, 3, 2, 5, 5)), unguided)


def test_peepholes_start_at_zero_and_the_forget_gate_open():
    made = ConvLstm(3, 4, 5)

    made.reset_parameters()

    assert made.cell_to_output.abs().max() == made.from_cell.weight.abs().max() == 0
    assert made.from_input.bias.tolist() == [0] * 4 + [1] * 4 + [0] * 8

"""Networks start from a file of torchvision's names; the files here are made up."""

import pytest
import torch
from safetensors.torch import save_file

from baselines.config import read_config
from baselines.initial_weights import start_from
from baselines.models import build_model
from baselines.results import load_model
from baselines.train import train_model
from mavfer.errors import CommandError, InvalidFile, NotFound

BOTH = ("arousal", "valence")
NARROW = {
    "alexnet": ["norm=none", "widths=[8, 12, 8, 8, 8]", "dense_widths=[16, 16]"],
    "vgg16": ["norm=none", "widths=[4, 4, 8, 8, 8]", "dense_widths=[16, 16]"],
    "resnet18": ["norm=batch", "widths=[4, 8, 8, 12]"],
}
LAST = {
    "alexnet": ("classifier.6", 16),
    "vgg16": ("classifier.6", 16),
    "resnet18": ("fc", 12),
}


def network(name, streams=("color",), *settings):
    torch.manual_seed(0)
    config = read_config(name, "demo", [*NARROW[name], *settings])
    return build_model(name, config, streams, BOTH).eval()


def made_up(name):
    """A state dict as torchvision would have it, of narrow sizes: three channels, 1000 classes."""
    state = network(name).frames.trunks["color"].state_dict()
    torch.manual_seed(7)
    state = {
        key: torch.rand(t.shape) if t.is_floating_point() else t + 5 for key, t in state.items()
    }
    last, numbers = LAST[name]
    state[f"{last}.weight"], state[f"{last}.bias"] = torch.rand(1000, numbers), torch.rand(1000)
    return state


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", NARROW)
def test_every_layer_but_the_last_comes_from_the_file(tmp_path, name, ending):
    path, given, model = tmp_path / f"weights{ending}", made_up(name), network(name)
    (save_file if ending == ".safetensors" else torch.save)(given, path)
    own_answers = model.answers.values.weight.clone()

    start_from(model, path)

    state = model.frames.trunks["color"].state_dict()
    assert set(given) - set(state) == {f"{LAST[name][0]}.weight", f"{LAST[name][0]}.bias"}
    assert all(torch.equal(state[key], given[key]) for key in state)
    assert torch.equal(model.answers.values.weight, own_answers)


@pytest.mark.parametrize("fusion", ["early", "late"])
def test_depth_and_thermal_see_as_a_grey_picture_would(tmp_path, fusion):
    path, given = tmp_path / "weights.pth", made_up("alexnet")
    torch.save(given, path)
    model = network("alexnet", ("color", "depth", "thermal"), f"fusion={fusion}")

    start_from(model, path)

    first = given["features.0.weight"]
    trunks = model.frames.trunks
    read = (
        trunks["together"].features[0].weight
        if fusion == "early"
        else torch.cat([trunks[n].features[0].weight for n in ("color", "depth", "thermal")], 1)
    )
    torch.testing.assert_close(read[:, :3], first)
    torch.testing.assert_close(read[:, 3:], first.sum(1, keepdim=True).repeat(1, 2, 1, 1))


def test_statistics_stay_behind_where_groups_are_normalised(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(made_up("resnet18"), path)
    model = network("resnet18", ("color",), "norm=group")

    start_from(model, path)

    state = model.frames.trunks["color"].state_dict()
    assert torch.equal(state["bn1.weight"], made_up("resnet18")["bn1.weight"])


def test_old_files_without_a_count_of_batches_are_read(tmp_path):
    path, given = tmp_path / "weights.pth", made_up("resnet18")
    old = {key: t for key, t in given.items() if not key.endswith("num_batches_tracked")}
    torch.save(old, path)
    model = network("resnet18")

    start_from(model, path)

    assert torch.equal(model.frames.trunks["color"].conv1.weight, given["conv1.weight"])


def test_training_starts_from_the_file_and_its_run_needs_it_no_more(labelled, tmp_path):
    path, given = tmp_path / "weights.pth", made_up("alexnet")
    torch.save(given, path)
    shared = ["size=40", "frames=4", "hop=24", "epochs=1", "learning_rate=1e-12", "shift_pixels=0"]
    settings = [*NARROW["alexnet"], *shared, f"init_from={path}"]

    config = read_config("alexnet", "demo", settings)
    folder, _ = train_model("alexnet", labelled.root, config)

    path.unlink()
    first = load_model(folder)[0].frames.trunks["color"].features[0].weight
    torch.testing.assert_close(first.detach(), given["features.0.weight"], atol=1e-6, rtol=0)


def broken(path, how):
    """Writes a file that is wrong in one way."""
    given = made_up("alexnet")
    if how == "torn":
        path.write_bytes(b"PK\x03\x04 and no more")
    elif how == "a pickle":
        torch.save({"features.0.weight": print}, path)
    elif how == "a list":
        torch.save([torch.zeros(2)], path)
    elif how == "of another network":
        torch.save(made_up("resnet18"), path)
    elif how == "a layer short":
        torch.save({k: t for k, t in given.items() if k != "features.3.bias"}, path)
    elif how == "wider":
        torch.save(given | {"features.3.bias": torch.rand(99)}, path)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("torn", "not readable as weights|is torn"),
        ("a pickle", "holds more than weights"),
        ("a list", "is no state dict"),
        ("of another network", "holds conv1.weight, which has no place in this network"),
        ("a layer short", r"holds no features.3.bias. Its names must be like features.0.weight"),
        ("wider", r"features.3.bias is \(99,\), here \(12,\)"),
    ],
)
def test_a_file_that_does_not_fit_is_named(tmp_path, how, message):
    path = tmp_path / "weights.pth"
    broken(path, how)

    with pytest.raises(InvalidFile, match=message):
        start_from(network("alexnet"), path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"init_from: .*no such file"):
        start_from(network("alexnet"), tmp_path / "weights.pth")


def test_a_model_that_starts_from_no_file_says_so(tmp_path):
    model = build_model("cnn", read_config("cnn", "demo"), ("color",), BOTH)

    with pytest.raises(CommandError, match="Cnn starts from no file"):
        start_from(model, tmp_path / "weights.pth")

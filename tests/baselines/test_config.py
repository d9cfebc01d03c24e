"""Options come from defaults, a file and the command, and a wrong one is told in one line."""

import tomllib
from dataclasses import fields

import pytest

from baselines.config import Config, read_config
from baselines.models import MODELS, find_model
from mavfer.errors import CommandError, NotFound


@pytest.mark.parametrize("model", MODELS)
def test_every_models_own_file_and_the_demos_are_valid(model):
    assert isinstance(read_config(model), Config)
    assert isinstance(read_config(model, "demo"), Config)


@pytest.mark.parametrize("model", MODELS)
def test_no_model_names_an_option_as_the_shared_ones_are_named(model):
    own = {field.name for field in fields(find_model(model).Options)}

    assert not own & {field.name for field in fields(Config)}


def test_a_models_options_may_stand_beside_the_shared_ones(tmp_path):
    path = tmp_path / "flat.toml"
    path.write_text("epochs = 4\nemotion_input = 'color'\n")

    assert read_config("mran", str(path)).model.emotion_input == "color"
    with pytest.raises(CommandError, match=r"no option 'emotion_input'. There are: .*norm"):
        read_config("sta", str(path))


def test_a_table_of_no_model_is_an_unknown_key(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("[mram]\nepochs = 2\n")

    with pytest.raises(CommandError, match="no option 'mram'"):
        read_config("mran", str(path))


def test_the_published_sizes_are_those_of_the_paper():
    config = read_config("sta")

    assert config.model.encoder_widths == (32, 64, 128)
    assert config.model.decoder_widths == (64, 32)
    assert config.model.emotion_widths == (32, 64, 128, 256)
    assert config.model.dense_widths == (1024, 1024)
    assert (config.frames, config.rate_hz, config.batch_size) == (16, 4.0, 16)
    assert (config.ccc_weight, config.mse_weight, config.learning_rate) == (0, 1, 1e-4)


def test_mran_keeps_the_sizes_of_sta():
    sta, mran = read_config("sta"), read_config("mran")

    assert (mran.size, mran.model.encoder_widths) == (sta.size, sta.model.encoder_widths)
    assert (mran.model.decoder_widths, mran.model.emotion_widths) == (
        sta.model.decoder_widths,
        sta.model.emotion_widths,
    )


def test_a_models_table_holds_for_that_model_only(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("epochs = 4\n[mran]\nepochs = 2\n")

    assert read_config("mran", str(path)).epochs == 2
    assert read_config("sta", str(path)).epochs == 4


def test_a_setting_is_stronger_than_the_file():
    config = read_config("sta", "demo", ["epochs=3", "decoder_widths=[12]", "norm=none"])

    assert (config.epochs, config.model.decoder_widths, config.model.norm) == (3, (12,), "none")


def test_what_is_written_reads_back_equal(tmp_path):
    config = read_config("mran", "demo", ["learning_rate=2", "mirror=false"])
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml())

    assert read_config("mran", str(path)) == config
    assert tomllib.loads(path.read_text()) == config.to_document()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epoch=3", "no option 'epoch'.*There are: size"),
        ("epochs", "not of the form KEY=VALUE"),
        ("epochs=many", "epochs is 'many', must be int"),
        ("epochs=1.5", "epochs is 1.5, must be int"),
        ("epochs=0", "epochs is 0, must be larger"),
        ("mirror=1", "mirror is 1, must be bool"),
        ("dropout=1.5", "dropout is 1.5, must be between 0 and 1"),
        ("norm=batch", "norm is 'batch'. Choose one of none, group"),
        ("ema_decay=1", "ema_decay is 1.0, must be 0 or more and below 1"),
        ("task=faces", "task is 'faces'. Choose one of dimensions, classes, both"),
        ("accumulate=0", "accumulate is 0, must be larger"),
        ("encoder_widths=[8.5]", "must be a list of integers"),
        ("encoder_strides=[1]", "one number a width"),
        ("emotion_strides=[1]", "emotion_strides needs two numbers"),
        ("emotion_widths=[8]", "emotion_widths needs two numbers or more"),
        ("decoder_widths=[8, 8]", "attention is 32 pixels wide and its volume 16"),
        ("emotion_widths=[8, 8, 8, 8, 8, 8, 8]", "too small for 7 emotion_widths"),
    ],
)
def test_a_wrong_setting_is_named(setting, message):
    with pytest.raises(CommandError, match=message):
        read_config("sta", "demo", [setting])


def test_a_file_that_is_not_there_is_answered_with_those_that_ship():
    with pytest.raises(NotFound, match=r"no such file.*There are: .*demo, .*mran, .*sta"):
        read_config("sta", "nowhere.toml")


def test_a_file_that_is_not_toml_is_named(tmp_path):
    path = tmp_path / "torn.toml"
    path.write_text("epochs = = 3")

    with pytest.raises(CommandError, match=r"torn.toml: not readable as TOML"):
        read_config("sta", str(path))

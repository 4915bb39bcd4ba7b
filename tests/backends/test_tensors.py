"""Files of weights that are cut, changed or of something else are named in one line, and nothing is left as drawn."""

import json
import logging

import numpy as np
import pytest
import torch
import wild
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from safetensors.torch import load_file, save_file
from torch import nn

from vf.backends import tensors


class Net(ModelMixin, ConfigMixin):
    """Two layers."""

    @register_to_config
    def __init__(self, width: int = 3):
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, 1)


@pytest.fixture
def saved(tmp_path):
    Net().save_pretrained(tmp_path / "net")
    return tmp_path / "net"


@pytest.mark.parametrize("how", wild.DAMAGES)
@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_a_damaged_file_is_named_in_one_line(tmp_path, how, suffix):
    values = {"a": torch.arange(5000.0), "b": torch.ones(3)}
    path = tmp_path / f"x.{suffix}"
    save_file(values, path) if suffix == "safetensors" else torch.save(values, path)
    assert tensors.read(path)["b"].tolist() == [1, 1, 1]
    wild.damaged(path, how)
    if (suffix, how) == ("pt", "one byte more"):
        return  # a zip may have bytes behind it
    with pytest.raises(tensors.CheckpointError, match=f"x.{suffix}: .*fetch it again") as caught:
        tensors.read(path)
    assert "\n" not in str(caught.value)


def test_a_foreign_file_is_named(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(3))
    for name, source in (("x.pt", "x.npy"), ("x.safetensors", "x.npy")):
        (tmp_path / name).write_bytes((tmp_path / source).read_bytes())
        with pytest.raises(tensors.CheckpointError, match=name):
            tensors.read(tmp_path / name)


def test_a_whole_folder_is_fine(saved):
    tensors.check_folder(saved)
    tensors.check_loaded(Net.from_pretrained(saved), saved)


def test_a_folder_that_lacks_a_tensor_is_refused(saved):
    file = next(saved.glob("*.safetensors"))
    values = load_file(file)
    del values["second.bias"]
    save_file(values, file)
    with pytest.raises(tensors.CheckpointError, match="net: lacks 1 tensors of Net, second.bias first: fetch it again"):
        tensors.check_loaded(Net.from_pretrained(saved), saved)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(saved, bad):
    file = next(saved.glob("*.safetensors"))
    values = load_file(file)
    values["first.weight"][0, 0] = bad
    save_file(values, file)
    with pytest.raises(tensors.CheckpointError, match="first.weight holds NaN or infinite weights"):
        tensors.check_loaded(Net.from_pretrained(saved), saved)
    with pytest.raises(tensors.CheckpointError, match="first.weight holds NaN or infinite weights"):
        tensors.build(lambda found: Net(), load_file(file), file)


class Normed(ModelMixin, ConfigMixin):
    """A layer with buffers."""

    @register_to_config
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)


@pytest.mark.parametrize("name", ["norm.running_var", "norm.running_mean", "norm.weight"])
def test_buffers_that_are_no_numbers_are_refused(tmp_path, name):
    Normed().save_pretrained(tmp_path)
    file = next(tmp_path.glob("*.safetensors"))
    values = load_file(file)
    values[name] = torch.full_like(values[name], float("nan"))
    save_file(values, file)
    with pytest.raises(tensors.CheckpointError, match=f"{name} holds NaN or infinite weights, not numbers: fetch"):
        tensors.check_loaded(Normed.from_pretrained(tmp_path), tmp_path)


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.bin", "pytorch_model.bin", "model.pt"])
def test_a_pickled_file_that_lacks_a_tensor_is_named(tmp_path, name):
    whole = Net().state_dict()
    torch.save(whole, tmp_path / name)
    tensors.check_loaded(Net(), tmp_path)
    torch.save({key: value for key, value in whole.items() if key != "second.bias"}, tmp_path / name)
    with torch.device("meta"):
        unfilled = Net()
    for model in (Net(), unfilled):
        with pytest.raises(tensors.CheckpointError, match=f"{name}: lacks 1 tensors of Net, second.bias first") as told:
            tensors.check_loaded(model, tmp_path)
        assert "\n" not in str(told.value)
    (tmp_path / name).unlink()
    with pytest.raises(tensors.CheckpointError, match="lacks 4 tensors of Net, first.bias"):
        tensors.check_loaded(unfilled, tmp_path)


@pytest.mark.parametrize("how", [how for how in wild.DAMAGES if how != "one byte more"])
@pytest.mark.parametrize("pattern", ["*.safetensors", "config.json"])
def test_a_folder_with_a_damaged_file_is_refused(saved, how, pattern):
    file = wild.damaged(next(saved.glob(pattern)), how)
    if pattern == "config.json" and how == "one byte short":
        return  # the end of its last line
    with pytest.raises(
        tensors.CheckpointError, match=f"{file.name}: is no .*fetch it again.*or save it again"
    ) as caught:
        tensors.check_folder(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("entry", [{"data_offsets": [0]}, {"data_offsets": []}, {"data_offsets": 3}, {}, 3, None])
def test_a_header_of_another_form_is_refused(tmp_path, entry):
    header = json.dumps({"a": entry}).encode()
    (tmp_path / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(tensors.CheckpointError, match="a.safetensors: is no whole file of tensors"):
        tensors.read(tmp_path / "a.safetensors")


def test_a_tokenizer_without_words_and_a_config_without_a_network_are_refused_wherever_they_lie(saved):
    (saved / "part").mkdir()
    (saved / "part/tokenizer_config.json").write_text("{}")
    with pytest.raises(tensors.CheckpointError, match="part: lacks tokenizer.json; wanted"):
        tensors.check_folder(saved)
    (saved / "part/tokenizer.json").write_text("{}")
    tensors.check_folder(saved)
    (saved / "part/config.json").write_text("{}")
    with pytest.raises(tensors.CheckpointError, match="config.json: names no network; wanted"):
        tensors.check_folder(saved)


def test_a_folder_says_what_its_network_lacks_itself_and_once(saved, monkeypatch):
    told = []
    handler = logging.Handler()
    handler.emit = told.append
    logging.getLogger("diffusers").addHandler(handler)
    monkeypatch.setattr(logging.getLogger("diffusers"), "level", logging.WARNING)  # a command sets it for its process

    def loaded():
        return tensors.load_folder(saved, {".": Net.from_pretrained}, "a network: train it")

    assert not loaded()["."].training
    (weights,) = saved.glob("*.safetensors")
    held = load_file(weights)
    held.pop("second.bias")
    save_file(held, weights, {"format": "pt"})
    try:
        with pytest.raises(tensors.CheckpointError, match="lacks 1 tensors of Net, second.bias first"):
            loaded()
        assert not told, "no warning of its loader beside it"
        Net.from_pretrained(saved)
        assert told, "which is heard otherwise"
    finally:
        logging.getLogger("diffusers").removeHandler(handler)
    for text in ("{}", "[]"):
        (saved / "config.json").write_text(text)
        with pytest.raises(tensors.CheckpointError, match="config.json: names no network; wanted a network: train it"):
            loaded()

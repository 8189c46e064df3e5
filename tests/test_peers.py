"""Weights trained elsewhere: what is understood gives the published error, what is not is named in two lines."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from small_runs import same_weights
from torch import Tensor, nn

from resnet_book import data, models, train
from resnet_book.experiments.peers import PeerError, load_state
from resnet_book.models import Network

PUBLISHED = Path(__file__).parent / "peers" / "resnet20-12fca82f.th"
MEAN, STD = [255 * each for each in (0.485, 0.456, 0.406)], [255 * each for each in (0.229, 0.224, 0.225)]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trained(name: str = "resnet20", **choices: Any) -> Network:
    """A network whose every tensor is unlike that of another."""
    network = models.build(name, generator=seeded(1), **choices)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(0.01 * torch.rand(tensor.shape, generator=seeded(2)))
    return network


@pytest.mark.slow
def test_the_published_weights_of_a_peer_make_exactly_the_published_error(cifar_root: Path) -> None:
    network = load_state(models.build("resnet20"), PUBLISHED)
    _, error = train.evaluate(network, data.load("cifar10", "test", cifar_root), MEAN, STD)
    assert error == pytest.approx(8.27, abs=1e-9)


def test_the_network_comes_back_in_evaluation_mode() -> None:
    network = models.build("resnet20").train()
    assert load_state(network, PUBLISHED) is network
    assert not any(module.training for module in network.modules())


class KuangliuBlock(nn.Module):
    """The names and shapes of a bottleneck in kuangliu/pytorch-cifar, in its order."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = models.conv1x1(in_channels, width), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = models.conv3x3(width, width, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = models.conv1x1(width, 4 * width), nn.BatchNorm2d(4 * width)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != 4 * width:
            self.shortcut = nn.Sequential(models.conv1x1(in_channels, 4 * width, stride), nn.BatchNorm2d(4 * width))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn1(self.conv1(x)).relu()
        out = self.bn2(self.conv2(out)).relu()
        return (self.bn3(self.conv3(out)) + self.shortcut(x)).relu()


class KuangliuResNet50(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = models.conv3x3(3, 64), nn.BatchNorm2d(64)
        in_channels = 64
        for stage, (width, blocks) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True), 1):
            made = []
            for block in range(blocks):
                made.append(KuangliuBlock(in_channels, width, 2 if stage > 1 and block == 0 else 1))
                in_channels = 4 * width
            self.add_module(f"layer{stage}", nn.Sequential(*made))
        self.linear = nn.Linear(in_channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        for stage in (1, 2, 3, 4):
            x = self.get_submodule(f"layer{stage}")(x)
        return self.linear(x.mean(dim=(2, 3)))


def test_kuangliu_resnet50_answers_as_ours_with_projections() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        peer = KuangliuResNet50().eval()
    network = load_state(models.build("resnet50", shortcut="projection"), {"net": peer.state_dict(), "acc": 95.1})
    images = torch.randn(2, 3, 32, 32, generator=seeded(4))
    with torch.inference_mode():
        torch.testing.assert_close(network(images), peer(images), rtol=1e-4, atol=1e-4)


def prefixed(prefix: str) -> Callable[[dict[str, Tensor]], dict[str, Any]]:
    return lambda state: {prefix + name: tensor for name, tensor in state.items()}


SPELLINGS: dict[str, Callable[[dict[str, Tensor]], dict[str, Any]]] = {
    "ours": dict,
    "DataParallel": prefixed("module."),
    "torch.compile": prefixed("_orig_mod."),
    "both": prefixed("_orig_mod.module."),
    "a compiled stage": lambda state: {
        name.replace("stages.1.", "stages.1._orig_mod."): t for name, t in state.items()
    },
    "state_dict": lambda state: {"state_dict": state, "epoch": 200},
    "model": lambda state: {"model": state, "optimizer": {"state": {}}},
    "DeepSpeed": lambda state: {"module": state, "global_steps": 7},
    "our checkpoint": lambda state: {"iteration": 7, "network": state},
    "two dictionaries": lambda state: {"model": {"state_dict": state}},
    "without counters": lambda state: {n: t for n, t in state.items() if not n.endswith(".num_batches_tracked")},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_state_dict_is_understood_in_every_usual_spelling(spelling: str) -> None:
    source = trained()
    assert same_weights(load_state(models.build("resnet20"), SPELLINGS[spelling](source.state_dict())), source)


@pytest.mark.parametrize("file", ["w.pt", "w.pth", "w.th", "w.safetensors", "called.safetensors", "called.pt"])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_file_is_understood_by_what_it_holds_not_by_its_ending(file: str, as_text: bool, tmp_path: Path) -> None:
    source, path = trained(), tmp_path / file
    if file in ("w.safetensors", "called.pt"):
        save_file(source.state_dict(), path)
    else:
        torch.save({"state_dict": source.state_dict()}, path)
    assert same_weights(load_state(models.build("resnet20"), str(path) if as_text else path), source)


def test_half_precision_weights_become_float32() -> None:
    source = trained().half()
    network = load_state(models.build("resnet20"), source.state_dict())
    assert network.classifier.weight.dtype == torch.float32
    assert torch.equal(network.classifier.weight, source.classifier.weight.float())


def changed(name: str, value: Any) -> Callable[[dict[str, Tensor]], dict[str, Any]]:
    return lambda state: {**state, name: value}


MISFITS: dict[str, tuple[Callable[[dict[str, Tensor]], Any], str]] = {
    "100 classes": (
        changed("classifier.weight", torch.zeros(100, 64)),
        r"classifier\.weight .*\(100, 64\).*\(10, 64\)",
    ),
    "7x7 stem": (
        lambda _: {"module.conv1.weight": torch.zeros(64, 3, 7, 7)},
        r"conv1.*\(64, 3, 7, 7\).*\(16, 3, 3, 3\)",
    ),
    "one more": (changed("stages.3.0.x", torch.zeros(2)), r"stages\.3\.0\.x has no place.*\(2,\)"),
    "one twice": (
        lambda state: {**state, "module.stem.0.weight": state["stem.0.weight"]},
        r"module\.stem\.0\.weight is for stem\.0\.weight, and so is stem\.0\.weight",
    ),
    "one missing": (lambda s: {n: t for n, t in s.items() if n != "stem.0.weight"}, r"stem\.0\.weight is missing"),
    "other names": (prefixed("features."), r"stem\.0\.weight is missing.*features\.stem\.0\.weight"),
    "not finite": (changed("classifier.bias", torch.full((10,), torch.nan)), r"classifier\.bias .*not finite"),
    "whole numbers": (changed("classifier.bias", torch.zeros(10, dtype=torch.int8)), r"classifier\.bias .*int8"),
    "a number": (changed("classifier.bias", 3), r"classifier\.bias is a int"),
    "nothing but a wrapper": (changed("module", torch.zeros(2)), r"module has no place.*\(2,\)"),
    "numbered": (lambda _: {0: 1}, r"stem\.0\.weight is missing"),
    "empty": (lambda _: {}, r"stem\.0\.weight is missing"),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_what_does_not_fit_is_named_in_two_lines_and_nothing_is_changed(misfit: str) -> None:
    change, message = MISFITS[misfit]
    network, untouched = trained(), trained()
    with pytest.raises(PeerError) as caught:
        load_state(network, change(models.build("resnet20").state_dict()))
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert re.search(message, lines[0])
    assert len(str(caught.value)) < 300
    assert same_weights(network, untouched)


def test_projection_weights_do_not_fit_a_network_without_and_the_error_says_so() -> None:
    with pytest.raises(
        PeerError, match=r"stages\.1\.0\.shortcut\.0\.weight has no place in it, shape \(32, 16, 1, 1\)"
    ):
        load_state(models.build("resnet20"), trained(shortcut="projection").state_dict())


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("executed",)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: torch.save(Bomb(), path), "can be trusted"),
        (lambda path: torch.save(models.build("resnet20"), path), "can be trusted"),
        (lambda path: torch.save(torch.zeros(3), path), "is a Tensor: give a state dict"),
        (lambda path: path.write_bytes(b""), "can be trusted"),
        (lambda path: path.write_bytes(b"\xff" * 8 + b"{" * 9), "can be trusted"),
        (lambda path: path.write_text("<html>not found</html>"), "can be trusted"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: None, "cannot be read.*No such file"),
    ],
)
def test_a_file_without_weights_is_refused_and_executes_nothing(
    write: Callable[[Path], object], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "weights.pt")
    with pytest.raises(PeerError, match=message):
        load_state(models.build("resnet20"), tmp_path / "weights.pt")
    assert capsys.readouterr().out == ""


def test_a_module_in_place_of_its_state_dict_is_refused() -> None:
    with pytest.raises(PeerError, match="source is a Network: give a state dict"):
        load_state(models.build("resnet20"), trained())  # pyright: ignore[reportArgumentType]

"""Other systems than Linux, as far as Linux can tell: what Windows lacks is not asked for, Apple's GPU is a device."""

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click.core
import pytest
import torch
from small_runs import RECIPE, TEST, TRAIN, tiny
from torch.utils._python_dispatch import TorchDispatchMode

from resnet_book import state, train
from resnet_book.cli.main import main
from resnet_book.engine import device, machine
from resnet_book.engine.device import Engine
from resnet_book.experiments import clusters
from resnet_book.experiments.run import Options

ROOT = Path(__file__).parents[1]
UNIX_MODULES = "fcntl grp posix pty pwd resource syslog termios tty"
UNIX_NAMES = {
    "os": "fork geteuid getpgid getuid killpg mkfifo sched_getaffinity setsid statvfs uname",
    "signal": "SIGALRM SIGCHLD SIGHUP SIGKILL SIGUSR1 SIGUSR2 pthread_kill pthread_sigmask sigwait",
}
IMPORT_ALL_AS_ON_WINDOWS = f"""
import importlib, os, pkgutil, signal, sys
import resnet_book

def import_all():
    return [importlib.import_module(each.name) for each in pkgutil.walk_packages(resnet_book.__path__, "resnet_book.")
            if not each.name.endswith("__main__")]

import_all()  # and so all that others wrote, which knows systems for itself
for name in [name for name in sys.modules if name.split(".")[0] == "resnet_book" and name != "resnet_book"]:
    del sys.modules[name]
sys.modules.update(dict.fromkeys({UNIX_MODULES!r}.split()))
for module, names in {UNIX_NAMES!r}.items():
    for name in names.split():
        delattr(sys.modules[module], name)
print(len(import_all()))
"""


def test_every_module_can_be_imported_where_what_only_unix_has_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL_AS_ON_WINDOWS], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40


def test_a_sweep_starts_and_ends_its_workers_where_what_only_unix_has_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed = list[tuple[int, int]]()

    class Worker:
        pid = 4711

        def close_gracefully(self) -> None:
            pass

    class Cluster:
        def __init__(self, **_: object) -> None:
            self.workers = {0: Worker()}

        def __enter__(self) -> "Cluster":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(clusters, "SpecCluster", Cluster)
    monkeypatch.setattr(clusters, "Client", lambda cluster, **_: nullcontext())
    monkeypatch.setattr(os, "kill", lambda *arguments: killed.append(arguments))
    monkeypatch.setattr(clusters.resource_tracker, "ensure_running", lambda: pytest.fail("there is none on Windows"))
    for module, names in UNIX_NAMES.items():
        for name in names.split():
            monkeypatch.delattr(sys.modules[module], name, raising=False)
    with clusters.of_this_machine(Options("cpu"), None, 3):
        pass
    assert killed == [(4711, signal.SIGTERM)]


@pytest.mark.parametrize(("command", "read"), [("run", "'*' is a pattern"), ("classify", "NEWS.md")])
def test_on_windows_a_pattern_of_pictures_becomes_names_of_files_and_one_of_experiments_does_not(
    command: str, read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "NEWS.md").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["resnet-book", command, "*"])
    monkeypatch.setattr(click.core, "os", SimpleNamespace(name="nt", environ=os.environ))
    assert main() != 0
    assert read in capsys.readouterr().err


def test_apples_gpu_is_a_device_where_torch_has_it_and_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.find("mps") == torch.device("mps")
    assert device.find("auto") == torch.device("cpu")
    engine = Engine(device.find("mps"), device.default_precision("mps"), device.worth_compiling(64_000, "mps"))
    assert (engine.precision, engine.compiled) == ("float32", False)
    with engine.computing(), engine.autocast():
        pass
    described = machine.describe("mps", "float32", False)
    assert (described["device"], described["threads"]) == (f"{machine.cpu_name()}, GPU", None)


@pytest.mark.parametrize("failing", ["ls-files", "rev-parse", "status"])
def test_commit_and_changes_are_both_unknown_where_git_cannot_tell(
    failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_git", lambda command, *_: None if command == failing else "")
    described = machine.describe("cpu", "float32", False)
    assert (described["commit"], described["dirty"]) == (None, None)


def test_apples_gpu_that_is_not_there_or_is_to_be_one_of_several_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for name in ("mps", "mps:0"):
        with pytest.raises(ValueError, match=rf"device={name}: .* Choose cpu\."):
            device.find(name)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="device=mps: one process alone"):
        device.find("mps")


@pytest.mark.parametrize("name", ["gpu", "meta", "xla:0"])
def test_a_device_that_is_neither_a_cpu_nor_a_gpu_is_refused_by_name(name: str) -> None:
    for make in (device.find, Engine):
        with pytest.raises(ValueError, match=rf"device='{name}': choose cpu, cuda, .* or mps$"):
            make(name)


@pytest.mark.parametrize("how", [{"compiled": True}, {"precision": "bfloat16"}])
def test_apples_gpu_computes_in_float32_and_uncompiled_alone(how: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="device=mps: Apple's GPU computes in float32"):
        Engine("mps", **how)


class NoDoubles(TorchDispatchMode):
    """Refuses results of more precision than Apple's GPUs have."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        assert getattr(result, "dtype", None) != torch.float64, f"{func} makes numbers of 64 bits"
        return result


def test_a_step_and_a_test_need_no_double_precision_where_the_device_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (device.sum_type("mps"), device.sum_type("cpu")) == (torch.float32, torch.float64)
    for module in (state, train):
        monkeypatch.setattr(module, "sum_type", lambda _: device.sum_type("mps"))
    training = state.Training(tiny(), {"train": TRAIN, "test": TEST}, RECIPE, 0, Engine())
    step, plans = train.make_step(training), training.plans()
    mean, std = training.history.mean, training.history.std
    with NoDoubles():
        step(next(plans))
        loss, error = train.evaluate(training.network, TEST, mean, std)
    assert training.meter.loss_sum > 0
    assert loss > 0
    assert 0 <= error <= 100

"""Shared by the tests: the real CIFAR where it is, and small folders in its format where it need not be real."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pdf
import pytest
import torch
from matplotlib.axes import Axes

from resnet_book import cifar

if TYPE_CHECKING:
    from playwright.sync_api import Browser

matplotlib.use("agg")
torch.set_num_threads(1)  # for networks this small, a second one only waits, long on a busy machine
SMALL_BATCH = 4  # images in each file of the small folders


@pytest.fixture(scope="session")
def cifar_root() -> Path:
    """The folder of the real CIFAR-10 and CIFAR-100; tests that ask for it are skipped where it is not."""
    root = cifar.find_root()
    for format in cifar.FORMATS.values():
        if not (root / format.folder).is_dir():
            pytest.skip(
                f"needs the real data: no {format.folder}/ in {root.resolve()} ($RESNET_BOOK_DATA, else ./data)"
            )
    return root


@pytest.fixture
def small_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with CIFAR-10 and CIFAR-100 in the official format, but four images a file; FORMATS agrees with it."""
    root = tmp_path / "small"
    for name, format in list(cifar.FORMATS.items()):
        monkeypatch.setitem(cifar.FORMATS, name, write_small(root, format))
    return root


def write_small(root: Path, format: cifar.Format) -> cifar.Format:
    """Write the files of ``format`` with few images of noise; returns the format with their sizes and checksums."""
    random = np.random.RandomState(10)
    folder = root / format.folder
    folder.mkdir(parents=True)
    files = {}
    for split, batches in format.files.items():
        small = []
        for batch in batches:
            rows = random.randint(0, 256, (SMALL_BATCH, format.row_bytes)).astype(np.uint8)
            for byte, num_classes in enumerate(format.label_classes):
                rows[:, byte] = random.randint(0, num_classes, SMALL_BATCH)
            (folder / batch.name).write_bytes(rows.tobytes())
            small.append(cifar.BatchFile(batch.name, SMALL_BATCH, hashlib.sha256(rows.tobytes()).hexdigest()))
        files[split] = tuple(small)
    return replace(format, files=files)


@pytest.fixture(autouse=True)
def _no_figure_left() -> Iterator[None]:
    """Close the figures of a test after it."""
    yield
    plt.close("all")


@pytest.fixture
def ax() -> Axes:
    """An empty plot."""
    return plt.subplots()[1]


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright  # not every environment has it

    found = pdf.find_browser()
    if found is None:
        message = f"no browser found ({', '.join(pdf.BROWSERS)}): install Chromium, or name one in BROWSER_PATH"
        pytest.fail(message) if os.environ.get("REQUIRE_BROWSER") else pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()

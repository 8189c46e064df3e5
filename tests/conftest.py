"""Shared by the tests: the real CIFAR where it is, and small folders in its format where it need not be real."""

import hashlib
import importlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from resnet_book import cifar

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute on one thread: for networks this small, a second one only waits, long on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright  # not every environment has it

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1] / "book"))
        pdf = importlib.import_module("pdf")  # which needs one, too
    found = pdf.find_browser()
    if found is None:
        message = f"no browser found ({', '.join(pdf.BROWSERS)}): install Chromium, or name one in BROWSER_PATH"
        pytest.fail(message) if os.environ.get("REQUIRE_BROWSER") else pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()

"""Check a whole folder of results: its checksum list, its records, and every file beside them.

What is read is checked anyway, whenever it is read. This reads everything there is, and can test each kept network
again, so that nobody has to believe the numbers.
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from resnet_book import data, features
from resnet_book.analysis import answers
from resnet_book.analysis.study import StudyError
from resnet_book.cifar import DataMissingError
from resnet_book.experiments import landscape_records, lesion_records, records, signal_records, studies, weights
from resnet_book.experiments.records import Record, RecordError

SUMS = "SHA256SUMS"
BESIDE: dict[str, Callable[..., object]] = {  # what may lie beside a record, and what reads it
    "feature studies": studies.kept_study,
    "lesions": lesion_records.kept_lesions,
    "landscapes": landscape_records.kept_landscape,
    "signals": signal_records.kept_signals,
}
ROUNDING = 0.3  # percentage points: another machine rounds scores differently, and a few images change sides


def verify(results: str | Path, tell: Callable[[str], object] = lambda line: None) -> None:
    """Read every record in ``results`` and every file beside one; ``tell`` is told in a line each how many were sound.

    Raises RecordError that names all that is not: a file that is damaged, of another run, or not as SHA256SUMS says.
    """
    folder, problems = Path(results), list[str]()

    def count(name: str, reads: Iterable[Callable[[], object]]) -> list[Any]:
        found = list[Any]()
        for read in reads:
            try:
                found.append(read())
            except (RecordError, StudyError) as error:
                problems.append(str(error))
        found = [each for each in found if each is not None]
        tell(f"{name}: {len(found)}")
        return found

    listed = folder / SUMS
    if listed.exists():
        lines = [line.split("  ", 1) for line in listed.read_text(encoding="utf-8").splitlines()]
        here = [(folder / name, checksum) for checksum, name in lines if (folder / name).exists()]
        count(f"files that are as {SUMS} has them", (partial(_compare, path, checksum) for path, checksum in here))
        if len(here) < len(lines):
            tell(f"files of {SUMS} that are not here: {len(lines) - len(here)}")
    else:
        tell(f"There is no {SUMS}, so whole files were not compared.")
    paths = sorted(path for path in folder.glob("*/seed*.json") if "." not in path.stem)
    found: list[Record] = count("records", (partial(records.load_record, path) for path in paths))
    runs = [(record.experiment, record.seed) for record in found]
    kept = [run for run in runs if _weights(folder, *run).exists()]
    count("networks", (partial(weights.load_network, *run, folder) for run in kept))
    for name, read in BESIDE.items():
        count(name, (partial(read, *run, folder) for run in runs))
    if problems:
        raise RecordError("\n".join(problems))


def repeat_tests(
    results: str | Path, data_root: str | Path | None = None, tell: Callable[[str], object] = lambda line: None
) -> None:
    """Test every kept network whose test images are here, in float32 on the CPU; ``tell`` is told each error.

    Raises RecordError that names each network whose error is further than ``ROUNDING`` from the recorded one.
    """
    folder, problems = Path(results), list[str]()
    for record in records.load_all(folder):
        if not _weights(folder, record.experiment, record.seed).exists():
            continue
        title = f"{record.experiment}, seed {record.seed}: test error {record.test_error:.2f} % by its record"
        try:
            error = _error_of(record, folder, data_root)
        except DataMissingError:
            tell(f"{title}; {record.dataset['name']} is not here to test it again")
            continue
        tell(f"{title}, {error:.2f} % now")
        if abs(error - record.test_error) > ROUNDING:
            problems.append(f"{title}, but {error:.2f} % now, on the same images: do not trust either.")
    if problems:
        raise RecordError("\n".join(problems))


def _weights(folder: Path, experiment: str, seed: int) -> Path:
    return records.path_of(folder, experiment, seed).with_suffix(".safetensors")


def _compare(path: Path, checksum: str) -> bool:
    """True. Raises RecordError where the file's SHA-256 is another."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
        raise RecordError(f"{path} was changed: its SHA-256 is not that of {SUMS}. Restore it, from git for example.")
    return True


def _error_of(record: Record, folder: Path, data_root: str | Path | None) -> float:
    """Test error (%) of the kept weights. Raises RecordError for other test images than the run's."""
    test = data.load(record.dataset["name"], "test", data_root)
    if test.sha256 != record.dataset["test"]["sha256"]:
        raise RecordError(f"{record.experiment} was recorded with other test images than those of {test.name} here.")
    network, _ = weights.load_network(record.experiment, record.seed, folder)
    values = features.extract(network, test, record.mean, record.std)
    return answers.top_error(features.class_scores(network, values), test.labels)

"""Check a folder of results: its checksum list, its records, and every file beside them; say how to cite a record.

What is read is checked anyway, whenever it is read. This reads everything there is, or all of some experiments, and can
test each kept network again, so that nobody has to believe the numbers.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path

from resnet_book import features
from resnet_book.analysis import answers
from resnet_book.cifar import DataMissingError
from resnet_book.experiments import landscape_records, lesion_records, records, signal_records, studies, weights
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.records import Record
from resnet_book.experiments.study_files import StudyError

SUMS = "SHA256SUMS"
READERS: dict[str, tuple[str, Callable[[str, int, Path], object]]] = {  # ending of a file: what it is, what reads it
    ".json": ("records", lambda name, seed, folder: records.load_record(records.path_of(folder, name, seed))),
    ".safetensors": ("networks", weights.load_network),
    ".study.safetensors": ("feature studies", studies.kept_study),
    ".lesions.json": ("lesions", lesion_records.LESIONS.read),
    ".landscape.json": ("landscapes", landscape_records.LANDSCAPE.read),
    ".signals.json": ("signals", signal_records.SIGNALS.read),
}
ROUNDING = 0.3  # percentage points: another machine rounds scores differently, and a few images change sides


def verify(results: str | Path, tell: Callable[[str], object] = lambda line: None, names: Collection[str] = ()) -> None:
    """Read every record in ``results`` and every file beside one; ``tell`` is told in a line each how many were sound.

    With ``names``, those of these experiments alone. Raises RecordError that names all that is not sound: a file that
    is damaged, of another run, of no run that is recorded, or not as SHA256SUMS says; and where there is no record.
    """
    folder = Path(results)
    every = sorted(path for path in folder.glob("*/seed*.*") if path.suffix in (".json", ".safetensors"))
    files = [path for path in every if not names or path.parent.name in names]
    if not every:
        raise RecordError(f"{folder} holds no records. Name another folder.")
    if missing := " ".join(sorted(set(names) - {path.parent.name for path in files})):
        raise RecordError(f"{folder} holds no record of {missing}: `resnet-book run {missing}` makes it.")
    problems = _compare_with_list(folder, files, tell, names)
    of_kind = {ending: list[tuple[str, int]]() for ending in READERS}  # experiment and seed of each file
    for path in files:
        match = re.fullmatch(r"seed(0|[1-9][0-9]{0,17})(\..*)", path.name)
        if match and match[2] in READERS:
            of_kind[match[2]].append((path.parent.name, int(match[1])))
        else:
            problems.append(f"{path} is no file that belongs beside a record. Move it away.")
    for ending, (title, read) in READERS.items():
        sound = _collect((partial(read, name, seed, folder) for name, seed in of_kind[ending]), problems)
        tell(f"{title}: {sound}")
    if problems:
        raise RecordError("\n".join(dict.fromkeys(problems)))


def repeat_tests(
    results: str | Path,
    data_root: str | Path | None = None,
    tell: Callable[[str], object] = lambda line: None,
    names: Collection[str] = (),
) -> None:
    """Test every kept network whose test images are here, in float32 on the CPU; ``tell`` is told each error.

    With ``names``, those of these experiments alone. Raises RecordError that names each network whose error is further
    than ``ROUNDING`` from the recorded one, and each that cannot be tested, as where the reader named a folder of data
    that does not hold its images.
    """
    folder, problems = Path(results), list[str]()
    recorded = [path for path in records.paths(folder) if not names or path.parent.name in names]
    kept = [path for path in recorded if path.with_suffix(".safetensors").exists()]
    _collect((partial(_test_again, path, folder, data_root, tell) for path in kept), problems)
    if problems:
        raise RecordError("\n".join(dict.fromkeys(problems)))


def citation(record: Record, results: str | Path) -> str:
    """What a paper can cite ``record`` by: a line with the number, how it came about, and with which code.

    A line with the SHA-256 follows for its file and for each beside it.
    """
    path = records.path_of(results, record.experiment, record.seed)
    parts = [
        f"{record.experiment}, seed {record.seed}: test error {record.test_error:.2f} %, "
        f"the last of {len(record.epochs)} tests, one an epoch (the field epochs[-1].test_error)",
        f"{record.recipe['iterations']:,} iterations",
        record.device,
        record.precision + ", compiled" * record.compiled,
        f"torch {record.torch_version}",
        f"code of commit {record.commit}",
        f"test images of SHA-256 {record.dataset['test']['sha256']}",
    ]
    files = sorted(path.parent.glob(f"{path.stem}.*"))
    sums = [f"{file.relative_to(results)}: SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files]
    return "\n  ".join(["; ".join(parts), *sums])


def _collect(calls: Iterable[Callable[[], object]], problems: list[str]) -> int:
    """How many of ``calls`` found nothing amiss; what the others found is added to ``problems``."""
    sound = 0
    for call in calls:
        try:
            call()
            sound += 1
        except (RecordError, StudyError, DataMissingError) as error:
            problems.append(str(error))
    return sound


def _compare_with_list(
    folder: Path, files: list[Path], tell: Callable[[str], object], names: Collection[str]
) -> list[str]:
    """Compare the ``files`` with the checksums in SHA256SUMS, where there is one; returns what is amiss."""
    if not (folder / SUMS).exists():
        tell(f"There is no {SUMS}, so whole files were not compared.")
        return []
    listed, problems = dict[Path, str](), list[str]()
    lines = (folder / SUMS).read_text(encoding="utf-8", errors="backslashreplace").splitlines()
    for number, line in enumerate(lines, start=1):
        checksum, space, name = line.partition("  ")
        if not space or len(checksum) != 64 or Path(name).is_absolute():
            wanted = "a checksum, two spaces and a name in this folder"
            problems.append(f"{folder / SUMS}, line {number}, is not {wanted}: {line!r}.")
            continue
        if not names or Path(name).parent.name in names:
            listed[folder / name] = checksum
    here = [path for path in listed if path.is_file()]
    changed = [path for path in here if hashlib.sha256(path.read_bytes()).hexdigest() != listed[path]]
    problems += [f"{path} was changed: its SHA-256 is not that of {SUMS}. Restore it." for path in changed]
    tell(f"files that are as {SUMS} has them: {len(here) - len(changed)}")
    others = {
        f"files of {SUMS} that are not here": set(listed) - set(here),
        f"files that {SUMS} lacks, which were not compared": set(files) - set(listed),
    }
    for what, found in others.items():
        if found:
            tell(f"{what}: {', '.join(sorted(str(path.relative_to(folder)) for path in found))}")
    return problems


def _test_again(path: Path, folder: Path, data_root: str | Path | None, tell: Callable[[str], object]) -> None:
    """Test the kept weights. Raises RecordError for another error than the recorded one, or other test images."""
    record = records.load_record(path)
    title = f"{record.experiment}, seed {record.seed}: test error {record.test_error:.2f} % by its record"
    try:
        test = records.load_images(record, "test", data_root)
    except DataMissingError as missing:
        if missing.named:
            raise
        tell(f"{title}; {record.dataset['name']} is not here to test it again")
        return
    network, _ = weights.load_network(record.experiment, record.seed, folder)
    values = features.extract(network, test, record.mean, record.std)
    error = answers.top_error(features.class_scores(network, values), test.labels)
    tell(f"{title}, {error:.2f} % now")
    if abs(error - record.test_error) > ROUNDING:
        raise RecordError(f"{title}, but {error:.2f} % now, on the same images: do not trust either.")

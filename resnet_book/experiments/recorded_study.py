"""Feature studies of recorded runs: the name of an experiment and a seed enter; its study leaves, kept or made anew."""

from pathlib import Path

import torch

from resnet_book import data
from resnet_book.analysis import study
from resnet_book.analysis.study import Study, StudyError
from resnet_book.data import ImageSet
from resnet_book.experiments import records, weights
from resnet_book.models import Network

IMAGES_AT_EACH_END = 10  # of a row, in the studies that runs keep


def find(
    experiment: str,
    seed: int = 0,
    *,
    k: int = IMAGES_AT_EACH_END,
    results: Path | None = None,
    data_root: str | None = None,
    device: str | torch.device = "cpu",
) -> Study:
    """The study of a recorded run with ``k`` images at each end: that beside its record, or one from its weights.

    The first needs neither weights nor images. Raises RecordError where the run is not recorded, or neither study nor
    weights are there; DataError without the images; StudyError if they are others; ValueError for ``k`` below 1 or
    above the number of test images.
    """
    path = records.path_of(results or records.find_results(), experiment, seed)
    record = records.load_record(path)
    images = record.dataset["test"]["images"]
    if not 1 <= k <= images:
        raise ValueError(f"k={k}: there are {images:,} test images to rank; choose 1 to {images:,}")
    kept = study.load(study.path_of(path)) if study.path_of(path).exists() else None
    if kept and kept.k >= k:
        return kept.first(k)
    return make(record, path, k=k, data_root=data_root, device=device)


def make(
    record: records.Record,
    path: Path,
    *,
    k: int = IMAGES_AT_EACH_END,
    data_root: str | None = None,
    device: str | torch.device = "cpu",
) -> Study:
    """Study the trained network of ``record``, which lies at ``path``.

    Raises as ``find`` does, and StudyError where the weights make clearly more or fewer mistakes than recorded: they
    are of another run, be it of a network with the same shapes. (A few may tip: other devices round differently.)
    """
    network, _ = weights.load_trained(record.experiment, record.seed, path.parent.parent)
    train, test = (data.load(record.dataset["name"], split, data_root) for split in ("train", "test"))
    if test.sha256 != record.dataset["test"]["sha256"]:
        raise StudyError(f"{path} was recorded with other test images than those of {test.name} found here.")
    made = of_network(record, network, train, test, k=k, device=device)
    wrong, recorded = int((made.predicted != made.labels).sum()), round(record.test_error * len(test) / 100)
    if abs(wrong - recorded) > max(3, len(test) // 500):
        raise StudyError(
            f"{path.with_suffix('.safetensors')} holds the weights of another run: they are wrong about {wrong:,} test "
            f"images, the recorded network was about {recorded:,}. Put the right file in its place, or delete it."
        )
    return made


def of_network(
    record: records.Record,
    network: Network,
    train: ImageSet,
    test: ImageSet,
    *,
    k: int = IMAGES_AT_EACH_END,
    device: str | torch.device = "cpu",
) -> Study:
    """Study ``network``, which ``record`` is about, on the images of its run; of fewer than ``k`` test images, all."""
    mean, std = tuple(record.mean), tuple(record.std)
    return study.make(network, weights.untrained(record), train, test, mean, std, k=min(k, len(test)), device=device)


def keep(
    record: records.Record, results: Path, *, data_root: str | None = None, device: str | torch.device = "cpu"
) -> Path:
    """Write the study of a recorded run beside its record, and return its path. Raises as ``find`` does."""
    path = records.path_of(results, record.experiment, record.seed)
    made = make(record, path, data_root=data_root, device=device)
    study.save(made, study.path_of(path))
    return study.path_of(path)

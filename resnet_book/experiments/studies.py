"""Find the feature study of a recorded run: the file beside its record, or made from its weights."""

from pathlib import Path

import torch

from resnet_book import features
from resnet_book.analysis import study
from resnet_book.analysis.study import IMAGES_AT_EACH_END, Study
from resnet_book.engine.checks import whole
from resnet_book.experiments import catalogue, records, study_files, weights


def kept_study(experiment: str, seed: int = 0, results: str | Path | None = None) -> Study | None:
    """The study beside the record of a run; None where none lies there.

    Raises RecordError where the run is not recorded, StudyError where the file is not exactly the one that it left.
    """
    path = records.path_of(records.find_results(results), experiment, seed)
    record, file = records.load_record(path), study_files.path_of(path)
    return study_files.load(file, record.study_sha256) if file.exists() else None


def recorded_studies(dataset: str, results: str | Path | None = None) -> dict[str, tuple[records.Record, Study]]:
    """Record and study of each run with seed 0 on ``dataset`` that kept one, by experiment.

    Only networks as their family is built and trained, for however long: no ablations, no other shortcuts or widths.
    """
    results = records.find_results(results)
    found = {}
    for each in records.load_all(results):
        as_built = each.model["shortcut"] is None and each.model["name"] not in catalogue.QUARTERS
        usual = as_built and each.recipe_name in ("paper", "short", "wide", *catalogue.LADDER)
        wanted = usual and each.dataset["name"] == dataset and each.seed == 0
        if wanted and (kept := kept_study(each.experiment, 0, results)):
            found[each.experiment] = each, kept
    return found


def find_study(
    experiment: str,
    seed: int = 0,
    *,
    k: int = IMAGES_AT_EACH_END,
    results: str | Path | None = None,
    data_root: str | Path | None = None,
    device: str | torch.device = "cpu",
) -> Study:
    """The study of a recorded run with ``k`` images at each end: that beside its record, or one from its weights.

    The first needs neither weights nor images. Raises RecordError where the run is not recorded, neither study nor
    weights are there, or the images are other ones; StudyError for a study that is damaged; DataError without the
    images; ValueError for ``k`` below 1 or above the number of test images.
    """
    path = records.path_of(records.find_results(results), experiment, seed)
    images = records.load_record(path).dataset["test"]["images"]
    k = whole("k", k, 1, images, "the number of test images")
    kept = kept_study(experiment, seed, path.parent.parent)
    if kept and kept.k >= k:
        return kept.first(k)
    network, record = weights.load_network(experiment, seed, path.parent.parent)
    train, test = records.load_images(record, "train", data_root), records.load_images(record, "test", data_root)
    mean, std = tuple(record.mean), tuple(record.std)
    values = features.extract(network, test, mean, std, device=device)
    return study.make(network, values, weights.untrained(record), train, test, mean, std, k=k)

"""Say which runs are wanted, and which of them first."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from resnet_book.experiments import catalogue
from resnet_book.models import count_operations


@dataclass(frozen=True)
class Run:
    """One experiment with one seed."""

    name: str
    seed: int

    def __str__(self) -> str:
        return f"{self.name}, seed {self.seed}"

    @property
    def effort(self) -> int:
        """What an iteration takes, beside those of other runs: multiply-adds."""
        experiment = catalogue.get(self.name)
        return count_operations(experiment.model, shortcut=experiment.shortcut) * experiment.recipe.batch_size


DEPTH_TABLE_EXPERIMENTS = tuple(
    f"{kind}{depth}-cifar10" for depth in (20, 56, 32, 44, 110) for kind in ("plain", "resnet")
)
WIDE_EXPERIMENTS = (
    *(f"{kind}{depth}-cifar10" for depth in (18, 34) for kind in ("resnet", "plain")),
    *(f"{kind}{depth}-cifar100" for depth in (18, 34) for kind in ("resnet", "plain")),
    *(
        f"{kind}{depth}-{dataset}"
        for dataset in ("cifar10", "cifar100")
        for depth in (10, 50)
        for kind in ("resnet", "plain")
    ),
    "resnet18-cifar10-projection",
)
WIDE_SHORT_EXPERIMENTS = tuple(  # without a GPU half an hour (10 layers) to hours each
    f"{kind}{depth}-{dataset}-short"
    for dataset in ("cifar10", "cifar100")
    for depth in (10, 34, 18)
    for kind in ("resnet", "plain")
)
QUARTER_EXPERIMENTS = tuple(  # nine minutes to an hour each, on one core
    name.replace("-", "-quarter-", 1) for name in WIDE_SHORT_EXPERIMENTS
)
FIRST, FURTHER, EVERY = slice(0, 1), slice(1, None), slice(None)  # which of the wanted seeds

# What to train first: names, or patterns of names, and for which seeds. Within a line, a whole seed before the next.
PRIORITY: tuple[tuple[tuple[str, ...], slice], ...] = (
    (DEPTH_TABLE_EXPERIMENTS, FIRST),
    (DEPTH_TABLE_EXPERIMENTS, FURTHER),
    (WIDE_EXPERIMENTS, FIRST),
    (("*-validation",), FIRST),
    (("*-edge",), EVERY),
    (("*-float32",), EVERY),
    (tuple(f"{kind}{depth}-cifar10-16k" for depth in (56, 20) for kind in ("plain", "resnet")), EVERY),
    (("*20-cifar10-8k", "*56-cifar10-8k"), EVERY),
    (("*20-cifar10-4k", "*56-cifar10-4k"), EVERY),
    (tuple(f"*{depth}-cifar10-short" for depth in (20, 32, 44, 56, 110)), EVERY),
    (("*-short-*",), EVERY),
    (QUARTER_EXPERIMENTS, EVERY),
    (WIDE_SHORT_EXPERIMENTS, FIRST),
    (tuple(f"*{depth}-cifar10-{name}" for name in ("8k", "4k", "16k") for depth in (32, 44)), EVERY),
    (("resnet20-cifar10-no-*", "resnet110-cifar10-no-warmup"), EVERY),
    (("*-smoke",), EVERY),
    (WIDE_SHORT_EXPERIMENTS, FURTHER),
    (WIDE_EXPERIMENTS, FURTHER),
    (("*-validation",), FURTHER),
    (("resnet1202-cifar10",), EVERY),
)
# Recipes made for machines without a GPU.
WITHOUT_GPU = ("short", "short-warmup", "short-bfloat16", *catalogue.LADDER, "smoke", *catalogue.ABLATIONS)


def matching(patterns: Iterable[str]) -> list[str]:
    """Names of the experiments that match, in the order of the patterns ("*-short", or just a name).

    Raises ValueError for a pattern that matches none.
    """
    found = dict[str, None]()
    for pattern in patterns:
        names = [name for name in catalogue.EXPERIMENTS if fnmatchcase(name, pattern)]
        if not names and not re.search(r"[*?[]", pattern):
            catalogue.get(pattern)  # its message names what is near
        if not names:
            raise ValueError(f"pattern {pattern!r} matches no experiment: `resnet-book list` shows all.")
        found |= dict.fromkeys(names)
    return list(found)


def without_gpu(names: Iterable[str]) -> list[str]:
    """Those of ``names`` whose recipe is made for machines without a GPU."""
    return [name for name in names if catalogue.get(name).recipe_name in WITHOUT_GPU]


def in_order(names: Iterable[str], seeds: Sequence[int]) -> list[Run]:
    """Every experiment of ``names`` with every seed, in the order of ``PRIORITY``; what has no place there is last."""
    wanted, ordered = list(names), dict[Run, None]()
    for patterns, which in PRIORITY:
        stage = [name for name in matching(patterns) if name in wanted]
        ordered |= {Run(name, seed): None for seed in seeds[which] for name in stage}
    return list(ordered | {Run(name, seed): None for seed in seeds for name in wanted})

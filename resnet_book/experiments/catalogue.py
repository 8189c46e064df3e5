"""The experiments by name: which network is trained on which dataset by which recipe.

``<model>-<dataset>`` runs the default recipe of its family, ``<model>-<dataset>-<recipe>`` another one. Whatever
is to be varied gets a new name here, never a command-line flag. Sources of the recipes: ``resnet_book.recipe`` and the
comments below.
"""

from dataclasses import dataclass, replace
from difflib import get_close_matches

from resnet_book.engine.checks import whole
from resnet_book.recipe import Recipe


def wide(batch_size: int = 128, epochs: int = 300, validation_images: int = 0) -> Recipe:
    """mbsariyildiz/resnet-pytorch: 300 epochs of CIFAR's training images, learning rate divided by 10 every 100.

    With fewer ``epochs``, after each third. ``validation_images`` are held out of the training images. Raises
    ValueError for ``epochs`` that are no multiple of three, and for too few images for a batch.
    """
    batch_size, epochs = whole("batch_size", batch_size, 1), whole("epochs", epochs, 3)
    if epochs % 3:
        raise ValueError(f"epochs={epochs}: choose a multiple of 3, for the learning rate drops after each third")
    validation_images = whole("validation_images", validation_images, 0, 50_000 - batch_size)
    third = epochs // 3 * ((50_000 - validation_images) // batch_size)  # iterations
    return Recipe(
        iterations=3 * third,
        drops=(third, 2 * third),
        batch_size=batch_size,
        weight_decay=5e-4,
        validation_images=validation_images,
    )


PAPER = Recipe()  # He et al. 2015, section 4.2
# The same schedule, thirty-two times shorter, for machines without a GPU.
SHORT = replace(PAPER, iterations=2_000, drops=(1_000, 1_500))
# The same schedule at a sixteenth, an eighth and a quarter of the length: how long must one train until depth pays?
LADDER = {
    f"{thousands}k": replace(PAPER, iterations=1_000 * thousands, drops=(500 * thousands, 750 * thousands))
    for thousands in (4, 8, 16)
}
# techxzen/pytorch-residual-networks: as the paper, but for batch, padding, and a mean that alone is subtracted.
EDGE = replace(PAPER, batch_size=100, padding_mode="edge", mean=(125.0, 123.0, 114.0), std=(1.0, 1.0, 1.0))
WIDE = wide()
# The same with 5,000 images held out, as in the paper's section 4.2, to watch the error without the test images.
VALIDATION = wide(validation_images=5_000)
WIDE_SHORT = wide(validation_images=5_000, epochs=9)  # for machines without a GPU
# For the built-in images: under a minute on two cores.
SMOKE = replace(PAPER, iterations=150, drops=(100, 130))
# Ablations: the short schedule with one part taken out, to see what the part contributes.
ABLATIONS = {
    "no-drops": replace(SHORT, drops=()),
    "no-momentum": replace(SHORT, momentum=0.0),
    "no-decay": replace(SHORT, weight_decay=0.0),
    "no-augmentation": replace(SHORT, padding=0, flip_probability=0.0),
}
# Begins with steps that are short beside the weights. At 0.1 the first step of plain56 is several times as long as the
# weights of its first layers.
GENTLE_START = replace(SHORT, warmup_iterations=100, warmup_learning_rate=0.001)


@dataclass(frozen=True)
class Experiment:
    """What a run needs to know but for its seed and where it is computed."""

    model: str  # a key of models.MODELS
    dataset: str  # a name that data.load knows
    recipe_name: str  # "short" of the wide networks is another recipe than that of the 6n+2 networks
    recipe: Recipe
    shortcut: str | None = None  # a key of models.SHORTCUTS; None: what the model has anyway
    precision: str | None = None  # one of device.PRECISIONS; None: what suits the device, or is asked for


def warmed_up(recipe: Recipe) -> Recipe:
    """``recipe`` with the paper's warm-up for 110 layers: 0.01 for the first 400 of 64,000 iterations."""
    return replace(recipe, warmup_iterations=recipe.iterations * 400 // 64_000)


SIX_N_PLUS_TWO = tuple(f"{kind}{depth}" for depth in (20, 32, 44, 56) for kind in ("plain", "resnet"))
WARMED_UP = ("plain110", "resnet110", "resnet1202")
WIDE_NETWORKS = tuple(f"{kind}{depth}" for depth in (10, 18, 34) for kind in ("plain", "resnet"))
QUARTERS = tuple(f"{model}-quarter" for model in WIDE_NETWORKS)  # of the width: about a sixteenth of the arithmetic
BOTTLENECKS = ("plain50", "resnet50")  # the source halves their batch

EXPERIMENTS: dict[str, Experiment] = {
    **{f"{model}-cifar10": Experiment(model, "cifar10", "paper", PAPER) for model in SIX_N_PLUS_TWO},
    **{f"{model}-cifar10": Experiment(model, "cifar10", "paper", warmed_up(PAPER)) for model in WARMED_UP},
    **{f"{model}-cifar10-short": Experiment(model, "cifar10", "short", SHORT) for model in SIX_N_PLUS_TWO},
    **{f"{model}-cifar10-short": Experiment(model, "cifar10", "short", warmed_up(SHORT)) for model in WARMED_UP[:2]},
    **{
        f"{model}-cifar10-{name}": Experiment(model, "cifar10", name, recipe)
        for name, recipe in LADDER.items()
        for model in SIX_N_PLUS_TWO
    },
    **{
        f"resnet20-cifar10-{name}": Experiment("resnet20", "cifar10", name, recipe)
        for name, recipe in ABLATIONS.items()
    },
    **{
        f"{model}-cifar10-short-warmup": Experiment(model, "cifar10", "short-warmup", GENTLE_START)
        for model in ("plain20", "resnet20", "plain56", "resnet56")
    },
    "resnet110-cifar10-no-warmup": Experiment("resnet110", "cifar10", "no-warmup", PAPER),
    **{
        f"{model}-cifar10-float32": Experiment(model, "cifar10", "float32", PAPER, precision="float32")
        for model in ("resnet20", "resnet56")
    },
    "resnet20-cifar10-short-bfloat16": Experiment("resnet20", "cifar10", "short-bfloat16", SHORT, precision="bfloat16"),
    **{f"{model}-cifar10-edge": Experiment(model, "cifar10", "edge", EDGE) for model in SIX_N_PLUS_TWO},
    **{
        f"{model}-{dataset}": Experiment(model, dataset, "wide", WIDE)
        for dataset in ("cifar10", "cifar100")
        for model in WIDE_NETWORKS
    },
    **{
        f"{model}-{dataset}": Experiment(model, dataset, "wide", wide(batch_size=64))
        for dataset in ("cifar10", "cifar100")
        for model in BOTTLENECKS
    },
    **{
        f"{model}-{dataset}-short": Experiment(model, dataset, "short", WIDE_SHORT)
        for dataset in ("cifar10", "cifar100")
        for model in (*WIDE_NETWORKS, *QUARTERS)
    },
    **{
        f"{kind}{depth}-cifar10-validation": Experiment(f"{kind}{depth}", "cifar10", "validation", VALIDATION)
        for depth in (18, 34)
        for kind in ("plain", "resnet")
    },
    "resnet10-cifar10-short-projection": Experiment("resnet10", "cifar10", "short", WIDE_SHORT, shortcut="projection"),
    "resnet18-cifar10-projection": Experiment("resnet18", "cifar10", "wide", WIDE, shortcut="projection"),
    **{f"{model}-builtin-smoke": Experiment(model, "builtin", "smoke", SMOKE) for model in ("plain20", "resnet20")},
}


def get(name: str) -> Experiment:
    """The experiment of that name. Raises ValueError, with names that are near, for one that does not exist.

    Those that begin with what was typed are the nearest.
    """
    try:
        return EXPERIMENTS[name]
    except KeyError:
        typed = str(name).lower()
        begun = [each for each in EXPERIMENTS if typed and each.startswith(typed)]
        near = list(dict.fromkeys([*begun, *get_close_matches(typed, EXPERIMENTS, n=3)]))[:3]
        hint = f"did you mean {' or '.join(near)}?" if near else "`resnet-book list` shows all."
        raise ValueError(f"experiment {name!r} is unknown: {hint}") from None

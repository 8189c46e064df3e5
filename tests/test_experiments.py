"""Every experiment is one that can be run, is named by the rule, and the published tables' cells are all there."""

from dataclasses import replace

import pytest

from resnet_book import data, models
from resnet_book.experiments import catalogue
from resnet_book.experiments.catalogue import EXPERIMENTS, PAPER, Experiment


def test_an_experiment_names_a_model_and_a_dataset_that_exist() -> None:
    assert {each.model for each in EXPERIMENTS.values()} <= set(models.MODELS)
    assert {each.dataset for each in EXPERIMENTS.values()} <= set(data.DATASETS)
    assert {each.shortcut for each in EXPERIMENTS.values()} <= {None, *models.SHORTCUTS}


def test_an_experiment_is_named_model_dataset_and_recipe_unless_that_is_its_familys_own() -> None:
    def by_rule(each: Experiment) -> str:
        wide_family = each.model.removeprefix("plain").removeprefix("resnet") in ("10", "18", "34", "50")
        own = each.recipe_name == ("wide" if wide_family else "paper")
        return "-".join(filter(None, (each.model, each.dataset, "" if own else each.recipe_name, each.shortcut)))

    assert [name for name, each in EXPERIMENTS.items() if name != by_rule(each)] == []


def test_the_learning_rate_drops_in_order_and_before_the_end() -> None:
    for name, recipe in ((name, each.recipe) for name, each in EXPERIMENTS.items()):
        milestones = [0, recipe.warmup_iterations, *recipe.drops, recipe.iterations]
        assert milestones == sorted(milestones), name


PUBLISHED_CELLS = [
    *(f"resnet{depth}-cifar10" for depth in (20, 32, 44, 56, 110, 1202)),  # He et al. 2015, table 6
    *(f"plain{depth}-cifar10" for depth in (20, 32, 44, 56, 110)),  # He et al. 2015, figure 6
    *(  # mbsariyildiz/resnet-pytorch
        f"{kind}{depth}-{dataset}"
        for kind in ("plain", "resnet")
        for depth in (10, 18, 34, 50)
        for dataset in ("cifar10", "cifar100")
    ),
    *(f"{kind}{depth}-cifar10-edge" for kind in ("plain", "resnet") for depth in (20, 32, 44, 56)),  # techxzen
]


def test_every_published_number_has_an_experiment() -> None:
    assert set(PUBLISHED_CELLS) <= set(EXPERIMENTS)


def test_every_plain_network_has_a_residual_twin_with_the_same_recipe() -> None:
    plain = {name: each for name, each in EXPERIMENTS.items() if name.startswith("plain")}
    twins = {
        name.replace("plain", "resnet"): replace(each, model=each.model.replace("plain", "resnet"))
        for name, each in plain.items()
    }
    assert [name for name, twin in twins.items() if EXPERIMENTS.get(name) != twin] == []


def test_networks_of_110_layers_and_more_warm_up_and_others_where_the_name_says_so() -> None:
    for name, each in EXPERIMENTS.items():
        deep = "110-" in name or "1202-" in name
        warm = name.endswith("-warmup") != deep  # so "-warmup", or a deep one that is not "-no-warmup"
        assert (each.recipe.warmup_iterations > 0) == warm, name


def test_the_paper_recipe_is_the_papers() -> None:
    recipe = PAPER
    assert (recipe.iterations, recipe.drops, recipe.drop_divisor) == (64_000, (32_000, 48_000), 10)
    assert (recipe.learning_rate, recipe.momentum, recipe.weight_decay, recipe.batch_size) == (0.1, 0.9, 1e-4, 128)
    assert (recipe.padding, recipe.padding_mode, recipe.flip_probability) == (4, "zeros", 0.5)
    assert (recipe.mean, recipe.std) == (None, None)


@pytest.mark.parametrize(("name", "times"), [("4k", 16), ("8k", 8), ("16k", 4)])
def test_the_ladder_is_the_papers_recipe_made_shorter(name: str, times: int) -> None:
    recipe = catalogue.LADDER[name]
    assert recipe.iterations * times == PAPER.iterations
    assert tuple(drop * times for drop in recipe.drops) == PAPER.drops
    assert replace(recipe, iterations=PAPER.iterations, drops=PAPER.drops) == PAPER


def test_the_short_recipe_is_the_papers_thirty_two_times_shorter() -> None:
    assert replace(catalogue.SHORT, iterations=64_000, drops=(32_000, 48_000)) == PAPER
    assert [32 * number for number in (catalogue.SHORT.iterations, *catalogue.SHORT.drops)] == [
        64_000,
        32_000,
        48_000,
    ]


@pytest.mark.parametrize(
    ("name", "field"), [("no-drops", "drops"), ("no-momentum", "momentum"), ("no-decay", "weight_decay")]
)
def test_an_ablation_differs_from_the_short_recipe_in_one_field(name: str, field: str) -> None:
    recipe = EXPERIMENTS[f"resnet20-cifar10-{name}"].recipe
    assert not getattr(recipe, field)
    assert replace(recipe, **{field: getattr(catalogue.SHORT, field)}) == catalogue.SHORT


def test_without_augmentation_a_crop_cuts_nothing_off_and_nothing_is_mirrored() -> None:
    recipe = EXPERIMENTS["resnet20-cifar10-no-augmentation"].recipe
    assert replace(recipe, padding=4, flip_probability=0.5) == catalogue.SHORT
    assert (recipe.padding, recipe.flip_probability) == (0, 0)


def test_the_edge_recipe_differs_from_the_papers_in_batch_padding_and_normalisation_alone() -> None:
    edge = catalogue.EDGE
    assert (edge.batch_size, edge.padding_mode, edge.mean, edge.std) == (100, "edge", (125, 123, 114), (1, 1, 1))
    assert replace(edge, batch_size=128, padding_mode="zeros", mean=None, std=None) == PAPER


@pytest.mark.parametrize("name", [name for name, each in EXPERIMENTS.items() if each.precision])
def test_a_precision_of_its_own_is_all_that_an_experiment_differs_in(name: str) -> None:
    base, _, precision = name.rpartition("-")
    experiment = EXPERIMENTS[name]
    assert experiment.precision == precision
    assert replace(experiment, precision=None, recipe_name=EXPERIMENTS[base].recipe_name) == EXPERIMENTS[base]


@pytest.mark.parametrize(("model", "batch_size"), [("resnet34", 128), ("resnet50", 64)])
def test_the_wide_recipe_is_300_epochs_with_a_drop_every_100(model: str, batch_size: int) -> None:
    recipe = EXPERIMENTS[f"{model}-cifar10"].recipe
    epoch = 50_000 // batch_size
    assert (recipe.batch_size, recipe.weight_decay) == (batch_size, 5e-4)
    assert (recipe.iterations, recipe.drops) == (300 * epoch, (100 * epoch, 200 * epoch))


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("resnet20-cifar-10", "resnet20-cifar10"),
        ("resnet20_cifar10", "resnet20-cifar10"),
        ("Resnet20-cifar10-short", "resnet20-cifar10-short"),
        ("plain20-builtin", "plain20-builtin-smoke"),
    ],
)
def test_an_unknown_name_is_refused_with_names_that_are_near(wrong: str, near: str) -> None:
    with pytest.raises(ValueError, match=rf"'{wrong}' is unknown: did you mean .*{near}"):
        catalogue.get(wrong)


def test_a_name_that_is_near_nothing_is_sent_to_the_list() -> None:
    with pytest.raises(ValueError, match="resnet-book list"):
        catalogue.get("?")


def test_a_known_name_gives_its_experiment() -> None:
    assert catalogue.get("resnet20-cifar10") == Experiment("resnet20", "cifar10", "paper", catalogue.PAPER)

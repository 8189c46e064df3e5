"""Networks: names, sizes and shapes; what blocks and shortcuts compute; initialisation; half precision and compiled."""

import shutil
from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_book import models
from resnet_book.models import MODELS, Network, ResidualBlock, basic_layers, bottleneck_layers, make_shortcut

NARROW_DEPTHS = (20, 32, 44, 56, 110, 1202)
WIDE_BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
DEPTHS = (*NARROW_DEPTHS, *WIDE_BLOCKS)
QUARTERS = [f"{family}{depth}-quarter" for family in ("resnet", "plain") for depth in (10, 18, 34)]
NAMES = [*(f"{family}{depth}" for family in ("resnet", "plain") for depth in DEPTHS), *QUARTERS]
SMALL = ["resnet20", "plain20", "resnet10", "plain10"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def outline(name: str, num_classes: int = 10) -> Network:
    """The named network without memory for its weights: enough for shapes and counts, at any depth."""
    with torch.device("meta"):
        return MODELS[name](num_classes=num_classes)


def small(shortcut: str | None, seed: int = 0) -> Network:
    return Network((8, 16), (1, 1), shortcut, generator=seeded(seed))


def pixels(count: int = 4, size: int = 32, seed: int = 1) -> Tensor:
    return torch.randn(count, 3, size, size, generator=seeded(seed))


# --- Names and sizes --------------------------------------------------------------------------------------------------


def test_models_are_the_networks_of_the_design_and_no_others() -> None:
    assert sorted(MODELS) == sorted(NAMES)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet20", 269_722),
        ("resnet32", 464_154),
        ("resnet44", 658_586),
        ("resnet56", 853_018),
        ("resnet110", 1_727_962),
    ],
)
def test_residual_network_has_as_many_parameters_as_published(name: str, parameters: int) -> None:
    assert models.count_parameters(outline(name)) == parameters


def test_resnet1202_has_the_19_4_million_parameters_of_the_paper() -> None:
    assert round(models.count_parameters(outline("resnet1202")) / 1e6, 1) == 19.4


@pytest.mark.parametrize("depth", DEPTHS)
def test_plain_network_has_as_many_parameters_as_its_residual_twin(depth: int) -> None:
    plain, residual = outline(f"plain{depth}"), outline(f"resnet{depth}")
    assert models.count_parameters(plain) == models.count_parameters(residual)


@pytest.mark.parametrize("depth", [20, 10, 50])
def test_weights_of_a_residual_network_fit_its_plain_twin_by_name_and_shape(depth: int) -> None:
    plain, residual = outline(f"plain{depth}").state_dict(), outline(f"resnet{depth}").state_dict()
    assert {name: tensor.shape for name, tensor in plain.items()} == {
        name: tensor.shape for name, tensor in residual.items()
    }


@pytest.mark.parametrize("name", ["plain20", "resnet20", "plain10", "resnet50"])
def test_networks_take_images_whose_side_is_no_multiple_of_eight(name: str) -> None:
    with torch.device("meta"):
        scores = outline(name).eval()(torch.empty(2, 3, 27, 29))
    assert scores.shape == (2, 10)


def test_at_the_border_an_average_is_over_the_pixels_that_there_are() -> None:
    x = torch.arange(9.0).view(1, 1, 3, 3)
    halved = make_shortcut("average", 1, 2, 2)(x)
    assert halved.tolist() == [[[[2.0, 3.5], [6.5, 8.0]], [[0.0, 0.0], [0.0, 0.0]]]]


# A projection where the shape changes: a 1x1 convolution and its batch norm. The bottlenecks' first stage widens, too.
PROJECTIONS = (64 * 128 + 2 * 128) + (128 * 256 + 2 * 256) + (256 * 512 + 2 * 512)
BOTTLENECK_PROJECTIONS = (
    (64 * 256 + 2 * 256) + (256 * 512 + 2 * 512) + (512 * 1024 + 2 * 1024) + (1024 * 2048 + 2 * 2048)
)


# The widths, blocks, stem and shortcuts without parameters that the source describes leave no other number. By hand:
# a 3x3 convolution from a to b channels has 9ab weights and no bias, a 1x1 convolution ab, a batch norm of b channels
# 2b (scale and shift); the linear layer, here of ten classes, has a bias.
WIDE = {10: 4_729_418, 18: 11_000_138, 34: 21_108_298, 50: 20_744_266}


@pytest.mark.parametrize("family", ["resnet", "plain"])
@pytest.mark.parametrize("depth", WIDE)
def test_a_wide_network_has_the_parameters_that_the_source_implies(depth: int, family: str) -> None:
    assert models.count_parameters(outline(f"{family}{depth}", 10)) == WIDE[depth]


@pytest.mark.parametrize("name", QUARTERS)
def test_a_quarter_is_the_wide_network_with_a_quarter_of_each_width(name: str) -> None:
    pair = name, name.removesuffix("-quarter")
    modules = ([type(module) for module in outline(each).modules()] for each in pair)
    assert next(modules) == next(modules)  # plain or residual, and the same shortcuts
    quarter, whole = (dict(outline(each).named_parameters()) for each in pair)
    assert list(quarter) == list(whole)
    for path, parameter in whole.items():  # a size of 3 is of the kernel, or the colours; of 10, the classes
        expected = [size if size in (3, 10) else size // 4 for size in parameter.shape]
        assert list(quarter[path].shape) == expected, path


@pytest.mark.parametrize("depth", WIDE)
def test_projections_add_1x1_convolutions_and_their_batch_norms_and_nothing_else(depth: int) -> None:
    without = outline(f"resnet{depth}", 10)
    with torch.device("meta"):
        projected = models.build(f"resnet{depth}", shortcut="projection")
    more = models.count_parameters(projected) - models.count_parameters(without)
    assert more == (BOTTLENECK_PROJECTIONS if depth == 50 else PROJECTIONS)
    shapes, old = (
        {name: parameter.shape for name, parameter in each.named_parameters()} for each in (projected, without)
    )
    new = {name: shapes.pop(name) for name in list(shapes) if ".shortcut." in name}
    assert shapes == old
    convolutions = [shape for shape in new.values() if len(shape) == 4]
    norms = [shape for shape in new.values() if len(shape) == 1]
    assert {tuple(shape[2:]) for shape in convolutions} == {(1, 1)}
    assert len(convolutions) == (4 if depth == 50 else 3)
    assert norms == [shape[:1] for shape in convolutions for _ in ("scale", "shift")]
    assert len(new) == len(convolutions) + len(norms)


@pytest.mark.parametrize("name", NAMES)
def test_number_of_weighted_layers_is_the_depth_in_the_name(name: str) -> None:
    weighted = [
        path
        for path, module in outline(name).named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "shortcut" not in path
    ]
    assert len(weighted) == int(name.removeprefix("resnet").removeprefix("plain").removesuffix("-quarter"))


def test_no_convolution_has_a_bias() -> None:
    for name in ("resnet20", "resnet50"):
        assert all(module.bias is None for module in outline(name).modules() if isinstance(module, nn.Conv2d))


def test_another_number_of_classes_changes_the_linear_layer_only() -> None:
    more = models.count_parameters(outline("resnet20", 100)) - models.count_parameters(outline("resnet20", 10))
    assert more == 90 * (64 + 1)


# --- Multiply-adds ----------------------------------------------------------------------------------------------------

# By hand, of one 32x32 image: a 3x3 convolution from a to b channels takes 9ab for each pixel of its output, a 1x1
# convolution ab, the linear layer a number for each of its weights. Batch norm, ReLU, sums and pooling are not counted.
PIXELS = (32**2, 16**2, 8**2, 4**2)  # of each stage
FIRST_OPERATIONS = (
    PIXELS[0] * (9 * 64 * 64 + 9 * 64 * 64),
    PIXELS[1] * (9 * 64 * 128 + 9 * 128 * 128),
    PIXELS[2] * (9 * 128 * 256 + 9 * 256 * 256),
    PIXELS[3] * (9 * 256 * 512 + 9 * 512 * 512),
)
FURTHER_OPERATIONS = tuple(pixels * 2 * 9 * width**2 for pixels, width in zip(PIXELS, (64, 128, 256, 512), strict=True))
WIDE_ENDS = PIXELS[0] * 9 * 3 * 64 + 512 * 10  # stem and classifier


def wide_operations(blocks: tuple[int, ...]) -> int:
    further = ((count - 1) * each for count, each in zip(blocks, FURTHER_OPERATIONS, strict=True))
    return WIDE_ENDS + sum(FIRST_OPERATIONS) + sum(further)


def test_resnet20_takes_the_published_40_55_million_multiply_adds() -> None:
    assert round(models.count_operations("resnet20") / 1e6, 2) == 40.55


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_a_6n_plus_2_network_takes_as_many_multiply_adds_as_counted_by_hand(depth: int) -> None:
    n = (depth - 2) // 6
    stem, classifier = 32**2 * 9 * 3 * 16, 64 * 10
    stages = 32**2 * 2 * n * 9 * 16 * 16
    stages += 16**2 * (9 * 16 * 32 + (2 * n - 1) * 9 * 32 * 32)
    stages += 8**2 * (9 * 32 * 64 + (2 * n - 1) * 9 * 64 * 64)
    assert models.count_operations(f"resnet{depth}") == stem + stages + classifier


@pytest.mark.parametrize("depth", [10, 18, 34])
def test_a_wide_network_takes_as_many_multiply_adds_as_counted_by_hand(depth: int) -> None:
    assert models.count_operations(f"resnet{depth}") == wide_operations(WIDE_BLOCKS[depth])


def test_a_bottleneck_network_takes_as_many_multiply_adds_as_counted_by_hand() -> None:
    total, in_channels = PIXELS[0] * 9 * 3 * 64 + 2048 * 10, 64
    for stage, blocks in enumerate(WIDE_BLOCKS[50]):
        width, pixels = 64 * 2**stage, PIXELS[stage]
        before = PIXELS[max(stage - 1, 0)]  # the 1x1 convolution before the stride sees the pixels of the stage before
        total += before * in_channels * width + pixels * (9 * width**2 + width * 4 * width)
        total += (blocks - 1) * pixels * (4 * width * width + 9 * width**2 + width * 4 * width)
        in_channels = 4 * width
    assert models.count_operations("resnet50") == total


@pytest.mark.parametrize("depth", [20, 56, 18, 50])
def test_a_plain_network_takes_as_many_multiply_adds_as_its_residual_twin(depth: int) -> None:
    assert models.count_operations(f"plain{depth}") == models.count_operations(f"resnet{depth}")


def test_projections_and_classes_take_their_multiply_adds() -> None:
    without = models.count_operations("resnet20")
    projections = 16**2 * 16 * 32 + 8**2 * 32 * 64
    assert models.count_operations("resnet20", shortcut="projection") == without + projections
    assert models.count_operations("resnet20", num_classes=100) == without + 64 * 90


def test_counting_neither_reads_nor_moves_the_global_generator() -> None:
    before = torch.get_rng_state()
    models.count_operations.cache_clear()
    models.count_operations("resnet20")
    assert torch.equal(torch.get_rng_state(), before)


def test_the_multiply_adds_of_an_unknown_network_are_an_error() -> None:
    with pytest.raises(ValueError, match="network 'resnet21' is unknown: choose one of"):
        models.count_operations("resnet21")


# --- Shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "num_classes"),
    [
        *((name, classes) for name in NAMES if not name.endswith("1202") for classes in (10, 100)),
        *(pytest.param(f"{kind}1202", 10, marks=pytest.mark.slow) for kind in ("plain", "resnet")),
    ],
)
def test_network_gives_a_score_for_each_class(name: str, num_classes: int) -> None:
    scores = outline(name, num_classes)(torch.empty(2, 3, 32, 32, device="meta"))
    assert scores.shape == (2, num_classes)


@pytest.mark.parametrize(
    ("name", "features"), [("resnet20", 64), ("plain110", 64), ("resnet34", 512), ("plain50", 2048)]
)
def test_features_are_as_many_as_the_last_stage_has_channels(name: str, features: int) -> None:
    assert outline(name).features(torch.empty(2, 3, 32, 32, device="meta")).shape == (2, features)


@pytest.mark.parametrize("name", SMALL)
def test_features_are_finite_and_not_negative(name: str) -> None:
    with torch.no_grad():
        features = MODELS[name](generator=seeded()).features(pixels())
    assert features.isfinite().all()
    assert (features >= 0).all()
    assert (features > 0).any()


def test_scores_are_the_linear_layer_of_the_features() -> None:
    network, images = small("subsample").eval(), pixels()
    expected = network.features(images) @ network.classifier.weight.T + network.classifier.bias
    torch.testing.assert_close(network(images), expected)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("resnet20", [(16, 32, 32), (32, 16, 16), (64, 8, 8)]),
        ("resnet18", [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]),
        ("resnet50", [(256, 32, 32), (512, 16, 16), (1024, 8, 8), (2048, 4, 4)]),
    ],
)
def test_every_stage_but_the_first_halves_the_image(name: str, sizes: list[tuple[int, ...]]) -> None:
    network = outline(name)
    x = network.stem(torch.empty(2, 3, 32, 32, device="meta"))
    found = []
    for stage in network.stages:
        x = stage(x)
        found.append(tuple(x.shape[1:]))
    assert found == sizes


# --- Shortcuts --------------------------------------------------------------------------------------------------------


def test_subsampling_copies_every_second_pixel_between_zeros_half_before_and_half_after() -> None:
    x = torch.randn(2, 4, 8, 8, generator=seeded())
    y = make_shortcut("subsample", 4, 8, 2)(x)
    assert y.shape == (2, 8, 4, 4)
    for row in range(4):
        for column in range(4):
            assert torch.equal(y[:, 2:6, row, column], x[:, :, 2 * row, 2 * column])
    assert not y[:, :2].any()
    assert not y[:, 6:].any()


def test_subsampling_puts_the_odd_zero_channel_after_the_old_ones() -> None:
    y = make_shortcut("subsample", 4, 7, 1)(torch.ones(1, 4, 2, 2))
    assert y[0, :, 0, 0].tolist() == [0, 1, 1, 1, 1, 0, 0]


def test_average_shortcut_averages_2x2_pixels_and_appends_zeros() -> None:
    x = torch.randn(2, 4, 8, 8, generator=seeded())
    y = make_shortcut("average", 4, 8, 2)(x)
    assert y.shape == (2, 8, 4, 4)
    quarters = x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]
    torch.testing.assert_close(y[:, :4], quarters / 4)
    assert not y[:, 4:].any()


def test_average_shortcut_copies_pixels_where_only_the_channels_grow() -> None:
    x = torch.randn(2, 4, 8, 8, generator=seeded())
    y = make_shortcut("average", 4, 16, 1)(x)
    assert torch.equal(y[:, :4], x)
    assert not y[:, 4:].any()


def test_projection_is_a_1x1_convolution_with_batch_norm() -> None:
    projection = make_shortcut("projection", 4, 8, 2).eval()
    assert models.count_parameters(projection) == 4 * 8 + 2 * 8
    x = torch.randn(2, 4, 8, 8, generator=seeded())
    weight = projection.get_parameter("0.weight")[:, :, 0, 0]
    expected = torch.einsum("oc,nchw->nohw", weight, x[:, :, ::2, ::2]) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(projection(x), expected)


@pytest.mark.parametrize("kind", ["subsample", "average"])
def test_shortcut_has_no_parameters(kind: str) -> None:
    assert models.count_parameters(make_shortcut(kind, 4, 8, 2)) == 0


@pytest.mark.parametrize("kind", models.SHORTCUTS)
def test_shortcut_is_the_identity_where_the_shape_stays(kind: str) -> None:
    x = torch.randn(2, 4, 8, 8, generator=seeded())
    assert torch.equal(make_shortcut(kind, 4, 4, 1)(x), x)


@pytest.mark.parametrize(
    ("name", "expected"), [("resnet20", models.SubsampleShortcut), ("resnet18", models.AveragePoolShortcut)]
)
def test_each_family_has_its_own_shortcut_where_the_shape_changes(name: str, expected: type[nn.Module]) -> None:
    blocks = [module for module in outline(name).modules() if isinstance(module, ResidualBlock)]
    kinds = [type(block.shortcut) for block in blocks if not isinstance(block.shortcut, nn.Identity)]
    assert kinds == [expected] * (2 if name == "resnet20" else 3)


def test_resnet20_with_projections_has_their_parameters_more() -> None:
    with torch.device("meta"):
        network = MODELS["resnet20"](shortcut="projection")
    more = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    assert models.count_parameters(network) == 269_722 + more


def test_plain_network_has_no_shortcut() -> None:
    assert not any(isinstance(module, ResidualBlock) for module in outline("plain56").modules())
    assert not any("shortcut" in path for path, _ in outline("plain56").named_modules())


# --- Blocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("make_layers", [basic_layers, bottleneck_layers])
def test_residual_block_with_zeroed_convolutions_is_the_identity_after_relu(make_layers, training: bool) -> None:
    layers = make_layers(16, 16 if make_layers is basic_layers else 4, 1)
    for module in layers:
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
    block = ResidualBlock(layers, make_shortcut("subsample", 16, 16, 1)).train(training)
    x = torch.randn(2, 16, 8, 8, generator=seeded())
    assert torch.equal(block(x), x.clamp(min=0))


def test_plain_block_with_zeroed_convolutions_forgets_its_input() -> None:
    layers = basic_layers(16, 16, 1)
    for module in layers:
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
    assert not models.PlainBlock(layers)(torch.randn(2, 16, 8, 8, generator=seeded())).any()


def batch_norm_by_hand(x: Tensor, norm: nn.Module, training: bool) -> Tensor:
    """Ioffe and Szegedy 2015, algorithm 1; the batch's own statistics in training, the running ones otherwise."""
    if training:
        mean = x.mean(dim=(0, 2, 3))
        variance = ((x - mean[:, None, None]) ** 2).mean(dim=(0, 2, 3))
    else:
        mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.get_parameter("weight") / (variance + 1e-5) ** 0.5
    return (x - mean[:, None, None]) * scale[:, None, None] + norm.get_parameter("bias")[:, None, None]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("out_channels", "stride"), [(6, 1), (12, 2)])
def test_residual_block_equals_its_computation_in_plain_tensor_operations(
    out_channels: int, stride: int, training: bool
) -> None:
    generator = seeded()
    layers = basic_layers(6, out_channels, stride)
    block = ResidualBlock(layers, make_shortcut("subsample", 6, out_channels, stride)).double().train(training)
    for tensor in (*block.parameters(), *block.buffers()):
        if tensor.is_floating_point():  # all but the counter of batches; variances must be positive
            tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    for module in (layers[0], layers[3]):
        module.get_parameter("weight").data.sub_(0.6)
    x = torch.randn(5, 6, 8, 8, generator=generator, dtype=torch.float64)

    first = F.conv2d(x, layers[0].get_parameter("weight"), stride=stride, padding=1)
    hidden = batch_norm_by_hand(first, layers[1], training).clamp(min=0)
    second = F.conv2d(hidden, layers[3].get_parameter("weight"), padding=1)
    residual = batch_norm_by_hand(second, layers[4], training)
    around = torch.zeros_like(residual)
    before = (out_channels - 6) // 2
    around[:, before : before + 6] = x[:, :, ::stride, ::stride]
    expected = (residual + around).clamp(min=0)

    result = block(x)
    assert 0.05 < (result == 0).double().mean() < 0.95  # the last ReLU has something to do
    torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-10)


def test_plain_block_is_the_residual_block_without_the_addition() -> None:
    layers = basic_layers(6, 6, 1).eval()
    x = torch.randn(5, 6, 8, 8, generator=seeded())
    assert torch.equal(models.PlainBlock(layers)(x), layers(x).clamp(min=0))


# --- Initialisation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_same_generator_gives_the_same_weights(name: str) -> None:
    first, second = MODELS[name](generator=seeded(5)).state_dict(), MODELS[name](generator=seeded(5)).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_plain_and_residual_twins_start_from_the_same_weights() -> None:
    plain, residual = MODELS["plain20"](generator=seeded()), MODELS["resnet20"](generator=seeded())
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), residual.parameters(), strict=True))


def test_another_seed_gives_other_weights() -> None:
    first, second = small(None, seed=5), small(None, seed=6)
    assert not torch.equal(first.stem.get_parameter("0.weight"), second.stem.get_parameter("0.weight"))


def test_weights_depend_on_the_given_generator_only() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = small("projection").state_dict()
        torch.manual_seed(2)
        second = small("projection").state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["resnet20", "resnet10"])
def test_weights_have_the_mean_and_variance_of_he_initialisation(name: str) -> None:
    standardised = []
    for module in MODELS[name](generator=seeded()).modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            scaled = module.weight.detach().flatten() / (2 / fan_in) ** 0.5  # should be N(0, 1)
            count = scaled.numel()
            assert abs(scaled.mean()) < 5 / count**0.5
            assert abs(scaled.var() - 1) < 5 * (2 / count) ** 0.5
            standardised.append(scaled)
    kurtosis = (torch.cat(standardised) ** 4).mean()
    assert abs(kurtosis - 3) < 0.1  # of the normal distribution; 1.8 would be a uniform one


def test_biases_start_at_0_and_batch_norms_at_the_identity() -> None:
    network = small("projection")
    assert not network.classifier.bias.any()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


# --- Half precision, compiled, saved ----------------------------------------------------------------------------------


def relative_difference(found: Tensor, expected: Tensor) -> float:
    return float((found.float() - expected).norm() / expected.norm())


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_gives_close_scores(name: str) -> None:
    network, images = MODELS[name](generator=seeded()), pixels(8)
    with torch.no_grad():
        expected = network(images)
        with torch.autocast("cpu", torch.bfloat16):
            found = network(images)
    assert found.dtype == torch.bfloat16
    assert 0 < relative_difference(found, expected) < 0.05


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the CPU")
def test_compiled_network_gives_close_scores() -> None:
    torch.compiler.reset()
    network, images = small("subsample"), pixels(4, size=16)
    with torch.no_grad():
        expected = network(images)
        found = torch.compile(network)(images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shortcut", [*models.SHORTCUTS, None])
def test_state_dict_carries_all_that_the_scores_depend_on(shortcut: str | None) -> None:
    trained, copy = small(shortcut, seed=1), small(shortcut, seed=2)
    trained(pixels())  # moves the running statistics
    copy.load_state_dict(trained.state_dict())
    images = pixels(seed=9)
    assert torch.equal(copy.eval()(images), trained.eval()(images))


def test_every_parameter_gets_a_gradient() -> None:
    for shortcut in (*models.SHORTCUTS, None):
        network = small(shortcut)
        F.cross_entropy(network(pixels()), torch.tensor([0, 1, 2, 3])).backward()
        assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


# --- By name ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_build_makes_what_the_constructor_of_that_name_makes(name: str) -> None:
    built, expected = models.build(name, 7, generator=seeded(3)), MODELS[name](num_classes=7, generator=seeded(3))
    assert repr(built) == repr(expected)
    assert all(torch.equal(one, other) for one, other in zip(built.parameters(), expected.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "shortcut", "expected"),
    [
        ("resnet20", None, models.SubsampleShortcut),
        ("resnet10", None, models.AveragePoolShortcut),
        *((name, kind, shortcut) for name in ("resnet20", "resnet10") for kind, shortcut in models.SHORTCUTS.items()),
    ],
)
def test_build_takes_the_shortcut_asked_for_or_the_familys_own(
    name: str, shortcut: str | None, expected: type[nn.Module]
) -> None:
    with torch.device("meta"):
        network = models.build(name, shortcut=shortcut)
    blocks = [module for module in network.modules() if isinstance(module, ResidualBlock)]
    assert {type(block.shortcut) for block in blocks} == {nn.Identity, expected}


def test_build_has_ten_classes_unless_told_otherwise() -> None:
    with torch.device("meta"):
        assert models.build("plain20").classifier.out_features == 10
        assert models.build("plain20", 100).classifier.out_features == 100


# --- Errors -----------------------------------------------------------------------------------------------------------


def test_an_unknown_network_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"network 'resnet19' is unknown: choose one of resnet20, .*plain50"):
        models.build("resnet19")


@pytest.mark.parametrize("shortcut", [*models.SHORTCUTS, "zeros"])
@pytest.mark.parametrize("construct", [partial(models.build, "plain20"), MODELS["plain20"], MODELS["plain18"]])
def test_a_plain_network_with_a_shortcut_is_an_error_that_names_its_residual_twin(
    construct: Callable[..., Network], shortcut: str
) -> None:
    with pytest.raises(ValueError, match=rf"shortcut='{shortcut}': a plain network has none; take resnet<depth>"):
        construct(shortcut=shortcut)


def test_a_residual_network_without_a_shortcut_of_the_readers_has_its_own() -> None:
    asked = MODELS["resnet20"](shortcut=None, generator=seeded())
    assert any(isinstance(module, models.SubsampleShortcut) for module in asked.modules())


def test_building_with_an_unknown_shortcut_or_too_few_classes_is_an_error() -> None:
    with pytest.raises(ValueError, match="shortcut='zeros': choose one of"):
        models.build("resnet20", shortcut="zeros")
    with pytest.raises(ValueError, match=r"num_classes=1: .*at least 2"):
        models.build("resnet20", num_classes=1)


def test_unknown_shortcut_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"shortcut='zeros': choose one of .*average.*projection.*subsample"):
        MODELS["resnet20"](shortcut="zeros")


@pytest.mark.parametrize("num_classes", [1, 0, -3])
def test_fewer_than_two_classes_is_an_error(num_classes: int) -> None:
    with pytest.raises(ValueError, match=rf"num_classes={num_classes}: .*at least 2"):
        MODELS["resnet20"](num_classes=num_classes)


@pytest.mark.parametrize("depth", [2, 18, 21, -4])
def test_a_depth_that_is_not_6n_plus_2_is_an_error(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"depth={depth}: .*6n\+2"):
        models.narrow(depth, residual=True)


def test_a_seed_is_no_generator_of_weights() -> None:
    with pytest.raises(ValueError, match=r"generator=0: make one from a seed with torch.Generator\(\)"):
        MODELS["resnet20"](generator=0)

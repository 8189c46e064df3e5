# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Wide networks
#
# **Do the wide networks need shortcuts, and do the shortcuts need parameters?**
#
# The networks of chapter 3 are narrow: 16 to 64 channels. A popular re-implementation by mbsariyildiz
# {cite}`sariyildiz2018resnet`, *the source* on this page, trains a family that is four to eight times as wide, with as
# few as 10 layers, on CIFAR-10 and on CIFAR-100. It makes three claims. Shortcuts should have no parameters. The gap
# between plain and residual networks opens with depth: 10 and 18 layers end much alike, and from 34 on it shows. And
# *identity mappings*, shortcuts that hand on what they get, make a long training stable, as was noticed on held-out
# images. This page builds these networks, turns each claim into something that can be measured, and measures what a
# machine without a GPU can: short runs of nine epochs. **That is too little to decide any of the three.** What
# takes a GPU and is not recorded yet stays open, and the summary says how far each claim has come. *The paper* is, as
# everywhere in this book, that of He et al. 2015 {cite}`he2015deep`; *recorded* is a run that left its record, a file of
# what it measured, with this book.
#
# **You will learn**
#
# - to build the wide networks, and to count their parameters by hand, stage by stage;
# - what speaks for shortcuts without parameters, what speaks against them, and what a projection costs;
# - to watch the stability of a training on images held out, and to read errors where an image has two labels.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the blocks and [chapter 2](02_augmentation.ipynb) for the
# recipe's augmentation. With `tier = "smoke"` the page takes under a minute on 2 cores and downloads nothing (its
# images are the book's own drawings, *built-in*). `"cpu"` takes about ten minutes and CIFAR-10 (170 MB). `"paper"` does
# the same on a GPU, where there is one. The full runs, 300 epochs each, are recorded with `resnet-book run`, and every
# tier shows what is recorded.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab: upload the book's wheel beside this notebook
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")

# %% tags=["parameters"]
# "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": on a GPU
tier = "smoke"
data_root = ""  # the folder of the CIFAR files; "": where the package looks

# %%
import math
import time
from dataclasses import asdict, replace

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from torch import Tensor, nn

# %%
from resnet_book import cifar, data, features, models
from resnet_book.analysis import answers, study
from resnet_book.engine.device import Engine, default_precision, worth_compiling
from resnet_book.experiments import records, studies, weights
from resnet_book.experiments.catalogue import EXPERIMENTS, VALIDATION, WIDE, WIDE_SHORT
from resnet_book.report import figures, tables, wide_figures, wide_tables
from resnet_book.train import fit

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
results = records.find_results()
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}"

# %% [markdown]
# ## Four stages of width
#
# The plan is that of every residual network: a stem, a 3x3 convolution from the three colours to 64 channels; stages of
# equal blocks; an average over all places; one linear layer. Here there are four stages, with 64, 128, 256 and 512
# channels, and each but the first halves height and width. What distinguishes the networks is the number of blocks in
# each stage, and, for 50 layers, what a block is made of.

# %%
WIDTHS = (64, 128, 256, 512)
BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
LAYERS_OF_A_BLOCK = {10: 2, 18: 2, 34: 2, 50: 3}
{depth: 1 + sum(BLOCKS[depth]) * LAYERS_OF_A_BLOCK[depth] + 1 for depth in BLOCKS}

# %% [markdown]
# The stem, the layers of all blocks and the linear layer add up to the name. The 50-layer network has as many blocks as
# that of 34, but each is a *bottleneck*: a 1x1 convolution narrows to the stage's width, a 3x3 convolution works there,
# and another 1x1 convolution widens to four times that. So the last stage of this network ends in 2,048 channels.


# %%
def bottleneck_layers(in_channels: int, width: int, stride: int) -> nn.Sequential:
    """1x1 to ``width``, 3x3, 1x1 to four times ``width``."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 4 * width, 1, bias=False),
        nn.BatchNorm2d(4 * width),
    )


bottleneck_layers(64, 64, 1)(torch.zeros(2, 64, 8, 8)).shape


# %% [markdown]
# ### A shortcut without parameters
#
# Where the shape changes, the shortcut has to follow: stages 2 to 4 begin by halving the picture, and new channels come
# (with 50 layers also in stage 1, from 64 to 256). The networks of chapter 3 take every second pixel. These average
# over 2x2 pixels, so that every pixel counts, and append channels of zeros behind the old ones.


# %%
class Shortcut(nn.Module):
    """Average over ``stride`` x ``stride`` pixels, and append channels of zeros."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new_channels = stride, out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(x, self.stride)  # (N, C, H/stride, W/stride)
        return F.pad(x, (0, 0, 0, 0, 0, self.new_channels))


x = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]])  # (1, 1, 2, 2)
Shortcut(1, 3, stride=2)(x).flatten().tolist()

# %% [markdown]
# One channel of four pixels became one pixel, their mean, and two channels of zeros. Blocks are those of chapter 3, now
# imported; with our shortcut in them, they make up the stages.


# %%
def make_block(depth: int, ins: int, width: int, stride: int, residual: bool):
    """One block of the wide network of ``depth`` layers."""
    if depth == 50:
        layers, outs = bottleneck_layers(ins, width, stride), 4 * width
    else:
        layers, outs = models.basic_layers(ins, width, stride), width
    if not residual:
        return models.PlainBlock(layers)
    return models.ResidualBlock(layers, Shortcut(ins, outs, stride))


make_block(18, 64, 128, 2, residual=True)(torch.zeros(2, 64, 32, 32)).shape


# %%
def make_stages(depth: int, residual: bool) -> list[nn.Module]:
    """All blocks of the network, one after the other."""
    channels, blocks = 64, []
    for stage, (width, count) in enumerate(zip(WIDTHS, BLOCKS[depth], strict=True)):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            blocks.append(make_block(depth, channels, width, stride, residual))
            channels = 4 * width if depth == 50 else width
    return blocks


len(make_stages(34, residual=True))


# %%
class WideNetwork(nn.Module):
    """Images (N, 3, H, W) -> scores (N, classes)."""

    def __init__(self, depth: int, residual: bool, num_classes: int, seed: int):
        super().__init__()
        stem = [models.conv3x3(3, 64), nn.BatchNorm2d(64), nn.ReLU()]
        self.stem = nn.Sequential(*stem)
        self.blocks = nn.Sequential(*make_stages(depth, residual))
        self.classifier = nn.Linear(2048 if depth == 50 else 512, num_classes)
        models.initialise(self, torch.Generator().manual_seed(seed))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.blocks(self.stem(x)).mean(dim=(2, 3)))


small = WideNetwork(10, residual=True, num_classes=10, seed=0)
small(torch.zeros(2, 3, 32, 32)).shape

# %% [markdown]
# Is that the package's network? Its weights are drawn in the same order, so the same seed has to give the same scores,
# to the last bit. Four of the eight networks have every part in them: both kinds, several blocks a stage, bottlenecks.

# %%
pixels = torch.randn(8, 3, 8, 8, generator=torch.Generator().manual_seed(1))
tuple(pixels.shape)

# %%
for name in ("plain10", "resnet10", "resnet18", "resnet50"):
    kind, depth = tables.kind_and_depth(name)
    mine = WideNetwork(depth, kind == "residual", num_classes=100, seed=0)
    theirs = models.build(name, 100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mine(pixels), theirs(pixels)), name
print("all four agree")

# %% [markdown]
# ## Counting by hand
#
# A convolution of $k \times k$ pixels from $a$ to $b$ channels has $k^2 a b$ weights and, before a batch norm, no bias.
# A batch norm has a weight and a bias for each channel. That is all one needs.


# %%
def convolution(size: int, ins: int, outs: int) -> int:
    return size**2 * ins * outs


def norm(channels: int) -> int:
    return 2 * channels


convolution(3, 64, 64), norm(64)


# %%
def block_parameters(depth: int, ins: int, width: int) -> int:
    """Parameters of one block's layers."""
    inner = convolution(3, width, width) + 2 * norm(width)
    if depth != 50:
        return convolution(3, ins, width) + inner
    ends = convolution(1, ins, width) + convolution(1, width, 4 * width)
    return ends + inner + norm(4 * width)


block_parameters(18, 64, 64), block_parameters(50, 64, 64)


# %%
def parameters_by_part(depth: int, num_classes: int = 10) -> dict[str, int]:
    """Parameters of the stem, of each stage and of the classifier."""
    parts, ins = {"stem": convolution(3, 3, 64) + norm(64)}, 64
    for stage, width in enumerate(WIDTHS):
        first = block_parameters(depth, ins, width)
        ins = 4 * width if depth == 50 else width
        others = (BLOCKS[depth][stage] - 1) * block_parameters(depth, ins, width)
        parts[f"stage {stage + 1}"] = first + others
    return {**parts, "classifier": ins * num_classes + num_classes}


parameters_by_part(18)

# %% [markdown]
# ```{admonition} Predict, then run
# :class: tip
#
# Two questions before the table. Which share of its parameters does the network of 18 layers keep in its last stage? And
# the networks of 34 and 50 layers have the same number of blocks: which of the two has more parameters, and by how much?
# ```

# %%
counted = pd.DataFrame({depth: parameters_by_part(depth) for depth in BLOCKS})
counted = counted.rename_axis(columns="layers")
counted.loc["sum"] = counted.sum()
counted.map("{:,}".format)

# %% [markdown]
# The package's networks are counted by PyTorch. To have them without their millions of numbers, they are built on the
# *meta* device, which knows shapes only.


# %%
def count(name: str, shortcut: str | None = None) -> int:
    """Trainable parameters of the package's network, for 10 classes."""
    with torch.device("meta"):
        return models.count_parameters(models.build(name, shortcut=shortcut))


count("resnet20")

# %%
for depth in BLOCKS:
    assert count(f"resnet{depth}") == counted.loc["sum", depth]
    assert count(f"plain{depth}") == counted.loc["sum", depth]
f"ResNet-18: {count('resnet18'):,}; plain-18: {count('plain18'):,}"

# %% tags=["remove-input"]
share = counted.loc["stage 4"] / counted.loc["sum"]
fewer = 1 - counted.loc["sum", 50] / counted.loc["sum", 34]
text = f"""All four counts agree, and plain networks have exactly as many parameters as residual ones. The last stage alone
holds {100 * share[18]:.0f} % of those of 18 layers. The network of 50 layers even has {100 * fewer:.0f} % *fewer* than that of 34:
bottlenecks save what the additional layers cost. And the network of 10 layers has
{counted.loc["sum", 10] / count("resnet56"):.1f} times the {count("resnet56"):,} parameters of chapter 3's ResNet-56:
parameters grow with the square of the width, and only in proportion to the depth."""
display(Markdown(text))


# %% [markdown]
# ## Do the shortcuts need parameters?
#
# The alternative to padding is a *projection*: a 1x1 convolution with a batch norm, wherever the shape changes. It
# mixes the old channels into as many as are wanted, so no channel is zero for want of anything to fill it. By hand:


# %%
def projection_parameters(depth: int) -> int:
    """What projections add: one wherever the number of channels changes."""
    outs = [(4 if depth == 50 else 1) * width for width in WIDTHS]
    changes = zip([64, *outs[:-1]], outs, strict=True)
    return sum(convolution(1, a, b) + norm(b) for a, b in changes if a != b)


{depth: projection_parameters(depth) for depth in BLOCKS}

# %%
added = {}
for depth in BLOCKS:
    added[depth] = count(f"resnet{depth}", "projection") - count(f"resnet{depth}")
    assert added[depth] == projection_parameters(depth)
added = pd.DataFrame({"added": added}).rename_axis("layers")
added.assign(percent=(100 * added.added / counted.loc["sum"]).round(1))

# %% [markdown]
# That is little, except for 50 layers, where the projections are between four times as many channels and stage 1 needs
# one too, from 64 to 256. But the argument of the source is not about size. It goes: residual learning rests on the
# idea that a deep stack of layers struggles to represent the identity. The shortcut hands it the identity for nothing.
# A projection takes that away again at each change of shape: what arrives is a learned mixture of channels, so that the
# identity has to be learned after all.
#
# What a shortcut hands on can be tested exactly. Let every block add nothing, by setting the weights of its last batch
# norm to zero. What then reaches the classifier?


# %%
def silenced(shortcut: str) -> models.Network:
    """ResNet-34 in which every F(x) is zero."""
    generator = torch.Generator().manual_seed(0)
    network = models.build("resnet34", shortcut=shortcut, generator=generator)
    for block in network.modules():
        if isinstance(block, models.ResidualBlock):
            nn.init.zeros_(block.layers[-1].weight)
    return network.eval()


padded = silenced("average")
f"{models.count_parameters(padded):,} parameters, and blocks that do nothing"


# %%
def stem_and_features(network: models.Network) -> tuple[Tensor, Tensor]:
    """The stem's channels, averaged over the image, and the features."""
    with torch.no_grad():
        return network.stem(pixels).mean(dim=(2, 3)), network.features(pixels)


# %%
stem, values = stem_and_features(padded)
assert torch.allclose(values[:, :64], stem)  # but for rounding
f"{(values != 0).any(dim=0).sum()} of {values.shape[1]} features are not zero"

# %%
stem, mixed = stem_and_features(silenced("projection"))
f"with projections: {(mixed != 0).any(dim=0).sum()} of {mixed.shape[1]} features are not zero"

# %%
generator = torch.Generator().manual_seed(0)
shuffled = [mixed[:, torch.randperm(64, generator=generator)] for _ in range(100)]
same = F.cosine_similarity(stem, mixed[:, :64]).mean()
by_chance = torch.stack([F.cosine_similarity(stem, each).mean() for each in shuffled]).mean()
f"cosine with the stem: {same:.2f}, with shuffled channels {by_chance:.2f}"

# %% [markdown]
# With averages and zeros, 34 layers that do nothing pass the stem on unchanged. (The stem ends in a ReLU, so the ReLU
# after each addition changes nothing either.) With projections they pass on a random mixture: its channels resemble the
# stem's no more than shuffled ones do. (The cosine is not 0, since neither side has negative numbers.) So, at
# initialisation, the argument holds; a trained projection may have learned to hand on more. But the number of features
# shows the price. With zeros only the stem's 64 carry anything: what is appended stays zero until some block fills it,
# and along those channels there is nothing to be residual to. The paper saw that too. Among its three kinds of
# shortcuts on ImageNet, projections did slightly better, which it put down to the padded channels having no residual
# learning; it also found projections not essential against degradation. Which of the two effects is larger has to
# be measured; no argument settles it. First, what do projections cost in time?
#
# The arithmetic of a forward pass is counted exactly, as multiplications with additions. The time of a training step is measured,
# the two networks by turns. Whatever else the machine does can only slow a step down, so the fastest one of each
# counts.

# %%
compared = {"smoke": 10, "cpu": 18, "paper": 18}[tier]
operations = {
    shortcut: models.count_operations(f"resnet{compared}", shortcut=shortcut) for shortcut in ("average", "projection")
}
more = 100 * (operations["projection"] / operations["average"] - 1)
f"{compared} layers: {more:.2f} % more arithmetic with projections"


# %%
def step_time(network: models.Network, images: Tensor, labels: Tensor) -> float:
    """Seconds of one forward and backward pass."""
    start = time.perf_counter()
    F.cross_entropy(network(images), labels).backward()
    network.zero_grad()
    return time.perf_counter() - start


# %%
networks = {kind: models.build(f"resnet{compared}", shortcut=kind) for kind in operations}
batch = 8 if tier == "smoke" else 32
images, targets = torch.randn(batch, 3, 32, 32), torch.arange(batch) % 10
{kind: models.count_parameters(network) for kind, network in networks.items()}

# %% tags=["nbval-ignore-output"]
seconds = {kind: [] for kind in networks}
for _ in range(7 if tier == "smoke" else 20):
    for kind, network in networks.items():
        seconds[kind].append(step_time(network, images, targets))
timed = 1000 * pd.DataFrame(seconds).agg(["min", "median"])
longer = 100 * (timed.projection / timed.average - 1)
timed.assign(longer=longer).rename(columns={"longer": "longer (%)"}).round(1)

# %% [markdown]
# Milliseconds. Where the fastest steps and the medians disagree about the difference, the machine was too busy to see a
# few per cent. And the accuracy? It takes a training of each. (What the two recipes are, the next section says.)

# %% tags=["nbval-ignore-output"]
recorded = records.load_all(results)
summaries = tables.summary(recorded).set_index("experiment")
pairs = {
    "10 layers, 9 epochs": "resnet10-cifar10-short",
    "18 layers, 300 epochs": "resnet18-cifar10",
}
rows = {}
for title, name in pairs.items():
    zeros = tables.recorded_cell(summaries, name)
    projection = tables.recorded_cell(summaries, f"{name}-projection")
    rows[title] = {"zeros": zeros, "projection": projection}
pd.DataFrame.from_dict(rows, orient="index").rename_axis("test error (%)")

# %% [markdown]
# How much of a difference is luck? One part of the luck is known without any further run. An error is a share of the
# test images, and had other ones been drawn it would have been another: its standard error is that of a share. (What
# other seeds would do comes on top, and takes other seeds.)


# %%
def standard_error(error: float, images: int = wide_tables.TEST_IMAGES) -> float:
    """Of an error (%) measured on so many images, in points."""
    share = error / 100
    return 100 * math.sqrt(share * (1 - share) / images)


f"{standard_error(20):.2f} points, for 20 % of {wide_tables.TEST_IMAGES:,} images"

# %% tags=["remove-input", "nbval-ignore-output"]
lines, projection_ahead = [], ""
for title, name in pairs.items():
    if {name, f"{name}-projection"} <= set(summaries.index):
        one, other = summaries.loc[f"{name}-projection"], summaries.loc[name]
        change = tables.points(*tables.change(one, other))
        luck = math.hypot(standard_error(one.test_error), standard_error(other.test_error))
        times = abs(one.test_error - other.test_error) / luck
        lines.append(
            f"- **{title}:** projections change the test error by {change}. The choice of the test images "
            f"alone gives such a difference a standard error of {luck:.2f} points (if the mistakes of the two are "
            f"independent); it is {times:.1f} times that."
        )
        projection_ahead = f"{title}: {one.test_error:.2f} % with projections, {other.test_error:.2f} % with zeros"
nothing = "No pair is recorded yet, so this page cannot say which of the two shortcuts is the more accurate one."
display(Markdown("\n".join(lines) if lines else nothing))

# %% [markdown]
# ## Do the wide networks need shortcuts?
#
# The source reports one accuracy for each network, and does not say whether it is that of the last epoch or of the
# best. Here they are as errors, as everywhere in this book, beside ours. Three recipes train the wide networks:
#
# - `wide`, that of the source: 300 epochs of stochastic gradient descent in batches of 128, the learning rate 0.1 divided
#   by 10 after each hundred, and a weight decay of 0.0005, five times that of the paper. With 50 layers batches have 64
#   images, so that 300 epochs are twice as many iterations;
# - `validation`: the same, with 5,000 training images held out, which the next section is about;
# - `short`: the same three learning rates in 9 epochs, for machines without a GPU, and **only to be compared with
#   itself**. It holds out 5,000 images too, so it takes 9 x 351 = 3,159 steps with batches of 128.

# %%
assert (WIDE.weight_decay, WIDE.learning_rate, WIDE.batch_size) == (5e-4, 0.1, 128)
assert WIDE_SHORT.iterations == 9 * (45_000 // 128) == 9 * 351
bottlenecks = EXPERIMENTS["resnet50-cifar10"].recipe
recipes = {"wide": WIDE, "wide, 50 layers": bottlenecks, "validation": VALIDATION, "short": WIDE_SHORT}
shown = ["batch_size", "iterations", "drops", "validation_images"]
pd.DataFrame(map(asdict, recipes.values()), index=list(recipes))[shown]

# %% tags=["remove-input", "nbval-ignore-output"]
heading = "Test error (%), ours after the last epoch, mean ± standard deviation (runs); –: not published.\n\n"
display(Markdown(heading + tables.to_markdown(wide_tables.wide_table(recorded))))

# %% [markdown]
# Compare each plain row with the residual one below it, within a column. The difference of the two is the gap, and
# `sampling` is its standard error from the choice of the test images alone, as above (which takes the mistakes of the
# two networks for independent). {numref}`fig-ch7-gap` draws both against depth.

# %%
published = wide_tables.gaps(wide_tables.published_errors())
published.set_index(["dataset", "depth"]).rename_axis(columns="").round(2)

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Plain minus residual test error against depth. Both published lines begin near zero at 10 layers. On CIFAR-10 the line is flat up to 18 layers and then rises to about five points at 50; on CIFAR-100 it rises from 10 layers on, to eight points at 34."}, "figure": {"caption": "What shortcuts save, in points of test error, against depth: published numbers are open and dashed, ours by the same recipe, once recorded, filled. Bars: one standard error from the choice of the test images; how much seeds differ is not published.", "name": "fig-ch7-gap"}}
fig, ax = plt.subplots()
wide_figures.plot_gaps(published, ax, "published")
ours = summaries[summaries.recipe == "wide"]
ours = ours[~ours.index.str.endswith("projection")]
if len(own := wide_tables.gaps(ours)):
    wide_figures.plot_gaps(own, ax, "ours", filled=True)
ax.set_xticks(wide_tables.DEPTHS)
plt.show()

# %% tags=["remove-input"]
gap = published.set_index(["dataset", "depth"])
least = gap.loc[("cifar10", 18)]
error34, error50 = (gap.loc[("cifar10", depth)].residual for depth in (34, 50))
text = f"""On CIFAR-10 the gap goes from {gap.loc[("cifar10", 10)].gap:.1f} points at 10 layers to
{gap.loc[("cifar10", 34)].gap:.1f} at 34 and {gap.loc[("cifar10", 50)].gap:.1f} at 50; on CIFAR-100 from
{gap.loc[("cifar100", 10)].gap:.1f} to {gap.loc[("cifar100", 34)].gap:.1f} at 34. But these are single numbers. The gap at
18 layers on CIFAR-10, {least.gap:.1f} points, is less than its `sampling` of {least.sampling:.1f}.

At 10 layers the published numbers show no gap on either dataset. At 18 they show none on CIFAR-10 and one of
{gap.loc[("cifar100", 18)].gap:.1f} points ({gap.loc[("cifar100", 18)].gap / gap.loc[("cifar100", 18)].sampling:.0f}
times its `sampling`) on CIFAR-100. From 34 layers on every gap is at least
{math.floor(gap[gap.index.get_level_values("depth") >= 34].eval("gap / sampling").min())} times its `sampling`. By these numbers, wide networks need shortcuts too, once they are deep.

Mind what the plain networks do: from 18 to 34 layers their error *rises*, although they have more layers, more
parameters and the same 300 epochs. That is the degradation of chapter 3. (On CIFAR-10 the residual error rises too, but
later and less: from {error34:.1f} % at 34 layers to {error50:.1f} % at 50. And the networks of 50 layers train with
batches of 64.) Whether it is a failure to fit or to generalise, the training errors would tell, and those are not
published."""
display(Markdown(text))

# %% tags=["remove-input", "nbval-ignore-output"]
NAMED = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}
lines = [f"{row.gap:+.2f} points at {row.depth} layers on {NAMED[row.dataset]}" for row in own.itertuples()]
nothing = "**Ours are not recorded yet**: no pair of twins, plain and residual, has been through the 300 epochs."
own_text = f"Our own runs have {'; '.join(lines)}." if lines else nothing
short_names = [f"{kind}10-{dataset}-short" for kind in ("plain", "resnet") for dataset in ("cifar10", "cifar100")]
brief = wide_tables.gaps(summaries[summaries.index.isin(short_names)])
for row in brief.itertuples():
    ahead = "plain" if row.gap < 0 else "residual"
    trained = [summaries.loc[f"{each}10-{row.dataset}-short"].train_error for each in ("plain", "resnet")]
    own_text += (
        f" By the recipe `short` the gap is {row.gap:+.2f} points at {row.depth} layers on {NAMED[row.dataset]}, "
    )
    own_text += f"{abs(row.gap) / row.sampling:.1f} times its `sampling`: after 9 epochs "
    own_text += f"the {ahead} network is ahead" if abs(row.gap) > 2 * row.sampling else "the two are level"
    own_text += f" (errors on the training images: {trained[0]:.1f} % plain, {trained[1]:.1f} % residual)."
if len(brief):
    own_text += " That says which of the two gets on faster at first, not where they end."
display(Markdown(own_text))

# %% [markdown]
# ## Do identity mappings stabilise training?
#
# The claim compares residual with plain networks: it is about shortcuts as a whole, not about zeros against
# projections. It is one sentence in the source, so what it means is for us to say. We read it so: a claim about a
# *long* training is about epochs, so the error must be watched epoch by epoch; *stable* is about how much it varies
# from one to the next, not about how low it is. Call the epochs of one learning rate a *phase* (a stage, on this page,
# is one of widths). A long phase ends with the error moving up and down more than it falls. The claim then says: *in
# the last epochs of a phase the error of the residual network varies less than that of its plain twin*.
#
# The error on which images? On the test images it could be shown, but then nobody should choose by it. Who picks the
# learning rate, the epoch or the network that is best on the test images reports an error that is too low, because some
# of what made it best is luck with these very images. So a part of the *training* images is held out: they are never
# trained on, and every choice is made on them. The paper chose its schedule on 45,000 and 5,000 images split so.

# %%
train_images = data.load("builtin", "train")
test_images = data.load("builtin", "test")
kept, held_out = data.hold_out(train_images, count=500, seed=0)
again = data.hold_out(train_images, count=500, seed=0)[1]
assert torch.equal(held_out.images, again.images)  # the same ones
len(kept), len(held_out)

# %% [markdown]
# The held-out images are the same for each seed and each network. The luck of their choice shifts all epochs of a run
# alike, for the most part, and that part drops out where epochs are compared; the rest is in the scatter.
#
# ### A pair trained on this page
#
# The wide networks are too large to train here. At a quarter of the width, 16 to 128 channels, ten layers can be
# trained: the same plan and the same shortcuts with a sixteenth of the arithmetic. (As for the projections above, the
# networks are the package's. Ours are the same, to the last bit, but have no choice of widths.)


# %%
def quarter_width(kind: str, seed: int) -> models.Network:
    """Ten layers with 16 to 128 channels."""
    shortcut = "average" if kind == "residual" else None
    generator = torch.Generator().manual_seed(seed)
    widths = (16, 32, 64, 128)
    return models.Network(widths, BLOCKS[10], shortcut, generator=generator)


f"{models.count_parameters(quarter_width('residual', 0)):,} parameters"


# %%
def smoke_recipe(training: int, validation: int, batch_size: int = 32):
    """The short recipe for fewer images: three phases of six epochs."""
    third = 6 * (training // batch_size)
    return replace(
        WIDE_SHORT,
        iterations=3 * third,
        drops=(third, 2 * third),
        batch_size=batch_size,
        padding=2,
        validation_images=validation,
    )


smoke_recipe(training=384, validation=200).drops

# %% [markdown]
# In the smoke tier the images are also halved to 16x16 pixels, which saves another three quarters of the arithmetic.
# The other tiers train on CIFAR-10, by the recipe `short` as it is.


# %%
def halved(images: data.ImageSet) -> data.ImageSet:
    """The same images at half the width and height."""
    smaller = F.avg_pool2d(images.images.float(), 2)
    return replace(images, images=smaller.round().to(torch.uint8))


halved(test_images).images.shape


# %%
train, test = halved(train_images.subset(384 + 200)), halved(test_images.subset(200))
try:
    if tier != "smoke":
        train, test = (data.load("cifar10", split, data_root or None) for split in ("train", "test"))
except cifar.DataMissingError as missing:
    if missing.named:  # you named a folder, so nothing may stand in for it
        raise
    note = "**CIFAR-10 was not found: these are the built-in images.** `resnet-book data cifar10` fetches it."
    display(Markdown(f"> {note}"))
recipe = WIDE_SHORT if train.name == "cifar10" else smoke_recipe(384, 200)
seeds = (0, 1) if train.name == "builtin" else (0,)
print(f"{len(train):,} images of {train.name}, {len(test):,} to test on;")
print(f"{recipe.validation_images:,} of the {len(train):,} are held out")

# %%
use_gpu = tier == "paper" and torch.cuda.is_available()
device = torch.device("cuda" if use_gpu else "cpu")
f"training on {device}"

# %%
engine = Engine(device, default_precision(device), worth_compiling(recipe.iterations, device))
f"in {engine.precision}{', compiled' * engine.compiled}"


# %%
def train_one(kind: str, seed: int) -> pd.DataFrame:
    """A row an epoch of what was measured while one network was trained."""
    network = quarter_width(kind, seed).to(device)
    history = fit(network, train, test, recipe, seed=seed, engine=engine)
    error = history.epochs[-1].validation_error
    print(f"{kind}, seed {seed}: validation error {error:.1f} %")
    epochs = pd.DataFrame(map(asdict, history.epochs))
    return epochs.assign(kind=kind, depth=10, seed=seed)


# %% [markdown]
# ```{admonition} Predict, then run
# :class: tip
#
# At which of the three learning rates will the validation error move most from epoch to epoch? And will you be able to
# tell the plain network from the residual one by that? {numref}`fig-ch7-here` shows it, and the table below it measures.
# ```
#
# (The smoke tier computes on one thread: for pictures this small, a second one mostly waits for the first.)

# %% tags=["nbval-ignore-output"]
threads = torch.get_num_threads()
torch.set_num_threads(1 if train.name == "builtin" else threads)
both_kinds = ("plain", "residual")
here = pd.concat([train_one(kind, seed) for kind in both_kinds for seed in seeds])
torch.set_num_threads(threads)

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Validation error against epochs, a line a run. All lines fall most in the first phase and right after it, and little in the last; plain and residual runs lie close together."}, "figure": {"caption": "Validation error of the quarter-width pair trained on this page, a line a run, a marker a seed. Dotted lines: the learning rate, given above the panel, is divided by 10.", "name": "fig-ch7-here"}}
fig, ax = plt.subplots(figsize=(7.2, 3.4))
wide_figures.plot_phases(here, ax)
plt.show()

# %% [markdown]
# Of the last epochs of each phase we take the standard deviation. It also grows when the error simply keeps falling. So
# we lay a straight line through these epochs: `fall` says by how many points an epoch it falls, and `scatter` is the
# standard deviation *around the line*. A steady fall adds nothing to the scatter; a fall that slows down still does.
# Here these are the last five epochs of each phase, so that the first one after a drop is not among them (of the recipe
# `short` all three).

# %% tags=["nbval-ignore-output"]
varied = wide_tables.phase_variability(here, last=5)
by_phase = varied.groupby(["learning_rate", "kind"])
measured = by_phase[["mean", "std", "fall", "scatter"]].mean()
measured.sort_index(ascending=[False, True]).round(2)

# %% tags=["remove-input", "nbval-ignore-output"]
scatter = varied.groupby(["phase", "kind"]).scatter.mean().unstack()
rates = varied.drop_duplicates("phase").learning_rate
most = {kind: f"{rates.iloc[scatter[kind].to_numpy().argmax()]:g}" for kind in scatter}
calmer = (scatter.residual < scatter.plain).sum()
last_error = here[here.iteration == here.iteration.max()].validation_error.mean()
text = f"""Around its fall the validation error scatters most at the learning rate {most["plain"]} in the plain network, and at
{most["residual"]} in the residual one (mean of {len(seeds)} run{"s" * (len(seeds) > 1)} of each). The residual one scatters less in
{calmer} of {len(scatter)} phases. Mind the size of it: with {recipe.validation_images:,} images and an error of
{last_error:.0f} %, the error itself is known to {standard_error(last_error, recipe.validation_images):.1f} points.
**This shows how to measure; it settles nothing about shortcuts**, whichever way it came out."""
display(Markdown(text))

# %% [markdown]
# ### The recorded runs
#
# Long runs are what the claim is about. {numref}`fig-ch7-validation` shows what is recorded of those that hold out
# 5,000 images: of the short ones of 10 layers, and of those of 18 and 34 layers over 300 epochs.

# %% tags=["nbval-ignore-output"]
PAIRS = {  # the ends of the names of the experiments; epochs to take of each phase
    "10 layers, CIFAR-10, 9 epochs": ("10-cifar10-short", 3),
    "10 layers, CIFAR-100, 9 epochs": ("10-cifar100-short", 3),
    "18 layers, CIFAR-10, 300 epochs": ("18-cifar10-validation", 20),
    "34 layers, CIFAR-10, 300 epochs": ("34-cifar10-validation", 20),
}
curves, panels = tables.curves(recorded), {}
for title, (of, _) in PAIRS.items():
    panels[title] = curves[curves.experiment.isin([f"plain{of}", f"resnet{of}"])]
{title: panel.experiment.unique().tolist() for title, panel in panels.items()}

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "A panel for each recorded depth, dataset and length: validation error against epochs, plain orange, residual blue. The error drops where the learning rate is first divided by 10, and moves little in the last phase. If nothing is recorded, a sentence says so."}, "figure": {"caption": "Validation error of recorded runs, a line a run. Dotted lines: the learning rate, given above the panel, is divided by 10.", "name": "fig-ch7-validation"}}
shown = {title: panel for title, panel in panels.items() if len(panel)}
height = 2.8 * len(shown) or 0.5  # if nothing is recorded, a sentence
shown = shown or {"": curves.iloc[:0]}
fig, axes = plt.subplots(len(shown), figsize=(7.2, height), squeeze=False)
for ax, (title, panel) in zip(axes.flat, shown.items(), strict=True):
    wide_figures.plot_phases(panel, ax)
    ax.set_title(title, pad=16)
plt.show()

# %% [markdown]
# In such lines the eye follows the fall. {numref}`fig-ch7-variability` has the scatter alone: a dot is a run in the
# last epochs of one phase, plain beside residual, on a logarithmic scale, where equal distances are equal ratios. By
# the claim blue lies below orange in every phase. Two warnings. The short runs have three epochs a phase, so all of
# them are taken, and around a line through three points $e_1, e_2, e_3$ the scatter is $|e_1 - 2 e_2 + e_3| /
# \sqrt{6}$: **only the bend of the fall**. Their dots show how the measure works; of stability they say nothing. And
# how far apart do two dots lie by chance? Suppose that two networks scatter alike, and their epochs are independent.
# The line through $n$ epochs leaves $n - 2$ degrees of freedom:


# %%
def ratio_by_chance(epochs: int) -> tuple[float, float]:
    """Ratio of the larger scatter to the smaller: of half of all pairs, and of one in 20, it is above."""
    noise = torch.randn(2, 100_000, epochs - 2, generator=torch.Generator().manual_seed(0))
    one, other = noise.square().mean(dim=2).sqrt()
    ratio = torch.maximum(one, other) / torch.minimum(one, other)
    half, twentieth = ratio.quantile(torch.tensor([0.5, 0.95])).tolist()
    return half, twentieth


for epochs in (3, 20):  # what is taken of each phase of the short and of the long runs
    half, twentieth = ratio_by_chance(epochs)
    print(f"{epochs} epochs: above {half:.1f} in half of all pairs, above {twentieth:.1f} in one of 20")

# %% tags=["nbval-ignore-output"]
last_of = {title: epochs for title, (_, epochs) in PAIRS.items()}
found = {title: wide_tables.phase_variability(panel, last_of.get(title, 3)) for title, panel in shown.items()}
{title: f"{len(each)} dots" for title, each in found.items()}

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "A panel for each recorded network, dataset and length: the scatter of each run at each learning rate on a logarithmic scale, plain orange on the left, residual blue on the right. The dots lie high at the first learning rate and low at the last. If nothing is recorded, a sentence says so."}, "figure": {"caption": "Variability in the last epochs of each learning rate, with shortcuts (residual) and without (plain): the scatter of the validation error around its fall, a dot a recorded run; the last twenty epochs of each phase, or all three where it has no more.", "name": "fig-ch7-variability"}}
columns, rows = min(len(found), 2), math.ceil(len(found) / 2)
size = (3.6 * columns, 2.8 * rows if any(map(len, found.values())) else 0.5)
fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True)
for ax, title in zip(axes.flat, found, strict=False):
    wide_figures.plot_variability(found[title], ax).set_title(title)
for ax in axes.flat[len(found) :]:
    ax.set_axis_off()
for ax in axes[:, 1:].flat:
    ax.set_ylabel("")  # as on the left
plt.show()

# %% [markdown]
# Two dots that are no farther apart than chance would put them say nothing about their kinds. And compare within a
# phase only, where the learning rate, and with it the size of the steps, is the same. The table has the same runs in
# numbers, averaged over the runs of an experiment.

# %% tags=["nbval-ignore-output"]
last = {}
for of, epochs in PAIRS.values():
    for name in (f"plain{of}", f"resnet{of}"):
        if name in summaries.index:
            last[name] = epochs
wide_tables.variability_table(curves, last).drop(columns="std")


# %% tags=["remove-input"]
def in_words(title: str, epochs: int) -> str:
    """How plain and residual scatter beside each other and beside chance; empty unless both are recorded."""
    found = wide_tables.phase_variability(panels[title], epochs)
    if found.kind.nunique() < 2:
        return ""
    scatter = found.groupby(["phase", "kind"]).scatter.mean().unstack()
    if epochs == 3:
        return f"- **{title}:** three epochs a phase show the bend of the fall alone, so nothing is counted.\n"
    calmer = (scatter.residual < scatter.plain).sum()
    ratios = ", ".join(f"{each:.1f}" for each in scatter.max(axis=1) / scatter.min(axis=1))
    rare = ratio_by_chance(epochs)[1]
    words = f"- **{title}:** the residual network scatters less in {calmer} of {len(scatter)} phases. The larger scatter is "
    return words + f"{ratios} times the smaller; by chance one in 20, of single runs, would be above {rare:.1f}.\n"


# %% tags=["remove-input", "nbval-ignore-output"]
words = {title: in_words(title, epochs) for title, (_, epochs) in PAIRS.items()}
long_pairs = [
    words[title].removeprefix(f"- **{title}:** ").split(".")[0] + f" ({title})"
    for title, (_, epochs) in PAIRS.items()
    if epochs > 3 and words[title]
]
text = "".join(words.values())
if not long_pairs:
    text += """
No pair of long runs is recorded yet, so **the claim is neither confirmed nor refuted here.** A GPU records one with

```bash
resnet-book run resnet18-cifar10-validation plain18-cifar10-validation
```
"""
display(Markdown(text))

# %% [markdown]
# When you read such a table, mind two traps. A network with a higher error has more room to vary: compare pairs whose
# means are close, or say so. And one run of each shows how much that run varied; whether *networks of that kind* do
# takes several seeds, because the epochs of a run are no independent trials.
#
# ### Validation beside test
#
# Is the validation error a good stand-in? {numref}`fig-ch7-both` has both errors of the same runs: those of the first
# recorded pair, plain and residual, or, as long as there is none, of the pair trained above. If the held-out images are
# like the test images, and no choice was made on either, only the luck of which images they are keeps the two lines of
# a run apart. That luck is much the same in all its epochs, so the distance may well last.

# %% tags=["nbval-ignore-output"]
whole = [panel for panel in panels.values() if panel.kind.nunique() == 2]
both = whole[0] if whole else here
origin = next((title for title, panel in panels.items() if panel is both), "the pair trained above")
f"{origin}: {len(both)} epochs in all"

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Validation error solid and test error dashed against epochs, plain left and residual right. The two lines of a run stay within a few points of each other while both fall by tens of points."}, "figure": {"caption": "Validation error (solid) and test error (dashed) of one plain and one residual run, against epochs.", "name": "fig-ch7-both"}}
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.4))
for ax, kind in zip(axes, ("plain", "residual"), strict=True):
    run = both[(both.kind == kind) & (both.seed == 0)]
    wide_figures.plot_phases(run, ax, ("validation_error", "test_error"))
    ax.label_outer()
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
apart = (both.test_error - both.validation_error).groupby(both.kind).mean()
sizes = (5_000, wide_tables.TEST_IMAGES) if whole else (recipe.validation_images, len(test))
doubt = math.hypot(*(standard_error(both.test_error.mean(), images) for images in sizes))
tested = both.sort_values("iteration").groupby(["kind", "seed"]).test_error
best = (tested.last() - tested.min()).mean()
text = f"""On average over its epochs the test error is {apart.plain:+.1f} points off the validation error in the plain network and
{apart.residual:+.1f} in the residual one. The choice of {sizes[0]:,} and {sizes[1]:,} images gives such a difference a
standard error of about {doubt:.1f} points. And whoever reports the best epoch *on the test images*, in place of the last,
improves these results by {best:.1f} points on average, without a better network. """
if best < 0.05:
    text += "Here that is nothing, because these errors still fall, and the last epoch is about the best. "
text += "What it is where many epochs are about equally good, exercise 4 works out."
display(Markdown(text))

# %% [markdown]
# ## CIFAR-100: two labels an image
#
# CIFAR-100 has as many images as CIFAR-10, but ten times as many classes, so 500 training images of each. Every image
# has a second, coarser label: the hundred classes are sorted into twenty superclasses of five, such as *trees* or
# *large carnivores*. That allows three errors.
#
# - *Top-1*: the class with the highest score is not the image's.
# - *Top-5*: the image's class is not among the five with the highest scores.
# - *Superclass*: the class with the highest score is not even in the image's superclass.
#
# Three images, four classes, and two superclasses, {0, 1} and {2, 3}, to see them at work:

# %%
scores = torch.tensor(
    [
        [0.1, 0.8, 0.0, 0.1],
        [0.5, 0.4, 0.1, 0.0],
        [0.1, 0.6, 0.1, 0.2],
    ]
)
true_classes, superclass_of = torch.tensor([1, 1, 2]), torch.tensor([0, 0, 1, 1])
scores.argmax(dim=1)

# %%
errors = {f"top-{k}": answers.top_error(scores, true_classes, k) for k in (1, 2)}
answered = superclass_of[scores.argmax(dim=1)]
wrong = answered != superclass_of[true_classes]
errors["superclass"] = 100 * wrong.double().mean().item()
pd.Series(errors, name="error (%)").round(1).to_frame()

# %% [markdown]
# The first answer is right. The second is wrong, but in the right superclass, and the right class comes second. The
# third is wrong in every way. What would guessing give, for a hundred classes? The chance to be right is one in a
# hundred, five in a hundred, and one in twenty.

# %%
wide_tables.chance_errors(num_classes=100, num_superclasses=20, k=5)

# %% tags=["nbval-ignore-output"]
names = ["plain10-cifar100-short", "resnet10-cifar100-short"]
for depth in wide_tables.DEPTHS:
    names += [f"plain{depth}-cifar100", f"resnet{depth}-cifar100"]
there = [name for name in names if name in summaries.index]
wide_tables.two_label_table(recorded, there)

# %% tags=["remove-input", "nbval-ignore-output"]
missing = len(names) - len(there)
text = "Errors in %. "
if missing:
    text += f"Not recorded yet: {missing} of the {len(names)} experiments on CIFAR-100. "
display(Markdown(text + "`resnet-book list` names them all."))

# %% [markdown]
# Compare top-5 with superclass. Both forgive a wrong class, and by chance they forgive equally often. But they forgive
# different mistakes: top-5 forgives hesitation, the superclass a near miss.
#
# ### Which classes are taken for which?
#
# One number for an error hides its structure. A confusion matrix has a row for each class and a column for each answer.
# With a hundred classes the order decides what one sees, so the picture sorts them by superclass and frames each
# superclass: mistakes within a frame are between relatives. The diagonal, the right answers, is left grey, because it
# would outshine all else.
#
# The recorded runs keep their answers in a small file without images. {numref}`fig-ch7-confusion` draws those of the
# deepest residual network on CIFAR-100. (As long as there is none, it shows a small network of this book on the ten
# classes of the built-in images, which have no superclasses, and writes the number of images into each cell.)


# %% tags=["nbval-ignore-output"]
def recorded_answers() -> tuple[str, study.Study] | None:
    """Of the deepest recorded residual network on CIFAR-100: name and study."""
    names = [f"resnet{depth}-cifar100" for depth in (50, 34, 18, 10)]
    for name in [*names, "resnet10-cifar100-short"]:
        if name in summaries.index and (kept := studies.kept_study(name, results=results)):
            return name, kept
    return None


"recorded" if recorded_answers() else "not recorded"


# %%
def builtin_answers() -> tuple[str, Tensor, Tensor, tuple[str, ...]]:
    """Name, answers, labels and classes of a network on the built-in images."""
    network, record = weights.load_network("resnet20-builtin-smoke", results=results)
    values = features.extract(network, test_images, record.mean, record.std)
    predicted = features.class_scores(network, values).argmax(dim=1)
    return record.experiment, predicted, test_images.labels, test_images.class_names


# %% tags=["nbval-ignore-output"]
if found := recorded_answers():
    name, run = found
    predicted, labels, class_names = run.predicted, run.labels, run.class_names
    superclasses = [run.superclass_of_class[each] for each in class_names]
    superclasses = [each.replace("_", " ") for each in superclasses]
else:
    name, predicted, labels, class_names = builtin_answers()
    superclasses = None
matrix = answers.confusion(predicted, labels, len(class_names))
mistakes = int(matrix.sum() - matrix.diagonal().sum())
f"{name}: {mistakes:,} of {matrix.sum():,} answers are wrong"

# %% tags=["remove-input", "nbval-ignore-output"]
fallback = "no answers on CIFAR-100 are recorded yet, so this is a network of 20 layers on the **built-in images**"
text = f"The picture below: {name}, on CIFAR-100." if superclasses else f"For the picture below, {fallback} ({name})."
display(Markdown(text))

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Confusion matrix with the diagonal greyed out. The mistakes are not spread evenly: a few pairs of classes hold many of them, and most cells are empty."}, "figure": {"caption": "Which class (row) is taken for which (column), in % of the class's images, on a square-root scale; right answers are grey. Classes that have superclasses are sorted by them, and each superclass is framed.", "name": "fig-ch7-confusion"}}
fig, ax = plt.subplots(figsize=(7.2, 6.4) if superclasses else (6.0, 4.6))
wide_figures.show_confusion(matrix, class_names, superclasses, ax)
plt.show()

# %% tags=["nbval-ignore-output"]
confusions = wide_tables.frequent_confusions(matrix, class_names, superclasses)
confusions.round(1)

# %% tags=["remove-input", "nbval-ignore-output"]
cells = len(class_names) * (len(class_names) - 1)
text = f"""The {len(confusions)} most frequent confusions are {100 * confusions.images.sum() / mistakes:.0f} % of all mistakes,
in {100 * len(confusions) / cells:.1f} % of the cells off the diagonal."""
if superclasses:
    group = {each: place for place, each in enumerate(sorted(set(superclasses)))}
    of_class = torch.tensor([group[each] for each in superclasses])
    wrong = predicted != labels
    within = (of_class[predicted[wrong]] == of_class[labels[wrong]]).double().mean().item()
    by_chance = (len(class_names) / len(group) - 1) / (len(class_names) - 1)
    text += f""" Of all mistakes {100 * within:.0f} % stay in the superclass; if wrong answers were spread evenly it would be
    {100 * by_chance:.1f} %."""
display(Markdown(text))

# %% [markdown]
# A matrix need not be symmetric: one class may be taken for another without the reverse. Look for such pairs in the
# picture. And before you tell a story about a cell, count its images: a cell of a few is within chance of its
# neighbours.
#
# ## What it costs
#
# Wide networks are expensive: their arithmetic grows with the square of the width. Images a second (of training alone),
# memory and minutes, from the records. Memory is what was allocated on a GPU, but on a CPU that of the whole process,
# so do not compare one with the other. The minutes of records from a CPU are those of a machine that did other work as
# well. A plain network and its twin have nearly the same arithmetic, so the ratio of their speeds shows how far these
# numbers are off: read orders of magnitude from them.

# %% tags=["nbval-ignore-output"]
names = []
for dataset in ("cifar10", "cifar100"):
    names += [f"plain10-{dataset}-short", f"resnet10-{dataset}-short"]
names += ["resnet10-cifar10-short-projection", "resnet18-cifar10-projection"]
for dataset in ("cifar10", "cifar100"):
    for depth in wide_tables.DEPTHS:
        names += [f"plain{depth}-{dataset}", f"resnet{depth}-{dataset}"]
there = [name for name in names if name in summaries.index]
cost = wide_tables.cost_table(recorded, there)
print(", ".join(sorted(set(cost.device))) or "nothing recorded yet")
cost if cost.device.nunique() > 1 else cost.drop(columns="device")

# %% tags=["remove-input", "nbval-ignore-output"]
forward = {depth: 2 * models.count_operations(f"resnet{depth}") / 1e9 for depth in BLOCKS}
narrow = 2 * models.count_operations("resnet20") / 1e9
text = f"""What is not recorded can be estimated: a forward pass on one image takes {forward[10]:.1f}, {forward[18]:.1f},
{forward[34]:.1f} and {forward[50]:.1f} billion additions and multiplications with 10, 18, 34 and 50 layers;
chapter 3's ResNet-20 takes {narrow:.2f}. A training step is about three times that: 300 epochs of 50,000 images with 18
layers are {300 * 50_000 * 3 * forward[18] / 1e7:.0f} times $10^{{16}}$ operations."""
on_cpu = [r for r in recorded if r.experiment == "resnet10-cifar10-short" and r.parts[-1].cuda is None]
if on_cpu:
    rate = max(each.images_per_second for each in on_cpu) * 3 * forward[10]  # billions a second
    days = {depth: 300 * 50_000 * 3 * forward[depth] / rate / 86_400 for depth in (18, 50)}
    text += f""" At the rate of the recorded `resnet10-cifar10-short`, {rate / 1000:.2f} times $10^{{12}}$ a second, that is
about {days[18]:.0f} days on that CPU, and {days[50]:.0f} with 50 layers."""
display(Markdown(text))

# %% [markdown]
# ## Summary
#
# How far each claim of the source has come, here:

# %% tags=["remove-input", "nbval-ignore-output"]
gaps = {"": own, "after 9 epochs, ": brief}
found = [
    f"{when}{row.gap:+.1f} points at {row.depth} layers on {NAMED[row.dataset]}"
    for when, rows in gaps.items()
    for row in rows.itertuples()
]
variability = long_pairs or ["short runs only, too short to say"] * any(words.values())
recorded_pairs = "resnet18-cifar10-projection" in summaries.index, len(own), len(long_pairs)
published_gap = ", ".join(f"{gap.loc[('cifar10', depth)].gap:+.1f} points at {depth}" for depth in (10, 34))
claims = pd.DataFrame(
    {
        "claim": ["shortcuts need no parameters", "the gap opens with depth", "identity mappings stabilise training"],
        "published": ["no comparison", f"{published_gap} layers on CIFAR-10", "a remark, without numbers"],
        "ours": ["; ".join(each) or "not recorded" for each in ([projection_ahead], found, variability)],
        "verdict": ["see above" if each else "open: no long pair recorded" for each in recorded_pairs],
    }
)
display(Markdown(tables.to_markdown(claims.set_index("claim"))))

# %% [markdown]
# - The wide networks are four stages of the blocks of chapter 3, and most of their parameters lie in the last stage. A
#   plain network has exactly as many as its residual twin.
# - Shortcuts of averages and zeros pass the identity on exactly, and leave the new channels without anything to be
#   residual to. Projections cost few parameters and little arithmetic, except with 50 layers. Which is the better one
#   has to be measured.
# - Stability is a claim about variation from epoch to epoch: hold images out, take the last epochs of each phase, keep
#   the fall of the error apart from its scatter, compare several runs of each kind, and set what you find beside chance.
# - With two labels an image, the kind of a mistake can be told: a relative or a stranger.

# %% [markdown]
# ## Exercises
#
# **1. A hundred classes.** How many more parameters does each of the four networks need for CIFAR-100 than for
# CIFAR-10? Work it out by hand first.
#
# <details><summary>Solution</summary>
#
# ```python
# for depth in BLOCKS:
#     print(depth, sum(parameters_by_part(depth, 100).values()) - sum(parameters_by_part(depth, 10).values()))
# ```
#
# Only the classifier changes: 90 more rows of 512 weights and a bias, 46,170, and for 50 layers of 2,048 weights and a
# bias, 184,410.
#
# </details>
#
# **2. Where the zeros go.** With average-pooling and silent blocks, 64 of 512 features were not zero. How many are for
# the shortcut of chapter 3, `"subsample"`, and which ones?
#
# <details><summary>Solution</summary>
#
# ```python
# larger = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(2))
# with torch.no_grad():
#     values = silenced("subsample").features(larger)
# print((values != 0).any(dim=0).nonzero().flatten())
# ```
#
# 64 again, but in the middle: this shortcut puts half of the zeros before the old channels and half after them, three
# times. So the stem's channels end up at 224 to 287. (With few pictures of 8x8 pixels some of them are zero by chance,
# because only one pixel in 64 arrives.)
#
# </details>
#
# **3. Spread or trend?** Make up a validation error that falls by half a point each epoch, without any noise, and one
# that stays but for noise of half a point. What do `std`, `fall` and `scatter` say of 20 epochs of each?
#
# <details><summary>Solution</summary>
#
# ```python
# noise = 0.5 * torch.randn(20, generator=torch.Generator().manual_seed(0))
# about = {"kind": "plain", "depth": 10, "seed": 0, "learning_rate": 0.1}
# for error in (40 - 0.5 * torch.arange(20.0), 40 + noise):
#     made_up = {"iteration": range(20), "validation_error": error.tolist()}
#     found = wide_tables.phase_variability(pd.DataFrame(made_up | about), last=20)
#     print(found[["std", "fall", "scatter"]].round(2))
# ```
#
# The trend has a standard deviation of about 3 points, a fall of 0.5 and no scatter; the noise has hardly any fall, and
# about 0.5 for both others. A network that still learns is not an unstable one.
#
# </details>
#
# **4. The luck of choosing.** Suppose that 50 epochs are equally good, and their measured errors on 10,000 test images
# are independent with a standard error of 0.2 points. By how much is the best of them too low, on average?
#
# <details><summary>Solution</summary>
#
# ```python
# measured = 0.2 * torch.randn(10_000, 50, generator=torch.Generator().manual_seed(0))
# print(measured.amin(dim=1).mean())
# ```
#
# By about 0.45 points, more than the gap of 0.2 points at 18 layers on CIFAR-10. Real epochs are tested on the same
# images and are not independent, so the real gain of choosing is smaller, but it has the same sign.
#
# </details>

# %% [markdown]
# ## References
#
# The wide networks, their shortcuts, their recipe and the claims tested here are those of {cite}`sariyildiz2018resnet`.
# The comparison of shortcuts on ImageNet, the bottleneck block and the split for validation are those of *Deep Residual
# Learning for Image Recognition* {cite}`he2015deep` (2015; printed in 2016). Why shortcuts
# should carry the identity is the subject of *Identity Mappings in Deep Residual Networks* {cite}`he2016identity`.
# CIFAR-100 and its superclasses are from {cite}`krizhevsky2009learning`, batch norm from {cite}`ioffe2015batch`.

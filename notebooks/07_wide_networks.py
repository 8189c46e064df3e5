# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
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
# Take a plain network of 18 layers, four to eight times as wide as those of chapter 3, and train it for 300 epochs on
# CIFAR-10. Then give it 16 more layers. It now has almost twice as many parameters, and it trains as long as before.
# Will it err less? Write down a guess. The answer is in Figure 7.1.
#
# [Sariyildiz (2018)](https://github.com/mbsariyildiz/resnet-pytorch), on this page *the source*, trained such networks
# with and without shortcuts, and says two things of them:
#
# 1. Shortcuts with parameters contradict the idea that deep networks struggle to represent the identity.
# 2. On CIFAR-10 networks of 10 and 18 layers end alike with and without shortcuts; the gap opens with depth, "i.e., ~2%
#    on ResNet-34".
#
# This page builds the networks and asks what supports that, on CIFAR-100 too. (A third remark, about stable training,
# is left to the [appendix](a7_more_about_wide_networks.ipynb).) The full training takes a GPU, and the book has no run
# of it yet. So of the deep networks at full width the page has only the source's numbers; at a quarter of the width it
# has runs of its own.
#
# **You will learn**
#
# - to build the wide networks, and where their parameters are;
# - what a shortcut without parameters hands on, and what speaks for one that has them;
# - to tell a difference between two networks from the luck of the test images.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the blocks and for *degradation*. The page takes under a
# minute on 2 cores. It trains nothing and downloads nothing, and is the same in every tier. *The paper* is that of He
# et al. 2015 ([He et al., 2015a](https://arxiv.org/abs/1512.03385)).

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # as in every chapter; this page is the same in all tiers
data_root = ""  # the folder of the CIFAR files; this page needs none

# %%
from dataclasses import asdict
from itertools import pairwise

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

# %%
from resnet_book import models
from resnet_book.experiments import records
from resnet_book.experiments.catalogue import EXPERIMENTS, QUARTERS, WIDE, WIDE_NETWORKS, WIDE_SHORT
from resnet_book.report import figures, tables, wide_figures, wide_tables

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
recorded = records.load_all(records.find_results())
summaries = tables.summary(recorded).set_index("experiment")
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}"

# %% [markdown]
# ## Four stages of width
#
# The plan is that of chapter 3: a stem (here from three colours to 64 channels), stages of equal blocks, an average
# over all places, and a linear layer. There are four stages, of 64, 128, 256 and 512 channels. Each but the first
# halves height and width. The networks differ in their number of blocks.

# %%
WIDTHS = (64, 128, 256, 512)
BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
{depth: 1 + 2 * sum(BLOCKS[depth]) + 1 for depth in BLOCKS}

# %% [markdown]
# The stem, two layers a block and the linear layer add up to the name. There is also a network of 50 layers. It has the
# blocks of 34, but each is a *bottleneck* of three layers: a 1x1 convolution narrows to the stage's width, a 3x3
# convolution works there, and another 1x1 convolution widens to four times that. Exercise 1 builds it.
#
# ### A shortcut without parameters
#
# Where a block changes the shape, its shortcut has to follow: stages 2 to 4 begin by halving the picture and doubling
# the channels. In chapter 3 the shortcut takes every second pixel. Here it averages over 2x2 pixels, so that every
# pixel counts, and appends channels of zeros behind the old ones.


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
assert torch.equal(Shortcut(1, 1, stride=1)(x), x)
Shortcut(1, 3, stride=2)(x).flatten().tolist()

# %% [markdown]
# One channel of four pixels became one pixel, their mean, and two channels of zeros. Where nothing changes, the
# shortcut averages over single pixels and appends nothing: it is the identity. The blocks are those of chapter 3, now
# imported. With our shortcut in them they make up the stages.


# %%
def make_blocks(depth: int, residual: bool) -> list[nn.Module]:
    """All blocks of the network, one after the other."""
    channels, blocks = 64, []
    for stage, (width, count) in enumerate(zip(WIDTHS, BLOCKS[depth], strict=True)):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            layers = models.basic_layers(channels, width, stride)
            shortcut = Shortcut(channels, width, stride)
            blocks.append(models.ResidualBlock(layers, shortcut) if residual else models.PlainBlock(layers))
            channels = width
    return blocks


len(make_blocks(34, residual=True))


# %%
class WideNetwork(nn.Module):
    """Images (N, 3, H, W) -> scores (N, classes)."""

    def __init__(self, depth: int, residual: bool, num_classes: int, seed: int):
        super().__init__()
        self.stem = nn.Sequential(models.conv3x3(3, 64), nn.BatchNorm2d(64), nn.ReLU())
        self.blocks = nn.Sequential(*make_blocks(depth, residual))
        self.classifier = nn.Linear(512, num_classes)
        models.initialise(self, torch.Generator().manual_seed(seed))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.blocks(self.stem(x)).mean(dim=(2, 3)))


small = WideNetwork(10, residual=True, num_classes=10, seed=0)
small(torch.zeros(2, 3, 32, 32)).shape

# %% [markdown]
# The package draws its weights in the same order. So the same seed has to give the same scores, to the last bit.

# %%
pixels = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))
for name in ("plain10", "resnet10", "resnet18"):
    kind, depth = tables.kind_and_depth(name)
    mine = WideNetwork(depth, kind == "residual", num_classes=100, seed=0)
    theirs = models.build(name, 100, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mine(pixels), theirs(pixels)), name
print("all three agree")

# %% [markdown]
# ### Where the parameters are
#
# A convolution of $k \times k$ pixels from $a$ to $b$ channels has $k^2 a b$ weights. A batch norm has a weight and a
# bias for each channel. That is enough to count a block by hand. PyTorch counts the rest, on the *meta* device, which
# knows the shapes of tensors and not their numbers.


# %%
def block_parameters(ins: int, width: int) -> int:
    """Two 3x3 convolutions, each with a batch norm."""
    return 9 * ins * width + 9 * width * width + 2 * 2 * width


def parameters(name: str, shortcut: str | None = None) -> pd.Series:
    """Trainable parameters of each part of the package's network, for 10 classes."""
    with torch.device("meta"):
        network = models.build(name, shortcut=shortcut)
    stages = {f"stage {number}": stage for number, stage in enumerate(network.stages, 1)}
    parts = {"stem": network.stem, **stages, "classifier": network.classifier}
    return pd.Series({name: models.count_parameters(part) for name, part in parts.items()})


assert parameters("resnet18")["stage 1"] == 2 * block_parameters(64, 64)
f"one block of stage 1: {block_parameters(64, 64):,} parameters"

# %% [markdown]
# **Predict.** Which share of its parameters does the network of 18 layers keep in its last stage? And which has more
# parameters, the network of 34 layers or that of 50, with as many blocks?

# %%
DEPTHS = wide_tables.DEPTHS
counted = pd.DataFrame({f"{depth} layers": parameters(f"resnet{depth}") for depth in DEPTHS})
counted.loc["sum"] = counted.sum()
assert all(parameters(f"plain{depth}").sum() == counted.loc["sum", f"{depth} layers"] for depth in DEPTHS)
counted.map("{:,}".format)

# %% tags=["remove-input"]
whole = counted.loc["sum"]
share = counted.loc["stage 4", "18 layers"] / whole["18 layers"]
fewer = 1 - whole["50 layers"] / whole["34 layers"]
narrow = parameters("resnet56").sum()
text = f"""The last stage alone holds {100 * share:.0f} % of the parameters of 18 layers. The network of 50 layers has
{100 * fewer:.0f} % *fewer* than that of 34: bottlenecks save what the additional layers cost. Even the network of 10
layers has {whole["10 layers"] / narrow:.1f} times the {narrow:,} parameters of chapter 3's ResNet-56, because they grow
with the square of the width, and only in proportion to the depth. A plain network has exactly as many as its residual
twin."""
display(Markdown(text))

# %% [markdown]
# ## Do the shortcuts need parameters?
#
# The alternative to zeros is a *projection*, wherever the shape changes: a 1x1 convolution with a batch norm, which
# mixes the old channels into new ones.
#
# **Predict.** The network of 18 layers needs three projections, one each for stages 2 to 4. By how many per cent do
# they raise its number of parameters, and by how many its arithmetic?

# %%
rows = {}
for name in (f"resnet{depth}" for depth in DEPTHS):
    zeros, projections = (parameters(name, kind).sum() for kind in ("average", "projection"))
    work = [models.count_operations(name, shortcut=kind) for kind in ("average", "projection")]
    rows[name] = [projections - zeros, 100 * (projections / zeros - 1), 100 * (work[1] / work[0] - 1)]
columns = ["added parameters", "more parameters (%)", "more arithmetic (%)"]
costs = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
assert costs.loc["resnet18", "added parameters"] == sum(a * b + 2 * b for a, b in pairwise(WIDTHS))
costs.round(1)

# %% [markdown]
# That is little, except for 50 layers, where projections join four times as many channels, and stage 1 needs one too.
#
# ### What a shortcut hands on
#
# The argument of the source is not about cost. As we read it, a shortcut hands over for nothing what a deep stack of
# layers struggles to represent, the identity. After a projection what arrives is a learned mixture of channels instead.
#
# What do the shortcuts do alone? Let every block add nothing, by setting the weights of its last batch norm to zero.
# Let the batch norms measure their statistics, as in [chapter 4](04_features.ipynb), but on images of noise. Then look
# at what reaches the classifier from other such images.
#
# **Predict.** With zeros, how many of the 512 features will be different from zero? And with projections?


# %%
def silenced(shortcut: str) -> models.Network:
    """An untrained ResNet-34 in which every F(x) is zero."""
    network = models.build("resnet34", shortcut=shortcut, generator=torch.Generator().manual_seed(0))
    for block in network.modules():
        if isinstance(block, models.ResidualBlock):
            nn.init.zeros_(block.layers[-1].weight)
    update_bn([torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(2))], network)  # changes no weight
    return network.eval()


with torch.no_grad():
    padded, projecting = silenced("average"), silenced("projection")
    stem = padded.stem(pixels).mean(dim=(2, 3))  # the stem's 64 channels, averaged over the image
    values = {"zeros": padded.features(pixels), "projections": projecting.features(pixels)}
assert torch.allclose(values["zeros"][:, :64], stem, atol=1e-6)  # but for rounding
pd.DataFrame({kind: (each != 0).sum(dim=1) for kind, each in values.items()}).agg(["min", "max"])

# %% [markdown]
# (The fewest and the most, of 512, over eight images.) With zeros, 64 features are left, the first ones. Each is the
# average of one channel of the stem, mixed with no other. That is not the identity either: three times 2x2 pixels
# became their mean, so much of *where* is lost. (A projection loses it, too: it takes every second pixel.) With
# projections practically all are filled, each from a mixture.
#
# This shows what the two are built to do, not which trains better. And zeros have a price: in the first block of stages
# 2 to 4 the new channels get nothing from the shortcut, as in a plain network. The paper saw projections do slightly
# better on ImageNet, and put it down to these channels. The source gives no error with projections.
#
# ## Do the wide networks need shortcuts?
#
# The recipes train by stochastic gradient descent. The learning rate is 0.1, a tenth of that from the first of the
# `drops` on, and a hundredth from the second.

# %%
recipes = {"wide": WIDE, "wide, 50 layers": EXPERIMENTS["resnet50-cifar10"].recipe, "short": WIDE_SHORT}
shown = ["batch_size", "iterations", "drops", "weight_decay", "validation_images"]
frame = pd.DataFrame(map(asdict, recipes.values()), index=list(recipes))[shown]
frame.rename(columns=lambda name: name.replace("_", " "))

# %% [markdown]
# `wide` is that of the source: 300 epochs of 50,000 images, and a weight decay five times that of the paper. `short` is
# for machines without a GPU: nine epochs of 45,000 images (5,000 are held out). Its errors are **only to be compared
# with one another**.
#
# The source gives one accuracy for each network; whether of the last epoch or the best, it does not say. Its code has
# no network without shortcuts, so its plain ones are taken on trust. How much of a difference is luck? If a network
# errs on an image with probability $p$, whatever the image, its share of errors on $n$ images has a variance of $p (1 -
# p) / n$. The root of that is the *standard error*: how far the share strays when the test images are others. In a
# difference of two independent numbers the variances add up. What seeds do comes on top. Below two standard errors we
# say that two networks are *not told apart*. That does not make them equal.


# %%
def standard_error(error: float, images: int = wide_tables.TEST_IMAGES) -> float:
    """Of an error (%) measured on so many images, in points."""
    share = error / 100
    return 100 * (share * (1 - share) / images) ** 0.5


assert standard_error(20) == wide_tables.standard_error(20)
f"{standard_error(20):.2f} points, for 20 % of {wide_tables.TEST_IMAGES:,} images"

# %% [markdown]
# Figure 7.1 has the source's errors. Look first at the plain networks of 18 and 34 layers: was your guess right?

# %% mystnb={"image": {"alt": "Published test errors against depth, CIFAR-10 left, CIFAR-100 right. On both the plain error falls from 10 to 18 layers and rises from 18 to 34, and the residual error does not rise. On CIFAR-10 the two are level at 10 and at 18 layers; on CIFAR-100 they are level at 10 and apart from 18 on. At 50 layers, on CIFAR-10 only, the plain error is the highest of all and the residual one as at 18."}}
errors = wide_tables.published_errors()
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.4))
for (dataset, group), ax in zip(errors.groupby("dataset"), axes, strict=True):
    wide_figures.plot_published(group, ax)
    ax.set_title(dataset.upper().replace("CIFAR", "CIFAR-"))
figures.add_legend(fig)
plt.show()

# %% [markdown]
# **Figure 7.1.** The source's test errors against depth. The axes do not begin at zero. Bars: one standard error of
# each network, from the choice of the test images; how much seeds differ is not published. The 50 layers stand apart:
# they have other blocks, half the batch and twice the steps.

# %%
gaps = wide_tables.gaps(errors)
gaps["gap / standard error"] = gaps.gap / gaps.standard_error
units = {"plain": "plain (%)", "residual": "residual (%)", "gap": "gap (points)", "standard_error": "standard error"}
gaps.rename(columns=units).set_index(["dataset", "depth"]).rename_axis(columns=None).round(2)

# %% [markdown]
# The gap is plain minus residual. Its standard error is computed as if the two networks made their mistakes
# independently. They see the same images and probably share mistakes, so it is rather too large: a gap of many standard
# errors is safe, one of nearly two is undecided.
#
# At 10 layers the kinds are not told apart. At 18 they are not on CIFAR-10, where up to 0.8 points, the gap and twice
# its standard error, would fit as well; on CIFAR-100 the gap is more than four standard errors, and from 34 layers on
# all are more than six. From 18 to 34 layers most of the opening is the *plain* network's doing: its error rises. In
# chapter 3 the training error rises as well, and that is called degradation. Here it is not published, so this rise may
# be something else.
#
# Do residual networks get better from 18 to 34 layers? On CIFAR-100 the 0.2 points are not told apart; on CIFAR-10 half
# a point is less than two standard errors, which are rather too large here as well, so it is undecided. All this rests
# on one number a network.
#
# ### Ten layers, at full width
#
# At full width the book has runs of 10 layers alone, one each, by `short`: plain, with shortcuts of zeros, and with
# projections. Look for the order of the three on CIFAR-10.

# %% tags=["nbval-ignore-output"]
short = summaries[(summaries.recipe == "short") & summaries.model.isin(WIDE_NETWORKS)]
short = short.sort_values(["dataset", "test_error"])
columns = {"runs": "runs", "train_error": "training error (%)", "test_error": "test error (%)"}
short.rename(columns=columns)[list(columns.values())].round(2)

# %% tags=["nbval-ignore-output"]
names = ["plain10-cifar10-short", "resnet10-cifar10-short-projection", "resnet10-cifar10-short"]
plain, projections, zeros = short.test_error[names]
apart = {
    "zeros minus plain": zeros - plain,
    "zeros minus projections": zeros - projections,
    "projections minus plain": projections - plain,
}
for precision, name in {"bfloat16": "resnet20-cifar10-short-bfloat16", "float32": "resnet20-cifar10-short"}.items():
    apart[f"2 √2 standard deviations, ResNet-20 in {precision}"] = 2 * 2**0.5 * summaries.test_std[name]
pd.Series(apart, name="test error on CIFAR-10 (points)").to_frame().round(2)

# %% [markdown]
# On CIFAR-10 the plain network is ahead of both residual ones, and zeros come last; so it is on the training images. On
# CIFAR-100 plain and zeros are not told apart.
#
# How far can that be trusted? By the test images alone all three differences would be beyond two standard errors. But
# after so short a training seeds matter more. The last rows are a yardstick: twice the standard deviation that a
# difference of two runs has if they scatter as chapter 3's ResNet-20. It is a poor one, from three seeds and fewer
# steps. In bfloat16, in which these networks were trained, all three differences lie below it; in float32 the plain
# network's lead over zeros is a little above. So these runs do not tell the three apart. Visible help by shortcuts is
# in none of them.
#
# ### Three depths, at a quarter of the width
#
# The training error, which the source does not publish, can be measured without a GPU on smaller networks: the same
# ones with 16 to 128 channels in place of 64 to 512 (their names end in `-quarter`). That is the width of chapter 3
# with a fourth stage, so they show what depth does, and not what width does. They take about a sixteenth of the
# arithmetic: one core trains one by `short` in nine minutes to an hour, beside other work. The book's runs are in
# float32, on CIFAR-10. A plain and a residual network of one seed see the same batches.
#
# **Predict.** At which depths will the residual network be ahead? And will the plain network of 34 layers err more than
# that of 10, on the *training* images too? Figure 7.2 answers.

# %% mystnb={"image": {"alt": "Error against depth after nine epochs, training images left, test images right, networks of a quarter of the width. In both panels plain and residual networks are level at 10 layers, the residual one is some points lower at 18, and at 34 the plain error has risen to about half of the images, its two runs eight points apart, and is nearly twice the residual one, which is higher than at 18, too."}} tags=["nbval-ignore-output"]
runs = tables.run_rows(recorded)
quarters = runs[runs.model.isin(QUARTERS) & (runs.dataset == "cifar10")]
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True)
for ax, (measure, images) in zip(axes, {"train_error": "training", "test_error": "test"}.items(), strict=True):
    wide_figures.plot_errors(quarters, ax, measure)
    ax.set_title(f"{images} images")
axes[0].set_ylabel("error (%)")
figures.add_legend(fig)
plt.show()

# %% [markdown]
# **Figure 7.2.** Errors of the networks of a quarter of the width after nine epochs. A circle is a run; lines join the
# means. (The training error is measured while a network learns, on cropped and mirrored images, so it may lie above the
# other.)

# %% tags=["nbval-ignore-output"]
each = {"train_error": "mean", "test_error": "mean", "seed": "count"}
table = quarters.pivot_table(index="depth", columns="kind", values=list(each), aggfunc=each)[list(each)]
table["gap (points)", "test"] = table.test_error.plain - table.test_error.residual
names = {"train_error": "training error (%)", "test_error": "test error (%)", "seed": "runs"}
table.rename(columns=names).rename_axis(columns=[None, None]).round(1)

# %% [markdown]
# At 10 layers plain and residual are not told apart. At 18 the residual network is five points ahead, beyond both
# yardsticks above, and at 34 by 26 points with one seed and 19 with the other: **the gap opens with depth**. From 18 to
# 34 layers the plain network loses more than 20 points. And yes: with 34 it errs on about half of the training images,
# with 10 on a fifth. So it does not over-fit. In nine epochs it fails to fit: that is the *degradation* of chapter 3,
# or a start so slow that only a longer training could tell.
#
# What depth does to the residual network is less sure: three points better from 10 to 18 layers, eight worse from
# 18 to 34, and deeper networks may scatter more than those of the yardstick, as plain ones do: the two of 34 layers are
# eight points apart. The source, at full width and after 300 epochs, has two points in place of some twenty. Whether
# its width or its epochs make the difference, these runs do not say.
#
# ## Summary
#
# What supports the source? *Parameters in shortcuts contradict the idea*: undecided. Shortcuts work without, but the
# source shows no error with them, and the book's one run with projections is ahead of zeros by less than seeds may
# differ. *The gap opens with depth*: on CIFAR-10 at 34 layers, clearly, and not visibly before; on CIFAR-100 clearly at
# 18 already. In the book's short trainings, at a quarter of the width, none is visible at 10 layers, one is at 18, and
# a large one at 34.
#
# - The wide networks are four stages of the blocks of chapter 3. Most of their parameters are in the last stage.
# - A shortcut of averages and zeros keeps the channels apart, at a coarser resolution, and gives the new ones nothing.
#   A projection fills practically all with mixtures, and costs little, except with bottlenecks.
# - In the source's numbers the plain networks get worse from 18 to 34 layers, and the residual ones do not.
# - Errors on 10,000 images differ by chance. Compute by how much before you compare them; seeds add to it. Not told
#   apart is not the same.

# %% [markdown]
# ## Exercises
#
# The exercises check themselves: put your answer in, run, read. They are run here without one.
#
# **1. The bottleneck.** Complete `bottleneck`, the layers of a block of the 50-layer network: a 1x1 convolution to
# `width`, a 3x3 convolution with the stride, a 1x1 convolution to four times `width`. None has a bias, each has a batch
# norm, and a ReLU comes between them.


# %%
def bottleneck(in_channels: int, width: int, stride: int) -> nn.Sequential | None:
    """1x1 to ``width``, 3x3, 1x1 to four times ``width``."""
    return None  # your code


mine, theirs = bottleneck(48, 32, 4), models.bottleneck_layers(48, 32, 4)
if mine is None:
    print("Not answered yet.")
elif (shape := mine(torch.zeros(2, 48, 8, 8)).shape) != (2, 128, 2, 2):
    print(f"Wrong: with stride 4, 48 channels of 8x8 became {tuple(shape)[1:]}; 128 channels of 2x2 were wanted.")
elif (difference := models.count_parameters(mine) - models.count_parameters(theirs)) != 0:
    print(f"Wrong: {abs(difference):,} parameters too {'many' if difference > 0 else 'few'}. Biases? Batch norms?")
elif [type(each) for each in mine] != [type(each) for each in theirs]:
    print("The count is right, but the layers are others, or in another order.")
elif [getattr(each, "stride", None) for each in mine] != [getattr(each, "stride", None) for each in theirs]:
    print("Nearly: which of the three convolutions takes the stride?")
else:
    print("Right.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def bottleneck(in_channels, width, stride):
#     return nn.Sequential(
#         nn.Conv2d(in_channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
#         nn.Conv2d(width, width, 3, stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
#         nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width),
#     )
# ```
#
# </details>
#
# **2. Where the zeros go.** The silenced network with zeros had 64 features that were not zero, the first ones. Chapter
# 3's shortcut, `"subsample"`, puts half of the zeros before the old channels and half of them after. How many features
# are not zero then, and which is the first of them (counted from 0)?

# %%
how_many, first = None, None  # your answers

if how_many is None or first is None:
    print("Not answered yet.")
else:
    with torch.no_grad():
        found = (silenced("subsample").features(pixels) != 0).any(dim=0).nonzero().flatten()
    if how_many != len(found):
        print("Wrong: can a shortcut without parameters make a channel out of nothing?")
    elif first != found[0]:
        print("`how_many` is right, `first` is not: how many zeros come in front at each of the three changes?")
    else:
        print("Right.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `how_many, first = 64, 224`. Going from 64 to 128 channels puts 32 zeros in front, then come 64 and 128 more.
#
# </details>
#
# **3. A gap that counts.** Two networks err on about 5 % of 10,000 test images. How many points must lie between their
# errors to be twice the standard error of the difference, from the choice of images alone? (Take their mistakes for
# independent.)

# %%
least_gap = None  # your answer, in points

if least_gap is None:
    print("Not answered yet.")
elif abs(least_gap / (2 * standard_error(5)) - 1) < 0.05:
    print("Nearly: that is for one network. The variances of both add up.")
elif abs(least_gap / (2 * 2**0.5 * standard_error(5)) - 1) < 0.05:
    print("Right. Compare it with the published gap at 18 layers on CIFAR-10.")
else:
    print("Wrong: begin with `standard_error(5)`. What becomes of two variances in a difference?")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `least_gap = 2 * 2**0.5 * standard_error(5)`, about 0.6 points. The published gap at 18 layers is a third of that.
#
# </details>
#
# ## References
#
# - [Sariyildiz (2018)](https://github.com/mbsariyildiz/resnet-pytorch): the wide networks, their shortcuts, their
#   recipe and the claims.
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): shortcuts compared on ImageNet, and the bottleneck;
#   [He et al. (2016)](https://arxiv.org/abs/1603.05027): why shortcuts should carry the identity.

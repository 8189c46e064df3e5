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
# # Plain and residual networks
#
# **Does depth hurt plain networks, and do shortcuts cure it?**
#
# A deeper network can do all that a shallower one can: its extra layers need only pass on what they get. So more layers
# should never make the *training* error worse. In practice they did make it worse, and the answer of 2015 was to add,
# around every two layers, a shortcut that carries their input past them {cite}`he2015deep`. The shortcut has no
# parameters. This page builds both kinds of network, looks inside them before training, trains twins of them, and then
# turns to the runs on CIFAR-10 that are recorded with this book.
#
# **You will learn**
#
# - to write the plain block, the residual block and the $6n+2$ networks made of them, in a few lines each;
# - what depth does to signal and gradient at initialisation, where there is batch norm: nothing vanishes, and yet the
#   deep plain network is in trouble;
# - what training shows, here and in the recorded runs, beside the numbers that others have published.
#
# **You need** chapters [1](01_dataset.ipynb) and [2](02_augmentation.ipynb) for the images and their augmentation. With
# `tier = "smoke"` the page takes under a minute on 2 cores and downloads nothing. `"cpu"` takes about 8 minutes and
# needs CIFAR-10 (170 MB); `"paper"` trains four networks by the recipe of the paper, which takes a GPU (for how long
# has not been measured) and the same 170 MB.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab: upload the book's wheel beside this notebook
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")

# %% tags=["parameters"]
tier = "smoke"  # "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": by the paper's recipe, on a GPU
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
import math
from dataclasses import asdict, replace

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from torch import nn

from resnet_book import augment, cifar, data, models
from resnet_book.analysis import diagnostics
from resnet_book.engine.device import Engine, default_precision, worth_compiling
from resnet_book.experiments import records, weights
from resnet_book.experiments.catalogue import EXPERIMENTS, PAPER
from resnet_book.recipe import Recipe
from resnet_book.report import figures, ladder, live_network, published, tables
from resnet_book.train import fit

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}"


# %% [markdown]
# Images first: the real CIFAR-10 where the tier asks for it, the built-in ones otherwise. Where CIFAR-10 is not found
# and you named no folder for it, the built-in ones stand in, and the page says so.

# %%
wanted = "builtin" if tier == "smoke" else "cifar10"
try:
    train_images, test_images = (data.load(wanted, split, data_root or None) for split in ("train", "test"))
except cifar.DataMissingError as missing:
    if missing.named:  # you named a folder, so nothing may stand in for it
        raise
    train_images, test_images = (data.load("builtin", split) for split in ("train", "test"))
f"{train_images.name}: {len(train_images):,} images to train on, {len(test_images):,} to test on"

# %% tags=["remove-input"]
if train_images.name != wanted:
    note = "**CIFAR-10 was not found, so this page uses the built-in images.** `resnet-book data cifar10` fetches it."
    display(Markdown(f"> {note}"))

# %% [markdown]
# Before training, one batch is enough: 64 images, with each channel's mean subtracted and divided
# by its standard deviation, as in chapter 2.

# %%
mean, std = augment.channel_mean_std(train_images.images)
images = augment.normalise(train_images.images[:64], mean, std)
labels = train_images.labels[:64]
images.shape, images.mean().round(decimals=2), images.std().round(decimals=2)


# %% [markdown]
# ## The plain block
#
# The building block of both networks is two convolutions of 3x3 pixels. Behind each comes a batch norm
# {cite}`ioffe2015batch`, which shifts and scales each channel to mean 0 and standard deviation 1 over the batch (and
# then by a learned weight and bias, 1 and 0 at the start). A ReLU stands between the two layers and one at the end:
#
# $$
# y = \mathrm{ReLU}\bigl(F(x)\bigr), \qquad
# F(x) = \mathrm{BN}_2\Bigl(W_2 * \mathrm{ReLU}\bigl(\mathrm{BN}_1(W_1 * x)\bigr)\Bigr).
# $$ (eq-plain-block)
#
# The convolutions have no bias: the batch norm would subtract it again at once. A block that begins a new *stage* takes
# every second pixel (`stride=2`) and has twice as many channels, so that the work stays about the same.


# %%
class PlainBlock(nn.Module):
    """y = ReLU(F(x))."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.convolution2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)

    def layers(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm1(self.convolution1(x)))
        return self.norm2(self.convolution2(x))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.layers(x))


PlainBlock(16, 16)


# %% [markdown]
# Is it the block that the package uses? Both have the same parameters in the same order, so we copy them from one to
# the other, and give both the same input. The answer is to be the same, to the last bit.


# %%
def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Give ``target`` the parameters and running statistics of ``source``, which has them in the same order."""
    values = source.state_dict().values()
    target.load_state_dict(dict(zip(target.state_dict(), values, strict=True)))


mine = PlainBlock(16, 32, stride=2)
theirs = models.PlainBlock(models.basic_layers(16, 32, stride=2))
copy_weights(mine, theirs)
x = torch.randn(8, 16, 32, 32, generator=torch.Generator().manual_seed(0))  # (N, 16, 32, 32)
assert torch.equal(mine(x), theirs(x))
mine(x).shape


# %% [markdown]
# ## The residual block
#
# The residual block is the same, but for one addition before the last ReLU:
#
# $$
# y = \mathrm{ReLU}\bigl(F(x) + x\bigr).
# $$ (eq-residual-block)
#
# If the best thing a block can do is to leave its input alone, the plain block of {eq}`eq-plain-block` has to build the
# identity out of two convolutions; the residual block of {eq}`eq-residual-block` only has to let $F$ go to zero.
#
# Where a new stage begins, $x$ and $F(x)$ have different shapes. The paper's option A adapts $x$ without any
# parameters: take every second pixel, and fill up with channels of zeros. (Ours puts half of them before and half after
# the old channels; the paper does not say.)


# %%
def shortcut(x: torch.Tensor, out_channels: int, stride: int) -> torch.Tensor:
    """x where the shape stays; where it changes, every ``stride``-th pixel and channels of zeros around."""
    new_channels = out_channels - x.shape[1]
    before = new_channels // 2
    return F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, before, new_channels - before))


shortcut(x, out_channels=32, stride=2).shape

# %%
adapted = shortcut(x, out_channels=32, stride=2)
assert torch.equal(adapted, models.SubsampleShortcut(16, 32, stride=2)(x))
assert torch.equal(shortcut(x, out_channels=16, stride=1), x)
[channel for channel in range(32) if not adapted[:, channel].any()]  # the channels of zeros


# %%
class ResidualBlock(PlainBlock):
    """y = ReLU(F(x) + x)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        convolution = self.convolution1
        return F.relu(self.layers(x) + shortcut(x, convolution.out_channels, convolution.stride[0]))


issubclass(ResidualBlock, PlainBlock)

# %%
mine = ResidualBlock(16, 32, stride=2)
theirs = models.ResidualBlock(models.basic_layers(16, 32, stride=2), models.SubsampleShortcut(16, 32, stride=2))
copy_weights(mine, theirs)
assert torch.equal(mine(x), theirs(x))
mine(x).shape

# %% [markdown]
# What "let $F$ go to zero" means can be tried at once. With the last batch norm's weight set to zero, $F(x) = 0$. After
# a ReLU no value is negative, so the residual block then gives back exactly what it got; the plain block gives zeros.

# %%
after_relu = F.relu(x)
for block in (PlainBlock(16, 16), ResidualBlock(16, 16)):
    nn.init.zeros_(block.norm2.weight)
    y = block(after_relu)
    print(f"{type(block).__name__}: identity {torch.equal(y, after_relu)}, all zero {not y.any()}")


# %% [markdown]
# ## $6n+2$ layers
#
# A network is a *stem* (one 3x3 layer, from 3 channels to 16), three stages of $n$ blocks with 16, 32 and 64 channels,
# the mean over all pixels, and a linear layer for the ten classes. Two layers a block, three stages, stem and
# classifier: $2 \cdot 3n + 2 = 6n + 2$ layers with weights. For the paper's $n = 3, 5, 7, 9, 18$ these are 20, 32, 44,
# 56, 110.


# %%
def six_n_plus_two(block: type[PlainBlock], depth: int) -> nn.Sequential:
    """The network of ``depth`` = 6n + 2 layers made of ``block``: images (N, 3, H, W) -> scores (N, 10)."""
    n = (depth - 2) // 6
    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]  # (N, 16, H, W)
    layers += [block(16, 16) for _ in range(n)]
    layers += [block(16, 32, stride=2), *(block(32, 32) for _ in range(n - 1))]  # (N, 32, H/2, W/2)
    layers += [block(32, 64, stride=2), *(block(64, 64) for _ in range(n - 1))]  # (N, 64, H/4, W/4)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in six_n_plus_two(PlainBlock, 20).modules())

# %% [markdown]
# Twenty layers, as announced. Filled with the weights of the package's `plain20` and `resnet20` it gives their scores.

# %%
for block, name in ((PlainBlock, "plain20"), (ResidualBlock, "resnet20")):
    theirs = models.MODELS[name](generator=torch.Generator().manual_seed(0))
    mine = six_n_plus_two(block, 20)
    copy_weights(theirs, mine)
    torch.testing.assert_close(mine(images[:4]), theirs(images[:4]))
    assert models.count_parameters(mine) == models.count_parameters(theirs)
    print(f"{name}: {models.count_parameters(mine):,} parameters, equal scores")


# %% [markdown]
# From here on we use the package's networks. Their weights are drawn from a normal distribution of variance 2 divided
# by the number of inputs, which keeps the size of the signal through a ReLU {cite}`he2015delving`: *He initialisation*.
# A plain network and the residual one of the same depth are *twins*: they have the same layers, and from one seed the
# same weights.
#
# ### How many parameters
#
# The shortcuts cost none, so twins have equally many, and a difference in error cannot come from there. The counts,
# beside those that the paper prints in its table 6:


# %%
def parameters(name: str) -> int:
    """Trainable parameters of the named network, counted without giving them memory."""
    with torch.device("meta"):
        return models.count_parameters(models.MODELS[name]())


parameters("resnet20")

# %%
paper = {20: "0.27M", 32: "0.46M", 44: "0.66M", 56: "0.85M", 110: "1.7M"}  # He et al. 2015, table 6
counts = pd.DataFrame(
    [[parameters(f"plain{depth}"), parameters(f"resnet{depth}"), text] for depth, text in paper.items()],
    index=pd.Index(paper, name="layers"),
    columns=["plain", "residual", "paper"],
)
assert (counts.plain == counts.residual).all()
counts

# %% [markdown]
# ## Signal and gradient at initialisation
#
# Before any training: what does depth do to the signal on its way to the classes, and to the gradient on its way back?
# We compare networks of 20 and of 56 layers, in training mode, so that the batch norms use the batch's own statistics,
# as in the first training step.


# %%
def untrained(kind: str, depth: int) -> models.Network:
    """A network with the weights of seed 0."""
    return models.narrow(depth, residual=kind == "residual")(generator=torch.Generator().manual_seed(0))


twins = {(kind, depth): untrained(kind, depth) for depth in (20, 56) for kind in ("plain", "residual")}
list(twins)

# %%
at_start = {
    f"{kind}, {depth} layers": diagnostics.layer_responses(network, images, training=True).response
    for (kind, depth), network in twins.items()
}
pd.DataFrame(at_start).agg(["min", "max"]).round(3)

# %% [markdown]
# The table has the smallest and the largest *response* of any layer: the standard deviation of its output behind the
# batch norm. All are 1, at any depth, in both kinds. Batch norm sees to that by its very definition, and the
# explanation that holds for networks without it, that the signal of a deep one dies out, does not hold for these. The
# paper says so as well.
#
# **Predict.** And the gradient? In the plain network of 56 layers it passes 54 convolutions on its way from the loss to
# the first one. Compared with the last layers, will it be smaller there, as large, or larger? Make a guess before you
# look at {numref}`fig-ch3-gradients`, which shows, layer by layer, the norm of the gradient with respect to the
# weights.

# %% tags=["nbval-ignore-output"]
gradients = pd.concat(
    diagnostics.weight_gradients(network, images, labels).assign(kind=kind, depth=depth)
    for (kind, depth), network in twins.items()
)
gradients.groupby(["kind", "depth"]).gradient_norm.agg(first="first", last="last").round(2)

# %% mystnb={"figure": {"caption": "Norm of the loss's gradient with respect to the weights of each 3x3 layer, at initialisation, for one batch of 64 images. The gradient travels from right to left.", "name": "fig-ch3-gradients"}, "image": {"alt": "Gradient norm against layer on a logarithmic scale, before training. In the plain network of 56 layers it grows by several powers of ten from the last layer to the first; in its residual twin it stays within about one power of ten."}}
fig, ax = plt.subplots()
figures.plot_layers(gradients, ax, "gradient_norm", "norm of the gradient", log=True)
plt.show()

# %% [markdown]
# To put a number on the growth, turn from the weights to what passes between the blocks, which is what the argument
# below is about: take the gradient that arrives at each block's output, and divide the first by the last. (The numbers
# are not those of the figure, which shows another gradient.)

# %% tags=["nbval-ignore-output"]
at_blocks = pd.concat(
    diagnostics.block_gradients(network, images, labels).assign(kind=kind, depth=depth)
    for (kind, depth), network in twins.items()
)
outer = at_blocks.groupby(["depth", "kind"])[["layer", "gradient_norm"]].agg(["first", "last"])
times = outer.gradient_norm["first"] / outer.gradient_norm["last"]
rate = times ** (1 / (outer.layer["last"] - outer.layer["first"]))
pd.DataFrame({"times larger at the first block": times.round(1), "times per layer": rate.round(3)})

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""Nothing vanishes: in the plain network the gradient **grows** towards the images, at 56 layers
{times[56, "plain"]:,.0f} times, which is {rate[56, "plain"]:.2f} times per layer, and at 20 layers
{times[20, "plain"]:.0f} times. In the residual network of 56 layers it becomes
{times[56, "residual"]:.0f} times larger."""
display(Markdown(text))

# %% [markdown]
# Why does it grow? In a sentence: batch norm enlarges, at every layer, what the ReLU has made smaller, and whatever it
# multiplies the signal by, it multiplies the gradient by too. In numbers: take values that are normally distributed
# with mean 0 and variance 1. Behind a ReLU their mean square is $\tfrac12$. Part of that is only a mean,
# $1/\sqrt{2\pi}$, whose square is $\tfrac1{2\pi}$; what differs from image to image is the variance $\tfrac12 -
# \tfrac1{2\pi}$. The convolution adds up many such values, and by He initialisation its outputs have twice that mean
# square, which is 1, and twice that variance, $1 - \tfrac1\pi$; the other $\tfrac1\pi$ is a constant in each channel,
# the same for all images. Batch norm subtracts the constant and divides by $\sqrt{1 - 1/\pi}$, so that the variance is
# 1 again. Backward, the chain rule divides by the same number. On the way back through ReLU and convolution the
# gradient keeps its size: the ReLU lets half of it through, which halves its square, and the weights, of variance 2
# divided by the number of inputs, double it. With $x_l$ the output of layer $l$ and $L$ the loss, each layer is left
# with
#
# $$
# \frac{\lVert \partial L / \partial x_{l} \rVert}{\lVert \partial L / \partial x_{l+1} \rVert}
# \approx \frac{1}{\sqrt{1 - 1/\pi}} \approx 1.21 .
# $$ (eq-growth)
#
# It is an argument for very wide networks and inputs that are unlike one another, made with rigour by
# {cite:t}`yang2019mean`; the rate measured above is a little lower, since our layers are narrow and our images
# not unlike one another. In a residual network the sum $F(x) + x$ grows from block to block, while batch norm keeps
# $F(x)$ at 1. So each $F$ is a smaller part of the sum than the one before, and its factor is nearer to 1: the gradient
# should grow ever more slowly, and over 56 layers far less.
#
# Is a large gradient harmful? A layer followed by batch norm gives the same output when its weights are scaled, so what
# matters is how far a step moves the weights *relative to their size*. Here is the smallest, the median and the largest
# of these ratios over the layers of each network, for the first step with the paper's learning rate, 0.1:

# %% tags=["nbval-ignore-output"]
first_step = gradients.assign(step=PAPER.learning_rate * gradients.gradient_norm / gradients.weight_norm)
first_step.pivot_table(index=["kind", "depth"], values="step", aggfunc=["min", "median", "max"]).round(3)

# %% [markdown]
# A step of 1 is as long as the weights themselves. Look at the largest in the plain network of 56 layers: its first
# step throws the layers next to the images far away from where they were initialised. That alone need not be the end:
# since scaling the weights changes nothing, the gradient is perpendicular to them, a perpendicular step makes them
# longer, and longer weights make every later step relatively shorter. So the network calms down. What it has lost, and
# whether that is what hurts, cannot be read off the first step.
#
# ### What becomes of a small difference
#
# Norms are half of the story. A gradient is useful only if it is still about right after a small step. So we move each
# image a little, by noise a twentieth as large as the variation of the pixels, and ask of every block: is its output
# still about the same? And is the gradient that arrives there? {numref}`fig-ch3-neighbours` has the mean cosine between
# the two, each taken as one long vector for each image: 1 for the same direction and 0 for unrelated ones. (From
# outputs, which are never negative behind a ReLU, each channel's mean over the batch is subtracted first.)
# {cite:t}`balduzzi2017shattered` call gradients that look like noise *shattered*.

# %% tags=["nbval-ignore-output"]
noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
likeness = pd.concat(
    diagnostics.neighbour_similarities(network, images, images + 0.05 * noise, labels).assign(kind=kind, depth=depth)
    for (kind, depth), network in twins.items()
)
likeness.groupby(["kind", "depth"]).agg(activation=("activation", "last"), gradient=("gradient", "first")).round(2)

# %% mystnb={"figure": {"caption": "How alike a network treats an image and the same image with a little noise, at initialisation: mean cosine between the outputs of each block (left) and between the gradients that arrive there (right).", "name": "fig-ch3-neighbours"}, "image": {"alt": "Two panels against layer. Left: outputs for an image and its noisy copy stay alike in residual networks, and become unlike with depth in the plain network of 56 layers. Right: gradients for the two are unrelated in nearly all layers of the plain network of 56 layers, and remain related in its residual twin."}}
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, measure, title in zip(axes, ("activation", "gradient"), ("outputs", "gradients"), strict=True):
    figures.plot_layers(likeness, ax, measure, "mean cosine")
    ax.set_title(title)
    ax.label_outer()
axes[1].get_legend().remove()
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
ends = likeness.groupby(["kind", "depth"]).agg(output=("activation", "last"), gradient=("gradient", "first"))
plain, residual, shallow = (ends.loc[key] for key in (("plain", 56), ("residual", 56), ("plain", 20)))
text = f"""In the plain network of 56 layers the outputs of the last block have a cosine of only {plain.output:.2f}:
the depth has amplified a difference that one hardly sees. The gradients that arrive at the first block have
{abs(plain.gradient):.2f}: they are unrelated. In the residual twin the numbers are {residual.output:.2f} and
{residual.gradient:.2f}; in the plain network of 20 layers, {shallow.output:.2f} and {shallow.gradient:.2f}."""
display(Markdown(text))

# %% [markdown]
# What multiplies gradients per layer multiplies small differences between images too. A deep plain network begins as a
# function so rough that its gradient, right at one point, says little about a point nearby. That is what we measured at
# initialisation, in one batch, with one seed. It does not prove that this is why deep plain networks end up worse. The
# paper itself saw healthy gradients with batch norm, does not say when in the training, and conjectured that plain
# networks converge very slowly. So let us train.
#
# ## Twins in training
#
# The twins get the same batches and the same augmentation too; only the shortcuts differ. The depths
# of the smallest tier, 8 and 20 layers, were chosen because a hundred iterations tell them apart (exercise 5). How much
# is trained here depends on the tier.

# %%
SMOKE = replace(PAPER, iterations=120, drops=(90,), batch_size=32, padding=2)
CPU = replace(PAPER, iterations=300, drops=(225,))
SIZES = {  # tier: depths, seeds, recipe, numbers of training and test images
    "smoke": ((8, 20), (0,), SMOKE, (640, 300)),
    "cpu": ((20, 44), (0,), CPU, (6_400, 2_000)),
    "paper": ((20, 56), (0,), PAPER, (50_000, 10_000)),
}
assert all(EXPERIMENTS[f"{kind}{depth}-cifar10"].recipe == PAPER for kind in ("plain", "resnet") for depth in (20, 56))
list(SIZES)

# %% [markdown]
# The paper's training without a GPU would take many hours, and without CIFAR-10 it would be another one. So the page
# steps down to the tier that can be done, and says which.

# %%
on_gpu = tier == "paper" and torch.cuda.is_available()
training_tier = "smoke" if train_images.name == "builtin" else tier
training_tier = "cpu" if training_tier == "paper" and not on_gpu else training_tier
device = torch.device("cuda" if on_gpu else "cpu")
depths, seeds, recipe, counts = SIZES[training_tier]
engine = Engine(device, default_precision(device), worth_compiling(recipe.iterations, device))
shallow, deep = depths
f"training as in tier {training_tier!r} on {device}, {engine.precision}"


# %% [markdown]
# In the smoke tier the images are also halved to 16x16 pixels, by the mean over 2x2, which makes training four times
# faster. The networks do not mind: they average over whatever pixels are left. {numref}`fig-ch3-images` shows what is
# trained on.


# %%
def halved(images: data.ImageSet) -> data.ImageSet:
    """The same images at half the width and height."""
    pixels = F.avg_pool2d(images.images.float(), 2).round().to(torch.uint8)
    return replace(images, images=pixels)


halved(test_images).images.shape

# %% mystnb={"figure": {"caption": "The first sixteen training images, as the twins below see them before augmentation.", "name": "fig-ch3-images"}, "image": {"alt": "A row of sixteen small training images; each still shows clearly what it is."}}
train, test = (each.subset(n) for each, n in zip((train_images, test_images), counts, strict=True))
if training_tier == "smoke":
    train, test = halved(train), halved(test)
fig, ax = plt.subplots(figsize=(7.2, 0.9))
figures.show_grid(train.images[:16], ax, columns=16)
plt.show()

# %% tags=["remove-input"]
text = f"""Trained here: networks of {shallow} and {deep} layers, {len(seeds)} run{"s" * (len(seeds) > 1)} of each,
{recipe.iterations:,} iterations with {recipe.batch_size} images each, on {len(train):,} images of
{train.images.shape[-1]}x{train.images.shape[-1]} pixels ({train.name}), tested on {len(test):,}. The learning rate is
{recipe.learning_rate:g}, divided by {recipe.drop_divisor:g} after {" and ".join(f"{each:,}" for each in recipe.drops)}
iterations.

**Predict.** Of the four networks (plain and residual, {shallow} and {deep} layers), which has the lowest *training* error
at the end, and which the highest?"""
display(Markdown(text))


# %%
def train_twin(kind: str, depth: int, seed: int) -> tuple[models.Network, pd.DataFrame]:
    """A trained network, and a row an epoch of what was measured."""
    generator = torch.Generator().manual_seed(seed)
    network = models.narrow(depth, residual=kind == "residual")(generator=generator).to(device)
    history = fit(network, train, test, recipe, seed=seed, engine=engine)
    rows = pd.DataFrame([asdict(epoch) for epoch in history.epochs])
    print(f"{kind}, {depth} layers, seed {seed}: test error {history.epochs[-1].test_error:.1f} %")
    return network.cpu(), rows.assign(kind=kind, depth=depth, seed=seed)


# %% tags=["nbval-ignore-output"]
runs = [(kind, depth, seed) for depth in depths for kind in ("plain", "residual") for seed in seeds]
trained = {key: train_twin(*key) for key in runs}

# %% mystnb={"figure": {"caption": "Errors while the twins are trained on this page: training error thin, test error thick, mean over the runs where there are several; the dotted line is where the learning rate drops. Guessing makes 90 % errors.", "name": "fig-ch3-twins"}, "image": {"alt": "Training and test error against iterations, plain networks left, residual networks right. In the run at hand the deeper plain network learns most slowly and ends with by far the highest errors; the two residual networks end close to each other, behind the shallow plain one."}} tags=["nbval-ignore-output"]
twin_curves = pd.concat(rows for _, rows in trained.values())
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, kind in zip(axes, ("plain", "residual"), strict=True):
    figures.plot_curves(twin_curves[twin_curves.kind == kind], ax, recipe.drops)
    ax.set_ylim(0, 100)
    ax.legend(loc="lower left")
    ax.label_outer()
plt.show()

# %% tags=["nbval-ignore-output"]
final = twin_curves[twin_curves.iteration == recipe.iterations].groupby(["kind", "depth"])
ends = final.agg(runs=("seed", "count"), train=("train_error", "mean"), test=("test_error", "mean"))
lowest, highest = final.test_error.min(), final.test_error.max()
ends.round(1)

# %% tags=["remove-input", "nbval-ignore-output"]
change = {kind: ends.loc[(kind, deep)].train - ends.loc[(kind, shallow)].train for kind in ("plain", "residual")}
words = {kind: f"{abs(points):.1f} points {'higher' if points > 0 else 'lower'}" for kind, points in change.items()}
shallow_change = ends.test["residual", shallow] - ends.test["plain", shallow]
if lowest["plain", deep] > highest["residual", deep]:
    runs_of_each = "every plain run" if len(seeds) > 1 else "the plain run"
    verdict = f"At {deep} layers {runs_of_each} has a higher test error than the residual one{'s' * (len(seeds) > 1)}."
else:
    verdict = f"At {deep} layers the runs do not separate: **this training shows no clear advantage of shortcuts.**"
text = f"""From {shallow} to {deep} layers the training error of the plain network ends {words["plain"]}, that of the
residual network {words["residual"]}. {verdict} At {shallow} layers the shortcuts change the test error by
{shallow_change:+.1f} points."""
display(Markdown(text))

# %% [markdown]
# Look at the *thin* lines in {numref}`fig-ch3-twins`. Where the deeper plain network is worse in training error
# already, it is not over-fitting: it fails to fit. The paper calls this the *degradation* problem. But a run this short
# shows only that the deep plain network learns more slowly at first. Whether it catches up is for longer runs to say.
#
# ## How long must one train until depth pays?
#
# This book keeps a record of every full run on CIFAR-10: a file for each experiment and seed, with its recipe, its
# device and what was measured after every epoch. What is recorded so far:

# %%
recorded = tables.of_depth_table(records.load_all(records.find_results()))
display(Markdown(tables.provenance(recorded)))

# %% [markdown]
# The recipe `paper` is that of the paper, 64,000 iterations. The others are the same schedule, shortened, for machines
# without a GPU: `16k`, `8k`, `4k`, and `short`, which is thirty-two times shorter. Each of them is a *budget*: so much
# training, and no more.
#
# **Guess first.** Take four networks: plain and residual, of 20 and of 56 layers. Draw the test error of each against
# the budget, four falling lines. Does the line of the deep plain network ever cross that of the shallow one? And that
# of the deep residual network?

# %% mystnb={"figure": {"caption": "Errors against the training budget: recorded runs (filled; bars: standard deviation over several runs) and, in the right panel, what the paper published for 64,000 iterations (open). The dotted lines join what belongs to one network; nothing was measured on them.", "name": "fig-ch3-ladder"}, "image": {"alt": "Two panels of errors against the training budget, on logarithmic axes: training images left, test images right, a line for each of four networks. After 2,000 iterations the plain network of 56 layers has by far the highest error, and the residual one of 56 layers a higher one than both of 20 layers. By the published errors after 64,000 iterations the residual network of 56 layers has the lowest of all, the plain one of 56 layers still the highest."}} tags=["nbval-ignore-output"]
corners = ladder.corners(recorded)
fig, axes = plt.subplots(1, 2, sharey=True)
ladder.plot(corners, *axes)
plt.show()

# %%
changes = ladder.depth_changes(corners)
changes.round(2).set_index(["kind", "recipe"])

# %% tags=["remove-input", "nbval-ignore-output"]
display(Markdown("\n".join(f"- **{kind.title()}:** {ladder.in_words(changes, kind)}" for kind in figures.KINDS)))

# %% [markdown]
# The columns `train` and `test` are the error at 56 layers minus that at 20, in points: below zero, depth pays. In
# {numref}`fig-ch3-ladder` compare the two panels first. Where the order of the networks is the same in both,
# over-fitting is not what holds one back: it fits its own training images worse. Then look at the open marks. In the
# paper's long training the deep residual network, far behind after 2,000 iterations, ends in front of all; the deep
# plain network comes closer to the shallow one, and stays behind. So the answer to the question is somewhere between,
# and where the dotted lines cross says nothing of it: they join our short runs with another laboratory's long ones. The
# sentences above know our own runs only, and will name the budget once there are enough of them.
#
# ## Beside the published numbers
#
# All recorded runs by depth. Errors after a short training are those of networks far from done: compare them with each
# other, down a column, not with the published ones beside them. The first columns are ours; the others are published:
# the paper {cite}`he2015deep` (plain networks read off its figure 6), techxzen {cite}`techxzen2019residual`, akamaster
# {cite}`idelbayev2018resnet`, nabla0001 and a-martyn, all on GitHub.

# %% tags=["remove-input", "nbval-ignore-output"]
heading = "Test error (%) on CIFAR-10, ours after the last epoch, mean ± standard deviation (runs):\n\n"
display(Markdown(heading + tables.to_markdown(tables.depth_table(recorded))))

# %% [markdown]
# The first source of this book {cite}`sariyildiz2018resnet` is not in the table because it trains another family: wider
# networks, of 10 to 50 layers. It reports accuracies on CIFAR-10; as errors they are:

# %%
wide = pd.DataFrame(published.WIDE_ACCURACY["cifar10"], index=["without shortcuts", "with shortcuts"])
wide_errors = 100 - wide.T.rename_axis("layers")
wide_errors.round(1)

# %% [markdown]
# Without shortcuts these networks get worse from 18 layers on; with them they get better up to 34, and lose half a
# point at 50.
#
# Back to the $6n+2$ networks. {numref}`fig-ch3-published` has the published numbers of the table above: what does each
# line do as depth grows?

# %%
theirs = pd.DataFrame([asdict(each) for each in published.ERRORS]).rename(columns={"error": "test_error"})
theirs["kind"], theirs["depth"] = zip(*theirs.model.map(tables.kind_and_depth), strict=True)
theirs["test_std"] = theirs["std"].astype(float)
theirs[theirs.depth < 1_000].pivot_table(index="depth", columns="kind", values="test_error", aggfunc=["min", "max"])

# %% mystnb={"figure": {"caption": "Published test errors of the 6n+2 networks on CIFAR-10 (open markers; plain networks orange, residual networks blue; bars: standard deviation over five runs, where published), and ours by the paper's recipe where recorded (filled circles).", "name": "fig-ch3-published"}, "image": {"alt": "Published test errors on CIFAR-10 against depth. From 20 to 56 layers the plain networks' error rises in every source that has them; the residual networks' error is lower at 56 layers than at 20 in every source."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
for marker, (source, errors) in zip("so^Dv", theirs[theirs.depth < 1_000].groupby("source"), strict=True):
    figures.plot_depths(errors, ax, marker, filled=False)
    ax.plot([], [], marker, color=figures.COLOURS["neutral"], markerfacecolor="white", label=source)
ours = tables.summary(record for record in recorded if record.recipe_name == "paper")
if len(ours):
    figures.plot_depths(ours, ax)
ax.set_xticks([20, 32, 44, 56, 110])
ax.legend()
plt.show()

# %% [markdown]
# Every source that measured both depths found plain networks worse at 56 layers than at 20, and residual ones better
# (not every step between goes the same way). Now our own curves, {numref}`fig-ch3-recorded`, as in the paper's figure
# 6: training error thin, test error thick, the drops of the learning rate dotted. The training error is the mean over
# an epoch, on augmented images, each batch counted before its step; while a network learns fast it therefore lies above
# the test error, which is measured at the epoch's end on images as they are.

# %% mystnb={"figure": {"caption": "Recorded runs on CIFAR-10: training error (thin) and test error (thick) against iterations, by the longest recipe of which both kinds are recorded at several depths; its name is above the panels.", "name": "fig-ch3-recorded"}, "image": {"alt": "Training and test error against iterations of the recorded runs on CIFAR-10, plain networks left and residual networks right; errors fall fast at first and flatten after the drops of the learning rate."}} tags=["nbval-ignore-output"]
best = tables.longest_comparison(recorded)
chosen = [record for record in recorded if record.recipe_name == best]
curves = tables.curves(chosen)
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, kind in zip(axes, ("plain", "residual"), strict=True):
    figures.plot_curves(curves[curves.kind == kind], ax, chosen[0].recipe["drops"])
    ax.set_title(f"{kind}, recipe {best}")
    ax.set_ylim(0, min(100, 2 * max(record.test_error for record in chosen)))
    ax.label_outer()
plt.show()

# %% tags=["nbval-ignore-output"]
columns = ["depth", "kind", "runs", "train_error", "train_std", "test_error", "test_std", "minutes"]
measured = tables.summary(chosen)[columns].sort_values(["depth", "kind"])
measured.round(2).set_index(["depth", "kind"])

# %% [markdown]
# ### Does depth hurt, and do shortcuts cure it?
#
# The two questions of this page, put to the records. Depth hurts if the deepest network has a higher error than the
# shallowest of its kind. Shortcuts cure that if the deepest residual network has a *lower* error than the shallowest;
# it is a beginning if it is better than its plain twin. A difference of means comes with its standard error, from the
# spread over seeds, as soon as both networks have been run twice. (The tables have standard deviations, of single
# runs.) {numref}`fig-ch3-depth` has all depths at once: compare the slopes of the two lines, and the distance between
# them.

# %% mystnb={"figure": {"caption": "Test errors of the recorded runs on CIFAR-10 against depth, by the recipe of the curves above: plain networks orange, residual networks blue (bars: standard deviation, where there are several runs).", "name": "fig-ch3-depth"}, "image": {"alt": "Recorded test errors against depth, plain networks orange, residual networks blue. By the short recipe both lines rise with depth, the plain one far more steeply, so that the distance between them grows."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
figures.plot_depths(tables.summary(chosen), ax)
ax.set_title(f"recipe {best}")
ax.set_xticks(sorted(set(measured.depth)))
plt.show()

# %% tags=["nbval-ignore-output"]
summaries = tables.summary(chosen)
depths = {kind: sorted(group.depth) for kind, group in summaries.groupby("kind")}
hurts = {
    kind: (found[0], found[-1], *tables.difference(summaries, (kind, found[-1]), (kind, found[0])))
    for kind, found in depths.items()
    if len(found) > 1
}
twins_recorded = sorted(set(depths.get("plain", [])) & set(depths.get("residual", [])))
cures = {depth: tables.difference(summaries, ("residual", depth), ("plain", depth)) for depth in twins_recorded}
labels_of = ["from (layers)", "to (layers)", "change (points)", "standard error"]
pd.DataFrame([dict(zip(labels_of, values, strict=True)) for values in hurts.values()], index=list(hurts)).round(2)

# %% tags=["remove-input", "nbval-ignore-output"]
lines = [
    f"- **Depth, {kind} networks:** from {shallow} to {deep} layers the test error changes by "
    f"{tables.points(change, error)}."
    for kind, (shallow, deep, change, error) in hurts.items()
]
lines += [
    f"- **Shortcuts, {depth} layers:** they change the test error by {tables.points(*change)}."
    for depth, change in cures.items()
]
nothing = "No two networks are recorded that could be compared; `resnet-book run` records runs."
display(Markdown(f"By the recipe `{best}`:\n\n" + "\n".join(lines) if lines else nothing))

# %% [markdown]
# Is a change large beside its standard error? Twice as large is a common standard of evidence, a weak one, and weaker
# still where the spread itself is known from two or three runs; a single run has none to offer. And mind the recipe's
# name: what holds for a short training need not hold for a long one, as {numref}`fig-ch3-ladder` says. A short training
# can show how much harder a deep plain network is to train than its twin. That depth pays, only a longer one can.
#
# ### Inside the trained networks
#
# The paper's figure 7 asks how much each layer of a trained network adds: its response. In training mode this can be
# told from the weights alone, without a single image. Batch norm gives channel $c$ the learned standard deviation
# $\gamma_c$ and the learned mean $\beta_c$, so that all channels together have the variance (the response is its square
# root)
#
# $$
# \overline{\gamma^2} + \mathrm{var}(\beta) .
# $$ (eq-response)
#
# {numref}`fig-ch3-responses` shows it for the recorded networks whose weights were kept, and for the networks trained
# on this page where there are none.

# %% tags=["nbval-ignore-output"]
results = records.find_results()
first_runs = [record for record in chosen if record.seed == 0]
kept = {
    tables.kind_and_depth(record.model["name"]): weights.load_network(record.experiment, results=results)[0]
    for record in first_runs
    if records.path_of(results, record.experiment, 0).with_suffix(".safetensors").exists()
}
shown = kept or {(kind, depth): network for (kind, depth, _), (network, _) in trained.items()}
responses = pd.concat(
    diagnostics.responses_of_weights(network).assign(kind=kind, depth=depth) for (kind, depth), network in shown.items()
)
responses.groupby(["depth", "kind"]).response.agg(["mean", "min", "max"]).round(2)

# %% mystnb={"figure": {"caption": "Responses of the 3x3 layers in the trained networks, behind batch norm and before ReLU or addition.", "name": "fig-ch3-responses"}, "image": {"alt": "Standard deviation of each layer's response in the trained networks. Most layers of the residual networks respond less strongly than those of their plain twins."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
figures.plot_layers(responses, ax, "response", "standard deviation of the response", log=True)
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
in_blocks = responses[responses.layer > 1]  # layer 1 is the stem
place = (in_blocks.layer % 2).map({0: "first", 1: "second"})
parts = in_blocks.groupby(["depth", "kind", place]).response.mean().unstack("kind")
trained_by = chosen[0].recipe if kept else asdict(recipe)
by = Recipe(**trained_by)
rates = sum(by.learning_rate_at(step) for step in range(by.iterations))
untouched = math.exp(-by.weight_decay * rates / (1 - by.momentum))
lines = [
    f"- **{depth} layers**, {place} layers of the blocks: {row.plain:.2f} plain, {row.residual:.2f} residual."
    for (depth, place), row in (parts.dropna().iterrows() if len(parts.columns) == 2 else ())
]
nothing = "No pair of twins is recorded with its weights, so there is nothing to compare."
text = "Mean responses of twins:\n\n" + "\n".join(lines) if lines else nothing
text += f"""\n\nAll began at 1, and weight decay alone, without any images, would have brought them to about
{untouched:.2f} by this recipe."""
display(Markdown(text))

# %% [markdown]
# The paper found that residual networks respond less strongly than plain ones, as if each block only touched up what
# comes in. Judge from the means how far that is true here, and in which of a block's two layers: the second one's
# output is what a residual block adds. A response at the number just given, what weight decay alone leaves, belongs to
# a layer whose batch norm the images have hardly moved. And where a plain network of 56 layers is among the lines, look
# at its layers next to the images. It is there that {numref}`fig-ch3-gradients` found the large gradients before
# training: large steps move the batch norms' weights too, and in a plain network nothing limits their growth, since the
# next batch norm takes a common factor out again.

# %% [markdown]
# ## See for yourself
#
# Twins of 20 layers from the recorded runs, here in the page: they run in your browser. Switch from one network to the
# other, and compare how sure they are of a picture. Then close a shortcut of the residual one. **Predict first:** will
# the answer stay? [Chapter 8](08_take_it_apart.ipynb) does this with care, for every block and thousands of images.

# %% tags=["live-network", "nbval-ignore-output"]
live_network.LiveNetwork(live_network.recorded_twins(results))

# %% [markdown]
# ## Summary
#
# - A residual block is a plain block and one addition; twins have exactly the same number of parameters.
# - With batch norm the signal keeps its size at any depth. At initialisation the gradient of a plain network *grows*
#   exponentially towards the images, and becomes unrelated between an image and the same one with a little noise; with
#   shortcuts both happen far more slowly.
# - In the short training of the smallest tier the deeper plain network fits far worse than the shallow one, on training
#   images too; its residual twin falls behind by much less. Between the shallow twins the shortcuts do not help. One
#   such run of each is a demonstration, not a measurement.
# - After a long training, so the published numbers agree, 56 layers are worse than 20 in plain networks and better in
#   residual ones. After a short one they are worse in both. The budget at which this turns is for our own records to
#   say: the sentences under {numref}`fig-ch3-ladder` are computed from them.
#
# ## Exercises
#
# **1. Can a plain block be the identity?** Choose weights with which the plain block gives back any input that is not
# negative. Use evaluation mode, where an untrained batch norm does (almost) nothing.
#
# <details><summary>Solution</summary>
#
# A kernel with a 1 in its middle copies a channel; `nn.init.dirac_` makes such kernels.
#
# ```python
# block = PlainBlock(16, 16).eval()
# nn.init.dirac_(block.convolution1.weight)
# nn.init.dirac_(block.convolution2.weight)
# torch.testing.assert_close(block(after_relu), after_relu, rtol=1e-4, atol=1e-4)
# ```
#
# So a deep plain network that does what a shallow one does exists. Training does not find it.
#
# </details>
#
# **2. What does option B cost?** The paper also tries 1x1 convolutions where the shape changes. How many parameters
# more does `resnet20` have with `shortcut="projection"`? Work it out first.
#
# <details><summary>Solution</summary>
#
# Two shortcuts change the shape: $16 \cdot 32 + 32 \cdot 64$ weights, and a batch norm behind each with $2 \cdot 32 + 2
# \cdot 64$ parameters, 2,752 together. Twins would no longer have equal counts.
#
# ```python
# projected = models.MODELS["resnet20"](shortcut="projection")
# models.count_parameters(projected) - parameters("resnet20")
# ```
#
# </details>
#
# **3. The rate of growth.** Equation {eq}`eq-growth` does not know the depth. Measure the growth per layer of the plain
# networks of 20, 32, 44, 56 and 110 layers. Is it about the same?
#
# <details><summary>Solution</summary>
#
# ```python
# for depth in (20, 32, 44, 56, 110):
#     frame = diagnostics.block_gradients(untrained("plain", depth), images, labels)
#     times = frame.gradient_norm.iloc[0] / frame.gradient_norm.iloc[-1]
#     print(depth, round(times ** (1 / (frame.layer.iloc[-1] - frame.layer.iloc[0])), 3))
# ```
#
# About the same at every depth: between 1.17 and 1.19 when we tried. It is a little less than the theory's rate for
# infinitely wide networks; ours have 16 to 64 channels, and where a new stage begins their number changes.
#
# </details>
#
# **4. Without normalisation.** Ask `layer_responses` for `training=False` in the untrained twins: batch norm then
# divides by running statistics that are still 1. What happens with depth, and in which of the two kinds is it worse?
#
# <details><summary>Solution</summary>
#
# ```python
# for key, network in twins.items():
#     print(key, diagnostics.layer_responses(network, images).response.round(2).tolist())
# ```
#
# In the plain network the responses shrink slowly, to less than a tenth over 56 layers. In the residual network each
# block adds about as much variance as it gets, so they double every few layers and end above ten thousand: shortcuts
# need batch norm, or a smaller initialisation, as much as depth needs shortcuts.
#
# </details>
#
# **5. Deeper still.** In `SIZES["smoke"]`, train 8 and 32 layers. Do the shortcuts still help within 120 iterations?
# If not, what would you change?
#
# <details><summary>Solution</summary>
#
# They do not: when we tried it (seed 0), both networks of 32 layers still had test errors above 80 %, also with 20
# iterations of warm-up. The residual one even begins with the larger loss, since its last activations grow with the
# number of blocks. With 240 iterations both had hardly learned more, and were only a few points apart. A short run can
# hide the difference as easily as show it, which is why the depths of this page were chosen as they are, and why only
# the recorded runs count.
#
# </details>
#
# ## References
#
# - {cite:t}`he2015deep`: sections 3 and 4.2 are what this page re-does.
# - {cite:t}`he2015delving`: the initialisation; {cite:t}`ioffe2015batch`: batch norm.
# - {cite:t}`yang2019mean`: why batch norm makes gradients of deep plain networks grow.
# - {cite:t}`balduzzi2017shattered`: gradients that look like noise.
# - {cite:t}`he2016identity`: which shortcuts work best, and why.
# - {cite:t}`sariyildiz2018resnet`, {cite:t}`techxzen2019residual`, {cite:t}`idelbayev2018resnet`: the public code
#   beside which our numbers stand.

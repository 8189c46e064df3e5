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
# A deeper network can do all that a shallower one can: its extra layers need only pass on what they get. So if training
# found the best weights, more layers would never make the *training* error worse. In practice they did, and the answer
# of 2015 was to add, around every two layers, a shortcut that carries their input past them ([He et al.,
# 2015a](https://arxiv.org/abs/1512.03385)).
#
# **You will learn**
#
# - to write the plain block, the residual block and the $6n+2$ networks made of them, in a few lines each;
# - what depth does to signal and gradient before training, where there is batch norm;
# - what training shows, here and in the recorded runs, beside the numbers that others have published.
#
# **You need** [chapter 1](01_dataset.ipynb) and [chapter 2](02_augmentation.ipynb) for the images and their
# augmentation. With `tier = "smoke"` the page takes under a minute on 2 cores and downloads nothing. `"cpu"` takes
# about 8 minutes and needs CIFAR-10 (170 MB); `"paper"` trains four networks by the recipe of the paper, which takes a
# GPU. What specialists ask next is in the [appendix](a3_more_about_depth.ipynb).

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": by the paper's recipe, on a GPU
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
from dataclasses import asdict, replace

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from torch import nn

# %%
from resnet_book import augment, cifar, data, models
from resnet_book.analysis import diagnostics
from resnet_book.engine.device import Engine, default_precision, worth_compiling
from resnet_book.experiments import records
from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import figures, ladder, live_network, tables
from resnet_book.train import fit

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
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
# ## The plain block
#
# The building block of both networks is two convolutions of 3x3 pixels. Behind each comes a batch norm ([Ioffe and
# Szegedy, 2015](https://arxiv.org/abs/1502.03167)), which shifts and scales each channel to mean 0 and standard
# deviation 1 over all images and pixels of the batch (and then by a learned weight and bias, 1 and 0 at the start; for
# testing it uses running averages of the batches seen). A ReLU stands between the two layers and one at the end:
#
# $$
# y = \mathrm{ReLU}\bigl(F(x)\bigr), \qquad
# F(x) = \mathrm{BN}_2\Bigl(W_2 * \mathrm{ReLU}\bigl(\mathrm{BN}_1(W_1 * x)\bigr)\Bigr). \tag{3.1}
# $$
#
# ($*$: convolution.) The convolutions have no bias: the batch norm would subtract it again at once. Blocks of one
# resolution form a *stage*. In a block that begins a new one the first convolution moves on by two pixels at a time
# (`stride=2`) and has twice as many channels as before. (The `F` of the code below is `torch.nn.functional`.)


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


# %% [markdown]
# Is it the block that the package uses? We copy the parameters from one to the other, and give both the same input. The
# answers are to be the same, to the last bit.


# %%
def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Give ``target`` the parameters and running statistics of ``source``, which has them in the same order."""
    values = source.state_dict().values()
    target.load_state_dict(dict(zip(target.state_dict(), values, strict=True)))


mine = PlainBlock(16, 32, stride=2)
theirs = models.PlainBlock(models.basic_layers(16, 32, stride=2))  # basic_layers: the F of equation (3.1)
copy_weights(mine, theirs)
x = torch.randn(8, 16, 32, 32, generator=torch.Generator().manual_seed(0))  # (N, 16, 32, 32)
assert torch.equal(mine(x), theirs(x))
mine(x).shape


# %% [markdown]
# ## The residual block
#
# The residual block is the same, but for one addition before the last ReLU:
#
# $$ y = \mathrm{ReLU}\bigl(F(x) + x\bigr). \tag{3.2} $$
#
# If the best thing a block can do is to leave its input alone, the plain block of equation (3.1) has to build the
# identity out of two convolutions; the residual block of equation (3.2) only has to let $F$ go to zero.
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


adapted = shortcut(x, out_channels=32, stride=2)
assert torch.equal(adapted, models.SubsampleShortcut(16, 32, stride=2)(x))
assert torch.equal(shortcut(x, out_channels=16, stride=1), x)
print(tuple(adapted.shape), "channels of zeros:", [each for each in range(32) if not adapted[:, each].any()])


# %%
class ResidualBlock(PlainBlock):
    """y = ReLU(F(x) + x)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        convolution = self.convolution1
        return F.relu(self.layers(x) + shortcut(x, convolution.out_channels, convolution.stride[0]))


mine = ResidualBlock(16, 32, stride=2)
theirs = models.ResidualBlock(models.basic_layers(16, 32, stride=2), models.SubsampleShortcut(16, 32, stride=2))
copy_weights(mine, theirs)
assert torch.equal(mine(x), theirs(x))
mine(x).shape

# %% [markdown]
# With the last batch norm's weight set to zero, $F(x) = 0$. After a ReLU no value is negative, so the residual block
# then gives back exactly what it got; the plain block gives zeros.

# %%
after_relu = F.relu(x)
for block in (PlainBlock(16, 16), ResidualBlock(16, 16)):
    nn.init.zeros_(block.norm2.weight)
    y = block(after_relu)
    print(f"{type(block).__name__}: identity {torch.equal(y, after_relu)}, all zero {not y.any()}")


# %% [markdown]
# ## Networks of 6n+2 layers
#
# A network is a *stem* (one 3x3 layer, from 3 channels to 16), three stages of $n$ blocks with 16, 32 and 64 channels,
# the mean over all pixels, and a linear layer for the ten classes. Two layers a block, three stages, stem and
# classifier: $2 \cdot 3n + 2 = 6n + 2$ layers with weights.


# %%
def six_n_plus_two(block: type[PlainBlock], depth: int) -> nn.Sequential:
    """The network of ``depth`` = 6n + 2 layers made of ``block``: images (N, 3, H, W) -> scores (N, 10)."""
    n = (depth - 2) // 6
    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]  # (N, 16, H, W)
    layers += [block(16, 16) for _ in range(n)]
    layers += [block(16, 32, stride=2), *(block(32, 32) for _ in range(n - 1))]  # (N, 32, H/2, W/2)
    layers += [block(32, 64, stride=2), *(block(64, 64) for _ in range(n - 1))]  # (N, 64, H/4, W/4)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
for block, name in ((PlainBlock, "plain20"), (ResidualBlock, "resnet20")):
    mine, theirs = six_n_plus_two(block, 20), models.MODELS[name]()
    copy_weights(theirs, mine)
    torch.testing.assert_close(mine(pixels), theirs(pixels))
    with_weights = [layer for layer in mine.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    print(f"{name}: {len(with_weights)} layers, the same scores as the package's")

# %% [markdown]
# A plain network and the residual one of the same depth are *twins*: they have the same layers, from one seed the same
# weights, and as many parameters, so a difference in error is no matter of size. The last column is the paper's own
# count.

# %%
paper = {20: "0.27M", 32: "0.46M", 44: "0.66M", 56: "0.85M", 110: "1.7M"}  # He et al. 2015, table 6
networks = {depth: [six_n_plus_two(block, depth) for block in (PlainBlock, ResidualBlock)] for depth in paper}
rows = [[*map(models.count_parameters, networks[depth]), text] for depth, text in paper.items()]
assert all(plain == residual for plain, residual, _ in rows)
pd.DataFrame(rows, index=pd.Index(paper, name="layers"), columns=["plain", "residual", "paper"])


# %% [markdown]
# ## Before training
#
# From here on we use the package's networks. What does depth do to the *signal* on its way to the classes, and to the
# *gradient* on its way back? We take one batch of images and untrained networks of 20 and of 56 layers. *He
# initialisation* drew their weights so that sizes survive a ReLU ([He et al.,
# 2015b](https://arxiv.org/abs/1502.01852)); batch norm would level any other size, too. Of each block's output we
# measure the size, as the root mean square (column `signal`), and the norm of the loss's gradient with respect to it.
#
# **Predict.** Compare the gradient at the first block of the deep plain network with that at its last block. Will it be
# smaller, as large, or larger? Make a guess before you look at the table and Figure 3.1.


# %%
def untrained(kind: str, depth: int, seed: int = 0) -> models.Network:
    """A network with the weights that the seed gives (``narrow``: of 16, 32 and 64 channels)."""
    return models.narrow(depth, residual=kind == "residual")(generator=torch.Generator().manual_seed(seed))


images = augment.normalise(train_images.images[:32], *augment.channel_mean_std(train_images.images))
at_blocks = pd.concat(
    diagnostics.block_gradients(untrained(kind, depth), images, train_images.labels[:32]).assign(kind=kind, depth=depth)
    for depth in (20, 56)
    for kind in figures.KINDS
)
ends = at_blocks.groupby(["depth", "kind"])[["signal", "gradient_norm"]].agg(["first", "last"])
ends.round(3)

# %% mystnb={"image": {"alt": "Gradient norm against layer on a logarithmic scale, before training. In the plain network of 56 layers it grows by several powers of ten from the last block to the first; in its residual twin by little more than one."}}
fig, ax = plt.subplots()
figures.plot_layers(at_blocks, ax, "gradient_norm", "norm of the gradient", log=True)
plt.show()

# %% [markdown]
# **Figure 3.1.** Norm of the loss's gradient with respect to the output of each block, before training, for one batch
# of 32 images. The gradient travels from right to left.

# %% tags=["remove-input", "nbval-ignore-output"]
times = ends.gradient_norm["first"] / ends.gradient_norm["last"]
text = f"""The signal of the plain networks keeps its size, and nothing vanishes on the way back: the gradient **grows**
towards the images. From the last block to the first it becomes some {float(f"{times[56, 'plain']:.2g}"):,.0f} times
larger in the plain network of 56 layers, or {times[56, "plain"] ** (1 / 52):.2f} times a layer, and
{times[20, "plain"]:.0f} times in that of 20; in the residual networks, {times[56, "residual"]:.0f} and
{times[20, "residual"]:.0f} times. (One batch, one seed. The paper reports
"healthy norms" of gradients in its plain networks on ImageNet, of up to 34 layers.)"""
display(Markdown(text))

# %% [markdown]
# Why does it grow? What leaves a ReLU is never negative: a part of its size is its mean, which a batch norm subtracts.
# So the standard deviation $\sigma$ that a batch norm finds is below 1 (in theory about $\sqrt{1 - 1/\pi} \approx
# 0.83$; the [appendix](a3_more_about_depth.ipynb) derives it). It divides by $\sigma$, and so does the gradient on its
# way back: at every layer it grows by about $1/\sigma$ (1.2, and somewhat less was measured), exponentially with depth.
# (The rest of the layer leaves it as it is: of its squares the ReLU passes half, and the convolution doubles them.) In
# a residual network only $F$ goes through batch norms. The sum $F(x) + x$ grows from block to block within a stage
# (where one begins, half of the channels are new and empty: the bumps). So the nearer a block is to the classes, the
# smaller is the part that its $F$ adds, and the nearer to 1 its factor: the blue lines are almost level on the right
# and steepest next to the images.
#
# Is a large gradient harmful? It makes the first step long: in the deep plain network, at a learning rate of 0.1,
# longer than the weights of its first layers (the appendix measures it), so that it throws away where they started. But
# batch norm forgives much, and a bad start is not yet a bad end. Why deep plain networks end up worse, Figure 3.1
# cannot say. Whether they do, training will.
#
# ## Twins in training
#
# The twins get the same batches and the same augmentation too; only the shortcuts differ. In the smallest tier the
# images are halved to 16x16 pixels, and the learning rate is a fifth of the paper's (exercise 3 says why). The
# *training error* is the mean over an epoch, on augmented images, each batch counted before its step, with its own
# statistics in batch norm. So while a network learns it may lie above the test error, measured at the epoch's end on
# images as they are.

# %%
SMOKE = replace(PAPER, iterations=80, drops=(60,), learning_rate=0.02, batch_size=32, padding=2)
SIZES = {  # tier: depths, recipe, numbers of training and test images
    "smoke": ((8, 20), SMOKE, (640, 300)),
    "cpu": ((20, 44), replace(PAPER, iterations=300, drops=(225,)), (6_400, 2_000)),
    "paper": ((20, 56), PAPER, (50_000, 10_000)),
}
on_gpu = tier == "paper" and torch.cuda.is_available()
smaller = "cpu" if tier == "paper" and not on_gpu else tier  # the paper's training without a GPU would take many hours
training_tier = "smoke" if train_images.name == "builtin" else smaller
(shallow, deep), recipe, counts = SIZES[training_tier]
device = torch.device("cuda" if on_gpu else "cpu")  # `Engine`: where, in which precision, and whether compiled
engine = Engine(device, default_precision(device), worth_compiling(recipe.iterations, device))
f"training as in tier {training_tier!r} on {device}, {engine.precision}"


# %%
def halved(images: data.ImageSet) -> data.ImageSet:
    """The same images at half the width and height: means over 2x2 pixels."""
    return replace(images, images=F.avg_pool2d(images.images.float(), 2).round().to(torch.uint8))


train, test = (each.subset(count) for each, count in zip((train_images, test_images), counts, strict=True))
if training_tier == "smoke":
    train, test = halved(train), halved(test)
tuple(train.images.shape), tuple(test.images.shape)

# %% tags=["remove-input"]
text = f"""Each network is trained once, for {recipe.iterations:,} iterations with {recipe.batch_size} images each, on
{len(train):,} images ({train.name}). The learning rate is {recipe.learning_rate:g}, divided by {recipe.drop_divisor:g}
after {" and ".join(f"{each:,}" for each in recipe.drops)} iterations.

**Predict.** Of the four networks, plain and residual, of {shallow} and of {deep} layers, which has the lowest *training*
error at the end, and which the highest?"""
display(Markdown(text))


# %% tags=["nbval-ignore-output"]
def train_twin(kind: str, depth: int, seed: int = 0) -> pd.DataFrame:
    """Train a network; a row an epoch of what was measured."""
    history = fit(untrained(kind, depth, seed).to(device), train, test, recipe, seed=seed, engine=engine)
    return pd.DataFrame([asdict(epoch) for epoch in history.epochs]).assign(kind=kind, depth=depth, seed=seed)


curves_here = pd.concat(train_twin(kind, depth) for depth in (shallow, deep) for kind in figures.KINDS)
final = curves_here[curves_here.iteration == recipe.iterations].set_index(["kind", "depth"])
final[["train_error", "test_error"]].round(1)

# %% mystnb={"image": {"alt": "Training and test error against iterations, plain networks left, residual networks right. In the run at hand the deeper plain network ends with the highest training error, the deeper residual network with the lowest."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, kind in zip(axes, figures.KINDS, strict=True):
    figures.plot_curves(curves_here[curves_here.kind == kind], ax, recipe.drops)
    ax.set_ylim(max(0, final.train_error.min() - 10), 92)
    ax.legend(loc="lower left")
    ax.label_outer()
plt.show()

# %% [markdown]
# **Figure 3.2.** Errors while the twins are trained on this page: training error thin, test error thick; the dotted
# grey line is where the learning rate drops. Blind guesses are wrong in 90 of 100 cases.

# %% tags=["remove-input", "nbval-ignore-output"]
luck = max((error * (100 - error) / len(test)) ** 0.5 for error in final.test_error)
least = min((error * (100 - error) / len(test)) ** 0.5 for error in final.test_error)
saved = {depth: final.test_error["residual", depth] - final.test_error["plain", depth] for depth in (shallow, deep)}
text = f"""Shortcuts change the test error by {saved[deep]:+.1f} points at {deep} layers, and by {saved[shallow]:+.1f} at
{shallow}. With {len(test):,} test images, which images they happen to be gives one test error a standard deviation of
{least:.1f} to {luck:.1f} points, and a difference of two at most some 1.4 times that: no change of such a size shows
anything. The seed, and even the rounding of another machine, add to that (exercise 3). All this is one run of each: a
demonstration, not a measurement."""
display(Markdown(text))

# %% [markdown]
# Look at the *thin* lines in Figure 3.2. Where the deeper plain network is worse in training error already, it is not
# over-fitting: it fails to fit. The paper calls this the *degradation* problem. But a run this short shows only who
# learns faster at first. Whether the others catch up is for longer runs to say.
#
# ## A short training and a long one
#
# What follows is from runs on CIFAR-10 that were recorded beforehand.

# %% tags=["remove-input"]
text = f"""All runs follow the paper's recipe. A step takes {PAPER.batch_size} images, shifted and flipped as in
[chapter 2](02_augmentation.ipynb); stochastic gradient descent with a momentum of {PAPER.momentum:g} and a weight decay
of {PAPER.weight_decay:g}; a learning rate of {PAPER.learning_rate:g}, divided by {PAPER.drop_divisor:g} after a half and
again after three quarters of the {PAPER.iterations:,} iterations
({PAPER.iterations * PAPER.batch_size / 50_000:.0f} passes over the images). Shorter trainings have the same schedule,
shortened. Each length is a *budget*: so much training, and no more."""
display(Markdown(text))

# %% [markdown]
# **Guess first.** Take four networks: plain and residual, of 20 and of 56 layers. In which order do their test errors
# stand after 2,000 iterations (*short* in the tables below), and in which after 64,000 (*paper*)?

# %% mystnb={"image": {"alt": "Two panels of errors against the training budget, on logarithmic axes: training images left, test images right, a colour and marker for each of four networks. Up to 16,000 iterations the plain network of 56 layers has by far the highest error, and the residual one of 56 layers a higher one than that of 20, by fewer and fewer points. After 64,000 iterations the residual network of 56 layers has the lowest error of all, the plain one of 56 layers the highest, in both panels and by the published errors too."}} tags=["nbval-ignore-output"]
recorded = tables.of_depth_table(records.load_all(records.find_results()))
corners = ladder.corners(recorded)
fig, axes = plt.subplots(1, 2)
ladder.plot(corners, *axes)
plt.show()

# %% [markdown]
# **Figure 3.3.** Errors against the training budget: recorded runs (filled; bars, where they can be seen: standard
# deviation over two or three runs) and, in the right panel, what the paper published for 64,000 iterations (open). The
# marks of one budget stand a little beside each other. Lines join our runs of one network; nothing was measured between
# the marks. The scales differ.

# %% tags=["nbval-ignore-output"]
errors = corners.rename(columns={"train_error": "train", "test_error": "test"})
errors = errors.pivot_table(index=["kind", "iterations"], columns="depth", values=["train", "test"], sort=False)
changes = ladder.depth_changes(corners)
for measure in ("train", "test"):
    errors[measure, "change"] = changes.set_index(["kind", "iterations"])[measure]
errors[["train", "test"]].sort_index().map(lambda each: "" if pd.isna(each) else f"{each:.2f}")

# %% [markdown]
# (Errors in % of networks of 20 and of 56 layers, and what depth changes, in points: below zero, it pays. Means over
# the runs there are, one to three.) In words:

# %% tags=["remove-input", "nbval-ignore-output"]
display(Markdown("\n".join(f"- **{kind.title()}:** {ladder.in_words(changes, kind)}" for kind in figures.KINDS)))

# %% [markdown]
# Up to 16,000 iterations the order stays the same, on training and on test images, the best first: residual 20, plain
# 20, residual 56, plain 56. (After 16,000 the residual network of 56 layers has one run, and is behind plain 20 by less
# than its seeds differed after 8,000.) After 64,000 it is first: clearly on the training images, by 0.2 points on the
# test images.
#
# How sure is that? After 64,000 iterations the errors of several seeds have, elsewhere, a standard deviation of some
# 0.1 to 0.3 points (nabla0001 in the table below). What the deep plain network loses is many times that. What the deep
# residual one gains on the test images is no more than that, one run each: by itself it shows nothing. On the training
# images its error is less than a quarter of the shallow one's, and in a-martyn's logs a tenth (0.40 and 0.04 %, tested
# after the epoch).
#
# In shorter trainings test errors of two or three seeds differ by two to seven points with 56 layers, by less than two
# with 20. (A repetition of `plain56-cifar10-short` with seed 0, its crops drawn otherwise, ended ten points above the
# record. It is in no mean here, and would make 68.5 ± 3.4 into 71.8 ± 7.1.) All four networks have several seeds up to
# 4,000 iterations, and a single one after 64,000. Nor are the budgets trials of their own: with one seed the trainings
# of 4,000, 8,000 and 16,000 iterations are the same until the rate drops. The *handicap* of the deep residual network,
# what it errs more than the shallow one, is 18, 12, 7 and 3 points after 2,000 to 16,000 iterations with seed 0, and
# 15, 8 and 4 after 2,000 to 8,000 with seed 1. So it shrinks with the budget, but how fast, these runs do not say. (Up
# to 16,000 iterations they were trained in float32 on a CPU; of the 64,000, at least the first 50,000 are in bfloat16
# on a GPU.)
#
# Our residual network of 56 layers errs more than any of its depth in the table below, our plain one of 20 layers less
# than any. Codes differ, and one run of each is little. Did the residual one have a bad start? The
# [appendix](a3_more_about_depth.ipynb) has the seeds one by one, and says what speaks for that and against it.
#
# ## Beside the published numbers
#
# First the paper's recipe. The first column is ours, the others are published: the paper ([He et al.,
# 2015a](https://arxiv.org/abs/1512.03385)), whose plain networks are read off its figure 6, techxzen ([techxzen,
# 2019](https://github.com/techxzen/pytorch-residual-networks)), akamaster ([Idelbayev,
# 2018](https://github.com/akamaster/pytorch_resnet_cifar10)), [nabla0001](https://github.com/nabla0001/resnet) and
# [a-martyn](https://github.com/a-martyn/resnet), all on GitHub. They are not of one kind. techxzen takes batches of
# 100, and tests with the statistics of the test batches; akamaster trains for 200 passes over the images; nabla0001
# trains on 45,000 of them; a-martyn's are of the last epoch in its logs. A number without a count of runs is of one
# run, or the source does not say. (Our ± is the sample standard deviation.)

# %% tags=["remove-input", "nbval-ignore-output"]
heading = "Test error (%) on CIFAR-10, ours after the last epoch, mean ± standard deviation (runs):\n\n"
display(Markdown(heading + tables.to_markdown(tables.depth_table(recorded))))

# %% [markdown]
# Every source that measured both depths found plain networks worse at 56 layers than at 20, and residual ones better.
# Between these depths, plain ones get worse at every step that a source has measured, and residual ones better at all
# but one.
#
# Our shorter trainings cover more depths than Figure 3.3. Their errors are higher for want of training: compare them
# with each other, down a column.

# %% tags=["remove-input", "nbval-ignore-output"]
display(Markdown(tables.to_markdown(tables.budget_table(recorded))))

# %% [markdown]
# Now our own curves, Figure 3.4. (The paper's figure 6 has the same; there the dashed lines are the training errors.)

# %% mystnb={"image": {"alt": "Training and test error against iterations of the recorded runs by the paper's recipe on CIFAR-10, plain networks left and residual networks right, 20 and 56 layers each. All errors fall steeply where the learning rate drops for the first time. From there on both lines of the plain network of 56 layers lie above those of 20; of the residual networks the deep one has the lower training error, and test errors are close together."}} tags=["nbval-ignore-output"]
best = tables.longest_comparison(recorded)
chosen = [record for record in recorded if record.recipe_name == best]
curves = tables.curves(chosen)
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, kind in zip(axes, figures.KINDS, strict=True):
    figures.plot_curves(curves[curves.kind == kind], ax, chosen[0].recipe["drops"])
    ax.get_legend().remove()
    ax.set_title(f"{kind}, recipe {best}")
    ax.set_ylim(0, min(100, 2 * max(record.test_error for record in chosen)))
    ax.label_outer()
figures.add_legend(fig)
plt.show()

# %% [markdown]
# **Figure 3.4.** Recorded runs on CIFAR-10 by the paper's recipe: training error (thin) and test error (thick) against
# iterations (dotted: the learning rate drops). What is above the frame is cut off.

# %% [markdown]
# In the plain panel both lines of the deep network lie above those of the shallow one to the end. (That the thick lines
# jump at the large rate may be in part the measure: batch norm's averages lag behind the weights, [chapter
# 5](05_training.ipynb).) In the residual panel the thin lines change places long before the learning rate drops for the
# first time, and stay so.
#
# ## Does depth hurt, and do shortcuts cure it?
#
# **Depth hurts** plain networks, by several points: after a short training and a long one, on training images in our
# runs, in the paper's figure 6 and in a-martyn's logs (0.74 and 3.33 %), and on test images in our runs and in all
# sources that have plain networks.
#
# **Do shortcuts cure it?** They *help* if a residual network errs less than its plain twin. They *cure* if, besides,
# the deep residual network errs less than the shallow one. After 2,000 iterations they help at every depth, the more
# the deeper, and do not cure: residual networks get worse with depth as well, at 56 layers by less than half as many
# points. So it is with 20 and 56 layers up to 16,000 iterations (plain networks have single runs from 8,000 on), with a
# mean handicap that shrinks from 16 points to 3 (the table under Figure 3.3; that of the plain network shrinks from
# 4,000 iterations on, and is still 4 points after 64,000). After 64,000 shortcuts help and cure: on the training images
# in our runs and in a-martyn's; on the test images in the published numbers, by 0.6 to 1.8 points, while our gain of
# 0.2 is too small to show it.
#
# So, from 20 to 56 layers, shortcuts cure if one trains for long enough. (Whether it goes on is open: with 1,202 layers
# the paper's network errs more than with 110, akamaster's a little less.) And *why* does depth hurt? In a short
# training the long first steps are a suspect: [chapter 10](10_signals_through_training.ipynb) follows what they do to
# the weights. After a long one it is open. [Chapter 8](08_take_it_apart.ipynb) and [chapter 9](09_the_landscape.ipynb)
# take trained networks apart to look for it.
#
# Here are the recorded twins of 20 layers; they run in your browser. Switch from one to the other, then untick a
# shortcut of the residual one. **Predict first:** will the answer stay? (Chapter 8 asks it of all test images.)

# %% tags=["live-network", "nbval-ignore-output"]
live_network.LiveNetwork(live_network.recorded_twins(records.find_results()))

# %% [markdown]
# ## Summary
#
# - A residual block is a plain block and one addition; twins have exactly the same number of parameters.
# - Before training, batch norm keeps the size of the signal in a plain network, and the gradient grows exponentially
#   towards the images; with shortcuts it grows far more slowly.
# - After a short training 56 layers are worse than 20 in both kinds, on the training images too, and far more so in
#   plain networks: shortcuts help. After a long one they are worse in plain networks and better in residual ones: they
#   cure. (In the book's own runs the latter is clear on the training images alone.)
#
# ## Exercises
#
# **1. Can a plain block be the identity?** Choose weights with which the plain block gives back any input that is not
# negative. In evaluation mode an untrained batch norm does (almost) nothing. The cell after yours says whether you are
# right.


# %%
def as_identity(block: PlainBlock) -> None:
    """Change the weights of ``block`` in place, as ``nn.init`` does, so that it gives back what it gets."""


# %%
answer, block = PlainBlock(16, 16).eval(), PlainBlock(16, 16).eval()
block.load_state_dict(answer.state_dict())
x = 100 * after_relu  # "any input": a large one, too
before = block(x)
with torch.no_grad():
    as_identity(answer)
block.load_state_dict(answer.state_dict())  # parameters and running averages count, and nothing else
y = block(x)
if torch.allclose(y, x, rtol=1e-4, atol=1e-4):
    print("Right, in evaluation mode. A deep plain network can do what a shallow one does. Training does not find it.")
elif torch.equal(y, before):
    print("Not yet: the weights are as they were.")
elif not y.any():
    print("Wrong: the block gives zeros. Nothing goes past the convolutions of a plain block.")
else:
    print(f"Wrong: what comes out differs from what went in by up to {(y - x).abs().max():.2g}.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# A kernel with a 1 in its middle copies a channel; `nn.init.dirac_` makes such kernels.
#
# ```python
# def as_identity(block):
#     nn.init.dirac_(block.convolution1.weight)
#     nn.init.dirac_(block.convolution2.weight)
# ```
#
# (In training mode batch norm subtracts each batch's own mean and divides by its standard deviation. Fixed weights and
# biases can undo that only approximately.)
#
# </details>
#
# **2. Over-fitting?** "Of course `plain56` is worse on the test images: it has three times the parameters of `plain20`,
# so it over-fits." Which numbers on this page speak against that?
#
# <details><summary>Solution</summary>
#
# Its training error, which would be low if it over-fitted. It is higher than that of `plain20`, after the long training
# too: in the table under Figure 3.3 the `change` of `train` is above zero in every row of a plain network. And
# `resnet56`, with exactly as many parameters as `plain56`, is far better.
#
# </details>
#
# **3. Seeds.** In the smallest tier, train the four networks of this page with seeds 1 to 5, and seeds 1 and 2 again
# with `learning_rate=0.1` in `SMOKE`. Which order of the errors can one rely on?
#
# <details><summary>Solution</summary>
#
# ```python
# for seed in range(1, 6):
#     again = pd.concat(train_twin(kind, depth, seed) for depth in (shallow, deep) for kind in figures.KINDS)
#     print(again[again.iteration == recipe.iterations][["kind", "depth", "seed", "train_error", "test_error"]])
# ```
#
# (For the other learning rate, first run all cells from that of `SMOKE` again.) In the smoke tier, when we tried, the
# *training* error of the deeper plain network was the highest with all six seeds, and that of the deeper residual
# network the lowest with five. At a learning rate of 0.1, with three seeds, the deeper plain network was the worst each
# time, and the best was each time another. So one can rely on the last place; on the first nearly, and only at the
# page's own learning rate, which was chosen for that. And rounding does as much as a seed: on two machines the same
# seed 0 left the deeper residual network with test errors of 60 and of 68 %.
#
# </details>
#
# ## References
#
# [He et al. (2015a)](https://arxiv.org/abs/1512.03385): sections 3 and 4.2 are what this page re-does. [He et al.
# (2015b)](https://arxiv.org/abs/1502.01852): the initialisation. [Ioffe and Szegedy
# (2015)](https://arxiv.org/abs/1502.03167): batch norm.

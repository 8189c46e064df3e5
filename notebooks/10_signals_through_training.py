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
# # Signals through training
#
# **A deep plain network begins with a gradient that looks like noise. Does training get rid of it?**
#
# Look at Figure 10.1. There is a picture, and the same picture with a little noise that one hardly sees. Each has a
# gradient: how the loss would change if a pixel became a little brighter. Each dot is one pixel; across is its gradient
# in the first picture, upward its gradient in the second. In the residual network the two agree, more or less: the
# cloud leans along the diagonal. In the plain network it is round. There the gradient at one picture says nothing about
# the gradient right beside it.
#
# Yet gradient descent has nothing else to go by. [Chapter 3](03_plain_and_residual.ipynb) measured signal and gradient
# before the first step. This chapter looks at the same networks while they learn.
#
# **You will learn**
#
# - what becomes of signal and gradient, layer by layer, as a plain network and its residual twin are trained;
# - to ask what a gradient is worth: for other images, and one step further on;
# - two ways to begin better: a batch norm that starts at zero, and a block with a clean shortcut, which you build.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the blocks and
# [chapter 5](05_training.ipynb) for the recipe. With `tier = "smoke"` the page takes about a minute on 2 cores and
# downloads nothing; `"cpu"` and `"paper"` take five to thirty minutes and CIFAR-10 (170 MB).

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": built-in images, seconds; "cpu": CIFAR-10, minutes; "paper": the same for longer
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
from copy import deepcopy
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from torch import nn

# %%
from resnet_book import augment, cifar, data, models
from resnet_book.analysis import diagnostics, signals
from resnet_book.engine.callbacks import Callback
from resnet_book.engine.device import Engine, default_precision, find
from resnet_book.experiments import catalogue, records, signal_records
from resnet_book.report import figures, signal_figures
from resnet_book.train import fit

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
wanted = "builtin" if tier == "smoke" else "cifar10"
try:
    train_images = data.load(wanted, "train", data_root or None)
except cifar.DataMissingError as missing:
    if missing.named:  # you named a folder, so nothing may stand in for it
        raise
    train_images = data.load("builtin", "train")
f"{train_images.name}: {len(train_images):,} images"

# %% tags=["remove-input"]
if train_images.name != wanted:
    note = "**CIFAR-10 was not found, so this page uses the built-in images.** `resnet-book data cifar10` fetches it."
    display(Markdown(f"> {note}"))

# %%
statistics = augment.channel_mean_std(train_images.images)
images = augment.normalise(train_images.images[:32], *statistics)  # each channel: mean 0, standard deviation 1
labels = train_images.labels[:32]
NOISE = 0.01  # standard deviation; that of the pixels is 1
nearby = images + NOISE * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
tuple(images.shape), round(images.std().item(), 1)


# %% [markdown]
# ## The same picture twice
#
# The gradient with respect to the pixels has the shape of the picture. Here it is for both pictures, in two networks of
# 56 layers that have not been trained.


# %%
def untrained(kind: str, depth: int, seed: int = 0) -> models.Network:
    """A network with the weights that the seed gives; twins get the same ones."""
    return models.narrow(depth, residual=kind == "residual")(generator=torch.Generator().manual_seed(seed))


def pixel_gradients(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The gradient of the batch's loss with respect to every pixel: (N, 3, H, W)."""
    pixels = images.clone().requires_grad_()
    loss = F.cross_entropy(network.train()(pixels), labels)  # batch norm by the batch's own statistics
    return torch.autograd.grad(loss, pixels)[0]


at = {kind: [pixel_gradients(untrained(kind, 56), each) for each in (images, nearby)] for kind in figures.KINDS}
assert torch.equal(at["plain"][0], signals.pixel_gradients(untrained("plain", 56), (images, labels)))
tuple(at["plain"][0].shape)

# %% mystnb={"image": {"alt": "A small picture, the same with a little noise, and two clouds of dots, one dot a pixel: its gradient at the first picture across, at the second upward. The plain network's cloud is round, the residual network's leans along the diagonal."}}
SHOWN = 3  # the picture
mean, std = (each.view(3, 1, 1) for each in statistics)
fig, axes = plt.subplots(1, 4, figsize=(7.2, 2.2))
for ax, each, title in zip(axes, (images, nearby), ("a picture", "a picture nearby"), strict=False):
    figures.show_image((each[SHOWN] * std + mean).clamp(0, 255).round().to(torch.uint8), ax, title)
for ax, (kind, pair) in zip(axes[2:], at.items(), strict=True):
    x, y = (each[SHOWN].flatten() / each[SHOWN].std() for each in pair)
    ax.plot(x, y, ".", markersize=1, alpha=0.5, color=figures.COLOURS[kind])
    ax.set(title=kind, xlim=(-5, 5), ylim=(-5, 5), xticks=(-5, 0, 5), yticks=(-5, 0, 5), aspect="equal")
    ax.set(xlabel="gradient, first picture", ylabel="second picture")
plt.show()

# %% [markdown]
# **Figure 10.1.** Two pictures, and the gradient of the loss with respect to their pixels in untrained networks of 56
# layers, in standard deviations: one against the other.

# %% [markdown]
# To put a number on it, take each gradient as one long vector, and compute the cosine between the two: 1 if they point
# the same way, 0 if they are unrelated. [Balduzzi et al. (2017)](https://arxiv.org/abs/1702.08591) call gradients with
# no likeness to their neighbours *shattered*, and say that they shatter with depth in plain networks, and much more
# slowly with shortcuts.
#
# > **Predict, then run**
# >
# > At 8, 20 and 56 layers, and for three seeds each: sketch two lines, the cosine against the depth. Where does the
# > plain one reach 0? Does the residual one? Figure 10.2 has the answer.

# %% tags=["nbval-ignore-output"]
side = 16 if tier == "smoke" else 32  # smaller pictures, faster page
small, small_nearby = (F.adaptive_avg_pool2d(each, side) for each in (images, nearby))


def likeness(network: nn.Module) -> float:
    """Mean cosine between the pixel gradients of each image and of the one nearby."""
    here, there = (pixel_gradients(network, each).flatten(1) for each in (small, small_nearby))
    return F.cosine_similarity(here, there).mean().item()


networks = [(kind, depth, seed) for kind in figures.KINDS for depth in (8, 20, 56) for seed in range(3)]
shattered = pd.DataFrame(networks, columns=["kind", "depth", "seed"])
shattered["cosine"] = [likeness(untrained(*each)) for each in networks]
shattered.pivot_table(index="kind", columns="depth", values="cosine").round(2)

# %% mystnb={"image": {"alt": "Cosine between pixel gradients at neighbouring pictures against depth. The plain network's line falls to about zero, the residual network's falls more slowly and stays above it."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(5.4, 3.0))
signal_figures.plot_against_depth(shattered, ax, "cosine", "cosine")
plt.show()

# %% [markdown]
# **Figure 10.2.** How alike the pixel gradients of neighbouring pictures are, in untrained networks: mean over three
# seeds, bars of a standard deviation.

# %% [markdown]
# With 8 layers the two are nearly level. With 56 the plain one is at 0, and its twin, come down as well, far above it.
#
# ## A pair in training
#
# Now train. A plain network of 20 layers and its twin get the same batches. A *callback* is called after every step; ours
# keeps a copy of the network at some moments.


# %%
class Look(Callback):
    """Keeps a copy of the network at some iterations of its training."""

    def __init__(self, moments: tuple[int, ...]) -> None:
        self.moments, self.kept = moments, dict[int, nn.Module]()

    def begin(self, training) -> None:
        self.after_step(training)  # the network before its first step, too

    def after_step(self, training) -> None:
        if training.iteration in self.moments:
            self.kept[training.iteration] = deepcopy(training.network).cpu()


# %% tags=["nbval-ignore-output"]
ITERATIONS, BATCH = {"smoke": (60, 32), "cpu": (100, 64), "paper": (300, 128)}[tier]
recipe = replace(catalogue.PAPER, iterations=ITERATIONS, drops=(), batch_size=BATCH, padding=side // 8)
few = train_images.subset(BATCH * 30)
seen = replace(few, images=F.adaptive_avg_pool2d(few.images.float(), side).round().to(torch.uint8))
device = find("auto")
engine = Engine(device, default_precision(device), False)
ways = {}
for kind in figures.KINDS:
    look = Look((0, 1, 3, 10, 30, ITERATIONS))
    epochs = fit(untrained(kind, 20), seen, seen.subset(100), recipe, engine=engine, callbacks=[look]).epochs
    ways[kind] = look.kept
    print(f"{kind}: training loss {epochs[0].train_loss:.2f} at first, {epochs[-1].train_loss:.2f} in the last epoch")

# %% [markdown]
# For each copy, and each block: how large is the gradient that arrives at the block's output?
# `diagnostics.block_gradients` measures it, as in chapter 3.
#
# **Predict.** Before training the plain network's gradient grows from the classes to the images (to the left). Will it
# still grow after some dozens of steps: more, as much, or less? Follow the lines of Figure 10.3 from pale
# to full colour.


# %% tags=["nbval-ignore-output"]
def measured(measure) -> pd.DataFrame:
    """``measure(network)``, a frame, of every copy of both networks."""
    about = {"depth": 20, "seed": 0, "recipe_iterations": ITERATIONS, "origin": "this page"}
    return pd.concat(
        measure(network).assign(kind=kind, iteration=iteration, **about)
        for kind, kept in ways.items()
        for iteration, network in kept.items()
    )


batch = augment.normalise(seen.images[:64], *statistics), seen.labels[:64]
blocks = measured(lambda network: diagnostics.block_gradients(network, *batch))
ends = blocks.pivot_table(index=["kind", "iteration"], columns="block", values="gradient_norm")
(ends[1] / ends[9]).unstack("kind").round(1)  # how many times the last block's the first block's is

# %% mystnb={"image": {"alt": "Gradient norm at each block against its layer, six lines from pale to dark for six moments of the training; plain network left, residual network right. Before training the plain lines fall steeply from the images to the classes, the residual ones less."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.4))
for ax, kind in zip(axes, figures.KINDS, strict=True):
    signal_figures.plot_stages(blocks[blocks.kind == kind], ax, "gradient_norm", "norm of the gradient")
    ax.set_title(kind)
    ax.label_outer()
plt.show()

# %% [markdown]
# **Figure 10.3.** Gradients that arrive at each block, before training and at some moments of the page's own training.
# Logarithmic.

# %% [markdown]
# The table says by how much it grows from the last block to the first; at 1 it does not. Now CIFAR-10: `resnet-book
# signals NAME` measures a recorded network, and `resnet-book run NAME --keep-weights` keeps weights on the way. (The
# weights on the way are of repetitions of the recorded runs: same recipe, same seed, later code.)
# Figure 10.4 has the twins of 20 layers, a run each: the same gradient, and below it the *signal*, the
# size of what each block puts out. Look at the first and last block.

# %% tags=["nbval-ignore-output"]
found = [each for each in signal_records.all_signals(records.find_results()) if "-cifar10" in each.experiment]
if not found:
    print("Nothing is recorded here, so the recorded parts of this page are empty.")
recorded = signal_figures.through_training(signal_figures.of_networks(found, "blocks"))
ends = recorded[recorded.iteration.isin([0, 30, 2_000]) & recorded.block.isin([1, 9])]
ends.pivot_table(index=["kind", "iteration"], columns="block", values=["gradient_norm", "signal"]).round(3)

# %% mystnb={"image": {"alt": "Four panels against layer, lines from pale to dark for moments of the training on CIFAR-10. Above, the gradient that arrives at each block; below, the size of each block's output; plain network left, residual network right. Before training the plain network's gradient grows more than tenfold towards the images, its twin's much less; thirty steps later neither grows."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(2, 2, sharex=True, sharey="row", figsize=(7.2, 5.6))
for row, column, label in zip(axes, ("gradient_norm", "signal"), ("norm of the gradient", "signal"), strict=True):
    for ax, kind in zip(row, figures.KINDS, strict=True):
        own = recorded[(recorded.kind == kind) & (recorded.depth == 20) & (recorded.seed == 0)]
        signal_figures.plot_stages(own, ax, column, label, log=column == "gradient_norm")
        ax.set_title(kind if column == "gradient_norm" else "")
        ax.label_outer()
plt.show()

# %% [markdown]
# **Figure 10.4.** The recorded pair on CIFAR-10: gradient (above) and signal (below) at each block, from pale (before
# training) to full colour (the last step). The signal is the root mean square of the block's output.

# %% [markdown]
# Before training, the gradient of the plain network grows more than tenfold on its way to the images, and its twin's
# much less. Thirty steps later the growth has gone from both. Some of it comes back, in both about alike. The signal is
# calmer. In the plain network it stays. In the residual one it grows with depth before training, and is level after it.
#
# Compare shapes, not heights: a gradient's height follows the loss. And remember from chapter 3 that a layer in front
# of a batch norm does not care how long its weights are, so a large gradient is not yet a good or a bad one.
#
# ## What is a gradient worth?
#
# A step follows the gradient of *one* batch at *one* point. The next step meets other images, and other weights. So
# there are two reasons why a gradient may be worth little: it was that of these images alone (noise), or it holds at
# this point alone (roughness; [Santurkar et al. (2018)](https://arxiv.org/abs/1805.11604) measured this one). Both can
# be taken apart, with two batches A and B and one step along the gradient of A:
#
# - **other images:** the cosine between the gradients of A and of B, at the same weights;
# - **after a step:** between the gradients of A before and after the step;
# - **other images after a step:** between the gradient of A before the step and that of B after it. This is what
#   training meets.


# %%
def gradient(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The gradient of the loss with respect to all weights, as one vector."""
    loss = F.cross_entropy(network(images), labels)
    return torch.cat([each.flatten() for each in torch.autograd.grad(loss, list(network.parameters()))])


def worth(network: nn.Module, a: signals.Batch, b: signals.Batch, learning_rate: float) -> tuple[float, ...]:
    """The three cosines with the gradient of batch A: of B, of A after a step along it, and of B after that step."""
    before = gradient(network.train(), *a)
    moved = signals.after_a_step(network, -learning_rate * before)  # a copy
    compared = gradient(network, *b), gradient(moved, *a), gradient(moved, *b)
    return tuple(F.cosine_similarity(before, each, dim=0).item() for each in compared)


pixels = augment.normalise(seen.images[: 6 * BATCH], *statistics)
six = list(zip(pixels.split(BATCH), seen.labels[: 6 * BATCH].split(BATCH), strict=True))
network = ways["plain"][ITERATIONS]
assert worth(network, *six[:2], 0.1) == tuple(signals.predictions(network, six[:2], 0.1).iloc[0, 1:])
"as the package computes it"

# %% [markdown]
# **Predict.** Before the first step, with the paper's learning rate of 0.1: which of the two will spoil the gradient
# more, other images or the step? And at the end of the training?

# %% tags=["nbval-ignore-output"]
COSINES = {"other_images": "other images", "after_step": "after a step", "next": "other images after a step"}
predicted = measured(lambda network: signals.predictions(network, six, recipe.learning_rate))
means = predicted.groupby(["kind", "iteration"])[list(COSINES)].mean().round(2)
names = ["other images", "both alike", "the step"]
means.assign(spoiler=pd.cut(means.other_images - means.after_step, [-3, -0.15, 0.15, 3], labels=names))

# %% [markdown]
# The last column has the answer for this page's pair. Figure 10.5 has the recorded one, with the learning
# rate of each moment. The fourth panel is the pixel gradient again, for pictures nearby. Mind the noise: there it is
# 0.1, ten times that of the first figures, and the gradients begin less alike. Do they stay so?

# %% mystnb={"image": {"alt": "Four panels against the iteration, plain and residual network on CIFAR-10: cosines between a gradient and that of other images, of the same images after a step, of other images after a step, and the cosine of pixel gradients at neighbouring pictures, which in both networks rises within a hundred steps and then falls."}} tags=["nbval-ignore-output"]
near = signal_figures.of_networks(found, "distances").query("distance == 0.1")  # standard deviation of the noise
recorded_worth = signal_figures.through_training(signal_figures.of_networks(found, "predictions"))
fig, axes = plt.subplots(2, 2, sharex=True, sharey=True, figsize=(7.2, 5.2))
for ax, (column, title) in zip(axes.flat, COSINES.items(), strict=False):
    signal_figures.plot_moments(recorded_worth, ax, column, "cosine")
    ax.set_title(title)
    ax.label_outer()
signal_figures.plot_moments(signal_figures.through_training(near), axes[1, 1], "cosine", "cosine", "spread")
axes[1, 1].set(title="pixel gradients, picture nearby", ylabel="")
figures.add_legend(fig)
plt.show()

# %% [markdown]
# **Figure 10.5.** What a gradient predicts, through training on CIFAR-10: means with bands of a standard deviation,
# over pairs of batches, or over pictures in the last panel.

# %% tags=["nbval-ignore-output"]
once = near.drop_duplicates([*signal_figures.NETWORK, "iteration"])  # of the pair: as in the figure
by_network = once.sort_values("iteration", kind="stable").groupby(["kind", "depth", "recipe_iterations"]).cosine
by_network.agg(["first", "last"]).rename(columns={"first": "before training", "last": "at its end"}).round(2)

# %% [markdown]
# In the recorded pair training gets rid of the noise within a hundred steps. The plain gradients begin without likeness
# to these neighbours', and then have as much as the twin's. The noise comes back: by 2,000 steps likeness has fallen to
# about half, and by 64,000 to a fifth or less in both; there the residual network has less than at its start. (The table
# has all recorded networks, one seed each.) Nor is likeness a proof of learning: after 2,000 steps the plain network of
# 56 layers has hardly learned, and has much of it.
#
# And what spoils a gradient? Before training, in the plain network, other images and the step about equally. In the
# residual one other images agree well, but a step of 0.1 is too far: behind it the gradient points slightly backwards. A
# hundred steps later, at the same rate, it is other images, in both networks. At the end those have nothing in common,
# and a step changes nothing. But by then it is a hundred times shorter, so this does not show a smoother loss.
#
# ## Begin with nothing
#
# If depth is the trouble at the start, why begin deep? [Goyal et al. (2017)](https://arxiv.org/abs/1706.02677) set the
# weight of the last batch norm in every residual branch to zero. Then $F(x) = 0$ and every block begins as its
# shortcut: a network of 20 layers begins with two, the stem and the classifier.

# %%
usual = untrained("residual", 20)
zeroed = deepcopy(usual)
for block in (block for stage in zeroed.stages for block in stage):
    nn.init.zeros_(block.layers[-1].weight)  # a branch ends in a batch norm
assert torch.equal(zeroed(small), signals.zero_last_norms(usual)(small))
f"loss {F.cross_entropy(usual(small), labels):.2f} as usual, {F.cross_entropy(zeroed(small), labels):.2f} at zero"

# %% [markdown]
# Blind guessing has a loss of $\log 10 \approx 2.30$. The usual start is worse than that: the sum over the blocks has
# grown, and with it the scores. Every batch then agrees on one thing, smaller scores. That is a part of the large
# cosine between different images that residual networks show before the first step.
#
# And a start at zero? What flows back into a branch is multiplied by the last norm's weight, which is zero. So the first
# step moves the last norms and nothing else in the branches; from the second step on everything learns (exercise 1).
# The network grows deep while it learns. What is its first gradient worth? The three cosines again, before training:

# %% tags=["nbval-ignore-output"]
begun = {"as usual": usual, "last norms at zero": zeroed}
first_worth = {start: signals.predictions(network, six, 0.1)[list(COSINES)].mean() for start, network in begun.items()}
pd.DataFrame(first_worth).T.round(2)

# %% [markdown]
# Look at the middle column: whether the gradient still holds after one step of 0.1. Does a better first step help the
# training? The runs of Figure 10.6 differ in the start alone, with the same batches for both.

# %% tags=["nbval-ignore-output"]
STEPS = 100 if tier == "paper" else 40
losses = []
for seed in range(3):
    network = untrained("residual", 20, seed)
    for is_zeroed, start in ((True, signals.zero_last_norms(network)), (False, network)):
        each = signals.first_losses(start, seen, recipe, STEPS, BATCH, seed)
        losses.append(pd.DataFrame({"zeroed": is_zeroed, "depth": 20, "iteration": range(STEPS), "loss": each}))
first_steps = pd.concat(losses, ignore_index=True)
recorded_starts = signal_figures.of_networks(found, "starts")
both = pd.concat([first_steps.assign(run="this page"), recorded_starts.assign(run="recorded")])
late = both[both.iteration > both.groupby("run").iteration.transform("max") - 10]  # the last ten steps
parts = {"first step": both[both.iteration == 0], "last ten": late}
pd.DataFrame({name: each.groupby(["run", "depth", "zeroed"]).loss.mean() for name, each in parts.items()}).round(2)

# %% mystnb={"image": {"alt": "Loss against iteration from two beginnings, as usual and with the last batch norms at zero: this page's training, and the recorded networks of 20 and 56 layers on CIFAR-10. The usual beginning starts higher."}} tags=["nbval-ignore-output"]
panels = {"this page, 20 layers": first_steps}
panels |= {f"recorded, {depth} layers": frame for depth, frame in recorded_starts.groupby("depth")}
fig, axes = plt.subplots(1, len(panels), figsize=(7.2, 3.2), sharey=True, squeeze=False)
for ax, (title, frame) in zip(axes.flat, panels.items(), strict=True):
    signal_figures.plot_starts(frame, ax)
    ax.set_title(title)
    ax.label_outer()
figures.add_legend(fig)
plt.show()

# %% [markdown]
# **Figure 10.6.** The first steps from two beginnings, mean and range over seeds: on this page (three seeds), and
# recorded on CIFAR-10. Logarithmic.

# %% [markdown]
# In the book's records (CIFAR-10, one seed each) the usual start is worse than blind guesses, the more so the deeper,
# and gets worse before it gets better. The start at zero begins where blind guesses are, never rises noticeably above,
# and is still ahead in the last ten steps shown. (For this page, three seeds, the table says whether it is.)
# [Goyal et al. (2017)](https://arxiv.org/abs/1706.02677) report that it helps, most of all with batches of thousands of
# images. Nothing here says what it does to the error after a whole training.
#
# ## Summary
#
# - Before training, gradients of neighbouring pictures lose their likeness with depth, in plain networks sooner than in
#   residual ones. In the recorded pair dozens of steps mend it, and long training undoes a part of that.
# - A few kept copies let one follow signal and gradient through training. Compare shapes: heights follow the loss.
# - A step spoils a gradient, or other images do: in the recorded residual network first the step, then other images.
# - A last batch norm at zero makes a network begin shallow. Pre-activation (exercise 3) leaves the shortcut clean.
#
# ## Exercises
#
# The cells of exercises 1 and 3 check themselves: put your answer in, run, read. They are run here without one.
#
# **1. The second step.** Of a `resnet20` that begins at zero, how many of its 59 parameter tensors get a gradient that
# is not all zeros, in the first step and in the second? Stem, classifier, and each of nine blocks: a convolution has one
# tensor, a batch norm two.

# %%
in_first, in_second = None, None  # your answers


def with_gradient(network: nn.Module) -> int:
    """How many parameter tensors have a gradient that is not zero everywhere."""
    loss = F.cross_entropy(network.train()(small), labels)
    return sum(bool(each.any()) for each in torch.autograd.grad(loss, list(network.parameters())))


first = signals.zero_last_norms(untrained("residual", 20))
second = signals.after_a_step(first, -0.1 * signals.gradient(first, (small, labels)))
if in_first is None or in_second is None:
    print("Not answered yet.")
elif in_first != with_gradient(first):
    print("The first is wrong: three for the stem, two for the classifier, and in each block only what moves at first.")
elif in_second != with_gradient(second):
    print("The first is right, the second wrong: after one step, what is the weight of the last norms?")
else:
    print("Right: one step is enough to open every branch.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `in_first, in_second = 23, 59`. The weight and the bias of nine last norms are 18, stem and classifier have 5. After
# the first step the norms' weights are no longer zero, and gradients reach everything.
#
# </details>
#
# **2. Larger batches.** Which of the three cosines depends on the size of the batch? Compare `six` with batches of twice
# the size, at the end of the page's training. Predict first.
#
# <details><summary>Solution</summary>
#
# ```python
# for size in (BATCH, 2 * BATCH):
#     batches = list(zip(pixels[: 4 * BATCH].split(size), seen.labels[: 4 * BATCH].split(size), strict=True))
#     print(signals.predictions(ways["residual"][ITERATIONS], batches, 0.1).mean().round(2))
# ```
#
# "Other images" should rise: a mean over more images has less noise, so two of them agree better. "After a step" compares
# a batch with itself, and has no such reason. With one or two pairs the spread is large; take more images.
#
# </details>
#
# **3. Keep the shortcut clean.** A residual block puts a ReLU *behind* the addition: $y = \mathrm{ReLU}(F(x) + x)$. So
# every block cuts the sum at zero. [He et al. (2016)](https://arxiv.org/abs/1603.05027) moved the ReLU. In a
# *pre-activation* block, batch norm and ReLU come *before* each convolution, nothing comes behind the addition, and
# what leaves any number of blocks is what entered plus a sum of branches:
#
# $$
# y = x + W_2 * \mathrm{ReLU}\Bigl(\mathrm{BN}_2\bigl(W_1 * \mathrm{ReLU}(\mathrm{BN}_1(x))\bigr)\Bigr). \tag{10.1}
# $$
#
# ($*$: convolution; where the shape changes, the first $x$ is the shortcut's output.) Complete the block. Its layers are
# there: `self.norm1`, `self.convolution1`, `self.norm2`, `self.convolution2` and `self.shortcut`. Then predict: are the
# gradients of 56 layers now shattered more, less, or as much as the usual residual network's?


# %% tags=["nbval-ignore-output"]
class MyBlock(signals.PreActivationBlock):
    """A block of your own, with the layers of the package's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return None  # your code, with F.relu for the ReLU


print(verdict := signals.check_pre_activation(MyBlock))
compared = shattered[shattered.depth == 56].pivot(index="kind", columns="seed", values="cosine")
if verdict == "Right.":
    yours = [signals.pre_activation(56, torch.Generator().manual_seed(seed), MyBlock) for seed in range(3)]
    compared.loc["pre-activation"] = [likeness(network) for network in yours]
compared.round(3)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def forward(self, x):
#     y = self.convolution1(F.relu(self.norm1(x)))
#     y = self.convolution2(F.relu(self.norm2(y)))
#     return self.shortcut(x) + y
# ```
#
# Do the seeds of one kind lie apart from those of the other? On the built-in images they mingle: no difference was seen.
# In the paper the new block pays at depth: a network of 1,001 layers errs clearly less with it than without.
#
# </details>
#
# ## References
#
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): the networks.
#   [He et al. (2016)](https://arxiv.org/abs/1603.05027): pre-activation.
# - [Balduzzi et al. (2017)](https://arxiv.org/abs/1702.08591): shattered gradients.
#   [Santurkar et al. (2018)](https://arxiv.org/abs/1805.11604): gradients after a step.
# - [Goyal et al. (2017)](https://arxiv.org/abs/1706.02677): batch norms that begin at zero, section 5.1.

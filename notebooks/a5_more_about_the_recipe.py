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
# # More about the recipe
#
# This appendix belongs to [chapter 5](05_training.ipynb), which takes the recipe of the paper apart. Here are the parts
# that only some readers will ask for: the noise that a learning rate leaves, the sizes of signals and the
# initialisation, and the warm-up. **What goes wrong in the first steps of 110 layers at the recipe's learning rate?**
#
# **You will learn**
#
# - how much a weight jitters at a constant learning rate, and what a drop does about it;
# - why the first weights have the variance $2/n$, and what batch norm changes about that;
# - why the first step of a very deep network overshoots.
#
# **You need** [chapter 5](05_training.ipynb); its words (recipe, momentum, step) are used without explanation. With
# `tier = "smoke"` the page takes under half a minute on 2 cores and downloads nothing. `"cpu"` takes some minutes and
# CIFAR-10 (170 MB); `"paper"` takes a GPU and the same 170 MB. No network is trained to the end here.

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": a GPU
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
import math
from dataclasses import replace
from itertools import product

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from matplotlib.ticker import LogLocator
from torch import nn

# %%
from resnet_book import augment, cifar, data, models
from resnet_book.analysis.starts import without_batch_norm
from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import figures

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}"

# %% [markdown]
# Images and networks are those of the chapter; in the smoke tier the images are drawings of 16x16 pixels. Mind that
# most numbers below are of one seed.

# %%
wanted = "builtin" if tier == "smoke" else "cifar10"
try:
    train = data.load(wanted, "train", data_root or None)
except cifar.DataMissingError as missing:
    if missing.named:  # you named a folder, so nothing may stand in for it
        raise
    train = data.load("builtin", "train")
    note = "**CIFAR-10 was not found, so this page uses the built-in images.** `resnet-book data cifar10` fetches it."
    display(Markdown(f"> {note}"))

training_tier = "smoke" if train.name == "builtin" else tier if torch.cuda.is_available() else "cpu"
# tier: layers, images in a batch, training images, first steps of 110 layers
SIZES = {"smoke": (8, 16, 480, 8), "cpu": (8, 64, 3_200, 30), "paper": (20, 128, 50_000, 400)}
layers, batch_size, count, first_steps = SIZES[training_tier]
device = "cuda" if training_tier == "paper" else "cpu"
train = train.subset(count)
if training_tier == "smoke":  # half the width and height
    train = replace(train, images=F.avg_pool2d(train.images.float(), 2).round().to(torch.uint8))
f"{train.name}: {tuple(train.images.shape)}; as in tier {training_tier!r} on {device}"


# %%
def new_network(seed: int = 0, depth: int = layers, residual: bool = True) -> models.Network:
    """An untrained 6n+2 network with the weights of ``seed``."""
    return models.narrow(depth, residual)(generator=torch.Generator().manual_seed(seed))


few = train.subset(64)
mean, std = augment.channel_mean_std(few.images)
images = augment.normalise(few.images, mean, std)
f"one batch to measure on: {tuple(images.shape)}"

# %% [markdown]
# ## The noise of a learning rate
#
# [Chapter 5](05_training.ipynb) says that each step adds noise to a weight and takes some of it out again. How much is
# left? Take a valley $\tfrac12 a w^2$, gradient noise of variance $\sigma^2$, and no momentum: a step makes
# $(1 - \eta a)\, w$ out of $w$, and adds noise of variance $\eta^2 \sigma^2$. The variance no longer changes when it is
#
# $$
# \mathrm{var}(w) = \frac{\eta\, \sigma^2}{a\, (2 - \eta a)} \approx \frac{\eta\, \sigma^2}{2 a} . \tag{A5.1}
# $$
#
# We try it with 1,000 weights at once, all at 5 before the first step, in the valley $a = 1$ with $\sigma = 1$: a large
# rate, a small one, and one that drops from the one to the other after 100 steps.


# %%
def jitter(rates: list[float], momentum: float = 0.0) -> list[float]:
    """Root mean square of 1,000 weights: at first, and after a noisy step at each of ``rates``."""
    generator = torch.Generator().manual_seed(0)
    weight, velocity, sizes = torch.full((1_000,), 5.0), torch.zeros(1_000), [5.0]
    for rate in rates:
        velocity = momentum * velocity + weight + torch.randn(1_000, generator=generator)
        weight = weight - rate * velocity
        sizes.append(weight.square().mean().sqrt().item())
    return sizes


schedules = {"0.5": [0.5] * 500, "0.01": [0.01] * 500, "0.5, then 0.01": [0.5] * 100 + [0.01] * 400}
sizes = {name: jitter(rates) for name, rates in schedules.items()}
levels = [(rate / (2 - rate)) ** 0.5 for rate in (0.5, 0.01)]
f"root mean square by equation (A5.1): {levels[0]:.3f} at rate 0.5, {levels[1]:.3f} at 0.01"

# %% [markdown]
# **Predict** for Figure A5.1: which of the three has the smallest weights after 200 steps, and which at the end?

# %% mystnb={"image": {"alt": "Size of the weights against steps on a logarithmic scale. The large rate falls at once to its level, 0.577, and stays there. The small rate falls slowly through all 500 steps and ends just above its own level, 0.071. The rate that drops follows the large one for 100 steps; then it falls, is far below both others after 200 steps, and reaches the level of the small rate."}}
fig, ax = plt.subplots(figsize=(7.2, 3.2))
looks = (figures.COLOURS["accent"], "-"), (figures.COLOURS["neutral"], "-"), ("black", "--")
for (name, each), (colour, style) in zip(sizes.items(), looks, strict=True):
    ax.plot(each, style, color=colour, label=f"rate {name}")
for level in levels:
    ax.axhline(level, color=figures.COLOURS["neutral"], linestyle=":", linewidth=0.8)
    ax.text(510, level, f"{level:.3f}", va="bottom")
ax.set(xlabel="step", ylabel="size of the weights\n(root mean square)", yscale="log", xlim=(-10, 555))
ax.set_yticks([0.1, 0.5, 1, 5])
ax.yaxis.set_major_formatter("{x:g}")
ax.legend()
plt.show()

# %% [markdown]
# **Figure A5.1.** Root mean square of 1,000 weights that take noisy steps towards 0, at a large learning rate, a small
# one, and one that drops after 100 steps (until then it is the large one). Dotted: the levels by equation (A5.1).

# %% [markdown]
# With the small rate most of the 500 steps go into the way, and at the end it has nearly arrived. A drop makes the
# jitter smaller. From there on the line falls no faster than with the small rate, but it begins much nearer: it is the
# lowest after 200 steps, and just so at the end.
#
# ## Signals without batch norm
#
# What keeps the numbers of a deep network within bounds? We take the batch norms out of untrained networks, and measure
# the size of every block's output: the root mean square over one batch.


# %%
@torch.no_grad()
def block_sizes(network: models.Network) -> pd.DataFrame:
    """One row per block: at which layer it ends, and the root mean square of its output."""
    rows, x, layer = [], network.stem(images), 1
    for stage in network.stages:
        for block in stage:
            x, layer = block(x), layer + 2
            rows.append({"layer": layer, "size": x.square().mean().sqrt().item()})
    return pd.DataFrame(rows)


frames = []
for depth, kind, norm in product((20, 56), ("plain", "residual"), (True, False)):
    network = new_network(0, depth, kind == "residual")
    sizes = block_sizes(network if norm else without_batch_norm(network))
    frames.append(sizes.assign(kind=kind, depth=depth, norm=norm))
frame = pd.concat(frames)
f"{len(frame)} blocks of {len(frames)} networks"

# %% [markdown]
# **Predict** for Figure A5.2, of networks with and without batch norm: does a signal grow or shrink on its way, and
# how?

# %% mystnb={"image": {"alt": "Root mean square of block outputs against layer, on a logarithmic scale. With batch norm the plain networks stay level below 1, and the residual ones rise slowly, to between 3 and 4 at 56 layers, with a fall at each new stage. Without it the plain networks shrink with depth, and the residual ones grow exponentially, to thousands at 56 layers."}}
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, norm in zip(axes, (True, False), strict=True):
    figures.plot_layers(frame[frame.norm == norm], ax, "size", "root mean square of the output", log=True)
    ax.set_title("with batch norm" if norm else "without batch norm")
    ax.label_outer()
axes[0].get_legend().remove()
plt.show()

# %% [markdown]
# **Figure A5.2.** Root mean square of each block's output, before training, for one batch of 64 images: with batch norm
# (left) and with the batch norms taken out (right).

# %% [markdown]
# With batch norm each branch $F(x)$ puts out numbers of the same size. So within a stage the mean square of the sum
# $F(x) + x$ grows by about the same amount with each block, and not exponentially. (It falls where a stage begins: the
# shortcut fills the new half of the channels with zeros, so that there is less to add to.) And without?

# %% tags=["remove-input"]
bare = frame[(frame.depth == 56) & ~frame.norm].set_index("kind")["size"]
grown, plain = bare["residual"].to_numpy(), bare["plain"].to_numpy()
times = (grown[1:] / grown[:-1]) ** 2
text = f"""From the first block of 56 layers to the last, the residual signal becomes {grown[-1] / grown[0]:,.0f} times as large,
and the plain one {plain[0] / plain[-1]:,.0f} times smaller. A residual block multiplies the mean square by
{(grown[-1] / grown[0]) ** (2 / len(times)):.1f} on average, single ones by {times.min():.1f} to {times.max():.1f}."""
display(Markdown(text))

# %% [markdown]
# Each convolution doubles the mean square, and each ReLU halves it (the next section says why). No ReLU follows a
# branch's second convolution, so the branch adds up to twice the mean square that comes in. The ReLU after the sum
# takes a part away, and so do the zeros around the images, which here are of 16x16 pixels and fewer. The plain network
# loses some in most blocks.
#
# ## Initialisation
#
# How large must the first weights be? Take a layer that sums $n$ inputs $x_i$ with independent weights of mean 0 and
# variance $\mathrm{var}(w)$; for a 3x3 convolution $n$ is 9 times the number of input channels. Its outputs have the
# mean square $n\, \mathrm{var}(w)\, \overline{x^2}$. The weights are drawn from a distribution that is symmetric about
# 0, and so are the outputs. The ReLU after them sets half of the mean square to zero, and the next layer's inputs have
#
# $$
# \overline{x_{l+1}^2} = \tfrac12\, n\, \mathrm{var}(w)\; \overline{x_l^2} . \tag{A5.2}
# $$
#
# The size is kept if $\mathrm{var}(w) = 2/n$; this is the initialisation of [He et al.
# (2015b)](https://arxiv.org/abs/1502.01852). Weights half as large halve the root mean square in every layer of a plain
# network, weights twice as large double it. **Predict** for 20 layers: what do they do in a residual network? And does
# a real plain network keep the size? (Zeros at the border are a large part of a small image. So we also try padding
# that wraps round to the other side.)


# %%
def scaled(network: models.Network, factor: float, padding: str = "zeros") -> models.Network:
    """The network with the weights of all convolutions multiplied by ``factor``, and with that padding, in place."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data.mul_(factor)
            module.padding_mode = padding
    return network


cases = [("plain", "zeros", 1), ("plain", "circular", 1), *(("residual", "zeros", factor) for factor in (0.5, 1, 2))]
per_layer = {}
for (kind, padding, factor), seed in product(cases, range(3)):
    network = scaled(new_network(seed, 20, kind == "residual"), factor, padding)
    size = block_sizes(without_batch_norm(network))["size"]  # after layers 3 to 19
    per_layer[f"{kind}, {padding}, weights times {factor}", f"seed {seed}"] = (size.iloc[-1] / size.iloc[0]) ** (1 / 16)
pd.Series(per_layer).unstack(sort=False).round(2).rename_axis("times per layer")

# %% [markdown]
# In the plain network the factor per layer is a little smaller than equation (A5.2) says. With padding that wraps round
# less is missing, with each seed. The rest may come from the few channels: the equation is a mean over all draws of the
# weights, and with few channels a typical draw is a little below it. In the residual network the shortcut carries the
# signal past weights that are too small. Too large ones it cannot help.
#
# And with batch norm? It divides by whatever the standard deviation is, so that the scores do not see the factor at
# all. **Predict** the gradient of the first layer, with all convolutions three times as large.

# %% tags=["nbval-ignore-output"]
scores, gradients = {}, {}
for factor in (1, 3):
    network = scaled(new_network(), factor)
    scores[factor] = network(images)
    loss = F.cross_entropy(scores[factor], few.labels)
    (gradients[factor],) = torch.autograd.grad(loss, [network.stem[0].weight])
torch.testing.assert_close(scores[3], scores[1], rtol=1e-3, atol=1e-3)
weight = new_network().stem[0].weight.detach()
cosine = F.cosine_similarity(weight.flatten(), gradients[1].flatten(), dim=0)
print({f"weights times {factor}": f"gradient {each.norm():.3f}" for factor, each in gradients.items()})
print(f"cosine of weights and gradient: {cosine.abs():.3f}")

# %% [markdown]
# The scores are the same; the assertion has checked it. In this layer the gradient is a third, and perpendicular to the
# weights. Both follow from $L(c\,w) = L(w)$: the gradient at $c\,w$ is $1/c$ of that at $w$, and the slope along $w$ is
# 0. Three times the weights with a third of the gradient: relative to their length, a step is nine times shorter. This
# is all that the size of a convolution's first weights decides. (The classifier has no batch norm after it.)
#
# ## Warm-up
#
# The paper found that 0.1 was slightly too large for 110 layers to start with, took 0.01 until the training error was
# below 80 %, and went on as usual. It adds that without this warm-up the network gets going too, after several epochs,
# and ends about as well.
#
# So what is wrong with 0.1 at first? Look at the very first step of the classifier alone. Let $\mathbf{F}$ (N, 64) hold
# the *features*: of each image the 64 averages over what leaves the last block. The gradient of an image's loss with
# respect to its scores is its *error*: the predicted probabilities, minus 1 for the label and 0 for the rest. Let
# $\mathbf{E}$ (N, 10) hold the errors. Then the mean loss has the gradient $\mathbf{E}^\top \mathbf{F} / N$ for the
# classifier's weights, so a step moves the scores by
#
# $$
# \Delta \mathbf{S} = - \frac{\eta}{N}\, \mathbf{F} \mathbf{F}^\top \mathbf{E} . \tag{A5.3}
# $$
#
# (The biases are left out: their step moves no score by more than $\eta$.) The features count twice, and are larger in
# a deeper network, since the sum grows from block to block. They come out of a ReLU, so no entry of $\mathbf{F}
# \mathbf{F}^\top$ is negative: each image's scores are pushed against the errors of all images. What these have in
# common, their mean, adds up. With ten equally frequent classes its root mean square is at most $\sqrt{(0.9^2 + 9 \cdot
# 0.1^2)/10} = 0.3$, in a network that is sure of the same class for all images.
#
# **Predict** for 20, 56 and 110 layers: does the step at 0.1 lower the loss, on the very images that it was computed
# on? Does it matter how large the classifier's first weights are? (Ours have the variance $2/n$, as all layers do,
# though no ReLU follows. PyTorch's default has a sixth of it.)


# %% tags=["nbval-ignore-output"]
@torch.no_grad()
def first_step(network: models.Network, variance: float = 1.0) -> dict[str, float]:
    """The classifier's first step, with ``variance`` times that of its weights: root mean squares, then losses."""

    def size(each: torch.Tensor) -> float:
        return each.square().mean().sqrt().item()

    features = network.features(images)  # (64, 64)
    scores = variance**0.5 * network.classifier(features)  # (64, 10); its biases are 0
    errors = scores.softmax(dim=1) - F.one_hot(few.labels, 10)
    moved = -0.1 * features @ features.T @ errors / len(features)  # equation (A5.3)
    sizes = {"features": size(features), "common error": size(errors.mean(0))}
    sizes["moved / scores"] = size(moved) / size(scores)
    after = {"loss": scores, "after 0.1": scores + moved, "after 0.01": scores + moved / 10}
    return sizes | {name: F.cross_entropy(each, few.labels).item() for name, each in after.items()}


each = {
    (name, depth, seed): first_step(new_network(seed, depth), variance)
    for (name, variance), depth in product({"2/n": 1, "1/(3n)": 1 / 6}.items(), (20, 56, 110))
    for seed in range(4)
}
steps = pd.DataFrame(each).T.groupby(level=[0, 1], sort=False).mean()
steps.round(2).rename_axis(["variance", "layers"])

# %% [markdown]
# (Means of four seeds; the losses go the same way with each.) Relative to the scores' own size, the step moves them
# farther with 56 layers than with 20, with every seed, and farther still with 110, in the mean. With 20 layers the step
# at 0.1 lowers the loss, with 110 it raises it. Where it turns depends on the classifier's first weights: with 56
# layers the step helps a little with ours on these images, and does harm with the smaller ones, though these begin at a
# lower loss. From 56 to 110 layers the common error grows little or not at all; the features grow by half, and count
# twice. A tenth of the rate moves the scores a tenth as far, and lowers every loss.
#
# Is it the classifier, then? Figure A5.3 trains the whole network of 110 layers for a few iterations, with momentum: at
# 0.01, as a warm-up does all the time that is shown; at 0.1; and at 0.1 with the classifier left as it is.
# **Predict** which of the three rises far above where it began.


# %% tags=["nbval-ignore-output"]
def first_losses(rate: float, frozen: bool = False) -> list[float]:
    """Loss of each of the first batches of a network of 110 layers, not augmented; ``frozen``: its classifier is."""
    network, generator = new_network(depth=110).to(device), torch.Generator().manual_seed(0)
    network.classifier.requires_grad_(not frozen)
    learning = [each for each in network.parameters() if each.requires_grad]
    optimizer, losses = torch.optim.SGD(learning, rate, PAPER.momentum, weight_decay=PAPER.weight_decay), []
    for _ in range(first_steps):
        chosen = torch.randint(len(train), (batch_size,), generator=generator)
        pixels = augment.normalise(train.images[chosen], mean, std).to(device)
        loss = F.cross_entropy(network(pixels), train.labels[chosen].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


beginnings = {"0.01 (warm-up)": first_losses(0.01), "0.1": first_losses(0.1)}
beginnings["0.1, classifier frozen"] = first_losses(0.1, frozen=True)
peaks = {f"rate {name}": f"{max(losses) / losses[0]:.1f}" for name, losses in beginnings.items()}
print(f"largest loss of {first_steps:,} batches, as a multiple of the first:", peaks)

# %% mystnb={"image": {"alt": "Loss against iteration on a logarithmic scale for the first steps of a 110-layer network. At 0.1 the loss rises to several times its first value. At 0.01, and at 0.1 with the classifier frozen, it rises far less, if at all."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 3.4))
for (name, losses), style in zip(beginnings.items(), (":", "-", "--"), strict=True):
    ax.plot(range(1, first_steps + 1), losses, style, color=figures.COLOURS["residual"], label=f"rate {name}")
ax.axhline(math.log(10), color=figures.COLOURS["neutral"], linewidth=0.8)
ax.set(xlabel="iteration", ylabel="loss (nats)", yscale="log")
ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
ax.yaxis.set_major_formatter("{x:g}")
ax.minorticks_off()
ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
plt.show()

# %% [markdown]
# **Figure A5.3.** Loss during the first iterations of a residual network of 110 layers, one run each; every point is
# another batch (in the smoke tier, of 16 drawings). Grey: the loss of a network that gives all classes the same score.

# %% [markdown]
# In this run most of the overshoot comes with the classifier's steps: with it frozen, the same rate does far less. A
# loss above the grey line is worse than knowing nothing: the network is sure, and wrong. All three stay there. So few
# batches tell neither the two lower lines apart, nor which of the three learns in the end.
#
# ## Summary
#
# - At a constant rate a weight jitters with a variance about in proportion to the rate; a drop makes the jitter
#   smaller.
# - Without batch norm weights of variance $2/n$ nearly keep the signal of a plain network (it still loses a little in
#   most layers); in a residual network the same weights make it grow exponentially. With batch norm the size of a
#   convolution's first weights decides only how long they are against a step.
# - The classifier's first step at 0.1 lowers the loss of 20 layers and raises that of 110, whose features are larger.
#   The step at 0.01, as in a warm-up, lowers both. In one short run most of the overshoot came with the classifier's
#   steps.
#
# ## Exercises
#
# **1. Half a batch.** Batches of 64 instead of 128 images double the variance $\sigma^2$ of the gradient's noise. Which
# learning rate keeps the jitter of the recipe's 0.1, by the approximation in equation (A5.1)? (Momentum multiplies both
# variances by about the same number, which cancels; exercise 3.)

# %%
rate = None  # your answer

if rate is None:
    print("Not answered yet.")
elif math.isclose(2 * rate, PAPER.learning_rate, rel_tol=1e-3):
    print("Right. An epoch has twice the steps, each half as long: the way is as long as before.")
else:
    print("Wrong: the approximation has the rate and the variance as factors. What must their product be?")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `rate = 0.05`. Learning rate and batch size in proportion: by this rule
# [Goyal et al. (2017)](https://arxiv.org/abs/1706.02677) train with batches of thousands.
#
# </details>
#
# **2. Blocks that begin as the identity.** Let the last batch norm of each block that keeps its shape begin with
# weights of 0, so that the block begins as $y = x$. ([Goyal et al. (2017)](https://arxiv.org/abs/1706.02677) do so in
# all blocks; their shortcuts to a new shape are projections.) What does this do to the first step of 110 layers? And
# what goes wrong here if a block with a new shape is treated the same?


# %%
def begin_as_identity(network: models.Network) -> None:
    """Sets weights of ``network`` so that every block that keeps its shape begins as the identity, and can learn."""
    # your code: the blocks are in network.stages; block.layers are the layers of a block's branch, block.shortcut its way


yours, before = new_network(depth=20), new_network(depth=20)
begin_as_identity(yours)
blocks = [block for stage in yours.stages for block in stage]
F.cross_entropy(yours(images), few.labels).backward()
dead = sum((block.layers[-1].weight.grad == 0).any().item() for block in blocks)  # it learns nothing in some channel
with torch.no_grad():
    kept = [block for block in blocks if isinstance(block.shortcut, nn.Identity)]
    wrong = sum(block.layers(torch.rand(2, block.layers[0].in_channels, 8, 8)).any().item() for block in kept)
if all(torch.equal(each, before.get_parameter(name)) for name, each in yours.named_parameters()):
    print("Not answered yet: no weight has changed.")
elif dead:
    print(f"Wrong: {dead} of {len(blocks)} blocks have channels in which the last norm's weight gets no gradient.")
elif wrong:
    print(f"Wrong: {wrong} of {len(kept)} branches still put something out.")
else:
    print(f"Right. The scores now move by {first_step(yours)['moved / scores']:.1f} times their size. Try 110 layers.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def begin_as_identity(network):
#     for stage in network.stages:
#         for block in stage:
#             if isinstance(block.shortcut, nn.Identity):
#                 nn.init.zeros_(block.layers[-1].weight)
#
# deep = new_network(depth=110)
# begin_as_identity(deep)
# print(first_step(deep))
# ```
#
# The sum no longer grows from block to block. When we tried it with four seeds, the step moved the scores of 110 layers
# by a quarter of their size, and those of 20 layers, begun in the same way, too. In a block with a new shape the
# shortcut fills the new channels with zeros. If the branch adds zeros, the ReLU is at 0, where PyTorch takes its slope
# to be 0. No gradient comes through these channels, here or in the blocks behind: the network stays 16 channels wide
# for good.
#
# </details>
#
# **3. Noise and momentum.** `jitter` takes a momentum, too. What does 0.9 do to the level of the noise at a learning
# rate of 0.01, and to the way there? Guess from equation (A5.1), and from the steps ten times as long of chapter 5.
#
# <details><summary>Solution</summary>
#
# ```python
# for rate, momentum in ((0.01, 0.0), (0.01, 0.9), (0.1, 0.0)):
#     sizes = jitter([rate] * 1_000, momentum)
#     print(f"rate {rate}, momentum {momentum}: {sizes[30]:.2f} after 30 steps, {sizes[-1]:.2f} at the end")
# ```
#
# The level is nearly that of ten times the rate without momentum: the velocity is a sum of gradients, and keeps the old
# noise, too. And in this one valley momentum gains nothing over ten times the rate, which is also nearer after 30
# steps. It pays where a steep direction forbids ten times the rate (as in the valley of chapter 5).
#
# </details>
#
# ## References
#
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): section 4.2 is the recipe;
#   [He et al. (2015b)](https://arxiv.org/abs/1502.01852): the initialisation.
# - [Goyal et al. (2017)](https://arxiv.org/abs/1706.02677): large batches, and blocks that begin as the identity.

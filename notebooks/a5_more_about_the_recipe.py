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
# that only some readers will ask for: the noise that a learning rate leaves, the sizes of signals and the initialisation,
# what the length of a weight has to do with weight decay, and the warm-up. **Why must a network of 110 layers begin ten
# times more slowly?**
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
from importlib.util import find_spec

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
from resnet_book.experiments import records
from resnet_book.experiments.catalogue import PAPER, warmed_up
from resnet_book.recipe import Recipe
from resnet_book.report import figures, tables

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}"

# %% [markdown]
# Images and networks are those of the chapter. In the smoke tier the images are halved to 16x16 pixels.

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
SIZES = {"smoke": (8, 16, 480, 8), "cpu": (8, 64, 3_200, 30), "paper": (20, 128, 50_000, 1_000)}
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
# A batch's gradient is the true one plus noise. Each step adds a bit of that noise to the weights, and the slope of the
# valley takes some of it out again. Take a valley $\tfrac12 a w^2$, gradient noise of variance $\sigma^2$, and no momentum:
# a step makes $(1 - \eta a)\, w$ out of $w$, and adds noise of variance $\eta^2 \sigma^2$. At rest the variance stays as it
# is, so
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
at_rest = {rate: (rate / (2 - rate)) ** 0.5 for rate in (0.5, 0.01)}
print({f"rate {name}": f"{each[-1]:.3f}" for name, each in sizes.items()})
print({f"at rest with {rate}": f"{size:.3f}" for rate, size in at_rest.items()})

# %% [markdown]
# Before you look at Figure A5.1: which of the three lines is lowest after 100 steps, after 200, at the end?

# %% mystnb={"image": {"alt": "Size of the weights against steps on a logarithmic scale. The large rate falls at once and stays on a plateau; the small rate falls slowly through all 500 steps; the rate that drops follows the large one, falls below its plateau after the drop and reaches the level of the small one sooner than the small rate alone."}}
fig, ax = plt.subplots(figsize=(7.2, 3.2))
for (name, each), colour in zip(sizes.items(), ("accent", "neutral", "residual"), strict=True):
    ax.plot(each, color=figures.COLOURS[colour], label=f"rate {name}")
for level in at_rest.values():
    ax.axhline(level, color=figures.COLOURS["neutral"], linestyle=":", linewidth=0.8)
ax.set(xlabel="step", ylabel="root mean square", yscale="log")
ax.legend()
plt.show()

# %% [markdown]
# **Figure A5.1.** Root mean square of 1,000 weights that take noisy steps towards 0, at a large learning rate, a small
# one, and one that drops after 100 steps. Dotted: where the noise of each rate should come to rest.

# %% [markdown]
# A large rate travels fast and stays noisy. A small rate becomes quiet, but takes all 500 steps to arrive. A drop does
# one after the other: from there on the line falls, as slowly as with the small rate, but from much nearer.
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


block_sizes(without_batch_norm(new_network())).round(2)

# %% [markdown]
# Figure A5.2 compares networks of 20 and 56 layers, with batch norm (left) and without (right). Mind the
# logarithmic scale: how much does a signal grow, or shrink, on its way?

# %% mystnb={"image": {"alt": "Root mean square of block outputs against layer, on a logarithmic scale. With batch norm the plain networks stay level below 1, and the residual ones rise slowly, to between 3 and 4 at 56 layers, with a fall at each new stage. Without it the plain networks shrink with depth, and the residual ones grow exponentially, to thousands at 56 layers."}}
frames = []
for depth, kind, norm in product((20, 56), ("plain", "residual"), (True, False)):
    network = new_network(0, depth, kind == "residual")
    sizes = block_sizes(network if norm else without_batch_norm(network))
    frames.append(sizes.assign(kind=kind, depth=depth, norm=norm))
frame = pd.concat(frames)

fig, axes = plt.subplots(1, 2, sharey=True)
for ax, norm in zip(axes, (True, False), strict=True):
    figures.plot_layers(frame[frame.norm == norm], ax, "size", "root mean square of the output", log=True)
    ax.set_title("with batch norm" if norm else "without")
    ax.label_outer()
axes[0].get_legend().remove()
plt.show()

# %% [markdown]
# **Figure A5.2.** Root mean square of each block's output, before training, for one batch of 64 images: with batch norm
# (left) and with the batch norms taken out (right).

# %% [markdown]
# Without batch norm, each residual block adds about as much to the mean square as comes in, so that the mean square
# about doubles from block to block; the plain network loses a little at every layer. With batch norm $F(x)$ has the same
# size in every block, and the mean square of the sum grows by about the same amount each time, like a walk and not like
# an explosion. (It falls at the beginning of each new stage: the shortcut fills the new half of the channels with zeros,
# so that there is less to add to.)
#
# ## Initialisation
#
# How large must the first weights be? Take a layer that sums $n$ inputs $x_i$ with independent weights of mean 0 and
# variance $\mathrm{var}(w)$; for a 3x3 convolution $n$ is 9 times the number of input channels. Its outputs have the
# mean square $n\, \mathrm{var}(w)\, \overline{x^2}$. The weights are drawn from a distribution that is symmetric about 0,
# and so are the outputs. The ReLU after them sets half of the mean square to zero, and the next layer's inputs have
#
# $$
# \overline{x_{l+1}^2} = \tfrac12\, n\, \mathrm{var}(w)\; \overline{x_l^2} . \tag{A5.2}
# $$
#
# The size is kept if $\mathrm{var}(w) = 2/n$; this is the initialisation of
# [He et al. (2015b)](https://arxiv.org/abs/1502.01852). Weights half as large would halve the root mean square in every
# layer, weights twice as large would double it. **Predict** for 20 layers: do the real networks, with their padding,
# strides and shortcuts, follow?


# %%
def scaled(network: models.Network, factor: float) -> models.Network:
    """The network with the weights of all convolutions multiplied by ``factor``, in place."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.mul_(factor)
    return network


FACTORS, starts = {"half": 0.5, "He": 1.0, "twice": 2.0}, {}
for kind, (name, factor) in product(("plain", "residual"), FACTORS.items()):
    network = scaled(new_network(0, 20, kind == "residual"), factor)
    starts[kind, name] = block_sizes(without_batch_norm(network))
ends = pd.concat(starts).groupby(level=[0, 1])[["layer", "size"]].agg(["first", "last"])
per_layer = (ends["size"]["last"] / ends["size"]["first"]) ** (1 / (ends.layer["last"] - ends.layer["first"]))
per_layer.unstack()[list(FACTORS)].round(2).rename_axis("times per layer")

# %% mystnb={"image": {"alt": "Root mean square of block outputs against layer in networks of 20 layers without batch norm. With half the weights the plain network's signal dies out, with twice the weights both kinds explode; with He's weights the plain network nearly keeps its size."}}
fig, ax = plt.subplots(figsize=(7.2, 3.8))
for (kind, name), sizes in starts.items():
    style = {"half": ":", "He": "-", "twice": "--"}[name]
    ax.plot(sizes.layer, sizes["size"], style, color=figures.COLOURS[kind], label=f"{kind}, {name}")
ax.set(xlabel="layer, from the images to the classes", ylabel="root mean square of the output", yscale="log")
ax.legend(ncols=2)
plt.show()

# %% [markdown]
# **Figure A5.3.** Root mean square of each block's output before training, without batch norm, 20 layers: weights of He
# et al. (solid), half as large (dotted), and twice as large (dashed).

# %% [markdown]
# In Figure A5.3 the plain network does what equation (A5.2) says, nearly: the factor per layer in the
# table is close to that of the weights. It is a little smaller, among other things because the padding lets zeros in at
# the border, which is a large part of a small image. In the residual network the shortcut carries the signal past
# weights that are too small. Too large ones it cannot help.
#
# And with batch norm? It divides by whatever the standard deviation is, so that the scores do not see the factor at all.
# **Predict** the gradient of the first layer, with all convolutions three times as large.

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
# The scores are the same; the assertion has checked it. Three times the weights have a third of the gradient, so
# relative to the weights' own length a step is nine times shorter. And the gradient is perpendicular to the weights,
# since moving along their own direction changes nothing. So each step makes them a little longer, and training slows
# down by itself: this is what weight decay counteracts in a network with batch norm
# ([van Laarhoven, 2017](https://arxiv.org/abs/1706.05350)). (Not all weights have a batch norm after them. For the
# classifier the classical reason stands: small weights make simple functions.)
#
# So with batch norm the size of the first weights decides only how long they are against a step (exercise 3). Batch
# norm is not the only way to train great depth: residual networks can be trained without any normalisation if each
# block begins as (nearly) the identity ([Zhang et al., 2019](https://arxiv.org/abs/1901.09321)).
#
# ## Warm-up
#
# The paper found that 0.1 was slightly too large for 110 layers to start with, took 0.01 until the training error was
# below 80 %, and went on as usual. (Our `warmed_up` does not watch the error: it takes 0.01 for a fixed 400 iterations,
# about what the paper needed.) The paper adds that without this warm-up the network gets going too, after several
# epochs, and ends about as well.
#
# Why is 0.1 too large at first? Look at the very first step of the classifier alone, on one batch: how far does it move
# the scores? Three things come together. The features count twice, as their mean square: the gradient has them as a
# factor, and so has the effect of the step. They are larger in a deeper network, since the sum grows from block to block.
# And the gradient is a sum over the batch, to which each image contributes its error, the predicted probabilities minus
# the true ones. What the errors of all images have in common adds up: a network that gives nearly all images the same
# class is wrong about nearly all of them in the same way.


# %% tags=["nbval-ignore-output"]
@torch.no_grad()
def first_step(network: models.Network, learning_rate: float) -> dict[str, float]:
    """Loss, and root mean squares: features, errors in common, scores, and how far these move."""
    features = network.features(images)  # (64, 64)
    scores = network.classifier(features)  # (64, 10)
    errors = scores.softmax(dim=1) - F.one_hot(few.labels, 10)
    gradient = errors.T @ features / len(features)  # of the mean loss, for the classifier's weights
    measured = {"features": features, "common error": errors.mean(0), "scores": scores}
    measured["moved by"] = -learning_rate * features @ gradient.T
    sizes = {name: each.square().mean().sqrt().item() for name, each in measured.items()}
    return {"loss": F.cross_entropy(scores, few.labels).item(), **sizes}


steps = pd.DataFrame({depth: first_step(new_network(depth=depth), 0.1) for depth in (8, 20, 56, 110)}).T
steps.round(2).rename_axis("layers")

# %% tags=["remove-input", "nbval-ignore-output"]
ratio = steps["moved by"] / steps.scores
times = steps.loc[110] / steps.loc[20]
text = f"""With 110 layers the mean square of the features is {times.features**2:.1f} times that with 20, and the common
error {times["common error"]:.1f} times. Measured by the scores' own size, the step at learning rate 0.1 moves them by
{ratio[20]:.1f} times with 20 layers, and by {ratio[110]:.1f} times with 110, with the weights of one seed. A tenth of the rate
moves them a tenth as far."""
display(Markdown(text))


# %% [markdown]
# **Predict.** A step that moves the scores that far, in a direction that is right only for small steps: what will the
# loss of the next batches be? Figure A5.4 trains the real network of 110 layers for a few iterations, with and without
# warm-up, one run of each.


# %% tags=["nbval-ignore-output"]
def first_losses(recipe: Recipe) -> list[float]:
    """Loss of each of the first batches of a network of 110 layers, not augmented."""
    network, generator = new_network(depth=110).to(device), torch.Generator().manual_seed(0)
    decay, losses = recipe.weight_decay, []
    optimizer = torch.optim.SGD(network.parameters(), momentum=recipe.momentum, weight_decay=decay)
    for iteration in range(first_steps):
        chosen = torch.randint(len(train), (recipe.batch_size,), generator=generator)
        pixels = augment.normalise(train.images[chosen], mean, std).to(device)
        optimizer.param_groups[0]["lr"] = recipe.learning_rate_at(iteration)
        loss = F.cross_entropy(network(pixels), train.labels[chosen].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


cold = replace(PAPER, batch_size=batch_size)
beginnings = {"with warm-up": first_losses(warmed_up(cold)), "without": first_losses(cold)}
begun = pd.DataFrame(beginnings, index=range(1, first_steps + 1)).rename_axis("iteration")
begun.iloc[[0, 1, 2, 5, -1]].round(1)

# %% mystnb={"image": {"alt": "Loss against iteration on a logarithmic scale for the first steps of a 110-layer network. Without warm-up the loss first rises to several times its first value; with warm-up it rises far less, if at all."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 3.4))
for (name, losses), colour in zip(beginnings.items(), ("residual", "accent"), strict=True):
    ax.plot(range(1, first_steps + 1), losses, color=figures.COLOURS[colour], label=name)
ax.axhline(math.log(10), color=figures.COLOURS["neutral"], linestyle=":", linewidth=0.8)
ax.set(xlabel="iteration", ylabel="loss (nats)", yscale="log")
ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
ax.yaxis.set_major_formatter("{x:g}")
ax.minorticks_off()
ax.legend()
plt.show()

# %% [markdown]
# **Figure A5.4.** Loss of each batch during the first iterations of a residual network of 110 layers, with the warm-up
# at 0.01 and without. Dotted: the loss of a network that gives all classes the same score.

# %% tags=["remove-input", "nbval-ignore-output"]
highest = {name: max(losses) / losses[0] for name, losses in beginnings.items()}
above = {name: sum(loss > math.log(10) for loss in losses) for name, losses in beginnings.items()}
text = f"""Without warm-up the largest loss of the first {first_steps:,} batches is {highest["without"]:.1f} times that of the
first batch; with warm-up it is {highest["with warm-up"]:.1f} times that. Above the dotted line are {above["without"]} of the
{first_steps:,} losses without warm-up, and {above["with warm-up"]} with it."""
display(Markdown(text))

# %% [markdown]
# A loss above the dotted line is worse than knowing nothing: the network is sure, and wrong. At first that may be so
# with warm-up, too, since untrained networks of this depth have large scores; the difference is how far the loss then
# rises. How much that costs in the end is another question, which a few iterations of one run do not answer; the
# paper's answer is "little". With larger batches and larger rates,
# [Goyal et al. (2017)](https://arxiv.org/abs/1706.02677) found that a warm-up, there a gradual one, was needed. What
# this book has recorded of whole trainings, in % of test error:

# %% tags=["nbval-ignore-output"]
whole = ("resnet110-cifar10", "resnet110-cifar10-no-warmup")
chosen = [record for record in records.load_all(records.find_results()) if record.experiment in whole]
summary = tables.summary(chosen).set_index("experiment")
Markdown("; ".join(f"`{name}`: {tables.recorded_cell(summary, name)}" for name in whole) + ".")

# %% [markdown]
# ## Summary
#
# - At a constant rate a weight jitters with a variance in proportion to the rate; a drop lets it come to rest.
# - Without batch norm the signal of a plain network needs weights of variance $2/n$, and in a residual network it grows all
#   the same. With batch norm the size of the weights sets how long they are against a step.
# - The first step of a very deep residual network overshoots: its features are large, and it errs in the same way on
#   most images. Warm-up makes the first steps small.
#
# ## Exercises
#
# **1. Half a batch.** Batches of 64 instead of 128 images double the variance $\sigma^2$ of the gradient's noise. Which
# learning rate keeps the jitter of the recipe's 0.1, by the approximation in equation (A5.1)?

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
# **2. Blocks that begin as the identity.** Set the weight of the last batch norm of every block to zero
# ([Goyal et al., 2017](https://arxiv.org/abs/1706.02677)), so that each block begins as $y = x$. What does this do to
# the first step of 110 layers?


# %%
def begin_as_identity(network: models.Network) -> None:
    """Sets weights of ``network`` so that every branch F(x) puts out zeros at first."""
    # your code: block.layers are the layers of a block's branch; the blocks are in network.stages


yours, before = new_network(depth=20), new_network(depth=20)
begin_as_identity(yours)
with torch.no_grad():
    outputs = [
        block.layers(torch.rand(2, block.layers[0].in_channels, 8, 8)) for stage in yours.stages for block in stage
    ]
changed = [name for name, each in yours.named_parameters() if not torch.equal(each, before.get_parameter(name))]
if not changed:
    print("Not answered yet: no weight has changed.")
elif any(each.any() for each in outputs):
    print(f"Wrong: {sum(bool(each.any()) for each in outputs)} of {len(outputs)} branches still put something out.")
elif len(changed) > len(outputs):
    print("Wrong: every branch is silent, but more has changed than one tensor of each. Could these learn again?")
else:
    step = first_step(yours, 0.1)
    print(
        f"Right. With 20 layers the first step now moves the scores by {step['moved by'] / step['scores']:.1f} times. Try 110."
    )

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def begin_as_identity(network):
#     for stage in network.stages:
#         for block in stage:
#             nn.init.zeros_(block.layers[-1].weight)
# ```
#
# The sum no longer grows from block to block: what leaves the last one is what left the stem, at fewer pixels and with
# channels of zeros. The scores move by a fraction of their size, as in a shallow network.
#
# </details>
#
# **3. Half and twice the weights, in training.** With batch norm, does it matter for training whether the first weights
# are half or twice as large? Predict, train a few of each, and say how much the seeds differ.
#
# <details><summary>Solution</summary>
#
# ```python
# from resnet_book.train import fit
#
# recipe = replace(PAPER, iterations=100, drops=(60, 80), batch_size=32, padding=2)
# for factor, seed in product((0.5, 1.0, 2.0), (0, 1)):
#     history = fit(scaled(new_network(seed), factor), train, train, recipe, seed=seed)
#     print(factor, seed, history.epochs[-1].train_loss)
# ```
#
# In the smoke tier half the weights were ahead of He's with one seed and behind with the other when we tried, and twice the
# weights behind with both. All of them learn. Without batch norm (`without_batch_norm`) none of them learns at this rate.
#
# </details>
#
# **4. Noise and momentum.** `jitter` takes a momentum, too. What does 0.9 do to the noise at rest at a learning rate of
# 0.01? Guess from equation (A5.1) first.
#
# <details><summary>Solution</summary>
#
# ```python
# for rate, momentum in ((0.01, 0.9), (0.1, 0.0)):
#     print(rate, momentum, jitter([rate] * 500, momentum)[-1], (0.1 / (2 - 0.1)) ** 0.5)
# ```
#
# The same as ten times the rate without momentum, nearly. The average smooths each single step, but it also keeps
# pushing in the direction of old noise. At rest momentum saves nothing; it saves time on the way.
#
# </details>
#
# ## References
#
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): section 4.2 is the recipe;
#   [He et al. (2015b)](https://arxiv.org/abs/1502.01852): the initialisation.
# - [Goyal et al. (2017)](https://arxiv.org/abs/1706.02677): gradual warm-up, large batches, and blocks that begin as
#   the identity.
# - [van Laarhoven (2017)](https://arxiv.org/abs/1706.05350): weight decay where there is batch norm;
#   [Zhang et al. (2019)](https://arxiv.org/abs/1901.09321): none at all.

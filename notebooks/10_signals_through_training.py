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
# Figure 10.1 has a picture, and the same picture with a little noise that one hardly sees. A colour picture is a list
# of numbers, and each has a gradient: how the loss would change if it became a little larger. Each dot is one number;
# across is its gradient in the first picture, upward in the second. In the residual network the cloud leans along the
# diagonal: the two gradients agree, more or less. In the plain network it is round. There the gradient at one picture
# says nothing about the gradient right beside it.
#
# Training never uses this gradient: it changes weights, not pixels.
# [Balduzzi et al. (2017)](https://arxiv.org/abs/1702.08591) use it as a probe of how rough the function is that a
# network computes. So there are two questions. Does training make the function smoother? And is the gradient in the
# weights, which training does use, noise as well?
#
# **You will learn**
#
# - how rough a plain network and its *twin*, the same layers with shortcuts, are before training and later;
# - what becomes of signal and gradient, block by block;
# - to ask what a gradient is worth, for other images and one step further on.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the blocks and
# [chapter 5](05_training.ipynb) for the recipe. With `tier = "smoke"` the page takes about a minute on 2 cores and
# downloads nothing. `"cpu"` and `"paper"` need CIFAR-10 (170 MB) and a few minutes more.

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

from resnet_book import augment, cifar, data, models
from resnet_book.analysis import pre_activation, signals, starts
from resnet_book.engine.callbacks import Callback
from resnet_book.engine.device import Engine, default_precision, find
from resnet_book.experiments import catalogue, records, signal_records
from resnet_book.report import figures, signal_figures, tables
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
# The gradient with respect to the pixels has the shape of the picture. Here it is, in untrained networks of 56 layers.


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

# %% mystnb={"image": {"alt": "A small picture, the same with a little noise, and two clouds of dots, one dot a number of the picture: its gradient at the first picture across, at the second upward. The plain network's cloud is round, the residual network's leans along the diagonal."}}
SHOWN = 3  # the picture
mean, std = (each.view(3, 1, 1) for each in statistics)
fig, axes = plt.subplots(1, 4, figsize=(7.2, 2.2))
for ax, each, title in zip(axes, (images, nearby), ("a picture", "a picture nearby"), strict=False):
    figures.show_image((each[SHOWN] * std + mean).clamp(0, 255).round().to(torch.uint8), ax, title)
for ax, (kind, pair) in zip(axes[2:], at.items(), strict=True):
    x, y = (each[SHOWN].flatten() / each[SHOWN].std() for each in pair)
    ax.plot(x, y, ".", markersize=1, alpha=0.5, color=figures.COLOURS[kind])
    ax.set(title=kind, xlim=(-5, 5), ylim=(-5, 5), xticks=(-5, 0, 5), yticks=(-5, 0, 5), aspect="equal")
    ax.set(xlabel="gradient at the first", ylabel="at the second" if kind == "plain" else "")
plt.show()

# %% [markdown]
# **Figure 10.1.** Two pictures, and the gradients of the loss at both, in standard deviations. Each dot is one number.

# %% [markdown]
# The *likeness* of two gradients is their cosine, each taken as one long vector: 1 if they point the same way, 0 if
# they are unrelated. Near 0, [Balduzzi et al. (2017)](https://arxiv.org/abs/1702.08591) call gradients *shattered*.
#
# **Predict.** At 8, 20 and 56 layers: sketch two lines, the likeness against the depth. Where does the plain one reach
# 0? Does the residual one? Figure 10.2 has the answer.


# %% mystnb={"image": {"alt": "Likeness of pixel gradients at neighbouring pictures against depth. The plain network's line falls to zero at 56 layers, the residual network's falls more slowly and ends well above."}} tags=["nbval-ignore-output"]
def likeness(network: nn.Module) -> float:
    """Mean cosine between the pixel gradients of each image and of the one nearby."""
    here, there = (pixel_gradients(network, each).flatten(1) for each in (images, nearby))
    return F.cosine_similarity(here, there).mean().item()


networks = [(kind, depth, seed) for kind in figures.KINDS for depth in (8, 20, 56) for seed in range(3)]
shattered = pd.DataFrame(networks, columns=["kind", "depth", "seed"])
shattered["likeness"] = [likeness(untrained(*each)) for each in networks]
fig, ax = plt.subplots(figsize=(5.4, 3.0))
signal_figures.plot_against_depth(shattered, ax, "likeness", "likeness (cosine)")
plt.show()

# %% [markdown]
# **Figure 10.2.** Likeness in untrained networks: mean over three seeds, bars of a standard deviation.

# %% [markdown]
# With 8 layers the two are nearly level. With 56 the plain one is at 0, and the residual one still far above.
#
# ## A pair in training
#
# A plain network of 20 layers and its twin get the same batches. A *callback* is called after every step; ours keeps a
# copy of the network at some moments.


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
side = 16 if tier == "smoke" else 32  # of the pictures: smaller ones, faster page
recipe = replace(catalogue.PAPER, iterations=ITERATIONS, drops=(), batch_size=BATCH, padding=side // 8)
few = train_images.subset(BATCH * 30)  # so 30 steps are an epoch
seen = replace(few, images=F.adaptive_avg_pool2d(few.images.float(), side).round().to(torch.uint8))
device = find("auto")
engine = Engine(device, default_precision(device), False)
ways = {}
for kind in figures.KINDS:
    look = Look((0, 1, 3, 10, 30, ITERATIONS))
    epochs = fit(untrained(kind, 20), seen, seen.subset(100), recipe, engine=engine, callbacks=[look]).epochs
    ways[kind] = look.kept
    print(f"{kind}: training loss {epochs[0].train_loss:.2f} in epoch 1, {epochs[-1].train_loss:.2f} in the last")

# %% [markdown]
# `signals.shattering` measures likeness as we did, with the same noise. Figure 10.3 has our pair, and beside it
# *recorded* networks: full trainings on CIFAR-10 whose results the book keeps.
#
# **Predict.** After how many steps is the plain network as smooth as its twin? Does it stay so?

# %% mystnb={"image": {"alt": "Two panels, likeness of pixel gradients against the iteration: this page's pair, and recorded networks on CIFAR-10. The plain networks begin far below the residual ones; within some dozens of steps all are close to 1."}} tags=["nbval-ignore-output"]
batch = augment.normalise(seen.images[:64], *statistics), seen.labels[:64]
about = {"depth": 20, "seed": 0, "recipe_iterations": ITERATIONS}
near_here = pd.concat(
    signals.shattering(network, batch, (NOISE,)).assign(kind=kind, iteration=iteration, **about)
    for kind, kept in ways.items()
    for iteration, network in kept.items()
)
found = signal_records.all_signals(records.find_results())
found = [each for each in found if each.experiment.endswith(("-cifar10", "-cifar10-short"))]
if not found:
    print("Nothing is recorded here, so the recorded parts of this page are empty.")
near = signal_figures.of_networks(found, "distances")
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.2))
recorded_near = signal_figures.through_training(near[near.distance == NOISE])
for ax, (title, frame) in zip(axes, {"this page": near_here, "recorded": recorded_near}.items(), strict=True):
    signal_figures.plot_moments(frame, ax, "cosine", "likeness (cosine)", "spread")
    ax.set_title(title)
    ax.label_outer()
figures.add_legend(fig)
plt.show()

# %% [markdown]
# **Figure 10.3.** Likeness of pixel gradients through training: mean over pictures, bands of a standard deviation, the
# axis logarithmic from 1 on. The recorded curves are of repetitions of the recorded runs, by the same recipe and seed.

# %% tags=["nbval-ignore-output"]
signal_figures.likeness_table(found, records.load_all(records.find_results()), NOISE).round(2)

# %% [markdown]
# In the recorded pairs the plain network has caught up after a hundred steps, with 56 layers, too: neighbours'
# gradients are nearly the same in all four. The table has all recorded networks, one seed each. After the short
# training (2,000 steps) none is noise any more, not even the plain network of 56 layers. After the long one (64,000) a
# part of the likeness is lost again, in both kinds; why is open. Nor is likeness a proof of learning: after 2,000 steps
# the plain network of 56 layers has as much of it as its twin, and makes far more mistakes, on training images as on
# others.
#
# ## Block by block
#
# The *signal* is the size of what a block puts out (root mean square), the gradient that of the loss with respect to
# it.
#
# **Predict.** Before training the gradient of a deep plain network grows on its way back, from the last block to the
# first, by several powers of ten. And later? Follow the lines of Figure 10.4 from pale to full colour.

# %% mystnb={"image": {"alt": "Four panels against the block, lines from pale to full colour for moments of a training on CIFAR-10, networks of 56 layers. Above the gradient, below the signal; plain left, residual right. Before training the plain gradient grows by more than three powers of ten towards the images, its twin's by about one. Ten steps later the plain one falls towards the images, and stays so."}} tags=["nbval-ignore-output"]
MOMENTS = [0, 1, 10, 100, 2_000]
blocks = signal_figures.through_training(signal_figures.of_networks(found, "blocks"))
deep = blocks[(blocks.depth == 56) & blocks.iteration.isin(MOMENTS)]
fig, axes = plt.subplots(2, 2, sharex=True, sharey="row", figsize=(7.2, 5.4))
for row, column, label in zip(axes, ("gradient_norm", "signal"), ("norm of the gradient", "signal"), strict=True):
    for ax, kind in zip(row, figures.KINDS, strict=True):
        signal_figures.plot_along(deep[deep.kind == kind], ax, column, label)
        ax.set_title(kind if column == "gradient_norm" else "")
        ax.label_outer()
signal_figures.add_moments(fig, deep.iteration.unique())
plt.show()

# %% [markdown]
# **Figure 10.4.** A recorded pair of 56 layers: gradient and signal by block, on logarithmic axes. Dotted: a new stage
# begins.

# %% tags=["nbval-ignore-output"]
some = blocks[blocks.iteration.isin([0, 10, 30, 2_000])].sort_values("block")
each = some.groupby(["depth", "kind", "iteration"]).gradient_norm
(each.first() / each.last()).unstack("iteration").round(2)  # at the first block, divided by that at the last

# %% [markdown]
# The table has the first block's gradient divided by the last one's. Before training it grows more than a thousandfold
# through the plain network of 56 layers, and far less through the others. Ten steps later that network is another one:
# the gradient *shrinks* towards the images, and the signal of the first blocks has become ten times as large. With 20
# layers the growth merely goes away for a while.
#
# ## Too long a step
#
# What have the first steps done? In front of a batch norm the length of the weights does not matter, only their
# direction. So the gradient stands at a right angle to the weights, and each step makes them longer. And the longer
# they are, the less a step turns them: weights of ten times the length have a tenth of the gradient, and turn by a
# hundredth of the angle. ([Arora et al. (2018)](https://arxiv.org/abs/1812.03981) show that this lets a network find a
# step of its own, whatever the learning rate.)

# %% tags=["nbval-ignore-output"]
network = untrained("plain", 56).train()
weight = network.stages[0][0].layers[0].weight
(gradient,) = torch.autograd.grad(F.cross_entropy(network(images), labels), [weight])
angle = torch.rad2deg(torch.acos(F.cosine_similarity(gradient.flatten(), weight.flatten(), dim=0)))
f"angle {angle:.1f} degrees; a step at 0.1 is {0.1 * gradient.norm() / weight.norm():.1f} times as long as the weights"

# %% [markdown]
# **Predict.** The recorded pair of 56 layers takes such steps, too. How long are the weights of the first layers after
# a hundred of them, and how far does the next step move them? Figure 10.5 has both.

# %% mystnb={"image": {"alt": "Four panels against the layer, lines from pale to full colour for moments of a training on CIFAR-10, networks of 56 layers. Above the length of each layer's weights: in the plain network that of the first layers has become more than fifty times as large after a hundred steps, in the residual one about five times. Below how far a step moves them as a share of their length: in the first layers of the plain network from more than ten down to less than a millionth."}} tags=["nbval-ignore-output"]
layers = signal_figures.through_training(signal_figures.of_networks(found, "layers"))
layers["moved"] = layers.learning_rate * layers.gradient_norm / layers.weight_norm
deep = layers[(layers.depth == 56) & layers.iteration.isin(MOMENTS)]
labels_of = {"weight_norm": "length of the weights", "moved": "a step / that length"}
fig, axes = plt.subplots(2, 2, sharex=True, sharey="row", figsize=(7.2, 5.4))
for row, (column, label) in zip(axes, labels_of.items(), strict=True):
    for ax, kind in zip(row, figures.KINDS, strict=True):
        signal_figures.plot_along(deep[deep.kind == kind], ax, column, label, along="layer")
        ax.set_title(kind if column == "weight_norm" else "")
        ax.label_outer()
signal_figures.add_moments(fig, deep.iteration.unique())
plt.show()

# %% [markdown]
# **Figure 10.5.** The same pair: the length of each layer's weights (above), and how far one step of gradient descent
# would move them, as a share of it (below), on logarithmic axes. (At 2,000 the learning rate is a hundredth.)

# %% tags=["nbval-ignore-output"]
whose = ["depth", "kind"]
start = layers[layers.iteration == 0].set_index([*whose, "layer"]).weight_norm.rename("start")
after = layers[layers.iteration == 100].join(start, on=[*whose, "layer"])
of_network = after.assign(longer=after.weight_norm / after.start).groupby(whose)
pd.DataFrame({"times as long, at most": of_network.longer.max().round(1), "moved, median": of_network.moved.median()})

# %% [markdown]
# (After a hundred steps, over the layers of each network: how many times as long as before training the weights have
# become, at most; and by which share of their length the next step moves a layer, the median.)
#
# The weights of the networks of 20 layers have hardly changed their length. In the residual network of 56 layers they
# have become up to six times as long, in the plain one seventy times, and a step moves half of its layers by about a
# hundredth, or less, of what it does with 20 layers: they are as good as frozen, where the first steps have thrown
# them. That is the order in which the four networks end after the short training
# ([chapter 3](03_plain_and_residual.ipynb)).
#
# It passes, but slowly. Only weight decay makes weights shorter. With this recipe (a rate of 0.1, a decay of 0.0001,
# and momentum, which makes ten steps of each) it takes 10,000 steps to bring them to $1/e$. The short training ends
# long before. The long one has 32,000 steps at that rate.
#
# If the first steps do the harm, smaller ones should avoid it. `short-warmup` takes a hundred steps at a rate of 0.001,
# and then goes on as `short` does.

# %% tags=["nbval-ignore-output"]
every = tables.run_rows(records.load_all(records.find_results()))
begun = every[every.dataset.eq("cifar10") & every.recipe.isin(["short", "short-warmup"]) & every.depth.isin([20, 56])]
errors = begun.rename(columns={"train_error": "training", "test_error": "test"})
errors.groupby(["depth", "kind", "recipe"])[["training", "test"]].agg(["mean", "min", "max", "count"]).round(1)

# %% [markdown]
# (Errors in %, and how many runs.) The plain network gains: begun gently, its weights become at most about one and a
# half times as long, and more of its layers can learn. Both gentle runs end below all others, and nearly at one error,
# where the others lie far apart. (The repetition whose weights Figure 10.5 shows is not among them; it ended at 81.6 %,
# ten points above the recorded run with its seed.) The residual network gains nothing. So the first steps do a part of
# the harm that depth does here, and not all of it: the plain network is still far behind its twin.
#
# ## What is a gradient worth?
#
# Now the gradient that training uses. A step follows the gradient in the weights, of *one* batch at *one* point. The
# next step meets other images, and other weights. So a gradient may be worth little for two reasons: it was that of
# these images alone, or it holds at this point alone ([Santurkar et al. (2018)](https://arxiv.org/abs/1805.11604)
# measured the second). Take two batches A and B and one step along the gradient of A:
#
# - **other images:** the cosine between the gradients of A and of B, at the same weights;
# - **after a step:** between the gradients of A before and after the step;
# - **other images after a step:** between the gradient of A before the step and that of B after it. This is what
#   training meets.


# %%
def worth(network: nn.Module, a: signals.Batch, b: signals.Batch, learning_rate: float) -> tuple[float, ...]:
    """The three cosines with the gradient of batch A: of B, of A after a step along it, and of B after that step."""
    before = signals.gradient(network, a)  # with respect to all weights, as one vector
    moved = signals.after_a_step(network, -learning_rate * before)  # a copy
    compared = signals.gradient(network, b), signals.gradient(moved, a), signals.gradient(moved, b)
    return tuple(F.cosine_similarity(before, each, dim=0).item() for each in compared)


pixels = augment.normalise(seen.images[: 6 * BATCH], *statistics)
six = list(zip(pixels.split(BATCH), seen.labels[: 6 * BATCH].split(BATCH), strict=True))  # taken two by two
ours = worth(ways["plain"][ITERATIONS], *six[:2], 0.1)
assert ours == tuple(signals.predictions(ways["plain"][ITERATIONS], six[:2], 0.1).iloc[0, 1:])
[round(each, 2) for each in ours]

# %% [markdown]
# **Predict.** Before the first step, with the learning rate of the recipe, which will spoil the gradient more, other
# images or the step? And later? Figure 10.6 has the recorded networks, with the rate of each moment: 0.1, from 1,000
# steps on 0.01, from 1,500 on a tenth of that.

# %% mystnb={"image": {"alt": "Cosines of gradients in the weights against the iteration on CIFAR-10, a column a comparison: other images, after a step, other images after a step. Before training other images agree well in the residual network and hardly in the plain one. After a step both begin near zero and rise close to 1. Other images after a step stay low in both throughout."}} tags=["nbval-ignore-output"]
COSINES = {"other_images": "other images", "after_step": "after a step", "next": "other images\nafter a step"}
recorded_worth = signal_figures.through_training(signal_figures.of_networks(found, "predictions"))
fig, axes = plt.subplots(2, 3, sharex=True, sharey=True, figsize=(7.2, 5.0))
for row, depth in zip(axes, (20, 56), strict=True):
    for ax, column in zip(row, COSINES, strict=True):
        signal_figures.plot_moments(recorded_worth[recorded_worth.depth == depth], ax, column, "cosine")
        ax.set(title=COSINES[column] if depth == 20 else "", ylabel=f"cosine, {depth} layers")
        ax.label_outer()
figures.add_legend(fig)
plt.show()

# %% [markdown]
# **Figure 10.6.** What a gradient in the weights predicts, in recorded networks: means over three pairs of batches,
# bands of a standard deviation, the axis logarithmic from 1 on.

# %% [markdown]
# Before training other images agree well in the recorded residual network, and hardly in the plain one. But after a
# step at the rate of 0.1 no gradient holds, and the residual one even points slightly backwards. So by the last column,
# which is what training meets, the plain network is not the worse one at first. A hundred steps later, at the same
# rate, a step spoils little in either, and other images spoil most. At the end these have nothing in common, and a step
# changes nothing; but then the rate is a hundred times lower.
#
# A step is the rate times the gradient, and the plain network's gradient is larger. How long is the first step of 56
# layers? And behind which steps, of equal length for both, would the gradient hold?


# %% tags=["nbval-ignore-output"]
def held(network: nn.Module) -> dict[str, float]:
    """The length of the first step at a rate of 0.1; and the cosine "after a step" for steps of given lengths."""
    norm = signals.gradient(network, six[0]).norm().item()
    lengths = (1, 0.1, 0.01, 0.001, 0.0001)
    cosines = {f"after {each:g}": signals.predictions(network, six[:2], each / norm).after_step[0] for each in lengths}
    return {"first step": 0.1 * norm, **cosines}


pd.DataFrame({kind: held(untrained(kind, 56)) for kind in figures.KINDS}).T.round(2)

# %% [markdown]
# Here is the noise in the weights as well. The residual gradient holds behind a step of a hundredth. The plain one does
# not hold even behind a step a hundred times shorter. But the first step that training takes is too long for both.
#
# ## Begin with nothing
#
# If depth is the trouble at the start, why begin deep? [Goyal et al. (2017)](https://arxiv.org/abs/1706.02677) set the
# weight of the last batch norm in every residual branch $F$ to zero. Then $F(x) = 0$ and every block begins as its
# shortcut: a network of 20 layers begins with two, the first convolution and the classifier.

# %%
usual = untrained("residual", 20)
zeroed = deepcopy(usual)
for block in (block for stage in zeroed.stages for block in stage):
    nn.init.zeros_(block.layers[-1].weight)  # a branch ends in a batch norm
assert torch.equal(zeroed(images), starts.zero_last_norms(usual)(images))
f"loss {F.cross_entropy(usual(images), labels):.2f} as usual, {F.cross_entropy(zeroed(images), labels):.2f} at zero"

# %% [markdown]
# Blind guessing has a loss of $\log 10 \approx 2.30$. The usual start is worse: the signal has grown from block to
# block (Figure 10.4), and with it the scores that the classifier puts out.
#
# And a start at zero? What flows back into a branch is multiplied by the last norm's weight, which is zero. So the
# first step moves the last norms and nothing else in the branches; from the second on everything learns (exercise 1).
# The network grows deep while it learns. What is its first gradient worth?

# %% tags=["nbval-ignore-output"]
pd.DataFrame({"as usual": held(usual), "last norms at zero": held(zeroed)}).T.round(2)

# %% [markdown]
# Behind steps of equal length it holds about as well as the usual one. But its first step is many times shorter, so
# short that the gradient holds behind it. Figure 10.7 has recorded trainings that differ in the start alone.

# %% mystnb={"image": {"alt": "Loss against iteration from two beginnings, as usual and with the last batch norms at zero: recorded networks of 20 and 56 layers on CIFAR-10. The usual beginning starts higher, with 56 layers most of all, and comes down later."}} tags=["nbval-ignore-output"]
starts = signal_figures.of_networks(found, "starts").query("recipe_iterations == 2000")  # each seed once
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.0), sharey=True)
for ax, depth in zip(axes, (20, 56), strict=True):
    signal_figures.plot_starts(starts[starts.depth == depth], ax)
    ax.set_title(f"{depth} layers")
    ax.label_outer()
figures.add_legend(fig)
plt.show()

# %% [markdown]
# **Figure 10.7.** The first steps from two beginnings, one run each on CIFAR-10. The loss is on a logarithmic axis.

# %% [markdown]
# The usual start is worse than blind guesses, the more so with 56 layers, and gets worse before it gets better. The
# start at zero begins where blind guesses are and does not rise noticeably above. With 20 layers the two have nearly
# met after 40 steps; with 56 it is still ahead. [Goyal et al. (2017)](https://arxiv.org/abs/1706.02677) report that it
# helps, most of all with batches of thousands of images. Its effect on the error after a whole training is not shown.
#
# ## Summary: is the noise the reason?
#
# Does a deep plain network train worse *because* its gradient is noise? The noise is there before the first step, and
# shortcuts lessen it. But training gets rid of it within dozens of steps: soon the deep plain network is as smooth as
# its twin, and still far behind. What it cannot get rid of so soon is what the first steps did. They were too long, and
# left its first layers with weights so long that nothing moves them for thousands of steps. The residual network
# suffers the same, far more mildly, and the networks of 20 layers not at all: the order in which they end a short
# training. A gentle start spares the plain network that, and a part of its handicap, not all of it. What holds it back
# after a long training, when weight decay has long made its weights shorter, is not answered here. And all this was
# seen in one to three runs of each network.
#
# - Before training, the gradient of a deep plain network is noise, and explodes towards the images. Shortcuts lessen
#   both.
# - In front of a batch norm, steps that are too long make weights long, and long weights hardly turn. A few steps
#   decide how much of a deep network learns in the next thousands.
# - A last batch norm at zero makes a network begin shallow, without a bad beginning, and with shorter steps.
#
# ## Exercises
#
# The cells of exercises 1 and 3 check themselves: put your answer in, run, read. They are run here without one.
#
# **1. The second step.** Of a `resnet20` that begins at zero, how many of its 59 parameter tensors get a gradient that
# is not all zeros, in the first step and in the second? There are the *stem* (a convolution and a batch norm), the
# classifier, and nine blocks; a convolution has one tensor, a batch norm two.

# %%
in_first, in_second = None, None  # your answers


def with_gradient(network: nn.Module) -> int:
    """How many parameter tensors have a gradient that is not zero everywhere."""
    loss = F.cross_entropy(network.train()(images), labels)
    return sum(bool(each.any()) for each in torch.autograd.grad(loss, list(network.parameters())))


second = signals.after_a_step(zeroed, -0.1 * signals.gradient(zeroed, (images, labels)))
right = with_gradient(zeroed), with_gradient(second)
verdict = "Right." if (in_first, in_second) == right else "Wrong. What is the weight of the last norms in each step?"
print("Not answered yet." if None in (in_first, in_second) else verdict)

# %% [markdown]
# <details><summary>Solution</summary>
#
# `in_first, in_second = 23, 59`. The weight and the bias of nine last norms are 18, stem and classifier have 5. After
# the first step the norms' weights are no longer zero, and gradients reach everything.
#
# </details>
#
# **2. Larger batches.** Which of the three cosines depends on the size of the batch? Predict, then make the pairs of
# `six` with `2 * BATCH` in place of `BATCH`, and measure `ways["residual"][ITERATIONS]` again with
# `signals.predictions`.
#
# <details><summary>Solution</summary>
#
# "Other images" should rise: a mean over more images has less noise, so two of them agree better. "After a step"
# compares a batch with itself, and has no such reason. With three pairs the spread is large; take more images.
#
# </details>
#
# **3. Keep the shortcut clean.** A residual block puts a ReLU *behind* the addition: $y = \mathrm{ReLU}(F(x) + x)$. So
# every block cuts the sum at zero. In the *pre-activation* block of
# [He et al. (2016)](https://arxiv.org/abs/1603.05027), batch norm and ReLU come *before* each convolution, and nothing
# comes behind the addition:
#
# $$
# y = x + W_2 * \mathrm{ReLU}\Bigl(\mathrm{BN}_2\bigl(W_1 * \mathrm{ReLU}(\mathrm{BN}_1(x))\bigr)\Bigr). \tag{10.1}
# $$
#
# ($*$: convolution; where the shape changes, the first $x$ is the shortcut's output.) Complete the block. Its layers
# are `self.norm1`, `self.convolution1`, `self.norm2`, `self.convolution2` and `self.shortcut`. Then predict: are the
# pixel gradients of 56 layers now shattered more, less, or as much as the usual residual network's?


# %% tags=["nbval-ignore-output"]
class MyBlock(pre_activation.PreActivationBlock):
    """A block of your own, with the layers of the package's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return None  # your code, with F.relu for the ReLU


print(verdict := pre_activation.check(MyBlock))
compared = shattered[shattered.depth == 56].pivot(index="kind", columns="seed", values="likeness")
if verdict == "Right.":
    yours = [pre_activation.PreActivationNetwork(56, torch.Generator().manual_seed(seed), MyBlock) for seed in range(3)]
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
# Do the seeds of one kind lie apart from those of the other? On the built-in images they mingle: no difference was
# seen. In the paper the new block pays at depth: a network of 1,001 layers makes about a third fewer mistakes with it.
#
# </details>
#
# ## References
#
# - [He et al. (2016)](https://arxiv.org/abs/1603.05027): pre-activation.
# - [Balduzzi et al. (2017)](https://arxiv.org/abs/1702.08591): shattered gradients.
#   [Santurkar et al. (2018)](https://arxiv.org/abs/1805.11604): gradients after a step.
#   [Arora et al. (2018)](https://arxiv.org/abs/1812.03981): batch norm and the length of the weights.
# - [Goyal et al. (2017)](https://arxiv.org/abs/1706.02677): batch norms that begin at zero, section 5.1.

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
# # The landscape
#
# **Is the loss surface of a residual network really smoother than that of its plain twin? And could a picture tell?**
#
# The pictures are famous ([Li et al., 2018](https://arxiv.org/abs/1712.09913)): a jagged mountain range for a deep
# network without shortcuts, a smooth bowl for the same network with them. They are slices. A network of 20 layers has
# 269,722 parameters, and a picture shows two directions. Here are the slices of our own networks. Turn them.
#
# **You will learn**
#
# - to draw such a slice, and why its directions are scaled filter by filter;
# - how much of the picture is batch norm with statistics that no longer fit;
# - to measure curvature without a picture, and what a slice cannot show.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the networks; [chapter 8](08_take_it_apart.ipynb) met the question of
# batch norm's statistics before. With `tier = "smoke"` the page takes about a minute on 2 cores and downloads nothing;
# `"cpu"` and `"paper"` take two to ten minutes and CIFAR-10 (170 MB). Nothing is trained here.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": built-in images; "cpu": networks trained in minutes; "paper": the same on a finer grid
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
from copy import deepcopy

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import HTML, Markdown, display

# %%
from resnet_book import data
from resnet_book.analysis import landscape
from resnet_book.experiments import landscape_records, records, weights
from resnet_book.report import figures, landscape_figures, surfaces

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
GRID, IMAGES = {"smoke": (5, 64), "cpu": (7, 128), "paper": (15, 128)}[tier]
f"this page measures planes at {GRID} x {GRID} points, each on {IMAGES} images"

# %% tags=["nbval-ignore-output"]
results = records.find_results()
found = [each for each in landscape_records.all_landscapes(results) if each.experiment.endswith("-cifar10-short")]
HTML(surfaces.turnable(surfaces.scenes(found)))

# %% [markdown]
# In the middle, at the dot, stands the network. Every other point is the same network with its weights moved
# along two random directions, and the height is its loss on 128 training images. A step of 1 moves each filter as far
# as the filter is long. The scale is logarithmic, and what is higher is cut off. Mind the numbers at the post: the scales
# of the pictures differ.
#
# > **Predict, then read on**
# >
# > Choose *statistics as trained*, then *statistics measured anew*. The weights are the same, point for point. How can
# > the two pictures differ so much? And which of them would you publish?
#
#
# ## A pair of trained networks
#
# We build such a picture from nothing. Two twins of the recorded runs: the same layers, images and recipe, and the only
# difference is the shortcuts.

# %%
recipes = [] if tier == "smoke" else ["cifar10-short"]
pairs = [
    (f"plain20-{recipe}", f"resnet20-{recipe}") for recipe in [*recipes, "builtin-smoke"]
]  # the first that is here
twins = dict(zip(("plain", "residual"), weights.load_first_group(pairs, data_root or None, results), strict=True))
{kind: f"{record.experiment}: {record.test_error:.2f} %" for kind, (_, record) in twins.items()}

# %% tags=["remove-input"]
if (plain := twins["plain"][1].experiment) != pairs[0][0]:
    text = f"> **The twins that tier `{tier}` asks for are not at hand**, so this page looks at `{plain}` and its residual twin."
    display(Markdown(text))

# %%
record = twins["residual"][1]
images = data.load(record.dataset["name"], "train", data_root or None).subset(IMAGES)
batch = landscape.batch_of(images, record.mean, record.std)
{kind: f"loss {landscape.loss_and_error(network, batch)[0]:.3f}" for kind, (network, _) in twins.items()}

# %% [markdown]
# ## A direction, by hand
#
# A direction is a number for each parameter. Drawn at random, it is a bad ruler: a step of 1 changes a filter of small
# weights beyond recognition, and one of large weights hardly at all. Worse, networks with batch norm can have their
# filters multiplied by 10 and compute the same; such a network would look ten times flatter. So
# [Li et al. (2018)](https://arxiv.org/abs/1712.09913) scale each random filter to the length of the network's own.
# Biases and batch norm's parameters stay where they are.


# %%
def direction_by_hand(network, seed: int) -> list[torch.Tensor]:
    """A random direction, filter by filter as long as the network's."""
    generator = torch.Generator().manual_seed(seed)
    direction = []
    for weight in network.parameters():
        if weight.ndim == 1:  # a bias, or batch norm
            direction.append(torch.zeros_like(weight))
            continue
        drawn = torch.randn(weight.shape, generator=generator)
        for ours, theirs in zip(drawn, weight.detach(), strict=True):  # one filter at a time
            ours *= theirs.norm() / ours.norm()
        direction.append(drawn)
    return direction


network = twins["residual"][0]
first = direction_by_hand(network, seed=0)
for ours, theirs in zip(first, landscape.random_direction(network, seed=0), strict=True):
    torch.testing.assert_close(ours, theirs)
f"{sum(each.numel() for each in first):,} numbers; the first filter: {first[0][0].norm():.3f}"

# %% [markdown]
# ## A slice, by hand
#
# Move the weights, compute the loss, and repeat. One decision hides in it. Batch norm divides by a standard deviation.
# In training, that is the one of the batch at hand; in testing, an average that the network kept from training. When the
# weights have moved, the kept one is of a network that is gone.


# %% tags=["nbval-ignore-output"]
def slice_by_hand(network, direction, steps, anew: bool) -> list[float]:
    """The loss at each step, with batch norm's statistics as trained, or those of the batch."""
    values = []
    for step in steps:
        moved = deepcopy(network).train(anew)
        with torch.no_grad():
            for weight, along in zip(moved.parameters(), direction, strict=True):
                weight += step * along
            values.append(F.cross_entropy(moved(batch.images), batch.labels).item())
    return values


steps = landscape_records.steps(9)
mine = {anew: slice_by_hand(network, first, steps, anew) for anew in (False, True)}
for anew, values in mine.items():
    expected = landscape.losses(network, [first], steps, batch, anew)
    torch.testing.assert_close(torch.tensor(values, dtype=torch.float64), expected, rtol=1e-3, atol=1e-3)
pd.DataFrame({"as trained": mine[False], "anew": mine[True]}, index=pd.Index(steps, name="step")).round(2)

# %% [markdown]
# **Predict.** In Figure 9.1 the same for both twins. With which statistics is the valley wider? And which
# twin has the wider one?

# %% mystnb={"image": {"alt": "Loss against the step along one direction for the twins of this page, with statistics as trained on the left and measured anew on the right. In the smallest tier the loss rises on the left, to one side, by orders of magnitude, and on the right to no more than about twice that of blind guesses."}} tags=["nbval-ignore-output"]
rows = []
for kind, (each, _) in twins.items():
    along = landscape.random_direction(each, seed=0)
    for anew, words in enumerate(landscape_records.BOTH):
        values = landscape.losses(each, [along], steps, batch, bool(anew)).tolist()
        rows += [(kind, 20, words, 0, step, value) for step, value in zip(steps, values, strict=True)]
here = pd.DataFrame(rows, columns=["kind", "depth", "statistics", "direction", "step", "loss"])
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.0))
for ax, words in zip(axes, landscape_records.BOTH, strict=True):
    landscape_figures.plot_slices(here[here.statistics == words], ax)
    ax.set_title(landscape_figures.IN_WORDS[words], fontsize=10)
    ax.label_outer()
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# **Figure 9.1.** The twins of this page along one direction. Dotted: the loss of blind guesses.

# %% tags=["nbval-ignore-output"]
here[here.step.abs() == 1].pivot_table(index="kind", columns="statistics", values="loss").round(1)

# %% [markdown]
# That is the mean loss one step away, to both sides; blind guesses among ten classes give 2.3. A loss far above that is no steep mountain of the function that was trained. It is scores that have
# grown too large, layer by layer, because nothing divides them by their true size any more. Training never sees that
# surface: it computes with the statistics of the batch. The published pictures show it, since a network is put into
# evaluation mode before its slice is drawn. We keep both, side by side.
#
# ## Planes
#
# Two directions instead of one, and a grid of steps. Figure 9.2 shows your own first, on a coarse grid, with
# statistics measured anew.

# %% mystnb={"image": {"alt": "Two maps of the loss on a plane around the twins of this page, plain and residual, on a coarse grid. Both are darkest, that is highest, in the corners."}} tags=["nbval-ignore-output"]
coarse = landscape_records.steps(GRID)
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(6.4, 3.0))
for ax, (kind, (each, _)) in zip(axes, twins.items(), strict=True):
    directions = [landscape.random_direction(each, seed) for seed in (0, 1)]
    plane = landscape.losses(each, directions, coarse, batch, anew=True)
    landscape_figures.plot_map(plane.numpy(), coarse, ax, kind)
    ax.set_title(kind)
    ax.label_outer()
plt.show()

# %% [markdown]
# **Figure 9.2.** The twins of this page on a plane, statistics measured anew. Darker is higher; each contour line
# doubles the loss; the cross is the trained network.

# %% [markdown]
# ## The recorded networks, on CIFAR-10
#
# `resnet-book landscape NAME` does this to a recorded network and keeps the numbers beside its record. All networks here were
# trained for 2,000 iterations, five passes over the images: far less than the networks of the famous pictures.

# %% tags=["nbval-ignore-output"]
pd.DataFrame(
    [
        (each.experiment, each.images, len(each.slices), len(each.lines), len(each.curvatures), each.minutes)
        for each in found
    ],
    columns=["network", "images", "slices", "lines", "curvatures", "minutes"],
).set_index("network")

# %% [markdown]
# **Predict.** Four networks: plain and residual, 20 and 56 layers. In the famous pictures only the deep plain one is
# chaotic. Which of the maps in Figure 9.3 will show hills and valleys?

# %% mystnb={"image": {"alt": "Maps of the loss on a plane around trained networks, plain and residual, a row for each depth; two columns with statistics as trained, two measured anew. With statistics as trained one side of each map is far darker. Measured anew all are pale, the plain one of 56 layers the most: it has no contour line."}} tags=["nbval-ignore-output"]
landscape_figures.draw_maps(found)
plt.show()

# %% [markdown]
# **Figure 9.3.** The loss around trained networks, on the same scale. Left half: statistics as trained. Right half:
# measured anew.

# %% [markdown]
# Darkness is height, so compare its change: who starts near the loss of blind guesses, 2.3, cannot rise far above it
# with statistics measured anew. Flat, below, means a small part of *the way to blind guesses*. A map hides small bumps.
# Figure 9.4 shows lines through the same weights, in several directions.

# %% mystnb={"image": {"alt": "Loss along several random directions through trained weights, a row for each depth, statistics as trained on the left and anew on the right. As trained the lines rise by orders of magnitude, those of the plain network of 56 layers the highest; measured anew all stay near the loss of blind guesses, and those of 56 layers are nearly flat."}} tags=["nbval-ignore-output"]
slices = landscape_figures.slice_frame(found)
landscape_figures.draw_slices(slices)
plt.show()

# %% [markdown]
# **Figure 9.4.** Lines through trained weights in several random directions (thin), and their median (thick). Dotted:
# blind guesses.

# %% tags=["nbval-ignore-output"]
NETWORK = ["depth", "statistics", "kind"]
rises = landscape_figures.rises(slices).groupby(NETWORK)
table = rises.agg(middle=("middle", "first"), half=("half", "median"), end=("end", "median"))
table.assign(least=rises.end.min(), most=rises.end.max()).map("{:,.2f}".format)

# %% [markdown]
# (Loss at the weights, and half a step and one step away, median over the directions; least and most of the last. Above
# half a million it is cut off.) In the book's records the plain network of 20 layers is the flatter one of its pair,
# and the residual one of 56 layers is the flatter one of its, with either statistics.
# [Li et al. (2018)](https://arxiv.org/abs/1712.09913), too, found that shortcuts matter once a network is deep. But
# there is no chaos, in the deep plain one neither: nine in ten pieces of these lines, or more, lead up on the way out.
# Most of the height was only the statistics. Measured anew, no loss goes far above that of blind guesses; as trained,
# the deep plain one's is thousands of times that.
#
# ## Another seed, another picture?
#
# The directions are drawn at random. An honest picture should not depend on the draw. **Predict:** by which factor do the
# losses of *one* network differ from direction to direction? `least` and `most` say it: measured anew, by less than a
# half; as trained, by far more than ten, in each of the four networks. Even the order of the twins changes with the
# direction in two of the four pairs: with 20 layers as trained, with 56 measured anew. Two twins drawn once each, in one
# plane each, are a sample of one.
#
# ## What a slice cannot show
#
# How curved is the loss at the weights? The second derivatives form the Hessian $H$, a matrix of 269,722 rows. Its
# largest eigenvalue is the curvature along the steepest direction. We cannot store $H$, but we can multiply by it: $Hv$
# is the gradient of the number $g^\top v$, where $g$ is the gradient of the loss
# ([Pearlmutter, 1994](https://doi.org/10.1162/neco.1994.6.1.147)).


# %% tags=["nbval-ignore-output"]
few = landscape.Batch(batch.images[:32], batch.labels[:32])  # products with H cost about ten losses each


def hessian_times(network, vector) -> list[torch.Tensor]:
    """H v, for the loss with the statistics of the batch."""
    copy = deepcopy(network).train()
    parameters = list(copy.parameters())
    loss = F.cross_entropy(copy(few.images), few.labels)
    gradient = torch.autograd.grad(loss, parameters, create_graph=True)
    slope = sum((g * v).sum() for g, v in zip(gradient, vector, strict=True))
    return list(torch.autograd.grad(slope, parameters))


product = hessian_times(network, first)
theirs = landscape.hessian_product(network, few, first, anew=True)
apart = [one - other for one, other in zip(product, theirs, strict=True)]
assert landscape.dot(apart, apart).sqrt() < 0.01 * landscape.dot(product, product).sqrt()
along_first = landscape.dot(first, product) / landscape.dot(first, first)
f"curvature along our random direction: {along_first:.4f}"

# %% [markdown]
# Multiply a random vector by $H$ again and again, and it turns into the direction in which $H$ is largest: power
# iteration. **Predict.** How many times more will the loss curve along that direction than along our random one: ten,
# a hundred, thousands?

# %% tags=["nbval-ignore-output"]
generator = torch.Generator().manual_seed(0)
vector = [torch.randn(each.shape, generator=generator) for each in network.parameters()]
estimates = []
for _ in range(4):
    length = landscape.dot(vector, vector).sqrt()
    unit = [each / length for each in vector]
    vector = hessian_times(network, unit)
    estimates.append(landscape.dot(unit, vector).item())  # v H v: the curvature along v
ratio = abs(estimates[-1]) / max(abs(along_first.item()), 1e-9)
f"curvature after each product: {[round(each, 2) for each in estimates]}; the last is {ratio:,.0f} times as large"

# %% [markdown]
# (`landscape.top_eigenvalues` goes on until the estimate settles.) A random direction in so many dimensions is nearly
# at a right angle to any given one, the steepest included. So it sees the *average* curvature, and the average is
# small: most directions are flat. Figure 9.5 has the recorded networks.

# %% mystnb={"image": {"alt": "Left: size of the second derivative for each network and statistics; circles for the steepest direction lie orders of magnitude to the right of bars for random ones. Right: the loss along the steepest direction rises fast within a twentieth of the filters' length, where random directions are flat."}} tags=["nbval-ignore-output"]
curvatures = landscape_figures.curvature_frame(found)
fig, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), width_ratios=(1, 1))
landscape_figures.plot_curvature(curvatures, axes[0])
landscape_figures.plot_eigenvector(slices, axes[1])
plt.show()

# %% [markdown]
# **Figure 9.5.** Left: curvature along the steepest direction (circles) and along random ones (bars). Right: the loss
# along the steepest direction (thick) and, equally far, along a random one (thin), statistics measured anew.

# %% tags=["nbval-ignore-output"]
trained = curvatures[(curvatures["at"] == "trained") & (curvatures.random.map(len) > 0)].set_index(NETWORK).sort_index()
random = [sum(map(abs, each)) / len(each) for each in trained.random]
times = (trained.top.abs() / random).map("{:,.0f}".format)
trained[["top"]].round(2).assign(random=[f"{each:.5f}" for each in random], times=times)

# %% [markdown]
# The steepest direction (`top`) of each recorded network curves thousands of times as much as a random one. So a picture
# of a smooth bowl and a wall a twentieth of a step away go together. And which of the twins curves more? Measured anew,
# it is the plain one with 20 layers and the residual one with 56: in both pairs the one that *looked* flatter. (The deep
# plain one's value had not quite settled.)
#
# The eigenvalue has a ruler of its own, though: it is measured in the weights' units, and changes when filters are
# scaled (exercise 1) ([Dinh et al., 2017](https://arxiv.org/abs/1703.04933)). Neither number alone says "smooth".
#
# ## Along the way
#
# What does the surface look like before training, and on the way? For Figure 9.6 the short trainings of both twins were
# repeated, and their weights kept at some iterations. (Repeated: with today's code the same seed gives another run than
# the recorded one, as [How to get every number again](../book/reproduce.md) explains. The kept files name their
# weights.)
#
# **Predict.** Does the valley around the weights get wider in training, or narrower?

# %% mystnb={"image": {"alt": "Loss along one direction at stages of a training, for the plain and the residual network of 20 layers: there is no valley before training, and then one that gets deeper. The largest eigenvalue falls from hundreds to below ten within a hundred iterations, and slowly from then on."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 3, figsize=(8.4, 3.0))
for ax, kind in zip(axes, twins, strict=False):
    landscape_figures.plot_way(slices, ax, kind)
landscape_figures.plot_way_curvature(curvatures, axes[2])
plt.show()

# %% [markdown]
# **Figure 9.6.** Around the weights at stages of a training, along one direction, statistics measured anew (darker:
# later); right, the curvature along the steepest direction.

# %% tags=["nbval-ignore-output"]
stages = curvatures[curvatures["at"].map(lambda at: isinstance(at, int)).astype(bool)]
stages.pivot_table(index="kind", columns="at", values="top").round(2)

# %% [markdown]
# Before the first step the largest eigenvalue in size is large and negative: there the weights lie in no valley, but on
# a ridge. A hundred steps later it is positive and small, and from then on it goes down. Along its steepest direction,
# the valley gets wider.
#
# ## And after long training?
#
# These trainings ended after 2,000 steps. The four networks were also trained by the paper's recipe, for 64,000, until
# they were seldom wrong on their training images. **Predict.** Do they lie in still wider valleys?

# %% tags=["nbval-ignore-output"]
both = found + [each for each in landscape_records.all_landscapes(results) if each.experiment.endswith("-cifar10")]
OF_RECIPE = ["depth", "statistics", "iterations", "kind"]
heights = landscape_figures.rises(landscape_figures.slice_frame(both)).groupby(OF_RECIPE)
eigenvalues = landscape_figures.curvature_frame(both).query("at == 'trained'").set_index(OF_RECIPE).top
heights.agg(middle=("middle", "first"), half=("half", "median"), end=("end", "median")).assign(top=eigenvalues).round(2)

# %% [markdown]
# (As above: loss at the weights, half a step and one step away, median over the directions; the largest eigenvalue.) In
# the recorded pairs they lie far deeper, and the way up is longer: measured anew, the loss one step away is above that of
# blind guesses, up to about twice as high. For a network that is sure of its answers, that is what wrong ones cost. And
# measured anew the valley is *not* wider: the largest eigenvalue is several times that after 2,000 steps. With
# statistics as trained (20 layers alone) it is a third of it, or less. So whether training widens the valley depends on
# how long one trains, and on the statistics. We do not know why.
#
# Two things stay: with 20 layers the plain network is the flatter one, with 56 the residual one, with either statistics.
# And one is new. Measured anew, the deep residual network now also curves less than its twin along the steepest
# direction, not half as much. There, for once, the picture and the curvature agree. (One pair of each depth, one seed.)
#
# ## Between two seeds
#
# Two trainings with different seeds end in different weights and nearly the same error. Are they two ends of one
# valley? Walk in a straight line from one to the other: $(1 - t)\,\theta_0 + t\,\theta_1$. How far the loss rises above
# the straight line between its two ends is the *barrier* ([Frankle et al., 2020](https://arxiv.org/abs/1912.05671)).
# The statistics of batch norm can be interpolated with the weights, or measured anew at each $t$.
#
# **Predict.** Is there a barrier between two seeds? And between two moments of one training? How much of it is batch
# norm's ([Jordan et al., 2023](https://arxiv.org/abs/2211.08403))? Figure 9.7 has the answers.

# %% mystnb={"image": {"alt": "Loss on the straight line between two networks: between two moments of one training, left, it has no barrier; between two seeds, right, it has one, which is far higher with interpolated statistics than with statistics measured anew."}} tags=["nbval-ignore-output"]
lines = landscape_figures.line_frame(found)
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.0))
residual_lines = lines[lines.kind == "residual"]
for ax, seeds in zip(axes, ("one", "two"), strict=True):
    landscape_figures.plot_between(residual_lines[residual_lines.seeds == seeds], ax)
    ax.set_title("one training" if seeds == "one" else "two seeds", fontsize=10)
    ax.label_outer()
plt.show()

# %% [markdown]
# **Figure 9.7.** On the straight line between two residual networks of 20 layers: two moments of one training (left),
# two seeds (right).

# %% tags=["nbval-ignore-output"]
lines[lines.share == 0.5].pivot_table(index=["kind", "seeds"], columns="statistics", values="error").round(1)

# %% [markdown]
# (Error halfway, in %, on training images.) Between two moments of one training there is no barrier. Between two seeds
# there is, with either statistics; measuring them anew takes more than half of it away, and still the network halfway is
# wrong on most images.
#
# A barrier on the *straight* line does not say that no path leads around it: the mean of two good networks may be a bad one.
#
# ## Summary
#
# - A slice shows the loss on a line or plane through the weights. Its directions are scaled to the filters, or networks
#   cannot be compared.
# - With batch norm, say which statistics a picture used. The height of its walls depends on it.
# - A random direction sees the average curvature, which is far less than the largest. A slice can show a bowl beside a
#   wall.
# - Draw several directions before you compare. What changes with the seed is no property of the network.
# - Of the recorded twins the residual one looks flatter only where both are deep. There it curves more after the short
#   training, and less after the long one.

# %% [markdown]
# ## Exercises
#
# The cells of exercises 1 to 3 check themselves: put your answer in, run, read. They are run here without one.

# %% [markdown]
# **1. Flat by trick.** Multiply all weights of the first convolution by 2. With statistics measured anew the network computes
# the same, since batch norm divides by twice as much. By which factor does the curvature change along a direction that
# moves only that layer?

# %%
factor = None  # your answer


def curvature_of_first_layer(scale: float) -> float:
    """Along one random unit vector of the first layer, whose weights are multiplied by ``scale``."""
    scaled = deepcopy(network)
    with torch.no_grad():
        scaled.stem[0].weight.mul_(scale)
    along = [each if place == 0 else torch.zeros_like(each) for place, each in enumerate(first)]
    return landscape.curvature(scaled, few, along, anew=True)


if factor is None:
    print("Not answered yet.")
elif abs(factor - curvature_of_first_layer(2) / curvature_of_first_layer(1)) < 0.02:
    print("Right. The function is the same, and a ruler in units of weights calls it flatter.")
elif factor == 1:
    print("Wrong: the loss is the same, but the same step is now a smaller part of each filter.")
else:
    print("Wrong: write the loss as f(w / 2) and differentiate it twice.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `factor = 1 / 4`: with $\tilde f(w) = f(w / 2)$ the second derivative is $f''(w / 2) / 4$. A step scaled to the filters
# is twice as long now, so a filter-normalised slice does not change at all.
#
# </details>
#
# **2. Right angles.** Two random unit vectors in $n$ dimensions: their cosine has mean 0. What is its standard deviation for
# $n = 269{,}722$?

# %%
deviation = None  # your answer

if deviation is None:
    print("Not answered yet.")
else:
    size = 269_722
    pairs = torch.randn(40, 2, size, generator=torch.Generator().manual_seed(0))
    cosines = F.cosine_similarity(pairs[:, 0], pairs[:, 1])
    close = 0.75 < deviation / cosines.square().mean().sqrt().item() < 1.35
    hint = "the variances of all n products add up, and each is 1 / n squared"
    print("Right, as 40 pairs show." if close else f"Wrong: {hint}.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `deviation = 269_722 ** -0.5`, about 0.002: the sum of $n$ products of variance $1 / n^2$ has variance $1 / n$. So a
# random direction has about $1 / n$ of its squared length along the steepest one.
#
# </details>
#
# **3. The barrier.** Complete the function: losses at equal distances on a line in, height of the barrier out.


# %%
def barrier_by_hand(values: list[float]) -> float | None:
    """How far the values rise above the straight line between the first and the last."""
    return None  # your code


cases = {(1.0, 3.0, 1.0): 2.0, (1.0, 2.0, 3.0): 0.0, (0.0, 2.0, 2.0): 1.0, (1.0, 0.0, 1.0): 0.0}
answers = {case: barrier_by_hand(list(case)) for case in cases}
if None in answers.values():
    print("Not answered yet.")
else:
    wrong = [case for case, answer in answers.items() if abs(answer - cases[case]) > 1e-6]
    print(f"Wrong for {list(wrong[0])}: what would a line without a barrier be there?" if wrong else "Right.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def barrier_by_hand(values):
#     last = len(values) - 1
#     line = [values[0] + (values[-1] - values[0]) * place / last for place in range(last + 1)]
#     return max(value - below for value, below in zip(values, line))
# ```
#
# At the ends the difference is 0, so a valley in between gives 0, no negative number.
#
# </details>
#
# **4. Downhill.** Draw a slice along the negative gradient, scaled to the filters like a random direction. Predict first: is
# it like a random one, or like the eigenvector?
#
# <details><summary>Solution</summary>
#
# ```python
# copy = deepcopy(network).train()
# loss = F.cross_entropy(copy(batch.images), batch.labels)
# gradient = torch.autograd.grad(loss, list(copy.parameters()))
# downhill = [
#     -g * landscape.filter_norms(w) / landscape.filter_norms(g).clamp(min=1e-12) if w.ndim > 1 else 0 * g
#     for g, w in zip(gradient, network.parameters())
# ]
# landscape.losses(network, [downhill], landscape_records.steps(41), batch, anew=True)
# ```
#
# The gradient lies for a good part in the few steep directions. Its slice is narrow: a very short step helps, and a
# longer one climbs the other wall. That is what a learning rate has to fit into.
#
# </details>
#
# ## References
#
# - [Li et al. (2018)](https://arxiv.org/abs/1712.09913): filter-normalised slices, and the pictures that this page asks
#   about.
# - [Pearlmutter (1994)](https://doi.org/10.1162/neco.1994.6.1.147): products with the Hessian;
#   [Dinh et al. (2017)](https://arxiv.org/abs/1703.04933): why flatness needs a ruler.
# - [Frankle et al. (2020)](https://arxiv.org/abs/1912.05671): the line between two trainings;
#   [Jordan et al. (2023)](https://arxiv.org/abs/2211.08403): batch norm's part in it.

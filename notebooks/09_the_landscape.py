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
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the networks; [chapter 8](08_take_it_apart.ipynb) met batch
# norm's statistics before. With `tier = "smoke"` the page takes about a minute on 2 cores and downloads nothing;
# `"cpu"` and `"paper"` take two to ten minutes and CIFAR-10 (170 MB). Nothing is trained here.

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": built-in images; "cpu": networks trained in minutes; "paper": the same, finer
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
from copy import deepcopy

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import HTML, Markdown, display

from resnet_book import data
from resnet_book.analysis import landscape
from resnet_book.experiments import landscape_records, records, weights
from resnet_book.report import figures, landscape_figures, landscape_frames, surfaces

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
STEPS, IMAGES = {"smoke": (9, 64), "cpu": (11, 128), "paper": (41, 128)}[tier]
f"this page measures lines at {STEPS} points, each on {IMAGES} images"

# %% [markdown]
# Batch norm subtracts a mean and divides by a standard deviation. In testing (`.eval()`) they are averages kept from
# training: *statistics as trained*. In training (`.train()`) they are those of the batch: *statistics measured anew*.
#
# In the middle, at the dot, stands the network. Every other point is the same network with its weights moved along two
# random directions, and the height is its loss on 128 training images, in nats (units of the natural logarithm). A step
# of 1 moves each filter as far as the filter is long.
#
# > **Predict.** The weights are the same, point for point. With which statistics will the walls be higher?

# %% tags=["nbval-ignore-output"]
results = records.find_results()
every = landscape_records.LANDSCAPE.read_all(results)
long, short = ([each for each in every if each.experiment.endswith(end)] for end in ("-cifar10", "-cifar10-short"))
HTML(surfaces.turnable(surfaces.scenes(long + short)))

# %% [markdown]
# As trained, nearly everywhere. Mind the scale, which is logarithmic, from 0.1 up to 1,000 as trained, but only to 10
# measured anew: walls that look equal are not. (What is lower or higher is drawn at the edge of the scale: the dots
# after 64,000 iterations and, as trained, half of the map of the plain network of 56 layers after 2,000.)
#
# ## A pair of trained networks
#
# We build a slice from nothing, for twins that were trained beforehand, and differ in the shortcuts alone.

# %%
recipes = [] if tier == "smoke" else ["cifar10-short"]
pairs = [(f"plain20-{recipe}", f"resnet20-{recipe}") for recipe in [*recipes, "builtin-smoke"]]
twins = dict(zip(("plain", "residual"), weights.load_first_group(pairs, data_root or None, results), strict=True))
record = twins["residual"][1]
images = data.load(record.dataset["name"], "train", data_root or None).subset(IMAGES)
batch = landscape.batch_of(images, record.mean, record.std)
{one.experiment: f"test error {one.test_error:.2f} %" for _, one in twins.values()}

# %% tags=["remove-input"]
if (plain := twins["plain"][1].experiment) != pairs[0][0]:
    text = f"> **The twins that tier `{tier}` asks for are not at hand**, so this page looks at `{plain}` and its residual twin."
    display(Markdown(text))

# %% [markdown]
# In the smallest tier these twins saw easy drawings for 150 iterations, and the plain one is ahead. They show the
# method; the comparison comes with CIFAR-10.
#
# ## A direction, by hand
#
# A direction is a number for each parameter. Drawn at random, it is a bad ruler: a step of 1 changes a filter of small
# weights beyond recognition, and one of large weights hardly at all. Worse, a network with batch norm computes the same
# when its filters are multiplied by 10. Then the same step is a tenth of what it was, and the valley looks ten times as
# wide. So [Li et al. (2018)](https://arxiv.org/abs/1712.09913) scale each random filter to the length of the network's
# own. Biases and batch norm's parameters stay where they are.


# %%
def direction_by_hand(network, seed: int) -> list[torch.Tensor]:
    """A random direction, filter by filter as long as the network's."""
    generator = torch.Generator().manual_seed(landscape.DIRECTION_SEEDS + seed)
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
f"{sum(each.numel() for each in first):,} numbers"

# %% [markdown]
# Why not `manual_seed(seed)`? The network drew its first weights from seed 0, one tensor after the other. A direction
# drawn from seed 0 in the same order has the *same numbers*, up to each filter's length: it points along the weights
# that training started from and, after a short training, still along those of now. A step then mostly makes filters
# longer or shorter, which batch norm undoes. (This page fell into that trap once.) How alike are they? Of random
# directions the cosine is within a few thousandths of 0: exercise 2.


# %%
def cosine(one: list[torch.Tensor], other: list[torch.Tensor]) -> float:
    """Of the filters alone: biases and batch norm's parameters are left out."""
    one, other = (torch.cat([each.flatten() for each in tensors if each.ndim > 1]) for tensors in (one, other))
    return F.cosine_similarity(one, other, dim=0).item()


began = [each.detach() for each in weights.untrained(record).parameters()]
trained = [each.detach() for each in network.parameters()]
trap = direction_by_hand(network, record.seed - landscape.DIRECTION_SEEDS)  # from the bare seed
alike = {"from the network's own seed": trap, "as above": first}
pd.DataFrame(
    {name: [cosine(each, began), cosine(each, trained)] for name, each in alike.items()}, ["at the start", "trained"]
).round(3)

# %% [markdown]
# ## A slice, by hand
#
# Move the weights, compute the loss, and repeat, with either statistics; the batch at hand is our images. Once the
# weights have moved, what was kept from training no longer fits.


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


steps = landscape_records.steps(STEPS)
mine = {anew: slice_by_hand(network, first, steps, anew) for anew in (False, True)}
for anew, values in mine.items():
    expected = landscape.losses(network, [first], steps, batch, anew)
    torch.testing.assert_close(torch.tensor(values, dtype=torch.float64), expected, rtol=1e-3, atol=1e-3)
pd.DataFrame({"as trained": mine[False], "anew": mine[True]}, index=pd.Index(steps, name="step")).round(2)

# %% [markdown]
# Figure 9.1 draws the same for both twins, on one scale.

# %% mystnb={"image": {"alt": "Loss against the step along one direction for the twins of this page, with statistics as trained on the left and measured anew on the right, on one logarithmic scale. In the smallest tier it rises on the left to more than 5 at both ends, for both twins; on the right it ends near that of blind guesses."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.0))
for anew, (words, ax) in enumerate(zip(landscape_records.BOTH, axes, strict=True)):
    for kind, (each, _) in twins.items():
        along = landscape.random_direction(each, seed=0)
        ax.plot(steps, landscape.losses(each, [along], steps, batch, bool(anew)), **figures.look(kind, 20))
    ax.axhline(landscape_figures.CHANCE, color=figures.COLOURS["neutral"], linestyle=":", linewidth=1)
    ax.set(xlabel="step (1: as long as the filters)", ylabel="loss (nats)", yscale="log")
    ax.set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"], minor=False)
    ax.minorticks_off()
    ax.set_title(landscape_figures.IN_WORDS[words])
    ax.label_outer()
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# **Figure 9.1.** The twins of this page along one direction. Dotted: the loss of blind guesses, which give each of ten
# classes the same probability: $\log 10 \approx 2.3$.

# %% [markdown]
# As trained, each layer divides by a number that no longer fits, and passes its error on.
#
# Training computes with the statistics of the batch, and never sees the surface on the left. Published pictures may:
# the [code of Li et al.](https://github.com/tomgoldstein/loss-landscape/blob/master/evaluation.py) calls `net.eval()`.
#
# ## The recorded networks, on CIFAR-10
#
# `resnet-book landscape NAME` does this to a *recorded* network: one trained beforehand, whose results the book keeps.
# Here are twins of 20 and 56 layers, trained for 64,000 iterations as in the paper, or 2,000 (`-short`).

# %%
runs = [records.load_record(records.path_of(results, each.experiment, each.seed)) for each in short + long]
about = {each.experiment: (each.train_error, each.test_error) for each in runs}
pd.DataFrame(about, index=["training error (%)", "test error (%)"]).T.round(1)

# %% [markdown]
# (The training error is that of the last whole epoch as it ran, on cropped and mirrored images, and may be above the
# other.) After 2,000 iterations the deep plain network had hardly learned, and what lies around it says nothing about
# trained networks. So the comparison is for those of 64,000 iterations. In the famous pictures the deep plain network
# is full of hills and valleys. Do you see any in Figure 9.2?

# %% mystnb={"image": {"alt": "Maps of the loss on a plane around networks trained for 64,000 iterations, plain and residual, a row for each depth; left with statistics as trained, right measured anew. As trained the loss rises to hundreds in the corners with 20 layers, to tens with 56, to 200 in one, and the lines are uneven. Measured anew all four are round bowls, that of the residual network of 56 layers the widest."}} tags=["nbval-ignore-output"]
landscape_figures.draw_maps(long)
plt.show()

# %% [markdown]
# **Figure 9.2.** The loss around networks of 64,000 iterations, in nats on the lines. White is 0.1 or less; the darkest
# colour is 1,000 or more on the left, 10 on the right.

# %% [markdown]
# Nothing like a mountain range, at points a fifth or a quarter of a step apart; as trained, uneven slopes. But a plane
# is one draw of two directions. Figure 9.3 walks away in five, to both sides. **Predict.** Which twin stays lower?

# %% mystnb={"image": {"alt": "Loss on walks away from networks trained for 64,000 iterations, a row for each depth, statistics as trained on the left, measured anew on the right. With 20 layers the walks of plain and residual networks are mixed. With 56 layers, measured anew, the residual ones stay below the plain ones; as trained, the medians cross."}} tags=["nbval-ignore-output"]
slices = landscape_frames.slice_frame(long)
landscape_figures.draw_walks(slices)
plt.show()

# %% [markdown]
# **Figure 9.3.** Walks away from networks trained for 64,000 iterations (thin), and their median at each distance
# (thick). Left on a logarithmic scale. Dotted: blind guesses.

# %% [markdown]
# The table has the loss at the weights (`start`), then its median over the walks, with the least and the most. (With 20
# layers, whose points lie at 0.4 and 0.6, half a step is the mean of the two.) `down`: of all stretches from one point
# to the next, how many lead down.

# %% tags=["nbval-ignore-output"]
landscape_frames.heights(slices)

# %% [markdown]
# Twins share their directions, so we can compare them walk by walk. On how many of ten is the residual network lower?

# %% tags=["nbval-ignore-output"]
walks = landscape_frames.rises(slices).set_index(["depth", "statistics", "direction", "side", "kind"])[["half", "end"]]
lower = walks.xs("residual", level="kind") < walks.xs("plain", level="kind")
lower.groupby(["depth", "statistics"]).sum()

# %% [markdown]
# At the end nearly every walk is worse than blind guesses, so look half a step away. There, measured anew, the residual
# network of 56 layers is lower on ten of ten walks, by nearly a half in the median: here its bowl is wider. (It is also
# the better trained of the two, with a training error of 0.2 % beside 4.5 %, which may be why.) With 20 layers it is
# lower on three. Closer in, at a fifth of a step, it is on none: on this batch it begins higher. We cannot tell that
# from chance. Ten walks are five draws, all on one batch, and this is one training of each network. As trained, more
# than half of the walks are worse than blind guesses half a step away already, so we read nothing into their order.
#
# Is a surface *smoother*, with fewer ups and downs? Measured anew, no walk leads down anywhere. As trained a few
# stretches do, on 7 of the 20 walks from plain networks and on none from residual ones. That holds for these lines: on
# the maps of Figure 9.2, away from the middle, some stretches lead outwards and down around all four networks. Of finer
# jags these points say nothing.
#
# At the weights (`start`) the loss measured anew is the higher one, in three networks more than ten times. They were
# trained on cropped and mirrored images, and the statistics of images as they came do not fit. On cropped and mirrored
# copies of the same images it is at most about twice as high.
#
# ## What a slice cannot show
#
# How curved is the loss at the weights? Its second derivatives form the Hessian $H$, for 20 layers a matrix of 269,722
# rows. Its largest eigenvalue is the curvature along the eigenvector that belongs to it: the most curved direction. We
# cannot store $H$, but we can multiply by it: $Hv$ is the gradient of the number $g^\top v$, where $g$ is the gradient
# of the loss ([Pearlmutter, 1994](https://doi.org/10.1162/neco.1994.6.1.147)).


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
# Multiply a random vector by $H$ again and again, and it turns into the eigenvector whose eigenvalue is largest in
# size, positive or negative: power iteration. **Predict.** How many times more will the loss curve along it than along
# our random direction: ten, a hundred, thousands?

# %% tags=["nbval-ignore-output"]
generator = torch.Generator().manual_seed(0)
vector = [torch.randn(each.shape, generator=generator) for each in network.parameters()]
estimates = []
for _ in range(10):
    length = landscape.dot(vector, vector).sqrt()
    unit = [each / length for each in vector]
    vector = hessian_times(network, unit)
    estimates.append(landscape.dot(unit, vector).item())  # v H v: the curvature along v
ratio = abs(estimates[-1] / along_first.item())
f"curvature after each product: {[round(each, 2) for each in estimates]}; the last is {ratio:,.0f} times as large"

# %% [markdown]
# A random direction in so many dimensions is nearly at a right angle to the most curved one. It sees about the
# *average* curvature, small beside the largest. Figure 9.4 has the networks of 64,000 iterations.

# %% mystnb={"image": {"alt": "Left: curvature for each network and statistics; circles for the most curved direction lie four to five orders of magnitude to the right of bars for random ones. Right: the loss along the most curved direction rises within a twentieth of a step, to both sides and the most around the plain network of 56 layers, with the others more to one side; random directions are flat."}} tags=["nbval-ignore-output"]
curvatures = landscape_frames.curvature_frame(long)
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.6))
landscape_figures.plot_curvature(curvatures, axes[0])
landscape_figures.plot_eigenvector(slices, axes[1])
figures.add_legend(fig, ncols=4)
plt.show()

# %% [markdown]
# **Figure 9.4.** Left: curvature along the most curved direction (circles) and along random ones (bars). Right: the
# loss along the most curved direction (thick) and along a random one (thin, straight lines to its nearest points),
# statistics measured anew. A step is equally long in both: 1 is the length of all filters together. (The curvature with
# 56 layers was measured anew only.)

# %% tags=["nbval-ignore-output"]
at_end = curvatures.set_index(["depth", "statistics", "kind"]).sort_index()
random = at_end.random.map(lambda each: sum(map(abs, each)) / len(each))
table = at_end[["top"]].round(2).assign(random=random.map("{:.5f}".format))
table.assign(times=(at_end.top / random).map("{:,.0f}".format))

# %% [markdown]
# (`top`: the largest eigenvalue, after at most thirty products.) It is more than twenty thousand times the curvature
# along a random direction, and no random slice shows it. But it holds only close to the weights: a twentieth of a step
# away the loss has risen by less than a thirtieth of what this curvature foretells, around one network (residual, 20
# layers) almost to one side only.
#
# Does the eigenvalue rank the twins? No: it counts per unit of weight. Exercise 1 changes a curvature and not what the
# network computes ([Dinh et al., 2017](https://arxiv.org/abs/1703.04933)).
#
# ## Along the way
#
# For Figure 9.5 the short trainings of 20 layers were repeated (not exactly: see
# [How to get every number again](../book/reproduce.md)), and their weights kept at some iterations. **Predict.** Do the
# sides of the valley get flatter, or steeper?

# %% mystnb={"image": {"alt": "Loss along one direction at stages of a training, for the plain and the residual network of 20 layers: before training nearly level in the plain network, a high valley in the residual one; from iteration 100 on the valleys get deeper and steeper."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.0))
for ax, kind in zip(axes, twins, strict=True):
    landscape_figures.plot_way(landscape_frames.slice_frame(short), ax, kind)
plt.show()

# %% [markdown]
# **Figure 9.5.** The loss along one direction at stages of a training, statistics measured anew (darker: later).

# %% tags=["nbval-ignore-output"]
stages = landscape_frames.curvature_frame(short).query("at != 'trained'").rename(columns={"at": "iteration"})
stages.pivot(index="kind", columns="iteration", values="top").round(2)

# %% [markdown]
# Before the first step the twins have the same weights, so their numbers compare. Along its most curved direction the
# plain surface bends *downwards* (the eigenvalue is negative), more than five times as strongly as the residual one.
# Along our random direction the residual surface bends *upwards*, several times as strongly as the plain one. So no
# single number says which is smoother. Then the residual valley gets flatter; from iteration 100 on both get deeper,
# and steeper.
#
# ## Summary
#
# - A slice shows the loss on a line or plane through the weights. Its directions are scaled to the filters, or networks
#   cannot be compared. Draw several: what changes with the draw is no property of the network.
# - Draw a direction from a seed of its own. With batch norm, say which statistics a picture used: the high walls are
#   there as trained, and not measured anew.
# - A random direction sees about the average curvature, far less than the largest.
# - Is the residual network's surface smoother, after 64,000 iterations? Measured anew, at our steps, neither twin's has
#   a walk that leads down. As trained, some from the plain networks do, none from the residual ones; away from these
#   lines, on the maps, it goes down around both. Is it wider? With 56 layers, measured anew, half a step away, along
#   five directions of five; with 20 we cannot tell.
# - Could a picture tell? Not ours: the contrast of the famous pictures we do not find, and another batch or another
#   training may give another answer.

# %% [markdown]
# ## Exercises
#
# The cells check themselves: put your answer in, run, read.
#
# **1. Flat by trick.** Multiply all weights of the first convolution by 2. With statistics measured anew the network
# computes the same, since batch norm divides by twice as much. By which factor does the curvature change along a
# direction that moves only that layer?

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
else:
    print("Wrong: write the loss as f(w / 2) and differentiate it twice.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `factor = 1 / 4`: with $\tilde f(w) = f(w / 2)$ the second derivative is $f''(w / 2) / 4$. A step scaled to the
# filters is twice as long now, so a filter-normalised slice does not change at all.
#
# </details>
#
# **2. Right angles.** Two random unit vectors in $n$ dimensions: their cosine has mean 0. What is its standard
# deviation for $n = 269{,}722$?

# %%
deviation = None  # your answer

if deviation is None:
    print("Not answered yet.")
else:
    close = abs(deviation * 269_722**0.5 - 1) < 0.05
    print("Right." if close else "Wrong: n variances add up, each of them 1 / n squared.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `deviation = 269_722 ** -0.5`, about 0.002: the sum of $n$ products of variance $1 / n^2$ has variance $1 / n$. So a
# random direction has about $1 / n$ of its squared length along the most curved one.
#
# </details>
#
# **3. Between two seeds.** Walk in a straight line from the weights of one training to those of another (as trained,
# the kept statistics move along with them). Let the *barrier* be how far the loss rises above the straight line between
# its two ends; [Frankle et al. (2020)](https://arxiv.org/abs/1912.05671) measure it in the error, above the mean of the
# ends. Complete the function; the cell applies it to two recorded residual networks of 20 layers, of two seeds.


# %%
def barrier_by_hand(values: list[float]) -> float | None:
    """How far the values rise above the straight line between the first and the last."""
    return None  # your code


between = landscape_frames.line_frame(short).query("seeds == 'two'").groupby("statistics").loss
answers = {statistics: barrier_by_hand(list(losses)) for statistics, losses in between}
if None in answers.values():
    print("Not answered yet.")
elif all(
    abs(barrier_by_hand(values) - landscape.barrier(values)) < 1e-6
    for values in [*map(list, between.apply(list)), [4.0, 3.5, 2.5, 0.0], [2.0, 0.0, 1.0]]  # steep ends; a valley
):
    print("Right:", {statistics: round(answer, 2) for statistics, answer in answers.items()})
else:
    print("Wrong: how high is the straight line at each point? Take it away, then find the largest difference.")

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
# There is a barrier with either statistics: 3.4 nats high as trained, 1.6 measured anew
# ([Jordan et al., 2023](https://arxiv.org/abs/2211.08403)). A path may lead around it.
#
# </details>
#
# ## References
#
# - [Li et al. (2018)](https://arxiv.org/abs/1712.09913): filter-normalised slices, and the famous pictures.
# - [Pearlmutter (1994)](https://doi.org/10.1162/neco.1994.6.1.147): products with the Hessian;
#   [Dinh et al. (2017)](https://arxiv.org/abs/1703.04933): why flatness needs a ruler.
# - [Frankle et al. (2020)](https://arxiv.org/abs/1912.05671): the line between two trainings;
#   [Jordan et al. (2023)](https://arxiv.org/abs/2211.08403): batch norm's part in it.

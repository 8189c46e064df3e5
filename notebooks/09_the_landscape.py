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
from importlib.util import find_spec

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
# Batch norm divides by a standard deviation. In testing (`.eval()`) it is an average kept from training: *statistics as
# trained*. In training (`.train()`) it is that of the batch at hand: *statistics measured anew*.
#
# In the middle, at the dot, stands the network. Every other point is the same network with its weights moved along two
# random directions, and the height is its loss on 128 training images, in nats (units of the natural logarithm). A step
# of 1 moves each filter as far as the filter is long. The scale is logarithmic: from 0.1 to 1,000 as trained, to 10
# measured anew. What lies beyond is drawn at its end: so are all the dots after 64,000 iterations, which lie below 0.1.
#
# > **Predict.** The weights are the same, point for point. With which statistics will the walls be higher?

# %% tags=["nbval-ignore-output"]
results = records.find_results()
every = landscape_records.LANDSCAPE.read_all(results)
long, short = ([each for each in every if each.experiment.endswith(end)] for end in ("-cifar10", "-cifar10-short"))
HTML(surfaces.turnable(surfaces.scenes(long + short)))

# %% [markdown]
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
f"{sum(each.numel() for each in first):,} numbers"

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
# **Predict.** Figure 9.1 draws the same for both twins. What becomes of the scores where the loss gets so high?

# %% mystnb={"image": {"alt": "Loss against the step along one direction for the twins of this page, with statistics as trained on the left and measured anew on the right, on one logarithmic scale. In the smallest tier the loss rises on the left to hundreds and more to one side; to the other that of the plain network stays near that of blind guesses, and that of the residual one goes above it and comes back. On the right it stays below 5."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.0))
for anew, (words, ax) in enumerate(zip(landscape_records.BOTH, axes, strict=True)):
    for kind, (each, _) in twins.items():
        along = landscape.random_direction(each, seed=0)
        ax.plot(steps, landscape.losses(each, [along], steps, batch, bool(anew)), **figures.look(kind, 20))
    ax.axhline(landscape_figures.CHANCE, color=figures.COLOURS["neutral"], linestyle=":", linewidth=1)
    ax.set(xlabel="step (1: as long as the filters)", ylabel="loss (nats)", yscale="log")
    ax.set_title(landscape_figures.IN_WORDS[words])
    ax.label_outer()
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# **Figure 9.1.** The twins of this page along one direction. Dotted: the loss of blind guesses, which give each of ten
# classes the same probability: $\log 10 \approx 2.3$.

# %% tags=["nbval-ignore-output"]
spread = {}
for kind, (each, _) in twins.items():
    for anew, words in enumerate(landscape_records.BOTH):
        for step in (-1, 0, 1):
            there = landscape.moved(each, [landscape.random_direction(each, seed=0)], [step]).train(bool(anew))
            with torch.no_grad():
                spread[kind, words, step] = there(batch.images).std(dim=0).mean().item()
pd.Series(spread).rename_axis(["kind", "statistics", "step"]).unstack().map("{:,.2f}".format)

# %% [markdown]
# The spread of the scores is their standard deviation over the images, averaged over the classes. As trained, each layer
# divides by a number that no longer fits, and passes its error on. In the smallest tier the spread becomes tens or
# hundreds of times as large to one side. To the other it shrinks, in the plain network to zero: all images get the same
# scores, nearly equal for all classes, and the loss is that of blind guesses. In the residual network some classes get
# higher scores than others, nearly whatever the image, and the loss is higher. Which side explodes depends on the draw;
# why, we have not tested. Measured anew, the spread stays within a factor of four.
#
# Training computes with the statistics of the batch, and never sees the surface on the left. Published pictures may: the
# [code of Li et al.](https://github.com/tomgoldstein/loss-landscape/blob/master/evaluation.py) calls `net.eval()`.
#
# ## The recorded networks, on CIFAR-10
#
# `resnet-book landscape NAME` does this to a *recorded* network: one trained beforehand, whose results the book keeps.
# Here are twins of 20 and 56 layers, trained for 64,000 iterations as in the paper, or 2,000 (`-short`).

# %%
runs = [records.load_record(records.path_of(results, each.experiment, each.seed)) for each in short + long]
about = {each.experiment: (each.epochs[-1].train_error, each.test_error) for each in runs}
pd.DataFrame(about, index=["training error (%)", "test error (%)"]).T.round(1)

# %% [markdown]
# After 2,000 iterations the deep plain network had hardly learned, and what lies around it says nothing about trained
# networks. So the comparison is for those of 64,000 iterations. **Predict.** In the famous pictures the deep plain
# network is full of hills and valleys. Which maps in Figure 9.2 will show some?

# %% mystnb={"image": {"alt": "Maps of the loss on a plane around networks trained for 64,000 iterations, plain and residual, a row for each depth; left with statistics as trained, right measured anew. As trained the plain networks have a wall to the right, along a direction whose random numbers they share. Measured anew all four are round bowls, that of the residual network of 56 layers the widest."}} tags=["nbval-ignore-output"]
landscape_figures.draw_maps(long)
plt.show()

# %% [markdown]
# **Figure 9.2.** The loss around networks of 64,000 iterations, in nats on the lines. Darkest: 1,000, right 10.

# %% tags=["nbval-ignore-output"]
landscape_frames.dips_of(long)

# %% [markdown]
# The table counts dips: points, beside the middle, that lie lower than their neighbours along both directions. Measured
# anew there are none. As trained there are a few, more around the plain networks. But the points are a fifth or a
# quarter of a step apart, and finer jags would slip through. A plane is one draw of two directions. Figure 9.3 walks away
# in five random directions (three with 56 layers), to both sides. **Predict.** Which twin stays lower?

# %% mystnb={"image": {"alt": "Loss on walks away from networks trained for 64,000 iterations, a row for each depth, statistics as trained on the left, measured anew on the right. With 20 layers the walks of plain and residual networks are mixed. With 56 layers, measured anew, five of the six residual ones stay below all plain ones half a step and one step away; as trained, the medians cross."}} tags=["nbval-ignore-output"]
slices = landscape_frames.slice_frame(long)
landscape_figures.draw_walks(slices)
plt.show()

# %% [markdown]
# **Figure 9.3.** Walks away from networks trained for 64,000 iterations (thin), and their median at each distance
# (thick). Left on a logarithmic scale. Dotted: blind guesses.

# %% tags=["nbval-ignore-output"]
landscape_frames.heights(slices)

# %% [markdown]
# (`start`: loss at the weights. Then its median over the walks, and least to most; with 20 layers half a step lies on
# the straight line between two points. `down`: how many pieces of the walks lead down, next to none.)
#
# With 20 layers the ranges overlap: no difference that we could tell from chance. With 56 layers, measured anew, the
# residual network stays lower: half a step away its median is less than half of its twin's, one step away about two
# thirds. Five of its six walks stay below all of the plain ones, the sixth does not, and six walks are only three draws.
# As trained the result is mixed: its median is lower half a step away, and higher one step away. And this is one
# training of each network. Smoother it is not: measured anew, no piece of any walk leads down.
#
# At the weights (`start`) the loss measured anew is the higher one, in three networks more than ten times. Training crops
# and mirrors its images, and the kept statistics fit those; the images here are as they came. With the same images
# cropped and mirrored, we found it at most about twice as high. So training saw neither surface quite.
#
# As trained the draw matters most. Here the highest walk around each network ends, and the `next` one (what was above a
# million was kept as a million).

# %% tags=["nbval-ignore-output"]
walks = landscape_frames.rises(landscape_frames.slice_frame(long + short)).query("statistics == 'as trained'")
each = walks.sort_values("end", ascending=False).groupby("experiment")
each[["direction", "side", "end"]].first().assign(next=each.end.agg(lambda ends: ends.iloc[1])).round(1)

# %% [markdown]
# In seven of eight networks it is the same walk: along direction 0, to the right in Figure 9.2. These are not seven
# confirmations: twins share their random numbers, and those of 20 and 56 layers the numbers of the first seven layers.
# After 64,000 iterations the plain networks' walls of more than 800 are this walk alone: the next end below 60. Only
# around the deep plain network after 2,000, which had hardly learned, the next is above 10,000, too.
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
# A random direction in so many dimensions is nearly at a right angle to the most curved one. It sees the *average*
# curvature, small beside the largest. Figure 9.4 has the networks of 64,000 iterations.

# %% mystnb={"image": {"alt": "Left: curvature for each network and statistics; circles for the most curved direction lie four to five orders of magnitude to the right of bars for random ones. Right: the loss along the most curved direction rises steeply within a twentieth of a step, the most around the plain network of 56 layers, where random directions are flat."}} tags=["nbval-ignore-output"]
curvatures = landscape_frames.curvature_frame(long)
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.6))
landscape_figures.plot_curvature(curvatures, axes[0])
landscape_figures.plot_eigenvector(slices, axes[1])
figures.add_legend(fig, ncols=4)
plt.show()

# %% [markdown]
# **Figure 9.4.** Left: curvature along the most curved direction (circles) and along random ones (bars). Right: the
# loss along the most curved direction (thick) and along a random one (thin, straight lines to its nearest points),
# statistics measured anew.

# %% tags=["nbval-ignore-output"]
at_end = curvatures.set_index(["depth", "statistics", "kind"]).sort_index()
random = at_end.random.map(lambda each: sum(map(abs, each)) / len(each))
table = at_end[["top", "last_change"]].round(2).assign(random=random.map("{:.5f}".format))
table.assign(times=(at_end.top / random).map("{:,.0f}".format))

# %% [markdown]
# (`top`: the largest eigenvalue, after at most six products; `last_change`: by which share the last one changed it.) It
# is more than ten thousand times the curvature along a random direction, and no random slice shows it.

# %% tags=["nbval-ignore-output"]
anew = curvatures.query("statistics == 'anew'").set_index(["depth", "kind"]).sort_index()
kept = anew[[(results / name / "seed0.safetensors").exists() for name in anew.experiment]]  # the weights are here
ones = [landscape.random_direction(weights.load_network(name, 0, results)[0], 0) for name in kept.experiment]
distance = pd.Series([0.05 * landscape.dot(one, one).sqrt().item() for one in ones], kept.index)
along = slices[(slices.statistics == "anew") & (slices.direction == landscape_records.EIGENVECTOR)]
at_ends = along[along.step.abs() == 1].groupby(["depth", "kind"]).loss.mean()
far = {"distance": distance, "rise if it held": kept.top * distance**2 / 2, "loss": at_ends.reindex(kept.index)}
pd.DataFrame(far).round(1)

# %% [markdown]
# A twentieth of a step along the eigenvector, the `loss` (the mean of both sides) is higher than half a step along a
# random direction. Yet if the curvature at the weights held that far, it would rise sixty to a hundred times as much:
# half the curvature times the square of the distance. Even at the first point drawn, that would be ten times too much.
# So the curvature holds only close to the weights, and the sharp tips in Figure 9.4 are where straight lines meet.
#
# Does the eigenvalue rank the twins? No: it counts per unit of weight. Exercise 1 changes a curvature and not what the
# network computes ([Dinh et al., 2017](https://arxiv.org/abs/1703.04933)).
#
# ## Along the way
#
# For Figure 9.5 the short trainings of 20 layers were repeated (not exactly: see
# [How to get every number again](../book/reproduce.md)), and their weights kept at some iterations. **Predict.** Do the
# sides of the valley get flatter, or steeper?

# %% mystnb={"image": {"alt": "Loss along one direction at stages of a training, for the plain and the residual network of 20 layers: there is no valley before training, and then one that gets deeper and steeper."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 3.0))
for ax, kind in zip(axes, twins, strict=True):
    landscape_figures.plot_way(landscape_frames.slice_frame(short), ax, kind)
plt.show()

# %% [markdown]
# **Figure 9.5.** The loss along one direction at stages of a training, statistics measured anew (darker: later).

# %% tags=["nbval-ignore-output"]
stages = landscape_frames.curvature_frame(short).query("at != 'trained'").rename(columns={"at": "iteration"})
stages.set_index(["kind", "iteration"])[["top", "last_change"]].round(2)

# %% [markdown]
# Before the first step the eigenvalue that is largest in size is negative: along its eigenvector the weights lie on a
# ridge. Later it is positive. In the figure the valley gets deeper, and its sides steeper. That the eigenvalue falls
# meanwhile does not say that it gets wider: the weights change, and the eigenvalue counts per unit of them.
#
# ## Summary
#
# - A slice shows the loss on a line or plane through the weights. Its directions are scaled to the filters, or networks
#   cannot be compared. Draw several: what changes with the draw is no property of the network.
# - With batch norm, say which statistics a picture used: the high walls are there as trained, and not measured anew.
# - A random direction sees the average curvature, far less than the largest.
# - Is the residual network's surface smoother? Measured anew, after long training, our points show no dip around either
#   twin. With 56 layers the residual bowl is wider, on five of six walks along three directions; with 20 we see no
#   difference. As trained the result is mixed. That is one training of each.
# - Could a picture tell why residual networks train better? Ours do not: they show where a training ended.

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
# **3. Between two seeds.** Walk in a straight line from the weights of one training to those of another (as trained, the
# kept statistics move along with them). Let the *barrier* be how far the loss rises above the straight line between its
# two ends; [Frankle et al. (2020)](https://arxiv.org/abs/1912.05671) measure it above the mean of the two ends.
# Complete the function; the cell applies it to two recorded residual networks of 20 layers, of two seeds.


# %%
def barrier_by_hand(values: list[float]) -> float | None:
    """How far the values rise above the straight line between the first and the last."""
    return None  # your code


between = landscape_frames.line_frame(short).query("seeds == 'two'").groupby("statistics").loss
answers = {statistics: barrier_by_hand(list(losses)) for statistics, losses in between}
if None in answers.values():
    print("Not answered yet.")
elif all(abs(answers[statistics] - landscape.barrier(list(losses))) < 1e-6 for statistics, losses in between):
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

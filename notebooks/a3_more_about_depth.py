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
# # More about depth
#
# This appendix belongs to [chapter 3](03_plain_and_residual.ipynb). **Batch norm keeps the signal of a deep plain
# network alive: what else is wrong with it?**
#
# **You will learn**
#
# - why the gradient of a plain network grows towards the images, and how long the first step is;
# - what becomes of a small difference between two images, and of their gradients;
# - what training has made of the layers of twins, and what weight decay alone would have;
# - how much of what the long trainings show may be the start of one seed.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb); its words (twins, recipe) are used without explanation. With
# `tier = "smoke"` the page takes under half a minute on 2 cores and downloads nothing. `"cpu"` and `"paper"` do the
# same with images of CIFAR-10 (170 MB). No network is trained here.

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": the built-in images; "cpu" and "paper": CIFAR-10
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
import math

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import Markdown, display

# %%
from resnet_book import augment, cifar, data, models
from resnet_book.analysis import diagnostics
from resnet_book.experiments import records, weights
from resnet_book.experiments.catalogue import PAPER, SHORT
from resnet_book.recipe import Recipe
from resnet_book.report import figures, tables

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

# %% [markdown]
# Batch and untrained networks are the chapter's: 32 images (with `"smoke"`, drawings), twins of 20 and 56 layers, one
# seed.


# %%
def untrained(kind: str, depth: int) -> models.Network:
    """A network with the weights of seed 0."""
    return models.narrow(depth, residual=kind == "residual")(generator=torch.Generator().manual_seed(0))


mean, std = augment.channel_mean_std(train_images.images)
images = augment.normalise(train_images.images[:32], mean, std)  # (32, 3, 32, 32)
labels = train_images.labels[:32]
twins = {(kind, depth): untrained(kind, depth) for depth in (20, 56) for kind in figures.KINDS}
list(twins)

# %% [markdown]
# ## Why the gradient grows
#
# The chapter found that the gradient grows from block to block on its way to the images. By what factor per layer: in
# all, in the third of the blocks next to the images, and in that next to the classes?


# %% tags=["nbval-ignore-output"]
def per_layer(blocks: pd.DataFrame) -> float:
    """The factor per layer by which the gradient grows from the last of the blocks to the first."""
    layers = blocks.layer.iloc[-1] - blocks.layer.iloc[0]
    return (blocks.gradient_norm.iloc[0] / blocks.gradient_norm.iloc[-1]) ** (1 / layers)


rates = {}
for (kind, depth), network in twins.items():
    blocks = diagnostics.block_gradients(network, images, labels)
    third = len(blocks) // 3
    parts = {"all": blocks, "next to the images": blocks[:third], "next to the classes": blocks[-third:]}
    rates[kind, depth] = {name: per_layer(part) for name, part in parts.items()}
pd.DataFrame(rates).T.rename_axis(["kind", "depth"]).round(3)

# %% [markdown]
# The chapter gave the reason: batch norm divides by the standard deviation $\sigma$ that the ReLU has made smaller, and
# the gradient on its way back is divided by the same $\sigma$. How large is $\sigma$? Take values $z$ that are normally
# distributed with mean 0 and variance 1, as batch norm makes them. Behind the ReLU, $r = \max(z, 0)$ has the mean
# square $\overline{r^2} = \tfrac12$, since half of the values remain, and the mean $\overline{r} = 1/\sqrt{2\pi}$. Its
# variance is the mean square minus the square of the mean, $\tfrac12 - \tfrac1{2\pi}$.
#
# The next convolution adds up many such values with weights that *He initialisation* ([He et al.,
# 2015b](https://arxiv.org/abs/1502.01852)) gives the mean 0 and the variance 2 divided by the number of values. Its
# output therefore has a mean square of $2 \cdot \tfrac12 = 1$. But what comes from the means $\overline{r}$ is the same
# for all images and pixels: it is a constant of each channel, and batch norm subtracts it. What varies is what comes
# from the variance, and so $\sigma^2 = 2(\tfrac12 - \tfrac1{2\pi}) = 1 - \tfrac1\pi$.
#
# On the way back, the rest of a layer leaves the size of the gradient as it is: the ReLU lets half of it through, which
# halves its square, and the convolution's weights double that. What remains is the division by $\sigma$. With $x_l$ the
# output of layer $l$ and $L$ the loss,
#
# $$
# \frac{\lVert \partial L / \partial x_{l} \rVert}{\lVert \partial L / \partial x_{l+1} \rVert}
# \approx \frac1\sigma = \frac{1}{\sqrt{1 - 1/\pi}} \approx 1.21 . \tag{A3.1}
# $$
#
# [Yang et al. (2019)](https://arxiv.org/abs/1902.08129) derive this for very wide, fully connected layers and large
# batches. In our plain networks the gradient grows at about this rate next to the images, and more slowly next to the
# classes (there channels and resolution differ, too); why, we have not tested. In the residual networks, where only $F$
# goes through batch norms, the rate is lower in every column, though hardly so in the first stage of 20 layers.
#
# ## The first step
#
# What matters is how far a step moves the weights *relative to their size*, since batch norm takes a common factor of a
# layer's weights out again. Figure A3.1 has that ratio for each layer, for our 32 images and the paper's learning rate.

# %% mystnb={"image": {"alt": "Relative length of the first step against layer on a logarithmic scale. In the plain network of 56 layers it grows towards the images and passes 1; in the other three networks it stays below a tenth."}} tags=["nbval-ignore-output"]
gradients = pd.concat(
    diagnostics.weight_gradients(network, images, labels).assign(kind=kind, depth=depth)
    for (kind, depth), network in twins.items()
)
first_step = gradients.assign(step=PAPER.learning_rate * gradients.gradient_norm / gradients.weight_norm)
fig, ax = plt.subplots()
figures.plot_layers(first_step, ax, "step", "step / weights", log=True)
ax.axhline(1, color=figures.COLOURS["neutral"], linewidth=0.8, linestyle=":")
plt.show()

# %% [markdown]
# **Figure A3.1.** Length of the first step at a learning rate of 0.1, divided by the length of the layer's weights.

# %% [markdown]
# In the deep plain network the first step throws the layers next to the images far away from where they were
# initialised. Scaling the weights changes nothing, so the gradient is perpendicular to them: after a step of $r$ times
# their length, the cosine between before and after is $1/\sqrt{1 + r^2}$, or a tenth for $r = 10$.
#
# ## What becomes of a small difference
#
# Is the gradient at one place worth anything nearby? [Chapter 10](10_signals_through_training.ipynb) asks it of a step
# in the weights. Here we move the images, in the spirit of [Balduzzi et al. (2017)](https://arxiv.org/abs/1702.08591).
# Each gets a little noise, a twentieth as large as the variation of the pixels. Is the output of a block still about
# the same? And the gradient that arrives there? Figure A3.2 has the mean cosine between an image's and its copy's.
# (From outputs, never negative behind a ReLU, each channel's mean over the batch is subtracted first.)
#
# **Predict.** In the plain network of 56 layers, near which end do outputs become unlike, and near which gradients?

# %% mystnb={"image": {"alt": "Two panels against layer. Left: outputs for an image and its noisy copy stay alike in residual networks; in the plain network of 56 layers they become unlike over the first 33 layers. Right: gradients become unrelated within the last ten layers of that network. In its twin they fall to about a third, in the plain network of 20 layers to about a tenth."}} tags=["nbval-ignore-output"]
noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))  # seed 0 drew the weights
copies = images + 0.05 * noise
likeness = pd.concat(
    diagnostics.neighbour_similarities(network, images, copies, labels).assign(kind=kind, depth=depth)
    for (kind, depth), network in twins.items()
)
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, measure, title in zip(axes, ("activation", "gradient"), ("outputs", "gradients"), strict=True):
    figures.plot_layers(likeness, ax, measure, "mean cosine")
    ax.set_title(title)
    ax.label_outer()
axes[1].get_legend().remove()
plt.show()

# %% [markdown]
# **Figure A3.2.** How alike an untrained network treats an image and the same image with a little noise: mean cosine
# between outputs of each block (left; the blue lines overlap) and between the gradients that arrive there (right).

# %% [markdown]
# In the left panel follow the signal, from left to right. In the plain network of 56 layers the cosine falls to about a
# quarter by layer 33: a difference that one hardly sees has been amplified. Then it rises to nearly two fifths; why, we
# do not know. In the right panel follow the gradient, from right to left. In the same network its likeness is lost
# within ten layers; in the residual twin it shrinks slowly. But the gradients of the plain network of 20 layers end
# less alike than those of the residual one of 56, and yet it errs less after 2,000 iterations, as chapter 3 shows.
#
# Why does the difference between images grow? Each layer's derivatives multiply it, as they do the gradient, which
# grows. And why do gradients become unlike at the other end? At the last block they still agree, for there a gradient
# depends on its image through label and class probabilities alone, which the noise hardly changes. Then it meets ReLUs,
# and passes where they are open. How many at the end of that block are open for just one of an image and its copy?

# %% tags=["nbval-ignore-output"]
switched = {}
for (kind, depth), network in twins.items():
    one, other = (network.stages(network.stem(batch)) > 0 for batch in (images, copies))  # (32, 64, 8, 8)
    switched[kind, depth] = (one != other).float().mean().item()
pd.Series(switched, name="share").rename_axis(["kind", "depth"]).round(2)

# %% [markdown]
# More than a third in the plain network of 56 layers, under a tenth in its twin. On its way to the block before, the
# gradient passes two ReLUs, and in plain networks each takes about that share off the likeness, or a little more. In
# residual ones the shortcut leads around one of them.
#
# ## Inside the trained networks
#
# How strongly does each layer of a trained network *respond*? The paper's figure 7 shows the standard deviation of what
# leaves its batch norm, before ReLU or addition. In training mode no image is needed for that: batch norm gives channel
# $c$ the learned standard deviation $|\gamma_c|$ and the learned mean $\beta_c$. The variance of all values together is
# the mean of the channels' variances, plus the variance of their means:
#
# $$
# \text{response}^2 = \overline{\gamma^2} + \mathrm{var}(\beta) . \tag{A3.2}
# $$
#
# Before training it is 1 in every layer. But weight decay shrinks $\gamma$, too: `decay_alone` computes how much it
# leaves of a $\gamma$ that has no gradient. And how much of its start is left in a layer's weights? Decay only makes
# them shorter; what turns them is the gradient. So we take the cosine between the weights before and after the
# training. Figure A3.3 shows both for the recorded networks of the short recipe (2,000 iterations on CIFAR-10), one run
# each. **Predict** from Figure A3.1, though its batch was another: which layers of the deep plain network keep most of
# it?


# %% tags=["nbval-ignore-output"]
def decay_alone(recipe: Recipe) -> float:
    """What weight decay leaves of a weight of 1 that has no gradient."""
    rates = sum(recipe.learning_rate_at(iteration) for iteration in range(recipe.iterations))
    return math.exp(-rates * recipe.weight_decay / (1 - recipe.momentum))  # momentum lets each step act ten times


results, recipes, found = records.find_results(), {"short": SHORT, "paper": PAPER}, []
for record in tables.of_depth_table(records.load_all(results)):
    kept = records.path_of(results, record.experiment, 0).with_suffix(".safetensors").exists()
    if kept and record.seed == 0 and record.recipe_name in recipes:
        network, _ = weights.load_network(record.experiment, results=results)
        left = diagnostics.weight_similarities(network, weights.untrained(record)).cosine
        added = {"start_left": left, "alone": decay_alone(recipes[record.recipe_name])}
        found.append(diagnostics.responses_of_weights(network).assign(**added, **tables.whose(record.experiment, 0)))
assert found, "no network of the recipe `short` is recorded with its weights: `resnet-book run` records some"
inside = pd.concat(found)

# %% mystnb={"image": {"alt": "Four panels against layer, plain networks left, residual right, after 2,000 iterations. Above: many layers respond as decay alone would leave them, 0.90. Far above it lie the layers next to the images in plain networks of 44 and 56 layers, below it most second layers of residual blocks. Below: in the plain network of 56 layers hardly anything of the start is left next to the images, and nearly all next to the classes; in plain networks of 20 layers and in residual ones, front and back are less far apart."}} tags=["nbval-ignore-output"]
short = inside[inside.iterations == 2_000]
fig, axes = plt.subplots(2, 2, sharex=True, sharey="row", figsize=(7.2, 5.6))
for row, measure, label in zip(axes, ("response", "start_left"), ("response", "cosine with the start"), strict=True):
    for ax, kind in zip(row, figures.KINDS, strict=True):
        figures.plot_layers(short[short.kind == kind], ax, measure, label, log=measure == "response")
        ax.get_legend().remove()
        ax.label_outer()
for ax in axes[0]:
    ax.axhline(decay_alone(SHORT), color=figures.COLOURS["neutral"], linewidth=0.8, linestyle=":")
figures.add_legend(fig, ncols=4)
plt.show()

# %% [markdown]
# **Figure A3.3.** After 2,000 iterations, plain left, residual right. Above: response of each 3x3 layer (dotted: what
# decay alone leaves). Below: cosine between its weights before and after the training.

# %% tags=["nbval-ignore-output"]
about = ["iterations", "depth", "kind"]
in_blocks = inside[inside.layer > 1]  # layer 1 is the stem; the first layers of the blocks have even numbers
in_numbers = in_blocks.pivot_table(index=about, columns=in_blocks.layer % 2, values="response", aggfunc="median")
in_numbers.columns = ["first layers", "second layers"]
near = (in_blocks.response - in_blocks.alone).abs() < 0.01
by_network = in_blocks.assign(near=near, spread=in_blocks.spread.where(near)).groupby(about)
in_numbers["decay alone"] = by_network.alone.first()
in_numbers["near it"], in_numbers["their spread"] = by_network.near.sum(), by_network.spread.median()
in_numbers[["least left", "most left"]] = inside.groupby(about).start_left.agg(["min", "max"])
in_numbers.round(2)

# %% [markdown]
# (Median responses of the blocks' first and second layers; what decay alone leaves; how many of these layers are within
# 0.01 of it, and the median standard deviation of $\gamma$ in them; smallest and largest cosine with the start. The
# long training, of 64,000 iterations, is the paper's recipe.)
#
# After the short training many layers respond as decay alone would leave them: with 32 and more layers about half in
# plain networks and a third in residual ones, there nearly all first layers. Have they learned nothing? A response is
# one number for all channels: it hardly changes if some $\gamma$ grow and others shrink. Before training all were 1; in
# these layers they now spread by 0.02 to 0.08 in the median, beside the 0.10 that decay has taken off. The 0.02 is that
# of the plain network of 56 layers: only there has $\gamma$ hardly learned anything in most of them. Look at what
# departs from the dotted line: above, the layers next to the images, most of all in deep plain networks (with 56
# layers, the first 18 respond more strongly than before training); below, most second layers of residual blocks, whose
# output a block adds.
#
# The paper found that residual networks respond less strongly than plain ones, and deeper ones less than shallow ones.
# After the short training the first shows in the second layers alone, and the second not from 20 to 56 residual layers.
# After the long one both show in our four networks, one run each; but the deeper plain network responds less, too.
#
# And the start? A low cosine says that a layer was moved, not that it has learned. The deeper the plain network, the
# less of its start is left in the first layers, and the more in the last: with 56 layers almost nothing and almost all,
# with 20 between 0.65 and 0.91 throughout. After the long training no layer of 56 is near its start, in either kind.
#
# ## A bad start?
#
# After the long training our residual network of 56 layers errs on 8.2 %, where others published 6.6 to 7.5 %. The code
# is not the reason: published weights, in our network and by our test, err as was published. Nor is it that the run
# changed machine and precision after 55,241 iterations: its test error had been 8.1 % in the mean since 48,000. But it
# began with seed 0. What does another seed make of shorter trainings?

# %% tags=["nbval-ignore-output"]
rows = tables.run_rows(tables.of_depth_table(records.load_all(results)))
rows = rows[rows.depth.isin([20, 56])]
by_seed = rows.pivot_table(index=["kind", "depth", "iterations"], columns="seed", values="test_error")
by_seed[by_seed.count(axis=1) > 1].map(lambda each: "" if pd.isna(each) else f"{each:.2f}")

# %% [markdown]
# (Test errors in %, where there are several seeds.) Of the residual network of 56 layers seed 1 is ahead all three
# times, by five, four and three points; with 20 layers seeds differ by less than two. In a repetition of the short
# training with seed 0 the first convolutions of the deep network grow to some four to six times their length within a
# hundred iterations, and longer weights turn less in a step. With seed 1 they hardly grow in the first ten (we did not
# look further). But smaller gradients do more to shorten the steps of that time, and after the long training the
# weights are shorter than with 20 layers ([chapter 10](10_signals_through_training.ipynb)).
#
# So seed 0 may be a bad start. But these are not three trials: with one seed, the trainings of 4,000 and of 8,000
# iterations are the same until the learning rate drops. And the long training, with seed 0 as well, had caught up by
# then: after 3,900 iterations, at the large rate, its training error was 21.9 %, that of 8,000 iterations 26.6 % with
# seed 0 and 22.5 % with seed 1. It was in bfloat16 on a GPU, so other rounding does as much as another seed. A second
# long training may tell more.
#
# ## Summary: what else is wrong?
#
# - In plain networks the gradient grows towards the images, next to them by about the factor of equation (A3.1) a
#   layer. With 56 layers, and these 32 images, the first step moves some 16 layers by more than their own length.
# - With 56 layers a small difference between two images grows on its way to the classes, and the gradients for the two
#   become unrelated within a few layers. In the residual twin both are far weaker.
# - The short training leaves hardly anything of the start in that plain network's first layers, and nearly all in its
#   last.
#
# (And after 2,000, 4,000 and 8,000 iterations the residual network of 56 layers does better with seed 1, by three to
# five points, than with seed 0, with which its longer trainings began.)
#
# Is the growth of the gradient why deep plain networks end up worse? Nothing here shows it, with one seed of each.
# After the long training no such contrast is left, and the deep plain network is far behind. With smaller first steps
# about three quarters of its distance to the twin remain after 2,000 iterations ([chapter
# 10](10_signals_through_training.ipynb)).
#
# ## Exercises
#
# **1. The rate of growth.** Equation (A3.1) does not know the depth. Measure the growth per layer of the plain
# networks of 20, 32, 44, 56 and 110 layers. Is it about the same?
#
# <details><summary>Solution</summary>
#
# ```python
# for depth in (20, 32, 44, 56, 110):
#     print(depth, round(per_layer(diagnostics.block_gradients(untrained("plain", depth), images, labels)), 3))
# ```
#
# It is: 1.17 to 1.19 (with the built-in images), at every depth a little less than the theory's rate.
#
# </details>
#
# **2. A smaller difference.** Make the noise of Figure A3.2 a hundred times smaller. Does that save the likeness of
# gradients in the plain network of 56 layers?
#
# <details><summary>Solution</summary>
#
# ```python
# diagnostics.neighbour_similarities(twins["plain", 56], images, images + 0.0005 * noise, labels)
# ```
#
# Now (with the built-in images) the outputs' cosine stays above 0.9 up to layer 37, and gradients are lost all the
# same.
#
# </details>
#
# ## References
#
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): section 4.2; its figure 7 has the responses.
# - [He et al. (2015b)](https://arxiv.org/abs/1502.01852): the initialisation;
#   [Yang et al. (2019)](https://arxiv.org/abs/1902.08129): why gradients grow behind batch norm.
# - [Balduzzi et al. (2017)](https://arxiv.org/abs/1702.08591): gradients that look like noise.

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
# This appendix belongs to [chapter 3](03_plain_and_residual.ipynb), which builds plain and residual networks and asks
# what depth does to them. Here is what only some readers will ask for: the networks before their first step, the
# published errors at all depths, and the inside of the trained networks. **Batch norm keeps the signal of a deep plain
# network alive: what else is wrong with it?**
#
# **You will learn**
#
# - why the gradient of a plain network grows towards the images, and how far the first step goes;
# - what becomes of a small difference between two images, and of their gradients;
# - how strongly the layers of trained twins respond, and how to tell without a single image.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb); its words (twins, recipe, budget) are used without explanation.
# With `tier = "smoke"` the page takes under half a minute on 2 cores and downloads nothing. `"cpu"` and `"paper"` do the
# same with images of CIFAR-10 (170 MB). No network is trained here.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": the built-in images; "cpu" and "paper": CIFAR-10
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
import math
from dataclasses import asdict

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import Markdown, display

# %%
from resnet_book import augment, cifar, data, models
from resnet_book.analysis import diagnostics
from resnet_book.experiments import records, weights
from resnet_book.experiments.catalogue import PAPER
from resnet_book.recipe import Recipe
from resnet_book.report import figures, published, tables

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
# The batch and the untrained networks are those of the chapter: 32 images, twins of 20 and of 56 layers, seed 0.


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
# ## The signal keeps its size
#
# The *response* of a layer is the standard deviation of its output behind the batch norm. Here are the smallest and the
# largest of any layer, in training mode, so that batch norms use the batch's own statistics:

# %%
at_start = {
    f"{kind}, {depth}": diagnostics.layer_responses(network, images, training=True).response
    for (kind, depth), network in twins.items()
}
pd.DataFrame(at_start).agg(["min", "max"]).round(3).T

# %% [markdown]
# All are 1, at any depth, in both kinds. Batch norm sees to that by its very definition. The explanation that holds for
# networks without it, that the signal of a deep one dies out, does not hold for these. The paper says so as well.
#
# ## Why the gradient grows
#
# The chapter found that the gradient grows from block to block on its way to the images. By how much is that per layer?

# %% tags=["nbval-ignore-output"]
at_blocks = pd.concat(
    diagnostics.block_gradients(network, images, labels).assign(kind=kind, depth=depth)
    for (kind, depth), network in twins.items()
)
outer = at_blocks.groupby(["depth", "kind"])[["layer", "gradient_norm"]].agg(["first", "last"])
times = outer.gradient_norm["first"] / outer.gradient_norm["last"]
rate = times ** (1 / (outer.layer["last"] - outer.layer["first"]))
pd.DataFrame({"times larger at the first block": times.round(1), "times per layer": rate.round(3)})

# %% [markdown]
# The chapter gave the reason: batch norm divides by the standard deviation $\sigma$ that the ReLU has made smaller, and
# the gradient on its way back is divided by the same $\sigma$. How large is $\sigma$? Take values $z$ that are normally
# distributed with mean 0 and variance 1, as batch norm makes them. Behind the ReLU, $r = \max(z, 0)$ has
#
# - the mean square $\overline{r^2} = \tfrac12$, since half of the values remain;
# - the mean $\overline{r} = 1/\sqrt{2\pi}$, so the square of the mean is $\tfrac1{2\pi}$;
# - and the variance is the difference of the two, $\tfrac12 - \tfrac1{2\pi}$.
#
# The next convolution adds up many such values with weights that *He initialisation*
# ([He et al., 2015b](https://arxiv.org/abs/1502.01852)) gives the mean 0 and the variance 2 divided by the number of
# values. Its output therefore has a mean square of $2 \cdot \tfrac12 = 1$. But what comes from the means $\overline{r}$ is
# the same for all images and pixels: it is a constant of each channel, and batch norm subtracts it. What varies is what
# comes from the variance, and so $\sigma^2 = 2(\tfrac12 - \tfrac1{2\pi}) = 1 - \tfrac1\pi$.
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
# It is an argument for very wide networks and inputs that are unlike one another, made with rigour by
# [Yang et al. (2019)](https://arxiv.org/abs/1902.08129). The rate measured in the plain networks is a little lower,
# since our layers are narrow and our images not unlike one another. In the residual networks it is lower still, and the
# lower the deeper they are: near the classes each $F$ is a small part of the sum, and its factor close to 1.
#
# ## The first step
#
# What matters is how far a step moves the weights *relative to their size*, since batch norm takes a common factor of a
# layer's weights out again. Figure A3.1 has that ratio for each layer and the first step with the paper's learning rate.
# A ratio of 1 is a step as long as the weights themselves.

# %% mystnb={"image": {"alt": "Relative length of the first step against layer on a logarithmic scale. In the plain network of 56 layers it grows towards the images and passes 1 in the first layers; in the other three networks it stays far below 1."}} tags=["nbval-ignore-output"]
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
# **Figure A3.1.** Length of the first step, at the paper's learning rate, divided by the length of the layer's weights.
# The line: as long as the weights themselves.

# %% tags=["nbval-ignore-output"]
first_step.groupby(["kind", "depth"]).step.agg(["min", "median", "max"]).round(3)

# %% [markdown]
# The first step throws the layers of the deep plain network next to the images far away from where they were
# initialised. That alone need not be the end. Scaling the weights changes nothing, so the loss has no slope in their own
# direction: the gradient is perpendicular to them. A step at a right angle always makes the weights longer, as the long
# side of a right triangle is longer than the others. And longer weights turn less by the next step. So large steps make
# the later ones smaller. [Chapter 10](10_signals_through_training.ipynb) follows the gradients through training.
#
# ## What becomes of a small difference
#
# Norms are half of the story. A gradient is useful only if it is still about right after a small step. So we move each
# image a little, by noise a twentieth as large as the variation of the pixels, and ask of every block: is its output
# still about the same? And is the gradient that arrives there? Figure A3.2 has the mean cosine between
# the two, each taken as one long vector for each image: 1 for the same direction and 0 for unrelated ones. (From
# outputs, which are never negative behind a ReLU, each channel's mean over the batch is subtracted first.)
# [Balduzzi et al. (2017)](https://arxiv.org/abs/1702.08591) call gradients that look like noise *shattered*.
#
# **Predict**, before you look at the table and the figure. A difference that one hardly sees, behind 56 layers: is it
# smaller or larger, without shortcuts and with?

# %% tags=["nbval-ignore-output"]
noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
likeness = pd.concat(
    diagnostics.neighbour_similarities(network, images, images + 0.05 * noise, labels).assign(kind=kind, depth=depth)
    for (kind, depth), network in twins.items()
)
ends = likeness.groupby(["kind", "depth"]).agg(output=("activation", "last"), gradient=("gradient", "first"))
ends.round(2) + 0.0

# %% mystnb={"image": {"alt": "Two panels against layer. Left: outputs for an image and its noisy copy stay alike in residual networks, and become unlike with depth in the plain network of 56 layers. Right: gradients for the two are unrelated in nearly all layers of the plain network of 56 layers, and remain related in its residual twin."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, measure, title in zip(axes, ("activation", "gradient"), ("outputs", "gradients"), strict=True):
    figures.plot_layers(likeness, ax, measure, "mean cosine")
    ax.set_title(title)
    ax.label_outer()
axes[1].get_legend().remove()
plt.show()

# %% [markdown]
# **Figure A3.2.** How alike a network treats an image and the same image with a little noise, before training: mean
# cosine between the outputs of each block (left) and between the gradients that arrive there (right). On the left the
# residual networks of 20 and of 56 layers share their first layers' line.

# %% tags=["remove-input", "nbval-ignore-output"]
plain, residual, shallow = (ends.loc[key] for key in (("plain", 56), ("residual", 56), ("plain", 20)))
lowest = likeness[(likeness.kind == "plain") & (likeness.depth == 56)].set_index("layer").activation
text = f"""In the plain network of 56 layers the cosine of the outputs falls to {lowest.min():.2f} at layer
{lowest.idxmin()}: the layers have amplified a difference that one hardly sees. From there on the cosine rises again, to
{plain.output:.2f}; why, the argument below does not say. The gradients that arrive at the first block have
{abs(plain.gradient):.2f}: they are unrelated. In the residual twin the numbers at the ends are {residual.output:.2f} and
{residual.gradient:.2f}; in the plain network of 20 layers, {shallow.output:.2f} and {shallow.gradient:.2f}."""
display(Markdown(text))

# %% [markdown]
# Why should a difference grow at all? To a small difference a layer is as good as linear: it is multiplied by the layer's
# derivatives, the same ones that multiply a gradient on its way back. While these make gradients larger, they make small
# differences larger, until they are small no more. A deep plain network begins as a function so rough that its gradient,
# right at one point, says little about a point nearby. That was measured before training, in one batch, with one seed.
#
# ## All depths
#
# Now what was trained. Figure A3.3 has the published numbers of the chapter's table: what does each line
# do as depth grows?

# %%
theirs = pd.DataFrame([asdict(each) for each in published.ERRORS]).rename(columns={"error": "test_error"})
theirs["kind"], theirs["depth"] = zip(*theirs.model.map(tables.kind_and_depth), strict=True)
theirs["test_std"] = theirs["std"].astype(float)
theirs = theirs[theirs.depth < 1_000]
theirs.pivot_table(index="depth", columns="kind", values="test_error", aggfunc=["min", "max"])

# %% mystnb={"image": {"alt": "Published test errors on CIFAR-10 against depth. From 20 to 56 layers the plain networks' error rises in every source that has them; the residual networks' error is lower at 56 layers than at 20 in every source."}} tags=["nbval-ignore-output"]
recorded = tables.of_depth_table(records.load_all(records.find_results()))
fig, ax = plt.subplots()
for marker, (source, errors) in zip("sP^Dv", theirs.groupby("source"), strict=True):
    figures.plot_depths(errors, ax, marker, filled=False)
    ax.plot([], [], marker, color=figures.COLOURS["neutral"], markerfacecolor="white", label=source)
ours = tables.summary(record for record in recorded if record.recipe_name == "paper")
if len(ours):
    figures.plot_depths(ours, ax)
ax.set_xticks([20, 32, 44, 56, 110])
ax.legend()
plt.show()

# %% [markdown]
# **Figure A3.3.** Published test errors of the 6n+2 networks on CIFAR-10 (open markers; plain networks orange, residual
# networks blue; bars: standard deviation over five runs, where published), and ours by the paper's recipe where
# recorded (filled circles).

# %% [markdown]
# Plain networks get worse at every step in depth that a source has measured. Residual networks get better from 20 to 56
# layers in every source, though not every step between goes that way. Where our own marks have no bar, they are single
# runs. (Our short runs, of all depths, are in the table of the chapter.)
#
# ## Inside the trained networks
#
# The paper's figure 7 asks how much each layer of a trained network adds: its response, the standard deviation of what
# leaves its batch norm. In training mode it can be told from the weights alone, without a single image, since batch norm
# gives channel $c$ the learned standard deviation $|\gamma_c|$ and the learned mean $\beta_c$. The variance of all values
# together is the mean of the channels' variances, plus the variance of their means:
#
# $$
# \text{response}^2 = \overline{\gamma^2} + \mathrm{var}(\beta) . \tag{A3.2}
# $$
#
# Figure A3.4 shows it for the recorded networks of the short recipe whose weights were kept. All
# responses began at 1.

# %% tags=["nbval-ignore-output"]
results = records.find_results()
kept = [
    record
    for record in recorded
    if (record.recipe_name, record.seed) == ("short", 0)
    and records.path_of(results, record.experiment, 0).with_suffix(".safetensors").exists()
]
assert kept, "no network of the recipe `short` is recorded with its weights: `resnet-book run` records some"
responses = pd.concat(
    diagnostics.responses_of_weights(weights.load_network(record.experiment, results=results)[0]).assign(
        **dict(zip(("kind", "depth"), tables.kind_and_depth(record.model["name"]), strict=True))
    )
    for record in kept
)
responses.groupby(["depth", "kind"]).response.agg(["mean", "min", "max"]).round(2)

# %% mystnb={"image": {"alt": "Standard deviation of each layer's response in the trained networks, plain left, residual right. Most layers of the residual networks respond less strongly than those of their plain twins. In the plain network of 56 layers the layers next to the images respond by far the most strongly."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, kind in zip(axes, figures.KINDS, strict=True):
    figures.plot_layers(responses[responses.kind == kind], ax, "response", "response", log=True)
    ax.label_outer()
plt.show()

# %% [markdown]
# **Figure A3.4.** Responses of the 3x3 layers in the networks trained for 2,000 iterations, behind batch norm and
# before ReLU or addition: plain left, residual right.

# %% tags=["remove-input", "nbval-ignore-output"]
in_blocks = responses[responses.layer > 1]  # layer 1 is the stem
place = (in_blocks.layer % 2).map({0: "first", 1: "second"}).rename("layer of the block")
parts = in_blocks.groupby(["depth", place, "kind"]).response.mean().unstack("kind")
by = Recipe(**kept[0].recipe)
untouched = math.exp(-by.weight_decay * sum(map(by.learning_rate_at, range(by.iterations))) / (1 - by.momentum))
text = f"""Mean responses, by the place of the layer in its block:

{tables.to_markdown(parts.map("{:.2f}".format).reset_index().set_index("depth"))}

Weight decay alone, without any images, would have brought them from 1 to about {untouched:.2f} by this recipe."""
display(Markdown(text))

# %% [markdown]
# The paper found that residual networks respond less strongly than plain ones, as if each block only touched up what
# comes in. Judge from the means how far that is true here, and in which of a block's two layers: the second one's
# output is what a residual block adds. A response near the number just given, what weight decay alone leaves, belongs
# to a layer whose batch norm the images have hardly moved.
#
# Now the most striking thing in Figure A3.4: in the plain networks of 44 and of 56 layers the response lies flat at just
# that number from about layer 24 on, but for the last layer. In about half of each network the images have left hardly a
# trace in the batch norms. Next to the images the same networks respond most strongly. It is there that the gradients
# were largest before training. Large steps move the batch norms' weights too, and in a plain network nothing limits
# their growth, since the next batch norm takes a common factor out again.
#
# ## Summary
#
# - Batch norm keeps every layer's response at 1 before training. What grows, on its way to the images, is the gradient:
#   by about the same factor in every layer of plain networks, in residual ones by a factor that is close to 1 near the
#   classes.
# - The first step of a deep plain network moves its first layers by more than their own length.
# - In the first half of the deep plain network a small difference between two images grows, and their gradients become
#   unrelated; with shortcuts both happen far more slowly.
# - After the short training the back half of deep plain networks shows hardly a trace of it. In the twins, a run of each, the second layers of residual blocks respond less strongly than those of plain
#   ones.
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
#     frame = diagnostics.block_gradients(untrained("plain", depth), images, labels)
#     times = frame.gradient_norm.iloc[0] / frame.gradient_norm.iloc[-1]
#     print(depth, round(times ** (1 / (frame.layer.iloc[-1] - frame.layer.iloc[0])), 3))
# ```
#
# It is, and at every depth a little less than the theory's rate for infinitely wide networks. Ours have 16 to 64
# channels, and where a new stage begins their number changes.
#
# </details>
#
# **2. Without normalisation.** Ask `layer_responses` for `training=False` in the untrained twins: batch norm then
# divides by running statistics that are still 1. What happens with depth, and in which of the two kinds is it worse?
#
# <details><summary>Solution</summary>
#
# ```python
# for key, network in twins.items():
#     print(key, diagnostics.layer_responses(network, images).response.round(2).tolist())
# ```
#
# Print the lists and look at their ends. In the plain networks the responses shrink slowly. In the residual networks each
# block adds about as much variance as it gets, so they grow from block to block and become huge: shortcuts need batch
# norm, or a smaller initialisation, as much as depth needs shortcuts.
#
# </details>
#
# ## References
#
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): section 4.2; its figure 7 has the responses.
# - [He et al. (2015b)](https://arxiv.org/abs/1502.01852): the initialisation;
#   [Yang et al. (2019)](https://arxiv.org/abs/1902.08129): why gradients grow behind batch norm.
# - [Balduzzi et al. (2017)](https://arxiv.org/abs/1702.08591): gradients that look like noise.

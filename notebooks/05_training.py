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
# # The recipe, taken apart
#
# **The paper gives its training recipe in five lines. Which of them matter, and why?**
#
# Chapter 3 changed the network and kept the recipe. This page keeps the network and takes out one part of the recipe at
# a time. First comes the reason for each part, then what it contributed in training. The two do not always agree.
#
# **You will learn**
#
# - to write the whole training step by hand, down to momentum and weight decay, and to check it against PyTorch;
# - what each part is for: momentum, drops of the learning rate, batch norm, weight decay, augmentation;
# - to read an *ablation*, a training with one part taken out, and to ask how much of it may be luck.
#
# **You need** [chapter 2](02_augmentation.ipynb) and [chapter 3](03_plain_and_residual.ipynb). With `tier = "smoke"` the
# page takes about half a minute on 2 cores and downloads nothing. `"cpu"` takes about ten minutes and CIFAR-10 (170 MB);
# `"paper"` trains by the paper's recipe, once for every part taken out, on a GPU (its time has not been measured).

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
from dataclasses import asdict, replace

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from matplotlib.ticker import MaxNLocator
from torch import nn

# %%
from resnet_book import augment, cifar, data, models
from resnet_book.engine.device import Engine
from resnet_book.experiments import records
from resnet_book.experiments.catalogue import ABLATIONS, PAPER, SHORT
from resnet_book.recipe import Recipe
from resnet_book.report import figures, tables
from resnet_book.report.recipe_words import ablation_table, compared, joined
from resnet_book.state import DivergedError
from resnet_book.train import fit

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}"

# %% [markdown]
# ## The five lines
#
# In our words, section 4.2 of [He et al. (2015a)](https://arxiv.org/abs/1512.03385) says:
#
# 1. stochastic gradient descent with momentum 0.9 and weight decay 0.0001;
# 2. the initialisation of [He et al. (2015b)](https://arxiv.org/abs/1502.01852), batch norm
#    ([Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)), no dropout;
# 3. batches of 128 images;
# 4. learning rate 0.1, divided by 10 after 32,000 and after 48,000 iterations, stop at 64,000; with 110 layers begin
#    at 0.01 until the training error is below 80 %, about 400 iterations;
# 5. four pixels of padding on each side, a random crop of 32x32 pixels, flipped left to right half of the time.
#
# The package keeps all of these numbers in one `Recipe`. Each drop divides the rate by `drop_divisor`; the padding is
# filled with `padding_mode`; `validation_images` are held out of the training, here none. (`mean=None` and `std=None`:
# those of the training images normalise. The paper subtracts the mean of each *pixel*; to subtract that of each channel,
# and to divide by the standard deviation, is our choice, see chapter 2.)

# %%
PAPER

# %% [markdown]
# The [appendix](a5_more_about_the_recipe.ipynb) has the initialisation, and the slow start with 110 layers, which is
# called *warm-up*. We do not vary the size of the batch (the small tiers use 16 or 64 in all runs).
#
# ### Images, and how much is trained here
#
# In the smoke tier the images are the package's own drawings (chapter 1), halved to 16x16 pixels, and the padding with
# them. (Precision and compilation, which some lines of output name, are for [chapter 6](06_speed.ipynb).)

# %%
wanted = "builtin" if tier == "smoke" else "cifar10"
try:
    train_images, test_images = (data.load(wanted, split, data_root or None) for split in ("train", "test"))
except cifar.DataMissingError as missing:
    if missing.named:  # you named a folder, so nothing may stand in for it
        raise
    train_images, test_images = (data.load("builtin", split) for split in ("train", "test"))
    note = "**CIFAR-10 was not found, so this page uses the built-in images.** `resnet-book data cifar10` fetches it."
    display(Markdown(f"> {note}"))
f"{train_images.name}: {len(train_images):,} images to train on, {len(test_images):,} to test on"

# %%
SMOKE = replace(PAPER, iterations=60, drops=(40, 50), batch_size=16, padding=2)
CPU = replace(PAPER, iterations=300, drops=(200, 250), batch_size=64)
# tier: layers, seeds, recipe, numbers of training and test images
SIZES = {
    "smoke": (8, (0, 1), SMOKE, (320, 250)),
    "cpu": (8, (0, 1), CPU, (3_200, 2_000)),
    "paper": (20, (0,), PAPER, (50_000, 10_000)),
}
on_gpu = tier == "paper" and torch.cuda.is_available()
training_tier = "smoke" if train_images.name == "builtin" else "cpu" if not on_gpu else tier
engine = Engine("cuda", "bfloat16") if on_gpu else Engine("cpu")
layers, seeds, recipe, counts = SIZES[training_tier]
train, test = train_images.subset(counts[0]), test_images.subset(counts[1])
if training_tier == "smoke":  # half the width and height
    halves = (F.avg_pool2d(each.images.float(), 2).round().to(torch.uint8) for each in (train, test))
    train, test = (replace(each, images=half) for each, half in zip((train, test), halves, strict=True))
f"as in tier {training_tier!r} on {engine.device}, {engine.precision}; images to train on: {tuple(train.images.shape)}"


# %% [markdown]
# ## The step, in full view
#
# All of training is one step, repeated. *Forward*: the network turns a batch of images into ten scores for each, and the
# cross-entropy turns scores and labels into one number, the loss, in nats (that is, by natural logarithms). Equal scores
# for all classes have the loss $\ln 10$. *Backward*: for every weight, the gradient of the loss.
#
# *Step*: plain gradient descent would now move each weight $w$ against its gradient $g$. The recipe adds two things:
# *weight decay* $\lambda$, which pulls every weight towards zero, and *momentum* $\mu$, which keeps a velocity $v$ for
# every weight and moves along it:
#
# $$
# v \leftarrow \mu v + (g + \lambda w), \qquad w \leftarrow w - \eta v . \tag{5.1}
# $$
#
# The learning rate $\eta$ comes in last, outside of the velocity. In this form, which is PyTorch's, a drop of the
# learning rate takes effect in the very next step. (In the other form $\eta$ sits inside $v$, and old gradients keep the
# old rate.)


# %%
def sgd_step(weight, gradient, velocity, learning_rate: float, momentum: float, weight_decay: float) -> None:
    """One step of SGD with momentum and weight decay; changes ``weight`` and its ``velocity``."""
    velocity.mul_(momentum).add_(gradient + weight_decay * weight)
    weight.sub_(learning_rate * velocity)


weight, velocity = torch.zeros(1), torch.zeros(1)
for _ in range(3):
    sgd_step(weight, torch.ones(1), velocity, learning_rate=0.1, momentum=0.9, weight_decay=0.0)
f"after three steps with a gradient of 1: velocity {velocity.item():.2f}, weight {weight.item():.3f}"


# %% [markdown]
# Is that all that the package's `fit` does, with PyTorch's SGD? We let both take three steps on the same 64 images (for
# `fit` three epochs), without crop and flip, whose random numbers would differ. The first loss is above $\ln 10$: an
# untrained network's scores are not equal, but large and arbitrary. `models.narrow` makes the networks of chapter 3.


# %% tags=["nbval-ignore-output"]
def new_network(seed: int = 0) -> models.Network:
    """An untrained residual network with the weights of ``seed``."""
    return models.narrow(layers, residual=True)(generator=torch.Generator().manual_seed(seed))


def train_step(network: nn.Module, velocities: list, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Forward, loss, backward and step by the paper's recipe; returns the loss before the step."""
    weights = list(network.parameters())
    loss = F.cross_entropy(network(images), labels)
    gradients = torch.autograd.grad(loss, weights)
    with torch.no_grad():
        for each in zip(weights, gradients, velocities, strict=True):
            sgd_step(*each, PAPER.learning_rate, PAPER.momentum, PAPER.weight_decay)
    return loss.item()


few = train.subset(64)
images = augment.normalise(few.images, *augment.channel_mean_std(few.images))
network = new_network()
velocities = [torch.zeros_like(weight) for weight in network.parameters()]
by_hand = [train_step(network, velocities, images, few.labels) for _ in range(3)]
[round(loss, 2) for loss in by_hand]

# %% tags=["nbval-ignore-output"]
three = replace(PAPER, iterations=3, drops=(), batch_size=64, padding=0, flip_probability=0.0)
by_package = [epoch.train_loss for epoch in fit(new_network(), few, few, three).epochs]
torch.testing.assert_close(torch.tensor(by_hand), torch.tensor(by_package), rtol=1e-4, atol=1e-4)
[round(loss, 2) for loss in by_package]


# %% [markdown]
# ## The full recipe, and one part less
#
# From here on `fit` does the training. Where the loss stops being a finite number, the run ends, and its errors are
# unknown. `change` may alter a network before it is trained.


# %% tags=["nbval-ignore-output"]
def train_here(recipe: Recipe, change=lambda network: network) -> pd.DataFrame:
    """The last epoch of a run with each seed; of a run that diverged, a row that lacks the measurements."""
    rows = {}
    for seed in seeds:
        network = change(new_network(seed)).to(engine.device)
        try:
            rows[seed] = asdict(fit(network, train, test, recipe, seed=seed, engine=engine).epochs[-1])
        except DivergedError:
            rows[seed] = dict.fromkeys(("train_loss", "train_error", "test_error"), math.nan)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("seed")


runs = {"full": train_here(recipe)}
runs["full"][["train_loss", "train_error", "test_error"]].round(2)

# %% tags=["remove-input"]
text = f"""**Trained here:** residual networks of {layers} layers, {recipe.iterations:,} iterations with {recipe.batch_size}
images each, on {len(train):,} images ({train.name}), tested on {len(test):,}; one run with each seed
({joined([str(seed) for seed in seeds])}). The learning rate is {recipe.learning_rate:g}, divided by {recipe.drop_divisor:g} after
{joined([f"{drop:,}" for drop in recipe.drops])} iterations."""
display(Markdown(text))

# %% [markdown]
# On this page all runs of a seed begin with the same weights and see the same images in the same order, so we compare
# two recipes seed by seed, by the *test error after the last epoch*. Where there are two runs of each, we also say
# whether the runs of the two recipes *overlap*. That they do not is a weak finding: one time in three, chance alone puts
# both runs of one recipe above both of the other.
#
# ## Momentum
#
# Momentum makes a step out of all gradients so far. Unrolled, the velocity of equation (5.1) is
# $v_t = g_t + \mu\, g_{t-1} + \mu^2 g_{t-2} + \dots$, a sum with falling weights. If the gradient never changed, the
# velocity would grow to
#
# $$
# 1 + \mu + \mu^2 + \dots = \frac{1}{1 - \mu} = 10 \quad \text{for } \mu = 0.9 \tag{5.2}
# $$
#
# times the gradient. So a learning rate of 0.1 with momentum 0.9 takes steps like a learning rate of 1 without, as far
# as gradients agree. Where they disagree, they cancel.
#
# That is the point in a valley: steep across, flat along. The simplest has the height $\tfrac12 (x^2 + 50\, y^2)$.
# Across, every rate above $2/50$ makes plain gradient descent jump farther out each time. So the rate must be small;
# and then it crawls along. In Figure 5.1, look at how each way crosses the valley, and how fast it gets along.


# %% mystnb={"image": {"alt": "Two paths down a long, narrow valley: the plain one creeps along its floor; the one with momentum swings across, gets ahead, overshoots the bottom and turns back."}}
def descend(learning_rate: float, momentum: float, steps: int = 25) -> torch.Tensor:
    """Positions (steps + 1, 2) on the way down the valley x^2 / 2 + 25 y^2."""
    position, velocity = torch.tensor([10.0, 1.0]).double(), torch.zeros(2).double()
    path = [position.clone()]
    for _ in range(steps):
        gradient = torch.tensor([1.0, 50.0]) * position
        sgd_step(position, gradient, velocity, learning_rate, momentum, weight_decay=0.0)
        path.append(position.clone())
    return torch.stack(path)


x, y = torch.meshgrid(torch.linspace(-6, 11, 90), torch.linspace(-1.5, 1.5, 60), indexing="xy")
fig, ax = plt.subplots(figsize=(7.2, 1.8))
ax.contour(x, y, x**2 / 2 + 25 * y**2, levels=[2, 8, 20, 40, 70], colors="0.8", linewidths=0.8)
for momentum, colour in ((0.0, "accent"), (0.9, "residual")):
    ax.plot(*descend(0.03, momentum).T, ".-", color=figures.COLOURS[colour], linewidth=0.9, markersize=4)
ax.plot(0, 0, "+", color=figures.COLOURS["neutral"])
ax.set(xlabel="x, along the valley", ylabel="y, across", aspect="equal")
plt.show()

# %% [markdown]
# **Figure 5.1.** Gradient descent in a valley fifty times steeper across than along: 25 steps at learning rate 0.03
# from the right, plain (green) and with momentum 0.9 (blue). The two axes have the same scale (contours: equal height;
# cross: the bottom).

# %% [markdown]
# Plain descent settles across in a few steps, then crawls. Momentum still swings across, less and less, but builds up
# speed along the valley, even overshooting. Ten times the rate could not do that: it is far above $2/50$.
#
# **Predict.** And in the network? We take the momentum out, once at the same learning rate and once at ten times as
# much. If momentum did nothing but make equation (5.2) out of the rate, the second would be as good as the full
# recipe. Will it be?

# %% tags=["nbval-ignore-output"]
runs["no momentum"] = train_here(replace(recipe, momentum=0.0))
larger = replace(recipe, momentum=0.0, learning_rate=10 * recipe.learning_rate)
runs["no momentum, rate times 10"] = train_here(larger)
errors = pd.DataFrame({name: run.test_error for name, run in runs.items()})
display(errors.round(1))
Markdown(f"""Without momentum the test error is {compared(errors["no momentum"], errors["full"])}. Without momentum but at
ten times the rate it is {compared(errors["no momentum, rate times 10"], errors["full"])}.""")

# %% [markdown]
# The first comparison is what momentum gives. The second is what it does beyond making larger steps; if it did nothing
# else, the two recipes would differ by chance only. In deep autoencoders and recurrent networks, years before batch
# norm, momentum made a large difference ([Sutskever et al., 2013](https://proceedings.mlr.press/v28/sutskever13.html)).
#
# ## Drops
#
# The learning rate stands still for half of the training, then falls twice. Why not fall from the start, or never? A
# batch's gradient is the true one plus noise, since it has seen 128 images and not all. Each step adds a bit of that
# noise to the weights, and the slope of the valley takes some of it out again. The larger the rate, the wider is the
# jitter at which the two balance (the [appendix](a5_more_about_the_recipe.ipynb) measures it). So a large rate travels
# fast and stays noisy, and a small one becomes quiet but is slow to arrive. A drop does one after the other.
#
# Figure 5.2 shows recorded runs on CIFAR-10: on the left by the paper's recipe, on the right by `short`,
# the same schedule thirty-two times shorter, and by `no-drops`, which is `short` at a constant rate. **Predict.** What
# will the test error do at the first drop? And what without it?

# %% tags=["nbval-ignore-output"]
names = ["resnet20-cifar10-short", *(f"resnet20-cifar10-{name}" for name in ABLATIONS)]
results = [
    record for record in records.load_all(records.find_results()) if record.experiment in (*names, "resnet20-cifar10")
]
recorded = tables.curves(results)
display(Markdown(tables.provenance(results)))

# %% mystnb={"image": {"alt": "Test error against iterations of recorded runs of resnet20 on CIFAR-10. Left: by the paper's recipe the error jumps up and down until iteration 32,000, falls at once by a third, and is quiet from then on. Right: in 2,000 iterations the runs with drops are ahead after the first drop, and the run without has nearly caught up at the end."}} tags=["nbval-ignore-output"]
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
for ax, schedule, shown in zip(axes, (PAPER, SHORT), (["paper"], ["short", "no-drops"]), strict=True):
    for (name, _), run in recorded[recorded.recipe.isin(shown)].groupby(["recipe", "seed"]):
        colour = figures.COLOURS["accent" if name == "no-drops" else "residual"]
        ax.plot(run.iteration, run.test_error, color=colour, linewidth=1.3)
    for drop in schedule.drops:
        ax.axvline(drop, color=figures.COLOURS["neutral"], linestyle=":", linewidth=0.8)
    ax.set(xlabel="iteration", xlim=(0, schedule.iterations), ylim=(0, 60), title=" and ".join(shown))
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter("{x:,.0f}")
axes[0].set_ylabel("test error (%)")
plt.show()

# %% [markdown]
# **Figure 5.2.** Test error of recorded runs of resnet20 on CIFAR-10, a line a run. Left: by the paper's recipe. Right:
# by the recipe `short` (blue) and without its drops (green). Dotted: where the learning rate drops.

# %% tags=["remove-input", "nbval-ignore-output"]
paper = recorded[recorded.recipe == "paper"]
moves = paper.groupby("seed").test_error.diff().abs()
before = moves[paper.iteration.between(PAPER.drops[0] / 2, PAPER.drops[0])].mean()
after = moves[paper.iteration > PAPER.drops[0] + 500].mean()  # from the second epoch after the drop on
text = f"""By the paper's recipe ({paper.seed.nunique()} run{"s" * (paper.seed.nunique() > 1)}) the test error moves by
{before:.1f} points from one epoch to the next before the first drop, and by {after:.1f} points after it."""
display(Markdown(text if len(paper) else "No run by the paper's recipe is recorded."))

# %% [markdown]
# On the left the noise of the large rate can be seen, and how the first drop lets it come to rest. The second drop does
# nothing visible: little noise was left to it. On the right the training is too short to reach its noise. The drop puts
# the blue lines ahead, but the green one nearly catches up: in five epochs the large rate still travels.
#
# ## Batch norm
#
# Batch norm ([Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)) gives each channel mean 0 and standard
# deviation 1 over the batch and its pixels, then a learned scale and shift. So what leaves a batch norm keeps its size,
# whatever the weights before it. (The sum after a shortcut still grows, but slowly.)
#
# Without it nothing keeps the size. In an untrained plain network the signal loses a little at every layer; in a residual
# one each block adds about as much as comes in, and the signal explodes from block to block. The
# [appendix](a5_more_about_the_recipe.ipynb) shows both, and what the initialisation has to do with it.
#
# **Predict.** Our network is so shallow that its numbers are of reasonable size even without batch norm. Will it train
# without it? (The convolutions in front have no bias, so with batch norm the shifts go, too.)


# %% tags=["nbval-ignore-output"]
def without_norm(network: models.Network) -> models.Network:
    """The network with every batch norm replaced by the identity, in place."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return network


runs["no batch norm"] = train_here(recipe, without_norm)
display(pd.concat({name: runs[name][["train_loss", "test_error"]] for name in ("full", "no batch norm")}).round(2))
Markdown(f"""Without batch norm the test error is {compared(runs["no batch norm"].test_error, runs["full"].test_error)}.
Guessing gives 90 %, and equal scores for all classes have the loss {math.log(10):.2f}.""")

# %% [markdown]
# In the smoke tier it does not: its errors are hardly better than guessing. Reasonable sizes at the start are not
# enough. Is 0.1 too large a rate without batch norm? Try
# `train_here(replace(recipe, learning_rate=0.01), without_norm)`.
# [Ioffe and Szegedy (2015)](https://arxiv.org/abs/1502.03167) report that on ImageNet batch norm allowed far larger
# rates, and so far fewer steps. Without it, a step that changes the size of a layer's output is multiplied through all
# layers after. Batch norm divides it out.
#
# ## Weight decay
#
# The classical reason for weight decay is that small weights make simple functions. For a convolution with a batch norm
# after it this cannot be the reason: batch norm divides the length of its weights out again, so that longer weights
# make the same function. What the length does change is the step. Three times the weights have a third of the gradient,
# so relative to the weights' own length a step is nine times shorter (the [appendix](a5_more_about_the_recipe.ipynb)
# checks it). And since their length changes nothing, the gradient is perpendicular to the weights, and each step makes
# them a little longer: training with batch norm by itself slows down. Weight decay counteracts that. With batch norm it
# is a second control of the learning rate ([van Laarhoven, 2017](https://arxiv.org/abs/1706.05350)).
#
# How strong is it? A weight without a gradient shrinks in each step by about $\eta \lambda / (1 - \mu)$ of itself:


# %%
def left_over(recipe: Recipe) -> float:
    """What weight decay alone leaves of a weight of 1 by the end of the recipe."""
    weight, velocity = 1.0, 0.0
    for iteration in range(recipe.iterations):
        velocity = recipe.momentum * velocity + recipe.weight_decay * weight
        weight -= recipe.learning_rate_at(iteration) * velocity
    return weight


lengths = {"trained here": recipe, "short": SHORT, "paper": PAPER}
{name: f"{100 * left_over(each):.1f} %" for name, each in lengths.items()}

# %% [markdown]
# **Predict.** From these three numbers: in which of the three trainings will it show when the decay is taken out? For
# `short` the last table has the answer. For `paper` the calculation is all we have: no such run is recorded.
#
# ## Augmentation
#
# Crop and flip make 9 x 9 x 2 = 162 images out of one (chapter 2), and the training *harder*: the same view seldom comes
# back. What is gained is a smaller gap between training and test error, and it can be gained only where there is a gap.
# **Predict.** In a training of only a few epochs, will taking the augmentation out raise or lower the test error?

# %% tags=["nbval-ignore-output"]
runs["no augmentation"] = train_here(replace(recipe, padding=0, flip_probability=0.0))
measured = ["train_error", "test_error"]
means = pd.DataFrame({name: runs[name][measured].mean() for name in ("full", "no augmentation")}).T
display(means.assign(gap=means.test_error - means.train_error).round(1))
Markdown(f"""Without augmentation the test error is
{compared(runs["no augmentation"].test_error, runs["full"].test_error)}. The training made
{recipe.iterations * recipe.batch_size / len(train):.0f} passes over its images, the paper's makes {PAPER.iterations * PAPER.batch_size / 50_000:.0f}.""")

# %% [markdown]
# Augmentation is there to keep the gap small, and even in the few passes of the smoke tier it does. (The two gaps are not
# quite alike: the training error with augmentation is measured on cropped and flipped images, the harder test.) But
# without it the training error fell by more than the gap grew, so the test error fell, too. After many passes the
# training error has nowhere left to fall, and the gap decides.
#
# ## All parts together
#
# ### Trained on this page
#
# Figure 5.3 has the test error of every run above. (The tiers `cpu` and `paper` now also train without
# drops, and without decay.) The dashed line is the mean of the full recipe; a mark to the right of it is worse. A run
# whose loss was not finite has a cross at 100 %.

# %% mystnb={"image": {"alt": "Marks of test error, one row per variant of the recipe, with a dashed line at the full recipe. In the smallest tier the variant without batch norm lies far to the right, that without augmentation to the left."}} tags=["nbval-ignore-output"]
if training_tier != "smoke":
    runs["no drops"] = train_here(replace(recipe, drops=()))
    runs["no decay"] = train_here(replace(recipe, weight_decay=0.0))
fig, ax = plt.subplots(figsize=(7.2, 3.2))
for row, (name, run) in enumerate(runs.items()):
    colour = figures.COLOURS["residual" if name == "full" else "accent"]
    for error, marker, shift in zip(run.test_error, "os", (-0.12, 0.12), strict=False):
        ax.plot(*((100, row + shift, "x") if math.isnan(error) else (error, row + shift, marker)), color=colour)
ax.axvline(runs["full"].test_error.mean(), linestyle="--", color=figures.COLOURS["neutral"], linewidth=0.8)
ax.set_yticks(range(len(runs)), list(runs))
ax.invert_yaxis()
lowest = min(run.test_error.min() for run in runs.values())
ax.set(xlabel="test error (%)", xlim=(10 * (lowest // 10), 102))
plt.show()

# %% [markdown]
# **Figure 5.3.** Test error after the last epoch of every run trained on this page, by variant. A circle is a run with
# the first seed, a square one with the second.

# %% [markdown]
# Weight decay and augmentation act over many epochs: a training that ends early may show little but what they cost.
#
# ### Recorded on CIFAR-10
#
# `resnet20-cifar10-no-...` take one part out of the recipe `short`. These runs are longer, but not paired: two runs of
# one seed need not have seen the same images in the same order. So we compare with *all* runs of the full recipe.
#
# **How much of a difference can be luck?** Suppose that the part taken out does nothing. Then its run is one more of the
# same kind. How far from the mean of the others, in units of their standard deviation, does such a run get in one of
# twenty cases, if errors are normally distributed? **Guess** first: two standard deviations, as everybody knows?


# %% tags=["nbval-ignore-output"]
def by_chance(base_runs: int, runs: int = 1) -> float:
    """Standard deviations between two means of the same thing that chance exceeds in 1 of 20 cases."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(50_000, base_runs, generator=generator)
    other = torch.randn(50_000, runs, generator=generator).mean(dim=1)
    off = (other - base.mean(dim=1)).abs() / base.std(dim=1)
    return off.quantile(0.95).item()


{f"{base_runs} runs": f"{by_chance(base_runs):.1f}" for base_runs in (2, 3, 5, 10, 100)}

# %% [markdown]
# Two, with very many runs. With few the spread itself is hardly known, and it takes several times as much: three seeds
# are so much better than two. For the recorded runs it means:

# %% tags=["remove-input", "nbval-ignore-output"]
summary = tables.summary(results).set_index("experiment")
display(Markdown(ablation_table(summary, names[0], names[1:], by_chance)))

# %% [markdown]
# A change below its limit was measured, and is no finding: it neither shows that a part matters nor that it does not.
# That is the verdict on `no-decay`. The calculation expected no more: only in `paper` is nearly all of a weight gone.
# With four comparisons, one will pass its limit by chance more often than 1 time in 20. More seeds make limits smaller.
#
# ## Summary
#
# - The whole step is forward, loss, backward, and two lines for each weight; by hand it gives the package's numbers.
# - Momentum sums gradients with falling weights: steady steps grow by $1/(1 - \mu)$. Drops bring noise to rest.
# - What leaves a batch norm keeps its size. With batch norm, weight decay acts on the relative length of steps, and it
#   takes a long training to do so. Augmentation, too, pays off in a long training.
# - One run beside three others is seldom a finding; how far off it must be can be calculated.
#
# ## Exercises
#
# **1. More momentum.** With momentum 0.99, which learning rate keeps the effective step of equation (5.2)?

# %%
rate = None  # your answer

if rate is None:
    print("Not answered yet.")
elif math.isclose(rate / (1 - 0.99), PAPER.learning_rate / (1 - PAPER.momentum), rel_tol=1e-3):
    print("Right: the sum reaches ten times further back, so the rate is ten times smaller.")
else:
    print("Wrong: by what factor does this momentum multiply a steady gradient, and by what did 0.9?")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `rate = 0.01`: $\eta / (1 - \mu)$ stays 1. Train with it: `train_here(replace(recipe, momentum=0.99,
# learning_rate=0.01))`. The sum now reaches back about a hundred steps, more than the smoke tier trains, so there the
# run hardly gets up to speed before the rate drops.
#
# </details>
#
# **2. As much decay in less time.** Which weight decay would take as much off a weight in the 2,000 iterations of `short`
# as the paper's does in its 64,000?

# %%
decay = None  # your answer

left = left_over(replace(SHORT, weight_decay=decay or 0.0))
if decay is None:
    print("Not answered yet.")
elif left > 0 and math.isclose(math.log(left), math.log(left_over(PAPER)), rel_tol=0.05):
    print("Right. But it pulls harder in every step, and a training need not bear that.")
else:
    print(f"Wrong: this would leave {100 * left:.2g} % of a weight. What does the exponent of the shrinking depend on?")

# %% [markdown]
# <details><summary>Solution</summary>
#
# The exponent is the sum of the learning rates times the decay, and `short` has the same rates in a thirty-second of the
# steps: `decay = 32e-4`. What the training says to it: `fit` with this recipe, or in the recipe of this page
# `train_here(replace(recipe, weight_decay=0.0032))`.
#
# </details>
#
# **3. Half of an augmentation.** Crop and flip were taken out together. Which of the two does more? Predict, then train
# with each alone, and say whether your two runs of each can tell.
#
# <details><summary>Solution</summary>
#
# ```python
# for name, part in {"flip": {"padding": 0}, "crop": {"flip_probability": 0.0}}.items():
#     alone = train_here(replace(recipe, **part))
#     for other in ("no augmentation", "full"):
#         print(f"{name}, {other}: {compared(alone.test_error, runs[other].test_error)}")
# ```
#
# When we tried it in the smoke tier, either of them alone cost about as much as both. The runs with the flip and those
# with the crop could not be told apart.
#
# </details>
#
# ## References
#
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): section 4.2 is the recipe.
# - [Ioffe and Szegedy (2015)](https://arxiv.org/abs/1502.03167): batch norm;
#   [van Laarhoven (2017)](https://arxiv.org/abs/1706.05350): what weight decay does where there is batch norm.
# - [Sutskever et al. (2013)](https://proceedings.mlr.press/v28/sutskever13.html): momentum and initialisation, and how
#   they go together.

# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
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
# Chapter 3 changed the network and kept the recipe. This page keeps the network and changes the recipe: it takes out
# one part at a time and trains again. For each part it first gives the reason, in a calculation or a measurement small
# enough to follow; then what the part contributed in training. The two do not always agree, and where a short training
# cannot show what a part is for, the page says so.
#
# **You will learn**
#
# - to write the whole training step by hand, down to momentum and weight decay, and to check it against PyTorch;
# - what each part is for: momentum, drops of the learning rate, warm-up, batch norm, initialisation, weight decay,
#   augmentation;
# - to read an *ablation*, a training with one part taken out: what the part contributed *in this training*, and how
#   little that may say about a longer one.
#
# **You need** chapters [2](02_augmentation.ipynb) and [3](03_plain_and_residual.ipynb). With `tier = "smoke"` the page
# takes about a minute on 2 cores and downloads nothing. `"cpu"` takes 10 to 15 minutes and CIFAR-10 (170 MB); `"paper"`
# trains by the recipe of the paper, once for every part taken out, which takes a GPU (for how long has not been
# measured) and the same 170 MB.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab: upload the book's wheel beside this notebook
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")

# %% tags=["parameters"]
tier = "smoke"  # "smoke": a minute, built-in images; "cpu": minutes, CIFAR-10; "paper": a GPU
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
import math
from dataclasses import asdict, replace

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from matplotlib.ticker import LogLocator
from torch import nn

from resnet_book import augment, cifar, data, models
from resnet_book.engine.device import Engine
from resnet_book.experiments import records
from resnet_book.experiments.catalogue import ABLATIONS, EXPERIMENTS, PAPER, SHORT, warmed_up
from resnet_book.recipe import Recipe
from resnet_book.report import figures, tables
from resnet_book.state import DivergedError
from resnet_book.train import fit

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}"

# %% [markdown]
# ## The five lines
#
# In our words, section 4.2 of {cite:t}`he2015deep` says:
#
# 1. stochastic gradient descent with momentum 0.9 and weight decay 0.0001;
# 2. the initialisation of {cite:t}`he2015delving`, batch norm {cite}`ioffe2015batch`, no dropout;
# 3. batches of 128 images;
# 4. learning rate 0.1, divided by 10 after 32,000 and after 48,000 iterations, stop at 64,000; with 110 layers begin
#    at 0.01 until the training error is below 80 %, about 400 iterations;
# 5. four pixels of padding on each side, a random crop of 32x32 pixels, flipped left to right half of the time.
#
# The package keeps all numbers of this in one `Recipe`. (Dividing by the standard deviation of each channel is an
# addition of ours, see chapter 2; `mean=None` and `std=None` say: those of the training images.)

# %%
PAPER


# %% [markdown]
# ### Images, and how much is trained here
#
# As in chapter 3, the page takes the real CIFAR-10 where the tier asks for it, and the built-in images otherwise, which
# are simple drawings of ten classes that the package makes itself (chapter 1). The tier decides how many layers, which
# seeds, and for how long.

# %%
wanted = "builtin" if tier == "smoke" else "cifar10"
try:
    train_images, test_images = (data.load(wanted, split, data_root or None) for split in ("train", "test"))
except cifar.DataMissingError as missing:
    if missing.named:  # you named a folder, so nothing may stand in for it
        raise
    train_images, test_images = (data.load("builtin", split) for split in ("train", "test"))
f"{train_images.name}: {len(train_images):,} images to train on, {len(test_images):,} to test on"

# %% tags=["remove-input"]
if train_images.name != wanted:
    note = "**CIFAR-10 was not found, so this page uses the built-in images.** `resnet-book data cifar10` fetches it."
    display(Markdown(f"> {note}"))

# %%
SMOKE = replace(PAPER, iterations=100, drops=(60, 80), batch_size=32, padding=2)
CPU = replace(PAPER, iterations=300, drops=(200, 250), batch_size=64)
# tier: layers, seeds, recipe, numbers of training and test images, first steps of 110 layers
SIZES = {
    "smoke": (8, (0, 1), SMOKE, (640, 250), 8),
    "cpu": (8, (0, 1), CPU, (3_200, 2_000), 30),
    "paper": (20, (0,), PAPER, (50_000, 10_000), 1_000),
}

# %%
on_gpu = tier == "paper" and torch.cuda.is_available()
training_tier = "smoke" if train_images.name == "builtin" else tier
training_tier = "cpu" if training_tier == "paper" and not on_gpu else training_tier
engine = Engine("cuda", "bfloat16") if on_gpu else Engine("cpu")
layers, seeds, recipe, counts, first_steps = SIZES[training_tier]
f"training as in tier {training_tier!r} on {engine.device}, {engine.precision}"


# %% [markdown]
# (On a GPU most sums are done in `bfloat16`, numbers of 16 bits, see chapter 6.)
#
# In the smoke tier the images are halved to 16x16 pixels, which makes everything four times faster, and the padding
# with them.


# %%
def halved(images: data.ImageSet) -> data.ImageSet:
    """The same images at half the width and height."""
    pixels = F.avg_pool2d(images.images.float(), 2).round().to(torch.uint8)
    return replace(images, images=pixels)


# %%
train, test = (each.subset(n) for each, n in zip((train_images, test_images), counts, strict=True))
if training_tier == "smoke":
    train, test = halved(train), halved(test)
train.images.shape, test.images.shape

# %% [markdown]
# ## The step, in full view
#
# All of training is one step, repeated. Its first part makes a batch: 64 images, cropped and flipped at random, then
# normalised.

# %%
few = train.subset(64)
mean, std = augment.channel_mean_std(few.images)
generator = torch.Generator().manual_seed(0)
sampled = augment.sample(len(few), generator, recipe.padding, recipe.flip_probability)
batch = augment.apply(few.images, sampled, recipe.padding)
batch = augment.normalise(batch, mean, std)
batch.shape, batch.dtype

# %% [markdown]
# **Forward.** A network turns the batch into ten scores for each image, and the cross-entropy turns scores and labels
# into one number, the loss, in nats (that is, with natural
# logarithms). A network that knows nothing, and says so by giving all classes the same score,
# has the loss $\log 10$. The constructor is `models.narrow`, which makes the networks of 6n+2 layers of chapter 3: a
# first convolution (the *stem*), three *stages* of n blocks with two layers each, 16, 32 and 64 channels wide, and the
# classifier.


# %%
def new_network(seed: int = 0, depth: int = layers, residual: bool = True) -> models.Network:
    """An untrained 6n+2 network with the weights of ``seed``."""
    return models.narrow(depth, residual)(generator=torch.Generator().manual_seed(seed))


# %%
network = new_network()
scores = network(batch)  # (64, 10)
loss = F.cross_entropy(scores, few.labels)
f"loss {loss:.2f}; knowing nothing {math.log(10):.2f}"

# %% [markdown]
# **Backward.** One call fills in, for every parameter, the gradient of the loss with respect to it.

# %%
loss.backward()
gradients = [each.grad for each in network.parameters() if each.grad is not None]
assert len(gradients) == len(list(network.parameters()))
largest = max(each.abs().max().item() for each in gradients)
f"{len(gradients)} gradients; the largest entry is {largest:.2f}"


# %% [markdown]
# **Step.** Plain gradient descent would now move each weight $w$ against its gradient $g$. The recipe adds two things:
# *weight decay* $\lambda$, which pulls every weight towards zero, and *momentum* $\mu$, which keeps a velocity $v$ for
# every weight and moves along it:
#
# $$
# v \leftarrow \mu v + (g + \lambda w), \qquad w \leftarrow w - \eta v .
# $$ (eq-sgd)
#
# The learning rate $\eta$ comes in last, outside of the velocity. In this form, which is PyTorch's, a drop of the
# learning rate takes effect in the very next step.


# %%
def sgd_step(
    weight: torch.Tensor,
    gradient: torch.Tensor,
    velocity: torch.Tensor,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """One step of SGD with momentum and weight decay; changes ``weight`` and its ``velocity``."""
    velocity.mul_(momentum).add_(gradient + weight_decay * weight)
    weight.sub_(learning_rate * velocity)


# %% [markdown]
# Is that all that `torch.optim.SGD` does? Take one tensor, the weights of the first convolution, and let both take five
# steps with the same random gradients. The weights should agree after each.

# %%
mine = network.stem[0].weight.detach().clone()
theirs = nn.Parameter(mine.clone())
velocity = torch.zeros_like(mine)
optimizer = torch.optim.SGD([theirs], lr=0.1, momentum=0.9, weight_decay=1e-4)
for _ in range(5):
    theirs.grad = torch.randn(mine.shape, generator=generator)
    sgd_step(mine, theirs.grad, velocity, learning_rate=0.1, momentum=0.9, weight_decay=1e-4)
    optimizer.step()
    torch.testing.assert_close(mine, theirs.detach())
f"five equal steps on a tensor of shape {tuple(mine.shape)}"


# %% [markdown]
# And is that all that the package's `fit` does? For three iterations on these 64 images, without crop and flip (whose
# random numbers would differ), the loss by hand and the loss that `fit` reports should agree. `fit` reports one loss for each
# epoch; with 64 images in batches of 64 an epoch is one step, so the two can be set side by side.


# %%
def train_step(network: nn.Module, velocities: list, images: torch.Tensor, labels: torch.Tensor):
    """Forward, loss, backward and step by the paper's recipe; returns the loss before the step."""
    weights = list(network.parameters())
    loss = F.cross_entropy(network(images), labels)
    gradients = torch.autograd.grad(loss, weights)
    rates = (PAPER.learning_rate, PAPER.momentum, PAPER.weight_decay)
    with torch.no_grad():
        for weight, gradient, velocity in zip(weights, gradients, velocities, strict=True):
            sgd_step(weight, gradient, velocity, *rates)
    return loss.item()


# %% tags=["nbval-ignore-output"]
network, images = new_network(), augment.normalise(few.images, mean, std)
velocities = [torch.zeros_like(weight) for weight in network.parameters()]
by_hand = [train_step(network, velocities, images, few.labels) for _ in range(3)]
[round(loss, 2) for loss in by_hand]

# %% tags=["nbval-ignore-output"]
three = replace(PAPER, iterations=3, drops=(), batch_size=64, padding=0, flip_probability=0.0)
history = fit(new_network(), few, few, three)
by_package = [epoch.train_loss for epoch in history.epochs]
torch.testing.assert_close(torch.tensor(by_hand), torch.tensor(by_package), rtol=1e-4, atol=1e-4)
[round(loss, 2) for loss in by_package]


# %% [markdown]
# ## The full recipe, and one part less
#
# From here on `fit` does the training. Each run trains a residual network and keeps one row per epoch; where the loss
# stops being a finite number, the run ends and its errors are unknown. `change` may alter the network before it is
# trained.


# %%
def train_here(recipe: Recipe, change=lambda network: network) -> pd.DataFrame:
    """One row per seed and epoch; for a run that diverged, one row that lacks the measurements."""
    rows = []
    for seed in seeds:
        network = change(new_network(seed)).to(engine.device)
        try:
            history = fit(network, train, test, recipe, seed=seed, engine=engine)
            rows += [{"seed": seed, **asdict(epoch)} for epoch in history.epochs]
        except DivergedError:
            unknown = dict.fromkeys(("train_loss", "train_error", "test_error"), math.nan)
            rows.append({"seed": seed, "iteration": recipe.iterations, **unknown})
    return pd.DataFrame(rows)


# %%
runs = {"full": train_here(recipe)}
list(runs["full"].columns)

# %% tags=["remove-input"]
text = f"""**Trained here:** residual networks of {layers} layers, {len(seeds)} run{"s" * (len(seeds) > 1)} of each variant
(seed {" and ".join(map(str, seeds))}), {recipe.iterations:,} iterations with {recipe.batch_size} images each, on
{len(train):,} images of {train.images.shape[-1]}x{train.images.shape[-1]} pixels ({train.name}), tested on
{len(test):,}. Learning rate {recipe.learning_rate:g}, divided by {recipe.drop_divisor:g} after {" and ".join(f"{each:,}" for each in recipe.drops)}
iterations."""
display(Markdown(text))


# %% [markdown]
# All runs of a seed *on this page* begin with the same weights, but for what a variant changes about them, and see the
# same images in the same order. So here we compare two recipes seed by seed, in points of *test error after the last
# epoch*. (The recorded runs, further down, are not paired like that, and are compared in another way.) Where there are
# two runs or more of each, and every run with the one recipe is above every run with the other, we call them *apart*.
# That is a weak word on purpose: four runs that differ by chance alone come out as two and two apart one time in three.


# %%
def final(name: str) -> pd.DataFrame:
    """The last row of each run of a variant, by seed."""
    return runs[name].groupby("seed").last()


# %%
def apart(name: str, other: str = "full") -> bool:
    """Whether all test errors of one variant are beyond all of the other, with two runs or more."""
    ours, theirs = final(name).test_error, final(other).test_error
    return len(ours) > 1 and bool(ours.min() > theirs.max() or ours.max() < theirs.min())


# %%
def points(name: str, other: str = "full") -> str:
    """In words: how much higher the test error of a variant is than that of ``other``, by seed."""
    higher = final(name).test_error - final(other).test_error
    return " and ".join("not finite" if math.isnan(each) else f"{each:+.1f}" for each in higher)


# %%
def compared(name: str, other: str = "full") -> str:
    """In words: the test error of a variant, beside that of ``other``."""
    ours, theirs = final(name).test_error, final(other).test_error
    if ours.isna().any():
        return f"the loss stopped being finite in {ours.isna().sum()} of {len(ours)} runs"
    runs_each = "1 run each" if len(ours) == 1 else "apart" if apart(name, other) else "not apart"
    means = f"{ours.mean():.1f} % against {theirs.mean():.1f} %"
    return f"{means} ({points(name, other)} points, {runs_each})"


# %% tags=["nbval-ignore-output"]
final("full")[["train_loss", "train_error", "test_error"]].round(2)

# %% [markdown]
# ## Momentum
#
# Momentum makes a step out of all gradients so far. Unrolled, the velocity of {eq}`eq-sgd` is
#
# $$
# v_t = g_t + \mu\, g_{t-1} + \mu^2 g_{t-2} + \dots ,
# $$
#
# an average over about the last $1/(1 - \mu)$ steps, times $1/(1 - \mu)$. If the gradient never changed, the velocity
# would grow to
#
# $$
# 1 + \mu + \mu^2 + \dots = \frac{1}{1 - \mu} = 10 \quad \text{for } \mu = 0.9 .
# $$ (eq-effective)

# %%
velocity, grown = 0.0, {}
for step in range(1, 51):
    velocity = PAPER.momentum * velocity + 1.0
    grown[step] = round(velocity, 2)
{step: grown[step] for step in (1, 2, 5, 10, 20, 50)}

# %% [markdown]
# So a learning rate of 0.1 with momentum 0.9 takes steps like a learning rate of 1 without, as far as gradients agree.
# Where they disagree, they cancel. That is the point in a valley: steep across, flat along. The simplest has the height
# $\tfrac12 (x^2 + 50\, y^2)$. Across, every rate above $2/50$ makes plain gradient descent jump farther out each time,
# so the rate must be small; and then it crawls along.


# %%
def descend(learning_rate: float, momentum: float, steps: int = 80) -> torch.Tensor:
    """Positions (steps + 1, 2) on the way down the valley x^2 / 2 + 25 y^2."""
    position, velocity = torch.tensor([10.0, 1.0]).double(), torch.zeros(2).double()
    path = [position.clone()]
    for _ in range(steps):
        gradient = torch.tensor([1.0, 50.0]) * position
        sgd_step(position, gradient, velocity, learning_rate, momentum, weight_decay=0.0)
        path.append(position.clone())
    return torch.stack(path)


# %%
paths = {
    "plain": descend(0.03, 0.0),
    "with momentum": descend(0.03, 0.9),
    "plain, rate times 10": descend(0.3, 0.0),
}
{name: f"{path[20].norm():.2g} from the bottom after 20 steps" for name, path in paths.items()}

# %% [markdown]
# {numref}`fig-ch5-valley` shows the two ways at the same rate. Look at how each crosses the valley, and how fast it
# gets along.

# %% mystnb={"image": {"alt": "Top: two paths down a long, narrow valley; the plain one creeps along its floor, the one with momentum swings across, gets ahead, overshoots the bottom and turns back. Below: height against steps; with momentum it falls far lower, and plain descent at ten times the rate explodes."}, "figure": {"caption": "Gradient descent in a valley fifty times steeper across than along. Top: the first 25 steps at learning rate 0.03, from the right; the two axes have the same scale (contours: equal height; cross: the bottom). Below: the height after each step; the dotted line is plain descent at learning rate 0.3.", "name": "fig-ch5-valley"}}
fig, (above, below) = plt.subplots(2, 1, figsize=(7.2, 5), height_ratios=(1, 2))
x, y = torch.meshgrid(torch.linspace(-6, 11, 90), torch.linspace(-1.5, 1.5, 60), indexing="xy")
above.contour(x, y, x**2 / 2 + 25 * y**2, levels=[2, 8, 20, 40, 70], colors="0.8", linewidths=0.8)
styles = [("accent", "-"), ("residual", "-"), ("neutral", ":")]
for (name, path), (key, style) in zip(paths.items(), styles, strict=True):
    height = path[:, 0] ** 2 / 2 + 25 * path[:, 1] ** 2
    below.plot(height, style, color=figures.COLOURS[key], label=name)
    if name != "plain, rate times 10":
        above.plot(*path[:26].T, ".-", color=figures.COLOURS[key], linewidth=0.9, markersize=4)
above.plot(0, 0, "+", color=figures.COLOURS["neutral"])
above.set(xlabel="x, along the valley", ylabel="y, across", aspect="equal")
below.set(xlabel="step", ylabel="height", yscale="log", ylim=(1e-3, 1e4))
below.legend()
plt.show()

# %% [markdown]
# In the valley momentum is more than a larger rate: ten times the rate without it runs away.
#
# **Predict.** And in the network? Take out the momentum, once at the same learning rate and once at ten times as much.
# If momentum did nothing but make {eq}`eq-effective` out of the rate, the second would be as good as the full recipe.
# Will it be?

# %% tags=["nbval-ignore-output"]
runs["no momentum"] = train_here(replace(recipe, momentum=0.0))
larger = replace(recipe, momentum=0.0, learning_rate=10 * recipe.learning_rate)
runs["no momentum, rate times 10"] = train_here(larger)
momentum_runs = ("full", "no momentum", "no momentum, rate times 10")
pd.DataFrame({name: final(name).test_error for name in momentum_runs}).round(1)

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""Test errors (%), one row per seed. Without momentum: {compared("no momentum")}. Without momentum but at ten
times the rate: {compared("no momentum, rate times 10")}. The larger rate beside the smaller one, both without momentum:
{compared("no momentum, rate times 10", "no momentum")}."""
display(Markdown(text))

# %% [markdown]
# The last comparison is what larger steps alone make good, and the one before it what they leave to be made good. If
# momentum were no more than a larger rate, that rest would be nought but for chance.
# {cite:t}`sutskever2013importance` trained deep autoencoders and recurrent networks, years before batch norm, and there
# momentum made a large difference.
#
# ## Drops
#
# The learning rate stands still for half of the training, then falls twice. {numref}`fig-ch5-schedule` draws
# `Recipe.learning_rate_at` (left: the drops; right: the warm-up of the deep networks, for which see "Warm-up" below).

# %%
at_110 = warmed_up(PAPER)
{iteration: PAPER.learning_rate_at(iteration) for iteration in (0, 31_999, 32_000, 48_000)}

# %% mystnb={"image": {"alt": "Learning rate against iterations on a logarithmic scale, a staircase. Left: 0.1 for the first half, then 0.01, then 0.001. Right, the first thousand iterations: with warm-up it begins at 0.01 and rises to 0.1 after 400."}, "figure": {"caption": "Learning rate of the paper's recipe: the whole training (left), and its first thousand iterations for 110 layers (right).", "name": "fig-ch5-schedule"}}
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 2.8))
parts = [(range(0, 64_000, 100), PAPER), (range(0, 1_000), at_110)]
for ax, (iterations, schedule) in zip(axes, parts, strict=True):
    rates = [schedule.learning_rate_at(iteration) for iteration in iterations]
    ax.step(iterations, rates, where="post", color=figures.COLOURS["residual"])
    ax.set(xlabel="iteration", yscale="log")
    ax.xaxis.set_major_formatter("{x:,.0f}")
axes[0].set_ylabel("learning rate")
plt.show()

# %% [markdown]
# Why not fall from the start, or never? A batch's gradient is the true one plus noise, since it has seen 128 images and
# not all. Each step adds a bit of that noise to the weights, and the slope of the valley takes some of it out again.
# Where the two balance, near the bottom of a valley $\tfrac12 a w^2$, gradient noise of variance $\sigma^2$ keeps the
# weight jittering with the variance
#
# $$
# \mathrm{var}(w) = \frac{\eta\, \sigma^2}{a\, (2 - \eta a)} \approx \frac{\eta\, \sigma^2}{2 a} .
# $$ (eq-noise)
#
# We try it with 1,000 weights at once, all at 5 before the first step, in the valley $a = 1$ with $\sigma = 1$. A large
# rate against a small one, and one that drops from the one to the other after 100 steps: {numref}`fig-ch5-noise`.


# %%
def jitter(rates: list[float], momentum: float = 0.0) -> list[float]:
    """Root mean square of 1,000 weights: at first, and after a noisy step at each of ``rates``."""
    generator = torch.Generator().manual_seed(0)
    weight, velocity, sizes = torch.full((1_000,), 5.0), torch.zeros(1_000), [5.0]
    for rate in rates:
        noise = torch.randn(1_000, generator=generator)
        sgd_step(weight, weight + noise, velocity, rate, momentum, weight_decay=0.0)
        sizes.append(weight.square().mean().sqrt().item())
    return sizes


# %%
schedules = {
    "0.5": [0.5] * 500,
    "0.01": [0.01] * 500,
    "0.5, then 0.01": [0.5] * 100 + [0.01] * 400,
}

# %%
at_rest = {rate: (rate / (2 - rate)) ** 0.5 for rate in (0.5, 0.01)}
print({f"rate {name}": f"{jitter(rates)[-1]:.3f}" for name, rates in schedules.items()})
print({f"at rest with {rate}": f"{size:.3f}" for rate, size in at_rest.items()})

# %% mystnb={"image": {"alt": "Size of the weights against steps on a logarithmic scale. The large rate falls at once and stays on a plateau; the small rate falls slowly through all 500 steps; the rate that drops follows the large one, falls below its plateau after the drop and reaches the level of the small one sooner than the small rate alone."}, "figure": {"caption": "Root mean square of 1,000 weights that take noisy steps towards 0, at a large learning rate, a small one, and one that drops after 100 steps. Dotted: where the noise of each rate should come to rest.", "name": "fig-ch5-noise"}}
fig, ax = plt.subplots(figsize=(7.2, 3.2))
for (name, rates), colour in zip(schedules.items(), ("accent", "neutral", "residual"), strict=True):
    ax.plot(jitter(rates), color=figures.COLOURS[colour], label=f"rate {name}")
for level in at_rest.values():
    ax.axhline(level, color=figures.COLOURS["neutral"], linestyle=":", linewidth=0.8)
ax.set(xlabel="step", ylabel="root mean square", yscale="log")
ax.legend()
plt.show()

# %% [markdown]
# A large rate travels fast and stays noisy; a small rate becomes quiet, but takes all 500 steps to arrive. A drop does
# one after the other: from there on the line falls, as slowly as with the small rate, but from much nearer.
#
# **Predict.** We train with the same recipe, but without the drops. Up to the first drop the runs are the same, on a CPU
# to the last bit. What will the test error do in the epoch after it, with the drop and without?

# %% tags=["nbval-ignore-output"]
runs["no drops"] = train_here(replace(recipe, drops=()))
ends = {name: final(name)[["train_error", "test_error"]] for name in ("full", "no drops")}
pd.concat(ends, axis=1).round(1)

# %% mystnb={"image": {"alt": "Error against iterations, with and without drops of the learning rate. The lines of a seed are the same up to the first drop, where they part."}, "figure": {"caption": "Training error (thin) and test error (thick) with the drops (blue) and without them (green); one line per run, the drops dotted. Up to the first drop the runs of a seed are the same, and blue covers green.", "name": "fig-ch5-drops"}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
for name, colour in (("no drops", "accent"), ("full", "residual")):
    for seed, group in runs[name].groupby("seed"):
        look = {"color": figures.COLOURS[colour], "label": name if seed == 0 else None}
        ax.plot(group.iteration, group.test_error, linewidth=2.2, **look)
        ax.plot(group.iteration, group.train_error, linewidth=0.9, color=look["color"])
for drop in recipe.drops:
    ax.axvline(drop, color=figures.COLOURS["neutral"], linestyle=":", linewidth=0.8)
lowest = min(runs[name][["train_error", "test_error"]].min().min() for name in ends)
ax.set(xlabel="iteration", ylabel="error (%)", ylim=(10 * (lowest // 10), 95))
ax.legend()
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
steady, noisy = (
    runs[name][runs[name].iteration > recipe.drops[0]].groupby("seed").test_error.first()
    for name in ("full", "no drops")
)
after_drop = f"{noisy.mean():.1f} % against {steady.mean():.1f} %"
text = f"""Test error without drops against with them, in the epoch after the first drop: {after_drop}. The run with the drop
has the lower one for {(steady < noisy).sum()} of {len(steady)} seed{"s" * (len(steady) > 1)}. After the last epoch:
{compared("no drops")}."""
display(Markdown(text))

# %% [markdown]
# Compare thick and thin lines of {numref}`fig-ch5-drops` after the first drop. There are two reasons to expect that the
# test error shows the noise more than the training error does. The training error is a mean over an epoch, in which
# jitter averages out; the test error is taken at one moment. And for testing, batch norm uses running averages of past
# batches, which lag behind weights that move fast. But a single moment may also be a lucky one, and in a training as
# short as this the larger rate still travels: with so few runs, the end alone is a poor judge.
#
# ### The recorded runs
#
# Now CIFAR-10, from the records of this book. The recipe `SHORT` is the schedule of the paper, thirty-two times shorter;
# `ABLATIONS` holds four recipes, each `SHORT` with one part taken out, among them `no-drops`, the same at a constant
# rate. {numref}`fig-ch5-recorded` shows what is recorded of `short` and `no-drops`. (The sentence below covers all
# recorded runs that this page uses.)

# %%
names = ["resnet20-cifar10-short", *(f"resnet20-cifar10-{name}" for name in ABLATIONS)]
names += ["resnet110-cifar10", "resnet110-cifar10-no-warmup"]
assert set(names) <= set(EXPERIMENTS)

# %% tags=["nbval-ignore-output"]
everything = records.load_all(records.find_results())
results = [record for record in everything if record.experiment in names]
recorded = tables.curves(record for record in results if record.model["name"] == "resnet20")
display(Markdown(tables.provenance(results)))

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Training and test error against iterations of the recorded runs of resnet20 on CIFAR-10. By the short recipe the errors fall fast, then slowly, and the thin training line lies above the thick test line for most of the way."}, "figure": {"caption": "Recorded runs of resnet20 on CIFAR-10, one panel per recipe: training error (thin) and test error (thick). Dotted: where the learning rate of `short` drops.", "name": "fig-ch5-recorded"}}
shown = [name for name in ("short", "no-drops") if name in set(recorded.recipe)] or ["short"]
fig, axes = plt.subplots(1, len(shown), sharey=True, squeeze=False, figsize=(7.2, 3.2))
for ax, name in zip(axes[0], shown, strict=True):
    figures.plot_curves(recorded[recorded.recipe == name], ax, SHORT.drops)
    ax.set(title=f"recipe {name}", ylim=(0, 80), xlim=(0, SHORT.iterations))
    ax.set_xticks([0, 500, 1_000, 1_500])
    ax.label_outer()
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
of_short = recorded[recorded.recipe == "short"]
by_iteration = of_short.groupby("iteration").test_error.mean()
late = by_iteration.index > SHORT.drops[0]
before, after = by_iteration[~late], by_iteration[late]
if len(before) and len(after):
    count = of_short.seed.nunique()
    text = f"""In the recorded `short` runs ({count} run{"s" * (count > 1)}) the test error is {before.iloc[-1]:.1f} % after
the last whole epoch before the first drop, and {after.iloc[0]:.1f} % after the epoch in which it comes."""
else:
    text = "No run by the recipe `short` is recorded."
display(Markdown(text))


# %% [markdown]
# A run with drops alone cannot say what the error would have been without them: it was falling anyway. Only the
# comparison can, here or in the ablation table below. (The training error lies above the test error because it is
# measured in another way: on images that are cropped and flipped, and as a mean over an epoch in which the network is
# still getting better.)
#
# ## Warm-up
#
# The paper found that 0.1 was slightly too large for 110 layers to start with, took 0.01 until the training error was
# below 80 %, and went on as usual. (Our `warmed_up` does not watch the error: it takes 0.01 for a fixed 400 iterations,
# about what the paper needed.) The paper adds that without this warm-up the network gets going too, after several
# epochs, and ends about as well.
#
# Why is 0.1 too large at first? Look at the very first step of the classifier alone, on one batch: how far does it move
# the scores? Three things come together. The gradient has the features as a factor, and so has the effect of the step
# on the scores: the features count twice, as their mean square. They are larger in a deeper network, since the sum in a
# residual network grows from block to block. And the gradient is a sum over the batch, to which each image contributes
# its error, the predicted probabilities minus the true ones. What the errors of all images have in common adds up. A
# network that gives nearly all images the same class is wrong about nearly all of them in the same way.


# %%
def first_step(network: models.Network, learning_rate: float) -> dict[str, float]:
    """Loss, and root mean squares: features, errors in common, scores, and how far these move."""
    with torch.no_grad():
        features = network.features(images)  # (64, 64)
        scores = network.classifier(features)  # (64, 10)
        errors = scores.softmax(dim=1) - F.one_hot(few.labels, 10)
    gradient = errors.T @ features / len(features)  # of the mean loss, for the classifier's weights
    moved = -learning_rate * features @ gradient.T
    measured = {"features": features, "common error": errors.mean(0)}
    measured |= {"scores": scores, "moved by": moved}
    sizes = {name: each.square().mean().sqrt().item() for name, each in measured.items()}
    return {"loss": F.cross_entropy(scores, few.labels).item(), **sizes}


# %% tags=["nbval-ignore-output"]
depths = (8, 20, 56, 110)
steps = pd.DataFrame({depth: first_step(new_network(depth=depth), 0.1) for depth in depths}).T
steps.round(2).rename_axis("layers")

# %% tags=["remove-input", "nbval-ignore-output"]
ratio = steps["moved by"] / steps.scores
times = steps.loc[110] / steps.loc[20]
other = first_step(new_network(1, depth=110), 0.1)
text = f"""From 20 to 110 layers the mean square of the features grows {times.features**2:.1f} times and the common error
{times["common error"]:.1f} times, together {times.features**2 * times["common error"]:.0f} times; the step moves the scores
{times["moved by"]:.0f} times as far. Beside the scores' own size, the step at learning rate 0.1 moves them by
{ratio[20]:.1f} times with 20 layers, and by {ratio[110]:.1f} times with 110 ({other["moved by"] / other["scores"]:.1f} times
with the weights of another seed). A tenth of the rate moves them a tenth as far."""
display(Markdown(text))


# %% [markdown]
# **Predict.** A step that moves the scores by several times their size, in a direction that is right only for small
# steps: what will the loss of the next batches be? Lower, or higher, and by how much? We train the real network of 110
# layers for a few iterations, with and without warm-up, one run of each.


# %%
def first_losses(network: models.Network, recipe: Recipe, steps: int = first_steps) -> list[float]:
    """Loss of each of the first ``steps`` batches, not augmented; trains ``network`` in place."""
    network, generator = network.to(engine.device), torch.Generator().manual_seed(0)
    decay, losses = recipe.weight_decay, []
    optimizer = torch.optim.SGD(network.parameters(), momentum=recipe.momentum, weight_decay=decay)
    for iteration in range(steps):
        chosen = torch.randint(len(train), (recipe.batch_size,), generator=generator)
        pixels = augment.normalise(train.images[chosen], mean, std).to(engine.device)
        optimizer.param_groups[0]["lr"] = recipe.learning_rate_at(iteration)
        loss = F.cross_entropy(network(pixels), train.labels[chosen].to(engine.device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% tags=["nbval-ignore-output"]
deep = {name: new_network(depth=110) for name in ("with warm-up", "without")}
cold = replace(PAPER, batch_size=recipe.batch_size)
beginnings = {
    "with warm-up": first_losses(deep["with warm-up"], warmed_up(cold)),
    "without": first_losses(deep["without"], cold),
}
begun = pd.DataFrame(beginnings, index=range(1, first_steps + 1)).rename_axis("iteration")
begun.iloc[[0, 1, 2, 5, -1]].round(1)

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Loss against iteration on a logarithmic scale for the first steps of a 110-layer network. Without warm-up the loss first rises to several times its first value; with warm-up it does not rise."}, "figure": {"caption": "Loss of each batch during the first iterations of a residual network of 110 layers, with the warm-up at 0.01 and without. Dotted: the loss of a network that gives all classes the same score.", "name": "fig-ch5-warm-up"}}
fig, ax = plt.subplots()
for (name, losses), colour in zip(beginnings.items(), ("residual", "accent"), strict=True):
    ax.plot(range(1, first_steps + 1), losses, color=figures.COLOURS[colour], label=name)
ax.axhline(math.log(10), color=figures.COLOURS["neutral"], linestyle=":", linewidth=0.8)
ax.set(xlabel="iteration", ylabel="loss (nats)", yscale="log")
ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
ax.yaxis.set_major_formatter("{x:g}")
ax.minorticks_off()
ax.legend()
plt.show()


# %%
def distance(network: nn.Module, start: nn.Module) -> float:
    """Median over the convolutions: how far the weights are from ``start``, in lengths of these."""
    pairs = zip(network.cpu().parameters(), start.parameters(), strict=True)
    moved = [((w - w0).norm() / w0.norm()).item() for w, w0 in pairs if w.dim() == 4]
    return float(pd.Series(moved).median())


# %% tags=["nbval-ignore-output"]
way = {name: distance(network, new_network(depth=110)) for name, network in deep.items()}
{name: round(each, 3) for name, each in way.items()}

# %% tags=["remove-input", "nbval-ignore-output"]
highest = {name: max(losses) / losses[0] for name, losses in beginnings.items()}
above_log10 = {name: sum(loss > math.log(10) for loss in losses) for name, losses in beginnings.items()}
text = f"""Without warm-up the largest loss of the first {first_steps:,} batches is {highest["without"]:.1f} times that of the
first batch, with warm-up {highest["with warm-up"]:.1f} times. By the end of them the weights of a typical convolution have
moved by {100 * way["without"]:.0f} % of their length without warm-up, and by {100 * way["with warm-up"]:.0f} % with it.
Above the dotted line, log 10, are {above_log10["without"]} of the {first_steps:,} losses without
warm-up, and {above_log10["with warm-up"]} with it."""
display(Markdown(text))

# %% [markdown]
# A loss above the dotted line of {numref}`fig-ch5-warm-up` is worse than knowing nothing: the network is sure, and
# wrong. At first that is so with warm-up, too, since untrained networks of this depth have large scores; the difference
# is how far the loss then rises. To come down again costs steps, and moves weights, for nothing. How much it costs in
# the end is another question, which a few iterations of one run do not answer; the paper's answer is "little". With
# larger batches and larger rates, {cite:t}`goyal2017accurate` found that a warm-up, there a gradual one, was needed.
#
# ## Batch norm
#
# Batch norm {cite}`ioffe2015batch` gives each channel mean 0 and standard deviation 1 over the batch and its pixels,
# then a learned scale and shift. Taking it out is a matter of a few lines: every `BatchNorm2d` becomes an `Identity`.
# (The convolutions in front have no bias, so with batch norm the shifts go, too.)


# %%
def without_norm(network: nn.Module) -> nn.Module:
    """The network with every batch norm replaced by the identity, in place."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return network


# %%
list(without_norm(new_network()).stages[0][0].layers)

# %% [markdown]
# First, what the forward pass looks like without it. For every block we take the size of its output, the root mean
# square over one batch, before training. {numref}`fig-ch5-norm` compares networks of 20 and 56 layers, with batch norm (left) and
# without (right). Mind the logarithmic scale.


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


# %%
block_sizes(new_network()).round(2)


# %% tags=["nbval-ignore-output"]
def sizes_of_four(change) -> pd.DataFrame:
    """Block sizes of plain and residual networks of 20 and 56 layers, altered by ``change``."""
    frames = []
    for depth in (20, 56):
        for kind in ("plain", "residual"):
            network = change(new_network(0, depth, kind == "residual"))
            frames.append(block_sizes(network).assign(kind=kind, depth=depth))
    return pd.concat(frames)


with_norm, no_norm = sizes_of_four(lambda network: network), sizes_of_four(without_norm)
no_norm.groupby(["kind", "depth"])["size"].agg(["first", "last"]).map("{:.2g}".format)

# %% mystnb={"image": {"alt": "Root mean square of block outputs against layer, on a logarithmic scale. With batch norm the plain networks stay level below 1, and the residual ones rise slowly, to between 3 and 4 at 56 layers, with a fall at each new stage. Without it the plain networks shrink with depth, and the residual ones grow exponentially, to thousands at 56 layers."}, "figure": {"caption": "Root mean square of each block's output, before training, for one batch of 64 images: with batch norm (left) and with the batch norms taken out (right).", "name": "fig-ch5-norm"}}
fig, axes = plt.subplots(1, 2, sharey=True)
panels = [("with batch norm", with_norm), ("without", no_norm)]
for ax, (title, frame) in zip(axes, panels, strict=True):
    figures.plot_layers(frame, ax, "size", "root mean square of the output", log=True)
    ax.set_title(title)
    ax.label_outer()
axes[0].get_legend().remove()
plt.show()

# %% [markdown]
# Without batch norm, each residual block adds about as much to the mean square as comes in, so that the mean square
# about doubles from block to block; the plain network loses a little at every layer. With batch norm $F(x)$ has the same
# size in every block, and the mean square of the sum grows by about the same amount each time, like a walk and not like
# an explosion. (It falls at the beginning of each new stage: the shortcut fills the new half of the channels with zeros,
# so that there is less to add to.)
#
# Second, what it does for training. **Predict.** Our network is so shallow that its outputs are of reasonable size even
# without batch norm. Will it train at the recipe's rate without it? And at a tenth of that?

# %% tags=["nbval-ignore-output"]
slow = replace(recipe, learning_rate=recipe.learning_rate / 10)
runs["a tenth of the rate"] = train_here(slow)
runs["no batch norm"] = train_here(recipe, without_norm)
runs["no batch norm, a tenth of the rate"] = train_here(slow, without_norm)
norm_runs = ["full", "no batch norm", "a tenth of the rate", "no batch norm, a tenth of the rate"]
pd.concat({name: final(name)[["train_loss", "test_error"]] for name in norm_runs}).round(2)


# %% tags=["remove-input", "nbval-ignore-output"]
def learning(*names: str) -> str:
    """In words: how many runs of these variants ended with a training loss clearly below that of equal scores."""
    ends = pd.concat([final(name).train_loss for name in names])
    return f"{(ends < math.log(10) - 0.2).sum()} of {len(ends)}"


text = f"""Test error without batch norm against with it. At the recipe's rate: {compared("no batch norm")}. At a tenth of
the rate: {compared("no batch norm, a tenth of the rate", "a tenth of the rate")}. Guessing gives 90 % error, and equal
scores have the loss {math.log(10):.2f}. More than 0.2 below that end {learning("no batch norm")} runs without batch norm
at the recipe's rate, and {learning("no batch norm, a tenth of the rate")} at a tenth of it; with batch norm
{learning("full")} and {learning("a tenth of the rate")}."""
display(Markdown(text))

# %% [markdown]
# {cite:t}`ioffe2015batch` report that on ImageNet batch norm allowed far larger rates, and so far fewer steps. A step
# that changes the size of what a layer puts out would, without it, be multiplied through all layers after; batch norm
# divides it out again. If the large rate were all, the network without batch norm would train at a smaller one as well
# as the network with it, so look at the two rows at a tenth of the rate. (In the smoke tier no rate helped when we
# tried: at a thirtieth and at a hundredth of it the loss without batch norm ended nearer still to that of equal scores.
# So this page shows that batch norm helps, and not that it does so by the rate.)
#
# ## Initialisation
#
# How large must the first weights be? Take a layer that sums $n$ inputs $x_i$ with independent weights of mean 0 and
# variance $\mathrm{var}(w)$; for a 3x3 convolution $n$ is 9 times the number of input channels. Its outputs have the
# mean square $n\, \mathrm{var}(w)\, \overline{x^2}$. The weights are drawn from a distribution that is symmetric about 0,
# and so are the outputs; the ReLU after them sets half of the mean square to zero, and the next layer's inputs have
#
# $$
# \overline{x_{l+1}^2} = \tfrac12\, n\, \mathrm{var}(w)\; \overline{x_l^2} .
# $$ (eq-he)
#
# The size is kept if $\mathrm{var}(w) = 2/n$; this is the initialisation of {cite:t}`he2015delving`. Weights half as large
# would halve the root mean square in every layer, weights twice as large would double it. Let us see whether the real
# networks, with their padding, strides and shortcuts, follow.


# %%
def scaled(factor: float):
    """A function that multiplies the weights of all convolutions of a network by ``factor``."""

    def change(network: models.Network) -> models.Network:
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.Conv2d):
                    module.weight.mul_(factor)
        return network

    return change


# %%
FACTORS, starts = {"half": 0.5, "He": 1.0, "twice": 2.0}, {}
for kind in ("plain", "residual"):
    for name, factor in FACTORS.items():
        network = scaled(factor)(new_network(0, 20, kind == "residual"))
        starts[kind, name] = block_sizes(without_norm(network))

# %% tags=["nbval-ignore-output"]
ends = pd.concat(starts).groupby(level=[0, 1])[["layer", "size"]].agg(["first", "last"])
ratios = ends["size"]["last"] / ends["size"]["first"]
per_layer = ratios ** (1 / (ends.layer["last"] - ends.layer["first"]))
per_layer.unstack()[list(FACTORS)].round(2).rename_axis("times per layer")

# %% mystnb={"image": {"alt": "Root mean square of block outputs against layer in networks of 20 layers without batch norm. With half the weights the plain network's signal dies out, with twice the weights both kinds explode; with He's weights the plain network nearly keeps its size."}, "figure": {"caption": "Root mean square of each block's output before training, without batch norm, 20 layers: weights of He et al. (solid), half as large (dotted), and twice as large (dashed).", "name": "fig-ch5-initialisation"}}
fig, ax = plt.subplots()
for (kind, name), frame in starts.items():
    style = {"half": ":", "He": "-", "twice": "--"}[name]
    ax.plot(frame.layer, frame["size"], style, color=figures.COLOURS[kind], label=f"{kind}, {name}")
ax.set(xlabel="layer, from the images to the classes", yscale="log")
ax.set_ylabel("root mean square of the output")
ax.legend(ncols=2)
plt.show()

# %% [markdown]
# In {numref}`fig-ch5-initialisation` the plain network does what {eq}`eq-he` says, nearly: the factor per layer in the
# table is close to that of the weights. It is a little smaller, among other things because the padding lets zeros in at
# the border, which is a large part of a small image. In the residual network the shortcut carries the signal past
# weights that are too small. Too large ones it cannot help.
#
# And with batch norm? It divides by whatever the standard deviation is, so that the factor cannot be seen in the sizes:

# %% tags=["nbval-ignore-output"]
for kind in ("plain", "residual"):
    networks = [scaled(factor)(new_network(0, 20, kind == "residual")) for factor in (0.5, 2.0)]
    small, large = (torch.tensor(block_sizes(network)["size"]) for network in networks)
    torch.testing.assert_close(small, large, rtol=1e-3, atol=0.0)
    print(f"{kind}, 20 layers: the largest difference is {(small - large).abs().max():.4f}")

# %% [markdown]
# The forward pass is the same, yet the training is not: steps of the same length change small weights more than large
# ones (more of that below). **Predict.** Which of the three sizes will train, with batch norm and without it? Without
# it we take a tenth of the rate.

# %%
for name in ("half", "twice"):
    start = scaled(FACTORS[name])
    bare = train_here(slow, lambda network, start=start: without_norm(start(network)))
    runs[f"{name} the weights"] = train_here(recipe, start)
    runs[f"no batch norm, {name} the weights"] = bare

# %% tags=["nbval-ignore-output"]
bare_runs = ["half the weights", "a tenth of the rate", "twice the weights"]
trained = {
    "with": ["half the weights", "full", "twice the weights"],
    "without": [f"no batch norm, {name}" for name in bare_runs],
}
ends = [pd.DataFrame([final(each).train_loss for each in three]) for three in trained.values()]
losses = pd.concat([each.set_axis(list(FACTORS)) for each in ends], axis=1, keys=list(trained))
losses.round(2).astype(object).fillna("not finite")

# %% tags=["remove-input", "nbval-ignore-output"]
gain = (losses["without"].loc["half"] - losses["without"].loc["He"]).map("{:+.2f}".format)
text = f"""The numbers are training losses of the last epoch, with batch norm at the recipe's rate and without it at a tenth
of that, one column per seed; {layers} layers. Equal scores have {math.log(10):.2f}. More than 0.2 below that end, with batch
norm, {learning(*trained["with"])} runs; without it {learning(*trained["without"])}. Without batch norm half the weights end
with a loss that is, by seed, {" and ".join(gain)} from He's."""
display(Markdown(text))

# %% [markdown]
# With batch norm the size of the first weights decides only how long they are against a step. Without it, a training in
# which hardly a run learns cannot show what He's weights are worth beside smaller ones; the forward pass above is all
# that this page has for them. Batch norm is not the only way to train great depth: residual networks can be trained
# without any normalisation if each block begins as (nearly) the identity {cite}`zhang2019fixup`.
#
# ## Weight decay
#
# The classical reason for weight decay is that small weights make simple functions. For a convolution with a batch norm
# after it this cannot be the reason: multiply its weights by 3, and the network is the same function.

# %% tags=["nbval-ignore-output"]
network, tripled = new_network(), scaled(3.0)(new_network())
torch.testing.assert_close(tripled(images), network(images), rtol=1e-3, atol=1e-3)
f"the scores differ by at most {(tripled(images) - network(images)).abs().max().item():.4f}"

# %% tags=["nbval-ignore-output"]
norms = []
for each in (network, tripled):
    loss = F.cross_entropy(each(images), few.labels)
    (gradient,) = torch.autograd.grad(loss, [each.stem[0].weight])
    norms.append(gradient.norm().item())
f"gradient of the first layer: {norms[0]:.3f}; with three times the weights: {norms[1]:.3f}"

# %% [markdown]
# What does change is the gradient: three times the weights, a third of it. So relative to the weights' own length a
# step is nine times shorter. And since moving along its own direction changes nothing, the gradient is perpendicular
# to the weights, and each step makes them a little longer: by itself, training with batch norm slows down. Weight decay
# counteracts that. With batch norm it is a second hand on the learning rate {cite}`vanlaarhoven2017`. (Not all weights
# have a batch norm after them: for the classifier the classical reason stands.)
#
# How strong is that hand? A weight without a gradient shrinks in each step by about $\eta \lambda / (1 - \mu)$ of
# itself; the momentum counts here as well. Over a whole training:


# %%
def left_over(recipe: Recipe) -> float:
    """What weight decay alone leaves of a weight of 1 by the end of the recipe."""
    weight, velocity, zero = torch.ones(1).double(), torch.zeros(1).double(), torch.zeros(1)
    for iteration in range(recipe.iterations):
        rate = recipe.learning_rate_at(iteration)
        sgd_step(weight, zero, velocity, rate, recipe.momentum, recipe.weight_decay)
    return weight.item()


# %%
lengths = {"trained here": recipe, "short": SHORT, "paper": PAPER}
{name: f"{100 * left_over(each):.1f} %" for name, each in lengths.items()}

# %% [markdown]
# **Predict.** From these three numbers: will it show in the training on this page when the decay is taken out? In the
# short recipe? In the paper's?

# %% tags=["nbval-ignore-output"]
runs["no decay"] = train_here(replace(recipe, weight_decay=0.0))
ends = {name: final(name)[["train_error", "test_error"]] for name in ("full", "no decay")}
pd.concat(ends, axis=1).round(1)

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""On this page, without decay: {compared("no decay")}. Over this training decay alone takes
{100 * (1 - left_over(recipe)):.1f} % off a weight."""
display(Markdown(text))

# %% [markdown]
# Where decay takes a percent or less off a weight, such a difference is no more than two trainings that went different
# ways. For the short recipe see the recorded ablation below; no run of this book takes the decay out of the paper's
# recipe, so there the calculation is all we have.
#
# ## Augmentation
#
# Crop and flip make many images out of one (chapter 2): with four pixels of padding 9 x 9 crops, flipped or not, which
# is 162. They make the training *harder*: the same view of an image seldom comes back. What is gained is a smaller gap
# between training and test error, and it can be gained only where there is a gap. **Predict.** In a training of only a
# few epochs, will taking the augmentation out raise or lower the test error?

# %% tags=["nbval-ignore-output"]
runs["no augmentation"] = train_here(replace(recipe, padding=0, flip_probability=0.0))
means = {name: final(name).mean() for name in ("full", "no augmentation")}
errors = pd.DataFrame(means).T[["train_error", "test_error"]]
errors.assign(gap=errors.test_error - errors.train_error).round(1)

# %% tags=["remove-input", "nbval-ignore-output"]
gaps = errors.test_error - errors.train_error
change = final("no augmentation").test_error - final("full").test_error
raised = (change > 0).sum()
text = f"""Taking the augmentation out raised the test error with {raised} of {len(change)} seeds and lowered it with
{(change < 0).sum()}: {compared("no augmentation")}. The gap between training and test error is {gaps["full"]:.1f} points
with augmentation and {gaps["no augmentation"]:.1f} points without, after
{recipe.iterations * recipe.batch_size / len(train):.0f} passes over the training images. The paper's recipe makes {PAPER.iterations * PAPER.batch_size / 50_000:.0f} passes over CIFAR-10's."""
display(Markdown(text))

# %% [markdown]
# Augmentation is there to keep this gap small. (The two gaps are not quite alike: the training error is one on cropped
# and flipped images in the first row, and on the images as they are in the second, so part of the difference is that
# the first is the harder test.) Whether the gap costs more than the easier training gains depends on how many passes
# follow: a network that sees each image a few times has little time to learn it by heart.
#
# ## All parts together
#
# ### Recorded ablations
#
# The experiments `resnet20-cifar10-no-...` take one part out of the recipe `short`, and `resnet110-cifar10-no-warmup`
# takes the warm-up out of the paper's. What is recorded of them, and of the recipes that they are to be compared with:

# %% tags=["nbval-ignore-output"]
summary = tables.summary(results).set_index("experiment")
present = [name for name in names if name in summary.index]
columns = ["runs", "train_error", "test_error", "test_std"]
summary.loc[present, columns].round(2).astype(object).fillna("–")

# %% [markdown]
# **How much of that can be luck?** These runs are not paired: not all come from the same version of the code, and the
# order of the random numbers has changed between versions, so two runs of one seed need not have seen the same images in
# the same order. An ablation can therefore only be compared with *all* runs of its full recipe, their mean and their
# spread. Suppose that the part taken out does nothing. Then its run is one more of the same kind. How far from the
# mean of the others, in units of their standard deviation, does such a run get in one of twenty cases, if errors are
# normally distributed? **Guess** first: two standard deviations, as everybody knows?


# %% tags=["nbval-ignore-output"]
def by_chance(base_runs: int, runs: int = 1) -> float:
    """Standard deviations between two means of the same thing that chance exceeds in 1 of 20 cases."""
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(200_000, base_runs, generator=generator)
    other = torch.randn(200_000, runs, generator=generator).mean(dim=1)
    off = (other - base.mean(dim=1)).abs() / base.std(dim=1)
    return off.quantile(0.95).item()


print({f"{base_runs} runs": f"{by_chance(base_runs):.1f}" for base_runs in (2, 3, 5, 10, 100)})

# %% [markdown]
# Two, with very many runs of the full recipe. With few of them the spread itself is hardly known, and it takes several
# times as much. That is why three seeds are so much better than two. For the recorded runs it means:

# %% tags=["remove-input", "nbval-ignore-output"]
pairs = [*((names[0], name) for name in names[1:5]), (names[5], names[6])]
lines, beyond = [], []
for base, name in pairs:
    if {base, name} <= set(present):
        full, part = summary.loc[base], summary.loc[name]
        change = part.test_error - full.test_error
        here, there = (tables.recorded_cell(summary, each) for each in (name, base))
        line = f"- `{name}`: {here} against {there} of `{base}`: {change:+.2f} points; "
        limit = by_chance(full.runs, part.runs) * full.test_std if full.runs > 1 else math.inf
        line += f"chance exceeds {limit:.1f} points in 1 of 20 cases." if full.runs > 1 else "no spread is known."
        beyond += [f"`{name}`"] if abs(change) > limit else []
        lines.append(line)
text = f"Beyond what chance does in 1 of 20 cases: {', '.join(beyond) or 'none of them'}."
if missing := len(pairs) - len(lines):
    text += f" Of the {len(pairs)} ablations {missing} cannot be compared yet, for want of records."
display(Markdown("\n".join([*lines, "", text])))

# %% [markdown]
# A difference below that size is what was measured, and no finding: it neither shows that a part matters nor that it does
# not. With five comparisons, one of them will pass its limit by chance more often than 1 time in 20. More seeds make the
# limit smaller (`resnet-book run NAME --seed 1`, and so on). And the limit is a strict one: it
# knows these few runs only, and takes their errors for draws from a normal distribution, with the same spread for both recipes.

# %% [markdown]
# ### Trained on this page
#
# {numref}`fig-ch5-ablations` has the test error of every run above. The dashed line is the mean of the full recipe; a
# mark to the right of it is worse. A run whose loss was not finite has a cross at 100 %.

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Marks of test error, one row per variant of the recipe, with a dashed line at the full recipe; below a thin line the variants without batch norm. In the smallest tier, these and those without momentum lie to the right; weight decay hardly moves the marks."}, "figure": {"caption": "Test error after the last epoch of every run trained on this page, by variant; below the thin line those without batch norm, the last three of them at a tenth of the rate. A circle is a run with the first seed, a square one with the second.", "name": "fig-ch5-ablations"}}
order = sorted(runs, key=lambda name: "no batch norm" in name)
fig, ax = plt.subplots(figsize=(7.2, 4.4))
for row, name in enumerate(order):
    colour = figures.COLOURS["residual" if name == "full" else "accent"]
    for error, marker in zip(final(name).test_error, "os", strict=False):
        place = (100, row, "x") if math.isnan(error) else (error, row, marker)
        ax.plot(*place, color=colour)
neutral = {"color": figures.COLOURS["neutral"], "linewidth": 0.8}
ax.axvline(final("full").test_error.mean(), linestyle="--", **neutral)
ax.axhline(sum("no batch norm" not in name for name in order) - 0.5, **neutral)
ax.set_yticks(range(len(order)), order)
ax.invert_yaxis()
lowest = min(final(name).test_error.min() for name in order)
ax.set(xlabel="test error (%)", xlim=(10 * (lowest // 10), 102))
plt.show()

# %% [markdown]
# And in one table: what was taken out, what the part is for, and how much higher the test error was without it, in this
# training. The warm-up is not in it: it was measured on a deeper network, and only for the first batches.

# %% tags=["remove-input", "nbval-ignore-output"]
parts = {
    "no momentum": "averages gradients; steps ten times larger",
    "no drops": "bring the noise of the steps to rest",
    "no batch norm": "keeps the sizes of all layers in bounds",
    "half the weights": "with batch norm: sets how long weights are against a step",
    "twice the weights": "the same",
    "no decay": "keeps weights short, and so the steps effective",
    "no augmentation": "keeps the gap between training and test small",
}
lines = {
    name: (why, points(name), "1 run each" if len(seeds) == 1 else "yes" if apart(name) else "no")
    for name, why in parts.items()
}
columns = ["what the part is for", "points of test error, by seed", "apart"]
table = pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("variant")
by_seed = " and ".join(f"{each:.1f} %" for each in final("full").test_error)
heading = f"{layers} layers, {recipe.iterations:,} iterations, {train.name}; the full recipe: {by_seed}.\n\n"
display(Markdown(heading + tables.to_markdown(table)))

# %% [markdown]
# Read the table with the training in mind that it comes from. Drops need a training that has reached its noise. Weight
# decay and augmentation act over many epochs, and a training that ends early may show little but what they cost. So "no"
# in the last column is a statement about these runs, not about the part; and "yes" is one about this training, not
# about the paper's.
#
# ## Summary
#
# - The whole step is forward, loss, backward, and two lines for each weight; by hand it gives the numbers of PyTorch
#   and of the package.
# - Momentum averages gradients and multiplies the step by $1/(1 - \mu)$. Drops bring the noise of a large rate to rest.
# - Batch norm keeps sizes in bounds at any depth and for any initialisation. Without it, the signal of a plain network
#   needs weights of variance $2/n$, and in a residual network it grows all the same.
# - The first step of a very deep residual network overshoots: its features are large, and it errs in the same way on
#   most images. Warm-up makes the first steps small.
# - With batch norm, weight decay acts on the relative length of steps, and it takes a long training to do so.
#   Augmentation, too, needs a long training to pay off.
#
# ## Exercises
#
# **1. More momentum.** With $\mu = 0.99$, which learning rate keeps the effective step of {eq}`eq-effective`? Train
# with it, and with the rate left at 0.1.
#
# <details><summary>Solution</summary>
#
# $\eta / (1 - \mu)$ stays 1, so $\eta = 0.01$.
#
# ```python
# for rate in (0.1, 0.01):
#     print(rate, train_here(replace(recipe, momentum=0.99, learning_rate=rate)).groupby("seed").last().test_error)
# ```
#
# The average now runs over about a hundred steps, which in the smoke tier is nearly the whole training. Neither rate came
# near to the full recipe there when we tried: with the smaller one the run has hardly got up to speed when the rate
# drops, and with the larger one its steps are ten times too long.
#
# </details>
#
# **2. Noise and momentum.** `jitter` takes a momentum, too. What does 0.9 do to the noise at rest at a learning rate of
# 0.01? Guess from {eq}`eq-effective` and {eq}`eq-noise` first.
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
# **3. Blocks that begin as the identity.** Set the weight of the last batch norm of every block to zero
# {cite}`goyal2017accurate`, so that each block begins as $y = x$. What does this do to the first step of 110 layers, and
# to the loss without warm-up?
#
# <details><summary>Solution</summary>
#
# ```python
# network = new_network(depth=110)
# for stage in network.stages:
#     for block in stage:
#         nn.init.zeros_(block.layers[-1].weight)
# print(first_step(network, 0.1))
# print(max(first_losses(network, cold)))
# ```
#
# The sum no longer grows from block to block: what leaves the last one is what left the stem, at fewer pixels and with
# channels of zeros. The scores move by a fraction of their size, as in a shallow network, and the loss does not shoot
# up.
#
# </details>
#
# **4. As much decay in less time.** Which weight decay would take as much off a weight in the recipe `short` as the
# paper's does in its 64,000 iterations? Try it in the recipe of this page in the same way.
#
# <details><summary>Solution</summary>
#
# The exponent is the sum of the learning rates times the decay. `short` is thirty-two times shorter, so its decay must
# be thirty-two times larger, 0.0032. For the recipe of this page:
#
# ```python
# factor = sum(map(PAPER.learning_rate_at, range(PAPER.iterations)))
# factor /= sum(map(recipe.learning_rate_at, range(recipe.iterations)))
# runs["more decay"] = train_here(replace(recipe, weight_decay=factor * PAPER.weight_decay))
# print(factor, compared("more decay"))
# ```
#
# In the smoke tier the factor is several hundred, and when we tried it the training suffered badly: as much decay in all
# is not as much decay at the right pace.
#
# </details>
#
# ## References
#
# - {cite:t}`he2015deep`: section 4.2 is the recipe.
# - {cite:t}`he2015delving`: the initialisation; {cite:t}`ioffe2015batch`: batch norm.
# - {cite:t}`sutskever2013importance`: momentum and initialisation, and how they go together.
# - {cite:t}`goyal2017accurate`: gradual warm-up, and blocks that begin as the identity.
# - {cite:t}`vanlaarhoven2017`: what weight decay does where there is batch norm.
# - {cite:t}`zhang2019fixup`: deep residual networks without normalisation.

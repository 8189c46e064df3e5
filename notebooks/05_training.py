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
# - to read an ablation: what a part contributed *in this training*, and what that says about a longer one.
#
# **You need** chapters 2 and 3. With `tier = "smoke"` the page takes about half a minute on 2 cores and downloads
# nothing. `"cpu"` takes 5 to 10 minutes and CIFAR-10 (170 MB); `"paper"` trains by the recipe of the paper, once for
# every part taken out, which takes a GPU, some hours, and the same 170 MB.

# %% tags=["parameters"]
tier = "smoke"  # "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": the experiment, on a GPU
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

from resnet_book import augment, data, figures, models, records, tables
from resnet_book.experiments import ABLATIONS, EXPERIMENTS, PAPER, SHORT, warmed_up
from resnet_book.train import DivergedError, Recipe, fit

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
# addition of ours, see chapter 2.)

# %%
PAPER


# %% [markdown]
# ### Images, and how much is trained here
#
# As in chapter 3, the page takes the real CIFAR-10 where the tier asks for it and its files are there, and the built-in
# images otherwise. The tier decides how many layers, which seeds, and for how long.


# %%
def load_images(tier: str, root: str) -> tuple[data.ImageSet, data.ImageSet]:
    """Training and test images for this tier; the built-in ones where CIFAR-10 is not wanted or not there."""
    if tier != "smoke":
        try:
            return data.load("cifar10", "train", root or None), data.load("cifar10", "test", root or None)
        except data.DataError:
            note = "**CIFAR-10 was not found, so this page uses the built-in images.** `make data` fetches it."
            display(Markdown(f"> {note}"))
    return data.load("builtin", "train"), data.load("builtin", "test")


train_images, test_images = load_images(tier, data_root)
f"{train_images.name}: {len(train_images):,} images to train on, {len(test_images):,} to test on"

# %%
SMOKE = replace(PAPER, iterations=120, drops=(80, 100), batch_size=32, padding=2)
CPU = replace(PAPER, iterations=300, drops=(200, 250), batch_size=64)
SETTINGS = {  # tier: layers, seeds, recipe, numbers of training and test images, first steps of 110 layers
    "smoke": (8, (0, 1), SMOKE, (640, 400), 12),
    "cpu": (8, (0, 1), CPU, (3_200, 2_000), 30),
    "paper": (20, (0,), PAPER, (50_000, 10_000), 1_000),
}
list(SETTINGS)

# %%
on_gpu = tier == "paper" and torch.cuda.is_available()
training_tier = "smoke" if train_images.name == "builtin" else tier
training_tier = "cpu" if training_tier == "paper" and not on_gpu else training_tier
device, precision = ("cuda", "bfloat16") if on_gpu else ("cpu", "float32")
layers, seeds, recipe, counts, first_steps = SETTINGS[training_tier]
f"training as in tier {training_tier!r} on {device}, {precision}"


# %% [markdown]
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
batch = augment.crop(few.images, generator, recipe.padding)
batch = augment.flip(batch, generator, recipe.flip_probability)
batch = augment.normalise(batch, mean, std)
batch.shape, batch.dtype

# %% [markdown]
# **Forward.** A network turns the batch into ten scores for each image, and the cross-entropy turns scores and labels
# into one number, the loss, in nats. A network that knows nothing, and says so by giving all classes the same score,
# has the loss $\log 10$.


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
gradients = {name: weight.grad for name, weight in network.named_parameters() if weight.grad is not None}
assert len(gradients) == len(list(network.parameters()))
f"{len(gradients)} gradients; the largest entry is {max(each.abs().max().item() for each in gradients.values()):.2f}"


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
    """One step of SGD with momentum and weight decay, in place, on ``weight`` and its ``velocity``."""
    velocity.mul_(momentum).add_(gradient + weight_decay * weight)
    weight.sub_(learning_rate * velocity)


# %% [markdown]
# Is that all that `torch.optim.SGD` does? Take one tensor, the weights of the first convolution, and let both take five
# steps with the same random gradients. The weights are to agree after each.

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
# draws would differ), the loss by hand and the loss that `fit` reports are to agree.


# %%
def train_step(network: nn.Module, velocities: list, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Forward, loss, backward and step by the recipe; returns the loss before the step."""
    weights = list(network.parameters())
    loss = F.cross_entropy(network(images), labels)
    gradients = torch.autograd.grad(loss, weights)
    with torch.no_grad():
        for weight, gradient, velocity in zip(weights, gradients, velocities, strict=True):
            sgd_step(weight, gradient, velocity, PAPER.learning_rate, PAPER.momentum, PAPER.weight_decay)
    return loss.item()


# %% tags=["nbval-ignore-output"]
network, images = new_network(), augment.normalise(few.images, mean, std)
velocities = [torch.zeros_like(weight) for weight in network.parameters()]
by_hand = [train_step(network, velocities, images, few.labels) for _ in range(3)]
[round(loss, 2) for loss in by_hand]

# %% tags=["nbval-ignore-output"]
three = replace(PAPER, iterations=3, drops=(), batch_size=64, padding=0, flip_probability=0.0)
history = fit(new_network(), few, few, three, progress=False)
by_package = [epoch.train_loss for epoch in history.epochs]
torch.testing.assert_close(torch.tensor(by_hand), torch.tensor(by_package), rtol=1e-2, atol=1e-2)
[round(loss, 2) for loss in by_package]


# %% [markdown]
# ## The full recipe, and one part less
#
# From here on `fit` does the training. Each run trains a residual network and keeps a row an epoch; where the loss
# stops being a finite number, the run ends and its errors are unknown. `change` may alter the network before it is
# trained.


# %%
def train_here(recipe: Recipe, change=lambda network: network, seeds: tuple[int, ...] = seeds) -> pd.DataFrame:
    """A row an epoch and seed of what was measured; for a run that diverged, one row that lacks the measurements."""
    rows = []
    for seed in seeds:
        network = change(new_network(seed)).to(device)
        try:
            history = fit(network, train, test, recipe, seed=seed, device=device, precision=precision, progress=False)
            rows += [{"seed": seed, **asdict(epoch)} for epoch in history.epochs]
        except DivergedError:
            rows.append({"seed": seed, "iteration": recipe.iterations, "train_loss": math.nan, "test_error": math.nan})
    return pd.DataFrame(rows)


# %%
runs = {"full": train_here(recipe)}
list(runs["full"].columns)

# %% tags=["remove-input"]
text = f"""**Trained here:** residual networks of {layers} layers, {len(seeds)} run{"s" * (len(seeds) > 1)} of each variant
with seed{"s" * (len(seeds) > 1)} {" and ".join(map(str, seeds))} (where batch norm and initialisation are changed, only
with the first), {recipe.iterations:,} iterations with {recipe.batch_size} images each, on {len(train):,} images of
{train.images.shape[-1]}x{train.images.shape[-1]} pixels ({train.name}), tested on {len(test):,}. Learning rate
{recipe.learning_rate:g}, divided by {recipe.drop_divisor:g} after {" and ".join(f"{each:,}" for each in recipe.drops)}
iterations."""
display(Markdown(text))


# %% [markdown]
# All runs of a seed begin with the same weights and see the same batches. To compare two recipes we take the *test
# error after the last epoch*, and call a difference clear only if every run with the one is above every run with the
# other.


# %%
def final(name: str) -> pd.DataFrame:
    """The last row of each run of a variant."""
    return runs[name].groupby("seed").last()


def compared(name: str, other: str = "full") -> str:
    """In words: the test error of a variant, beside that of ``other``."""
    ours, theirs = final(name).test_error, final(other).test_error
    if ours.isna().any():
        return "the loss stopped being finite"
    verdict = "clearly worse" if ours.min() > theirs.max() else "no clear difference"
    verdict = "clearly better" if ours.max() < theirs.min() else verdict
    return f"{ours.mean():.1f} % against {theirs.mean():.1f} % ({verdict})"


# %% tags=["nbval-ignore-output"]
final("full")[["train_loss", "train_error", "test_error"]].round(2)

# %% [markdown]
# ## Momentum
#
# Momentum makes a step out of all gradients so far. Unrolled, the velocity of {eq}`eq-sgd` is $v_t = g_t + \mu g_{t-1}
# + \mu^2 g_{t-2} + \dots$, an average over about the last $1/(1 - \mu)$ steps, times $1/(1 - \mu)$. If the gradient
# never changed, the velocity would grow to
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
        sgd_step(position, torch.tensor([1.0, 50.0]) * position, velocity, learning_rate, momentum, weight_decay=0.0)
        path.append(position.clone())
    return torch.stack(path)


# %%
paths = {"plain": descend(0.03, 0.0), "with momentum": descend(0.03, 0.9), "plain, rate times 10": descend(0.3, 0.0)}
{name: f"{path[20].norm():.2g} from the bottom after 20 steps" for name, path in paths.items()}

# %% [markdown]
# {numref}`fig-ch5-valley` shows the two ways at the same rate. Look at how each crosses the valley, and how fast it
# gets along.

# %% mystnb={"image": {"alt": "Left: two paths down a narrow valley; the plain one creeps along its floor, the one with momentum swings across and gets ahead. Right: height against steps; with momentum it falls far lower, and plain descent at ten times the rate explodes."}, "figure": {"caption": "Gradient descent in a valley fifty times steeper across than along. Left: the first 25 steps at learning rate 0.03 (contours: equal height). Right: the height after each step; the dotted line is plain descent at learning rate 0.3.", "name": "fig-ch5-valley"}}
fig, (left, right) = plt.subplots(1, 2)
x, y = torch.meshgrid(torch.linspace(-6, 11, 60), torch.linspace(-2, 2, 60), indexing="xy")
left.contour(x, y, x**2 / 2 + 25 * y**2, levels=[2, 8, 20, 40, 70], colors="0.8", linewidths=0.8)
for (name, path), key, style in zip(paths.items(), ("accent", "residual", "neutral"), ("-", "-", ":"), strict=True):
    height = path[:, 0] ** 2 / 2 + 25 * path[:, 1] ** 2
    right.plot(height, style, color=figures.COLOURS[key], label=name)
    if name != "plain, rate times 10":
        left.plot(*path[:26].T, ".-", color=figures.COLOURS[key], linewidth=0.9, markersize=4)
left.set(xlabel="x, along the valley", ylabel="y, across")
right.set(xlabel="step", ylabel="height", yscale="log", ylim=(1e-3, 1e4))
right.legend()
plt.show()

# %% [markdown]
# In the valley momentum is more than a larger rate: ten times the rate without it runs away.
#
# **Predict.** And in the network? Take out the momentum, once at the same learning rate and once at ten times as much.
# If momentum did nothing but make {eq}`eq-effective` out of the rate, the second would be as good as the full recipe.
# Will it be?

# %% tags=["nbval-ignore-output"]
runs["no momentum"] = train_here(replace(recipe, momentum=0.0))
runs["no momentum, rate times 10"] = train_here(replace(recipe, momentum=0.0, learning_rate=10 * recipe.learning_rate))
momentum_runs = ("full", "no momentum", "no momentum, rate times 10")
pd.DataFrame({name: final(name).test_error for name in momentum_runs}).round(1)

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""Test errors (%), a row a seed. Without momentum: {compared("no momentum")}. Without momentum but at ten times the
rate: {compared("no momentum, rate times 10")}."""
display(Markdown(text))

# %% [markdown]
# Compare the two. What the larger rate makes good was only the size of the steps; what remains is the averaging. If
# nothing remains, the valley of this network, shallow and with batch norm, is not narrow enough to show it.
# {cite:t}`sutskever2013importance` trained deep autoencoders and recurrent networks, years before batch norm, and there
# momentum made a large difference.
#
# ## Drops
#
# The learning rate stands still for half of the training, then falls twice. {numref}`fig-ch5-schedule` draws
# `Recipe.learning_rate_at`, with the warm-up of the deep networks, which is for later, on the right.

# %%
at_110 = warmed_up(PAPER)
[PAPER.learning_rate_at(iteration) for iteration in (0, 31_999, 32_000, 48_000)], at_110.learning_rate_at(0)

# %% mystnb={"image": {"alt": "Learning rate against iterations on a logarithmic scale, a staircase. Left: 0.1 for the first half, then 0.01, then 0.001. Right, the first thousand iterations: with warm-up it begins at 0.01 and rises to 0.1 after 400."}, "figure": {"caption": "Learning rate of the paper's recipe: the whole training (left), and its first thousand iterations for 110 layers (right).", "name": "fig-ch5-schedule"}}
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(7.2, 2.8))
for ax, iterations, schedule in zip(axes, (range(0, 64_000, 100), range(0, 1_000)), (PAPER, at_110), strict=True):
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
# We try it with 1,000 weights at once, all begun at 5, in the valley $a = 1$ with $\sigma = 1$. A large rate against a
# small one, and one that drops from the one to the other after 100 steps: {numref}`fig-ch5-noise`.


# %%
def jitter(rates: list[float], momentum: float = 0.0) -> list[float]:
    """Root mean square of 1,000 weights after each noisy step down w^2 / 2, one step for each of ``rates``."""
    generator = torch.Generator().manual_seed(0)
    weight, velocity, sizes = torch.full((1_000,), 5.0), torch.zeros(1_000), []
    for rate in rates:
        noise = torch.randn(1_000, generator=generator)
        sgd_step(weight, weight + noise, velocity, rate, momentum, weight_decay=0.0)
        sizes.append(weight.square().mean().sqrt().item())
    return sizes


# %%
schedules = {"0.5": [0.5] * 250, "0.01": [0.01] * 250, "0.5, then 0.01": [0.5] * 100 + [0.01] * 150}
at_rest = {rate: (rate / (2 - rate)) ** 0.5 for rate in (0.5, 0.01)}
{f"rate {name}": round(jitter(rates)[-1], 2) for name, rates in schedules.items()}, at_rest

# %% mystnb={"image": {"alt": "Size of the weights against steps on a logarithmic scale. The large rate falls at once and stays on a plateau; the small rate falls slowly; the rate that drops follows the large one and then falls below its plateau, towards the level of the small one."}, "figure": {"caption": "Root mean square of 1,000 weights that take noisy steps towards 0, at a large learning rate, a small one, and one that drops after 100 steps. Dotted: where the noise of each rate should come to rest.", "name": "fig-ch5-noise"}}
fig, ax = plt.subplots(figsize=(7.2, 3.2))
for (name, rates), colour in zip(schedules.items(), ("accent", "neutral", "residual"), strict=True):
    ax.plot(jitter(rates), color=figures.COLOURS[colour], label=f"rate {name}")
for level in at_rest.values():
    ax.axhline(level, color=figures.COLOURS["neutral"], linestyle=":", linewidth=0.8)
ax.set(xlabel="step", ylabel="root mean square", yscale="log")
ax.legend()
plt.show()

# %% [markdown]
# A large rate travels fast and never comes to rest; a small rate rests, but has not arrived. A drop does one after the
# other, and shows at once, as a fall.
#
# **Predict.** We train with the same recipe, but without the drops. Up to the first drop the runs are the same, on a CPU
# to the last bit. What will the test error do in the epoch after it, with the drop and without?

# %% tags=["nbval-ignore-output"]
runs["no drops"] = train_here(replace(recipe, drops=()))
pd.concat({name: final(name)[["train_error", "test_error"]] for name in ("full", "no drops")}, axis=1).round(1)

# %% mystnb={"image": {"alt": "Error against iterations, with and without drops of the learning rate. The lines of a seed are the same up to the first drop, where they part."}, "figure": {"caption": "Training error (thin) and test error (thick) with the drops (blue) and without them (green); one line a run, the drops dotted.", "name": "fig-ch5-drops"}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
for name, colour in (("no drops", "accent"), ("full", "residual")):
    for seed, group in runs[name].groupby("seed"):
        label = name if seed == 0 else None
        ax.plot(group.iteration, group.test_error, color=figures.COLOURS[colour], linewidth=2.2, label=label)
        ax.plot(group.iteration, group.train_error, color=figures.COLOURS[colour], linewidth=0.9)
for drop in recipe.drops:
    ax.axvline(drop, color=figures.COLOURS["neutral"], linestyle=":", linewidth=0.8)
ax.set(xlabel="iteration", ylabel="error (%)", ylim=(0, 100))
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
# Compare thick and thin lines of {numref}`fig-ch5-drops` behind the first drop. There are two reasons to expect that the
# test error shows the noise more than the training error does. The training error is a mean over an epoch, in which
# jitter averages out; the test error is taken at one moment. And for testing, batch norm uses running averages of past
# batches, which lag behind weights that move fast. At the *end* a single moment may be a lucky one, and in a training
# as short as this the larger rate also still travels: the end alone is a poor judge. (In the smoke tier the verdict on
# the last epoch changed with the number of threads when we tried. In tier `cpu`, on CIFAR-10, the drop helped with both
# seeds.)
#
# ### The recorded runs
#
# Now CIFAR-10, from the records of this book. `short` is the schedule of the paper, thirty-two times shorter, and
# `no-drops` the same at a constant rate. {numref}`fig-ch5-recorded` shows what is recorded of the two. (The sentence
# below covers all recorded runs that this page uses.)

# %% tags=["nbval-ignore-output"]
names = ["resnet20-cifar10-short", *(f"resnet20-cifar10-{name}" for name in ABLATIONS)]
names += ["resnet110-cifar10", "resnet110-cifar10-no-warmup"]
assert set(names) <= set(EXPERIMENTS)
results = [record for record in records.load_all(records.find_results()) if record.experiment in names]
recorded = tables.curves(record for record in results if record.model["name"] == "resnet20")
display(Markdown(tables.provenance(results)))

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Training and test error against iterations of the recorded runs of resnet20 on CIFAR-10, by the short recipe and, where recorded, by the same recipe without drops. With drops the errors fall after the first one."}, "figure": {"caption": "Recorded runs of resnet20 on CIFAR-10: training error (thin) and test error (thick), with drops (left) and without (right).", "name": "fig-ch5-recorded"}}
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, name in zip(axes, ("short", "no-drops"), strict=True):
    figures.plot_curves(recorded[recorded.recipe == name], ax, SHORT.drops)
    ax.set(title=f"recipe {name}", ylim=(0, 80), xlim=(0, SHORT.iterations), xticks=[0, 500, 1_000, 1_500])
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.label_outer()
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
of_short = recorded[recorded.recipe == "short"].groupby("iteration").test_error.mean()
before, after = of_short[of_short.index <= SHORT.drops[0]], of_short[of_short.index > SHORT.drops[0]]
if len(before) and len(after):
    text = f"""In the recorded `short` runs the mean test error is {before.iloc[-1]:.1f} % at the end of the last epoch
before the first drop, and {after.iloc[0]:.1f} % at the end of the epoch in which it falls."""
else:
    text = "No run by the recipe `short` is recorded."
display(Markdown(text))


# %% [markdown]
# A run with drops alone cannot say what the error would have been without them: it was falling anyway. Only the
# comparison can, here or in the ablation table below.
#
# ## Warm-up
#
# The paper found that 0.1 was slightly too large for 110 layers to start with, took 0.01 until the training error was
# below 80 %, and went on as usual. It adds that without this warm-up the network gets going too, after several epochs,
# and ends about as well.
#
# What is it that a deep network cannot stand? Look at the very first step. The sum in a residual network grows from
# block to block, so the features that reach the classifier are larger in a deeper network. The classifier's gradient
# has the features as a factor, and so has the effect of its step on the scores: together, the square. So we take the
# first step of the classifier alone, on one batch, and ask how far it moves the scores.


# %%
def first_step(network: models.Network, learning_rate: float) -> dict[str, float]:
    """The loss; root mean squares of features, scores, and of what the classifier's first step adds to the scores."""
    with torch.no_grad():
        features = network.features(images)  # (64, 64)
    scores = network.classifier(features)
    loss = F.cross_entropy(scores, few.labels)
    (gradient,) = torch.autograd.grad(loss, [network.classifier.weight])
    moved = learning_rate * features @ gradient.T
    sizes = {"features": features, "scores": scores, "moved by": moved}
    return {"loss": loss.item(), **{name: each.square().mean().sqrt().item() for name, each in sizes.items()}}


# %% tags=["nbval-ignore-output"]
steps = pd.DataFrame({depth: first_step(new_network(depth=depth), 0.1) for depth in (8, 20, 56, 110)}).T
steps.round(2).rename_axis("layers")

# %% tags=["remove-input", "nbval-ignore-output"]
ratio = steps["moved by"] / steps.scores
text = f"""With 20 layers the first step at learning rate 0.1 moves the scores by {ratio[20]:.1f} times their own size, with
110 layers by {ratio[110]:.1f} times. A tenth of the rate moves them a tenth as far, by {ratio[110] / 10:.1f} times."""
display(Markdown(text))


# %% [markdown]
# **Predict.** A step that moves the scores by several times their size, in a direction that is right only for small
# steps: what will the loss of the next batches be? Lower, or higher, and by how much? We train the real network of 110
# layers for a few iterations, with and without warm-up.


# %%
def first_losses(network: models.Network, recipe: Recipe, steps: int = first_steps) -> list[float]:
    """The loss of each of the first ``steps`` batches, not augmented; trains ``network`` in place."""
    network, generator = network.to(device), torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(network.parameters(), momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    losses = []
    for iteration in range(steps):
        chosen = torch.randint(len(train), (recipe.batch_size,), generator=generator)
        pixels = augment.normalise(train.images[chosen], mean, std).to(device)
        optimizer.param_groups[0]["lr"] = recipe.learning_rate_at(iteration)
        loss = F.cross_entropy(network(pixels), train.labels[chosen].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %%
deep = {name: new_network(depth=110) for name in ("with warm-up", "without")}
cold = replace(PAPER, batch_size=recipe.batch_size)
beginnings = {
    "with warm-up": first_losses(deep["with warm-up"], warmed_up(cold)),
    "without": first_losses(deep["without"], cold),
}
list(deep)

# %% tags=["nbval-ignore-output"]
pd.DataFrame(beginnings, index=range(1, first_steps + 1)).iloc[[0, 1, 2, 5, -1]].round(1).rename_axis("iteration")

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
def moved(network: nn.Module, start: nn.Module) -> float:
    """Median over the convolutions: how far the weights are from those of ``start``, in lengths of these."""
    pairs = zip(network.cpu().parameters(), start.parameters(), strict=True)
    return torch.stack([(w - w0).norm() / w0.norm() for w, w0 in pairs if w.dim() == 4]).median().item()


# %% tags=["nbval-ignore-output"]
distance = {name: moved(network, new_network(depth=110)) for name, network in deep.items()}
{name: round(each, 3) for name, each in distance.items()}

# %% tags=["remove-input", "nbval-ignore-output"]
top = {name: max(losses) / losses[0] for name, losses in beginnings.items()}
text = f"""Without warm-up the largest loss of the first {first_steps:,} batches is {top["without"]:.1f} times that of the first
batch, with warm-up {top["with warm-up"]:.1f} times. By the end of them the weights of a typical convolution have moved by
{100 * distance["without"]:.0f} % of their length without warm-up, and by {100 * distance["with warm-up"]:.0f} % with it."""
display(Markdown(text))

# %% [markdown]
# A loss far above the dotted line in {numref}`fig-ch5-warm-up` is worse than knowing nothing: the network is sure, and
# wrong. What it then learns first is to be less sure. That costs steps, and moves weights, for nothing. How much it
# costs in the end is another question, which a few iterations do not answer; the paper's answer is "little". The
# records of 110 layers, where there are any, are in the table below. With larger batches and larger rates,
# {cite:t}`goyal2017accurate` found that a warm-up, there a gradual one, was needed.
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
# First, what the forward pass looks like without it. For every block we take the standard deviation of its output over
# one batch, before training. {numref}`fig-ch5-norm` compares networks of 20 and 56 layers, with batch norm (left) and
# without (right). Mind the logarithmic scale.


# %%
@torch.no_grad()
def block_sizes(network: models.Network) -> pd.DataFrame:
    """A row a block: at which layer it ends, and the standard deviation of its output for the batch."""
    rows, x, layer = [], network.stem(images), 1
    for stage in network.stages:
        for block in stage:
            x, layer = block(x), layer + 2
            rows.append({"layer": layer, "size": x.std().item()})
    return pd.DataFrame(rows)


# %%
block_sizes(new_network()).round(2)

# %% tags=["nbval-ignore-output"]
kinds = [(kind, depth) for depth in (20, 56) for kind in ("plain", "residual")]
with_norm, no_norm = (
    pd.concat(
        block_sizes(change(new_network(0, depth, kind == "residual"))).assign(kind=kind, depth=depth)
        for kind, depth in kinds
    )
    for change in (lambda network: network, without_norm)
)
no_norm.groupby(["kind", "depth"])["size"].agg(["first", "last"]).map("{:.2g}".format)

# %% mystnb={"image": {"alt": "Standard deviation of block outputs against layer, on a logarithmic scale. With batch norm all networks stay near 1. Without it the plain networks shrink with depth, and the residual ones grow exponentially, to thousands at 56 layers."}, "figure": {"caption": "Standard deviation of each block's output, before training, for one batch of 64 images: with batch norm (left) and with the batch norms taken out (right).", "name": "fig-ch5-norm"}}
fig, axes = plt.subplots(1, 2, sharey=True)
for ax, frame, title in zip(axes, (with_norm, no_norm), ("with batch norm", "without"), strict=True):
    figures.plot_layers(frame, ax, "size", "standard deviation of the output", log=True)
    ax.set_title(title)
    ax.label_outer()
axes[0].get_legend().remove()
plt.show()

# %% [markdown]
# Without batch norm, each residual block adds about as much variance as comes in, so that the sum doubles from block to
# block; the plain network loses a little at every layer. With batch norm $F(x)$ has the same size in every block, and
# the sum grows by the same amount each time, like a walk and not like an explosion.
#
# Second, what it does for training. **Predict.** Our network is so shallow that its outputs are of reasonable size even
# without batch norm. Will it train at the recipe's rate without it? And at a tenth of that?

# %% tags=["nbval-ignore-output"]
slow = replace(recipe, learning_rate=recipe.learning_rate / 10)
runs["a tenth of the rate"] = train_here(slow, seeds=seeds[:1])
runs["no batch norm"] = train_here(recipe, without_norm, seeds=seeds[:1])
runs["no batch norm, a tenth of the rate"] = train_here(slow, without_norm, seeds=seeds[:1])
norm_runs = ["full", "a tenth of the rate", "no batch norm", "no batch norm, a tenth of the rate"]
pd.concat({name: final(name)[["train_loss", "test_error"]].iloc[:1] for name in norm_runs}).droplevel(1).round(2)

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""Test error without batch norm against with it. At the recipe's rate: {compared("no batch norm")}. At a tenth of
the rate: {compared("no batch norm, a tenth of the rate", "a tenth of the rate")}. Guessing has 90 %, and the loss of equal
scores is {math.log(10):.2f}."""
display(Markdown(text))

# %% [markdown]
# One thing that batch norm buys is the large rate. A step that changes the size of what a layer puts out would, without
# it, be multiplied through all layers behind; batch norm divides it out again. {cite:t}`ioffe2015batch` report the same
# on ImageNet, where it allowed far larger rates and so far fewer steps. Compare the two rows at a tenth of the rate to
# see whether the rate is all.
#
# ## Initialisation
#
# How large must the first weights be? Take a layer that sums $n$ inputs $x_i$ with independent weights of mean 0 and
# variance $\mathrm{var}(w)$. Its outputs have the variance $n\, \mathrm{var}(w)\, \overline{x^2}$. They are as often
# positive as negative, so the ReLU behind it sets half of the square to zero, and the next layer's inputs have
#
# $$
# \overline{x_{l+1}^2} = \tfrac12\, n\, \mathrm{var}(w)\; \overline{x_l^2} .
# $$ (eq-he)
#
# The size is kept if $\mathrm{var}(w) = 2/n$; this is the initialisation of {cite:t}`he2015delving`. Half the standard
# deviation would halve the signal in every layer, twice would double it. Let us see whether the real networks, with
# their padding, strides and shortcuts, follow.


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
FACTORS = {"half": 0.5, "He": 1.0, "twice": 2.0}
round((scaled(0.5)(new_network()).stem[0].weight.std() / new_network().stem[0].weight.std()).item(), 3)

# %% tags=["nbval-ignore-output"]
starts = {
    (kind, name): block_sizes(without_norm(scaled(factor)(new_network(0, 20, kind == "residual"))))
    for kind in ("plain", "residual")
    for name, factor in FACTORS.items()
}
ends = pd.concat(starts).groupby(level=[0, 1])[["layer", "size"]].agg(["first", "last"])
ratios = ends["size"]["last"] / ends["size"]["first"]
per_layer = ratios ** (1 / (ends.layer["last"] - ends.layer["first"]))
per_layer.unstack()[list(FACTORS)].round(2).rename_axis("times per layer")

# %% mystnb={"image": {"alt": "Standard deviation of block outputs against layer in networks of 20 layers without batch norm. With half the weights the plain network's signal dies out, with twice the weights both kinds explode; with He's weights the plain network nearly keeps its size."}, "figure": {"caption": "Standard deviation of each block's output before training, without batch norm, 20 layers: weights of He et al. (solid), half as large (dotted), and twice as large (dashed).", "name": "fig-ch5-initialisation"}}
fig, ax = plt.subplots()
for (kind, name), frame in starts.items():
    style = {"half": ":", "He": "-", "twice": "--"}[name]
    ax.plot(frame.layer, frame["size"], style, color=figures.COLOURS[kind], label=f"{kind}, {name}")
ax.set(xlabel="layer, from the images to the classes", ylabel="standard deviation of the output", yscale="log")
ax.legend(ncols=2)
plt.show()

# %% [markdown]
# In {numref}`fig-ch5-initialisation` the plain network does what {eq}`eq-he` says, nearly: the factor per layer in the
# table is close to that of the weights. It is a little smaller, among other things because the padding lets zeros in at
# the border, which is a large part of a small image. In the residual network the shortcut carries the signal past
# weights that are too small. Too large ones it cannot help.
#
# And with batch norm? It divides by whatever the standard deviation is, so that the factor cannot be seen at all:

# %% tags=["nbval-ignore-output"]
for kind in ("plain", "residual"):
    small, large = (block_sizes(scaled(factor)(new_network(0, 20, kind == "residual"))) for factor in (0.5, 2.0))
    torch.testing.assert_close(torch.tensor(small["size"]), torch.tensor(large["size"]), rtol=1e-2, atol=0.0)
    print(f"{kind}, 20 layers: the largest difference is {(small['size'] - large['size']).abs().max():.4f}")

# %% [markdown]
# The forward pass is the same, yet the training is not: steps of the same length change small weights more than large
# ones (more of that below). **Predict.** Which of the three sizes will train, with batch norm and without it?

# %% tags=["nbval-ignore-output"]
for name in ("half", "twice"):
    start = scaled(FACTORS[name])
    runs[f"{name} the weights"] = train_here(recipe, start, seeds[:1])
    bare = train_here(slow, lambda network, start=start: without_norm(start(network)), seeds[:1])
    runs[f"no batch norm, {name} the weights"] = bare
trained = {
    "batch norm, full rate": ("half the weights", "full", "twice the weights"),
    "none, a tenth of the rate": [
        f"no batch norm, {name}" for name in ("half the weights", "a tenth of the rate", "twice the weights")
    ],
}
losses = pd.DataFrame({column: [final(name).train_loss.iloc[0] for name in names] for column, names in trained.items()})
losses.set_axis(pd.Index(FACTORS, name="weights")).round(2).astype(object).fillna("not finite")

# %% tags=["remove-input", "nbval-ignore-output"]
begun = {name: (column < math.log(10) - 0.2).sum() for name, column in losses.items()}
text = f"""The numbers are training losses of the last epoch, for {layers} layers and one seed; equal scores have
{math.log(10):.2f}. With batch norm {begun["batch norm, full rate"]} of the three are more than 0.2 below that, without it
{begun["none, a tenth of the rate"]}."""
display(Markdown(text))

# %% [markdown]
# With batch norm the initialisation still sets how long the weights are against a step, and no more. It is not the only way: residual networks of great depth can be trained
# without any normalisation if each block begins as (nearly) the identity {cite}`zhang2019fixup`.
#
# ## Weight decay
#
# The classical reason for weight decay is that small weights make simple functions. Behind a convolution with batch
# norm this cannot be the reason: multiply its weights by 3, and the network is the same function.

# %% tags=["nbval-ignore-output"]
network, tripled = new_network(), scaled(3.0)(new_network())
torch.testing.assert_close(tripled(images), network(images), rtol=1e-2, atol=1e-2)
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
# holds against that. With batch norm it is a second hand on the learning rate {cite}`vanlaarhoven2017`. (Not all weights
# have a batch norm behind them: for the classifier the classical reason stands.)
#
# How strong is that hand? A weight without a gradient shrinks in each step by about $\eta \lambda / (1 - \mu)$ of
# itself; the momentum counts here as well. Over a whole training:


# %%
def left_over(recipe: Recipe) -> float:
    """What weight decay alone leaves of a weight of 1 by the end of the recipe."""
    weight, velocity, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64), torch.zeros(1)
    for iteration in range(recipe.iterations):
        rate = recipe.learning_rate_at(iteration)
        sgd_step(weight, zero, velocity, rate, recipe.momentum, recipe.weight_decay)
    return weight.item()


# %%
{name: f"{100 * left_over(each):.1f} %" for name, each in {"trained here": recipe, "short": SHORT}.items()}

# %%
exponent = sum(PAPER.learning_rate_at(i) for i in range(PAPER.iterations)) * PAPER.weight_decay / (1 - PAPER.momentum)
f"paper: {100 * math.exp(-exponent):.1f} %"

# %% [markdown]
# **Predict.** From these three numbers: will it show in the training on this page when the decay is taken out? In the
# short recipe? In the paper's?

# %% tags=["nbval-ignore-output"]
runs["no decay"] = train_here(replace(recipe, weight_decay=0.0))
pd.concat({name: final(name)[["train_error", "test_error"]] for name in ("full", "no decay")}, axis=1).round(1)

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""Without decay: {compared("no decay")}. Over this training, decay alone would have taken
{100 * (1 - left_over(recipe)):.1f} % off a weight."""
display(Markdown(text))

# %% [markdown]
# ## Augmentation
#
# Crop and flip make many images out of one (chapter 2). They make the training *harder*: the network sees no image
# twice in the same way. What is gained is a smaller gap between training and test error, and it can be gained only
# where there is a gap. **Predict.** In a training of only a few epochs, will taking the augmentation out raise or lower
# the test error?

# %% tags=["nbval-ignore-output"]
runs["no augmentation"] = train_here(replace(recipe, padding=0, flip_probability=0.0))
both = {name: final(name)[["train_error", "test_error"]].mean() for name in ("full", "no augmentation")}
errors = pd.DataFrame(both).T
errors.assign(gap=errors.test_error - errors.train_error).round(1)

# %% tags=["remove-input", "nbval-ignore-output"]
gaps = errors.test_error - errors.train_error
text = f"""Without augmentation: {compared("no augmentation")}. The gap between training and test error is {gaps["full"]:.1f}
points with augmentation and {gaps["no augmentation"]:.1f} points without, after
{recipe.iterations * recipe.batch_size / len(train):.0f} passes over the training images. The paper's recipe makes
{PAPER.iterations * PAPER.batch_size / 50_000:.0f} passes over CIFAR-10's."""
display(Markdown(text))

# %% [markdown]
# A larger gap without augmentation is what it is there for. Whether the gap costs more than the easier training gains
# depends on how many passes follow: a network that sees each image a few times has no time to learn it by heart.
#
# ## All parts together
#
# ### Recorded ablations
#
# The experiments `resnet20-cifar10-no-...` take one part out of the recipe `short`, and `resnet110-cifar10-no-warmup`
# takes the warm-up out of the paper's. What is recorded of them:

# %% tags=["nbval-ignore-output"]
summary = tables.summary(results).set_index("experiment").reindex(names)
recorded_table = summary[["runs", "train_error", "test_error", "test_std"]].round(2).astype(object)
recorded_table["runs"] = summary.runs.fillna(0).astype(int)
recorded_table.fillna({"test_std": "–"}).fillna(tables.NOT_RECORDED)

# %% tags=["remove-input", "nbval-ignore-output"]
errors = summary.test_error
lines = [
    f"- `{name}`: {errors[name] - errors[base]:+.2f} points of test error against `{base}`."
    for base, name in [*((names[0], name) for name in names[1:5]), (names[5], names[6])]
    if not math.isnan(errors[name] - errors[base])
]
nothing = "No ablation is recorded yet together with its full recipe, so there is nothing to compare."
display(Markdown("\n".join(lines) or nothing))

# %% [markdown]
# ### Trained on this page
#
# {numref}`fig-ch5-ablations` has the test error of every run above. The dashed line is the mean of the full recipe; a
# dot to the right of it is worse. A run whose loss was not finite has a cross at 100 %.

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Dots of test error, a row a variant of the recipe, with a dashed line at the full recipe. In the smallest tier, taking out batch norm or momentum moves the dots to the right; weight decay hardly moves them."}, "figure": {"caption": "Test error after the last epoch of every run trained on this page, by variant; one dot a run.", "name": "fig-ch5-ablations"}}
fig, ax = plt.subplots(figsize=(7.2, 4.4))
for row, name in enumerate(runs):
    errors = final(name).test_error
    colour = figures.COLOURS["residual" if name == "full" else "accent"]
    ax.plot(errors, [row] * len(errors), "o", color=colour)
    ax.plot([100] * errors.isna().sum(), [row] * errors.isna().sum(), "x", color=colour)
ax.axvline(final("full").test_error.mean(), color=figures.COLOURS["neutral"], linestyle="--", linewidth=0.8)
ax.set_yticks(range(len(runs)), list(runs))
ax.invert_yaxis()
ax.set(xlabel="test error (%)", xlim=(0, 102))
plt.show()

# %% [markdown]
# And in one table: the part, the reason, and the test error without it against the full recipe, in this training.

# %% tags=["remove-input", "nbval-ignore-output"]
warm_up = f"largest loss of the first {first_steps:,} batches: {top['without']:.1f} times the first, with it "
parts = {
    "momentum": ("averages gradients; steps ten times larger", compared("no momentum")),
    "drops": ("bring the noise of the steps to rest", f"{compared('no drops')}; after the first drop {after_drop}"),
    "warm-up": ("first steps of a deep network overshoot", warm_up + f"{top['with warm-up']:.1f} times"),
    "batch norm": ("keeps all layers' sizes, allows large rates", compared("no batch norm")),
    "initialisation": ("keeps the signal's size", f"twice the weights: {compared('twice the weights')}"),
    "weight decay": ("keeps weights short, and so the steps effective", compared("no decay")),
    "augmentation": ("closes the gap between training and test", compared("no augmentation")),
}
table = pd.DataFrame.from_dict(parts, orient="index", columns=["why", "contributed here (without against with)"])
heading = f"{layers} layers, {recipe.iterations:,} iterations, {train.name}:\n\n"
display(Markdown(heading + tables.to_markdown(table.rename_axis("part"))))

# %% [markdown]
# Read the last column with the training in mind that it comes from. Momentum, batch norm and initialisation act from
# the first step, so any training shows them. Drops need a training that has reached its noise. Weight decay and
# augmentation act over many epochs, and a training that ends early can only show what they cost. "No clear difference"
# is a statement about these runs, not about the part.
#
# ## Summary
#
# - The whole step is forward, loss, backward, and two lines for each weight; by hand it gives the numbers of PyTorch
#   and of the package.
# - Momentum averages gradients and multiplies the step by $1/(1 - \mu)$. Drops bring the noise of a large rate to rest.
# - Batch norm keeps sizes in bounds at any depth and for any initialisation, and allows the large rate. Without it,
#   the signal needs weights of variance $2/n$, and in a residual network it grows all the same.
# - The first step of a very deep residual network overshoots, since its features are large. Warm-up lets it pass.
# - With batch norm, weight decay acts on the relative length of steps, and it takes a long training to do so. So does
#   augmentation.
#
# ## Exercises
#
# **1. More momentum.** With $\mu = 0.99$, which learning rate keeps the effective step of {eq}`eq-effective`? Train
# with it, and with the rate left at 0.1.
#
# <details><summary>Solution</summary>
#
# $\eta / (1 - \mu)$ is to stay 1, so $\eta = 0.01$.
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

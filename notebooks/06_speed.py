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
# # Where the time goes
#
# **A training step of a ResNet-20 takes so many milliseconds on your machine. Where do they go, and what makes the step
# faster without touching the recipe?**
#
# A network that trains twice as fast can be trained with twice as many seeds. But speed is a bad reason to change what
# is learned: this page leaves the batch size, the schedule and the augmentation alone, and asks only for the same
# numbers sooner. First it measures one step, part by part, and compares each part with what the machine could do at
# best. Then it goes through the usual techniques one by one, says what each is for, and measures what it brings.
#
# **You will learn**
#
# - to time a step so that the number means something, and to split it into its parts and its kinds of operations;
# - to count operations and bytes, and to tell from them whether arithmetic or memory is what a layer waits for;
# - what loading in batches, channels-last tensors, bfloat16, compilation and CUDA graphs do, and when each pays.
#
# **You need** chapter 2 for the augmentation and chapter 3 for the network. With `tier = "smoke"` the page takes about
# 20 seconds on 2 cores and downloads nothing. `"cpu"` takes some minutes and CIFAR-10 (170 MB), and compiles the
# network, which needs a C++ compiler. `"paper"` measures on a GPU, where there is one, in about two minutes.

# %% tags=["parameters"]
tier = "smoke"  # "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": the measurements on a GPU
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

from resnet_book import augment, data, figures, models, records, tables, train
from resnet_book.experiments import PAPER
from resnet_book.run_state import RunState

figures.use_style()
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}"


# %%
def load_images(tier: str, root: str) -> data.ImageSet:
    """Training images for this tier; the built-in ones where CIFAR-10 is not wanted or not there."""
    if tier != "smoke":
        try:
            return data.load("cifar10", "train", root or None)
        except data.DataError:
            note = "**CIFAR-10 was not found, so this page uses the built-in images.** `make data` fetches it."
            display(Markdown(f"> {note}"))
    return data.load("builtin", "train")


train_images = load_images(tier, data_root)
f"{train_images.name}: {len(train_images):,} images"

# %% [markdown]
# Every time on this page was measured on the machine that ran it, and yours will show others. Here it was:

# %% tags=["nbval-ignore-output"]
device = torch.device("cuda" if tier == "paper" and torch.cuda.is_available() else "cpu")
batch_size, passes = {"smoke": (32, 7), "cpu": (128, 15), "paper": (128, 30)}[tier]
compiling = tier != "smoke" and train.worth_compiling(PAPER, device)
torch.backends.cudnn.benchmark = True  # on a GPU: the fastest kernels, and no TensorFloat-32, as ``fit`` has it
torch.backends.cudnn.allow_tf32 = False
print(f"{records.environment(device, '', compiled=False)['device']}; batches of {batch_size}, {passes} passes")

# %% [markdown]
# ## How to time
#
# Three things make a time meaningless. The *first* call is special: memory is asked for, kernels are chosen, code is
# compiled; so call once before the clock starts. A *single* call tells as much about the other programs on the machine
# as about ours; so take several and their median. And a GPU works on its own: a line of Python only puts work into its
# queue and goes on, so a clock that is read at once has timed the queueing. It must first wait.


# %%
def read_clock() -> float:
    """Seconds, when the device has done all that it was asked for. A CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def differences(marks: list[float]) -> list[float]:
    """Milliseconds from each mark (seconds) to the next."""
    return [1000 * (after - before) for before, after in pairwise(marks)]


differences([1.0, 1.5, 1.75])


# %%
def times(run: Callable[[], object], count: int) -> list[float]:
    """The milliseconds of ``count`` calls, after one that is not timed."""
    run()
    marks = [read_clock()]
    for _ in range(count):
        run()
        marks.append(read_clock())
    return differences(marks)


def milliseconds(run: Callable[[], object]) -> float:
    """The median time of a call."""
    return statistics.median(times(run, passes))


# %% tags=["nbval-ignore-output"]
values = torch.randn(10**6, device=device)
f"a million square roots: {milliseconds(lambda: values.abs().sqrt()):.2f} ms"

# %% [markdown]
# ## One step in its parts
#
# A step loads a batch, runs the network forward, runs it backward, and updates the weights. Loading comes in two kinds.
# The conventional one takes the images one after the other, as pictures, through torchvision's transforms, and stacks
# the results. Ours, from chapter 2, does the same to a whole batch of tensors at once, on the device.

# %%
mean, std = augment.channel_mean_std(train_images.images)
chosen = torch.arange(batch_size)
pictures = [Image.fromarray(image) for image in train_images.images[chosen].permute(0, 2, 3, 1).numpy()]
f"{len(pictures)} pictures of {pictures[0].size} pixels"

# %%
crop_and_flip = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
normalise = [transforms.ToTensor(), transforms.Normalize((mean / 255).tolist(), (std / 255).tolist())]
transform = transforms.Compose(crop_and_flip + normalise)
transform(pictures[0]).shape


# %%
def one_by_one() -> torch.Tensor:
    """The batch, (N, 3, 32, 32) float32, an image at a time."""
    return torch.stack([transform(picture) for picture in pictures]).to(device)


one_by_one().shape

# %%
generator = torch.Generator(device).manual_seed(0)
pixels, labels = train_images.images[chosen].to(device), train_images.labels[chosen].to(device)
mean, std = mean.to(device), std.to(device)
pixels.shape, pixels.dtype


# %%
def at_once() -> torch.Tensor:
    """The same batch, all images together."""
    return augment.normalise(augment.apply(pixels, augment.draw(batch_size, generator)), mean, std)


at_once().shape

# %% [markdown]
# The network and its optimizer are the recipe's. `channels_last` is how the package lays out its tensors; a section
# below is about that.


# %%
def new_network() -> models.Network:
    """ResNet-20 with the weights of seed 0."""
    return models.MODELS["resnet20"](generator=torch.Generator().manual_seed(0)).to(device)


models.count_parameters(new_network())


# %%
def new_optimizer(network: torch.nn.Module) -> torch.optim.Optimizer:
    """The recipe's."""
    return torch.optim.SGD(network.parameters(), PAPER.learning_rate, PAPER.momentum, weight_decay=PAPER.weight_decay)


network = new_network().to(memory_format=torch.channels_last)
optimizer = new_optimizer(network)
type(optimizer).__name__


# %% [markdown]
# Now one step with a clock that is read between its parts, and its loss for a check.


# %%
def step_in_parts() -> list[float]:
    """Milliseconds of forward, backward and optimizer."""
    images = at_once().contiguous(memory_format=torch.channels_last)
    marks = [read_clock()]
    loss = F.cross_entropy(network(images), labels)
    marks.append(read_clock())
    loss.backward()
    marks.append(read_clock())
    optimizer.step()
    optimizer.zero_grad()
    marks.append(read_clock())
    return differences(marks)


len(step_in_parts())

# %% [markdown]
# **Predict.** Order the five by time: loading one by one, loading at once, forward, backward, and the optimizer, which
# touches each of the network's parameters several times. Then look at {numref}`fig-ch6-parts`.

# %% tags=["nbval-ignore-output"]
measured = torch.tensor([step_in_parts() for _ in range(passes)]).median(dim=0).values.tolist()
parts = {"loading, one by one": milliseconds(one_by_one), "loading, at once": milliseconds(at_once)}
parts |= dict(zip(("forward", "backward", "optimizer"), measured, strict=True))
pd.Series(parts, name="milliseconds").round(2).to_frame()


# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Horizontal bars of milliseconds for the parts of one training step. The backward pass is the longest, then the forward pass; loading a batch at once and the optimizer are short."}, "figure": {"caption": "The parts of one step of ResNet-20 on this machine, with both kinds of loading (of which a step needs one).", "name": "fig-ch6-parts"}}
def bars(times: dict[str, float], ax: plt.Axes, label: str, highlighted: tuple[str, ...] = ()) -> plt.Axes:
    """A horizontal bar for each time, the first on top, with its number at its end."""
    colours = [figures.COLOURS["accent" if name in highlighted else "neutral"] for name in times]
    drawn = ax.barh(list(times), list(times.values()), color=colours)
    ax.bar_label(drawn, [f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in times.values()], padding=3)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.grid(False, axis="y")
    ax.set_xlabel(label)
    return ax


fig, ax = plt.subplots(figsize=(7.2, 2.6))
bars(parts, ax, "milliseconds", highlighted=("loading, at once",))
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
computing = parts["forward"] + parts["backward"] + parts["optimizer"]
conventional = parts["loading, one by one"]
factor = conventional / parts["loading, at once"]
text = f"""Backward takes {parts["backward"] / parts["forward"]:.1f} times as long as forward, and the optimizer
{100 * parts["optimizer"] / computing:.1f} % of the computation. Loading one by one takes {factor:.0f} times as long as
at once. Here that is {100 * conventional / (conventional + computing):.0f} % of a step that loads so."""
display(Markdown(text))

# %% [markdown]
# Why is backward longer? For each convolution it computes two things, the gradient of the weights and the gradient of
# the input, and each is as much work as the convolution itself. And whether loading matters depends on the rest of the
# step: on a CPU it hides behind slow arithmetic, while a GPU computes its part in a millisecond or two and then waits
# for the pictures. That is why conventional scripts need several processes that load.
#
# ### Kinds of operations
#
# "Forward" is many operations. PyTorch lets us look on while it calls them: a `TorchDispatchMode` sees every operation
# after autograd has decided what is to be computed. Ours writes a ledger: what was called, how many bytes it reads and
# writes, and how long it took. (A view, such as a transposition, moves nothing.)


# %%
def num_bytes(values: object) -> int:
    """Bytes of all tensors somewhere in ``values``."""
    return sum(each.numel() * each.element_size() for each in tree_iter(values) if isinstance(each, torch.Tensor))


x, y = torch.ones(100, 2), torch.ones(100, 2)
num_bytes([x, y])


# %%
class Ledger(TorchDispatchMode):
    """Keeps a row for each operation: name, bytes read and written, milliseconds."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        start = read_clock()
        result = func(*args, **(kwargs or {}))
        spent = 1000 * (read_clock() - start)
        name = func.overloadpacket.__name__
        idle = func.is_view or "empty" in name
        self.rows.append((name, 0 if idle else num_bytes((args, kwargs)) + num_bytes(result), spent))
        return result

    def __enter__(self) -> "Ledger":
        self.rows: list[tuple[str, int, float]] = []
        return super().__enter__()


with Ledger() as ledger:
    (x + y).t().relu()
[row[:2] for row in ledger.rows]

# %% [markdown]
# The sum reads two tensors and writes one, the transposition is a view, the ReLU reads one and writes one. Now the
# forward and backward pass of a whole step; a few of its rows:

# %% tags=["nbval-ignore-output"]
images = at_once().contiguous(memory_format=torch.channels_last)
with Ledger() as ledger:
    F.cross_entropy(network(images), labels).backward()
optimizer.zero_grad()
rows = pd.DataFrame(ledger.rows, columns=["operation", "bytes", "ms"])
rows[rows.bytes > 0].iloc[[0, 2, 3, -3, -2, -1]].round(2)

# %% [markdown]
# Next we sort the rows into kinds, and repeat the pass to have medians. The floating-point operations come from
# PyTorch's own counter, which knows convolutions and matrix products; all else is too little to count.

# %%
KINDS = {"convolution": "convolutions", "batch_norm": "batch norm", "relu": "ReLU", "threshold": "ReLU"}
KINDS |= {"add": "additions", "addmm": "the rest"}


def kind(operation: str) -> str:
    """Which kind of layer called it."""
    found = [kind for part, kind in KINDS.items() if part in operation]
    return found[-1] if found else "the rest"


[kind(each) for each in ("convolution_backward", "threshold_backward", "addmm", "sum")]


# %%
def pass_by_kind(network: models.Network, images: torch.Tensor, labels: torch.Tensor) -> pd.DataFrame:
    """Bytes and milliseconds of a forward and backward pass, by kind of operation."""
    with Ledger() as ledger:
        F.cross_entropy(network(images), labels).backward()
    network.zero_grad()
    rows = pd.DataFrame(ledger.rows, columns=["operation", "bytes", "ms"])
    return rows.groupby(rows.operation.map(kind).rename("kind")).sum(numeric_only=True)


pass_by_kind(network, images, labels).index.tolist()

# %%
with FlopCounterMode(display=False) as counter:
    F.cross_entropy(network(images), labels).backward()
optimizer.zero_grad()
f"{counter.get_total_flops():,} floating-point operations for {batch_size} images"

# %% [markdown]
# **Predict.** Convolutions do over 99 % of all floating-point operations. What share of the *time* do they take?

# %% tags=["nbval-ignore-output"]
repeated = pd.concat(pass_by_kind(network, images, labels) for _ in range(passes)).groupby("kind").median()
by_kind = repeated.sort_values("ms", ascending=False)
flops = {str(each): number for each, number in counter.get_flop_counts()["Global"].items()}
in_convolutions = sum(number for name, number in flops.items() if "convolution" in name)
{name: f"{number:,}" for name, number in flops.items()}

# %% tags=["nbval-ignore-output"]
by_kind["operations"] = [in_convolutions * (name == "convolutions") for name in by_kind.index]
by_kind.loc["the rest", "operations"] = sum(flops.values()) - in_convolutions
shares = 100 * by_kind[["ms", "bytes", "operations"]] / by_kind[["ms", "bytes", "operations"]].sum()
shares.columns = ["time (%)", "bytes moved (%)", "operations (%)"]

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Horizontal bars with the share of time of each kind of operation. Convolutions take the largest share, but batch norm, ReLU and additions, which do hardly any arithmetic, together take a large part of the time."}, "figure": {"caption": "Share of the time of forward and backward pass, by kind of operation.", "name": "fig-ch6-kinds"}}
fig, ax = plt.subplots(figsize=(7.2, 2.4))
bars(shares["time (%)"].to_dict(), ax, "share of the time (%)", highlighted=("convolutions",))
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
display(shares.round(1))
outside = 100 - shares.loc["convolutions"]
text = f"""What is not a convolution does {outside["operations (%)"]:.2g} % of the operations and takes
{outside["time (%)"]:.0f} % of the time. The column of bytes explains it: {outside["bytes moved (%)"]:.0f} % of them are
moved there."""
display(Markdown(text))

# %% [markdown]
# In {numref}`fig-ch6-kinds` batch norm and ReLU cost what they do because they read a whole tensor from memory, do next
# to nothing with each number, and write it back. Making them compute faster would not help. Making them *move less*
# would.
#
# ## The roof of this machine
#
# The roofline model {cite}`williams2009roofline` puts the two limits into one picture. A device computes at most $P$
# operations a second, and moves at most $B$ bytes a second to and from its memory. An operation that does $I$
# operations for each byte it moves, its *arithmetic intensity*, then runs at no more than
#
# $$
# \min(P, \; I \cdot B) .
# $$ (eq-roofline)
#
# We measure $P$ with a large matrix product and $B$ with a large copy, and take the fastest of several tries.


# %%
def best_seconds(run: Callable[[], object]) -> float:
    """The shortest of many calls."""
    return min(times(run, 4 * passes)) / 1000


size, copied = (8_192, 2**30) if device.type == "cuda" else (1_024, 2**26)  # rows and columns; bytes
f"a product of {size:,} x {size:,} numbers, a copy of {copied / 1e6:.0f} MB"

# %% tags=["nbval-ignore-output"]
matrix, source = torch.randn(size, size, device=device), torch.zeros(copied // 4, device=device)
target = torch.zeros_like(source)
compute_rate = 2 * size**3 / best_seconds(lambda: matrix @ matrix)  # operations a second
bandwidth = 2 * copied / best_seconds(lambda: target.copy_(source))  # bytes a second, read and written
print(f"{compute_rate / 1e9:,.0f} GFLOP/s, {bandwidth / 1e9:,.0f} GB/s")

# %% [markdown]
# A 3x3 convolution from $C$ to $C$ channels multiplies and adds $9 C$ numbers for each output. It reads and writes, for
# each output, one number of four bytes each. So its intensity in float32 is
#
# $$
# I = \frac{2 \cdot 9 \, C}{4 + 4} = \frac{9}{4} C
# $$ (eq-intensity)
#
# operations for a byte: 36, 72 and 144 in the three stages. A ReLU has an eighth. Let us time the operations of the
# network one by one, on so many images that no small cache holds them. (Batch norm is given four operations for a number; the
# exact count does not matter here.)

# %%
many = 2_048 if device.type == "cuda" else 256  # images


def operations(channels: int, side: int) -> dict[str, tuple[Callable[[], object], int, int]]:
    """Operations on a batch of this shape: what to call, floating-point operations, bytes."""
    x = torch.randn(many, channels, side, side, device=device).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3, device=device).contiguous(memory_format=torch.channels_last)
    layer = f"{channels} channels"
    found = {f"convolution, {layer}": (lambda: F.conv2d(x, weight, padding=1), 18 * channels * x.numel(), 2)}
    if channels == 16:
        norm, other = torch.nn.BatchNorm2d(16, device=device), torch.randn_like(x)
        found["batch norm"] = (lambda: norm(x), 4 * x.numel(), 2)
        found["ReLU"] = (lambda: F.relu(x), x.numel(), 2)
        found["addition"] = (lambda: x + other, x.numel(), 3)
    return {name: (run, flops, tensors * num_bytes(x)) for name, (run, flops, tensors) in found.items()}


timed = operations(64, 8) | operations(32, 16) | operations(16, 32)
list(timed)

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    points = {name: (flops / moved, flops / best_seconds(run)) for name, (run, flops, moved) in timed.items()}
roof = pd.DataFrame(points, index=["operations a byte", "GFLOP/s"]).T
len(roof)

# %% tags=["nbval-ignore-output"]
step_bytes, step_ms = by_kind.bytes.sum(), parts["forward"] + parts["backward"]
roof.loc["forward and backward, all"] = [sum(flops.values()) / step_bytes, sum(flops.values()) / step_ms * 1000]
roof["% of the roof"] = 100 * roof["GFLOP/s"] / (roof["operations a byte"] * bandwidth).clip(upper=compute_rate)
roof["GFLOP/s"] /= 1e9
roof.round(2)

# %% [markdown]
# **Predict.** {numref}`fig-ch6-roofline` draws {eq}`eq-roofline` as a slanted line, where memory is the limit, and a
# level one, where arithmetic is. Under which part will the convolutions lie? And ReLU, addition and batch norm? And
# where the whole step, which is made of them all?

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Roofline diagram with logarithmic axes: operations a second against operations a byte. ReLU, addition and batch norm lie at the far left, at or under the slanted part, where memory is the limit; the three convolutions lie at the right, near the level part. The whole step lies between."}, "figure": {"caption": "The roof of this machine in float32 (line: a large copy and a large matrix product), the operations of ResNet-20, and its whole forward and backward pass.", "name": "fig-ch6-roofline"}}
fig, ax = plt.subplots()
intensity = torch.logspace(-1.3, 2.7, 100)
ax.loglog(
    intensity, (intensity * bandwidth).clamp(max=compute_rate) / 1e9, color=figures.COLOURS["neutral"], label="roof"
)
for (name, row), marker in zip(roof.iterrows(), "v^osDPX", strict=True):
    colour = figures.COLOURS["accent" if "convolution" in name else "neutral"]
    colour = figures.COLOURS["residual"] if "forward" in name else colour
    ax.plot(row["operations a byte"], row["GFLOP/s"], marker, color=colour, label=name, linestyle="none")
ax.set_xlabel("operations for each byte moved")
ax.set_ylabel("GFLOP/s")
ax.legend()
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
ridge = compute_rate / bandwidth
over = [name for name, row in roof.iterrows() if row["% of the roof"] > 105]
note = f" Above the roof here: {', '.join(over)}." if over else ""
text = f"""The roof bends at {ridge:.1f} operations for a byte. Whatever lies to the left waits for memory.{note}"""
display(Markdown(text))

# %% [markdown]
# A point may lie above the roof, because neither part of it is a law of nature. A tensor that is still in the
# processor's cache need not come from memory. A convolution is not a matrix product: some algorithms multiply less than
# {eq}`eq-intensity` counts, and the library that computes convolutions may simply use the processor better than the one
# that multiplies matrices. And a machine that was busy while we measured $P$ or $B$ has a roof that is too low. What the
# picture does tell is *which* limit is near, and so which technique can help.
#
# The whole step has a floor, too. If all that is not a convolution were fused into the convolutions, only their
# operations and their bytes would remain.

# %% tags=["nbval-ignore-output"]
floor = {
    "floor: operations of the convolutions": 1000 * in_convolutions / compute_rate,
    "floor: bytes of the convolutions": 1000 * by_kind.loc["convolutions", "bytes"] / bandwidth,
    "bytes of all operations": 1000 * by_kind.bytes.sum() / bandwidth,
    "measured: forward and backward": parts["forward"] + parts["backward"],
}
pd.Series(floor, name="milliseconds").round(2).to_frame()


# %% [markdown]
# Compare the second and the third line: what the bytes of the convolutions cost, and what those of all operations cost
# when each reads and writes for itself. The difference is about what fusing can win.
#
# ## The techniques
#
# We now build the step anew, as most scripts have it, and improve one thing at a time. A `Way` says what is improved.


# %%
@dataclass(frozen=True)
class Way:
    """How a step is taken; the recipe is the same in all."""

    at_once: bool = False  # load whole batches
    fetch: bool = True  # ask for the loss in every step
    layout: torch.memory_format = torch.contiguous_format
    bfloat16: bool = False
    compiled: bool = False


Way()


# %%
def make_step(way: Way) -> Callable[[], torch.Tensor | float]:
    """A step of a new network; it returns the loss before it."""
    network = new_network().to(memory_format=way.layout)
    optimizer, load = new_optimizer(network), at_once if way.at_once else one_by_one
    forward = torch.compile(network) if way.compiled else network

    def step() -> torch.Tensor | float:
        images = load().contiguous(memory_format=way.layout)
        with torch.autocast(device.type, torch.bfloat16, enabled=way.bfloat16):
            loss = F.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item() if way.fetch else loss.detach()

    return step


loss = make_step(Way())()
type(loss).__name__

# %% [markdown]
# Is the improved step still the package's? Two networks with the same weights get the same batch: one takes a step in
# view, the other the step that `fit` takes. All weights are to be equal afterwards.

# %%
recipe = replace(PAPER, batch_size=batch_size)
run = RunState(new_network(), train_images, recipe, 0, device, None, {})
plan = next(run.batches())
images, its_labels = run.batch(plan)
tuple(plan.shape)

# %%
mine = new_network().to(memory_format=torch.channels_last)
optimizer = new_optimizer(mine)
F.cross_entropy(mine(images), its_labels).backward()
optimizer.step()
train.make_step(run, run.network, "float32")(plan)
tolerance = 1e-3 if device.type == "cuda" else 1e-6  # a GPU adds up in no fixed order
for own, theirs in zip(mine.parameters(), run.network.parameters(), strict=True):
    torch.testing.assert_close(own, theirs, rtol=tolerance, atol=tolerance)
f"{len(list(mine.parameters()))} tensors of weights agree"

# %% [markdown]
# ### Whole batches
#
# Chapter 2 explained it: a call from Python costs microseconds, however little it does, so do everything to a whole
# batch. The images stay on the device as bytes, all of CIFAR-10 in 154 MB, and a batch is cut out of them there. No
# process loads, nothing is copied to the GPU but a few random numbers, and those are drawn there as well.
#
# ### Asking for a number
#
# `loss.item()` turns a tensor into a Python number. On a CPU the tensor is there when the call returns, and nothing is
# lost. On a GPU the line stops Python until the device has finished all that lies in its queue. Meanwhile nobody fills
# the queue, and the device idles while Python prepares the next step. So the package adds up the loss in a tensor on the
# device, and asks once an epoch.
#
# ### Channels last
#
# A batch of images has four axes, but memory has one. By default PyTorch stores one channel's plane after the other;
# with `channels_last` it stores pixel after pixel, each with all its channels. The shape is the same, only the strides
# differ: how far it is to the next number along each axis.

# %%
planes = torch.zeros(8, 16, 32, 32)
pixels_first = planes.contiguous(memory_format=torch.channels_last)
pd.DataFrame(
    [planes.stride(), pixels_first.stride()], index=["contiguous", "channels_last"], columns=["N", "C", "H", "W"]
)

# %% [markdown]
# A convolution adds up over channels. Where they lie side by side, one vector instruction takes many of them at once, and
# no kernel has to rearrange them first. The table has the three convolutions of the network in both layouts, in
# milliseconds.


# %%
def convolution_ms(channels: int, side: int, layout: torch.memory_format) -> float:
    """Milliseconds of a 3x3 convolution of a batch, forward, at best."""
    x = torch.randn(batch_size, channels, side, side, device=device).contiguous(memory_format=layout)
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False, device=device).to(memory_format=layout)
    with torch.no_grad():
        return 1000 * best_seconds(lambda: layer(x))


# %% tags=["nbval-ignore-output"]
layouts = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
shapes = {f"{channels} channels, {side}x{side}": (channels, side) for channels, side in ((16, 32), (32, 16), (64, 8))}
layout_ms = pd.DataFrame(
    {name: {key: convolution_ms(*shape, layout) for key, shape in shapes.items()} for name, layout in layouts.items()}
)
layout_ms.round(3)

# %% tags=["remove-input", "nbval-ignore-output"]
faster = layout_ms.contiguous / layout_ms.channels_last
display(Markdown(f"On this machine channels_last is {faster.min():.1f} to {faster.max():.1f} times as fast in these."))

# %% [markdown]
# ### bfloat16
#
# A float32 spends 8 bits on the exponent and 23 on the digits behind it. bfloat16 keeps the 8, and therefore the range,
# and has 7 bits left. Tensors take half the memory, and a processor with the right instructions multiplies several
# times faster. The price is a coarse grid: between 1 and 2 there are 128 numbers.

# %%
numbers = torch.tensor([0.1, 1.0, 1.003, 3.14159, 100.3, 70_000.0])
grid = {"float32": numbers, "bfloat16": numbers.bfloat16().float(), "float16": numbers.half().float()}
pd.DataFrame({name: values.tolist() for name, values in grid.items()})

# %% [markdown]
# The last column is the older 16-bit format, with more digits and less range: 70,000 overflows. Training in it needs the
# loss scaled {cite}`micikevicius2018mixed`; bfloat16 does not.
#
# **Predict.** A weight of 1 is stored in bfloat16 and receives a thousand updates of 0.001. What does it become?

# %%
weight = {precision: torch.ones((), dtype=precision) for precision in (torch.float32, torch.bfloat16)}
for _ in range(1_000):
    for each in weight.values():
        each += 0.001
{str(precision): round(each.item(), 3) for precision, each in weight.items()}

# %% [markdown]
# It stays where it is: 1.001 rounds to 1, every time. So the weights remain in float32, and with them the optimizer and
# batch norm's statistics. Only convolutions and matrix products compute in bfloat16, on rounded copies of the weights;
# they add up in float32 inside. `torch.autocast` sees to all of that, for whatever is called in its context:

# %%
with torch.autocast(device.type, torch.bfloat16), torch.no_grad():
    convolved = network.stem[0](at_once())
print(network.stem[0].weight.dtype, "gives", convolved.dtype)

# %% [markdown]
# Does rounding change what is learned? Each loss will be a little different, so the question needs a scale: how
# different is a run of the same recipe with another seed? {numref}`fig-ch6-precision` has the same steps in float32, in
# bfloat16, and in float32 with the batches in another order.


# %%
def losses(bfloat16: bool, seed: int, steps: int = 24) -> list[float]:
    """The loss of each of the first steps, from the same weights."""
    run = RunState(new_network(), train_images, replace(recipe, warmup_iterations=steps), seed, device, None, {})
    found = []
    for _, plan in zip(range(steps), run.batches(), strict=False):
        images, labels = run.batch(plan)
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            loss = F.cross_entropy(run.network(images), labels)
        loss.backward()
        run.set_learning_rate(recipe.warmup_learning_rate)
        run.optimizer.step()
        run.optimizer.zero_grad()
        found.append(loss.detach())
    return torch.stack(found).tolist()


# %%
curves = {"float32": losses(False, 0), "bfloat16": losses(True, 0), "float32, other batches": losses(False, 1)}
[len(each) for each in curves.values()]

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Training loss against the step for three runs. The lines of float32 and bfloat16 on the same batches lie nearly on top of each other; the line of float32 on other batches goes its own way."}, "figure": {"caption": "Loss of the first steps, at the warm-up's learning rate: float32 and bfloat16 on the same batches, and float32 on others.", "name": "fig-ch6-precision"}}
fig, ax = plt.subplots()
styles = (("neutral", "-", 3.0), ("accent", "--", 1.6), ("neutral", ":", 1.4))
for (name, values), (colour, style, width) in zip(curves.items(), styles, strict=True):
    ax.plot(values, style, color=figures.COLOURS[colour], linewidth=width, label=name)
ax.set_xlabel("step")
ax.set_ylabel("training loss (nats)")
ax.legend()
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
reference = torch.tensor(curves["float32"])
rounding = (torch.tensor(curves["bfloat16"]) - reference).abs().mean()
reordering = (torch.tensor(curves["float32, other batches"]) - reference).abs().mean()
text = f"""On average bfloat16 changes a step's loss by {rounding:.3f}, other batches change it by {reordering:.3f}. A few
steps cannot show that the final errors are equal. That takes whole runs with several seeds, in both precisions."""
display(Markdown(text))


# %% [markdown]
# ### Compilation
#
# `torch.compile` looks at the whole function before anything is computed, and writes new code for it. Above all it
# *fuses*: where the eager function reads and writes a tensor for each small operation, the fused one reads it once, does
# everything to a number while it is there, and writes it once. Take what a residual block does behind its last
# convolution:


# %%
def block_end(x: torch.Tensor, shortcut: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """The normalisation's scale and shift, the addition, and the ReLU."""
    return F.relu(x * scale + shift + shortcut)


# %%
x, shortcut = torch.randn(2, batch_size, 16, 32, 32, device=device)
scale, shift = torch.randn(2, 16, 1, 1, device=device)
with Ledger() as ledger:
    block_end(x, shortcut, scale, shift)
moved = sum(row[1] for row in ledger.rows)
f"eager: {moved / num_bytes(x):.1f} tensors read or written; needed: 3"

# %% [markdown]
# **Predict.** By the bytes alone, how many times faster could the fused function be? Here is what it is, if this machine
# has a compiler, with the time of its first call.

# %% tags=["nbval-ignore-output"]
import logging

logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it remarks on CUDA where there is no GPU
arguments, fused_ms, first_call = (x, shortcut, scale, shift), None, 0.0
eager_ms = milliseconds(lambda: block_end(*arguments))
if train.worth_compiling(PAPER, device):
    fused = torch.compile(block_end)
    start = read_clock()
    torch.testing.assert_close(fused(*arguments), block_end(*arguments))
    first_call = read_clock() - start
    fused_ms = milliseconds(lambda: fused(*arguments))
pd.Series({"eager": eager_ms, "compiled": fused_ms}, name="milliseconds").astype(float).round(3).to_frame()

# %% tags=["remove-input", "nbval-ignore-output"]
if fused_ms is None:
    text = "**This machine has no C++ compiler, so nothing is compiled on this page.**"
elif fused_ms < eager_ms:
    text = f"""Compiled, it takes {eager_ms / fused_ms:.1f} times less. The first call took {first_call:.1f} seconds, more
if the compiler's cache did not know the function yet. They are repaid after
{1000 * first_call / (eager_ms - fused_ms):,.0f} calls."""
else:
    text = f"""Compiled, it was not faster in this measurement; the first call took {first_call:.1f} seconds. On a machine
that is busy with other things that happens."""
display(Markdown(text))

# %% [markdown]
# The whole network takes longer to compile than a line, and the time is spent at every new shape. A run of a few hundred
# steps on a CPU never gets it back; one of 64,000 does not notice it. The package asks `worth_compiling`. What the code
# of the compiled network does to the numbers is what another order of additions does: the last digits change.
#
# ### CUDA graphs
#
# How many operations does a step start?

# %% tags=["nbval-ignore-output"]
with Ledger() as ledger:
    F.cross_entropy(network(at_once()), labels).backward()
started = sum(moved > 0 for _, moved, _ in ledger.rows)
print(f"{started} operations that move something, without the optimizer")

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""On a GPU each is at least one kernel, and starting a kernel from Python takes some 5 to 10 microseconds, whatever
the kernel does: for {started} of them {started * 0.005:.1f} to {started * 0.01:.1f} milliseconds. A large GPU can compute
the step of a network as small as this one in less. Then it waits for Python, and neither larger kernels nor faster ones
help."""
display(Markdown(text))

# %% [markdown]
# A CUDA graph is the remedy. The step is run once while CUDA writes down which kernels it starts, with the addresses of
# their tensors; afterwards one call starts them all. The price is that nothing may change but the *contents* of the
# tensors: no new shapes, no new addresses, no question for a number in the midst of the step. That is why the package
# keeps the learning rate, the sums and the draws of the augmentation in tensors that stay where they are. In
# `resnet_book/cuda_graph.py` it is fifty lines; `fit` uses it on a GPU without being asked. A CPU has no such queue, so
# there is nothing to replay.
#
# ## All of them in turn
#
# Now the whole step, from the conventional one on, each row with one improvement more. The last row is the package's
# own step, which also chooses its images among all, accumulates its sums, and on a GPU replays a graph. Loading one by one is
# done in this very process; scripts hide part of it in other processes, and `benchmarks/training.py` compares with
# those.

# %%
steps = [("conventional", Way())]
for name, change in {
    "+ whole batches": {"at_once": True},
    "+ no number fetched": {"fetch": False},
    "+ channels_last": {"layout": torch.channels_last},
    "+ bfloat16": {"bfloat16": True},
    "+ compiled": {"compiled": True},
}.items():
    if compiling or "compiled" not in change:
        steps.append((name, replace(steps[-1][1], **change)))
ways = dict(steps)
list(ways)


# %%
def package_step(precision: str) -> Callable[[], None]:
    """What ``fit`` does in every iteration."""
    run = RunState(new_network(), train_images, recipe, 0, device, None, {})
    plan = next(run.batches())
    step = train.make_step(run, torch.compile(run.network) if compiling else run.network, precision)
    return lambda: step(plan)


precision = train.default_precision(device)
ready = {name: make_step(way) for name, way in ways.items()}
ready[f"the package, {precision}{', compiled' * compiling}"] = package_step(precision)
list(ready)

# %% [markdown]
# They take turns, so that what else the machine does slows all of them. **Predict** which row of
# {numref}`fig-ch6-ladder` brings most, from what you have seen of this machine.

# %% tags=["nbval-ignore-output"]
for run_step in ready.values():
    run_step()
turns = []
for _ in range(passes):
    marks = [read_clock()]
    for run_step in ready.values():
        run_step()
        marks.append(read_clock())
    turns.append(differences(marks))
len(turns)

# %% tags=["nbval-ignore-output"]
ladder = pd.DataFrame(turns, columns=list(ready))
speed = ladder.agg(["median", "min", "max"]).T.rename(columns=lambda name: f"{name} (ms)")
speed["images/s"] = 1000 * batch_size / speed["median (ms)"]
speed["times conventional"] = [(ladder.conventional / ladder[name]).median() for name in ladder]
speed.round(2)

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Horizontal bars of milliseconds a step, from the conventional step on top to the package's own at the bottom, each with one technique more than the one above."}, "figure": {"caption": "A whole training step of ResNet-20 on this machine: from top to bottom one technique more in each row; median of the passes.", "name": "fig-ch6-ladder"}}
fig, ax = plt.subplots(figsize=(7.2, 2.9))
bars(speed["median (ms)"].to_dict(), ax, "milliseconds a step", highlighted=(list(ready)[-1],))
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
gains = {after: (ladder[before] / ladder[after]).median() for before, after in pairwise(ways)}
best, worst = max(gains, key=gains.__getitem__), min(gains, key=gains.__getitem__)
text = f"""The largest single gain here: *{best.removeprefix("+ ")}*, {gains[best]:.2f} times as fast as the row above
(median of the turns). The smallest: *{worst.removeprefix("+ ")}*, {gains[worst]:.2f} times. A number below 1 is a loss,
or chance: see in the table how far the smallest and the largest time of a row lie apart."""
display(Markdown(text))

# %% [markdown]
# Judge with care. A step of a small batch on a CPU is short, and a difference of a few per cent between two rows is
# within what the machine does by itself. A processor without bfloat16 instructions imitates them, and that row is then
# the slowest of all; on a busy machine it can be so because its threads wait for a core. `default_precision` therefore
# gives float32 on a CPU. And whoever has no GPU can win little by not fetching a number, as announced.
#
# ## Whole runs
#
# Every recorded run of this book carries its time. Here are those on CIFAR-10, by device and precision:

# %% tags=["nbval-ignore-output"]
recorded = [record for record in records.load_all(records.find_results()) if record.dataset["name"] == "cifar10"]
frame = tables.runs(recorded)
f"{len(frame)} runs"

# %% tags=["nbval-ignore-output"]
by_device = frame.groupby(["model", "recipe", "device", "precision"]).agg(
    runs=("seed", "count"), minutes=("seconds", "mean"), images_per_second=("images_per_second", "median")
)
by_device["minutes"] = (by_device.minutes / 60).round(1)
by_device["images_per_second"] = by_device.images_per_second.round().astype(int)
by_device

# %% tags=["remove-input", "nbval-ignore-output"]
on_gpu = sorted({record.environment["device"] for record in recorded if record.environment["cuda"]})
text = f"On a GPU: {', '.join(on_gpu)}." if on_gpu else "On a GPU: **not recorded yet.**"
display(Markdown(text))

# %% [markdown]
# Minutes are those of the whole run with its tests; images a second count training alone. The machine of a recorded run
# may have been busy with others. For a comparison in turns, see `benchmarks/README.md`.
#
# ## Summary
#
# - Time after a first call, several times, and on a GPU only when it is done. A step is mostly forward and backward,
#   and backward is about twice forward.
# - Convolutions do nearly all the arithmetic, but not nearly all the time is theirs: batch norm, ReLU and additions
#   move most of the bytes and wait for memory. The roofline tells which limit an operation is near.
# - Against memory help fewer bytes (bfloat16) and fewer passes (compilation); against arithmetic, a layout and a
#   precision that the processor likes; against waiting for Python, whole batches, no questions and CUDA graphs.
# - Every technique has a price or a condition: compilation has to be repaid, bfloat16 needs float32 weights and the right
#   processor, a graph needs tensors that stay. None changes the recipe.
#
# ## Exercises
#
# **1. Which convolutions would wait for memory?** A processor computes 400 times $10^{12}$ operations a second in
# bfloat16 and moves 4 times $10^{12}$ bytes. Which of the three stages of ResNet-20 lie left of the bend?
#
# <details><summary>Solution</summary>
#
# The bend is at 100 operations a byte. In bfloat16 a number takes two bytes, so {eq}`eq-intensity` becomes
# $\tfrac{9}{2} C$: 72, 144 and 288. The first stage waits for memory, convolutions and all. That is why a network with 16
# channels is a bad customer of a large GPU, and one with 64 and more a good one.
#
# </details>
#
# **2. Larger batches.** Time forward and backward for batches of 8, 32 and 128 images. What happens to the time for each
# image, and why is a larger batch no free gain?
#
# <details><summary>Solution</summary>
#
# ```python
# for count in (8, 32, 128):
#     images = torch.randn(count, 3, 32, 32, device=device).contiguous(memory_format=torch.channels_last)
#     time_all = milliseconds(lambda: network(images).sum().backward())
#     print(count, time_all / count)
# ```
#
# What a call costs is shared by more images, so the time for each falls at first. Then it levels off, and on a CPU it can
# rise again, when the tensors outgrow the cache. And the batch size is part of the recipe: with another one the noise of
# the gradient, the best learning rate and the number of steps change too.
#
# </details>
#
# **3. Wider networks.** Sort the operations of `resnet18`, whose layers have 64 to 512 channels, into kinds, for eight
# images. What becomes of the share of convolutions?
#
# <details><summary>Solution</summary>
#
# ```python
# wider = models.MODELS["resnet18"]().to(device, memory_format=torch.channels_last)
# frame = pass_by_kind(wider, images[:8], labels[:8])
# 100 * frame.ms / frame.ms.sum()
# ```
#
# It grows (from 76 to 92 % with one thread, when we tried it): by {eq}`eq-intensity` the work of a convolution for each byte grows with the channels, while batch norm and
# ReLU do for each byte what they always did.
#
# </details>
#
# **4. All in bfloat16.** Store the weights in bfloat16 as well (`new_network().bfloat16()`, images likewise) and train 40
# steps with `torch.optim.SGD`, once with a learning rate of 0.1 and once with 0.0001. What share of the weights has
# changed at all?
#
# <details><summary>Solution</summary>
#
# ```python
# for rate in (0.1, 0.0001):
#     network = new_network().bfloat16()
#     optimizer = torch.optim.SGD(network.parameters(), rate, PAPER.momentum)
#     for _ in range(40):
#         F.cross_entropy(network(at_once().bfloat16()).float(), labels).backward()
#         optimizer.step()
#         optimizer.zero_grad()
#     pairs = zip(network.parameters(), new_network().bfloat16().parameters(), strict=True)
#     changed = sum((after != before).sum().item() for after, before in pairs)
#     print(rate, changed / models.count_parameters(network))
# ```
#
# A weight moves only if its update is larger than about 1/256 of it. When we tried it, nearly all weights had changed
# with the large rate, and about 2 % with the small one, where in float32 all of them do. A schedule that ends with small
# rates would lose part of its last stage.
#
# </details>
#
# **5. When does compiling pay?** Compiling takes $c$ seconds and saves $s$ milliseconds a step. From how many steps on is
# the whole run faster? Use the numbers of `benchmarks/README.md` for ResNet-20.
#
# <details><summary>Solution</summary>
#
# From $1000\, c / s$ steps on. The README has both for two cores; compare the result with `train.WORTH_COMPILING`, which
# leaves a margin. On a machine that is busy, $c$ grows as well.
#
# </details>
#
# ## References
#
# - {cite:t}`williams2009roofline`: the roofline model.
# - {cite:t}`micikevicius2018mixed`: training in 16 bits, with weights kept in 32.
# - {cite:t}`he2015deep`: the network and the recipe, whose speed this page is about.

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
# **A training step of a ResNet-20 takes some milliseconds on your machine. Where do they go, and what makes the step
# faster without touching the recipe?**
#
# A network that trains twice as fast can be trained with twice as many seeds. But speed is a bad reason to change what
# is learned. This page leaves the *recipe* alone, that is batch size, learning rates, augmentation and all else that
# defines a training, and asks for the same, up to rounding, sooner. First it measures one step, part by part, and
# compares each part with what the machine could do at best. Then it goes through the usual techniques one by one, says
# what each is for, and measures what it brings.
#
# **You will learn**
#
# - to time a step so that the number means something, and to split it into its parts and its kinds of calls;
# - to count arithmetic and bytes, and to tell from them whether arithmetic or memory is what a layer waits for;
# - what loading in batches, channels-last tensors, bfloat16, compilation and CUDA graphs do, and when each pays.
#
# **You need** [chapter 2](02_augmentation.ipynb) for the augmentation, [chapter 3](03_plain_and_residual.ipynb) for
# the network, and torchvision to compare with. With `tier = "smoke"` the page takes less than a minute on 2 cores and
# downloads nothing. `"cpu"` takes some minutes and CIFAR-10 (170 MB). `"paper"` measures on a GPU, where there is one,
# in some minutes. Compiling needs a C++ compiler on a CPU: without one, the page leaves it out. `"smoke"` compiles one
# small function, the other tiers the network as well.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab: upload the book's wheel beside this notebook
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")

# %% tags=["parameters"]
# "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": on a GPU
tier = "smoke"
data_root = ""  # the folder of the CIFAR files; "": where the package looks for them

# %%
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode
from torchvision import transforms

# %%
from resnet_book import augment, cifar, data, models
from resnet_book.engine import machine
from resnet_book.engine.device import Engine, default_precision, worth_compiling
from resnet_book.experiments import records
from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import figures, tables
from resnet_book.state import Training
from resnet_book.train import fit

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}"

# %%
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
# Every time on this page was measured on the machine that ran it, and yours will show others. What the text says of GPUs
# without a measurement are typical orders of magnitude.
#
# A GPU runs *kernels*, small programs of which several may do the same thing. Like `fit`, the package's training loop, we
# let it choose the fastest, but not TensorFloat-32, which rounds the factors of every product to 10 bits of fraction.

# %% tags=["nbval-ignore-output"]
on_gpu = tier == "paper" and torch.cuda.is_available()
device = torch.device("cuda" if on_gpu else "cpu")
batch_size, passes = {"smoke": (16, 5), "cpu": (128, 15), "paper": (128, 30)}[tier]
can_compile = worth_compiling(PAPER.iterations, device)
compiling = tier != "smoke" and can_compile
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = False
where = machine.describe(device, precision="", compiled=False)
print(f"{where['device']}, threads: {where['threads']}; batches of {batch_size}, {passes} passes")

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
mean, std = (each.to(device) for each in augment.channel_mean_std(train_images.images))
chosen = train_images.images[:batch_size]
pictures = [Image.fromarray(image) for image in chosen.permute(0, 2, 3, 1).numpy()]
f"{len(pictures)} pictures of {pictures[0].size} pixels"

# %%
transform = transforms.Compose(
    [
        transforms.RandomCrop(32, padding=4),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize((mean / 255).tolist(), (std / 255).tolist()),
    ]
)
transform(pictures[0]).shape


# %%
def one_by_one() -> Tensor:
    """The batch, (N, 3, 32, 32) float32, an image at a time."""
    return torch.stack([transform(picture) for picture in pictures]).to(device)


one_by_one().shape

# %%
generator = torch.Generator(device).manual_seed(0)
pixels, labels = chosen.to(device), train_images.labels[:batch_size].to(device)
pixels.shape, pixels.dtype


# %%
def at_once() -> Tensor:
    """The same batch, all images together."""
    sampled = augment.sample(batch_size, generator)
    return augment.normalise(augment.apply(pixels, sampled), mean, std)


at_once().shape

# %% [markdown]
# The network and its optimizer are the recipe's. `channels_last` is how the package lays out its tensors; a section
# below is about that.


# %%
def new_network() -> models.Network:
    """ResNet-20 with the weights of seed 0."""
    seeded = torch.Generator().manual_seed(0)
    return models.MODELS["resnet20"](generator=seeded).to(device)


models.count_parameters(new_network())


# %%
def new_optimizer(network: torch.nn.Module) -> torch.optim.Optimizer:
    """The recipe's."""
    return torch.optim.SGD(
        network.parameters(),
        lr=PAPER.learning_rate,
        momentum=PAPER.momentum,
        weight_decay=PAPER.weight_decay,
    )


# %%
network = new_network().to(memory_format=torch.channels_last)
optimizer = new_optimizer(network)
type(optimizer).__name__


# %% [markdown]
# Now one step with a clock that is read between its parts.


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
measured = torch.tensor([step_in_parts() for _ in range(passes)]).median(dim=0).values
parts = {
    "loading, one by one": milliseconds(one_by_one),
    "loading, at once": milliseconds(at_once),
}
parts |= dict(zip(("forward", "backward", "optimizer"), measured.tolist(), strict=True))
pd.Series(parts, name="milliseconds").round(2).to_frame()


# %%
def bars(times: dict[str, float], ax: Axes, label: str, highlighted: str) -> Axes:
    """A horizontal bar for each time, the first on top, with its number at its end."""
    colours = dict.fromkeys(times, figures.COLOURS["neutral"])
    colours[highlighted] = figures.COLOURS["accent"]
    drawn = ax.barh(list(times), list(times.values()), color=list(colours.values()))
    ax.bar_label(drawn, [f"{value:.3g}" for value in times.values()], padding=3)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.grid(False, axis="y")
    ax.set_xlabel(label)
    return ax


# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Horizontal bars of milliseconds for the parts of one training step. The backward pass is the longest, then the forward pass; loading a batch at once and the optimizer are short."}, "figure": {"caption": "The parts of one step of ResNet-20 on this machine, with both kinds of loading (of which a step needs one).", "name": "fig-ch6-parts"}}
fig, ax = plt.subplots(figsize=(7.2, 2.6))
bars(parts, ax, "milliseconds", highlighted="backward")
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
computing = parts["forward"] + parts["backward"] + parts["optimizer"]
conventional = parts["loading, one by one"]
factor = conventional / parts["loading, at once"]
order = "; ".join(sorted(parts, key=parts.__getitem__, reverse=True))
text = f"""From the longest to the shortest: {order}. Backward takes
{parts["backward"] / parts["forward"]:.1f} times as long as forward, and the optimizer
{100 * parts["optimizer"] / computing:.1f} % of the computation. Loading one by one takes {factor:.0f} times as long
as at once, and is {100 * conventional / (conventional + computing):.0f} % of a step that loads so."""
display(Markdown(text))

# %% [markdown]
# Why is backward longer? For each convolution it computes two things, the gradient of the weights and the gradient of
# the input, and each is as much work as the convolution itself. And whether loading matters depends on the rest of the
# step: on a CPU it hides behind slow arithmetic, while a GPU typically computes its part in a few milliseconds and then
# waits for the pictures. That is why conventional scripts need several processes that load.
#
# ### Kinds of calls
#
# "Forward" is many calls: a convolution, a batch norm, a ReLU, and so on. A `TorchDispatchMode` sees each of them, after
# autograd has decided what is to be computed. Ours writes a ledger: what was called, how many bytes it reads and writes,
# and how long it took. (A view, such as a transposition, moves nothing.)


# %%
def num_bytes(values: object) -> int:
    """Bytes of all tensors somewhere in ``values``."""
    tensors = [each for each in tree_iter(values) if isinstance(each, Tensor)]
    return sum(each.numel() * each.element_size() for each in tensors)


two = torch.ones(100, 2), torch.ones(100, 2)
num_bytes(two)


# %%
class Ledger(TorchDispatchMode):
    """Keeps a row for each call: name, bytes read and written, milliseconds."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        start = read_clock()
        result = func(*args, **(kwargs or {}))
        spent = 1000 * (read_clock() - start)
        name = func.overloadpacket.__name__
        idle = func.is_view or "empty" in name
        moved = 0 if idle else num_bytes((args, kwargs)) + num_bytes(result)
        self.rows.append((name, moved, spent))
        return result

    def __enter__(self) -> "Ledger":
        self.rows: list[tuple[str, int, float]] = []
        return super().__enter__()


with Ledger() as first_ledger:
    (two[0] + two[1]).t().relu()
[row[:2] for row in first_ledger.rows]

# %% [markdown]
# The sum reads two tensors and writes one, the transposition is a view, the ReLU reads one and writes one. Now the
# forward and backward pass of a whole step, its first rows and its last:

# %% tags=["nbval-ignore-output"]
images = at_once().contiguous(memory_format=torch.channels_last)
with Ledger() as ledger:
    F.cross_entropy(network(images), labels).backward()
optimizer.zero_grad()
f"{len(ledger.rows)} calls"

# %% tags=["nbval-ignore-output"]
calls = pd.DataFrame(ledger.rows, columns=["call", "bytes", "ms"])
moving = calls[calls.bytes > 0]
pd.concat([moving.head(3), moving.tail(3)]).round(2)

# %% [markdown]
# Next we sort the rows into kinds, and repeat the pass to have medians.

# %%
KINDS = {"convolution": "convolutions", "batch_norm": "batch norm"}
KINDS |= {"relu": "ReLU", "threshold": "ReLU"}


def kind(call: str) -> str:
    """Which kind of layer made the call of this name."""
    if call in ("add", "add_"):
        return "additions"
    return next((layer for part, layer in KINDS.items() if part in call), "the rest")


[kind(each) for each in ("convolution_backward", "threshold_backward", "addmm", "add")]


# %%
def pass_by_kind(network: models.Network, images: Tensor, labels: Tensor) -> pd.DataFrame:
    """Milliseconds and bytes of a forward and backward pass, by kind of call."""
    with Ledger() as ledger:
        F.cross_entropy(network(images), labels).backward()
    network.zero_grad()
    rows = pd.DataFrame(ledger.rows, columns=["call", "bytes", "ms"])
    return rows.groupby(rows.call.map(kind).rename("kind"))[["ms", "bytes"]].sum()


pass_by_kind(network, images, labels).index.tolist()

# %% [markdown]
# The arithmetic is counted in floating-point operations, FLOP: additions and multiplications. PyTorch's counter knows
# those of convolutions and matrix products. All else does ten to twenty for each number of a layer, which would add about
# one per cent.

# %%
with FlopCounterMode(display=False) as counter:
    F.cross_entropy(network(images), labels).backward()
optimizer.zero_grad()
counted = counter.get_flop_counts()["Global"]
print(f"{counter.get_total_flops():,} FLOP for {batch_size} images")
{str(each): f"{number:,}" for each, number in counted.items()}

# %% [markdown]
# **Predict.** Convolutions do about 99 % of all FLOP. What share of the *time* do they take?

# %% tags=["nbval-ignore-output"]
repeated = pd.concat(pass_by_kind(network, images, labels) for _ in range(passes))
by_kind = repeated.groupby("kind").median().sort_values("ms", ascending=False)
shares = 100 * by_kind / by_kind.sum()
shares.columns = ["time (%)", "bytes moved (%)"]
shares.round(1)

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Horizontal bars with the share of time of each kind of call. Convolutions take the largest share; batch norm, ReLU and additions, which do hardly any arithmetic, take most of the remainder."}, "figure": {"caption": "Share of the time of forward and backward pass, by kind of call.", "name": "fig-ch6-kinds"}}
fig, ax = plt.subplots(figsize=(7.2, 2.4))
bars(shares["time (%)"].to_dict(), ax, "share of the time (%)", "convolutions")
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
outside = 100 - shares.loc["convolutions"]
norm_to_relu = by_kind.loc["batch norm"] / by_kind.loc["ReLU"]
text = f"""Convolutions take {shares.loc["convolutions", "time (%)"]:.0f} % of the time. What is not a convolution takes
{outside["time (%)"]:.0f} %, and moves {outside["bytes moved (%)"]:.0f} % of the bytes. Batch norm moves
{norm_to_relu["bytes"]:.1f} times the bytes of ReLU and takes {norm_to_relu["ms"]:.1f} times as long."""
display(Markdown(text))

# %% [markdown]
# In {numref}`fig-ch6-kinds` batch norm and ReLU read a whole tensor, do next to nothing with each number, and write it
# back. So memory sets the bound on their speed: computing faster would not lift it, *moving less* would. A call may be
# slower than its bound. Batch norm has to read its input at least twice, for the statistics and to normalise it, while
# the ledger counts one reading; that is a part of the difference. How far each call is from its bound we measure next.
#
# ## The roof of this machine
#
# The roofline model {cite}`williams2009roofline` puts the two limits into one picture. A device does at most $P$ FLOP a
# second, and moves at most $B$ bytes a second to and from its memory. A call that does $I$ FLOP for each byte it moves,
# its *arithmetic intensity*, then runs at no more than
#
# $$
# \min(P, \; I \cdot B) .
# $$ (eq-roofline)
#
# $B$ is the rate of a large copy. $P$ is the fastest rate that we see: of a large matrix product, or of the network's own
# convolutions, for which some processors have the better code. All times are the shortest of several, and the copied
# tensor is as large as those of the network's first stage. A GFLOP/s is $10^9$ FLOP a second.


# %%
def best_seconds(run: Callable[[], object], count: int = 4 * passes) -> float:
    """The shortest of ``count`` calls."""
    return min(times(run, count)) / 1000


# %%
many, size = (256, 1_024) if device.type == "cpu" else (2_048, 8_192)
MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def noise(count: int, channels: int, side: int, order: str = "channels_last") -> Tensor:
    """``count`` random images, (count, channels, side, side) float32."""
    x = torch.randn(count, channels, side, side, device=device)
    return x.contiguous(memory_format=MEMORY_FORMATS[order])


f"{many} images, {num_bytes(noise(many, 16, 32)) / 1e6:.0f} MB in the first stage"

# %% tags=["nbval-ignore-output"]
x, other = noise(many, 16, 32), noise(many, 16, 32)
matrix, target = torch.randn(size, size, device=device), torch.zeros_like(x)
product_rate = 2 * size**3 / best_seconds(lambda: matrix @ matrix)  # FLOP a second
bandwidth = 2 * num_bytes(x) / best_seconds(lambda: target.copy_(x))  # bytes a second
print(f"{product_rate / 1e9:,.0f} GFLOP/s, {bandwidth / 1e9:,.0f} GB/s")

# %% [markdown]
# A 3x3 convolution from $C$ to $C$ channels multiplies and adds $9 C$ numbers for each output. It reads and writes, for
# each output, one number of four bytes each. So its intensity in float32 is
#
# $$
# I = \frac{2 \cdot 9 \, C}{4 + 4} = \frac{9}{4} C
# $$ (eq-intensity)
#
# FLOP for a byte: 36, 72 and 144 in the three stages of the network, which have 16, 32 and 64 channels. A ReLU has an
# eighth. Let us time such calls one by one. (Batch norm is given four FLOP for a number; the exact count does not matter
# here.)


# %%
def convolution(channels: int, order: str = "channels_last") -> torch.nn.Module:
    """A 3x3 convolution from ``channels`` to as many."""
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False, device=device)
    return layer.to(memory_format=MEMORY_FORMATS[order])


tuple(convolution(16).weight.shape)

# %%
norm = torch.nn.BatchNorm2d(16, device=device)
timed = {  # what to call, its FLOP, its bytes
    "addition": (lambda: x + other, x.numel(), 3 * num_bytes(x)),
    "ReLU": (lambda: F.relu(x), x.numel(), 2 * num_bytes(x)),
    "batch norm": (lambda: norm(x), 4 * x.numel(), 2 * num_bytes(x)),
}
list(timed)

# %%
for channels, side in ((16, 32), (32, 16), (64, 8)):
    inputs = noise(many, channels, side)
    flop = 18 * channels * inputs.numel()
    run_layer = partial(convolution(channels), inputs)
    timed[f"convolution, {channels} channels"] = (run_layer, flop, 2 * num_bytes(inputs))
len(timed)

# %% [markdown]
# And the forward and backward pass of the whole network, on as many images.

# %%
many_images = noise(many, 3, 32)
many_labels = torch.zeros(many, dtype=torch.long, device=device)
many_images.shape


# %%
def forward_and_backward() -> None:
    """All of a step but loading and the optimizer."""
    F.cross_entropy(network(many_images), many_labels).backward()
    network.zero_grad()


forward_and_backward()

# %%
many_flop = counter.get_total_flops() * many // batch_size
many_bytes = pass_by_kind(network, many_images, many_labels).bytes
f"{many_flop / 1e9:.0f} GFLOP, {many_bytes.sum() / 1e9:.1f} GB"

# %% tags=["nbval-ignore-output"]
with torch.no_grad():
    seconds = {name: best_seconds(run) for name, (run, _, _) in timed.items()}
all_calls = "forward and backward"
timed[all_calls] = (forward_and_backward, many_flop, many_bytes.sum())
seconds[all_calls] = best_seconds(forward_and_backward, count=passes // 2)
len(seconds)

# %% tags=["nbval-ignore-output"]
rates = {name: flop / seconds[name] for name, (_, flop, _) in timed.items()}
compute_rate = max(product_rate, *rates.values())
print(f"P = {compute_rate / 1e9:,.0f} GFLOP/s")

# %% tags=["nbval-ignore-output"]
intensities = {name: flop / moved for name, (_, flop, moved) in timed.items()}
roof = pd.DataFrame({"FLOP a byte": intensities, "GFLOP/s": rates})
bound = (roof["FLOP a byte"] * bandwidth).clip(upper=compute_rate)
roof["% of the roof"] = 100 * roof["GFLOP/s"] / bound
roof["GFLOP/s"] /= 1e9
roof.round(2)

# %% [markdown]
# **Predict.** {numref}`fig-ch6-roofline` draws {eq}`eq-roofline` as a slanted line, where memory is the limit, and a
# level one, where arithmetic is. Under which part will the convolutions lie? And ReLU, addition and batch norm? And
# where the whole pass, which is made of them all?


# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Roofline diagram with logarithmic axes: GFLOP/s against FLOP a byte. ReLU, addition and batch norm lie at the far left, under the slanted part, where memory is the limit. The three convolutions lie at the right, under the level part, where arithmetic is. The whole pass lies between them."}, "figure": {"caption": "The roof of this machine in float32 (line), calls of ResNet-20, and its whole forward and backward pass. The number at a convolution is that of its channels.", "name": "fig-ch6-roofline"}}
fig, ax = plt.subplots()
edges = torch.tensor([0.04, compute_rate / bandwidth, 400])
bounds = (edges * bandwidth).clamp(max=compute_rate) / 1e9
ax.loglog(edges, bounds, color="black", linewidth=1)
ax.text(395, 1.05 * compute_rate / 1e9, "roof", ha="right", va="bottom")
for name, row in roof.iterrows():
    kinds = {"convolution": "accent", all_calls: "residual"}
    colour = figures.COLOURS[kinds.get(name.split(",")[0], "neutral")]
    label = name.removeprefix("convolution, ").removesuffix(" channels")
    point = (row["FLOP a byte"], row["GFLOP/s"])
    ax.plot(*point, "o", color=colour)
    ax.annotate(label, point, (5, -3), textcoords="offset points", va="top")
ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
ax.yaxis.set_major_formatter("{x:g}")
ax.minorticks_off()
ax.set(xlim=(0.04, 400), xlabel="FLOP for each byte moved", ylabel="GFLOP/s")
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
ridge = compute_rate / bandwidth
left = [name for name, row in roof.iterrows() if row["FLOP a byte"] < ridge]
right = [name for name in roof.index if name not in left]
over = [name for name, row in roof.iterrows() if row["% of the roof"] > 105]
note = f" Above the roof here: {', '.join(over)}." if over else ""
text = f"""The roof bends at {ridge:.1f} FLOP for a byte. To the left, where memory is the limit: {", ".join(left)}.
To the right, where arithmetic is: {", ".join(right)}.{note}"""
display(Markdown(text))

# %% [markdown]
# The whole pass is a mean of both kinds: some of its calls wait for memory wherever its point lies. The roof is no law of
# nature. A tensor that is still in the processor's cache need not come from memory, and a machine that was busy while we
# measured $P$ or $B$ has a roof that is too low. What the picture does tell is *which* limit is near, and so which
# technique can help.
#
# The pass has a floor, too. If all that is not a convolution were fused into the convolutions, only their arithmetic and
# their bytes would remain, and the two can overlap.

# %% tags=["nbval-ignore-output"]
floor = {
    "arithmetic, at P": 1000 * many_flop / compute_rate,
    "bytes of the convolutions, at B": 1000 * many_bytes["convolutions"] / bandwidth,
    "bytes of all calls, at B": 1000 * many_bytes.sum() / bandwidth,
    "measured": 1000 * seconds[all_calls],
}
pd.Series(floor, name="milliseconds").round(1).to_frame()

# %% tags=["remove-input", "nbval-ignore-output"]
arithmetic, needed, all_bytes, whole = floor.values()
text = f"""The floor is the larger of the first two lines, {100 * max(arithmetic, needed) / whole:.0f} % of what was
measured. Fusing saves the bytes between the second line and the third: at the copy's rate
{100 * (all_bytes - needed) / whole:.0f} % of the measured time. The calls that it would fuse take
{outside["time (%)"]:.0f} % of the time ({{numref}}`fig-ch6-kinds`). Where they stay below the copy's rate, fused code
can win more than the bytes alone promise."""
display(Markdown(text))


# %% [markdown]
# ## The techniques
#
# We now build the step anew, as most scripts have it, and improve one thing at a time. A `Way` says what is improved.


# %%
@dataclass(frozen=True)
class Way:
    """How a step is taken; the recipe is the same in all."""

    at_once: bool = False  # load whole batches
    fetch: bool = True  # ask for the loss in every step
    order: torch.memory_format = torch.contiguous_format  # of the numbers in memory
    bfloat16: bool = False
    compiled: bool = False


Way()


# %%
def make_step(way: Way) -> Callable[[], Tensor | float]:
    """A step of a new network; it returns the loss before it."""
    network = new_network().to(memory_format=way.order)
    optimizer, load = new_optimizer(network), at_once if way.at_once else one_by_one
    forward = torch.compile(network) if way.compiled else network

    def step() -> Tensor | float:
        images = load().contiguous(memory_format=way.order)
        with torch.autocast(device.type, torch.bfloat16, enabled=way.bfloat16):
            loss = F.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item() if way.fetch else loss.detach()

    return step


type(make_step(Way())()).__name__

# %% [markdown]
# Is such a step still the package's? Two networks with the same weights get the same batch, in float32: one takes a step
# written out here, as above but with `channels_last`; the other is given to `fit` for a training of one iteration. All
# weights are to be equal afterwards. (bfloat16 and compilation round differently, so they are not part of this check.)
# For the batch we ask a `Training`, the package's object that knows where a training stands. It has a `plan` for each
# batch: one row says which images, and three say how each is cropped and mirrored (the numbers of chapter 2).

# %%
recipe = replace(PAPER, batch_size=batch_size)
training = Training(new_network(), {"train": train_images}, recipe, 0, Engine(device))
plan = next(training.plans())
planned_images, planned_labels = training.batches.load(plan)
tuple(plan.shape)

# %%
mine = new_network().to(memory_format=torch.channels_last)
my_optimizer = new_optimizer(mine)
F.cross_entropy(mine(planned_images), planned_labels).backward()
my_optimizer.step()
f"{len(list(mine.parameters()))} tensors of weights after one step"

# %%
fitted, one_step = new_network(), replace(recipe, iterations=1, drops=())
fit(fitted, train_images, train_images.subset(1), one_step, seed=0, engine=Engine(device))
tolerance = 1e-3 if device.type == "cuda" else 1e-6  # a GPU adds up in no fixed order
for own, theirs in zip(mine.parameters(), fitted.parameters(), strict=True):
    torch.testing.assert_close(own, theirs, rtol=tolerance, atol=tolerance)
print("by hand and by fit: the same weights")

# %% [markdown]
# ### Whole batches
#
# Chapter 2 explained it: a call from Python costs microseconds, however little it does, so do everything to a whole
# batch. The images stay on the device as bytes, all training images of CIFAR-10 in 154 MB, and a batch is cut out of them
# there. No process loads, and once an epoch the random numbers of all its batches are copied there, a few MB.
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
strides = {"contiguous": planes.stride(), "channels_last": pixels_first.stride()}
pd.DataFrame(strides, index=["N", "C", "H", "W"]).T

# %% [markdown]
# A convolution adds up over channels. Where they lie side by side, one vector instruction takes many of them at once, and
# no kernel has to rearrange them first. The table has the three convolutions of the network in both orders, in
# milliseconds.


# %%
def convolution_ms(channels: int, side: int, order: str) -> float:
    """Milliseconds of a 3x3 convolution of a batch, forward, at best."""
    inputs = noise(batch_size, channels, side, order)
    with torch.no_grad():
        return 1000 * best_seconds(partial(convolution(channels, order), inputs))


# %% tags=["nbval-ignore-output"]
shapes = {"16 channels": (16, 32), "32 channels": (32, 16), "64 channels": (64, 8)}
order_ms = pd.DataFrame(index=list(shapes), columns=list(MEMORY_FORMATS), dtype=float)
for order in MEMORY_FORMATS:
    order_ms[order] = [convolution_ms(*shape, order) for shape in shapes.values()]
order_ms.round(3)

# %% tags=["remove-input", "nbval-ignore-output"]
faster = order_ms.contiguous / order_ms.channels_last
display(Markdown(f"On this machine channels_last is {faster.min():.1f} to {faster.max():.1f} times as fast in these."))

# %% [markdown]
# ### bfloat16
#
# bfloat16 has one bit for the sign, 8 for the exponent and 7 for the fraction; float32 has 1, 8 and 23. The range is the
# same. Tensors take half the memory, and a processor with the right instructions multiplies several times faster. The
# price is a coarse grid: between 1 and 2 there are 128 numbers.

# %%
numbers = torch.tensor([0.1, 1.0, 1.003, 3.14159, 100.3, 70_000.0])
formats = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.half}
pd.DataFrame({name: numbers.to(each).tolist() for name, each in formats.items()})

# %% [markdown]
# The last column is the older 16-bit format, with more digits and less range: 70,000 overflows. Training in it needs the
# loss scaled {cite}`micikevicius2018mixed`; bfloat16 does not.
#
# **Predict.** A weight of 1 is stored in bfloat16 and receives a thousand updates of 0.001. What does it become?

# %%
weight = {each: torch.ones((), dtype=each) for each in (torch.float32, torch.bfloat16)}
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
# Does rounding change what is learned? The weights will be a little different, so the question needs a scale: how
# different are they after other batches? {numref}`fig-ch6-precision` compares three trainings: in float32, in bfloat16 on
# the same batches, and in float32 with the batches of another seed. After each step all three are asked for their loss
# on one fixed batch, in float32. It is in nats, the unit of a cross-entropy with the natural logarithm. **Predict**
# which two lines lie closest.


# %%
fixed = augment.normalise(pixels, mean, std)


def fixed_loss(network: torch.nn.Module) -> Tensor:
    """The loss (nats) on the fixed batch, by its own statistics."""
    with torch.no_grad():
        return F.cross_entropy(network(fixed), labels)


f"{fixed_loss(new_network()):.1f} nats before the first step"


# %%
def losses(bfloat16: bool, seed: int, steps: int = 8 if tier == "smoke" else 16) -> list[float]:
    """The loss on the fixed batch after each of the first steps (at most an epoch)."""
    slow = replace(recipe, learning_rate=recipe.warmup_learning_rate)
    training, found = Training(new_network(), {"train": train_images}, slow, seed, Engine(device)), []
    for _, plan in zip(range(steps), training.plans(), strict=False):
        images, labels = training.batches.load(plan)
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            loss = F.cross_entropy(training.network(images), labels)
        loss.backward()
        training.optimizer.step()
        training.optimizer.zero_grad()
        found.append(fixed_loss(training.network))
    return torch.stack(found).tolist()


# %%
curves = {
    "float32": losses(False, 0),
    "bfloat16": losses(True, 0),
    "float32, other batches": losses(False, 1),
}
[len(each) for each in curves.values()]

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Loss on one fixed batch against the step for three trainings. The lines of float32 and bfloat16 on the same batches stay close together; the line of float32 on other batches goes its own way."}, "figure": {"caption": "Loss on one fixed batch after each of the first steps: float32 and bfloat16 trained on the same batches, and float32 on others. The learning rate is the small one at which deep networks warm up.", "name": "fig-ch6-precision"}}
fig, ax = plt.subplots()
styles = (("neutral", "-", 3.0), ("accent", "--", 1.6), ("neutral", ":", 1.4))
for (name, values), (colour, style, width) in zip(curves.items(), styles, strict=True):
    look = {"color": figures.COLOURS[colour], "linewidth": width, "label": name}
    ax.plot(range(1, len(values) + 1), values, style, **look)
ax.set(xlabel="steps taken", ylabel="loss on the fixed batch (nats)")
ax.legend()
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
reference = torch.tensor(curves["float32"])
rounding = (torch.tensor(curves["bfloat16"]) - reference).abs().mean()
reordering = (torch.tensor(curves["float32, other batches"]) - reference).abs().mean()
text = f"""On average bfloat16 changes the loss on the fixed batch by {rounding:.3f} nats, other batches change it by
{reordering:.3f}. A few steps cannot show that the final errors are equal. That takes whole runs with several seeds, in
both precisions."""
display(Markdown(text))

# %% [markdown]
# For that there are experiments which fix the precision: by the paper's recipe in float32, where a GPU takes bfloat16
# otherwise, and by the short one in bfloat16, where a CPU takes float32. What is recorded of them:

# %% tags=["nbval-ignore-output"]
PRECISION_TWINS = {
    # title: experiments in float32, in bfloat16
    "resnet20, short": ("resnet20-cifar10-short", "resnet20-cifar10-short-bfloat16"),
    "resnet20, paper": ("resnet20-cifar10-float32", "resnet20-cifar10"),
    "resnet56, paper": ("resnet56-cifar10-float32", "resnet56-cifar10"),
}
of_precision = {precision: [] for precision in ("float32", "bfloat16")}
for each in records.load_all(records.find_results()):
    of_precision.get(each.precision, []).append(each)  # one that changed it on its way is in neither
found = {precision: tables.summary(each).set_index("experiment") for precision, each in of_precision.items()}
cells = {
    title: [tables.recorded_cell(found[precision], name) for precision, name in zip(found, names, strict=True)]
    for title, names in PRECISION_TWINS.items()
}
pd.DataFrame.from_dict(cells, orient="index", columns=list(found)).rename_axis("test error (%)")

# %% tags=["remove-input", "nbval-ignore-output"]
lines = []
for title, (fine, coarse) in PRECISION_TWINS.items():
    if fine in found["float32"].index and coarse in found["bfloat16"].index:
        change = tables.change(found["bfloat16"].loc[coarse], found["float32"].loc[fine])
        lines.append(f"- **{title}:** bfloat16 changes the test error by {tables.points(*change)}.")
display(Markdown("\n".join(lines) or "No pair is recorded yet, so whether the final errors are equal stays open."))


# %% [markdown]
# ### Compilation
#
# `torch.compile` looks at the whole function before anything is computed, and writes new code for it. Above all it
# *fuses*. The *eager* function, which runs as it is written, reads and writes a tensor in each small call. The fused one
# reads it once, does everything to a number while it is there, and writes it once. Take what a residual block does
# behind its last convolution:


# %%
def block_end(x: Tensor, shortcut: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The normalisation's scale and shift, the addition, and the ReLU."""
    return F.relu(x * scale + shift + shortcut)


# %%
arguments = [*torch.randn(2, batch_size, 16, 32, 32), *torch.randn(2, 16, 1, 1)]
arguments = [each.to(device) for each in arguments]
with Ledger() as block_ledger:
    block_end(*arguments)
block_moved = sum(row[1] for row in block_ledger.rows) / num_bytes(arguments[0])
f"eager: {block_moved:.1f} tensors read or written; needed: 3"

# %% [markdown]
# **Predict.** By the bytes alone, how many times faster could the fused function be? Here is what it is, if this machine
# has a compiler.

# %% tags=["nbval-ignore-output"]
import logging

# torch remarks on CUDA where there is no GPU
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
fused_ms, first_call = None, 0.0
eager_ms = milliseconds(lambda: block_end(*arguments))
if can_compile:
    fused = torch.compile(block_end)
    start = read_clock()
    torch.testing.assert_close(fused(*arguments), block_end(*arguments))
    first_call = read_clock() - start
    fused_ms = milliseconds(lambda: fused(*arguments))
compared = pd.Series({"eager": eager_ms, "compiled": fused_ms}, dtype=float)
compared.round(3).to_frame("milliseconds")

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"The bytes alone promise {block_moved / 3:.1f} times. "
if fused_ms is None:
    text += "**This machine has no C++ compiler, so nothing is compiled on this page.**"
elif fused_ms < eager_ms:
    text += f"""Compiled, it is {eager_ms / fused_ms:.1f} times as fast here. The first call took {first_call:.1f}
seconds, more if the compiler's cache did not know the function yet. They are repaid after
{1000 * first_call / (eager_ms - fused_ms):,.0f} calls."""
else:
    text += f"""Compiled, it was not faster in this measurement; the first call took {first_call:.1f} seconds. On a
machine that is busy with other things that happens."""
display(Markdown(text))

# %% [markdown]
# The whole network takes longer to compile than a line, and the time is spent at every new shape. A run of a few hundred
# steps on a CPU never gets it back; one of 64,000 does not notice it. `engine.device.worth_compiling` decides. The compiled
# network adds in another order, so the last digits of the numbers change.
#
# ### CUDA graphs
#
# How many calls does a step make?

# %% tags=["nbval-ignore-output"]
with Ledger() as step_ledger:
    F.cross_entropy(network(at_once()), labels).backward()
started = sum(moved > 0 for _, moved, _ in step_ledger.rows)
print(f"{started} calls that move something, without the optimizer")

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""On a GPU each starts at least one kernel. To start one from Python typically takes 5 to 10 microseconds,
whatever the kernel does: for {started} of them {started * 0.005:.1f} to {started * 0.01:.1f} milliseconds. A large GPU
may compute the step of a network as small as this one in less. Then it waits for Python, and neither larger kernels nor
faster ones help."""
display(Markdown(text))

# %% [markdown]
# A CUDA graph is the remedy. The step is run once while CUDA writes down which kernels it starts, with the addresses of
# their tensors; afterwards one call starts them all. The price is that nothing may change but the *contents* of the
# tensors: no new shapes, no new addresses, no question for a number in the midst of the step. That is why the package
# keeps the learning rate, the sums and the numbers of the augmentation in tensors that stay where they are. In
# `resnet_book/engine/cuda_graph.py` it is a page of code; `fit` uses it on a GPU without being asked. A CPU has no such
# queue, so there is nothing to replay.
#
# What is left then? On an NVIDIA H200 a replayed step of `resnet20` in bfloat16 took 2.05 milliseconds, 1.91 of them inside
# its 414 kernels; compiled, 1.60, inside 362 (`benchmarks/README.md`). So the gaps between kernels are gone. But each kernel
# takes some four microseconds, however little it has to do, and all the arithmetic and all the bytes of the step need a
# twenty-seventh of the time. More work fills such a GPU: a wider network, or several at once. Four side by side took
# 1.5 times as many steps a second as one.
#
# ## All of them in turn
#
# Now the whole step, from the conventional one on, each row with one improvement more. The last row stands apart: it is
# the step of `fit`, in the precision that the package chooses here. It also picks its images among all, sums up loss and
# wrong answers, and on a GPU replays a graph. Loading one by one is done in this very process; scripts hide part of it in other processes,
# and `benchmarks/training.py` compares with those.

# %%
steps = [("conventional", Way())]
for name, change in {
    "+ whole batches": {"at_once": True},
    "+ no number fetched": {"fetch": False},
    "+ channels_last": {"order": torch.channels_last},
    "+ bfloat16": {"bfloat16": True},
    "+ compiled": {"compiled": True},
}.items():
    if compiling or "compiled" not in change:
        steps.append((name, replace(steps[-1][1], **change)))
ways = dict(steps)
list(ways)


# %%
def package_step(engine: Engine) -> Callable[[], None]:
    """What ``fit`` does in every iteration, always with the same plan."""
    training = Training(new_network(), {"train": train_images}, recipe, 0, engine)
    forward, plan = engine.prepare(training.network), next(training.plans())

    def step(plan: Tensor) -> None:
        images, labels = training.batches.load(plan)
        with engine.autocast():
            scores = forward(images)
            loss = F.cross_entropy(scores, labels)
        loss.backward()
        training.optimizer.step()
        training.optimizer.zero_grad()
        training.meter.add(loss.detach(), scores.detach(), labels)

    return partial(engine.repeated(step, plan, training.changing), plan)


# %%
engine = Engine(device, default_precision(device), compiling)
ready = {name: make_step(way) for name, way in ways.items()}
ready[f"the package, {engine.precision}{', compiled' * compiling}"] = package_step(engine)
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
speed = ladder.agg(["median", "min", "max"]).T
table = speed.add_suffix(" (ms)")
table["images/s"] = 1000 * batch_size / speed["median"]
table["speed-up"] = speed["median"]["conventional"] / speed["median"]
table.round(2)

# %% [markdown]
# The speed-up is the ratio of the two medians.

# %% tags=["nbval-ignore-output"] mystnb={"image": {"alt": "Milliseconds a step on a logarithmic axis, a dot with whiskers for each way to take it: the conventional step on top, one technique more in each row below, and the package's own step at the bottom."}, "figure": {"caption": "A whole training step of ResNet-20 on this machine, one technique more in each row; the last row is the package's own step. Dots: medians; whiskers: the shortest and the longest of the turns.", "name": "fig-ch6-ladder"}}
fig, ax = plt.subplots(figsize=(7.2, 2.9))
grey = figures.COLOURS["neutral"]
whiskers = speed["median"] - speed["min"], speed["max"] - speed["median"]
ax.errorbar(speed["median"], speed.index, xerr=whiskers, fmt="o", color=grey)
for place in speed["median"].items():
    label, point = f"{place[1]:.3g}", place[::-1]
    ax.annotate(label, point, (0, 6), textcoords="offset points", ha="center")
ax.set(xscale="log", xlabel="milliseconds a step")
ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
ax.xaxis.set_major_formatter("{x:g}")
ax.minorticks_off()
ax.invert_yaxis()
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
said: dict[str, list[str]] = {"faster": [], "slower": [], "open": []}
for before, after in pairwise(ways):
    turns_gain = ladder[before] / ladder[after]
    gain = speed["median"][before] / speed["median"][after]
    verdict = "faster" if turns_gain.min() > 1 else "slower" if turns_gain.max() < 1 else "open"
    factor = f" ({max(gain, 1 / gain):.2f} times)" if verdict != "open" else ""
    said[verdict].append(after.removeprefix("+ ") + factor)
faster_rows, slower_rows, open_rows = (", ".join(names) or "none" for names in said.values())
same = sum(parts.values()) - parts["loading, one by one"]
text = f"""Compared with the row above it, a row was

- faster in every turn: {faster_rows};
- slower in every turn: {slower_rows};
- now faster, now slower, which this measurement cannot tell from chance: {open_rows}.

The row *channels_last* is the step of {{numref}}`fig-ch6-parts`. There its parts add up to {same:.0f} ms, here it takes
{speed["median"]["+ channels_last"]:.0f} ms: what else a machine does differs from minute to minute, so only what takes turns
can be compared."""
display(Markdown(text))

# %% [markdown]
# Not every technique pays everywhere. bfloat16 needs a processor that has instructions for it, since others imitate them,
# and cores that are free: on a busy machine with two cores that row can be many times slower than with one thread
# (`OMP_NUM_THREADS=1`), probably since the threads of a call wait for each other. So `default_precision` gives float32
# on a CPU. And not fetching a number wins nothing without a GPU.
#
# ## Whole runs
#
# Every recorded run of this book carries its time. Here are those on CIFAR-10, by device and precision. The recipe
# `short` is the paper's with a schedule thirty-two times shorter.

# %% tags=["nbval-ignore-output"]
every = records.load_all(records.find_results())
recorded = [record for record in every if record.dataset["name"] == "cifar10"]
frame = tables.run_rows(recorded)
f"{len(frame)} runs"

# %% tags=["nbval-ignore-output"]
by_device = frame.groupby(["model", "recipe", "device", "precision"]).agg(
    runs=("seed", "count"),
    minutes=("seconds", lambda seconds: round(seconds.mean() / 60, 1)),
)
by_device

# %% tags=["remove-input", "nbval-ignore-output"]
gpus = sorted({part.device for record in recorded for part in record.parts if part.cuda})
text = f"On a GPU: {', '.join(gpus)}." if gpus else "On a GPU: **not recorded yet.**"
display(Markdown(text))

# %% [markdown]
# Minutes are those of the whole run with its tests, on machines that were often busy with other work. They say what a run
# cost, not that one row is faster than another. Comparisons in turns, on a quiet machine and with the conventional
# loader's processes, are in `benchmarks/README.md` of the repository.
#
# ## Summary
#
# - Time after a first call, several times, and on a GPU only when it is done. A step is mostly forward and backward,
#   and backward does twice the arithmetic of forward.
# - Convolutions do nearly all the arithmetic, but not nearly all the time is theirs: batch norm, ReLU and additions
#   move most of the bytes, and memory sets the bound on their speed. The roofline tells which limit a call is near.
# - Against memory help fewer bytes (bfloat16) and fewer passes (compilation); against arithmetic, an order in memory
#   and a precision that the processor likes; against waiting for Python, whole batches, no questions and CUDA graphs.
# - Every technique has a price or a condition: compilation has to be repaid, bfloat16 needs float32 weights and the right
#   processor, a graph needs tensors that stay. None changes the recipe; the numbers change by rounding.
#
# ## Exercises
#
# **1. Which convolutions would wait for memory?** A processor does 400 times $10^{12}$ FLOP a second in
# bfloat16 and moves 4 times $10^{12}$ bytes. Which of the three stages of ResNet-20 lie left of the bend?
#
# <details><summary>Solution</summary>
#
# The bend is at 100 FLOP a byte. In bfloat16 a number takes two bytes, so {eq}`eq-intensity` becomes $\tfrac{9}{2} C$: 72,
# 144 and 288. Only the first stage waits for memory, convolutions and all: 16 channels are too few for such a processor,
# 32 are enough.
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
#     some = noise(count, 3, 32)
#     time_all = milliseconds(lambda: network(some).sum().backward())
#     print(count, time_all / count)
# ```
#
# What a call costs is shared by more images, so the time for each falls at first. Then it levels off, and on a CPU it can
# rise again, when the tensors outgrow the cache. And the batch size is part of the recipe: with another one the noise of
# the gradient, the best learning rate and the number of steps change too.
#
# </details>
#
# **3. Wider networks.** Sort the calls of `resnet18`, whose layers have 64 to 512 channels, into kinds, for eight
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
# It grows (from 76 to 92 % with one thread, when we tried it): by {eq}`eq-intensity` the work of a convolution for each
# byte grows with the channels, while batch norm and ReLU do for each byte what they always did.
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
#     coarse = new_network().bfloat16()
#     its_optimizer = torch.optim.SGD(coarse.parameters(), rate, PAPER.momentum)
#     for _ in range(40):
#         F.cross_entropy(coarse(at_once().bfloat16()).float(), labels).backward()
#         its_optimizer.step()
#         its_optimizer.zero_grad()
#     pairs = zip(coarse.parameters(), new_network().bfloat16().parameters(), strict=True)
#     changed = sum((after != before).sum().item() for after, before in pairs)
#     print(rate, changed / models.count_parameters(coarse))
# ```
#
# A weight moves only if its update is larger than about 1/256 of it. When we tried it, nearly all weights had changed
# with the large rate, and about 2 % with the small one, where in float32 all of them do. A schedule that ends with small
# rates would lose part of its end.
#
# </details>
#
# **5. When does compiling pay?** Compiling takes $c$ seconds and saves $s$ milliseconds a step. From how many steps on is
# the whole run faster? On two cores, `benchmarks/README.md` found 12 seconds for the first step of ResNet-20, when the
# compiler's cache knew nothing of it, and 48 milliseconds saved in each of the others.
#
# <details><summary>Solution</summary>
#
# From $1000\, c / s$ steps on, here 250. `engine.device.WORTH_COMPILING` leaves a margin: deeper networks take longer to compile,
# and on a machine that is busy $c$ grows as well.
#
# </details>
#
# ## References
#
# - {cite:t}`williams2009roofline`: the roofline model.
# - {cite:t}`micikevicius2018mixed`: training in 16 bits, with weights kept in 32.
# - {cite:t}`he2015deep`: the network and the recipe, whose speed this page is about.

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
# # Where the time goes
#
# **A training step of a ResNet-20 takes a few milliseconds on a GPU and often hundreds on a CPU. Where do they go, and
# what makes the step faster without touching the recipe?**
#
# Convolutions do nearly all the arithmetic of a training step. What share of its *time* do they take? Write down a
# guess. The answer for your machine is in Figure 6.2.
#
# Speed is a bad reason to change what is learned. So this page leaves the *recipe* alone: batch size, learning rates,
# augmentation. It asks for the same numbers, up to rounding, sooner. It measures a step, part by part, asks what each
# part waits for, and then tries the usual techniques in turn.
#
# **You will learn**
#
# - to time a step so that the number means something, and to split it into parts and kinds of calls;
# - to ask of each call what it waits for: arithmetic, memory, or Python;
# - what whole batches, channels-last tensors, bfloat16, compilation and CUDA graphs do, and when each pays.
#
# **You need** [chapter 2](02_augmentation.ipynb) for the augmentation and [chapter 3](03_plain_and_residual.ipynb) for
# the network. With `tier = "smoke"` the page takes less than a minute on 2 cores and downloads nothing. `"cpu"` takes
# some minutes and CIFAR-10 (170 MB), `"paper"` measures on a GPU, where there is one. These two also compile the
# network, if they find a compiler. The [appendix](a6_more_about_speed.ipynb) looks closer.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": on a GPU
data_root = ""  # the folder of the CIFAR files; "": where the package looks for them

# %%
import logging
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
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torchvision import transforms

# %%
from resnet_book import augment, cifar, data, models, train
from resnet_book.engine import machine
from resnet_book.engine.device import Engine, default_precision, worth_compiling
from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import figures
from resnet_book.state import Training

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
try:
    train_images = data.load("builtin" if tier == "smoke" else "cifar10", "train", data_root or None)
except cifar.DataMissingError as missing:
    if missing.named:  # you named a folder, so nothing may stand in for it
        raise
    train_images = data.load("builtin", "train")
    note = "**CIFAR-10 was not found, so this page uses the built-in images.** `resnet-book data cifar10` fetches it."
    display(Markdown(f"> {note}"))
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}; {train_images.name}: {len(train_images):,} images"

# %% [markdown]
# Every time on this page was measured on the machine that ran it. What the text says of GPUs without a measurement are
# typical orders of magnitude.

# %% tags=["nbval-ignore-output"]
device = torch.device("cuda" if tier == "paper" and torch.cuda.is_available() else "cpu")
batch_size, passes = {"smoke": (16, 8), "cpu": (128, 15), "paper": (128, 30)}[tier]
compiling = tier != "smoke" and worth_compiling(PAPER.iterations, device)
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it remarks on CUDA where there is no GPU
torch.backends.cudnn.benchmark = True  # as `fit` does: let a GPU try its programs, and keep the fastest
torch.backends.cudnn.allow_tf32 = False  # TensorFloat-32 rounds the factors of products to fractions of 10 bits
where = machine.describe(device, precision="", compiled=False)
print(f"{where['device']}, threads: {where['threads']}; batches of {batch_size}, {passes} passes")

# %% [markdown]
# ## How to time
#
# Three things make a time meaningless. The *first* call is special: memory is asked for, code is chosen or compiled. So
# call once before the clock starts. A *single* call tells as much about other programs as about ours. So take several,
# and their median. And a GPU works on its own: a line of Python only puts work into its queue and goes on. A clock that
# is read at once has timed the queueing. It must first wait.


# %% tags=["nbval-ignore-output"]
def read_clock() -> float:
    """Milliseconds, when the device has done all that it was asked for. A CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return 1000 * time.perf_counter()


def milliseconds(run: Callable[[], object]) -> float:
    """The median time of a call, after one that is not timed."""
    run()
    marks = [read_clock()]
    for _ in range(passes):
        run()
        marks.append(read_clock())
    return statistics.median(after - before for before, after in pairwise(marks))


values = torch.randn(10**6, device=device)
f"a million square roots: {milliseconds(lambda: values.abs().sqrt()):.2f} ms"

# %% [markdown]
# ## One step in its parts
#
# A step loads a batch, runs the network forward, runs it backward, and updates the weights. There are two ways to load.
# Most scripts take one image after the other, as pictures, through torchvision's transforms, and stack the results.
# Chapter 2's augmentation does the same to a whole batch of tensors at once, on the device.

# %%
mean, std = (each.to(device) for each in augment.channel_mean_std(train_images.images))
pixels, labels = (each[:batch_size].to(device) for each in (train_images.images, train_images.labels))
pictures = [Image.fromarray(image) for image in pixels.permute(0, 2, 3, 1).cpu().numpy()]
change = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
transform = transforms.Compose([*change, transforms.Normalize((mean / 255).tolist(), (std / 255).tolist())])
generator = torch.Generator(device).manual_seed(0)


def one_by_one() -> tuple[Tensor, Tensor]:
    """Images (N, 3, 32, 32) float32, one after the other, and labels (N,)."""
    return torch.stack([transform(picture) for picture in pictures]).to(device), labels


def at_once() -> tuple[Tensor, Tensor]:
    """The same, all images together."""
    return augment.normalise(augment.apply(pixels, augment.sample(batch_size, generator)), mean, std), labels


assert one_by_one()[0].shape == at_once()[0].shape
tuple(at_once()[0].shape)


# %%
def new_network() -> models.Network:
    """ResNet-20 with the weights of seed 0."""
    return models.MODELS["resnet20"](generator=torch.Generator().manual_seed(0)).to(device)


def new_optimizer(network: torch.nn.Module) -> torch.optim.Optimizer:
    """The recipe's."""
    rates = {"lr": PAPER.learning_rate, "momentum": PAPER.momentum, "weight_decay": PAPER.weight_decay}
    return torch.optim.SGD(network.parameters(), **rates)


network = new_network().to(memory_format=torch.channels_last)  # an order in memory; more below
optimizer = new_optimizer(network)


def step_in_parts() -> Tensor:
    """Milliseconds (3,) of forward, backward and optimizer."""
    images = at_once()[0].contiguous(memory_format=torch.channels_last)
    marks = [read_clock()]
    loss = F.cross_entropy(network(images), labels)
    marks.append(read_clock())
    loss.backward()
    marks.append(read_clock())
    optimizer.step()
    optimizer.zero_grad()
    marks.append(read_clock())
    return torch.tensor(marks, dtype=torch.float64).diff()


f"{models.count_parameters(network):,} parameters, {len(step_in_parts())} parts"

# %% [markdown]
# **Predict.** Order the five by time: loading one by one, loading at once, forward, backward, and the optimizer. Then
# look at Figure 6.1. Which bar is the longest? Which way of loading could a step afford?

# %% mystnb={"image": {"alt": "Horizontal bars of milliseconds for the parts of one training step. The backward pass is the longest, then the forward pass; loading a batch at once and the optimizer are short."}} tags=["nbval-ignore-output"]
parts = {"loading, one by one": milliseconds(one_by_one), "loading, at once": milliseconds(at_once)}
computed = torch.stack([step_in_parts() for _ in range(passes)]).median(dim=0).values.tolist()
parts |= dict(zip(("forward", "backward", "optimizer"), computed, strict=True))


def draw_bars(times: dict[str, float], label: str) -> None:
    """A horizontal bar for each time, the first on top, with its number at its end."""
    _, ax = plt.subplots(figsize=(7.2, 2.5))
    drawn = ax.barh(list(times), list(times.values()), color=figures.COLOURS["neutral"])
    ax.bar_label(drawn, [f"{value:.3g}" for value in times.values()], padding=3)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.grid(False, axis="y")
    ax.set_xlabel(label)
    plt.show()


draw_bars(parts, "milliseconds")

# %% [markdown]
# **Figure 6.1.** The parts of one step of ResNet-20 on this machine, with both ways of loading (of which a step needs
# one).

# %% tags=["remove-input", "nbval-ignore-output"]
conventional = parts["loading, one by one"]
whole = conventional + sum(computed)
text = f"""The longest part is *{max(parts, key=parts.__getitem__)}*, the shortest *{min(parts, key=parts.__getitem__)}*.
Backward takes {parts["backward"] / parts["forward"]:.1f} times as long as forward. Loading one by one takes
{conventional / parts["loading, at once"]:.0f} times as long as at once, and is {100 * conventional / whole:.0f} % of a step
that loads so."""
display(Markdown(text))

# %% [markdown]
# Why does backward take longer than forward? For each convolution it computes two gradients, of the weights and of the
# input, and each is as much work as the convolution itself. Whether loading matters depends on the rest of the step. On a
# CPU it hides behind slow arithmetic. A GPU computes its part in a few milliseconds, and then waits for the pictures.
# That is why most scripts need several processes that load.
#
# ### Kinds of calls
#
# "Forward" is many calls: a convolution, a batch norm, a ReLU, and so on. A `TorchDispatchMode` sees each, the backward
# ones too. Ours keeps a ledger: what was called, how many bytes it reads and writes, how long it took. (A *view*, such as
# a transposition, moves nothing. On a GPU the ledger waits after each call, so short calls look longer than they are.)


# %%
def num_bytes(values: object) -> int:
    """Bytes of all tensors somewhere in ``values``."""
    return sum(each.numel() * each.element_size() for each in tree_iter(values) if isinstance(each, Tensor))


class Ledger(TorchDispatchMode):
    """Keeps a row for each call: name, bytes read and written, milliseconds."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        start = read_clock()
        result = func(*args, **(kwargs or {}))
        spent, name = read_clock() - start, func.overloadpacket.__name__
        idle = func.is_view or "empty" in name
        self.rows.append((name, 0 if idle else num_bytes((args, kwargs, result)), spent))
        return result

    def __enter__(self) -> "Ledger":
        self.rows: list[tuple[str, int, float]] = []
        return super().__enter__()


two = torch.ones(100, 2), torch.ones(100, 2)
with Ledger() as ledger:
    (two[0] + two[1]).t().relu()
[row[:2] for row in ledger.rows]

# %% [markdown]
# The sum reads two tensors of 800 bytes and writes one. The transposition is a view. The ReLU reads one and writes one.
# Now a whole forward and backward pass, by kinds of layers.

# %%
KINDS = {"convolution": "convolutions", "batch_norm": "batch norm", "relu": "ReLU", "threshold": "ReLU"}


def kind(call: str) -> str:
    """Which kind of layer made the call of this name."""
    if call in ("add", "add_"):
        return "additions"
    return next((layer for part, layer in KINDS.items() if part in call), "the rest")


def pass_by_kind(network: models.Network, images: Tensor, labels: Tensor) -> pd.DataFrame:
    """Milliseconds, bytes, and number of calls that move any bytes, of a forward and backward pass, by kind."""
    with Ledger() as ledger:
        F.cross_entropy(network(images), labels).backward()
    network.zero_grad()
    rows = pd.DataFrame(ledger.rows, columns=["call", "bytes", "ms"]).assign(calls=lambda frame: frame.bytes > 0)
    return rows.groupby(rows.call.map(kind).rename("kind"))[["ms", "bytes", "calls"]].sum()


images = at_once()[0].contiguous(memory_format=torch.channels_last)
counted = pass_by_kind(network, images, labels)[["bytes", "calls"]]
pd.concat([counted, counted.sum().to_frame("all").T])

# %% [markdown]
# Why so many additions, with nine shortcuts? Nine come on the way forward, nine where the gradients of two branches
# meet, and in each batch norm one counts batches. A 3x3 convolution of $C$ channels does $18 C$ operations for each
# number that it gives, 288 in the first stage and more in the others. Batch norm does a few, a ReLU or an addition one.
# Now compare Figure 6.2 with your guess from the top of the page. Which kinds take time without arithmetic?

# %% mystnb={"image": {"alt": "Horizontal bars with the share of time of each kind of call. Convolutions take the largest share; batch norm, ReLU and additions, which do hardly any arithmetic, take most of the remainder."}} tags=["nbval-ignore-output"]
repeated = pd.concat(pass_by_kind(network, images, labels) for _ in range(passes))
by_kind = repeated.groupby("kind").median().sort_values("ms", ascending=False)
shares = 100 * by_kind / by_kind.sum()
draw_bars(shares.ms.to_dict(), "share of the time (%)")

# %% [markdown]
# **Figure 6.2.** Share of the time of forward and backward pass, by kind of call.

# %% tags=["remove-input", "nbval-ignore-output"]
outside = 100 - shares.loc["convolutions"]
text = f"""Convolutions take {shares.ms["convolutions"]:.0f} % of the time. All else takes {outside.ms:.0f} %, and moves
{outside.bytes:.0f} % of the bytes."""
display(Markdown(text))

# %% [markdown]
# Batch norm and ReLU read a whole tensor, do next to nothing with each number, and write it back. What they wait for is
# memory: computing faster would not help them, *moving less* would. A convolution does much with each number. It rather
# waits for arithmetic. (The [appendix](a6_more_about_speed.ipynb) measures how near the two limits are, layer by layer,
# in a *roofline*.) We need only the question: what does this call wait for?
#
# ## The techniques
#
# We now build the step anew, as most scripts have it, and improve one thing at a time. A `Way` says what is improved.


# %% tags=["nbval-ignore-output"]
@dataclass(frozen=True)
class Way:
    """How a step is taken; the recipe is the same in all."""

    load: Callable[[], tuple[Tensor, Tensor]] = one_by_one
    fetch: bool = True  # ask for the loss in every step
    order: torch.memory_format = torch.contiguous_format  # of the numbers in memory
    bfloat16: bool = False
    compiled: bool = False


def make_step(network: models.Network, way: Way) -> Callable[[], object]:
    """A step of ``network``; it returns the loss before it."""
    network = network.to(memory_format=way.order)
    optimizer = new_optimizer(network)
    forward = torch.compile(network) if way.compiled else network

    def step() -> Tensor | float:
        images, labels = way.load()
        with torch.autocast(device.type, torch.bfloat16, enabled=way.bfloat16):
            loss = F.cross_entropy(forward(images.contiguous(memory_format=way.order)), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item() if way.fetch else loss.detach()

    return step


f"loss before the first step: {make_step(new_network(), Way())():.1f}"

# %% [markdown]
# Is this still the step of the package? A `Training`, on which `fit` works, *plans* each batch: which images, and how
# each is cropped and mirrored. We give the same batch to the package's step and to ours. All weights must come out equal.

# %%
recipe = replace(PAPER, batch_size=batch_size)
training = Training(new_network(), {"train": train_images}, recipe, 0, Engine(device))
plan = next(training.plans())
train.make_step(training)(plan)

mine = new_network()
make_step(mine, Way(load=lambda: training.batches.load(plan), order=torch.channels_last))()
tolerance = 1e-3 if device.type == "cuda" else 1e-6  # a GPU adds up in no fixed order
for own, theirs in zip(mine.parameters(), training.network.parameters(), strict=True):
    torch.testing.assert_close(own, theirs, rtol=tolerance, atol=tolerance)
print("our step and the package's: the same weights")

# %% [markdown]
# **Whole batches.** A call from Python costs microseconds, however little it does. So do everything to a whole batch. The
# images stay on the device as bytes, all training images of CIFAR-10 in 154 MB, and no process has to load.
#
# **No number fetched.** `loss.item()` turns a tensor into a Python number. On a CPU that costs nothing. On a GPU it stops
# Python until the device has finished all that lies in its queue. Nobody fills the queue meanwhile, and then the device
# waits. So the package adds up the loss in a tensor on the device, and asks once an epoch.
#
# **Channels last.** A batch of images has four axes, but memory has one. By default PyTorch stores one channel's plane
# after the other. With `channels_last` it stores pixel after pixel, each with all its channels. A convolution sums over
# channels. Where they lie side by side, one vector instruction takes many of them at once.
#
# **bfloat16** has one bit for the sign, 8 for the exponent and 7 for the fraction; float32 has 1, 8 and 23. The range is
# the same. Tensors take half the memory, and a processor with the right instructions multiplies several times faster.
# The price is a coarse grid: between 1 and 2 there are 128 numbers. So the weights remain in float32. `torch.autocast`
# rounds what goes into convolutions and matrix products, and these add up in float32 inside. A processor without such
# instructions imitates them. Which kind is this one?

# %% tags=["nbval-ignore-output"]
convolution = torch.nn.Conv2d(16, 16, 3, padding=1, device=device).to(memory_format=torch.channels_last)
layer, trial = torch.randn(batch_size, 16, 32, 32, device=device).contiguous(memory_format=torch.channels_last), {}
for precision in ("float32", "bfloat16"):
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        trial[precision] = milliseconds(lambda: convolution(layer))
imitated = trial["bfloat16"] > 2 * trial["float32"]
print(", ".join(f"a convolution in {name}: {value:.2f} ms" for name, value in trial.items()))
print("imitated, so left out of the comparison below" if imitated else "not imitated")

# %% [markdown]
# **Compilation.** `torch.compile` looks at the whole function before anything is computed, and writes new code for it.
# Above all it *fuses*. Take a sum followed by a ReLU. The *eager* function, which runs as it is written, writes the sum
# to memory and reads it back. The fused one applies the ReLU to each number while it is there. Compiling takes seconds or
# minutes: a run of a few hundred steps never gets them back, one of 64,000 steps does not notice them.
#
# **CUDA graphs.** After arithmetic and memory, the third thing that a step can wait for is Python. On a GPU each call
# starts at least one *kernel*, a small program, and to start one typically takes 5 to 10 microseconds, whatever it does.
# For all calls in the table above that is around one millisecond. A large GPU may compute the whole step in less. A
# graph is the remedy. The step is run once while CUDA writes down which kernels it starts, with the addresses of their
# tensors. Afterwards one call starts them all. The price is that nothing may change but the *contents* of the tensors: no
# new shapes, no new addresses, no question for a number in the midst of the step. `fit` uses a graph on a GPU without
# being asked (`resnet_book/engine/cuda_graph.py`, a page of code).
#
# ## All of them in turn
#
# Now the whole step, from the conventional one on, each row with one improvement more. The last row is the step of `fit`,
# in the precision that the package chooses here. It also picks its images among all, sums up loss and wrong answers, and
# on a GPU replays a graph.
#
# **Predict** which row of Figure 6.3 brings most. The whiskers show how the machine varied. But all rows
# take turns, and those of one turn suffer alike. So compare turn by turn: the list below the figure does.

# %% tags=["nbval-ignore-output"]
changes = {"+ whole batches": {"load": at_once}, "+ no number fetched": {"fetch": False}}
changes["+ channels_last"] = {"order": torch.channels_last}
changes |= {} if imitated else {"+ bfloat16": {"bfloat16": True}}
changes |= {"+ compiled": {"compiled": True}} if compiling else {}
ways = {"conventional": Way()}
for name, change in changes.items():
    ways[name] = replace(list(ways.values())[-1], **change)
steps = {name: make_step(new_network(), way) for name, way in ways.items()}
engine = Engine(device, default_precision(device), compiling)
training = Training(new_network(), {"train": train_images}, recipe, 0, engine)
package = f"the package, {engine.precision}{', compiled' * compiling}"
steps[package] = partial(train.make_step(training), next(training.plans()))
list(steps)

# %% mystnb={"image": {"alt": "Milliseconds a step, a dot with whiskers for each way to take it: the conventional step on top, one technique more in each row below, and the package's own step at the bottom."}} tags=["nbval-ignore-output"]
turns = []
for turn in range(1 + passes):
    marks = [read_clock()]
    for run_step in steps.values():
        run_step()
        marks.append(read_clock())
    turns += [[after - before for before, after in pairwise(marks)]] if turn else []  # the first is not timed
ladder = pd.DataFrame(turns, columns=list(steps))
middle = ladder.median()

fig, ax = plt.subplots(figsize=(7.2, 2.9))
whiskers = middle - ladder.min(), ladder.max() - middle
ax.errorbar(middle, list(steps), xerr=whiskers, fmt="o", color=figures.COLOURS["neutral"])
for name, value in middle.items():
    ax.annotate(f"{value:.3g}", (value, name), (0, 6), textcoords="offset points", ha="center")
ax.set(xlim=(0, None), xlabel="milliseconds a step")
ax.invert_yaxis()
plt.show()

# %% [markdown]
# **Figure 6.3.** A whole training step of ResNet-20 on this machine, one technique more in each row; the last row is
# the package's own step. Dots: medians; whiskers: the shortest and the longest of the turns.

# %% tags=["remove-input", "nbval-ignore-output"]
CHANCE = "now faster, now slower, which cannot be told from chance"
said = {f"faster in all {passes} turns": [], f"slower in all {passes} turns": [], CHANCE: []}
gains = pd.DataFrame({after: ladder[before] / ladder[after] for before, after in pairwise(steps)})
for name, gain in gains.items():
    every = [(gain > 1).all(), (gain < 1).all(), True].index(True)
    list(said.values())[every].append(f"*{name.removeprefix('+ ')}* ({gain.median():.2f})")
lines = "\n".join(f"- {verdict}: {', '.join(names)}" for verdict, names in said.items() if names)
most = gains.loc[:, (gains > 1).all()].median()
winner = f"*{most.idxmax().removeprefix('+ ')}*" if len(most) else "no row that is faster in all turns"
text = f"""Each row against the one above it, turn by turn (in brackets: how many times as fast, in the median turn):

{lines}

Most: {winner}.

The package's step takes {100 * middle[package] / middle["conventional"]:.0f} % of the time of the conventional one."""
display(Markdown(text))

# %% [markdown]
# On two quiet cores the package's compiled step was 1.5 times as fast as a conventional one with two processes that load.
# On an NVIDIA H200, in bfloat16, it was 6.4 times as fast as one with eight (`benchmarks/README.md`, one machine each).
# There a step took 1.6 milliseconds, nearly all of them inside its 362 kernels, more than our table has calls: a step
# also loads and updates, and many a call starts several. So Python is out of the way. But each kernel takes some four
# microseconds, however little it has to do. Only more work fills such a GPU: a wider network, or several at once.
#
# ## Summary
#
# - Time after a first call, several times, and on a GPU only when it is done. Compare only what takes turns.
# - A step is mostly forward and backward. Convolutions do nearly all the arithmetic. Batch norm, ReLU and additions move
#   most of the bytes, and take more of the time than their arithmetic would.
# - Fewer bytes (bfloat16) and fewer passes (compilation) help where a step waits for memory; an order and a precision that
#   the processor likes, where it waits for arithmetic; whole batches, no questions and CUDA graphs, where for Python.
# - Every technique has a price or a condition. None changes the recipe; the numbers change by rounding.
#
# ## Exercises
#
# **1. A fair comparison.** Complete `compare`. It is tried on a made-up machine whose first calls are slow, and which
# gets slower with every call, as if somebody else had begun to use it.


# %%
def compare(first: Callable[[], None], second: Callable[[], None], clock: Callable[[], float]) -> float | None:
    """The time of ``first`` divided by that of ``second``; ``clock()`` reads the seconds."""
    return None  # your code


class BusyMachine:
    now, calls = 0.0, 0

    def work(self, seconds: float) -> None:
        self.calls += 1
        self.now += seconds * (1 + self.calls / 20) + 5 * (self.calls <= 2)


busy = BusyMachine()
ratio = compare(lambda: busy.work(0.2), lambda: busy.work(0.1), lambda: busy.now)
if ratio is None:
    print("Not answered yet.")
elif busy.calls < 12:
    print(f"Wrong: {busy.calls} calls are too few to tell a difference from chance.")
elif abs(ratio - 2) > 0.15:
    print(f"Wrong: {ratio:.2f}, where the truth is 2. Were the first calls left out? Did the two take turns?")
else:
    print("Right.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def compare(first, second, clock):
#     ratios = []
#     for _ in range(20):
#         marks = [clock()]
#         for run in (first, second):
#             run()
#             marks.append(clock())
#         ratios.append((marks[1] - marks[0]) / (marks[2] - marks[1]))
#     return statistics.median(ratios[1:])
# ```
#
# </details>
#
# **2. What does it wait for?** Say for each of three: `a`, a ReLU on a CPU; `b`, a convolution from 512 to 512 channels
# on a CPU; `c`, the whole step of ResNet-20 on a large GPU, eager (nothing compiled, no graph), with 8 images in a batch.

# %%
waits = {"a": None, "b": None, "c": None}  # each "arithmetic", "memory" or "Python"

HINTS = {
    "a": "how much is computed with each number that is read?",
    "b": "every number that is read takes part in thousands of products.",
    "c": "how many calls are there, and how much work has each of them with so few images?",
}
if None in waits.values():
    print("Some are still missing." if any(waits.values()) else "Not answered yet.")
else:
    wrong = [name for (name, answer), end in zip(waits.items(), "ycn", strict=True) if not answer.endswith(end)]
    print("\n".join(f"{name} is wrong: {HINTS[name]}" for name in wrong) or "Right. Each asks for another technique.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `waits = {"a": "memory", "b": "arithmetic", "c": "Python"}`
#
# </details>
#
# **3. Wider networks.** Sort the calls of `resnet18`, whose layers have 64 to 512 channels, into kinds, for eight images.
# The more channels a convolution has, the more arithmetic it does for each byte. What becomes of its share of the time?
#
# <details><summary>Solution</summary>
#
# ```python
# wider = models.MODELS["resnet18"]().to(device, memory_format=torch.channels_last)
# frame = pass_by_kind(wider, images[:8], labels[:8])
# 100 * frame.ms / frame.ms.sum()
# ```
#
# It grows (from 76 to 92 % with one thread, when we tried it). Batch norm and ReLU do for each byte what they always did.
#
# </details>
#
# ## References
#
# - [Micikevicius et al. (2018)](https://arxiv.org/abs/1710.03740): training in 16 bits, with weights kept in 32.
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): the network and the recipe, whose speed this page is about.

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
# Convolutions do nearly all the arithmetic of the forward and backward pass. What share of its *time* do they take?
# Write down a guess for Figure 6.2. The *recipe* stays as it is: learning rates, augmentation, batches of 128 images.
# (Only to be quick, `tier = "smoke"` times steps of 16.)
#
# **You will learn**
#
# - to time a step so that you see what chance does, and to split it into parts and kinds of calls;
# - to ask of each call what it may wait for: arithmetic, memory, or Python;
# - what seven techniques do, what they cost, and what they brought together on a CPU and on a GPU.
#
# **You need** [chapter 2](02_augmentation.ipynb) for the augmentation and [chapter 3](03_plain_and_residual.ipynb) for
# the network. With `tier = "smoke"` the page takes a minute on 2 cores and downloads nothing. `"cpu"` takes some
# minutes and CIFAR-10 (170 MB), `"paper"` measures on a GPU, where there is one; both compile the network, if they can.

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": on a GPU
data_root = ""  # the folder of the CIFAR files; "": where the package looks for them

# %%
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from PIL import Image
from torch import Tensor
from torchvision import transforms

# %%
from resnet_book import augment, cifar, data, models
from resnet_book.analysis import ledger
from resnet_book.engine import machine
from resnet_book.engine.device import worth_compiling
from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import figures

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

# %% tags=["remove-cell"]
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it remarks on CUDA where there is no GPU
torch.backends.cudnn.benchmark = True  # as `fit` does: let a GPU try its programs, and keep the fastest
torch.backends.cudnn.allow_tf32 = False  # TensorFloat-32 rounds the factors of products to fractions of 10 bits

# %% tags=["nbval-ignore-output"]
device = torch.device("cuda" if tier == "paper" and torch.cuda.is_available() else "cpu")
batch_size = 16 if tier == "smoke" else 128
passes = 20
compiling = tier != "smoke" and worth_compiling(PAPER.iterations, device)
torch.set_num_threads(1)
where = machine.describe(device, precision="", compiled=False)
print(f"{where['device']}, threads: {where['threads']}; batches of {batch_size} images")

# %% [markdown]
# The figures come from that machine, which may have been busy. What *the benchmark* found is quoted from
# `benchmarks/README.md`: 128 images, two quiet cores of an AMD EPYC or an NVIDIA H200, unless we say otherwise.
#
# ## How to time
#
# The *first* call is special: memory is asked for, code is chosen or compiled. So it is not timed. *Other programs*
# take the processor away while a clock runs. So on a CPU we use one thread and read the processor time of our own
# process. They still fill caches and memory, which can only make us slower. So keep the *fastest* of several calls. A
# *GPU* works on its own: Python only puts work into its queue. So wait until the queue is empty, then read the clock.


# %% tags=["nbval-ignore-output"]
def read_clock() -> float:
    """Milliseconds: on a GPU when it has done all that it was asked for; on a CPU those it has spent on this process."""
    if device.type != "cuda":
        return 1000 * time.process_time()
    torch.cuda.synchronize()
    return 1000 * time.perf_counter()


def milliseconds(run: Callable[[], object]) -> float:
    """The time of the fastest of several calls, after one that is not timed."""
    run()
    times = []
    for _ in range(passes):
        start = read_clock()
        run()
        times.append(read_clock() - start)
    return min(times)


f"a call that does nothing: {milliseconds(lambda: None):.4f} ms"

# %% [markdown]
# ## One step in its parts
#
# A step loads a batch, runs the network forward, runs it backward, and updates the weights. Most scripts load one image
# after the other, as pictures, through torchvision's transforms, and stack the results. Chapter 2's augmentation does
# the same to a whole batch of tensors at once, on the device.

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


tuple(one_by_one()[0].shape), tuple(at_once()[0].shape)


# %%
def new_network() -> models.Network:
    """ResNet-20 with the weights of seed 0."""
    return models.MODELS["resnet20"](generator=torch.Generator().manual_seed(0)).to(device)


def new_optimizer(network: torch.nn.Module) -> torch.optim.Optimizer:
    """The recipe's."""
    rates = {"lr": PAPER.learning_rate, "momentum": PAPER.momentum, "weight_decay": PAPER.weight_decay}
    return torch.optim.SGD(network.parameters(), **rates, fused=device.type == "cuda")  # fused: in few kernels


network = new_network().to(memory_format=torch.channels_last)  # an order in memory; more below
images = at_once()[0].contiguous(memory_format=torch.channels_last)
optimizer = new_optimizer(network)


def forward_and_backward(network: models.Network, images: Tensor, labels: Tensor) -> None:
    """Give each weight its gradient."""
    network.zero_grad()
    F.cross_entropy(network(images), labels).backward()


forward_and_backward(network, images, labels)
f"{sum(each.grad.numel() for each in network.parameters()):,} weights, each with a gradient"

# %% [markdown]
# **Predict.** Order the five by time: loading one by one, loading at once, forward, backward, optimizer. How many times
# as fast is the whole step if it loads at once?

# %% mystnb={"image": {"alt": "Horizontal bars of milliseconds for the parts of one training step. The backward pass is the longest, then the forward pass; both ways of loading and the optimizer are short beside them."}} tags=["nbval-ignore-output"]
parts = {"loading, one by one": milliseconds(one_by_one), "loading, at once": milliseconds(at_once)}
parts["forward"] = milliseconds(lambda: F.cross_entropy(network(images), labels))
parts["backward"] = milliseconds(lambda: forward_and_backward(network, images, labels)) - parts["forward"]
parts["optimizer"] = milliseconds(optimizer.step)

ax = pd.Series(parts).plot.barh(figsize=(7.2, 2.5), color=figures.COLOURS["neutral"], xlabel="milliseconds", width=0.7)
ax.bar_label(ax.containers[0], fmt="%.3g", padding=3)
ax.invert_yaxis()
ax.margins(x=0.12)
plt.show()

# %% [markdown]
# **Figure 6.1.** The parts of a step of ResNet-20 on this machine, each the fastest of 20 (backward: both passes less
# forward). A step loads in one of the two ways.

# %% tags=["remove-input", "nbval-ignore-output"]
at_best, step = parts["loading, at once"], sum(parts.values())
text = f"""Backward takes {parts["backward"] / parts["forward"]:.1f} times as long as forward. To load at once, not one by one,
makes the whole step {(step - at_best) / (step - parts["loading, one by one"]):.2f} times as fast."""
display(Markdown(text))

# %% [markdown]
# For each convolution but the first backward computes two gradients, of the weights and of the input. (The first one's
# input, the images, needs none.) Each takes as many operations as the convolution itself, not always as much time.
# Whether loading matters depends on the rest. The benchmark's CPU loaded 16,000 images a second one by one, and 469,000
# at once. It trained on 955 a second, its GPU on 80,000.
#
# ### Kinds of calls
#
# "Forward" is many calls: a convolution, a batch norm, a ReLU, and so on. `ledger.calls` lists them, the backward ones
# too. (How PyTorch lets one see each call: `resnet_book/analysis/ledger.py`, a page of code.) *Operations* of
# convolutions and matrix products are counted by PyTorch: a multiplication and an addition are two. Of any other call
# we take one for each number that it gives, a rough guess. *Bytes* are those of each tensor that a call takes or gives,
# once. That is nominal: batch norm has to read its input twice, and what is in a cache need not come from memory.


# %%
KINDS = {"convolution": "convolutions", "batch_norm": "batch norm", "relu": "ReLU", "add": "additions"}
KINDS |= {"threshold": "ReLU", "add_": "additions"}  # the backward pass of a ReLU; an addition in place


def calls_of_pass(network: models.Network, images: Tensor, labels: Tensor) -> pd.DataFrame:
    """A row for each call of a forward and backward pass: operations, bytes, ms, and as index the kind."""
    rows = pd.DataFrame(ledger.calls(lambda: forward_and_backward(network, images, labels), read_clock))
    kinds = rows.name.str.extract("(convolution|batch_norm|relu|threshold|^add_?$)")[0].map(KINDS).fillna("the rest")
    return rows.set_index(kinds).rename(columns={"moved": "bytes", "spent": "ms"})[["operations", "bytes", "ms"]]


order = ["convolutions", "batch norm", "ReLU", "additions", "the rest"]
counted = calls_of_pass(network, images, labels).groupby(level=0)[["operations", "bytes"]].sum().loc[order]
table = pd.concat([counted, counted.sum().to_frame("all").T])
table.assign(intensity=table.operations / table.bytes).rename(columns={"intensity": "operations a byte"}).round(1)

# %% [markdown]
# Now compare Figure 6.2 with your guess. Which kinds take time without arithmetic?

# %% mystnb={"image": {"alt": "Horizontal bars in three panels: share of the operations, of the bytes and of the time of each kind of call. Convolutions have nearly all operations, about a quarter of the bytes and three quarters of the time; batch norm, ReLU and additions have hardly any operations, most of the bytes and most of the other time."}} tags=["nbval-ignore-output"]
times = pd.concat([calls_of_pass(network, images, labels).ms for _ in range(passes)], axis=1).min(axis=1)
measured = counted.assign(time=times.groupby(level=0).sum())
shares = 100 * measured / measured.sum()

look = {"color": figures.COLOURS["neutral"], "width": 0.7, "legend": False, "xlim": (0, 130), "ylabel": ""}
axes = shares.plot.barh(subplots=True, layout=(1, 3), sharey=True, figsize=(7.2, 2.5), **look)[0]
for ax in axes:
    ax.bar_label(ax.containers[0], fmt="%.1f", padding=3)
axes[0].invert_yaxis()
axes[1].set_xlabel("share (%)")
plt.show()

# %% [markdown]
# **Figure 6.2.** Share of each kind of call in a forward and backward pass: of what is counted, and of the time on this
# machine (each call the fastest of 20; what Python does between calls is not in it).

# %% tags=["remove-input", "nbval-ignore-output"]
little = shares.time[["batch norm", "ReLU", "additions"]].sum()
text = f"""Convolutions take {shares.time["convolutions"]:.0f} % of the time; batch norm, ReLU and additions together {little:.0f} %.
Batch norm takes {shares.time["batch norm"] / shares.time["ReLU"]:.1f} times as long as ReLU, with as many nominal bytes."""
display(Markdown(text))

# %% [markdown]
# What may a call wait for? The benchmark's CPU did at most 465 billion operations a second, in a convolution, and moved
# 66 billion bytes in a large copy: 7.0 operations a byte. Batch norm, ReLU and additions do fewer: they read a number,
# do little with it, and write it. There computing faster would hardly help, *moving less* may. Convolutions do more, so
# on the CPU they more likely wait for arithmetic. On the H200 in bfloat16, by a large product of matrices, the limit is
# 187. There convolutions do 129 operations a byte, and so lie on the side of memory too. (How near each call is to
# either limit, and whether rounding changes what is learned, is for the [appendix](a6_more_about_speed.ipynb).)
#
# ## The techniques
#
# We build the step anew, as most scripts have it. A `Way` says what is improved.


# %%
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


# %% [markdown]
# A test holds three such steps, in float32, to those of the package.
#
# **Whole batches.** A few calls do all to a whole batch, not a few to each image. The images stay on the device, as
# bytes.
#
# **No number fetched.** `loss.item()` turns a tensor into a Python number. On a CPU that costs nothing. On a GPU Python
# then waits until the queue is empty, and nobody fills it meanwhile. So the package asks for the loss once an epoch.
#
# **Channels last.** By default PyTorch stores one channel's plane after the other, with `channels_last` pixel after
# pixel, each with all its channels. A convolution sums over channels. The usual reason, which we have not traced: one
# vector instruction takes many that lie side by side.
#
# **bfloat16** numbers take 16 bits. Their range is that of float32, their grid is coarse: between 1 and 2 there are 128
# of them. So the weights remain in float32, and `torch.autocast` rounds what goes into convolutions and matrix
# products. Their results stay in 16 bits, and so does what batch norm, ReLU and additions make of them: the nominal
# bytes of a step fall by half (from 1.81 to 0.93 GB). And a processor with instructions for it multiplies faster. One
# without them imitates them: on such a CPU, a busy one, training fell from 159 images a second to 14. So on a CPU the
# package stays in float32 unless asked. Which kind is this one?

# %% tags=["nbval-ignore-output"]
maps, weights = torch.randn(batch_size, 16, 32, 32, device=device), torch.randn(16, 16, 3, 3, device=device)
dtypes = torch.float32, torch.bfloat16
fine, coarse = (milliseconds(partial(F.conv2d, maps.to(each), weights.to(each))) for each in dtypes)
imitated = coarse > 2 * fine
f"a convolution: {fine:.2f} ms in float32, {coarse:.2f} in bfloat16; imitated, so left out below: {imitated}"

# %% [markdown]
# **Compilation.** `torch.compile` writes new code for a whole function. Above all it *fuses*. Take a sum followed by a
# ReLU. The *eager* function, which runs as it is written, writes the sum to memory and reads it back. The fused one
# applies the ReLU to each number while it is there. The price is a slow first step. With nothing in the compiler's
# cache it took 12 seconds on the CPU, repaid after some 750 steps at the times of the table below. On the GPU it took
# 20 seconds more, with four networks compiled at once: repaid after at most 45,000 of the recipe's 64,000 steps.
#
# **CUDA graphs.** On a GPU each call starts *kernels*, small programs, and to ask for one may take Python longer than
# it runs. So the step is run once while CUDA writes down its kernels, with the addresses of their tensors. Afterwards
# one call starts them all. The price is that only the *contents* of the tensors may change: no new shapes or addresses,
# and no question for a number. (`resnet_book/engine/cuda_graph.py` has it. Figure 6.3 has no row for it.)
#
# **Memory kept.** On a CPU under Linux a large tensor's memory goes back to the system when the tensor is gone, and
# what the next one gets is cleared first. In every training of the package the process keeps it
# (`engine.device.keep_memory`). That is set for a whole process, so Figure 6.3 has no row for it either: all steps of
# this page give memory back. The table below has one.
#
# ## All of them in turn
#
# Each row of Figure 6.3 is the step of the row above with one technique more. Every step is built *three times*: the
# dots of a row are the same code, at other addresses in memory. All take turns, in a new order each time, and a dot is
# the fastest of 20. We call a row faster only if all its dots lie left of all dots of the row above. Where a technique
# does nothing, chance alone brings that about in 1 of 20 cases, and the reverse in another.
#
# **Predict.** Which row brings most here? Which can hardly stand out, by Figure 6.1 and by what you have just read?

# %% tags=["nbval-ignore-output"]
changes = {"conventional": {}, "+ whole batches": {"load": at_once}, "+ no number fetched": {"fetch": False}}
changes["+ channels_last"] = {"order": torch.channels_last}
changes |= {} if imitated else {"+ bfloat16": {"bfloat16": True}}
changes |= {"+ compiled": {"compiled": True}} if compiling else {}
way, steps = Way(), {}
for name, change in changes.items():
    way = replace(way, **change)
    steps |= {(name, copy): make_step(new_network(), way) for copy in "abc"}
turns = {each: [] for each in steps}
for _ in range(1 + passes):
    for place in torch.randperm(len(steps)).tolist():
        each = list(steps)[place]
        start = read_clock()
        steps[each]()
        turns[each].append(read_clock() - start)
fastest = pd.Series({each: min(spent[1:]) for each, spent in turns.items()}).unstack(sort=False)  # not the first
fastest.round(1)

# %% mystnb={"image": {"alt": "Milliseconds a step, three dots for each way to take it: the conventional step on top, one technique more in each row below. The dots of a row lie close together. The first three rows hardly differ; channels last makes the step faster, and so does bfloat16."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 2.9))
for name, copies in fastest.iterrows():
    ax.plot(copies, [name] * 3, "o-", color=figures.COLOURS["neutral"], alpha=0.6)
ax.set(xlim=(0, 1.08 * fastest.to_numpy().max()), xlabel="milliseconds a step")
ax.invert_yaxis()
plt.show()

# %% [markdown]
# **Figure 6.3.** A whole step of ResNet-20 on this machine, one technique more in each row. The three dots of a row are
# equal steps, each the fastest of 20.

# %% tags=["remove-input", "nbval-ignore-output"]
middle, above = fastest.median(axis=1), fastest.shift()
table = pd.DataFrame({"times as fast as the row above": (middle.shift() / middle).round(2), "that is": "may be chance"})
table.loc[fastest.max(axis=1) < above.min(axis=1), "that is"] = "faster"
table.loc[fastest.min(axis=1) > above.max(axis=1), "that is"] = "slower"
print(f"all together: {middle.iloc[0] / middle.iloc[-1]:.2f} times as fast (each row by its middle dot)")
table.iloc[1:]

# %% [markdown]
# ## On quiet machines
#
# *Conventional* is the first row of Figure 6.3, with processes, the *workers*, that load for it. In each step it also
# fetches the number of right answers. On the GPU its convolutions use TensorFloat-32, PyTorch's default: float32 with
# shorter fractions. *Ours* is the package's step: whole batches, no number fetched, channels last; on the CPU memory is
# kept, unless the row says otherwise; on the GPU a CUDA graph and the fused optimizer come with it. Passes of 4 seconds
# (GPU: 1.5) took turns, 7 of each way (GPU: 3). "Times as fast" is the median over pairs of passes, with the smallest
# and the largest. (One machine each: PyTorch 2.15 on the CPU, which has bfloat16 instructions, and 2.11 on the GPU.)

# %% tags=["remove-input"]
BENCHMARK = [  # of benchmarks/README.md, to which a test holds it
    ("CPU, 2 cores", "conventional, 2 workers", "230", "1"),
    ("CPU, 2 cores", "ours, float32, eager, memory given back", "177", "1.33 (1.21 to 1.37)"),
    ("CPU, 2 cores", "ours, float32, eager", "150", "1.52 (1.42 to 1.65)"),
    ("CPU, 2 cores", "ours, float32, compiled", "134", "1.69 (1.60 to 1.80)"),
    ("CPU, 2 cores", "ours, bfloat16, compiled", "101", "2.24 (2.11 to 2.38)"),
    ("H200", "conventional, 8 workers", "10.24", "1"),
    ("H200", "ours, bfloat16, eager", "2.05", "5.01 (4.20 to 5.04)"),
    ("H200", "ours, bfloat16, compiled", "1.59", "6.44 (5.36 to 6.62)"),
]
pd.DataFrame(BENCHMARK, columns=["device", "way", "ms a step", "times as fast"]).set_index(["device", "way"])

# %% [markdown]
# **On the CPU** the first three together make the step 1.3 times as fast, with kept memory 1.5, with compilation 1.7,
# and with bfloat16 2.2 times. (Each way has a process of its own. In bfloat16 eager was not timed.)
#
# **On the GPU** it is 5 times in bfloat16, and 6.4 compiled: all of them together. One was timed alone: channels last
# took forward and backward from 4.20 to 1.97 ms (bfloat16, one run). What holds the conventional step back, its loading
# or its own work, was not separated. What does our compiled step wait for? A profile found 362 kernels, and 1.46 of
# 1.60 ms inside them, so not for Python. At the rate of a large copy all nominal bytes of the eager step would take a
# seventh of the time, those of convolutions alone a 27th. Their arithmetic, at the rate of a large product, would take
# less. What is left are many small kernels, of four microseconds each on average.
#
# ## Summary
#
# - Time after a first call, several times, in turns. Build a thing several times to see what chance does.
# - Convolutions have nearly all the operations and a quarter of the nominal bytes. Figure 6.2 has their share of the
#   time.
# - Without bfloat16 a step became 1.7 times as fast on a CPU, and with it 2.2 times. All together, it was 6.4 times as
#   fast on a GPU, whose time goes to hundreds of small kernels.
#
# ## Exercises
#
# **1. A fair comparison.** Complete `compare`. It is tried on made-up machines. Their first calls are slow, one call in
# five is interrupted, and all get slower with every call, as if somebody else had begun to use the machine.


# %%
def compare(first: Callable[[], None], second: Callable[[], None], clock: Callable[[], float]) -> float | None:
    """The time of ``first`` divided by that of ``second``; ``clock()`` reads the seconds."""
    return None  # your code


class BusyMachine:
    def __init__(self, seed: int) -> None:
        self.random, self.now, self.calls = Random(seed), 0.0, 0
        self.ratio = self.random.uniform(1, 3)

    def work(self, seconds: float) -> None:
        self.calls += 1
        interrupted = self.random.random() < 0.2
        self.now += 5 * (self.calls <= 2) + seconds * (1 + self.calls / 100) * (5 if interrupted else 1)


answers = {}
for each in map(BusyMachine, range(10)):
    answers[each.ratio] = compare(partial(each.work, each.ratio), partial(each.work, 1), lambda on=each: on.now)
if None in answers.values():
    print("Not answered yet.")
elif wrong := [f"{found:.2f} for {truth:.2f}" for truth, found in answers.items() if not abs(found / truth - 1) < 0.05]:
    print(f"Wrong on {len(wrong)} of 10 machines: {', '.join(wrong)}. Did they take turns? How often?")
else:
    print("Right.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def compare(first, second, clock):
#     ratios = []
#     for _ in range(20):
#         begin, _, middle, _, end = clock(), first(), clock(), second(), clock()
#         ratios.append((middle - begin) / (end - middle))
#     return statistics.median(ratios[1:])  # import statistics
# ```
#
# Interruptions hardly move the median, or the fastest call. Slow drift moves both calls of a pair alike.
#
# </details>
#
# **2. What does it wait for?** A ReLU on a CPU, of a tensor much larger than the caches; a convolution from 512 to 512
# channels there; on a large GPU an eager step of ResNet-20 without a graph, with 8 images.
#
# <details><summary>Solution</summary>
#
# Memory: it computes one operation for eight bytes. Arithmetic: every number takes part in thousands of products. We
# have not measured the third. It has hundreds of calls with little to do, so we would look at Python first.
#
# </details>
#
# **3. Wider networks.** The layers of `resnet18` have 64 to 512 channels. How many operations a byte do its
# convolutions do for eight images? Guess from the table above, then count: `calls_of_pass` takes any network.
#
# <details><summary>Solution</summary>
#
# Twice as many as with 16 images above, though there are four to eight times as many channels: with so few images more
# than half of the bytes are those of weights. (`.groupby(level=0).sum()` adds up what is of one kind.)
#
# </details>
#
# ## References
#
# - [Micikevicius et al. (2018)](https://arxiv.org/abs/1710.03740): training in float16, with weights kept in float32
#   and the loss scaled, which bfloat16 does not need.
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): the network and the recipe, whose speed this page is about.

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
# - to ask of each call what it waits for: arithmetic, memory, or Python;
# - what six techniques do, what they cost, and what they brought on a CPU and on a GPU.
#
# **You need** [chapter 2](02_augmentation.ipynb) for the augmentation and [chapter 3](03_plain_and_residual.ipynb) for
# the network. With `tier = "smoke"` the page takes less than a minute on 2 cores and downloads nothing. `"cpu"` takes
# some minutes and CIFAR-10 (170 MB), `"paper"` measures on a GPU, where there is one. These two also compile the
# network, if they find a compiler.

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
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import flop_registry
from torchvision import transforms

# %%
from resnet_book import augment, cifar, data, models, train
from resnet_book.engine import machine
from resnet_book.engine.device import Engine, worth_compiling
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


number = torch.ones(1, device=device)
microseconds = milliseconds(lambda: [number.relu() for _ in range(1000)])  # a thousand calls, so of each
f"a ReLU of one number: {microseconds:.1f} microseconds"

# %% [markdown]
# Nearly all of that is Python and PyTorch on their way to one comparison. Every call has to pay it.
#
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
images = at_once()[0].contiguous(memory_format=torch.channels_last)
optimizer = new_optimizer(network)


def forward_and_backward(network: models.Network, images: Tensor, labels: Tensor) -> None:
    """Give each weight its gradient."""
    network.zero_grad()
    F.cross_entropy(network(images), labels).backward()


forward_and_backward(network, images, labels)
f"{sum(each.grad.numel() for each in network.parameters()):,} weights, each with a gradient"

# %% [markdown]
# **Predict.** Order the five by time: loading one by one, loading at once, forward, backward, optimizer. How much faster
# would the step of Figure 6.1 be if loading took no time?

# %% mystnb={"image": {"alt": "Horizontal bars of milliseconds for the parts of one training step. The backward pass is the longest, then the forward pass; loading a batch at once and the optimizer are short."}} tags=["nbval-ignore-output"]
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
slow, quick = parts["loading, one by one"], parts["loading, at once"]
rest = parts["forward"] + parts["backward"] + parts["optimizer"]
text = f"""Backward takes {parts["backward"] / parts["forward"]:.1f} times as long as forward. Loading one by one takes
{slow / quick:.0f} times as long as at once. To load at once would make the whole step {(slow + rest) / (quick + rest):.2f} times as fast."""
display(Markdown(text))

# %% [markdown]
# For each convolution backward computes two gradients, of the weights and of the input, and each is as much work as the
# convolution itself. Whether loading matters depends on the rest. The benchmark loaded 16,000 images a second one by
# one, and 469,000 at once. On its CPU it trained on 836 a second, on its GPU on 80,000: that one would need five
# processes that load one by one.
#
# ### Kinds of calls
#
# "Forward" is many calls: a convolution, a batch norm, a ReLU, and so on. A `TorchDispatchMode` sees each, the backward
# ones too. Ours keeps a ledger. *Operations* are counted: of convolutions and matrix products by PyTorch (a
# multiplication and an addition are two), of batch norm ten for each number that it gives, which is enough, of any
# other call one. *Bytes* are counted: each tensor that a call takes or gives, once. That is nominal: batch norm has to
# read its input twice, and what is in a cache need not come from memory.


# %%
def tensors(values: object) -> list[Tensor]:
    """All tensors somewhere in ``values``."""
    return [each for each in tree_iter(values) if isinstance(each, Tensor)]


class Ledger(TorchDispatchMode):
    """Keeps a row for each call that is no view, such as a transposition: name, operations, bytes, milliseconds."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        start, kwargs = read_clock(), kwargs or {}
        result = func(*args, **kwargs)
        spent, name = read_clock() - start, func.overloadpacket.__name__
        if func.is_view or "empty" in name:
            return result
        if func.overloadpacket in flop_registry:
            operations = flop_registry[func.overloadpacket](*args, **kwargs, out_val=result)
        else:
            operations = (10 if "batch_norm" in name else 1) * sum(each.numel() for each in tensors(result))
        moved = sum(each.numel() * each.element_size() for each in tensors((args, kwargs, result)))
        self.rows.append((name, operations, moved, spent))
        return result

    def __enter__(self) -> "Ledger":
        self.rows: list[tuple[str, int, int, float]] = []
        return super().__enter__()


# %%
KINDS = {"convolution": "convolutions", "batch_norm": "batch norm", "relu": "ReLU", "threshold": "ReLU"}
KINDS["add_"] = "additions"  # PyTorch's add, and add_ in place, are given one _ more


def calls_of_pass(network: models.Network, images: Tensor, labels: Tensor) -> pd.DataFrame:
    """A row for each call of a forward and backward pass: operations, bytes, ms, and as index the kind."""
    with Ledger() as ledger:
        forward_and_backward(network, images, labels)
    rows = pd.DataFrame(ledger.rows, columns=["call", "operations", "bytes", "ms"])
    names = rows.pop("call") + "_"
    return rows.set_index(names.map(lambda name: next((KINDS[part] for part in KINDS if part in name), "the rest")))


calls = calls_of_pass(network, images, labels).assign(calls=1)
order = [*dict.fromkeys(KINDS.values()), "the rest"]
counted = calls.groupby(level=0)[["operations", "bytes", "calls"]].sum().loc[order]
table = pd.concat([counted, counted.sum().to_frame("all").T])
table.assign(intensity=table.operations / table.bytes).rename(columns={"intensity": "operations a byte"}).round(1)

# %% [markdown]
# (Of the additions, nine are shortcuts, and nine where gradients of two branches meet. The others count batches, in
# each batch norm.) Now compare Figure 6.2 with your guess. Which kinds take time without arithmetic?

# %% mystnb={"image": {"alt": "Horizontal bars in three panels: share of the operations, of the bytes and of the time of each kind of call. Convolutions have nearly all operations, about a quarter of the bytes and three quarters of the time; batch norm, ReLU and additions have hardly any operations, most of the bytes and most of the other time."}} tags=["nbval-ignore-output"]
times = pd.concat([calls_of_pass(network, images, labels).ms for _ in range(passes)], axis=1).min(axis=1)
measured = counted.assign(time=times.groupby(level=0).sum())
shares = 100 * measured / measured.sum()

look = {"color": figures.COLOURS["neutral"], "width": 0.7, "legend": False, "xlim": (0, 125), "ylabel": ""}
axes = shares.drop(columns="calls").plot.barh(subplots=True, layout=(1, 3), sharey=True, figsize=(7.2, 2.5), **look)[0]
for ax in axes:
    ax.bar_label(ax.containers[0], fmt="%.2g", padding=3)
axes[0].invert_yaxis()
axes[1].set_xlabel("share (%)")
plt.show()

# %% [markdown]
# **Figure 6.2.** Share of each kind of call in a forward and backward pass: of what is counted, and of the time on this
# machine (each call the fastest of 20; what Python does between calls is not in it).

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""Convolutions take {shares.time["convolutions"]:.0f} % of the time. Batch norm takes
{shares.time["batch norm"] / shares.time["ReLU"]:.1f} times as long as ReLU, with as many nominal bytes. And Python? {len(calls)}
calls, at {microseconds:.1f} microseconds at least, are {microseconds * len(calls) / 10 / (parts["forward"] + parts["backward"]):.1f} %
of the pass."""
display(Markdown(text))

# %% [markdown]
# In the benchmark convolutions took 54 % of a step on the CPU, batch norm 20 %, ReLU 15 %, additions 7 %. So two fifths
# of the time go to three kinds that read a number, do little with it, and write it. Computing faster would hardly help
# them, *moving less* may. (Bytes are not all, as batch norm and ReLU show.) Convolutions more likely wait for
# arithmetic. The [appendix](a6_more_about_speed.ipynb) measures how near each is to either limit, in a *roofline*.
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
# Is this the step of the package? A `Training`, on which `fit` works, *plans* each batch: which images, and how each is
# cropped and mirrored. After the same batch all weights must be equal.

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
# (One step, in float32. The [appendix](a6_more_about_speed.ipynb) asks whether rounding changes what is learned.)
#
# **Whole batches.** A few calls do everything to a whole batch, in place of a few for each image. The images stay on
# the device as bytes, all training images of CIFAR-10 in 154 MB.
#
# **No number fetched.** `loss.item()` turns a tensor into a Python number. On a CPU that costs nothing. On a GPU Python
# then waits until the queue is empty, and nobody fills it meanwhile. So the package adds up the loss on the device, and
# asks once an epoch.
#
# **Channels last.** By default PyTorch stores one channel's plane after the other, with `channels_last` pixel after
# pixel, each with all its channels. A convolution sums over channels. Where they lie side by side, one vector
# instruction takes many at once.
#
# **bfloat16** numbers take 16 bits. Their range is that of float32, their grid is coarse: between 1 and 2 there are 128
# of them. So the weights remain in float32, and `torch.autocast` rounds what goes into convolutions and matrix products.
# Their results stay in 16 bits, and so does what batch norm, ReLU and additions make of them: the nominal bytes of a step
# fall by half (from 1.81 to 0.93 GB). And a processor with instructions for it multiplies faster. One without them imitates them: on such a CPU, a busy one, training fell from 159 images a second
# to 14. So on a CPU the package stays in float32 unless asked. Which kind is this one?

# %% tags=["nbval-ignore-output"]
convolution = torch.nn.Conv2d(16, 16, 3, padding=1, device=device).to(memory_format=torch.channels_last)
layer, trial = torch.randn(batch_size, 16, 32, 32, device=device).contiguous(memory_format=torch.channels_last), {}
for precision in ("float32", "bfloat16"):
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        trial[precision] = milliseconds(lambda: convolution(layer))
imitated = trial["bfloat16"] > 2 * trial["float32"]
print(", ".join(f"a convolution in {name}: {value:.2f} ms" for name, value in trial.items()))
print("imitated, so left out of Figure 6.3" if imitated else "not imitated")

# %% [markdown]
# **Compilation.** `torch.compile` writes new code for a whole function. Above all it *fuses*. Take a sum followed by a
# ReLU. The *eager* function, which runs as it is written, writes the sum to memory and reads it back. The fused one
# applies the ReLU to each number while it is there. The price is a slow first step: 12 seconds on the CPU, repaid after
# some 250 steps, and 20 more on the GPU, repaid after 45,000 of the recipe's 64,000 (with nothing in the compiler's
# cache).
#
# **CUDA graphs.** On a GPU each call starts *kernels*, small programs, and to ask for one may take Python longer than
# it runs. So the step is run once while CUDA writes down its kernels, with the addresses of their tensors. Afterwards
# one call starts them all. The price is that only the *contents* of the tensors may change: no new shapes or addresses,
# and no question for a number. (`resnet_book/engine/cuda_graph.py` is a page of code.)
#
# ## All of them in turn
#
# Each row of Figure 6.3 is the step of the row above with one technique more. Every step is built *twice*: the two dots
# of a row are the same code and differ by chance alone. All take turns, in a new order each time, and a dot is the
# fastest of 20. Find the row whose dots lie farthest apart: the slower divided by the faster is what chance does here.
# We compare the faster dots of neighbouring rows, and count a gain only if it is a larger factor.
#
# **Predict.** Which row brings most here? Which can hardly stand out, by Figure 6.1 and by what you have just read?

# %% tags=["nbval-ignore-output"]
changes = {"+ whole batches": {"load": at_once}, "+ no number fetched": {"fetch": False}}
changes["+ channels_last"] = {"order": torch.channels_last}
changes |= {} if imitated else {"+ bfloat16": {"bfloat16": True}}
changes |= {"+ compiled": {"compiled": True}} if compiling else {}
ways = {"conventional": Way()}
for name, change in changes.items():
    ways[name] = replace(list(ways.values())[-1], **change)
steps = {(name, twin): make_step(new_network(), way) for name, way in ways.items() for twin in "ab"}
for twin in "ab" if device.type == "cuda" else "":  # the package's step: it also picks its images, and sums up the loss
    engine = Engine(device, "float32" if imitated else "bfloat16", compiling)
    training = Training(new_network(), {"train": train_images}, recipe, 0, engine)
    steps["+ CUDA graph", twin] = partial(train.make_step(training), next(training.plans()))

turns = {each: [] for each in steps}
for _ in range(1 + passes):
    for place in torch.randperm(len(steps)).tolist():
        each = list(steps)[place]
        start = read_clock()
        steps[each]()
        turns[each].append(read_clock() - start)
fastest = pd.Series({each: min(spent[1:]) for each, spent in turns.items()}).unstack(sort=False)  # not the first
fastest.round(1)

# %% mystnb={"image": {"alt": "Milliseconds a step, two dots for each way to take it: the conventional step on top, one technique more in each row below. The two dots of a row lie close together. The first three rows hardly differ; channels last makes the step faster, and so does bfloat16."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 2.9))
for name, pair in fastest.iterrows():
    ax.plot(pair, [name] * 2, "o-", color=figures.COLOURS["neutral"], alpha=0.8)
ax.set(xlim=(0, 1.08 * fastest.to_numpy().max()), xlabel="milliseconds a step")
ax.invert_yaxis()
plt.show()

# %% [markdown]
# **Figure 6.3.** A whole step of ResNet-20 on this machine, one technique more in each row. The dots of a row are two
# equal steps, each the fastest of 20.

# %% tags=["remove-input", "nbval-ignore-output"]
best = fastest.min(axis=1)
chance, gains = (fastest.max(axis=1) / best).max(), (best.shift() / best).dropna()
said = {"faster": gains > chance, "slower": gains < 1 / chance}
said["no more than chance"] = ~said["faster"] & ~said["slower"]
lines = [
    f"- {verdict}: " + ", ".join(f"*{name.removeprefix('+ ')}* ({gain:.2f})" for name, gain in gains[which].items())
    for verdict, which in said.items()
    if which.any()
]
text = f"""The two dots of a row lie up to a factor of {chance:.2f} apart. How many times as fast as the row above it is each row?

{chr(10).join(lines)}

All together: {best.iloc[0] / best.iloc[-1]:.2f} times as fast as the conventional step."""
display(Markdown(text))

# %% [markdown]
# ## On quiet machines
#
# *Ours* is the package's step: whole batches, no number fetched, channels last, and on the GPU a CUDA graph. *Workers*
# are processes that load for the conventional step. Passes of 4 seconds (GPU: 1.5) took turns, 7 of each way (GPU: 3).
# "Times as fast" is the median over pairs of passes, with the smallest and the largest. (One machine each: PyTorch 2.15
# on the CPU, which has bfloat16 instructions, and 2.11 on the GPU.)

# %% tags=["remove-input"]
BENCHMARK = [  # of benchmarks/README.md, to which a test holds it
    ("CPU, 2 cores", "conventional, 2 workers", "232", "1"),
    ("CPU, 2 cores", "ours, float32, eager", "181", "1.28 (1.24 to 1.31)"),
    ("CPU, 2 cores", "ours, float32, compiled", "153", "1.53 (1.44 to 1.61)"),
    ("CPU, 2 cores", "ours, bfloat16, compiled", "105", "2.21 (1.98 to 2.34)"),
    ("H200", "conventional, 8 workers", "10.24", "1"),
    ("H200", "ours, bfloat16, eager", "2.05", "5.01 (4.20 to 5.04)"),
    ("H200", "ours, bfloat16, compiled", "1.59", "6.44 (5.36 to 6.62)"),
]
pd.DataFrame(BENCHMARK, columns=["device", "way", "ms a step", "times as fast"]).set_index(["device", "way"])

# %% [markdown]
# **On the CPU** the first three together make the step 1.3 times as fast, with compilation 1.5, and with bfloat16 2.2.
# One more technique came later: the package now keeps the memory of large tensors from step to step. That raised the
# compiled step from 188 to 237 images a second on one CPU, and from 689 to 1,005 on another (3 and 2 passes, machines
# less quiet).
#
# **On the GPU**, in bfloat16, it is 5 times, and 6.4 compiled. The graph alone was not measured. Channels last alone took
# forward and backward from 4.20 to 1.97 ms (one run). What does the compiled step wait for? A profile found 362
# kernels, and 1.46 of 1.60 ms inside them, so not for Python. Arithmetic, or the bytes of the convolutions, would take
# a 27th of the time at the rates of a large product and a large copy. What is left are many small kernels, of four
# microseconds each on average.
#
# ## Summary
#
# - Time after a first call, several times, in turns. Time a thing twice to see what chance does.
# - Convolutions have nearly all the operations, a quarter of the nominal bytes, and on two quiet cores half of the
#   time. Batch norm, ReLU and additions take most of the rest.
# - Without a change of the recipe a step became 1.5 times as fast on a CPU. In bfloat16 it was 2.2 times there and 6.4
#   times on a GPU, whose time goes to hundreds of small kernels.
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
#     return sorted(ratios[1:])[len(ratios) // 2]  # the median
# ```
#
# </details>
#
# **2. What does it wait for?** A ReLU on a CPU, of a tensor much larger than the caches; a convolution from 512 to 512
# channels; on a large GPU an eager step of ResNet-20 without a graph, with 8 images.
#
# <details><summary>Solution</summary>
#
# Memory: it computes one operation for eight bytes. Arithmetic: every number takes part in thousands of products. Most
# likely Python: there are hundreds of calls, each with little to do.
#
# </details>
#
# **3. Wider networks.** The layers of `resnet18` have 64 to 512 channels. How many operations a byte do its
# convolutions do for eight images? Guess from the table above, then count.
#
# <details><summary>Solution</summary>
#
# ```python
# wider = models.MODELS["resnet18"]().to(device, memory_format=torch.channels_last)
# frame = calls_of_pass(wider, images[:8], labels[:8]).groupby(level=0).sum()
# frame.operations / frame.bytes
# ```
#
# Twice as many as with 16 images above, though there are four to eight times as many channels: with so few images more
# than half of the bytes are those of weights.
#
# </details>
#
# ## References
#
# - [Micikevicius et al. (2018)](https://arxiv.org/abs/1710.03740): training in 16 bits, with weights kept in 32.
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): the network and the recipe, whose speed this page is about.

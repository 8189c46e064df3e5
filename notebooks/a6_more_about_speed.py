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
# # More about speed
#
# **Which limit of this machine is nearer to a layer, and how far below it is the layer? Does bfloat16 change what is
# learned? When does compiling pay?**
#
# This page belongs to [chapter 6](06_speed.ipynb), and has what only some of its readers will want: the *roofline* of this
# machine with the layers of ResNet-20 under it; what the order in memory and bfloat16 do to a convolution, to the numbers
# and to a training; and a compiled function.
#
# **You will learn**
#
# - to count arithmetic and bytes, and to tell from them which of the two limits is nearer to a layer;
# - why weights stay in float32, and how to ask whether rounding matters;
# - to tell from how many steps on compiling is repaid.
#
# **You need** [chapter 6](06_speed.ipynb) for the words. With `tier = "smoke"` the page takes less than a minute on 2
# cores and 2 GB of memory, and downloads nothing. `"cpu"` takes some minutes and CIFAR-10 (170 MB), `"paper"` measures on
# a GPU, where there is one. Without a C++ compiler nothing is compiled.

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
from dataclasses import replace
from functools import partial
from itertools import pairwise

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from matplotlib.ticker import LogLocator
from torch import Tensor

# %%
from resnet_book import augment, cifar, data, models
from resnet_book.engine import machine
from resnet_book.engine.device import WORTH_COMPILING, Engine, keep_memory, worth_compiling
from resnet_book.experiments import records
from resnet_book.experiments.catalogue import PAPER
from resnet_book.report import figures, tables
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

# %% tags=["nbval-ignore-output"]
device = torch.device("cuda" if tier == "paper" and torch.cuda.is_available() else "cpu")
batch_size, passes = {"smoke": (16, 5), "cpu": (128, 30), "paper": (128, 100)}[tier]
torch.backends.cudnn.benchmark = True  # let a GPU try its programs, and keep the fastest
torch.backends.cudnn.allow_tf32 = False  # which would round the factors of every product to 10 bits


torch.set_num_threads(1)
keep_memory()  # on a CPU, as all trainings of the package do: else each call asks anew for the memory of its result


def read_clock() -> float:
    """Milliseconds: on a GPU when it has done all that it was asked for; on a CPU those it has spent on this process."""
    if device.type != "cuda":
        return 1000 * time.process_time()
    torch.cuda.synchronize()
    return 1000 * time.perf_counter()


def milliseconds(run: Callable[[], object]) -> float:
    """The time of the fastest of several calls, after one that is not timed (as chapter 6)."""
    run()
    times = []
    for _ in range(passes):
        start = read_clock()
        run()
        times.append(read_clock() - start)
    return min(times)


where = machine.describe(device, precision="", compiled=False)
print(f"{where['device']}, threads: {where['threads']}; the fastest of {passes} calls")

# %% [markdown]
# ## The roof of this machine
#
# The roofline model ([Williams et al., 2009](https://doi.org/10.1145/1498765.1498785)) puts two limits into one
# picture. A device does at most $P$ floating-point operations (FLOP: additions and multiplications) a second, and moves
# at most $B$ bytes a second to and from its memory. A call that does $I$ FLOP for each byte it moves, its *arithmetic
# intensity*, then runs at no more than
#
# $$
# \min(P, \; I \cdot B) \tag{A6.1}
# $$
#
# FLOP a second. A 3x3 convolution from $C$ to $C$ channels multiplies and adds $9 C$ numbers for each output. In all it
# reads as many inputs as it writes outputs, each once and of four bytes in float32. (The weights' bytes are few, and left
# out.) So its intensity is
#
# $$
# I = \frac{2 \cdot 9 \, C}{4 + 4} = \frac{9}{4} C . \tag{A6.2}
# $$
#
# That is 36, 72 and 144 in the three stages of the network, which have 16, 32 and 64 channels. A ReLU has an eighth.
#
# For the roof we time a copy ($B$), of tensors too large for the processor's cache, and a large matrix product. ($P$ is
# the fastest rate that we see, be it of the product or of a convolution. A GFLOP is $10^9$ FLOP.)
# The copy is timed twice, the second time after all other calls: the two differ by chance.

# %% tags=["nbval-ignore-output"]
many, size = {"smoke": (64, 512), "cpu": (256, 1_024), "paper": (2_048, 8_192)}[tier]


def noise(count: int, channels: int, side: int, order: torch.memory_format = torch.channels_last) -> Tensor:
    """``count`` random images, (count, channels, side, side) float32."""
    return torch.randn(count, channels, side, side, device=device).contiguous(memory_format=order)


def convolution(channels: int, order: torch.memory_format = torch.channels_last) -> torch.nn.Module:
    """A 3x3 convolution from ``channels`` to as many."""
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False, device=device)
    return layer.to(memory_format=order)


x, other, matrix = noise(4_096, 16, 32), noise(4_096, 16, 32), torch.randn(size, size, device=device)
num_bytes, result = 4 * x.numel(), torch.empty_like(x)  # what a call gives goes here, for new memory would cost time
copies = [2 * num_bytes / milliseconds(lambda: result.copy_(x))]  # bytes a millisecond
product_rate = 2 * size**3 / milliseconds(lambda: matrix @ matrix)  # FLOP a millisecond
print(f"{product_rate / 1e6:,.0f} GFLOP/s, {copies[0] / 1e6:,.1f} GB/s; a tensor of {num_bytes / 1e6:.0f} MB")

# %% [markdown]
# **Predict.** The roof has a slanted part, where memory is the limit, and a level one, where arithmetic is. Under which
# will the convolutions lie, and ReLU, addition and batch norm? How far below? (Batch norm is given two FLOP a number, a
# multiplication and an addition, and one reading of its input. That is what it does in evaluation, where it takes its
# statistics from training. Chapter 6 took one FLOP. Under the slanted part only bytes and time make the % of the roof.)

# %% tags=["nbval-ignore-output"]
norm = torch.nn.BatchNorm2d(16, device=device)
parameters = (x, norm.weight, norm.bias, norm.running_mean, norm.running_var)
into = {"momentum": norm.momentum, "eps": norm.eps, "out": (result, *torch.empty(2, 16, device=device))}
calls = {  # what to call, its FLOP, its bytes
    "addition": (lambda: torch.add(x, other, out=result), x.numel(), 3 * num_bytes),
    "ReLU": (lambda: torch.clamp_min(x, 0, out=result), x.numel(), 2 * num_bytes),
}
for name, training in {"batch norm": True, "batch norm, evaluation": False}.items():
    call = partial(torch.native_batch_norm, *parameters, training=training, **into)
    calls[name] = (call, 2 * x.numel(), 2 * num_bytes)
for channels in (16, 32, 64):
    inputs = noise(many, channels, 512 // channels)
    call = partial(convolution(channels), inputs)
    calls[f"{channels} channels"] = (call, 18 * channels * inputs.numel(), 8 * inputs.numel())
with torch.no_grad():
    rows = [(flop / moved, flop / milliseconds(call)) for call, flop, moved in calls.values()]
roof = pd.DataFrame(rows, index=list(calls), columns=["FLOP a byte", "GFLOP/s"])
copies.append(2 * num_bytes / milliseconds(lambda: result.copy_(x)))
bandwidth, peak = max(copies), max(product_rate, roof["GFLOP/s"].max())
limits = (roof["FLOP a byte"] * bandwidth).clip(upper=peak)
roof["% of the roof"] = (100 * roof["GFLOP/s"] / limits).round().astype(int)
roof["GFLOP/s"] /= 1e6
print(f"copied again: {copies[1] / 1e6:,.1f} GB/s")
roof.round(2)

# %% mystnb={"image": {"alt": "Roofline diagram with logarithmic axes: GFLOP/s against FLOP a byte. Under the slanted part, where memory is the limit, ReLU, addition and batch norm in evaluation lie close to the line, and batch norm in training well below it. The three convolutions lie at the right, under the level part, where arithmetic is: the more channels, the nearer."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 3.8))
ridge = peak / bandwidth
edges = torch.tensor([0.02, ridge, 1_000])
ax.loglog(edges, (edges * bandwidth).clamp(max=peak) / 1e6, color="black", linewidth=1)
ax.text(1_000, 1.05 * peak / 1e6, "P: arithmetic", ha="right", va="bottom")
ax.text(ridge / 4, 0.26 * peak / 1e6, "B: memory ", ha="right", va="bottom")
ax.text(ridge, 1.05 * peak / 1e6, f"{ridge:.1f}", ha="center", va="bottom")
places = {"16 channels": ((-6, -3), "right"), "32 channels": ((-2, -8), "left")}
places |= dict.fromkeys(("addition", "ReLU"), ((-6, 12), "right"))
for name, row in roof.iterrows():
    colour = figures.COLOURS["accent" if "channels" in name else "neutral"]
    point = (row["FLOP a byte"], row["GFLOP/s"])
    ax.plot(*point, "o", color=colour)
    place, side = places.get(name, ((6, -3), "left"))
    ax.annotate(name, point, place, textcoords="offset points", va="top", ha=side)
ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
ax.yaxis.set_major_formatter("{x:g}")
ax.minorticks_off()
ax.set(xlim=(0.02, 1_000), xlabel="FLOP for each byte moved", ylabel="GFLOP/s")
plt.show()

# %% [markdown]
# **Figure A6.1.** The roof of this machine in float32, on a CPU of one thread (line; the number is where it bends), and calls
# of ResNet-20 under it: convolutions by their channels, the rest in grey.

# %% [markdown]
# Where a convolution is faster than the matrix product (why, we have not traced), the fastest one *is* the level part: the
# others are compared with it, not with what the processor could do. Nor have we traced why those of fewer channels are slower.
#
# To lie under the slanted part does not mean to be limited by memory. In training, batch norm has to read its input at
# least twice, for the statistics and to normalise it, while we counted one reading. That would leave it two thirds of the
# roof. What is missing beyond that we have not traced: more readings, or slow code. In evaluation it does better.
#
# Nor is the roof a law of nature. $P$ and $B$ are only the fastest rates that we saw, and on a busy machine too low. And
# what is still in the cache need not come from memory: the tensors of the grey points have 268 MB, those of the
# convolutions, in the smoke tier, 4 MB or less. So even 36 FLOP a byte may understate how far these are from waiting for
# memory.
#
# ## Order and precision of a convolution
#
# (Chapter 6 says what `channels_last` is.) The next table has a convolution of each stage of the network, forward, in
# milliseconds. **Predict** whether bfloat16 pays on this machine.

# %% tags=["nbval-ignore-output"]
ORDERS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
ways = {"contiguous": ("contiguous", False), "channels_last": ("channels_last", False)}
ways["channels_last, bfloat16"] = ("channels_last", True)
table = pd.DataFrame(index=["16 channels", "32 channels", "64 channels"])
for title, (name, bfloat16) in ways.items():
    times = []
    for channels in (16, 32, 64):
        call = partial(convolution(channels, ORDERS[name]), noise(batch_size, channels, 512 // channels, ORDERS[name]))
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            times.append(milliseconds(call))
    table[title] = times
table.round(3)

# %% tags=["remove-input", "nbval-ignore-output"]
order, precision = (table[before] / table[after] for before, after in pairwise(table))
text = f"""With {batch_size} images, channels_last is {order.min():.1f} to {order.max():.1f} times as fast as contiguous, and bfloat16 {precision.min():.1f} to
{precision.max():.1f} times as fast as float32 in the same order. (The time of bfloat16 includes that of rounding the input.)"""
display(Markdown(text))

# %% [markdown]
# ## bfloat16
#
# bfloat16 has one bit for the sign, 8 for the exponent and 7 for the fraction; float32 has 1, 8 and 23. float16, an older
# format, has more digits than bfloat16 and less range.

# %%
numbers = torch.tensor([1e-8, 0.1, 1.0, 1.003, 100.3, 70_000.0])
formats = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.half}
pd.DataFrame({name: numbers.to(each).tolist() for name, each in formats.items()}).map("{:.7g}".format)

# %% [markdown]
# In float16, 70,000 overflows and 1e-8 becomes 0. Gradients can be as small as that, so training in float16 needs them
# scaled up, by way of the loss ([Micikevicius et al., 2018](https://arxiv.org/abs/1710.03740)). In bfloat16 it does not.
#
# **Predict.** A weight of 1 is stored in bfloat16 and receives a thousand updates of 0.001. What does it become?

# %%
weight = {each: torch.ones((), dtype=each) for each in (torch.float32, torch.bfloat16)}
for _ in range(1_000):
    for each in weight.values():
        each += 0.001
{str(precision): round(each.item(), 3) for precision, each in weight.items()}

# %% [markdown]
# It stays where it is: 1.001 rounds to 1, every time. So the weights remain in float32, and with them the optimizer and batch
# norm's statistics.
#
# ### Does rounding change what is learned?
#
# The weights will be a little different, so the question needs a scale: how different are they after other batches? We
# train three times: in float32, in bfloat16 on the same batches, and in float32 with the batches of another seed. After
# each step all three are asked for their loss on one fixed batch, in float32. Figure A6.2 has the distance of the second
# and the third from the first. **Predict**: by what factor do other batches change the loss more than rounding does? (The
# smoke tier trains 8 layers, the others 20. The learning rate is the small one at which deep networks warm up.)

# %% tags=["nbval-ignore-output"]
recipe = replace(PAPER, batch_size=batch_size, learning_rate=PAPER.warmup_learning_rate)
build = models.narrow(8 if tier == "smoke" else 20, residual=True)
mean, std = augment.channel_mean_std(train_images.images)
fixed = augment.normalise(train_images.images[:batch_size], mean, std).to(device)
fixed_labels = train_images.labels[:batch_size].to(device)


def losses(bfloat16: bool, seed: int, steps: int = 6 if tier == "smoke" else 16) -> list[float]:
    """The loss (nats) on the fixed batch after each of the first steps (at most an epoch), by its own statistics."""
    network = build(generator=torch.Generator().manual_seed(0)).to(device)
    training, found = Training(network, {"train": train_images}, recipe, seed, Engine(device)), []
    for _, plan in zip(range(steps), training.plans(), strict=False):
        images, labels = training.batches.load(plan)
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
            loss = F.cross_entropy(network(images), labels)
        loss.backward()
        training.optimizer.step()
        training.optimizer.zero_grad()
        with torch.no_grad():
            found.append(F.cross_entropy(network(fixed), fixed_labels))
    return torch.stack(found).tolist()


curves = {"float32": losses(False, 0), "bfloat16": losses(True, 0), "float32, other batches": losses(False, 1)}
losses_after = pd.DataFrame(curves, index=range(1, 1 + len(curves["float32"])))
losses_after.round(4)

# %% mystnb={"image": {"alt": "Distance of the loss on one fixed batch from that of float32, on a logarithmic axis, after each of six steps. Other batches: a few thousandths of a nat after the first, about a tenth from the third on. Rounding to bfloat16: a ten-thousandth after the first, more after every other, two to three thousandths after the last, where other batches make about forty times as much."}} tags=["nbval-ignore-output"]
distances = losses_after.sub(losses_after.float32, axis=0).abs()
fig, ax = plt.subplots(figsize=(7.2, 3.2))
ax.semilogy(distances["float32, other batches"], "s:", color=figures.COLOURS["neutral"], label="float32, other batches")
ax.semilogy(distances["bfloat16"], "o-", color=figures.COLOURS["accent"], label="bfloat16, same batches")
ax.set(xlabel="steps taken", ylabel="distance of the loss (nats)")
ax.legend()
plt.show()

# %% [markdown]
# **Figure A6.2.** Distance of the loss on one fixed batch from that of a training in float32, after each of the first
# steps: of a training in bfloat16 on the same batches, and of one in float32 on others.

# %% tags=["remove-input", "nbval-ignore-output"]
rounding, reordering = distances["bfloat16"].mean(), distances["float32, other batches"].mean()
last = distances["float32, other batches"] / distances["bfloat16"]
text = f"""On average over these {len(distances)} steps, rounding changes the loss on the fixed batch by {rounding:.2g} nats, other batches by
{reordering:.2g}: {reordering / rounding:.0f} times as much, after the last step {last.iloc[-1]:.0f} times. That is with one other seed, at a tenth of the
recipe's learning rate. At {PAPER.learning_rate}, or later in training, the factor may differ."""
display(Markdown(text))

# %% [markdown]
# Such short trainings cannot show that the final errors are equal. Here are test errors of ResNet-20 in %, from three whole
# trainings in each precision, by a recipe thirty-two times shorter than the paper's. With one seed both begin with the same
# weights and get the same images in the same order, with seeds 1 and 2 also the same crops and flips. (Float32 with seed 0,
# where the change is largest, is of older code, which sampled others, and alone was not compiled. By the paper's recipe no
# pair is recorded.)

# %% tags=["nbval-ignore-output"]
names = "resnet20-cifar10-short-bfloat16", "resnet20-cifar10-short"
short = [each for each in records.load_all(records.find_results()) if each.experiment in names]
pairs = tables.run_rows(short).pivot(index="seed", columns="precision", values="test_error")[["float32", "bfloat16"]]
pairs.assign(change=pairs.bfloat16 - pairs.float32).round(2)

# %% tags=["remove-input", "nbval-ignore-output"]
summary = tables.summary(short).set_index("experiment")
change, error = tables.change(*(summary.loc[each] for each in names))
multiple = tables.by_chance(*(int(summary.runs[each]) for each in names))
limit = multiple * error
text = f"""The change is {change:.2f} ± {error:.2f} points (mean and its standard error). As in chapter 5 the *limit* is for luck: if
precision does nothing, the change exceeds it in 1 of 20 cases. With three runs of each it is {multiple:.1f} standard errors,
{limit:.1f} points. So no effect was found, and one anywhere from {change - limit:.1f} to {change + limit:+.1f} points is not
excluded. (All three changes have the same sign, which luck brings about in 1 of 4 cases.)"""
display(Markdown(text))

# %% [markdown]
# ## A compiled function
#
# `torch.compile` *fuses* calls (chapter 6): each number is read once, everything is done to it, and it is written once.
# Take what a residual block does behind its last convolution. **Predict.** How many tensors of the size of `x` does the
# eager function read and write, and how many would it have to? By the bytes alone, how many times faster could it be?


# %% tags=["nbval-ignore-output"]
def block_end(x: Tensor, shortcut: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The normalisation's scale and shift, the addition, and the ReLU."""
    return F.relu(x * scale + shift + shortcut)


logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # torch remarks on CUDA where there is no GPU
arguments = [x[:1_024], other[:1_024], *torch.randn(2, 1, 16, 1, 1, device=device)]
compared = {"eager": milliseconds(lambda: block_end(*arguments))}
if worth_compiling(PAPER.iterations, device):
    fused, start = torch.compile(block_end), time.perf_counter()
    torch.testing.assert_close(fused(*arguments)[:64], block_end(*arguments)[:64])
    first_call = 1000 * (time.perf_counter() - start)
    compared["compiled"] = milliseconds(lambda: fused(*arguments))
pd.Series(compared, name="milliseconds").round(3).to_frame()

# %% tags=["remove-input", "nbval-ignore-output"]
text = "Eager, it reads and writes 9 such tensors: 2 each for scale, shift and ReLU, and 3 for the shortcut. Fused, 3 would "
text += "do. So the bytes promise 3 times. "
if "compiled" not in compared:
    text += "**This machine has no C++ compiler, so nothing is compiled on this page.**"
else:
    saved = compared["eager"] - compared["compiled"]
    text += f"""Compiled, it is {compared["eager"] / compared["compiled"]:.1f} times as fast here. The first call took
{first_call / 1000:.1f} seconds (less where the compiler's cache knows the function already)."""
    text += f" They are repaid after some {float(f'{first_call / saved:.1g}'):,.0f} calls." if saved > 0 else ""
display(Markdown(text))

# %% [markdown]
# The network itself has less to save: its batch norm is one call. In training it reads its input at least twice, so the
# bytes are those of 8 tensors or more, and of 4 if fused. Where a batch fits into the cache there is less to save, too: here
# the tensors are too large for it, as those of the grey points of Figure A6.1. A whole network takes longer to compile than
# one line, and may have to be compiled again for a new shape. `engine.device.worth_compiling` decides by the number of steps.
#
# ## Summary
#
# - A call's FLOP a byte and the machine's $P$ and $B$ say which limit is nearer, not that it is reached. In ResNet-20
#   convolutions and all other calls lie far apart.
# - Weights stay in float32, since small updates vanish in bfloat16. Whether rounding changes what is learned needs a scale:
#   other batches, other seeds. Three short runs in each precision found no effect on the error; one of some points could
#   have gone unseen.
# - Fusing saves bytes. It costs seconds before the first step, so it has to be repaid.
#
# ## Exercises
#
# **1. When does compiling pay?** On two cores, `benchmarks/README.md` found 33 seconds for the first step of a compiled
# plain56, with nothing in the compiler's cache, and 493 milliseconds for each later one. Eager, every step took 572. From
# how many steps on is the whole run faster?

# %%
num_steps = None  # your answer

if num_steps is None:
    print("Not answered yet.")
elif 405 <= num_steps <= 425:  # the 33 seconds are rounded
    print(f"Right, on that machine. The package asks for {WORTH_COMPILING['cpu']:,} steps, to be sure.")
elif 0.4 <= num_steps <= 0.43:
    print("Nearly: seconds on one side, milliseconds on the other.")
else:
    print("Wrong: at which number of steps is what was saved as much as what was paid?")

# %% [markdown]
# <details><summary>Solution</summary>
#
# The first step costs $33\,000 - 572$ milliseconds more, each later one $572 - 493$ less. So it is repaid by 411 later steps:
# `num_steps = 412`, give or take a few, as the 33 seconds are rounded.
#
# </details>
#
# **2. Which convolutions would wait for memory?** A processor does 400 times $10^{12}$ FLOP a second in bfloat16 and moves 4
# times $10^{12}$ bytes. In which stages of ResNet-20 is memory the limit of the convolutions?

# %%
waiting = None  # your answer: a set of channels, of 16, 32 and 64
waiting = {waiting} if isinstance(waiting, int) else waiting

if waiting is None:
    print("Not answered yet.")
elif set(waiting) == {channels for channels in (16, 32, 64) if 18 * channels / 4 < 100}:
    print("Right. Compare it with the number of channels of chapter 7's wide networks.")
elif set(waiting) == {channels for channels in (16, 32, 64) if 18 * channels / 8 < 100}:
    print("Nearly: how many bytes has a number in bfloat16, and what becomes of the intensity?")
else:
    print("Wrong: at how many FLOP a byte does the roof bend, and who lies to the left?")

# %% [markdown]
# <details><summary>Solution</summary>
#
# The roof bends at 100 FLOP a byte. In bfloat16 a number takes two bytes, so equation (A6.2) becomes $\tfrac{9}{2} C$:
# 72, 144 and 288. `waiting = {16}`.
#
# </details>
#
# **3. All in bfloat16.** Store the weights in bfloat16 as well and train 40 steps, once with a learning rate of 0.1 and once
# with 0.001, the recipe's last. What share of the weights has changed at all? Predict first.
#
# <details><summary>Solution</summary>
#
# ```python
# for rate in (0.1, 0.001):
#     coarse, before = (build(generator=torch.Generator().manual_seed(0)).to(device).bfloat16() for _ in range(2))
#     optimizer = torch.optim.SGD(coarse.parameters(), rate, PAPER.momentum)
#     for _ in range(40):
#         F.cross_entropy(coarse(fixed.bfloat16()).float(), fixed_labels).backward()
#         optimizer.step()
#         optimizer.zero_grad()
#     pairs = zip(coarse.parameters(), before.parameters(), strict=True)
#     changed = sum((after != start).sum().item() for after, start in pairs)
#     print(rate, changed / models.count_parameters(coarse))
# ```
#
# A weight moves only if its update is larger than 1/512 to 1/256 of it. When we tried it in the smoke tier, 98 % of the
# weights had changed with the large rate and 22 % with the small one, where in float32 all of them do. What a schedule
# gains at its end, by small steps, may be lost in part; 40 steps on one batch do not show that.
#
# </details>
#
# ## References
#
# - [Williams et al. (2009)](https://doi.org/10.1145/1498765.1498785): the roofline model.
# - [Micikevicius et al. (2018)](https://arxiv.org/abs/1710.03740): training in 16 bits, with weights kept in 32.

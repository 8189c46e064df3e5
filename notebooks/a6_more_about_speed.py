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
# **How near do single layers come to the limits of this machine? Does bfloat16 change what is learned? When does compiling
# pay?**
#
# This page belongs to [chapter 6](06_speed.ipynb), which takes a training step apart and makes it faster. It has what only
# some readers will want: the *roofline* of this machine with the layers of ResNet-20 under it; what the order in memory and
# bfloat16 do to a convolution, to the numbers and to a training; a compiled function; and what the recorded runs of this
# book cost. The parts can be read in any order.
#
# **You will learn**
#
# - to count arithmetic and bytes, and to tell from them which of the two a layer waits for;
# - why weights stay in float32, and how to ask whether rounding matters;
# - to tell from how many steps on compiling is repaid.
#
# **You need** [chapter 6](06_speed.ipynb) for the words. With `tier = "smoke"` the page takes less than a minute on 2 cores
# and downloads nothing. `"cpu"` takes some minutes and CIFAR-10 (170 MB), `"paper"` measures on a GPU, where there is one.
# Without a C++ compiler nothing is compiled.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
# "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": on a GPU
tier = "smoke"
data_root = ""  # the folder of the CIFAR files; "": where the package looks for them

# %%
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

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
from resnet_book.engine.device import WORTH_COMPILING, Engine, worth_compiling
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


def milliseconds(run: Callable[[], object]) -> float:
    """The shortest of several calls, after one that is not timed."""
    times = []
    for _ in range(1 + passes):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()  # until it has done all that it was asked for
        times.append(1000 * (time.perf_counter() - start))
    return min(times[1:])


where = machine.describe(device, precision="", compiled=False)
print(f"{where['device']}, threads: {where['threads']}; the shortest of {passes} calls")

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
# FLOP a second. A 3x3 convolution from $C$ to $C$ channels multiplies and adds $9 C$ numbers for each output. It reads and
# writes, for each output, one number of four bytes each. So its intensity in float32 is
#
# $$
# I = \frac{2 \cdot 9 \, C}{4 + 4} = \frac{9}{4} C . \tag{A6.2}
# $$
#
# That is 36, 72 and 144 in the three stages of the network, which have 16, 32 and 64 channels. A ReLU has an eighth. We time
# such calls, and for the roof a copy ($B$) and a large matrix product. ($P$ is the fastest rate that we see: some processors
# have better code for convolutions than for products. Batch norm is given four FLOP a number; the exact count does not
# matter here. A GFLOP is $10^9$ FLOP.)

# %% tags=["nbval-ignore-output"]
many, size = {"smoke": (64, 512), "cpu": (256, 1_024), "paper": (2_048, 8_192)}[tier]


def noise(count: int, channels: int, side: int, order: torch.memory_format = torch.channels_last) -> Tensor:
    """``count`` random images, (count, channels, side, side) float32."""
    return torch.randn(count, channels, side, side, device=device).contiguous(memory_format=order)


def convolution(channels: int, order: torch.memory_format = torch.channels_last) -> torch.nn.Module:
    """A 3x3 convolution from ``channels`` to as many."""
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False, device=device)
    return layer.to(memory_format=order)


x, other, matrix = noise(many, 16, 32), noise(many, 16, 32), torch.randn(size, size, device=device)
num_bytes, norm = 4 * x.numel(), torch.nn.BatchNorm2d(16, device=device)
bandwidth = 2 * num_bytes / milliseconds(lambda: other.copy_(x))  # bytes a millisecond
product_rate = 2 * size**3 / milliseconds(lambda: matrix @ matrix)  # FLOP a millisecond
print(f"{product_rate / 1e6:,.0f} GFLOP/s, {bandwidth / 1e6:,.1f} GB/s; a tensor of {num_bytes / 1e6:.0f} MB")

# %% tags=["nbval-ignore-output"]
calls = {  # what to call, its FLOP, its bytes
    "addition": (lambda: x + other, x.numel(), 3 * num_bytes),
    "ReLU": (lambda: F.relu(x), x.numel(), 2 * num_bytes),
    "batch norm": (lambda: norm(x), 4 * x.numel(), 2 * num_bytes),
}
for channels in (16, 32, 64):
    inputs = noise(many, channels, 512 // channels)
    call = partial(convolution(channels), inputs)
    calls[f"{channels} channels"] = (call, 18 * channels * inputs.numel(), 8 * inputs.numel())
with torch.no_grad():
    rows = [(flop / moved, flop / milliseconds(call)) for call, flop, moved in calls.values()]
roof = pd.DataFrame(rows, index=list(calls), columns=["FLOP a byte", "GFLOP/s"])
peak = max(product_rate, roof["GFLOP/s"].max())
roof["% of the roof"] = 100 * roof["GFLOP/s"] / (roof["FLOP a byte"] * bandwidth).clip(upper=peak)
roof["GFLOP/s"] /= 1e6
roof.round(2)

# %% [markdown]
# **Predict.** Figure A6.1 draws equation (A6.1) as a slanted line, where memory is the limit, and a level one, where
# arithmetic is. Under which part will the convolutions lie? And ReLU, addition and batch norm? Look also how far below
# the roof each lies.

# %% mystnb={"image": {"alt": "Roofline diagram with logarithmic axes: GFLOP/s against FLOP a byte. ReLU, addition and batch norm lie at the far left, under the slanted part, where memory is the limit. The three convolutions lie at the right, under the level part, where arithmetic is."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 3.8))
edges = torch.tensor([0.04, peak / bandwidth, 400])
ax.loglog(edges, (edges * bandwidth).clamp(max=peak) / 1e6, color="black", linewidth=1)
ax.text(395, 1.05 * peak / 1e6, "roof", ha="right", va="bottom")
for name, row in roof.iterrows():
    colour = figures.COLOURS["accent" if "channels" in name else "neutral"]
    point = (row["FLOP a byte"], row["GFLOP/s"])
    ax.plot(*point, "o", color=colour)
    ax.annotate(name.removesuffix(" channels"), point, (5, -3), textcoords="offset points", va="top")
ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
ax.yaxis.set_major_formatter("{x:g}")
ax.minorticks_off()
ax.set(xlim=(0.04, 400), xlabel="FLOP for each byte moved", ylabel="GFLOP/s")
plt.show()

# %% [markdown]
# **Figure A6.1.** The roof of this machine in float32 (line), and calls of ResNet-20 under it. Convolutions are named
# by their channels.

# %% tags=["remove-input", "nbval-ignore-output"]
ridge = peak / bandwidth
low, high = (
    ", ".join(roof.index[(roof["FLOP a byte"] < ridge) == memory]) or "none of these" for memory in (True, False)
)
over = ", ".join(roof.index[roof["% of the roof"] > 105])
text = f"""The roof bends at {ridge:.1f} FLOP for a byte. To the left of the bend, where memory is the limit: {low}. To the right,
where arithmetic is: {high}."""
text += f" Above the roof here: {over}." if over else ""
display(Markdown(text))

# %% [markdown]
# The roof is no law of nature. A tensor that is still in the processor's cache need not come from memory. A machine that was
# busy while we measured $P$ or $B$ has a roof that is too low. And a call can be slower than its bound: batch norm has to read
# its input at least twice, for the statistics and to normalise it, while we counted one reading. What the picture does tell
# is *which* limit is near, and so which technique can help.

# %% [markdown]
# ## Order and precision of a convolution
#
# `channels_last` leaves the shape of a tensor as it is. Only the *strides* differ: how far it is to the next number along
# each axis. Here they are for 8 images of 16 channels.

# %%
ORDERS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
strides = {name: torch.empty(8, 16, 32, 32, memory_format=order).stride() for name, order in ORDERS.items()}
pd.DataFrame(strides, index=["N", "C", "H", "W"]).T

# %% [markdown]
# The next table has the three convolutions of the network, forward, in milliseconds. **Predict** whether bfloat16 pays on
# this machine.

# %% tags=["nbval-ignore-output"]
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
total = table.sum()
by_order = 100 * total["channels_last"] / total["contiguous"]
by_precision = total["channels_last, bfloat16"] / total["channels_last"]
text = f"""All three together take {by_order:.0f} % of the contiguous time when their channels are last. In bfloat16 they then take
{by_precision:.1f} times as long as in float32."""
if by_precision > 2:
    text += " This processor has no instructions for bfloat16 and imitates them."
display(Markdown(text))

# %% [markdown]
# ## bfloat16
#
# bfloat16 has one bit for the sign, 8 for the exponent and 7 for the fraction; float32 has 1, 8 and 23. The range is the
# same, the grid is coarser. The last column below is the older 16-bit format, with more digits and less range.

# %%
numbers = torch.tensor([0.1, 1.0, 1.003, 3.14159, 100.3, 70_000.0])
formats = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.half}
pd.DataFrame({name: numbers.to(each).tolist() for name, each in formats.items()})

# %% [markdown]
# In float16, 70,000 overflows. Training in it needs the loss scaled
# ([Micikevicius et al., 2018](https://arxiv.org/abs/1710.03740)); bfloat16 does not.
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
# norm's statistics. Only convolutions and matrix products compute in bfloat16, on rounded copies of the weights. They add
# up in float32 inside. `torch.autocast` sees to all of that.
#
# ### Does rounding change what is learned?
#
# The weights will be a little different, so the question needs a scale: how different are they after other batches?
# Figure A6.2 compares three trainings: in float32, in bfloat16 on the same batches, and in float32 with the batches of
# another seed. After each step all three are asked for their loss on one fixed batch, in float32. It is in nats, the
# unit of a cross-entropy with the natural logarithm. **Predict** which two lines lie closest. (The smoke tier trains 8
# layers, the others 20.)

# %%
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
{name: len(each) for name, each in curves.items()}

# %% mystnb={"image": {"alt": "Loss on one fixed batch against the step for three trainings. The lines of float32 and bfloat16 on the same batches stay close together; the line of float32 on other batches goes its own way."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 3.4))
styles = (("neutral", "-", 3.0), ("accent", "--", 1.6), ("neutral", ":", 1.4))
for (name, values), (colour, style, width) in zip(curves.items(), styles, strict=True):
    look = {"color": figures.COLOURS[colour], "linewidth": width, "label": name}
    ax.plot(range(1, len(values) + 1), values, style, **look)
ax.set(xlabel="steps taken", ylabel="loss on the fixed batch (nats)")
ax.legend()
plt.show()

# %% [markdown]
# **Figure A6.2.** Loss on one fixed batch after each of the first steps: float32 and bfloat16 trained on the same
# batches, and float32 on others. The learning rate is the small one at which deep networks warm up.

# %% tags=["remove-input", "nbval-ignore-output"]
reference = torch.tensor(curves["float32"])
rounding, reordering = (
    (torch.tensor(curves[name]) - reference).abs().mean() for name in ("bfloat16", "float32, other batches")
)
text = f"""On average over these {len(reference)} steps, bfloat16 changes the loss on the fixed batch by {rounding:.1g} nats, other
batches change it by {reordering:.1g}. Three short trainings cannot show that the final errors are equal. That takes whole
runs with several seeds, in both precisions."""
display(Markdown(text))

# %% [markdown]
# For that there are experiments which fix the precision. Their names are in the catalogue: by the paper's recipe in float32,
# where a GPU takes bfloat16 otherwise, and by the short one, thirty-two times shorter, in bfloat16. Test errors in %, of what
# is recorded:

# %% tags=["nbval-ignore-output"]
TWINS = {  # in float32, in bfloat16
    "resnet20, short": ("resnet20-cifar10-short", "resnet20-cifar10-short-bfloat16"),
    "resnet20, paper": ("resnet20-cifar10-float32", "resnet20-cifar10"),
    "resnet56, paper": ("resnet56-cifar10-float32", "resnet56-cifar10"),
}
recorded = records.load_all(records.find_results())
found = {  # a run that changed its precision on its way is in neither
    precision: tables.summary([each for each in recorded if each.precision == precision]).set_index("experiment")
    for precision in ("float32", "bfloat16")
}
cells = {
    title: [tables.recorded_cell(found[precision], name) for precision, name in zip(found, names, strict=True)]
    for title, names in TWINS.items()
}
pd.DataFrame.from_dict(cells, orient="index", columns=list(found))

# %% tags=["remove-input", "nbval-ignore-output"]
lines = []
for title, (fine, coarse) in TWINS.items():
    if fine in found["float32"].index and coarse in found["bfloat16"].index:
        change = tables.change(found["bfloat16"].loc[coarse], found["float32"].loc[fine])
        lines.append(f"- **{title}:** bfloat16 changes the test error by {tables.points(*change)}.")
display(Markdown("\n".join(lines) or "No pair is recorded yet, so whether the final errors are equal stays open."))

# %% [markdown]
# The number behind ± is the standard error of the change. A change that is smaller than twice of it may be chance.
#
# ## A compiled function
#
# `torch.compile` looks at the whole function before anything is computed, and writes new code for it. Above all it *fuses*.
# The *eager* function, which runs as it is written, reads and writes a tensor in each small call. The fused one reads it once,
# does everything to a number while it is there, and writes it once. Take what a residual block does behind its last
# convolution. **Predict.** How many tensors of the size of `x` does it read and write, and how many would it have to? By the
# bytes alone, how many times faster could it be?


# %% tags=["nbval-ignore-output"]
def block_end(x: Tensor, shortcut: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The normalisation's scale and shift, the addition, and the ReLU."""
    return F.relu(x * scale + shift + shortcut)


logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # torch remarks on CUDA where there is no GPU
arguments = [x, noise(many, 16, 32), *torch.randn(2, 1, 16, 1, 1, device=device)]
compared = {"eager": milliseconds(lambda: block_end(*arguments))}
if worth_compiling(PAPER.iterations, device):
    fused, start = torch.compile(block_end), time.perf_counter()
    torch.testing.assert_close(fused(*arguments), block_end(*arguments))
    first_call = 1000 * (time.perf_counter() - start)
    compared["compiled"] = milliseconds(lambda: fused(*arguments))
pd.Series(compared, name="milliseconds").round(3).to_frame()

# %% tags=["remove-input", "nbval-ignore-output"]
text = "Eager, it reads and writes 9 such tensors; 3 would do. So the bytes promise 3 times. "
if "compiled" not in compared:
    text += "**This machine has no C++ compiler, so nothing is compiled on this page.**"
else:
    saved = compared["eager"] - compared["compiled"]
    text += f"""Compiled, it takes {100 * compared["compiled"] / compared["eager"]:.0f} % of the time here. """
    if 3 * compared["compiled"] < compared["eager"]:
        text += "More than the bytes promise: each eager call also has to ask for memory for its result. "
    text += f"""The first call took {first_call / 1000:.1f} seconds (fewer where the compiler's cache knows the function already). """
    text += f"They are repaid after {first_call / saved:,.0f} calls." if saved > 0 else "They are never repaid."
display(Markdown(text))

# %% [markdown]
# A whole network takes longer to compile than one line, and the time is spent again at every new shape.
# `engine.device.worth_compiling` decides by the number of steps. The compiled network adds in another order, so the last
# digits of its numbers change.
#
# ## What the recorded runs cost
#
# Every recorded run of this book carries its time. Here are those on CIFAR-10, by device and precision.

# %% tags=["nbval-ignore-output"]
frame = tables.run_rows([record for record in recorded if record.dataset["name"] == "cifar10"])
grouped = frame.groupby(["model", "recipe", "device", "precision"])
grouped.agg(runs=("seed", "count"), minutes=("seconds", lambda seconds: round(seconds.mean() / 60, 1)))

# %% [markdown]
# Minutes are those of the whole run with its tests, on machines that were often busy with other work. They say what a run
# cost, not that one row is faster than another. (Two processors of one name need not be alike: some have instructions for
# bfloat16, some imitate them.) Comparisons in turns, on a quiet machine, are in `benchmarks/README.md` of the
# repository.
#
# ## Summary
#
# - A call's FLOP a byte and the machine's $P$ and $B$ say which limit is nearer. In ResNet-20 convolutions and all other
#   calls lie far apart.
# - Weights stay in float32, since small updates vanish in 16 bits. Whether rounding changes what is learned needs a scale:
#   other batches, other seeds.
# - Fusing saves bytes. It costs seconds before the first step, so it has to be repaid.
#
# ## Exercises
#
# The cells of exercises 1 and 2 check themselves: put your answer in, run, read. They are run here without one.
#
# **1. When does compiling pay?** On two cores, `benchmarks/README.md` found 12 seconds for the first step of a compiled
# ResNet-20, and 48 milliseconds saved in each of the others. From how many steps on is the whole run faster?

# %%
num_steps = None  # your answer

if num_steps is None:
    print("Not answered yet.")
elif abs(num_steps * 48 - 12_000) < 100:
    print(f"Right. The package asks for {WORTH_COMPILING['cpu']:,}: deeper networks take longer to compile.")
elif abs(num_steps * 48 - 12) < 1:
    print("Nearly: seconds on one side, milliseconds on the other.")
else:
    print("Wrong: at which number of steps is what was saved as much as what was paid?")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `num_steps = 12_000 / 48`, that is 250.
#
# </details>
#
# **2. Which convolutions would wait for memory?** A processor does 400 times $10^{12}$ FLOP a second in bfloat16 and moves 4
# times $10^{12}$ bytes. In which stages of ResNet-20 is memory the limit of the convolutions?

# %%
waiting = None  # your answer: a set of channels, of 16, 32 and 64

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
# with 0.0001. What share of the weights has changed at all? Predict first.
#
# <details><summary>Solution</summary>
#
# ```python
# for rate in (0.1, 0.0001):
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
# A weight moves only if its update is larger than about 1/256 of it. When we tried it with ResNet-20, nearly all weights had
# changed with the large rate, and about 2 % with the small one, where in float32 all of them do. A schedule that ends with
# small rates would lose part of its end.
#
# </details>
#
# ## References
#
# - [Williams et al. (2009)](https://doi.org/10.1145/1498765.1498785): the roofline model.
# - [Micikevicius et al. (2018)](https://arxiv.org/abs/1710.03740): training in 16 bits, with weights kept in 32.

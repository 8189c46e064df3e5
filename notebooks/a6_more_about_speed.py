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
# This page belongs to [chapter 6](06_speed.ipynb), and has what only some of its readers will want: the *roofline* of this
# machine with the layers of ResNet-20 under it; what the order in memory and bfloat16 do to a convolution, to the numbers
# and to a training; a compiled function; and what recorded runs cost.
#
# **You will learn**
#
# - to count arithmetic and bytes, and to tell from them which of the two a layer waits for;
# - why weights stay in float32, and how to ask whether rounding matters;
# - to tell from how many steps on compiling is repaid.
#
# **You need** [chapter 6](06_speed.ipynb) for the words. With `tier = "smoke"` the page takes less than a minute on 2
# cores and 2 GB of memory, and downloads nothing. `"cpu"` takes some minutes and CIFAR-10 (170 MB), `"paper"` measures on
# a GPU, where there is one. Without a C++ compiler nothing is compiled.

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
# the fastest rate that we see: some processors have better code for convolutions than for products. A GFLOP is $10^9$ FLOP.)
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
# will the convolutions lie, and ReLU, addition and batch norm? How far below? (Batch norm is given ten FLOP a number and
# one reading of its input. In evaluation it takes its statistics from training.)

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
    calls[name] = (call, 10 * x.numel(), 2 * num_bytes)
for channels in (16, 32, 64):
    inputs = noise(many, channels, 512 // channels)
    call = partial(convolution(channels), inputs)
    calls[f"{channels} channels"] = (call, 18 * channels * inputs.numel(), 8 * inputs.numel())
with torch.no_grad():
    rows = [(flop / moved, flop / milliseconds(call)) for call, flop, moved in calls.values()]
roof = pd.DataFrame(rows, index=list(calls), columns=["FLOP a byte", "GFLOP/s"])
copies.append(2 * num_bytes / milliseconds(lambda: result.copy_(x)))
bandwidth, peak = max(copies), max(product_rate, roof["GFLOP/s"].max())
roof["% of the roof"] = 100 * roof["GFLOP/s"] / (roof["FLOP a byte"] * bandwidth).clip(upper=peak)
roof["GFLOP/s"] /= 1e6
print(f"copied again: {copies[1] / 1e6:,.1f} GB/s")
roof.round(2)

# %% mystnb={"image": {"alt": "Roofline diagram with logarithmic axes: GFLOP/s against FLOP a byte. Under the slanted part, where memory is the limit, ReLU, addition and batch norm in evaluation lie close to the line, and batch norm in training well below it. The three convolutions lie at the right, under the level part, where arithmetic is: the more channels, the nearer."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 3.8))
ridge = peak / bandwidth
edges = torch.tensor([0.04, ridge, 1_000])
ax.loglog(edges, (edges * bandwidth).clamp(max=peak) / 1e6, color="black", linewidth=1)
ax.text(1_000, 1.05 * peak / 1e6, "P: arithmetic", ha="right", va="bottom")
ax.text(ridge / 4, 0.26 * peak / 1e6, "B: memory ", ha="right", va="bottom")
ax.text(ridge, 1.05 * peak / 1e6, f"{ridge:.1f}", ha="center", va="bottom")
places = {"16 channels": ((-6, -3), "right"), "32 channels": ((-2, -8), "left")}
for name, row in roof.iterrows():
    colour = figures.COLOURS["accent" if "channels" in name else "neutral"]
    point = (row["FLOP a byte"], row["GFLOP/s"])
    ax.plot(*point, "o", color=colour)
    place, side = places.get(name, ((6, -3), "left"))
    ax.annotate(name, point, place, textcoords="offset points", va="top", ha=side)
ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
ax.yaxis.set_major_formatter("{x:g}")
ax.minorticks_off()
ax.set(xlim=(0.04, 1_000), xlabel="FLOP for each byte moved", ylabel="GFLOP/s")
plt.show()

# %% [markdown]
# **Figure A6.1.** The roof of this machine in float32 (line; the number is where it bends), and calls of ResNet-20 under
# it: convolutions by their channels, the rest in grey. Where a call is faster than the matrix product, the fastest lies on
# the level part by construction.

# %% [markdown]
# To lie under the slanted part does not mean to be limited by memory. In training, batch norm has to read its input at
# least twice, for the statistics and to normalise it, while we counted one reading. That would leave it two thirds of the
# roof. What is missing beyond that is a matter of its own code: in evaluation, without statistics to compute, it does
# better. Nor is the roof a law of nature: what is still in the cache need not come from memory, and a machine that was
# busy while we measured has a roof that is too low. But it says which limit better code for a call would not get past.
#
# ## Order and precision of a convolution
#
# `channels_last` leaves the shape of a tensor as it is. Only the *strides* differ: how far it is to the next number along
# each axis. Here they are for 8 images of 16 channels. Look at C: with channels last, the channels of a pixel are neighbours.

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
table.loc["all three"] = table.sum()
table.round(3)

# %% [markdown]
# Where bfloat16 takes more than twice as long, a processor without instructions for it imitates them.
#
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
# norm's statistics. Convolutions and matrix products compute in bfloat16, on rounded copies of the weights, and add up in
# float32 inside. Their results stay in bfloat16, so batch norm, ReLU and addition read and write bfloat16, too.
# `torch.autocast` sees to all of that.
#
# ### Does rounding change what is learned?
#
# The weights will be a little different, so the question needs a scale: how different are they after other batches?
# Figure A6.2 compares three trainings: in float32, in bfloat16 on the same batches, and in float32 with the batches of
# another seed. After each step all three are asked for their loss on one fixed batch, in float32. **Predict**: by what
# factor will other batches change it more than rounding does? (The smoke tier trains 8 layers, the others 20.)

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
# Here are test errors in % of what is recorded, by the paper's recipe and by the short one, thirty-two times shorter: mean
# ± standard deviation of the runs. (A run that changed its precision on its way is in neither column.)

# %% tags=["nbval-ignore-output"]
TWINS = {  # in float32, in bfloat16
    "resnet20, short": ("resnet20-cifar10-short", "resnet20-cifar10-short-bfloat16"),
    "resnet20, paper": ("resnet20-cifar10-float32", "resnet20-cifar10"),
    "resnet56, paper": ("resnet56-cifar10-float32", "resnet56-cifar10"),
}
recorded = records.load_all(records.find_results())
found = {
    precision: tables.summary([each for each in recorded if each.precision == precision]).set_index("experiment")
    for precision in ("float32", "bfloat16")
}
cells = {}
for title, names in TWINS.items():
    fine, coarse = (found[precision].reindex([name]).iloc[0] for precision, name in zip(found, names, strict=True))
    change, error = tables.change(coarse, fine)  # NaN where nothing is recorded
    limit = error * tables.by_chance(int(coarse.runs), int(fine.runs)) if error == error else error
    both = [tables.recorded_cell(found[precision], name) for precision, name in zip(found, names, strict=True)]
    cells[title] = [*both, *(f"{each:.2f}" for each in (change, error, limit))]
columns = [*found, "change", "its standard error", "the limit"]
pd.DataFrame.from_dict(cells, orient="index", columns=columns).replace("nan", tables.NOTHING)

# %% [markdown]
# As in chapter 5 the *limit* is for luck: if precision does nothing, the change exceeds it in 1 of 20 cases. With three
# runs of each it is 2.8 standard errors. In the runs that are recorded the change is within it: no effect was found, and
# one as large as the limit could have gone unseen.
#
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
text = "Eager, it reads and writes 9 such tensors; 3 would do. So the bytes promise 3 times. "
if "compiled" not in compared:
    text += "**This machine has no C++ compiler, so nothing is compiled on this page.**"
else:
    saved = compared["eager"] - compared["compiled"]
    faster = compared["eager"] / compared["compiled"]
    text += f"""Compiled, it is {faster:.1f} times as fast here. """
    text += "(So much more says that some call had to ask for new memory.) " if faster > 4 else ""
    text += f"""The first call took {first_call / 1000:.1f} seconds (less where the compiler's cache knows the function
already)."""
    text += f" They are repaid after some {float(f'{first_call / saved:.1g}'):,.0f} calls." if saved > 0 else ""
display(Markdown(text))

# %% [markdown]
# The tensors are too large for the cache, as those of Figure A6.1. Where a batch fits into it, there is less to save. A
# whole network takes longer to compile than one line, and the time is spent again at every new shape.
# `engine.device.worth_compiling` decides by the number of steps.
#
# ## What the recorded runs cost
#
# Every record of this book carries its time. Here are three kinds of runs on CIFAR-10.

# %% tags=["nbval-ignore-output"]
typical = [("resnet20", "short"), ("resnet56", "short"), ("resnet20", "paper")]
rows = tables.run_rows([record for record in recorded if record.dataset["name"] == "cifar10"])
grouped = rows.groupby(["model", "recipe", "device", "precision"])
costs = grouped.agg(runs=("seed", "count"), minutes=("seconds", lambda seconds: round(seconds.mean() / 60, 1)))
costs[[each[:2] in typical for each in costs.index]]

# %% [markdown]
# Minutes are those of the whole run with its tests, on machines that were often busy with other work. Comparisons in
# turns, on a quiet machine, are in `benchmarks/README.md` of the repository.
#
# ## Summary
#
# - A call's FLOP a byte and the machine's $P$ and $B$ say which limit is nearer, not that it is reached. In ResNet-20
#   convolutions and all other calls lie far apart.
# - Weights stay in float32, since small updates vanish in 16 bits. Whether rounding changes what is learned needs a scale:
#   other batches, other seeds.
# - Fusing saves bytes. It costs seconds before the first step, so it has to be repaid.
#
# ## Exercises
#
# **1. When does compiling pay?** On two cores, `benchmarks/README.md` found 33 seconds for the first step of a compiled
# plain56, and 79 milliseconds saved in each of the others. From how many steps on is the whole run faster?

# %%
num_steps = None  # your answer

if num_steps is None:
    print("Not answered yet.")
elif abs(num_steps * 79 - 33_000) < 200:
    print(f"Right, on that machine. The package asks for {WORTH_COMPILING['cpu']:,} steps, to be sure.")
elif abs(num_steps * 79 - 33) < 1:
    print("Nearly: seconds on one side, milliseconds on the other.")
else:
    print("Wrong: at which number of steps is what was saved as much as what was paid?")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `num_steps = 33_000 / 79`, that is 418.
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
# A weight moves only if its update is larger than about 1/256 of it. When we tried it in the smoke tier, 98 % of the
# weights had changed with the large rate and 22 % with the small one, where in float32 all of them do. What a schedule
# gains at its end, by small steps, would be lost in part.
#
# </details>
#
# ## References
#
# - [Williams et al. (2009)](https://doi.org/10.1145/1498765.1498785): the roofline model.
# - [Micikevicius et al. (2018)](https://arxiv.org/abs/1710.03740): training in 16 bits, with weights kept in 32.

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
# # More about wide networks
#
# **Do shortcuts make a long training stable? Which mistakes do wide networks make on CIFAR-100? What do they cost?**
#
# This page belongs to [chapter 7](07_wide_networks.ipynb), which builds the wide networks. It has what only some
# readers will want: the third claim of *the source* ([Sariyildiz,
# 2018](https://github.com/mbsariyildiz/resnet-pytorch)), that identity mappings make a long training stable; the two
# labels of CIFAR-100; and what these networks cost. The three parts can be read in any order.
#
# **You will learn**
#
# - to hold images out, and to measure how much an error moves from epoch to epoch;
# - to read errors where an image has two labels, and a confusion matrix of a hundred classes;
# - to estimate how long a training will take that you cannot try.
#
# **You need** [chapter 7](07_wide_networks.ipynb) for the networks. With `tier = "smoke"` the page takes under a minute
# on 2 cores and downloads nothing. `"cpu"` takes about ten minutes and CIFAR-10 (170 MB); `"paper"` does the same on a
# GPU, where there is one. Both train one small pair of networks on CIFAR-10.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
# "smoke": seconds, built-in images; "cpu": minutes, CIFAR-10; "paper": on a GPU
tier = "smoke"
data_root = ""  # the folder of the CIFAR files; "": where the package looks

# %%
from dataclasses import asdict, replace

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display

# %%
from resnet_book import cifar, data, models
from resnet_book.analysis import answers
from resnet_book.engine.device import Engine, default_precision, worth_compiling
from resnet_book.experiments import records, studies
from resnet_book.experiments.catalogue import WIDE_SHORT
from resnet_book.report import figures, tables, wide_figures, wide_tables
from resnet_book.train import fit

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
results = records.find_results()
recorded = records.load_all(results)
summaries, curves = tables.summary(recorded).set_index("experiment"), tables.curves(recorded)
f"PyTorch {torch.__version__.split('+')[0].rsplit('.', 1)[0]}"

# %% [markdown]
# ## Does the error jump less with shortcuts?
#
# The source says it in one sentence, without numbers, so what it means is for us to say. *Stable* is about how much the
# error moves from one epoch to the next, not about how low it is. Call the epochs of one learning rate a *phase*. We
# read the claim so: *in the last epochs of a phase the residual network's error varies less than its plain twin's.*
#
# The error on which images? Whoever picks the learning rate, the epoch or the network that is best on the *test* images
# reports an error that is too low: part of what made it best is luck with these very images. So some of the *training*
# images are held out. They are never trained on, and every choice is made on them. The paper held out 5,000 of 50,000.
# Here they are the same for each seed and network. So the luck of their choice shifts all epochs of a run alike, for
# the most part, and drops out where epochs are compared.
#
# ### A pair trained on this page
#
# The wide networks are too large to train here. At a quarter of the width, 16 to 128 channels, ten layers can be
# trained: the same plan with a sixteenth of the arithmetic.


# %%
def quarter_width(kind: str, seed: int) -> models.Network:
    """Ten layers with 16 to 128 channels."""
    shortcut = "average" if kind == "residual" else None
    generator = torch.Generator().manual_seed(seed)
    return models.Network((16, 32, 64, 128), (1, 1, 1, 1), shortcut, generator=generator)


f"{models.count_parameters(quarter_width('residual', 0)):,} parameters"

# %% [markdown]
# The smoke tier trains on a few of the built-in images, halved to 16x16 pixels, in three phases of six epochs. That is
# so little that the networks stay close to guessing, which errs on 90 %. The other tiers train on CIFAR-10, by the
# recipe `short` as it is.


# %%
def halved(images: data.ImageSet) -> data.ImageSet:
    """The same images at half the width and height."""
    return replace(images, images=F.avg_pool2d(images.images.float(), 2).round().to(torch.uint8))


train, test = (halved(data.load("builtin", split).subset(size)) for split, size in (("train", 456), ("test", 200)))
seeds = 0, 1
third = 6 * (256 // 32)  # iterations of a phase
recipe = replace(
    WIDE_SHORT, iterations=3 * third, drops=(third, 2 * third), batch_size=32, padding=2, validation_images=200
)
try:
    if tier != "smoke":
        train, test = (data.load("cifar10", split, data_root or None) for split in ("train", "test"))
        recipe, seeds = WIDE_SHORT, (0,)
except cifar.DataMissingError as missing:
    if missing.named:  # you named a folder, so nothing may stand in for it
        raise
    note = "**CIFAR-10 was not found: these are the built-in images.** `resnet-book data cifar10` fetches it."
    display(Markdown(f"> {note}"))
kept, held_out = data.hold_out(train, recipe.validation_images, recipe.validation_seed)  # as `fit` below does it
f"{train.name}: {len(kept):,} images to train on, {len(held_out):,} held out, {len(test):,} to test on"

# %%
device = torch.device("cuda" if tier == "paper" and torch.cuda.is_available() else "cpu")
engine = Engine(device, default_precision(device), worth_compiling(recipe.iterations, device))


def train_one(kind: str, seed: int) -> pd.DataFrame:
    """A row an epoch of what was measured while one network was trained."""
    history = fit(quarter_width(kind, seed).to(device), train, test, recipe, seed=seed, engine=engine)
    print(f"{kind}, seed {seed}: validation error {history.epochs[-1].validation_error:.1f} %")
    return pd.DataFrame(map(asdict, history.epochs)).assign(kind=kind, depth=10, seed=seed)


f"training on {device}, in {engine.precision}{', compiled' * engine.compiled}"

# %% [markdown]
# > **Predict, then run**
# >
# > At which of the three learning rates will the validation error move most from epoch to epoch? And will you be able
# > to tell the plain network from the residual one by that? Figure A7.1 shows it, and the table below it measures.

# %% tags=["nbval-ignore-output"]
threads = torch.get_num_threads()
torch.set_num_threads(1 if train.name == "builtin" else threads)  # small pictures: a second one mostly waits
here = pd.concat([train_one(kind, seed) for kind in ("plain", "residual") for seed in seeds])
torch.set_num_threads(threads)

# %% mystnb={"image": {"alt": "Validation error against epochs, a line a run, plain orange, residual blue, in three phases. In the first two phases the lines move up and down by several points; in the last they move little."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 3.4))
wide_figures.plot_phases(here, ax)
plt.show()

# %% [markdown]
# **Figure A7.1.** Validation error of the quarter-width pair trained on this page, a line a run, a marker a seed.
# Dotted lines: the learning rate, given above the panel, is divided by 10.

# %% [markdown]
# A standard deviation (`std`) of the last epochs of a phase also grows when the error simply keeps falling. So we lay a
# straight line through these epochs. `fall` is by how many points an epoch it falls, and `scatter` is the standard
# deviation *around the line*. Here we take the last five epochs of each phase, so that the first one after a drop is
# not among them. (A phase of `short` has only three, and we take those.)

# %% tags=["nbval-ignore-output"]
varied = wide_tables.phase_variability(here, last=5).set_index(["learning_rate", "kind", "seed"])
varied[["mean", "std", "fall", "scatter"]].sort_index(ascending=[False, True, True]).round(2)

# %% tags=["remove-input", "nbval-ignore-output"]
by_run = varied.scatter.unstack("learning_rate").sort_index(axis=1)  # the last phase first
less = (by_run.groupby("kind").mean().diff().loc["residual"] < 0).sum()
text = f"""In {(by_run.idxmin(axis=1) == by_run.columns[0]).sum()} of {len(by_run)} runs the scatter is smallest at the last learning rate. The residual network scatters less, on average,
at {less} of the {by_run.shape[1]} rates. With so few images, epochs and runs, **this shows how to measure. It settles nothing about shortcuts.**"""
display(Markdown(text))

# %% [markdown]
# ### The recorded runs
#
# Two kinds of recorded runs hold out 5,000 images: the short ones of 10 layers, and, once they are recorded, those of
# 18 and 34 layers over 300 epochs. In Figure A7.2, look where the error falls most.

# %% mystnb={"image": {"alt": "A panel for each recorded depth, dataset and length: validation error against epochs, plain orange, residual blue. The error falls most in the first phase and where the learning rate is first divided by 10, and little in the last phase. If nothing is recorded, a sentence says so."}} tags=["nbval-ignore-output"]
ENDS = {
    "10 layers, CIFAR-10, 9 epochs": "10-cifar10-short",
    "10 layers, CIFAR-100, 9 epochs": "10-cifar100-short",
    "18 layers, CIFAR-10, 300 epochs": "18-cifar10-validation",
    "34 layers, CIFAR-10, 300 epochs": "34-cifar10-validation",
}
panels = {title: curves[curves.experiment.isin([f"plain{of}", f"resnet{of}"])] for title, of in ENDS.items()}
shown = {title: panel for title, panel in panels.items() if len(panel)} or {"": curves.iloc[:0]}
fig, axes = plt.subplots(len(shown), figsize=(7.2, 2.8 * len(shown)), squeeze=False)
for ax, (title, panel) in zip(axes.flat, shown.items(), strict=True):
    wide_figures.plot_phases(panel, ax)
    ax.set_title(title, pad=16)
plt.show()

# %% [markdown]
# **Figure A7.2.** Validation error of recorded runs, a line a run. Dotted lines: as in Figure A7.1.

# %% [markdown]
# Most of the movement is the fall itself, in the first phase and at the first drop. So compare the scatter around the
# line: of the last twenty epochs of a phase, or of all three.

# %% tags=["nbval-ignore-output"]
lines = {title: wide_tables.phase_variability(panel, last=20) for title, panel in shown.items()}
scatter = pd.concat(lines, names=["runs"]).pivot_table("scatter", ["runs", "learning_rate"], "kind", sort=False)
ratio = scatter.max(axis=1) / scatter.min(axis=1)
scatter.assign(**{"larger over smaller": ratio.round(1)}).rename_axis(columns=None).round(2)

# %% [markdown]
# How far apart are two scatters by chance? Suppose that two runs scatter alike, and that their epochs are independent.
# Then one can simulate the ratio of the larger to the smaller.

# %%
for epochs in (3, 20):
    half, twentieth = wide_tables.ratio_by_chance(epochs)
    print(f"{epochs} epochs: above {half:.1f} in half of all pairs, above {twentieth:.1f} in one of 20")

# %% [markdown]
# In five of the six phases it is the *residual* network that scatters more. But only one ratio is beyond what one pair
# in 20 exceeds, and among six independent pairs that happens in a quarter of all cases. And around a line through three
# points the scatter is only the bend of the fall. So the short runs cannot decide the claim.
#
# No pair of long runs is recorded yet, so **the claim is neither confirmed nor refuted here.** A GPU records one with
# `resnet-book run resnet18-cifar10-validation plain18-cifar10-validation`. Two traps remain even then. A network with a
# higher error has more room to vary: compare pairs whose means are close. And the epochs of one run are no independent
# trials: what *networks of a kind* do takes several seeds.
#
# Is the validation error a good stand-in for the test error? If nobody chose by either, only the luck of the images
# keeps them apart. Here is the difference of the two, averaged over the epochs of each recorded run, beside the
# standard error that the luck of 5,000 and of 10,000 images gives it.

# %% tags=["nbval-ignore-output"]
both = curves.dropna(subset="validation_error")
both = both.assign(dataset=both.experiment.str.split("-").str[1], apart=both.test_error - both.validation_error)
error = both.groupby("dataset").test_error.mean()
luck = sum(wide_tables.standard_error(error, images) ** 2 for images in (5_000, wide_tables.TEST_IMAGES)) ** 0.5
apart = both.groupby(["dataset", "experiment", "seed"]).apart.mean().rename("test less validation error").to_frame()
apart.join(luck.rename("standard error")).round(2)

# %% [markdown]
# All runs on one dataset share the held-out and the test images, and so their luck. These are two independent
# comparisons and not five: one to either side, and no run is apart by one and a half standard errors.
#
# ## CIFAR-100: two labels an image
#
# CIFAR-100 has as many images as CIFAR-10 and ten times as many classes, so 500 training images of each. Every image
# has a second, coarser label: the hundred classes are sorted into twenty *superclasses* of five, such as trees or large
# carnivores. That allows three errors.
#
# - *Top-1*: the class with the highest score is not the image's.
# - *Top-5*: the image's class is not among the five with the highest scores.
# - *Superclass*: the class with the highest score is not even in the image's superclass.
#
# Four images, four classes, and two superclasses, {0, 1} and {2, 3}, to see them at work (with the best two for five):

# %%
scores = torch.tensor([[0.1, 0.8, 0.0, 0.1], [0.1, 0.4, 0.5, 0.0], [0.5, 0.1, 0.4, 0.0], [0.1, 0.6, 0.1, 0.2]])
true_classes, superclass_of = torch.tensor([1, 1, 1, 2]), torch.tensor([0, 0, 1, 1])
best = scores.topk(2, dim=1).indices == true_classes[:, None]  # (images, 2)
related = superclass_of[scores.argmax(dim=1)] == superclass_of[true_classes]
right = pd.DataFrame({"top-1": best[:, 0], "top-2": best.any(dim=1), "superclass": related})
assert 100 * (1 - right["top-2"].mean()) == answers.top_error(scores, true_classes, 2)
right.replace({True: "right", False: "wrong"}).rename_axis("image")

# %% [markdown]
# Image 1 is forgiven by top-2 alone: the right class comes second, behind a stranger. Image 2 is forgiven by the
# superclass alone, and image 3 by neither.
#
# **Predict.** Of somebody who guesses, top-5 and superclass forgive equally many mistakes. Which of the two will
# forgive a trained network more?

# %% tags=["nbval-ignore-output"]
experiments = ["plain10-cifar100-short", "resnet10-cifar100-short"]
experiments += [f"{kind}{depth}-cifar100" for depth in wide_tables.DEPTHS for kind in ("plain", "resnet")]
there = [name for name in experiments if name in summaries.index]
print(f"Errors in %; {len(there)} of {len(experiments)} experiments are recorded.")
wide_tables.two_label_table(recorded, there)

# %% [markdown]
# So top-5 forgives more than twice as many mistakes as the superclass. (How many both forgive, the records do not say.)
#
# ### Which classes are taken for which?
#
# A confusion matrix has a row for each class and a column for each answer. With a hundred classes the order decides
# what one sees. So the picture sorts them by superclass and frames each superclass: mistakes within a frame are between
# relatives. The diagonal, the right answers, is left grey, because it would outshine all else. We take the deepest
# residual network that is recorded on CIFAR-100.

# %% tags=["nbval-ignore-output"]
candidates = [*(f"resnet{depth}-cifar100" for depth in reversed(wide_tables.DEPTHS)), "resnet10-cifar100-short"]
kept_answers = {name: studies.kept_study(name, results=results) for name in candidates if name in summaries.index}
assert any(kept_answers.values()), "No run on CIFAR-100 is recorded: `resnet-book run resnet10-cifar100-short`"
name, run = next((name, run) for name, run in kept_answers.items() if run)
superclasses = [run.superclass_of_class[each].replace("_", " ") for each in run.class_names]
matrix = answers.confusion(run.predicted, run.labels, len(run.class_names))
mistakes = int(matrix.sum() - matrix.diagonal().sum())
f"{name}: {mistakes:,} of {matrix.sum():,} answers are wrong"

# %% [markdown]
# In Figure A7.3, look for the darkest frames, and for dark cells outside the frames. The table below it names both.

# %% mystnb={"image": {"alt": "Confusion matrix with a dark grey diagonal, classes sorted by superclass. Cells within the frames of the superclasses are darker than others, most of all among people and trees; outside, most cells are empty, and a few hold more than a tenth of a class."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 6.4))
wide_figures.show_confusion(matrix, run.class_names, superclasses, ax)
plt.show()

# %% [markdown]
# **Figure A7.3.** Which class (row) is taken for which (column), in % of the class's images, on a square-root scale;
# right answers are grey. Classes are sorted by superclass, and each superclass is framed.

# %% tags=["nbval-ignore-output"]
confusions = wide_tables.frequent_confusions(matrix, run.class_names, superclasses, k=mistakes)
related = confusions["same superclass"]
pd.concat([confusions[related].head(6), confusions[~related].head(6)]).drop(columns="share (%)")

# %% [markdown]
# The most frequent confusions are between relatives, and so is more than a quarter of all mistakes. Spread evenly over
# all other classes, it would be one in 25. Some strangers are so by the list alone: buses and streetcars are in the two
# superclasses of vehicles. And some confusions go one way: a *house* is taken for a *streetcar* 11 times, and once the
# reverse happens. (One run. A cell of a few images is within chance of its neighbours.)
#
# ## What it costs
#
# Images a second (of training alone) and minutes, from the records.

# %% tags=["nbval-ignore-output"]
short = [f"{kind}10-{dataset}-short" for dataset in ("cifar10", "cifar100") for kind in ("plain", "resnet")]
long = [f"{kind}{depth}-cifar10" for depth in wide_tables.DEPTHS for kind in ("plain", "resnet")]
cost = wide_tables.cost_table(recorded, [name for name in short + long if name in summaries.index])
print(", ".join(sorted(set(cost.device))) or "nothing recorded yet")
cost if cost.device.nunique() > 1 else cost.drop(columns="device")

# %% [markdown]
# Do shortcuts halve the speed? Nothing of the kind follows. All four networks do the same number of multiplications,
# but for the last layer, and the machine did other work at the same time, now more and now less. So read these rates as
# a range. What is not recorded can be estimated with it. Count the additions and multiplications of a forward pass on
# one image. Then the time is 300 times 50,000 images, divided by the recorded rate of 10 layers, times the ratio of the
# two networks' operations. This takes for granted that all layers do equally many a second, those of bottlenecks, too.

# %% tags=["nbval-ignore-output"]
forward = pd.Series({depth: 2 * models.count_operations(f"resnet{depth}") / 1e9 for depth in wide_tables.DEPTHS})
rates = [r.images_per_second for r in recorded if r.experiment in short and not r.parts[-1].cuda] or [torch.nan]
days = {rate: 300 * 50_000 / rate * forward / forward[10] / 86_400 for rate in (max(rates), min(rates))}
words = [" to ".join(f"{each[depth]:.1f}" for each in days.values()) for depth in wide_tables.DEPTHS]
table = pd.DataFrame({"billion operations an image": forward.round(1), "days on a CPU, 300 epochs": words})
table.rename_axis("layers")

# %% [markdown]
# ## Summary
#
# - *Do shortcuts make a long training stable?* Open. The recorded pairs have three epochs a phase. In them it is mostly
#   the residual network that scatters more, but no more than chance allows.
# - *Which mistakes?* The pairs of classes that are confused most are relatives, and so is more than a quarter of all
#   mistakes. Top-5 forgives more than the superclass.
# - *What do they cost?* On two cores 300 epochs take a day or so with 10 layers, and days with more. The recorded rates
#   leave open a factor of two.
#
# ## Exercises
#
# The exercises check themselves: put your answer in, run, read. They are run here without one.

# %% [markdown]
# **1. Spread or trend?** A validation error goes down from 40 by equal steps, 39.5, 39, and so on, for 20 epochs. What
# are its `fall`, its `scatter`, and, to within half a point, its `std`?

# %%
fall, scatter_of_it, std = None, None, None  # your answers, in points

error = 40 - 0.5 * torch.arange(20.0)
about = {"kind": "plain", "depth": 10, "seed": 0, "learning_rate": 0.1}
made_up = pd.DataFrame({"iteration": range(20), "validation_error": error.tolist()} | about)
truth = wide_tables.phase_variability(made_up, last=20).iloc[0]
if None in (fall, scatter_of_it, std):
    print("Not answered yet.")
elif abs(fall - truth.fall) > 0.01:
    print("The fall is wrong: it is counted in points an epoch, and positive where the error falls.")
elif abs(scatter_of_it - truth.scatter) > 0.01:
    print("The scatter is wrong: how far do these epochs lie from a straight line?")
elif abs(std - truth["std"]) > 0.5:
    print("Nearly: in 20 epochs the error comes a long way. How far are most epochs from the mean of all?")
else:
    print("Right: a network that still learns is not an unstable one.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `fall, scatter_of_it, std = 0.5, 0, 3`. The standard deviation is all trend.
#
# </details>
#
# **2. The luck of choosing.** Suppose that 50 epochs are equally good, and that their measured errors on 10,000 test
# images are independent with a standard error of 0.2 points. By how many points is the *best* of them too low, on
# average? Guess first, then simulate it.

# %%
too_low = None  # your answer, in points

if too_low is None:
    print("Not answered yet.")
else:
    draws = 0.2 * torch.randn(10_000, 50, generator=torch.Generator().manual_seed(0))
    truth = -draws.amin(dim=1).mean().item()
    if abs(too_low / truth - 1) < 0.1:
        print("Right. That is more than twice the published gap at 18 layers on CIFAR-10.")
    else:
        print(f"Too {'little' if too_low < truth else 'much'}: draw 50 numbers many times, and take the least.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# draws = 0.2 * torch.randn(10_000, 50)
# too_low = -draws.amin(dim=1).mean().item()
# ```
#
# About 0.45 points. Real epochs are tested on the same images and are not independent, so the real gain of choosing is
# smaller. It has the same sign.
#
# </details>
#
# **3. One way only.** For which pair of classes is the matrix least symmetrical? The difference of its two counts is 18
# images. But you pick the largest of thousands of pairs. Suppose that every confusion of two classes goes either way
# with equal chance: how large is the largest difference then, in half of all cases? Guess, then simulate.

# %%
largest_by_chance = None  # your answer, in images

if largest_by_chance is None:
    print("Not answered yet.")
else:
    confused = (matrix + matrix.T).triu(1).flatten().double()  # of each pair of classes, both ways
    confused = confused[confused > 0].expand(500, -1)
    one_way = torch.binomial(confused, torch.full_like(confused, 0.5), torch.Generator().manual_seed(0))
    largest = (2 * one_way - confused).abs().amax(dim=1)
    half, twentieth = largest.quantile(torch.tensor([0.5, 0.95], dtype=torch.float64)).tolist()
    if abs(largest_by_chance - half) <= 1:
        print(f"Right: {half:.0f}, and above {twentieth:.0f} in one of 20. Recorded: {(matrix - matrix.T).max()}.")
    else:
        print(f"Too {'small' if largest_by_chance < half else 'large'}: throw a coin for each confused image.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# one, other = divmod((matrix - matrix.T).argmax().item(), len(run.class_names))
# print(run.class_names[one], "->", run.class_names[other], matrix[one, other].item(), matrix[other, one].item())
# largest_by_chance = 11
# ```
#
# 24 maples are taken for oaks, and six oaks for maples. In less than one of 20 cases chance alone makes a difference of
# 18 anywhere in the matrix. So that this one goes mostly one way is more than chance, in this one run.
#
# </details>
#
# ## References
#
# - [Sariyildiz (2018)](https://github.com/mbsariyildiz/resnet-pytorch): the wide networks and the claim;
#   [He et al. (2015a)](https://arxiv.org/abs/1512.03385): the split for validation.
# - [Krizhevsky (2009)](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf): CIFAR-100 and its superclasses.

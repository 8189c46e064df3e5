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
# This page belongs to [chapter 7](07_wide_networks.ipynb). Its three parts can be read in any order: the third claim of
# *the source* ([Sariyildiz, 2018](https://github.com/mbsariyildiz/resnet-pytorch)), that identity mappings make a long
# training stable; the two labels of CIFAR-100; and what these networks cost.
#
# **You will learn**
#
# - to hold images out, and to measure how much an error moves from epoch to epoch;
# - to read errors where an image has two labels, and a confusion matrix of a hundred classes;
# - to estimate how long a training may take that you cannot try.
#
# **You need** [chapter 7](07_wide_networks.ipynb) for the networks. With `tier = "smoke"` the page takes under a minute
# on 2 cores and downloads nothing. `"cpu"` takes about ten minutes and CIFAR-10 (170 MB); `"paper"` does the same on a
# GPU, where there is one. Both train one small pair of networks on CIFAR-10.

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
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
curves = tables.curves(recorded)
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
# The wide networks are too large to train here. Those of chapter 7 with a quarter of the width, 16 to 128 channels, are
# not: the same plan with about a sixteenth of the arithmetic. We take the pair of ten layers.

# %%
PAIR = {"plain": "plain10-quarter", "residual": "resnet10-quarter"}
f"{models.count_parameters(models.build(PAIR['residual'])):,} parameters"

# %% [markdown]
# The smoke tier trains on a few of the built-in images, halved to 16x16 pixels, in three phases of six epochs. In the
# end they still err on about three images of four (guessing errs on 90 %). One of the 200 held-out images is half a
# point. The other tiers train on CIFAR-10, by the recipe `short` as it is.


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
    network = models.untrained(PAIR[kind], seed=seed)
    history = fit(network.to(device), train, test, recipe, seed=seed, engine=engine)
    print(f"{kind}, seed {seed}: validation error {history.epochs[-1].validation_error:.1f} %")
    return pd.DataFrame(map(asdict, history.epochs)).assign(kind=kind, depth=10, seed=seed)


f"training on {device}, in {engine.precision}{', compiled' * engine.compiled}"

# %% [markdown]
# > **Predict, then run**
# >
# > At which of the three learning rates will the validation error move least from epoch to epoch? And will you be able
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
# deviation *around the line*. (For $n$ epochs it divides by $n - 2$, and `std` by $n - 1$. So where the error hardly
# falls `scatter` may be larger than `std`.) Here we take the last five epochs of each phase (all where there are
# fewer), so that the first one after a drop is not among them.

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
# The short runs of 10 layers at full width hold out 5,000 images. They have three epochs a phase. In Figure A7.2, look
# where the error falls most.

# %% mystnb={"image": {"alt": "A panel each for CIFAR-10 and CIFAR-100: validation error against nine epochs, plain orange, residual blue. The error falls most in the first phase and where the learning rate is first divided by 10, and little in the last phase."}} tags=["nbval-ignore-output"]
pairs = {name: [f"{kind}10-{name}-short" for kind in ("plain", "resnet")] for name in ("cifar10", "cifar100")}
panels = {name: curves[curves.experiment.isin(pair)] for name, pair in pairs.items()}
fig, axes = plt.subplots(len(panels), figsize=(7.2, 2.8 * len(panels)))
for ax, (name, panel) in zip(axes, panels.items(), strict=True):
    wide_figures.plot_phases(panel, ax)
    ax.set_title(name.replace("cifar", "10 layers, CIFAR-"), pad=16)
plt.show()

# %% [markdown]
# **Figure A7.2.** Validation error of recorded runs, a line a run. Dotted lines: as in Figure A7.1.

# %% [markdown]
# Most of the movement is the fall itself, in the first phase and at the first drop. So compare the scatter around the
# line through the three epochs of a phase.

# %% tags=["nbval-ignore-output"]
lines = {name: wide_tables.phase_variability(panel, last=3) for name, panel in panels.items()}
scatter = pd.concat(lines, names=["dataset"]).pivot_table("scatter", ["dataset", "learning_rate"], "kind", sort=False)
ratio = scatter.max(axis=1) / scatter.min(axis=1)
scatter.round(3).assign(**{"larger over smaller": ratio.round(1)}).rename_axis(columns=None)

# %% [markdown]
# How far apart are two scatters by chance? Suppose that two runs scatter alike, and that the errors of their epochs are
# normal and independent. Then one can simulate the ratio of the larger to the smaller, for phases of three epochs and
# for longer ones.

# %%
for epochs in (3, 20):
    half, twentieth = wide_tables.ratio_by_chance(epochs)
    print(f"{epochs} epochs: above {half:.1f} in half of all pairs, above {twentieth:.1f} in one of 20")

# %% [markdown]
# In four of the six phases the *residual* network scatters more, in one the plain one, and in one they differ by less
# than one of the 5,000 images. Of five coins, four or more fall alike in three of eight cases: that is no evidence. One
# ratio is barely beyond what one pair in 20 exceeds; there the plain network's three errors lie on a line to within two
# images. Of six independent ratios, one or more would be beyond that in a quarter of all cases. (Independent they
# hardly are: twins get the same batches. And in these runs the last epoch is tested in float32, the others in bfloat16,
# which alone may move it by some images.) And the largest
# scatter, of the residual network on CIFAR-10 in the first phase, may be a fall that only slows down: with three
# epochs, a straight line cannot tell that from jumps. So the short runs cannot decide the claim.
#
# No pair of long runs is recorded yet, so **the claim is neither confirmed nor refuted here.** A GPU records one with
# `resnet-book run resnet18-cifar10-validation plain18-cifar10-validation`. Even then compare only pairs whose means are
# close, for a higher error has more room to vary; and several seeds, for the epochs of one run are no independent
# trials. And where the rate is large, a part of the jumps may not be of the weights but of batch norm's running
# averages, which lag behind them ([chapter 5](05_training.ipynb)).
#
# ## CIFAR-100: two labels an image
#
# CIFAR-100 has as many images as CIFAR-10 and ten times as many classes, so 500 training images of each. Every image
# has a second, coarser label: the hundred classes are sorted into twenty *superclasses* of five, such as trees or large
# carnivores. Classes of one superclass are *relatives*, others *strangers*. That allows three errors.
#
# - *Top-1*: the class with the highest score is not the image's.
# - *Top-5*: the image's class is not among the five with the highest scores.
# - *Superclass*: the class with the highest score is not even in the image's superclass.
#
# The last two are milder: they *forgive* a top-1 mistake that they do not count.
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
print("Errors in %; the last two columns: which share (%) of the top-1 mistakes is forgiven")
wide_tables.two_label_table(recorded, pairs["cifar100"])

# %% [markdown]
# In both runs top-5 forgives more than twice as many mistakes as the superclass.
#
# ### Which classes are taken for which?
#
# A confusion matrix has a row for each class and a column for each answer. With a hundred classes the order decides
# what one sees. So the picture sorts them by superclass and frames each superclass: mistakes within a frame are between
# relatives. The diagonal, the right answers, is left grey, because it would outshine all else. We take the recorded
# residual network. In Figure A7.3, look for the darkest frames, and for dark cells outside the frames.

# %% tags=["nbval-ignore-output"]
run = studies.kept_study("resnet10-cifar100-short", results=results)
assert run, "No run on CIFAR-100 is recorded: `resnet-book run resnet10-cifar100-short`"
superclasses = [run.superclass_of_class[each].replace("_", " ") for each in run.class_names]
matrix = answers.confusion(run.predicted, run.labels, len(run.class_names))
mistakes = int(matrix.sum() - matrix.diagonal().sum())
f"{mistakes:,} of {matrix.sum():,} answers are wrong"

# %% mystnb={"image": {"alt": "Confusion matrix with a dark grey diagonal, classes sorted by superclass. Cells within the frames of the superclasses are darker than others, most of all among people and trees; outside, most cells are empty, and a few hold more than a tenth of a class."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 6.4))
wide_figures.show_confusion(matrix, run.class_names, superclasses, ax)
plt.show()

# %% [markdown]
# **Figure A7.3.** Which class (row) is taken for which (column), in % of the class's images, on a square-root scale;
# right answers are grey. Classes are sorted by superclass, and each superclass is framed.

# %% tags=["nbval-ignore-output"]
confusions = wide_tables.frequent_confusions(matrix, run.class_names, superclasses, k=mistakes).set_index("class")
related = confusions["same superclass"]
within = confusions.images[related].groupby(dict(zip(run.class_names, superclasses, strict=True))).sum()
print(f"{within.sum():,} mistakes are within frames; in the two darkest:", within.nlargest(2).to_dict())
print(f"'oak_tree' is the answer {matrix[:, run.class_names.index('oak_tree')].sum()} times")
pd.concat([confusions[related].head(6), confusions[~related].head(6)]).drop(columns="share (%)")

# %% [markdown]
# (`reversed`: how many the other way round. Each class has 100 test images.) The most frequent confusions are between
# relatives, and so is more than a quarter of all mistakes. If a mistake fell on each of the 99 other classes equally
# often, it would be 4 in 99. Some strangers are so by the list alone: buses and streetcars are in the two superclasses
# of vehicles.
#
# Some confusions seem to go one way: 24 maples are taken for oaks, and six oaks for maples. But the network answers
# *oak* too often altogether. Exercise 2 asks how much such a difference is worth among so many.
#
# ## What it costs
#
# Images a second of training alone, and minutes with validation and testing, which add about a tenth. The line above
# the table has the rates of a smaller network that was trained three times.

# %% tags=["nbval-ignore-output"]
thrice = "resnet20-cifar10-short-bfloat16"
names = [*pairs["cifar10"], "resnet10-cifar10-short-projection", *pairs["cifar100"]]
of = {name: [each for each in recorded if each.experiment == name] for name in (*names, thrice)}
engines = {(each.device, each.parts[-1].precision, each.parts[-1].compiled) for runs in of.values() for each in runs}
print(*(f"{where}, {precision}{', compiled' * compiled}" for where, precision, compiled in sorted(engines)), sep="; ")
print(f"{thrice}:", "; ".join(f"{each.images_per_second:,.0f}" for each in of[thrice]), "images a second")
wide_tables.cost_table(recorded, names).drop(columns="device")

# %% [markdown]
# In this table a network with shortcuts trains at about half the rate of its plain twin. By the number of
# multiplications it should not: shortcuts have none, and projections few. Nor did the tests of the same
# runs take so much longer: 1.2 and 1.3 times with zeros, and with projections less than with none. And one and the same
# ResNet-20 was trained at 330 images a second and at more than three times that, with the same code (while the slow one
# ran, another of these trainings began, perhaps on the same machine). So the table cannot say what shortcuts cost, and
# the days below are an example, not bounds.
#
# What is not recorded can be estimated. Count the additions and multiplications of a forward pass on one image. Then
# the time is 300 times 50,000 images, divided by the recorded rate of a network of 10 layers (here
# `resnet10-cifar10-short`), times the ratio of the two networks' operations. This takes for granted that all layers do
# equally many a second, those of bottlenecks, too.

# %% tags=["nbval-ignore-output"]
forward = pd.Series({depth: 2 * models.count_operations(f"resnet{depth}") / 1e9 for depth in wide_tables.DEPTHS})
days = 300 * 50_000 / of["resnet10-cifar10-short"][0].images_per_second * forward / forward[10] / 86_400
pd.DataFrame({"billion operations an image": forward, "days, 300 epochs": days}).round(1).rename_axis("layers")

# %% [markdown]
# ## Summary
#
# - *Do shortcuts make a long training stable?* Open. The recorded pairs have three epochs a phase. In most phases the
#   residual network scatters more, but no more often than chance allows.
# - *Which mistakes?* The pairs of classes that are confused most are relatives, and so is more than a quarter of all
#   mistakes. Top-5 forgives more than the superclass.
# - *What do they cost?* At the rate of one run on two cores, 300 epochs would take a day with 10 layers and more than
#   five with 34. But another network was trained at rates that differ by a factor of more than three.
#
# ## Exercises
#
# The exercises check themselves: put your answer in, run, read. They are run here without one.

# %% [markdown]
# **1. The luck of choosing.** Suppose that 50 epochs are equally good, and that their measured errors on 10,000 test
# images are independent with a standard error of 0.2 points. By how many points is the *best* of them too low, on
# average? Guess first, then simulate it.

# %%
too_low = None  # your answer, in points

if too_low is None:
    print("Not answered yet.")
else:
    draws = 0.2 * torch.randn(10_000, 50, generator=torch.Generator().manual_seed(0))
    truth = -draws.amin(dim=1).mean().item()
    if abs(too_low / truth - 1) < 0.05:
        print("Right. That is more than twice the published gap at 18 layers on CIFAR-10 (0.2 points, chapter 7).")
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
# **2. One way only.** Of all pairs of classes, the counts of maples and oaks differ most, by 18 images. But that is the
# largest difference among more than 1,600 pairs that are confused at all. Suppose that every confusion of two classes
# goes either way with equal chance: how large is the largest difference then, in half of all cases? Guess, then
# simulate.

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
# confused = (matrix + matrix.T).triu(1).flatten().double()
# one_way = torch.binomial(confused.expand(500, -1), torch.tensor(0.5).double().expand(500, len(confused)))
# largest_by_chance = (2 * one_way - confused).abs().amax(dim=1).median().item()
# ```
#
# About 11. In less than one of 20 cases chance alone makes a difference of 18 anywhere in the matrix. So that maples
# and oaks go mostly one way is more than chance, in this one run. It may be no more than that this network answers
# *oak* too often. All other differences are 14 or less, and in more than one of 20 cases chance makes one of 14.
#
# </details>
#
# ## References
#
# - [Sariyildiz (2018)](https://github.com/mbsariyildiz/resnet-pytorch): the wide networks and the claim;
#   [He et al. (2015a)](https://arxiv.org/abs/1512.03385): the split for validation.
# - [Krizhevsky (2009)](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf): CIFAR-100 and its superclasses.

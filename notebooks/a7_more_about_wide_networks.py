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
# This page belongs to [chapter 7](07_wide_networks.ipynb), which builds the wide networks and asks whether they need
# shortcuts. It has what only some readers will want: the third claim of *the source*
# ([Sariyildiz, 2018](https://github.com/mbsariyildiz/resnet-pytorch)), that identity mappings make a long training
# stable; the two labels of CIFAR-100, and which classes are taken for which; and what these networks cost in time and
# memory. The three parts can be read in any order.
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
from torch import Tensor

# %%
from resnet_book import cifar, data, features, models
from resnet_book.analysis import answers
from resnet_book.engine.device import Engine, default_precision, worth_compiling
from resnet_book.experiments import records, studies, weights
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
# The source says it in one sentence, without numbers, so what it means is for us to say. *Long* is about epochs: we
# watch the error epoch by epoch. *Stable* is about how much it moves from one epoch to the next, not about how low it
# is. Call the epochs of one learning rate a *phase*. We read the claim so: *in the last epochs of a phase the error of
# the residual network varies less than that of its plain twin.*
#
# The error on which images? Whoever picks the learning rate, the epoch or the network that is best on the *test* images
# reports an error that is too low: part of what made it best is luck with these very images. So some of the *training*
# images are held out. They are never trained on, and every choice is made on them. The paper held out 5,000 of 50,000.

# %%
train_images, test_images = (data.load("builtin", split) for split in ("train", "test"))
kept, held_out = data.hold_out(train_images, count=500, seed=0)
again = data.hold_out(train_images, count=500, seed=0)[1]
assert torch.equal(held_out.images, again.images)  # the same ones
len(kept), len(held_out)

# %% [markdown]
# They are the same images for each seed and each network. So the luck of their choice shifts all epochs of a run
# alike, for the most part, and drops out where epochs are compared.
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
# The smoke tier trains on a few of the built-in images, halved to 16x16 pixels, in three phases of six epochs. The other
# tiers train on CIFAR-10, by the recipe `short` as it is.


# %%
def halved(images: data.ImageSet) -> data.ImageSet:
    """The same images at half the width and height."""
    return replace(images, images=F.avg_pool2d(images.images.float(), 2).round().to(torch.uint8))


train, test, seeds = halved(train_images.subset(256 + 200)), halved(test_images.subset(200)), (0, 1)
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
f"{recipe.validation_images:,} of {len(train):,} images of {train.name} are held out; {len(test):,} to test on"

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
#
#
# (The smoke tier computes on one thread: for pictures this small, a second one mostly waits for the first.)

# %% tags=["nbval-ignore-output"]
threads = torch.get_num_threads()
torch.set_num_threads(1 if train.name == "builtin" else threads)
here = pd.concat([train_one(kind, seed) for kind in ("plain", "residual") for seed in seeds])
torch.set_num_threads(threads)

# %% mystnb={"image": {"alt": "Validation error against epochs, a line a run. All lines fall most in the first phase and right after it, and little in the last; plain and residual runs lie close together."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 3.4))
wide_figures.plot_phases(here, ax)
plt.show()

# %% [markdown]
# **Figure A7.1.** Validation error of the quarter-width pair trained on this page, a line a run, a marker a seed.
# Dotted lines: the learning rate, given above the panel, is divided by 10.

# %% [markdown]
# A standard deviation (`std`) of the last epochs of a phase also grows when the error simply keeps falling. So we lay a
# straight line through these epochs. `fall` is by how many points an epoch it falls, and `scatter` is the standard
# deviation *around the line*. Here we take the last five epochs of each phase, so that the first one after a drop is not
# among them (of the recipe `short` all three).

# %% tags=["nbval-ignore-output"]
varied = wide_tables.phase_variability(here, last=5)
measured = varied.groupby(["learning_rate", "kind"])[["mean", "std", "fall", "scatter"]].mean()
last = here[here.iteration == here.iteration.max()].validation_error.mean()
luck = wide_tables.standard_error(last, recipe.validation_images)
print(
    f"standard error of one validation error, by the choice of {recipe.validation_images:,} images: {luck:.1f} points"
)
measured.sort_index(ascending=[False, True]).round(2)

# %% [markdown]
# Which network scatters less, and at which learning rate? Whatever your table says: with so few images, epochs and runs,
# **this shows how to measure. It settles nothing about shortcuts.**
#
# ### The recorded runs
#
# Two kinds of recorded runs hold out 5,000 images: the short ones of 10 layers, and, once they are recorded, those of
# 18 and 34 layers over 300 epochs. In Figure A7.2, look at the last phase: how much movement is left?

# %% mystnb={"image": {"alt": "A panel for each recorded depth, dataset and length: validation error against epochs, plain orange, residual blue. The error drops where the learning rate is first divided by 10, and moves little in the last phase. If nothing is recorded, a sentence says so."}} tags=["nbval-ignore-output"]
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
# **Figure A7.2.** Validation error of recorded runs, a line a run. Dotted lines: the learning rate, given above the
# panel, is divided by 10.

# %% [markdown]
# Most of the movement is the fall itself, and it is largest at the first learning rate. The short runs cannot decide the
# claim. They have three epochs a phase, and around a line through three points the
# scatter is only the bend of the fall. How far apart are two scatters by chance? Suppose that two runs scatter alike,
# and that their epochs are independent. Then one can simulate it.

# %%
for epochs in (3, 20):
    half, twentieth = wide_tables.ratio_by_chance(epochs)
    print(f"{epochs} epochs: above {half:.1f} times in half of all pairs, above {twentieth:.1f} times in one of 20")

# %% [markdown]
# No pair of long runs is recorded yet, so **the claim is neither confirmed nor refuted here.** A GPU records one with
# `resnet-book run resnet18-cifar10-validation plain18-cifar10-validation`. Two traps remain even then. A network with a
# higher error has more room to vary: compare pairs whose means are close. And the epochs of one run are no independent
# trials: what *networks of a kind* do takes several seeds.
#
# Is the validation error a good stand-in for the test error? If nobody chose by either, only the luck of the images
# keeps them apart. Here is the difference of the two, averaged over the epochs of each recorded run.

# %% tags=["nbval-ignore-output"]
both = curves.dropna(subset="validation_error")
apart = (both.test_error - both.validation_error).groupby([both.experiment, both.seed]).mean()
sizes = (WIDE_SHORT.validation_images, wide_tables.TEST_IMAGES)
luck = sum(wide_tables.standard_error(both.test_error.mean(), images) ** 2 for images in sizes) ** 0.5
print(f"standard error of a difference by the luck of {sizes[0]:,} and {sizes[1]:,} images: {luck:.1f} points")
apart.rename("test less validation error").round(2).to_frame()

# %% [markdown]
# No recorded run is off by more than such luck explains, and some are off to either side.
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
# Three images, four classes, and two superclasses, {0, 1} and {2, 3}, to see them at work:

# %%
scores = torch.tensor([[0.1, 0.8, 0.0, 0.1], [0.5, 0.4, 0.1, 0.0], [0.1, 0.6, 0.1, 0.2]])
true_classes, superclass_of = torch.tensor([1, 1, 2]), torch.tensor([0, 0, 1, 1])
errors = {f"top-{k}": answers.top_error(scores, true_classes, k) for k in (1, 2)}
wrong = superclass_of[scores.argmax(dim=1)] != superclass_of[true_classes]
errors["superclass"] = 100 * wrong.double().mean().item()
pd.Series(errors, name="error (%)").round(1).to_frame()

# %% [markdown]
# The first answer is right. The second is wrong, but in the right superclass, and the right class comes second. The
# third is wrong in every way.
#
# **Predict.** Somebody who guesses is right once in a hundred times by top-1, and five times in a hundred by top-5 as
# well as by superclass. So top-5 and superclass forgive equally often by chance. Which of the two will a trained network
# make more use of?

# %% tags=["nbval-ignore-output"]
experiments = ["plain10-cifar100-short", "resnet10-cifar100-short"]
experiments += [f"{kind}{depth}-cifar100" for depth in wide_tables.DEPTHS for kind in ("plain", "resnet")]
there = [name for name in experiments if name in summaries.index]
print(f"Errors in %; {len(there)} of {len(experiments)} experiments are recorded.")
wide_tables.two_label_table(recorded, there)

# %% [markdown]
# They forgive different mistakes: top-5 forgives hesitation, the superclass forgives a near miss. In the recorded runs
# hesitation is the more frequent one: top-5 forgives more than half of the mistakes, the superclass about a quarter.
#
# ### Which classes are taken for which?
#
# A confusion matrix has a row for each class and a column for each answer. With a hundred classes the order decides what
# one sees. So the picture sorts them by superclass and frames each superclass: mistakes within a frame are between
# relatives. The diagonal, the right answers, is left grey, because it would outshine all else. We take the deepest
# residual network that is recorded on CIFAR-100.


# %%
def builtin_answers() -> tuple[str, Tensor, Tensor, tuple[str, ...]]:
    """Where nothing on CIFAR-100 is recorded: a small network on the built-in images, which have no superclasses."""
    network, record = weights.load_network("resnet20-builtin-smoke", results=results)
    values = features.extract(network, test_images, record.mean, record.std)
    predicted = features.class_scores(network, values).argmax(dim=1)
    return record.experiment, predicted, test_images.labels, test_images.class_names


", ".join(test_images.class_names)

# %% tags=["nbval-ignore-output"]
candidates = [*(f"resnet{depth}-cifar100" for depth in reversed(wide_tables.DEPTHS)), "resnet10-cifar100-short"]
kept_answers = {name: studies.kept_study(name, results=results) for name in candidates if name in summaries.index}
name, run = next(((name, run) for name, run in kept_answers.items() if run), (None, None))
if run:
    predicted, labels, class_names = run.predicted, run.labels, run.class_names
    superclasses = [run.superclass_of_class[each].replace("_", " ") for each in class_names]
else:
    name, predicted, labels, class_names = builtin_answers()
    superclasses = None
matrix = answers.confusion(predicted, labels, len(class_names))
mistakes = int(matrix.sum() - matrix.diagonal().sum())
f"{name}: {mistakes:,} of {matrix.sum():,} answers are wrong"

# %% [markdown]
# In Figure A7.3, look for dark cells outside the frames: strangers that look alike. And look for a dark
# cell whose mirror image is pale: one class is taken for the other, and not the reverse.

# %% mystnb={"image": {"alt": "Confusion matrix with the diagonal greyed out. The mistakes are not spread evenly: a few pairs of classes hold many of them, and most cells are empty."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 6.4) if superclasses else (6.0, 4.6))
wide_figures.show_confusion(matrix, class_names, superclasses, ax)
plt.show()

# %% [markdown]
# **Figure A7.3.** Which class (row) is taken for which (column), in % of the class's images, on a square-root scale;
# right answers are grey. Classes that have superclasses are sorted by them, and each superclass is framed.

# %% tags=["nbval-ignore-output"]
confusions = wide_tables.frequent_confusions(matrix, class_names, superclasses)
confusions.round(1)

# %% [markdown]
# In the recorded run every one of the most frequent confusions is between relatives, and so is about a quarter of all
# mistakes. Spread evenly over all other classes, it would be one in 25. (One run. A cell of a few images is within chance of
# its neighbours.)
#
# ## What it costs
#
# Images a second (of training alone), memory and minutes, from the records. Memory is what was allocated on a GPU, but
# on a CPU that of the whole process, so do not compare one with the other. A CPU's times are those of a machine that
# did other work as well: read orders of magnitude from them.

# %% tags=["nbval-ignore-output"]
short = [f"{kind}10-{dataset}-short" for dataset in ("cifar10", "cifar100") for kind in ("plain", "resnet")]
long = [f"{kind}{depth}-cifar10" for depth in wide_tables.DEPTHS for kind in ("plain", "resnet")]
cost = wide_tables.cost_table(recorded, [name for name in short + long if name in summaries.index])
print(", ".join(sorted(set(cost.device))) or "nothing recorded yet")
cost if cost.device.nunique() > 1 else cost.drop(columns="device")

# %% [markdown]
# What is not recorded can be estimated. Count the additions and multiplications of a forward pass on one image; a
# training step takes about three times as many. Divide those of 300 epochs by the rate of the recorded
# `resnet10-cifar10-short` on its CPU.

# %% tags=["nbval-ignore-output"]
forward = pd.Series({depth: 2 * models.count_operations(f"resnet{depth}") / 1e9 for depth in wide_tables.DEPTHS})
on_cpu = [r for r in recorded if r.experiment == "resnet10-cifar10-short" and r.parts[-1].cuda is None]
speed = max((each.images_per_second for each in on_cpu), default=float("nan"))  # images a second
days = 300 * 50_000 * forward / forward[10] / speed / 86_400
table = pd.DataFrame({"billion operations an image": forward, "days on a CPU, 300 epochs": days})
table.rename_axis("layers").round(1)

# %% [markdown]
# ## Summary
#
# - Stability is a claim about variation from epoch to epoch. Hold images out, take the last epochs of each phase, keep
#   the fall of the error apart from its scatter, and set what you find beside chance. It takes long runs and several
#   seeds.
# - With two labels an image, the kind of a mistake can be told: a relative or a stranger.
# - Arithmetic can be counted before a training, and one short run on the same machine turns it into days.
#
# ## Exercises
#
# The cells of exercises 1 and 2 check themselves: put your answer in, run, read. They are run here without one.

# %% [markdown]
# **1. Spread or trend?** A validation error falls by half a point each epoch, for 20 epochs, without any noise. What are
# its `fall` and its `scatter`? Is its `std` below 1 point?

# %%
fall, scatter_of_it, below_one = None, None, None  # your answers: points, points, True or False

error = 40 - 0.5 * torch.arange(20.0)
about = {"kind": "plain", "depth": 10, "seed": 0, "learning_rate": 0.1}
made_up = pd.DataFrame({"iteration": range(20), "validation_error": error.tolist()} | about)
truth = wide_tables.phase_variability(made_up, last=20).iloc[0]
if None in (fall, scatter_of_it, below_one):
    print("Not answered yet.")
elif abs(fall - truth.fall) > 0.01:
    print("The fall is wrong: it is counted in points an epoch, and positive where the error falls.")
elif abs(scatter_of_it - truth.scatter) > 0.01:
    print("The scatter is wrong: how far do these epochs lie from a straight line?")
elif below_one != (truth["std"] < 1):
    print("Nearly: in 20 epochs the error comes a long way. How far are most epochs from the mean of all?")
else:
    print("Right: a network that still learns is not an unstable one.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `fall, scatter_of_it, below_one = 0.5, 0, False`. The standard deviation is about 3 points, all of it trend.
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
        print("Right. Compare it with the published gap at 18 layers on CIFAR-10.")
    else:
        print(
            f"Too {'little' if too_low < truth else 'much'}: draw 50 numbers many times, and take the least of each 50."
        )

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
# **3. One way only.** Find the pair of classes for which the matrix is least symmetrical. Is the difference more than
# chance would make of it?
#
# <details><summary>Solution</summary>
#
# ```python
# difference = matrix - matrix.T
# one, other = divmod(difference.argmax().item(), len(class_names))
# print(class_names[one], "->", class_names[other], matrix[one, other].item(), matrix[other, one].item())
# ```
#
# If both directions were equally likely, the difference of two counts $a$ and $b$ would have a standard deviation of about
# $\sqrt{a + b}$. But you picked the largest of thousands of pairs, and the largest of thousands is large by chance, too.
#
# </details>
#
# ## References
#
# - [Sariyildiz (2018)](https://github.com/mbsariyildiz/resnet-pytorch): the wide networks and the claim;
#   [He et al. (2015a)](https://arxiv.org/abs/1512.03385): the split for validation.
# - [Krizhevsky (2009)](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf): CIFAR-100 and its superclasses.

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
# # What the features respond to
#
# The last layer of our networks is linear. It sees an image as a short list of numbers, its *features*, and nothing
# else. **What does a single feature respond to, and how would one know that this is more than chance?**
#
# A well-known way to ask is to sort all test images by one feature and to look at both ends. The study that this page
# re-does ([Sariyildiz, 2018](https://github.com/mbsariyildiz/resnet-pytorch)) drew the ten least and the ten most
# relevant images of every feature. In most rows the most relevant ones "seem to be related conceptually", it says, and
# it warns that looking is no proof. We look, too. Then we count, and compare the count with two opponents that have
# learned nothing: blind draws, and the same network before training.
#
# **You will learn**
#
# - to take the features out of a trained network, and to check first that it is the network you think it is;
# - to put a number on "these images belong together", and to choose what that number must be compared with;
# - to tell what the two ends of a row say about a feature, and what is an accident of the files' order.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the network. With `tier = "smoke"` the page takes about a
# minute on 2 cores and downloads nothing. `"cpu"` and `"paper"` take several minutes and CIFAR-10 (170 MB). Nothing is
# trained here. What specialists ask next is in the [appendix](a4_more_about_features.ipynb).

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": the built-in images; "cpu": a short run on CIFAR-10; "paper": the deepest run of the paper's
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
from collections import Counter

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import Image, Markdown, display

# %%
from resnet_book import augment, data, features, models, train
from resnet_book.analysis import purity, study
from resnet_book.experiments import studies, weights
from resnet_book.report import feature_picture, figures, study_figures

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
K = 10  # images at each end of a row

# %% [markdown]
# ## A trained network
#
# We take the best network of the tier that is recorded and whose images are here.

# %%
wishes = {
    "smoke": [],
    "cpu": ["resnet20-cifar10-short"],
    "paper": [f"resnet{depth}-cifar10" for depth in (110, 56, 44, 32, 20)] + ["resnet20-cifar10-short"],
}[tier] + ["resnet20-builtin-smoke"]
network, record = weights.load_first(wishes, data_root or None)
name = record.experiment
train_images, test = (data.load(record.dataset["name"], split, data_root or None) for split in ("train", "test"))
print(f"{name}: trained for {record.recipe['iterations']:,} iterations, test error {record.test_error:.2f} %")

# %% tags=["remove-input"]
if test.name == "builtin":
    note = "**These are the built-in images**, ten classes of drawings, and the network has seen them for only "
    note += f"{record.recipe['iterations']} iterations. Take it as an example of the method: CIFAR-10 comes below."
    note += " (For CIFAR-10 itself: `resnet-book data cifar10`.)" * (tier != "smoke")
else:
    note = "**These are the test images of CIFAR-10.**" + " No deeper network is recorded." * (name != wishes[0])
display(Markdown(f"> {note} It is one network, from one seed."))

# %% [markdown]
# Before we read meaning into a network, we make sure that it is the one whose result is recorded. It must see the same
# images, subtract the same mean, and make the recorded number of mistakes.

# %%
device = "cuda" if torch.cuda.is_available() else "cpu"
assert test.sha256 == record.dataset["test"]["sha256"]

_, error = train.evaluate(network.to(device), test, record.mean, record.std, device=device)
wrong, recorded_wrong = (round(each * len(test) / 100) for each in (error, record.test_error))
same_kind = (record.parts[-1].cuda is None) == (device == "cpu")
assert abs(wrong - recorded_wrong) <= (0 if same_kind else len(test) // 500)  # other devices round differently
print(f"wrong answers: {wrong:,} of {len(test):,} now, {recorded_wrong:,} recorded")

# %% [markdown]
# ## The features, by hand
#
# A network of this book is a stem, three stages of blocks, an average over all places of the image, and a linear
# classifier ([He et al., 2015a](https://arxiv.org/abs/1512.03385)). The features are what the average leaves. Let
# $a_{c}(u, v)$ be the activation of channel $c$ at row $u$ and column $v$, after the last ReLU, on a map of
# $H \times W$ places. Then
#
# $$ f_c = \frac{1}{H W} \sum_{u=1}^{H} \sum_{v=1}^{W} a_{c}(u, v) \;\geq\; 0. \tag{4.1} $$

# %%
mean, std = torch.tensor(record.mean, device=device), torch.tensor(record.std, device=device)
batches = []
with torch.inference_mode():
    for images in test.images.split(500):
        x = augment.normalise(images.to(device), mean, std)  # (500, 3, 32, 32)
        x = network.stem(x)  # (500, 16, 32, 32)
        x = network.stages(x)  # (500, C, 8, 8)
        batches.append(x.mean(dim=(2, 3)).cpu())  # (500, C)
by_hand = torch.cat(batches)

trained = features.extract(network, test, record.mean, record.std, device=device)
torch.testing.assert_close(trained, by_hand)
num_features = trained.shape[1]
print(f"{len(trained):,} images, {num_features} features each, smallest {trained.min():.1f}")

# %% [markdown]
# ## A row a feature
#
# To rank is to sort. Images with the same value keep the order in which they lie in the dataset, so that the answer is
# always the same. The package ranks all features at once. We check it on feature 0.

# %%
order = trained[:, 0].argsort(stable=True)
least, most = features.rank(trained, K)  # (C, K) each, indices of images
assert torch.equal(least[0], order[:K])
assert torch.equal(trained[most[0], 0], trained[order.flip(0)[:K], 0])
print(f"feature 0 lies between {trained[order[0], 0]:.2f} and {trained[order[-1], 0]:.2f}")

# %% [markdown]
# Now the picture of the original study, for the first twelve features. Every row is a feature, its ten least relevant
# images on the left, its ten most relevant on the right. The frames are ours: their colour is the class. In which half
# of Figure 4.1 do more rows repeat one class from end to end? And do the images of mixed right halves share anything?

# %% mystnb={"image": {"alt": "Small framed images in twelve rows, a row a feature. Eight right halves repeat one kind of image and one colour of frame, five of them bars; three left halves do so.", "width": "100%"}}
mean_std = tuple(record.mean), tuple(record.std)
this = study.make(network, trained, weights.untrained(record), train_images, test, *mean_std, k=K)
picture = feature_picture.draw(this, test, f"{name}, seed {record.seed}", torch.arange(12), columns=1)
Image(feature_picture.as_jpeg(picture), format="jpeg")

# %% [markdown]
# **Figure 4.1.** The ten least and the ten most relevant images of the first twelve features, framed in the colour of
# their class. (Purity is explained below. `resnet-book features NAME --out picture.png` draws all features.)

# %% tags=["remove-input", "nbval-ignore-output"]
right, left = ((test.labels[each] == test.labels[each[:, :1]]).all(dim=1) for each in (most, least))  # (C,) each
text = f"""Of one class from end to end are {right[:12].sum()} of the twelve right halves and {left[:12].sum()} of the left ones; of all
{num_features}, {right.sum()} and {left.sum()}."""
display(Markdown(text))

# %% [markdown]
# With the built-in images, feature 6 ranks frames and rings first, shapes around a hole, and feature 10 filled ones:
# discs, a square and a heart. So a mixed row can have something in common. But we found these words after we had seen
# the images. A fair question is one that is asked of every row alike.
#
# ## From looking to counting
#
# The test images have labels, and the labels were not used to make the rows. So we can count how many of a row's ten
# images belong to the class that is most frequent among them. Their share we call the row's **purity**. If $n_{cj}$ of
# the $k$ images of feature $c$ belong to class $j$, then
#
# $$ \mathrm{purity}_c = \frac{1}{k} \max_j n_{cj}, \tag{4.2} $$
#
# which is 1 where all are of one class. Frames and rings count as different. If one class is more frequent than every
# other, it *leads* the row; where several are level, none does. For feature 0, by hand:

# %% tags=["nbval-ignore-output"]
row_purity, least_purity = (purity.purity(each, test.labels, test.num_classes) for each in (most, least))  # (C,) each
counts = Counter(test.class_names[label] for label in test.labels[most[0]].tolist())
assert row_purity[0] == max(counts.values()) / K
print(f"{dict(counts)}: purity {row_purity[0]:.1f}")

# %% [markdown]
# ## Compared with what?
#
# A number on its own is no finding. Even ten images taken blindly often have three of a kind. This chance can be
# computed exactly, by counting sets of ten images. We take some blindly to check it.

# %%
chance = purity.chance_distribution(test.labels, K)  # (K + 1,): how likely m of K in the largest class
chance_mean = purity.chance_purity(test.labels, K)

generator = torch.Generator().manual_seed(0)
blind = torch.stack([torch.randperm(len(test), generator=generator)[:K] for _ in range(2_000)])
drawn = purity.purity(blind, test.labels, test.num_classes)
assert abs(drawn.mean() - chance_mean) < 0.01
print(f"purity by chance: {chance_mean:.3f} computed, {drawn.mean():.3f} in {len(drawn):,} draws")

# %% [markdown]
# Chance may be a weak opponent, though. If the images of a class share a colour, a function that knows nothing but
# colours puts them together, too. A second opponent is the same network before its first step. It has the very weights
# with which our network began, which follow from the seed. One thing it lacks: batch norm in evaluation mode
# ([Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)) uses statistics collected in training, and here there
# are none yet. So we let it measure them on 1,000 training images. That changes no weight.
#
# What do the images of a row share in Figure 4.2? And which images occur in several rows?


# %% mystnb={"image": {"alt": "Eight rows of ten images before training, none of one class. Some rows share a colour of the background; any two of features 1, 2 and 3 have six images in common."}}
def before_training(seed: int) -> torch.Tensor:
    """The most relevant images (C, K) of each feature of the network that ``seed`` begins with."""
    model = record.model
    fresh = models.untrained(model["name"], model["num_classes"], model["shortcut"], seed)
    features.measure_batch_norm(fresh, train_images.subset(1_000), *mean_std, device=device)
    return features.rank(features.extract(fresh, test, *mean_std, device=device), K)[1]


untrained_most = before_training(record.seed)
assert device != "cpu" or torch.equal(untrained_most, this.untrained_most)
_, ax = plt.subplots(figsize=(7.2, 2.2))
headings = [(f"feature {row}, before training", f"feature {row + 4}") for row in range(4)]
figures.show_ranked(test.images, untrained_most[:4], untrained_most[4:8], ax, headings)
plt.show()

# %% [markdown]
# **Figure 4.2.** The same network before training: the ten most relevant images of its first eight features.

# %% [markdown]
# Here the eye finds colours: with the built-in images, all backgrounds of feature 5 are greenish, and those of feature 7
# reddish. Purity does not count that. And any two of features 1, 2 and 3 share most of their images.
#
# > **Predict, then run**
# >
# > You know what chance gives. Write down two numbers before you go on: the mean purity over all features of the
# > *trained* network, and that of the *untrained* one.
#
# Look at Figure 4.3 from the right. How many rows are entirely of one class? Then find the untrained network.

# %% mystnb={"image": {"alt": "Histogram of purity. In half of the trained network's rows all ten images are of one class. The rows of the untrained network have two to six of a class, near the dashed line of random draws, which peaks at three of ten."}}
untrained_purity = purity.purity(untrained_most, test.labels, test.num_classes)
fig, ax = plt.subplots(figsize=(7.2, 3.4))
figures.purity_histogram({"trained": row_purity, "untrained": untrained_purity}, ("residual", "neutral"), chance, ax)
plt.show()

# %% [markdown]
# **Figure 4.3.** How pure the rows are: the share of features for which so many of the ten most relevant images are of
# one class. The dashed line is exact chance.

# %% [markdown]
# The same in numbers, beside the rows drawn at random; ± is the spread over the rows. *Shared* is how many of their ten
# images two rows have in common, on average over all pairs.

# %% tags=["nbval-ignore-output"]
table = {}
for words, each in {"trained": most, "untrained": untrained_most, "drawn at random": blind}.items():
    pure = purity.purity(each, test.labels, test.num_classes)
    alone = f"{100 * (pure == 1).double().mean():.0f} %"
    table[words] = [f"{pure.mean():.2f} ± {pure.std():.2f}", alone, f"{purity.shared_images(each):.1f}"]
pd.DataFrame(table, index=["purity", "of one class alone", "shared"])

# %% [markdown]
# How sure is the mean of the untrained network? Its rows share images, so they are not 64 independent observations, and
# an interval computed from them would be too narrow. Four other seeds say it better:

# %% tags=["nbval-ignore-output"]
rows = [untrained_most, *(before_training(record.seed + more) for more in range(1, 5))]
by_seed = [purity.purity(each, test.labels, test.num_classes).mean().item() for each in rows]
print("untrained, five seeds:", ", ".join(f"{each:.3f}" for each in by_seed), f"(chance: {chance_mean:.3f})")

# %% [markdown]
# With the built-in images, one of these means lies below chance. So how far an untrained network is above it is the
# luck of the seed. The trained network, of one seed, is far above all five: training made its rows pure. But trained
# rows share images, too. Which classes lead them?

# %% tags=["nbval-ignore-output"]
leading = purity.leading_class(most, test.labels, test.num_classes)  # (C,); -1 where several classes are level
led = leading[leading >= 0].bincount(minlength=test.num_classes)
names = [each.replace("_", " ") for each in test.class_names]
pd.DataFrame([[*led.tolist(), (leading < 0).sum().item()]], ["rows"], [*names, "none"])

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""**{names[led.argmax()].capitalize()}** leads {led.max()} of the {num_features}. Without these rows the mean purity is {row_purity[leading != led.argmax()].mean():.2f}, not {row_purity.mean():.2f}."""
text += "".join(f" No row is led by *{each}*." for each, count in zip(names, led, strict=True) if count == 0)
display(Markdown(text))

# %% [markdown]
# ## More than one network
#
# All of this was one network. Rankings like these are recorded, without images, beside the runs of the book. Here are
# the networks with 64 features, trained on CIFAR-10 for 64,000 iterations or, where the name says so, for fewer: `short`
# is 2,000, `4k` is 4,000, and so on ([chapter 3](03_plain_and_residual.ipynb)).
#
# > **Predict, then run**
# >
# > After the short training the deeper networks make more mistakes. Will their rows be purer than those of the shallow
# > ones, or less pure? And *before* training: will it matter whether a network has shortcuts?
#
# In Figure 4.4, look first at the way from each open dot to its full one, then at the open dots, plain beside residual.
# Last, compare the full dots with the test errors: do fewer mistakes go with purer rows?

# %% mystnb={"image": {"alt": "Two dots for each recorded network. Every trained network has purer rows than the same network before training. Before training, the residual networks of each depth lie higher than the plain ones. With 20 layers, plain and residual, the rows are purer after 8,000 iterations than after 2,000 and than after 64,000, though the errors fall all the way."}} tags=["nbval-ignore-output"]
frame = study_figures.study_frame(studies.recorded_studies("cifar10")).sort_values(["depth", "kind", "iterations"])
frame = frame[frame.features == num_features]
fig, ax = plt.subplots(figsize=(7.2, 0.9 + 0.24 * len(frame)))
study_figures.plot_means(frame, ax, "purity", "purity").legend(loc="upper center", bbox_to_anchor=(0.4, -0.1), ncols=3)
plt.show()

# %% [markdown]
# **Figure 4.4.** Purity of the ten most relevant images, mean over the features of each network, one seed each. Networks
# of one kind and depth began with the same weights: their open dots are the same network.

# %% tags=["nbval-ignore-output"]
print(f"{len(frame)} networks: correlation of purity and test error {frame.purity.corr(frame.test_error):.2f}")
print("least and most of them: images shared after training {:.2f}, {:.2f}".format(*frame.shared.agg(["min", "max"])))
print("left halves that are tied {}, {}".format(*frame.tied_at_zero.agg(["min", "max"])))
shown = {"untrained_shared": "shared before", "untrained_leaders": "leader before", "untrained_led": "its rows"}
frame.groupby(["depth", "kind"])[[*shown]].first().round(1).rename(columns=shown)

# %% [markdown]
# (*Shared*: how many images two rows have in common, on average. *Leader*: which class alone leads most rows. *Tied*: the
# next section explains it.) *Training made the rows purer in every network.*
#
# *Before training, the residual network lies higher in each of the four pairs.* That is less than four observations: all
# began from seed 0, and networks of different depths have their first weights in common. Nor are the rows of a network
# independent: in `plain56` two of them share more than six of their ten images, and in every residual network *airplane*
# alone leads more than half of the 64. How far apart twins would be with other seeds, this does not say.
#
# *After training, purity alone does not say how good a network is.* In the short training it falls with depth as the
# errors rise (the last residual network aside), and over all networks fewer mistakes go with purer rows. But with 20
# layers, plain or residual, the rows are purer after 8,000 iterations than after 64,000, with more than one and a half
# times as many mistakes. In `plain20` they are purer even after 2,000, with three times as many. (The
# [appendix](a4_more_about_features.ipynb) compares the twins, and has wide networks.)
#
# ## The other end: what a zero means
#
# On the left halves it is tempting to read "what this feature is *against*". But a feature is an average behind a ReLU.
# It cannot fall below zero, and it is exactly zero wherever its channel is silent at every place of the image. All such
# images are *equally* least relevant. If there are more than ten of them, they are *tied*, and the left half shows the
# first ten in the order of the dataset.
#
# **Predict.** For how many features does this order decide: none, some, most? And are left halves purer than chance?

# %% tags=["nbval-ignore-output"]
zeros = (trained == 0).sum(dim=0)  # (C,): images for which the feature is exactly zero
tied = zeros > K
halves = {"right": row_purity, "left, not tied": least_purity[~tied], "left, tied": least_purity[tied]}
listed = {words: [f"{len(each)}", f"{each.mean():.2f}"] for words, each in halves.items() if len(each)}
pd.DataFrame(listed, index=["features", "mean purity"]).T

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"Left halves have a mean purity of **{least_purity.mean():.2f}** in all; chance gives {chance_mean:.2f}."
display(Markdown(f"{text} The order of the files chose the images of {tied.sum()} of them."))

# %% [markdown]
# The order decides *which* silent images are shown, but not of which classes they are: tied halves are purer than
# chance, too. So a left half shows where a feature is weakest and, if it is tied, where it is silent.
# On CIFAR-10 most left halves of every network are tied (the numbers under Figure 4.4).
#
# ## Do the weights agree?
#
# The score of a class is a weighted sum of the features. Softmax sees only differences of scores, so we take from each
# feature's weights their mean over the classes. As a feature is never negative, a positive weight then raises the score
# of the class against the mean of all scores, and a negative one lowers it. Look up, for each feature, its weight for
# the class that leads the right half, and for the one that leads the left half (halves that no class leads are left
# out). *Shuffled* is the average if the leading classes were dealt out to the features anew.

# %% tags=["nbval-ignore-output"]
weight = this.class_weights - this.class_weights.mean(dim=0)  # (classes, C)
least_leading = purity.leading_class(least, test.labels, test.num_classes)
rows = {
    "right: weight is positive": (leading, weight > 0),
    "right: weight is the largest of all classes": (leading, weight == weight.amax(dim=0)),
    "left: weight is negative": (least_leading, weight < 0),
}
for words, (leader, holds) in rows.items():
    of_those = holds[:, leader >= 0][leader[leader >= 0]]  # (led, led): every leading class with every feature
    rows[words] = [f"{100 * each.double().mean():.0f} %" for each in (of_those.diagonal(), of_those)]
pd.DataFrame.from_dict(rows, orient="index", columns=["features", "shuffled"])

# %% [markdown]
# In this one network a feature mostly speaks *for* the class at its right end, though for more than half of them it is
# not the class for which it speaks most, and mostly *against* the class at its left end. That does not
# explain the rows: weights and features were trained together. What pushes a channel down is seen before the ReLU (an
# exercise of the appendix).
#
# ## Summary
#
# - What does a feature respond to? Most strongly to images of which about eight in ten are of one class, on average
#   over the network of the built-in images. By chance it is about three, and before training not much more.
# - In each recorded network on CIFAR-10 training made the rows purer, with one seed each. But a network with purer rows
#   need not make fewer mistakes.
# - Rows share images, most of all before training. They are not independent observations.
# - In one network, the class at the right end mostly has a positive weight, the class at the left end a negative one.
#   Where more than ten images tie at zero, the order of the files decides which of them are shown.
# - Purity sees classes, and ten images at the tip of a feature. It is blind to colours, and to all other images.
#
# ## Exercises
#
# The cells of exercises 1 and 2 check themselves: put your answer in, run, read. They are run here without one.

# %% [markdown]
# **1. By heart.** A row shows 5 cats, 3 dogs and 2 ships. What is its purity? And what is the lowest purity that a row
# of *twelve* images can have, if there are ten classes?

# %%
of_this_row, lowest_of_twelve = None, None  # your answers, between 0 and 1
labels = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
row = purity.purity(torch.arange(10)[None], labels, 3).item()
twelve = purity.purity(torch.arange(12)[None], torch.arange(12) % 10, 10).item()
if of_this_row is None or lowest_of_twelve is None:
    print("Not answered yet.")
elif abs(of_this_row - row) > 0.005:
    print("The first is wrong: only the most frequent class counts, as a share of all images of the row.")
elif abs(lowest_of_twelve - twelve) > 0.005:
    print("The first is right, the second wrong: spread the images evenly. Can all be of different classes?")
else:
    print("Right. So a purity never reaches 0, and short rows are purer than long ones without any reason.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `of_this_row, lowest_of_twelve = 5 / 10, 2 / 12`. Dogs and ships do not count. With ten classes and twelve images, some
# class must occur twice.
#
# </details>
#
# **2. Longer rows.** Purity depends on how many images are in a row. Complete `mean_purity`. Predict before you run it:
# if rows grow from 2 to 50 images, what falls faster, the purity of the trained network or that of chance?


# %%
def mean_purity(values: torch.Tensor, k: int) -> float | None:
    """The mean purity over the features ``values`` (N, C) of the k most relevant images."""
    return None  # your code: two lines with features.rank and purity.purity


yours = mean_purity(trained, K)
if yours is None:
    print("Not answered yet.")
elif abs(yours - least_purity.mean()) < 1e-6:
    print("Wrong: this is the purity of the least relevant images, the first of the two tensors of features.rank.")
elif abs(yours - row_purity.mean()) > 1e-6:
    print(f"Wrong: for {K} images it should be the mean purity of the trained network in the table above.")
elif not mean_purity(trained, 1) == mean_purity(torch.eye(test.num_classes)[test.labels], K) == 1:
    print("Nearly: right here, but not for another k or other values. A row of one image, say, has a purity of 1.")
else:
    print("Right. Compare with your prediction:")
    for k in (2, 10, 50):
        print(f"{k} images: {mean_purity(trained, k):.2f}, by chance {purity.chance_purity(test.labels, k):.2f}")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def mean_purity(values, k):
#     top = features.rank(values, k)[1]
#     return purity.purity(top, test.labels, test.num_classes).mean().item()
# ```
#
# In the smoke tier 0.88, 0.84 and 0.74, against 0.55, 0.27 and 0.17 by chance. Both fall, chance the faster: towards
# the share of the largest class, a tenth.
#
# </details>
#
# **3. Scores as features.** Rank the test images by the *scores* of the classes, in place of the features. What is the
# purity of the ten most relevant images of each score?
#
# <details><summary>Solution</summary>
#
# ```python
# scores = features.class_scores(network, trained)
# top = features.rank(scores, K)[1]
# print(purity.purity(top, test.labels, test.num_classes))
# ```
#
# It is 1 for most classes (in the smoke tier for all but *square* and *bow tie*, with 0.7), though the network makes many
# mistakes. A high purity says no more than that a number predicts a class well for a few extreme images.
#
# </details>

# %% [markdown]
# ## References
#
# The rows of least and most relevant images are an idea of
# [Sariyildiz (2018)](https://github.com/mbsariyildiz/resnet-pytorch); purity, its exact chance level and the comparison
# with untrained networks are ours. The network is that of [He et al. (2015a)](https://arxiv.org/abs/1512.03385), batch
# norm is from [Ioffe and Szegedy (2015)](https://arxiv.org/abs/1502.03167), and CIFAR-10 from
# [Krizhevsky (2009)](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf).

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
# relevant images of every feature. In most rows the most relevant ones "seem conceptually related", it says, and it
# warns that looking is no proof. We look, too. Then we count, and compare the count with two opponents that know
# nothing: blind draws, and the same network before training.
#
# **You will learn**
#
# - to take the features out of a trained network, and to check first that it is the network you think it is;
# - to put a number on "these images belong together", and to choose what that number must be compared with;
# - to tell when the least relevant images of a feature say something, and when they are an accident.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the network. With `tier = "smoke"` the page takes under half
# a minute on 2 cores and downloads nothing. `"cpu"` and `"paper"` take a few minutes and CIFAR-10 (170 MB). Nothing is
# trained here. What only specialists ask, from the first filters to the widest network, is in the
# [appendix](a4_more_about_features.ipynb).

# %% tags=["remove-cell"]
from importlib.util import find_spec

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
from resnet_book import augment, data, features, train
from resnet_book.analysis import purity, study
from resnet_book.experiments import studies, weights
from resnet_book.report import feature_picture, figures, study_figures

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
K = 10  # images at each end of a row
f"the {K} least and the {K} most relevant images of each feature"

# %% [markdown]
# ## A trained network
#
# Each tier has a network that it would like to look into. Where that one is not recorded, or its images are not here,
# the next best takes its place.

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
# Weights on disk prove nothing. Before we read meaning into a network, we make sure that it is the one whose result is
# recorded. It must see the same images, subtract the same mean, and make the recorded number of mistakes. A wrong mean
# or a forgotten evaluation mode would still leave pretty pictures. It would not leave this number.

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
#
# Nothing in equation (4.1) knows *where* in the image something was seen. It only knows how much of it there was.

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
# Are these numbers really all that the classifier knows? Then a product with its weights must repeat every mistake.

# %%
weight, bias = (each.detach().cpu() for each in network.classifier.parameters())
answers = (trained @ weight.T + bias).argmax(dim=1)
print(f"wrong answers from the features alone: {(answers != test.labels).sum():,}")

# %% [markdown]
# ## A row a feature
#
# To rank is to sort. Here is feature 0, from the image where it is smallest to the one where it is largest. The package
# ranks all features at once. Images with the same value keep the order in which they lie in the dataset, so that the
# answer is always the same. We will need that rule sooner than one would think.

# %%
order = trained[:, 0].argsort(stable=True)
least, most = features.rank(trained, K)  # (C, K) each, indices of images
assert torch.equal(least[0], order[:K])
assert torch.equal(trained[most[0], 0], trained[order.flip(0)[:K], 0])
pd.DataFrame({"least": trained[least[0], 0], "most": trained[most[0], 0]}).round(3).T

# %% [markdown]
# Now the picture of the original study. Every row is a feature, its ten least relevant images on the left, its ten most
# relevant on the right. Two things are ours: each image has a frame in the colour of its class, and the rows whose right
# half is mostly of one class come first.
#
# Do not try to name anything yet. Run your eye down the right halves of Figure 4.1, then down the left
# ones. In which half do more rows repeat one kind of image from end to end? (A click on the picture shows it at full
# size.)

# %% mystnb={"image": {"alt": "Small framed images in rows, a row a feature. The right halves of the upper rows repeat one kind of image and one colour of frame, in several rows the same one; the right halves of the last rows are mixed.", "width": "100%"}}
mean_std = tuple(record.mean), tuple(record.std)
this = study.make(network, trained, weights.untrained(record), train_images, test, *mean_std, k=K)
in_page = this.purest_first[:128]  # as many as fit; `resnet-book features` draws all
picture = feature_picture.draw(this, test, f"{name}, seed {record.seed}", in_page, columns=2)
Image(feature_picture.as_jpeg(picture), format="jpeg")

# %% [markdown]
# **Figure 4.1.** The ten least and the ten most relevant images of each feature, the purest rows first: down the left
# column, then down the right one. The frame of an image has the colour of its class.

# %% [markdown]
# Many right halves hold one kind of image over and over. And different rows often show the same images. Both deserve a
# number. (`resnet-book features NAME --out picture.png` draws such a picture of any recorded network.)
#
# ## From looking to counting
#
# The test images have labels, and the labels were not used to make the rows. So we can count how many of a row's ten
# images belong to the class that is most frequent among them. That share we call the row's **purity**. If $n_{cj}$ of
# the $k$ images of feature $c$ belong to class $j$, then
#
# $$ \mathrm{purity}_c = \frac{1}{k} \max_j n_{cj}, \tag{4.2} $$
#
# which is 1 where all are of one class. For feature 0, by hand:

# %% tags=["nbval-ignore-output"]
counts = Counter(test.class_names[label] for label in test.labels[most[0]].tolist())
row_purity = purity.purity(most, test.labels, test.num_classes)  # (C,)
assert row_purity[0] == max(counts.values()) / K
print(f"{dict(counts)}: purity {row_purity[0]:.1f}")

# %% [markdown]
# Now we know which rows to look at closely. Figure 4.2 shows the purest row of each of four classes,
# Figure 4.3 the four least pure rows. Look at the right halves of the mixed rows. What do their images
# share, if not their class: a colour, a direction, a background?


# %%
def classes_of(indices: torch.Tensor) -> str:
    """How many of these images are of which class, in words; at most three classes."""
    counts = Counter(test.class_names[label].replace("_", " ") for label in test.labels[indices].tolist())
    return ", ".join(f"{count} {each}" for each, count in counts.most_common(3)) + ", ..." * (len(counts) > 3)


def show_rows(rows: torch.Tensor) -> None:
    """Draw these features large, with the classes of both ends."""
    ends = [(f"feature {row}, least: {classes_of(least[row])}", f"most: {classes_of(most[row])}") for row in rows]
    _, ax = plt.subplots(figsize=(6.4, 0.5 * len(rows)))
    figures.show_ranked(test.images, least[rows], most[rows], ax, ends)
    plt.show()


by_purity = this.purest_first
leading = purity.class_counts(most, test.labels, test.num_classes).argmax(dim=1)  # the most frequent class of each row
classes_of(most[by_purity[0]])

# %% mystnb={"image": {"alt": "Four rows of images. In each right half all or nearly all ten images are of one class."}}
purest = {}
for row in by_purity:
    purest.setdefault(leading[row].item(), row)
show_rows(torch.stack(list(purest.values()))[:4])

# %% [markdown]
# **Figure 4.2.** The purest row of each of four classes: least relevant images on the left, most relevant on the right.

# %% mystnb={"image": {"alt": "Four rows of images. The right halves mix several classes; within a row, some share a colour or a form."}}
show_rows(by_purity[-4:])

# %% [markdown]
# **Figure 4.3.** The four least pure rows: least relevant images on the left, most relevant on the right.

# %% [markdown]
# In the pure rows the eye and the count agree. In the mixed ones they may not. A low purity says that the ten images are
# not of one *class*. It does not say that they have nothing in common. But a story that we find for them afterwards is
# no evidence that they have.
#
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
# Chance may be a weak opponent, though. In photographs the images of one class share colours and backgrounds. So *any*
# function that varies smoothly with the pixels will put some of them together, whatever it computes. (In the built-in
# drawings every shape comes in every colour: expect less of that there.)
#
# A second opponent is the same network before its first step. It has the very weights with which our network began,
# which follow from the seed. One thing it lacks: batch norm in evaluation mode
# ([Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)) uses statistics collected in training, and here there
# are none yet. So we let it measure them on 1,000 training images. That changes no weight.

# %%
untrained_network = weights.untrained(record)
features.measure_batch_norm(untrained_network, train_images.subset(1_000), record.mean, record.std, device=device)
untrained = features.extract(untrained_network, test, record.mean, record.std, device=device)
untrained_most = features.rank(untrained, K)[1]
assert device != "cpu" or torch.equal(untrained_most, this.untrained_most)
untrained_purity = purity.purity(untrained_most, test.labels, test.num_classes)
tuple(untrained.shape)

# %% [markdown]
# > **Predict, then run**
# >
# > You know what chance gives. Write down two numbers before you go on: the mean purity over all features of the
# > *trained* network, and that of the *untrained* one. Will the untrained one be at chance, halfway up, or close
# > behind?
#
#
# Look at Figure 4.4 from the right. How many rows are entirely of one class? Then find the untrained
# network: is it nearer to the dashed line of chance, or to the trained network?

# %% mystnb={"image": {"alt": "Histogram of purity. The trained network's features gather at the pure end; those of the untrained network stand to the left, between it and the dashed line of random draws, which peaks at three of ten images."}}
fig, ax = plt.subplots(figsize=(7.2, 3.4))
figures.purity_histogram({"trained": row_purity, "untrained": untrained_purity}, ("residual", "neutral"), chance, ax)
plt.show()

# %% [markdown]
# **Figure 4.4.** How pure the rows are: the share of features for which so many of the ten most relevant images are of
# one class. The dashed line is exact chance.

# %% [markdown]
# The same in numbers, beside as many rows of images drawn at random. *Beyond chance* are rows so pure that a blind draw
# gets there less than once in a thousand times. *Different images* is the share of different ones among all images that
# the rows show.

# %% tags=["nbval-ignore-output"]
at_least = chance.flip(0).cumsum(0).flip(0)  # probability of a largest class of m images or more
threshold = int((at_least < 0.001).nonzero()[0]) / K
rows = {"trained": most, "untrained": untrained_most, "drawn at random": blind[:num_features]}
table = {}
for words, each in rows.items():
    pure = purity.purity(each, test.labels, test.num_classes)
    different = each.unique().numel() / each.numel()
    shares = [(pure == 1).double().mean(), (pure > threshold - 1e-9).double().mean(), different]
    table[words] = [f"{pure.mean():.2f} ± {pure.std():.2f}", *(f"{100 * share:.0f} %" for share in shares)]
columns = ["purity", "of one class alone", f"beyond chance ({threshold} or more)", "different images"]
pd.DataFrame(table, index=columns)

# %% [markdown]
# The ± is the spread over the features of one network. The mean itself is surer than that, but how sure? We ask by the
# **bootstrap**: draw as many features as there are, with replacement, take the mean, and repeat that two thousand times.
# The middle 95 % of these means are the interval. It covers the features that this network might have had. It does not
# cover other seeds, and where features rank by nearly the same thing it is too narrow.

# %%
generator = torch.Generator().manual_seed(0)
resampled = row_purity[torch.randint(num_features, (2_000, num_features), generator=generator)].mean(dim=1)
low, high = resampled.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
assert (low, high) == purity.mean_interval(row_purity)[1:]
_, before_low, before_high = purity.mean_interval(untrained_purity)
print(f"trained: {low:.2f} to {high:.2f}; untrained: {before_low:.2f} to {before_high:.2f}; chance: {chance_mean:.2f}")

# %% tags=["remove-input", "nbval-ignore-output"]
gone = {
    words: 100 * max(0.0, (each.mean().item() - chance_mean) / (1 - chance_mean))
    for words, each in {"trained": row_purity, "untrained": untrained_purity}.items()
}
text = "The intervals of the trained and the untrained network "
text += "do not overlap: training made these rows purer. " if low > before_high else "overlap: no difference is shown. "
if before_low > chance_mean:
    text += "The untrained network is above chance, too, and it has never seen a label. "
else:
    text += "The untrained network is not clearly above chance. "
text += f"""Of the way from chance to perfectly pure rows, the untrained network has gone {gone["untrained"]:.0f} % and the trained one
**{gone["trained"]:.0f} %**. (One network, one seed.)"""
display(Markdown(text))

# %% [markdown]
# So what the original study saw can be counted. But what lies between chance and the untrained network was there before
# any learning. Whoever compares with chance alone credits training with that as well.
#
# The last line of the table has a warning. If many rows show the same images, the rows are not so many independent
# observations. Which classes do the pure ones belong to?

# %% tags=["nbval-ignore-output"]
by_class = pd.DataFrame(
    {
        "rows led by it": leading.bincount(minlength=test.num_classes),
        "of it alone": leading[row_purity == 1].bincount(minlength=test.num_classes),
    },
    index=[each.replace("_", " ") for each in test.class_names],
)
by_class

# %% tags=["remove-input", "nbval-ignore-output"]
first_class = by_class["rows led by it"].idxmax()
led, alone = by_class.loc[first_class]
others = row_purity[leading != leading.bincount().argmax()]
text = f"""Shared out evenly, every class would lead {num_features / test.num_classes:.1f} rows. **{first_class.capitalize()}** leads
{led} of the {num_features}. Of the {by_class["of it alone"].sum()} rows of one class alone, {alone} belong to it. Without the rows that it leads, the mean
purity is {others.mean():.2f}, not {row_purity.mean():.2f}. A high mean does not say that every class is well served."""
display(Markdown(text))

# %% [markdown]
# ## More than one network
#
# All of this was one network. A study like this one is recorded beside the runs of the book, as rankings without
# images, so here are the networks that were trained on CIFAR-10. Their trainings differ: `short` means 2,000 iterations
# for networks of 20 layers and more, those of [chapter 3](03_plain_and_residual.ipynb), and a little more for those of
# 10 layers, which are wide ([chapter 7](07_wide_networks.ipynb)). Compare only at equal iterations.

# %%
studied = studies.recorded_studies("cifar10")
frame = study_figures.study_frame(studied)
frame[["kind", "depth", "iterations", "test_error"]].round(2)

# %% [markdown]
# > **Predict, then run**
# >
# > After a short training, the deeper networks make more mistakes than the shallow ones (the column `test_error`). Will
# > their rows be purer, as those of a deeper network, or less pure, as those of a worse one? And *before* training:
# > will it matter whether a network has shortcuts?
#
#
# In Figure 4.5, look first at the distance between the full and the open dot of each network. Then
# compare the open dots of plain and residual networks of the same depth.

# %% mystnb={"image": {"alt": "Dots with intervals for each recorded network. Trained networks have purer rows than the same networks before training. Among the narrow networks trained briefly, the deeper ones, which make more mistakes, have less pure rows. Before training the residual networks have purer rows than the plain ones of their depth, which lie near chance."}}
fig, ax = plt.subplots(figsize=(7.2, 0.9 + 0.28 * len(frame)))
study_figures.plot_means(frame, ax, "purity", "purity").legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# **Figure 4.5.** Purity of the ten most relevant images: mean over the features of each recorded network, and its 95 %
# interval, trained (full) and before training (open). Plain networks are orange, residual ones blue. One seed each.

# %% [markdown]
# In every network of the book's records the trained rows are purer than the untrained ones, and the intervals do not
# overlap. So the finding of one network repeats, with one seed of each. But before training each residual network has
# purer rows than its plain twin, and the best of them stands about half of the way from chance to itself trained: a strong
# opponent on photographs. Random layers, one after another, leave little of the differences between images; a shortcut
# lets them pass. (That is our reading of the open dots. The numbers show only that it is so.) And depth did not make
# rows purer by itself. Among the narrow networks trained briefly, purity goes down with depth as the errors go up (the
# deepest residual network is a little above the last but one): they had simply learned less. Whether residual features are
# more selective than plain ones is a question for the [appendix](a4_more_about_features.ipynb).
#
# ## Why they belong together
#
# One reason is not deep at all. The score of a class is a weighted sum of features that are never negative. So a
# feature with a large weight for one class speaks for that class. For each feature we compare the class that its
# largest *weight* favours with the class that leads its row of *images*.

# %% tags=["nbval-ignore-output"]
by_weight = weight.argmax(dim=0)  # (C,)
agree = (by_weight == leading).double().mean().item()
frequencies = [each.bincount(minlength=test.num_classes) / num_features for each in (by_weight, leading)]
by_chance = (frequencies[0] * frequencies[1]).sum().item()  # if one of the two lists were shuffled
print(f"the same class for {100 * agree:.0f} % of the features; shuffled: {100 * by_chance:.0f} %")

# %% [markdown]
# Training asked for nothing but right answers. Features that speak for classes are what a linear classifier needs. To
# that extent the rows show what the labels put there, and not a concept that the network found on its own. Where weight
# and row differ, a feature may speak for several classes, or a class may be driven by several features together. (The
# appendix shows which features speak for each class, and asks about all images, not only the ten at the tip.)
#
# ## The other end: what a zero means
#
# On the left halves it is tempting to read "what this feature is *against*". But a feature is an average behind a ReLU.
# It cannot fall below zero, and it is exactly zero wherever its channel is silent at every place of the image. All such
# images are *equally* least relevant. If there are more than ten of them, the left half shows the first ten in the
# order of the dataset.
#
# **Predict.** For how many features is the left half such an accident: none, some, most?

# %% tags=["nbval-ignore-output"]
zeros = (trained == 0).sum(dim=0)  # (C,): images for which the feature is exactly zero
tied = zeros > K
least_purity = purity.purity(least, test.labels, test.num_classes)
halves = {"right": row_purity, "left, not tied": least_purity[~tied], "left, tied": least_purity[tied]}
listed = {words: [f"{len(each)}", f"{each.mean():.2f}"] for words, each in halves.items() if len(each)}
pd.DataFrame(listed, index=["features", "mean purity"]).T

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""**{"No feature has" if not tied.any() else "One feature has" if tied.sum() == 1 else f"{tied.sum()} of {num_features} features have"} a left half
that the order of the files decides.** The longest tie, in feature {zeros.argmax()}, is of {zeros.max():,} images. The left halves
have a mean purity of {least_purity.mean():.2f} in all; chance gives {chance_mean:.2f}."""
display(Markdown(text))

# %% [markdown]
# Left halves can be purer than chance without any "against". A feature that speaks for some classes is nearly silent on
# the others. If these are few, its least relevant images are of these few. So a left half shows where a feature is
# *silent*. To see what pushes it *down*, one has to look before the ReLU, which is an exercise of the appendix.
#
# ## Summary
#
# - The features are the averages that the last layer reads. They repeat every answer of the network, and before using
#   it we checked that it makes the recorded number of mistakes.
# - The ten most relevant images of a feature are of one class far more often than chance or the untrained network would
#   have it. But an untrained network may beat chance, too. Chance alone is too weak an opponent.
# - Rows are not independent observations. Many show the same images, and a high mean may be the work of one class.
# - Where more than ten images tie at exactly zero, the left half of a row is an accident of order.
# - Purity counts classes, and sees classes only. It cannot tell what else images share.
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
# the share of the largest class, a tenth. The trained network falls as the rows reach beyond the images that a feature
# is most sure of.
#
# </details>
#
# **3. Scores as features.** Rank the test images by the *scores* of the classes, in place of the features. What is the
# purity of the ten most relevant images of each score, and what does that say about purity as a measure of
# understanding?
#
# <details><summary>Solution</summary>
#
# ```python
# scores = features.class_scores(network, trained)
# top = features.rank(scores, K)[1]
# print(purity.purity(top, test.labels, test.num_classes))
# ```
#
# It is 1 for most classes (in the smoke tier for all but *square* and *bow tie*, with 0.7): the answers of which a
# classifier is most sure are mostly right, even where it makes many mistakes elsewhere. A high purity says no more than
# that a number predicts a class well for a few extreme images.
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

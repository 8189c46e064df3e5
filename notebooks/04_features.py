# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the features respond to
#
# The last layer of our networks is linear: it sees an image as a short list of numbers, its *features*, and nothing
# else. **What does each feature respond to, and do the images that it rates highest really belong together?**
#
# A well-known way to ask is to sort all test images by one feature and look at both ends. The study that this page
# re-does {cite}`sariyildiz2018resnet` drew the ten least and the ten most relevant images of every feature, found
# that in most rows the most relevant ones "seem conceptually related", and warned that looking is no proof. We look,
# too. Then we count, and compare the count with what knows nothing: chance, and networks before training.
#
# **You will learn**
#
# - to take the features out of a trained network, and to check first that it is the network you think it is;
# - to rank images by a feature, and what it means when the least relevant ones are all exactly zero;
# - to put a number on "they belong together", and to choose what that number must be compared with.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the network. With `tier = "smoke"` the page takes under half
# a minute on 2 cores and downloads nothing. `"cpu"` takes two or three minutes and CIFAR-10 (170 MB); `"paper"` the
# same on a GPU, and a few minutes without one. Nothing is trained here: the network is one of those recorded with the
# book.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab: upload the book's wheel beside this notebook
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")

# %% tags=["parameters"]
tier = "smoke"  # "smoke": the built-in images; "cpu": a short run on CIFAR-10; "paper": the deepest run of the paper's
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
from collections import Counter

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Image, Markdown, display
from torch import nn

# %%
from resnet_book import augment, cifar, data, features, train
from resnet_book.analysis import purity, study
from resnet_book.experiments import records, studies, weights
from resnet_book.report import feature_picture, figures, study_figures, tables

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
K = 10  # images at each end of a row
f"the {K} least and the {K} most relevant images of each feature"

# %% [markdown]
# ## A trained network
#
# Each tier has a network it would like to look into. Where it is not recorded, or there is no CIFAR-10, the next best
# takes its place, and the page says so. (A folder of images that you named has to be there.)


# %%
def wanted_networks(tier: str) -> list[str]:
    """Names of experiments, the one that this tier asks for first."""
    recorded = records.load_all(records.find_results())
    papers = {each.experiment: each for each in recorded if each.recipe_name == "paper" and each.seed == 0}
    residual = [each for each in papers.values() if tables.kind_and_depth(each.model["name"])[0] == "residual"]
    deepest = sorted(residual, key=lambda each: -tables.kind_and_depth(each.model["name"])[1])
    first = [each.experiment for each in deepest] if tier == "paper" else []
    return first + ["resnet20-cifar10-short"] * (tier != "smoke") + ["resnet20-builtin-smoke"]


wanted_networks("cpu")

# %%
problems, results = [], records.find_results()
for name in wanted_networks(tier):
    if not records.path_of(results, name, 0).with_suffix(".safetensors").exists():
        problems.append(f"`{name}` is not recorded, or its weights were not kept.")
        continue
    network, record = weights.load_network(name, results=results)
    try:
        test = data.load(record.dataset["name"], "test", data_root or None)
        break
    except cifar.DataMissingError as missing:
        if missing.named:  # you named a folder, so nothing may stand in for it
            raise
        problems.append(f"`{name}` needs CIFAR-10, which was not found: `resnet-book data cifar10` fetches it.")
else:
    raise records.RecordError(f"{results} holds no network that this page could look into. Name another folder.")
print(f"{name}: {record.model['name']}, trained for {record.recipe['iterations']:,} iterations, seed {record.seed}")

# %% tags=["remove-input"]
no_paper = tier == "paper" and record.recipe_name != "paper"
if problems:
    note = f"**The network that tier `{tier}` asks for is not at hand**, so this page looks into `{name}`. "
    note += " ".join(problems)
elif no_paper:
    note = f"**No run by the paper's recipe is recorded yet**, so this page looks into `{name}`, which was trained for "
    note += f"{record.recipe['iterations']:,} iterations only."
elif tier == "smoke":
    note = "**These are the built-in images**, ten classes of small drawings, as always in tier `smoke`, and the "
    note += f"network has been trained on them for {record.recipe['iterations']} iterations only. Take them as an "
    note += "example of the method; tier `cpu` shows the same for CIFAR-10, and *Plain or residual, shallow or deep* "
    note += "below has the numbers of networks trained on CIFAR-10, in every tier."
else:
    note = f"**These are the test images of CIFAR-10**, and the network is that of `{name}`."
display(Markdown(f"> {note}"))

# %% [markdown]
# (The page takes networks apart. To *use* a recorded one, `resnet_book.load_trained(name)` is simpler: what it returns
# normalises pictures itself and names the classes.)
#
# Weights on disk prove nothing. Before we read meaning into a network we make sure that it is the one whose result is
# recorded: it must see the same images, subtract the same mean, and make exactly the recorded number of mistakes. A
# wrong mean or a forgotten evaluation mode would still leave pretty pictures behind; it would not leave this number.

# %%
device = "cuda" if torch.cuda.is_available() else "cpu"
assert test.sha256 == record.dataset["test"]["sha256"]

_, error = train.evaluate(network.to(device), test, record.mean, record.std, device=device)
wrong, recorded_wrong = (round(each * len(test) / 100) for each in (error, record.test_error))
print(f"wrong answers: {wrong:,} of {len(test):,} now, {recorded_wrong:,} recorded")

# %% [markdown]
# The same kind of device should give the same number, to the last image. Another kind adds in another order, and
# rounding may tip an image that was on the edge, so there we allow a few.

# %%
same_kind = (record.parts[-1].cuda is None) == (device == "cpu")
allowed = 0 if same_kind else len(test) // 500
assert abs(wrong - recorded_wrong) <= allowed
print(f"differs by {abs(wrong - recorded_wrong)} images; allowed: {allowed}")

# %% tags=["remove-input"]
text = f"So this is the recorded network: {record.model['name']}, with a test error of {record.test_error:.2f} %, "
text += f"trained on {record.device}. It is one network from one seed; keep that in mind below."
display(Markdown(text))

# %% [markdown]
# ## The features, by hand
#
# A network of this book is a stem, three stages of blocks, an average over all places of the image, and a linear
# classifier {cite}`he2015deep`. The features are what the average leaves. If $a_{c}(u, v)$ is the activation of channel
# $c$ at row $u$ and column $v$ after the last ReLU, on a map of $H \times W$ places, then
#
# $$ f_c = \frac{1}{H W} \sum_{u=1}^{H} \sum_{v=1}^{W} a_{c}(u, v) \;\geq\; 0. $$ (eq-feature)
#
# Nothing in {eq}`eq-feature` knows where in the image something was seen; it only knows how much of it there was. We
# go through the test images in batches, without gradients, so that memory stays small.

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
print(f"{len(by_hand):,} images, {by_hand.shape[1]} features each, smallest {by_hand.min():.1f}")

# %% [markdown]
# The package does the same, and adds what a user may forget: evaluation mode, and the images' type.

# %%
trained = features.extract(network, test, record.mean, record.std, device=device)
torch.testing.assert_close(trained, by_hand)
num_features = trained.shape[1]
tuple(trained.shape), trained.dtype

# %% [markdown]
# Are these numbers really all that the classifier knows? Then a product with its weights must repeat the network's
# answers, mistake for mistake.

# %%
weight, bias = (each.detach().cpu() for each in network.classifier.parameters())
answers = (trained @ weight.T + bias).argmax(dim=1)
print(f"wrong answers from the features alone: {(answers != test.labels).sum():,}")

# %% [markdown]
# ## Ranking the images
#
# To rank is to sort. One feature first: feature 0, from the image where it is smallest to the one where it is largest.

# %%
order = trained[:, 0].argsort(stable=True)
lowest, highest = order[:K], order.flip(0)[:K]
print(f"exactly zero among the least: {(trained[lowest, 0] == 0).sum()} of {K}")
pd.DataFrame({"least": trained[lowest, 0], "most": trained[highest, 0]}).round(3).T

# %% [markdown]
# The package ranks all features at once. It states what happens to images with the same value: they keep the order in
# which they lie in the dataset, at both ends, so the answer is the same every time. We will need that rule sooner than
# one would think.

# %%
least, most = features.rank(trained, K)
assert torch.equal(least[0], lowest)
assert torch.equal(trained[most[0], 0], trained[highest, 0])  # flip turned ties about
tuple(least.shape), tuple(most.shape)

# %% [markdown]
# ## A row a feature
#
# Now the picture of the original study {cite}`sariyildiz2018resnet`: every row is a feature, its ten least relevant
# images on the left, its ten most relevant on the right. Two things are ours: a frame in the colour of the class around
# each image, and the order of the rows: those whose right half is mostly of one class come first. The package makes all
# that this page is going to need in one go (each part of it is built below), and the picture from it.

# %%
train_images = data.load(test.name, "train", data_root or None)
before_training = weights.untrained(record)  # with the weights it began with: they follow from the seed
mean_std = (tuple(record.mean), tuple(record.std))
this = study.make(network.to(device), trained, before_training, train_images, test, *mean_std, k=K)
assert device != "cpu" or (torch.equal(this.least, least) and torch.equal(this.most, most))
print(f"{len(this.most)} rows of {this.k} + {this.k} images")

# %% [markdown]
# Do not try to name anything yet. Run your eye down the right halves of {numref}`fig-ch4-rows`, then down the left
# ones, and ask only: in which half do more rows repeat one kind of image from end to end? (In the book, a click on the
# picture shows it at full size.)

# %% mystnb={"image": {"alt": "Small framed images in rows, a row a feature. The right halves of the upper rows repeat one kind of image and one colour of frame, in several rows the same one; the right halves of the last rows are mixed.", "width": "100%"}, "figure": {"caption": "The ten least and the ten most relevant images of each feature, the purest rows first: down the left column, then down the right one. The frame of an image has the colour of its class.", "name": "fig-ch4-rows"}}
in_page = this.purest_first[:128]  # at most: the command below draws as many as there are
picture = feature_picture.draw(this, test, f"{name}, seed {record.seed}", in_page, columns=2)
Image(feature_picture.as_jpeg(picture), format="jpeg")

# %% [markdown]
# The command line draws the same for any recorded network, here for one trained on CIFAR-10, with up to 2,048 features:
#
# ```console
# $ python -m resnet_book features resnet20-cifar10-short --k 10 --out picture.png
# ```
#
# Many right halves hold one kind of image over and over. And in both halves different rows often show the same images.
# Both are worth a number.
#
# ## From looking to counting
#
# The test images have labels, and the labels were not used to make the rows. So we can count, for each row, how many
# of its ten images belong to the class that is most frequent among them. The share of that class we call the row's
# **purity**. If $n_{cj}$ of the $k$ images of feature $c$ belong to class $j$, then
#
# $$ \mathrm{purity}_c = \frac{1}{k} \max_j n_{cj}, $$ (eq-purity)
#
# which is 1 where all are of one class. For feature 0, by hand:

# %% tags=["nbval-ignore-output"]
counts = Counter(test.class_names[label] for label in test.labels[most[0]].tolist())
print(dict(counts))
print(f"purity of feature 0: {max(counts.values()) / K}")

# %%
row_purity = purity.purity(most, test.labels, test.num_classes)
assert row_purity[0] == max(counts.values()) / K
tuple(row_purity.shape), row_purity.dtype

# %% [markdown]
# Now we know which rows to look at closely. {numref}`fig-ch4-purest` shows the purest row of each of four classes and
# {numref}`fig-ch4-mixed` the four least pure rows, both ends of each, with the classes counted above. Where more than
# ten images give a feature of exactly zero, the least relevant ones are tied, and their number is given: a warning for
# later.


# %%
def classes_of(indices: torch.Tensor, shown: int = 3) -> str:
    """The classes of these images in words, the most frequent first."""
    counts = Counter(test.class_names[label] for label in test.labels[indices].tolist()).most_common()
    words = [f"{count} {name}" for name, count in counts[:shown]]
    others = sum(count for _, count in counts[shown:])
    return ", ".join(words + [f"{others} other"] * (others > 0))


def show_rows(rows: torch.Tensor) -> None:
    """Draw these features large, with the classes of both ends."""
    ends = []
    for row in rows.tolist():
        zeros = int((trained[:, row] == 0).sum())
        tie = f" ({zeros:,} tied)" if zeros > K else ""
        left = f"feature {row}, least{tie}: {classes_of(least[row], 1 if tie else 3)}"
        ends.append((left, f"most: {classes_of(most[row])}"))
    _, ax = plt.subplots(figsize=(6.4, 0.5 * len(rows)))
    figures.show_ranked(test.images, least[rows], most[rows], ax, ends)
    plt.show()


# %%
by_purity = this.purest_first
counts = purity.class_counts(most, test.labels, test.num_classes)
leading = counts.argmax(dim=1)  # the most frequent class of each row
purest = {}
for row in by_purity:
    purest.setdefault(leading[row].item(), row)
four = torch.stack(list(purest.values()))[:4]
f"purest: feature {by_purity[0]}, {test.class_names[leading[by_purity[0]]]}"

# %% mystnb={"image": {"alt": "Four rows of images. In each right half all or nearly all ten images are of one class."}, "figure": {"caption": "The purest row of each of four classes: least relevant images on the left, most relevant on the right.", "name": "fig-ch4-purest"}}
show_rows(four)

# %% mystnb={"image": {"alt": "Four rows of images. The right halves mix several classes; within a row, some share a colour or a form."}, "figure": {"caption": "The four least pure rows: least relevant images on the left, most relevant on the right.", "name": "fig-ch4-mixed"}}
show_rows(by_purity[-4:])

# %% [markdown]
# In the pure rows the eye and the count agree. In the mixed rows they may not: look again at the right halves of
# {numref}`fig-ch4-mixed` and ask what their images share, if not their class. A colour, a direction, a form, a
# background? A low purity says that the ten are not of one *class*. It does not say that they have nothing in common,
# and a story that we find for them afterwards is not evidence that they have.

# %% [markdown]
# ## Compared with what?
#
# A number on its own is no finding. Ten images from ten classes cannot have a purity of zero, and even ten images
# taken blindly often have three of a kind. Chance can be computed exactly, by counting sets of ten images, and we can
# take some blindly to check it.

# %%
chance = purity.chance_distribution(test.labels, K)
chance_mean = purity.chance_purity(test.labels, K)

generator = torch.Generator().manual_seed(0)
blind = torch.stack([torch.randperm(len(test), generator=generator)[:K] for _ in range(2_000)])
drawn = purity.purity(blind, test.labels, test.num_classes)
assert abs(drawn.mean() - chance_mean) < 0.01
print(f"purity by chance: {chance_mean:.3f} computed, {drawn.mean():.3f} in {len(drawn):,} draws")

# %% [markdown]
# Chance may be a weak opponent, though. In photographs the images of one class share colours and backgrounds, so *any*
# function of the pixels that varies smoothly will put some of them together. (In the built-in drawings every shape
# comes in every colour: expect less there.) So a second opponent is the same network before its first step: the same
# shape, the very weights with which our network began (they follow from the seed), no training.

# %% tags=["nbval-ignore-output"]
untrained_network = weights.untrained(record)
untrained = features.extract(untrained_network, test, record.mean, record.std, device=device)
with torch.inference_mode():
    wrong = untrained_network.classifier.cpu()(untrained).argmax(dim=1) != test.labels
print(f"test error before training: {100 * wrong.double().mean():.1f} %")

# %% [markdown]
# One thing about it is odd. Batch norm {cite}`ioffe2015batch` in evaluation mode uses statistics collected in
# training, and this network has collected none: it believes that every mean is 0 and every variance 1. So there is a
# third opponent, with random weights still, but with statistics measured on 1,000 training images.

# %%
measured_network = weights.untrained(record).to(device)
for module in measured_network.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.momentum = None  # running statistics become the plain average over all batches
measured_network.train()
with torch.no_grad():
    for images in data.load(test.name, "train", data_root or None).images[:1_000].split(250):
        measured_network(augment.normalise(images.to(device), mean, std))
measured = features.extract(measured_network, test, record.mean, record.std, device=device)
tuple(measured.shape)

# %% [markdown]
# ```{admonition} Predict, then run
# :class: tip
#
# You know what chance gives. Write down two numbers before you go on: the mean purity over all features of the
# *trained* network, and that of the *untrained* one. Will the untrained one be at chance, halfway up, or close behind?
# ```

# %%
networks = {"trained": trained, "untrained, as it is": untrained, "untrained, measured": measured}
tops = {name: features.rank(values, K)[1] for name, values in networks.items()}
purities = {name: purity.purity(top, test.labels, test.num_classes) for name, top in tops.items()}
list(purities)

# %% mystnb={"image": {"alt": "Histogram of purity. The trained network's features gather at the pure end; those of the untrained network stand to the left, between it and the dashed line of random draws, which peaks at three of ten images."}, "figure": {"caption": "How pure the rows are: share of features for which the most frequent class has so many of the 10 most relevant images, for the trained network and the untrained one (statistics measured), and the exact distribution for images drawn at random.", "name": "fig-ch4-purity"}}
fig, ax = plt.subplots()
compared = {words: purities[words] for words in ("trained", "untrained, measured")}
figures.purity_histogram(compared, ("residual", "neutral"), chance, ax)
plt.show()

# %% [markdown]
# Look at {numref}`fig-ch4-purity` from the right: how many rows are entirely of one class? Then look at where the
# untrained network stands between the dashed line and the trained one. The same in numbers: the mean purity and its
# spread (standard deviation) over features, the share of rows of one class alone, that of rows so pure that a random
# draw gets there less than once in a thousand times (*beyond*), and how many of the images that the rows show are
# different ones.

# %% tags=["nbval-ignore-output"]
beyond = chance.flip(0).cumsum(0).flip(0)  # probability of at least m of K
threshold = int((beyond < 0.001).nonzero()[0]) / K
rows = {
    name: {
        "purity": each.mean().item(),
        "spread": each.std().item(),
        "one class (%)": 100 * (each == 1).double().mean().item(),
        "beyond (%)": 100 * (each >= threshold - 1e-9).double().mean().item(),
        "different (%)": 100 * tops[name].unique().numel() / tops[name].numel(),
    }
    for name, each in purities.items()
}
print(f"less than once in a thousand draws: a purity of {threshold} or more")
pd.DataFrame(rows).map("{:.2f}".format).T

# %% tags=["remove-input", "nbval-ignore-output"]
summary = {name: f"{each.mean():.2f} ± {each.std():.2f}" for name, each in purities.items()}
share = {name: (purities[name].mean().item() - chance_mean) / (1 - chance_mean) for name in purities}
untrained_words = (
    f"{summary['untrained, as it is']} as it is, or {summary['untrained, measured']} with statistics measured"
)
different = len(test) * (1 - (1 - K / len(test)) ** num_features) / (K * num_features)  # expected of random rows
lowered = purities["untrained, measured"].mean() < purities["untrained, as it is"].mean()
text = f"""The trained network's rows have a mean purity of **{summary["trained"]}**, against {chance_mean:.2f} by chance and,
before training, {untrained_words}; ± is the spread over the {num_features} features of one network, not over networks. Of
the way from chance to perfectly pure rows, the trained network has gone {100 * share["trained"]:.0f} %, the untrained one
{100 * share["untrained, as it is"]:.0f} % or {100 * share["untrained, measured"]:.0f} %. Rows drawn at random would show
{100 * different:.0f} % different images.

Measuring batch norm's statistics has {"lowered" if lowered else "raised"} the purity here, so of the two untrained networks the one
*{"without" if lowered else "with"}* measured statistics is the harder opponent."""
display(Markdown(text))

# %% [markdown]
# So "the most relevant ones belong together" is true of this network, as an average and with exceptions, and training
# made it so: that is the gap between the first row of the table and the other two. But what lies between chance and an
# untrained network was there before any learning. Comparing with chance alone credits training with that as well. For
# the built-in drawings it is little. For photographs it can be more: some untrained residual networks in
# {numref}`fig-ch4-networks` below are about halfway from chance to the same network trained.
#
# The last column shows what the spread hides: fewer different images than random rows would have. Where features rank
# by nearly the same thing, their rows show the same images, and are not so many independent observations. Which classes
# do the pure rows belong to?

# %% tags=["nbval-ignore-output"]
pure_rows = (row_purity == 1).nonzero().flatten()
pure_classes = Counter(test.class_names[label] for label in test.labels[most[pure_rows, 0]].tolist())
different_images = most[pure_rows].unique().numel()
print(f"{len(pure_rows)} rows of one class: {different_images} different images of {most[pure_rows].numel()}")
names = [each.replace("_", " ") for each in test.class_names]
by_class = pd.DataFrame(
    {
        "rows led by it": [(leading == label).sum().item() for label in range(len(names))],
        "mean purity": [
            f"{row_purity[leading == label].mean():.2f}" if (leading == label).any() else "–"
            for label in range(len(names))
        ],
        "of it alone": [pure_classes[each] for each in test.class_names],
    },
    index=names,
)
by_class

# %% tags=["remove-input", "nbval-ignore-output"]
largest_class = by_class.iloc[:, 0].idxmax()
its_label = names.index(largest_class)
text = f"""Pure rows are not shared out evenly. **In {by_class.loc[largest_class].iloc[0]} of the {num_features} rows one class,
{largest_class}, is the most frequent**, and {by_class.loc[largest_class].iloc[2]} of the {len(pure_rows)} rows of one class
alone are of it. Without them the mean purity is {row_purity[leading != its_label].mean():.2f}, in place of {row_purity.mean():.2f}. A high mean
purity does not say that every class is well served; keep this table in mind for what follows."""
display(Markdown(text))

# %% [markdown]
# ### A second measure, and how sure
#
# Purity sees the largest class only: five cats and five dogs are as pure as five cats and five of five other kinds. The
# **entropy** of the classes in a row sees all of them. With $p_{cj} = n_{cj} / k$,
#
# $$ \mathrm{entropy}_c = -\sum_j p_{cj} \log_2 p_{cj} \quad \text{bits}, $$ (eq-entropy)
#
# is 0 where all are of one class, and $\log_2 10 \approx 3.3$ where all ten are of different ones. By hand, for the
# purest and the least pure feature:

# %% tags=["nbval-ignore-output"]
for row in (by_purity[0], by_purity[-1]):
    shares = purity.class_counts(most[row][None], test.labels, test.num_classes)[0] / K
    shares = shares[shares > 0]
    print(f"feature {row}: {abs(-(shares * shares.log2()).sum()):.2f} bits")

# %%
row_entropy = purity.entropy(most, test.labels, test.num_classes)
entropy_by_hand = abs(-(shares * shares.log2()).sum())  # of the least pure one
torch.testing.assert_close(row_entropy[by_purity[-1]].float(), entropy_by_hand)
tuple(row_entropy.shape)

# %% [markdown]
# A mean over 64 features is itself uncertain: with other features it would be another. How much, we ask by the
# **bootstrap**: draw 64 of our features with replacement, take the mean, repeat two thousand times, and report the
# range that holds 95 % of these means. (That is the uncertainty over *features*. Another seed is another matter, and
# features that rank by nearly the same thing make the interval look narrower than it is.) From here on, *before
# training* means the untrained network with its statistics measured, since the trained one computes with measured
# statistics too.

# %% tags=["nbval-ignore-output"]
numbers = study.summary(this)
kinds = {"trained": "", "before training": "untrained_", "trained, least relevant": "least_"}
table = {
    words: [
        "{:.2f} ({:.2f} to {:.2f})".format(*(numbers[prefix + measure + end] for end in ("", "_low", "_high")))
        for measure in ("purity", "entropy")
    ]
    for words, prefix in kinds.items()
}
table["drawn at random"] = [f"{numbers['chance_purity']:.2f}", f"{numbers['chance_entropy']:.2f}"]
pd.DataFrame.from_dict(table, orient="index", columns=["purity", "entropy (bits)"])

# %% tags=["remove-input", "nbval-ignore-output"]
pure_apart = numbers["purity_low"] > numbers["untrained_purity_high"]
mixed_apart = numbers["entropy_high"] < numbers["untrained_entropy_low"]
text = f"""The intervals of the trained and the untrained network {"are apart" if pure_apart else "overlap"} in purity and
{"are apart" if mixed_apart else "overlap"} in entropy"""
text += ": both measures tell the same story." if pure_apart == mixed_apart else ", so the two measures differ."
display(Markdown(text))

# %% [markdown]
# ### Dead, or selective
#
# The ten most relevant images are the tip of a feature. Two questions for all the images: is the feature ever on, and
# does one class stand out? For the second, compare the mean of the feature over the class where it is largest, $a$,
# with its mean over all the other classes, $b$. The **class selectivity** {cite}`morcos2018importance`
#
# $$ s_c = \frac{a - b}{a + b} $$ (eq-selectivity)
#
# is 0 for a feature that answers all classes alike, 1 for one that answers a single class, and $1/2$ where the class
# stands out threefold *from the mean of the others*: from there on we call a feature *selective*. That is less than "on
# for one class only": a feature equally strong on four classes of ten and silent on the others has $b = a \cdot 3/9$,
# and is still selective.

# %%
means = purity.class_means(trained, test.labels, test.num_classes)  # (classes, C)
largest = means.max(dim=0).values
others = (means.sum(dim=0) - largest) / (test.num_classes - 1)
torch.testing.assert_close(purity.selectivity(means), (largest - others) / (largest + others).clamp(min=1e-12))
tuple(means.shape)

# %% tags=["nbval-ignore-output"]
selective = purity.selectivity(means) >= study.SELECTIVE
first_two = means[:, selective].topk(2, dim=0).values
pd.Series(
    {
        "features": num_features,
        "dead: zero for every image": numbers["dead"],
        "selective before training": numbers["untrained_selective"],
        "selective": numbers["selective"],
        "of these, with a second class more than half as strong": int((2 * first_two[1] > first_two[0]).sum()),
        "of these, with a row of one class alone": int((row_purity[selective] == 1).sum()),
    }
)

# %% [markdown]
# The other features answer several classes, each to its own degree, and the classifier sorts it out. A pure row and a
# selective feature are two things: the row is its tip of ten images, the selectivity its means over all of them.
#
# ## Plain or residual, shallow or deep
#
# All of this was one network. The study is recorded beside the runs of this book, as a file of rankings and numbers
# without images (`results/<experiment>/seed0.study.safetensors`), so here are the networks trained on CIFAR-10,
# whatever this page was run on. They were not all trained alike. The *narrow* ones, of 20 layers and more, are those of
# [chapter 3](03_plain_and_residual.ipynb), and `short` means 2,000 iterations; those of 10 layers are the *wide* ones
# of [chapter 7](07_wide_networks.ipynb), where `short` is longer. *Twins* are a plain and a residual network of the
# same depth. So look at the iterations before you compare two rows.
#
# ```{admonition} Predict, then run
# :class: tip
#
# By the recipe `short` the deeper of the narrow networks were trained just as briefly as the shallow ones, and make more
# mistakes. Will their rows be purer, as those of a deeper network, or less pure, as those of a worse one? Which of two
# twins will have more selective features? And will shortcuts matter *before* training?
# ```


# %%
def recorded_studies(dataset: str) -> dict[str, tuple[records.Record, study.Study]]:
    """Record and study of each run on ``dataset`` that has one: short trainings first, then shallow networks.

    Ablations and networks with other shortcuts than their family's are left out.
    """
    found = {}
    for each in records.load_all(results):
        usual = each.recipe_name in ("paper", "short", "wide") and each.model["shortcut"] is None
        wanted = usual and each.dataset["name"] == dataset and each.seed == 0
        if wanted and (kept := studies.kept_study(each.experiment, results=results)):
            found[each.experiment] = each, kept
    return dict(sorted(found.items(), key=lambda item: order_of(item[1][0])))


def order_of(each: records.Record) -> tuple[int, int]:
    """Iterations, layers."""
    return each.recipe["iterations"], tables.kind_and_depth(each.model["name"])[1]


studied = recorded_studies("cifar10")
list(studied)


# %%
def described(each: records.Record, found: study.Study) -> dict:
    """What was trained and how, its error, and the numbers of its study."""
    kind, depth = tables.kind_and_depth(each.model["name"])
    how = {"recipe": each.recipe_name, "iterations": each.recipe["iterations"]}
    about = {"kind": kind, "depth": depth, **how, "test_error": each.test_error}
    selective = purity.selectivity(found.class_means) >= study.SELECTIVE
    names = ("selective_share", "selective_share_low", "selective_share_high")
    share = dict(zip(names, purity.mean_interval(selective.double()), strict=True))
    return {**about, **study.summary(found), **share}


frame = pd.DataFrame.from_dict({name: described(*found) for name, found in studied.items()}, orient="index")
frame = frame.rename(index=lambda experiment: experiment.replace("-cifar10", ""))
frame[["iterations", "test_error", "features", "dead", "different"]].round(2)

# %% [markdown]
# (`dead`: how many features are zero for every image. `different`: of the images that all right halves show, the share
# of different ones.)

# %% mystnb={"image": {"alt": "Dots with intervals for each recorded network. Trained networks have purer rows than the same networks before training. Of the narrow networks by the recipe short, those of 56 layers, which make more mistakes, have less pure rows than those of 20, the plain one most of all. Before training the residual networks have purer rows than the plain ones of their depth, which lie near chance."}, "figure": {"caption": "Purity and entropy of the ten most relevant images, mean over the features of each recorded network and its 95 % interval, trained (full) and before training with batch norm measured (open). Dashed: images drawn at random. One seed each; compare at equal iterations (the table above).", "name": "fig-ch4-networks"}}
fig, axes = plt.subplots(1, 2, figsize=(8.2, 0.9 + 0.42 * len(frame)), sharey=True)
study_figures.plot_means(frame, axes[0], "purity", "purity").get_legend().remove()
study_figures.plot_means(frame, axes[1], "entropy", "entropy (bits)")
axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# {numref}`fig-ch4-networks` mixes kinds, depths and recipes. To compare plain with residual fairly, depth and recipe
# must be equal. Here are all such twins, plain above residual, with the 95 % intervals over the features of each.


# %%
def with_interval(row: pd.Series, measure: str) -> str:
    """A mean over the features, and its interval."""
    return f"{row[measure]:.3f} ({row[measure + '_low']:.3f} to {row[measure + '_high']:.3f})"


both_names = [(name, name.replace("plain", "resnet")) for name in frame.index[frame.kind == "plain"]]
twins = [(plain, residual) for plain, residual in both_names if residual in frame.index]
paired = frame.loc[[name for twin in twins for name in twin]]
measures = ("selective_share", "purity")
texts = {measure: [with_interval(row, measure) for _, row in paired.iterrows()] for measure in measures}
paired[["test_error"]].assign(**texts)


# %% tags=["remove-input"]
def compared_twins(measure: str) -> str:
    """In how many pairs the residual network has more, and which intervals do not overlap."""
    apart = []
    for twin in twins:
        low, high = (row for _, row in frame.loc[list(twin)].sort_values(measure).iterrows())
        if low[measure + "_high"] < high[measure + "_low"]:
            apart.append(f"`{high.name}` above `{low.name}`")
    more = sum(frame.loc[residual, measure] > frame.loc[plain, measure] for plain, residual in twins)
    which = f"in {len(apart)}: {', '.join(apart)}" if apart else "in none"
    return f"larger for the residual network in {more} of {len(twins)} pairs. The two intervals are apart {which}."


text = "No twins are recorded with their studies."
if twins:
    ranked = [frame.loc[list(twin)].sort_values("selective_share").test_error for twin in twins]
    fewer = sum(errors.iloc[1] < errors.iloc[0] for errors in ranked)
    text = f"- The share of selective features is {compared_twins('selective_share')}\n"
    text += f"- The purity is {compared_twins('purity')}\n"
    text += f"- The twin with more selective features makes the fewer mistakes in {fewer} of {len(twins)} pairs."
display(Markdown(text))

# %% [markdown]
# So do shortcuts make features more selective, or less? The first line counts it, for these networks. But they are
# single ones, one seed each. An interval covers the other features that the same network might have had, not the
# network that another seed would have given, which may well differ by more. A sign that repeats from pair to pair says
# a little more than any one interval. Still, this is how these networks came out, and no law. What one pair can show is
# that selective features and few mistakes are two things: of the twins of 20 layers by the recipe `short`, the plain
# one has more selective features and makes more mistakes.
#
# And depth? Within one kind and recipe, from the shallowest network to the deepest:

# %% tags=["remove-input"]
lines = []
for (_, kind), group in frame.groupby(["iterations", "kind"], sort=False):
    group = group.sort_values("depth")
    if len(group) > 1:
        listed = {
            measure: ", ".join(f"{each:.{digits}f}" for each in group[measure])
            for measure, digits in (("depth", 0), ("purity", 2), ("test_error", 1))
        }
        lines.append(
            f"- **{kind}, {group.recipe.iloc[0]}:** with {listed['depth']} layers the purity is {listed['purity']}, "
            f"and the test error {listed['test_error']} %."
        )
display(Markdown("\n".join(lines or ["No two depths are recorded by the same recipe."])))

# %% [markdown]
# In the short training of the narrow networks depth by itself did not make rows purer. But the deeper ones learned less
# in it (chapter 3), so what these rows show is how far each had got, and not what depth does to a network that is fully
# trained.
#
# The open dots of {numref}`fig-ch4-networks` are a finding of their own. Before any training, the residual networks
# have purer rows than their plain twins. And do the features of an untrained network differ at all? Count how many
# different images stand in the first places of all rows, and in how many rows the most frequent image occurs.

# %%
alike = {}
for each, (record_of, found) in studied.items():
    if record_of.recipe_name == "short" and len(found.most) == 64:
        top = found.untrained_most  # (64, k)
        counted = top.flatten().bincount()
        alike[each] = {"first places": top[:, 0].unique().numel(), "rows with one image": counted.max().item()}
pd.DataFrame.from_dict(alike, orient="index").rename_axis("before training, 64 rows")

# %% [markdown]
# In the untrained plain network of 56 layers nearly all features rank the same few images first: its rows are nearly
# all *one* row, which may lie above chance or below it by accident, and the interval, which takes features for
# independent, is far too narrow there. Random layers, one after another, leave little of the differences between
# images; a shortcut lets them pass. (That this is the reason is our reading; the numbers show only that it is so.)
#
# ## Why they belong together
#
# One reason is not deep at all. The score of a class is a weighted sum of features that are never negative, so a
# feature with a large weight for one class speaks for that class. For each feature, we compare the class that the
# *weights* favour with the class that is most frequent among the most relevant *images*.

# %% tags=["nbval-ignore-output"]
by_weight = weight.argmax(dim=0)  # (C,)
agree = (by_weight == leading).double().mean().item()
frequencies = [each.bincount(minlength=test.num_classes) / num_features for each in (by_weight, leading)]
by_chance = (frequencies[0] * frequencies[1]).sum().item()  # if one list were shuffled
print(f"the same class for {100 * agree:.0f} % of the features; shuffled: {100 * by_chance:.0f} %")

# %% [markdown]
# Where the two differ, the images that drive a feature hardest are not those it speaks for most: a feature may speak
# for several classes, and a class may be driven by several features together. Training asked for nothing but right
# answers. Features that speak for classes are what a linear classifier needs, and to that extent the rows show what the
# labels put there, rather than a concept that the network found on its own.
#
# The same weights, read by class: how much of a class's score, on its own images, comes from which feature? The score
# is $\sum_c w_{jc} f_c$ and a constant, so the part of feature $c$ is its weight times its mean over the class.

# %% tags=["nbval-ignore-output"]
parts = weight * means  # (classes, C)
share, speakers = (parts / parts.clamp(min=0).sum(dim=1, keepdim=True)).topk(3)  # (classes, 3) each
pd.DataFrame(
    {
        test.class_names[label].replace("_", " "): [
            f"{feature} ({100 * part:.0f} %)"
            for feature, part in zip(speakers[label].tolist(), share[label].tolist(), strict=True)
        ]
        for label in range(test.num_classes)
    },
    index=["speaks most", "second", "third"],
).T

# %% tags=["remove-input", "nbval-ignore-output"]
top_share = share.sum(dim=1)
text = f"Three features of {num_features} make up between {100 * top_share.min():.0f} % and {100 * top_share.max():.0f} % of "
text += f"all that speaks *for* a class. {speakers.unique().numel()} different features appear in this table of "
text += f"{speakers.numel()} places: some speak for several classes."
display(Markdown(text))

# %% [markdown]
# {numref}`fig-ch4-speakers` turns the first column into pictures: for each class, the images that its first speaker
# ranks highest. Guess in how many of the rows that class is the most frequent one.

# %% mystnb={"image": {"alt": "Ten rows of images, a class each. In some rows the ten images are of the class that the row is named after; in others they are of another class, whose images drive the same feature harder."}, "figure": {"caption": "For each class, the feature that contributes most to its score, and the ten images that this feature ranks highest.", "name": "fig-ch4-speakers"}}
fig, ax = plt.subplots(figsize=(4.6, 4.2))
figures.show_rows(test.images[most[speakers[:, 0]]], test.class_names, ax)
plt.show()

# %% tags=["remove-input", "nbval-ignore-output"]
own = (leading[speakers[:, 0]] == torch.arange(test.num_classes)).sum().item()
text = f"""In {own} of {test.num_classes} rows the class itself is the most frequent one. A class need not have a feature of its own: its
first speaker may be driven harder by the images of another class, whose answer the other features, and negative weights
above all, then take away again. What speaks *against* a class is in the negative parts, which table and figure leave out."""
display(Markdown(text))

# %% [markdown]
# ## The other end: what a zero means
#
# On the left halves it is tempting to read "what this feature is *against*". But a feature is an average behind a ReLU:
# it cannot fall below zero, and it is exactly zero wherever its channel is silent at every place of the image. All such
# images are *equally* least relevant. Where there are more than ten of them, the left half of the row shows the first
# ten in the order of the dataset: which ten, is an accident.

# %% tags=["nbval-ignore-output"]
zeros = (trained == 0).sum(dim=0)  # (C,): images for which the feature is exactly zero
tied = zeros > K
pd.Series(
    {
        "features": num_features,
        "zero for at least one image": (zeros > 0).sum().item(),
        f"zero for more than {K} images: which ten are shown is arbitrary": tied.sum().item(),
        "zero for every image (dead)": features.dead(trained).sum().item(),
    }
)

# %% tags=["remove-input", "nbval-ignore-output"]
least_purity = purity.purity(least, test.labels, test.num_classes)
largest = zeros.argmax().item()
text = f"""Of {num_features} features, **{tied.sum()} have a left half that is decided by the order of the files**: the
ten images shown are the first of up to {zeros.max():,} (feature {largest}) with the same value, zero. All in all,
{100 * (trained == 0).double().mean():.1f} % of the features of all images are zero. The left halves have a mean purity
of {least_purity.mean():.2f} ± {least_purity.std():.2f}, above chance ({chance_mean:.2f}) and below the right halves
({row_purity.mean():.2f})."""
display(Markdown(text))

# %% tags=["nbval-ignore-output"]
halves = {"tied at zero": tied, "not tied": ~tied}
pd.DataFrame(
    {
        words: {"features": len(least_purity[each]), "purity of the left half": least_purity[each].mean().item()}
        for words, each in halves.items()
    }
).T.round(2)

# %% [markdown]
# That left halves are purer than chance, tied ones too, is no reading of "against". A feature that speaks for some
# classes is silent, or nearly so, on others, and if those are few, its least relevant images are of these few. So a
# left half shows where a feature is silent; where it is tied, do not look at the ten that it happens to show, but count
# the classes of *all* the zeros. To see what would push a feature *down*, one has to look before the ReLU (exercise 2).

# %% [markdown]
# ## All features at once: neighbours
#
# One feature at a time is how the picture was made, but the classifier reads all of them together. So take an image,
# and ask which other images have nearly the same *direction* of features: its nearest neighbours by cosine. Beside
# them, the same question to the bare pixels (less the mean image: otherwise every image points nearly the same way, the
# bright one). For the first image of each of five classes, {numref}`fig-ch4-neighbours` has both answers side by side.

# %%
directions = F.normalize(trained, dim=1)
cosines = directions @ directions[0]
cosines[0] = -1  # not its own neighbour
neighbours = features.nearest(trained, torch.tensor([0]), k=5)
assert torch.equal(neighbours[0], cosines.topk(5).indices)
[test.class_names[label] for label in test.labels[neighbours[0]].tolist()]

# %% mystnb={"image": {"alt": "Five rows of images. Each half begins with the image that is asked about; its neighbours by features share its shape or kind more often than its neighbours by pixels, which share colours and brightness."}, "figure": {"caption": "Five test images, each with its six nearest images by features (left half) and by pixels (right half). The first image of each half is the query.", "name": "fig-ch4-neighbours"}}
asked = torch.stack([(test.labels == label).nonzero()[0, 0] for label in range(5)])
pixels = test.images.flatten(1).float()
pixels -= pixels.mean(dim=0)
halves = [torch.cat([asked[:, None], features.nearest(each, asked, k=6)], dim=1) for each in (trained, pixels)]
headings = [(f"{each.replace('_', ' ')}, by features", "by pixels") for each in test.class_names[:5]]
fig, ax = plt.subplots(figsize=(6.2, 3.7))
figures.show_ranked(test.images, *halves, ax, headings)
plt.show()

# %% [markdown]
# Five rows are an anecdote. How often is the nearest image of the same class? (The neighbours are test images, and so
# their labels are ones that the classifier never saw.)

# %%
many = torch.arange(min(1_000, len(test)))
same = {
    words: (test.labels[features.nearest(values, many, k=1)[:, 0]] == test.labels[many]).double().mean().item()
    for words, values in {"features": trained, "features before training": measured, "pixels": pixels}.items()
}
pd.Series({words: f"{100 * each:.1f} %" for words, each in same.items()}, name="nearest image of the same class")

# %% tags=["remove-input", "nbval-ignore-output"]
text = f"""The classifier is right about {100 - record.test_error:.1f} % of the images; to look up the nearest neighbour by
features, and give its class, would be right about {100 * same["features"]:.1f} % (with a standard error of
{100 * (same["features"] * (1 - same["features"]) / len(many)) ** 0.5:.1f} points, for {len(many):,} images). How much of that was in the images from
the start, the pixels tell ({100 * same["pixels"]:.1f} %). And random weights need not even keep that
({100 * same["features before training"]:.1f} %). Chance would give {100 / test.num_classes:.0f} %."""
display(Markdown(text))

# %% [markdown]
# ## A map
#
# Features of 64 numbers cannot be drawn, but their two directions of largest variance can: the principal components. A
# map of two dimensions for many leaves something out, and the labels of its axes say how much it keeps.

# %%
centred = trained.double() - trained.double().mean(dim=0)
_, axis = torch.linalg.eigh(centred.T @ centred)  # variances in rising order
first = (centred @ axis[:, -1]).float()
torch.testing.assert_close(first.abs(), this.map[:, 0].abs(), rtol=1e-3, atol=1e-3)
[f"{100 * each:.0f} %" for each in this.map_shares.tolist()]

# %% mystnb={"image": {"alt": "A cloud of dots in ten colours. Some classes form arms of their own that point away from the centre, others lie on top of each other near it."}, "figure": {"caption": "The test images on the first two principal components of their features, coloured by class.", "name": "fig-ch4-map"}}
fig, ax = plt.subplots(figsize=(7.6, 4.6))
study_figures.plot_map(this.map, test.labels, test.class_names, ax, this.map_shares)
plt.show()

# %% [markdown]
# Look for arms: a class that points away from the middle in {numref}`fig-ch4-map` has features of its own. (Is it the
# class that the pure rows were of?) And look for classes that lie on each other. They need not be confused by the
# network, which has all the other dimensions to tell them apart; but pairs that lie apart here are apart.

# %% [markdown]
# ## Confidently wrong
#
# The softmax turns scores into something that looks like a probability. {numref}`fig-ch4-wrong` has the wrong answers
# with the highest. For each, decide before you read its title: would you have known?

# %%
scores = features.class_scores(network, trained)
mistakes = features.confidently_wrong(scores, test.labels, k=12)
assert (this.predicted[mistakes] != test.labels[mistakes]).all()
print(f"{(this.predicted != test.labels).sum():,} wrong answers of {len(test):,}")

# %% mystnb={"image": {"alt": "Twelve images, each titled with its class, the wrong answer and how sure the network was of it."}, "figure": {"caption": "The wrong answers of which the network is most sure: class, then answer, and the softmax of the answer.", "name": "fig-ch4-wrong"}}
fig, axes = plt.subplots(2, 6, figsize=(7.6, 3.4))
for ax, index in zip(axes.flat, mistakes.tolist(), strict=False):
    true, answer = (test.class_names[each[index]].replace("_", " ") for each in (test.labels, this.predicted))
    figures.show_image(test.images[index], ax)
    ax.set_title(f"is {true}\nsays {answer}, {100 * this.confidence[index]:.1f} %", fontsize=7)
for ax in axes.flat[len(mistakes) :]:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# On photographs some of these mistakes are reasonable, and of some one may ask whether it is the label that is wrong;
# the built-in drawings leave no such excuse. Is the network too sure of itself, then? If the softmax were a
# probability, at most 5 % of the answers given with 95 % or more should be wrong, and of all answers together the share
# of right ones should equal the mean softmax. A network of which that is true is called *calibrated*.

# %% tags=["remove-input", "nbval-ignore-output"]
sure, mistaken = this.confidence >= 0.95, this.predicted != test.labels
mean_softmax, right = 100 * this.confidence.mean().item(), 100 * (~mistaken).double().mean().item()
text = f"""{100 * sure.double().mean():.0f} % of the answers are given with 95 % or more, and of these
{100 * mistaken[sure].double().mean():.1f} % are wrong. Over all answers the mean softmax is {mean_softmax:.1f} %, and {right:.1f} %
are right: this network is {"too sure" if right < mean_softmax - 1 else "not sure enough" if right > mean_softmax + 1 else "about as sure as it should be"}."""
display(Markdown(text))

# %% [markdown]
# ## The network of the original study
#
# The original picture was made from a wide ResNet-34 with 512 features and an accuracy of 95.5 %, trained for 300
# epochs {cite}`sariyildiz2018resnet`. What is recorded of wide networks (chapter 7 is about them) holds no images, only
# which ones they were. So {numref}`fig-ch4-wide` has two forms. Where this page was run on the same test images, it is
# the picture of the original study for our network: all features, the purest rows first, one column after the other.
# Elsewhere, a line is a feature, the purest on top, and a cell has the colour of one image's class.

# %%
wide_studies = {each: found for each, (record_of, found) in studied.items() if len(found.most) > 64}
original = "resnet34-cifar10"
shown_name = original if original in studied else next(reversed(wide_studies), None)
list(wide_studies) or "no study of a wide network is recorded yet"

# %%
has_images = shown_name is not None and test.sha256 == wide_studies[shown_name].test_sha256
"the images are here" if has_images else "without the images: classes only"

# %% mystnb={"image": {"alt": "All features of a wide network, the purest first: least relevant images on the left, most relevant on the right, as small images framed in the colour of their class or as cells of that colour. On the right the first lines are of a single colour and the last ones mixed; on the left all lines are mixed. Empty where no wide network is recorded.", "width": "100%"}, "figure": {"caption": "The ten least (left) and the ten most relevant images (right) of all features of the wide network named above, the purest on top: the images in frames, or a cell for each, in the colour of its class.", "name": "fig-ch4-wide"}}
if has_images:
    picture = feature_picture.draw(wide_studies[shown_name], test, f"{shown_name}, seed 0")
    display(Image(feature_picture.as_jpeg(picture), format="jpeg"))
else:
    fig, ax = plt.subplots(figsize=(7.2, 5))
    if shown_name:
        study_figures.show_row_classes(wide_studies[shown_name], ax).set_title(shown_name)
    else:
        ax.text(0.5, 0.5, "no wide network recorded yet", transform=ax.transAxes, ha="center")
    plt.show()

# %% tags=["remove-input"]
text = "" if shown_name == original else "**The ResNet-34 is not recorded yet**: its 300 epochs take a GPU. "
if shown_name:
    each, shown_record = frame.loc[shown_name.replace("-cifar10", "")], studied[shown_name][0]
    text += f"The figure shows `{shown_name}`, trained for {len(shown_record.epochs)} epochs, with a test "
    text += f"error of {shown_record.test_error:.2f} %. Its rows have a mean purity of **{each.purity:.2f}** "
    text += (
        f"({each.purity_low:.2f} to {each.purity_high:.2f}); before training it was {each.untrained_purity:.2f}, and "
    )
    text += f"chance gives {each.chance_purity:.2f}. Of its {each.features:.0f} features {each.selective:.0f} are "
    text += f"selective and {each.dead:.0f} dead."
display(Markdown(text))

# %% [markdown]
# ## The other side of the network: its first filters
#
# The features are far from the pixels. The first convolution is not: each of its filters is itself a tiny colour
# picture, 3 by 3 pixels, and answers most strongly where the image looks like it. {numref}`fig-ch4-filters` shows them
# before and after training; grey is zero, and each filter is scaled to its own largest weight. Look for the two kinds
# that one expects: those without colour, where one side is dark and the other light (edges), and those of one colour
# all over (blobs). Then compare each filter with the one at the same place before training.

# %% mystnb={"image": {"alt": "Two grids of small coloured squares of 3 by 3 pixels, before and after training. Before, they are colourful noise; after, most can still be recognised, and some have less colour."}, "figure": {"caption": "The filters of the first convolution, at initialisation and after training. Grey is zero; each filter is scaled by its largest weight.", "name": "fig-ch4-filters"}}
before, after = (each.stem[0].weight.detach().cpu() for each in (untrained_network, network))
fig, axes = plt.subplots(2, 1, figsize=(6, 3.8))
figures.show_filters(before, axes[0], title="before training")
figures.show_filters(after, axes[1], title="after training")
plt.show()

# %% [markdown]
# Two numbers to go with the picture. The cosine between a filter and its own beginning is 1 where training only scaled
# it, and near 0 where nothing of the start is left. And a filter may be colourless, with the same weights for all three
# colours: the share of its squared weights that is so is one third on average for random ones.

# %% tags=["nbval-ignore-output"]
cosine = F.cosine_similarity(before.flatten(1), after.flatten(1))
grey = [(3 * each.mean(dim=1).square().sum((1, 2)) / each.square().sum((1, 2, 3))).mean() for each in (before, after)]
print(f"cosine with the start: {cosine.mean():.2f} on average, {cosine.min():.2f} to {cosine.max():.2f}")
print(f"colourless share: {grey[0]:.2f} before training, {grey[1]:.2f} after")

# %% tags=["remove-input", "nbval-ignore-output"]
kept = (cosine > 0.7).sum().item()
moved = "away from colour" if grey[1] > grey[0] else "no farther from colour"
text = f"""Training has moved the filters {moved} (differences of brightness, which most edges are made of, have none), but
{kept} of {len(cosine)} still point within 45 degrees of where they began (a cosine above 0.7). Part of what the
lower half of the picture shows is therefore what the seed drew, and not what the images taught. Between unrelated
filters of {before[0].numel()} weights the cosine would be around 0, give or take {before[0].numel() ** -0.5:.1f}."""
display(Markdown(text))

# %% [markdown]
# Clean edges and blobs are rare here. Famous pictures of first-layer filters, with their stripes, come from far larger
# filters and far longer training. So do not read too much into nine pixels.

# %% [markdown]
# ## Summary
#
# - The features are the averages that the last layer reads. They reproduce every answer of the network, and before
#   using it we checked that it makes exactly the recorded number of mistakes.
# - The ten most relevant images of a feature are of one class far more often than chance or an untrained network would
#   have it. But an untrained network may be above chance, too, so chance alone is too weak a comparison.
# - These rows are not shared out evenly among the classes: a high mean may be the work of one class.
# - The ten least relevant ones may be tied at exactly zero. Then which of them a left half shows is an accident of order.
# - In only some of the features one class stands out, but together they bring most images near to others of theirs.
# - A count of classes sees classes only. It can support a claim about them; it cannot tell what else images share.

# %% [markdown]
# ## Exercises
#
# **1. Longer rows.** Purity depends on how many images are in a row. How do the trained network and chance compare for
# 2, 10 and 50 images?
#
# <details><summary>Solution</summary>
#
# ```python
# for k in (2, 10, 50):
#     top = features.rank(trained, k)[1]
#     mean_purity = purity.purity(top, test.labels, test.num_classes).mean()
#     print(k, f"{mean_purity:.2f}", f"{purity.chance_purity(test.labels, k):.2f}")
# ```
#
# In the smoke tier 0.88, 0.84 and 0.74, against 0.55, 0.27 and 0.17 by chance. Both fall, chance the faster: towards
# the share of the largest class, a tenth. The trained network falls as the rows reach beyond the images that a feature
# is most sure of.
#
# </details>
#
# **2. Before the ReLU.** Rank the images by the average of the last block's output *before* its ReLU. How many ties
# remain at the least end, and what happens to the purity there?
#
# <details><summary>Solution</summary>
#
# The last block computes `relu(layers(x) + shortcut(x))`, so the input of that ReLU is at hand:
#
# ```python
# block = network.stages[-1][-1]
# early = nn.Sequential(network.stem, network.stages[:-1], network.stages[-1][:-1])
# values = []
# with torch.inference_mode():
#     for images in test.images.split(500):
#         x = early(augment.normalise(images.to(device), mean, std))
#         values.append((block.layers(x) + block.shortcut(x)).mean(dim=(2, 3)).cpu())
# values = torch.cat(values)
# low, high = features.rank(values, K)
# print("tied:", ((values == values.amin(dim=0)).sum(dim=0) > 1).sum())
# for half in (low, high):
#     print(purity.purity(half, test.labels, test.num_classes).mean())
# ```
#
# No tie is left, so the left half now shows what pushes the channel furthest down, whatever the order of the images. In
# the smoke tier its purity is 0.85, as high as at the other end and higher than behind the ReLU (0.72): what a channel
# is *against* has classes, too, and the ReLU hides it. But these numbers are not what the classifier reads: this ranks
# another quantity.
#
# </details>
#
# **3. The plain twin.** The plain network of 20 layers is recorded with the same recipe. Is a residual network needed
# for pure features?
#
# <details><summary>Solution</summary>
#
# ```python
# plain, plain_record = weights.load_network(name.replace("resnet", "plain"))
# values = features.extract(plain, test, plain_record.mean, plain_record.std)
# top = features.rank(values, K)[1]
# print(purity.purity(top, test.labels, test.num_classes).mean(), plain_record.test_error, record.test_error)
# ```
#
# It is not. In the smoke tier the rows of the plain twin are even purer (0.92 against 0.84), and it makes a third of
# the mistakes (6.2 % against 18.9 %). That is no slip: 20 layers can be trained without shortcuts, and after 150
# iterations on drawings all three recorded seeds of the plain network are ahead. It is depth that hurts plain networks
# ([chapter 3](03_plain_and_residual.ipynb)), and a better network need not owe anything to the purity of its rows.
#
# </details>
#
# **4. Scores as features.** Rank the test images by the *scores* of the classes, in place of the features. What is the
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
# The rows of least and most relevant images are an idea of {cite}`sariyildiz2018resnet`; purity, its exact chance level
# and the comparison with untrained networks are ours. The network is that of {cite}`he2015deep`, its initialisation
# that of {cite}`he2015delving`, class selectivity is from {cite}`morcos2018importance`, batch norm is from
# {cite}`ioffe2015batch`, and CIFAR-10 from {cite}`krizhevsky2009learning`.

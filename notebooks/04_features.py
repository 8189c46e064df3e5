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
# too. Then we count, and compare the count with two things that know nothing: chance, and a network before training.
#
# **You will learn**
#
# - to take the features out of a trained network, and to check first that it is the network you think it is;
# - to rank images by a feature, and what it means when the least relevant ones are all exactly zero;
# - to put a number on "they belong together", and to choose what that number must be compared with.
#
# **You need** chapter 3 for the network. With `tier = "smoke"` the page takes under half a minute on 2 cores and
# downloads nothing. `"cpu"` takes about a minute and CIFAR-10 (170 MB); `"paper"` the same on a GPU, and a few minutes
# without one. Nothing is trained here: the network is one of those recorded with the book.

# %% tags=["parameters"]
tier = "smoke"  # "smoke": the built-in images; "cpu": a short run on CIFAR-10; "paper": the deepest run of the paper's
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
from collections import Counter

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from torch import nn

from resnet_book import augment, data, features, figures, models, records, tables, train

figures.use_style()
K = 10  # images at each end of a row
f"the {K} least and the {K} most relevant images of each feature"

# %% [markdown]
# ## A trained network
#
# Each tier has a network it would like to look into. Where the record, the weights or the images are missing, the next
# best takes its place, and the page says so.


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
problems = []
for name in wanted_networks(tier):
    try:
        network, record = records.load_trained(name)
        test = data.load(record.dataset["name"], "test", data_root or None)
        break
    except records.RecordError:
        problems.append(f"`{name}` is not recorded, or its weights were not kept.")
    except data.DataError:
        problems.append(f"`{name}` needs CIFAR-10, whose files were not found, or found wrong (`make data`).")
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
    note = "**These are the built-in images**, ten classes of small drawings, as always in tier `smoke`. Tier `cpu` "
    note += "shows the same for CIFAR-10."
else:
    note = f"**These are the test images of CIFAR-10**, and the network is that of `{name}`."
display(Markdown(f"> {note}"))

# %% [markdown]
# Weights on disk prove nothing. Before we read meaning into a network we make sure that it is the one whose result is
# recorded: it must see the same images, subtract the same mean, and make exactly the recorded number of mistakes. A
# wrong mean or a forgotten evaluation mode would still leave pretty pictures behind; it would not leave this number.

# %%
device = "cuda" if torch.cuda.is_available() else "cpu"
precision = record.environment["precision"]
assert test.sha256 == record.dataset["test"]["sha256"]

_, error = train.evaluate(network.to(device), test, record.mean, record.std, device=device, precision=precision)
wrong, recorded_wrong = (round(each * len(test) / 100) for each in (error, record.test_error))
print(f"wrong answers: {wrong:,} of {len(test):,} now, {recorded_wrong:,} recorded")

# %% [markdown]
# The same kind of device gives the same number, to the last image. Another kind adds in another order, and rounding
# may tip an image that was on the edge, so there we allow a few.

# %%
same_kind = (record.environment["cuda"] is None) == (device == "cpu")
allowed = 0 if same_kind else len(test) // 500
assert abs(wrong - recorded_wrong) <= allowed
print(f"differs by {abs(wrong - recorded_wrong)} images; allowed: {allowed}")

# %% tags=["remove-input"]
text = f"So this is the recorded network: {record.model['name']}, with a test error of {record.test_error:.2f} %, "
text += f"trained on {record.environment['device']}. It is one network from one seed; keep that in mind below."
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
classifier = network.classifier.cpu()
with torch.inference_mode():
    answers = classifier(trained).argmax(dim=1)
print(f"wrong answers from the features alone: {(answers != test.labels).sum():,}")

# %% [markdown]
# ## Ranking the images
#
# To rank is to sort. One feature first: feature 0, from the image where it is smallest to the one where it is largest.

# %%
order = trained[:, 0].argsort(stable=True)
lowest, highest = order[:K], order.flip(0)[:K]
pd.DataFrame({"least": trained[lowest, 0], "most": trained[highest, 0]}).round(2).T

# %% [markdown]
# The package ranks all features at once. It states what happens to images with the same value: they keep the order in
# which they lie in the dataset, at both ends, so the answer is the same every time. We will need that rule sooner than
# one would think.

# %%
least, most = features.rank(trained, K)
assert torch.equal(least[0], lowest)
assert torch.equal(trained[most[0], 0], trained[highest, 0])
tuple(least.shape), tuple(most.shape)

# %% [markdown]
# ## A row a feature
#
# {numref}`fig-ch4-rows` is the picture of the original study: every row is a feature, its ten least relevant images on
# the left of each block and its ten most relevant on the right. Do not try to name anything yet. Run your eye
# down the right halves, then down the left ones, and ask only: which half has more rows that look alike?

# %% mystnb={"image": {"alt": "Small pictures in rows, a row a feature. The right halves of many rows repeat one kind of image; the left halves are more mixed, and several of them begin with the same images."}, "figure": {"caption": "Every feature as a row: in each block the 10 least relevant test images on the left, the 10 most relevant on the right. At most 64 features; images at half size, in fewer colours.", "name": "fig-ch4-rows"}}
thumbnails = F.avg_pool2d(test.images.float(), 2)  # (N, 3, 16, 16)
thumbnails = (15 * thumbnails / 255).round().mul(17).to(torch.uint8)  # 16 levels of each colour: a smaller page
blocks = torch.arange(min(num_features, 64)).chunk(2)
fig, axes = plt.subplots(1, 2, figsize=(5, 4.3))
for ax, rows in zip(axes, blocks, strict=True):
    figures.show_ranked(thumbnails, least[rows], most[rows], ax, gap=1)
    ax.set_title(f"features {rows[0]} to {rows[-1]}")
plt.show()

# %% [markdown]
# Many right halves hold one kind of image over and over. Some left halves resemble each other: different features, the
# same images. Both are worth a number.
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
purity = features.purity(most, test.labels, test.num_classes)
assert purity[0] == max(counts.values()) / K
tuple(purity.shape), purity.dtype

# %% [markdown]
# Now we know which rows to look at closely. {numref}`fig-ch4-purest` shows the four purest rows (of equally pure ones,
# the first) and {numref}`fig-ch4-mixed` the four least pure ones, both ends of each, with the classes counted above.


# %%
def classes_of(indices: torch.Tensor, shown: int = 3) -> str:
    """The classes of these images in words, the most frequent first."""
    counts = Counter(test.class_names[label] for label in test.labels[indices].tolist()).most_common()
    words = [f"{count} {name}" for name, count in counts[:shown]]
    others = sum(count for _, count in counts[shown:])
    return ", ".join(words + [f"{others} other"] * (others > 0))


def show_rows(rows: torch.Tensor) -> None:
    """Draw these features large, with the classes of both ends."""
    ends = [(f"feature {row}, least: {classes_of(least[row])}", f"most: {classes_of(most[row])}") for row in rows]
    _, ax = plt.subplots(figsize=(7.2, 0.55 * len(rows)))
    figures.show_ranked(test.images, least[rows], most[rows], ax, ends)
    plt.show()


by_purity = purity.argsort(descending=True, stable=True)
f"purest: feature {by_purity[0]}"

# %% mystnb={"image": {"alt": "Four rows of images. In each right half nearly all ten images are of one class."}, "figure": {"caption": "The four purest rows: least relevant images on the left, most relevant on the right.", "name": "fig-ch4-purest"}}
show_rows(by_purity[:4])

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
# drawn blindly often have three of a kind. Chance can be computed exactly, by counting sets of ten images, and we can
# draw to check it.

# %%
chance = features.chance_distribution(test.labels, K)
chance_mean = features.chance_purity(test.labels, K)

generator = torch.Generator().manual_seed(0)
draws = torch.stack([torch.randperm(len(test), generator=generator)[:K] for _ in range(2_000)])
drawn = features.purity(draws, test.labels, test.num_classes)
assert abs(drawn.mean() - chance_mean) < 0.01
print(f"purity by chance: {chance_mean:.3f} computed, {drawn.mean():.3f} in {len(drawn):,} draws")

# %% [markdown]
# Chance is a weak opponent, though. Images of one class share colours and backgrounds, so *any* function of the pixels
# that varies smoothly will put some of them together. A harder opponent is the same network before its first step: the
# same shape, the very weights from which our network started (the same seed draws them), no training.

# %% tags=["nbval-ignore-output"]
model, seed = models.MODELS[record.model["name"]], record.seed
untrained_network = model(num_classes=test.num_classes, generator=torch.Generator().manual_seed(seed))
untrained = features.extract(untrained_network, test, record.mean, record.std, device=device)
with torch.inference_mode():
    wrong = untrained_network.classifier.cpu()(untrained).argmax(dim=1) != test.labels
print(f"test error before training: {100 * wrong.double().mean():.1f} %")

# %% [markdown]
# One thing about it is unfair. Batch norm {cite}`ioffe2015batch` in evaluation mode uses statistics collected in
# training, and this network has collected none: it believes that every mean is 0 and every variance 1. So there is a
# third opponent, with random weights still, but with statistics measured on 1,000 training images.

# %%
measured_network = model(num_classes=test.num_classes, generator=torch.Generator().manual_seed(seed)).to(device)
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
networks = {"trained": trained, "untrained": untrained, "untrained, statistics measured": measured}
tops = {name: features.rank(values, K)[1] for name, values in networks.items()}
purities = {name: features.purity(top, test.labels, test.num_classes) for name, top in tops.items()}
list(purities)

# %% mystnb={"image": {"alt": "Histogram of purity. The trained network's features gather at the pure end; those of the untrained network stand to the left, between it and the dashed line of random draws, which peaks at three of ten images."}, "figure": {"caption": "How pure the rows are: share of features for which the most frequent class has so many of the 10 most relevant images, for the trained and the untrained network, and the exact distribution for images drawn at random.", "name": "fig-ch4-purity"}}
fig, ax = plt.subplots()
shown = {name: purities[name] for name in ("trained", "untrained")}
figures.purity_histogram(shown, ("residual", "neutral"), chance, ax)
plt.show()

# %% [markdown]
# Look at {numref}`fig-ch4-purity` from the right: how many rows are entirely of one class, and whose are they? Then
# look at where the untrained network stands between the dashed line and the trained one. The same in numbers, with the
# spread (standard deviation) over features, and with two more columns: the share of rows so pure that a random draw
# gets there less than once in a thousand times, and how many of the images that the rows show are different ones.

# %% tags=["nbval-ignore-output"]
beyond = chance.flip(0).cumsum(0).flip(0)  # probability of at least m of K
threshold = int((beyond < 0.001).nonzero()[0]) / K
rows = {
    name: {
        "mean purity": each.mean().item(),
        "spread": each.std().item(),
        "least": each.min().item(),
        "greatest": each.max().item(),
        "of one class (%)": 100 * (each == 1).double().mean().item(),
        "beyond chance (%)": 100 * (each >= threshold - 1e-9).double().mean().item(),
        "different images (%)": 100 * tops[name].unique().numel() / tops[name].numel(),
    }
    for name, each in purities.items()
}
pd.DataFrame(rows).map("{:.2f}".format).T

# %% tags=["remove-input", "nbval-ignore-output"]
summary = {name: f"{each.mean():.2f} ± {each.std():.2f}" for name, each in purities.items()}
share = {name: (purities[name].mean().item() - chance_mean) / (1 - chance_mean) for name in purities}
text = f"""The trained network's rows have a mean purity of **{summary["trained"]}**, against {chance_mean:.2f} by chance
and **{summary["untrained"]}** before training ({summary["untrained, statistics measured"]} with statistics measured);
± is the spread over the {num_features} features of one network, not over networks. Of the way from chance to perfectly
pure rows, the trained network has gone {100 * share["trained"]:.0f} %, and the untrained one
{100 * share["untrained"]:.0f} % ({100 * share["untrained, statistics measured"]:.0f} % with statistics measured)."""
display(Markdown(text))

# %% [markdown]
# So "the most relevant ones belong together" is true of this network, as an average and with exceptions, and training
# made it so: that is the gap between the first row of the table and the other two. But what lies between chance and an
# untrained network was there before any learning. Who compares with chance alone credits the training with that as
# well. How much it is depends on the images, and on such details as batch norm's statistics: read the
# second row against the third.
#
# The last column tells what the spread hides. An untrained network has as many features, but shows far fewer different
# images: its features rank by nearly the same thing, so its rows are not so many independent observations. Nor are ours.

# %% [markdown]
# ### Why they belong together
#
# One reason is not deep at all. The score of a class is a weighted sum of features that are never negative, so a
# feature with a large weight for one class speaks for that class. For each feature, we compare the class that the
# *weights* favour with the class that is most frequent among the most relevant *images*.

# %% tags=["nbval-ignore-output"]
by_weight = classifier.weight.detach().argmax(dim=0)  # (C,)
by_image = features.class_counts(most, test.labels, test.num_classes).argmax(dim=1)  # (C,)
agree = (by_weight == by_image).double().mean().item()
print(f"both name the same class for {100 * agree:.0f} % of the features; by chance: {100 / test.num_classes:.0f} %")

# %% [markdown]
# Training asked for nothing but right answers. Features that speak for classes are what a linear classifier needs, and
# to that extent the rows show what the labels put there, rather than a concept that the network found on its own.

# %% [markdown]
# ## The other end: what a zero means
#
# On the left halves it is tempting to read "what this feature is *against*". But a feature is an average behind a ReLU:
# it cannot fall below zero, and it is exactly zero wherever its channel is silent at every place of the image. All such
# images are *equally* least relevant. Where there are more than ten of them, the left half of the row shows the first
# ten in the order of the dataset, and nothing about the feature.

# %% tags=["nbval-ignore-output"]
zeros = (trained == 0).sum(dim=0)  # (C,): images for which the feature is exactly zero
tied = zeros > K
pd.Series(
    {
        "features": num_features,
        "zero for at least one image": (zeros > 0).sum().item(),
        f"zero for more than {K} images: the left half is arbitrary": tied.sum().item(),
        "zero for every image (dead)": features.dead(trained).sum().item(),
    }
)

# %% tags=["remove-input", "nbval-ignore-output"]
least_purity = features.purity(least, test.labels, test.num_classes)
largest = zeros.argmax().item()
text = f"""Of {num_features} features, **{tied.sum()} have a left half that is decided by the order of the files**: the
ten images shown are the first of up to {zeros.max():,} (feature {largest}) with the same value, zero. All in all,
{100 * (trained == 0).double().mean():.1f} % of the features of all images are zero. The left halves have a mean purity
of {least_purity.mean():.2f} ± {least_purity.std():.2f}, above chance ({chance_mean:.2f}) and below the right halves
({purity.mean():.2f})."""
display(Markdown(text))

# %% [markdown]
# That the left halves are purer than chance is no contradiction, and no reading of "against" either. A feature that
# speaks for some classes is silent, or nearly so, on others, and if those are few, even an arbitrary choice from among
# them is pure. What the left half can show is where a feature is silent. To see what would push it *down*, one has to
# look before the ReLU (exercise 2).

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
# it, and near 0 where nothing of the start is left. And the share of a filter's energy that is grey, so the same in
# all three colours, is one third on average for random weights.

# %% tags=["nbval-ignore-output"]
cosine = F.cosine_similarity(before.flatten(1), after.flatten(1))
grey = [(3 * each.mean(dim=1).square().sum((1, 2)) / each.square().sum((1, 2, 3))).mean() for each in (before, after)]
print(f"cosine with the start: {cosine.mean():.2f} on average, {cosine.min():.2f} to {cosine.max():.2f}")
print(f"share of grey: {grey[0]:.2f} before training, {grey[1]:.2f} after")

# %% tags=["remove-input", "nbval-ignore-output"]
kept = (cosine > 0.7).sum().item()
moved = "towards grey" if grey[1] > grey[0] else "no nearer to grey"
text = f"""Training has moved the filters {moved} (differences of brightness, which most edges are made of, are grey), but
{kept} of {len(cosine)} still point nearly where they began: their cosine with the start is above 0.7. Part of what the
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
#   have it. But an untrained network is above chance, too, so chance alone is too weak a comparison.
# - The ten least relevant ones are often tied at exactly zero. Then the left half of a row is an accident of order.
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
#     mean_purity = features.purity(top, test.labels, test.num_classes).mean()
#     print(k, f"{mean_purity:.2f}", f"{features.chance_purity(test.labels, k):.2f}")
# ```
#
# Both fall, chance the faster: towards the share of the largest class, a tenth. The trained network falls as the rows
# reach beyond the images that a feature is most sure of.
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
# print(features.purity(low, test.labels, test.num_classes).mean())
# ```
#
# There are practically no ties left, so the left half now shows what pushes the channel furthest down, whatever the
# order of the images. But these numbers are not what the classifier reads: this ranks another quantity.
#
# </details>
#
# **3. The plain twin.** The plain network of 20 layers is recorded with the same recipe. Is a residual network needed
# for pure features?
#
# <details><summary>Solution</summary>
#
# ```python
# plain, plain_record = records.load_trained(name.replace("resnet", "plain"))
# values = features.extract(plain, test, plain_record.mean, plain_record.std)
# top = features.rank(values, K)[1]
# print(features.purity(top, test.labels, test.num_classes).mean(), plain_record.test_error, record.test_error)
# ```
#
# It is not: the rows of the plain twin are pure as well. Set the two purities beside the two test errors before you say
# more, and remember that this is one run of each.
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
# with torch.inference_mode():
#     scores = classifier(trained)
# top = features.rank(scores, K)[1]
# print(features.purity(top, test.labels, test.num_classes))
# ```
#
# It is 1 for most classes: the answers of which a classifier is most sure are mostly right, even where it makes many
# mistakes elsewhere. A high purity says no more than that a number predicts a class well for a few extreme images.
#
# </details>

# %% [markdown]
# ## References
#
# The rows of least and most relevant images are an idea of {cite}`sariyildiz2018resnet`; purity, its exact chance level
# and the comparison with untrained networks are ours. The network is that of {cite}`he2015deep`, its initialisation
# that of {cite}`he2015delving`, batch norm is from {cite}`ioffe2015batch`, and CIFAR-10 from
# {cite}`krizhevsky2009learning`.

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
# # More about features
#
# This appendix belongs to [chapter 4](04_features.ipynb). The chapter counts how often the ten images that a feature
# ranks first are of one class. Here is what specialists ask next: another measure than purity, all images and not only
# ten, plain against residual networks, the features that speak for each class, all features at once, a wide network, and
# the filters at the other end. **Does the finding of the chapter survive a closer look?**
#
# **You will learn**
#
# - that a pure row and a *selective* feature are two things, and what shortcuts do to either;
# - what all features know together, beside what was in the images from the start;
# - how much of a picture of filters is what the seed drew.
#
# **You need** chapter 4; its words (feature, row, purity, trained and untrained) are used without explanation. The
# sections do not build on each other. With `tier = "smoke"` the page takes under half a minute on 2 cores and downloads
# nothing. `"cpu"` and `"paper"` take a few minutes and CIFAR-10 (170 MB).

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": the built-in images; "cpu": a short run on CIFAR-10; "paper": the deepest run of the paper's
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Image, Markdown, display

# %%
from resnet_book import augment, data, features
from resnet_book.analysis import purity, study
from resnet_book.experiments import studies, weights
from resnet_book.report import feature_picture, figures, study_figures

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
K = 10  # images at each end of a row
f"the {K} least and the {K} most relevant images of each feature"

# %% [markdown]
# The network is that of the chapter, with its features, its rows, and those of the same network before training (batch
# norm measured on 1,000 training images).

# %%
wishes = {
    "smoke": [],
    "cpu": ["resnet20-cifar10-short"],
    "paper": [f"resnet{depth}-cifar10" for depth in (110, 56, 44, 32, 20)] + ["resnet20-cifar10-short"],
}[tier] + ["resnet20-builtin-smoke"]
network, record = weights.load_first(wishes, data_root or None)
train_images, test = (data.load(record.dataset["name"], split, data_root or None) for split in ("train", "test"))
device = "cuda" if torch.cuda.is_available() else "cpu"
mean_std = tuple(record.mean), tuple(record.std)

trained = features.extract(network, test, *mean_std, device=device)
untrained_network = weights.untrained(record)  # study.make measures its batch norm
this = study.make(network, trained, untrained_network, train_images, test, *mean_std, k=K)
untrained = features.extract(untrained_network, test, *mean_std, device=device)
numbers, num_features = study.summary(this), trained.shape[1]
row_purity, leading = this.purity, purity.class_counts(this.most, test.labels, test.num_classes).argmax(dim=1)
names = [each.replace("_", " ") for each in test.class_names]
print(f"{record.experiment}: {num_features} features of {len(test):,} images, purity {numbers['purity']:.2f}")

# %% [markdown]
# ## Another measure: entropy
#
# Purity sees the largest class only. Five cats and five dogs are as pure as five cats and five of five other kinds. The
# **entropy** of the classes in a row sees all of them. With $p_{cj} = n_{cj} / k$,
#
# $$ \mathrm{entropy}_c = -\sum_j p_{cj} \log_2 p_{cj} \quad \text{bits}, \tag{A4.1} $$
#
# is 0 where all are of one class, and $\log_2 10 \approx 3.3$ where all ten are of different ones. By hand, for the least
# pure row:

# %% tags=["nbval-ignore-output"]
row = this.purest_first[-1]
shares = purity.class_counts(this.most[row][None], test.labels, test.num_classes)[0] / K
shares = shares[shares > 0]
by_hand = -(shares * shares.log2()).sum()
torch.testing.assert_close(purity.entropy(this.most, test.labels, test.num_classes)[row].float(), by_hand)
print(f"feature {row}: purity {row_purity[row]:.1f}, entropy {by_hand:.2f} bits")

# %% [markdown]
# Does the other measure tell another story? The mean over the features, and the interval of 95 % of the means of features
# drawn from these at random (too narrow where features share images, as in [chapter 4](04_features.ipynb)):

# %% tags=["nbval-ignore-output"]
kinds = {"trained": "", "untrained": "untrained_", "trained, least relevant": "least_"}
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
if pure_apart and mixed_apart:
    text = "It does not: by both measures, the intervals of the trained and the untrained network are apart."
elif pure_apart or mixed_apart:
    text = f"It does: only by {'purity' if pure_apart else 'entropy'} are the trained and the untrained network apart."
else:
    text = "It does not: by both measures, the intervals of the trained and the untrained network overlap."
display(Markdown(text))

# %% [markdown]
# ## All images: dead, or selective
#
# Ten images are the tip of a feature. Two questions for all of them: is the feature ever on, and does one class stand
# out? For the second, take the mean of the feature over the class where it is largest, $a$, and its mean over the other
# classes, $b$. The **class selectivity** ([Morcos et al., 2018](https://arxiv.org/abs/1803.06959))
#
# $$ s_c = \frac{a - b}{a + b} \tag{A4.2} $$
#
# is 0 for a feature that answers all classes alike, and 1 for one that answers a single class. It is $1/2$ where one
# class stands out threefold *from the mean of the others*. From there on we call a feature *selective*. (How weak that
# is, exercise 1 asks.)

# %%
means = purity.class_means(trained, test.labels, test.num_classes)  # (classes, C)
largest = means.max(dim=0).values
others = (means.sum(dim=0) - largest) / (test.num_classes - 1)
torch.testing.assert_close(purity.selectivity(means), (largest - others) / (largest + others).clamp(min=1e-12))
f"from {purity.selectivity(means).min():.2f} to {purity.selectivity(means).max():.2f}"

# %% [markdown]
# **Predict.** How many of the features are selective, and how many of these have a row of one class alone?

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
        "not selective, with a row of one class alone": int((row_purity[~selective] == 1).sum()),
    },
    name="features",
).to_frame()

# %% [markdown]
# So a pure row and a selective feature are two things. The features that are not selective answer several classes, each
# to its own degree, and the classifier sorts it out.
#
# ## Plain or residual?
#
# Do shortcuts make features more selective? To compare fairly, depth and recipe must be equal. Here are all such twins
# that were recorded on CIFAR-10, plain above residual.

# %%
studied = studies.recorded_studies("cifar10")
frame = study_figures.study_frame(studied)
paired = frame[frame.groupby(["iterations", "depth"]).kind.transform("nunique") == 2]
shown = {
    measure: [
        f"{row[measure]:.2f} ({row[measure + '_low']:.2f} to {row[measure + '_high']:.2f})"
        for _, row in paired.iterrows()
    ]
    for measure in ("selective_share", "purity")
}
paired[["test_error"]].assign(**shown)

# %% [markdown]
# Shortcuts did not make features more selective. In all pairs of the book's records but the deepest, the plain network has
# the larger share of selective features, and wherever two intervals are apart, it is the higher one. Purity has the same
# signs after short trainings; in the pair that was trained for 64,000 iterations, the residual network has the purer rows. Its
# intervals mostly overlap. Nor do selective features mean fewer mistakes: mostly their twin makes fewer.
# These are single networks, one seed each. An interval covers the features that the same network might have had, not
# the network that another seed would have given. A sign that repeats from pair to pair says a little more than any one
# interval. Still, this is how these networks came out, and no law.
#
# ### Before training: rows that are all the same
#
# The chapter found that untrained plain networks stay near chance, and residual ones do not. Do the features of an
# untrained network differ at all? Count how many different images stand in the first places of all rows, and in how
# many rows the most frequent image occurs.

# %%
alike = {}
for experiment, (record_of, found) in studied.items():
    if record_of.recipe_name == "short" and len(found.most) == 64:
        first_places, most_frequent = found.untrained_most[:, 0].unique(), found.untrained_most.flatten().bincount()
        alike[experiment] = {"first places": len(first_places), "rows with one image": most_frequent.max().item()}
pd.DataFrame.from_dict(alike, orient="index").rename_axis("before training, 64 rows").sort_index()

# %% [markdown]
# In a deep plain network nearly all features rank the same few images first. Its rows are nearly all *one* row. That one
# may lie above chance or below it by accident, and the interval, which takes features for independent, is far too narrow.
#
# ## Which features speak for a class?
#
# The score of class $j$ is $\sum_c w_{jc} f_c$ and a constant. So the part of feature $c$ in it, on the images of the
# class, is its weight times its mean over them. Here are the three largest parts of each class, as shares of all that
# is positive.

# %% tags=["nbval-ignore-output"]
parts = this.class_weights * means  # (classes, C)
share, speakers = (parts / parts.clamp(min=0).sum(dim=1, keepdim=True)).topk(3)  # (classes, 3) each
words = [
    [f"{each} ({100 * part:.0f} %)" for each, part in zip(*both, strict=True)]
    for both in zip(speakers.tolist(), share.tolist(), strict=True)
]
pd.DataFrame(words, index=names, columns=["speaks most", "second", "third"])

# %% tags=["remove-input", "nbval-ignore-output"]
top = share.sum(dim=1)
text = f"""Three features of {num_features} make up between {100 * top.min():.0f} % and {100 * top.max():.0f} % of all that speaks *for* a class. The
table has {speakers.numel()} places and {speakers.unique().numel()} different features in them{": some speak for several classes" * (speakers.unique().numel() < speakers.numel())}."""
display(Markdown(text))

# %% [markdown]
# Figure A4.1 turns the first column into pictures. Guess in how many of the rows the class itself is the
# most frequent one.

# %% mystnb={"image": {"alt": "Ten rows of images, a class each. In some rows the ten images are of the class that the row is named after; in others they are of another class, whose images drive the same feature harder."}}
fig, ax = plt.subplots(figsize=(4.6, 4.2))
figures.show_rows(test.images[this.most[speakers[:, 0]]], test.class_names, ax)
plt.show()

# %% [markdown]
# **Figure A4.1.** For each class, the feature that contributes most to its score, and the ten images that this feature
# ranks highest.

# %% tags=["remove-input", "nbval-ignore-output"]
own = (leading[speakers[:, 0]] == torch.arange(test.num_classes)).sum().item()
text = f"""It is in {own} of {test.num_classes}. A class need not have a feature of its own. The images of another class may drive its
first speaker harder, and other features, above all those with negative weights, then take that answer away again. (Table
and figure leave the negative parts out.)"""
display(Markdown(text))

# %% [markdown]
# ## All features at once
#
# The classifier reads all features together. So take an image, and ask which other images have nearly the same
# *direction* of features: its nearest neighbours by cosine. Beside them, the same question to the bare pixels, less the
# mean image. (Otherwise every image points nearly the same way, the bright one.) In Figure A4.2, look
# for rows where the two answers differ, and for what the neighbours by pixels share.

# %%
directions = F.normalize(trained, dim=1)
cosines = directions @ directions[0]
cosines[0] = -1  # not its own neighbour
neighbours = features.nearest(trained, torch.tensor([0]), k=5)
assert torch.equal(neighbours[0], cosines.topk(5).indices)
[names[label] for label in test.labels[neighbours[0]].tolist()]

# %% mystnb={"image": {"alt": "Five rows of images. Each half begins with the image that is asked about; its neighbours by features share its shape or kind more often than its neighbours by pixels, which share colours and brightness."}}
asked = torch.stack([(test.labels == label).nonzero()[0, 0] for label in range(5)])
pixels = test.images.flatten(1).float()
pixels -= pixels.mean(dim=0)
halves = [torch.cat([asked[:, None], features.nearest(each, asked, k=6)], dim=1) for each in (trained, pixels)]
fig, ax = plt.subplots(figsize=(6.2, 3.7))
figures.show_ranked(test.images, *halves, ax, [(f"{each}, by features", "by pixels") for each in names[:5]])
plt.show()

# %% [markdown]
# **Figure A4.2.** Five test images, each with its six nearest images by features (left half) and by pixels (right
# half). The first image of each half is the query.

# %% [markdown]
# Five rows are an anecdote. How often is the nearest image of the same class? (The neighbours are test images, whose
# labels the classifier never saw.)

# %% tags=["nbval-ignore-output"]
many = torch.arange(min(1_000, len(test)))
same = {
    words: (test.labels[features.nearest(values, many, k=1)[:, 0]] == test.labels[many]).double().mean().item()
    for words, values in {"features": trained, "features before training": untrained, "pixels": pixels}.items()
}
percent = {**same, "the classifier": 1 - record.test_error / 100, "chance": 1 / test.num_classes}
pd.Series(
    {words: f"{100 * each:.1f} %" for words, each in percent.items()}, name="nearest is of the same class"
).to_frame()

# %% tags=["remove-input", "nbval-ignore-output"]
error = 100 * (same["features"] * (1 - same["features"]) / len(many)) ** 0.5
kept = "less" if same["features before training"] < same["pixels"] else "more"
text = f"""To look up the nearest neighbour and give its class is right in {100 * same["features"]:.1f} % of {len(many):,} images, with a standard error
of {error:.1f} points. The pixels say how much of that was in the images from the start. Random weights keep {kept} than the pixels
have."""
display(Markdown(text))

# %% [markdown]
# The same features on a plane: their two directions of largest variance, the principal components. In
# Figure A4.3, look for arms. A class that points away from the middle has features of its own. Classes that
# lie on each other need not be confused: the network has all the other dimensions to tell them apart.

# %% mystnb={"image": {"alt": "A cloud of dots in ten colours. Some classes form arms of their own that point away from the centre, others lie on top of each other near it."}}
fig, ax = plt.subplots(figsize=(7.2, 4.0))
study_figures.plot_positions(this.map, test.labels, test.class_names, ax, this.map_shares)
plt.show()

# %% [markdown]
# **Figure A4.3.** The test images on the first two principal components of their features, coloured by class.

# %% [markdown]
# ## The network of the original study
#
# The original picture was made from a wide ResNet-34 with 512 features, trained for 300 epochs, with an accuracy of
# 95.5 % ([Sariyildiz, 2018](https://github.com/mbsariyildiz/resnet-pytorch)). The record of a wide network
# ([chapter 7](07_wide_networks.ipynb)) holds no images, only which ones they were. So Figure A4.4 has two forms. Where
# this page was run on the same test images, it is the picture of the original study, for our network. Elsewhere a line
# is a feature, and a cell has the colour of one image's class. Compare the two halves.

# %% mystnb={"image": {"alt": "All features of a wide network, the purest first: least relevant images on the left, most relevant on the right, as small images framed in the colour of their class or as cells of that colour. On the right the first lines are of a single colour and the last ones mixed; on the left all lines are mixed. Empty where no wide network is recorded.", "width": "100%"}}
wide = [each for each, (_, found) in studied.items() if len(found.most) > 64]
wide_name = "resnet34-cifar10" if "resnet34-cifar10" in wide else next(reversed(wide), None)
if wide_name and test.sha256 == studied[wide_name][1].test_sha256:
    picture = feature_picture.draw(studied[wide_name][1], test, f"{wide_name}, seed 0")
    display(Image(feature_picture.as_jpeg(picture), format="jpeg"))
else:
    fig, ax = plt.subplots(figsize=(7.2, 4.6))
    if wide_name:
        study_figures.show_row_classes(studied[wide_name][1], ax).set_title(wide_name)
    else:
        figures.say_nothing_recorded(ax)
    plt.show()

# %% [markdown]
# **Figure A4.4.** The ten least (left) and the ten most relevant images (right) of all features of a wide network, the
# purest on top: the images in frames, or a cell for each, in the colour of its class.

# %% tags=["remove-input"]
text = "No wide network is recorded yet."
if wide_name:
    each, wide_record = frame.loc[wide_name.replace("-cifar10", "")], studied[wide_name][0]
    text = (
        "" if wide_name == "resnet34-cifar10" else "**The ResNet-34 is not recorded yet**: its 300 epochs take a GPU. "
    )
    text += f"""This is `{wide_name}`, trained for {len(wide_record.epochs)} epochs, with a test error of {wide_record.test_error:.2f} % (one seed). Its rows
have a mean purity of **{each.purity:.2f}** ({each.purity_low:.2f} to {each.purity_high:.2f}). Before training it was {each.untrained_purity:.2f}, and chance gives
{each.chance_purity:.2f}. Of its {each.features:.0f} features {each.selective:.0f} are selective and {each.dead:.0f} dead."""
display(Markdown(text))

# %% [markdown]
# ## The other side of the network: its first filters
#
# The features are far from the pixels. The first convolution is not. Each of its filters is a tiny colour picture of 3
# by 3 pixels, and answers most strongly where the image looks like it. In Figure A4.5, look for the two
# kinds that one expects: dark on one side and light on the other (edges), and of one colour all over (blobs). Then
# compare each filter with the one at the same place before training.

# %% mystnb={"image": {"alt": "Two grids of small coloured squares of 3 by 3 pixels, before and after training. Before, they are colourful noise; after, most can still be recognised, and some have less colour."}}
before, after = (each.stem[0].weight.detach().cpu() for each in (untrained_network, network))
fig, axes = plt.subplots(2, 1, figsize=(6, 3.8))
figures.show_filters(before, axes[0], title="before training")
figures.show_filters(after, axes[1], title="after training")
plt.show()

# %% [markdown]
# **Figure A4.5.** The filters of the first convolution, at initialisation and after training. Grey is zero; each filter
# is scaled by its largest weight.

# %% [markdown]
# The cosine between a filter and its own beginning is 1 where training only scaled it. Between unrelated filters it
# would be around 0.

# %% tags=["nbval-ignore-output"]
cosine = F.cosine_similarity(before.flatten(1), after.flatten(1))
print(f"cosine with the start: {cosine.mean():.2f} on average, {cosine.min():.2f} to {cosine.max():.2f}")
print(f"within 45 degrees of the start: {(cosine > 0.5**0.5).sum()} of {len(cosine)} filters")

# %% [markdown]
# As far as filters still point where they began, the lower picture shows what the seed drew, and not what the images
# taught. The famous pictures of first filters, with their stripes, come from far larger filters and far longer
# training. Do not read too much into nine pixels.
#
# ## Summary
#
# - Entropy sees all classes in a row, selectivity all images. A pure row does not make a selective feature.
# - Whether residual features are more selective than plain ones, few pairs of single networks cannot decide.
# - Several features speak for a class, and one feature for several classes.
# - In only some of the features one class stands out. Together they bring most images near to others of their class.
#
# ## Exercises
#
# **1. How weak is "selective"?** A feature is equally strong on *four* classes of ten, and silent on the others. What is
# its selectivity? Put your answer in and run the cell.

# %%
of_four_classes = None  # your answer

if of_four_classes is None:
    print("Not answered yet.")
elif abs(of_four_classes - purity.selectivity(torch.tensor([1.0] * 4 + [0.0] * 6)[:, None]).item()) > 0.005:
    print(
        "Wrong: a is the mean over one of the four classes, b the mean over the nine others. How many are not silent?"
    )
else:
    print("Right. So a feature is called selective that answers four classes, and it would not be with many more.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `of_four_classes = 0.5`: three of the nine others are as strong as the first, so $b = a \cdot 3/9$.
#
# </details>
#
# **2. Before the ReLU.** The last block computes `relu(layers(x) + shortcut(x))`. Complete `before_relu`, so that it
# gives what the last ReLU receives. Then rank the images by the average of *that*. How many ties remain at the least
# end, and what happens to the purity there?


# %%
def before_relu(images: torch.Tensor) -> torch.Tensor | None:
    """The maps (N, C, 8, 8) before the last ReLU, of normalised images (N, 3, 32, 32)."""
    return None  # your code: the last block, network.stages[-1][-1], has the parts layers and shortcut


mean, std = (torch.tensor(each, device=device) for each in mean_std)
with torch.inference_mode():
    few = augment.normalise(test.images[:8].to(device), mean, std)
    yours, behind = before_relu(few), network.stages(network.stem(few))
    if yours is None:
        print("Not answered yet.")
    elif (yours >= 0).all():
        print("Wrong: nothing is below zero, so the last ReLU has already been applied.")
    elif yours.shape != behind.shape or not torch.allclose(F.relu(yours), behind, atol=1e-4):
        print("Wrong: a ReLU of this does not give what the network computes. What enters the last block?")
    else:
        print("Right. Now the ranking: batches, averages, features.rank, purity.purity.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def before_relu(images):
#     block = network.stages[-1][-1]
#     x = network.stages[:-1](network.stem(images))
#     x = network.stages[-1][:-1](x)
#     return block.layers(x) + block.shortcut(x)
#
# with torch.inference_mode():
#     batches = [augment.normalise(each.to(device), mean, std) for each in test.images.split(500)]
#     values = torch.cat([before_relu(each).mean(dim=(2, 3)).cpu() for each in batches])
# print("tied:", ((values == values.amin(dim=0)).sum(dim=0) > 1).sum())
# for half in features.rank(values, K):
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
# plain, plain_record = weights.load_network(record.experiment.replace("resnet", "plain"))
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

# %% [markdown]
# ## References
#
# The rows of least and most relevant images are an idea of
# [Sariyildiz (2018)](https://github.com/mbsariyildiz/resnet-pytorch), class selectivity is from
# [Morcos et al. (2018)](https://arxiv.org/abs/1803.06959), and the networks are those of
# [He et al. (2015a)](https://arxiv.org/abs/1512.03385).

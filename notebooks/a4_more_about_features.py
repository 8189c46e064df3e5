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
# ten, plain against residual networks, the features that speak for each class, all features at once, a wide network,
# and the filters at the other end. **Does the finding of the chapter survive a closer look?**
#
# **You will learn**
#
# - that a pure row and a *selective* feature are two things, and what a floor under a feature does to its selectivity;
# - what all features know together, beside features before training and the bare pixels;
# - how much of the first filters is what the seed drew, after a short training and after a long one.
#
# **You need** chapter 4; its words (feature, row, purity, trained and untrained) are used without explanation. The
# sections do not build on each other. With `tier = "smoke"` the page takes under half a minute on 2 cores and downloads
# nothing. `"cpu"` and `"paper"` take a few minutes and CIFAR-10 (170 MB).

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
# is 0 where all are of one class, and $\log_2 10 \approx 3.3$ where all ten are of different ones. By hand, for the two
# rows that purity and entropy order most differently:

# %% tags=["nbval-ignore-output"]
row_entropy = purity.entropy(this.most, test.labels, test.num_classes)  # (C,)
at_odds = (row_entropy[:, None] - row_entropy) * (row_purity[:, None] > row_purity)  # purer, and yet more bits
rows = {}
for feature in divmod(at_odds.argmax().item(), num_features):
    counts = purity.class_counts(this.most[[feature]], test.labels, test.num_classes)[0].sort(descending=True).values
    shares = counts[counts > 0] / K
    by_hand = -(shares * shares.log2()).sum()
    torch.testing.assert_close(row_entropy[feature].float(), by_hand)
    words = ", ".join(map(str, counts[counts > 0].tolist()))
    rows[f"feature {feature}"] = [words, f"{row_purity[feature]:.1f}", f"{by_hand:.2f}"]
print(f"correlation over all {num_features} rows: {torch.corrcoef(torch.stack([row_purity, row_entropy]))[0, 1]:.2f}")
pd.DataFrame.from_dict(rows, orient="index", columns=["images of each class", "purity", "entropy (bits)"])

# %% [markdown]
# Such pairs are exceptions: over all rows the two measures go together. They nearly must, as both count the same ten
# labels. And their means over the features? The brackets
# are an interval: draw as many features from these, with replacement, and 95 % of the means of such draws lie inside.

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

# %% [markdown]
# With the built-in images, by both measures the trained rows are far from chance and the untrained ones near it. The
# intervals are too narrow, as features share images, and say nothing of other seeds: of the four other untrained
# networks in [chapter 4](04_features.ipynb), two have a mean purity outside the interval of this one.
#
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
pd.Series(
    {
        "dead: zero for every image": numbers["dead"],
        "selective before training": numbers["untrained_selective"],
        "selective": numbers["selective"],
    },
    name="features",
).to_frame()

# %% tags=["remove-input", "nbval-ignore-output"]
pure = row_purity == 1
text = f"""So a pure row and a selective feature are two things. Of the {selective.sum()} selective features {(pure & selective).sum()} have a row of one class alone.
But so have {(pure & ~selective).sum()} of the {(~selective).sum()} others: ten images are not all images."""
display(Markdown(text))

# %% [markdown]
# ## Plain or residual?
#
# Do shortcuts make features more selective? To compare fairly, depth and recipe must be equal. Below is a row for each
# such pair that was recorded on CIFAR-10, by recipes that differ in length alone. (Trainings with a gentle start, of
# [chapter 10](10_signals_through_training.ipynb), are left out.) Pairs of 10 layers are wide, by a recipe of their own.
#
# Selectivity has a weakness. If a feature got the same addition for all images, its classes would lie as far apart as
# before, and yet $s_c$ would fall. Residual features may have something like it, a *floor*: the last block adds its
# branch to values that are never negative. So beside $s_c$ stand the lowest class mean as a share of the largest, and
# $s_c$ after the lowest class mean has been subtracted from all; each is a mean over the features.

# %% tags=["nbval-ignore-output"]
studied = studies.recorded_studies("cifar10")
frame = study_figures.study_frame(studied)
paired = frame[frame.groupby(["iterations", "depth"]).kind.transform("nunique") == 2]
shown = ["selectivity", "floor", "selectivity_above_floor", "purity"]
twins = paired.pivot(index=["iterations", "depth"], columns="kind", values=shown)
twins.round(2).rename(columns={"selectivity_above_floor": "above the floor"})

# %% tags=["remove-input", "nbval-ignore-output"]
text = "No two twins are recorded yet."
if len(twins):
    apart = twins.xs("plain", axis=1, level="kind") - twins.xs("residual", axis=1, level="kind")
    above = apart.selectivity_above_floor
    groups = {
        "With 20 layers": above.xs(20, level="depth"),
        "with more": above[above.index.get_level_values("depth") > 20],
    }
    parted = [
        f"{words} they are ahead in {(each > 0).sum()} of {len(each)} pairs (median {each.median():+.2f})"
        for words, each in groups.items()
    ]
    text = f"""In {(apart.selectivity > 0).sum()} of the {len(twins)} pairs the plain features are the more selective ones, by {apart.selectivity.median():.2f} in the median pair. But in
{(apart.floor < 0).sum()} of them the residual features have the higher floor. Above the floor it depends on the depth. {", ".join(parted)}.
(Plain rows are purer in {(apart.purity > 0).sum()} of all pairs.)"""
display(Markdown(text))

# %% [markdown]
# So a good part of the lead is the floor: plain features are quieter on the class that they answer least. What is left
# of it with 20 layers shrinks with training, and after 64,000 iterations nothing is. With more layers the pairs are no
# fair ones: in all but one the plain network errs by ten points more. Each network is one seed, and networks of one
# kind and depth begin with the same weights, however long they are trained then, so the pairs are not independent.
#
# ## Which features speak for a class?
#
# The score of class $j$ is $\sum_c w_{jc} f_c$ and a constant. Answers depend on differences of scores alone, so we
# first take from each feature's weights their mean over the classes. And what a feature gives to every image speaks for
# no class, so from its mean over the images of the class we take its mean over all images. Weight times mean is then
# the part of feature $c$ in the score of the class. Here are the three largest parts of each class, as shares of all
# that is positive. (The negative parts are left out.)

# %% tags=["nbval-ignore-output"]
parts = (this.class_weights - this.class_weights.mean(dim=0)) * (means - trained.mean(dim=0))  # (classes, C)
share, speakers = (parts / parts.clamp(min=0).sum(dim=1, keepdim=True)).topk(3)  # (classes, 3) each
words = [
    [f"{each} ({100 * part:.0f} %)" for each, part in zip(*both, strict=True)] + [f"{100 * sum(both[1]):.0f} %"]
    for both in zip(speakers.tolist(), share.tolist(), strict=True)
]
print(f"{speakers.unique().numel()} different features in {speakers.numel()} places")
pd.DataFrame(words, index=names, columns=["speaks most", "second", "third", "together"])

# %% [markdown]
# With the built-in images three of the 64 features make up a quarter to a third of what speaks for a class, and some
# speak for several classes. Figure A4.1 turns
# the first column into pictures. In how many of the rows do you expect the class itself to be the most frequent one?

# %% mystnb={"image": {"alt": "Ten rows of images, each the row of the feature that speaks most for a class. The rows for disc, bars and heart show mostly that class. The others show mostly another one: the rows for ring, square and frame, for example, show only bars."}}
first = speakers[:, 0]
headings = [f"{name} ← feature {feature}" for name, feature in zip(names, first.tolist(), strict=True)]
fig, ax = plt.subplots(figsize=(5.4, 4.2))
figures.show_rows(test.images[this.most[first]], headings, ax)
plt.show()

# %% [markdown]
# **Figure A4.1.** For each class, the feature that contributes most to its score, and the ten images that this feature
# ranks highest, of whatever class. One feature that speaks most for several classes is drawn for each.

# %% tags=["remove-input", "nbval-ignore-output"]
own = (leading[first] == torch.arange(test.num_classes)).sum().item()
text = f"""It is in {own} of {test.num_classes}. A class need not have a feature of its own: the images of another class may drive its first
speaker harder."""
display(Markdown(text))

# %% [markdown]
# ## All features at once
#
# The classifier reads all features together. So take an image, and ask which other images have nearly the same
# *direction* of features: its nearest neighbours by cosine. (The mean is subtracted first. Otherwise every image points
# nearly the same way.) Beside them, the same question to the bare pixels. In Figure A4.2, look for rows where the two
# answers differ, and for what the neighbours by pixels share.

# %%
centred = {"features": trained, "features before training": untrained, "pixels": test.images.flatten(1).float()}
centred = {words: values - values.mean(dim=0) for words, values in centred.items()}
directions = F.normalize(centred["features"], dim=1)
cosines = directions @ directions[0]
cosines[0] = -1  # not its own neighbour
neighbours = features.nearest(centred["features"], torch.tensor([0]), k=6)
assert torch.equal(neighbours[0], cosines.topk(6).indices)
f"{names[test.labels[0]]}: {', '.join(names[label] for label in test.labels[neighbours[0]].tolist())}"

# %% mystnb={"image": {"alt": "Five rows of images. Each half begins with the image that is asked about, in a frame; its neighbours by features share its shape or kind more often than its neighbours by pixels, which share colours and brightness."}}
asked = torch.stack([(test.labels == label).nonzero()[0, 0] for label in range(5)])
nearest = [features.nearest(centred[each], asked, k=6) for each in ("features", "pixels")]
halves = [torch.cat([asked[:, None], each], dim=1) for each in nearest]
fig, ax = plt.subplots(figsize=(6.2, 3.7))
headings = [(f"{each}, by features", "by pixels") for each in names[:5]]
figures.show_ranked(test.images, *halves, ax, headings, framed_first=True)
plt.show()

# %% [markdown]
# **Figure A4.2.** Five test images, each with its six nearest images by features (left half) and by pixels (right
# half). The query is framed.

# %% [markdown]
# Five rows are an anecdote. How often is the nearest image of the same class? (The neighbours are test images, whose
# labels the classifier never saw.)

# %% tags=["nbval-ignore-output"]
many = torch.arange(min(1_000, len(test)))
hits = {words: test.labels[features.nearest(each, many, k=1)[:, 0]] for words, each in centred.items()}
hits = {words: labels == test.labels[many] for words, labels in hits.items()}
hits["the classifier"] = this.predicted[many] == test.labels[many]
percent = {words: 100 * each.double().mean().item() for words, each in hits.items()}
percent["chance"] = 100 / test.num_classes
pd.Series({words: f"{each:.1f} %" for words, each in percent.items()}, name="same class").to_frame()

# %% tags=["remove-input", "nbval-ignore-output"]
pairs = {"features": "the classifier", "features before training": "pixels"}
apart = [100 * (hits[one].double() - hits[other].double()) for one, other in pairs.items()]  # points, image by image
by_classifier, by_pixels = (
    f"{abs(each.mean()):.1f} ± {each.std() / len(each) ** 0.5:.1f} points {'ahead of' if each.mean() > 0 else 'behind'}"
    for each in apart
)
text = f"""The nearest neighbour by features is {by_classifier} the classifier (± one standard error). By features before training it
is {by_pixels} that by the pixels."""
display(Markdown(text))

# %% [markdown]
# With the built-in images the first is a tie, and random weights do worse than the pixels. By this question, that is:
# neighbours by the pixels' first 32 principal components, each scaled to the same variance, are of the class in 51 %.
# So it does not say how much is in the images.
#
# The same features on a plane: their two directions of largest variance, the principal components. In Figure A4.3, look
# for classes that lie apart from the others, and for some that lie on each other.

# %% mystnb={"image": {"alt": "Dots in ten colours. With the built-in images, nearly all bars lie far to the right, apart from the others. The rest form a bent chain of classes: disc, square and heart on top of each other at its far left end, then triangle, bow tie and plus, and at the right crescent, ring and frame."}}
fig, ax = plt.subplots(figsize=(7.2, 3.1))
study_figures.plot_positions(this.map, test.labels, test.class_names, ax, this.map_shares)
plt.show()

# %% [markdown]
# **Figure A4.3.** The test images on the first two principal components of their features, coloured by class. In
# brackets: the share of the variance. Both axes have one scale.

# %% [markdown]
# With the built-in images the first component mostly says whether an image shows *bars*. Disc, square and heart lie on
# each other at the left end, and nearly half of the classifier's mistakes take one of the three for another.
#
# ## A wide network
#
# The original picture was made from a wide ResNet-34 with 512 features, trained for 300 epochs, with an accuracy of
# 95.5 % ([Sariyildiz, 2018](https://github.com/mbsariyildiz/resnet-pytorch)). **The book has no record of it yet**, as
# that takes a GPU. It has one of the wide network of 10 layers ([chapter 7](07_wide_networks.ipynb)), after nine
# epochs. The record only says which images they were. Figure A4.4 shows them where this page was run on the same test
# images. Elsewhere a line is a feature, and a cell has the colour of one image's class. In which half do lines have one
# colour?

# %% mystnb={"image": {"alt": "Features of a wide network, the purest first: least relevant images on the left, most relevant on the right, as small images framed in the colour of their class or as cells of that colour. On the right the upper lines are of a single colour and the lower ones mixed; on the left nearly all lines are mixed. Empty where no wide network is recorded.", "width": "100%"}}
wide = [each for each, (_, found) in studied.items() if len(found.most) > 64]
wide_name = "resnet34-cifar10" if "resnet34-cifar10" in wide else next(reversed(wide), None)
if wide_name and test.sha256 == studied[wide_name][1].test_sha256:
    picture = feature_picture.draw(studied[wide_name][1], test, f"{wide_name}, seed 0")
    display(Image(feature_picture.as_jpeg(picture), format="jpeg"))
else:
    fig, ax = plt.subplots(figsize=(7.2, 4.2))
    if wide_name:
        study_figures.show_row_classes(studied[wide_name][1], ax, every=8).set_title(wide_name)
    else:
        figures.say_nothing_recorded(ax)
    plt.show()

# %% [markdown]
# **Figure A4.4.** The ten least (left) and the ten most relevant images (right) of features of a wide network, the
# purest on top: of all features the framed images, or of every eighth a cell an image, in the colour of its class.

# %% tags=["remove-input"]
text = "No wide network is recorded yet."
if wide_name:
    each, (wide_record, found) = frame.loc[wide_name.replace("-cifar10", "")], studied[wide_name]
    right, left = ((purity.purity(half, found.labels, 10) == 1).sum() for half in (found.most, found.least))
    text = f"""This is `{wide_name}`, trained for {len(wide_record.epochs)} epochs, with a test error of {wide_record.test_error:.2f} % (one seed). Of its
{each.features:.0f} right halves {right} are of one class from end to end, and of the left ones {left}. But {each.tied_at_zero:.0f} left halves are tied at
zero: the order of the files chose their images. The mean purity on the right is **{each.purity:.2f}** ({each.purity_low:.2f} to {each.purity_high:.2f}); before
training it was {each.untrained_purity:.2f}, and chance gives {each.chance_purity:.2f}. {each.selective:.0f} features are selective and {each.dead:.0f} dead."""
display(Markdown(text))

# %% [markdown]
# ## The other side of the network: its first filters
#
# The features are far from the pixels. The first convolution is not. Each of its filters is a tiny colour picture of 3
# by 3 pixels, and answers most strongly where the image looks like it. In Figure A4.5, compare each filter with the one
# at the same place before training. How many would you recognise?

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
# The cosine between a filter and its own beginning is 1 where training only scaled it. Between filters that have
# nothing to do with each other it is around 0, with a standard deviation of $1 / \sqrt{27} \approx 0.2$. Here is the
# mean over the filters, after three trainings of different length.

# %%
turned = {}
for name in ("resnet20-builtin-smoke", "resnet20-cifar10-short", "resnet20-cifar10"):
    found, found_record = weights.load_network(name)
    pair = (each.stem[0].weight.flatten(1) for each in (weights.untrained(found_record), found))
    cosine = F.cosine_similarity(*pair).detach()
    turned[name] = {
        "iterations": found_record.recipe["iterations"],
        "mean cosine": cosine.mean().item(),
        "lowest": cosine.min().item(),
        "highest": cosine.max().item(),
        f"of {len(cosine)} within 45°": int((cosine > 0.5**0.5).sum()),
    }
pd.DataFrame.from_dict(turned, orient="index").round(2)

# %% [markdown]
# After 150 iterations every filter still points nearly where it began: what a picture of them shows, the seed drew, and
# not the images. After 2,000 iterations most of them do; after 64,000 none is within 45 degrees, though the mean is
# still above that of strangers. (One network each, and the first saw other images.)
#
# ## Summary
#
# - Another measure, entropy, sees all classes of a row. It goes with purity, as it nearly must.
# - It does not carry over from ten images to all: with the built-in images, a third of the pure rows belong to features
#   that are not selective.
# - In most pairs, one seed each, plain features are more selective than residual ones. A good part of that is the
#   higher floor of these; the rest, with 20 layers, is gone after a long training.
# - Several features speak for a class, and one feature for several classes. Together they bring most images near to
#   others of their class, about as often as the classifier is right.
# - The first filters are mostly the seed's after a short training, and no longer after a long one.
#
# ## Exercises
#
# **1. How weak is "selective"?** A feature is equally strong on *three* classes of ten, and silent on the others. What
# is its selectivity? Put your answer in and run the cell.

# %%
of_three_classes = None  # your answer

if of_three_classes is None:
    print("Not answered yet.")
elif abs(of_three_classes - purity.selectivity(torch.tensor([1.0] * 3 + [0.0] * 7)[:, None]).item()) > 0.005:
    print("Wrong: a is the mean over one of the three, b that over the nine others. How many of these are not silent?")
else:
    print("Right. So a feature that answers three classes alike is called selective. With four it is on the limit.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `of_three_classes = 7 / 11`: two of the nine others are as strong as the first, so $b = a \cdot 2/9$.
#
# </details>
#
# **2. Before the ReLU.** The last block computes `relu(layers(x) + shortcut(x))`. Complete `before_relu`, so that it
# gives what the last ReLU receives. The cell then ranks the images by the average of *that*. Predict: how many features
# will be tied at the least end, and will the images there be purer than behind the ReLU?


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
        batches = [augment.normalise(each.to(device), mean, std) for each in test.images.split(500)]
        values = torch.cat([before_relu(each).mean(dim=(2, 3)).cpu() for each in batches])
        ends = [purity.purity(each, test.labels, test.num_classes).mean() for each in features.rank(values, K)]
        tied = ((values == values.amin(dim=0)).sum(dim=0) > K).sum()
        print(f"Right. {tied} features are tied. Purity at the least end {ends[0]:.2f}, at the other {ends[1]:.2f}")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def before_relu(images):
#     block = network.stages[-1][-1]
#     x = network.stages[:-1](network.stem(images))
#     x = network.stages[-1][:-1](x)
#     return block.layers(x) + block.shortcut(x)
# ```
#
# No tie is left, so the left half now shows what pushes the channel furthest down, whatever the order of the images. In
# the smoke tier its purity is 0.85, as high as at the other end and higher than behind the ReLU (0.72, with the tied
# rows in it): what a channel is *against* has classes, too, and the ReLU hides it. But these numbers are not what the
# classifier reads: this ranks another quantity.
#
# </details>
#
# **3. The plain twin.** The plain network of the same depth is recorded with the same recipe. Is a residual network
# needed for pure features?
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
# the mistakes (6.2 % against 18.9 %). That is one seed, after 150 iterations on drawings. It is depth that hurts plain
# networks ([chapter 3](03_plain_and_residual.ipynb)), and 20 layers can be trained without shortcuts.
#
# </details>

# %% [markdown]
# ## References
#
# The rows of least and most relevant images are an idea of
# [Sariyildiz (2018)](https://github.com/mbsariyildiz/resnet-pytorch), class selectivity is from
# [Morcos et al. (2018)](https://arxiv.org/abs/1803.06959), and the networks are those of
# [He et al. (2015a)](https://arxiv.org/abs/1512.03385).

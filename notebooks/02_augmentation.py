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
# # From one image, many
#
# A network with more parameters than there are images could learn every image by heart. **What do flipping, shifting and
# rescaling the images do against learning by heart, and what do they cost?** The recipes of this book do all three, on whole
# batches, in a few short functions. This page builds each of them from scratch.
#
# **You will learn**
#
# - how to flip, pad and crop a batch, each image in its own way, and what zero, edge and reflect padding do;
# - why the random numbers come first and the images after;
# - why the mean is subtracted, and why it matters less than it used to;
# - what augmentation costs in time, and what it saves in errors, both measured here.
#
# **What it needs.** The first chapter, and torchvision to compare with. Under a minute on two cores in tier `smoke`, a few
# minutes in tier `cpu`; a GPU is not needed. No download in tier `smoke`; CIFAR-10 (about 170 MB) in the others.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab: upload the book's wheel beside this notebook
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")

# %% tags=["parameters"]
tier = "smoke"  # "smoke": the built-in images; "cpu" and "paper": the real CIFAR-10, and longer training at the end
data_root = ""  # the folder that holds cifar-10-batches-bin/; "": $RESNET_BOOK_DATA, else data/

# %%
import math
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display
from torch import Tensor, nn

from resnet_book import augment, cifar, data, models
from resnet_book.experiments import catalogue
from resnet_book.report import figures
from resnet_book.train import evaluate, fit

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
name = "builtin" if tier == "smoke" else "cifar10"
root = data_root or None
try:
    train, test = data.load(name, "train", root), data.load(name, "test", root)
except cifar.DataMissingError as missing:
    if missing.named:  # you named a folder, so nothing may stand in for it
        raise
    train, test = data.load("builtin", "train"), data.load("builtin", "test")
print(f"{train.name}: {len(train):,} images to train on, {len(test):,} to test on")

# %% tags=["remove-input"]
if train.name != name:
    note = "**CIFAR-10 was not found, so this page uses the built-in images.** `resnet-book data cifar10` fetches it."
    display(Markdown(f"> {note}"))

# %% [markdown]
# ## Flip
#
# A bird that looks to the left is a bird; so is its mirror image. If the class survives a change, the changed image is a
# new training image, and it is free. Mirroring left to right reverses the columns, the last dimension of the tensor.

# %%
batch = train.images[:6]  # (6, 3, 32, 32) uint8
draws = torch.rand(len(batch), generator=torch.Generator().manual_seed(0))
mirrored = draws < 0.5
by_hand = batch.clone()
for index in range(len(batch)):
    if mirrored[index]:
        by_hand[index] = batch[index][:, :, torch.arange(31, -1, -1)]
assert torch.equal(by_hand, augment.flip_where(batch, mirrored))
print(mirrored.tolist())

# %% mystnb={"image": {"alt": "Some of the six images in the lower row are mirrored left to right, the others are unchanged."}}
figure, ax = plt.subplots(figsize=(7.2, 2.6))
figures.show_rows(torch.stack([batch, by_hand]), ["original", "after flip"], ax)
plt.show()

# %% [markdown]
# **Figure 2.1.** Six training images, and the same six after a flip with probability one half.

# %% [markdown]
# Compare Figure 2.1 with the list of draws above it. Each image has a draw of its own: a batch that was
# mirrored as a whole would be a smaller change. The loop is for explaining; `flip_where` makes the same choice for the
# whole batch at once.

# %% [markdown]
# ## Pad
#
# The second change is a shift by a few pixels. What moves out of the picture is lost; what moves in has to come from
# somewhere. So four pixels are put around the image first, and there are several ways to make them up. All can be
# written as a question: for each position on the longer line, which old pixel is copied there?

# %%
position = torch.arange(-4, 36)  # on the padded line, where the old pixels are 0 to 31
sources = {
    "zeros": position.clamp(0, 31),  # any pixel will do: it is blackened afterwards
    "edge": position.clamp(0, 31),  # the nearest old pixel
    "reflect": 31 - (31 - position.abs()).abs(),  # folded back at 0 and at 31
}
shown = [0, 1, 2, 3, 4, 5, 34, 35, 36, 37, 38, 39]  # the two ends of the line
table = pd.DataFrame({mode: source[shown] for mode, source in sources.items()}, index=position[shown].tolist())
table.rename_axis("position").T


# %%
def pad_by_hand(image: Tensor, mode: str) -> Tensor:
    """(3, 32, 32) -> (3, 40, 40): copy the source of every line, then of every column."""
    padded = image[:, sources[mode]][:, :, sources[mode]]
    inside = (position >= 0) & (position < 32)
    return padded * (inside[:, None] & inside[None, :]) if mode == "zeros" else padded


for mode in sources:
    assert torch.equal(pad_by_hand(batch[0], mode), augment.pad(batch[:1], 4, mode)[0])
print(tuple(pad_by_hand(batch[0], "edge").shape), "by hand and by the package, in all three modes")

# %% [markdown]
# Figure 2.2 shows the same image in all three ways. The white square marks the old border: look at what
# continues across it, and what stops there.

# %% mystnb={"image": {"alt": "Zero padding frames the image in black; edge padding draws out the border pixels into streaks; reflection continues the image so that the border is hard to find."}}
figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.7))
for ax, mode in zip(axes, sources, strict=True):
    figures.show_image(augment.pad(batch[:1], 4, mode)[0], ax, mode)
    ax.add_patch(plt.Rectangle((3.5, 3.5), 32, 32, fill=False, edgecolor="white", linewidth=0.8))
plt.show()

# %% [markdown]
# **Figure 2.2.** One image, padded by four pixels with zeros, with its edge, and with its reflection. White: the border
# of the original.

# %% [markdown]
# Zeros put a black frame around the image, and the shift is visible in it. The edge mode draws the border pixels out
# into streaks. Reflection continues textures best, at the price of doubling whatever stands near the border. The paper
# ([He et al., 2015a](https://arxiv.org/abs/1512.03385)) pads with zeros, and so does our `paper` recipe; one of our
# sources ([techxzen, 2019](https://github.com/techxzen/pytorch-residual-networks)) pads with the edge. One detail is
# easily missed: we pad the *pixels*, so zero is black. Code that subtracts the mean first and pads afterwards pads with
# the mean colour, which is grey. The two are both called zero padding.

# %% [markdown]
# ## Crop
#
# From the padded image, a window of the old size is cut out at a random place. With the corner of the window at line
# $t$ and column $l$ of the padded image $\tilde x$, the crop is
#
# $$ x'_{c,i,j} = \tilde x_{c,\,i+t,\,j+l}, \qquad 0 \le t, l \le 2p \tag{2.1} $$
#
# for padding $p$. In the middle, at $t = l = p$, it is the original; elsewhere it is shifted by up to $p$ pixels.

# %%
generator = torch.Generator().manual_seed(0)
top, left = torch.randint(0, 9, (2, len(batch)), generator=generator)
padded = augment.pad(batch, 4)  # (6, 3, 40, 40)
by_hand = torch.stack([padded[k, :, t : t + 32, s : s + 32] for k, (t, s) in enumerate(zip(top, left, strict=True))])
assert torch.equal(by_hand, augment.crop_at(padded, top, left))
print("top:", top.tolist(), " left:", left.tolist())

# %% [markdown]
# ## First the random numbers, then the images
#
# Training needs both steps for every batch, with new random numbers each time. It keeps the two apart. One function,
# `sample`, draws everything that is random and touches no image; another, `apply`, follows what was drawn and is not
# random at all. For each image there are three numbers: line and column of the window's corner, and whether to mirror.


# %%
def sample(count: int, generator: torch.Generator, padding: int = 4, flip_probability: float = 0.5) -> Tensor:
    """(3, count): lines and columns of the corners, then 1 where the image is to be mirrored, else 0."""
    corners = torch.randint(0, 2 * padding + 1, (2, count), generator=generator)
    mirrored = torch.rand(count, generator=generator) < flip_probability
    return torch.cat([corners, mirrored[None].long()])


sampled = sample(len(batch), torch.Generator().manual_seed(0))
for _ in range(2):
    assert torch.equal(sampled, augment.sample(len(batch), torch.Generator().manual_seed(0)))
sampled


# %% [markdown]
# The random numbers come from a `torch.Generator` that is handed over, never from a hidden global one. The same seed
# gives the same numbers, so a training can be repeated to the last bit. The second function is made of the three parts
# above. We check it against the slowest way, image after image with our own hands, and against the package:


# %%
def apply(images: Tensor, sampled: Tensor, padding: int = 4, mode: str = "zeros") -> Tensor:
    """Pad, crop and mirror each image as ``sampled`` says."""
    top, left, mirrored = sampled
    return augment.flip_where(augment.crop_at(augment.pad(images, padding, mode), top, left), mirrored)


by_hand = []
for image, (line, column, mirror) in zip(batch, sampled.T.tolist(), strict=True):
    window = pad_by_hand(image, "zeros")[:, line : line + 32, column : column + 32]
    by_hand.append(window.flip(-1) if mirror else window)
assert torch.equal(torch.stack(by_hand), apply(batch, sampled))
assert torch.equal(apply(batch, sampled), augment.apply(batch, sampled))
print(tuple(apply(batch, sampled).shape), "by hand, in one go and by the package")

# %% [markdown]
# Why two functions? A training samples for all images at the start of each epoch, with a seed made of the run's seed and
# the number of the epoch. A run that was interrupted samples the same numbers again, and goes on with the very batch that
# it would have had. And whatever device applies them, the numbers are the same.

# %% tags=["remove-input"]
variants = 2 * (2 * 4 + 1) ** 2
again = 1 - math.prod(1 - earlier / variants for earlier in range(10))
display(
    Markdown(
        f"With padding 4 there are 9 times 9 windows, and each may be mirrored: **{variants} variants of every image**. "
        "**Guess before you read on:** in ten epochs, how likely is it that the network sees the very same picture of "
        "an image twice?"
    )
)

# %% [markdown]
# ## Ten epochs of one image
#
# An epoch is one pass over the training images, and in each one an image gets new numbers. So we can make ten epochs of
# one image as one batch of ten copies. Figure 2.3 shows them, with the same numbers in each of the padding
# modes.

# %% mystnb={"image": {"alt": "Ten pictures of one image, each shifted by a few pixels and some mirrored; with zero padding a black border shows the shift, with edge and reflect padding it hardly shows."}}
copies = train.images[1].expand(10, -1, -1, -1)  # (10, 3, 32, 32), one image ten times
ten = augment.sample(10, torch.Generator().manual_seed(4))
epochs = [augment.apply(copies, ten, mode=mode) for mode in sources]
figure, ax = plt.subplots(figsize=(7.2, 2.5))
figures.show_rows(torch.stack(epochs), list(sources), ax)
plt.show()

# %% [markdown]
# **Figure 2.3.** What the network sees of one image in ten epochs, a column an epoch, for three ways of padding.

# %% tags=["remove-input"]
display(
    Markdown(
        f"The chance that at least two of ten draws agree is {100 * again:.0f} %, though there are {variants} variants: "
        f"as with birthdays, pairs are many. Here, {len(epochs[0].unique(dim=0))} of the ten pictures are different. "
        "They hold one piece of new information, which we know and the network does not: that a shift or a mirror does "
        "not change the class."
    )
)

# %% [markdown]
# ## Normalise
#
# The last step turns bytes into numbers for the network. From each channel its mean $\mu_c$ over the training
# images is subtracted, and the result is divided by the deviation $\sigma_c$:
#
# $$ z_{c,i,j} = \frac{x_{c,i,j} - \mu_c}{\sigma_c} \tag{2.2} $$

# %%
mean, std = augment.channel_mean_std(train.images)
by_hand = (train.images[:1_000].float() - mean[:, None, None]) / std[:, None, None]
normalised = augment.normalise(train.images[:1_000], mean, std)
torch.testing.assert_close(by_hand, normalised, rtol=1e-4, atol=1e-5)
pd.DataFrame({"mean": mean.double(), "deviation": std.double()}, index=["red", "green", "blue"]).round(2).T

# %% [markdown]
# Why does it help? Take the simplest case: one linear unit with weights $w$ that looks at a patch $x$ of 3 by 3 pixels,
# 27 numbers, and learns by half the squared error. How steep the loss is in each direction of $w$ is given by the matrix
# $\mathbb{E}[x x^\top]$. Its largest eigenvalue limits the learning rate: beyond two over it, gradient descent diverges.
# The others say how slow all other directions then are.
#
# If all pixels are positive, then the direction "all weights up" is much steeper than any other, since it changes the
# answer to every patch in the same sense. Figure 2.4 compares.


# %%
def steepness(images: Tensor) -> Tensor:
    """Eigenvalues (27,) of the mean of x x^T over all 3x3 patches x of the images, the largest first."""
    patches = F.unfold(images, kernel_size=3).transpose(1, 2).reshape(-1, 27).double()
    return torch.linalg.eigvalsh(patches.T @ patches / len(patches)).flip(0)


scaled = train.images[:1_000].float() / 255
inputs = {"as they are": scaled, "mean subtracted": scaled - mean[:, None, None] / 255}
eigenvalues = {kind: steepness(images) for kind, images in inputs.items()}
print({kind: [round(value, 2) for value in steep[:3].tolist()] for kind, steep in eigenvalues.items()})

# %% mystnb={"image": {"alt": "With pixels as they are, the first eigenvalue towers over the others; with the mean subtracted it is several times smaller, and the other 26 stay where they were."}}
figure, ax = plt.subplots(figsize=(7.2, 3.0))
for (kind, steep), colour, marker in zip(eigenvalues.items(), ("neutral", "accent"), "os", strict=True):
    ax.semilogy(range(1, 28), steep, marker=marker, color=figures.COLOURS[colour], label=kind, markersize=4)
ax.set(xlabel="direction, the steepest first", ylabel="eigenvalue (pixel value squared)", xticks=[1, 5, 10, 15, 20, 27])
ax.legend()
plt.show()

# %% [markdown]
# **Figure 2.4.** Steepness of the loss of a linear unit in the 27 directions of its weights, for pixels as they are
# (scaled to 0 to 1) and with the mean subtracted.

# %% tags=["remove-input"]
ratios = [steep[0] / steep[1] for steep in eigenvalues.values()]
gain = eigenvalues["as they are"][0] / eigenvalues["mean subtracted"][0]
display(
    Markdown(
        f"As they are, the steepest direction is {ratios[0]:.0f} times as steep as the second; with the mean subtracted, "
        f"{ratios[1]:.1f} times. The limit on the learning rate rises by a factor of {gain:.1f}, and nothing is lost "
        "elsewhere: the other eigenvalues hardly move. Dividing by a deviation that is much the same for all three "
        "channels changes the scale of all of them alike."
    )
)

# %% [markdown]
# All networks in this book have a batch norm ([Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)) behind their
# first convolution. It subtracts from each channel its mean over the batch, and divides by its deviation. **Guess:**
# does it still matter then whether the mean was subtracted from the pixels? We give the same images to one convolution,
# before and after the subtraction, and ask how much its output changes.


# %%
def change(batch_norm: bool, padding: int) -> float:
    """How much subtracting the mean changes the output of a first layer, as a share of that output."""
    convolution = nn.Conv2d(3, 16, 3, padding=padding, bias=False)
    models.initialise(convolution, torch.Generator().manual_seed(0))
    before, after = (convolution(images[:256]) for images in inputs.values())
    if batch_norm:
        before, after = (F.batch_norm(each, None, None, training=True) for each in (before, after))
    return ((after - before).norm() / before.norm()).item()


layers = {"without batch norm": (False, 1), "with batch norm": (True, 1), "the same, no padding": (True, 0)}
changes = pd.Series({kind: 100 * change(*settings) for kind, settings in layers.items()})
assert changes["the same, no padding"] < 0.1
changes.round(1).to_frame("change of the output (%)")

# %% [markdown]
# A constant added to the image adds a constant to every output of a convolution without bias, and batch norm takes it
# out again. Without padding nothing changes at all. What remains is the border: there the convolution's own zeros meet
# the image. To pixels as they are, they are a black frame, and it stands out so much that the deviation over the batch
# grows with it. After the subtraction zero is the mean colour, and hardly seen. (Batch norm also undoes any common
# scale, so dividing by the deviation changes next to nothing.) We keep the step for the border, because the recipe has it, and
# because it costs nothing.

# %% [markdown]
# ## What it costs
#
# The usual way augments one image at a time, on the CPU, in several processes that feed the GPU. We measure that way
# with torchvision in one process, and ours on a batch of the same images. Both crop, flip and normalise, and both end
# in a float32 batch. Next to them stands the training itself: one step of the smallest network of the paper, forward and
# backward.

# %%
from torchvision import transforms

steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
one_by_one = transforms.Compose([*steps, transforms.Normalize((mean / 255).tolist(), (std / 255).tolist())])
pictures = [transforms.functional.to_pil_image(image) for image in train.images[:256]]
print(tuple(torch.stack([one_by_one(picture) for picture in pictures]).shape))


# %% tags=["nbval-ignore-output"]
def ours(images: Tensor) -> Tensor:
    sampled = augment.sample(len(images), generator)
    return augment.normalise(augment.apply(images, sampled), mean, std)


def fastest(function, repeats: int = 5) -> float:
    """Seconds of the fastest of several calls."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


network = models.MODELS["resnet20"]()
batchwise = 256 / fastest(lambda: ours(train.images[:256]))
imagewise = 256 / fastest(lambda: torch.stack([one_by_one(picture) for picture in pictures]))
step = 64 / fastest(lambda: F.cross_entropy(network(normalised[:64]), train.labels[:64]).backward(), repeats=2)
rates = {"augmented as a batch": batchwise, "augmented one by one": imagewise, "a training step of resnet20": step}
pd.Series(rates).astype(int).to_frame("images per second")

# %% tags=["remove-input", "nbval-ignore-output"]
display(
    Markdown(
        f"On this machine (CPU, threads: {torch.get_num_threads()}, torch {torch.__version__}; the fastest of five calls on "
        f"256 images), the batch is {batchwise / imagewise:.0f} times as fast as one process of torchvision. It takes "
        f"{100 * step / batchwise:.2g} % of the time of a training step of resnet20; one by one would take "
        f"{100 * step / imagewise:.2g} %. On a GPU, where the training step takes a small part of this time, the "
        "augmentation of single images can become the slower of the two. `benchmarks/augmentation.py` measures with more care."
    )
)

# %% [markdown]
# ## What it saves
#
# Now to the purpose. We train the same small residual network twice on few images, from the same weights: once on the
# images as they are, once on flipped and cropped ones. To be quick, we halve the images' size and shift by up to three
# pixels. **Guess both pairs of numbers:** the error on the training images, and the error on the test images.
# Figure 2.5 has the answer.


# %%
def halved(images: data.ImageSet, count: int) -> data.ImageSet:
    """The first ``count`` images at half their size: (count, 3, 16, 16) uint8."""
    images = images.subset(count)
    return replace(images, images=F.avg_pool2d(images.images.float(), 2).round().to(torch.uint8))


sizes = {"smoke": (200, 300, 500), "cpu": (2_000, 2_000, 10_000), "paper": (5_000, 6_000, 10_000)}
num_images, iterations, num_tested = sizes[tier if train.name == "cifar10" else "smoke"]
few, many = halved(train, num_images), halved(test, num_tested)
print(f"{len(few):,} images to train on, {len(many):,} to test on, each {tuple(few.images.shape[1:])}")

# %%
drops = (iterations * 6 // 10, iterations * 8 // 10)  # of the learning rate
recipe = replace(catalogue.PAPER, iterations=iterations, drops=drops, batch_size=32)
recipes = {
    "as they are": replace(recipe, padding=0, flip_probability=0.0),
    "flipped and cropped": replace(recipe, padding=3, flip_probability=0.5),
}
settings = {kind: (each.padding, each.flip_probability) for kind, each in recipes.items()}
pd.DataFrame.from_dict(settings, orient="index", columns=["padding", "flip"])

# %% tags=["nbval-ignore-output"]
errors = {}
for kind, each in recipes.items():
    network = models.Network((8, 16, 32), (1, 1, 1), "subsample", generator=torch.Generator().manual_seed(0))
    history = fit(network, few, many.subset(32), each)
    statistics = history.mean, history.std
    errors[kind] = {
        split: evaluate(network, images, *statistics)[1]
        for split, images in (("training images", few), ("test images", many))
    }
pd.DataFrame(errors).T.rename_axis("error (%)").round(1)

# %% mystnb={"image": {"alt": "Trained on images as they are, the network makes almost no error on them and many on the test images; trained on flipped and cropped images, it makes more errors on the training images and fewer on the test images."}} tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(7.2, 2.4))
for offset, kind, colour in ((-0.2, "as they are", "neutral"), (0.2, "flipped and cropped", "accent")):
    places, values = (offset, 1 + offset), list(errors[kind].values())
    bars = ax.barh(places, values, 0.36, color=figures.COLOURS[colour], label=kind)
    ax.bar_label(bars, fmt="%.1f", padding=3)
ax.set(yticks=[0, 1], yticklabels=list(errors[kind]), xlabel="error (%)", xlim=(0, 100))
ax.invert_yaxis()
ax.legend(title="trained on images", loc="upper right")
plt.show()

# %% [markdown]
# **Figure 2.5.** Errors of one small residual network, trained on few images as they are, and on the same images
# flipped and cropped.

# %% tags=["remove-input", "nbval-ignore-output"]
plain, augmented = errors["as they are"], errors["flipped and cropped"]
display(
    Markdown(
        f"On the {len(few):,} training images themselves the errors are {plain['training images']:.1f} % without and "
        f"{augmented['training images']:.1f} % with augmentation. On the {len(many):,} test images of {test.name} they are "
        f"**{plain['test images']:.1f} % without and {augmented['test images']:.1f} % with augmentation** "
        f"({iterations:,} iterations, one run of each, seed 0)."
    )
)

# %% [markdown]
# A network that gets all its training images right and many test images wrong has learnt the former by heart. The other
# one could not: it hardly ever saw the same picture twice, and had to find what stays the same when an image moves. That
# is harder, so its error on the training images is higher. What counts is the error on images that it never saw.
#
# One run of each says little about the exact size of the gap; other seeds move both numbers by several points
# (exercise 3). And the gap depends on how many images there are. Augmentation helps most where a network can learn all
# images by heart. With a very short training on many images it does not pay: harder images take longer to learn.

# %% [markdown]
# ## Exercises
#
# **1.** What value do black padding pixels have after normalisation? And what value would you have to pad with, before
# normalisation, to get zero?
#
# <details><summary>Solution</summary>
#
# By equation (2.2), black becomes `-mean / std`, about minus two deviations in each channel: by far the most
# striking thing in some crops. To get zero one would pad with the mean itself, or normalise first and pad
# afterwards, which is the same.
#
# </details>
#
# **2.** For which of these tasks is the flip wrong: handwritten digits, traffic signs, satellite images, photographs of
# animals?
#
# <details><summary>Solution</summary>
#
# Digits: a mirrored 3 is not a 3. Traffic signs: "turn left" becomes "turn right", a different class. Satellite
# images have no preferred side, and could even be rotated. Animals may be mirrored; CIFAR's classes may, too, although
# the writing on a truck may not.
#
# </details>
#
# **3.** Repeat the last comparison with seeds 1 and 2, for weights and augmentation alike. How large is the spread
# compared with the gap? Then try the flip alone, and the crop alone.
#
# <details><summary>Solution</summary>
#
# ```python
# for seed in (1, 2):
#     for kind, recipe in recipes.items():
#         generator = torch.Generator().manual_seed(seed)
#         network = models.Network((8, 16, 32), (1, 1, 1), "subsample", generator=generator)
#         history = fit(network, few, many.subset(32), recipe, seed=seed)
#         print(seed, kind, evaluate(network, many, history.mean, history.std)[1])
# ```
#
# The numbers differ by several points from seed to seed, and the gap with them. For the parts, replace `padding=0` or
# `flip_probability=0.0` in the second recipe.
#
# </details>

# %% [markdown]
# ## Summary
#
# - Flip, pad and crop are indexing: which old pixel goes where. `sample` draws for every image, from an explicit
#   generator; `apply` does the whole batch at once, and can do it again.
# - Zero, edge and reflect padding differ only in the outermost pixels, and in what a shift gives away.
# - Subtracting the mean removes one overly steep direction. Batch norm does it again, all but at the border.
# - Augmentation is cheap next to training when it works on batches, and it lowers the test error of networks that could
#   learn their images by heart.
#
# Next: the networks themselves, plain and residual.
#
# **References.** The recipe: [He et al. (2015a)](https://arxiv.org/abs/1512.03385), section 4.2. Edge padding and
# rounded means: [techxzen (2019)](https://github.com/techxzen/pytorch-residual-networks). Batch norm:
# [Ioffe and Szegedy (2015)](https://arxiv.org/abs/1502.03167).

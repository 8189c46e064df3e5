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
# A network has learned images *by heart* if it gets them right and errs on most others. **Do flipping and shifting the
# images keep a network from learning them by heart, what is normalising good for, and what does it all cost?** The book's
# `paper` recipe does all three, on whole batches, in a few short functions. This page builds each of them from scratch.
#
# **You will learn**
#
# - how to flip, pad and crop a batch, each image in its own way, with the random numbers drawn first;
# - what subtracting the mean and dividing do, and how much of it a batch norm does again;
# - what all of it costs in time, and what flips and crops do to the errors of one small network.
#
# **What it needs.** The first chapter, and torchvision to compare with. About a minute on two cores in tier `smoke`, some
# minutes in tier `cpu`; a GPU is not needed. No download in tier `smoke`; CIFAR-10 (about 170 MB) in the others.

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": the built-in images; "cpu" and "paper": the real CIFAR-10, and longer training at the end
data_root = ""  # the folder that holds cifar-10-batches-bin/; "": $RESNET_BOOK_DATA, else data/

# %%
import math
import time
from dataclasses import replace
from itertools import pairwise, product
from timeit import timeit

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import HTML, Markdown, display
from torch import Tensor, nn
from torchvision import transforms

from resnet_book import augment, cifar, data, models
from resnet_book.experiments import catalogue
from resnet_book.report import crop, figures
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
# new training image. Mirroring left to right reverses the columns, the last dimension of the tensor.

# %%
batch = train.images[:6]  # (6, 3, 32, 32) uint8
mirrored = torch.rand(len(batch), generator=torch.Generator().manual_seed(0)) < 0.5
by_hand = batch.clone()
by_hand[mirrored] = batch[mirrored][..., torch.arange(31, -1, -1)]
assert torch.equal(by_hand, augment.flip_where(batch, mirrored))
print(mirrored.tolist())

# %% mystnb={"image": {"alt": "Some of the six images in the lower row are mirrored left to right, the others are unchanged."}}
figure, ax = plt.subplots(figsize=(7.2, 2.6))
figures.show_rows(torch.stack([batch, by_hand]), ["original", "after flip"], ax)
plt.show()

# %% [markdown]
# **Figure 2.1.** Six training images, and the same six after a flip with probability one half.

# %% [markdown]
# Compare Figure 2.1 with the list above it: each image has a draw of its own.
#
# ## Pad
#
# The second change is a shift by a few pixels. What moves in has to come from somewhere, so four pixels are put around
# the image first. There are several ways to make them up, and all can be written as a question: for each position in
# the longer row, which old pixel is copied there?

# %%
position = torch.arange(-4, 36)  # in the padded row, where the old pixels are 0 to 31
sources = {
    "zeros": position.clamp(0, 31),  # beyond the border any pixel will do: it is blackened afterwards
    "edge": position.clamp(0, 31),  # the nearest old pixel
    "reflect": 31 - (31 - position.abs()).abs(),  # folded back at 0 and at 31
}


def pad_by_hand(image: Tensor, mode: str) -> Tensor:
    """(3, 32, 32) -> (3, 40, 40): copy the source of every row, then of every column."""
    padded = image[:, sources[mode]][:, :, sources[mode]]
    inside = (position >= 0) & (position < 32)
    return padded * (inside[:, None] & inside[None, :]) if mode == "zeros" else padded


for mode in sources:
    assert torch.equal(pad_by_hand(batch[0], mode), augment.pad(batch[:1], 4, mode)[0])
print(tuple(pad_by_hand(batch[0], "edge").shape), "by hand and by the package, in all three modes")

# %% [markdown]
# Look in Figure 2.2 at what continues across the old border, the white square, and what stops there.

# %% mystnb={"image": {"alt": "Zero padding frames the image in black; edge padding draws out the border pixels into streaks; reflection continues the image so that the border is hard to find."}}
figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.7))
for ax, mode in zip(axes, sources, strict=True):
    figures.show_image(augment.pad(batch[:1], 4, mode)[0], ax, mode)
    ax.add_patch(plt.Rectangle((3.5, 3.5), 32, 32, fill=False, edgecolor="white", linewidth=0.8))
plt.show()

# %% [markdown]
# **Figure 2.2.** One image, padded by four pixels with zeros, with its edge, and with its reflection.

# %% [markdown]
# Reflection is hard to see, but doubles what stands near the border. The paper says only that four pixels are padded on
# each side ([He et al., 2015a](https://arxiv.org/abs/1512.03385)). Our `paper` recipe takes zeros;
# [techxzen (2019)](https://github.com/techxzen/pytorch-residual-networks) takes the edge. We pad the *pixels*, so zero is
# black. Code that first subtracts the mean pads with the mean colour, grey. Both are called zero padding.

# %% [markdown]
# ## Crop
#
# From the padded image, a window of the old size is cut out at a random place. With the window's corner at row $t$ (top)
# and column $l$ (left) of the padded image $\tilde x$, the crop is
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
# In each epoch every image gets three new random numbers: top and left of the window, and whether to mirror. One
# function, `sample`, draws them and touches no image. It is handed a `torch.Generator`: the same seed gives the same
# numbers. Another, `apply`, follows what was drawn and draws nothing.


# %%
def sample(count: int, generator: torch.Generator, padding: int = 4, flip_probability: float = 0.5) -> Tensor:
    """(3, count): top and left of the windows, then 1 where the image is to be mirrored, else 0."""
    corners = torch.randint(0, 2 * padding + 1, (2, count), generator=generator)
    mirrored = torch.rand(count, generator=generator) < flip_probability
    return torch.cat([corners, mirrored[None].long()])


sampled = sample(len(batch), torch.Generator().manual_seed(0))
assert torch.equal(sampled, augment.sample(len(batch), torch.Generator().manual_seed(0)))
sampled


# %%
def apply(images: Tensor, sampled: Tensor, padding: int = 4, mode: str = "zeros") -> Tensor:
    """Pad, crop and mirror each image as ``sampled`` says."""
    top, left, mirrored = sampled
    return augment.flip_where(augment.crop_at(augment.pad(images, padding, mode), top, left), mirrored)


assert torch.equal(apply(batch, sampled), augment.apply(batch, sampled))
print(tuple(apply(batch, sampled).shape), "here and by the package")

# %% [markdown]
# Why two functions? A training calls `sample` once an epoch, for all images, with a seed made of the run's seed and the
# number of the epoch, and `apply` batch by batch. A run that stopped in the middle of an epoch draws the same numbers
# again, and goes on with the batch that would have been next.
#
# **Predict, then move.** At top 0 the window has gone up by four pixels. Which way has the picture in it moved, and what
# fills the rest? Drag the window, or use the sliders.

# %%
HTML(crop.movable(train.images[:3]))

# %% [markdown]
# The picture has moved *down*, and four rows of padding fill the top: black, streaks or a reflection.
#
# ## Eight epochs of one image
#
# An epoch is one pass over the training images. So eight epochs of one image make a batch of eight copies. With padding 4
# there are nine times nine windows, and each may be mirrored. **Guess before you look at Figure 2.3:** how likely is it
# that in eight epochs the network sees the very same picture of an image twice?

# %% mystnb={"image": {"alt": "Eight pictures of one image, each shifted by a few pixels and some mirrored, the second and the last alike; with zero padding a black border shows the shift, with edge and reflect padding it hardly shows."}}
copies = train.images[1].expand(8, -1, -1, -1)  # (8, 3, 32, 32), one image eight times
eight = augment.sample(8, torch.Generator().manual_seed(1))  # a seed with which two agree
epochs = [augment.apply(copies, eight, mode=mode) for mode in sources]
figure, ax = plt.subplots(figsize=(7.2, 3.0))
figures.show_rows(torch.stack(epochs), list(sources), ax)
plt.show()

# %% [markdown]
# **Figure 2.3.** What the network sees of one image in eight epochs, a column an epoch, for three ways of padding.

# %% tags=["remove-input"]
variants = 2 * (2 * 4 + 1) ** 2
again = 1 - math.prod(1 - earlier / variants for earlier in range(8))
assert torch.equal(eight[:, 1], eight[:, 7])
text = f"""The chance that at least two of eight draws agree is {100 * again:.0f} %, though there are {variants} variants: as
with birthdays, pairs are many. We chose a seed with which it happens: in Figure 2.3 the second and the last picture of a
row are one."""
display(Markdown(text))

# %% [markdown]
# ## Normalise
#
# The last step turns bytes into numbers for the network. From each channel its mean $\mu_c$ over the training
# images is subtracted, and the result is divided by the standard deviation $\sigma_c$:
#
# $$ z_{c,i,j} = \frac{x_{c,i,j} - \mu_c}{\sigma_c} \tag{2.2} $$

# %%
mean, std = augment.channel_mean_std(train.images)
by_hand = (train.images[:1_000].float() - mean[:, None, None]) / std[:, None, None]
normalised = augment.normalise(train.images[:1_000], mean, std)
torch.testing.assert_close(by_hand, normalised, rtol=1e-4, atol=1e-5)
pd.DataFrame([mean.tolist(), std.tolist()], ["mean", "standard deviation"], ["red", "green", "blue"]).round(1)

# %% [markdown]
# Here our `paper` recipe departs from the paper, which subtracts "the per-pixel mean" and does not speak of dividing.
#
# Why subtract the mean? Take one weight $w$, one input $x$ and half the squared error, $\tfrac12 (wx - y)^2$. Its
# curvature, the second derivative by $w$, is $x^2$. A step with learning rate $\eta$ multiplies the distance from the best
# weight by $1 - \eta x^2$. Beyond $\eta = 2/x^2$ that is below $-1$, and the training diverges. With a patch of 3 by 3
# pixels, 27 numbers $x$ and 27 weights, the mean of $x^2$ becomes the matrix $\mathbb{E}[x x^\top]$. Its eigenvalues
# $\lambda$ are the curvatures in 27 directions of the weights. The largest limits the learning rate to
# $2/\lambda_{\max}$. At half that limit a step takes the whole way in the direction curved most, and only the share
# $\lambda_{\min}/\lambda_{\max}$ of the way in that curved least. So what counts is the *ratio* of the two.
#
# If all pixels are positive, the loss is curved most where all weights grow together, since every answer then changes in
# the same sense. **Guess** before you look at Figure 2.4: which of the 27 eigenvalues does the subtraction change?


# %%
def curvatures(images: Tensor) -> Tensor:
    """Eigenvalues (27,) of the mean of x x^T over all 3x3 patches x of the images, the largest first."""
    patches = F.unfold(images, kernel_size=3).transpose(1, 2).reshape(-1, 27).double()
    return torch.linalg.eigvalsh(patches.T @ patches / len(patches)).flip(0)


scaled = train.images[:1_000].float() / 255
inputs = {"raw pixels": scaled, "mean subtracted": scaled - mean[:, None, None] / 255, "and divided": normalised}
eigenvalues = {kind: curvatures(images) for kind, images in inputs.items()}

# %% mystnb={"image": {"alt": "Subtracting the mean lowers the largest of 27 eigenvalues about elevenfold; rank by rank, the other 26 are nearly what they were."}}
figure, ax = plt.subplots(figsize=(7.2, 3.0))
ax.semilogy(range(1, 28), eigenvalues["raw pixels"], "o", color="black", fillstyle="none", markersize=9)
ax.semilogy(range(1, 28), eigenvalues["mean subtracted"], "o", color="#AA3377", markersize=4)
ax.set(xlabel="rank, the largest first", ylabel="eigenvalue $\\lambda$", xticks=[1, 5, 10, 15, 20, 27])
ax.legend(["raw pixels", "mean subtracted"])
plt.show()

# %% [markdown]
# **Figure 2.4.** The 27 eigenvalues of the curvature of a linear unit's loss, for raw pixels (scaled to 0 to 1) and with
# the mean subtracted.

# %%
table = pd.DataFrame([each[[0, -1]].tolist() for each in eigenvalues.values()], list(inputs), ["largest", "smallest"])
table["limit of the rate"] = 2 / table.largest
table["largest / smallest"] = table.largest / table.smallest
table.map(lambda value: f"{value:,.{4 if value < 10 else 0}f}")

# %% tags=["remove-input"]
lower, factors = (after / before for before, after in pairwise(eigenvalues.values()))
others = math.ceil(100 * (lower[1:] - 1).abs().max())
text = f"""Subtracting the mean divides the largest eigenvalue by {1 / lower[0]:.0f} and changes none of the others, rank by
rank, by more than {others} %, so the ratio becomes about as many times smaller. Dividing multiplies all by
{factors.min():.1f} to {factors.max():.1f} and lowers the limit as much: the ratio hardly changes. It is there for the
scale: after it, a learning rate means the same for pixels from 0 to 1 and from 0 to 255."""
display(Markdown(text))

# %% [markdown]
# The smallest eigenvalue is little more than the variance of the noise in the drawings. In 1,000 images of CIFAR-10 it is
# about a hundred times smaller, and the ratio, before and after, more than a hundred times larger.
#
# In nearly all networks of this book a *batch norm* ([Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)) follows
# the first convolution. It subtracts from each channel its mean over the batch, and divides by its standard deviation.
# **Guess:** does it still matter then what was done to the pixels? We give the same images to one untrained convolution,
# before and after each of the two steps, and ask how much its output changes, as a share of its size.


# %%
@torch.no_grad()
def change(kinds: tuple[str, str], batch_norm: bool, padding: int) -> float:
    """Change (%) of a first layer's output from one kind of ``inputs`` to another."""
    convolution = nn.Conv2d(3, 16, 3, padding=padding, bias=False)
    models.initialise(convolution, torch.Generator().manual_seed(0))
    before, after = (convolution(inputs[kind][:256]) for kind in kinds)
    if batch_norm:
        before, after = (F.batch_norm(each, None, None, training=True) for each in (before, after))
    return (100 * (after - before).norm() / before.norm()).item()


layers = {"without batch norm": (False, 1), "with batch norm": (True, 1), "with batch norm, no padding": (True, 0)}
changes = {kinds[1]: {layer: change(kinds, *how) for layer, how in layers.items()} for kinds in pairwise(inputs)}
pd.DataFrame(changes).round(1).rename_axis("change of the output (%)", axis="columns")

# %% [markdown]
# A constant added to the image adds a constant to every output of a convolution without bias, and batch norm takes it
# out again: without padding nothing changes at all. With padding much does: the zeros are a black frame to raw pixels,
# and after the subtraction the mean colour. Batch norm takes out a common factor, too: dividing leaves a small change
# because the three deviations are not quite equal. What the border does to a training, one untrained layer cannot tell.
#
# ## What it costs
#
# In one process we crop, flip and normalise 256 images: with our functions, at once and one by one, and with
# torchvision's. Beside them stands a step of the paper's smallest network, forward and backward on 128 images.

# %% tags=["nbval-ignore-output"]
steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
torchvisions = transforms.Compose([*steps, transforms.Normalize((mean / 255).tolist(), (std / 255).tolist())])
images = train.images[:256]
pictures = [transforms.functional.to_pil_image(image) for image in images]


def ours(images: Tensor) -> Tensor:
    sampled = augment.sample(len(images), generator)
    return augment.normalise(augment.apply(images, sampled), mean, std)


def seconds(function, repeats: int) -> float:
    """Processor time of a call, the mean of several after a first one: other programs do not count."""
    function()
    return timeit(function, timer=time.process_time, number=repeats) / repeats


network = models.MODELS["resnet20"]().to(memory_format=torch.channels_last)
pixels, labels = normalised[:128].contiguous(memory_format=torch.channels_last), train.labels[:128]
step = 128 / seconds(lambda: F.cross_entropy(network(pixels), labels).backward(), 3)
rates = {
    "ours, as a batch": 256 / seconds(lambda: ours(images), 200),
    "ours, one by one": 256 / seconds(lambda: torch.cat([ours(image) for image in images.split(1)]), 10),
    "torchvision's, one by one": 256 / seconds(lambda: torch.stack([torchvisions(each) for each in pictures]), 10),
    "a step of resnet20": step,
}
print(f"on a CPU, threads: {torch.get_num_threads()}, torch {torch.__version__}")
table = pd.DataFrame({"images a second": rates}).astype(int)
table.assign(**{"% of a step": [f"{100 * step / rate:.2f}" for rate in rates.values()]})

# %% [markdown]
# (Seconds of processor time.) All three are cheap beside a training step on a CPU. Beside a GPU's it was not measured.
#
# ## What it does to the errors
#
# We train one small residual network (chapter 3 builds such) on few images in three ways: not augmented, flipped and
# cropped, and the same without normalising, pixels just scaled to 0 to 1. To be quick, we halve the images' size, and
# the padding with it. Each way has three runs, with other weights, batches and augmentation.


# %%
def halved(images: data.ImageSet, count: int) -> data.ImageSet:
    """The first ``count`` images at half their size: (count, 3, 16, 16) uint8."""
    images = images.subset(count)
    return replace(images, images=F.avg_pool2d(images.images.float(), 2).round().to(torch.uint8))


sizes = {"smoke": (200, 600, 500), "cpu": (2_000, 2_000, 10_000), "paper": (5_000, 6_000, 10_000)}
num_images, iterations, num_tested = sizes[tier if train.name == "cifar10" else "smoke"]
few, many = halved(train, num_images), halved(test, num_tested)
print(f"{len(few):,} images to train on, {len(many):,} to test on, each {tuple(few.images.shape[1:])}")

# %%
drops = (iterations * 6 // 10, iterations * 8 // 10)  # of the learning rate
recipe = replace(catalogue.PAPER, iterations=iterations, drops=drops, batch_size=32, padding=2)
recipes = {
    "not augmented": replace(recipe, padding=0, flip_probability=0.0),
    "flipped and cropped": recipe,
    "the same, not normalised": replace(recipe, mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0)),
}
print(f"{iterations * recipe.batch_size / len(few):.0f} passes over the training images")

# %% [markdown]
# **Guess the first two pairs of numbers** before you look at the table and Figure 2.5: the error on the training images
# and that on the test images. Both are measured on images neither flipped nor cropped.

# %% tags=["nbval-ignore-output"]
rows = []
for (kind, each), seed in product(recipes.items(), range(3)):
    # Three stages of 8, 16 and 32 channels, a block each. `fit` trains, and keeps mean and std for `evaluate`.
    network = models.Network((8, 16, 32), (1, 1, 1), "subsample", generator=torch.Generator().manual_seed(seed))
    history = fit(network, few, many.subset(32), each, seed=seed)
    rows.append((kind, *(evaluate(network, images, history.mean, history.std)[1] for images in (few, many))))
errors = pd.DataFrame(rows, columns=["trained on", "training images", "test images"]).set_index("trained on")
errors.groupby(level=0, sort=False).agg(["mean", "min", "max"]).round(1)

# %% mystnb={"image": {"alt": "Not augmented, the network makes no error on its training images and errs on two thirds of the test images; trained on flipped and cropped images, it errs on few of the training images too, and on fewer than half of the test images; the runs without normalising overlap with those with it."}} tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(7.2, 2.8))
for offset, kind, colour in zip((-0.28, 0, 0.28), recipes, ("#666666", "#009E73", "#80CEB9"), strict=True):
    runs = errors.loc[kind]
    ax.barh([offset, 1 + offset], runs.mean(), 0.26, color=colour, label=kind)
    ax.plot(runs, [[offset, 1 + offset]] * len(runs), "|", color="black", markersize=12)
ax.set(yticks=[0, 1], yticklabels=list(errors), xlabel="error (%)", xlim=(0, 100))
ax.invert_yaxis()
ax.legend(loc="upper right")
plt.show()

# %% [markdown]
# **Figure 2.5.** Errors of one small residual network, by the images it was trained on. Bars: means over three seeds;
# strokes: each seed.

# %% [markdown]
# On the drawings of tier `smoke`, the network learns its images by heart if they are not augmented: it gets all of them
# right and errs on most others. Flipped and cropped, it gets nearly all of them right as well, but most others, too. So
# flips and crops keep it from learning them by heart, though not from learning them. On CIFAR-10 they gained less (tier
# `cpu`: 2,000 photographs, 32 passes, means of three seeds): not augmented, the network erred on 1 % of its own images
# and 59 % of others, flipped and cropped on 44 % and 53 %. There nearly half of its own were not learned at all.
#
# Without normalising, these three seeds err more on the test images. But over seeds 0 to 10 (tier `smoke`) the mean is
# 42 % without and 41 % with it: no difference to be seen.

# %% [markdown]
# ## Summary
#
# - Flip, pad and crop are indexing: which old pixel goes where. `sample` draws for every image, `apply` follows.
# - For a linear unit, subtracting the mean makes the largest curvature smaller and hardly touches the others. Dividing
#   sets the scale. A batch norm does both again, except what comes from the padded border.
# - Our functions are faster on a batch than image by image (one measurement). Flips and crops kept a small network from
#   learning drawings by heart: it got nearly all of them right, and most others. On photographs they gained less.
#
# Next: the networks themselves, plain and residual.
#
# ## Exercises
#
# **1.** What value does a black padding pixel have in the red channel after normalisation? And what would you have to
# pad with, before normalisation, to get zero?

# %%
black = None  # your answer

right = black is not None and abs(black + mean[0] / std[0]) < 0.01
print("Not answered yet." if black is None else "Right." if right else "Wrong: what is z in equation (2.2) if x is 0?")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `black = -mean[0] / std[0]`, about -2.33 for the drawings. To get zero one would pad with the mean itself. In bytes
# that works only roughly: 127.9 becomes 128. Normalising first and padding with zeros afterwards is exact.
#
# </details>
#
# **2.** For which of these tasks is the flip wrong: handwritten digits, traffic signs, satellite images, photographs of
# animals?
#
# <details><summary>Solution</summary>
#
# Digits: a mirrored 3 is not a 3. Traffic signs: "turn left" becomes "turn right", a different class. Satellite images
# could even be rotated. Animals may be mirrored; CIFAR's classes may, too, although the writing on a truck may not.
#
# </details>
#
# **3.** Train half as long: write `iterations = 300` above `drops = ...`. Guess both errors of the first two ways. Then,
# at full length, make the last two of `recipes` the flip alone and the crop alone, by `replace(recipe, ...)`.
#
# <details><summary>Solution</summary>
#
# Ours in tier `smoke`, seeds 0 to 4, on training and test images. Half as long, not augmented: 0 % and 68 to 70 %. Flipped
# and cropped: 13 to 20 % and 47 to 60 %. At full length, not augmented: 0 % and 67 to 68 %. Flipped and cropped: 1 to 6 %
# and 36 to 46 %. The flip alone (`padding=0`): 0 % and 59 to 65 %. The crop alone (`flip_probability=0.0`): 0 to 2 % and
# 40 to 48 %. So most of the gain is the crop's.
#
# </details>
#
# **References.** Flip and crop: [He et al. (2015a)](https://arxiv.org/abs/1512.03385), section 4.2. Edge padding and
# rounded means: [techxzen (2019)](https://github.com/techxzen/pytorch-residual-networks). Batch norm:
# [Ioffe and Szegedy (2015)](https://arxiv.org/abs/1502.03167).

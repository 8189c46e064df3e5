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
# # What is in the files
#
# Every number in this book begins as bytes in a handful of files. **What exactly is in the files, and how do we know that
# we have read them right?** A network will train on badly decoded images without complaint, only worse, so we look
# before we train.
#
# **You will learn**
#
# - how one image lies in 3,073 bytes, and how to decode it by hand;
# - what the dataset holds: classes, counts, and the mean and deviation of each colour;
# - what a wrong file looks like, and how a loader can tell before a network has to.
#
# **What it needs.** No earlier chapter. Seconds on two cores; a GPU does not help. No download in tier `smoke`; in
# the other tiers CIFAR-10 and, for one section, CIFAR-100, about 170 MB each (`make data` fetches them).

# %% [markdown]
# ## Data at hand
#
# CIFAR-10 ([Krizhevsky, 2009](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf)) is a set of small colour
# photographs in ten classes. The book never ships them. Where you have none and name no folder, it falls back on ten
# classes of small drawings of the same shape and type, made from a fixed seed. Everything below works on either, and
# the page always says which one you are looking at.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": the built-in images; "cpu" and "paper": the real CIFAR, where its files are found
data_root = ""  # the folder that holds cifar-10-batches-bin/; "": $RESNET_BOOK_DATA, else data/

# %%
import hashlib
import tempfile
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display

from resnet_book import augment, cifar, data
from resnet_book.experiments import catalogue
from resnet_book.report import figures

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
root = data_root or None
print(f"datasets that the package knows: {', '.join(data.DATASETS)}")

# %%
name = "builtin" if tier == "smoke" else "cifar10"
try:
    train, test = data.load(name, "train", root), data.load(name, "test", root)
except cifar.DataMissingError as missing:
    if missing.named:  # you named a folder, so nothing may stand in for it
        raise
    train, test = data.load("builtin", "train"), data.load("builtin", "test")
print(f"{train.name}: {len(train):,} images to train on, {len(test):,} to test on")

# %% tags=["remove-input"]
if train.name == "cifar10":
    note = "**These are the real CIFAR-10 images**, read from the official files and verified."
elif tier == "smoke":
    note = "**These are the built-in images**, as always in tier `smoke`. Tier `cpu` shows the real CIFAR-10 instead."
else:
    note = (
        f"**These are the built-in images**: tier `{tier}` asks for CIFAR-10, which was not found. "
        "`resnet-book data cifar10` fetches it; then run this page again."
    )
display(Markdown(f"> {note}"))

# %% [markdown]
# ## One image, by hand
#
# The official files have no header, no names, no compression. They are rows of bytes, one row an image, each row as
# long as the next. In CIFAR-10 a row is one byte for the class, then 1,024 bytes of red, 1,024 of green, 1,024 of
# blue. Each of these planes is a 32 by 32 picture, written from left to right, line after line, from the top down.
#
# Writing such a row is simpler than reading one:


# %%
def as_row(image: torch.Tensor, label: int) -> bytes:
    """One image (3, 32, 32) uint8 in the official format: the class, then red, green and blue, line by line."""
    return bytes([label]) + image.numpy().tobytes()


print(f"{len(as_row(train.images[0], 0)):,} bytes a row")

# %% [markdown]
# We want a file that is ours to read and, later, to damage. With CIFAR-10 at hand it is a copy of the first hundred
# rows of the official `data_batch_1.bin`; otherwise we write a hundred built-in images in that very format.

# %%
workshop = tempfile.TemporaryDirectory()
path = Path(workshop.name) / "cifar-10-batches-bin" / "data_batch_1.bin"
path.parent.mkdir()
if train.name == "cifar10":
    with (cifar.find_root(root) / "cifar-10-batches-bin" / "data_batch_1.bin").open("rb") as official:
        path.write_bytes(official.read(100 * 3_073))
else:
    path.write_bytes(b"".join(map(as_row, train.images[:100], train.labels[:100])))
print(f"{path.name}: {path.stat().st_size:,} bytes")

# %% [markdown]
# From here on, forget where the file came from. We hold bytes, and the description above. The first row:

# %%
row = bytearray(path.read_bytes()[:3_073])
print("the class byte:       ", row[0], "->", train.class_names[row[0]])
print("the first eight reds: ", list(row[1:9]))

# %% [markdown]
# The value of channel $c$ (0 is red, 1 green, 2 blue) at line $i$ and column $j$, all counted from zero, is byte number
#
# $$ b(c, i, j) = 1 + 1024\,c + 32\,i + j \tag{1.1} $$
#
# of the row. The 1 skips the class, 1,024 is a plane, 32 is a line. That is the whole format.


# %%
def byte_number(channel: int, line: int, column: int) -> int:
    return 1 + 1024 * channel + 32 * line + column


middle = [row[byte_number(channel, 16, 16)] for channel in range(3)]
print("red, green and blue of the pixel at line 16, column 16:", middle)

# %%
by_hand = torch.empty(3, 32, 32, dtype=torch.uint8)
for channel, line, column in product(range(3), range(32), range(32)):
    by_hand[channel, line, column] = row[byte_number(channel, line, column)]
print(tuple(by_hand.shape), by_hand.dtype)

# %% [markdown]
# Figure 1.1 shows the same 3,072 bytes three ways. On the left they stand as they lie in the file, 32 to
# a line: look for three grey versions of one picture, stacked. In the middle each plane has its colour; on the right
# they are laid over each other.

# %% mystnb={"image": {"alt": "The pixel bytes of one row form three stacked grey pictures of the same scene; coloured red, green and blue and laid over each other, they give the colour image."}}
places = [["file", "red", "image"], ["file", "green", "image"], ["file", "blue", "image"]]
figure, panels = plt.subplot_mosaic(places, figsize=(7.2, 4.2), width_ratios=[1.2, 1, 2.4])
panels["file"].imshow(by_hand.reshape(96, 32), cmap="gray", vmin=0, vmax=255)
panels["file"].set(title="bytes in the file", xticks=[0, 31], ylabel="line of 32 bytes", yticks=[0, 32, 64, 95])
panels["file"].grid(False)
for channel, colour in enumerate(["red", "green", "blue"]):
    plane = torch.zeros_like(by_hand)
    plane[channel] = by_hand[channel]
    figures.show_image(plane, panels[colour], colour)
figures.show_image(by_hand, panels["image"], train.class_names[row[0]])
plt.show()

# %% [markdown]
# **Figure 1.1.** The first row of the file. Left: its pixel bytes, 32 to a line, as they lie in the file. Middle: the
# three planes, each in its own colour. Right: the image.

# %% [markdown]
# The planes of one image are much alike: where a scene is bright, it is bright in all three colours. What differs
# between them is the colour.
#
# The loop above is how one would explain the format; nobody wants to wait for it 60,000 times. The same bytes, *viewed*
# as an array of shape (3, 32, 32), are already in the right order, and this is all that the package does too.

# %%
viewed = torch.frombuffer(row, dtype=torch.uint8)[1:].view(3, 32, 32)
labels, images = cifar.split_rows(np.frombuffer(row, np.uint8)[None], num_label_bytes=1)
assert torch.equal(by_hand, viewed)
assert torch.equal(by_hand, images[0])
assert torch.equal(by_hand, train.images[0])
assert row[0] == labels.item() == train.labels[0]
print("by hand, viewed, and by the package: the same image and class")

# %% [markdown]
# ## Reading it wrong
#
# Most image formats keep the three colours of a pixel next to each other. **Before you go on, guess:** what do you see
# if you read these bytes that way, as an array of shape (32, 32, 3)? And what if you swap lines and columns, or forget
# that the first byte is the class?

# %% mystnb={"image": {"alt": "Read as pixels of three neighbouring bytes, the row shows nine small, nearly grey copies of the scene; with lines and columns swapped the scene lies on its side; read from the class byte on, it is hardly different from the right reading."}}
everything = torch.frombuffer(row, dtype=torch.uint8)
readings = {
    "planes: correct": everything[1:].view(3, 32, 32),
    "colours side by side": everything[1:].view(32, 32, 3).permute(2, 0, 1),
    "lines and columns swapped": everything[1:].view(3, 32, 32).transpose(1, 2),
    "one byte early": everything[:-1].view(3, 32, 32),
}
figure, axes = plt.subplots(1, 4, figsize=(7.2, 2.2))
for ax, (title, reading) in zip(axes, readings.items(), strict=True):
    figures.show_image(reading, ax)
    ax.set_title(title, fontsize=8)
plt.show()

# %% [markdown]
# **Figure 1.2.** One row of bytes, read in four ways. Only the first is right.

# %% [markdown]
# In Figure 1.2, colours side by side give nine small copies: three neighbouring bytes, which are three
# neighbouring columns of one plane, become one nearly grey pixel, so each plane shrinks to a third of its width and is
# repeated three times. Swapped lines and columns lay the scene on its side. A network can learn from either, which is
# why such mistakes survive.
#
# The last one is the most dangerous. Everything has moved by a single pixel and the class has become a dot in the top
# left corner, and the picture looks fine. Looking is necessary, but it is not enough; hence the `assert` above.

# %% [markdown]
# ## A file of rows
#
# A batch file is rows and nothing else, so the whole of it is one array: as many lines as images, 3,073 columns, and
# the classes are the first column.

# %%
rows = np.fromfile(path, np.uint8).reshape(-1, 3_073)
print("rows and bytes:", rows.shape)
print("first classes: ", [train.class_names[label] for label in rows[:6, 0]])

# %% [markdown]
# The package knows every official file by its name, number of images and checksum, and so what size it must have:

# %%
files = [
    (file.name, dataset, split, file.num_images, known.row_bytes, file.num_images * known.row_bytes)
    for dataset, known in cifar.FORMATS.items()
    for split, files in known.files.items()
    for file in files
]
columns = ["file", "dataset", "split", "images", "bytes a row", "bytes"]
pd.DataFrame(files, columns=columns).set_index("file").map(
    lambda value: f"{value:,}" if isinstance(value, int) else value
)

# %% [markdown]
# ## Every class
#
# Figure 1.3 shows the first ten training images of each class. Look along a line: how different may two
# images of one class be? Then look down a column for pairs of classes that you would confuse at this size.

# %% mystnb={"image": {"alt": "Ten rows of ten images, a row a class: within a row place, size and colours vary widely while the kind of object stays the same."}}
examples = torch.stack([train.images[train.labels == label][:10] for label in range(10)])  # (10, 10, 3, 32, 32)
figure, ax = plt.subplots(figsize=(6.4, 5.6))
figures.show_rows(examples, train.class_names, ax)
plt.show()

# %% [markdown]
# **Figure 1.3.** The first ten training images of each class, in the order of the files.

# %% [markdown]
# Colour and place alone say little about the class; the network will need shape. Next, the counts.

# %%
counts = pd.DataFrame(
    {split.split: split.labels.bincount(minlength=10) for split in (train, test)}, index=list(train.class_names)
)
counts.T

# %% tags=["remove-input"]
even = all(counts[split].nunique() == 1 for split in counts)
display(
    Markdown(
        f"All classes are equally frequent: {counts.train.iloc[0]:,} images each to train on, {counts.test.iloc[0]:,} to "
        f"test on. So a network that always gives the same answer is wrong in {100 * (1 - 1 / train.num_classes):.0f} % "
        "of the cases: that is chance, the number to beat."
        if even
        else "The classes are not equally frequent."
    )
)

# %% [markdown]
# ## Mean and deviation of each channel
#
# Before images enter a network, a mean is subtracted from each channel, and often the result is divided by a standard
# deviation; the next chapter shows why. Public code carries these numbers around as constants. Let us compute them.
# A pixel value is one of 256, so it is enough to count how often each occurs; sums over the counts are exact.

# %%
values = torch.arange(256, dtype=torch.float64)
channels = train.images.unbind(dim=1)  # three times (N, 32, 32)
histogram = torch.stack([channel.flatten().bincount(minlength=256) for channel in channels])  # (3, 256)
share = histogram / histogram.sum(dim=1, keepdim=True).double()
mean = share @ values
std = (share @ values**2 - mean**2).sqrt()
print("mean:", [round(value, 2) for value in mean.tolist()], " deviation:", [round(value, 2) for value in std.tolist()])

# %%
package_mean, package_std = augment.channel_mean_std(train.images)
torch.testing.assert_close(mean.float(), package_mean)
torch.testing.assert_close(std.float(), package_std)
print("the package computes the same")

# %% mystnb={"image": {"alt": "The three channels use all values from 0 to 255; their means lie near the middle of the range, and the last bin, where bright pixels are cut off, stands out."}}
figure, ax = plt.subplots(figsize=(7.2, 3.0))
figures.plot_channel_values(train.images, ax, bins=64)
ax.set_xlabel("pixel value (0 to 255)")
plt.show()

# %% [markdown]
# **Figure 1.4.** How often each pixel value occurs in the training images, by channel. Dotted: the means.

# %% [markdown]
# In Figure 1.4 all values are in use, the means lie near the middle, and the peak at the right end is all that would
# have been brighter than white. Now the published numbers: the constants of much public code, and those of the source
# of our `edge` recipe ([techxzen, 2019](https://github.com/techxzen/pytorch-residual-networks)), which subtracts
# rounded means and divides by nothing.

# %%
published = {  # as constants in public training code for CIFAR-10, there divided by 255
    "mean": (125.3, 123.0, 113.9),
    "deviation": (63.0, 62.1, 66.7),
}
table = {"this page": [*mean.tolist(), *std.tolist()], "public code": [*published["mean"], *published["deviation"]]}
table["edge recipe"] = [*catalogue.EDGE.mean, *catalogue.EDGE.std]
header = pd.MultiIndex.from_product([["mean", "deviation"], ["red", "green", "blue"]])
pd.DataFrame(table, index=header).T.round(1)

# %% tags=["remove-input"]
difference = (torch.tensor([*mean, *std]) - torch.tensor([*published["mean"], *published["deviation"]])).abs().max()
if train.name == "cifar10":
    note = (
        f"The largest difference between our numbers and the constants of public code is {difference:.2f} of a pixel "
        "value: they are these numbers, rounded."
    )
else:
    note = (
        "The first line is of the **built-in images** here, so it need not agree with the two below, which are "
        "CIFAR-10's. Run this page with tier `cpu` and the real files, and it does."
    )
display(Markdown(note))

# %% [markdown]
# ## CIFAR-100: two labels
#
# CIFAR-100 holds as many images, in one hundred *fine* classes that form twenty *coarse* ones of five. Its rows have
# 3,074 bytes: the coarse label, the fine label, and then the same 3,072 bytes of pixels. With the files at hand we read
# them; without, we play: the ten built-in classes are the fine ones, and we invent two coarse classes for them.


# %%
def invented() -> data.ImageSet:
    """The built-in images, with coarse labels of our own: 0 for a round outline, 1 for straight edges."""
    small = data.load("builtin", "train")
    is_straight = torch.tensor([name not in ("disc", "ring", "crescent", "heart") for name in small.class_names])
    coarse = is_straight.long()[small.labels]
    names = (small.class_names, coarse, ("round", "straight"))
    return data.ImageSet(small.name, small.split, small.images, small.labels, *names)


try:
    hundred = invented() if train.name == "builtin" else data.load("cifar100", "train", root)
except cifar.DataMissingError as missing:
    if missing.named:
        raise
    hundred = invented()
print(f"{hundred.name}: {len(hundred.coarse_class_names)} coarse and {hundred.num_classes} fine classes")

# %%
if hundred.name == "cifar100":
    with (cifar.find_root(root) / "cifar-100-binary" / "train.bin").open("rb") as official:
        row = bytearray(official.read(3_074))
else:
    row = bytearray([hundred.coarse_labels[0]]) + as_row(hundred.images[0], hundred.labels[0])
coarse, fine = row[:2]
print(f"{len(row):,} bytes: coarse {coarse} ({hundred.coarse_class_names[coarse]}), fine {fine}", end=" ")
print(f"({hundred.class_names[fine]}), then pixels {list(row[2:8])} ...")

# %%
labels, images = cifar.split_rows(np.frombuffer(row, np.uint8)[None], num_label_bytes=2)
assert labels.tolist() == [[hundred.coarse_labels[0], hundred.labels[0]]]
assert torch.equal(images[0], hundred.images[0])
labels

# %% [markdown]
# A fine class belongs to one coarse class only, in every row of the file. We count the pairs to be sure.
# Figure 1.5 draws a few coarse classes, with one image each of some of their fine classes: judge for
# yourself how alike the members of a family are.

# %%
pairs = torch.stack([hundred.coarse_labels, hundred.labels], dim=1).unique(dim=0)  # (pairs, 2)
assert len(pairs) == hundred.num_classes
families = {name: pairs[pairs[:, 0] == label, 1] for label, name in enumerate(hundred.coarse_class_names)}
print(*(f"{name}: {', '.join(hundred.class_names[i] for i in fine)}" for name, fine in families.items()), sep="\n")

# %% mystnb={"image": {"alt": "Each line shows images of different fine classes that belong to one coarse class: related things that are not the same thing."}}
shown = list(families)[:5]
width = min(len(families[name]) for name in shown)
first = [hundred.images[hundred.labels == fine][0] for name in shown for fine in families[name][:width]]
figure, ax = plt.subplots(figsize=(6.4, 0.9 * len(shown) + 0.2))
figures.show_rows(torch.stack(first).view(len(shown), width, 3, 32, 32), shown, ax)
plt.show()

# %% [markdown]
# **Figure 1.5.** One image each of the first fine classes of the first coarse classes: a line a coarse class.

# %% tags=["remove-input"]
if hundred.name == "cifar100":
    sizes = sorted({len(fine) for fine in families.values()})
    each = hundred.labels.bincount().unique().tolist()
    note = (
        f"These are the real CIFAR-100 images: {len(families)} coarse classes of {sizes[0]} fine ones, "
        f"{each[0]:,} training images in each fine class, a tenth of what a class of CIFAR-10 has."
    )
else:
    note = "These are **built-in images** with invented coarse labels; the row above was built by hand."
display(Markdown(f"> {note}"))

# %% [markdown]
# ## What a wrong file looks like
#
# Files arrive damaged: a download stops half-way, a proxy sends a web page in place of the archive, a disk flips a bit.
# **Guess before you look:** we take a single byte out of the middle of the sixth image of our file, and decode what is
# left. What happens to the images before, at, and after that place?

# %%
good = path.read_bytes()
place = 5 * 3_073 + byte_number(1, 16, 0)  # in the green plane of the sixth image
lost = good[:place] + good[place + 1 :]
lost_rows = np.frombuffer(bytearray(lost), np.uint8)[: 99 * 3_073].reshape(99, 3_073)
print("the right classes:", rows[:12, 0].tolist())
print("after the loss:   ", lost_rows[:12, 0].tolist())

# %% mystnb={"image": {"alt": "Up to the sixth image both rows agree; from there on, the images of the damaged file are shifted by one pixel, which is hard to see, although their class labels are now pixel values."}}
intact, damaged = cifar.split_rows(rows, 1)[1], cifar.split_rows(lost_rows, 1)[1]
figure, ax = plt.subplots(figsize=(7.2, 2.2))
figures.show_rows(torch.stack([intact[2:10], damaged[2:10]]), ("as it is", "a byte lost"), ax)
plt.show()

# %% [markdown]
# **Figure 1.6.** The third to tenth image of the file, as it is and after one byte of the sixth image was lost.

# %% [markdown]
# The pictures in Figure 1.6 hardly show it: from the sixth image on, everything has moved by one column.
# The labels do. Each is now the first red value of its image, and few of those are below ten. A network that
# trained on this file would learn from noise. A loader can tell, if it is told what to expect. Ours checks, in this
# order, that the file is there, that its size is right to the byte, that every label exists, and that its SHA-256 is
# the known one. We damage our file in five ways and read each.


# %%
def told_about(content: bytes) -> str:
    """What the loader says about our file of a hundred rows, when it holds ``content``."""
    path.write_bytes(content)
    into = np.empty((100, 3_073), np.uint8)
    try:
        cifar.read_rows(path, cifar.FORMATS["cifar10"], into, hashlib.sha256(good).hexdigest())
    except cifar.DataError as error:
        return str(error).replace(workshop.name, "my-data")
    return "nothing to complain about"


print(told_about(good))

# %%
damages = {
    "Truncated": good[:-1_000],
    "One byte too many": good + b"\n",
    "A class that does not exist": bytes([10]) + good[1:],
    "One bit flipped": good[:500] + bytes([good[500] ^ 1]) + good[501:],
    "A web page": b"<!DOCTYPE html><title>Moved</title>",
}
Markdown("\n".join(f"- **{kind}.** {told_about(content)}" for kind, content in damages.items()))

# %% [markdown]
# Each message names the file, what was expected, what was found, and the command that puts it right. Only the checksum
# notices the flipped bit: the size is right, the labels exist, and no eye would see one pixel that is one shade off. A
# folder in which files are missing is refused as well:

# %%
path.write_bytes(good)
try:
    data.load("cifar10", "train", workshop.name)
except cifar.DataError as error:
    print(type(error).__name__, "-", str(error).replace(workshop.name, "my-data"))

# %% [markdown]
# ## From now on
#
# The rest of the book reads images in one line. What comes back is an `ImageSet`: uint8 pixels of shape
# (N, 3, 32, 32), a class for each, the names of the classes, and a SHA-256 of it all that goes into the record of every
# training run, so that a result can always be traced to the bytes it came from.

# %%
again = data.load(train.name, "train", root)
assert again.sha256 == train.sha256
workshop.cleanup()
print(again.name, tuple(again.images.shape), again.images.dtype, tuple(again.labels.shape), again.sha256[:16])

# %% [markdown]
# ## Exercises
#
# **1.** Which byte of `data_batch_1.bin` holds the blue value of the bottom right pixel of the eighth image?
#
# <details><summary>Solution</summary>
#
# Seven rows come before it, and equation (1.1) counts within the row: `7 * 3_073 + byte_number(2, 31, 31)`. Since
# that is the last value of the row, it is also `8 * 3_073 - 1`.
#
# </details>
#
# **2.** Much public code divides CIFAR-10 by the deviations 0.2023, 0.1994, 0.2010 (of values from 0 to 1), which are
# clearly smaller than ours. Where could they come from?
#
# <details><summary>Solution</summary>
#
# They are the *average over images* of the deviation *within* an image, which leaves out how images differ from each
# other in brightness:
#
# ```python
# within = train.images[:10_000].float().std(dim=(2, 3), correction=0).mean(dim=0) / 255
# ```
#
# With the real images this gives nearly those numbers, on any ten thousand of them. The network hardly minds: its
# first batch norm rescales whatever arrives.
#
# </details>
#
# **3.** How far does colour alone get you? Give each test image the class whose mean colour over the training images
# is nearest, and compare the error with chance.
#
# <details><summary>Solution</summary>
#
# ```python
# def colour(images):
#     return images.float().mean(dim=(2, 3))  # (N, 3)
#
# centres = torch.stack([colour(train.images[train.labels == k]).mean(dim=0) for k in range(10)])
# answers = torch.cdist(colour(test.images), centres).argmin(dim=1)
# print(100 * (answers != test.labels).float().mean())
# ```
#
# On CIFAR-10 it beats chance, but not by much: sky and sea are blue. On the built-in images the colours are drawn
# without regard to the class, so it stays near chance.
#
# </details>
#
# **4.** A checksum catches every damage that we made. Why does the loader check the size and the labels first?
#
# <details><summary>Solution</summary>
#
# To say something useful. "Wrong checksum" is true of all five files, but it does not tell a download that stopped
# half-way from a disk that flipped a bit. Size and labels cost almost nothing to check, and they name the trouble: 35
# bytes where 307,300 should be are worth a look into the file. They also protect those who read files of their own,
# for which no checksum is known.
#
# </details>

# %% [markdown]
# ## Summary
#
# - A row of CIFAR-10 is a class byte and three planes of 32 lines of 32 bytes; equation (1.1) is the format. CIFAR-100
#   has two class bytes.
# - Wrong readings can look right. Equality with a second, independent decoding is a test; a glance is not.
# - All classes are equally frequent, so chance is an error of nine in ten. The constants of public code are means and
#   deviations that anyone can compute.
# - Size, labels and checksum tell wrong files from right ones before a network has to.
#
# Next: what is done to these images before a network sees them.
#
# **References.** The dataset and its format:
# [Krizhevsky (2009)](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf). The same format explained, with
# the rounded means: [techxzen (2019)](https://github.com/techxzen/pytorch-residual-networks).

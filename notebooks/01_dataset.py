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
# we have read them right?** Nothing in a network complains of wrong pixels, so we look before we train.
#
# **You will learn**
#
# - how one image lies in 3,073 bytes, and how to decode it by hand;
# - what the dataset holds: classes, counts, and the mean and deviation of each colour;
# - what a wrong reading and a wrong file look like, and what finds them before a network is trained.
#
# **What it needs.** No earlier chapter. Seconds on two cores; a GPU does not help. No download in tier `smoke`; in others
# CIFAR-10 and, for one section, CIFAR-100, each an archive of 170 MB that unpacks to 184 MB (`make data` fetches both).

# %% [markdown]
# ## Data at hand
#
# CIFAR-10 ([Krizhevsky, 2009](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf)) is a set of small colour
# photographs in ten classes. The book never ships them. In their place it has ten classes of small drawings of the same
# shape and type, made from a fixed seed. Every page of the book has a *tier*, how much it is to do: `smoke` takes the
# drawings, `cpu` and `paper` take CIFAR-10 where they find it. The page always says which images you are looking at.

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": the built-in images; "cpu" and "paper": the real CIFAR, where its files are found
data_root = ""  # the folder that holds cifar-10-batches-bin/; "": $RESNET_BOOK_DATA, else data/

# %%
import hashlib
import re
import tempfile
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display

from resnet_book import augment, cifar, data
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
else:
    note = (
        f"**These are the built-in images**; this is tier `{tier}`. CIFAR-10 is shown in tier `cpu` where its files are "
        "found; `resnet-book data cifar10` fetches them."
    )
display(Markdown(f"> {note}"))

# %% [markdown]
# ## One image, by hand
#
# [The dataset's page](https://www.cs.toronto.edu/~kriz/cifar.html) says how the files are laid out: rows of bytes, one
# for each image, all of one length. In CIFAR-10 a row is one byte for the class, then 1,024 bytes of red, 1,024 of
# green, 1,024 of blue. Each of these planes is a 32 by 32 picture, left to right, line after line, from the top down.
#
# We want a file that is ours to read and, later, to damage. With CIFAR-10 at hand it is a copy of the first hundred
# rows of the official `data_batch_1.bin`; otherwise we write a hundred built-in images in that very format. From then
# on we hold bytes, and the description above.


# %%
def as_row(image: torch.Tensor, label: int) -> bytes:
    """One image (3, 32, 32) uint8 in the official format: the class, then red, green and blue, line by line."""
    return bytes([label]) + image.numpy().tobytes()


workshop = tempfile.TemporaryDirectory()
path = Path(workshop.name) / "cifar-10-batches-bin" / "data_batch_1.bin"
path.parent.mkdir()
if train.name == "cifar10":
    with (cifar.find_root(root) / "cifar-10-batches-bin" / "data_batch_1.bin").open("rb") as official:
        path.write_bytes(official.read(100 * 3_073))
else:
    path.write_bytes(b"".join(map(as_row, train.images[:100], train.labels[:100])))
row = bytearray(path.read_bytes()[:3_073])
print(f"{path.name}: {path.stat().st_size:,} bytes")
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


by_hand = torch.empty(3, 32, 32, dtype=torch.uint8)
for channel, line, column in product(range(3), range(32), range(32)):
    by_hand[channel, line, column] = row[byte_number(channel, line, column)]
print("red, green and blue of the pixel at line 16, column 16:", by_hand[:, 16, 16].tolist())

# %% [markdown]
# Figure 1.1 shows the same 3,072 bytes three ways. On the left, look for three grey versions of one picture, stacked.

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
# three planes, each in its own colour. Right: all three laid over each other, the image.

# %% [markdown]
# Compare the planes at one place. Where all three are alike, the image is white, grey or black; where one is darker than
# the others, the image takes their colour. In the built-in drawing the dot below the bow tie is dark in green alone, so
# it is magenta.
#
# The loop above explains the format; nobody wants to wait for it 60,000 times. The same bytes, *viewed* as an array of
# shape (3, 32, 32), are already in the right order, and the package does no more than that.

# %%
viewed = torch.frombuffer(row, dtype=torch.uint8)[1:].view(3, 32, 32)
labels, images = cifar.split_rows(np.frombuffer(row, np.uint8)[None], num_label_bytes=1)
assert torch.equal(by_hand, viewed)
assert torch.equal(by_hand, images[0])
assert torch.equal(by_hand, train.images[0])
assert row[0] == labels.item() == train.labels[0]
print("by hand, viewed, and by the package: the same image and class")

# %% [markdown]
# What does this show? Three ways of reading agree. That checks our code, not the format that all three assume, and the
# built-in row we even wrote ourselves. **That CIFAR is read right, other evidence has to say**, in the tiers that have
# the files. Checksums show that the bytes are those that this book was made with. That they are images and classes shows
# in the published number of images in each class, and in names that fit the pictures (Figure 1.3); the order of the
# colours, in the means of the channels, which are published, too. Pixels read one byte early would hardly show in any of
# these: for them "Reading it wrong" below has a test.
#
# ## A file of rows
#
# A batch file is rows and nothing else, so the whole of it is one array: as many lines as images, 3,073 columns, and
# the classes are the first column.

# %%
rows = np.fromfile(path, np.uint8).reshape(-1, 3_073)
print("rows and bytes:", rows.shape)
print("first classes: ", [train.class_names[label] for label in rows[:6, 0]])

# %% [markdown]
# The package knows every official file by its name, its number of images, and its SHA-256, a checksum of 256 bits that
# comes out different when any bit of the file does. The size follows from the format.

# %%
for dataset, known in cifar.FORMATS.items():
    for split, files in known.files.items():
        sizes = f"{files[0].num_images:,} rows of {known.row_bytes:,} bytes"
        print(f"{dataset + ', ' + split:<16} {len(files)} x {sizes}, {files[0].name}: SHA-256 {files[0].sha256[:8]}...")

# %% [markdown]
# ## Reading it wrong
#
# Most image formats keep the three colours of a pixel next to each other. **Before you go on, guess:** what do you see
# if you read these bytes that way, as an array of shape (32, 32, 3)? And what if you swap lines and columns, or forget
# that the first byte is the class?

# %% mystnb={"image": {"alt": "Read as pixels of three neighbouring bytes, the row shows nine small, nearly grey copies of the scene; with lines and columns swapped the scene is mirrored in its diagonal; read from the class byte on, it is hardly different from the right reading."}}
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
# In Figure 1.2, colours side by side give nine small copies. One line of that picture takes 96 bytes, which are three
# lines of a plane side by side: hence three copies across, each with every third line. Three columns become one pixel,
# grey except at edges. The three planes follow one below the other. Swapped lines and columns mirror the scene in its
# diagonal. Beside the right picture, either is plain to see.
#
# The last one is not. The class has become the red of the top left corner, all else has moved to the right by one
# pixel, and the last column has come in at the left. In photographs neighbours are alike and opposite edges less so.
# Read early, columns 0 and 1 come from opposite edges; read one byte late, columns 30 and 31 do. Here are the mean
# differences in our whole file, without each plane's first and last line, where another plane or the class comes in.

# %%
steps = {}
for reading, shift in {"read right": 0, "one byte early": 1, "one byte late": -1}.items():
    planes = np.roll(rows, shift, axis=1)[:, 1:].reshape(-1, 32, 32)[:, 1:-1]
    steps[reading] = abs(np.diff(planes.astype(int))).mean(axis=(0, 1))[[0, 1, -2, -1]]
pd.DataFrame(steps, index=["columns 0 and 1", "1 and 2", "29 and 30", "30 and 31"]).T.round(1)

# %% [markdown]
# In a hundred drawings nothing stands out: their backgrounds do not change along a line, so opposite edges are alike, too.
# In the first hundred images of CIFAR-10, read right, the four are 13.1, 13.8, 13.3 and 14.4; read early the first is
# 39.0, read late the last.

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
# Along a line colours and places vary, so the mean colour will not do (exercise 3). Next, the counts. The dataset's page
# gives those of CIFAR-10: in each class 5,000 images to train on, 1,000 to test on.

# %%
counts = pd.DataFrame(
    {split.split: split.labels.bincount(minlength=10) for split in (train, test)}, index=list(train.class_names)
)
assert (counts == counts.iloc[0]).all(axis=None)
counts.T

# %% [markdown]
# All classes are equally frequent. So a network that always gives the same answer is wrong in nine cases of ten: that
# is *chance*, the error to beat.
#
# ## Mean and deviation of each channel
#
# Before images enter a network, a mean is subtracted from each channel, and often the result is divided by a standard
# deviation. The next chapter looks at what that does; here we compute both. A pixel value is one of 256, so it is
# enough to count how often each occurs. The sums over the counts are whole numbers, so nothing is rounded in them.

# %%
values = torch.arange(256)
channels = train.images.unbind(dim=1)  # three times (N, 32, 32)
histogram = torch.stack([channel.flatten().bincount(minlength=256) for channel in channels])  # (3, 256) int64
count = len(train) * 32 * 32
mean = (histogram @ values).double() / count
std = ((histogram @ values**2).double() / count - mean**2).sqrt()

package_mean, package_std = augment.channel_mean_std(train.images)
torch.testing.assert_close(mean.float(), package_mean)
torch.testing.assert_close(std.float(), package_std)
print("as the package: mean", mean.numpy().round(2), " deviation", std.numpy().round(2))

# %% mystnb={"image": {"alt": "The means of the three channels lie near the middle of the range; in the built-in images the bins at both ends, where darker and brighter pixels are cut off, stand out."}}
figure, ax = plt.subplots(figsize=(7.2, 3.0))
figures.plot_channel_values(train.images, ax, bins=64)
ax.set_xlabel("pixel value (0 to 255)")
plt.show()

# %% [markdown]
# **Figure 1.4.** How often each pixel value occurs in the training images, by channel. Dotted: the means. In the
# drawings, those of green and blue lie on each other.

# %% [markdown]
# In Figure 1.4 the means lie near the middle. At the ends the drawings have peaks: values that would be darker than black
# or brighter than white are cut off there.
#
# Public training code carries mean and deviation around as constants. Here are those of one repository
# ([xternalz/WideResNet-pytorch](https://github.com/xternalz/WideResNet-pytorch), `train.py`) beside ours. They are
# CIFAR-10's: the drawings have no reason to agree with them. With the real files the two lines are the same numbers.

# %%
constants = (125.3, 123.0, 113.9, 63.0, 62.1, 66.7)
table = {f"this page ({train.name})": [*mean.tolist(), *std.tolist()], "constants (cifar10)": constants}
if train.name == "cifar10":
    assert np.allclose(*table.values(), rtol=0, atol=0.05)
header = pd.MultiIndex.from_product([["mean", "deviation"], ["red", "green", "blue"]])
pd.DataFrame(table, index=header).T.round(1)

# %% [markdown]
# ## CIFAR-100: two labels
#
# CIFAR-100 holds as many images, in one hundred *fine* classes that form twenty *coarse* ones of five. Its rows have
# 3,074 bytes: the coarse label, the fine label, and then the same 3,072 bytes of pixels. Each fine class belongs to one
# coarse class, in every row. With the files at hand the cell checks this and the fives, which would fail with the two
# labels swapped; with the drawings it shows six names and checks nothing.

# %%
coarse_names, fine_names = data.SUPERCLASS_NAMES["cifar100"], data.CLASS_NAMES["cifar100"]
print(f"coarse: {', '.join(coarse_names[:3])}, ...; fine: {', '.join(fine_names[:3])}, ...")
if train.name == "cifar10":
    try:
        hundred = data.load("cifar100", "train", root)
        pairs = torch.stack([hundred.coarse_labels, hundred.labels], dim=1).unique(dim=0)  # (100, 2)
        assert pairs[:, 0].bincount(minlength=20).tolist() == [5] * 20
        assert pairs[:, 1].bincount(minlength=100).tolist() == [1] * 100
        for coarse_name, five in zip(coarse_names, pairs[:, 1].view(20, 5), strict=True):
            print(f"{coarse_name}: {', '.join(fine_names[k] for k in five)}")
    except cifar.DataMissingError as missing:
        print(missing)

# %% [markdown]
# ## What a wrong file looks like
#
# Files get damaged: a copy stops half-way, an editor adds a newline, a disk flips a bit. **Guess before you look:** we
# take a single byte out of the middle of the sixth image of our file, and decode what is left as if nothing had
# happened. What becomes of the images before, at, and after that place?

# %%
good = path.read_bytes()
place = 5 * 3_073 + byte_number(1, 16, 0)  # in the green plane of the sixth image
lost = good[:place] + good[place + 1 :]
lost_rows = np.frombuffer(bytearray(lost), np.uint8)[: 99 * 3_073].reshape(99, 3_073)
print("the right classes:", rows[:12, 0].tolist())
print("after the loss:   ", lost_rows[:12, 0].tolist())

# %% mystnb={"image": {"alt": "Up to the fifth image both rows agree; the sixth of the damaged file is shifted by one pixel in part, the later ones wholly, which is hard to see."}}
intact, damaged = cifar.split_rows(rows, 1)[1], cifar.split_rows(lost_rows, 1)[1]
figure, ax = plt.subplots(figsize=(7.2, 2.2))
figures.show_rows(torch.stack([intact[2:10], damaged[2:10]]), ("as it is", "a byte lost"), ax)
plt.show()

# %% [markdown]
# **Figure 1.5.** The third to tenth image of the file, as it is and after one byte of the sixth image was lost.

# %% [markdown]
# The pictures in Figure 1.5 hardly show it. In the sixth image the rest of the green plane and all of the blue have
# moved by one column; in those after it everything has. The labels show it: from the seventh image on, each is now the
# first red value, and most of those are no class at all. A loss over ten classes refuses them, but names no file.
# A loader can say more, if it is told what to expect. Ours checks, in this order, that the file is there, that its size
# is right to the byte, that every label exists, and that its SHA-256 is the known one. We give it the damaged file.


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


print("Undamaged:", told_about(good), "\n")
print("A byte lost:", told_about(lost))

# %% [markdown]
# The message says what was expected and found, and which command helps. Three more damages, and what is said of each:

# %%
damages = {
    "A byte too many": good + b"\n",
    "A class that does not exist": bytes([10]) + good[1:],
    "A bit flipped": good[:500] + bytes([good[500] ^ 1]) + good[501:],
}
for kind, content in damages.items():
    middle = told_about(content).removeprefix("my-data/cifar-10-batches-bin/data_batch_1.bin").partition(". `")[0]
    print(f"{kind}: ...{re.sub(r'(?<=[0-9a-f]{8})[0-9a-f]{56}', '...', middle)}")

# %% [markdown]
# Only the checksum notices the flipped bit, which no eye would see. So why check the rest? "Wrong checksum" would be true
# of all four files; size and labels say more: that the file is too short or too long, or which row is wrong.

# %% [markdown]
# ## From now on
#
# The rest of the book reads images in one line. What comes back is an `ImageSet`: uint8 pixels of shape
# (N, 3, 32, 32), a class for each, the names of the classes, and a SHA-256 of pixels and labels, which goes into the
# record of every training run. So a result can be traced to the bytes it came from.

# %%
again = data.load(train.name, "train", root)
assert again.sha256 == train.sha256
workshop.cleanup()
print(again.name, tuple(again.images.shape), again.images.dtype, tuple(again.labels.shape), again.sha256[:16])

# %% [markdown]
# ## Exercises
#
# **1.** Which byte of `data_batch_1.bin`, counted from zero, holds the blue of the eighth image's bottom right pixel?

# %%
byte = None  # your answer

hints = {
    8 * 3_073 - 1: "Right: it is the last one of its row.",
    8 * 3_073: "Nearly: count from zero.",
    9 * 3_073 - 1: "Nearly: how many rows come before the eighth?",
}
said = hints.get(byte, "Wrong: count the rows before it, then the bytes within its own.")
print("Not answered yet." if byte is None else said)

# %% [markdown]
# <details><summary>Solution</summary>
#
# Seven rows come before it, and equation (1.1) counts within the row: `byte = 7 * 3_073 + byte_number(2, 31, 31)`, 24,583.
#
# </details>
#
# **2.** [kuangliu/pytorch-cifar](https://github.com/kuangliu/pytorch-cifar) (`main.py`) divides CIFAR-10 by the deviations
# 0.2023, 0.1994, 0.2010 (of values from 0 to 1), clearly smaller than the constants above. Where could they come from?
# A hint: ours is the root of an average. In which other order could one average and take the root?
#
# <details><summary>Solution</summary>
#
# They are the *average over images* of the deviation *within* an image. It leaves out how images differ from each other
# in brightness; that is about four fifths of what is missing. The rest comes from averaging roots in place of squares,
# as images differ in contrast. With the real images this gives exactly these, to four decimals:
#
# ```python
# within = train.images.float().std(dim=(2, 3)).mean(dim=0) / 255
# ```
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
# On CIFAR-10 the error is 80.4 %. What is found is mostly airplanes and frogs, more than half of each; but more than half
# of all answers are one of these two. In the built-in images colours are drawn without regard to the class: 88.9 %.
#
# </details>

# %% [markdown]
# ## Summary
#
# - A row of CIFAR-10 is a class byte and three planes of 32 lines of 32 bytes; CIFAR-100 has two class bytes.
# - Pixels read one byte early or late look fine. In photographs the columns at one edge then differ about three times as
#   much as others; in a hundred drawings nothing shows.
# - That CIFAR is read right, the checksums, published counts and means, fitting labels and that test of the columns show,
#   in the tiers that have the files. With the drawings, the same steps check our code only.
# - All classes are equally frequent, so chance is an error of nine in ten.
# - Size, labels and checksum tell a wrong file from the right one before a network is trained.
#
# Next: what is done to these images before a network sees them.
#
# **References.** The dataset: [Krizhevsky (2009)](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf). Its
# format: [the dataset's page](https://www.cs.toronto.edu/~kriz/cifar.html), explained also by
# [techxzen (2019)](https://github.com/techxzen/pytorch-residual-networks).

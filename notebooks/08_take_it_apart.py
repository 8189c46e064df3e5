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
# # Take it apart
#
# **What happens to a trained network if it loses a block?**
#
# Figure 8.1 shows the operation. The network is trained, its weights are fixed, and one block is taken out.
# Nothing is trained afterwards. What will it answer?
#
# Veit, Wilber and Belongie did this to a plain network of another family and to a residual one of 110 layers
# ([Veit et al., 2016](https://arxiv.org/abs/1605.06431)). The plain one fell to chance, whichever layer it lost. The
# residual one hardly noticed the loss of nearly any block. They concluded that a residual network is less a chain than
# a bundle of paths of many lengths. We do it to plain twins beside residual ones, of 20 and of 56 layers, and then ask
# whether that conclusion follows.
#
# **You will learn**
#
# - to cut a network without touching it, and what has to stand where a block was;
# - how much of the damage is the cut, and how much is batch norm with the wrong statistics;
# - to count the paths through a residual network and to measure the gradient that each length carries.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the blocks. With `tier = "smoke"` the page takes under a
# minute on 2 cores and downloads nothing; `"cpu"` and `"paper"` take two to ten minutes and CIFAR-10 (170 MB). Nothing
# is trained here.

# %% tags=["remove-cell"]
from importlib.util import find_spec

if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": built-in images; "cpu": networks trained in minutes; "paper": by the paper's recipe
data_root = ""  # the folder that holds the CIFAR files; "": where the package looks for them

# %%
from copy import deepcopy
from itertools import combinations, product

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from IPython.display import Markdown, display

# %%
from resnet_book import augment, data, features
from resnet_book.analysis import cutting, lesions
from resnet_book.analysis.lesions import Cut
from resnet_book.analysis.paths import effective_length, path_gradient
from resnet_book.experiments import lesion_records, records, weights
from resnet_book.report import figures, lesion_figures, live_network

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
IMAGES = {"smoke": 150, "cpu": 500, "paper": 2_000}[tier]
f"each cut of this page is tested on {IMAGES:,} images"

# %% mystnb={"image": {"alt": "Two chains of six blocks from the images to the classes. The third block is missing in both. In the plain chain no way leads on; in the residual one a shortcut leads around every block, around the missing one too."}}
_, axes = plt.subplots(2, 1, figsize=(6.4, 2.6))
for ax, residual in zip(axes, (False, True), strict=True):
    lesion_figures.draw_cut(ax, residual)
plt.show()

# %% [markdown]
# **Figure 8.1.** One block is cut out. The plain network (above) has no way around it, the residual one (below) has a
# shortcut.

# %% [markdown]
# ## A pair of trained networks
#
# Two twins from the recorded runs: the same layers, the same images, the same recipe, and the only difference is the
# shortcuts.

# %%
recipes = {
    "smoke": [],
    "cpu": ["cifar10-short"],
    "paper": ["cifar10", "cifar10-short"],
}[tier] + ["builtin-smoke"]
results = records.find_results()
pairs = [(f"plain20-{recipe}", f"resnet20-{recipe}") for recipe in recipes]  # the first that is here
twins = dict(zip(("plain", "residual"), weights.load_first_group(pairs, data_root or None, results), strict=True))
{kind: f"{record.experiment}: {record.test_error:.2f} %" for kind, (_, record) in twins.items()}

# %% [markdown]
# These errors are of all test images; below, the first ones will do. The drawings of the smoke tier are easy, and 150
# iterations are few: there the plain twin is ahead. What is recorded on CIFAR-10 comes after that.

# %% tags=["remove-input"]
if (plain := twins["plain"][1].experiment) != pairs[0][0]:
    text = f"> **The twins that tier `{tier}` asks for are not at hand**, so this page cuts `{plain}` and its residual twin."
    display(Markdown(text))

# %%
record = twins["residual"][1]
train_images = data.load(record.dataset["name"], "train", data_root or None)
test_images = data.load(record.dataset["name"], "test", data_root or None).subset(IMAGES)
statistics = record.mean, record.std
f"{cutting.count_blocks(twins['residual'][0])} blocks; 4 and 7 begin a new stage"

# %% [markdown]
# ## Cut a block out, by hand
#
# A residual block computes $y = \mathrm{ReLU}(F(x) + S(x))$, where the shortcut $S$ is the identity, or, where a new
# stage begins, takes every second pixel and fills up with channels of zeros. Without $F$ there remains $y = S(x)$
# (what comes out of a ReLU passes the next one unchanged). So to cut the block out is to put its shortcut in its place.


# %% tags=["nbval-ignore-output"]
def without(network, stage: int, place: int):
    """A copy of a residual network in which one block is replaced by its shortcut."""
    cut = deepcopy(network)  # the trained network stays as it is
    cut.stages[stage][place] = cut.stages[stage][place].shortcut
    return cut


network = twins["residual"][0]
few = augment.normalise(test_images.images[:8], *map(torch.tensor, statistics))
with torch.inference_mode():
    assert torch.equal(without(network, 1, 2)(few), cutting.leave_out(network, [6])(few))  # the sixth of nine blocks
    moved = (without(network, 1, 2)(few) - network(few)).abs().max()
f"the scores move by up to {moved:.1f}"

# %% [markdown]
# A plain block has no shortcut to leave behind. Where it keeps the shape, the next block can take its input instead.
# Where it halves the resolution and doubles the channels, the next one could not even read it; there we put the
# shortcut that the twin has. So both networks are cut in the same places, in the same way. It is a choice, and for the
# plain network a strange one: it never saw such channels. Blocks 4 and 7 are of that kind; keep an eye on them.
#
# > **Predict, then run**
# >
# > Each network has nine blocks. Cut out each block alone. Who guesses errs on 90 %. In how many of the nine cases will
# > the *plain* network err on less than half of that, 45 %? And the residual one? Write down both numbers. Figure 8.2
# > has the answer.


# %% tags=["nbval-ignore-output"]
def cut_each_block(network) -> pd.DataFrame:
    """A row for the whole network and one for each block that is left out."""
    whole = features.extract(network, test_images, *statistics)
    cuts = [Cut("nothing"), *(Cut("leave out", (block,)) for block in range(1, cutting.count_blocks(network) + 1))]
    damages = [lesions.damage(cut.made(network), test_images, *statistics, whole) for cut in cuts]
    return lesions.lesion_frame([(cut, each, each) for cut, each in zip(cuts, damages, strict=True)])


here = pd.concat(
    lesion_figures.labelled(cut_each_block(network), record.experiment, record.seed)
    for network, record in twins.values()
)
here.pivot_table(index="kind", columns="cut", values="error").round(1)

# %% mystnb={"image": {"alt": "Test error against the block that is left out, for the two networks of this page. In the smallest tier the plain network's error lies above the residual one's for every block, although the whole plain network is the better one."}} tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7.2, 3.2))
lesion_figures.plot_single(here, ax)
figures.add_legend(fig)
plt.show()

# %% [markdown]
# **Figure 8.2.** The twins of this page with one block left out (dotted: whole): which of the two bears it better?

# %% tags=["nbval-ignore-output"]
single = here[here.removed == 1]
(single.error < 45).groupby(single.kind).sum().rename("cuts with an error below 45 %").to_frame()

# %% [markdown]
# ## The recorded networks, on CIFAR-10
#
# Those were two networks and a few images. `resnet-book lesions NAME` does all that follows to a recorded network and
# keeps it beside its record. Every cut was tested on the first 2,000 test images, so an error has a standard error of
# about one point; differences between cuts of one network, on the same images, are surer than that.

# %% tags=["nbval-ignore-output"]
found = [each for each in lesion_records.all_lesions(results) if each.experiment.split("-")[1] == "cifar10"]
cuts, paths = lesion_figures.all_cuts(found), lesion_figures.all_paths(found)
if not found:
    print("Nothing is recorded here, so what follows is empty.")
pd.DataFrame(
    [(each.experiment, len(each.cuts), each.test_images, each.made_by["device"]) for each in found],
    columns=["network", "cuts", "test images", "measured on"],
).set_index("network")

# %% [markdown]
# **Predict.** The same question for 2,000 and for 64,000 iterations of training, and for nine blocks and 27: does a
# better network bear a cut better, or worse? And a deeper one? Figure 8.3 shows all.

# %% mystnb={"image": {"alt": "Test error against the block left out, a panel for each depth and length of training. The plain networks' errors lie near chance for nearly every block. Those of the residual networks of nine blocks lie lower, and differ much from block to block. Those of the residual networks of 27 blocks lie close to the whole network's error, but for a few blocks near the places where a stage begins."}} tags=["nbval-ignore-output"]
lesion_figures.draw_by_budget(cuts, lesion_figures.plot_single)
plt.show()

# %% [markdown]
# **Figure 8.3.** Which block is missed most? Recorded networks of 20 layers (above) and 56 (below) with one block left
# out, on 2,000 test images of CIFAR-10 (dotted: whole). With nine blocks a stage begins at 4 and 7, with 27 at 10 and 19.

# %% tags=["nbval-ignore-output"]
NETWORK = ["kind", "depth", "iterations"]
whole, one_lost = cuts[cuts.cut == "nothing"].set_index(NETWORK), cuts[cuts.removed == 1].groupby(NETWORK)
table = one_lost.error.agg(["mean", "min", "max"]).assign(whole=whole.error)
table.assign(right=100 - table["mean"], sure=100 * one_lost.confidence.mean()).round(1)

# %% [markdown]
# (Test error with one block lost, in %; `right`: % of right answers, `sure`: their mean confidence.) In the book's
# records, one seed of each network, plain ones answer nearly blindly with nearly any block lost, as in
# [Veit et al. (2016)](https://arxiv.org/abs/1605.06431). Their residual twins lose less than half as much. How much that
# is depends on the depth. With nine blocks they do notice: not one can be lost for nothing, and longer training does not
# help. With 27 blocks the picture is another: after the long training most add less than two points each, as nearly any
# of 54 did there. The exceptions stand where a stage begins or ends: 10, and 17 to 20. And a cut network does not know
# that it is cut: on average, all are surer than they are right.
#
# ## Is it the cut, or the statistics?
#
# A batch norm divides by a standard deviation that it measured in training, when the block was still there. Behind a
# cut these statistics are wrong. That is not the network's knowledge; it can be measured anew on a thousand training
# images, without changing one weight. (The images must be augmented as in training: the borders of zeros count.
# Exercise 3 looks into that.)
#
# **Predict.** How much of the damage goes away: a tenth, a half, nearly all? Figure 8.4 has the answer,
# for one block and for several chosen at random (of those that keep the shape).

# %% mystnb={"image": {"alt": "Test error against the number of blocks left out, a row for each depth, statistics as trained on the left, measured anew on the right. With every further block the residual networks' errors rise towards chance, more slowly on the right, and far more slowly with 56 layers; those of plain networks are near chance from the first block on, on the right a little later."}} tags=["nbval-ignore-output"]
STATISTICS = {"error": "as trained", "error_anew": "measured anew"}
lesion_figures.draw_by_depth(cuts, lesion_figures.plot_together, STATISTICS, comparable=True)
plt.show()

# %% [markdown]
# **Figure 8.4.** Several blocks left out: the mean over all single blocks, or over five random choices, with bars from
# the best to the worst. Left: statistics as trained. Right: measured anew. Dotted: chance. (A single block may be one
# that begins a stage; those chosen at random are not.)

# %% tags=["nbval-ignore-output"]
costs = one_lost[["added", "added_anew"]].mean()
costs["in the statistics (%)"] = 100 * (1 - costs.added_anew / costs.added)
costs.rename(columns={"added": "as trained", "added_anew": "measured anew"}).round(1)

# %% [markdown]
# (Points of error that one lost block adds.) In the residual networks of the book's records about half of the damage or
# more was in the statistics. In the plain ones of 20 layers nearly all of it stays: what they lose with a block is
# lost. The deep plain one holds a surprise, after the long training. With fresh statistics it, too, bears the loss of
# some blocks: of three in its first stage for less than six points each.
#
# So a large error behind a cut says two things at once, and only one is about paths. Any comparison of plain with
# residual networks has to say which statistics it used. [Veit et al. (2016)](https://arxiv.org/abs/1605.06431) do not
# say that theirs were fresh.
#
# ## Other ways to break it
#
# Three more. *Close* a shortcut: $y = \mathrm{ReLU}(F(x))$, the block stays. *Swap* two blocks of one stage. *Scale*
# all residual branches: $y = \mathrm{ReLU}(\lambda F(x) + x)$ with $\lambda$ from 0 (only shortcuts are left) to 1.5.
#
# **Predict.** In a residual network, what is worse: to lose a block, or to lose the shortcut around it?

# %% tags=["nbval-ignore-output"]
broken = cuts[(cuts.kind == "residual") & ((cuts.removed == 1) | cuts.cut.isin(["swap", "close shortcut"]))]
broken.groupby(["depth", "iterations", "cut"])[["added", "added_anew"]].mean().round(1)

# %% [markdown]
# (Points of error added, on average.) In the book's residual networks of nine blocks a shortcut is worth about twice the
# block beside it, with either statistics; with 27 blocks, far more. So the blocks can be spared one by one there, and
# the shortcuts cannot. To swap two blocks costs about as much as to lose one.

# %% mystnb={"image": {"alt": "Test error against the factor of the residual branches, a row for each depth, with statistics as trained and measured anew. The error is lowest near a factor of 1 and near chance at 0. On the right the valley is much wider."}} tags=["nbval-ignore-output"]
lesion_figures.draw_by_depth(cuts, lesion_figures.plot_factors, STATISTICS, comparable=True)
plt.show()

# %% [markdown]
# **Figure 8.5.** All residual branches multiplied by a factor: with statistics as trained (left) little is allowed,
# measured anew (right) much more.

# %% [markdown]
# Figure 8.5 is the gentle version of the same experiment. A factor of 0.75 or 1.25 adds some nine points of error or more
# to every recorded network as trained, and measured anew little or nothing. What the next layers cannot bear is mostly a
# wrong size, and a batch norm with fresh statistics takes that out.
#
# ## Cut it yourself
#
# The recorded twins of 20 layers, in this page: they run in your browser. Give them a picture, take a block out or close
# its shortcut, and guess first. One picture proves nothing; beside the answer stands what the same cut costs on test
# images.

# %% tags=["live-network", "nbval-ignore-output"]
live_network.LiveNetwork(live_network.recorded_twins(results))

# %% [markdown]
# ## Paths
#
# Where does the idea of paths come from? Write one block as two ways, a *branch* $F$ and a *skip*, and multiply out:
# through $n$ blocks lead $2^n$ paths, and $\binom{n}{k}$ of them go through exactly $k$ branches. Forwards this is a
# manner of speaking, since $F$ is not linear. Backwards it is exact: the ReLUs are open or closed as the images left
# them, batch norm in evaluation mode only scales, so each block is a linear map of the gradient, and the gradients of all
# paths add up to the whole gradient. We check it on the last three blocks, which have eight paths.

# %% tags=["nbval-ignore-output"]
network = twins["residual"][0]
labels = test_images.labels[:8]
tail = deepcopy(network)
tail.stem, tail.stages = torch.nn.Sequential(tail.stem, tail.stages[:2]), tail.stages[2:]
x = tail.stem(few).detach().requires_grad_()
loss = F.cross_entropy(tail.classifier(tail.stages(x).mean(dim=(2, 3))), labels, reduction="sum")
(whole,) = torch.autograd.grad(loss, x)
eight = [path for length in range(4) for path in combinations((1, 2, 3), length)]
along = {path: path_gradient(tail, few, labels, path) for path in eight}
torch.testing.assert_close(sum(along.values()), whole)
pd.Series({str(path): each.flatten(1).norm(dim=1).mean().item() for path, each in along.items()}).round(3)

# %% [markdown]
# Each number is the norm of the gradient along one path, named by the branches on it. Now all nine blocks, and all
# lengths. [Veit et al. (2016)](https://arxiv.org/abs/1605.06431) measured one path at a time, at random, took the mean
# for each length, and multiplied by the number of paths. What they found for 54 blocks: the longer a path, the less it
# carries, and nearly all of the gradient comes from paths of 5 to 17 blocks, far fewer than the 27 of the typical path.
#
# **Predict.** With nine blocks the typical path has 4 or 5 branches, with 27 it has 13 or 14. Will the typical path *by
# gradient* be shorter, as long, or longer? Look at the middle of Figure 8.6: does a line fall or rise?

# %% mystnb={"image": {"alt": "Three panels for each depth against the number of blocks on a path: the number of paths, largest in the middle; the gradient that one path carries; and the share of the gradient that all paths of a length carry. With nine blocks the gradient of a path falls with its length after the short training and not after the long one, and the shares are largest near the middle. With 27 blocks it falls by many powers of ten, after the long training the most, and nearly all of the gradient is carried by paths shorter than the middle."}} tags=["nbval-ignore-output"]
MEASURES = {"number": "how many", "single": "each", "share": "all together"}
lesion_figures.draw_by_depth(paths, lesion_figures.plot_paths, MEASURES, comparable=False)
plt.show()

# %% [markdown]
# **Figure 8.6.** Paths through the recorded residual networks of 9 blocks (above) and 27 (below): how many there are of
# each length, the norm of the gradient that one of them carries (logarithmic), and the share of each length.

# %% tags=["nbval-ignore-output"]
rows = {name: effective_length(group) for name, group in paths.groupby("experiment")}
pd.DataFrame.from_dict(rows, orient="index", columns=["branches on the mean path", "95 % from", "to"]).round(1)

# %% [markdown]
# (Each length weighted by its share; and the range of lengths that carries 95 %.) With nine blocks, the paths that matter
# in the book's records are about as long as most paths are. A longer path carries less after the short training, and
# not after the long one. With 27 blocks what was seen in 54 is seen: the longer a path, the less it carries, and more
# so after the long training. There the mean path has six branches, by gradient, where most have 13 or 14.
#
# A warning: norms do not add up. The paths of one length cancel for the most part, as their column `together` says (the
# norm of their sum, which can be computed exactly). A share says what paths *could* carry.
#
# ## An honest control
#
# Suppose a residual network does bear cuts better. Is it a bundle of paths, or is it only that its blocks do less, so
# that a cut changes the features less? Each cut's *relative change of the last features* can be measured: $|f' - f| /
# |f|$, averaged over the images. Then compare plain with residual where the features have changed **equally** much.
#
# **Predict.** In Figure 8.7, will the plain networks' marks lie above the residual ones', or among them?

# %% mystnb={"image": {"alt": "Points of error added against the relative change of the last features, a mark for each cut, a panel for each depth and length of training. The residual networks' marks rise from few points at small changes to many at large ones. The plain networks' lie at large changes, near chance, but for three of the deep long-trained one, which lie among the residual network's marks."}} tags=["nbval-ignore-output"]
lesion_figures.draw_by_budget(cuts, lesion_figures.plot_equal_change)
plt.show()

# %% [markdown]
# **Figure 8.7.** Blocks left out or swapped: error added against the relative change of the features, statistics as
# trained.

# %% [markdown]
# So does the conclusion follow? What is sure in the book's records: the same cuts change the features of a residual
# network less. Is that all that shortcuts give? It can be seen only where a plain network has cuts that leave it away
# from chance. The deep one has three, after the long training, and at equal change they cost about what the residual
# network's cuts cost. Three cuts of one network are few. But they speak for the plain answer: a residual network bears
# a cut because its blocks, one by one, change little. (The twins also begin at different errors.)
#
# ## Summary
#
# - To cut a block out of a residual network is to leave its shortcut. A plain network has to be given one.
# - Part of the damage behind a cut is batch norm with statistics that no longer fit. Measure them anew, on images
#   augmented as in training, before you draw conclusions.
# - The gradient is exactly the sum over $2^n$ paths. The number of paths of each length is binomial; whether short or
#   long ones carry more is to be measured.
# - Of the networks recorded here, one seed each, a plain one is lost with nearly any of its blocks. A residual one errs
#   more but goes on, and fresh statistics give it back about half of what it lost, or more.
# - Depth makes the difference: of 27 blocks most can be lost for next to nothing, of nine none. And only with 27 are the
#   paths that carry the gradient far shorter than most.
# - Compare networks at equal damage to the features, or you compare the size of the cuts.

# %% [markdown]
# ## Exercises
#
# The cells of exercises 1 and 2 check themselves: put your answer in, run, read. They are run here without one.

# %% [markdown]
# **1. Half of the paths.** Block 5 of `resnet56` (27 blocks) is left out. Which share of its $2^{27}$ paths is left?
# And when three blocks are left out?

# %%
one_block, three_blocks = None, None  # your answers, between 0 and 1


def share_left(lost: int, blocks: int = 10) -> float:
    """Counted, path by path, in a network of ten blocks: the share does not depend on how many there are."""
    every = list(product(("branch", "skip"), repeat=blocks))
    return sum("branch" not in path[:lost] for path in every) / len(every)


if one_block is None or three_blocks is None:
    print("Not answered yet.")
elif one_block != share_left(1):
    print("Wrong: a path decides at every block, branch or skip. How many of them decide for this branch?")
elif three_blocks != share_left(3):
    print("The first is right, the second wrong: each of the three blocks takes its part of what is left.")
else:
    print("Right: the paths through that branch are gone, and every block is on as many paths as it is not.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `one_block, three_blocks = 1 / 2, 1 / 8`. Yet the error does not double: what counts is what the lost paths carried.
#
# </details>
#
# **2. Cut and swap.** Complete `exchange`, so that it gives a copy of the network with blocks `first` and `second` of
# stage 0 (counted from 0) in each other's place.


# %%
def exchange(network, first: int, second: int):
    """Blocks ``first`` and ``second`` of stage 0 in each other's place; ``network`` itself stays as it is."""
    return None  # your code


swapped, before = exchange(network, 0, 2), network(few)
if swapped is None:
    print("Not answered yet.")
elif not torch.equal(network(few), before):
    print("Wrong: the network itself has changed. What you return should share no block list with it.")
elif torch.equal(swapped(few), before):
    print("Wrong: nothing was exchanged.")
elif not torch.equal(swapped(few), cutting.swap(network, (1, 3))(few)):
    print("Wrong: another network than the one asked for. Is a block now there twice?")
else:
    print("Right.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def exchange(network, first, second):
#     cut = deepcopy(network)
#     blocks = cut.stages[0]
#     blocks[first], blocks[second] = blocks[second], blocks[first]
#     return cut
# ```
#
# </details>
#
# **3. Which images to measure on?** `lesions.augmented(images, recipe)` shifts and flips images as training did.
# Measure the *whole* residual network's statistics anew, once on `train_images.subset(500)` as they are and once
# augmented. Which of the two gives the test error nearer to the recorded one? Predict first, and say why.
#
# <details><summary>Solution</summary>
#
# ```python
# recipe = Recipe(**twins["residual"][1].recipe)  # from resnet_book.recipe import Recipe
# for images in (train_images.subset(500), lesions.augmented(train_images.subset(500), recipe)):
#     measured = lesions.measured_anew(network, images, *statistics)
#     values = features.extract(measured, test_images, *statistics)
#     print(features.loss_and_error(features.class_scores(measured, values), test_images.labels)[1])
# ```
#
# A shifted image has a border of zeros, and the statistics of training know it. On CIFAR-10 the images as they are cost
# `resnet20-cifar10` about three points, the augmented ones nothing.
#
# </details>
#
# **4. A plain network with shortcuts.** Give every block of the plain twin a shortcut after training, the opposite of
# closing one (`models.ResidualBlock(block.layers, ...)`). What do you expect? Does it help to measure the statistics
# anew?
#
# <details><summary>Solution</summary>
#
# ```python
# from resnet_book import models
#
# opened = deepcopy(twins["plain"][0])
# for stage in opened.stages:
#     for place, block in enumerate(stage):
#         first = block.layers[0]
#         shortcut = models.make_shortcut("subsample", first.in_channels, first.out_channels, first.stride[0])
#         stage[place] = models.ResidualBlock(block.layers, shortcut)
# ```
#
# Test it as above. Shortcuts are no ornament that can be added later: the layers behind have never seen their inputs'
# sum, and fresh statistics mend only its size.
#
# </details>
#
# ## References
#
# - [Veit et al. (2016)](https://arxiv.org/abs/1605.06431): lesions and paths; this page re-does its sections 3 to 5 for
#   small networks.
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): the networks;
#   [Ioffe and Szegedy (2015)](https://arxiv.org/abs/1502.03167): batch norm.

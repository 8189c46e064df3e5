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
# Veit, Wilber and Belongie did this to a plain network (VGG) and to a residual one of 110 layers
# ([Veit et al., 2016](https://arxiv.org/abs/1605.06431)). The plain one fell to chance, whichever layer it lost. The
# residual one hardly noticed the loss of nearly any block. They concluded that a residual network is less a chain than
# a bundle of many paths, which behaves like an ensemble of shallow networks. We do it to residual networks and their
# plain twins (the same layers without the shortcuts), of 20 and of 56 layers, and then ask how far that conclusion goes.
#
# **You will learn**
#
# - what to put where a block was, and why it takes shortcuts to say what a network without a block is;
# - how much of the damage is the cut, and how much is batch norm with the wrong statistics;
# - to count the paths through a residual network and to measure the gradient that each length carries.
#
# **You need** [chapter 3](03_plain_and_residual.ipynb) for the blocks. With `tier = "smoke"` the page takes under a
# minute on 2 cores and downloads nothing; `"cpu"` and `"paper"` take two, and need CIFAR-10 (170 MB). Nothing is trained.

# %% tags=["remove-cell"]
import os
from importlib.util import find_spec

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin wait long on a busy machine
if not find_spec("resnet_book"):  # as in Colab
    get_ipython().run_line_magic("pip", "install --quiet --no-index --find-links . resnet-book")
    assert find_spec("resnet_book"), "Put resnet_book-*.whl here (in Colab: Files, on the left); run this again."

# %% tags=["parameters"]
tier = "smoke"  # "smoke": built-in images; "cpu": networks trained in minutes; "paper": by the recipe of He et al.
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
from resnet_book.analysis.paths import path_gradient
from resnet_book.experiments import lesion_records, records, weights
from resnet_book.recipe import Recipe
from resnet_book.report import figures, lesion_figures, live_network, tables

assert tier in ("smoke", "cpu", "paper"), f"tier={tier!r}: choose smoke, cpu or paper"
figures.use_style()
IMAGES = {"smoke": 150, "cpu": 500, "paper": 2_000}[tier]
f"each cut of this page is tested on {IMAGES:,} images"

# %% mystnb={"image": {"alt": "Two chains of six blocks from the images to the classes. The third block is missing in both. In the plain chain a dashed arrow joins its neighbours. In the residual one a shortcut leads around every block, the missing one too, to a plus sign behind it."}}
_, axes = plt.subplots(2, 1, figsize=(6.4, 2.6))
for ax, residual in zip(axes, (False, True), strict=True):
    lesion_figures.draw_cut(ax, residual)
plt.show()

# %% [markdown]
# **Figure 8.1.** One block is cut out. The plain network (above) has no way around it, so its neighbours are joined,
# channel by channel. In the residual one (below) the shortcut is there already.

# %% [markdown]
# ## A pair of trained networks
#
# The book keeps the weights of the networks that it trained, its *recorded* runs. Here are two twins: the same layers,
# the same images, the same recipe, and the only difference is the shortcuts.

# %%
recipes = {"smoke": [], "cpu": ["cifar10-short"], "paper": ["cifar10", "cifar10-short"]}[tier] + ["builtin-smoke"]
results = records.find_results()
pairs = [(f"plain20-{recipe}", f"resnet20-{recipe}") for recipe in recipes]  # the first that is here
twins = dict(zip(("plain", "residual"), weights.load_first_group(pairs, data_root or None, results), strict=True))
{kind: f"{record.experiment}: {record.test_error:.2f} %" for kind, (_, record) in twins.items()}

# %% [markdown]
# This pair is here to show the method. In the smoke tier it was trained on easy drawings for 150 iterations, too short a
# time for a comparison (the plain twin is ahead there, on all test images). The recorded networks on CIFAR-10 follow.

# %% tags=["remove-input"]
if (plain := twins["plain"][1].experiment) != pairs[0][0]:
    text = f"> **The twins that tier `{tier}` asks for are not at hand**, so this page cuts `{plain}` and its residual twin."
    display(Markdown(text))

# %%
record = twins["residual"][1]
train_images = data.load(record.dataset["name"], "train", data_root or None)
test_images = data.load(record.dataset["name"], "test", data_root or None).subset(IMAGES)
normalisation = record.mean, record.std  # of the training images, by channel
f"{cutting.count_blocks(twins['residual'][0])} blocks; 4 and 7 begin a new stage"

# %% [markdown]
# ## Cut a block out, by hand
#
# A residual block computes $y = \mathrm{ReLU}(F(x) + S(x))$. The shortcut $S$ is the identity, or, where a new stage
# begins, takes every second pixel and fills up with channels of zeros. Without the *branch* $F$ there remains $y = S(x)$
# (what comes out of a ReLU passes the next one unchanged). So to cut the block out is to put its shortcut in its place.


# %% tags=["nbval-ignore-output"]
def without(network, stage: int, place: int):
    """A copy of a residual network in which one block is replaced by its shortcut."""
    cut = deepcopy(network)  # the trained network stays as it is
    cut.stages[stage][place] = cut.stages[stage][place].shortcut
    return cut


network = twins["residual"][0]
few = augment.normalise(test_images.images[:8], *map(torch.tensor, normalisation))
with torch.inference_mode():
    assert torch.equal(without(network, 1, 2)(few), cutting.leave_out(network, [6])(few))  # the sixth of nine blocks
    moved = (without(network, 1, 2)(few) - network(few)).abs().max()
    largest = network(few).abs().max()
f"the scores, up to {largest:.1f}, move by up to {moved:.1f}"

# %% [markdown]
# A plain block has no shortcut to leave behind. Where it keeps the shape, the next block can take its input instead.
# Where it halves the resolution and doubles the channels (blocks 4 and 7), we put the shortcut that the twin has. So both
# networks are cut in the same places, in the same way.


# %% tags=["nbval-ignore-output"]
def test_error(network) -> float:
    """Of the test images of this page, in %."""
    scores = features.class_scores(network, features.extract(network, test_images, *normalisation))
    return features.loss_and_error(scores, test_images.labels)[1]


errors = {kind: (test_error(each), test_error(cutting.leave_out(each, [6]))) for kind, (each, _) in twins.items()}
pd.DataFrame(errors, index=["whole", "block 6 cut out"]).round(1)

# %% [markdown]
# (Test error in %; with 150 images it is good to some four points.)
#
# Is that fair? The cut joins channel 1 to channel 1, 2 to 2, and so on. But in a plain network the channels before a
# block and those behind it are numbered independently. Renumber those that go into block 6, in the layer before it and in
# block 6 alike, and the network is the same function. And without block 6? We try an order drawn at random, and a
# *matched* one: each channel gets the number of an output of block 6 that it is like, on training images, best pairs first.


# %% tags=["nbval-ignore-output"]
plain = twins["plain"][0]
seen = augment.normalise(train_images.images[:200], *map(torch.tensor, normalisation))
orders = {
    "plain, as numbered": torch.arange(32),
    "plain, at random": torch.randperm(32, generator=torch.Generator().manual_seed(0)),
    "plain, matched": cutting.match_channels(plain, 6, seen),
}
renumbered = {name: cutting.relabel(plain, 6, order) for name, order in orders.items()}
errors = {name: (test_error(each), test_error(cutting.leave_out(each, [6]))) for name, each in renumbered.items()}
wrong = without(network, 1, 2)  # the residual network, with channels joined at random where block 6 was
wrong.stages[1][2].register_forward_hook(lambda block, x, y: y[:, orders["plain, at random"]])
errors["residual, joined at random"] = test_error(network), test_error(wrong)
pd.DataFrame(errors, index=["whole", "block 6 cut out"]).T.round(1)

# %% [markdown]
# It is one function, and without the block it is three. A residual network has no such freedom: each shortcut adds channel
# $j$ to channel $j$. Joined at random, it fares no better than the plain one. So shortcuts do more than soften the loss of
# a block: they make "the network without this block" a definite network.
#
# On CIFAR-10 `plain20-cifar10`, without one of the seven blocks that keep the shape, errs on 89 % of 200 test images on
# average, as it happens to be numbered; on 88 % renumbered at random; on 67 % matched. (Other orders may be better still.
# Its twin: 30 %, of 2,000 images. Of 56 layers, tried once: 84, matched 44, the twin 10 %.) All plain networks below are
# cut as they happen to be numbered, as was the VGG of Veit et al.
#
# ## The recorded networks, on CIFAR-10
#
# `resnet-book lesions NAME` does all that follows to a recorded network. The networks are of 20 layers (nine blocks) and
# 56 (27 blocks), trained for 2,000 iterations or for the 64,000 of
# [He et al. (2015a)](https://arxiv.org/abs/1512.03385), one seed of each. Every cut was tested on the first 2,000 test
# images, so an error is good to about one point; differences between cuts of one network are surer.

# %% tags=["nbval-ignore-output"]
shown = {record.experiment for record in tables.of_depth_table(records.load_all(results))}
found = [each for each in lesion_records.LESIONS.read_all(results) if each.experiment in shown]
cuts, paths = lesion_figures.all_cuts(found), lesion_figures.all_paths(found)
if not found:
    print("Nothing is recorded here, so what follows is empty.")
f"{len(cuts)} cuts of {len(found)} networks"

# %% [markdown]
# > **Predict, then run**
# >
# > Each block is cut out alone. Blind answers to ten classes err on 90 %. How near to that will the *residual* network
# > come? Does it help to train for longer, or to have 27 blocks? Write down your guesses for Figure 8.2.

# %% mystnb={"image": {"alt": "Test error against the block left out, a panel for each depth and length of training. The plain networks' errors, their channels as they happen to be numbered, lie near chance for nearly every block. Those of the residual networks of nine blocks lie lower, and differ much from block to block. Those of the residual networks of 27 blocks lie close to the whole network's error, but for a few blocks near the places where a stage begins and, after the short training, the first block and the seventh."}} tags=["nbval-ignore-output"]
lesion_figures.draw_by_budget(cuts, lesion_figures.plot_single)
plt.show()

# %% [markdown]
# **Figure 8.2.** Which block is missed most? Recorded networks with one block left out, on 2,000 test images of CIFAR-10
# (dotted: whole; grey: chance; upright lines: blocks that begin a stage; filled: 64,000 iterations; plain: as numbered).

# %% [markdown]
# The plain networks, as numbered, answer nearly blindly with nearly any block lost. How much of that is the loss and how
# much the numbering, these cuts do not tell. The residual ones answer for themselves. With nine blocks they notice each,
# and after the long training most the two that begin a stage. With 27 blocks, after the long training, most add less than
# three points, as nearly any of 54 did for Veit et al. Five add more than five: 10, and 17 to 20, around the places where
# a stage begins.
#
# ## Is it the cut, or the statistics?
#
# A batch norm subtracts a mean and divides by a standard deviation, averages over the last steps of the training, when
# the block was still there. After the cut these statistics are wrong. They are not weights. So one can measure them
# anew, without changing what the network has learned:


# %% tags=["nbval-ignore-output"]
def with_fresh_statistics(network, images: data.ImageSet):
    """A copy whose batch norms take their statistics from one pass over ``images``."""
    fresh = deepcopy(network)
    for module in fresh.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the plain average over batches, here of one
    with torch.no_grad():
        fresh.train()(augment.normalise(images.images, *map(torch.tensor, normalisation)))  # no weight changes
    return fresh.eval()


as_trained = lesions.augmented(train_images.subset(500), Recipe(**record.recipe))  # shifted and flipped: exercise 3
both = {"whole": twins["residual"][0], "block 6 cut out": without(twins["residual"][0], 1, 2)}
errors = {name: (test_error(each), test_error(with_fresh_statistics(each, as_trained))) for name, each in both.items()}
pd.DataFrame(errors, index=["as trained", "measured anew"]).T.round(1)

# %% [markdown]
# For the recorded networks this was done on a thousand training images. **Predict.** How much of the damage goes away: a
# tenth, a half, nearly all? Figure 8.3 has the answer, for blocks that keep the shape; the table below has all blocks.

# %% mystnb={"image": {"alt": "Test error against the number of blocks left out, a row for each depth, statistics as trained on the left, measured anew on the right. With four blocks and more the residual networks' errors rise towards chance, more slowly on the right, and far more slowly with 56 layers. Those of plain networks, as they happen to be numbered, are near chance with one block left out already; on the right with two, and for the one of 56 layers trained for long only with four."}} tags=["nbval-ignore-output"]
STATISTICS = {"error": "as trained", "error_anew": "measured anew"}
lesion_figures.draw_by_depth(cuts, lesion_figures.plot_together, STATISTICS, comparable=True)
plt.show()

# %% [markdown]
# **Figure 8.3.** Blocks left out, with statistics as trained (left) and measured anew (right): the mean over all single
# blocks, or over five random choices of several (the larger ones mostly contain smaller ones), with bars from the best to
# the worst. Dotted: chance. Plain networks as they happen to be numbered. (Marks are moved sideways a little.)

# %% [markdown]
# After the long training the deep residual network errs less with four blocks lost than the shallow one with one. But none
# of its five sets of four has block 17 or 18, which cost most as trained. And how much was in the statistics?

# %% tags=["nbval-ignore-output"]
alone = cuts[(cuts.removed == 1) & (cuts.kind == "residual")]
alone = alone.assign(block=alone.blocks.map(min), stage=1 + (alone.blocks.map(min) - 1) // (alone.depth // 6))
by_stage = alone.sort_values("added_anew").groupby(["depth", "iterations", "stage"])
costs = by_stage[["added", "added_anew"]].mean()
costs["in the statistics (%)"] = 100 * (1 - costs.added_anew / costs.added)
costs["at most, anew"], costs["by block"] = by_stage.added_anew.last(), by_stage.block.last()
costs.rename(columns={"added": "as trained", "added_anew": "measured anew"}).round(1)

# %% [markdown]
# (Points of error that one lost block adds to a residual network, by stage: the mean, and at most, by which block.) In the
# first two stages more than half of the damage was in the statistics, in the last less than half: fewer batch norms are
# left behind a block, and none behind the last. And other blocks are missed most. After the long training, of the nine the
# last costs most, 34 points; of the 27 block 19 alone costs more than five.
#
# So a large error after a cut says two things at once, or three in a plain network, and only one is about the lost block.
# Measured anew, `plain20-cifar10` errs on 79 % on average as it is numbered, on 42 % matched, its twin on 19 %.
#
# ## Other ways to break it
#
# Three more. *Close* a shortcut: $y = \mathrm{ReLU}(F(x))$, the branch stays. *Swap* two blocks of one stage (ten random
# pairs, or, with nine blocks, all five). *Scale* all branches: $y = \mathrm{ReLU}(\lambda F(x) + S(x))$ with $\lambda$ from 0
# (only shortcuts are left) to 1.5. **Predict.** What is worse: to lose a block, or to lose the shortcut around it?

# %% tags=["nbval-ignore-output"]
broken = cuts[(cuts.kind == "residual") & ((cuts.removed == 1) | cuts.cut.isin(["swap", "close shortcut"]))]
broken = broken[lesion_figures.keep_shape(broken)]
broken = broken.rename(columns={"added": "as trained", "added_anew": "measured anew"})
broken.groupby(["depth", "iterations", "cut"])[["as trained", "measured anew"]].agg(["median", "min", "max"]).round(1)

# %% [markdown]
# (Points of error added, median, least and most, over blocks or pairs that all keep the shape.) A closed shortcut
# typically costs at least two and a half times as much as a lost branch with nine blocks, and far more with 27. Of the
# long-trained networks the last shortcut alone costs nearly nothing (the least in the table). To swap two blocks typically
# costs about what it costs to lose one, but the worst pair is worse than the worst block.

# %% mystnb={"image": {"alt": "Test error against the factor of the residual branches, a row for each depth, with statistics as trained and measured anew. The error is lowest near a factor of 1, and near chance, a dotted line, at 0. On the right the valley is much wider."}} tags=["nbval-ignore-output"]
lesion_figures.draw_by_depth(cuts, lesion_figures.plot_factors, STATISTICS, comparable=True)
plt.show()

# %% [markdown]
# **Figure 8.4.** All branches of the residual networks multiplied by a factor: with statistics as trained (left) little
# is allowed, measured anew (right) much more. Dotted: whole; grey: chance.

# %% [markdown]
# In Figure 8.4 a factor of 0.75 or 1.25 adds some nine points of error or more as trained, and measured anew little or
# nothing. From 0.75 to 1.5, what the next layers cannot bear is mostly a wrong size, and a batch norm with fresh
# statistics takes that out. At 0.25 it is more: with fresh statistics, too, a third of the answers or more are wrong.
#
# ## Cut it yourself
#
# The recorded twins of 20 layers run in your browser. Give them a picture, take a block out or close its shortcut, and
# guess first. One picture proves nothing; beside the answer stands what the same cut costs on test images (of the plain
# twin: as its channels happen to be numbered).

# %% tags=["live-network", "nbval-ignore-output"]
live_network.LiveNetwork(live_network.recorded_twins(results))

# %% [markdown]
# ## Paths
#
# Where does the idea of paths come from? Each block offers two ways, its branch and its shortcut. So through $n$ blocks
# lead $2^n$ paths, and $\binom{n}{k}$ of them have *length* $k$: they go through exactly $k$ branches. Forwards this is a
# manner of speaking, since $F$ is not linear. Backwards it is exact: the ReLUs are open or closed as the images left
# them, batch norm in evaluation mode only scales, so each block is a linear map of the gradient, and the gradients of all
# paths add up to the whole gradient. `path_gradient` sends it along one path: at each block it sets the gradient to 0
# where the last ReLU was closed, and multiplies it by the derivative of the branch alone, or of the shortcut alone. We
# check the sum on the last three blocks, which have eight paths.

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
norms = pd.Series({str(path): each.flatten(1).norm(dim=1).mean().item() for path, each in along.items()})
norms["all eight together"] = whole.flatten(1).norm(dim=1).mean().item()
norms.round(3)

# %% [markdown]
# (Norms of the gradient along one path, named by the branches on it, and of their sum: not the sum of the eight norms.)
#
# Now whole networks. [Veit et al. (2016)](https://arxiv.org/abs/1605.06431) drew paths at random, took the mean norm for
# each length, and multiplied it by the number of such paths. What they found for 54 blocks: the longer a path, the less
# it carries, and nearly all of the gradient comes from paths of length 5 to 17, far shorter than the typical 27. Since
# norms do not add up, we add the gradients themselves, of all $\binom{n}{k}$ paths of one length. This is exact and
# quick. Let $g_k$ be the sum over all paths that have gone through $k$ branches on their way from the last block to this
# one, and $J_F$, $J_S$ the derivatives of its branch and its shortcut at these images. The block first sets every $g_k$ to
# 0 where its last ReLU was closed. It then hands back $J_S^\top g_k + J_F^\top g_{k-1}$: the paths that skip it, and those
# that take it and so become one longer.
#
# **Predict.** With nine blocks a path typically has length 4 or 5, with 27 it has 13 or 14. At which length will the sum be
# largest? And in the middle of Figure 8.5, does a line fall or rise?

# %% mystnb={"image": {"alt": "Three panels for each depth against the number of blocks on a path: the number of paths, largest in the middle; the norm of the gradient along one path; and the norm of the gradients of all paths of a length, added. With nine blocks the gradient of a path falls with its length after the short training and not after the long one, and the sums are largest in the middle. With 27 blocks it falls by many powers of ten, and the sums are largest well below the middle."}} tags=["nbval-ignore-output"]
MEASURES = {"number": "how many", "single": "each", "together_scaled": "all, added"}
lesion_figures.draw_by_depth(paths, lesion_figures.plot_paths, MEASURES, comparable=False)
plt.show()

# %% [markdown]
# **Figure 8.5.** Paths through the recorded residual networks: how many there are of each length; the norm of the
# gradient that one of them carries to the first block (logarithmic; mean over 64 training images and at most 20 random
# paths); the norm of the sum over all paths of a length (the largest is 1). Filled: 64,000 iterations; open: 2,000.
# (Filled marks lie lower: training images that a network has learned have hardly a loss, and hardly a gradient.)

# %% [markdown]
# With nine blocks the sums are largest at the typical lengths. Longer paths carry less after the short training and, in
# this one run with hardly a gradient left, most of it that of one to three images, more after the long one. With 27
# blocks the finding of Veit et al. is seen again: longer paths carry less, and the sums are largest well below 13 or 14.
# But the sums, too, partly cancel one another, so their norms are no shares of the whole gradient.
#
# ## Small changes, or more?
#
# Do shortcuts only keep small what a cut changes, or do they also protect the *answer* from a change of a given size? Call
# the 64 numbers that go into the classifier $f$, and $f'$ after the cut. The *relative change of the last features* is
# $|f' - f| / |f|$, averaged over the images. If shortcuts protect the answer, then at an **equal** change a residual
# network should lose less than its plain twin. **Predict.** In Figure 8.6, will the plain networks' marks lie above the
# residual ones', or among them?

# %% mystnb={"image": {"alt": "Points of error added against the relative change of the last features, a mark for each cut of the long-trained networks, a row for each depth. With statistics as trained nearly all marks of plain networks lie at large changes, near chance. Measured anew those of the deep plain network, mostly one block left out, lie along the whole rise, among the residual network's marks, there mostly several blocks, or somewhat below them. Some cuts of the residual network that took its last block, and some factors of its branches, lie far below."}} tags=["nbval-ignore-output"]
longest = cuts[cuts.iterations == cuts.iterations.max()]  # of the shorter training one twin begins near chance
ADDED = {"added": "as trained", "added_anew": "measured anew"}
lesion_figures.draw_by_depth(longest, lesion_figures.plot_equal_change, ADDED, comparable=True)
plt.show()

# %% [markdown]
# **Figure 8.6.** Error added against the change of the features, with statistics as trained or measured anew. Networks
# trained for 64,000 iterations, plain ones as they happen to be numbered. Closed shortcuts are not shown.

# %% [markdown]
# With statistics as trained plain networks have hardly a cut that leaves them away from chance. Measured anew the deep
# one, as it happens to be numbered, has many. But for the blue marks far below, it loses at an equal change no more than
# its residual twin, and up to some twelve points less. So no protection is seen beyond small changes. (The plain marks
# are mostly one block, the residual ones several; there is one seed of each.)
#
# The marks far below, cuts that took the last block and a factor of 1.5 on all branches (the triangle at 0.50), show how
# rough the yardstick is. It counts a change of scale, too, to which the answer is nearly blind, and behind the last block
# no batch norm takes that out. And *why* changes are small, because the paths are many or because each block adds little,
# the figure cannot say.
#
# ## Summary
#
# - To cut a block out of a residual network is to leave its shortcut. In a plain one nothing says which channels to join:
#   the same function, renumbered, is another without the block. Its lesions tell of the accident of its numbers, too.
# - Part of the damage after a cut is batch norm with statistics that no longer fit. Measure them anew before you draw
#   conclusions.
# - As trained, most of the 27 blocks of a long-trained residual network can be lost for under three points; of nine, none.
#   A plain network of 20 layers, channels matched, still loses more than its twin.
# - The gradient is exactly the sum over $2^n$ paths. With 27 blocks a short path carries far more than a long one, and
#   added by length they are largest well below the typical 13 or 14.
# - By a rough yardstick, the change of the features, the deep plain network loses at an equal change no more than its
#   residual twin.

# %% [markdown]
# ## Exercises
#
# The cells of exercises 1 and 2 check themselves: put your answer in, run, read. They are run here without one.

# %% [markdown]
# **1. Paths that are left.** Which share of the $2^{27}$ paths of `resnet56` is left without block 5? And without any three blocks?

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
    print("Right: the paths through that branch are gone, which are half; each further block halves the rest.")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `one_block, three_blocks = 1 / 2, 1 / 8`. Half of the paths are gone, and yet block 5 of the long-trained network costs
# next to nothing (Figure 8.2): to count paths is not to say what they carry.
#
# </details>
#
# **2. Cut and swap.** Complete `exchange`, so that it gives a copy of the network with blocks `first` and `second` of
# stage 0 (counted from 0) in each other's place.


# %%
def exchange(network, first: int, second: int):
    """Blocks ``first`` and ``second`` of stage 0 in each other's place; ``network`` itself stays as it is."""
    return None  # your code


given, before = deepcopy(network), network(few)
swapped = exchange(given, 0, 2)
if swapped is None:
    print("Not answered yet.")
elif not torch.equal(given(few), before):
    print("Wrong: the network itself has changed. What you return should share no block list with it.")
elif torch.equal(swapped(few), before):
    print("Wrong: nothing was exchanged.")
elif not torch.equal(swapped(few), cutting.swap(network, (1, 3))(few)):
    print("Wrong: another network than the one asked for. Is a block now there twice?")
elif not torch.equal(exchange(given, 0, 1)(few), cutting.swap(network, (1, 2))(few)):
    print("Nearly: other blocks than the ones named change places. Do you use `first` and `second`?")
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
# **3. Which images to measure on?** Measure the *whole* residual network's statistics anew, once on `as_trained`, shifted
# and flipped as in training, and once on `train_images.subset(500)` as they are. Which of the two gives a test error
# nearer to `test_error(network)`? Predict first, and say why.
#
# <details><summary>Solution</summary>
#
# ```python
# for images in (train_images.subset(500), as_trained):
#     print(test_error(with_fresh_statistics(network, images)), "beside", test_error(network))
# ```
#
# The weights were trained with the statistics of shifted images, black borders and all. The test images have no borders,
# and yet `as_trained` comes nearer. When we tried, in the smoke tier it gave 22.0 % beside 22.7 %; the images as they are
# gave 16.7 %, fewer errors, but farther from the network as trained. On CIFAR-10 (`resnet20-cifar10`, 2,000 test images)
# `as_trained` gave 8.1 % and the images as they are 11.4 %, beside 8.4 %.
#
# </details>
#
# ## References
#
# - [Veit et al. (2016)](https://arxiv.org/abs/1605.06431): lesions and paths; this page re-does its sections 3 to 5 for
#   small networks.
# - [He et al. (2015a)](https://arxiv.org/abs/1512.03385): the networks;
#   [Ioffe and Szegedy (2015)](https://arxiv.org/abs/1502.03167): batch norm.

"""Count a network's mistakes: errors among the best answers and among superclasses, and confusions.

CIFAR-100 has two labels an image, one of 100 classes and one of 20 superclasses of five classes each (Krizhevsky,
*Learning Multiple Layers of Features from Tiny Images*, University of Toronto, 2009).
"""

import torch
from torch import Tensor

from resnet_book.data import ImageSet
from resnet_book.engine.checks import checked_indices, checked_labels, whole


def top_error(scores: Tensor, labels: Tensor, k: int = 1) -> float:
    """% of images whose class is not among the ``k`` with the highest scores: (N, classes), (N,) -> 0 to 100.

    Raises ValueError where ``k`` is not between 1 and the number of classes, there is no row, and as
    ``checks.checked_labels``.
    """
    labels = checked_labels(scores, labels)
    if len(labels) == 0:
        raise ValueError("labels: expected one or more, found none")
    k = whole("k", k, 1, scores.shape[1], "the number of classes")
    among = (scores.topk(k, dim=1).indices == labels[:, None]).any(dim=1)  # (N,)
    return 100 * (~among).sum().item() / len(labels)


def superclasses(images: ImageSet) -> Tensor:
    """The superclass of each class: (classes,) int64, for a dataset that has superclasses, as CIFAR-100.

    Raises ValueError for one without, or with a class that is not there or whose images disagree.
    """
    if images.coarse_labels is None:
        raise ValueError(f"{images.name} has no superclasses; cifar100 has")
    pairs = torch.stack([images.labels, images.coarse_labels]).unique(dim=1)  # (2, different pairs), in order
    if not torch.equal(pairs[0], torch.arange(images.num_classes)):
        raise ValueError("images: some class is in no image, or in more than one superclass")
    return pairs[1]


def superclass_error(predicted: Tensor, images: ImageSet) -> float:
    """% of images whose answered class ``predicted`` (N,) is not in the image's superclass.

    Raises ValueError as ``superclasses`` does, and unless there is one of these classes for each image.
    """
    predicted = checked_indices("predicted", predicted, (len(images),), images.num_classes)
    wrong = superclasses(images)[predicted] != images.coarse_labels
    return 100 * wrong.sum().item() / len(images)


def confusion(predicted: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """How many images of each class (row) were taken for each class (column): (N,), (N,) -> (classes, classes) int64.

    Raises ValueError for an answer or a label that is not below ``num_classes``, and for another number of them.
    """
    num_classes = whole("num_classes", num_classes, 1)
    predicted = checked_indices("predicted", predicted, ("N",), num_classes)
    labels = checked_indices("labels", labels, predicted.shape, num_classes)
    pairs = labels * num_classes + predicted
    return pairs.bincount(minlength=num_classes**2).view(num_classes, num_classes)

"""Claims about the figures of features and filters."""

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes

from resnet_book.report import figures


@pytest.fixture
def images() -> torch.Tensor:
    """Six images of 4 x 4 pixels, image i all of value 10 i."""
    return (torch.arange(6) * 10)[:, None, None, None].expand(6, 3, 4, 4).to(torch.uint8)


def picture(ax: Axes) -> np.ndarray:
    return np.asarray(ax.images[0].get_array())


def test_ranked_images_stand_left_and_right_in_the_order_given(images, ax):
    left, right = torch.tensor([[0, 1], [2, 3]]), torch.tensor([[5, 4], [1, 0]])
    drawn = picture(figures.show_ranked(images, left, right, ax, [("a", "b"), ("c", "d")]))
    second_half = 2 * (4 + 2) + 2
    columns = [0, 6, second_half, second_half + 6]
    assert [[drawn[y, x, 0] for x in columns] for y in (2, 10)] == [[0, 10, 50, 40], [20, 30, 10, 0]]


def test_the_picture_of_ranked_images_is_white_between_them(images, ax):
    drawn = picture(figures.show_ranked(images, torch.tensor([[0, 1]]), torch.tensor([[5, 4]]), ax, [("a", "b")]))
    assert (drawn[:, 4:6] == 255).all()
    assert (drawn[:, 10:14] == 255).all()


def test_headings_stand_above_both_halves_of_each_row(images, ax):
    rows = torch.tensor([[0, 1], [2, 3]])
    figures.show_ranked(images, rows, rows, ax, headings=[("a", "b"), ("c", "d")])
    assert [text.get_text() for text in ax.texts] == ["a", "b", "c", "d"]
    assert ax.texts[0].get_position()[1] < ax.texts[2].get_position()[1]


def test_the_first_image_of_each_half_is_framed_where_it_is_asked_for(images, ax):
    rows, headings = torch.tensor([[0, 1], [2, 3]]), [("a", "b"), ("c", "d")]
    figures.show_ranked(images, rows, rows, ax, headings)
    assert not ax.patches
    figures.show_ranked(images, rows, rows, ax, headings, framed_first=True)
    second_half = 2 * (4 + 2) + 2
    assert [(patch.get_x() + 1, patch.get_y() + 1) for patch in ax.patches] == [
        (x, y) for y in (2, 10) for x in (0, second_half)
    ]


def test_a_heading_too_few_is_refused(images, ax):
    rows = torch.tensor([[0, 1], [2, 3]])
    with pytest.raises(ValueError, match="expected one pair for each of 2 rows, found 1"):
        figures.show_ranked(images, rows, rows, ax, headings=[("a", "b")])


def test_a_zero_weight_is_middle_grey():
    filters = torch.zeros(1, 3, 3, 3)
    filters[0, 0, 0, 0] = 2.0
    pixels = figures.filter_pixels(filters)
    assert pixels[0, 0, 0, 0] == 255
    assert pixels[0, 1, 1, 1] == 128


def test_opposite_filters_are_negatives_of_each_other():
    filters = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    pixels, negatives = (figures.filter_pixels(each).float() for each in (filters, -filters))
    assert (pixels + negatives - 255).abs().max() <= 1


def test_each_filter_is_scaled_by_its_own_largest_weight():
    filters = torch.randn(2, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    pixels = figures.filter_pixels(torch.cat([filters, 5 * filters]))
    assert torch.equal(pixels[:2], pixels[2:])


def test_filters_are_drawn_enlarged(ax):
    drawn = picture(figures.show_filters(torch.ones(16, 3, 3, 3), ax))
    assert drawn.shape == (2 * 30 + 5, 8 * 30 + 7 * 5, 3)


def test_the_bars_of_each_network_sum_to_all_features(ax):
    purities = {"trained": torch.tensor([1.0, 0.5, 0.5, 0.25]), "untrained": torch.tensor([0.25, 0.25, 0.5, 0.5])}
    figures.purity_histogram(purities, ("residual", "neutral"), torch.tensor([0, 0.5, 0.25, 0.25, 0]), ax)
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[0, 25, 50, 0, 25], [0, 50, 50, 0, 0]]


def test_the_line_of_chance_is_drawn_in_percent(ax):
    figures.purity_histogram({"trained": torch.ones(3)}, ("residual",), torch.tensor([0, 0.75, 0.25]), ax)
    assert list(ax.lines[0].get_xdata()) == [1, 2]
    assert list(ax.lines[0].get_ydata()) == [75, 25]

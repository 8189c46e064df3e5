"""Figures of images and pixel values: what is drawn is what was given."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from resnet_book.report import figures


@pytest.fixture
def images():
    return torch.randint(0, 256, (6, 3, 4, 5), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def picture(ax):
    """The only picture drawn into ``ax``: (H, W, 3)."""
    return np.asarray(ax.images[0].get_array())


def test_pixels_have_the_channels_last(images):
    assert figures.to_pixels(images).shape == (6, 4, 5, 3)
    assert figures.to_pixels(images[0])[1, 2].tolist() == images[0, :, 1, 2].tolist()


def test_an_image_is_drawn_unchanged_and_without_ticks(images, ax):
    figures.show_image(images[0], ax, "a title")
    assert np.array_equal(picture(ax), figures.to_pixels(images[0]))
    assert not len(ax.get_xticks())
    assert not len(ax.get_yticks())
    assert ax.get_title() == "a title"


def test_the_grid_fills_rows_from_left_to_right(images, ax):
    drawn = picture(figures.show_grid(images, ax, columns=4, gap=1))
    assert drawn.shape == (2 * 4 + 1, 4 * 5 + 3, 3)
    assert np.array_equal(drawn[:4, 6:11], figures.to_pixels(images[1]))
    assert np.array_equal(drawn[5:, :5], figures.to_pixels(images[4]))


def test_the_grid_is_white_where_no_image_stands(images, ax):
    drawn = picture(figures.show_grid(images, ax, columns=4, gap=1))
    assert (drawn[4] == 255).all()  # between the rows
    assert (drawn[5:, 12:] == 255).all()  # after the last image


def test_each_row_has_its_name_at_its_height(images, ax):
    figures.show_rows(images.view(2, 3, 3, 4, 5), ["first_one", "second"], ax)
    assert [text.get_text() for text in ax.texts] == ["first one", "second"]
    assert [text.get_position()[1] for text in ax.texts] == [2, 8]


def test_a_row_without_a_name_is_refused(images, ax):
    with pytest.raises(ValueError, match="shorter"):
        figures.show_rows(images.view(2, 3, 3, 4, 5), ["first"], ax)


def test_the_shares_of_each_channel_sum_to_all_pixels(images, ax):
    figures.plot_channel_values(images, ax, bins=8)
    assert len(ax.patches) == 3
    assert all(sum(steps.get_data().values) == pytest.approx(100) for steps in ax.patches)


def test_the_dotted_lines_stand_at_the_means_of_the_channels(images, ax):
    figures.plot_channel_values(images, ax)
    means = [line.get_xdata()[0] for line in ax.lines]
    assert means == pytest.approx(images.double().mean(dim=(0, 2, 3)).tolist())
    assert [to_hex(line.get_color()) for line in ax.lines] == [colour.lower() for colour in figures.CHANNELS.values()]

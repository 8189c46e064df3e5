"""The image of chapter 2 that the reader crops in the page: it computes what the package computes."""

from itertools import product

import pytest
import torch
from playwright.sync_api import Browser, Page

from resnet_book import augment, data
from resnet_book.report import crop

IMAGES = data.load("builtin", "test").images[:3]


def seen(page: Page) -> torch.Tensor:
    """The image (3, 32, 32) uint8 that the page shows as what the network gets."""
    values = page.evaluate(
        """() => { const one = document.querySelector(".crop-seen");
        return [...one.getContext("2d").getImageData(0, 0, one.width, one.height).data]; }"""
    )
    return torch.tensor(values, dtype=torch.uint8).view(32, 32, 4)[..., :3].permute(2, 0, 1)


@pytest.fixture
def page(browser: Browser):
    problems = list[str]()
    page = browser.new_page()
    page.on("console", lambda each: problems.append(each.text) if each.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_content(crop.movable(IMAGES))
    yield page
    assert problems == []
    page.close()


@pytest.mark.slow
def test_every_window_in_the_page_is_that_of_the_package(page: Page) -> None:
    places = torch.tensor([*product(range(9), range(9), (0, 1))]).T  # (3, 162): all there are
    pixels = IMAGES[0].permute(1, 2, 0).flatten().tolist()
    for mode in ("zeros", "edge", "reflect"):
        found = page.evaluate(
            """([pixels, mode, places]) => places.map(([top, left, mirrored]) => String.fromCharCode(
                ...Crop.windowOf({ pixels, size: 32, padding: 4 }, mode, top, left, 32, 32, mirrored))).join("")""",
            [pixels, mode, places.T.tolist()],
        )
        windows = torch.tensor(list(found.encode("latin-1")), dtype=torch.uint8).view(162, 32, 32, 3)
        expected = augment.apply(IMAGES[0].expand(162, -1, -1, -1), places, mode=mode)
        assert torch.equal(windows.permute(0, 3, 1, 2), expected)


@pytest.mark.slow
def test_the_window_is_moved_by_keyboard_and_by_mouse_and_said_in_words(page: Page) -> None:
    said = page.get_by_role("status")
    assert said.inner_text() == "top 4, left 4, mirrored 0. The window is in the middle: this is the original."
    assert torch.equal(seen(page), IMAGES[0])
    page.get_by_label("top:").focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_label("mirrored").focus()
    page.keyboard.press("Space")
    assert said.inner_text() == "top 3, left 4, mirrored 1. The window is moved 1 up, then mirrored."
    page.get_by_label("Image:").select_option("2")
    page.get_by_label("Padding:").select_option("reflect")
    moved = augment.apply(IMAGES[1:2], torch.tensor([[3], [4], [1]]), mode="reflect")
    assert torch.equal(seen(page), moved[0])
    assert page.get_by_role("img", name="What the network gets").count() == 1
    box = page.get_by_role("img", name="The padded image").bounding_box()
    assert box
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 100 + 2 * box["width"] / 40, box["y"] + 100 + 300)  # further than it can go
    page.mouse.up()
    assert said.inner_text().startswith("top 8, left 6, mirrored 1. The window is moved 4 down and 2 to the right")
    page.get_by_role("button", name="Draw at random").click()
    assert said.inner_text().startswith("top ")


@pytest.mark.slow
def test_a_window_in_the_middle_is_not_said_to_be_moved_when_it_is_mirrored(page: Page) -> None:
    page.get_by_label("mirrored").check()
    assert page.get_by_role("status").inner_text().endswith("The window is in the middle, and mirrored.")


@pytest.mark.slow
def test_the_button_of_a_menu_and_a_second_finger_move_no_window(page: Page) -> None:
    said, box = page.get_by_role("status").inner_text(), page.locator(".crop-stage").bounding_box()
    assert box
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 130, box["y"] + 100)
    page.mouse.up(button="right")
    assert page.get_by_role("status").inner_text() == said
    page.mouse.down()
    page.locator(".crop-stage").dispatch_event(
        "pointermove", {"pointerId": 77, "clientX": 0, "clientY": 0, "buttons": 1}
    )
    assert page.get_by_role("status").inner_text() == said
    page.locator(".crop-stage").dispatch_event("lostpointercapture", {"pointerId": 77})  # the first one still holds it
    page.mouse.move(box["x"] + 160, box["y"] + 100)
    assert page.get_by_role("status").inner_text() != said
    page.mouse.up()
    said = page.get_by_role("status").inner_text()
    page.mouse.move(box["x"] + 100, box["y"] + 100)  # let go
    assert page.get_by_role("status").inner_text() == said


@pytest.mark.slow
def test_on_a_page_without_our_colours_the_words_have_those_around_them(page: Page) -> None:
    page.add_style_tag(content="body { background: #1e1e1e; color: rgb(200, 201, 202) }")
    for part in (".crop-status", ".crop-tools button"):
        assert page.locator(part).evaluate("each => getComputedStyle(each).color") == "rgb(200, 201, 202)"
        assert page.locator(part).evaluate("each => getComputedStyle(each).backgroundColor") == "rgba(0, 0, 0, 0)"


@pytest.mark.slow
def test_without_javascript_a_sentence_stands_there(browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(crop.movable(IMAGES))
    assert page.get_by_text("it takes JavaScript").is_visible()
    context.close()


@pytest.mark.parametrize(
    ("images", "padding", "message"),
    [
        (IMAGES[0], 4, r"images: expected uint8 \(N, 3, S, S\)"),
        (IMAGES[:0], 4, r"images: expected uint8 \(N, 3, S, S\)"),
        (IMAGES[..., :20], 4, r"images: expected uint8 \(N, 3, S, S\)"),
        (IMAGES[..., :1, :1], 1, "S from 2"),
        (IMAGES / 255, 4, "uint8"),
        (IMAGES, 0, "padding=0"),
        (IMAGES, 32, "padding=32"),
    ],
)
def test_what_cannot_be_cropped_is_refused(images: torch.Tensor, padding: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crop.movable(images, padding)

"""The page's own JavaScript computes what PyTorch computes: read in a browser, with blocks and shortcuts cut."""

import base64
import json
import re
import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page
from torch import nn

from resnet_book import augment, data, load_trained, models
from resnet_book.experiments import lesion_records
from resnet_book.experiments.checked_json import RecordError
from resnet_book.experiments.trained import TrainedNetwork
from resnet_book.report import live_network

ASSETS = live_network.ASSETS
pytestmark = pytest.mark.slow
NAMES = ("resnet20-builtin-smoke", "plain20-builtin-smoke")


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """An empty page with the script, and a place for the network."""
    page = browser.new_page()
    page.set_content('<div class="live-network"></div>')
    page.add_script_tag(path=ASSETS / "live.js")
    page.add_style_tag(path=ASSETS / "live.css")
    yield page
    page.close()


def cut_network(trained: TrainedNetwork, cuts: dict[int, str]) -> models.Network:
    """The network without the layers, or without the shortcuts, of some blocks, in torch."""
    network = deepcopy(trained.network)
    number = 0
    for stage in network.stages.children():
        assert isinstance(stage, nn.Sequential)
        for place, block in enumerate(stage):
            layers: Any = block.layers
            around = models.make_shortcut(
                "subsample", layers[0].in_channels, layers[0].out_channels, layers[0].stride[0]
            )
            if cuts.get(number) == "block":
                stage[place] = around
            elif cuts.get(number) == "shortcut":
                stage[place] = models.PlainBlock(layers)
            number += 1
    return network


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "cuts", [{}, {0: "block"}, {3: "block", 8: "block"}, {3: "shortcut"}, {4: "shortcut", 6: "block"}]
)
def test_the_page_computes_the_scores_that_torch_computes(name: str, cuts: dict[int, str], page: Page) -> None:
    if name.startswith("plain") and "shortcut" in cuts.values():
        pytest.skip("a plain network has none")
    trained = load_trained(name)
    images = data.load("builtin", "test").images[: 5 if cuts else 20]  # (N, 3, 32, 32) uint8
    mean, std = torch.tensor(trained.record.mean), torch.tensor(trained.record.std)
    with torch.inference_mode():
        expected = cut_network(trained, cuts)(augment.normalise(images, mean, std))
    found = page.evaluate(
        """([described, images, cuts]) => {
            const network = LiveNetwork.load(described);
            return images.map((image) => LiveNetwork.run(network, image, cuts).scores);
        }""",
        [live_network.described(trained), images.flatten(1).tolist(), [cuts.get(number, "") for number in range(9)]],
    )
    torch.testing.assert_close(torch.tensor(found), expected, atol=1e-3, rtol=1e-3)


def test_a_network_that_the_page_cannot_compute_is_refused() -> None:
    trained = load_trained("resnet20-builtin-smoke")
    wide = TrainedNetwork(models.build("resnet10").eval(), trained.record)
    with pytest.raises(ValueError, match="the page computes blocks of two layers, with shortcuts that subsample"):
        live_network.described(wide)


def test_the_data_is_a_script_with_the_networks_and_the_pictures() -> None:
    script = live_network.as_script([live_network.described(load_trained(NAMES[0]))])
    written = json.loads(script.removeprefix("window.LIVE_NETWORK = ").removesuffix(";\n"))
    assert [network["name"] for network in written["networks"]] == ["resnet20"]
    assert [picture["name"] for picture in written["pictures"]] == ["cat", "horse", "rocket", "coffee"]
    assert len(script) < 3_000_000


def test_twins_are_of_one_recipe_the_first_that_has_both(tmp_path: Path) -> None:
    def names() -> list[str]:
        return [network["experiment"] for network in live_network.recorded_twins(tmp_path)]

    recorded = Path(__file__).parent.parent / "results"
    assert names() == []
    for name in ("resnet20-cifar10", "resnet20-cifar10-short", "plain20-cifar10-short"):
        shutil.copytree(recorded / name, tmp_path / name)
        if name == "resnet20-cifar10":
            assert names() == [name]
    assert names() == ["resnet20-cifar10-short", "plain20-cifar10-short"]
    lesions = tmp_path / "resnet20-cifar10-short" / "seed0.lesions.json"
    lesions.write_bytes(lesions.read_bytes()[:1000])
    with pytest.raises(RecordError, match=r"seed0\.lesions\.json"):
        names()


def test_without_a_recorded_network_the_page_says_so(page: Page) -> None:
    (script,) = live_network.as_scripts([]).values()
    page.evaluate(script)
    page.evaluate("LiveNetwork.start(document.querySelector('.live-network'), window.LIVE_NETWORK)")
    assert page.inner_text(".live-network").startswith("No network of 20 layers is recorded")


def test_the_weights_of_the_second_network_come_in_a_script_of_their_own(page: Page) -> None:
    networks = [live_network.described(load_trained(name)) for name in NAMES]
    data, weights = live_network.as_scripts(networks).values()
    assert len(data) + len(weights) < len(live_network.as_script(networks)) + 200
    page.evaluate(data)
    assert page.evaluate("LIVE_NETWORK.networks.map((each) => each.weights.length > 0)") == [True, False]
    page.evaluate(weights)
    assert page.evaluate("LIVE_NETWORK.networks[1].weights") == networks[1]["weights"]


def test_in_a_notebook_it_runs_in_a_frame_of_its_own(browser: Browser) -> None:
    shown = live_network.LiveNetwork([live_network.described(load_trained(name)) for name in NAMES])
    assert "resnet20-builtin-smoke and plain20-builtin-smoke" in repr(shown)
    page = browser.new_page()
    page.set_content(f"<h1>A notebook</h1>{shown._repr_html_()}")
    frame = page.frame_locator("iframe")
    assert "resnet20 says of “cat”" in frame.locator(".live-answer").inner_text()
    frame.get_by_label("Network:").select_option("1")
    assert "plain20 says of “cat”" in frame.locator(".live-answer").inner_text()
    page.close()


@pytest.fixture
def live(page: Page) -> Page:
    """The page with both networks and the pictures, once the first picture was answered."""
    pictures = sorted((ASSETS / "pictures").glob("*.jpg"))
    shown = [{"name": each.stem, "jpeg": base64.b64encode(each.read_bytes()).decode()} for each in pictures]
    networks = [live_network.described(load_trained(name)) for name in NAMES]
    page.evaluate(
        "data => LiveNetwork.start(document.querySelector('.live-network'), data)",
        {"networks": networks, "pictures": shown},
    )
    page.wait_for_selector(".live-bars li")
    return page


def answer(page: Page) -> str:
    return page.inner_text(".live-answer")


def test_a_picture_is_answered_with_ten_probabilities_and_the_maps_of_three_stages(live: Page) -> None:
    assert "resnet20 says of “cat”" in answer(live)
    numbers = [float(text.removesuffix(" %")) for text in live.locator(".live-number").all_inner_texts()]
    assert len(numbers) == 10
    assert sum(numbers) == pytest.approx(100, abs=0.6)
    assert live.locator(".live-maps canvas").count() == 3
    live.get_by_role("button", name="rocket").click()
    assert "“rocket”" in answer(live)


def test_the_page_asks_before_it_shows_what_a_cut_does_and_puts_everything_back(live: Page) -> None:
    whole = live.locator(".live-number").all_inner_texts()
    live.get_by_label("block 1: its layers").click()
    assert "You took out the layers of block 1." in live.inner_text(".live-question")
    assert not live.locator(".live-bars").is_visible()
    assert live.evaluate("document.activeElement.textContent") == "It stays"  # Enter or Space answers
    live.keyboard.press("Enter")
    assert live.evaluate("document.activeElement.getAttribute('aria-label')") == "block 1: its layers"
    assert re.match(r"(You were right|Not so)\. resnet20, with 1 part taken out,", answer(live))
    cut = live.locator(".live-number").all_inner_texts()
    live.get_by_role("button", name="Put everything back").click()
    assert live.locator(".live-number").all_inner_texts() == whole != cut


def test_the_network_is_used_with_a_keyboard_alone(live: Page) -> None:
    live.get_by_label("ask me first").focus()
    live.keyboard.press("Space")  # do not ask
    live.keyboard.press("Tab")
    live.keyboard.press("Space")
    assert "with 1 part taken out" in answer(live)
    live.keyboard.press("Tab")  # the focus stayed where it was
    live.keyboard.press("Space")
    assert live.evaluate("document.activeElement.getAttribute('aria-label')") == "block 1: its shortcut"
    assert live.get_by_label("block 1: its layers").is_checked()  # one cut a block


def test_what_changes_is_read_aloud_once_and_whole_the_answer_and_what_the_cut_costs(live: Page) -> None:
    live.wait_for_selector("[role=status]")
    live.evaluate(
        """() => {
            window.said = [];
            const each = (changes) => changes.forEach(({ target }) => {
                const place = (target.closest ? target : target.parentElement).closest("[role=status]");
                if (place && place.textContent) said.push(place.textContent);
            });
            const place = document.querySelector(".live-network");
            new MutationObserver(each).observe(place, { childList: true, subtree: true });
        }"""
    )
    live.get_by_role("button", name="horse").click()
    live.get_by_role("button", name="horse").click()  # nothing new
    answered = live.evaluate("said.splice(0)")
    assert len(answered) == 1
    assert re.fullmatch(r"resnet20 says of “horse”: .*, [\d.]+ %\.", answered[0])
    live.get_by_label("block 3: its shortcut").uncheck()
    assert live.evaluate("said.splice(0)") == []  # the page asks, and does not answer itself
    live.get_by_role("button", name="It changes").click()
    verdict, cost = live.evaluate("said.splice(0)")
    assert re.match(r"(You were right|Not so)\. resnet20, with 1 part taken out,", verdict)
    assert "test images" in cost


def test_who_comes_to_the_buttons_of_a_question_hears_the_question(live: Page) -> None:
    live.get_by_label("block 2: its layers").uncheck()
    question = live.get_by_role("group", name="You took out the layers of block 2. Will the answer still be")
    assert question.get_by_role("button", name="It stays").evaluate("each => each === document.activeElement")


def test_a_switch_stays_the_same_element_and_keeps_the_focus_when_it_is_used(live: Page) -> None:
    live.get_by_label("ask me first").uncheck()
    box = live.get_by_label("block 1: its layers").element_handle()
    box.press("Space")
    assert box.evaluate("each => each.isConnected && each === document.activeElement")


def test_it_is_heard_which_picture_is_chosen(live: Page) -> None:
    group = live.get_by_role("group", name="Pictures")
    group.get_by_role("button", name="rocket").click()
    pressed = group.locator("[aria-pressed=true]")
    assert pressed.evaluate_all("all => all.map((each) => each.getAttribute('aria-label'))") == ["rocket"]


def test_the_tab_key_does_not_pass_over_a_network_that_is_not_there_yet(browser: Browser, tmp_path: Path) -> None:
    networks = [live_network.described(load_trained(NAMES[0]))]
    (tmp_path / "live_data.js").write_text(live_network.as_script(networks))
    (tmp_path / "live.js").write_text((ASSETS / "live.js").read_text())
    (tmp_path / "page.html").write_text(
        "<a href='#'>first</a><p style='height: 9000px'></p><div class='live-network' data-source='live_data.js'></div>"
        "<a href='#'>last</a><script src='live.js' defer></script>"
    )
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.locator(".live-network button").count() == 0
    page.keyboard.press("Tab")
    page.wait_for_selector(".live-network button")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "cat"
    page.close()


def test_the_plain_twin_has_no_shortcuts_to_close(live: Page) -> None:
    live.get_by_label("Network:").select_option("plain20")
    assert "plain20 says of" in answer(live)
    assert live.get_by_label("its shortcut").count() == 0
    assert live.get_by_label("its layers").count() == 9


def test_a_file_that_is_no_picture_is_named(live: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    live.set_input_files("input[type=file]", tmp_path / "notes.png")
    live.wait_for_function("document.querySelector('.live-answer').textContent.includes('cannot be read')")
    assert "notes.png cannot be read as a picture" in answer(live)


def test_a_picture_of_the_readers_is_seen_as_its_middle_square(live: Page, tmp_path: Path) -> None:
    wide = np.zeros((64, 128, 3), np.uint8)
    wide[:, 32:96] = (200, 100, 50)  # the middle square
    Image.fromarray(wide).save(tmp_path / "wide.png")
    live.set_input_files("input[type=file]", tmp_path / "wide.png")
    live.wait_for_function("document.querySelector('.live-answer').textContent.includes('wide.png')")
    seen = live.evaluate(
        "() => [...document.querySelector('.live-seen').getContext('2d').getImageData(0, 0, 32, 32).data]"
    )
    assert np.array(seen).reshape(-1, 4).tolist() == 32 * 32 * [[200, 100, 50, 255]]


def test_a_cut_is_shown_beside_what_it_costs_on_test_images(page: Page) -> None:
    name = "resnet20-cifar10"
    lesions = lesion_records.LESIONS.read(name)
    assert lesions is not None
    described = live_network.described(load_trained(name), lesions)
    cost = {cut.blocks[0]: cut.error for cut in lesions.cuts if cut.kind == "close shortcut"}
    assert described["lesions"]["errors"]["shortcut 3"] == cost[3]
    picture = base64.b64encode((ASSETS / "pictures" / "cat.jpg").read_bytes()).decode()
    data = {"networks": [described], "pictures": [{"name": "cat", "jpeg": picture}]}
    page.evaluate("data => LiveNetwork.start(document.querySelector('.live-network'), data)", data)
    page.wait_for_selector(".live-bars li")
    assert f"{load_trained(name).record.test_error:.2f} % of the 10,000" in page.inner_text(".live-cost")
    page.get_by_label("ask me first").uncheck()
    page.get_by_label("block 3: its shortcut").uncheck()
    assert f"and on {cost[3]:.2f} % with this cut." in page.inner_text(".live-cost")
    page.get_by_label("block 5: its layers").uncheck()
    assert "was not measured" in page.inner_text(".live-cost")

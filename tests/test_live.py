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
from playwright.sync_api import Browser, Page, Route
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


def test_a_word_of_the_data_does_not_end_the_script_that_it_stands_in() -> None:
    described = live_network.described(load_trained(NAMES[0])) | {"name": "</script>"}
    script = live_network.as_script([described])
    assert "<" not in script
    assert json.loads(script.removeprefix("window.LIVE_NETWORK = ").removesuffix(";\n"))["networks"] == [described]


@pytest.fixture(scope="module")
def shown() -> live_network.LiveNetwork:
    """Both networks as the output of a notebook's cell."""
    return live_network.LiveNetwork([live_network.described(load_trained(name)) for name in NAMES])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_notebook_it_brings_the_ground_that_its_words_are_read_on(
    scheme: Any, browser: Browser, shown: live_network.LiveNetwork
) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.set_content(f"<body style='background: #777'>{shown._repr_html_()}")
    ground, words = page.frames[1].evaluate(
        """() => { const look = getComputedStyle(document.querySelector(".live-network"));
        return [getComputedStyle(document.body).backgroundColor, look.color]; }"""
    )
    assert [sum(map(int, re.findall(r"\d+", each))) > 380 for each in (ground, words)] == [
        scheme == "light",
        scheme == "dark",
    ]
    page.close()


@pytest.mark.parametrize("width", [800, 400])
def test_in_a_notebook_its_frame_is_as_high_as_what_it_holds(
    width: int, browser: Browser, shown: live_network.LiveNetwork
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 700})
    page.set_content(shown._repr_html_())
    page.frames[1].wait_for_function("innerHeight !== 900")
    page.wait_for_timeout(200)
    frame, content = page.frames[1].evaluate("[innerHeight, document.documentElement.scrollHeight]")
    assert content == frame
    page.close()


def test_in_a_notebook_it_runs_in_a_frame_of_its_own(browser: Browser, shown: live_network.LiveNetwork) -> None:
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
    assert re.match(r"(You were right|Not so)\. resnet20 without the layers of block 1 says of", answer(live))
    cut = live.locator(".live-number").all_inner_texts()
    live.get_by_role("button", name="Put everything back").click()
    assert live.locator(".live-number").all_inner_texts() == whole != cut


def test_who_cuts_on_before_the_guess_sees_what_all_cuts_do(live: Page) -> None:
    live.get_by_label("block 1: its layers").uncheck()
    assert live.get_by_role("button", name="It stays").is_visible()
    live.get_by_label("block 2: its layers").uncheck()
    assert live.get_by_role("button", name="It stays").count() == 0
    assert "without the layers of block 1 and the layers of block 2 says of" in answer(live)


def test_the_network_is_used_with_a_keyboard_alone(live: Page) -> None:
    live.get_by_label("ask me first").focus()
    live.keyboard.press("Space")  # do not ask
    live.keyboard.press("Tab")
    live.keyboard.press("Space")
    assert "resnet20 without the layers of block 1 says" in answer(live)
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
    assert re.match(r"(You were right|Not so)\. resnet20 without the shortcut of block 3 says of", verdict)
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


PLACE = "<div class='live-network' data-source='live_data.js'>It loads.</div><script src='live.js' defer></script>"
WEIGHTS = "**/live_weights_1.js"


@pytest.fixture
def site(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page of a folder as the book's: one.html and two.html have so many places, far.html has one, far down."""
    for name, script in live_network.as_scripts([live_network.described(load_trained(name)) for name in NAMES]).items():
        (tmp_path / name).write_text(script)
    shutil.copy(ASSETS / "live.js", tmp_path)
    far = f"<a href='#'>first</a><p style='height: 9000px'></p>{PLACE}<a href='#'>last</a>"
    for name, body in (("one", PLACE), ("two", PLACE + PLACE), ("far", far)):
        (tmp_path / f"{name}.html").write_text(f"<meta charset='utf-8'>{body}")
    context = browser.new_context(base_url=tmp_path.as_uri() + "/")
    yield context.new_page()
    context.close()


def wait_for_answer(page: Page, words: str) -> None:
    page.wait_for_function("words => document.querySelector('.live-answer')?.textContent.includes(words)", arg=words)


def test_where_the_data_does_not_come_the_place_says_so(site: Page) -> None:
    site.route("**/live_data.js", lambda route: route.abort())
    site.goto("one.html")
    site.get_by_text("The network could not be loaded.").wait_for()


def test_two_places_of_a_page_load_the_data_and_the_weights_once(site: Page) -> None:
    asked = list[str]()
    site.on("request", lambda request: asked.append(Path(request.url).name))
    site.goto("two.html")
    for number in (0, 1):
        place = site.locator(".live-network").nth(number)
        place.get_by_label("Network:").select_option("plain20")
        place.get_by_text("plain20 says of “cat”").wait_for()
    assert sorted(set(asked)) == ["live.js", "live_data.js", "live_weights_1.js", "two.html"]
    assert asked.count("live_data.js") == asked.count("live_weights_1.js") == 1


def test_weights_that_come_late_undo_nothing_and_until_then_nothing_is_answered(site: Page) -> None:
    late = list[Route]()
    site.route(WEIGHTS, lambda route: late.append(route))
    site.goto("one.html")
    wait_for_answer(site, "“cat”")
    site.get_by_label("ask me first").uncheck()
    site.get_by_label("Network:").select_option("plain20")
    site.get_by_role("button", name="horse").click()
    assert answer(site) == "Loading plain20 …"
    site.get_by_label("Network:").select_option("resnet20")
    site.get_by_label("block 2: its layers").uncheck()
    late[0].continue_()
    site.wait_for_function("LIVE_NETWORK.networks[1].weights")
    assert "resnet20 without the layers of block 2 says of “horse”" in answer(site)
    assert not site.get_by_label("block 2: its layers").is_checked()
    site.get_by_label("Network:").select_option("plain20")
    wait_for_answer(site, "plain20 says of “horse”")
    assert len(late) == 1


@pytest.mark.parametrize("weights", [None, "AAAA"])
def test_where_weights_do_not_come_or_do_not_fit_the_list_goes_back(weights: str | None, site: Page) -> None:
    def fail(route: Route) -> None:
        route.fulfill(body=f"LIVE_NETWORK.networks[1].weights = '{weights}'") if weights else route.abort()

    site.route(WEIGHTS, fail)
    site.goto("one.html")
    wait_for_answer(site, "“cat”")
    site.get_by_label("Network:").select_option("plain20")
    wait_for_answer(site, "plain20 could not be loaded. resnet20 says of “cat”")
    assert site.get_by_label("Network:").input_value() == "0"
    site.unroute(WEIGHTS)
    site.get_by_label("Network:").select_option("plain20")
    wait_for_answer(site, "plain20 says of “cat”")


@pytest.mark.parametrize("late", ["picture", "no picture"])
def test_of_two_pictures_the_one_that_was_asked_for_last_is_answered(late: str, site: Page, tmp_path: Path) -> None:
    site.goto("one.html")
    wait_for_answer(site, "“cat”")
    site.evaluate(
        """() => { const read = createImageBitmap; window.createImageBitmap = async (file) => {
            await new Promise((come) => Object.assign(window, { come }));
            return read(file).finally(() => (window.came = true));
        }; }"""
    )
    (tmp_path / "late.png").write_bytes((ASSETS / "pictures" / "rocket.jpg").read_bytes() if late == "picture" else b"")
    site.set_input_files("input[type=file]", tmp_path / "late.png")
    site.get_by_role("button", name="horse").click()
    site.evaluate("come()")
    site.wait_for_function("window.came")
    assert "“horse”" in answer(site)


def test_the_tab_key_does_not_pass_over_a_network_that_is_not_there_yet(site: Page) -> None:
    page = site
    page.goto("far.html")
    assert page.locator(".live-network button").count() == 0
    page.keyboard.press("Tab")
    page.wait_for_selector(".live-network button")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "cat"


def test_the_plain_twin_has_no_shortcuts_to_close(live: Page) -> None:
    live.get_by_label("Network:").select_option("plain20")
    assert "plain20 says of" in answer(live)
    assert live.get_by_label("its shortcut").count() == 0
    assert live.get_by_label("its layers").count() == 9


def test_a_file_that_is_no_picture_is_named(live: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    live.set_input_files("input[type=file]", tmp_path / "notes.png")
    wait_for_answer(live, "cannot be read")
    assert "notes.png cannot be read as a picture" in answer(live)


def test_what_is_dropped_and_is_no_file_is_named_and_a_file_can_be_chosen_again(live: Page) -> None:
    live.locator(".live-network").dispatch_event("drop", {"dataTransfer": live.evaluate_handle("new DataTransfer()")})
    assert "That was no file." in answer(live)
    live.set_input_files("input[type=file]", ASSETS / "pictures" / "horse.jpg")
    wait_for_answer(live, "“horse.jpg”")
    assert live.locator("input[type=file]").input_value() == ""
    assert live.get_attribute("input[type=file]", "accept") == "image/jpeg,image/png,image/webp"  # no SVG


def test_a_file_called_like_a_picture_of_the_book_presses_no_button(live: Page, tmp_path: Path) -> None:
    shutil.copy(ASSETS / "pictures" / "horse.jpg", tmp_path / "rocket")
    live.set_input_files("input[type=file]", tmp_path / "rocket")
    wait_for_answer(live, "“rocket”")
    assert live.locator("[aria-pressed=true]").count() == 0


def test_a_fault_of_the_program_is_not_put_down_to_the_picture(site: Page) -> None:
    site.goto("one.html")
    wait_for_answer(site, "“cat”")
    site.evaluate("() => { HTMLCanvasElement.prototype.getContext = () => null; }")
    with site.expect_event("pageerror"):
        site.set_input_files("input[type=file]", ASSETS / "pictures" / "horse.jpg")
    assert "cannot be read" not in answer(site)


def seen(page: Page, picture: np.ndarray, path: Path) -> np.ndarray:
    """What the network sees of a picture (height, width, 3) of the reader's: (32, 32, 3)."""
    Image.fromarray(picture).save(path)
    page.set_input_files("input[type=file]", path)
    wait_for_answer(page, path.name)
    values = page.evaluate(
        "() => [...document.querySelector('.live-seen').getContext('2d').getImageData(0, 0, 32, 32).data]"
    )
    return np.array(values).reshape(32, 32, 4)[..., :3]


def test_every_pixel_of_a_large_picture_counts(live: Page, tmp_path: Path) -> None:
    stripes = np.zeros((2048, 2048, 3), np.uint8)
    stripes[:, ::9] = 255
    means = stripes.reshape(32, 64, 32, 64, 3).mean((1, 3))
    assert np.abs(seen(live, stripes, tmp_path / "stripes.png") - means).max() < 3


def test_the_middle_square_of_a_picture_begins_at_a_whole_pixel(live: Page, tmp_path: Path) -> None:
    rows = np.zeros((33, 32, 3), np.uint8)
    rows[::2] = 255
    assert np.array_equal(seen(live, rows, tmp_path / "rows.png"), rows[:32])


def test_a_picture_of_the_readers_is_seen_as_its_middle_square(live: Page, tmp_path: Path) -> None:
    wide = np.zeros((64, 128, 3), np.uint8)
    wide[:, 32:96] = (200, 100, 50)  # the middle square
    assert (seen(live, wide, tmp_path / "wide.png") == (200, 100, 50)).all()


def test_where_no_cut_was_measured_the_cost_says_that_and_no_more(live: Page) -> None:
    live.get_by_label("ask me first").uncheck()
    live.get_by_label("block 2: its layers").uncheck()
    assert live.inner_text(".live-cost") == "What cuts of this network cost on test images was not measured."


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

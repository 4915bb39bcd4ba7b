"""`make studio` in a real browser: from a film that is dropped to the files that are downloaded, by two people at once.

VF_SHOTS names a folder for screenshots, to be looked at.
"""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from controls_in_browser import field, press
from project import ROOT

from vf.data import media, writing
from vf.data.render import film as render
from vf.foley.render import shipped
from vf.signal import rms

sync = pytest.importorskip(
    "playwright.sync_api", reason="no playwright in this environment: install it to drive a browser"
)
pytest.importorskip("voila", reason="no voila in this environment: `make install`")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
    pytest.mark.skipif(not shipped(), reason="no pretrained/video-foley in this checkout"),
]
FPS, LEFT, RIGHT, TOP, BOTTOM, ROW = 30, 54, 12, 72, 262, 18  # of films; of lanes in editor.js, pixels
PATIENCE = 600_000  # ms; each page loads torch and the model
BROWSER = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",  # a microphone that beeps twice a second
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Two silent films of other names and lengths."""
    folder = tmp_path_factory.mktemp("films")
    for name, index, seconds in (("one", 4, 4.0), ("two", 7, 3.0)):
        frames, _, _ = render.film("test", index, seconds=seconds, fps=FPS, size=(384, 288))
        writing.write_film(folder / f"{name}.mp4", frames, FPS)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project folder of its own, so that nothing is written into the real one."""
    root = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "params.yaml", root)
    (root / "vf/studio").mkdir(parents=True)
    shutil.copy(ROOT / "vf/studio/page.ipynb", root / "vf/studio")
    return root


@pytest.fixture(scope="module")
def address(project):
    """What `make studio` prints, of that folder."""
    recipe = re.search(r"^studio:.*\n\t\$\(PY\) ((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text(), re.M)[1]
    words = recipe.replace("\\\n", " ").replace("$(ARGS)", "--no-browser").split()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    binaries = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = os.environ | {"PYTHONPATH": paths, "PATH": binaries, "MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1"}
    log = project / "voila.log"
    with open(log, "w") as file:
        command = [sys.executable, *words, f"--port={port}"]
        server = subprocess.Popen(command, cwd=project, env=environment, stdout=file, stderr=file)
    try:
        for _ in range(600):
            if found := re.search(r"http://localhost:\S+", log.read_text()):
                break
            time.sleep(0.5)
        else:
            pytest.fail(f"voila did not start:\n{log.read_text()[-2000:]}")
        yield found[0]
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def browser():
    with sync.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=BROWSER)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(browser, address):
    """The desks of two people, of different screens."""
    found = []
    for size in ({"width": 1280, "height": 900}, {"width": 390, "height": 844}):
        page = browser.new_context(viewport=size, accept_downloads=True).new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        found.append(page)
    for page in found:
        page.wait_for_selector(".vf-drop-large")
    return found


def shot(page, name):
    if os.environ.get("VF_SHOTS"):
        Path(os.environ["VF_SHOTS"]).mkdir(parents=True, exist_ok=True)
        time.sleep(0.5)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=f"{os.environ['VF_SHOTS']}/{page.viewport_size['width']}_{name}.png", full_page=True)


def says(page, words):
    page.wait_for_selector(f".vf-message:has-text('{words}')")


def drop(page, path):
    """Drop a file on the page, beside the field that is made for it."""
    data = page.evaluate_handle(
        """([name, data]) => {
            const moved = new DataTransfer();
            moved.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
            return moved;
        }""",
        [path.name, base64.b64encode(path.read_bytes()).decode()],
    )
    page.dispatch_event("body", "dragover", {"dataTransfer": data})
    page.dispatch_event("body", "drop", {"dataTransfer": data})


def tool(page, name):
    page.click(f".vf-editor button:text-is('{name}')")
    time.sleep(0.3)


def tab(page, name):
    page.click(f".jupyter-widget-tab >> text='{name}'")
    time.sleep(0.3)


def drag(page, *points):
    """Over the curve, through shares of its length and its height."""
    canvas = page.locator(".vf-editor canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    places = [
        (box["x"] + LEFT + a * (box["width"] - LEFT - RIGHT), box["y"] + BOTTOM - b * (BOTTOM - TOP)) for a, b in points
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    time.sleep(0.5)


def download(page, name, folder):
    with page.expect_download() as waiting:
        press(page, name)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def rendered(page):
    press(page, "Render")
    page.wait_for_selector("button.jupyter-button:text-is('Render'):enabled")
    assert page.locator(".vf-message b").count() == 0, page.locator(".vf-message").inner_text()


def test_a_film_is_dropped_and_its_curve_is_shown_before_anything_is_rendered(pages, films):
    for page in pages:
        shot(page, "1_empty")
        assert "vf.studio" not in page.inner_text("body"), "code is in sight"
    drop(pages[0], films / "one.mp4")
    pages[1].set_input_files(".vf-drop input", films / "two.mp4")
    for page, name, seconds in zip(pages, ("one", "two"), ("4.00", "3.00")):
        says(page, f"{name}.mp4 is open")
        page.wait_for_selector(f".vf-clock:has-text('/ {seconds} s')")
        page.wait_for_function("document.querySelector('.vf-editor video').videoHeight > 0")
        assert page.locator("button.jupyter-button:text-is('Download film')").is_disabled()
        shot(page, "2_open")


def test_the_curve_is_drawn_rendered_and_downloaded(pages, films, tmp_path):
    page = pages[0]
    tool(page, "Clear")
    tool(page, "Draw")
    drag(page, (0.30, 0.0), (0.40, 0.9), (0.60, 0.0))
    shot(page, "3_drawn")
    field(page, "prompt", "A person hit metal with a wooden stick.")
    rendered(page)
    page.wait_for_selector("td:has-text('the sound against the wanted curve')")
    assert "not with the film" in page.locator(".vf-notes").inner_text()
    film = download(page, "Download film", tmp_path)
    assert film.name == "one-foley.mp4"
    session = json.loads(download(page, "session", tmp_path).read_text())
    assert session["film"]["path"] == "one.mp4"
    wanted = np.array(session["curve"]["levels"])
    assert abs(wanted.argmax() / len(wanted) - 0.40) < 0.02 and wanted[: len(wanted) // 4].max() == 0
    heard = rms.rms_curve(media.read_sound(film, 16000, seconds=len(wanted) * 128 / 16000), 512, 128)
    assert np.corrcoef(heard, wanted)[0, 1] > 0.5
    assert abs(media.probe(film).seconds - media.probe(films / "one.mp4").seconds) < 0.05
    wav = soundfile.info(download(page, "wav, 48 kHz", tmp_path))
    assert (wav.samplerate, wav.subtype) == (48000, "PCM_24") and abs(wav.duration - 4.0) < 0.05
    names = zipfile.ZipFile(download(page, "project for a DAW", tmp_path)).namelist()
    assert "one-foley.mp4" in names and "one-foley-project/one-foley.rpp" in names
    assert not any(name.endswith(".json") for name in names)
    tab(page, "Save and load")
    shot(page, "4_rendered")


def test_two_people_do_not_meet(pages, project, tmp_path):
    other = pages[1]
    assert "no render yet" in other.locator("body").inner_text()
    assert other.locator(".vf-downloads button").count() == 0
    field(other, "prompt", "A person scratch tile with a wooden stick.")
    field(pages[0], "seed", 3)
    for page in pages:
        press(page, "Render")  # at once
    for page in pages:
        page.wait_for_selector("button.jupyter-button:text-is('Render'):enabled")
        assert page.locator(".vf-message b").count() == 0
    sessions = [json.loads(download(page, "session", tmp_path).read_text()) for page in pages]
    assert [s["film"]["path"] for s in sessions] == ["one.mp4", "two.mp4"]
    assert [s["seed"] for s in sessions] == [3, 0] and sessions[0]["prompt"] != sessions[1]["prompt"]
    folders = sorted({path.name for path in folder.iterdir()} for folder in (project / "runs/studio").iterdir())
    assert len(folders) == 2 and all(not (a & {"two.mp4"} and a & {"one.mp4"}) for a in folders)
    shot(other, "4_rendered")
    for page in pages:
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{page.viewport_size['width']} px: something stands out by {wide} px"


def test_regions_are_made_twice_changed_and_deleted(pages):
    page = pages[0]
    tab(page, "Regions")
    canvas = page.locator(".vf-editor canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 58)
    page.mouse.down()
    page.mouse.move(box["x"] + 420, box["y"] + 58, steps=6)
    page.mouse.up()
    press(page, "Add region")
    page.wait_for_selector(".vf-notes:has-text('A region without a prompt has the film')")
    field(page, "prompt", "A gong")
    press(page, "Change region")
    page.wait_for_selector(".vf-notes:has-text('Never learnt: gong')")
    press(page, "Add region")  # the same again: it lies in a row of its own
    page.wait_for_function(f"document.querySelector('.vf-editor canvas').clientHeight === {round(box['height']) + ROW}")
    shot(page, "5_regions")
    press(page, "Delete region")
    page.wait_for_function(f"document.querySelector('.vf-editor canvas').clientHeight === {round(box['height'])}")
    press(page, "Delete region")
    assert page.locator(".vf-message b").count() == 0


def test_a_voice_and_hands_make_a_curve(pages, tmp_path):
    """The browser's stand-in for a microphone beeps twice a second."""
    page = pages[1]
    page.locator(".vf-editor canvas").click(position={"x": LEFT + 1, "y": 20})
    tool(page, "Clap")
    says(page, "a hit at each clap")
    rendered(page)
    shot(page, "6_clapped")
    curve = np.array(json.loads(download(page, "session", tmp_path).read_text())["curve"]["levels"])
    starts = np.flatnonzero((curve[1:] > 0.05) & (curve[:-1] <= 0.05)) / 125
    assert 4 <= len(starts) <= 7 and abs(np.median(np.diff(starts)) - 0.5) < 0.1


def test_a_sound_of_many_pieces_arrives_and_is_the_curve(pages, project):
    page = pages[1]
    page.evaluate(
        """() => {
            const head = [0x46464952, 36 + 24e6, 0x45564157, 0x20746d66, 16, 65537, 48000, 96000, 0x100002];
            const data = Int16Array.from({ length: 12e6 }, (_, i) => 8000 * Math.sin(i / 20) * ((i / 48000) % 1));
            const moved = new DataTransfer();
            moved.items.add(new File([Uint32Array.from([...head, 0x61746164, 24e6]), data], "large.wav"));
            const options = { dataTransfer: moved, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new DragEvent("drop", options));
        }"""
    )
    says(page, "the curve is the loudness of large.wav")
    assert next((project / "runs/studio").glob("*/large.wav")).stat().st_size == 24_000_044
    shot(page, "6_dropped")


def test_a_session_is_taken_up_again_with_its_film(pages, films, project, tmp_path):
    first = next((project / "runs/studio").glob("*/one-foley.json"))
    page = pages[1]
    page.set_input_files(".vf-drop input", [first, films / "one.mp4"])  # the session first: it waits for its film
    says(page, "the session is loaded")
    assert field(page, "seed").input_value() == "3"
    assert field(page, "prompt").input_value() == "A person hit metal with a wooden stick."
    rendered(page)
    again = json.loads(download(page, "session", tmp_path).read_text())
    assert again["curve"] == json.loads(first.read_text())["curve"]


def test_the_playhead_stays_in_sight_where_the_curve_is_zoomed_in(pages):
    page = pages[0]
    page.locator(".vf-editor canvas").click(position={"x": LEFT + 1, "y": 20})
    for _ in range(4):
        tool(page, "+")
    page.locator(".vf-editor").focus()
    page.keyboard.press("Space")
    page.wait_for_function("document.querySelector('.vf-editor video').currentTime > 2")
    page.keyboard.press("Space")
    shot(page, "7_zoomed")
    black = """c => {
        const row = c.getContext("2d").getImageData(0, (c.clientHeight - 23) * devicePixelRatio, c.width, 1).data;
        return [...Array(c.width).keys()].filter((x) => row[4 * x] + row[4 * x + 1] + row[4 * x + 2] < 30);
    }"""
    at = page.locator(".vf-editor canvas").evaluate(black)  # the playhead's foot, on white
    assert any(x > LEFT for x in at), "the playhead has left the view"
    tool(page, "Whole film")


def test_a_page_that_is_closed_leaves_no_process(pages, project):
    pages[1].close(run_before_unload=True)
    for _ in range(60):
        if "Kernel shutdown" in (project / "voila.log").read_text():
            return
        time.sleep(0.5)
    pytest.fail("the process of a closed page goes on")

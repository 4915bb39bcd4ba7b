import json
import os
import shutil
import tomllib
from datetime import datetime
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import soundfile
from project import ROOT

from vf.data import media, writing
from vf.data.clips import Event
from vf.evaluation.listening import opinions
from vf.evaluation.listening import page as listening

RATE, SECONDS = 16000, 1.0
EXAMPLES = {"best", *opinions.CRITERIA} - {"action"}  # no film is left whose action alone is another
SHOWN = [("wood", "hit"), ("gravel", "scratch"), ("metal", "hit"), ("grass", "scratch")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Four films to ask about and two to take examples from, and two systems."""
    root = tmp_path_factory.mktemp("listening")
    random = np.random.default_rng(0)
    for folder in ("films", "good", "bad"):
        (root / folder).mkdir()
    for i, (material, action) in enumerate([*SHOWN, SHOWN[0], SHOWN[2]]):
        name = f"{i:02d}-{material}"
        frames = np.full((30, 96, 128, 3), 60 + 20 * i, np.uint8)
        frames[10:14, 30:60, 40:80] = 250
        wave = (random.normal(size=RATE) * np.exp(-np.maximum(np.arange(RATE) / RATE - 0.33, 0) * 8) * 0.1).astype(
            np.float32
        )
        writing.write_film(root / "films" / f"{name}.mp4", frames, 30, wave, RATE)
        (root / "films" / f"{name}_times.txt").write_text(f"0.33 {material} {action} static\n0.6 None None None\n")
        for folder, level in (("good", 0.8), ("bad", 0.1)):
            soundfile.write(root / folder / f"{name}.wav", level * wave, RATE)
    return root


@pytest.fixture(scope="module")
def made(folders):
    key = listening.make(
        folders / "films", [folders / "good", folders / "bad"], folders / "out", cases="any", seconds=SECONDS
    )
    return folders / "out", key


def answers(key, listener, score=lambda system, criterion: 3):
    """What the page saves for a listener who rates by rule."""
    given = {
        q["id"]: {code: {c: score(system, c) for c in opinions.CRITERIA} for code, system in q["items"].items()}
        for q in key["questions"]
    }
    return {"page": key["page"], "listener": listener, "started": "", "finished": "", "answers": given}


def save(folder, name, value):
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_the_papers_twelve_cases_in_order():
    films = {f"{a}-{m}": (Event(0.5, m, a, None), Event(4.5, "glass", "hit", None)) for m, a in listening.CASES}
    films["aaa"] = (Event(0.5, "wood", "hit", None), Event(1.0, "wood", "scratch", None))
    found = listening.choose(films)
    assert list(found) == listening.CASES and found["wood", "hit"] == "hit-wood"
    assert [a for _, a in found] == ["scratch"] * 6 + ["hit"] * 6 and len({m for m, _ in found}) == 12
    del films["hit-water"]
    with pytest.raises(ValueError, match="show only water hit; wanted one for each case"):
        listening.choose(films)


def test_the_page_holds_each_sound_under_a_name_that_tells_nothing(made):
    out, key = made
    page = (out / "page" / "index.html").read_text()
    codes = [code for q in key["questions"] for code in q["items"]]
    assert [(q["material"], q["action"]) for q in key["questions"]] == [SHOWN[1], SHOWN[3], SHOWN[0], SHOWN[2]]
    assert len(set(codes)) == 12 and all(
        sorted(q["items"].values()) == ["bad", "good", "truth"] for q in key["questions"]
    )
    told = page.split('id="data">')[1].split("</script>")[0]
    assert all(code in told for code in codes) and not any(
        word in told for word in ("good", "bad", "truth", "wood", "gravel")
    )
    assert {p.name for p in out.rglob("*") if p.is_file()} == {f"{c}.mp4" for c in codes} | {
        "index.html", "key.json", *(f"example-{e}.mp4" for e in EXAMPLES)
    }  # fmt: skip
    assert "http" not in page and "__DATA__" not in page, "nothing comes from elsewhere"


def test_a_film_of_the_page_carries_the_systems_sound(made, folders):
    out, key = made
    question = key["questions"][0]
    for code, system in question["items"].items():
        got = media.read_sound(out / "page" / "media" / f"{code}.mp4", RATE, 0, SECONDS)
        wanted = media.read_sound(folders / "films" / f"{question['film']}.mp4", RATE, 0, SECONDS)
        level = {"truth": 1, "good": 0.8, "bad": 0.1}[system]
        assert np.sqrt((got**2).mean() / (wanted**2).mean()) == pytest.approx(level, rel=0.1)
        info = media.probe(out / "page" / "media" / f"{code}.mp4")
        assert info.seconds == pytest.approx(SECONDS, abs=0.05) and info.has_sound


def test_following_gives_one_sound_the_loudness_of_another():
    noise = np.random.default_rng(0).normal(size=RATE) * 0.05
    leader = (noise * np.linspace(0, 4, RATE)).astype(np.float32)
    led = listening.follow(np.sin(np.arange(RATE) * 0.3).astype(np.float32) * 0.1, leader)
    ratio = np.sqrt((led.reshape(10, -1) ** 2).mean(1) / (leader.reshape(10, -1) ** 2).mean(1))
    assert np.allclose(ratio[1:-1], 1, atol=0.25)


def test_the_template_is_packed_with_the_package():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert any(fnmatchcase("page.html", pattern) for pattern in listed["vf.evaluation.listening"])


def test_what_keeps_a_page_from_being_made_is_said_and_leaves_nothing(made, folders, tmp_path):
    films = folders / "films"
    with pytest.raises(ValueError, match="out: exists; wanted a new folder"):
        listening.make(films, [folders / "good"], folders / "out", cases="any", seconds=SECONDS)
    shutil.copytree(folders / "good", tmp_path / "theirs")
    (tmp_path / "theirs" / "00-wood.wav").unlink()
    with pytest.raises(ValueError, match="theirs: has no sound for 00-wood"):
        listening.make(films, [tmp_path / "theirs"], tmp_path / "new", cases="any", seconds=SECONDS)
    soundfile.write(tmp_path / "theirs" / "00-wood.wav", np.zeros(RATE // 2), RATE)
    with pytest.raises(ValueError, match="00-wood.wav: is 0.50 s long; wanted 1 s"):
        listening.make(films, [tmp_path / "theirs"], tmp_path / "new", cases="any", seconds=SECONDS)
    assert not list(tmp_path.glob("*new*")) and not list(tmp_path.glob(".*new*"))


def test_a_film_that_no_question_needs_cannot_stop_the_page(folders, tmp_path):
    shutil.copytree(folders / "films", tmp_path / "films")
    for path in sorted((tmp_path / "films").glob("0[45]*.mp4")):
        path.write_bytes(b"no film")
    listening.make(tmp_path / "films", [folders / "good"], tmp_path / "out", folders / "good", "any", SECONDS)
    assert not list((tmp_path / "out").rglob("example-*"))


def test_a_page_that_fails_half_way_leaves_nothing(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(listening, "_examples", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        listening.make(folders / "films", [folders / "good"], tmp_path / "out", cases="any", seconds=SECONDS)
    assert not list(tmp_path.iterdir())


def test_a_key_that_is_none_is_said(tmp_path):
    save(tmp_path, "key.json", {})
    with pytest.raises(ValueError, match="has no page, systems and questions"):
        listening.score(tmp_path, [])


def test_systems_are_told_apart_by_the_names_of_their_folders(folders, tmp_path):
    films, options = folders / "films", {"cases": "any", "seconds": SECONDS}
    for name in ("other/good", "truth"):
        shutil.copytree(folders / "good", tmp_path / name)
    with pytest.raises(ValueError, match="good and .*other/good are both called good; wanted a name for each"):
        listening.make(films, [folders / "good", f"{tmp_path}/other/good/"], tmp_path / "new", **options)
    with pytest.raises(ValueError, match="is called truth, as the true sound is; wanted another name"):
        listening.make(films, [tmp_path / "truth"], tmp_path / "new", **options)
    with pytest.raises(ValueError, match="no folder of a system; wanted one or more"):
        listening.make(films, [], tmp_path / "new", **options)
    shutil.copytree(films, tmp_path / "bare", ignore=shutil.ignore_patterns("*.txt"))
    with pytest.raises(ValueError, match=r"bare: none of its 6 films has annotations .*00-wood_times.txt"):
        listening.make(tmp_path / "bare", [folders / "good"], tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_files_tell_nothing_by_their_times_or_order(made, folders, tmp_path, monkeypatch):
    out, _ = made
    assert {p.stat().st_mtime for p in (out / "page" / "media").iterdir()} == {listening.WRITTEN}
    assert datetime.fromtimestamp(listening.WRITTEN).year >= 1999, "a zip begins with 1980, wherever it is packed"
    written, write = [], writing.write_film
    monkeypatch.setattr(
        writing, "write_film", lambda path, *rest, **more: written.append(path.stem) or write(path, *rest, **more)
    )
    key = listening.make(folders / "films", [folders / "bad"], tmp_path / "page", cases="any", seconds=SECONDS)
    for question in key["questions"]:
        codes = [code for code in written if code in question["items"]]
        assert codes == sorted(codes) and len(codes) == 2


def test_a_page_with_other_codes_is_another_page(folders, tmp_path):
    options = {"cases": "any", "seconds": SECONDS}
    keys = [
        listening.make(folders / "films", [folders / "bad"], tmp_path / f"{i}", seed=i // 2, **options)
        for i in range(3)
    ]
    assert keys[0]["page"] == keys[1]["page"] != keys[2]["page"]


def test_bad_answer_files_are_named_and_left_out(made, tmp_path):
    _, key = made
    other = answers(key, "b") | {"page": "0000"}
    incomplete, wrong = answers(key, "c"), answers(key, "d", lambda *_: 6)
    first = key["questions"][0]
    del incomplete["answers"][first["id"]][list(first["items"])[0]]["action"]
    files = [save(tmp_path, "good.json", answers(key, "a")), save(tmp_path, "other.json", other)]
    files += [save(tmp_path, "incomplete.json", incomplete), save(tmp_path, "wrong.json", wrong)]
    files += [
        save(tmp_path, "again.json", answers(key, "a")),
        save(tmp_path, "broken.json", "{"),
        save(tmp_path, "list.json", "[]"),
    ]
    files += [tmp_path / "none.json"]
    ratings, left_out = opinions.read_answers(key, files)
    assert set(ratings.listener) == {"a"} and len(ratings) == 12
    why = {os.path.basename(path): reason for path, reason in left_out}
    assert "is of page 0000; wanted" in why["other.json"] and "action of sound" in why["incomplete.json"]
    assert "is 6; wanted 1 to 5" in why["wrong.json"] and "is of listener a, as" in why["again.json"]
    assert "is no JSON" in why["broken.json"] and "cannot be read" in why["none.json"]
    assert "has no page, listener and answers" in why["list.json"] and len(why) == 7


def test_an_answer_file_gives_scores_and_nothing_else(made, tmp_path):
    _, key = made
    given = answers(key, "a")
    for item in given["answers"][key["questions"][0]["id"]].values():
        item |= {"listener": "b", "system": "truth", "more": 1}
    (tmp_path / "marked.json").write_text(json.dumps(given), "utf-8-sig")  # as some editors save
    text = answers(key, "c", lambda *_: "4")
    files = [tmp_path / "marked.json", save(tmp_path, "text.json", text), save(tmp_path, "deep.json", "[" * 100000)]
    ratings, left_out = opinions.read_answers(key, files)
    assert set(ratings.listener) == {"a"} and ratings.system.value_counts().to_dict() == {
        "truth": 4,
        "good": 4,
        "bad": 4,
    }
    assert list(ratings) == ["listener", "question", "system", *opinions.CRITERIA]
    assert "is '4'; wanted 1 to 5" in left_out[0][1] and "is no JSON" in left_out[1][1]


def test_mean_opinions_by_hand():
    ratings = pd.DataFrame({"listener": list("aabb"), "system": "x", **{c: [1, 2, 4, 5] for c in opinions.CRITERIA}})
    row = opinions.mean_scores(ratings, ["x"]).iloc[0]
    low, high = scipy.stats.t.interval(0.95, 3, loc=3, scale=scipy.stats.sem([1, 2, 4, 5]))
    assert row.material == 3 and row["material ±"] == pytest.approx((high - low) / 2)
    assert (row["quality low"], row["quality high"]) == (1.5, 4.5), "two listeners: either of them alone is the extreme"
    assert (
        opinions.markdown(opinions.mean_scores(ratings, ["x"]))
        .splitlines()[2]
        .startswith(f"| x | 3.00 (±{(high - low) / 2:.2f})")
    )


def test_peavs_ranks_against_listeners_as_the_paper_found():
    # Table 3: a higher PEAVS should mean better synchrony, and goes with a worse opinion
    names = ["Ground Truth", "Diff-Foley", "CondFoleyGen", "SyncFusion", "Video-Foley", "Text-to-Audio"]
    scores = pd.DataFrame({"system": names, **{c: [4.83, 1.86, 1.93, 3.10, 4.40, 2.00] for c in opinions.CRITERIA}})
    peavs = pd.DataFrame(
        {"system": [*names, "SpecVQGAN"], "PEAVS": [1.81, 2.25, 1.80, 2.21, 1.70, 1.82, 2.64], "flat": 1.0}
    )
    table = opinions.correlate(scores, peavs).set_index(["metric", "criterion"])
    ranks = [5, 1, 2, 4, 6, 3], [3, 6, 2, 5, 1, 4]
    by_hand = 1 - 6 * sum((a - b) ** 2 for a, b in zip([6, 1, 2, 4, 5, 3], ranks[1])) / (6 * 35)
    assert table.loc["PEAVS", "temporal"].rho == pytest.approx(by_hand) and by_hand < 0
    assert table.loc["PEAVS", "temporal"].systems == 6 and np.isnan(table.loc["flat", "temporal"].rho)
    shown = opinions.markdown(scores.assign(**{f"{c} ±": 0.06 for c in opinions.CRITERIA}), peavs[["system", "PEAVS"]])
    assert "| Ground Truth | 1.81 | 4.83 (±0.06) | 4.83 (±0.06) |" in shown and "| SpecVQGAN | 2.64 | – |" in shown
    with pytest.raises(ValueError, match="wanted some of Ground Truth"):
        opinions.correlate(scores, pd.DataFrame({"system": ["z"], "PEAVS": [1.0]}))
    with pytest.raises(ValueError, match="wanted `system` and one a metric"):
        opinions.correlate(scores, pd.DataFrame({"name": ["z"]}))


def test_a_table_of_metrics_has_a_row_a_system_and_numbers():
    scores = pd.DataFrame({"system": ["truth", "b", "a"], **{c: [5.0, 4.0, 3.0] for c in opinions.CRITERIA}})
    scores = scores.assign(**{f"{c} ±": 0.1 for c in opinions.CRITERIA})
    measured = pd.DataFrame({"system": ["z", "a", "truth", "y"], "PEAVS": [1.0, 2.0, np.nan, 4.0]})
    shown = [line.split(" | ")[0] for line in opinions.markdown(scores, measured).splitlines()[2:]]
    assert shown == ["| truth", "| b", "| a", "| z", "| y"], (
        "the order of the key, then systems that have metrics alone"
    )
    for use in (opinions.correlate, opinions.markdown):
        with pytest.raises(ValueError, match="two rows for a; wanted one a system"):
            use(scores, pd.DataFrame({"system": ["a", "truth", "a"], "PEAVS": [1.0, 2.0, 3.0]}))
        with pytest.raises(ValueError, match="have '0,3' in column PEAVS; wanted a number"):
            use(scores, pd.DataFrame({"system": ["truth", "a", "b"], "PEAVS": ["1", None, "0,3"]}))


def test_the_command_scores_answers(made, tmp_path, capsys):
    out, key = made
    files = [
        save(
            tmp_path,
            f"{i}.json",
            answers(key, str(i), lambda system, _, i=i: {"truth": 5, "good": 4, "bad": 1 + i % 2}[system]),
        )
        for i in range(4)
    ]
    metrics = save(tmp_path, "metrics.csv", "system,PEAVS\ntruth,1\ngood,2\nbad,3\n")
    listening.main(["score", str(out), *map(str, files), "--metrics", str(metrics)])
    assert "4 listeners" in capsys.readouterr().out
    scores = pd.read_csv(out / "mos.csv").set_index("system")
    assert (
        scores.loc["truth", "temporal"] == 5
        and scores.loc["bad", "temporal"] == 1.5
        and scores.loc["bad", "ratings"] == 16
    )
    assert pd.read_csv(out / "correlation.csv").rho.tolist() == [-1] * 4
    with pytest.raises(SystemExit):
        listening.main(["score", str(tmp_path), str(files[0])])
    assert "has no key.json" in capsys.readouterr().err


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BROWSER = {"executable_path": CHROMIUM, "args": ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]}


@pytest.fixture(scope="module")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium


@pytest.fixture
def visit(made, chromium):
    """The page as a new listener sees it in a window of some size, when its films are there."""
    browser = chromium.launch(**BROWSER)

    def open_page(width=1280, height=900, start=True):
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto((made[0] / "page" / "index.html").resolve().as_uri())
        if start:
            page.click("#start")
        page.wait_for_function("[...document.querySelectorAll('video')].slice(0, 2).every(v => v.readyState > 0)")
        return page

    yield open_page
    browser.close()


RATINGS = (
    "[...document.querySelectorAll('.card')].map(c => [...c.querySelectorAll('input:checked')].map(i => +i.value))"
)


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 800, 1280])
def test_the_page_opens_at_its_top_and_fits_its_window(visit, width):
    page = visit(width, 844, start=False)
    assert page.evaluate("[scrollY, document.activeElement.id]") == [0, "start"]
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    page.click("#start")
    assert page.evaluate("scrollY") == 0 and page.evaluate(fits)
    tops = page.eval_on_selector_all(
        "fieldset:first-of-type label", "labels => labels.map(l => l.getBoundingClientRect().top)"
    )
    assert len(set(tops)) == 3, "the five points of a scale lie on one line, in each of three sounds"
    page.keyboard.press("Enter")
    box, height = page.locator("#say").bounding_box(), page.viewport_size["height"]
    assert "Please play" in page.inner_text("#say") and box["y"] >= 0 and box["y"] + box["height"] <= height


@pytest.mark.slow
def test_keys_rate_after_a_click_on_a_film_or_on_nothing(visit):
    page = visit()
    film = page.locator(".card video").nth(1)
    film.click()
    assert page.evaluate("document.activeElement.tagName") == "VIDEO"
    page.keyboard.press("4")
    assert page.evaluate(RATINGS) == [[], [4], []]
    for key in ("ArrowDown", "ArrowUp"):
        page.evaluate("document.querySelectorAll('.card video')[1].focus()")
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.ariaLabel.split(' ')[0]") == "Action", "the first row that is open"
    assert film.evaluate("v => v.volume") == 1
    page.mouse.click(5, 400)
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    for key in "235":
        page.keyboard.press(key)
    assert page.evaluate(RATINGS) == [[], [4, 2, 3, 5], []]
    film.focus()
    page.keyboard.press("1")
    assert page.evaluate(RATINGS) == [[], [4, 2, 3, 1], []], "the last row where all are rated"
    film.focus()
    page.keyboard.press("Enter")
    assert "Please play" in page.inner_text("#say")


@pytest.mark.slow
def test_films_share_one_volume_and_play_one_at_a_time(visit):
    page = visit(start=False)
    first, second = (page.locator("video").nth(i) for i in range(2))
    first.evaluate("v => { v.loop = true; return v.play(); }")
    second.evaluate("v => { v.loop = true; return v.play(); }")
    page.wait_for_function(
        "document.querySelectorAll('video')[0].paused && !document.querySelectorAll('video')[1].paused"
    )
    second.evaluate("v => { v.volume = 0.5; v.muted = true; }")
    alike = "[...document.querySelectorAll('video')].every(v => v.volume === 0.5 && v.muted)"
    page.wait_for_function(alike)
    page.click("#start")
    assert page.locator(".card video").count() == 3 and page.evaluate(alike)


@pytest.mark.slow
def test_a_listener_goes_from_the_first_click_to_the_table(made, chromium, tmp_path):
    out, key = made
    system_of = {code: system for q in key["questions"] for code, system in q["items"].items()}
    score = {"truth": 5, "good": 4, "bad": 2}
    context = chromium.launch_persistent_context(
        str(tmp_path / "profile"), viewport={"width": 1100, "height": 900}, **BROWSER
    )
    problems = []

    def fresh():
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda request: problems.append(request.url))
        page.goto((out / "page" / "index.html").resolve().as_uri())
        return page

    def rate():
        """Play and rate every sound of a film with the keyboard alone."""
        for card in page.query_selector_all(".card"):
            card.query_selector("input").focus()
            page.keyboard.press("Space")
            video = card.query_selector("video")
            page.wait_for_function("v => v.ended", arg=video, timeout=20000)
            for _ in opinions.CRITERIA:
                page.keyboard.press(str(score[system_of[card.get_attribute("data-code")]]))

    page = fresh()
    shots = os.environ.get("VF_SCREENSHOTS")
    if shots:
        page.wait_for_timeout(1500)
        page.screenshot(path=f"{shots}/intro.png", full_page=True)
    page.click("#start")
    assert page.inner_text("#where") == "Film 1 of 4"
    orders = [page.eval_on_selector_all(".card", "cards => cards.map(c => c.dataset.code)")]
    page.click("#next")
    assert "play to the end: Sound A, Sound B, Sound C; rate on all four" in page.inner_text("#say")
    rate()
    if shots:
        page.wait_for_timeout(500)
        page.screenshot(path=f"{shots}/question.png", full_page=True)
    page.keyboard.press("Enter")
    assert page.inner_text("#where") == "Film 2 of 4"
    rate()
    page.close()
    page = fresh()  # a closed window: nothing is lost, the order is the same
    assert page.inner_text("#where") == "Film 2 of 4" and len(page.query_selector_all(".card.done")) == 3
    page.click("#back")
    assert page.eval_on_selector_all(".card", "cards => cards.map(c => c.dataset.code)") == orders[0]
    page.click("#next")
    page.click("#next")
    for _ in range(2):
        rate()
        page.click("#next")
    with page.expect_download() as download:
        page.click("#save")
    if shots:
        page.screenshot(path=f"{shots}/end.png", full_page=True)
    download.value.save_as(tmp_path / "answers.json")
    assert not problems
    context.close()
    listening.main(["score", str(out), str(tmp_path / "answers.json")])
    scores = pd.read_csv(out / "mos.csv").set_index("system")
    assert {s: scores.loc[s, "material"] for s in score} == score and (scores["ratings"] == 4).all()


def test_a_sound_of_any_length_follows_another():
    rng = np.random.default_rng(0)
    sound, leader = rng.normal(0, 0.1, 40001), rng.normal(0, 0.1, 40000) * np.linspace(0, 1, 40000)
    followed = listening.follow(sound[:40000], leader)
    assert len(followed) == 40000 and np.abs(followed[:4000]).mean() < 0.3 * np.abs(followed[-4000:]).mean()

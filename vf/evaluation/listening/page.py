"""The listening test of section 3.2 and App. D: a page for listeners, and their answers as Tables 2 and 3 have them.

python -m vf.listening make FILMS SYSTEM... OUT          then give OUT/page to listeners; OUT/key.json stays
python -m vf.listening score OUT ANSWERS... --metrics metrics.csv
"""

import argparse
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike

from vf.data import files, media, writing
from vf.data.clips import Event, cut, read_times
from vf.evaluation import pairing, systems
from vf.evaluation.listening import opinions
from vf.signal import rms

TRUTH = "truth"
CASES = [  # App. D: scratches first, hits on materials that these leave over
    *((m, "scratch") for m in ("plastic", "rock", "dirt", "drywall", "gravel", "grass")),
    *((m, "hit") for m in ("carpet", "ceramic", "metal", "water", "wood", "leaf")),
]
RATE = 16000  # of the sound on the page: section 3.2's
# 2000-01-01, the time of every film on the page: real times would show the order of writing; zip has none before 1980
WRITTEN = 946684800


def material_and_action(events: Sequence[Event], seconds: float) -> tuple[str, str] | None:
    """The (material, action) that all labelled events of a film's first seconds share, else None."""
    pairs = {(e.material, e.action) for e in cut(events, 0, seconds) if e.material and e.action}
    return pairs.pop() if len(pairs) == 1 else None


def choose(
    films: Mapping[str, Sequence[Event]], seconds: float = 4.0, cases: str = "paper"
) -> dict[tuple[str, str], str]:
    """A film for each question: {(material, action): name}, of {name: events}, in the order of the questions.

    cases: "paper", the twelve of App. D, or "any", up to six scratches and six hits of whatever materials there are.
    The first film by name is taken whose first seconds hold events of that case and of no other. Raises ValueError for
    a case of the paper that no film shows.
    """
    shown: dict[tuple[str, str], str] = {}
    for name in sorted(films):
        case = material_and_action(films[name], seconds)
        if case is not None:
            shown.setdefault(case, name)
    if cases == "any":
        scratches = [case for case in shown if case[1] == "scratch"][:6]
        seen = {material for material, _ in scratches}
        hits = sorted((case for case in shown if case[1] == "hit"), key=lambda case: case[0] in seen)[:6]
        found = {case: shown[case] for case in scratches + hits}
    elif cases == "paper":
        lack = [" ".join(case) for case in CASES if case not in shown]
        if lack:
            raise ValueError(
                f"no film whose first {seconds:g} s show only {', '.join(lack)}; wanted one for each case of App. D: "
                "add films with their _times.txt, or take what there is with cases any"
            )
        found = {case: shown[case] for case in CASES}
    else:
        raise ValueError(f"cases is {cases!r}; wanted paper or any")
    if not found:
        raise ValueError(
            f"none of {len(films)} films shows one material and action in its first {seconds:g} s: add annotations"
        )
    return found


def make(
    films: str | Path,
    folders: Iterable[str | Path],
    out: str | Path,
    truth: str | Path | None = None,
    cases: str = "paper",
    seconds: float = 4.0,
    seed: int = 0,
) -> dict:
    """Write the page: OUT/page, which opens in any browser, and OUT/key.json, which tells whose sound is whose.

    films: folder of <name>.mp4 with <name>_times.txt in Greatest Hits' form. folders: of the systems, one sound or film
    each under the names of the films; a folder's name is the system's. truth: folder of the true sound, else the films'
    own. seconds: of each film, from its start. seed: of the names that hide the systems. Returns the key. Raises
    ValueError for cases that no film shows, for sounds that are missing or too short, for folders whose names do not
    tell them apart, for none, and where OUT exists.
    """
    out, systems_of = Path(out), _by_name(folders)
    if out.exists():
        raise ValueError(f"{out}: exists; wanted a new folder, as answers belong to one page: choose another name")
    paths = systems.named(films, media.FILMS)
    events = {n: read_times(t) for n, p in paths.items() if (t := p.with_name(f"{n}_times.txt")).exists()}
    if not events:
        raise ValueError(
            f"{films}: none of its {len(paths)} films has annotations beside it ({next(iter(paths))}_times.txt and so "
            "on); wanted them, as they tell what material and action a film shows: add them"
        )
    chosen = choose(events, seconds, cases)
    sounds = {
        TRUTH: paths if truth is None else systems.named(truth),
        **{n: systems.named(f) for n, f in systems_of.items()},
    }
    for system, found in sounds.items():
        lack = [name for name in chosen.values() if name not in found]
        if lack:
            raise ValueError(f"{system}: has no sound for {', '.join(lack)}; wanted one for each question: add it")
    waves = {(s, name): _read(found[name], seconds) for s, found in sounds.items() for name in chosen.values()}
    with files.whole_folder(out) as partial:
        (partial / "page" / "media").mkdir(parents=True)
        return _write_page(partial, paths, events, chosen, sounds, waves, seconds, seed)


def _write_page(partial, paths, events, chosen, sounds, waves, seconds, seed):
    """The page and its key in a folder, see `make`. waves: {(system, film): (s,)}. Returns the key."""
    questions, digest = [], hashlib.sha256()
    for number, ((material, action), name) in enumerate(chosen.items()):
        picture = _picture(paths[name], seconds)
        codes = {hashlib.sha256(f"{seed} {number} {name} {s}".encode()).hexdigest()[:10]: s for s in sounds}
        items = dict(sorted(codes.items()))
        for code, system in items.items():  # by code, as a file system may show what was written first
            _write(partial, code, picture, waves[system, name], digest)
        question = {"id": f"q{number + 1:02d}", "film": name, "material": material, "action": action}
        questions.append(question | {"items": items})
    shown = _examples(partial, paths, events, set(chosen.values()), sounds[TRUTH], seconds, digest)
    key = {
        "page": digest.hexdigest()[:16],
        "seconds": seconds,
        "seed": seed,
        "systems": list(sounds),
        "questions": questions,
    }
    shown_to_listeners = {
        "page": key["page"],
        "criteria": opinions.CRITERIA,
        "examples": shown,
        "questions": [{"id": q["id"], "items": list(q["items"])} for q in questions],
    }
    template = Path(__file__).with_suffix(".html").read_text()
    data = json.dumps(shown_to_listeners).replace("<", "\\u003c")
    files.write_text(partial / "page" / "index.html", template.replace("__DATA__", data))
    files.write_json(partial / "key.json", key)
    return key


def _by_name(folders):
    """{name of the system: folder}.

    Raises ValueError for no folder, two of one name, and one that is called as the truth is.
    """
    found = {}
    for folder in map(Path, folders):
        name = pairing.system_name(folder)
        if name == TRUTH:
            raise ValueError(
                f"{folder}: is called {TRUTH}, as the true sound is; wanted another name for a system: rename it, "
                f"or give it as --truth if it holds the true sound"
            )
        if name in found:
            raise ValueError(
                f"{found[name]} and {folder} are both called {name}; "
                "wanted a name for each system, and that is its folder's: rename one"
            )
        found[name] = folder
    if not found:
        raise ValueError("no folder of a system; wanted one or more between the films and the new folder: add them")
    return found


def _read(path, seconds):
    wave = systems.read_sound(path, RATE)
    if len(wave) < (seconds - 0.05) * RATE:
        raise ValueError(f"{path}: is {len(wave) / RATE:.2f} s long; wanted {seconds:g} s: give the whole clip")
    count = round(seconds * RATE)
    return np.pad(wave[:count], (0, max(0, count - len(wave))))


def _whole(film, sound, seconds):
    """Whether a film that no question needs can serve as an example; one that cannot is passed over."""
    try:
        _read(sound, seconds)
        return media.probe(film).seconds >= seconds
    except ValueError:
        return False


def _picture(path, seconds):
    """Frames of a film's start, small, and how many a second has."""
    info = media.probe(path)
    if info.seconds < seconds - 0.1:
        raise ValueError(
            f"{path}: is {info.seconds:.2f} s long; wanted {seconds:g} s: take longer films, or ask for less"
        )
    return media.read_small(path, 0.0, seconds)


def _write(folder, code, picture, wave, digest):
    target = folder / "page" / "media" / f"{code}.mp4"
    writing.write_film(target, *picture, wave, RATE, quality=20)
    os.utime(target, (WRITTEN, WRITTEN))
    digest.update(code.encode() + target.read_bytes())  # a page with other codes takes other answers


def _examples(folder, paths, events, chosen, truth, seconds, digest):
    """Write Fig. 7's examples of the best and the worst scores, from films that no question shows.

    The worst example of a criterion is bad in that criterion alone: the true loudness with another material, the true
    material in another action, the true sound too late, the true sound in noise. Returns {criterion or "best": code},
    {} where no film is left over.
    """
    cases = {
        n: case for n in sorted(set(events) & set(truth) - chosen) if (case := material_and_action(events[n], seconds))
    }

    def first(fits):  # reads no more sounds than it must
        return next((n for n in cases if fits(cases[n]) and _whole(paths[n], truth[n], seconds)), None)

    name = first(lambda case: True)
    if name is None:
        return {}
    picture, wave = _picture(paths[name], seconds), _read(truth[name], seconds)
    made = {"best": wave, "temporal": np.pad(wave, (round(0.7 * RATE), 0))[: len(wave)]}
    noise = np.random.default_rng(0).normal(size=len(wave)).astype(np.float32)
    made["quality"] = np.clip(wave + 0.3 * np.abs(wave).max() * noise, -1, 1)
    for criterion, i in (("material", 0), ("action", 1)):
        other = first(lambda case, i=i: case[i] != cases[name][i] and case[1 - i] == cases[name][1 - i])
        if other is not None:
            sound = _read(truth[other], seconds)
            starts = [cut(events[n], 0, seconds)[0].time for n in (name, other)]
            late = round((starts[0] - starts[1]) * RATE)
            made[criterion] = np.roll(sound, late) if i else follow(sound, wave)
    codes = {}
    for criterion, sound in made.items():
        codes[criterion] = f"example-{criterion}"
        _write(folder, codes[criterion], picture, sound, digest)
    return codes


def follow(sound: ArrayLike, leader: ArrayLike) -> np.ndarray:
    """A sound with the loudness of another, both (s,): another material at the right times."""
    both = [np.asarray(x, np.float32) for x in (sound, leader)]
    length = len(both[1])
    sound, leader = (np.pad(x, (0, -length % 128)) for x in both)  # to whole hops
    wanted = rms.rms_curve(leader, 512, 128)
    return rms.impose(torch.as_tensor(sound)[None], wanted[None], 512, 128)[0].numpy()[:length]


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m vf.listening", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("make", help="write the page")
    build.add_argument("folders", nargs="+", help="films with _times.txt, then a folder for each system")
    build.add_argument("out", help="new folder: page/ for listeners, key.json for you")
    build.add_argument("--truth", help="folder of the true sound (the films' own)")
    build.add_argument(
        "--cases", default="paper", choices=["paper", "any"], help="App. D's twelve, or what the films show"
    )
    build.add_argument("--seconds", type=float, default=4.0, help="of each film")
    build.add_argument("--seed", type=int, default=0, help="of the hidden names")
    count = commands.add_parser("score", help="mean opinion scores of answer files")
    count.add_argument("out", help="what `make` wrote")
    count.add_argument("answers", nargs="+", help="JSON files that listeners sent back")
    count.add_argument("--metrics", help="CSV with `system` and a column a metric, e.g. PEAVS")
    args = parser.parse_args(arguments)
    try:
        if args.command == "make":
            key = make(args.folders[0], args.folders[1:], args.out, args.truth, args.cases, args.seconds, args.seed)
            print(
                f"{len(key['questions'])} questions on {', '.join(key['systems'])}: give {args.out}/page to listeners"
            )
        else:
            score(args.out, args.answers, args.metrics)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")


def _is_key(key):
    """Whether a value of JSON has the form of a page's key."""
    return (
        isinstance(key, dict)
        and {"page", "systems", "questions"} <= set(key)
        and all(isinstance(key[name], list) for name in ("systems", "questions"))
        and all(isinstance(q, dict) and isinstance(q.get("id"), str) for q in key["questions"])
        and all(isinstance(q.get("items"), dict) for q in key["questions"])
        and all(name in key["systems"] for q in key["questions"] for name in q["items"].values())
    )


def score(out: str | Path, answers: Sequence[str], measured: str | None = None) -> None:
    """Write and print the opinions, OUT/mos.csv and OUT/mos.md, and with metrics OUT/correlation.csv.

    out: the folder that `make` wrote. answers: paths of answer files; those left out are printed. measured: path of a
    CSV of metrics. Raises ValueError where the key or the metrics are missing, or no answer can be used.
    """
    out = Path(out)
    if not (out / "key.json").is_file():
        raise ValueError(f"{out}: has no key.json; wanted the folder that `make` wrote")
    if measured and not Path(measured).is_file():
        raise ValueError(f"{measured}: no such file; wanted a CSV with `system` and a column a metric: check the path")
    key = files.read_json(out / "key.json", "the file that `make` wrote: take that one")
    if not _is_key(key):
        raise ValueError(
            f"{out / 'key.json'}: has no page, systems and questions; wanted the file that `make` wrote: take that one"
        )
    ratings, left_out = opinions.read_answers(key, answers)
    for path, why in left_out:
        print(f"left out {path}: {why}")
    if ratings.empty:
        path, why = left_out[0]
        raise ValueError(f"none of {len(answers)} files can be used; the first: {path}: {why}")
    scores = opinions.mean_scores(ratings, key["systems"])
    values = files.read_table(measured, dtype={"system": str}) if measured else None
    table = None if values is None else opinions.correlate(scores, values)
    shown = opinions.markdown(scores, values)
    files.write_csv(out / "mos.csv", scores)
    files.write_text(out / "mos.md", shown + "\n")
    print(f"{ratings.listener.nunique()} listeners\n\n{shown}")
    if table is not None:
        files.write_csv(out / "correlation.csv", table)
        print(f"\n{table.to_string(index=False, float_format=lambda v: f'{v:.2f}')}")


if __name__ == "__main__":
    main()

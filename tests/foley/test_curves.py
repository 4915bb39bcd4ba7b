"""A curve is bent as a hand means it, and comes back from sound, table and list as it went out."""

import re

import numpy as np
import pytest
import soundfile

from vf.data import media
from vf.data.render import film as render
from vf.foley import curves
from vf.signal import rms
from vf.signal.timeline import Timeline

T, RATE = Timeline(), 125.0


def bumps(seconds=4.0):
    """Two events on silence: an A of 0.8 s at 0.5 s and a hit of 0.6 s at 2 s."""
    curve = np.zeros(round(seconds * RATE), np.float32)
    return curves.stamp(curves.stamp(curve, RATE, "A", 0.5, 0.8, 0.3), RATE, "hit", 2.0, 0.6, 0.2)


def test_drawn_lines_pass_through_their_points_and_leave_the_rest():
    before = bumps()
    drawn = curves.draw(before, RATE, [1.0, 1.2, 1.6], [0.1, 0.5, 0.0])
    assert np.allclose(drawn[[125, 150, 200]], [0.1, 0.5, 0.0], atol=1e-6) and drawn[175] == pytest.approx(0.25)
    assert np.array_equal(drawn[:125], before[:125]) and np.array_equal(drawn[201:], before[201:])
    assert curves.draw(before, RATE, [1.0], [0.7])[125] == np.float32(0.7)


def test_a_line_that_leaves_the_curve_is_cut_off():
    drawn = curves.draw(np.zeros(10, np.float32), 10, [-0.5, 1.5], [0.0, 1.0])
    assert np.allclose(drawn, 0.25 + np.arange(10) / 20)


@pytest.mark.parametrize("name", curves.SHAPES)
def test_a_stamp_is_the_shape_and_replaces_what_was_there(name):
    before = np.full(500, 0.05, np.float32)
    stamped = curves.stamp(before, RATE, name, 1.0, 0.8, 0.4, 0.3)
    shape = 0.4 * rms.SHAPES[name](100, 0.3) if name in rms.SHAPES else np.zeros(100)
    assert np.allclose(stamped[125:225], shape, atol=1e-6)
    assert (stamped[:125] == before[:125]).all() and (stamped[225:] == before[225:]).all()
    assert (before == np.float32(0.05)).all()


def test_events_are_found_where_they_were_stamped():
    (a, b), (c, d) = curves.events(bumps(), RATE, 0.01)
    assert a == pytest.approx(0.5, abs=0.03) and b == pytest.approx(1.3, abs=0.03) and c == pytest.approx(2.0, abs=0.01)
    assert d == pytest.approx(2.0 + 0.6 * np.log(20) / 6, abs=0.02)  # where exp(-6 x / 0.6) falls below 0.01 / 0.2
    assert curves.events(np.zeros(100), RATE, 0.01) == []


def test_two_peaks_over_a_deep_valley_are_two_events_and_over_a_shallow_one_one():
    def valley(decibels):
        bottom = 0.2 * 10 ** (-decibels / 20)
        return curves.draw(np.zeros(500, np.float32), RATE, [1, 1.2, 1.6, 2.0, 2.2], [0, 0.2, bottom, 0.2, 0])

    assert len(curves.events(valley(5), RATE, 0.01)) == 1
    (_, first), (second, _) = curves.events(valley(7), RATE, 0.01)
    assert first == second == pytest.approx(1.6, abs=0.02)


def test_an_event_moved_there_and_back_is_where_it_was():
    curve = bumps()
    event = curves.events(curve, RATE, 0.01)[0]
    moved = curves.move(curve, RATE, event, 1.5)
    assert moved[: round(1.9 * RATE)].max() < 0.01
    found = curves.events(moved, RATE, 0.01)
    assert moved[round((event[0] + event[1]) / 2 * RATE) + round(1.5 * RATE)] == curve.max() and len(found) >= 1
    alone = curves.delete(curve, RATE, curves.events(curve, RATE, 0.01)[1])
    there = curves.move(alone, RATE, event, 1.5)
    back = curves.move(there, RATE, (event[0] + 1.5, event[1] + 1.5), -1.5)
    assert np.allclose(back[alone >= 0.01], alone[alone >= 0.01])


def test_what_moves_out_of_the_curve_is_cut_off():
    curve = bumps()
    event = curves.events(curve, RATE, 0.01)[0]
    for seconds in (-1.0, -9.0, 3.2, 9.0):
        moved = curves.move(curve, RATE, event, seconds)
        assert len(moved) == len(curve) and moved.sum() <= curve.sum()


def test_scale_delete_and_smooth():
    curve = bumps()
    event = curves.events(curve, RATE, 0.01)[1]
    assert curves.scale(curve, RATE, event, 0.5).max() == curve.max()
    assert curves.scale(curve, RATE, event, 100).max() == 1
    assert len(curves.events(curves.delete(curve, RATE, event), RATE, 0.01)) == 1
    assert np.allclose(curves.smooth(np.full(99, 0.3), RATE, 0.2), 0.3)
    assert np.array_equal(curves.smooth(curve, RATE, 0.0), curve)
    impulse = np.zeros(99, np.float32)
    impulse[50] = 0.9
    assert np.allclose(curves.smooth(impulse, RATE, 0.02)[49:52], 0.3)


def test_a_whole_curve_is_made_louder():
    curve = np.array([0, 0.01, 0.2, 0.4], np.float32)
    np.testing.assert_allclose(curves.amplify(curve, -6.0206), curve / 2, rtol=1e-5)
    np.testing.assert_allclose(curves.amplify(curve, 12.0412), [0, 0.04, 0.8, 1], rtol=1e-5)


BAD = [
    (lambda c: curves.amplify(c, 99), "between -60 and 60"),
    (lambda c: curves.amplify(c, np.nan), "between -60 and 60"),
    (lambda c: curves.draw(c, RATE, [1, 0.5], [0, 0]), "in order"),
    (lambda c: curves.draw(c, RATE, [1], [0, 0]), "one of each"),
    (lambda c: curves.draw(c, RATE, [1], [2.0]), r"RMS in \[0, 1\]"),
    (lambda c: curves.stamp(c, RATE, "saw", 0, 1, 0.1), "silence"),
    (lambda c: curves.stamp(c, RATE, "A", 9, 1, 0.1), "onset inside"),
    (lambda c: curves.move(c, RATE, (1, 1), 1), "not empty"),
    (lambda c: curves.delete(c, RATE, (3, 9)), "inside the curve's 4 s"),
    (lambda c: curves.scale(c, RATE, (1, 2), -1), "not negative"),
    (lambda c: curves.smooth(c, RATE, np.nan), "not negative"),
    (lambda c: curves.smooth(c * np.nan, RATE, 0.1), "clean it first"),
]


@pytest.mark.parametrize("call, words", BAD, ids=[w for _, w in BAD])
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(bumps())


def test_a_table_gives_the_same_bytes_back(tmp_path):
    curve = np.random.default_rng(0).random(1250).astype(np.float32)
    curves.to_csv(curve, RATE, tmp_path / "curve.csv")
    assert np.array_equal(curves.from_csv(tmp_path / "curve.csv", RATE, 10.0), curve)


def test_a_table_in_decibels_with_few_rows_and_other_columns(tmp_path):
    (tmp_path / "curve.csv").write_text("\ufeffName, Time ,dB\nx,1.0,-20\ny,2.0,-40\n")
    curve = curves.from_csv(tmp_path / "curve.csv", 10, 4.0)
    assert np.allclose(curve, [0] * 10 + list(np.linspace(0.1, 0.01, 11)) + [0] * 19)


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "begins with nothing"),
        ("a,b\n1,2\n", "wanted the headers"),
        ("time,level\n", "0 rows"),
        ("time,level\n1,x\n", "line 2: 1,x"),
        ("time,level\n1\n", "line 2: 1"),
        ("time,level\n2,0\n1,0\n", "order of time"),
        ("time,level\n1,nan\n", "line 2: 1,nan; wanted two numbers"),
        ("time,level\n1,2\n", "level is 0 to 1"),
        ("time,level\n0,0,1\n", "line 2: 0,0,1 has more cells than headers"),
        ("time,level\n30,0.1\n40,0.2\n", "its times are 30 to 40, the film's 0 to"),
        ("time,level\n0,0.1\n9000,0.5\n", "in milliseconds"),
        (
            "time,level\n0,0\n25,0.5\n50,0\n",
            "its times are 0 to 50, the film's 0 to 4.00 s; wanted seconds .* in frames",
        ),
        ("time,level\n-9,0\n2,0.5\n", "its times are -9 to 2"),
        ("time,name\n1,hit\n30,hit\n", "its times are 1 to 30"),
        ("time,name\n30,hit\n", "its times are 30 to 30"),
    ],
)
def test_a_bad_table_is_named(tmp_path, text, words):
    (tmp_path / "curve.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        curves.from_csv(tmp_path / "curve.csv", RATE, 4.0)


def test_the_loudness_of_a_sound_comes_back(tmp_path):
    smooth = curves.smooth(bumps(), RATE, 0.2)
    curves.to_sound(smooth, T, tmp_path / "curve.wav")
    back = curves.from_sound(tmp_path / "curve.wav", T)
    assert back.shape == smooth.shape and np.abs(back - smooth).max() < 0.012
    short, long = (curves.from_sound(tmp_path / "curve.wav", T, s) for s in (1.0, 6.0))
    assert np.allclose(short[:-2], back[:123], atol=1e-6) and len(short) == 125
    assert len(long) == 750 and (long[502:] == 0).all() and np.allclose(long[:498], back[:498], atol=1e-6)


def test_a_clap_is_heard_where_it_was(tmp_path):
    wave = np.zeros(32000, np.float32)
    wave[16000:16400] = 0.5
    soundfile.write(tmp_path / "clap.wav", wave, 16000)
    assert abs(int(curves.from_sound(tmp_path / "clap.wav", T).argmax()) - 125) <= 3


def test_onsets_come_back(tmp_path):
    times = [0.5, 1.3, 2.1, 2.4]
    (tmp_path / "take_times.txt").write_text("".join(f"{t} metal hit None\n" for t in [*times, 4.5]))
    curve = curves.from_onsets(tmp_path / "take_times.txt", RATE, 4.0)
    curves.to_onsets(curve, RATE, 0.01, tmp_path / "back.txt")
    back = np.loadtxt(tmp_path / "back.txt")
    assert len(back) == 4 and np.abs(back - times).max() <= 0.012
    again = curves.from_onsets(tmp_path / "back.txt", RATE, 4.0)
    assert np.abs(np.array([a for a, _ in curves.events(again, RATE, 0.01)]) - times).max() <= 0.025


def test_a_rendered_films_own_onsets_are_a_curve(tmp_path):
    """The list that the corpus is written with reads as hits at its times."""
    _, _, events = render.film("train", 0, seconds=2.0)
    (tmp_path / "times.txt").write_text("# time\n" + "".join(f"{e.time},{e.material}\n" for e in events))
    curve = curves.from_onsets(tmp_path / "times.txt", RATE, 2.0)
    assert all(curve[round(e.time * RATE) + 2] >= 0.05 for e in events if e.time < 1.99)


@pytest.mark.parametrize("line", ["metal 1.0", "-1.0", "nan", "1.0\nx"])
def test_a_bad_list_of_onsets_is_named(tmp_path, line):
    (tmp_path / "times.txt").write_text(line + "\n")
    with pytest.raises(ValueError, match="times.txt, line"):
        curves.from_onsets(tmp_path / "times.txt", RATE, 2.0)


@pytest.mark.parametrize(
    "text, said",
    [
        ("0,5 wood\n1,5 metal\n", "line 1: 0,5 wood; wanted a time in seconds first, as 0.5 and not as 0,5"),
        ("", "names no time"),
        ("# time\n\n", "names no time"),
        ("0.5\n1\n99\n", "its times are 0.5 to 99, the film's 0 to 2.00 s; wanted seconds within the film"),
        ("0.5,1.5,1.8\n", "line 1: 0.5,1.5,1.8; wanted one onset a line, in seconds: break the line"),
        ("0.5 1.5\n", "line 1: 0.5 1.5; wanted one onset a line"),
        ("500\n1500\n", "its times are 500 to 1500, the film's 0 to 2.00 s; wanted seconds within the film"),
    ],
)
def test_onsets_that_name_no_time_of_the_film_are_refused(tmp_path, text, said):
    (tmp_path / "times.txt").write_text(text)
    with pytest.raises(ValueError, match=re.escape(said)):
        curves.from_onsets(tmp_path / "times.txt", RATE, 2.0)


def test_a_curve_that_ends_a_little_after_the_film_and_labels_of_audacity_are_fine(tmp_path):
    (tmp_path / "c.tsv").write_text("time\tlevel\n0\t0.1\n4.9\t0.1\n")
    assert curves.read(tmp_path / "c.tsv", T, 4.0) == pytest.approx(np.full(500, 0.1))
    (tmp_path / "labels.txt").write_text("0.500000\t0.500000\tstep\n1.500000\t1.700000\t\n")
    assert np.array_equal(curves.read(tmp_path / "labels.txt", T, 2.0), curves.hits([0.5, 1.5], RATE, 2.0))


@pytest.mark.parametrize("name", ["curve.dat", "curve.json", "curve"])
def test_a_text_of_another_name_is_no_sound_to_convert(tmp_path, name):
    (tmp_path / name).write_text("time,level\n0,0.1\n")
    with pytest.raises(ValueError, match=r"is a text and no sound; wanted a table, .csv or .tsv .*: name it so"):
        curves.read(tmp_path / name, T, 2.0)
    (tmp_path / name).write_bytes(bytes(range(256)))
    with pytest.raises(media.MediaError, match="cannot be read"):
        curves.read(tmp_path / name, T, 2.0)


def test_nothing_half_written_is_left(tmp_path):
    for write in (lambda p: curves.to_csv(bumps(), RATE, p), lambda p: curves.to_sound(bumps(), T, p)):
        with pytest.raises(media.MediaError, match="cannot be written"):
            write(tmp_path / "none" / "curve.wav")
        (tmp_path / "folder.csv").mkdir(exist_ok=True)
        with pytest.raises(media.MediaError, match="cannot be written"):
            write(tmp_path / "folder.csv")
    with pytest.raises(ValueError, match="cannot be read"):
        curves.from_csv(tmp_path / "none.csv", RATE, 1.0)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.csv"]


@pytest.mark.parametrize("frames, events", [(1, 1), (3, 1), (4, 2)])
def test_a_gap_shorter_than_asked_belongs_to_the_event(frames, events):
    """At 125 values a second 3 frames are 24 ms and 4 are 32; the gap is 30 ms."""
    curve = np.array([0.1] * 5 + [0.0] * frames + [0.1] * 5, np.float32)
    assert len(curves.events(curve, 125.0, gap=0.03, dip=200.0)) == events

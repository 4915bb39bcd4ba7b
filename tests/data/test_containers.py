"""Any container's own structure tells whether it is whole, and its clock where its sound and pictures lie."""

import av
import numpy as np
import pytest
import soundfile
import wild
from wild import CLICKS, SIZE

from vf.data import containers, media


def heard(path):
    return wild.onsets(media.read_sound(path, 16000))


@pytest.mark.parametrize(
    "make",
    [
        wild.fragmented_film,
        wild.indexed_fragments,
        wild.live_film,
        wild.avi_film,
        wild.gif_film,
        wild.transport_stream,
    ],
)
def test_a_container_that_does_not_know_its_length_is_whole_or_cut_off(tmp_path, make):
    path = make(tmp_path)
    seconds = media.readable(path)
    assert containers.unwritten(path) == 0 and media.check_whole(path, decode=True) is None
    assert seconds == pytest.approx(media.probe(path).seconds, abs=0.05) and seconds > 2.9
    for share in (0.41, 0.61, 0.79):
        part = wild.cut(path, share, tmp_path / f"{share}{path.suffix}")
        with pytest.raises(
            media.Truncated, match=r"its picture breaks off at \d\.\d\d s.*; wanted a whole file"
        ) as caught:
            media.check_whole(part)
        assert 0.2 < caught.value.seconds < 0.9 * seconds
        frames, _ = media.read_frames(part, 25, SIZE, partial=True)
        assert len(frames) == pytest.approx(media.readable(part) * 25, abs=1)
        if path.suffix != ".gif":
            with pytest.raises(media.Truncated, match="its sound breaks off"):
                media.read_sound(part, 16000)


def _between(path):
    """A byte of a film at which a packet, and a part of its container, ends; somewhat behind its middle."""
    data = path.read_bytes()
    if path.suffix == ".mkv":
        return data.find(b"\x1f\x43\xb6\x75", len(data) // 2)
    if path.suffix == ".avi":
        return data.find(b"RIFF", 4)
    with av.open(str(path)) as container:
        return min(p.pos + p.size for p in container.demux() if p.size and p.pos > len(data) * 0.6)


@pytest.mark.parametrize(
    "make", [wild.opendml_film, wild.film_to_the_end_of_its_file, wild.film_with_a_strange_box, wild.open_film]
)
def test_a_film_that_ends_before_what_its_header_counts_was_cut_off(tmp_path, make):
    """Even where it ends with a packet, and no length in bytes says that more should come."""
    path = make(tmp_path)
    assert media.check_whole(path, decode=True) is None and media.readable(path) == pytest.approx(4.0, abs=0.05)
    assert len(media.read_sound(path, 16000)) == pytest.approx(64000, abs=1600)
    part = tmp_path / f"part{path.suffix}"
    part.write_bytes(path.read_bytes()[: _between(path)])
    with pytest.raises(media.Truncated, match="its picture breaks off at") as caught:
        media.check_whole(part)
    assert 1.5 < caught.value.seconds < 3.5
    with pytest.raises(media.Truncated, match="its sound breaks off"):
        media.read_sound(part, 16000)
    assert len(media.read_frames(part, 25, SIZE, partial=True)[0]) == pytest.approx(caught.value.seconds * 25, abs=1)


def test_an_avi_whose_header_counts_two_pictures_too_many_is_whole(tmp_path):
    assert media.check_whole(wild.opendml_film(tmp_path, behind=2), decode=True) is None
    with pytest.raises(media.Truncated):
        media.check_whole(wild.opendml_film(tmp_path, behind=9))


def test_fragments_that_an_index_counts_are_missed(tmp_path):
    path = wild.indexed_fragments(tmp_path)
    data = path.read_bytes()
    part = tmp_path / "part.mp4"
    part.write_bytes(data[: data.rfind(b"moof") - 4])  # between two fragments: nothing is cut through
    assert containers.unwritten(part) == len(data) - part.stat().st_size
    with pytest.raises(media.Truncated, match="breaks off"):
        media.check_whole(part)


def test_a_vorbis_of_short_and_long_blocks_is_whole(tmp_path):
    """Its demuxer's times are off wherever the size changes; over a page that adds up to more than any jitter."""
    rng = np.random.default_rng(0)
    wave = rng.standard_normal(5 * 44100) * 0.3 * (np.arange(5 * 44100) % 4410 < 400)
    soundfile.write(tmp_path / "bursts.ogg", wave, 44100, format="OGG", subtype="VORBIS")
    expected, rate = soundfile.read(tmp_path / "bursts.ogg")
    assert np.abs(media.read_sound(tmp_path / "bursts.ogg", rate) - expected).max() < 1e-4
    later = media.read_sound(tmp_path / "bursts.ogg", rate, start=3.0)
    assert np.abs(later - expected[3 * rate :]).max() < 1e-4


@pytest.mark.parametrize("codec", ["libopus", "flac"])
def test_a_gap_of_an_ogg_is_silence(tmp_path, codec):
    assert heard(wild.ogg(tmp_path, codec)) == pytest.approx(CLICKS, abs=1e-3)
    assert heard(wild.ogg_with_a_gap(tmp_path, codec)) == pytest.approx(CLICKS, abs=1e-3)
    assert heard(wild.ogg_with_a_gap(tmp_path, codec, 0.8, 2.2)) == pytest.approx([0.5, 2.5, 3.5], abs=1e-3)
    lost = wild.ogg_without_a_page(tmp_path, codec)
    assert heard(lost) == pytest.approx([0.5, 1.5, 3.5], abs=1e-3)
    assert len(media.read_sound(lost, 16000)) == pytest.approx(64000, abs=20)


@pytest.mark.parametrize("codec", ["libopus", "flac"])
def test_a_damaged_page_of_an_ogg_is_no_gap(tmp_path, codec):
    path = wild.ogg_with_a_damaged_page(tmp_path, codec)
    with pytest.raises(media.Truncated, match="its sound breaks off at .*samples are missing") as caught:
        media.read_sound(path, 16000)
    assert 1.9 < caught.value.seconds < 2.2
    part = media.read_sound(path, 16000, partial=True)
    assert wild.onsets(part) == pytest.approx([0.5, 1.5], abs=1e-3) and len(part) < 2.3 * 16000


def test_sound_that_checks_itself_is_not_taken_when_damaged(tmp_path):
    with pytest.raises(media.Truncated, match="its sound breaks off at 1.92 s"):
        media.read_sound(wild.film_with_damaged_sound(tmp_path), 16000)


def test_packets_that_a_demuxer_passes_over_are_missed(tmp_path):
    path = wild.ogg(tmp_path)
    with pytest.raises(containers.Unplaced):
        containers.ogg_gaps(path, [960] * 120, 48000, 0.018, 2)
    assert containers.ogg_gaps(path, [960] * 201, 48000, 0.018, 2) == {}


def test_a_gap_that_nothing_places_is_told(tmp_path):
    path = wild.ogg_with_a_gap(tmp_path, "libopus", 2.1, 2.3)  # within a page
    with pytest.raises(media.Truncated, match=r"at 2.0\d s \(samples are missing\)"):
        media.read_sound(path, 16000)


def test_a_gap_of_an_m4a_is_silence(tmp_path):
    assert heard(wild.m4a_with_a_gap(tmp_path)) == pytest.approx(CLICKS, abs=1e-3)


@pytest.mark.parametrize("first, then", [(44100, 48000), (48000, 44100), (22050, 24000)])
def test_a_bare_stream_may_change_its_rate_either_way(tmp_path, first, then):
    found = heard(wild.mp3_that_changes_its_rate(tmp_path, first, then))
    assert len(found) == 4 and np.diff(found)[[0, 2]] == pytest.approx([1.0, 1.0], abs=2e-3)
    assert found[2] - found[1] == pytest.approx(1.0, abs=0.15)  # the delays of two encoders lie between


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_samples_of_any_width_are_what_they_are(tmp_path, subtype):
    wave = np.random.default_rng(0).uniform(-0.9, 0.9, (4321, 2))
    soundfile.write(tmp_path / "x.wav", wave, 16000, subtype=subtype)
    expected, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    assert np.array_equal(media.read_sound(tmp_path / "x.wav", 16000), expected.mean(1, dtype=np.float32))


def test_a_wav_whose_samples_are_cut_off(tmp_path):
    with pytest.raises(media.Truncated, match="its sound breaks off at 2.08 s"):
        media.read_sound(wild.wav_without_its_end(tmp_path), 16000)


def test_a_long_silence_is_kept(tmp_path):
    path = wild.long_silence(tmp_path)
    assert wild.onsets(media.read_sound(path, 8000), 8000) == pytest.approx([0.5, 599.5], abs=1e-3)


def test_clocks_that_leap_are_refused(tmp_path):
    cases = {
        wild.sound_that_leaps: (lambda p: media.read_sound(p, 16000), "clock of its sound leaps from 2.0"),
        wild.film_that_leaps: (lambda p: media.read_frames(p, 25, SIZE), "clock of its picture leaps from 2.0"),
    }
    for make, (read, said) in cases.items():
        with pytest.raises(media.MediaError, match=f"{said}.*; wanted one that goes on: .*cut it there") as caught:
            read(make(tmp_path))
        assert caught.value.seconds == pytest.approx(2.0, abs=0.1)
    joined = wild.joined_streams(tmp_path)
    for read in (lambda: media.read_sound(joined, 16000), lambda: media.check_whole(joined, decode=True)):
        with pytest.raises(
            media.MediaError, match="leaps from 1.9.* to 0.0|leaps from 2.0.* to 0.0|leaps from 2.0.* to -0"
        ):
            read()


def test_an_unknown_codec_is_named(tmp_path):
    wav, avi = tmp_path / "x.wav", wild.avi_film(tmp_path)
    soundfile.write(wav, np.zeros(1000), 16000)
    data = bytearray(wav.read_bytes())
    data[20:22] = b"\x77\x77"
    wav.write_bytes(data)
    avi.write_bytes(avi.read_bytes().replace(b"FMP4", b"QQQQ"))
    with pytest.raises(media.MediaError, match="x.wav: its audio stream is of an unknown codec; wanted one that plays"):
        media.read_sound(wav, 16000)
    for read in (media.probe, media.readable, lambda path: media.check_whole(path, decode=True)):
        with pytest.raises(media.MediaError, match="film.avi: its video stream is of an unknown codec"):
            read(avi)


def test_a_sound_that_begins_hours_later_is_refused(tmp_path):
    late = wild.copied(wild.film(tmp_path / "film.mkv"), tmp_path / "late.mkv", wild.moved("audio", 36000.0))
    with pytest.raises(media.MediaError, match="clock of its sound leaps from 0.00 to 36000.0"):
        media.read_sound(late, 16000)


def test_pictures_without_times_of_their_own_are_refused(tmp_path):
    with pytest.raises(media.MediaError, match="its 100 pictures have 1 times; wanted a time for each"):
        media.probe(wild.film_of_one_time(tmp_path))


def test_pictures_that_a_decoder_passes_over_are_missed():
    media._check_all_came([0, 1, 2, 3], {1, 2, 3})  # a film may begin amid its pictures
    with pytest.raises(ValueError, match="1 of 4 pictures cannot be decoded"):
        media._check_all_came([0, 1, 2, 3], {0, 1, 3})


@pytest.mark.parametrize("make", wild.FILMS + wild.SOUNDS)
def test_every_case_is_read_or_refused_in_one_line(tmp_path, make):
    path = make(tmp_path)
    reads = (media.probe, lambda p: media.check_whole(p, decode=True), lambda p: media.read_sound(p, 16000))
    for read in reads:
        try:
            read(path)
        except media.MediaError as error:
            assert path.name in str(error) and "\n" not in str(error) and "wanted" in str(error)


CUTTABLE = {"w64": "PCM_24", "au": "PCM_16", "caf": "PCM_16", "flac": "PCM_16", "wav": "PCM_24", "aiff": "PCM_16"}


@pytest.mark.parametrize("suffix", CUTTABLE)
@pytest.mark.parametrize("share", [0.37, 0.985])
def test_sound_whose_header_counts_is_whole_or_cut_off(tmp_path, suffix, share):
    wave = np.random.default_rng(0).normal(0, 0.1, 4 * 44100)
    soundfile.write(tmp_path / f"x.{suffix}", wave, 44100, subtype=CUTTABLE[suffix])
    assert len(media.read_sound(tmp_path / f"x.{suffix}", 16000)) == 64000
    path = wild.cut(tmp_path / f"x.{suffix}", share, tmp_path / f"cut.{suffix}")
    with pytest.raises(media.Truncated, match="its sound breaks off at") as caught:
        media.read_sound(path, 16000)
    assert caught.value.seconds == pytest.approx(4 * share, abs=0.15)


@pytest.mark.parametrize("form", ["rifx", "bw64", "rf64", "aiff"])
@pytest.mark.parametrize("mended", [False, True])  # as some editors do with the outer length
def test_waves_of_any_form_are_whole_or_cut_off(tmp_path, form, mended):
    wave, path = (
        np.random.default_rng(0).normal(0, 0.1, 4 * 16000),
        tmp_path / ("x.aiff" if form == "aiff" else "x.wav"),
    )
    with open(path, "wb") as file:
        kind = {"rifx": "WAV", "aiff": "AIFF"}.get(form, "RF64")
        endian = "BIG" if form == "rifx" else "FILE"
        soundfile.write(file, wave, 16000, format=kind, subtype="PCM_16", endian=endian)
    data = bytearray(path.read_bytes())
    if form == "bw64":
        data[:4] = b"BW64"
    path.write_bytes(data)
    assert containers.unwritten(path) == 0 and len(media.read_sound(path, 16000)) == 64000
    data = data[:70000]
    if mended and form in ("rf64", "bw64"):
        data[20:28] = (len(data) - 8).to_bytes(8, "little")
    elif mended:
        data[4:8] = (len(data) - 8).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(media.Truncated, match="its sound breaks off at 2.1"):
        media.read_sound(path, 16000)


@pytest.mark.parametrize("codec", ["libopus", "flac"])
def test_sounds_one_after_the_other_in_one_ogg_are_said_to_be_that(tmp_path, codec):
    first, second = (
        wild.sound_file(tmp_path / f"{k}.ogg", codec, wild.clicks(2.0), serial_offset=str(k)).read_bytes()
        for k in (1, 2)
    )
    for name, data in (("other", first + second), ("same", first + first)):
        (tmp_path / f"{name}.ogg").write_bytes(data)
        with pytest.raises(media.MediaError, match=f"{name}.ogg: holds several sounds one after the other; wanted one"):
            media.read_sound(tmp_path / f"{name}.ogg", 16000)
    assert len(media.read_sound(tmp_path / "1.ogg", 16000)) == pytest.approx(32000, abs=400)


def test_an_mp3_that_counts_its_bytes_says_that_some_are_missing(tmp_path):
    wave = np.random.default_rng(0).normal(0, 0.1, 4 * 48000).astype(np.float32)
    whole = wild.sound_file(tmp_path / "x.mp3", "libmp3lame", wave)
    assert containers.unwritten(whole) == 0
    (tmp_path / "tagged.mp3").write_bytes(whole.read_bytes() + b"TAG" + bytes(125))
    assert containers.unwritten(tmp_path / "tagged.mp3") == 0
    path = wild.cut(whole, 0.97, tmp_path / "cut.mp3")
    assert containers.unwritten(path) == len(whole.read_bytes()) - len(path.read_bytes())
    with pytest.raises(media.Truncated, match="its sound breaks off at 3.[89]"):
        media.read_sound(path, 16000)


@pytest.mark.parametrize("suffix, codec, sound", [("wmv", "wmv2", "libmp3lame"), ("flv", "flv", "libmp3lame")])
def test_other_containers_say_that_they_were_cut_off(tmp_path, suffix, codec, sound):
    with av.open(str(tmp_path / f"x.{suffix}"), "w") as container:
        track, heard = container.add_stream(codec, rate=25), container.add_stream(sound, rate=44100, layout="mono")
        track.width, track.height, track.pix_fmt = *SIZE, "yuv420p"
        for k in range(100):
            container.mux(track.encode(av.VideoFrame.from_ndarray(wild.picture(k), format="rgb24")))
        container.mux(track.encode(None))
        wild.add_sound(container, heard, wild.clicks(4.0, 44100), rate=44100)
    assert media.check_whole(tmp_path / f"x.{suffix}", decode=True) is None
    for share in (0.4, 0.8):
        path = wild.cut(tmp_path / f"x.{suffix}", share, tmp_path / f"cut.{suffix}")
        for read in (media.check_whole, lambda path: media.read_sound(path, 16000)):
            with pytest.raises(media.Truncated, match="breaks off"):
                read(path)


def test_a_stretch_of_adpcm_lies_where_it_does_in_the_whole(tmp_path):
    path = wild.sound_file(tmp_path / "x.wav", "adpcm_ms", wild.clicks())
    whole = media.read_sound(path, 16000)
    assert np.array_equal(media.read_sound(path, 16000, 1.7, 1.0), whole[27200:43200])


def test_words_in_a_tag_count_no_bytes(tmp_path):
    soundfile.write(tmp_path / "x.flac", wild.clicks(1.0, 16000), 16000)
    whole = (tmp_path / "x.flac").read_bytes()
    comment = b"Information=Xing\xff\xff\xff\xff\xff\xff"
    block = bytes([4]) + len(comment).to_bytes(3, "big") + comment
    (tmp_path / "tagged.flac").write_bytes(b"ID3\x04\0\0\0\0\0\0" + whole[:42] + block + whole[42:])
    assert containers.unwritten(tmp_path / "tagged.flac") == 0


def box(kind, body, length=None):
    return (8 + len(body) if length is None else length).to_bytes(4, "big") + kind + body


HEADS = {  # of each container, as far as `unwritten` reads it
    "riff": b"RIFF\x40\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data\x20\0\0\0" + bytes(32),
    "rf64": b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0" + bytes(28),
    "aiff": b"FORM\0\0\0\x40AIFFCOMM" + bytes(40),
    "w64": containers.W64 + bytes(40),
    "au": b".snd\0\0\0\x18\0\0\0\x40" + bytes(12),
    "caf": b"caff\0\x01\0\0desc" + (32).to_bytes(8, "big") + bytes(32) + b"data" + bytes(8),
    "asf": containers.ASF + bytes(14) + containers.ASF_LENGTH + bytes(80),
    "ogg": b"OggS\0\x02" + bytes(20) + b"\x02\x10\x10" + bytes(32),
    "gif": b"GIF89a\x10\0\x10\0\x80\0\0"
    + bytes(6)
    + b"!\xf9\x04\0\0\0\0\0,"
    + bytes(8)
    + b"\x80"
    + bytes(6)
    + b"\x02;",
    "matroska": containers.EBML + b"\x82\0\0\x18\x53\x80\x67\xff\x1f\x43\xb6\x75\x84" + bytes(4),
    "mp3": b"ID3\x04\0\0\0\0\0\x08" + bytes(8) + b"\xff\xfb\x90\0" + bytes(32) + b"Xing\0\0\0\x03" + bytes(8),
    "transport": (b"G" + bytes(187)) * 2,
    "mp4": box(b"ftyp", b"isom") + box(b"sidx", bytes(20)) + box(b"sidx", b"\1" + bytes(40)) + box(b"moof", b"", 1),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_head_that_is_cut_or_counts_anything_is_no_crash(tmp_path, head):
    """Every beginning of it, alone and within a longer file, and with each byte set."""
    path = tmp_path / "film"
    damaged = [head[:n] for n in range(len(head) + 1)] + [head[:n] + bytes(300) for n in range(len(head))]
    damaged += [head[:n] + b"\xff" + head[n + 1 :] for n in range(len(head))]
    for data in damaged:
        path.write_bytes(data)
        assert containers.unwritten(path) >= 0
        assert containers.is_fragmented(path) in (True, False)
        containers.open_matroska_seconds(path)


@pytest.mark.parametrize("length", range(8, 48))
@pytest.mark.parametrize("version", [b"\0", b"\1"])
def test_an_index_of_fragments_that_is_shorter_than_its_fields_is_no_crash(tmp_path, version, length):
    path = tmp_path / "film.mp4"
    path.write_bytes(box(b"ftyp", b"isom") + box(b"sidx", (version + bytes(length))[: length - 8]))
    assert containers.unwritten(path) == 0

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_rms2sound import CAPTIONS, sounds, trained  # noqa: F401  a fixture

from vf.data import clips
from vf.models import examples
from vf.models.rms2sound import ControlNetOptions, train_controlnet
from vf.signal.timeline import Timeline

TIMELINE = Timeline(0.64, 25, 16000, 512, 128, 1024, 160, 4, 4)


@pytest.fixture
def corpus():
    waves = clips.to_int16(sounds())
    items = [clips.Clip(f"s{i}", None, 0.0, 0.64, "train", f"s{i}", caption=c) for i, c in enumerate(CAPTIONS)]
    return clips.ClipSet(items, waves, 16000)


def test_cached_and_live_examples_give_the_same_loss(trained, corpus, tmp_path):  # noqa: F811
    pipeline = trained[0]
    among = [0, 2, 3, 5]
    cached = examples.examples(pipeline, corpus, among, TIMELINE, tmp_path, batch=3)
    live = examples.examples(pipeline, corpus, among, TIMELINE)
    assert [x.shape for x in cached] == [x.shape for x in live]
    losses = [train_controlnet(pipeline, *data, ControlNetOptions(2, batch=3, seed=1)) for data in (cached, live)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_an_interrupted_cache_goes_on_where_it_stopped(trained, corpus, tmp_path):  # noqa: F811
    pipeline, among = trained[0], list(range(6))
    whole = [np.array(x) for x in examples.examples(pipeline, corpus, among, TIMELINE, tmp_path / "a", batch=2, size=2)]
    encode, calls = pipeline.encode, []

    def stops(wave):
        calls.append(len(wave))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(wave)

    pipeline.encode = stops
    with pytest.raises(KeyboardInterrupt):
        examples.examples(pipeline, corpus, among, TIMELINE, tmp_path / "b", batch=2, size=2)
    again = examples.examples(pipeline, corpus, among, TIMELINE, tmp_path / "b", batch=2, size=2)
    del pipeline.encode
    assert len(calls) == 4, "two batches were kept"
    assert all(np.array_equal(x, np.array(y)) for x, y in zip(whole, again))


def test_another_learning_rate_embeds_nothing_again(trained, corpus, tmp_path, monkeypatch):  # noqa: F811
    pipeline, among = trained[0], [0, 2, 3, 5]
    losses = []
    for lr in (1e-3, 1e-2):
        data = examples.examples(pipeline, corpus, among, TIMELINE, tmp_path)
        losses.append(train_controlnet(pipeline, *data, ControlNetOptions(2, batch=2, lr=lr, seed=1)))
        monkeypatch.setattr(examples, "measure", lambda *_: pytest.fail("embedded again"))
    assert losses[0][0] == losses[1][0] and losses[0] != losses[1]


def test_what_latents_depend_on_is_in_their_key_and_an_older_one_is_removed(trained, corpus, tmp_path):  # noqa: F811
    pipeline = trained[0]
    examples.examples(pipeline, corpus, [0, 1], TIMELINE, tmp_path)
    (tmp_path / "own").mkdir()
    first = examples.key(pipeline, corpus, [0, 1], TIMELINE)
    others = [examples.key(pipeline, corpus, [0, 2], TIMELINE)]
    others.append(examples.key(pipeline, corpus, [0, 1], replace(TIMELINE, sound_window=512)))
    louder = clips.ClipSet(corpus.clips, corpus.waves // 2, 16000)
    others.append(examples.key(pipeline, louder, [0, 1], TIMELINE))
    weight = next(pipeline.vae.parameters()).data
    before = weight.clone()
    weight += 1
    others.append(examples.key(pipeline, corpus, [0, 1], TIMELINE))
    weight.copy_(before)
    assert len({first, *others}) == 5
    examples.examples(pipeline, corpus, [0, 2], TIMELINE, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {others[0], "own"}


def test_sounds_on_disk_are_told_apart_by_their_file(trained, corpus, tmp_path):  # noqa: F811
    pipeline, keys = trained[0], []
    for waves in (corpus.waves, corpus.waves, corpus.waves[:5]):
        if len(keys) != 1:
            np.save(tmp_path / "waves.npy", waves)
        mapped = clips.ClipSet(corpus.clips, np.load(tmp_path / "waves.npy", mmap_mode="r"), 16000)
        keys.append(examples.key(pipeline, mapped, [0, 1], TIMELINE))
    assert keys[0] == keys[1] != keys[2]


def test_a_prompt_is_embedded_once(trained):  # noqa: F811
    pipeline = trained[0]
    first = pipeline.encode_prompt("a bell and a drum")
    forward, pipeline.clap.get_text_features = (
        pipeline.clap.get_text_features,
        None,
    )  # would fail if it were asked again
    assert torch.equal(pipeline.encode_prompt(["a bell and a drum"] * 2), first.expand(2, -1))
    pipeline.clap.get_text_features = forward


def test_prompts_are_what_the_sampler_takes(corpus):
    event = clips.Event(0.25, "metal", "hit")
    films = clips.ClipSet([replace(c, events=(event,)) for c in corpus.clips], corpus.waves, corpus.sample_rate)
    given = examples.prompts(films)
    assert given["text"]["prompts"] == CAPTIONS
    heard = given["audio"]["audio"]
    assert not heard[:, :4000].any() and np.array_equal(heard[:, 4000:], films.wave(slice(None))[:, 4000:])


def test_true_curves_are_as_long_as_the_sound_that_is_made():
    timeline = Timeline(1.0, 25, 16000, 512, 128, 1024, 160, 4, 8)  # 1 s of film, 1.28 s of sound
    padded, curves = examples.true_curves(0.1 * np.ones((2, 16000), np.float32), timeline)
    assert padded.shape == (2, timeline.sound_samples) and curves.shape == (2, timeline.sound_rms_frames)
    assert curves[:, :90].min() > 0.099 and not curves[:, 105:].any()

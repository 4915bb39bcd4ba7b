"""Latents of any length decode without a seam, ticks reach outside, and disks that are full are named."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny_pipeline
import torch

from vf.backends.nets.griffin_lim import GriffinLim
from vf.data import media
from vf.foley import long, takes
from vf.models.sampler import Settings
from vf.signal import mel, rms, windows
from vf.signal.timeline import Timeline

T = Timeline(seconds=1.2)  # 32 latent frames, 128 of the log-mel


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline.controlled()


def test_latents_of_one_window_decode_as_the_pipelines_own_do(pipeline):
    latents = torch.randn(1, 8, 32, 16, generator=torch.Generator().manual_seed(0))
    wave = np.concatenate(list(long.decode(pipeline, latents[0].transpose(0, 1).numpy(), 32)))
    assert np.array_equal(wave, pipeline.decode(latents)[0].numpy())


def test_the_tick_is_called_before_every_pass_and_its_error_stops(pipeline):
    shares, settings = [], Settings(guidance_scale=2.0, num_inference_steps=3, batch=1)
    wanted = np.full(375, 0.1, np.float32)
    voices = takes.encode_voices(pipeline, T, len(wanted), settings, "a bell")
    takes.take(pipeline, T, wanted, voices, 0, [], settings, shares.append)
    passes = len(windows.starts(75, 32, 8))
    # of three steps and the decoder, and once behind the last step
    assert shares == sorted(shares) and shares[0] == 0 and len(shares) == (3 + 1) * passes + 1

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        takes.take(pipeline, T, wanted, voices, 0, [], settings, stop)


@pytest.fixture(scope="module")
def joined():
    """(pieces, the same vocoded in one): latents that are themselves a log-mel of steady noise, 4 frames each."""
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(2560 * 160).astype(np.float32))
    level = mel.log_mel(0.1 * (noise + noise.roll(1)), 16000)
    vocoder, device = GriffinLim(iterations=6), torch.device("cpu")
    pipe = SimpleNamespace(
        device=device, latent_stride=4, vocoder=vocoder, decode_mel=lambda z: z.transpose(1, 2).flatten(1, 2)
    )
    pieces = list(long.decode(pipe, level.reshape(-1, 4, 64).numpy(), 128))
    return pieces, vocoder(level[None])[0].numpy()


def test_pieces_of_vocoding_join_into_the_sound_of_the_whole(joined):
    """Beyond the reach of a cut the pieces have the samples that one pass over everything has, without a seam."""
    pieces, whole = joined
    wave = np.concatenate(pieces)
    assert [len(p) for p in pieces] == [1024 * 160, 1024 * 160, 512 * 160]
    assert np.abs(wave - whole).max() < 1e-3 * np.abs(whole).max()


def test_no_seam_where_pieces_join(joined):
    """RMS and spectral flux at the joins are those of elsewhere."""
    wave = torch.from_numpy(np.concatenate(joined[0]))
    level = 20 * rms.rms_curve(wave, 1024, 160).log10().numpy()
    flux = np.abs(np.diff(mel.log_mel(wave, 16000).numpy(), axis=0)).mean(1)
    at = np.concatenate([np.arange(k * 1024 + 96 - 16, k * 1024 + 96 + 16) for k in (1, 2)])
    other = np.setdiff1d(np.arange(100, 2460), at)
    for measure in (level, flux):
        assert abs(measure[at].mean() - measure[other].mean()) < 3 * measure[other].std() / np.sqrt(len(at) / 8)


def test_the_tape_keeps_what_it_was_given_and_cuts_it():
    pieces = [np.arange(5, dtype=np.float32), np.arange(5, 12, dtype=np.float32)]
    assert np.array_equal(long.tape(iter(pieces), 9), np.arange(9))


@pytest.mark.parametrize("make", [lambda: long.scratch((10, 10)), lambda: long.tape([np.zeros(10, np.float32)], 10)])
def test_a_full_temporary_disk_is_named(monkeypatch, make):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(long.tempfile, "TemporaryFile", full)
    with pytest.raises(media.MediaError, match="no room for .*No space left"):
        make()


def test_a_sound_is_heard_while_the_rest_is_made(pipeline):
    """Of 45 s the first ten are there when a third of the work is done. All pieces, in order, are the sound."""
    shares, heard, settings = [0.0], [], Settings(guidance_scale=1.0, num_inference_steps=2, batch=1)
    wanted = np.full(45 * 125, 0.1, np.float32)
    voices = takes.encode_voices(pipeline, T, len(wanted), settings, "a bell")

    def listen(piece):
        heard.append((shares[-1], piece))

    wave = takes.take(pipeline, T, wanted, voices, 0, [], settings, shares.append, listen)
    assert np.array_equal(np.concatenate([piece for _, piece in heard]), wave) and len(wave) == 45 * 16000
    assert [len(piece) for _, piece in heard[:2]] == [10.24 * 16000] * 2
    assert heard[0][0] < 1 / 3 and heard[1][0] < 0.6 and shares == sorted(shares)
    assert np.array_equal(wave, takes.take(pipeline, T, wanted, voices, 0, [], settings, shares.append))

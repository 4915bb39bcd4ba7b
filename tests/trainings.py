"""Trainings of tiny networks, to be run in one process or several: each returns its losses."""

import os
import signal

import numpy as np
import tiny_pipeline
import torch
from accelerate import notebook_launcher
from tiny_pipeline import CAPTIONS, sounds

from vf.backends.small import backbone, embedders, frame_encoder
from vf.backends.small.frames import Reader
from vf.data import maps, media
from vf.data.clips import ClipSet, to_int16
from vf.models import examples, onset_baseline, video2rms
from vf.models.rms2sound import ControlNetOptions, RMS2Sound, train_controlnet
from vf.signal import fit
from vf.signal.checkpoint import steps_done
from vf.signal.rms import Bins, rms_curve
from vf.signal.timeline import Timeline

RNG = np.random.default_rng
PAPER = {"own": 0.0, "crop": None, "ema": 0.0, "dropout": 0.1}  # of the control net: Eq. 4 alone


def save_pipeline(folder):
    """A pipeline without a control net, for `control_net`."""
    tiny_pipeline.plain().save_pretrained(folder)


def control_net(folder, **options):
    """RMS-ControlNet, with all that its loss may draw."""
    pipeline, waves = RMS2Sound.from_pretrained(folder), sounds()
    data = pipeline.encode(waves), pipeline.encode_prompt(audio=waves), rms_curve(torch.as_tensor(waves), 1024, 160)
    options = {"own": 0.75, "dropout": 0.4, "crop": 8, "ema": 0.9, "steps": 4, **options}
    return train_controlnet(pipeline, *data, ControlNetOptions(batch=4, lr=1e-2, seed=1, **options))


def in_passes(count, function):
    """What a function returns where each process divides its share of a batch."""
    os.environ["ACCELERATE_GRADIENT_ACCUMULATION_STEPS"] = str(count)
    try:
        return function()
    finally:
        del os.environ["ACCELERATE_GRADIENT_ACCUMULATION_STEPS"]


def video2rms_net(norm="train", precision="no", **options):
    """Video2RMS with an onset head, dropout and batch norm. norm: "eval" leaves its statistics as they are."""
    rng = RNG(0)
    features, curves = rng.standard_normal((8, 20, 6)), rng.uniform(0, 1, (8, 50)).astype(np.float32)
    torch.manual_seed(0)
    model = video2rms.Video2RMS(6, 8, 4, 20, 50, 16, dropout=0.3, onsets=True)
    if norm == "eval":
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.train = lambda mode=True, module=module: module
                module.training = False
    options = video2rms.Options(**{"steps": 5, "batch": 4, "seed": 2, "precision": precision, **options})
    onsets = (curves[:, :20] > 0.9).astype(np.float32)
    losses = video2rms.train(model, features, curves, Bins(16), options, onsets=onsets)
    # running means are not compared: Adam moves the convolutions' biases, which batch norm cancels, by rounding errors
    return [*losses, *(float(x.double().sum()) for name, x in model.named_buffers() if "mean" not in name)]


def onset_net():
    """Video2Onset."""
    rng = RNG(0)
    frames, labels = rng.integers(0, 255, (4, 20, 16, 16, 3), dtype=np.uint8), RNG(1).uniform(size=(4, 20)) > 0.8
    torch.manual_seed(0)
    options = onset_baseline.Options(3, batch=4, seconds=0.5)
    return onset_baseline.train(onset_baseline.Video2Onset(4), frames, labels.astype(np.float32), [0, 1, 3], options)


def frame_net():
    """The frame encoder."""
    maps, curves = RNG(0).integers(0, 255, (4, 40, 3, 32, 32), dtype=np.uint8), RNG(1).uniform(0, 1, (4, 50))
    options = {"steps": 3, "batch": 4, "widths": (4, 4, 4, 4), "window": 16, "precision": "no"}
    return frame_encoder.train(maps, curves.astype(np.float32), range(4), [0, 1, 2], **options)[1]


def tagger():
    """The metrics' tagger."""
    return embedders.train_tagger(
        np.tile(sounds(), (1, 2)), CAPTIONS, embedders.TaggerOptions(3, batch=4, width=4, dims=4)
    )[1]


def text_to_audio():
    """VAE, vocoder, CLAP and U-Net, each by itself."""
    waves, rng = sounds(), torch.Generator().manual_seed(0)
    mels, vectors = backbone.log_mels(waves), torch.randn(6, 16, generator=rng)
    latents = torch.randn(6, 8, 16, 16, generator=rng)
    unet = backbone.UNetOptions(3, batch=4, channels=(8, 16, 16), text_share=0.5, dropout=0.4, crop=8)
    vae, losses = backbone.train_vae(mels, backbone.VAEOptions(3, batch=4, channels=(4, 16, 32), crop=32, lr=1e-4))
    towers = backbone.small_clap
    features, tokenizer = towers.log_mels(towers.feature_extractor(), waves), towers.train_tokenizer(CAPTIONS)
    return [
        *losses,
        *backbone.train_vocoder(vae, waves, mels, backbone.VocoderOptions(3, batch=4, iterations=2, hidden=4))[1],
        *towers.train(features, CAPTIONS, tokenizer, towers.Options(3, batch=4, width=4, dims=16))[1],
        *backbone.train_unet(latents, vectors, vectors.flip(0), torch.zeros(1, 16), unet)[2],
    ]


def regression(folder=None, at=None, what=None, **options):
    """A linear layer. at: step at which the last process does `what`: is killed, or meets a loss that is no number."""
    torch.manual_seed(0 if fit.is_main() else 5)  # the first process's weights count
    model, steps = torch.nn.Linear(4, 1), []

    def loss(generator, part):
        x = part.rows(torch.randn(8, 4, generator=generator))
        steps.append(0)
        value = (model(x) - x.sum(-1, keepdim=True)).square().mean()
        if len(steps) - 1 == at and int(os.environ.get("RANK", 0)) == int(os.environ.get("WORLD_SIZE", 1)) - 1:
            if what == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            value = value * float("nan")
        return value

    options = {"steps": 8, "batch": 8, "lr": 1e-2, "every": 2, "ema": 0.9, **options}
    return fit.fit(model, loss, fit.Training(checkpoint=folder, **options), label="regression")


def embedded(pipeline_folder, folder):
    """Examples of sounds on disk, and how many sounds this process embedded, in a first and in a second call."""
    counts, measure = [0, 0], examples.measure
    pipeline, films = RMS2Sound.from_pretrained(pipeline_folder), ClipSet([], to_int16(sounds()), 16000)
    for call in range(2):

        def counted(pipeline, waves, timeline, call=call):
            counts[call] += len(waves)
            return measure(pipeline, waves, timeline)

        examples.measure = counted
        arrays = [np.array(x) for x in examples.examples(pipeline, films, range(5), Timeline(), folder, 2, 2)]
    examples.measure = measure
    return [a.shape for a in arrays], float(sum(a.sum() for a in arrays)), counts


def killed(where, folder):
    """The first process is killed, while it embeds sounds or reads a state, and the others wait for it."""

    def kill(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    if where == "embedding":
        examples.measure, examples.key = kill, lambda *_: "key"
        examples.examples(None, ClipSet([], to_int16(sounds()), 16000), [0, 1], Timeline(), folder)
    if fit.is_main():
        fit.State.load = kill
    return regression(folder)


def in_a_notebook(folder):
    """Losses of a process that used a device and trained before, of two that it launches, and of what it reads then."""
    before = fit.device().type, fit.is_main(), regression(steps=2)
    notebook_launcher(regression, (folder,), num_processes=2, use_port=os.environ["MASTER_PORT"])
    return before, steps_done(folder), regression(folder)


def alone_after_training():
    """What goes on after all processes but the first have left."""
    regression()
    fit.leave_to_main()
    return "goes on"


def seen(film, folder):
    """Columns of five clips, two a shard, and which clips this process read, in a first and in a second call."""
    read, calls = media.read_frames, [[], []]
    for call in range(2):

        def counted(path, fps, size, start, seconds, call=call):
            calls[call].append(start)
            return read(path, fps, size, start, seconds)

        media.read_frames = counted
        found = maps.read_clips([(film, k / 5) for k in range(5)], Reader(), Timeline(0.4, 25), (32, 24), folder, 2)
    media.read_frames = read
    return {name: column[:] for name, column in found.items()}, calls

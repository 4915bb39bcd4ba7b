"""Pretraining of the miniature's stand-ins for the networks that the paper takes pretrained.

These are AudioLDM, CLAP and the networks of the metrics. `python -m vf.pretrain` trains each part as
`pretrained/recipe.yaml` says and writes `pretrained/`. Unfinished work is kept in one folder (`runs/pretrain`); an
interrupted run continues from the last saved step. `accelerate launch -m vf.pretrain` trains in several
processes, of which the first writes. The networks learn from rendered sounds, drawn anew in every round,
and from the real sounds of ESC-10, for variety; the Video2RMS that ships learns from real films too. The objects,
stroke styles and sounds of the rendered test films are not among them.
"""

import argparse
import csv
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
import yaml
from diffusers.models import AutoencoderKL, UNet2DConditionModel
from tqdm.auto import tqdm
from transformers import RobertaTokenizer

from vf.backends.nets import clap as clap_net
from vf.backends.nets.griffin_lim import GriffinLim
from vf.backends.nets.small_clap import SmallClap
from vf.backends.small import backbone, embedders, frame_encoder, frames
from vf.backends.small import clap as small_clap
from vf.data import clips, columns, corpora, files, maps, media, processes
from vf.data.columns import Column
from vf.data.render import film as render
from vf.evaluation import metrics
from vf.foley.render import VideoFoley
from vf.models import end_to_end, sampler, video2rms
from vf.models.rms2sound import ControlNetOptions, RMS2Sound, train_controlnet
from vf.models.rms_controlnet import RMSControlNet
from vf.models.sampler import Settings
from vf.signal import checkpoint, fit, rms
from vf.signal.timeline import Timeline

Options = TypeVar("Options", bound=fit.Training)
SYSTEM = ("vae", "vocoder", "clap", "unet", "controlnet", "frame_encoder", "video2rms")
SCORING = ("tagger", "scoring_clap")  # of the metrics
TRACK = re.compile("_(mic|denoised)$")  # of a film of Greatest Hits
RENDERED = "rendered"  # all rendered films, where films are told apart
PARTS = SYSTEM + SCORING + ("progress",)
MADE_OF = {  # keys of the recipe beside a part's own, `seed` and `timeline`
    "vae": ("sounds.vae", "real"),
    "vocoder": ("sounds.vae", "real"),
    "clap": ("sounds.captions", "real"),
    "tagger": ("sounds.captions", "real"),
    "scoring_clap": ("sounds.captions", "real"),
    "unet": ("sounds.unet", "real"),
    "controlnet": ("sounds.controlnet", "real"),
    "frame_encoder": ("films",),
    "video2rms": ("films",),
    "progress": ("sounds.progress", "sampler"),
}
# of what is rendered; no two parts get the same sounds or films
SEEDS = {
    "vae": 1000,
    "captions": 2000,
    "scoring": 3000,
    "unet": 4000,
    "frame_encoder": 5000,
    "controlnet": 6000,
    "video2rms": 7000,
    "progress": 8000,
}


class Pretraining:
    """Trains the parts of one recipe.

    recipe: `pretrained/recipe.yaml` as a dict. state: folder for unfinished work. real: folder of ESC-10, which has a
    folder for each class. films: folder of real films. workers: number of processes that render.
    """

    def __init__(self, recipe: dict, state: Path, real: Path, films: Path, workers: int = 2):
        self.recipe = recipe
        self.state = Path(state)
        self.real = Path(real)
        self.films = Path(films)
        self.workers = workers
        self.timeline = Timeline(**recipe["timeline"])

    def options(self, kind: type[Options], part: str, **changes) -> Options:
        """The recipe's options of a part. kind: their dataclass. changes: options that differ from the recipe."""
        seed = self.recipe["seed"] + (part in ("tagger", "scoring_clap"))
        return kind(**self.recipe[part], seed=seed, checkpoint=self.state / part, **changes)

    def part(self, name: str) -> Path:
        """Folder of a finished part."""
        return self.state / "parts" / name

    def renew(self, name: str) -> None:
        """Take away what a part has so far, finished or not, where the recipe or the real films are others since.

        What other parts made of it stays.
        """
        made_of = {key: self.recipe[key] for key in ("seed", "timeline", name) if key in self.recipe}
        for key in MADE_OF[name]:
            block, _, entry = key.partition(".")
            made_of[key] = self.recipe[block][entry] if entry else self.recipe[block]
        if name == "video2rms":
            made_of[name] = {key: value for key, value in made_of[name].items() if key != "decode"}  # of what ships
            made_of["real_films"] = [path.name for path in self.real_films()]
        kept = self.state / f"{name}.json"
        if fit.is_main():
            before = files.read_json(kept) if kept.exists() else made_of
            if changed := [key for key in made_of if made_of[key] != before.get(key)]:
                print(f"{name}: {', '.join(changed)} of {kept} changed since; it begins anew")
                for folder in (self.state / name, self.state / "films" / name, self.state / "examples" / name):
                    shutil.rmtree(folder, ignore_errors=True)
                shutil.rmtree(self.part(name), ignore_errors=True)
                (self.state / f"{name}.csv").unlink(missing_ok=True)
            files.write_json(kept, made_of)
        fit.wait()

    def log(self, part: str, **row) -> None:
        """Add a line to the history of a part: the time in seconds since 1970, and the values of `row`.

        A step that is there already is not added again: a training that goes on passes its earlier stops, too.
        """
        if not fit.is_main():
            return
        path = self.state / f"{part}.csv"
        if path.exists() and str(row["step"]) in {line["step"] for line in csv.DictReader(path.open(newline=""))}:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, ["time", *row])
            if new:
                writer.writeheader()
            writer.writerow({"time": round(time.time()), **row})

    def sounds(self, part: str, round_: int, count: int) -> tuple[np.ndarray, list]:
        """Waveforms (n, s) int16 and captions: `count` rendered sounds, then real ones up to the recipe's share."""
        seed = self._seed(part, round_)
        rate = self.timeline.sample_rate
        work = partial(render.sound, seconds=self.timeline.sound_samples / rate, sample_rate=rate, seed=seed)
        with processes.pool(self.workers) as pool:
            results = pool.map(work, range(count), chunksize=50)
            rendered = list(tqdm(results, total=count, desc="rendered sounds", mininterval=2.0))
        waves, captions = self._real()
        share = self.recipe["real"]["share"]
        copies = round(share / (1 - share) * count / max(1, len(waves)))
        waves = [clips.to_int16(fitted(w, self.timeline.sound_samples)) for w, _ in rendered] + waves * copies
        return np.stack(waves), [clips.text_prompt(events) for _, events in rendered] + captions * copies

    def _real(self) -> tuple[list, list]:
        """Waveforms and captions of the real sounds that the recipe does not hold out."""
        waves = []
        captions = []
        for path in sorted(p for p in self.real.rglob("*.ogg") if not fnmatch(p.stem, self.recipe["real"]["held_out"])):
            wave = media.read_sound(path, self.timeline.sample_rate)
            waves.append(clips.to_int16(fitted(wave, self.timeline.sound_samples)))
            captions.append(f"The sound of {path.parent.name.replace('-', ' ')}.")
        if not waves:
            raise ValueError(f"{self.real}: has no .ogg of ESC-10; wanted a folder a class: set --real")
        return waves, captions

    def vae(self) -> None:
        """Train the VAE, round by round."""
        count = self.recipe["sounds"]["vae"]["count"]
        rounds = self.recipe["sounds"]["vae"]["rounds"]
        options = self.options(backbone.VAEOptions, "vae")
        for k in self._rounds("vae", options.steps, rounds):
            mels = backbone.log_mels(clips.from_int16(self.sounds("vae", k, count)[0]))
            for until in stops(options.steps, rounds, k, 2500):
                vae, losses = backbone.train_vae(mels, replace(options, until=until))
                self.log("vae", step=until, loss=round(float(np.mean(losses[-500:])), 5))
        self._save(vae, "vae")

    def _save(self, networks, name: str) -> None:
        """Keep a finished part, whole, once for all processes; none goes on before it is there.

        networks: one, or a dict of several by name, each of which gets a folder of its own in the part's.
        """
        if fit.is_main():
            with files.whole_folder(self.part(name)) as made:
                for folder, network in networks.items() if isinstance(networks, dict) else [(".", networks)]:
                    network.save_pretrained(made / folder)
        fit.wait()

    def vocoder(self) -> None:
        """Train the vocoder's levels."""
        vae = AutoencoderKL.from_pretrained(self.part("vae")).eval()
        waves = clips.from_int16(self.sounds("vae", 0, self.recipe["sounds"]["vae"]["count"])[0])
        options = self.options(backbone.VocoderOptions, "vocoder")
        vocoder, losses = backbone.train_vocoder(vae, waves, backbone.log_mels(waves), options)
        self.log("vocoder", step=options.steps, loss=round(float(np.mean(losses[-500:])), 5))
        self._save(vocoder, "vocoder")

    def clap(self) -> None:
        """Train the CLAP pair that gives the networks their prompts."""
        self._train_pair("clap", "captions")

    def scoring_clap(self) -> None:
        """Train the CLAP pair that computes the CLAP score."""
        self._train_pair("scoring_clap", "scoring")

    def _train_pair(self, name: str, part: str) -> None:
        waves, captions = self.sounds(part, 0, self.recipe["sounds"]["captions"]["count"])
        tokenizer = small_clap.train_tokenizer(captions)
        features = small_clap.log_mels(small_clap.feature_extractor(), clips.from_int16(waves))
        pair, losses = small_clap.train(features, captions, tokenizer, self.options(small_clap.Options, name))
        self.log(name, step=len(losses), loss=round(float(np.mean(losses[-500:])), 5))
        self._save(tokenizer, f"{name}_tokenizer")
        self._save(pair, name)

    def tagger(self) -> None:
        """Train the tagger of the metrics."""
        waves, captions = self.sounds("scoring", 0, self.recipe["sounds"]["captions"]["count"])
        options = self.options(embedders.TaggerOptions, "tagger")
        tagger, losses = embedders.train_tagger(clips.from_int16(waves), captions, options)
        self.log("tagger", step=len(losses), loss=round(float(np.mean(losses[-500:])), 5))
        self._save(tagger, "tagger")

    def unet(self) -> None:
        """Train the U-Net, round by round."""
        count = self.recipe["sounds"]["unet"]["count"]
        rounds = self.recipe["sounds"]["unet"]["rounds"]
        options = self.options(backbone.UNetOptions, "unet")
        pair, tokenizer = self._pair("clap")
        null = clap_net.embed_text(pair, tokenizer, [""])
        for k in self._rounds("unet", options.steps, rounds):
            latents, timbres, texts, _ = self._examples("unet", k, count)
            for until in stops(options.steps, rounds, k, 1000):
                unet, _, losses = backbone.train_unet(latents, timbres, texts, null, replace(options, until=until))
                self.log("unet", step=until, loss=round(float(np.mean(losses[-1000:])), 5))
                if fit.is_main():
                    unet.save_pretrained(self.state / "snapshots" / f"unet-{until:06d}")
        self._save(unet, "unet")

    def controlnet(self) -> None:
        """Train the control net that ships, round by round, on the frozen rest."""
        count = self.recipe["sounds"]["controlnet"]["count"]
        rounds = self.recipe["sounds"]["controlnet"]["rounds"]
        options = self.options(ControlNetOptions, "controlnet")
        pipeline = self.pipeline()
        for k in self._rounds("controlnet", options.steps, rounds):
            latents, timbres, _, curves = self._examples("controlnet", k, count)
            for until in stops(options.steps, rounds, k, 1000):
                losses = train_controlnet(pipeline, latents, timbres, curves, replace(options, until=until))
                self.log("controlnet", step=until, loss=round(float(np.mean(losses[-1000:])), 5))
        self._save(pipeline.controlnet, "controlnet")

    def pipeline(self) -> RMS2Sound:
        """The finished parts as one; its control net too, if that is finished."""
        pair, tokenizer = self._pair("clap")
        trained = self.part("controlnet")
        return RMS2Sound(
            vae=AutoencoderKL.from_pretrained(self.part("vae")),
            unet=UNet2DConditionModel.from_pretrained(self.part("unet")),
            clap=pair,
            tokenizer=tokenizer,
            feature_extractor=small_clap.feature_extractor(),
            vocoder=GriffinLim.from_pretrained(self.part("vocoder")),
            scheduler=backbone.new_scheduler(),
            controlnet=RMSControlNet.from_pretrained(trained) if trained.exists() else None,
        )

    def progress(self) -> None:
        """FAD of the U-Net's snapshots: text-to-audio without a curve, against rendered sounds that no part learns.

        Writes a table of steps and distances, with the VAE's and vocoder's own as the limit.
        """
        count, few = self.recipe["sounds"]["progress"]["count"], self.recipe["sounds"]["progress"]["prompts"]
        rate, seconds = self.timeline.sample_rate, self.timeline.seconds
        drawn = [render.sound(i, seconds, rate, self._seed("progress", 0)) for i in range(count)]
        waves = np.stack([fitted(wave, self.timeline.samples) for wave, _ in drawn])
        prompts = [clips.text_prompt(events) for _, events in drawn[:few]]
        tagger = embedders.Tagger.from_pretrained(self.part("tagger")).eval()
        true = np.concatenate(embedders.embed_sound(tagger, waves))
        settings = Settings(**self.recipe["sampler"])

        def distance(made):
            return round(metrics.frechet_distance(true, np.concatenate(embedders.embed_sound(tagger, made))), 2)

        pipeline = self.pipeline()
        sound = np.stack([fitted(wave, self.timeline.sound_samples) for wave in waves[:few]])
        with torch.no_grad():
            made = pipeline.decode(pipeline.encode(torch.from_numpy(sound)))[:, : self.timeline.samples]
        rows = [{"step": None, "system": "reconstruction", "fad": distance(made.numpy())}]
        for folder in sorted((self.state / "snapshots").glob("unet-*")):
            pipeline.register_modules(unet=UNet2DConditionModel.from_pretrained(folder))
            made = sampler.generate(pipeline, self.timeline, settings, prompts=prompts, label=folder.name)
            step = int(folder.name.split("-")[1])
            rows.append({"step": step, "system": "text to audio", "fad": distance(made.numpy())})
        if fit.is_main():
            files.write_csv(self.part("progress") / "progress.csv", pd.DataFrame(rows))
        fit.wait()

    def _pair(self, name: str) -> tuple[SmallClap, RobertaTokenizer]:
        pair = SmallClap.from_pretrained(self.part(name)).eval()
        return pair, RobertaTokenizer.from_pretrained(self.part(f"{name}_tokenizer"))

    def frame_encoder(self) -> None:
        """Train the frame encoder, round by round, on rendered films."""
        settings = self.recipe["films"]
        options = self.recipe["frame_encoder"] | {
            "seed": self.recipe["seed"],
            "checkpoint": self.state / "frame_encoder",
            "fps": self.timeline.fps,
        }
        for k in self._rounds("frame_encoder", options["steps"], settings["rounds"]):
            films = [(path, 0.0) for path in self._rendered("frame_encoder", k)]
            folder = self.state / "films" / "frame_encoder" / str(k)
            shown, _, curves = self._maps(folder, films, tuple(settings["size"]), settings["pool"])
            every = range(len(shown))
            for until in stops(options["steps"], settings["rounds"], k, 500):
                encoder, losses = frame_encoder.train(shown, curves, every, every, **options, until=until)
                self.log("frame_encoder", step=until, loss=round(float(np.mean(losses[-200:])), 5))
        self._save(encoder, "frame_encoder")

    def video2rms(self) -> None:
        """Train the encoder and Video2RMS that ship, as one, on rendered films that it has not seen and real ones."""
        settings = self.recipe["video2rms"]
        encoder = frame_encoder.FrameEncoder.from_pretrained(self.part("frame_encoder")).to(fit.device())
        shown, times, curves, films = self._both_kinds(settings)
        real = np.array([film != RENDERED for film in films])
        share = np.where(real, (1 - settings["rendered"]) / max(1, real.sum()), settings["rendered"] / (~real).sum())
        options = end_to_end.Options(**settings["train"], seed=self.recipe["seed"], checkpoint=self.state / "video2rms")
        example = {"share": share.tolist(), "times": times, "synchronous": {RENDERED}}
        model, losses = end_to_end.train(
            encoder, settings["model"], shown, curves, films, range(len(shown)), options, **example
        )
        self.log("video2rms", step=len(losses), loss=round(float(np.mean(losses[-50:])), 5))
        self._save({"encoder": encoder, "model": model}, "video2rms")

    def _both_kinds(self, settings):
        """Maps, times of the pictures, RMS curves and films of clips, as end_to_end.train takes them.

        The rendered films count as one film. A real one is cut into clips that overlap, `hop` seconds apart.
        """
        rendered = self._rendered("video2rms", 0)
        starts = [(path, 0.0, RENDERED) for path in rendered]
        seconds = self.timeline.seconds
        for path in self.real_films():
            length = len(media.read_sound(path, self.timeline.sample_rate)) / self.timeline.sample_rate
            starts += [(path, start, path.stem) for start in np.arange(0, length - seconds + 1e-6, settings["hop"])]
        if len(starts) == len(rendered):
            raise ValueError(f"{self.films}: has no film of {seconds:g} s; wanted real films with sound: set --films")
        folder = self.state / "films" / "video2rms"
        stored = self._maps(folder, [clip[:2] for clip in starts], tuple(settings["size"]), settings["pool"])
        return *stored, [film for *_, film in starts]

    def real_films(self) -> list[Path]:
        """Real films to learn from: none that the folder's test.txt names; of a film's two tracks the microphone's."""
        corpus = corpora.FilmCorpus("folder", self.films)
        tested = {TRACK.sub("", name) for name in corpus.listed("test")}
        films: dict[str, Path] = {}
        for name, path in corpus.paths().items():  # the microphone's comes first
            if (film := TRACK.sub("", name)) not in tested:
                films.setdefault(film, path)
        return list(films.values())

    def _rendered(self, part: str, round_: int) -> list[Path]:
        """The rendered films of one round of a part, on disk until the next round."""
        settings, t = self.recipe["films"], self.timeline
        folder = self.state / "films" / part / str(round_)
        if fit.is_main() and len(list(folder.glob("*.mp4"))) < settings["count"]:
            shutil.rmtree(folder.parent, ignore_errors=True)
            count = {"train": settings["count"]}
            render.write_films(
                folder, count, t.seconds, t.fps, settings["size"], t.sample_rate, self._seed(part, round_)
            )
        fit.wait()
        return sorted(folder.glob("*.mp4"))

    def _maps(
        self, folder: Path, clips: list, size: tuple[int, int], pool: int
    ) -> tuple[Column, np.ndarray, np.ndarray]:
        """Maps (clips, t, c, h, w), times (clips, t), RMS curves (clips, n) of clips (film, start), kept in `folder`.

        times: of the picture that each frame shows, in seconds from the clip's beginning.
        """
        t = self.timeline

        def compute(rows):
            waves = [media.read_sound(clips[i][0], t.sample_rate, clips[i][1], t.seconds) for i in rows]
            whole = np.stack([fitted(wave, t.samples) for wave in waves])
            return {"curves": rms.rms_curve(whole, t.video_window, t.video_hop).numpy()}

        seen = maps.read_clips(clips, frames.Reader(pool=pool), t, size, folder / "maps")
        heard = columns.table(len(clips), compute, folder / "curves", 256, "curves")
        return seen["maps"], seen["times"][:], heard["curves"][:]

    def _seed(self, part: str, round_: int) -> int:
        """Seed of what is rendered in a round of a part."""
        return self.recipe["seed"] * 10_000 + SEEDS[part] + round_

    def _rounds(self, part: str, steps: int, rounds: int) -> range:
        """Rounds of a training that are not finished; the last one always, as its call leaves the network."""
        done = checkpoint.steps_done(self.state / part)
        if not done and fit.is_main():
            (self.state / f"{part}.csv").unlink(missing_ok=True)  # of a training whose state was taken away
        return range(min(rounds - 1, sum(done >= steps * (k + 1) // rounds for k in range(rounds))), rounds)

    @torch.no_grad()
    def _examples(self, part: str, round_: int, count: int) -> list[torch.Tensor]:
        """Normalised latents, CLAP vectors of the sounds and of the captions, and RMS curves of one round of a part.

        They stay on disk until the next round. Of several processes the first writes them.
        """
        folder = self.state / "examples" / part / str(round_)
        names = ("latents", "timbres", "texts", "curves")
        if fit.is_main() and not (folder / "curves.npy").exists():
            shutil.rmtree(folder.parent, ignore_errors=True)
            folder.mkdir(parents=True)
            samples, captions = self.sounds(part, round_, count)
            pair, tokenizer = self._pair("clap")
            waves = clips.from_int16(samples)
            vae = AutoencoderKL.from_pretrained(self.part("vae")).eval()
            mean, std = (torch.tensor(vae.config[key])[:, None, None] for key in ("latents_mean", "latents_std"))
            latents = (backbone.encode_mels(vae, backbone.log_mels(waves)) - mean) / std
            features = small_clap.log_mels(small_clap.feature_extractor(), waves)
            timbres = clap_net.embed_features(pair, features)
            texts = clap_net.embed_text(pair, tokenizer, captions)
            curves = rms.rms_curve(waves, self.timeline.sound_window, self.timeline.sound_hop)
            for name, tensor in zip(names, (latents, timbres, texts, curves)):
                files.write_array(folder / f"{name}.npy", tensor.numpy())
        fit.wait()
        return [torch.from_numpy(np.load(folder / f"{name}.npy")) for name in names]

    def ship(self, folder: Path) -> None:
        """Write what is finished in the form that the project ships, with the histories of the trainings.

        `folder/video-foley` is both stages, for VideoFoley.from_pretrained, with the U-Net and the control net in half
        precision; `folder/embedders` holds the networks of the metrics.
        """
        if self._finished(["frame_encoder"]):
            encoder = frame_encoder.FrameEncoder.from_pretrained(self.part("frame_encoder"))
            encoder.save_pretrained(Path(folder) / "frame_encoder")
            self._copy_histories(["frame_encoder"], Path(folder) / "frame_encoder")
        if self._finished(SYSTEM):
            self._ship_system(Path(folder) / "video-foley")
        if self._finished(SCORING):
            tagger = embedders.Tagger.from_pretrained(self.part("tagger"))
            pair, tokenizer = self._pair("scoring_clap")
            embedders.Embedders(tagger, pair, tokenizer).save(Path(folder) / "embedders")
            self._copy_histories(SCORING, Path(folder) / "embedders")
        for path in Path(folder).rglob("config.json"):
            values = json.loads(path.read_text())
            values.pop("_name_or_path", None)  # where a part lay on the machine that trained it
            files.write_json(path, values)

    def _finished(self, parts):
        return all(self.part(part).exists() for part in parts)

    def _copy_histories(self, parts, folder):
        for part in parts:
            shutil.copy(self.state / f"{part}.csv", folder / f"{part}.csv")

    def _ship_system(self, folder):
        pipeline = self.pipeline()
        pipeline.unet.half()
        pipeline.controlnet.half()
        settings = Settings(**self.recipe["sampler"])
        trained, recipe = self.part("video2rms"), self.recipe["video2rms"]
        reading = {"profile": "small", "kinds": ["difference"], "pool": recipe["pool"]}
        model = video2rms.Video2RMS.from_pretrained(trained / "model")
        maker = VideoFoley(model, pipeline, None, recipe["size"], self.timeline, recipe["decode"], settings)
        maker.origin = trained / "encoder", reading
        maker.save_pretrained(folder)
        self._copy_histories(SYSTEM, folder)
        if self.part("progress").exists():
            shutil.copy(self.part("progress") / "progress.csv", folder)


def fitted(wave: np.ndarray, samples: int) -> np.ndarray:
    """A waveform cut or padded with zeros to `samples`."""
    return np.pad(wave[:samples], (0, max(0, samples - len(wave))))


def stops(steps: int, rounds: int, round_: int, every: int) -> Iterator[int]:
    """Steps at which a training pauses within one of its rounds: every `every` steps, and at the round's end."""
    first = steps * round_ // rounds
    last = steps * (round_ + 1) // rounds
    yield from range((first // every + 1) * every, last, every)
    yield last


def main() -> None:
    """Train the parts that are not finished and ship them all, or train the parts that the command line names."""
    parser = argparse.ArgumentParser("python -m vf.pretrain", description=__doc__.split("\n")[0])
    names = ", ".join(PARTS)
    parser.add_argument("parts", nargs="*", help=f"of {names} (default: all that are not finished, then ship)")
    parser.add_argument("--real", type=Path, required=True, help="ESC-10: a folder for each class, .ogg")
    parser.add_argument("--films", type=Path, required=True, help="real films with sound, for Video2RMS")
    parser.add_argument("--recipe", type=Path, default=Path("pretrained/recipe.yaml"))
    parser.add_argument("--state", type=Path, default=Path("runs/pretrain"), help="folder for unfinished work")
    parser.add_argument("--out", type=Path, default=Path("pretrained"))
    arguments = parser.parse_args()
    unknown = [part for part in arguments.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part is called {', '.join(unknown)}; wanted some of {names}")
    if not arguments.recipe.is_file():
        parser.error(f"{arguments.recipe}: no such recipe; run from inside a checkout of the project, or give --recipe")
    for option, folder in (("real", arguments.real), ("films", arguments.films)):
        if not folder.is_dir():
            parser.error(f"--{option} {folder}: no such folder; wanted one that is: mend the path")
    recipe = yaml.safe_load(arguments.recipe.read_text())
    pretraining = Pretraining(recipe, arguments.state, arguments.real, arguments.films)
    if not pretraining.real_films():
        parser.error(
            f"--films {arguments.films}: has no film to learn from; wanted real films with sound: mend the path"
        )
    for part in arguments.parts or PARTS:
        pretraining.renew(part)
        if arguments.parts or not pretraining.part(part).exists():
            getattr(pretraining, part)()
    if not arguments.parts and fit.is_main():
        pretraining.ship(arguments.out)

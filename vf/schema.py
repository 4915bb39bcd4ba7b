"""What params.yaml may hold: every key, its type, its range and what must agree, in one place.

A class is a block of the file; each of its lines is a key. All keys are required and no others are allowed. The values
are in params.yaml, which also says what each key means. This module says what a value may be, and why where that is not
plain. `vf.check` compares a file with it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from vf.signal.timeline import Timeline as Clock

ENCODER = "pretrained/frame_encoder"  # the one that ships
RENDERED = 5.0  # seconds of a film that vf.data.render.film makes
MAY_BE_MISSING: Any = None  # default of a key that may be left out; `null` in the file is refused all the same


class Block(BaseModel):
    """A mapping of params.yaml: 1 is no text, "1" no number, true no whole number; NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def some_of(block: type[Block], name: str, but: Sequence[str] = (), **more: type) -> type[Block]:
    """A block with the keys of another, each of which may be left out: what an ablation changes.

    but: keys that it cannot change. more: further keys.
    """
    kinds = {key: kind for key, kind in block.__annotations__.items() if key not in but} | more
    fields: dict[str, Any] = {key: (kind, MAY_BE_MISSING) for key, kind in kinds.items()}
    return create_model(name, __base__=Block, **fields)


# kinds of values

MOST_FOLDS = 1000  # one for each film of Greatest Hits, which has 977, and no more
MOST = 10**9  # of what is counted or measured; more is a slip
Count = Annotated[int, Field(ge=1, le=MOST)]
Whole = Annotated[int, Field(ge=0, le=MOST)]
Positive = Annotated[float, Field(gt=0, le=MOST)]
NotNegative = Annotated[float, Field(ge=0, le=MOST)]
Share = Annotated[float, Field(ge=0, le=1)]
LessThanOne = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # numpy's bounds
Text = Annotated[str, Field(min_length=1)]
# names folders, and is a word of the shell and of papermill: nothing else is safe there. What begins with a digit DVC
# may read as a number, 1e3 or 2024_01_01
Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$",
        description="a plain name: letters, digits, _, - and ., a letter or _ in front",
    ),
]
VARIANT = "a plain name: letters, digits, _ and -, a letter or _ in front"
Variant = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,99}$",  # no ., which parts keys for DVC
        description=VARIANT,
    ),
]
LARGEST_SIDE = 8192  # pixels: of 8K films, and what H.264 takes on most machines
Size = Annotated[
    list[Annotated[int, Field(ge=1, le=LARGEST_SIDE)]], Field(min_length=2, max_length=2)
]  # width, height in pixels
FilmSize = Annotated[
    list[Annotated[int, Field(ge=2, le=LARGEST_SIDE, multiple_of=2)]], Field(min_length=2, max_length=2)
]  # H.264 takes even sides
Precision = Literal["no", "bf16"]
Decode = Literal["argmax", "mean", "median", "mu_law"]


def _run(value):
    if value in RUNS_OWN:
        raise ValueError(f"another name: runs/{value} is a file of the pipeline's own")
    return value


def _bins(value):
    if value in (1, 2):
        raise ValueError("0, for no classes, or a whole number of at least 3")
    return value


def _kinds(value):
    if len(set(value)) < len(value) or ("colour" in value and len(value) > 1):
        raise ValueError("each kind once, and colour alone")
    return value


def _sources(value):
    if len(set(value)) < len(value) or ("shards" in value and len(value) > 1):
        raise ValueError("each source once, and shards alone")
    return value


RUNS_OWN = {"params.checked"}  # in `runs`, beside the runs: what the stage `params` writes
Run = Annotated[Name, AfterValidator(_run)]
Bins = Annotated[int, Field(ge=3)]  # silence and two levels at least (Eq. 2)
SmallKinds = Annotated[list[Literal["difference", "flow", "colour"]], Field(min_length=1), AfterValidator(_kinds)]
PaperKinds = Annotated[list[Literal["rgb", "flow"]], Field(min_length=1), AfterValidator(_kinds)]
Sources = Annotated[list[Literal["render", "films", "folder", "shards"]], Field(min_length=1), AfterValidator(_sources)]


# the blocks of a profile


class Timeline(Block):
    """Lengths and rates of vf.signal.timeline. Sample rate and sound hop are those of AudioLDM's log-mel (App. B.2)."""

    seconds: Positive
    fps: Count
    sample_rate: Literal[16000]
    video_window: Count
    video_hop: Count
    sound_window: Count
    sound_hop: Literal[160]
    latent_stride: Count
    unet_stride: Count


class FilmCounts(Block):
    """Films to render; without a training or a test film nothing can be learnt or said."""

    train: Count
    valid: Whole
    test: Count


class RenderFilms(Block):
    """Keywords of vf.data.render.film.write_films."""

    count: FilmCounts
    size: FilmSize


class Clips(Block):
    """`valid_share` of vf.data.corpora.FilmCorpus, and `render_films` of corpora.films."""

    valid_share: LessThanOne
    render_films: RenderFilms


class Sounds(Block):
    """Fields of vf.data.corpora.SoundCorpus. The backbone is judged by validation sounds, so there must be some."""

    count: Whole
    valid_share: Annotated[float, Field(gt=0, lt=1)]


class FrameEncoder(Block):
    """Keywords of vf.backends.small.frame_encoder.train."""

    steps: Count
    widths: Annotated[list[Count], Field(min_length=2)]  # the second convolution sees three frames at once
    window: Count
    batch: Count
    lr: Positive
    balance: Share


class EndToEnd(Block):
    """Options of vf.models.end_to_end.train."""

    steps: Annotated[int, Field(ge=2)]
    batch: Count
    lr: Positive
    weight_decay: NotNegative
    level: NotNegative
    joined: Share
    overlaid: Share
    hidden: Share
    dropped: LessThanOne


class Features(Block):
    """What Video2RMS sees of each frame (App. B.1)."""

    size: FilmSize
    pool: Count
    views: Whole


class SmallFeatures(Features):
    """Maps that a trained encoder reads."""

    weights: Text | None
    kinds: SmallKinds
    start: Text | None
    encoder: FrameEncoder
    end_to_end: EndToEnd | None


class PaperFeatures(Features):
    """BN-Inception is frozen: nothing to train or to start from."""

    weights: None
    kinds: PaperKinds
    start: None
    encoder: None
    end_to_end: None


class Model(Block):
    """Keywords of vf.models.video2rms.Video2RMS."""

    features: Count
    width: Count
    lstm: Count
    bins: Bins
    dropout: LessThanOne
    relu_logits: bool
    init_std: Positive | None


class Video2RMSTrain(Block):
    """Keywords of vf.models.video2rms.train; 0 steps leave `start` as it is."""

    steps: Whole
    batch: Count
    lr: Positive
    schedule: Literal["step", "cosine"]
    halve_every: Count
    betas: Annotated[list[LessThanOne], Field(min_length=2, max_length=2)]
    weight_decay: NotNegative
    label_width: Whole
    sigma: Positive
    precision: Precision


class Video2RMS(Block):
    """The first stage (section 2.1)."""

    start: Text | None
    low_pass: bool
    decode: Decode
    room_tone: bool
    model: Model
    train: Video2RMSTrain


class OnsetTrain(Block):
    """Keywords of vf.models.onset_baseline.train. seconds: of two pictures at 15 fps at least."""

    steps: Count
    batch: Count
    lr: Positive
    seconds: Annotated[float, Field(ge=0.1)]
    precision: Precision


class OnsetBaseline(Block):
    """Video2Onset (App. E.1)."""

    width: Count
    size: Size
    train: OnsetTrain


class Vae(Block):
    """Keywords of vf.backends.small.backbone.train_vae."""

    steps: Count
    channels: Annotated[list[Count], Field(min_length=1)]


class Clap(Block):
    """Keywords of vf.backends.small.clap.train."""

    steps: Count


class UNet(Block):
    """Keywords of vf.backends.small.backbone.train_unet."""

    steps: Count
    batch: Count
    crop: Count | None
    text_share: Share
    precision: Precision


class Vocoder(Block):
    """Keywords of vf.backends.small.backbone.train_vocoder."""

    steps: Count
    iterations: Count


class SmallBackbone(Block):
    """A trained backbone in `weights`, or the trainings of every part (App. B.2)."""

    weights: Text | None
    vae: Vae
    clap: Clap
    unet: UNet
    vocoder: Vocoder


class PaperBackbone(Block):
    """AudioLDM, a file or folder in `weights`, with nothing to train."""

    weights: Text | None
    vae: None
    clap: None
    unet: None
    vocoder: None


class Tagger(Block):
    """Keywords of vf.backends.small.embedders.train_tagger."""

    steps: Count
    batch: Count
    lr: Positive
    width: Count


class SmallEmbedders(Block):
    """The metrics' networks: in `weights`, or trained here."""

    weights: Text | None
    dims: Count
    picture_dims: Count
    tagger: Tagger
    clap: Clap


class PaperEmbedders(Block):
    """The published networks (App. C), with nothing to choose."""

    weights: None
    dims: None
    picture_dims: None
    tagger: None
    clap: None


class ControlNetTrain(Block):
    """Keywords of vf.models.rms2sound.train_controlnet; 0 steps leave `start` as it is."""

    steps: Whole
    batch: Count
    crop: Count | None
    lr: Positive
    new_lr: Positive | None
    ema: LessThanOne
    precision: Precision
    mu: NotNegative
    kernel: Count
    own: Share


class RMSControlNet(Block):
    """The second stage (section 2.2)."""

    start: Text | None
    cache: bool
    train: ControlNetTrain


class Generate(Block):
    """Settings of vf.models.sampler, and how many test films are written with their sounds."""

    guidance_scale: NotNegative
    num_inference_steps: Annotated[int, Field(ge=1, le=1000)]  # the times that the U-Net was trained at
    eta: Share
    precision: Precision
    batch: Count
    films: Whole
    scheduler: Literal["ddim", "dpm"]
    spacing: Annotated[float, Field(ge=1, le=4)]


class Studio(Block):
    """The studio's sampler (vf.models.sampler.hold)."""

    hold: Share


class Repeats(Block):
    """Trainings over which intervals are taken."""

    seeds: Count


class Profile(Block):
    """What both profiles share."""

    timeline: Timeline
    clips: Clips
    sounds: Sounds
    video2rms: Video2RMS
    onset_baseline: OnsetBaseline
    rms_controlnet: RMSControlNet
    generate: Generate
    studio: Studio
    repeats: Repeats


class Small(Profile):
    """Everything is trained here."""

    features: SmallFeatures
    backbone: SmallBackbone
    embedders: SmallEmbedders


class Paper(Profile):
    """Networks that others trained."""

    features: PaperFeatures
    backbone: PaperBackbone
    embedders: PaperEmbedders


# the changes of an ablation: some of a profile's keys, and what only an ablation names


class LowPass(Block):
    """Whether targets are filtered, by profile."""

    small: bool
    paper: bool


# `Any`, as a type checker takes no class made by a call for an annotation; pydantic checks them as it does the others
SomeModel: Any = some_of(Model, "SomeModel", but=["features"])  # the feature vectors on disk keep their size
SomeVideo2RMSTrain: Any = some_of(Video2RMSTrain, "SomeVideo2RMSTrain", normalise=bool)
SomeGenerate: Any = some_of(Generate, "SomeGenerate", but=["films"], guide_rms=bool, hold=Share)


class Video2RMSChange(Block):
    """One line of `ablation.video2rms` (notebook of the variants of Video2RMS)."""

    model: SomeModel = MAY_BE_MISSING
    train: SomeVideo2RMSTrain = MAY_BE_MISSING
    decode: Decode = MAY_BE_MISSING
    low_pass: LowPass = MAY_BE_MISSING
    learn_time: bool = MAY_BE_MISSING
    classify: bool = MAY_BE_MISSING


class Kinds(Block):
    """One line of `ablation.features`, by profile."""

    small: SmallKinds
    paper: PaperKinds


class RMS2SoundChange(Block):
    """One line of `ablation.rms2sound`."""

    bins: Annotated[Whole, AfterValidator(_bins)] = MAY_BE_MISSING
    generate: SomeGenerate = MAY_BE_MISSING
    condition: Literal["onsets"] = MAY_BE_MISSING


def _own_names(changes):
    if "default" in changes:
        raise ValueError("another name: `default` is the profile itself, against which the others are set")
    if taken := [name for name in changes if name.startswith("features_")]:
        raise ValueError(f"another name than {taken[0]}: the variants of `features` become features_NAME")
    return changes


class Ablation(Block):
    """Names of variants are folders and words of the shell, as `run` is."""

    video2rms: Annotated[dict[Variant, Video2RMSChange], AfterValidator(_own_names)]
    features: dict[Variant, Kinds]
    rms2sound: Annotated[dict[Variant, RMS2SoundChange], AfterValidator(_own_names)]


# the shared keys


class System(Block):
    """An entry of `benchmark.systems` (vf.evaluation.systems)."""

    folder: Text
    join: Literal["whole", "film", "specvqgan", "diff_foley", "condfoleygen", "syncfusion"] | None = None
    files: Text | None = None
    rate: Positive | None = None
    fps: Positive | None = None
    prompt: Literal["none", "audio", "text"] | None = None
    paper: Text | None = None
    train: Text | None = None


class Benchmark(Block):
    """Other people's systems, by the name they have in the table."""

    systems: dict[Text, System]


class Films(Block):
    """Fields of vf.data.corpora.FilmCorpus."""

    source: Literal["render", "greatest_hits", "folder"]
    root: Text
    audio: Literal["denoised", "mic"]
    folds: Annotated[int, Field(ge=2, le=MOST_FOLDS)]  # in one fold all films would be the test set
    fold: Whole


class Audio(Block):
    """Fields of vf.data.corpora.SoundCorpus."""

    sources: Sources
    root: Text
    held_out: Text | None


class File(Block):
    """params.yaml."""

    profile: Literal["small", "paper"]
    run: Run
    seed: Seed
    weights: Text
    benchmark: Benchmark
    films: Films
    audio: Audio
    ablation: Ablation
    small: Small
    paper: Paper


# what must agree


class Rule(NamedTuple):
    """Values that must agree.

    keys: dotted; the message names the first one. wanted: called with the values. Returns None where they agree, else
    says in words what was wanted.
    """

    keys: tuple[str, ...]
    wanted: Callable[..., str | None]


def _clock(seconds, fps, sample_rate, video_hop):
    try:
        Clock(seconds=seconds, fps=fps, sample_rate=sample_rate, video_hop=video_hop)
    except ValueError as error:
        return f"a whole number of video frames and of RMS hops ({error})"


def _window(window, hop):
    if window < hop or (window - hop) % 2:
        return f"a window of the hop, {hop}, and an even number of samples more (Eq. 1 pads half of it on either side)"


def _maps(size, pool):
    if any(side % pool for side in size):
        return f"sides that are multiples of `pool`, {pool}"


def _encoded(features, widths, checkpoint):
    if not checkpoint and features != 2 * widths[-1]:
        return f"{2 * widths[-1]}, twice the last of features.encoder.widths"


def _shipped(key, is_right, wanted):
    """A rule for a key of the small profile where it takes the frame encoder that ships, or starts from it."""

    def check(value, *folders):
        if ENCODER in folders and not is_right(value):
            return f"{wanted}, as {ENCODER} has, or null for features.weights and features.start"

    return Rule((key, "small.features.weights", "small.features.start"), check)


def _trained(steps, start):
    if not steps and not start:
        return "1 or more, as `start` names nothing that is trained already"


def _multiple(stride, of):
    if stride % of:
        return f"a multiple of {of}, by which the U-Net divides the latent's frames"


def _frozen(features, kinds, checkpoint):
    if not checkpoint and features != 1024 * len(kinds):
        return f"{1024 * len(kinds)}, BN-Inception's 1024 for each of features.kinds"


def _drawn_once(together):
    if together and together["joined"] + together["overlaid"] > 1:
        return "joined and overlaid that are 1 together at most, as each clip is one or the other"


def _rendered_sounds(count, share, sources):
    if "render" in sources and not 0 < round(share * count) < count:
        return "enough sounds for a validation share and some to learn from, as audio.sources has render"


RULES = [
    Rule(
        ("films.fold", "films.folds"),
        lambda fold, folds: None if fold < folds else f"0 to {folds - 1}, as films.folds is {folds}",
    ),
    *(
        Rule(tuple(f"{profile}.{key}" for key in keys), wanted)
        for profile in ("small", "paper")
        for keys, wanted in (
            (("timeline.seconds", "timeline.fps", "timeline.sample_rate", "timeline.video_hop"), _clock),
            (("timeline.video_window", "timeline.video_hop"), _window),
            (("timeline.sound_window", "timeline.sound_hop"), _window),
            (
                ("rms_controlnet.train.kernel", "timeline.latent_stride"),
                lambda kernel, stride: None if kernel <= stride else f"timeline.latent_stride, {stride}, at most",
            ),
            (
                ("generate.spacing", "generate.scheduler"),
                lambda spacing, scheduler: (
                    None if spacing == 1 or scheduler == "dpm" else "1, as the steps of ddim are even"
                ),
            ),
            (
                ("generate.eta", "generate.scheduler"),
                lambda eta, scheduler: None if eta == 0 or scheduler == "ddim" else "0, as dpm adds no noise",
            ),
        )
    ),
    Rule(("small.features.size", "small.features.pool"), _maps),
    Rule(("small.features.end_to_end",), _drawn_once),
    Rule(
        ("small.features.encoder.window", "small.timeline.seconds", "small.timeline.fps"),
        lambda window, seconds, fps: (
            None if window <= seconds * fps else f"the {seconds * fps:g} video frames of a clip at most"
        ),
    ),
    _shipped("small.features.kinds", lambda kinds: kinds == ["difference"], "[difference]"),
    _shipped("small.features.encoder.widths", lambda widths: widths == [12, 32, 48, 96], "[12, 32, 48, 96]"),
    _shipped("small.timeline.fps", lambda fps: fps == 30, "30"),
    Rule(
        ("small.features.start", "small.features.weights"),
        lambda start, weights: "null, as features.weights is taken as it is" if start and weights else None,
    ),
    Rule(
        ("small.video2rms.start", "small.features.end_to_end"),
        lambda start, together: "null, as features.end_to_end trains Video2RMS" if start and together else None,
    ),
    Rule(
        ("small.features.views", "small.features.end_to_end"),
        lambda views, together: "0, as features.end_to_end makes views of its own" if views and together else None,
    ),
    Rule(
        ("small.features.end_to_end", "small.features.kinds"),
        lambda together, kinds: (
            "hidden: 0, as flow alone has no picture" if together and together["hidden"] and kinds == ["flow"] else None
        ),
    ),
    Rule(
        ("small.timeline.latent_stride", "small.backbone.vae.channels"),
        lambda stride, channels: (
            None
            if stride == 2 ** (len(channels) - 1)
            else f"{2 ** (len(channels) - 1)}, as backbone.vae.channels has {len(channels)} levels"
        ),
    ),
    Rule(("paper.timeline.latent_stride",), lambda stride: None if stride == 4 else "4, AudioLDM's"),
    Rule(("small.video2rms.model.features", "small.features.encoder.widths", "small.video2rms.start"), _encoded),
    Rule(
        ("small.video2rms.low_pass", "small.features.end_to_end"),
        lambda low, together: "false, as features.end_to_end learns the curve as it is" if low and together else None,
    ),
    *(
        Rule((f"{profile}.{block}.train.steps", f"{profile}.{block}.start"), _trained)
        for profile in ("small", "paper")
        for block in ("video2rms", "rms_controlnet")
    ),
    Rule(("small.timeline.unet_stride",), partial(_multiple, of=4)),
    Rule(("paper.timeline.unet_stride",), partial(_multiple, of=8)),
    Rule(
        ("small.repeats.seeds", "small.features.end_to_end"),
        lambda seeds, together: "1, as features.end_to_end trains one model a fold" if together and seeds > 1 else None,
    ),
    Rule(("paper.video2rms.model.features", "paper.features.kinds", "paper.video2rms.start"), _frozen),
    Rule(
        ("paper.features.size",),
        lambda size: None if size == [344, 256] else "[344, 256], for which optical flow is scaled",
    ),
]
# what the ablations change of a profile: rules hold for it with each change too
CHANGED = {"video2rms": ("video2rms",), "rms2sound": ()}  # block of `ablation`: where its lines lie in the profile
# of the profile that is chosen
CHOSEN = [
    Rule(("sounds.count", "sounds.valid_share", "audio.sources"), _rendered_sounds),
    Rule(
        ("films.source", "timeline.seconds"),
        lambda source, seconds: (
            None
            if source != "render" or seconds <= RENDERED
            else f"another, as rendered films have {RENDERED:g} s and a clip {seconds:g}"
        ),
    ),
]

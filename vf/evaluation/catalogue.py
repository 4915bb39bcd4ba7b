"""Every metric once: what it is called, in which unit, which way is better, what it means and where it is defined.

Tables, claims, verdicts, figures, the glossary of the report and `python -m vf.evaluate` read it here.
"""

import re
from typing import NamedTuple

LOWER, HIGHER, NEITHER = "lower", "higher", "neither"


class Metric(NamedTuple):
    """One metric. key: its name in results. better: LOWER, HIGHER or NEITHER (it describes, and is no score).

    of_sets: a distance of two sets of sounds, which has no value for a single clip.
    """

    key: str
    label: str
    unit: str
    better: str
    meaning: str
    definition: str
    of_sets: bool = False

    @property
    def arrow(self) -> str:
        """An arrow that points where it is better; "" for what is no score."""
        return {LOWER: "↓", HIGHER: "↑", NEITHER: ""}[self.better]


ALL = (
    # RMS curves: of sound, and as Video2RMS predicts them
    Metric(
        "e_l1", "E-L1", "RMS", LOWER,
        "Mean absolute difference of the RMS curves of generated and true sound, over all frames at raw level.",
        "Eq. 7, App. C",
    ),
    Metric(
        "e_l1_all", "E-L1 over all frames", "RMS", LOWER, "The same of a predicted curve, over all frames.", "Eq. 7",
    ),
    Metric(
        "e_l1_event", "E-L1 over true events", "RMS", LOWER,
        "The same of a predicted curve, over frames that sound in truth.",
        "Eq. 7",
    ),
    Metric(
        "e_l1_sounding", "E-L1 over sounding frames", "RMS", LOWER,
        "The same, of Video2RMS's curves or of sounds, without the frames that are silent in both: "
        "the E-L1 of Table 1.",
        "Eq. 7, section 3.2",
    ),
    Metric(
        "e_l1_gain_matched", "E-L1 after one gain", "RMS", LOWER,
        "E-L1 after the one gain over a clip that makes it smallest: the shape without the level.", "not in the paper",
    ),
    Metric(
        "e_l1_peak", "E-L1 at equal peaks", "RMS", LOWER,
        "E-L1 with both sounds at peak 1 and their curves low-passed.",
        "T-Foley's code",
    ),
    Metric("correlation", "correlation", "", HIGHER, "Pearson's, of the two curves of a clip.", "not in the paper"),
    Metric("jitter", "jitter", "RMS a frame", LOWER, "Mean change of the curve from one frame to the next.", "Fig. 8"),
    Metric(
        "truth_jitter", "jitter of the truth", "RMS a frame", NEITHER, "Jitter of the true curves, for comparison.",
        "Fig. 8"
    ),
    # how a sound follows its curve
    Metric(
        "error_db", "error of level", "dB", LOWER,
        "Mean absolute difference of levels over the frames where the curve or the sound is above silence.",
        "not in the paper",
    ),
    Metric(
        "lag_ms", "late by", "ms", NEITHER,
        "Shift of the sound against the curve that was asked for, within 0.2 s, refined by a parabola; positive where "
        "it is late.",
        "not in the paper",
    ),
    # timing and level of single events
    Metric(
        "lag", "lag", "ms", NEITHER,
        "Shift within 0.3 s at which the curve correlates most with the true one, in whole frames (8 ms); positive "
        "where it is late. Early and late clips cancel in the mean.",
        "docs/metrics.md",
    ),
    Metric("lag_abs", "size of the lag", "ms", LOWER, "Mean of the lag without its sign.", "docs/metrics.md"),
    Metric(
        "correlation_at_lag", "correlation at the lag", "", HIGHER,
        "Pearson's correlation of the two curves of a clip after the shift by the lag.",
        "docs/metrics.md",
    ),
    Metric(
        "level_error_db", "error of events' levels", "dB", LOWER,
        "Mean absolute difference of the peak levels of events that match within 0.1 s.",
        "docs/metrics.md",
    ),
    Metric(
        "level_bias_db", "bias of events' levels", "dB", NEITHER,
        "The same with its sign: positive where the sound is too loud.",
        "docs/metrics.md",
    ),
    Metric(
        "ranked", "clips with a rank", "", NEITHER,
        "Share of clips with three events or more of different levels, the only ones that count for the rank of "
        "levels.",
        "docs/metrics.md",
    ),
    # classes of the curve
    *(
        Metric(
            f"acc@{k}", f"Acc@{k}", "", HIGHER,
            f"Share of frames whose true class is among the {k} that score highest, without common silence"
            + (" (of a sound: the nearest to its own class)." if k > 1 else "."),
            "section 3.2",
        )
        for k in (1, 5, 10)
    ),
    *(
        Metric(
            f"within_{k}", f"within {k} classes", "", HIGHER,
            f"Share of frames whose class is off by at most {k}, without common silence.", "the authors' code",
        )
        for k in (2, 5, 8)
    ),
    # onsets
    *(
        Metric(
            f"onset_f1_{ms}ms", f"onset F1 at {ms} ms", "", HIGHER,
            f"F-measure of onsets, matched one to one within {ms} ms; of curves and sounds onsets are where the level "
            "jumps, so that even the true sound does not reach 1, and in Table 4 a threshold is chosen on validation "
            "films.",
            "mir_eval",
        )
        for ms in (50, 100)
    ),
    Metric(
        "onset_recall", "onset recall", "", HIGHER, "Share of onsets that are found within 0.1 s.",
        "App. C, CondFoleyGen",
    ),
    Metric(
        "onset_accuracy", "onset accuracy", "", HIGHER, "Hits within 0.1 s among all hits, misses and false alarms.",
        "App. C"
    ),
    Metric("onset_ap", "onset AP", "", HIGHER, "Average precision of onsets within 0.1 s.", "App. C"),
    # timbre
    Metric(
        "clap", "CLAP", "", HIGHER, "Cosine of the CLAP embeddings of generated and true sound.", "section 3.2, App. C",
    ),
    Metric(
        "material_accuracy", "materials heard", "", HIGHER,
        "Share of clips whose material a tagger hears in the sound.",
        "not in the paper",
    ),
    # sets of sounds
    Metric(
        "fad", "FAD-P", "", LOWER,
        "Frechet distance of window embeddings to those of the true sounds: PANNs in the paper profile, a tagger "
        "trained here in the small one. The interval of one such distance (100 draws of the films, all others "
        "1,000) lies too high and may leave the distance itself out, as sets in which a film comes twice are "
        "farther apart.",
        "Eq. 6", True,
    ),
    Metric(
        "fad_c", "FAD-C", "", LOWER, "The same with embeddings of Microsoft's CLAP, in the paper profile.",
        "Eq. 6", True,
    ),
    Metric(
        "favd", "FAVD", "", LOWER,
        "The same with the embeddings of sound and picture joined; the picture's are the same for all systems.",
        "Eq. 6, section 3.2", True,
    ),
    *(
        Metric(f"{key}_{form}", f"{name}-inf ({how})", "", LOWER, meaning, "Eq. 6, docs/metrics.md", True)
        for key, name in (("fad", "FAD-P"), ("fad_c", "FAD-C"))
        for form, how, meaning in (
            (
                "inf", "subsets",
                f"{name} for endlessly many sounds: a line over 1 / N, subsets drawn without replacement; the interval "
                "is the line's.",
            ),
            (
                "inf_fadtk", "fadtk",
                "The same drawn with replacement from 500 windows on, as fadtk does: the form of the paper's "
                f"{name}.",
            ),
        )
    ),
    Metric(
        "kad", "KAD", "", LOWER,
        "Kernel audio distance of the same embeddings, times 100: no bias from the number of sounds; about 0, of "
        "either sign, for sets of one kind.",
        "docs/metrics.md", True,
    ),
    # of other papers, by the settings of their code
    Metric(
        "energy_mae", "E-MAE", "ln", LOWER,
        "Mean absolute difference of the mean log-mel of each frame, both sounds at one peak.",
        "ReWaS, docs/metrics.md",
    ),
    Metric(
        "mfcc_similarity", "MFCC similarity", "", HIGHER,
        "Cosine of the mean cepstral coefficients of two sounds, without their level.",
        "docs/metrics.md",
    ),
    *(
        Metric(
            f"onset_{key}_{tool.lower()}", f"onset {name} ({tool})", "", HIGHER,
            f"{meaning} by {tool}'s code, within {within} s; of a sound without onsets AP is 1.", "docs/metrics.md",
        )
        for tool, within in (("CondFoleyGen", 0.1), ("MMAudio", 0.3))
        for key, name, meaning in (
            ("accuracy", "accuracy", "Share of true onsets that are found,"),
            ("ap", "AP", "Average precision of onsets"),
            ("f1", "F1", "F-measure of onsets"),
        )
        if (tool, key) != ("CondFoleyGen", "f1")
    ),
    Metric(
        "av_align", "AV-Align", "", HIGHER,
        "Intersection over union of the peaks of sound and of optical flow.", "TempoTokens, docs/metrics.md",
    ),
    # events of a film
    Metric(
        "level_rank", "rank of levels", "", HIGHER,
        "Spearman's correlation of the levels of a clip's events with the true ones; undefined for fewer than three.",
        "Figs. 4, 10",
    ),
    *(
        Metric(
            f"{what}_ms", f"error of {what}s", "ms", LOWER,
            f"Median distance of the {what}s of events from the true ones.", where,
        )
        for what, where in (("start", "Fig. 11"), ("end", "Fig. 11"), ("length", "Figs. 3, 9"))
    ),
    *(
        Metric(f"{name}_seconds", label, "s", NEITHER, meaning, "Figs. 3, 9")
        for name, label, meaning in (
            ("hit", "length of hits", "Mean time that hits sound."),
            ("scratch", "length of scratches", "Mean time that scratches sound."),
            (
                "hit_minus_scratch", "hits minus scratches",
                "Mean length of hits minus that of scratches of the same film.",
            ),
        )
    ),
    # one curve with several prompts
    *(
        Metric(key, label, "", better, meaning, "Fig. 13")
        for key, label, better, meaning in (
            ("own", "CLAP to its own prompt", HIGHER, "Cosine of the CLAP embeddings of a sound and of its prompt."),
            ("others", "CLAP to other prompts", LOWER, "The same of the other sounds' prompts."),
            ("own_minus_others", "CLAP to its own prompt minus to others", HIGHER, "The first minus the second."),
            (
                "own_is_nearest", "own prompt nearest", HIGHER,
                "Share of sounds to which their own prompt is the nearest.",
            ),
            (
                "material_heard", "prompt's material heard", HIGHER,
                "Share of sounds in which a tagger hears the prompt's material.",
            ),
        )
    ),
    # listeners, and what stands in for them
    *(
        Metric(
            f"mos_{of}", f"MOS {of}", "1 to 5", HIGHER,
            f"Mean opinion of listeners on {what}.", "section 3.2, App. D",
        )
        for of, what in (
            ("quality", "audio quality"), ("temporal", "temporal alignment"),
            ("material", "the material"), ("action", "the action"),
        )
    ),
    Metric("peavs", "PEAVS", "1 to 5", HIGHER, "Synchrony of picture and sound as a network judges it.", "App. C"),
    Metric("parameters", "parameters", "", NEITHER, "Weights that are trained.", "Fig. 2"),
)  # fmt: skip
TOOLS = tuple(  # what av-benchmark, audio-aes, fadtk and kadtk write (vf.evaluation.exchange), by their own names
    Metric(key, label, unit, better, meaning, tool, of_sets)
    for tool, key, label, unit, better, meaning, of_sets in (
        *(
            ("av-benchmark", f"FD-{of}", f"FD {of}", "", LOWER, f"Frechet distance of {of}'s embeddings.", True)
            for of in ("VGG", "PANN", "PASST")
        ),
        *(
            ("av-benchmark", f"KL-{of}-softmax", f"KL {of}", "nat", LOWER, f"Divergence of {of}'s classes.", False)
            for of in ("PANNS", "PASST")
        ),
        *(
            ("av-benchmark", f"ISC-{of}-{key}", f"IS {of}, {key}", "", better, f"Inception score by {of}.", True)
            for of in ("PANNS", "PASST")
            for key, better in (("mean", HIGHER), ("std", NEITHER))
        ),
        ("av-benchmark", "IB-Score", "ImageBind score", "", HIGHER, "Cosine of film and sound by ImageBind.", False),
        ("av-benchmark", "DeSync", "DeSync", "s", LOWER, "Misalignment that Synchformer hears.", False),
        *(
            ("av-benchmark", f"{of}-CLAP-Score", f"{of} CLAP", "", HIGHER, f"Cosine of text and sound by {of}.", False)
            for of in ("LAION", "MS")
        ),
        *(
            ("audiobox-aesthetics", key, label, "1 to 10", better, f"Opinion that Audiobox expects: {meaning}.", False)
            for key, label, better, meaning in (
                ("CE", "content enjoyment", HIGHER, "how enjoyable a sound is"),
                ("CU", "content usefulness", HIGHER, "how useful it is to make something of"),
                ("PC", "production complexity", NEITHER, "how many components it has"),
                ("PQ", "production quality", HIGHER, "its technical quality"),
            )
        ),
        *(
            (tool, f"{key}{more}", f"{key}{more} of {tool}", "", LOWER, meaning, True)
            for tool, key, name in (("fadtk", "FAD", "Frechet distance"), ("kadtk", "KAD", "Kernel audio distance"))
            for more, meaning in (
                ("", f"{name} of the embeddings of the model named."),
                ("-inf", f"{name} of the embeddings of the model named, for endlessly many sounds."),
            )
        ),
    )
)  # fmt: skip
DATED = re.compile(r"(.+) \((.+), \d{4}-\d\d-\d\d\)")  # a column of another tool: METRIC (tool, date)
METRICS = {metric.key: metric for metric in (*ALL, *TOOLS)}


def key_of(text: str) -> str:
    """The key of the metric that a text names by its key or label, in capitals or not; of no such, the text itself."""
    named = {name.lower(): metric.key for metric in METRICS.values() for name in (metric.label, metric.key)}
    return named.get(text.strip().lower(), text)


def known(key: str) -> bool:
    """Whether a column is of a metric."""
    return _name(key) in METRICS or bool(DATED.fullmatch(key))


def _name(key):
    """The key of a metric; of `KEY minus ROW` and of a tool's `KEY model (tool, date)` the first."""
    name = key.split(" minus ")[0].partition(" (")[0]
    first = name.split(" ")[0]
    return first if first in {metric.key for metric in TOOLS} else name


def find(key: str) -> Metric:
    """The metric of a key; of a difference, `KEY minus ROW`, the metric that is compared.

    Of a tool's column, `KEY model (tool, date)`, the tool's metric; one that is not known here says whose it is.

    Raises ValueError for an unknown key.
    """
    name = _name(key)
    if name not in METRICS and (column := DATED.fullmatch(key)):
        return Metric(column[1], column[1], "", NEITHER, f"As {column[2]} has it; not known here.", column[2])
    if name not in METRICS:
        raise ValueError(
            f"{key!r} is no metric; wanted one of {', '.join(METRICS)}: add it to vf/evaluation/catalogue.py"
        )
    return METRICS[name]


def label(key: str) -> str:
    """What readers call a metric; of a difference, `LABEL minus ROW`."""
    _, minus, other = key.partition(" minus ")
    return find(key).label + minus + other


def lower_is_better(key: str) -> bool:
    """Whether a smaller value is the better one. Raises ValueError for what is no score."""
    if find(key).better == NEITHER:
        raise ValueError(f"{key!r} is no score, neither way is better; wanted one that is: compare another metric")
    return find(key).better == LOWER

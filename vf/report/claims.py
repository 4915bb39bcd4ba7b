"""The claims of the paper's sections 2 to 4 and its appendices: the paper's figure, ours, and whether each holds here.

A claim that this run has not measured says so and says what it needs; no verdict is written by hand, and no number of
the paper stands here: they are in `paper`.
"""

from vf.data.clips import MATERIALS
from vf.evaluation.catalogue import find, label
from vf.report import paper
from vf.report.text import DASH, measured
from vf.report.verdicts import FAILS, HOLDS, MISSING, OPEN, UNMEASURED, against, no_gain, paired, saved, saved_no_gain

COLUMNS = ("section", "claim", "paper", "ours", "verdict")
NA = "not available"  # shown in a figure of which our text of the paper has no numbers
SHOWN = "shown"  # in a figure, without a number
OWN = "not in the paper"
PREDICTED, RANDOM = "video2rms/predicted", "video2rms/random"
AUDIO, TEXT, PLAIN = "foley/foley_audio", "foley/foley_text", "foley/text_to_audio"
PROMPTS = ("audio", "text")


def _beats(clips, sets, better, worse, key):
    """(text, verdict) of `better` against `worse`: saved for distances of sets, from the clips for all else."""
    return saved(sets, f"{better} minus {worse}", key) if find(key).of_sets else paired(clips, better, worse, key)


def _gains_nothing(clips, sets, more, base, key):
    """(text, verdict) of `more` gaining nothing on `base`, from where `_beats` has it."""
    return saved_no_gain(sets, more, base, key) if find(key).of_sets else no_gain(clips, more, base, key)


class _Claims(list):
    """Rows of claims on rows of this run. clips, sets: see `claims`."""

    def __init__(self, clips, sets):
        self.clips, self.sets = clips, sets

    def beats(self, section, claim, better, worse, key):
        """`better` beats `worse` in a metric, whose name follows the claim."""
        ours, verdict = _beats(self.clips, self.sets, better, worse, key)
        verdict = "needs the paper profile" if key == "fad_c" and verdict == MISSING else verdict
        self.append((section, claim.format(label(key)), paper.opposite(better, worse, key), ours, verdict))

    def gains_nothing(self, section, claim, more, base, key):
        """`more` gains nothing on `base` in a metric."""
        ours, verdict = _gains_nothing(self.clips, self.sets, more, base, key)
        self.append((section, claim.format(label(key)), paper.without_gain(more, base, key), ours, verdict))


def claims(clips: dict, facts: dict, benchmark: dict, repeats: dict) -> list[tuple]:
    """Rows (section, claim, paper, ours, verdict) of what `make repro` measures, and of other systems that were scored.

    clips: scores of every clip (`verdicts.read_clips`). facts: of evaluation: `silent_share` of true frames in class 0,
    and `apart`, set distances of rows and their differences. benchmark, repeats: metrics/{benchmark,rms2sound_repeats}
    .json, {} where it was not run.
    """
    rows, share = _Claims(clips, facts["apart"]), facts["silent_share"]
    kept = "most frames are silent, so frames silent in truth and prediction are left out"
    rows.append(
        ("3.2", kept, "“a small portion” is not silent", f"{share:.0%} silent", HOLDS if share > 0.5 else FAILS)
    )
    _on_curves(rows, repeats)
    _on_prompts(rows)
    rows += _on_others(benchmark)
    _on_rows_of_our_own(rows)
    return list(rows)


def _on_curves(rows, repeats):
    """Section 4.1: Video2RMS, and RMS2Sound with the true curve, where it was trained several times over these."""
    for key in ("acc@5", "acc@10"):
        rows.beats("4.1", "Video2RMS beats random choice in {}", PREDICTED, RANDOM, key)
    rows.beats("4.1", "random choice beats Video2RMS in {}", RANDOM, PREDICTED, "acc@1")
    rows.beats("4.1", "{} of Video2RMS lies below random choice", PREDICTED, RANDOM, "e_l1_sounding")
    rows.beats(
        "4.1", "discretised truth bounds it from below", "video2rms/discretised_truth", PREDICTED, "e_l1_sounding"
    )
    section = "4.1, F, Fig. 2"
    for prompt in PROMPTS:
        none, classes, curve = (f"rms2sound/{prompt}/{kind}" for kind in ("none", "discretised", "continuous"))
        for key in ("e_l1", "fad", "clap"):
            claim = f"the continuous curve gains nothing on 64 bins in {{}} ({prompt} prompt)"
            rows.gains_nothing(section, claim, curve, classes, key)
        for key in ("e_l1", "fad", "fad_c", "clap"):
            claim, apart = f"RMS condition improves {{}} over no RMS ({prompt} prompt)", f"{prompt}_discretised minus"
            ours, verdict = saved(repeats, f"{apart} {prompt}_none", key)
            if verdict == MISSING:
                rows.beats(section, claim, classes, none, key)
                continue
            ours += f" ({len(repeats[f'{prompt}_none'][key])} trainings)"
            rows.append((section, claim.format(label(key)), paper.opposite(classes, none, key), ours, verdict))


def _on_prompts(rows):
    """Section 4.2: Video-Foley with either prompt and text-to-audio."""
    for key in ("e_l1", "fad", "fad_c", "favd", "clap"):
        rows.beats("4.2", "Video-Foley with an audio prompt beats text-to-audio in {}", AUDIO, PLAIN, key)
    for key in ("e_l1", "clap"):
        rows.beats("4.2", "Video-Foley with a text prompt beats text-to-audio in {}", TEXT, PLAIN, key)
    for key in ("fad", "fad_c", "favd"):
        rows.beats("4.2", "… but text-to-audio beats it in {} (the paper's own table)", PLAIN, TEXT, key)
    for key in ("e_l1", "fad", "fad_c", "favd", "clap"):
        rows.beats("4.2", "audio prompts serve better than text in {}", AUDIO, TEXT, key)


def _on_others(benchmark):
    """Section 4.2 and App. C: other systems and listeners."""
    rows, others = [], [name for name in benchmark if name.startswith("Video-Foley minus ")]
    for name in others:
        for key in ("e_l1", "fad", "favd", "clap"):
            claim = f"{name.replace(' minus ', ' beats ')} in {label(key)}"
            rows.append(("4.2, Table 2", claim, "Table 2", *saved(benchmark, name, key)))
    if not others:
        claim = "Video-Foley beats SpecVQGAN, Diff-Foley, CondFoleyGen and SyncFusion in every objective metric"
        theirs = "Table 2, but for SyncFusion with a text prompt in FAD-C and CLAP"
        rows.append(("4.2", claim, theirs, DASH, "needs the outputs of those systems"))
    opinions, peavs = paper.row(AUDIO).values, paper.PEAVS
    theirs = f"{opinions['mos_temporal']:.2f} temporal, {opinions['mos_quality']:.2f} quality"
    rows.append(("4.2", "listeners prefer Video-Foley (MOS)", theirs, DASH, "needs listeners"))
    worse = "others/none/Diff-Foley"  # App. C's example: more PEAVS, less of the listeners' opinion
    theirs = f"Diff-Foley {peavs[worse]:.2f} (MOS {paper.row(worse).values['mos_temporal']:.2f}), "
    theirs += f"Video-Foley {peavs[AUDIO]:.2f} (MOS {opinions['mos_temporal']:.2f})"
    rows.append(("C", "PEAVS does not follow MOS (Table 3)", theirs, DASH, "needs PEAVS and listeners"))
    return rows


def _on_rows_of_our_own(rows):
    """What the paper does not ask: rows that know nothing of the film, or nothing of the method."""
    for key in ("acc@5", "acc@10"):
        rows.beats(OWN, "Video2RMS beats silence in {}", PREDICTED, "video2rms/silence", key)
    for key in ("e_l1_sounding", "acc@1", "e_l1_all"):
        rows.beats(
            OWN, "Video2RMS beats a linear regression from frame differences in {}", PREDICTED, "video2rms/linear", key
        )
    result = paired(rows.clips, AUDIO, "foley/silence", "e_l1")
    claim = f"{label('e_l1')} of Video-Foley (audio prompt) is below silence's"
    rows.append((OWN, claim, f"{paper.row(AUDIO).values['e_l1']:g}, of silence not given", *result))
    for other, claim in (
        ("foley/envelope", "… and it beats plain sound multiplied to the envelope in {}"),
        ("rms2sound/audio/none", "… and it beats sound of the same prompt without a curve in {}"),
    ):
        for key in ("e_l1", "fad", "clap"):
            ours, verdict = _beats(rows.clips, rows.sets, AUDIO, other, key)
            rows.append((OWN, claim.format(label(key)), DASH, ours, verdict))


def of_case_studies(case: dict) -> list[tuple]:
    """Rows as of `claims`, of what the paper shows in Figs. 3 to 5 and 9 to 13. case: metrics/case_studies.json."""
    foley, rows = "Video-Foley, audio prompt", []
    for section, claim, key in (
        ("4.2, Figs. 4, 10", "the louder events of a film are the louder ones in its sound", "level_rank"),
        ("H, Fig. 11", "its events start when they should", "start_ms"),
        ("H, Fig. 11", "… and end when they should", "end_ms"),
        ("4.2, Figs. 3, 9", "… and last as long as they should", "length_ms"),
    ):
        result = saved(case, f"{foley} minus text to audio", key)
        rows.append((section, f"Video-Foley beats text-to-audio: {claim}", SHOWN, *result))
    for system, name in (("ground truth", "in the true sound"), (foley, "… and in Video-Foley's")):
        result = saved(case, system, "hit_minus_scratch_seconds", lower=True)
        rows.append(("4.2, Figs. 3, 9", f"{name} hits are shorter than scratches of the same film (s)", SHOWN, *result))
    result = _on_annotations(case.get("onset annotations") or {})
    rows.append(("A, Fig. 5", "annotations of hits lie within more than 50 ms around where they sound", SHOWN, *result))
    for shape, r in case.get("shapes", {}).items():
        if not shape.endswith("_interval"):
            interval = case["shapes"][f"{shape}_interval"]
            result = measured(r, interval, ".2f"), against(interval, 0.5)
            rows.append(("I, Fig. 12", f"sound follows a drawn curve, {shape} (correlation above 0.5)", SHOWN, *result))
    claim = "with one curve, sound is nearer to its own prompt than to others (CLAP)"
    rows.append(("I, Fig. 13", claim, SHOWN, *saved(case, "prompts", "own_minus_others")))
    for key, claim, chance in (
        ("own_is_nearest", "… its own prompt is the nearest of six", 1 / 6),
        ("material_heard", "… its material is heard", 1 / len(MATERIALS)),
    ):
        share, interval = (case.get("prompts", {}).get(k) for k in (key, f"{key}_interval"))
        result = UNMEASURED if share is None else (measured(share, interval, ".2f"), against(interval, chance))
        rows.append(("I, Fig. 13", f"{claim}, more often than by chance ({chance:.2f})", SHOWN, *result))
    return rows


def _on_annotations(late):
    """(text, verdict) on how exact annotated onsets are; rendered films, whose onsets are exact, cannot show it."""
    if "late_ms_95%" not in late:
        return UNMEASURED
    apart = late["late_ms_95%"] - late["late_ms_5%"]
    verdict = "needs real films" if late["films"] == "render" else HOLDS if apart > 50 else FAILS
    return f"90% within {apart:.0f} ms", verdict


def of_ablations(
    curves: dict, onsets: dict, repeats: dict, curve_clips: dict, sound_clips: dict, sound_sets: dict
) -> list[tuple]:
    """Rows as of `claims`, of what the paper says of its ablations.

    curves: {variant: metrics} of Video2RMS. onsets, repeats: metrics/{onsets,video2rms_repeats}.json. curve_clips,
    sound_clips: scores clip by clip, {variant: DataFrame} and {prompt: {variant: DataFrame}}. sound_sets: {prompt: rows
    of set distances: of each variant, and `default minus variant` and the reverse}. A variant that was not run is not
    measured.
    """
    rows = []

    def curve(section, claim, better, worse, key="e_l1_sounding", theirs=NA):
        rows.append((section, claim.format(label(key)), theirs, *paired(curve_clips, better, worse, key)))

    for better, why in (("default", ""), ("mean_decode", f" ({OWN}: decoded to the mean, as a regression is)")):
        for key in ("e_l1_sounding", "e_l1_all"):
            curve(
                "2.1",
                f"classification beats regression by L2 in {{}}{why}",
                better,
                "regression",
                key,
                "“poor results”",
            )
    for key in ("e_l1_sounding", "acc@1", "acc@5", "acc@10", "e_l1_all"):
        theirs = paper.opposite(PREDICTED, "video2rms/hard_labels", key)
        result = saved(repeats, "predicted minus hard_labels", key)
        rows.append(("4.1, Table 1", f"label smoothing (W = 2) improves {label(key)}", theirs, *result))
    curve(OWN, "… where its labels weigh no more than hard ones, too ({})", "normalised", "width_0", theirs=DASH)
    curve("4.1, Fig. 2", "256 bins serve Video2RMS better than 16", "bins_256", "bins_16")
    count = [curves.get(name, {}).get("parameters") for name in ("bins_256", "bins_16")]
    result = (
        UNMEASURED if None in count else (f"{count[0]} against {count[1]}", HOLDS if count[0] > count[1] else FAILS)
    )
    rows.append(("4.1, Fig. 2", "… and cost parameters", NA, *result))
    for other, name in (("rgb", "the picture"), ("flow", "optical flow")):
        for key in ("e_l1_sounding", "e_l1_all"):
            claim = f"picture and optical flow beat {name} alone in {{}}"
            curve(OWN, claim, "features_both", f"features_{other}", key, DASH)
    for width in (1, 2, 5, 10, 20):
        name = "default" if width == 2 else f"width_{width}"
        for key in ("e_l1_sounding", "acc@5"):
            curve("E.2, Fig. 8", f"smoothing with W = {width} improves {{}}", name, "width_0", key)
    for wide, labels in (("width_20", "W = 20"), ("wide", f"W = 20, sigma = 4 ({OWN})")):
        curve("E.2, Fig. 8", f"W = 2 has less jitter than {labels}", "default", wide, "jitter")
        curve("E.2, Fig. 8", "… and a lower {}", "default", wide)
        curve("E.2, Fig. 8", f"… but {labels} is more accurate ({{}})", wide, "default", "acc@5")
    result = no_gain(curve_clips, "width_20", "width_10", "e_l1_sounding")
    rows.append(("E.2, Fig. 8", f"beyond W = 10 nothing is gained ({label('e_l1_sounding')})", NA, *result))
    for prompt, of in sound_clips.items():
        rows += _of_sounds(of, sound_sets.get(prompt, {}), prompt)
    return rows + _of_onsets(onsets)


def _of_sounds(clips, sets, prompt):
    """Rows of RMS2Sound's ablations with one kind of prompt; clips, sets: see `of_ablations`."""
    rows = []

    def beats(section, claim, worse, key, theirs=NA):
        result = _beats(clips, sets, "default", worse, key)
        rows.append((section, f"{claim} {label(key)} ({prompt} prompt)", theirs, *result))

    def gains_nothing(section, claim, more, key):
        result = _gains_nothing(clips, sets, more, "default", key)
        rows.append((section, f"{claim} {label(key)} ({prompt} prompt)", NA, *result))

    for key in ("e_l1", "fad"):
        beats("4.1, Fig. 2", "64 bins beat 4 in RMS2Sound's", "bins_4", key)
    for key in ("e_l1", "fad"):
        gains_nothing("4.1, Fig. 2", "256 bins gain nothing on 64 in", "bins_256", key)
    for key in ("e_l1", "fad", "clap"):
        gains_nothing("B.2", "guidance on the curve does not improve", "guided_rms", key)
    for key in ("e_l1", "e_l1_gain_matched", "onset_f1_50ms", "correlation", "clap", "material_accuracy", "fad"):
        beats("4.2, A", "a curve beats onsets, all else equal, in", "onsets", key, DASH)
    return rows


def _of_onsets(onsets):
    """Rows of Table 4 from metrics/onsets.json."""
    rows, section = [], "E.1, Table 4"

    def beats(claim, apart, key, lower=None, section=section, theirs=NA):
        rows.append((section, claim.format(label(key)), theirs, *saved(onsets, apart, key, lower)))

    for key in ("e_l1_sounding", "acc@5"):
        result = saved_no_gain(onsets, "RMS and onsets", "RMS alone", key)
        rows.append((section, f"onset labels do not improve {label(key)} of the curve", NA, *result))
    for other, claim in (("onsets alone", "RMS beside onsets"), ("RMS alone", "onsets beside RMS")):
        for key in ("onset_accuracy", "onset_ap"):
            beats(f"{claim} raises {{}}", f"RMS and onsets minus {other}", key)
    networks = "onsets alone minus Video2Onset"
    for key in ("onset_accuracy", "onset_ap"):
        words, verdict = saved(onsets, networks, key)
        verdict = FAILS if verdict == HOLDS else verdict  # either way, a certain difference
        rows.append((section, f"Video2RMS's network and R(2+1)D are comparable in {label(key)}", NA, words, verdict))
    beats("… the first is more precise (here: {})", networks, "onset_ap")
    beats("… and recalls fewer", networks, "onset_recall", lower=True)
    for key in ("onset_recall", "onset_accuracy", "onset_f1_50ms"):
        apart = "Video2Onset minus a click every 0.15 s"
        beats("Video2Onset beats a click every 0.15 s in {}", apart, key, section=OWN, theirs=DASH)
    return rows


def tally(rows: list[tuple]) -> dict[str, int]:
    """How many claims hold, fail, are undecided and were not measured; what a verdict says it needs was not."""
    counts = dict.fromkeys((HOLDS, FAILS, OPEN, MISSING), 0)
    for *_, verdict in rows:
        counts[verdict if verdict in counts else MISSING] += 1
    return counts

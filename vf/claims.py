"""The claims of the paper's sections 3 and 4 and its appendices, each with the paper's figure, ours, and whether it holds here.

A claim that this run has not measured says so and says what it needs; no verdict is written by hand.
"""

from vf.verdicts import FAILS, HOLDS, MISSING, no_gain, paired, saved, unpaired

COLUMNS = ("section", "claim", "paper", "ours", "verdict")
NA = "not available"  # shown in a figure of which our text of the paper has no numbers
NAMES = {"e_l1": "E-L1", "fad": "FAD", "favd": "FAVD", "clap": "CLAP", "acc@1": "Acc@1", "acc@5": "Acc@5", "acc@10": "Acc@10"}
RISING = ("clap", "acc@1", "acc@5", "acc@10", "correlation")  # metrics of which more is better


def claims(rms2sound, foley, clips, facts):
    """Rows (section, claim, paper, ours, verdict) of what `make repro` measures.

    rms2sound, foley: the metrics files. clips: scores of every clip (`verdicts.read_clips`). facts: counts that evaluation took
    from the data: `silent_share` of true frames in class 0.
    """
    share = facts["silent_share"]
    kept = "most frames are silent, so frames silent in truth and prediction are left out"
    rows = [("3.2", kept, "“a small portion” is not silent", f"{share:.0%} silent", HOLDS if share > 0.5 else FAILS)]

    sets = {"foley": foley} | {f"rms2sound/{prompt}": rms2sound[prompt] for prompt in ("audio", "text")}

    def beats(section, claim, paper, table, better, worse, key):
        if key in ("fad", "favd"):  # of sets, not of clips
            told = unpaired(sets[table], better, worse, key)
        else:
            told = paired(clips, f"{table}/{better}", f"{table}/{worse}", key, key not in RISING)
        rows.append((section, claim, paper, *told))

    curve, made = "video2rms", "foley"
    for key, paper in (("acc@5", "0.238 against 0.0769"), ("acc@10", "0.449 against 0.154")):
        beats("4.1", f"Video2RMS beats random choice in {NAMES[key]}", paper, curve, "predicted", "random", key)
    beats("4.1", "random choice beats Video2RMS in Acc@1", "0.0154 against 0.0128", curve, "random", "predicted", "acc@1")
    beats("4.1", "E-L1 of Video2RMS lies below random choice", "0.0431 against 0.2807", curve, "predicted", "random", "e_l1")
    bound = "discretised truth bounds it from below"
    beats("4.1", bound, "0.00243 against 0.0431", curve, "discretised_truth", "predicted", "e_l1")
    for prompt, paper in (("audio", "0.00361 against 0.00348"), ("text", "0.00498 against 0.00496")):
        told = no_gain(clips, f"rms2sound/{prompt}/continuous", f"rms2sound/{prompt}/discretised", "e_l1")
        claim = f"the continuous curve gains nothing on 64 bins in E-L1 ({prompt} prompt)"
        rows.append(("4.1, F, Fig. 2", claim, paper, *told))
    for key, papers in (
        ("e_l1", ("0.00348 against 0.02076", "0.00496 against 0.0276")),
        ("fad", ("21.6 against 29.0", "46.8 against 59.8")),
        ("clap", ("0.686 against 0.619", "0.504 against 0.443")),
    ):
        for prompt, paper in zip(("audio", "text"), papers):
            claim = f"RMS condition improves {NAMES[key]} over no RMS ({prompt} prompt)"
            beats("4.1, F, Fig. 2", claim, paper, f"rms2sound/{prompt}", "discretised", "none", key)
    for key, paper in (
        ("e_l1", "0.0090 against 0.0217"), ("fad", "27.2 against 59.8"), ("favd", "0.80 against 2.67"), ("clap", "0.644 against 0.443"),
    ):  # fmt: skip
        claim = f"Video-Foley with an audio prompt beats text-to-audio in {NAMES[key]}"
        beats("4.2", claim, paper, made, "foley_audio", "text_to_audio", key)
    text = "Video-Foley with a text prompt beats text-to-audio in E-L1"
    beats("4.2", text, "0.0103 against 0.0217", made, "foley_text", "text_to_audio", "e_l1")
    for key, paper in (("fad", "59.8 against 66.8"), ("favd", "2.67 against 3.28")):
        claim = f"… but text-to-audio beats it in {NAMES[key]} (the paper's own table)"
        beats("4.2", claim, paper, made, "text_to_audio", "foley_text", key)
    for key, paper in (("e_l1", "0.0090 against 0.0103"), ("fad", "27.2 against 66.8"), ("clap", "0.644 against 0.476")):
        beats("4.2", f"audio prompts serve better than text in {NAMES[key]}", paper, made, "foley_audio", "foley_text", key)
    others = "Video-Foley beats SpecVQGAN, Diff-Foley, CondFoleyGen and SyncFusion in every objective metric"
    rows.append(("4.2", others, "Table 2", "–", "needs the outputs of those systems"))
    rows.append(("4.2", "listeners prefer Video-Foley (MOS)", "4.40 temporal, 3.93 quality", "–", "needs listeners"))
    peavs = "PEAVS does not follow MOS (Table 3)"
    rows.append(("C", peavs, "1.70 for Video-Foley, 2.64 for SpecVQGAN", "–", "needs PEAVS and listeners"))
    quiet = "E-L1 of Video-Foley (audio prompt) is below silence's"
    beats("not in the paper", quiet, "0.0090 against about 0.0150", made, "foley_audio", "silence", "e_l1")
    plain = "… and FAD below that of plain sound multiplied to the envelope"
    beats("not in the paper", plain, "–", made, "foley_audio", "envelope", "fad")
    return rows


def of_case_studies(case):
    """Rows as of `claims`, of what the paper shows in Figs. 3 to 5 and 9 to 13. case: metrics/case_studies.json."""
    foley, plain, rows = "Video-Foley, audio prompt", "text to audio", []
    for section, claim, key, lower in (
        ("4.2, Figs. 4, 10", "the louder events of a film are the louder ones in its sound", "level_rank", False),
        ("H, Fig. 11", "its events start when they should", "start_ms", True),
        ("H, Fig. 11", "… and end when they should", "end_ms", True),
    ):
        rows.append((section, f"Video-Foley beats text-to-audio: {claim}", "shown", *unpaired(case, foley, plain, key, lower)))
    row = case.get(foley, {})
    length = {kind: {k.replace(f"{kind}_", ""): v for k, v in row.items() if k.startswith(kind)} for kind in ("hit", "scratch")}
    told = unpaired(length, "hit", "scratch", "seconds")
    rows.append(("4.2, Figs. 3, 9", "in Video-Foley hits sound shorter than scratches (s)", "shown", *told))
    late = case.get("onset annotations") or {}
    apart = late.get("late_ms_95%", 0) - late.get("late_ms_5%", 0)
    told = (f"90% within {apart:.0f} ms", HOLDS if apart > 50 else FAILS) if late else (MISSING, MISSING)
    rows.append(("A, Fig. 5", "onset annotations lie more than 50 ms apart from where sounds start", "shown", *told))
    for shape, r in case.get("shapes", {}).items():
        if not shape.endswith("_interval"):
            low, high = case["shapes"][f"{shape}_interval"]
            told = f"{r:.2f} [{low:.2f}, {high:.2f}]", HOLDS if low > 0.5 else FAILS
            rows.append(("I, Fig. 12", f"sound follows a drawn curve, {shape} (correlation above 0.5)", "shown", *told))
    of = {k: {"similar": v, "similar_interval": case["prompts"][f"{k}_interval"]} for k, v in case.get("prompts", {}).items()
          if k in ("own", "others")}  # fmt: skip
    told = unpaired(of, "own", "others", "similar", lower=False)
    rows.append(("I, Fig. 13", "with one curve, sound is nearer to its own prompt than to others (CLAP)", "shown", *told))
    return rows


def of_ablations(curves, sounds, onsets, curve_clips, sound_clips):
    """Rows as of `claims`, of what the paper says of its ablations.

    curves, sounds: {variant: metrics} of Video2RMS and {variant: {prompt: metrics}} of RMS2Sound. onsets: metrics/onsets.json.
    curve_clips, sound_clips: the same clip by clip, {variant: DataFrame} and {prompt: {variant: DataFrame}}. A variant that was not
    run is not measured.
    """
    rows = []

    def curve(section, claim, better, worse, key="e_l1", paper=NA):
        rows.append((section, claim, paper, *paired(curve_clips, better, worse, key, key not in RISING)))

    curve("2.1", "classification beats regression by L2 in E-L1", "default", "regression", paper="“poor results”")
    curve("2.1", "… and where sound is (regression tends to silence)", "default", "regression", "e_l1_event", "–")
    for key, paper in (
        ("e_l1", "0.0431 against 0.0450"), ("acc@1", "0.0128 against 0.0116"), ("acc@5", "0.238 against 0.241"),
        ("acc@10", "0.449 against 0.446"),
    ):  # fmt: skip
        curve("4.1, Table 1", f"label smoothing (W = 2) improves {NAMES[key]}", "default", "width_0", key, paper)
    curve("4.1, Fig. 2", "256 bins serve Video2RMS better than 16", "bins_256", "bins_16")
    rows.append(("4.1, Fig. 2", "… and cost parameters", NA, *unpaired(curves, "bins_16", "bins_256", "parameters")))
    for other in ("rgb", "flow"):
        curve("B.1", f"both kinds of features beat {other} alone in E-L1", "features_both", f"features_{other}", paper="–")
    for width in (1, 2, 5, 10, 20):
        name = "default" if width == 2 else f"width_{width}"
        curve("E.2, Fig. 8", f"smoothing with W = {width} improves E-L1", name, "width_0")
    curve("E.2, Fig. 8", "W = 2 has less jitter than W = 20", "default", "width_20", "jitter")
    curve("E.2, Fig. 8", "… and a lower E-L1", "default", "width_20")
    curve("E.2, Fig. 8", "… but W = 20 is more accurate (Acc@5)", "width_20", "default", "acc@5")
    for prompt, of in sound_clips.items():
        sets = {name: both[prompt] for name, both in sounds.items()}
        few = "64 bins beat 4 in RMS2Sound's"
        rows.append(("4.1, Fig. 2", f"{few} E-L1 ({prompt} prompt)", NA, *paired(of, "default", "bins_4", "e_l1")))
        rows.append(("4.1, Fig. 2", f"{few} FAD ({prompt} prompt)", NA, *unpaired(sets, "default", "bins_4", "fad")))
        saturates = f"256 bins gain nothing on 64 in E-L1 ({prompt} prompt)"
        rows.append(("4.1, Fig. 2", saturates, NA, *no_gain(of, "bins_256", "default", "e_l1")))
        guided = f"guidance on the curve does not improve E-L1 ({prompt} prompt)"
        rows.append(("B.2", guided, NA, *no_gain(of, "guided_rms", "default", "e_l1")))
        twin = "a curve beats onsets in"
        rows.append(("4.2, A", f"{twin} E-L1, all else equal ({prompt} prompt)", "–", *paired(of, "default", "onsets", "e_l1")))
        rows.append(("4.2, A", f"… in FAD ({prompt} prompt)", "–", *unpaired(sets, "default", "onsets", "fad")))
    text, verdict = saved(onsets, "RMS and onsets minus RMS alone", "e_l1")
    verdict = {HOLDS: FAILS, MISSING: MISSING}.get(verdict, HOLDS)
    rows.append(("E.1, Table 4", "onset labels do not improve E-L1 of the curve", NA, text, verdict))
    for key, name in (("onset_accuracy", "accuracy"), ("onset_ap", "AP")):
        told = saved(onsets, "RMS and onsets minus onsets alone", key, lower=False)
        rows.append(("E.1, Table 4", f"RMS helps to tell onsets: {name}", NA, *told))
    for key, name, lower in (("onset_ap", "is more precise about onsets than R(2+1)D (AP)", False), ("onset_accuracy", "… and recalls fewer", True)):
        told = saved(onsets, "onsets alone minus Video2Onset", key, lower)
        rows.append(("E.1, Table 4", name if lower else f"Video2RMS's network {name}", NA, *told))
    clicks = "Video2Onset minus a click every 0.15 s"
    found = "Video2Onset finds more than a click every 0.15 s (accuracy)"
    rows.append(("not in the paper", found, "–", *saved(onsets, clicks, "onset_accuracy", lower=False)))
    rows.append(("not in the paper", "… in F1 at 50 ms", "–", *saved(onsets, clicks, "onset_f1_50ms", lower=False)))
    return rows

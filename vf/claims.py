"""The claims of the paper's sections 3 and 4, each with the paper's figure, ours, and whether it holds here.

A claim that this run has not measured says so and says what it needs; no verdict is written by hand.
"""

from vf.published import mean

COLUMNS = ("section", "claim", "paper", "ours", "verdict")
HOLDS, FAILS = "holds", "does not hold"


def _compare(ours, better, worse, key, lower=True):
    """(text, verdict) for "`better` beats `worse` in `key`"; within each other's intervals it is undecided."""
    a, b = (mean(ours.get(name, {}), key) for name in (better, worse))
    if a is None or b is None:
        return "not measured", "not measured"
    text = f"{a:.4g} against {b:.4g}"
    a_low, a_high = ours[better].get(f"{key}_interval") or (a, a)
    b_low, b_high = ours[worse].get(f"{key}_interval") or (b, b)
    if (a < b) != lower:
        return text, FAILS
    apart = a_high < b_low if lower else a_low > b_high
    return text, HOLDS if apart else f"{HOLDS}, intervals overlap"


def _alike(ours, one, other, key):
    """(text, verdict) for "`one` is no different from `other` in `key`": their intervals overlap."""
    result = _compare(ours, one, other, key)
    if result[1] == "not measured":
        return result
    (a_low, a_high), (b_low, b_high) = (ours[name][f"{key}_interval"] for name in (one, other))
    return result[0], HOLDS if a_low <= b_high and b_low <= a_high else FAILS


def of_case_studies(case):
    """Rows as of `claims`, of what the paper shows in Figs. 3 to 5 and 9 to 13. case: metrics/case_studies.json."""
    foley, plain, rows = "Video-Foley, audio prompt", "text to audio", []
    for section, claim, key, lower in (
        ("4.2, Figs. 4, 10", "the louder events of a film are the louder ones in its sound", "level_rank", False),
        ("H, Fig. 11", "its events start when they should", "start_ms", True),
        ("H, Fig. 11", "… and end when they should", "end_ms", True),
    ):
        rows.append((section, f"Video-Foley beats text-to-audio: {claim}", "shown", *_compare(case, foley, plain, key, lower)))
    row = case.get(foley, {})
    length = {kind: {k.replace(f"{kind}_", ""): v for k, v in row.items() if k.startswith(kind)} for kind in ("hit", "scratch")}
    rows.append(("4.2, Figs. 3, 9", "in Video-Foley scratches sound longer than hits (s)", "shown",
                 *_compare(length, "hit", "scratch", "seconds")))  # fmt: skip
    late = case.get("onset annotations") or {}
    apart = late.get("late_ms_95%", 0) - late.get("late_ms_5%", 0)
    told = (f"90% within {apart:.0f} ms", HOLDS if apart > 50 else FAILS) if late else ("not measured", "not measured")
    rows.append(("A, Fig. 5", "onset annotations lie more than 50 ms apart from where sounds start", "shown", *told))
    for shape, r in case.get("shapes", {}).items():
        if not shape.endswith("_interval"):
            low, high = case["shapes"][f"{shape}_interval"]
            told = f"{r:.2f} [{low:.2f}, {high:.2f}]", HOLDS if low > 0.5 else FAILS
            rows.append(("I, Fig. 12", f"sound follows a drawn curve, {shape} (correlation above 0.5)", "shown", *told))
    of = {k: {"similar": v, "similar_interval": case["prompts"][f"{k}_interval"]} for k, v in case.get("prompts", {}).items()
          if k in ("own", "others")}  # fmt: skip
    rows.append(("I, Fig. 13", "with one curve, sound is nearer to its own prompt than to others (CLAP)", "shown",
                 *_compare(of, "own", "others", "similar", lower=False)))  # fmt: skip
    return rows


def of_ablations(curves, sounds, onsets):
    """Rows as of `claims`, of what the paper says of its ablations.

    curves, sounds: {variant: metrics} of Video2RMS and {variant: {prompt: metrics}} of RMS2Sound. onsets: metrics/onsets.json.
    A variant that was not run is not measured.
    """
    rows = [
        ("2.1", "classification beats regression by L2 in E-L1", "“poor results”", *_compare(curves, "default", "regression", "e_l1")),
        ("2.1", "… and regression tends to silence: less E-L1 where sound is", "–", *_compare(curves, "default", "regression", "e_l1_event")),
    ]  # fmt: skip
    for key, label, paper, lower in (
        ("e_l1", "E-L1", "0.0431 against 0.0450", True),
        ("acc@1", "Acc@1", "0.0128 against 0.0116", False),
        ("acc@5", "Acc@5", "0.238 against 0.241", False),
        ("acc@10", "Acc@10", "0.449 against 0.446", False),
    ):
        result = _compare(curves, "default", "width_0", key, lower)
        rows.append(("4.1, Table 1", f"label smoothing (W = 2) improves {label}", paper, *result))
    na = "not available"
    rows.append(("4.1, Fig. 2", "256 bins serve Video2RMS better than 16", na, *_compare(curves, "bins_256", "bins_16", "e_l1")))
    more = _compare(curves, "bins_256", "bins_16", "parameters", lower=False)
    rows.append(("4.1, Fig. 2", "… and cost parameters", na, *more))
    for prompt in ("audio", "text"):
        of = {name: both[prompt] for name, both in sounds.items()}
        for key, lower in (("e_l1", True), ("fad", True)):
            name = key.upper().replace("_", "-")
            few = _compare(of, "default", "bins_4", key, lower)
            rows.append(("4.1, Fig. 2", f"64 bins beat 4 in RMS2Sound's {name} ({prompt} prompt)", na, *few))
            many = _alike(of, "default", "bins_256", key)
            rows.append(("4.1, Fig. 2", f"256 bins gain nothing on 64 in {name} ({prompt} prompt)", na, *many))
        rows.append(
            (
                "B.2",
                f"guidance on the curve does not help E-L1 ({prompt} prompt)",
                na,
                *_alike(of, "default", "guided_rms", "e_l1"),
            )
        )
        for key, lower in (("e_l1", True), ("fad", True)):
            name = key.upper().replace("_", "-")
            twin = _compare(of, "default", "onsets", key, lower)
            rows.append(("4.2, A", f"a curve beats onsets in {name}, all else equal ({prompt} prompt)", "–", *twin))
    for other in ("rgb", "flow"):
        both = _compare(curves, "features_both", f"features_{other}", "e_l1")
        rows.append(("B.1", f"both kinds of features beat {other} alone in E-L1", "–", *both))
    rows.append(
        (
            "App. E.2, Fig. 8",
            "W = 20 has more jitter than W = 2",
            na,
            *_compare(curves, "width_20", "default", "jitter", lower=False),
        )
    )
    rows.append(("App. E.2, Fig. 8", "… and a higher E-L1", na, *_compare(curves, "default", "width_20", "e_l1")))
    rows.append(
        ("App. E.2, Fig. 8", "… but is more accurate (Acc@5)", na, *_compare(curves, "width_20", "default", "acc@5", lower=False))
    )
    for width in (1, 2, 5, 10, 20):
        name = "default" if width == 2 else f"width_{width}"
        smoothed = _compare(curves, name, "width_0", "e_l1")
        rows.append(("App. E.2, Fig. 8", f"smoothing with W = {width} improves E-L1", na, *smoothed))
    joint = _alike(onsets, "RMS and onsets", "RMS alone", "e_l1")
    rows.append(("App. E.1, Table 4", "onset labels do not change E-L1 of the curve", na, *joint))
    for key, name in (("onset_accuracy", "accuracy"), ("onset_ap", "AP")):
        helped = _compare(onsets, "RMS and onsets", "onsets alone", key, lower=False)
        rows.append(("App. E.1, Table 4", f"RMS helps to tell onsets: {name}", na, *helped))
    level = _alike(onsets, "onsets alone", "Video2Onset", "onset_ap")
    rows.append(("App. E.1, Table 4", "Video2RMS's network and R(2+1)D tell onsets alike (AP)", na, *level))
    rows.append(("not in the paper", "Video2Onset finds more than a click every 0.15 s (accuracy)", "–",
                 *_compare(onsets, "Video2Onset", "a click every 0.15 s", "onset_accuracy", lower=False)))  # fmt: skip
    rows.append(("not in the paper", "… in F1 at 50 ms", "–",
                 *_compare(onsets, "Video2Onset", "a click every 0.15 s", "onset_f1_50ms", lower=False)))  # fmt: skip
    return rows


def claims(video2rms, rms2sound, foley, facts):
    """Rows (section, claim, paper, ours, verdict).

    video2rms, rms2sound, foley: the metrics files. facts: counts that evaluation took from the data: `silent_share` of
    true frames in class 0.
    """
    v, audio, text, f = video2rms, rms2sound["audio"], rms2sound["text"], foley
    rows = []

    def add(section, claim, paper, result):
        rows.append((section, claim, paper, *result))

    share = facts["silent_share"]
    add(
        "3.2",
        "most frames are silent, so frames silent in truth and prediction are left out",
        "“a small portion” is not silent",
        (f"{share:.0%} silent", HOLDS if share > 0.5 else FAILS),
    )
    for k, paper in ((5, "0.238 against 0.0769"), (10, "0.449 against 0.154")):
        add(
            "4.1", f"Video2RMS beats random choice in Acc@{k}", paper, _compare(v, "predicted", "random", f"acc@{k}", lower=False)
        )
    add("4.1", "Video2RMS is below random choice in Acc@1", "0.0128 against 0.0154", _compare(v, "predicted", "random", "acc@1"))
    add("4.1", "E-L1 of Video2RMS lies below random choice", "0.0431 against 0.2807", _compare(v, "predicted", "random", "e_l1"))
    add(
        "4.1",
        "discretised truth bounds it from below",
        "0.00243 against 0.0431",
        _compare(v, "discretised_truth", "predicted", "e_l1"),
    )
    for name, block, paper in (("audio", audio, "0.00348 and 0.00361"), ("text", text, "0.00496 and 0.00498")):
        low_d, high_d = block["discretised"]["e_l1_interval"]
        low_c, high_c = block["continuous"]["e_l1_interval"]
        same = low_d <= high_c and low_c <= high_d
        text_ = f"{block['discretised']['e_l1']:.4g} and {block['continuous']['e_l1']:.4g}"
        add(
            "4.1, F",
            f"64 bins lose nothing against the continuous curve in E-L1 ({name} prompt)",
            paper,
            (text_, HOLDS if same else FAILS),
        )
    for metric, lower, papers in (
        ("e_l1", True, ("0.00348 against 0.02076", "0.00496 against 0.0276")),
        ("fad", True, ("21.6 against 29.0", "46.8 against 59.8")),
        ("clap", False, ("0.686 against 0.619", "0.504 against 0.443")),
    ):
        for (name, block), paper in zip((("audio", audio), ("text", text)), papers):
            add(
                "4.1, F",
                f"RMS condition improves {metric.upper().replace('_', '-')} over no RMS ({name} prompt)",
                paper,
                _compare(block, "discretised", "none", metric, lower),
            )
    for metric, lower, paper in (
        ("e_l1", True, "0.0090 against 0.0217"),
        ("fad", True, "27.2 against 59.8"),
        ("favd", True, "0.80 against 2.67"),
        ("clap", False, "0.644 against 0.443"),
    ):
        add(
            "4.2",
            f"Video-Foley with an audio prompt beats text-to-audio in {metric.upper().replace('_', '-')}",
            paper,
            _compare(f, "foley_audio", "text_to_audio", metric, lower),
        )
    add(
        "4.2",
        "Video-Foley with a text prompt beats text-to-audio in E-L1",
        "0.0103 against 0.0217",
        _compare(f, "foley_text", "text_to_audio", "e_l1"),
    )
    for metric, paper in (("fad", "66.8 against 59.8"), ("favd", "3.28 against 2.67")):
        add(
            "4.2",
            f"… but is behind it in {metric.upper()} (the paper's own table)",
            paper,
            _compare(f, "text_to_audio", "foley_text", metric),
        )
    for metric, lower, paper in (
        ("e_l1", True, "0.0090 against 0.0103"),
        ("fad", True, "27.2 against 66.8"),
        ("clap", False, "0.644 against 0.476"),
    ):
        add(
            "4.2",
            f"audio prompts serve better than text in {metric.upper().replace('_', '-')}",
            paper,
            _compare(f, "foley_audio", "foley_text", metric, lower),
        )
    add(
        "4.2",
        "Video-Foley beats SpecVQGAN, Diff-Foley, CondFoleyGen and SyncFusion in every objective metric",
        "Table 2",
        ("–", "needs the outputs of those systems"),
    )
    add("4.2", "listeners prefer Video-Foley (MOS)", "4.40 temporal, 3.93 quality", ("–", "needs listeners"))
    add(
        "C", "PEAVS does not follow MOS (Table 3)", "1.70 for Video-Foley, 2.64 for SpecVQGAN", ("–", "needs PEAVS and listeners")
    )
    add(
        "not in the paper",
        "E-L1 of Video-Foley (audio prompt) is below silence's",
        "0.0090 against about 0.0150",
        _compare(f, "foley_audio", "silence", "e_l1"),
    )
    add(
        "not in the paper",
        "… and FAD below that of plain sound multiplied to the envelope",
        "–",
        _compare(f, "foley_audio", "envelope", "fad"),
    )
    return rows

"""What the report says of its tables, figures, rows and sections.

What it says of a metric is in `vf.evaluation.catalogue`.
"""

TABLES = {  # title, remark
    "table1": (
        "Table 1: Video2RMS",
        "E-L1 over sounding frames, which is the paper's in this table, and Acc@k leave out the frames that are silent "
        "in both truth and prediction. Rows over seeds are of the stage "
        "video2rms_repeats, and over all folds where the films have no official split.",
    ),
    "table2": (
        "Table 2: Video-Foley",
        "E-L1 is of all frames. FAD, CLAP and FAVD of the small profile come from networks trained here, not from"
        " PANNs, CLAP, VGGish and I3D as the paper's; FAVD's part of the picture is the same for all systems, so "
        "that it follows FAD. FAD-inf is fadtk's FAD-infinity, the form of the paper's own FAD: a line over 1 / N from "
        "500 windows on, with the interval of that line; of hardly more windows than that, as in the small profile, it "
        "says little. KAD has no bias from the number of sounds. Opinions (MOS) need listeners: docs/listening.md.",
    ),
    "table3": ("Table 3: PEAVS and opinions on timing", "Needs listeners and PEAVS's own network: docs/listening.md."),
    "table4": (
        "Table 4: onsets",
        "Of `make paper-figures`, in a fresh clone the published values. The paper's values are not in our text of it.",
    ),
    "table5": ("Table 5: RMS2Sound with true curves", "Metrics as in Table 2."),
}

FIGURES = {  # in the order of the report: the paper's figures first
    "15_fig2": "Figure 2's counterpart: number of bins, for Video2RMS (over seeds) and RMS2Sound.",
    "09_fig3": "Figure 3's counterpart: several events in one film.",
    "09_fig4": "Figure 4's counterpart: intensity and nuance.",
    "09_fig5": "Figure 5's counterpart: size of waveforms, and lines where events were annotated.",
    "15_fig8": "Figure 8's counterpart: width of the smoothed labels, over seeds.",
    "09_fig9": "Figure 9's counterpart: hits and scratches.",
    "09_fig10": "Figure 10's counterpart: intensity and nuance, another film.",
    "09_fig11": "Figure 11's counterpart: start and end of every event.",
    "09_fig12": "Figure 12's counterpart: four shapes, one prompt (the median one of six).",
    "09_fig13": "Figure 13's counterpart: one curve, several prompts.",
    "09_films": "Ten films, evenly spread over the test films: the true sound, and below it Video-Foley's, by an "
    "audio prompt.",
    "01_clips": "A training film: strip, waveform with annotated events, spectrogram.",
    "01_statistics": "The clips of this run beside Greatest Hits: gaps between events, levels of frames, materials in "
    "a clip.",
    "02_rms": "From a waveform to its RMS curve and to classes (Eqs. 1, 2), and what the classes lose.",
    "03_features": "How well a linear probe reads the RMS curve from each kind of map, on films left out of it; the "
    "frame encoder's training; one film's change of picture beside its RMS.",
    "04_losses": "Training loss of Video2RMS (Eq. 3).",
    "04_predictions": "True and predicted curves of three test films.",
    "05_losses": "Training losses of the backbone's parts; where it was loaded, its U-Net's loss and FAD over steps of "
    "its pretraining.",
    "05_embedders": "Training losses of the metrics' embedders.",
    "06_losses": "Training loss of RMS-ControlNet (Eq. 4).",
    "08_video2rms": "Video2RMS and the rows that keep it honest, with 95% intervals: E-L1 over all frames, where "
    "Table 1's leaves out common silence and is kind to curves that hum.",
    "08_rms2sound": "RMS2Sound with true curves, with 95% intervals.",
    "08_foley_e_l1": "Video-Foley: E-L1 of each system, with 95% intervals.",
    "08_foley_fad": "Video-Foley: Frechet distance of each system, with 95% intervals.",
    "10_studio": "A film in the studio: the sound, and its curve over the one that was asked for.",
    "11_video2rms_repeats": "Video2RMS over seeds and folds, with 95% intervals.",
    "12_rms2sound_repeats": "RMS2Sound with true curves over seeds, with 95% intervals.",
    "14_benchmark": "E-L1 of every system that has an entry in params.yaml, beside truth, silence and another film.",
    "13_onsets": "Table 4's counterpart: onsets told by Video2RMS and by R(2+1)D.",
    "15_video2rms": "Video2RMS, one change at a time, over seeds, with 95% intervals: E-L1 over all frames.",
    "15_rms2sound": "RMS2Sound, one change at a time, with 95% intervals.",
}

TIMING = (
    "Not in the paper. What E-L1 does not see: silence and a constant have no lag, no matched event and no rank, and "
    "stand here for comparison. A curve that was asked for has no sound of its own: its onsets are where it jumps."
)
EVENTS = (
    "Over all test films, event by event. Events are looked for around their true times, so that chance scores "
    "too: a constant curve, and the sound of another film."
)
DRAWN = (
    "Four drawn shapes, and one curve, with six prompts each. A drawn shape is no curve of the training sounds, "
    "which rise and fall within tenths of a second."
)
COUNTERFACTUAL = (
    "Rendered films of the test split, once more with one thing changed and all else, chance included, as it was; the "
    "mean over films of what that changes. true: the film's own sound; curve: Video2RMS's; sound: Video-Foley's, by "
    "text. level_db: of the events; lag_ms, correlation: of the two curves at the lag where they agree most; "
    "material_heard: share of sounds in which a tagger hears the new material."
)

ROWS = {
    "constant, silence, mismatched, random": "rows that know nothing of the film: the best constant, no sound, "
    "the truth of another clip, classes drawn by chance. Of sounds the constant is noise of one level, the median of "
    "the training films.",
    "linear": "a linear regression from the difference of frames.",
    "envelope": "sound of the same prompt made without a curve, multiplied to the curve.",
    "reconstruction": "the true sound through VAE and vocoder: the floor of what the backbone can make.",
    "none, discretised, continuous": "RMS2Sound without a curve, with the curve's classes, with the curve as it is.",
    "width_W, wide, normalised": "width of the smoothed labels; W = 20 with sigma = 4; labels that sum to 1.",
    "mean_decode, other_targets, fixed_time, regression": "the curve as the mean of the classes; the low-passed "
    "curve as target (or the raw one, where the profile learns the low-passed); time by interpolation; L2 on the "
    "curve.",
    "guided_rms, ddim, hold, onsets": "guidance on the curve as on the prompt; DDIM, the paper's sampler, in as many "
    "steps, even ones; the sampler held to the curve (vf/models/sampler.py); a net that hears onsets in "
    "place of the curve.",
}

SECTIONS = {  # of the paper, by the first part of a claim's section
    "2.1": "Video2RMS",
    "3.2": "Evaluation",
    "4.1": "Video2RMS and RMS2Sound",
    "4.2": "Video-to-sound",
    "A": "Subjectivity in onset annotation",
    "B.2": "RMS2Sound",
    "C": "Metrics",
    "E.1": "Onset annotations",
    "E.2": "Label smoothing",
    "H": "Additional case study",
    "I": "RMS-ControlNet with drawn curves and other prompts",
}

ABOUT = (  # what this is, in two sentences
    "Video-Foley puts sound on a silent film in two stages: Video2RMS predicts the loudness curve from the "
    "picture, and RMS2Sound turns the curve and a text or audio prompt into sound.",
    "This page sets what this run measured beside what the paper reports, claim by claim, with a verdict that follows "
    "from the numbers.",
)
NOTE = (
    "Intervals are 95% bootstrap intervals over films. The paper's values come from its own data and networks and"
    " are no target for another corpus; what compares is the order of the rows. Where a trend differs from the "
    "paper's, and why: REPRODUCTION.md. Arrows say which way is better."
)
HEADLINES = (  # (title, key, our row and the paper's, the row that it is to beat, what that is)
    ("Loudness curve from the picture", "e_l1_sounding", "video2rms/predicted", "video2rms/random", "random choice"),
    ("Loudness of the sound", "e_l1", "foley/foley_audio", "foley/text_to_audio", "text-to-audio"),
    ("Sound quality", "fad", "foley/foley_audio", "foley/text_to_audio", "text-to-audio"),
    ("Timbre", "clap", "foley/foley_audio", "foley/text_to_audio", "text-to-audio"),
)
FILMS = {  # names of generated films, as the stage `generate` writes them
    "truth": "true sound",
    "foley-audio": "Video-Foley, audio prompt",
    "foley-text": "Video-Foley, text prompt",
    "text-to-audio": "text-to-audio, without a curve",
}

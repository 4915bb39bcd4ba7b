"""Every number of the paper that the tables set ours against. None: not in our text of the paper, or not measured there."""

TABLE1 = {  # section 4.1: E-L1, Acc@1, Acc@5, Acc@10
    "discretised_truth": {"e_l1": 0.00243},
    "predicted": {"e_l1": 0.0431, "acc@1": 0.0128, "acc@5": 0.238, "acc@10": 0.449},
    "predicted without label smoothing": {"e_l1": 0.0450, "acc@1": 0.0116, "acc@5": 0.241, "acc@10": 0.446},
    "random": {"e_l1": 0.2807, "acc@1": 0.0154, "acc@5": 0.0769, "acc@10": 0.154},
}
TABLE2 = {  # section 4.2; MOS and PEAVS need listeners and an outside model
    "ground_truth": {"FAD-P": 0, "FAD-C": 0, "E-L1": 0, "FAVD": 0},
    "foley_audio": {"FAD-P": 27.2, "FAD-C": 187, "E-L1": 0.0090, "CLAP": 0.644, "FAVD": 0.80},
    "foley_text": {"FAD-P": 66.8, "FAD-C": 451, "E-L1": 0.0103, "CLAP": 0.476, "FAVD": 3.28},
    "text_to_audio": {"FAD-P": 59.8, "FAD-C": 397, "E-L1": 0.0217, "CLAP": 0.443, "FAVD": 2.67},
}
TABLE2_OTHERS = {  # systems whose output is not made here
    ("SpecVQGAN", "none"): {"FAD-P": 101.0, "FAD-C": 579, "E-L1": 0.0230, "CLAP": 0.323, "FAVD": 6.42},
    ("Diff-Foley", "none"): {"FAD-P": 87.0, "FAD-C": 550, "E-L1": 0.0291, "CLAP": 0.403, "FAVD": 4.61},
    ("CondFoleyGen", "audio"): {"FAD-P": 42.2, "FAD-C": 381, "E-L1": 0.0238, "CLAP": 0.572, "FAVD": 1.01},
    ("SyncFusion", "audio"): {"FAD-P": 65.9, "FAD-C": 335, "E-L1": 0.0239, "CLAP": 0.631, "FAVD": 4.50},
    ("SyncFusion", "text"): {"FAD-P": 81.6, "FAD-C": 424, "E-L1": 0.0292, "CLAP": 0.529, "FAVD": 5.11},
}
TABLE5 = {  # appendix F
    ("audio", "none"): {"FAD-P": 29.0, "FAD-C": 194, "CLAP": 0.619, "E-L1": 0.02076},
    ("audio", "discretised"): {"FAD-P": 21.6, "FAD-C": 154, "CLAP": 0.686, "E-L1": 0.00348},
    ("audio", "continuous"): {"FAD-P": 19.9, "FAD-C": 152, "CLAP": 0.657, "E-L1": 0.00361},
    ("text", "none"): {"FAD-P": 59.8, "FAD-C": 397, "CLAP": 0.443, "E-L1": 0.0276},
    ("text", "discretised"): {"FAD-P": 46.8, "FAD-C": 333, "CLAP": 0.504, "E-L1": 0.00496},
    ("text", "continuous"): {"FAD-P": 44.6, "FAD-C": 323, "CLAP": 0.531, "E-L1": 0.00498},
}

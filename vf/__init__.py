"""Video-Foley: a silent film in, a film with sound out, through its loudness curve.

Eight packages, each one idea, import downwards only: report, studio, foley, evaluation, models, backends, data, signal.
"""

import importlib


def __getattr__(name: str) -> object:
    """`from vf import VideoFoley`, without loading torch for who wants something else."""
    if name in ("VideoFoley", "Region"):
        return getattr(importlib.import_module("vf.foley.render"), name)
    raise AttributeError(f"module 'vf' has no attribute {name!r}")

"""Video-Foley: a silent film in, a film with sound out, through its loudness curve.

Eight packages, each one idea, import downwards only: report, studio, foley, evaluation, models, backends, data, signal.
"""

"""Video-Foley: a silent film in, a film with sound out, through its loudness curve.

The package is laid out in floors; imports point down only (README, "Where things live").
"""

"""A film in, a film with sound out, of any length (Fig. 1).

The package holds prediction, requests, windows, curves drawn by hand, and sessions.
"""

"""A film in, a film with sound out, of any length: prediction, requests, windows, curves drawn by hand, sessions (Fig. 1)."""

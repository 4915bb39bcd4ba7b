"""Mathematics of sound and time: the RMS curve (Eq. 1 to 3), log-mels, onsets, windows, diffusion (Eq. 4, 5), the training loop.

Nothing here knows a file, a corpus or a network by name.
"""

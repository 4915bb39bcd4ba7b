"""Mathematics of sound and time: RMS curve (Eq. 1 to 3), log-mel, onsets, windows, diffusion (Eq. 4, 5), training loop.

Nothing here names a file, a corpus or a network.
"""

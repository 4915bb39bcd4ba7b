"""Mathematics of sound and time: RMS curve (Eq. 1 to 3), log-mel, onsets, diffusion loss (Eq. 4) and training loop.

Nothing here names a file, a corpus or a network.
"""

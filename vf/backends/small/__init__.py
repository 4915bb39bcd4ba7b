"""The small profile: nothing is downloaded, all weights are trained on the CPU."""

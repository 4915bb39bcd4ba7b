"""The small profile: nothing is downloaded, every weight is trained here on the CPU."""

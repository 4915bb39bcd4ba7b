"""All lengths of the paper, derived in one place from seconds, rates and hops (section 3.1, App. B)."""

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Timeline:
    """Lengths of one clip, in video frames, audio samples, RMS frames and latent frames.

    seconds: length of a clip. fps: video frames per second. sample_rate: audio samples per second.
    video_window, video_hop: of the RMS curve that Video2RMS predicts, in samples (App. B.1).
    sound_window, sound_hop: of the RMS curve and log-mel of RMS2Sound, in samples (App. B.2).
    latent_stride: mel frames per latent frame, set by the VAE.
    unet_stride: latent frames per frame of the U-Net's innermost level. Generated sound is lengthened to whole frames
    of that level, which turns the paper's 10 s into 10.24 s.

    Raises ValueError where a clip is not a whole number of frames and hops.
    """

    seconds: float = 10.0
    fps: int = 30
    sample_rate: int = 16000
    video_window: int = 512
    video_hop: int = 128
    sound_window: int = 1024
    sound_hop: int = 160
    latent_stride: int = 4
    unet_stride: int = 8

    def __post_init__(self) -> None:
        for unit, length in (
            ("video frames", self.seconds * self.fps),
            ("RMS hops", self.seconds * self.sample_rate / self.video_hop),
        ):
            if length <= 0 or abs(length - round(length)) > 1e-9:
                raise ValueError(f"{self.seconds} s are {length:g} {unit}; choose a length that gives a whole number")

    @property
    def samples(self) -> int:
        """Audio samples of a clip (10 s: 160000)."""
        return round(self.seconds * self.sample_rate)

    @property
    def video_frames(self) -> int:
        """Video frames of a clip (10 s: 300)."""
        return round(self.seconds * self.fps)

    @property
    def video_rms_frames(self) -> int:
        """Frames of the curve that Video2RMS predicts (10 s: 1250)."""
        return self.samples // self.video_hop

    @property
    def video_rms_rate(self) -> float:
        """Frames a second of the curve that Video2RMS predicts (hop 128 at 16 kHz: 125)."""
        return self.sample_rate / self.video_hop

    @property
    def latent_frames(self) -> int:
        """Frames of the latent (10 s: 256)."""
        frames = self.samples / (self.sound_hop * self.latent_stride)
        return ceil(frames / self.unet_stride) * self.unet_stride

    @property
    def sound_rms_frames(self) -> int:
        """Frames of RMS2Sound's curve and of its log-mel (10 s: 1024)."""
        return self.latent_frames * self.latent_stride

    @property
    def sound_samples(self) -> int:
        """Audio samples that RMS2Sound generates, before the cut to the clip (10 s: 163840, which is 10.24 s)."""
        return self.sound_rms_frames * self.sound_hop

    @property
    def sound_seconds(self) -> float:
        """Seconds of sound that RMS2Sound generates, before the cut to the clip (10 s: 10.24)."""
        return self.sound_samples / self.sample_rate

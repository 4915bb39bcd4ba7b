"""Timbre vectors of text and of sound, by the released CLAP or by the small one."""

from collections.abc import Sequence

import librosa
import numpy as np
import torch
import torch.nn.functional as F


@torch.no_grad()
def embed_text(clap, tokenizer, texts: Sequence[str], batch: int = 64) -> torch.Tensor:
    """Timbre vectors of b texts: (b, e), unit norm, on the model's device. clap: ClapModel or SmallClap."""
    parts = []
    for i in range(0, len(texts), batch):
        tokens = tokenizer(list(texts[i : i + batch]), padding=True, truncation=True, return_tensors="pt")
        tokens = tokens.to(clap.device)
        parts.append(clap.get_text_features(tokens.input_ids, attention_mask=tokens.attention_mask).pooler_output)
    return F.normalize(torch.cat(parts), dim=-1)


@torch.no_grad()
def embed_features(clap, features: torch.Tensor, batch: int = 32) -> torch.Tensor:
    """Timbre vectors of `log_mels` (b, 1, frames, bins): (b, e), unit norm, on the model's device."""
    parts = [clap.get_audio_features(piece.to(clap.device)).pooler_output for piece in features.split(batch)]
    return F.normalize(torch.cat(parts), dim=-1)


def log_mels(feature_extractor, audio: np.ndarray, sample_rate: int) -> torch.Tensor:
    """CLAP's log-mel of waveforms: (b, s) or (s,) at `sample_rate` -> (b, 1, frames, bins), in decibels.

    Resamples to the extractor's rate and keeps the first `max_length_s` seconds; the extractor's own cut would be
    random. Shorter sound is repeated. Raises ValueError for sound that is empty or not finite.
    """
    audio = np.asarray(audio, dtype=np.float32)
    audio = audio[None] if audio.ndim == 1 else audio
    if audio.ndim != 2 or audio.size == 0 or not np.isfinite(audio).all():
        finite = bool(np.isfinite(audio).all())
        raise ValueError(f"audio is {audio.shape}, finite: {finite}; wanted finite waveforms (b, s): check its source")
    rate = feature_extractor.sampling_rate
    if rate != sample_rate:
        audio = librosa.resample(audio, orig_sr=sample_rate, target_sr=rate, res_type="polyphase")
    cut = list(audio[:, : feature_extractor.nb_max_samples])
    batch = feature_extractor(
        cut, sampling_rate=rate, truncation="rand_trunc", padding="repeatpad", return_tensors="pt"
    )
    return batch.input_features.float()

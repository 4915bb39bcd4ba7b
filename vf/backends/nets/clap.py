"""Text and sound to CLAP's timbre vectors: one way for the released CLAP and for the small one."""

import librosa
import numpy as np
import torch
import torch.nn.functional as F


@torch.no_grad()
def embed_text(clap, tokenizer, texts, batch=64):
    """Texts -> vectors of unit norm, (b, e), on the model's device."""
    parts = []
    for i in range(0, len(texts), batch):
        tokens = tokenizer(list(texts[i : i + batch]), padding=True, truncation=True, return_tensors="pt")
        tokens = tokens.to(clap.device)
        parts.append(clap.get_text_features(tokens.input_ids, attention_mask=tokens.attention_mask).pooler_output)
    return F.normalize(torch.cat(parts), dim=-1)


@torch.no_grad()
def embed_features(clap, features, batch=32):
    """Log-mels of `log_mels`, (b, 1, frames, bins) -> vectors of unit norm, (b, e), on the model's device."""
    parts = [clap.get_audio_features(piece.to(clap.device)).pooler_output for piece in features.split(batch)]
    return F.normalize(torch.cat(parts), dim=-1)


def log_mels(feature_extractor, audio, sample_rate):
    """CLAP's log-mel of waveforms: (b, s) at `sample_rate` -> (b, 1, frames, bins), in decibels.

    Resamples to the extractor's rate and keeps its first `max_length_s` seconds (its own cut would be at random);
    shorter sound is repeated. Raises ValueError for sound that is empty or not finite.
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

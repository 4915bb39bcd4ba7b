"""Training the small CLAP pair: the one that conditions, and another that scores."""

import tempfile
from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import ByteLevelBPETokenizer
from transformers import ClapFeatureExtractor, RobertaTokenizer

from vf.backends.nets import clap as clap_net
from vf.backends.nets.small_clap import SmallClap
from vf.data.clips import words_of
from vf.signal import fit

SAMPLE_RATE, MEL_BINS = 16000, 64


def vocabulary(captions, most=0.9):
    """Words that tell captions apart: in more than one caption and in less than `most` of them. Sorted."""
    count = Counter(word for caption in captions for word in set(words_of(caption)))
    return sorted(w for w, c in count.items() if 1 < c < most * len(captions) and w not in ("after", "that"))


def bags(captions, words):
    """Which of `words` each caption has: (i, words) of 0 and 1."""
    return torch.tensor([[float(w in set(words_of(c))) for w in words] for c in captions]).reshape(
        len(captions), len(words)
    )


def overlap(captions, power=4):
    """How much two captions say the same, (i, i) in [0, 1]: cosine of their words, rare words weighing more.

    `power` sharpens it: half the words in common is a sixteenth of the same caption. Equal captions have 1.
    """
    held = bags(captions, vocabulary(captions))
    weighed = F.normalize(held * -held.mean(0).clamp(min=1e-6).log(), dim=-1)
    kinds = {c: k for k, c in enumerate(sorted(set(captions)))}
    kind = torch.tensor([kinds[c] for c in captions])
    return torch.maximum((weighed @ weighed.T).clamp(0, 1) ** power, (kind[:, None] == kind).float())


def train_tokenizer(captions, size=400, length=77):
    """A RobertaTokenizer whose byte-level vocabulary, of `size` tokens, is learnt from the captions."""
    bpe = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator(sorted(set(captions)), vocab_size=size, special_tokens=special, show_progress=False)
    with tempfile.TemporaryDirectory() as folder:
        bpe.save_model(folder)
        return RobertaTokenizer.from_pretrained(folder, model_max_length=length)


def feature_extractor():
    """CLAP's log-mel at 16 kHz: 20 ms frames, 5 s at most."""
    return ClapFeatureExtractor(
        sampling_rate=SAMPLE_RATE, hop_length=320, fft_window_size=1024, max_length_s=5, frequency_max=8000,
        truncation="rand_trunc", padding="repeatpad",
    )  # fmt: skip


def log_mels(extractor, waves, batch=32):
    """CLAP's log-mels of many waveforms, (i, s) array-like -> (i, 1, frames, bins), in decibels."""
    parts = []
    for i in range(0, len(waves), batch):
        part = np.stack([np.asarray(waves[j], np.float32) for j in range(i, min(i + batch, len(waves)))])
        parts.append(clap_net.log_mels(extractor, part, SAMPLE_RATE))
    return torch.cat(parts)


@dataclass(frozen=True)
class Options(fit.Training):
    """Training of a SmallClap; `backbone.clap` and `embedders.clap` of params.yaml have these keys.

    width, dims: of SmallClap. crop: frames of a random piece. gain_db: level is varied by so much either way, as timbre is
    not loudness.
    """

    width: int = 12
    dims: int = 64
    crop: int = 125
    gain_db: float = 6.0
    batch: int = 48
    lr: float = 2e-3
    warmup: float = 0.2
    weight_decay: float = 0.05


def train(features: torch.Tensor, captions: list, tokenizer, options: Options) -> tuple[SmallClap, list]:
    """Train a SmallClap on sounds and their captions.

    features: (i, 1, frames, bins) from `log_mels`. The loss is CLAP's symmetric cross-entropy, but a caption's target is
    shared among all sounds of the batch by `overlap`: captions repeat, and to push such pairs apart would be noise.
    Returns (clap, losses).
    """
    torch.manual_seed(options.seed)
    captions = list(captions)
    lexicon = sorted({word for caption in captions for word in words_of(caption)})
    clap = SmallClap(len(tokenizer), dims=options.dims, width=options.width, lexicon=lexicon)
    tokens = tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
    alike = overlap(captions)
    crop = min(options.crop, features.shape[2])

    def loss(generator):
        pick = torch.randint(len(captions), (options.batch,), generator=generator)
        start = int(torch.randint(features.shape[2] - crop + 1, (), generator=generator))
        gain = (2 * torch.rand(len(pick), 1, 1, 1, generator=generator) - 1) * options.gain_db
        piece = features[pick, :, start : start + crop] + gain
        sound = clap.get_audio_features(piece.to(clap.device)).pooler_output
        words = tokens.input_ids[pick].to(clap.device), tokens.attention_mask[pick].to(clap.device)
        text = clap.get_text_features(*words).pooler_output
        target = alike[pick][:, pick].to(clap.device)
        target = target / target.sum(-1, keepdim=True)
        scores = F.normalize(sound, dim=-1) @ F.normalize(text, dim=-1).T * clap.logit_scale.exp()
        return (F.cross_entropy(scores, target) + F.cross_entropy(scores.T, target)) / 2

    return clap, fit.fit(clap, loss, options, label="CLAP")

"""Training of the small CLAP, which is trained twice: one conditions the backbone, the other is for the CLAP score."""

import tempfile
from collections import Counter
from collections.abc import Sequence
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

SAMPLE_RATE = 16000
MEL_BINS = 64


def vocabulary(captions: Sequence[str], most: float = 0.9) -> list[str]:
    """Words that distinguish captions: in more than one caption and in less than a share `most` of them. Sorted."""
    count = Counter(word for caption in captions for word in set(words_of(caption)))
    return sorted(w for w, c in count.items() if 1 < c < most * len(captions) and w not in ("after", "that"))


def bags(captions: Sequence[str], words: Sequence[str]) -> torch.Tensor:
    """Bag of words of each caption: (captions, words), 1 for a word that it contains, else 0."""
    rows = [[float(word in set(words_of(caption))) for word in words] for caption in captions]
    return torch.tensor(rows).reshape(len(captions), len(words))


def overlap(captions: Sequence[str], power: float = 4) -> torch.Tensor:
    """Similarity of captions, (i, i) in [0, 1]: the cosine of their words to a power. Rare words have more weight.

    power: sharpens the similarity; with 4, half the words in common give 1/16. Equal captions have similarity 1.
    """
    bag = bags(captions, vocabulary(captions))
    weighted = F.normalize(bag * -bag.mean(0).clamp(min=1e-6).log(), dim=-1)
    numbers = {caption: number for number, caption in enumerate(sorted(set(captions)))}
    number = torch.tensor([numbers[caption] for caption in captions])
    return torch.maximum((weighted @ weighted.T).clamp(0, 1) ** power, (number[:, None] == number).float())


def train_tokenizer(captions: Sequence[str], size: int = 400, length: int = 77) -> RobertaTokenizer:
    """A RobertaTokenizer with a byte-level vocabulary learnt from captions.

    size: tokens of the vocabulary. length: largest number of tokens of a text.
    """
    bpe = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe.train_from_iterator(sorted(set(captions)), vocab_size=size, special_tokens=special, show_progress=False)
    with tempfile.TemporaryDirectory() as folder:
        bpe.save_model(folder)
        return RobertaTokenizer.from_pretrained(folder, model_max_length=length)


def feature_extractor() -> ClapFeatureExtractor:
    """CLAP's log-mel at 16 kHz: hop 20 ms, 5 s at most."""
    return ClapFeatureExtractor(
        sampling_rate=SAMPLE_RATE,
        hop_length=320,
        fft_window_size=1024,
        max_length_s=5,
        frequency_max=8000,
        truncation="rand_trunc",
        padding="repeatpad",
    )


def log_mels(
    extractor: ClapFeatureExtractor, waves: Sequence[np.ndarray] | np.ndarray, batch: int = 32
) -> torch.Tensor:
    """CLAP's log-mels of waveforms at 16 kHz: (i, s), perhaps on disk -> (i, 1, frames, bins), in decibels."""
    parts = []
    for i in range(0, len(waves), batch):
        part = np.stack([np.asarray(waves[j], np.float32) for j in range(i, min(i + batch, len(waves)))])
        parts.append(clap_net.log_mels(extractor, part, SAMPLE_RATE))
    return torch.cat(parts)


@dataclass(frozen=True)
class Options(fit.Training):
    """Training of a SmallClap; `backbone.clap` and `embedders.clap` of params.yaml have these keys.

    width, dims: of SmallClap. crop: frames of a random piece. gain_db: largest random change of level, because timbre
    is not loudness. steps, lr, ...: as in fit.Training.
    """

    width: int = 12
    dims: int = 64
    crop: int = 125
    gain_db: float = 6.0
    batch: int = 48
    lr: float = 2e-3
    warmup: float = 0.2
    weight_decay: float = 0.05


def train(
    features: torch.Tensor, captions: Sequence[str], tokenizer: RobertaTokenizer, options: Options
) -> tuple[SmallClap, list[float]]:
    """Train a SmallClap on sounds and their captions. Returns (clap, losses).

    features: (i, 1, frames, bins) from `log_mels`. The loss is CLAP's symmetric cross-entropy with soft targets: a
    caption is shared among all sounds of the batch in proportion to `overlap`. Captions repeat, so hard targets would
    push sounds of the same caption apart.
    """
    torch.manual_seed(options.seed)
    captions = list(captions)
    lexicon = sorted({word for caption in captions for word in words_of(caption)})
    clap = SmallClap(len(tokenizer), dims=options.dims, width=options.width, lexicon=lexicon)
    tokens = tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
    similarity = overlap(captions)
    crop = min(options.crop, features.shape[2])

    def loss(generator, _):  # of the whole batch: each sound is compared with every caption
        items = torch.randint(len(captions), (options.batch,), generator=generator)
        start = int(torch.randint(features.shape[2] - crop + 1, (), generator=generator))
        gain = (2 * torch.rand(len(items), 1, 1, 1, generator=generator) - 1) * options.gain_db
        piece = features[items, :, start : start + crop] + gain
        sound = clap.get_audio_features(piece.to(clap.device)).pooler_output
        text = clap.get_text_features(
            tokens.input_ids[items].to(clap.device), tokens.attention_mask[items].to(clap.device)
        ).pooler_output
        target = similarity[items][:, items].to(clap.device)
        target = target / target.sum(-1, keepdim=True)
        logits = F.normalize(sound, dim=-1) @ F.normalize(text, dim=-1).T * clap.logit_scale.exp()
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    return clap, fit.fit(clap, loss, options, label="CLAP", whole=True)

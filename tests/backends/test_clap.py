import numpy as np
import pytest
import torch

from vf.backends.nets import clap as clap_net
from vf.backends.nets.small_clap import SmallClap
from vf.backends.small import clap

HIT, SCRATCH = "A person hit metal with a wooden stick.", "A person scratch wood with a wooden stick."


def sounds(count=8):
    """Decaying tones and noise in turn, as metal and wood."""
    rng = np.random.default_rng(0)
    time = np.arange(16000) / 16000
    tone = np.sin(2 * np.pi * rng.uniform(500, 3000, (count, 1)) * time)
    waves = np.where(np.arange(count)[:, None] % 2 == 0, tone, 0.3 * rng.standard_normal((count, 16000)))
    return (0.5 * waves * np.exp(-time * rng.uniform(2, 20, (count, 1)))).astype(np.float32)


def test_words_that_every_caption_has_do_not_tell_them_apart():
    captions = [
        "A person hit plastic-bag with a wooden stick.",
        "A person hit rock.",
        "A person scratch rock plastic-bag.",
    ]
    assert clap.vocabulary(captions) == ["hit", "plastic-bag", "rock"]


def test_overlap_is_the_cosine_of_weighed_words():
    captions = ["hit wood", "hit metal", "scratch metal", "hit wood", "scratch cloth", "cloth"]
    alike = clap.overlap(captions, power=1)
    weight = {
        word: np.log(6 / sum(word in c.split() for c in captions)) for word in ("hit", "wood", "metal", "scratch")
    }
    wanted = weight["hit"] ** 2 / (np.hypot(weight["hit"], weight["wood"]) * np.hypot(weight["hit"], weight["metal"]))
    assert alike[0, 1].item() == pytest.approx(wanted)
    assert alike[0, 3] == 1 and alike[0, 2] == 0 and torch.equal(alike.diag(), torch.ones(6))
    torch.testing.assert_close(clap.overlap(captions, power=4)[0, 1], alike[0, 1] ** 4)


def test_captions_without_a_common_word_still_match_themselves():
    assert torch.equal(clap.overlap(["dog", "rain", "dog"]), torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]]))


def test_it_learns_which_caption_belongs_to_which_sound(tmp_path):
    captions = [HIT, SCRATCH] * 4
    tokenizer = clap.train_tokenizer(captions)
    features = clap.log_mels(clap.feature_extractor(), sounds())
    pair, losses = clap.train(features, captions, tokenizer, clap.Options(30, batch=8, width=4, lr=1e-2))
    sound = clap_net.embed_features(pair, features)
    text = clap_net.embed_text(pair, tokenizer, [HIT, SCRATCH])
    torch.testing.assert_close(sound.norm(dim=-1), torch.ones(8))
    assert losses[-1] < losses[0]
    assert (sound @ text.T).argmax(-1).tolist() == [0, 1] * 4
    pair.save_pretrained(tmp_path)
    torch.testing.assert_close(clap_net.embed_features(SmallClap.from_pretrained(tmp_path).eval(), features), sound)


def test_padding_says_nothing():
    tokenizer = clap.train_tokenizer([HIT, SCRATCH])
    pair = SmallClap(len(tokenizer), width=4).eval()
    alone = clap_net.embed_text(pair, tokenizer, ["hit"])
    torch.testing.assert_close(clap_net.embed_text(pair, tokenizer, ["hit", SCRATCH])[:1], alone)

import numpy as np
import pytest
import torch

from vf.models import video2rms
from vf.models.video2rms import Options, Video2RMS
from vf.signal import rms

TINY = dict(width=16, lstm=8, frames=12, rms_frames=50, bins=8, dropout=0.0, relu_logits=False)
BINS = rms.Bins(8)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_the_papers_network_has_80_million_parameters():
    with torch.device("meta"):
        model = Video2RMS()
    assert round(parameters(model) / 1e6, 2) == 80.17


def test_shapes_and_wrong_length():
    model = Video2RMS(features=5, **TINY)
    assert model(torch.randn(2, 12, 5)).shape == (2, 50, 8)
    with pytest.raises(ValueError, match="10 frames; the model takes 12"):
        model(torch.randn(2, 10, 5))


def test_the_layer_over_time_starts_as_interpolation():
    model = Video2RMS(features=5, **TINY)
    ramp = torch.arange(12.0)
    expected = torch.nn.functional.interpolate(ramp[None, None], 50, mode="linear")[0, 0]
    assert torch.allclose(model.over_time(ramp), expected, atol=1e-5)


def test_interpolation_can_be_had_whatever_the_start():
    drawn = Video2RMS(features=5, **TINY, init_std=0.02).interpolate()
    assert (
        torch.equal(drawn.over_time.weight, Video2RMS(features=5, **TINY).over_time.weight)
        and not drawn.over_time.bias.any()
    )


def test_the_authors_initialisation_and_relu():
    torch.manual_seed(0)
    model = Video2RMS(features=64, **(TINY | {"relu_logits": True, "width": 64}), init_std=0.02)
    assert model.convolutions[0].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert (model(torch.randn(2, 12, 64)) >= 0).all()


def test_width_zero_is_plain_cross_entropy():
    logits, classes = torch.randn(3, 50, 8), torch.randint(0, 8, (3, 50))
    expected = torch.nn.functional.cross_entropy(logits.transpose(1, 2), classes, reduction="none").sum(-1).mean()
    assert torch.allclose(video2rms.classification_loss(logits, classes, 0), expected)


def test_smoothed_loss_by_hand():
    logits, classes = torch.randn(1, 1, 8), torch.tensor([[4]])
    logp = logits.log_softmax(-1)[0, 0]
    weights = torch.tensor([0, 0, -2, -0.5, 0, -0.5, -2, 0]).exp() * torch.tensor([0, 0, 1, 1, 1, 1, 1, 0])
    assert torch.allclose(video2rms.classification_loss(logits, classes, 2), -(weights * logp).sum())


def test_normalised_labels_weigh_every_frame_alike():
    logits = torch.zeros(1, 2, 8)  # each class is as likely: a frame's loss is log 8 times the weight of its labels
    for classes in ([[4, 0]], [[0, 0]]):
        normal = video2rms.classification_loss(logits, torch.tensor(classes), 2, normalise=True)
        assert normal.item() == pytest.approx(2 * np.log(8), rel=1e-5)
    assert video2rms.classification_loss(logits, torch.tensor([[4, 0]]), 2).item() == pytest.approx(
        (2 + 2 * np.exp(-0.5) + 2 * np.exp(-2)) * np.log(8), rel=1e-5
    )


def test_decode_rules_by_hand():
    probability = torch.zeros(1, 8)
    probability[0, [0, 3, 5]] = torch.tensor([0.45, 0.25, 0.3])
    values = BINS.values()
    assert video2rms.decode(probability, BINS, "argmax")[0] == 0
    assert video2rms.decode(probability, BINS, "median")[0] == values[3]
    assert torch.allclose(video2rms.decode(probability, BINS, "mean")[0], 0.25 * values[3] + 0.3 * values[5])
    with pytest.raises(ValueError, match="wanted argmax, mean, median or mu_law"):
        video2rms.decode(probability, BINS, "mode")


def test_the_mean_on_the_scale_of_the_classes_lies_between_two_of_them():
    probability = torch.zeros(1, 8)
    probability[0, [3, 5]] = 0.5  # classes are equally wide on that scale
    assert torch.allclose(video2rms.decode(probability, BINS, "mu_law")[0], BINS.values()[4], rtol=1e-5)


@pytest.mark.parametrize("rule", video2rms.RULES)
def test_a_certain_model_decodes_the_same_by_every_rule(rule):
    classes = torch.randint(0, 8, (2, 50))
    certain = torch.nn.functional.one_hot(classes, 8).float()
    assert torch.allclose(video2rms.decode(certain, BINS, rule), BINS.decode(classes), atol=1e-6)


def flashes():
    """16 clips of 12 frames in which one frame differs, and their curves."""
    generator = torch.Generator().manual_seed(0)
    features, curves = torch.randn(16, 12, 4, generator=generator), torch.zeros(16, 48)
    for i, frame in enumerate(torch.randint(1, 11, (16,), generator=generator).tolist()):
        features[i, frame, 1] = 9
        curves[i, 4 * frame : 4 * frame + 4] = 0.5
    return features.numpy(), curves


def test_it_learns_where_the_flash_is():
    features, curves = flashes()
    torch.manual_seed(0)
    model = Video2RMS(features=4, **(TINY | {"rms_frames": 48}))
    losses = video2rms.train(model, features, curves, BINS, Options(120, batch=8, lr=1e-2))
    assert sum(losses[-10:]) < 0.3 * sum(losses[:10])
    _, estimate = video2rms.predict(model, features, BINS)
    assert torch.corrcoef(torch.stack([estimate.flatten(), curves.flatten()]))[0, 1] > 0.8


def test_saved_and_loaded_it_computes_the_same(tmp_path):
    model = Video2RMS(features=5, **TINY).eval()
    features = torch.randn(1, 12, 5)
    model.save_pretrained(tmp_path)
    assert torch.equal(Video2RMS.from_pretrained(tmp_path).eval()(features), model(features))


def test_regression_learns_a_curve_and_its_loss_is_the_squared_error():
    assert video2rms.squared_error(torch.tensor([[[0.5], [0.0]]]), torch.tensor([[0.1, 0.2]])).item() == pytest.approx(
        0.2
    )
    torch.manual_seed(0)
    features = torch.randn(8, 12, 5).numpy()
    curves = torch.rand(8, 1).expand(8, 50) * 0.5
    model = Video2RMS(features=5, **(TINY | {"bins": 1}))
    video2rms.train(model, features, curves, None, Options(150, batch=8, lr=1e-2))
    values, curve = video2rms.predict(model, features, None)
    assert values.shape == (8, 50, 1) and (curve >= 0).all()
    assert (curve - curves).abs().mean() < 0.3 * (curves - curves.mean()).abs().mean()


def test_the_onset_head_learns_beside_the_curve_and_alone():
    torch.manual_seed(0)
    labels = torch.rand(8, 12) < 0.2
    features = (torch.randn(8, 12, 5) * 0.1 + 2 * labels[..., None]).numpy()
    curves = torch.rand(8, 50) * 0.5
    for weights in ({"onset_weight": 1.0}, {"onset_weight": 1.0, "rms_weight": 0.0}):
        model = Video2RMS(features=5, onsets=True, **TINY)
        video2rms.train(model, features, curves, BINS, Options(80, batch=8, lr=2e-2, **weights), labels.numpy())
        probability = video2rms.predict_onsets(model, features)
        assert probability.shape == (8, 12) and probability[labels].mean() > probability[~labels].mean() + 0.3
    assert torch.equal(model.with_onsets(torch.as_tensor(features))[0], model(torch.as_tensor(features)))
    with pytest.raises(ValueError, match="no onset head"):
        video2rms.predict_onsets(Video2RMS(features=5, **TINY), features)


def test_targets_are_low_passed_before_their_room_tone_is_taken():
    curves = 0.02 * torch.rand(3, 50, generator=torch.Generator().manual_seed(0))
    plain, bins = video2rms.targets(curves, [0, 1], 8)
    assert plain is curves and bins == BINS
    smooth, bins = video2rms.targets(curves, [0, 1], 8, low_pass=True, room_tone=True)
    assert torch.equal(smooth, rms.low_pass(curves))
    assert bins.silence == rms.room_tone(smooth[[0, 1]]) != rms.room_tone(smooth)


def test_another_view_of_a_film_has_the_films_own_target():
    features, targets = np.arange(4.0)[:, None, None], torch.arange(4.0)[:, None]
    vectors, wanted = video2rms.with_views(features, [features[[1, 3]] + 10], targets, [1, 3])
    assert vectors[:, 0, 0].tolist() == [1, 3, 11, 13] and wanted[:, 0].tolist() == [1, 3, 1, 3]
    assert len(video2rms.with_views(features, [], targets, [1, 3])[0]) == 2


def test_no_clips_have_no_curves():
    model = Video2RMS(features=4, width=4, lstm=2, frames=10, rms_frames=40, bins=8, onsets=True)
    nothing = np.zeros((0, 10, 4), np.float32)
    probability, curves = video2rms.predict(model, nothing, model.classes)
    assert probability.shape == (0, 40, 8) and curves.shape == (0, 40)
    assert video2rms.predict_onsets(model, nothing).shape == (0, 10)


CHANGES = [{"label_width": 0}, {"label_width": 4, "sigma": 3.0}, {"normalise": True}]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_labels_are_those_of_the_options(changes):
    features, curves = flashes()

    def made():
        torch.manual_seed(0)
        return Video2RMS(features=4, **(TINY | {"rms_frames": 48}))

    options = Options(1, batch=8, **changes)
    (loss,) = video2rms.train(made(), features, curves, BINS, options)
    pick = torch.randint(16, (8,), generator=torch.Generator().manual_seed(0))
    logits, classes = made().train()(torch.as_tensor(features)[pick]), BINS.encode(curves)[pick]
    labels = options.label_width, options.sigma, options.normalise
    assert loss == pytest.approx(video2rms.classification_loss(logits, classes, *labels).item(), rel=1e-5)

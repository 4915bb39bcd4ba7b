"""Video2RMS: from the features of a silent film to classes of its RMS curve (sections 2.1, B.1)."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn
from tqdm.auto import tqdm

from vf.backends.tensors import build, part, read
from vf.signal import fit, rms

AUTHORS = [  # their names of the layers, and ours
    (r"encoder\.convolutions\.(\d)\.0\.conv\.", lambda m: f"convolutions.{4 * int(m[1])}."),
    (r"encoder\.convolutions\.(\d)\.1\.", lambda m: f"convolutions.{4 * int(m[1]) + 1}."),
    (r"encoder\.BiLSTM\.", "bilstm."),
    (r"encoder\.BiLSTM_projs\.0\.", "over_time."),
    (r"encoder\.BiLSTM_projs\.1\.", "to_classes."),
]


class Video2RMS(ModelMixin, ConfigMixin):
    """The paper's network: 3 x [convolution over time, batch norm, ReLU, dropout], a 2-layer BiLSTM, a linear layer over
    time from video frames to RMS frames, and one to the classes.

    features: size of a frame's feature vector. width: channels of the convolutions. lstm: units each way. frames,
    rms_frames: lengths in and out. bins: classes. relu_logits: the authors' ReLU after the last layer. init_std: the
    authors initialise weights with normal(0, 0.02); without it torch's defaults hold, and the layer over time starts as
    linear interpolation. silence: RMS that class 0 stands for (`rms.Bins`); only kept here, for who loads the model.
    onsets: a second head after the LSTM that tells onsets (App. E.1).
    """

    @register_to_config
    def __init__(
        self, features=2048, width=2048, lstm=512, frames=300, rms_frames=1250, bins=64, dropout=0.5, relu_logits=True,
        init_std=None, silence=0.0, onsets=False,
    ):  # fmt: skip
        super().__init__()
        blocks = []
        for size in (features, width, width):
            blocks += [nn.Conv1d(size, width, 5, padding=2), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)]
        self.convolutions = nn.Sequential(*blocks)
        self.bilstm = nn.LSTM(width, lstm, num_layers=2, batch_first=True, bidirectional=True)
        self.over_time = nn.Linear(frames, rms_frames)
        self.to_classes = nn.Linear(2 * lstm, bins)
        self.to_onsets = nn.Linear(2 * lstm, 1) if onsets else None
        if init_std:
            for module in self.modules():
                if isinstance(module, (nn.Conv1d, nn.Linear)):
                    nn.init.normal_(module.weight, 0, init_std)
                    nn.init.zeros_(module.bias)
        else:
            self.interpolate()

    @torch.no_grad()
    def interpolate(self):
        """Make the layer over time linear interpolation. Returns the model."""
        frames, rms_frames = self.config.frames, self.config.rms_frames
        self.over_time.weight.copy_(F.interpolate(torch.eye(frames)[None], rms_frames, mode="linear")[0].T)
        self.over_time.bias.zero_()
        return self

    @property
    def classes(self):
        """rms.Bins that the model's classes stand for."""
        return rms.Bins(self.config.bins, silence=self.config.silence)

    def forward(self, features):
        """features: (b, t, d). Returns logits (b, n, k).

        Raises ValueError for another number of frames than the model was made for.
        """
        return self._classify(self._states(features))

    def with_onsets(self, features):
        """Logits of the classes, (b, n, k), and of an onset in each video frame, (b, t); for a model with that head."""
        x = self._states(features)
        return self._classify(x), self.to_onsets(x)[..., 0]

    def _states(self, features):
        if features.shape[1] != self.config.frames:
            raise ValueError(
                f"features have {features.shape[1]} frames; the model takes {self.config.frames}: cut or pad the film"
            )
        x = self.convolutions(features.transpose(1, 2)).transpose(1, 2)
        return self.bilstm(x)[0]

    def _classify(self, x):
        x = self.over_time(x.transpose(1, 2)).transpose(1, 2)
        logits = self.to_classes(x)
        return F.relu(logits) if self.config.relu_logits else logits


def classification_loss(logits, classes, width, sigma=1.0, normalise=False):
    """Cross entropy against the smoothed labels of Eq. 3, summed over the frames, mean over the batch.

    logits: (b, n, k). classes: (b, n). width: W; 0 is plain cross entropy. normalise: labels of a frame sum to 1; without it, as in
    the paper, a frame that sounds weighs 2.5 times as much as a silent one where W = 2, since silence is not smoothed.
    """
    table = rms.smooth_labels(torch.arange(logits.shape[-1]), logits.shape[-1], width, sigma)  # one row for each class
    table = table / table.sum(-1, keepdim=True) if normalise else table
    labels = table.to(logits.device)[classes.to(logits.device)]
    return -(labels * logits.log_softmax(-1)).sum((-1, -2)).mean()


def squared_error(values, curves):
    """L2 loss of a regression of the curve itself, summed over the frames, mean over the batch: what section 2.1 tried first.

    values: (b, n, 1), a model of one class. curves: (b, n) RMS.
    """
    return (values[..., 0].float() - curves.to(values.device)).square().sum(-1).mean()


def decode(probability, bins, rule="mean"):
    """RMS of each frame from the distribution over classes.

    probability: (..., n, k). bins: rms.Bins. rule: "argmax", the paper's; "mean", of the classes' values, the least squared
    error; "median", the least absolute error. Returns (..., n). Raises ValueError for another rule.
    """
    values = bins.values().to(probability.device)
    if rule == "argmax":
        return values[probability.argmax(-1)]
    if rule == "mean":
        return probability @ values
    if rule == "median":
        return values[(probability.cumsum(-1) < 0.5).sum(-1).clamp(max=bins.count - 1)]
    raise ValueError(f"decode rule {rule!r}; wanted argmax, mean or median")


def targets(curves, among, count, low_pass=False, room_tone=False):
    """What Video2RMS learns to predict, and the classes it is told in (Eq. 2).

    curves: (clips, n) RMS of each clip's own sound; no annotation is used. among: indices of the training clips, whose room tone
    class 0 stands for where `room_tone` asks for it. count: classes. low_pass: smooth the curves first, as the authors do.
    Returns (the target curves, (clips, n); rms.Bins).
    """
    wanted = rms.low_pass(curves) if low_pass else curves
    return wanted, rms.Bins(count, silence=rms.room_tone(wanted[among]) if room_tone else 0.0)


def with_views(features, views, wanted, among):
    """Training clips and their other views, one after the other: (features ((1 + v) * k, t, d), targets ((1 + v) * k, n)).

    features: (clips, t, d). views: v arrays (k, t, d), the training films as other cameras would see them. wanted: tensor
    (clips, n) of targets, which a view does not change. among: indices of the k training clips.
    """
    return np.concatenate([features[among], *views]), wanted[among].repeat(1 + len(views), 1)


@dataclass(frozen=True)
class Options(fit.Training):
    """Training of Video2RMS; `video2rms.train` of params.yaml has these keys.

    label_width, sigma, normalise: of `classification_loss`. onset_weight: of the cross entropy of onsets, summed over the
    frames, where the model has an onset head; rms_weight: 0 for onsets alone (App. E.1).
    """

    label_width: int = 2
    sigma: float = 1.0
    normalise: bool = False
    onset_weight: float = 1e-3
    rms_weight: float = 1.0


def train(model: Video2RMS, features, curves, bins: rms.Bins | None, options: Options, onsets=None) -> list:
    """Train Video2RMS and return the loss of every step.

    features: (clips, t, d) array, perhaps on disk. curves: (clips, n) target RMS. bins: of the classes; None for a
    regression by `squared_error`, with a model of one class. onsets: (clips, t) labels of a model with an onset head.
    """
    targets = torch.as_tensor(curves).float() if bins is None else bins.encode(torch.as_tensor(curves))
    labels = {"width": options.label_width, "sigma": options.sigma, "normalise": options.normalise}

    def loss(generator):
        pick = torch.randint(len(targets), (options.batch,), generator=generator)
        x = _tensor(features[pick.numpy()], model.device)
        if bins is None:
            return squared_error(model(x), targets[pick])
        if onsets is None:
            return classification_loss(model(x), targets[pick], **labels)
        logits, onset_logits = model.with_onsets(x)
        wanted = _tensor(onsets[pick.numpy()], model.device)
        onset_loss = F.binary_cross_entropy_with_logits(onset_logits, wanted, reduction="sum") / options.batch
        rms_loss = classification_loss(logits, targets[pick], **labels)
        return options.rms_weight * rms_loss + options.onset_weight * onset_loss

    return fit.fit(model, loss, options, label="Video2RMS")


def _tensor(features, device):
    return torch.from_numpy(np.array(features, np.float32)).to(device)


@torch.no_grad()
def predict(model, features, bins, rule="mean", batch=8):
    """Class distributions (clips, n, k) and curves (clips, n) for features (clips, t, ...).

    bins: rms.Bins of the classes; None for a regression, whose values (clips, n, 1) come in place of the distributions.
    """
    model.eval()
    parts = []
    for i in tqdm(range(0, len(features), batch), desc="Video2RMS predicts", mininterval=2.0):
        parts.append(model(_tensor(features[i : i + batch], model.device)).cpu())
    if bins is None:
        return torch.cat(parts), torch.cat(parts)[..., 0].clamp(min=0)
    probability = torch.cat([logits.softmax(-1) for logits in parts])
    return probability, decode(probability, bins, rule)


@torch.no_grad()
def predict_onsets(model, features, batch=8):
    """Probability of an onset in each video frame, (clips, t), by a model with an onset head."""
    model.eval()
    parts = [model.with_onsets(_tensor(features[i : i + batch], model.device))[1] for i in range(0, len(features), batch)]
    return torch.cat(parts).sigmoid().cpu()


def from_authors(path):
    """The authors' Video2RMS (`checkpoint_000500_Video2RMS.pt`), with its ReLU on the logits and its layer over time.

    Raises tensors.CheckpointError for a file with other tensors.
    """
    return build(_sized, part(read(path), "", AUTHORS), path)


def _sized(tensors):
    width, features, _ = tensors["convolutions.0.weight"].shape
    bins, both_ways = tensors["to_classes.weight"].shape
    rms_frames, frames = tensors["over_time.weight"].shape
    return Video2RMS(features, width, both_ways // 2, frames, rms_frames, bins)

"""Video2RMS: from the features of a silent film to the classes of its RMS curve (sections 2.1, B.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models import ModelMixin
from numpy.typing import ArrayLike
from torch import nn
from tqdm.auto import tqdm

from vf.backends.tensors import build, part, read
from vf.signal import fit, rms

AUTHORS = [  # patterns of the authors' names of the layers, and the prefixes here
    (r"encoder\.convolutions\.(\d)\.0\.conv\.", lambda m: f"convolutions.{4 * int(m[1])}."),
    (r"encoder\.convolutions\.(\d)\.1\.", lambda m: f"convolutions.{4 * int(m[1]) + 1}."),
    (r"encoder\.BiLSTM\.", "bilstm."),
    (r"encoder\.BiLSTM_projs\.0\.", "over_time."),
    (r"encoder\.BiLSTM_projs\.1\.", "to_classes."),
]


class Video2RMS(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers declares config_name in both
    """The paper's network.

    Three times a convolution over time, batch norm, ReLU and dropout; a 2-layer BiLSTM; a linear layer over time, from
    video frames to RMS frames; a linear layer to the classes.

    features: size of a frame's feature vector. width: channels of the convolutions. lstm: units in each direction.
    frames, rms_frames: lengths of input and output. bins: number of classes. relu_logits: put a ReLU after the last
    layer, as the authors do. init_std: draw the weights from normal(0, init_std), 0.02 for the authors; with None,
    torch's defaults hold and the layer over time starts as linear interpolation. silence: RMS of class 0 (`rms.Bins`),
    stored with the model. onsets: add a second head after the LSTM, for onsets (App. E.1). Raises ValueError for a
    silence that is no RMS.
    """

    @register_to_config
    def __init__(
        self,
        features: int = 2048,
        width: int = 2048,
        lstm: int = 512,
        frames: int = 300,
        rms_frames: int = 1250,
        bins: int = 64,
        dropout: float = 0.5,
        relu_logits: bool = True,
        init_std: float | None = None,
        silence: float = 0.0,
        onsets: bool = False,
    ):
        super().__init__()
        if not 0 <= float(silence) <= 1:
            raise ValueError(f"silence is {silence!r}; wanted an RMS, 0 to 1")
        blocks: list[nn.Module] = []
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
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)
        else:
            self.interpolate()

    @torch.no_grad()
    def interpolate(self, ahead: float = 0.0) -> "Video2RMS":
        """Make the layer over time a linear interpolation. Returns the model.

        ahead: video frames by which it reads too late, so that what it says comes earlier.
        """
        frames, values = self.config["frames"], self.config["rms_frames"]
        where = ((torch.arange(values) + 0.5) * frames / values - 0.5 + ahead).clamp(0, frames - 1)
        self.over_time.weight.copy_((1 - (where[:, None] - torch.arange(frames)).abs()).clamp(min=0))
        self.over_time.bias.zero_()
        return self

    @property
    def classes(self) -> rms.Bins:
        """The classes of the model and the RMS that each stands for."""
        return rms.Bins(self.config["bins"], silence=self.config["silence"])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits of the classes, (b, n, k), from features (b, t, d).

        Raises ValueError for another number of frames than the model was made for.
        """
        return self._classify(self._states(features))

    def with_onsets(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the classes, (b, n, k), and of an onset in each video frame, (b, t).

        features: (b, t, d). Raises ValueError for a model without an onset head, and as `forward` does.
        """
        if self.to_onsets is None:
            raise ValueError("this Video2RMS has no onset head; wanted a model made with onsets=True")
        states = self._states(features)
        return self._classify(states), self.to_onsets(states)[..., 0]

    def _states(self, features):
        """Outputs of the LSTM, (b, t, 2 * lstm)."""
        if features.shape[1] != self.config["frames"]:
            raise ValueError(
                f"features have {features.shape[1]} frames; "
                f"the model takes {self.config['frames']}: cut or pad the film"
            )
        x = self.convolutions(features.transpose(1, 2)).transpose(1, 2)
        return self.bilstm(x)[0]

    def _classify(self, states):
        x = self.over_time(states.transpose(1, 2)).transpose(1, 2)
        logits = self.to_classes(x)
        return F.relu(logits) if self.config["relu_logits"] else logits


def classification_loss(
    logits: torch.Tensor, classes: torch.Tensor, width: int, sigma: float = 1.0, normalise: bool = False
) -> torch.Tensor:
    """Cross entropy with the smoothed labels of Eq. 3: the sum over the frames, then the mean over the batch.

    logits: (b, n, k). classes: (b, n). width: W; 0 gives plain cross entropy. sigma: of Eq. 3. normalise: scale the
    labels of a frame to a sum of 1. The paper does not. A frame with sound then weighs 2.5 times as much as a silent
    one where W = 2, since the label of silence is not smoothed.
    """
    table = rms.smooth_labels(torch.arange(logits.shape[-1]), logits.shape[-1], width, sigma)  # a row for each class
    table = table / table.sum(-1, keepdim=True) if normalise else table
    labels = table.to(logits.device)[classes.to(logits.device)]
    return -(labels * logits.log_softmax(-1)).sum((-1, -2)).mean()


def squared_error(values: torch.Tensor, curves: torch.Tensor) -> torch.Tensor:
    """Loss of a regression: squared error, the sum over the frames, then the mean over the batch.

    Section 2.1 reports a regression as the first attempt. values: (b, n, 1), from a model of one class. curves: (b, n)
    RMS.
    """
    return (values[..., 0].float() - curves.to(values.device)).square().sum(-1).mean()


RULES = ("argmax", "mean", "median", "mu_law")  # of `decode`


def decode(probability: torch.Tensor, bins: rms.Bins, rule: str = "mean") -> torch.Tensor:
    """RMS of each frame, (...), from probabilities of the classes, (..., k).

    rule: "argmax", the paper's; "mean", which has the least expected squared error; "median", which has the least
    expected absolute error; "mu_law", the mean on the scale of Eq. 2, between the two: it does not skip what is less
    likely than not, as the median does, and is not raised everywhere by what is loud and unlikely, as the mean is.
    Raises ValueError for another rule.
    """
    values = bins.values().to(probability.device)
    if rule == "argmax":
        return values[probability.argmax(-1)]
    if rule == "mean":
        return probability @ values
    if rule == "median":
        return values[(probability.cumsum(-1) < 0.5).sum(-1).clamp(max=bins.count - 1)]
    if rule == "mu_law":
        mu = bins.count - 1
        return rms.inverse_mu_law(probability @ rms.mu_law(values, mu), mu)
    raise ValueError(f"decode rule {rule!r}; wanted {', '.join(RULES[:-1])} or {RULES[-1]}")


def targets(
    curves: torch.Tensor, among: Sequence[int], count: int, low_pass: bool = False, room_tone: bool = False
) -> tuple[torch.Tensor, rms.Bins]:
    """The curves that Video2RMS learns to predict, and their classes (Eq. 2).

    curves: (clips, n) RMS of each clip's own sound; no annotation is used. among: indices of the training clips. count:
    classes. low_pass: smooth the curves first, as the authors do. room_tone: let class 0 stand for the training clips'
    room tone instead of 0. Returns (the target curves, (clips, n); the classes).
    """
    wanted = rms.low_pass(curves) if low_pass else curves
    return wanted, rms.Bins(count, silence=rms.room_tone(wanted[among]) if room_tone else 0.0)


def with_views(
    features: np.ndarray, views: Sequence[np.ndarray], wanted: torch.Tensor, among: Sequence[int]
) -> tuple[np.ndarray, torch.Tensor]:
    """Training clips, followed by their other views.

    features: (clips, t, d). views: v arrays (k, t, d), the training films as other cameras would see them. wanted:
    (clips, n) targets, which a view does not change. among: indices of the k training clips. Returns features
    ((1 + v) * k, t, d) and targets ((1 + v) * k, n).
    """
    return np.concatenate([features[among], *views]), wanted[among].repeat(1 + len(views), 1)


@dataclass(frozen=True)
class Options(fit.Training):
    """Training of Video2RMS; `video2rms.train` of params.yaml has these keys.

    label_width, sigma, normalise: see `classification_loss`. For a model with an onset head (App. E.1): onset_weight
    multiplies the cross entropy of the onsets, summed over the frames; rms_weight multiplies the loss of the classes, 0
    for onsets alone.
    """

    label_width: int = 2
    sigma: float = 1.0
    normalise: bool = False
    onset_weight: float = 1e-3
    rms_weight: float = 1.0


def train(
    model: Video2RMS,
    features: np.ndarray,
    curves: ArrayLike,
    bins: rms.Bins | None,
    options: Options,
    onsets: np.ndarray | None = None,
) -> list:
    """Train Video2RMS and return the loss of every step.

    features: (clips, t, d), perhaps mapped from disk. curves: RMS to learn, (clips, n). bins: the classes; None trains
    a model of one class by `squared_error`. onsets: labels (clips, t) for the onset head.
    """
    targets = torch.as_tensor(curves).float() if bins is None else bins.encode(torch.as_tensor(curves))

    def class_loss(logits, classes):
        return classification_loss(logits, classes, options.label_width, options.sigma, options.normalise)

    def drawn(generator):
        return torch.randint(len(targets), (options.batch,), generator=generator)

    def loss(generator, part):
        pick = part.rows(drawn(generator))
        x = _tensor(features[pick.numpy()], model.device)
        if bins is None:
            return squared_error(model(x), targets[pick])
        if onsets is None:
            return class_loss(model(x), targets[pick])
        logits, onset_logits = model.with_onsets(x)
        labels = _tensor(onsets[pick.numpy()], model.device)
        onset_loss = F.binary_cross_entropy_with_logits(onset_logits, labels, reduction="sum") / len(pick)
        return options.rms_weight * class_loss(logits, targets[pick]) + options.onset_weight * onset_loss

    return fit.fit(model, loss, options, label="Video2RMS", items=lambda generator: drawn(generator).tolist())


def _tensor(array, device):
    return torch.from_numpy(np.array(array, np.float32)).to(device)


@torch.no_grad()
def predict(
    model: Video2RMS, features: np.ndarray, bins: rms.Bins | None, rule: str = "mean", batch: int = 8
) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities of the classes, (clips, n, k), and RMS curves, (clips, n).

    features: (clips, t, d). bins: the classes; None for a regression, which returns its raw values (clips, n, 1) in
    place of the probabilities. rule: see `decode`.
    """
    model.eval()
    parts = []
    for i in tqdm(range(0, len(features), batch), desc="Video2RMS predicts", mininterval=2.0):
        parts.append(model(_tensor(features[i : i + batch], model.device)).cpu())
    if not parts:
        parts = [torch.zeros(0, model.config["rms_frames"], model.config["bins"])]
    if bins is None:
        values = torch.cat(parts)
        return values, values[..., 0].clamp(min=0)
    probability = torch.cat([logits.softmax(-1) for logits in parts])
    return probability, decode(probability, bins, rule)


@torch.no_grad()
def predict_onsets(model: Video2RMS, features: np.ndarray, batch: int = 8) -> torch.Tensor:
    """Probability of an onset in each video frame, (clips, t). features: (clips, t, d). The model has an onset head."""
    model.eval()
    parts = [torch.zeros(0, model.config["frames"])]
    for i in range(0, len(features), batch):
        _, logits = model.with_onsets(_tensor(features[i : i + batch], model.device))
        parts.append(logits.cpu())
    return torch.cat(parts).sigmoid()


def from_authors(path: str | Path) -> Video2RMS:
    """The authors' Video2RMS, from `checkpoint_000500_Video2RMS.pt`.

    Raises tensors.CheckpointError for a file with other tensors.
    """
    return build(_sized, part(read(path), "", AUTHORS), path)


def _sized(tensors):
    """A Video2RMS of the size that the tensors have."""
    width, features, _ = tensors["convolutions.0.weight"].shape
    bins, both_directions = tensors["to_classes.weight"].shape
    rms_frames, frames = tensors["over_time.weight"].shape
    return Video2RMS(features, width, both_directions // 2, frames, rms_frames, bins)

"""Files of the published names and layouts at little width, to run the paper profile without a download."""

import hashlib

import layouts
import torch
from torchvision.models.optical_flow import raft_large

from vf.backends.nets import bn_inception, i3d, panns, vggish
from vf.backends.small import clap as small_clap
from vf.backends.weights import WEIGHTS


def write(folder):
    """Fill a folder with all weights that `dvc repro` needs in the paper profile.

    Returns {published hash: the file's own}.
    """
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    tensors = {n: t for n, t in layouts.fill(layouts.whole(small=True)).items() if "control_net" not in n}
    torch.save({"state_dict": tensors | {"scale_factor": torch.tensor(0.5)}}, folder / WEIGHTS["audioldm"].file)
    small_clap.train_tokenizer(["A person hit metal with a wooden stick."]).save_pretrained(
        folder / WEIGHTS["roberta"].file
    )
    torch.save(bn_inception.BNInception(3).state_dict(), folder / WEIGHTS["bn_inception"].file)
    torch.save(raft_large(weights=None).state_dict(), folder / WEIGHTS["raft"].file)
    torch.save({"model": panns.WavegramLogmelCnn14(16, 5).state_dict()}, folder / WEIGHTS["panns"].file)
    torch.save(vggish.VGGish(2, 8, 4).state_dict(), folder / WEIGHTS["vggish"].file)
    torch.save(i3d.I3D(8, 5).state_dict(), folder / WEIGHTS["i3d"].file)
    torch.save({"state_dict": layouts.fill(layouts.laion_clap(small=True))}, folder / WEIGHTS["laion_clap"].file)
    torch.save({"model": layouts.fill(layouts.ms_clap(small=True))}, folder / WEIGHTS["ms_clap"].file)
    hashes = {}
    for weight in WEIGHTS.values():
        if weight.sha256 and (folder / weight.file).is_file():
            hashes[weight.sha256] = hashlib.sha256((folder / weight.file).read_bytes()).hexdigest()[
                : len(weight.sha256)
            ]
    return hashes

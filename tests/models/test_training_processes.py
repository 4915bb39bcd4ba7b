"""Trainings in two processes, or in several passes, are those of one process with the same batch."""

from functools import partial

import numpy as np
import pytest
import torch
import trainings
from launch import launch

from vf.data import writing
from vf.signal import batches, fit
from vf.signal.batches import Part
from vf.signal.checkpoint import steps_done

PASSES = "ACCELERATE_GRADIENT_ACCUMULATION_STEPS"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Has a pipeline without a control net, and states of trainings that one process has begun."""
    folder = tmp_path_factory.mktemp("processes")
    trainings.save_pipeline(folder / "pipeline")
    trainings.regression(folder / "one-two", until=4)
    frames = np.random.default_rng(0).integers(256, size=(32, 24, 32, 3), dtype=np.uint8)
    writing.write_film(folder / "film.mp4", frames, 25)
    return folder


@pytest.fixture(scope="module")
def functions(folder):
    pipeline = folder / "pipeline"
    return {
        "paper": partial(trainings.control_net, pipeline, **trainings.PAPER),
        "small": partial(trainings.control_net, pipeline),
        "bf16": partial(trainings.control_net, pipeline, precision="bf16"),
        "batch norm": trainings.video2rms_net,
        "batch norm in eval": partial(trainings.video2rms_net, "eval"),
        "text to audio": trainings.text_to_audio,
        "onsets": trainings.onset_net,
        "frames": trainings.frame_net,
        "tagger": trainings.tagger,
        "plain": trainings.regression,
    }


@pytest.fixture(scope="module")
def one(functions):
    """Losses in one process."""
    return {name: function() for name, function in functions.items()}


@pytest.fixture(scope="module")
def two(functions, folder):
    """What each of two processes returns."""
    more = {
        "paper in passes": partial(trainings.in_passes, 2, functions["paper"]),
        "small in passes": partial(trainings.in_passes, 2, functions["small"]),
        "one, then two": partial(trainings.regression, folder / "one-two"),
        "two begin": partial(trainings.regression, folder / "two-one", until=4),
        "two begin again": partial(trainings.regression, folder / "two-two", until=5),
        "two, then two": partial(trainings.regression, folder / "two-two"),
        "nan": partial(trainings.regression, folder / "nan", 5, "nan"),
        "odd": partial(trainings.regression, batch=7),
        "examples": partial(trainings.embedded, folder / "pipeline", folder / "examples"),
        "clips": partial(trainings.seen, folder / "film.mp4", folder / "seen"),
    }
    results, codes = launch({**functions, **more})
    assert codes == [0, 0]
    return results


def near(values):
    return pytest.approx(values, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    "name", ["paper", "small", "batch norm", "batch norm in eval", "text to audio", "onsets", "frames", "tagger"]
)
def test_two_processes_learn_what_one_does(one, two, name):
    assert two[0][name] == two[1][name] == near(one[name])


def test_in_bf16_two_processes_learn_nearly_what_one_does(one, two):
    assert two[0]["bf16"] == two[1]["bf16"] == pytest.approx(one["bf16"], rel=2e-2)


def test_a_batch_in_passes_is_the_batch_at_once(one, two, functions, monkeypatch):
    for name in ("paper", "small"):
        assert two[0][f"{name} in passes"] == two[1][f"{name} in passes"] == near(one[name])
    monkeypatch.setenv(PASSES, "4")
    for name in ("paper", "small", "batch norm in eval"):
        assert functions[name]() == near(one[name])


def test_a_training_goes_on_in_another_number_of_processes(one, two, folder):
    assert two[0]["plain"] == near(one["plain"])
    assert two[0]["one, then two"] == near(one["plain"])
    assert two[0]["two begin"] == near(one["plain"][:4])
    assert trainings.regression(folder / "two-one") == near(one["plain"])
    assert two[0]["two, then two"] == two[0]["plain"], "bit for bit"


def test_a_killed_process_ends_the_others_with_one_line(tmp_path):
    (main, killed), codes = launch({"it": partial(trainings.regression, tmp_path, 5, "killed")})
    assert codes == [0, -9] and killed is None
    message = str(main["it"])
    assert "another process of this training has ended" in message and "\n" not in message
    assert steps_done(tmp_path) == 4


@pytest.mark.parametrize("where", ["embedding", "reading"])
def test_those_that_wait_for_a_killed_process_end_with_the_same_line(tmp_path, where):
    (killed, other), codes = launch({"it": partial(trainings.killed, where, tmp_path)})
    assert codes == [-9, 0] and killed is None
    message = str(other["it"])
    assert message.startswith("another process of this training has ended (") and "\n" not in message


def test_a_notebook_launches_a_training_after_it_has_used_a_device(one, tmp_path):
    ([results], codes) = launch({"it": partial(trainings.in_a_notebook, tmp_path)}, processes=1)
    assert codes == [0]
    (device, is_main, alone), done, after = results["it"]
    assert (device, is_main, len(alone)) == (fit.device().type, True, 2)
    assert done == 8 and after == near(one["plain"])


def test_a_loss_that_is_no_number_in_one_process_stops_them_all(two, folder):
    assert all("regression: loss is nan at step 5; " in str(results["nan"]) for results in two)
    assert steps_done(folder / "nan") == 4


def test_a_batch_that_cannot_be_divided_is_refused(two):
    assert "regression: a batch of 7 for 2 processes of 1 passes; wanted a multiple of 2" in str(two[0]["odd"])


def test_processes_divide_the_shards_of_the_examples(two, folder, tmp_path):
    """Five sounds, two a shard: the first process has the first and the third shard. Nothing is embedded twice."""
    first, second = (results["examples"] for results in two)
    assert first[:2] == second[:2] and (first[2], second[2]) == ([3, 0], [2, 0])
    shapes, total, _ = trainings.embedded(folder / "pipeline", tmp_path)
    assert first[0] == shapes and first[1] == pytest.approx(total, rel=1e-5)


def test_processes_divide_the_clips_of_films_and_see_what_one_does(two, folder, tmp_path):
    """Five clips, two a shard, 0.2 s apart. No clip is read twice, and the files are the same to the byte."""
    alone, read = trainings.seen(folder / "film.mp4", tmp_path)
    (first, ours), (second, theirs) = (results["clips"] for results in two)
    assert read == [pytest.approx([0, 0.2, 0.4, 0.6, 0.8]), []]
    assert ours == [pytest.approx([0, 0.2, 0.8]), []] and theirs == [pytest.approx([0.4, 0.6]), []]
    assert list(alone) == ["maps", "times", "energy", "pictures"]
    assert all(np.array_equal(first[name], alone[name]) for name in alone)
    assert all(np.array_equal(second[name], alone[name]) for name in alone)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["000000.npy", "000002.npy", "000004.npy"]
    assert all((tmp_path / name).read_bytes() == (folder / "seen" / name).read_bytes() for name in files)


def test_one_process_goes_on_after_training():
    assert launch({"it": trainings.alone_after_training}) == ([{"it": "goes on"}, None], [0, 0])


def test_parts_make_up_the_batch_and_dropout_knows_its_rows():
    batch = torch.arange(12.0).reshape(6, 2)
    assert torch.equal(torch.cat([Part(i, 3).rows(batch) for i in range(3)]), batch) and Part(1, 3).whole(2) == 6
    layer = torch.nn.Dropout(0.5)

    def dropped(part):
        torch.manual_seed(0)
        with batches.undivided(layer, part):
            return layer(part.rows(batch))

    assert torch.equal(torch.cat([dropped(Part(i, 3)) for i in range(3)]), dropped(Part()))
    assert "forward" not in vars(layer)

"""Trainings in several processes, or in several passes, are those of one process with the same batch."""

from functools import partial

import pytest
import torch
import trainings
from launch import launch, losses

from vf.signal import batches
from vf.signal.batches import Part


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """Folder of a pipeline without a control net."""
    folder = tmp_path_factory.mktemp("pipeline")
    trainings.save_pipeline(folder)
    return folder


def near(values):
    return pytest.approx(values, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("train", [trainings.paper_control_net, trainings.control_net])
def test_the_control_net_learns_the_same_in_two_processes_and_in_passes(pipeline, train):
    one = losses(train, pipeline, processes=1)
    assert losses(train, pipeline) == near(one)
    assert losses(train, pipeline, ACCELERATE_GRADIENT_ACCUMULATION_STEPS=2) == near(one)
    assert losses(train, pipeline, processes=1, ACCELERATE_GRADIENT_ACCUMULATION_STEPS=4) == near(one)


def test_a_control_net_in_bf16_learns_nearly_the_same(pipeline):
    train = partial(trainings.control_net, precision="bf16")
    assert losses(train, pipeline) == pytest.approx(losses(train, pipeline, processes=1), rel=2e-2)


@pytest.mark.parametrize("norm", ["train", "eval"])
def test_video2rms_learns_the_same_with_its_batch_norm_over_both_processes(norm):
    train = partial(trainings.video2rms_net, norm)
    one = losses(train, processes=1)
    assert losses(train) == near(one)
    if norm == "eval":
        assert losses(train, processes=1, ACCELERATE_GRADIENT_ACCUMULATION_STEPS=2) == near(one)


@pytest.mark.parametrize("name", ["text_to_audio", "onset_net", "frame_net", "tagger"])
def test_the_other_networks_learn_the_same_in_two_processes(name):
    train = getattr(trainings, name)
    assert losses(train) == near(losses(train, processes=1))


def test_a_training_goes_on_in_another_number_of_processes(tmp_path):
    whole = losses(trainings.regression, processes=1)
    assert losses(trainings.regression) == near(whole)
    for first, second in ((1, 2), (2, 1), (2, 2)):
        folder = tmp_path / f"{first}{second}"
        begun = losses(partial(trainings.regression, folder, until=4), processes=first)
        assert begun == near(whole[:4])
        assert losses(partial(trainings.regression, folder), processes=second) == near(whole)


def test_the_same_number_of_processes_goes_on_bit_for_bit(tmp_path):
    whole = losses(trainings.regression)
    losses(partial(trainings.regression, tmp_path, until=5))
    assert losses(partial(trainings.regression, tmp_path)) == whole


def test_a_killed_process_ends_the_others_with_one_line(tmp_path):
    (main, killed), codes = launch(trainings.regression, tmp_path, 5, "killed")
    assert codes == [0, -9] and killed is None
    assert isinstance(main, RuntimeError) and "another process of this training has ended" in str(main)
    assert "\n" not in str(main)
    assert len(losses(partial(trainings.regression, tmp_path))) == 8, "goes on from the last saved state"


def test_a_loss_that_is_no_number_in_one_process_stops_them_all(tmp_path):
    results, codes = launch(trainings.regression, tmp_path, 5, "nan")
    assert codes == [0, 0] and all("regression: loss is nan at step 5; " in str(error) for error in results)


def test_one_process_writes_the_examples(pipeline, tmp_path):
    (first, second), codes = launch(trainings.embedded, pipeline, tmp_path)
    assert codes == [0, 0] and first[:2] == second[:2] and (first[2], second[2]) == (2, 0)


def test_one_process_goes_on_after_training():
    assert launch(trainings.alone_after_training) == (["goes on", None], [0, 0])


def test_a_batch_that_cannot_be_divided_is_refused():
    (first, _), _ = launch(partial(trainings.regression, batch=7))
    assert "regression: a batch of 7 for 2 processes of 1 passes; wanted a multiple of 2" in str(first)


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

import numpy as np
import pytest

from vf.data import columns, files, maps, processes
from vf.signal.timeline import Timeline


def squares(rows):
    return {"number": np.array(rows), "grid": np.stack([np.full((2, 3), i * i, np.uint8) for i in rows])}


@pytest.fixture
def found(tmp_path):
    return columns.table(5, squares, tmp_path / "table", 2)


def test_a_column_is_read_by_row_by_rows_and_within_them(found):
    grid = found["grid"]
    assert (len(grid), grid.shape, grid.dtype) == (5, (5, 2, 3), np.uint8)
    whole = np.stack([np.full((2, 3), i * i, np.uint8) for i in range(5)])
    for index in (3, -1, np.int64(2), slice(None), slice(1, 4), [4, 0, 4], np.array([1, 2]), range(2, 5)):
        assert np.array_equal(grid[index], whole[index])
    assert np.array_equal(grid[3, 1], whole[3, 1]) and np.array_equal(grid[[1, 4], 0, 1:], whole[[1, 4], 0, 1:])
    assert np.array_equal(np.array(list(grid)), whole)
    with pytest.raises(IndexError):
        grid[5]


def test_a_column_is_written_as_the_array_that_it_is(found, tmp_path):
    files.write_array(tmp_path / "grid.npy", found["grid"])
    files.write_array(tmp_path / "array.npy", found["grid"][:])
    assert (tmp_path / "grid.npy").read_bytes() == (tmp_path / "array.npy").read_bytes()


def test_a_table_goes_on_behind_its_last_whole_shard(tmp_path):
    computed = []

    def stops(rows):
        computed.append(list(rows))
        if rows.start == 2 and len(computed) == 2:
            raise KeyboardInterrupt
        return squares(rows)

    with pytest.raises(KeyboardInterrupt):
        columns.table(5, stops, tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["000000.npy"]
    found = columns.table(5, stops, tmp_path, 2)
    assert computed == [[0, 1], [2, 3], [2, 3], [4]] and list(found["number"]) == [0, 1, 2, 3, 4]


def test_a_film_that_cannot_be_read_leaves_the_clips_before_it(tmp_path):
    with pytest.raises(ValueError, match="none.mp4: no such file"):
        maps.read_clips([(tmp_path / "none.mp4", 0.0)], None, Timeline(0.4, 25), (32, 24), tmp_path / "seen")
    assert not list((tmp_path / "seen").iterdir())


def test_an_item_is_made_while_the_one_before_is_used_and_fails_in_its_turn():
    made = []

    def items():
        for i in range(3):
            made.append(i)
            yield i
        raise OSError("broken")

    taken = processes.ahead(items())
    assert [next(taken), next(taken), next(taken)] == [0, 1, 2] and made == [0, 1, 2]
    with pytest.raises(OSError, match="broken"):
        next(taken)
    assert list(processes.ahead([])) == []


def test_threads_work_on_a_few_jobs_and_give_results_in_order():
    begun = []

    def double(job):
        begun.append(job)
        if job == 6:
            raise OSError("broken")
        return 2 * job

    results = processes.in_threads(double, range(9), 2)
    assert [next(results), next(results)] == [0, 2] and max(begun) <= 3
    assert [next(results) for _ in range(4)] == [4, 6, 8, 10]
    with pytest.raises(OSError, match="broken"):
        next(results)

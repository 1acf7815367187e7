"""The rounds of a benchmark: who takes turns, how many turns there are, and what follows exhausted memory."""

from benchmark_helpers import build_result, build_row

from harness.launchers.benchmark import measure_rows


def measure(rows, repeats, run_requests, notify=lambda text: None, seconds=0.1):
    return list(measure_rows(rows, repeats, seconds, run_requests, notify))


def test_measure_rows_reverses_the_order_of_turns_in_every_second_round():
    orders = []

    def run_requests(requests):
        orders.append([request["variant"]["name"] for request in requests])
        return [build_result() for _ in requests]

    rounds = measure([build_row("one"), build_row("two")], 3, run_requests)
    assert orders == [["one", "two"], ["two", "one"], ["one", "two"]]
    assert [[len(row.repeats) for row in rows] for rows in rounds] == [[1, 1], [2, 2], [3, 3]]


def test_measure_rows_with_memory_exhausted_in_turns_tries_each_row_by_itself_with_its_whole_batch():
    sizes, lines = [], []

    def run_requests(requests):
        sizes.append(len(requests))
        return [{"exhausted": "out of memory"} if len(requests) > 1 else build_result() for _ in requests]

    (rows,) = measure([build_row("one"), build_row("two")], 1, run_requests, lines.append)
    assert sizes == [2, 1, 1]
    assert [(row.fitted, row.repeats[0].group) for row in rows] == [(None, None)] * 2
    assert lines == []


def test_measure_rows_with_memory_exhausted_by_itself_halves_the_batch_and_measures_again():
    """Repeats with the larger batch are dropped."""
    batches, lines = [], []

    def run_requests(requests):
        batch = requests[0]["setting"]["batch"]
        batches.append(batch)
        return [{"exhausted": "out of memory"}] if len(batches) == 2 else [build_result(batch)]

    (row,) = measure([build_row()], 2, run_requests, lines.append)[-1]
    assert batches == [8, 8, 4, 4]
    assert (row.fitted, row.batch, [repeat.batch for repeat in row.repeats]) == (4, 4, [4, 4])
    assert [repeat.group for repeat in row.repeats] == [None, None]
    assert lines == ["small: 8 images do not fit in memory; trying 4."]


def test_measure_rows_gives_slow_steps_fewer_turns_and_all_rows_of_a_round_the_same():
    turns = []

    def run_requests(requests):
        turns.append([request["turns"] for request in requests])
        return [build_result() for _ in requests]

    measure([build_row(), build_row("slow", macs=10**12)], 1, run_requests, seconds=1.0)
    measure([build_row()], 1, run_requests, seconds=1.0)
    assert turns == [[4, 4], [10]]


def test_measure_rows_that_do_not_fit_in_memory_together_measures_one_after_the_other():
    sizes = []

    def run_requests(requests):
        sizes.append(len(requests))
        return [build_result() for _ in requests]

    measure([build_row("one", training_bytes=2**50), build_row("two", training_bytes=2**50)], 1, run_requests)
    assert sizes == [1, 1]

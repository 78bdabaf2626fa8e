"""The next item is worked on while the present one is used."""

import threading

import pytest

from screening.inference.look_ahead import map_ahead

TIMEOUT_SECONDS = 30


def test_results_come_in_order_and_each_item_is_mapped_once() -> None:
    called: list[int] = []

    def double(item: int) -> int:
        called.append(item)
        return 2 * item

    assert list(map_ahead(double, range(50))) == list(range(0, 100, 2))
    assert called == list(range(50))
    assert list(map_ahead(double, [])) == []


def test_the_next_item_is_made_ready_while_the_present_one_is_used() -> None:
    started = [threading.Event() for _ in range(3)]

    def start(item: int) -> int:
        started[item].set()
        return item

    for item in map_ahead(start, range(3)):
        following = min(item + 1, 2)
        assert started[following].wait(TIMEOUT_SECONDS)  # would never be set by a plain map


def test_no_more_than_one_item_is_worked_on_ahead() -> None:
    called: list[int] = []
    results = map_ahead(called.append, range(10))
    next(results)
    results.close()
    assert called in ([0], [0, 1])


def test_an_error_is_raised_where_its_result_is_asked_for() -> None:
    results = map_ahead(lambda item: 1 // item, [1, 0, 1])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_single_item_needs_no_thread() -> None:
    assert list(map_ahead(lambda _: threading.current_thread(), ["only"])) == [threading.current_thread()]

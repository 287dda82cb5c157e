"""Asking with a time limit that holds whatever is asked."""

import threading

import pytest

from mod_sample.storage.errors import NotStored, StorageUnavailable
from mod_sample.storage.side_by_side import ask_within


def test_an_answer_in_time_is_given() -> None:
    assert ask_within(lambda: 7, 5) == 7


def test_what_is_raised_in_time_is_raised() -> None:
    def ask() -> None:
        raise NotStored("x")

    with pytest.raises(NotStored):
        ask_within(ask, 5)


def test_nobody_waits_longer_than_the_limit() -> None:
    release = threading.Event()
    try:
        with pytest.raises(StorageUnavailable):
            ask_within(release.wait, 0.1)
    finally:
        release.set()

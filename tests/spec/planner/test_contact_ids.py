"""Ids of contacts: they sort as contacts come in, wherever a batch begins, and cannot be guessed one from another."""

from itertools import islice

import pytest

from services.planner.contacts.contacts import contact_ids


@pytest.mark.parametrize("first", [0, 1, 1000, 1023, 1024, 999_999, 2**35 - 3000])
def test_ids_sort_as_they_are_given(first: int) -> None:
    """Twelve characters each, over the borders of a thousand, and the next batch goes on behind."""
    ids = list(islice(contact_ids(first), 2_500))
    assert ids == sorted(set(ids))
    assert {len(each) for each in ids} == {12}
    assert next(contact_ids(first + 2_500)) > ids[-1]


def test_the_same_ordinal_gives_another_id_each_time() -> None:
    """25 bits by chance."""
    assert len({next(contact_ids(7)) for _ in range(50)}) > 45
    assert len({next(contact_ids(7))[:7] for _ in range(50)}) == 1

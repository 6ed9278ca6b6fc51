"""What `make permissions` takes away: everything that the templates allow, or it is said why not."""

from fnmatch import fnmatchcase

import pytest
from lab.permissions import NOT_SHOWN, SHOWN, STORIES, Piece, pieces, story_of

ALL = pieces()


@pytest.mark.parametrize("piece", ALL, ids=str)
def test_each_action_has_a_story_that_needs_it_or_a_reason_why_none_is_told(piece: Piece) -> None:
    in_lists = [any(fnmatchcase(str(piece), pattern) for pattern, _ in each) for each in (SHOWN, NOT_SHOWN)]
    assert sorted(in_lists) == [False, True]


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in SHOWN + NOT_SHOWN])
def test_each_pattern_is_of_something_that_the_templates_say(pattern: str) -> None:
    assert [piece for piece in ALL if fnmatchcase(str(piece), pattern)]


def test_each_story_is_needed_by_some_action() -> None:
    assert {story_of(piece) for piece in ALL} - {None} == set(STORIES)

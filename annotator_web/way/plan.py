"""In which order each rater sees the sessions, and which are shown a second time without a word.

A rater's order is a row of a Williams square over the sessions: over as many raters as it has rows
every session stands at every place, and after every other, equally often (Williams 1949, Australian
Journal of Scientific Research A 2(2), 149-168). Where dimensions are rated one at a time, the one
that comes first changes from rater to rater. A plan is kept when the first take begins, and from
then on never moves: sessions that come to the study later stand at the end, and those that left
it are passed over.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select

from annotator_web.store.database import plans

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from annotator_web.project import Project
    from annotator_web.store.takes import Purpose, Take

__all__ = [
    "Entry",
    "is_done",
    "make_plan",
    "plan_of",
    "purpose_of",
    "repeats_due",
    "takes_of",
    "williams_row",
    "with_repeats",
]

_LEAST_FOR_A_REPEAT: Final = 2
"""With a single session a repeat would follow the first showing at once."""

_ROUNDING: Final = 1e-9
"""A share of 0.07 of 100 sessions is 7 of them, whatever binary fractions make of it."""


@dataclass(frozen=True)
class Entry:
    """One take that a rater is asked for."""

    position: int
    """Place among the rater's entries, from 1."""
    session: str
    dimensions: tuple[str, ...]
    is_repeat: bool
    """Whether the session was shown before; raters are never told."""


def plan_of(
    connection: Connection, project: Project, rater_key: int, sessions: Sequence[str]
) -> list[Entry]:
    """What a rater is asked for, in order: what is kept, and what `make_plan` would add to it.

    Args:
        connection: Any.
        project: The rating project.
        rater_key: Key of the rater's row; raters with neighbouring keys get neighbouring rows.
        sessions: What the rater may rate now, in the order of the study; entries of others are
            passed over.
    """
    kept = _kept(connection, rater_key)
    allowed = set(sessions)
    asked = {frozenset(group) for group in project.groups()}
    shown = [
        entry
        for entry in (*kept, *_lacking(project, kept, rater_key, sessions))
        if entry.session in allowed and frozenset(entry.dimensions) in asked
    ]
    return [replace(entry, position=at) for at, entry in enumerate(shown, start=1)]


def make_plan(
    connection: Connection, project: Project, rater_key: int, sessions: Sequence[str]
) -> None:
    """Keeps what `plan_of` says of the same; from then on it never moves.

    Args:
        connection: A writing one.
        project: As in `plan_of`.
        rater_key: As in `plan_of`.
        sessions: As in `plan_of`.
    """
    kept = _kept(connection, rater_key)
    rows = [
        {**asdict(entry), "rater": rater_key, "dimensions": list(entry.dimensions)}
        for entry in _lacking(project, kept, rater_key, sessions)
    ]
    if rows:
        connection.execute(insert(plans), rows)


def takes_of(entry: Entry, found: Iterable[Take]) -> list[Take]:
    """The takes among `found` that were given for an entry, in the order of `found`."""
    purpose = "repeat" if entry.is_repeat else "rating"
    return [
        take
        for take in found
        if take.session == entry.session
        and take.purpose == purpose
        and set(take.dimensions) == set(entry.dimensions)
    ]


def is_done(entry: Entry, found: Iterable[Take]) -> bool:
    """Whether one of the takes `found` finished an entry."""
    return any(take.is_finished for take in takes_of(entry, found))


def purpose_of(
    entries: Sequence[Entry], found: Sequence[Take], session: str, dimensions: Iterable[str]
) -> Purpose:
    """Why the next take of a session is given.

    It is the hidden repeat where the plan has one, the first showing is finished, and another
    session was finished since; or where nothing else is left. Else it is rated again for another
    reason, and counts as any rating.

    Args:
        entries: The rater's plan.
        found: All takes of the rater.
        session: What is going to be rated, a session of the study and not the practice clip.
        dimensions: On what.
    """
    names = set(dimensions)
    mine = [e for e in entries if e.session == session and set(e.dimensions) == names]
    repeat = next((entry for entry in mine if entry.is_repeat), None)
    if repeat is None or is_done(repeat, found):
        return "rating"
    finished = [
        take.finished_utc
        for entry in mine
        if not entry.is_repeat
        for take in takes_of(entry, found)
        if take.finished_utc is not None
    ]
    if not finished:
        return "rating"
    first = min(finished)
    is_something_between = any(
        take.finished_utc is not None and take.finished_utc >= first and take.session != session
        for take in found
        if take.purpose in {"rating", "repeat"}
    )
    is_all_that_is_left = all(is_done(entry, found) for entry in entries if entry != repeat)
    return "repeat" if is_something_between or is_all_that_is_left else "rating"


def williams_row(count: int, number: int) -> list[int]:
    """Row `number` (any whole number) of the Williams square over `count` things.

    Over all rows, `count` of them where it is even and twice as many where it is odd, each thing
    stands at each place, and directly after each other one, equally often.
    """
    if not count:
        return []
    first = [(step + 1) // 2 if step % 2 else -(step // 2) for step in range(count)]
    row = [(at + number) % count for at in first]
    is_mirrored = count % 2 == 1 and (number // count) % 2 == 1
    return row[::-1] if is_mirrored else row


def with_repeats(order: Sequence[str], count: int, number: int) -> list[tuple[str, bool]]:
    """`order` with `count` of its sessions shown again, each with whether it is a repeat.

    The repeats are spread over the second half and come in the order of their first showings,
    which lie before; between the two is always another session.

    Args:
        order: Sessions, two at least where `count` is not 0.
        count: How many are repeated, at most all.
        number: What else than their order decides which: the rater's.
    """
    total = len(order) + count
    early = max(len(order) // 2, count)
    places = sorted((at * early // count + number) % early for at in range(count))
    start, width = (total + 1) // 2, total // 2
    repeats = {
        start + (2 * at + 1) * width // (2 * count): order[place] for at, place in enumerate(places)
    }
    firsts = iter(order)
    return [(repeats[at], True) if at in repeats else (next(firsts), False) for at in range(total)]


def repeats_due(project: Project, sessions: int) -> int:
    """How many sessions are shown again of so many."""
    return math.ceil(project.hidden_repeats * sessions - _ROUNDING)


def _lacking(
    project: Project, kept: Sequence[Entry], rater_key: int, sessions: Sequence[str]
) -> list[Entry]:
    """What has to be added to a rater's plan."""
    lacking = {
        name: groups
        for name in sessions
        if (groups := _lacking_groups(project, kept, name, rater_key))
    }
    order, number = list(lacking), rater_key
    if project.order == "counterbalanced":
        order = [order[at] for at in williams_row(len(order), rater_key - 1)]
        # The square has every session at the places that are repeated equally often already.
        number = 0
    seen = Counter(entry.session for entry in kept)
    repeated = {entry.session for entry in kept if entry.is_repeat}
    due = repeats_due(project, len(seen.keys() | lacking.keys())) - len(repeated)
    new = [name for name in order if name not in seen]
    again = [name for name in seen if name in set(sessions) - repeated]
    last = kept[-1].session if kept else None
    showings = [(name, False) for name in order if name in seen]
    showings += _with_new_repeats(new, again, last, due, number)
    every = _groups_in_order(project, rater_key)
    takes = [
        (name, group, is_repeat)
        for name, is_repeat in showings
        for group in (every if is_repeat else lacking[name])
    ]
    return [Entry(at, *take) for at, take in enumerate(takes, start=len(kept) + 1)]


def _with_new_repeats(
    new: Sequence[str], again: Sequence[str], last: str | None, due: int, number: int
) -> list[tuple[str, bool]]:
    """New sessions and the repeats that are due, to be appended to a plan that ends with `last`."""
    count = min(max(due, 0), len(new)) if len(new) >= _LEAST_FOR_A_REPEAT else 0
    showings = with_repeats(new, count, number)
    repeated = {name for name, is_repeat in showings if is_repeat}
    left = [name for name in (*again, *new) if name not in repeated]
    for _ in range(due - count):
        before = showings[-1][0] if showings else last
        choice = [name for name in left if name != before]
        if not choice:
            break
        name = choice[number % len(choice)]
        left.remove(name)
        showings.append((name, True))
    return showings


def _groups_in_order(project: Project, rater_key: int) -> tuple[tuple[str, ...], ...]:
    """The dimensions of each take of a session, begun with another one by each rater."""
    groups = project.groups()
    at = (rater_key - 1) % len(groups)
    return tuple(groups[at:] + groups[:at])


def _lacking_groups(
    project: Project, kept: Iterable[Entry], session: str, rater_key: int
) -> tuple[tuple[str, ...], ...]:
    """The takes of a session that its first showing does not ask for yet."""
    asked = {
        frozenset(entry.dimensions)
        for entry in kept
        if entry.session == session and not entry.is_repeat
    }
    groups = _groups_in_order(project, rater_key)
    return tuple(group for group in groups if frozenset(group) not in asked)


def _kept(connection: Connection, rater_key: int) -> list[Entry]:
    """All that was ever planned for a rater, in order."""
    query = select(plans).where(plans.c.rater == rater_key).order_by(plans.c.position)
    return [
        Entry(row.position, row.session, tuple(row.dimensions), row.is_repeat)
        for row in connection.execute(query)
    ]

"""What every route needs: the study, its rating project, the database, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import request

from annotator_web.access import auth
from annotator_web.project import CALIBRATION, Project
from annotator_web.refusals import Refusal
from annotator_web.store.samples import Limits
from annotator_web.way import calibration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annotator_web.access.auth import Caller
    from annotator_web.project import Dimension, ScaleKind
    from annotator_web.store.database import Database
    from mavfer.study.study import Study

__all__ = ["Context"]


@dataclass(frozen=True)
class Context:
    """One study that is being rated."""

    study: Study
    project: Project
    database: Database

    def caller(self) -> Caller:
        """The rater behind this request; see `auth.require_caller`."""
        return auth.require_caller(self.database, request)

    def changing_caller(self) -> Caller:
        """The same for a request that changes something, with forgery ruled out."""
        caller = self.caller()
        auth.require_no_forgery(caller, request)
        return caller

    def sessions_of(self, caller: Caller) -> list[str]:
        """What a rater rates, in order, without the reaction-time clip."""
        return [name for name in self.project.sessions() if caller.may_rate(name)]

    def require_session(self, caller: Caller, session: str) -> None:
        """Returns where the rater may rate `session`.

        Raises:
            Refusal: 404 where it is not among the rater's; others' sessions are not told of.
        """
        if session not in self.sessions_of(caller):
            message = f"session {session[:40]!r} is not among those that you rate"
            raise Refusal(404, "no_such_session", message, "See GET /api/v1/sessions")

    def dimensions_named(self, names: Sequence[str]) -> tuple[Dimension, ...]:
        """The project's dimensions of these names, in this order."""
        known = {dimension.name: dimension for dimension in self.project.dimensions}
        return tuple(known[name] for name in names)

    def limits(self, session: str, names: Sequence[str]) -> Limits:
        """What samples of a take may say."""
        dimensions = self.dimensions_named(names)
        if session == CALIBRATION:
            return Limits(calibration.SECONDS, calibration.FRAMES, dimensions)
        table = self.project.media_table(session)
        is_bounded = self.project.scale != "unbounded"
        return Limits(table.seconds, table.frames, dimensions, is_bounded)

    def scale_of(self, session: str, names: Sequence[str]) -> dict[str, Any]:
        """The scale of each dimension of a take; the warm-up is always bounded."""
        kind = "bounded" if session == CALIBRATION else self.project.scale
        return {d.name: _scale(kind, d) for d in self.dimensions_named(names)}

    def calibration_dimensions(self) -> tuple[Dimension, ...]:
        """What the reaction-time clip moves: the first two dimensions, one where there is one."""
        return self.project.dimensions[: calibration.MOST_DIMENSIONS]


def _scale(kind: ScaleKind, dimension: Dimension) -> dict[str, Any]:
    ends = (None, None) if kind == "unbounded" else (dimension.low, dimension.high)
    return {"kind": kind, "low": ends[0], "high": ends[1]}

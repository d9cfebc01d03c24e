"""What every route needs: the study, its rating project, the database, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import request

from annotator_web.access import auth
from annotator_web.project import CALIBRATION, Dimension, Project
from annotator_web.refusals import Refusal
from annotator_web.store.samples import Limits
from annotator_web.way import calibration
from annotator_web.way.consent import has_agreed
from annotator_web.way.plan import plan_of
from mavfer.errors import MavferError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annotator_web.access.auth import Caller
    from annotator_web.project import MediaTable, ScaleKind
    from annotator_web.store.database import Database
    from annotator_web.store.takes import Take
    from annotator_web.way.plan import Entry
    from mavfer.study.study import Study

__all__ = ["Context"]


@dataclass(frozen=True)
class Context:
    """One study that is being rated."""

    study: Study
    project: Project
    database: Database

    def visitor(self) -> Caller:
        """The rater behind this request, also one who withdrew; see `auth.require_caller`."""
        return auth.require_caller(self.database, request)

    def caller(self) -> Caller:
        """The rater behind this request, who still takes part.

        Raises:
            Refusal: 401 where there is none, 403 where the rater withdrew.
        """
        caller = self.visitor()
        if caller.has_withdrawn:
            message = "you ended taking part, so nothing is shown or kept any more"
            raise Refusal(403, "withdrawn", message, "Ask the study if that was a mistake")
        return caller

    def changing_caller(self) -> Caller:
        """The same for a request that changes something, with forgery ruled out."""
        caller = self.visitor()
        auth.require_no_forgery(caller, request)
        return self.caller()

    def sessions_of(self, caller: Caller) -> list[str]:
        """What a rater may rate, in the order of the study."""
        return [name for name in self.project.sessions() if caller.may_rate(name)]

    def plan_of(self, caller: Caller) -> list[Entry]:
        """Every take that a rater is asked for, in the order in which the rater sees them."""
        with self.database.reading() as connection:
            return plan_of(connection, self.project, caller.rater, self.sessions_of(caller))

    def require_session(self, caller: Caller, session: str) -> None:
        """Returns where the rater may see `session`: one of the rater's, or the practice clip.

        Raises:
            Refusal: 404 where it is not among the rater's, others' sessions are not told of; 403
                where a person has not agreed yet.
        """
        project = self.project
        is_theirs = caller.may_rate(session) and project.is_rated(session)
        is_practice = project.is_practice(session) and project.can_be_rated(session)
        if not (is_theirs or is_practice):
            message = f"session {session[:40]!r} is not among those that you rate"
            raise Refusal(404, "no_such_session", message, "See GET /api/v1/sessions")
        self.require_agreement(caller)

    def require_agreement(self, caller: Caller) -> None:
        """Returns where a rater agreed to take part, or is a program.

        Raises:
            Refusal: 403 where a person has not agreed (again) yet.
        """
        if not caller.has_cookie:
            return
        with self.database.reading() as connection:
            if not has_agreed(connection, self.project, caller.rater):
                message = "faces are shown to those who agreed to take part"
                raise Refusal(403, "consent_first", message, "Open the list of your faces first")

    def media_table(self, session: str) -> MediaTable:
        """The times of a session's frames.

        Raises:
            Refusal: 409 where they cannot be read.
        """
        try:
            return self.project.media_table(session)
        except MavferError as error:
            raise self.damaged(session) from error

    def damaged(self, session: str) -> Refusal:
        """What is said of media that cannot be read; which file it is only the manager is told."""
        message = f"session {session}: its media cannot be read"
        hint = "The study's manager has to run: mavfer check, then mavfer preprocess"
        return Refusal(409, "media_damaged", message, hint)

    def dimensions_named(self, names: Sequence[str]) -> tuple[Dimension, ...]:
        """The project's dimensions of these names, in this order."""
        known = {dimension.name: dimension for dimension in self.project.dimensions}
        return tuple(known[name] for name in names)

    def limits(self, session: str, names: Sequence[str]) -> Limits:
        """What samples of a new take may say."""
        return self._limits(session, self.dimensions_named(names), self._scale_kind(session))

    def limits_of(self, take: Take) -> Limits:
        """What samples of a take may say: on the scale that it began with."""
        scale = [take.scale[name] for name in take.dimensions]
        dimensions = tuple(
            Dimension(name, ends["low"] or 0, ends["high"] or 0, "", "")
            for name, ends in zip(take.dimensions, scale, strict=True)
        )
        return self._limits(take.session, dimensions, scale[0]["kind"])

    def scale_of(self, session: str, names: Sequence[str]) -> dict[str, Any]:
        """The scale of each dimension of a take; the warm-up is always bounded."""
        kind = self._scale_kind(session)
        return {d.name: _scale(kind, d) for d in self.dimensions_named(names)}

    def calibration_dimensions(self) -> tuple[Dimension, ...]:
        """What the reaction-time clip moves: what is rated at once."""
        return calibration.dimensions_of(self.project)

    def groups(self, session: str) -> list[tuple[str, ...]]:
        """The dimensions of each take that a session, or the reaction-time clip, asks for."""
        if session == CALIBRATION:
            return [tuple(dimension.name for dimension in self.calibration_dimensions())]
        return self.project.groups()

    def _scale_kind(self, session: str) -> ScaleKind:
        return "bounded" if session == CALIBRATION else self.project.scale

    def _limits(self, session: str, dimensions: tuple[Dimension, ...], kind: ScaleKind) -> Limits:
        if session == CALIBRATION:
            return Limits(calibration.SECONDS, calibration.FRAMES, dimensions)
        table = self.media_table(session)
        return Limits(table.seconds, table.frames, dimensions, kind != "unbounded")


def _scale(kind: ScaleKind, dimension: Dimension) -> dict[str, Any]:
    ends = (None, None) if kind == "unbounded" else (dimension.low, dimension.high)
    return {"kind": kind, "low": ends[0], "high": ends[1]}

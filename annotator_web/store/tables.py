"""The tables of the annotator's database, in the layout of today's version."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

__all__ = [
    "APPLICATION_ID",
    "VERSION",
    "agreed_texts",
    "agreements",
    "chunks",
    "invitations",
    "logins",
    "metadata",
    "notes",
    "plans",
    "raters",
    "steps",
    "takes",
    "withdrawals",
]

VERSION: Final = 2
"""Layout of the tables, kept in SQLite's user_version."""

APPLICATION_ID: Final = 0x6D617666
"""The letters "mavf", kept in SQLite's application_id."""

metadata = MetaData()

raters = Table(
    "raters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("created_utc", String, nullable=False),
    Column("language", String),
)
invitations = Table(
    "invitations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rater", ForeignKey("raters.id"), nullable=False),
    Column("token_sha256", String, nullable=False, unique=True),
    Column("sessions", JSON(none_as_null=True)),
    Column("created_utc", String, nullable=False),
    Column("revoked_utc", String),
)
logins = Table(
    "logins",
    metadata,
    Column("cookie_sha256", String, primary_key=True),
    Column("invitation", ForeignKey("invitations.id"), nullable=False),
    Column("created_utc", String, nullable=False),
)
takes = Table(
    "takes",
    metadata,
    Column("id", String, primary_key=True),
    Column("rater", ForeignKey("raters.id"), nullable=False),
    Column("session", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("dimensions", JSON, nullable=False),
    Column("client", JSON, nullable=False),
    # rating, repeat (a session shown again without a word), practice or calibration.
    Column("purpose", String, nullable=False),
    # {"kind", "low", "high"} of each dimension, as it was when the take began.
    Column("scale", JSON, nullable=False),
    Column("video_sha256", String),
    Column("contiguous", Integer, nullable=False),
    Column("created_utc", String, nullable=False),
    Column("finished_utc", String),
    Column("chunks", Integer),
    Column("samples", Integer),
    UniqueConstraint("rater", "session", "number"),
)
chunks = Table(
    "chunks",
    metadata,
    Column("take", ForeignKey("takes.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("samples", Integer, nullable=False),
    Column("last_media_time", Float, nullable=False),
    Column("blob", LargeBinary, nullable=False),
)
agreements = Table(
    "agreements",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rater", ForeignKey("raters.id"), nullable=False),
    Column("text_sha256", ForeignKey("agreed_texts.text_sha256"), nullable=False),
    Column("version", String, nullable=False),
    Column("language", String, nullable=False),
    Column("agreed_utc", String, nullable=False),
)
agreed_texts = Table(
    "agreed_texts",
    metadata,
    Column("text_sha256", String, primary_key=True),
    Column("text", String, nullable=False),
)
steps = Table(
    "steps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rater", ForeignKey("raters.id"), nullable=False),
    # instructions, device, practice, break
    Column("name", String, nullable=False),
    Column("done_utc", String, nullable=False),
    Column("details", JSON, nullable=False),
)
plans = Table(
    "plans",
    metadata,
    Column("rater", ForeignKey("raters.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("session", String, nullable=False),
    Column("dimensions", JSON, nullable=False),
    Column("is_repeat", Boolean, nullable=False),
)
withdrawals = Table(
    "withdrawals",
    metadata,
    Column("rater", ForeignKey("raters.id"), primary_key=True),
    # stop (what was given is kept) or erase
    Column("wish", String, nullable=False),
    Column("asked_utc", String, nullable=False),
)
notes = Table(
    "notes",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

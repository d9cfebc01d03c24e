"""DATA_USE_AGREEMENT.md: a template of an agreement with whoever gets the data; words are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mavfer.release.wording import listed, page, paragraph, plain, size_text, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mavfer.release.contents import Contents

__all__ = ["agreement_template"]

_BLANK: Final = "[ … ]"
_DAY: Final = len("2026-07-30")

_PURPOSE: Final = (
    "The recipient uses the data for research, for the purpose stated above and for no other. Use "
    "for a product, for military ends or for watching people is not allowed.",
    "The recipient does not use the data to decide on any person.",
)
_IDENTITY: Final = (
    "The recipient does not try to find out who a subject or a rater is, neither by looking nor "
    "by computing nor by joining the data with other data. Whoever recognises a subject tells "
    "the provider, and nobody else.",
    "The recipient does not use the data to identify or verify people by face, by skin "
    "temperature or by any other mark of the body, and trains no model for that.",
)
_SHARING: Final = (
    "The recipient gives the data, or parts of them, to nobody: not published, not sold, not "
    "lent, not sent to services outside of the recipient's control. Colleagues of the same "
    "institution may work with them once they have read and signed this agreement.",
    "What is computed from the data may be published as long as no subject's face, and no "
    "subject's frame, can be made from it. A model from which training pictures can be made "
    "counts as the data themselves.",
)
_SECURITY: Final = (
    "The data lie on storage that is encrypted and that only those who signed can read. Access "
    "is kept in a list, which the provider may ask for.",
    "Loss, theft or access by others is reported to the provider within 72 hours of being noticed.",
)
_WITHDRAWAL: Final = (
    "Subjects may take back their consent at any time, without a reason. The provider then sends "
    "a withdrawal notice that names codes, sessions or files.",
    "Within 30 days of a notice the recipient deletes what it names from all copies, backups "
    "included as soon as they are written anew, and from everything derived from it that still "
    "shows or identifies the subject; trains no further model with it; and confirms this in "
    "writing.",
    "The recipient names an address at which such notices are read, and keeps it up to date.",
)
_END: Final = (
    "The agreement holds from the last signature. Either side may end it with a notice of 30 "
    "days; it ends at once when its rules are broken.",
    "At its end the recipient deletes all copies and confirms this in writing. The sections on "
    "identity, on pictures and on withdrawal hold on.",
)


def agreement_template(contents: Contents) -> str:
    """The whole page."""
    sections = {
        "Purpose": _PURPOSE,
        "Identity": _IDENTITY,
        "Passing on": _SHARING,
        "Pictures": _pictures(contents),
        "Security": _SECURITY,
        "Withdrawal of subjects": _WITHDRAWAL,
        "Keeping and deleting": _retention(contents),
        "Publications": _publications(contents),
        "Term and end": _END,
        "Law": (f"This agreement stands under the law of {_BLANK}.",),
    }
    clauses = [
        block
        for number, (title, texts) in enumerate(sections.items(), start=1)
        for block in _section(number, title, texts)
    ]
    return page([*_head(contents), *clauses, *_signatures()])


def _head(contents: Contents) -> Iterator[str]:
    yield f"# Data use agreement: {plain(contents.name)} {plain(contents.version)} (TEMPLATE)"
    yield (
        "> **This is a template, not legal advice.** Blanks are marked " + _BLANK + ".\n"
        "> Before anybody signs it, a lawyer of your institution has to check it against your\n"
        "> law, your ethics approval, the consent that subjects gave and the licence of the data:\n"
        "> some open licences do not allow further conditions such as these."
    )
    if contents.simulated_subjects == contents.subjects:
        yield paragraph(
            "All subjects of this release are simulated. No person was recorded, so an agreement "
            "may not be needed at all."
        )
    yield "## Parties"
    yield table(
        ("", "provider", "recipient"),
        [
            ("institution", _BLANK, _BLANK),
            ("responsible person", _known(contents.answers.get("creators")), _BLANK),
            ("address for notices", _known(contents.study["contact"]), _BLANK),
            ("purpose of use", "", _BLANK),
        ],
        words=(0, 1, 2),
    )
    yield "## Data"
    yield table(
        ("", "what this agreement is about"),
        [
            ("name", plain(contents.name)),
            ("version", plain(contents.version)),
            ("released on", contents.created_utc[:_DAY]),
            ("subjects", f"{len(contents.subjects):,}"),
            ("sessions", f"{len(contents.lines):,}"),
            ("streams", listed(contents.streams)),
            ("size", size_text(contents.size)),
            ("licence", _known(contents.study["licence"])),
        ],
        words=(0, 1),
    )
    yield paragraph(
        'The files are those that `release.json` lists. "The data" are these files, every copy '
        "and every part of them, and everything from which a part of them can be made again."
    )


def _section(number: int, title: str, texts: tuple[str, ...]) -> Iterator[str]:
    yield f"## {number} {title}"
    for at, text in enumerate(texts, start=1):
        yield paragraph(f"{number}.{at} {text}")


def _pictures(contents: Contents) -> tuple[str, ...]:
    allowed = set(contents.simulated_subjects)
    if contents.consents is not None:
        allowed |= set(contents.consents.publishable)
    if not allowed:
        return ("No picture of any subject is published or shown, in any stream, even blurred.",)
    codes = ", ".join(f"`{code}`" for code in sorted(allowed))
    return (
        "Pictures of these subjects alone may be shown in scientific papers, talks and teaching: "
        f"{codes}. A picture is any frame, in any stream, whole or in part, also when it is "
        "blurred or drawn over.",
        "Before a picture is printed the recipient makes sure that no withdrawal notice names its "
        "subject.",
    )


def _retention(contents: Contents) -> tuple[str, ...]:
    until = contents.study["retention_until"]
    date = f"on {until}" if until else f"on {_BLANK}"
    return (
        f"The recipient deletes all copies when the purpose is reached, at the latest {date}, and "
        "confirms this in writing.",
    )


def _publications(contents: Contents) -> tuple[str, ...]:
    cite = contents.answers.get("citation")
    how = f"as follows: {cite}" if cite else f"as follows: {_BLANK}"
    return (
        f"Whoever publishes results names the data and their version, and cites them {how}",
        "The limits named in `DATASHEET.md` are named where they bear on the results.",
    )


def _signatures() -> Iterator[str]:
    yield "## Signatures"
    yield table(
        ("", "provider", "recipient"),
        [(what, _BLANK, _BLANK) for what in ("name", "place and date", "signature")],
        words=(0, 1, 2),
    )


def _known(text: str | None) -> str:
    return plain(text) if text else _BLANK

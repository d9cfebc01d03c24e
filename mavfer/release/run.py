"""The step that makes a release of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mavfer.files import sha256_of, write_json
from mavfer.progress import counted
from mavfer.release.contents import ReleasedFile
from mavfer.release.copying import bytes_needed, copy_study
from mavfer.release.documents import write_documents
from mavfer.release.folder import require_apart, require_space, unfinished_folder
from mavfer.release.gathering import gather_contents
from mavfer.release.manifest import hash_files, make_manifest
from mavfer.release.plan import Options, plan_release
from mavfer.release.questions import ANSWERS_FILE, open_questions
from mavfer.study.study import Study, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mavfer.release.plan import Plan

__all__ = ["ReleaseOutcome", "release_study"]

_MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True)
class ReleaseOutcome:
    """A release that was made."""

    folder: Path
    manifest: dict[str, Any]
    """Content of its release.json."""
    manifest_sha256: str
    """What to print in a paper, so that readers know that they have the same bytes."""

    def to_document(self) -> dict[str, Any]:
        """What `mavfer release --json` prints."""
        counts = self.manifest["counts"]
        return {
            "release": str(self.folder),
            "sessions": counts["sessions"],
            "subjects": counts["subjects"],
            "left_out": {
                each["reason"]: {"subjects": each["subjects"], "sessions": each["sessions"]}
                for each in self.manifest["left_out"]
            },
            "bytes": counts["bytes"],
            "manifest_sha256": self.manifest_sha256,
        }

    def __str__(self) -> str:
        manifest, counts = self.manifest, self.manifest["counts"]
        lines = [
            f"{self.folder}: {manifest['name']} {manifest['release_version']}, read-only",
            f"  sessions  {counts['sessions']} of {counted(counts['subjects'], 'subject')}",
            f"  labels    {', '.join(manifest['labels']) or 'none'}",
            f"  splits    {', '.join(manifest['splits']) or 'none'}",
            f"  files     {len(manifest['files']) + 1}, {counts['bytes'] / _MEBIBYTE:,.1f} MiB",
            f"  manifest  {self.manifest_sha256}",
        ]
        lines += [
            f"  left out  {counted(each['sessions'], 'session')} of "
            f"{counted(each['subjects'], 'subject')}: {each['reason']}"
            for each in manifest["left_out"]
        ]
        return "\n".join(lines)


def release_study(
    root: Path,
    target: Path,
    options: Options | None = None,
    *,
    notify: Callable[[str], None] = lambda _: None,
) -> ReleaseOutcome:
    """Makes a release of the study in `root` in the new folder `target`, all of it or nothing.

    Args:
        root: Folder of the study.
        target: Folder of the release.
        options: What the user chose.
        notify: Called with what the user should know: who stays out and why, splits with empty
            parts, questions that the datasheet leaves open.

    Raises:
        AlreadyThere: There is something at `target`.
        CommandError: The folders overlap, or an option makes no sense.
        DataError: No licence, nobody agreed to share, or the disk is full or fails.
        NotFound: No study, no shards, or no label of a name.
        InvalidFile: A file is torn, changed or against its schema, or a split leaks.
        Busy: Another process makes the same release.
    """
    study = Study.open(root)
    require_apart(study.root, target)
    plan = plan_release(study, options or Options())
    for notice in plan.notices:
        notify(notice)
    require_space(target, bytes_needed(plan))
    with unfinished_folder(target) as part:
        manifest, gaps = _fill(plan, part)
        digest = sha256_of(part / "release.json")
    if gaps:
        notify(
            f"the datasheet has {counted(gaps, 'gap')}, marked TO FILL IN. Answer them in "
            f"{study.root / ANSWERS_FILE} and release again"
        )
    return ReleaseOutcome(target, manifest, digest)


def _fill(plan: Plan, folder: Path) -> tuple[dict[str, Any], int]:
    """Copies, documents and, last, the manifest; gives it, and how many questions are open."""
    created_utc = utc_now()
    lines = copy_study(plan, folder)
    shards = [
        ReleasedFile(f"shards/{line['file']}", line["size"], line["sha256"], "application/x-hdf5")
        for line in lines
    ]
    files = hash_files(folder, shards)
    contents = gather_contents(
        plan.study,
        lines,
        files,
        version=plan.options.version,
        created_utc=created_utc,
        labels=plan.labels,
        splits=tuple(plan.splits),
        with_ratings=plan.options.has_ratings,
        is_plain=plan.options.is_plain,
        left_out=plan.left_out(),
    )
    write_documents(contents, folder)
    manifest = make_manifest(plan, lines, hash_files(folder, files), created_utc)
    write_json(folder / "release.json", manifest)
    return manifest, len(open_questions(contents))

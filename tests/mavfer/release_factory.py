"""A small study of four subjects, two of whom may not be given away."""

import json

from mavfer.study.study import Study

SECRET, SILENT = "KEPTBACK3", "NEVERASKED4"
"""Subjects that stay out: no consent to share, and no record at all."""

SESSIONS = {
    "S01-001": {"kind": "video", "masks": True},
    "S02-001": {"kind": "simulated", "streams": ("color",)},
    f"{SECRET}-001": {"kind": "video"},
    f"{SECRET}-002": {"kind": "video", "streams": ("color",)},
    f"{SILENT}-001": {"kind": "stills", "streams": ("color",)},
}
RELEASED = ["S01-001", "S02-001"]
FRAMES = 20


def make_releasable(factory, root):
    """Shards of 20 frames, a label, ratings, a split, and consents of different scope."""
    made = factory.make_study(root, {k: dict(v) for k, v in SESSIONS.items()}, frames=FRAMES)
    document = made.document | {"licence": "CC-BY-NC-4.0", "expression_classes": ["calm", "glad"]}
    (root / "study.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
    study = Study.open(root)
    form = root.parent / "form.txt"
    form.write_text("I agree.", encoding="utf-8")
    study.write_consent("S01", form, form_version="2", scope=["record", "share"])
    study.write_consent(SECRET, form, form_version="2", scope=["record", "rate"])
    for session in SESSIONS:
        classes = [n % 2 for n in range(FRAMES)]
        factory.write_label(study, session, FRAMES, expression=classes)
        samples = [(n / 30, n / FRAMES, 0) for n in range(FRAMES)]
        factory.write_rating(study, session, "arousal", "R1", samples)
    factory.write_label(study, "S01-001", FRAMES, name="mean")
    factory.write_split(study, [{"train": ["S01", SECRET], "val": [SILENT], "test": ["S02"]}])
    return study

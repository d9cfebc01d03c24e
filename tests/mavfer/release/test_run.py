"""A release has what may be shared and nothing else, reads like the study, and never changes."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mavfer
from mavfer.cli import run
from mavfer.errors import AlreadyThere, ChecksumMismatch, CommandError, DataError
from mavfer.files import sha256_of, write_csv
from mavfer.release.folder import visible_files
from mavfer.release.plan import Options
from mavfer.release.run import release_study
from mavfer.study.ratings import write_rating
from mavfer.study.shards import Shard
from mavfer.study.splits import write_split
from mavfer.study.study import Study

FACTORIES = Path(__file__).parents[1]
DOCUMENTS = {"README.md", "DATASHEET.md", "DATA_USE_AGREEMENT.md", "croissant.json", "release.json"}
PLAIN_TREE = {
    "participants.csv",
    "shards/S01-001.h5",
    "shards/S02-001.h5",
    "shards/index.jsonl",
    "splits/default.json",
    "study.json",
}

FULL_DISK = """
import resource, sys
from pathlib import Path
from mavfer.errors import DataError
from mavfer.release.plan import Options
from mavfer.release.run import release_study
root, target = Path(sys.argv[1]), Path(sys.argv[2])
for limit in map(int, sys.argv[3:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        release_study(root, target, Options(has_ratings=True, is_plain=True))
    except DataError as error:
        print(error)
    print(sorted(path.name for path in target.parent.iterdir()))
"""


@pytest.fixture(scope="module")
def released_once(releasable_once, tmp_path_factory):
    """A release of `releasable_once`. Do not change it."""
    root = tmp_path_factory.mktemp("released") / "release"
    release_study(releasable_once.root, root)
    return root


@pytest.fixture
def released(released_once, tmp_path):
    """A copy of a release, read-only as the release is."""
    return Study.open(Path(shutil.copytree(released_once, tmp_path / "release")))


def hashes(root):
    return {path: sha256_of(root / path) for path in visible_files(root)}


def test_what_may_be_shared_goes_in_and_nothing_else(releasable, tmp_path):
    target = tmp_path / "release"
    outcome = release_study(releasable.root, target)

    assert set(visible_files(target)) == PLAIN_TREE | DOCUMENTS
    assert Study.open(target).participants() == {"subject": ["S01", "S02"]}
    assert outcome.manifest["counts"] | {"bytes": 0, "seconds": 0} == {
        "subjects": 2,
        "sessions": 2,
        "frames": 40,
        "seconds": 0,
        "bytes": 0,
    }
    assert outcome.manifest_sha256 == sha256_of(target / "release.json")


def test_ratings_and_plain_copies_go_in_where_asked_for(releasable, tmp_path):
    target = tmp_path / "release"
    release_study(releasable.root, target, Options(has_ratings=True, is_plain=True))
    stems = [f"ratings/{session}/arousal.R1.001" for session in ("S01-001", "S02-001")]
    ratings = {f"{stem}.{ending}" for stem in stems for ending in ("csv", "json")}
    plain = {"plain/S01-001.h5", "plain/S02-001.h5"}

    assert set(visible_files(target)) == PLAIN_TREE | DOCUMENTS | ratings | plain
    theirs = mavfer.load(releasable.root, labels="rater:R1")["S01-001"].arousal
    np.testing.assert_array_equal(mavfer.load(target, labels="rater:R1")[0].arousal, theirs)
    assert np.isfinite(theirs).all()


def test_no_byte_names_anybody_who_stays_out(releasable, release_factory, tmp_path):
    target = tmp_path / "release"
    release_study(releasable.root, target, Options(has_ratings=True, is_plain=True))

    for path in target.rglob("*"):
        for code in (release_factory.SECRET, release_factory.SILENT):
            assert code not in path.name
            assert path.is_dir() or code.encode() not in path.read_bytes()


def test_a_release_reads_like_the_study(releasable, released):
    study, release = mavfer.load(releasable.root), mavfer.load(released.root, verify="full")

    assert release.sessions == ["S01-001", "S02-001"]
    assert release.split("test").sessions == ["S02-001"]
    assert "gold: arousal, valence (2 of 2 sessions)" in repr(release)
    for recording in release:
        original = study[recording.session]
        for name in ("color", "depth", "thermal"):
            np.testing.assert_array_equal(recording.stream(name)[:], original.stream(name)[:])
        for dimension in ("arousal", "valence"):
            np.testing.assert_array_equal(recording.label(dimension), original.label(dimension))
        np.testing.assert_array_equal(recording.expression, original.expression)
        assert recording.label_valid.all()
        assert recording.info["labels"][0] == "gold"


def test_clips_of_a_release_are_those_of_the_study(releasable, released):
    theirs = mavfer.load(releasable.root).select("session in ['S01-001', 'S02-001']")
    pairs = zip(theirs.clips(8), mavfer.load(released.root).clips(8), strict=True)

    for one, other in pairs:
        assert one.keys() == other.keys()
        np.testing.assert_array_equal(one["color"], other["color"])
        np.testing.assert_array_equal(one["arousal"], other["arousal"])


def test_labels_that_were_not_asked_for_stay_out(releasable, tmp_path):
    release_study(releasable.root, tmp_path / "release", Options(labels=("mean",)))
    release = mavfer.load(tmp_path / "release")

    assert [recording.info.get("labels") for recording in release] == [["mean"], None]
    assert np.isnan(release[0].arousal).all()


def test_two_releases_differ_in_their_moment_alone(releasable, tmp_path):
    options = Options(has_ratings=True, is_plain=True)
    moments, trees = [], []
    for name in ("one", "two"):
        manifest = release_study(releasable.root, tmp_path / name, options).manifest
        moments.append(manifest["created_utc"])
        trees.append(tmp_path / name)
    first, second = map(hashes, trees)

    assert first.keys() == second.keys()
    assert {path for path in first if first[path] != second[path]} <= DOCUMENTS
    for path in DOCUMENTS - {"release.json"}:
        texts = [
            (tree / path).read_text().replace(moment, "MOMENT")
            for tree, moment in zip(trees, moments, strict=True)
        ]
        assert texts[0] == texts[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no rights of owner and group")
def test_everything_is_read_only(released):
    for path in (released.root, *released.root.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o222 == 0


def test_looking_at_a_release_changes_nothing_even_where_times_were_lost(released, capsys):
    before = hashes(released.root)
    for path in released.root.rglob("*.h5"):
        path.chmod(0o644)
        os.utime(path)
    for path in (released.root, released.shards_folder):
        path.chmod(0o755)

    assert len(mavfer.load(released.root, verify="full")) == 2
    assert run(["check", str(released.root)]) == 0
    assert "valid: 2 sessions, 2 shards" in capsys.readouterr().out
    assert run(["info", str(released.root), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["sessions"], summary["labels"]) == (2, ["gold", "mean"])
    assert hashes(released.root) == before
    assert not list(released.root.rglob("*.lock"))


@pytest.mark.parametrize(
    "words",
    [
        ["agree", "STUDY"],
        ["label", "STUDY"],
        ["split", "STUDY"],
        ["preprocess", "STUDY"],
        ["consent", "STUDY", "--subject", "S09", "--form", __file__],
        ["import-video", "face.mp4", "STUDY"],
        ["record", "STUDY", "--subject", "S9", "--rig", "simulated", "--seconds", "1"],
        ["train", "sta", "STUDY"],
        ["annotate", "invite", "STUDY", "--rater", "R9"],
        ["annotate", "collect", "STUDY"],
        ["annotate", "serve", "STUDY", "--port", "0"],
        ["annotate", "revoke", "STUDY", "--rater", "R9"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_every_verb_that_writes_refuses_a_release(released, words, capsys):
    before = hashes(released.root)
    code = run([str(released.root) if word == "STUDY" else word for word in words])

    assert code == 2
    message = r"mavfer: .*release: is a release, made 20\d\d-\d\d-\d\d, and is never changed\. .*\n"
    assert re.fullmatch(message, capsys.readouterr().err)
    assert hashes(released.root) == before


def test_functions_that_write_refuse_a_release(released, shard_factory):
    refused = pytest.raises(CommandError, match=r"is a release, made .* and is never changed")
    with refused:
        Study.open(released.root, writable=True)
    with refused:
        released.add_participant("S01")
    with refused:
        released.write_consent("S01", Path(__file__), form_version="1", scope=["share"])
    with refused:
        write_split(released, "mine", [{"train": ["S01"], "test": ["S02"]}], kind="parts")
    with refused:
        document = {"session": "S01-001", "dimension": "arousal", "rater": "R9", "take": 1}
        write_rating(released, document, {})


def test_a_release_is_not_released_again(released, tmp_path):
    with pytest.raises(CommandError, match="is a release itself"):
        release_study(released.root, tmp_path / "again")


def test_a_copy_without_the_manifest_is_a_study_again(released, tmp_path):
    mine = tmp_path / "mine"
    subprocess.run(["cp", "-r", str(released.root), str(mine)], check=True)
    subprocess.run(["chmod", "-R", "u+w", str(mine)], check=True)
    (mine / "release.json").unlink()

    assert run(["split", str(mine), "--name", "own", "--folds", "2"]) == 0
    study = mavfer.load(mine)
    assert np.isfinite(study[0].arousal).all()
    assert "gold: arousal, valence (2 of 2 sessions)" in repr(study)


def test_the_folder_of_plain_copies_says_where_to_look(releasable, tmp_path):
    release_study(releasable.root, tmp_path / "release", Options(is_plain=True))

    with pytest.raises(DataError, match=r"plain copies are for readers without mavfer\. Give"):
        mavfer.load(tmp_path / "release" / "plain")


def test_a_shard_that_changed_is_not_given_out(releasable, tmp_path):
    mavfer.load(releasable.root)
    path = releasable.shard_path("S01-001")
    offset = int(Shard(path).streams["depth"].table["offset"][3])
    times = path.stat()
    with path.open("r+b") as handle:
        handle.seek(offset)
        handle.write(b"\x00\x01\x02\x03")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    with pytest.raises(ChecksumMismatch, match=r"S01-001\.h5: its bytes changed since it was"):
        release_study(releasable.root, tmp_path / "release")
    releasable.index_path.unlink()  # so that the damaged shard is listed as if it were new
    with pytest.raises(ChecksumMismatch, match=r"study.shards.S01-001\.h5: .* depth frame 3"):
        release_study(releasable.root, tmp_path / "release")
    assert not list(tmp_path.glob("release*"))


def test_a_rating_that_changed_is_not_given_out(releasable, tmp_path):
    path = releasable.ratings_folder / "S01-001" / "arousal.R1.001.csv"
    path.write_text(path.read_text().replace("0.05", "0.06"))

    with pytest.raises(ChecksumMismatch, match="samples changed since they were collected"):
        release_study(releasable.root, tmp_path / "release", Options(has_ratings=True))
    assert not list(tmp_path.glob("release*"))


def test_the_columns_of_the_lab_go_along(releasable, tmp_path):
    subjects = releasable.participants()["subject"]
    ages = [str(20 + number) for number in range(len(subjects))]
    write_csv(releasable.participants_path, {"subject": subjects, "age": ages})
    release_study(releasable.root, tmp_path / "release")

    kept = dict(zip(subjects, ages, strict=True))
    table = Study.open(tmp_path / "release").participants()
    assert table == {"subject": ["S01", "S02"], "age": [kept["S01"], kept["S02"]]}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limit")
def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(releasable, tmp_path):
    size = releasable.shard_path("S01-001").stat().st_size
    limits = [str(int(size * share)) for share in (0.01, 0.9, 1.001, 1.05)]
    command = [sys.executable, "-c", FULL_DISK, str(releasable.root), str(tmp_path / "release")]
    done = subprocess.run([*command, *limits], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()

    assert len(lines) == 2 * len(limits)
    for told, left in zip(lines[::2], lines[1::2], strict=True):
        assert re.fullmatch(r".*release.* cannot be \w+ \(File too large\).*Free space.*", told)
        assert left == "['study']"


def test_the_verb_tells_what_it_did(releasable, release_factory, tmp_path, capsys):
    target = tmp_path / "release"
    code = run(["release", str(releasable.root), str(target), "--release-version", "2.1", "--json"])
    told = capsys.readouterr()

    assert code == 0
    document = json.loads(told.out)
    assert document == {
        "release": str(target),
        "sessions": 2,
        "subjects": 2,
        "left_out": {
            "no consent record": {"subjects": 1, "sessions": 1},
            "no consent to share": {"subjects": 1, "sessions": 2},
        },
        "bytes": sum(p.stat().st_size for p in target.rglob("*") if p.is_file())
        - (target / "release.json").stat().st_size,
        "manifest_sha256": sha256_of(target / "release.json"),
    }
    assert f"{release_factory.SECRET} stays out (no consent to share)" in told.err
    assert re.search(r"the datasheet has \d+ gaps, .* Answer them in .*datasheet\.toml", told.err)
    assert json.loads((target / "release.json").read_text())["release_version"] == "2.1"


def test_the_verb_prints_a_summary(releasable, tmp_path, capsys):
    assert run(["release", str(releasable.root), str(tmp_path / "release"), "--plain"]) == 0
    told = capsys.readouterr().out

    assert "test 1.0, read-only" in told
    assert "sessions  2 of 2 subjects" in told
    assert "left out  2 sessions of 1 subject: no consent to share" in told


def test_what_is_there_is_never_written_over(releasable, released):
    before = hashes(released.root)
    with pytest.raises(AlreadyThere, match="exists, and a release is never changed"):
        release_study(releasable.root, released.root)
    with pytest.raises(CommandError, match="lie within each other"):
        release_study(releasable.root, releasable.root / "release")

    assert hashes(released.root) == before

"""The command line: what it answers to what a user can get wrong, and that it then changes nothing.

Most commands run in this process; those that are about the process itself run in one of their own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache

import numpy as np
import pytest
from make_videos import make_video

import mavfer
from mavfer.cli import run
from mavfer.errors import ChecksumMismatch
from mavfer.files import locked, read_json, sha256_of, write_json
from mavfer.study.hdf5 import open_hdf5
from mavfer.study.session import Session
from mavfer.study.study import Study

MAVFER = [sys.executable, "-m", "mavfer"]
VERBS = ["agree", "annotate", "archive", "audit", "benchmark", "check", "consent", "demo"]
VERBS += ["evaluate", "explain", "import-video", "info", "init", "label", "mark", "preprocess"]
VERBS += ["quality", "record", "release", "replay", "rig", "split", "train"]
ANNOTATE = [f"annotate {verb}" for verb in ("serve", "simulate", "invite", "revoke", "status")]
ANNOTATE += [f"annotate {verb}" for verb in ("collect", "backup", "restore", "prepare")]
RIG = ["rig probe", "rig selftest"]
RECORD = ["--rig", "simulated", "--seconds", "1", "--pace", "fast"]


def tree(folder):
    """Every file below `folder` and its hash; lock files stay for good and do not count."""
    files = (path for path in folder.rglob("*") if not path.name.endswith(".lock"))
    return {
        str(path.relative_to(folder)): sha256_of(path) if path.is_file() else "folder"
        for path in files
    }


@cache
def first_tree(folder):
    """Every file below `folder` and its hash when this was asked first."""
    return tree(folder)


def parts_of(study):
    return [path for path in study.root.rglob("*") if path.name.endswith(".part")]


def lines_of(text):
    return [line for line in text.splitlines() if line.strip()]


def with_packages_blocked(folder, *names):
    """An environment in which these packages seem not to be installed."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {names!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
    )
    return {**os.environ, "PYTHONPATH": str(folder)}


def turn_byte(path, position):
    """Changes one byte and hides it: size and time of change stay."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def wait_until(is_true, what):
    for _ in range(2400):
        if is_true():
            return
        time.sleep(0.05)
    pytest.fail(f"waited in vain: {what}")


@pytest.fixture(scope="module")
def playground(tmp_path_factory, raw_study, made_study, face_video):
    """A folder with a study S and files that are no videos; every test leaves it as it was."""
    folder = tmp_path_factory.mktemp("playground")
    random = np.random.default_rng(0)
    noise = [random.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(30)]
    late = make_video(folder / "late.mp4", 30, pictures=noise)
    late.write_bytes(late.read_bytes()[: late.stat().st_size * 7 // 10])
    early = make_video(folder / "early.mp4", 30, pictures=noise, muxer={"movflags": "+faststart"})
    early.write_bytes(early.read_bytes()[: early.stat().st_size * 7 // 10])
    shutil.copytree(made_study.root, folder / "S")
    shutil.copytree(raw_study.root, folder / "raw")
    shutil.copytree(made_study.root, folder / "torn")
    (folder / "torn" / "study.json").write_text('{"format": "mavfer.stu')
    shutil.copytree(made_study.root, folder / "newer")
    write_json(
        folder / "newer" / "study.json", made_study.document | {"version": 2, "news": "unheard of"}
    )
    shutil.copytree(made_study.root, folder / "no-people")
    (folder / "no-people" / "participants.csv").unlink()
    shutil.copy(face_video, folder / "face.mp4")
    (folder / "text.mp4").write_text("not a video\n" * 200)
    (folder / "empty.mp4").touch()
    (folder / "sound.wav").write_bytes(b"RIFF" + bytes(40))
    (folder / "form.pdf").write_text("signed")
    (folder / "full").mkdir()
    (folder / "full" / "thesis.txt").write_text("do not overwrite")
    (folder / "other.csv").write_text("file,subject\nother.mp4,S09\n")
    (folder / "wrong.csv").write_text("name,code\nface.mp4,S09\n")
    (folder / "consented").mkdir()
    consented = Study.create(folder / "consented")
    consented.write_consent("S01", folder / "form.pdf", form_version="1", scope=["record"])
    first_tree(folder)
    return folder


NO_STUDY = r"nowhere: no study here \(study\.json is missing\)\. Make one: mavfer init nowhere"
NOT_A_VIDEO = "cannot be opened as a video; not one, or cut off"

BAD_DATA = [
    ("info nowhere", NO_STUDY),
    ("check nowhere", NO_STUDY),
    ("preprocess nowhere", NO_STUDY),
    ("rig selftest nowhere.toml", r"nowhere\.toml: no such file\. Write a first one: mavfer rig p"),
    ("rig probe --write form.pdf", r"form\.pdf: exists already\. Choose another name, or move it"),
    ("record S --subject S01 --rig nowhere.toml --seconds 1", r"nowhere\.toml: no such file"),
    ("record nowhere --subject S01 --rig simulated --seconds 1", NO_STUDY),
    ("import-video face.mp4 nowhere", NO_STUDY),
    ("consent nowhere --subject S01 --form form.pdf", NO_STUDY),
    ("audit nowhere", r"nowhere: no session here \(session\.json is missing\)"),
    ("init S", r"S: holds a study already\. Use it, or choose another folder"),
    ("init full", r"full: exists and is not an empty folder\. Choose another name"),
    ("init form.pdf", r"form\.pdf: exists and is not an empty folder"),
    ("init form.pdf/study", r"form\.pdf/study.*: Not a directory\. Check the path"),
    ("info torn", r"torn/study\.json: not readable as JSON .*Restore it from a copy"),
    ("check torn", r"torn/study\.json: not readable as JSON"),
    ("preprocess newer", r"study version 2, this mavfer reads version 1\. Update mavfer"),
    ("info newer", r"newer/study\.json: study version 2"),
    ("consent no-people --subject S01 --form form.pdf", r"participants\.csv: no such file"),
    ("import-video face.mp4 no-people", r"participants\.csv: no such file"),
    ("import-video text.mp4 S", rf"text\.mp4: {NOT_A_VIDEO}"),
    ("import-video empty.mp4 S", rf"empty\.mp4: {NOT_A_VIDEO}"),
    ("import-video late.mp4 S", rf"late\.mp4: {NOT_A_VIDEO}"),
    ("import-video early.mp4 S", r"early\.mp4: cut off; \d+ of its frames lie behind its end"),
    ("import-video sound.wav S", rf"sound\.wav: {NOT_A_VIDEO}"),
    ("import-video nothing.mp4 S", r"nothing\.mp4: no such file"),
    ("import-video full S", r"full: no such file"),
    ("import-video face.mp4 S --subjects nothing.csv", r"nothing\.csv: no such file"),
    ("import-video face.mp4 S --subjects full", r"full: Is a directory\. Check the path"),
    ("import-video face.mp4 S --subjects other.csv", r"no row with a subject for face\.mp4"),
    ("import-video face.mp4 S --subjects wrong.csv", "needs the columns file and subject"),
    ("consent S --subject S01 --form nothing.pdf", r"nothing\.pdf: no such file\. Give the scan"),
    ("consent consented --subject S01 --form form.pdf", r"S01 has a consent record\. Move it"),
    ("preprocess consented", r"consented: no sessions yet\. Record one, or import a video"),
    ("preprocess S --landmarks nothing.dat", r"nothing\.dat: no landmark model there"),
    ("info S --contact-sheet sheet.docx", r"pictures cannot be written with this ending"),
]

BAD_COMMANDS = [
    ("record S --subject S01 --rig webcam --seconds 1", "unknown rig 'webcam'; known: simulated"),
    ("record S --subject S01 --rig realsense --seconds 1 --seed 2", "realsense: has no option --s"),
    ("rig selftest webcam", "unknown rig 'webcam'; known: simulated, realsense, served"),
    ("record S --subject S-1 --rig simulated --seconds 1", "'S-1': not a subject code"),
    ("record S --subject S01 --rig simulated --seconds inf", "inf seconds cannot be"),
    ("record S --subject S01 --rig simulated --seconds 1 --rate color=0", "must be above 0"),
    ("record S --subject S01 --rig simulated --seconds 1 --size color=big", "not of the form"),
    ("preprocess S --jobs 0", "--jobs 0: at least one session at a time is needed"),
    ("preprocess S --alignment tight", "no alignment preset 'tight'. There are: mavfer224"),
    ("import-video face.mp4 S --subject S/1", r"'S/1': not a subject code \(1 to 32 letters"),
    ("consent S --subject ../S01 --form form.pdf", r"'\.\./S01': not a subject code"),
]

BAD_USAGE = [
    ("frobnicate S", "No such command 'frobnicate'"),
    ("info", "Missing argument 'STUDY'"),
    ("info S --jsn", "No such option '?--jsn"),
    ("preprocess S --jobs many", "'many' is not a valid integer"),
    ("import-video S", "Missing argument 'FILES...'"),
    ("import-video face.mp4 S --subject S01 --subjects other.csv", "exclude each other"),
    ("consent S --subject S01 --form form.pdf --scope everything", "'everything' is not one of"),
    ("record S --subject S01 --rig simulated --seconds 0", "0 is not in the range|0.0 is not in"),
]


@pytest.mark.parametrize(("command", "message"), BAD_DATA + BAD_COMMANDS)
def test_a_mistake_is_answered_in_one_line_and_changes_nothing(
    playground, monkeypatch, capsys, command, message
):
    monkeypatch.chdir(playground)
    code = run(command.split())
    printed = capsys.readouterr()

    assert code == (1 if (command, message) in BAD_DATA else 2)
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("mavfer: ")
    assert re.search(message, printed.err)
    assert tree(playground) == first_tree(playground)


@pytest.mark.parametrize(("command", "message"), BAD_USAGE)
def test_a_command_that_cannot_be_read_is_answered_with_its_usage(
    playground, monkeypatch, capsys, command, message
):
    monkeypatch.chdir(playground)
    code = run(command.split())
    printed = capsys.readouterr()

    assert code == 2
    assert printed.out == ""
    assert printed.err.startswith("Usage: mavfer")
    assert re.search(message, printed.err)
    assert tree(playground) == first_tree(playground)


def test_the_console_command_gives_the_code_and_the_line(playground):
    mistake = subprocess.run(
        [*MAVFER, "check", "nowhere"], cwd=playground, capture_output=True, text=True, check=False
    )

    assert mistake.returncode == 1
    assert mistake.stdout == ""
    assert lines_of(mistake.stderr) == [
        "mavfer: nowhere: no study here (study.json is missing). Make one: mavfer init nowhere"
    ]


@pytest.mark.parametrize(
    ("command", "code"), [("--debug info nowhere", 1), ("preprocess S --jobs 0 --debug", 2)]
)
def test_debug_shows_the_traceback_and_keeps_the_exit_code(
    playground, monkeypatch, capsys, command, code
):
    monkeypatch.chdir(playground)
    plain = run([word for word in command.split() if word != "--debug"])
    told = capsys.readouterr().err
    found = run(command.split())
    told_more = capsys.readouterr().err

    assert found == plain == code
    assert "Traceback (most recent call last)" in told_more
    assert told_more.endswith(told)


def test_help_lists_the_verbs_of_the_core_and_of_the_tools(capsys):
    code = run(["--help"])
    listed = [line.split()[0] for line in capsys.readouterr().out.split("Commands:")[1].split("\n")
              if line.strip() and line.startswith("  ") and line[2] != " "]  # fmt: skip

    assert code == 0
    assert listed == VERBS


@pytest.mark.parametrize("verb", VERBS + ANNOTATE + RIG)
def test_the_help_of_each_verb_has_an_example(verb, capsys):
    code = run([*verb.split(), "--help"])

    assert code == 0
    assert f"Example: mavfer {verb} " in capsys.readouterr().out


def test_the_version_is_told(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"mavfer, version {mavfer.__version__}\n"


@pytest.mark.parametrize("verb", ["info", "check", "preprocess"])
def test_json_is_one_object_on_one_line_of_stdout(made_copy, capsys, verb):
    code = run([verb, str(made_copy.root), "--json"])
    lines = capsys.readouterr().out.splitlines()

    assert code == 0
    assert len(lines) == 1
    assert isinstance(json.loads(lines[0]), dict)


def test_json_comes_last_where_there_are_findings(made_copy, capsys):
    made_copy.media_path("S01-001").unlink()
    code = run(["check", str(made_copy.root), "--json"])
    lines = capsys.readouterr().out.splitlines()

    assert code == 1
    assert lines[0].startswith("problem: ")
    assert json.loads(lines[-1])["valid"] is False


def test_json_of_an_import_names_the_sessions(tmp_path, face_video, capsys):
    run(["init", str(tmp_path / "S")])
    capsys.readouterr()
    code = run(["import-video", str(face_video), str(tmp_path / "S"), "--json"])
    printed = capsys.readouterr()

    assert code == 0
    assert json.loads(printed.out) == {"sessions": ["face-001"]}
    assert "face.mp4 is now face-001" in printed.err


def test_several_files_without_subjects_come_with_a_note(tmp_path, capsys):
    files = [str(make_video(tmp_path / name)) for name in ("a.mp4", "b.mp4")]
    run(["init", str(tmp_path / "S")])
    code = run(["import-video", *files, str(tmp_path / "S")])
    printed = capsys.readouterr()

    assert code == 0
    assert printed.out.splitlines()[-2:] == ["a-001", "b-001"]
    assert "note: each file became a subject of its own" in printed.err


def test_a_video_without_a_face_becomes_a_valid_session_of_invalid_frames(tmp_path, capsys):
    root = tmp_path / "S"
    bars = make_video(tmp_path / "bars.mp4", 12)
    codes = [run(["init", str(root)]), run(["import-video", str(bars), str(root)]),
             run(["preprocess", str(root)])]  # fmt: skip
    told = capsys.readouterr().err
    codes.append(run(["check", str(root)]))
    dataset = mavfer.load(root, labels=None, verify="full")

    assert codes == [0, 0, 0, 0]
    assert "bars-001: no face in any of 12 frames; all rows of its shard are invalid" in told
    assert len(dataset[0]) == 12
    assert not dataset[0].usable.any()
    assert not dataset[0].color[:].any()


def test_a_session_whose_calibration_is_gone_is_named_and_the_others_go_on(raw_copy, capsys):
    session = Session.open(raw_copy.session_folder("P1-001"))
    raw_copy.calibration_path(session.calibration).unlink()
    code = run(["preprocess", str(raw_copy.root), "--json"])
    printed = capsys.readouterr()
    outcome = json.loads(printed.out)

    assert code == 1
    assert (outcome["done"], outcome["failed"]) == (1, 1)
    assert re.search(r"P1-001: failed: .*\.json: missing; session P1-001 needs it", printed.err)
    assert "Traceback" not in printed.err
    assert raw_copy.shard_path("S01-001").is_file()
    assert not raw_copy.shard_path("P1-001").exists()
    assert not raw_copy.media_path("P1-001").exists()
    assert parts_of(raw_copy) == []


def test_a_session_whose_video_is_gone_is_named(raw_copy, capsys):
    (raw_copy.session_folder("S01-001") / "color.mkv").unlink()
    code = run(["preprocess", str(raw_copy.root)])
    told = capsys.readouterr().err

    assert code == 1
    assert re.search(r"S01-001: failed: .*color\.mkv: missing; session S01-001 needs it", told)
    assert "Traceback" not in told
    assert [path.name for path in raw_copy.reports_folder.iterdir()] == ["S01-001.error.txt"]


def test_a_take_that_was_cut_short_is_named_with_the_way_out(raw_copy, capsys):
    path = raw_copy.session_folder("P1-001") / "session.json"
    write_json(path, read_json(path) | {"state": "recording"})
    code = run(["preprocess", str(raw_copy.root)])
    told = capsys.readouterr().err
    checked = run(["check", str(raw_copy.root)])

    assert code == 1
    assert re.search("P1-001: failed: .*was cut short, or is being recorded. Run: mavfer aud", told)
    assert checked == 1
    assert "P1-001: was cut short, or is being recorded. Run mav" in capsys.readouterr().out


def test_a_file_that_is_no_landmark_model_is_named(raw_copy, playground, capsys):
    code = run(["preprocess", str(raw_copy.root), "--landmarks", str(playground / "text.mp4")])
    told = capsys.readouterr().err

    assert code == 1
    assert re.search(r"^mavfer: .*text\.mp4: not a landmark model of dlib", told)
    assert not raw_copy.reports_folder.exists()


@pytest.mark.parametrize(("stream", "frame"), [("color", 3), ("depth", 7), ("thermal", 0)])
def test_one_turned_byte_is_found_and_its_stream_and_frame_are_named(
    made_copy, capsys, stream, frame
):
    path = made_copy.shard_path("P1-001")
    with open_hdf5(path) as file:
        offset, length, _ = file[f"index/{stream}"][frame].item()
    turn_byte(path, offset + length // 2)
    code = run(["check", str(made_copy.root)])
    told = f"session P1-001, {stream} frame {frame}, byte {offset}: the bytes changed since"

    assert code == 1
    assert told in capsys.readouterr().out
    with pytest.raises(ChecksumMismatch, match=told):
        mavfer.load(made_copy.root, labels=None, verify="full")
    recording = mavfer.load(made_copy.root, labels=None)["P1-001"]
    with pytest.raises(ChecksumMismatch, match=told):
        getattr(recording, stream)[frame]


def test_a_shard_cut_in_half_is_named_and_made_again(made_copy, capsys):
    path = made_copy.shard_path("S01-001")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    codes = {verb: run([verb, str(made_copy.root)]) for verb in ("info", "check")}
    printed = capsys.readouterr()
    again = run(["preprocess", str(made_copy.root)])
    mended = run(["check", str(made_copy.root)])

    assert codes == {"info": 1, "check": 1}
    assert len([line for line in lines_of(printed.err) if line.startswith("mavfer: ")]) == 1
    assert re.search(r"problem: .*S01-001\.h5: .*it is torn or cut off", printed.out)
    assert (again, mended) == (0, 0)
    assert "1 session preprocessed, 1 up to date, 0 failed" in capsys.readouterr().out


def test_a_torn_shard_of_no_session_does_not_hide_what_was_done(raw_copy, capsys):
    raw_copy.shard_path("S09-001").write_bytes(b"torn")
    code = run(["preprocess", str(raw_copy.root)])
    printed = capsys.readouterr()

    assert code == 1
    assert "2 sessions preprocessed" in printed.out
    assert re.search(r"S09-001\.h5: cannot be opened as HDF5; it is torn or cut off", printed.err)


def test_a_session_that_another_process_is_at_is_left_to_it(raw_copy, capsys):
    with locked(raw_copy.shards_folder / ".S01-001.lock", "S01-001 is preprocessed"):
        code = run(["preprocess", str(raw_copy.root)])
    told = lines_of(capsys.readouterr().err)

    assert code == 1
    assert [line for line in told if "failed" in line] == [
        "S01-001: failed: session S01-001 is preprocessed by another process (lock "
        f"{raw_copy.shards_folder / '.S01-001.lock'}). Wait for it, or stop it"
    ]
    assert raw_copy.shard_path("P1-001").is_file()


def interrupted(process):
    """What a process group tells that Ctrl-C ends.

    Python loses an interrupt that comes while it cleans up an object; people press again.
    """
    for _ in range(6):
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=10)[1]
    process.kill()
    return process.communicate()[1]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupted_run_says_so_and_leaves_nothing_half_written(raw_copy, jobs):
    """As on a terminal, the signal goes to the command and to its workers."""
    process = subprocess.Popen(
        [*MAVFER, "preprocess", raw_copy.root, "-j", jobs],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: parts_of(raw_copy), "a shard is begun")
    told = interrupted(process)

    assert process.returncode == 130, told
    assert lines_of(told)[-1] == "mavfer: interrupted"
    assert "Traceback" not in told
    assert parts_of(raw_copy) == []


def test_a_reader_that_goes_away_is_no_error(made_study):
    process = subprocess.Popen(
        [*MAVFER, "info", made_study.root], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()

    assert process.wait(timeout=60) == 0
    assert told == b""


@pytest.mark.parametrize(
    ("missing", "command", "line"),
    [
        ("av", "import-video face.mp4 S", "av is not installed. Run: pip install 'mavfer[prep"),
        ("av", "preprocess raw", "av is not installed. Run: pip install 'mavfer[preprocess]'"),
        ("av", "check S", "av is not installed. Run: pip install 'mavfer[preprocess]'"),
        ("cv2", "preprocess raw -j 2", "cv2 is not installed. Run: pip install 'mavfer[prep"),
        ("dlib", "preprocess raw", "dlib is not installed. Run: pip install 'mavfer[preprocess]'"),
        ("numba", "preprocess raw", "numba is not installed. Run: pip install 'mavfer[prep"),
        ("skimage", "record S --subject S01 " + " ".join(RECORD), "pip install 'mavfer[demo]'"),
        ("av", "record S --subject S01 " + " ".join(RECORD), "pip install 'mavfer[record]'"),
    ],
)
def test_a_missing_package_is_answered_with_the_line_that_installs_it(
    playground, tmp_path, missing, command, line
):
    mistake = subprocess.run(
        [*MAVFER, *command.split()],
        cwd=playground,
        env=with_packages_blocked(tmp_path / "blocked", missing),
        capture_output=True,
        text=True,
        check=False,
    )

    told = [one for one in lines_of(mistake.stderr) if not one.startswith("preprocess: ")]

    assert mistake.returncode == 2, mistake.stderr
    assert len(told) == 1  # beside how far it came, which a busy machine shows
    assert told[0].startswith("mavfer: ")
    assert line in told[0]
    assert tree(playground) == first_tree(playground)


def test_info_and_loading_need_no_extra(playground, tmp_path):
    environment = with_packages_blocked(
        tmp_path, "av", "cv2", "dlib", "numba", "skimage", "matplotlib"
    )
    load = "import mavfer; print(mavfer.load('S', labels=None)[0].color[2:4].shape)"
    commands = [[*MAVFER, "info", "S"], [sys.executable, "-c", load]]
    info, loaded = (
        subprocess.run(command, cwd=playground, env=environment, capture_output=True, text=True,
                       check=True)
        for command in commands
    )  # fmt: skip

    assert "2, 2 of them preprocessed" in info.stdout
    assert loaded.stdout == "(2, 224, 224, 3)\n"

"""What a rig's file may say, and how it is told what it may not."""

from __future__ import annotations

import hashlib
import re
import tomllib

import pytest

from mavfer.errors import InvalidFile, NotFound, WrongVersion
from mavfer.schema import load_schema
from recording.recorder import QUEUE_FRAMES, RESERVE_BYTES
from recording.rig import Storage, read_rig

HEAD = 'format = "mavfer.rig"\nversion = 1\nname = "lab"\n'
WEBCAM = '[cameras.color]\ndriver = "webcam"\ndevice = 0\n'
REALSENSE = '[cameras.color]\ndriver = "realsense"\n[cameras.depth]\ndriver = "realsense"\n'


@pytest.fixture
def read(tmp_path):
    """Reads a rig's file with the given text behind its head."""

    def write_and_read(text, head=HEAD):
        path = tmp_path / "lab.toml"
        path.write_text(head + text)
        return read_rig(path)

    return write_and_read


def test_a_file_is_read_with_its_hash_and_defaults(read, tmp_path):
    rig = read(WEBCAM)

    assert rig.name == "lab"
    assert rig.sha256 == hashlib.sha256((HEAD + WEBCAM).encode()).hexdigest()
    assert rig.cameras == {"color": {"driver": "webcam", "device": 0}}
    assert rig.is_paced
    assert rig.storage == Storage("jpeg95", RESERVE_BYTES, QUEUE_FRAMES)
    assert rig.calibration_path is None
    assert not rig.has_factory_calibration
    assert rig.document == tomllib.loads((tmp_path / "lab.toml").read_text())


def test_files_that_are_named_lie_beside_the_rigs(read, tmp_path):
    (tmp_path / "board.json").write_text("{}")
    rig = read('calibration = "board.json"\n' + WEBCAM)

    assert rig.calibration_path == tmp_path / "board.json"
    assert rig.beside("/elsewhere/color.mp4").as_posix() == "/elsewhere/color.mp4"


@pytest.mark.parametrize(
    ("text", "is_paced"),
    [
        (WEBCAM, True),
        ('[cameras.color]\ndriver = "simulated"\n', True),
        ('is_paced = false\n[cameras.color]\ndriver = "simulated"\n', False),
        ('[cameras.color]\ndriver = "file"\npath = "a.mp4"\n', False),
        ('is_paced = true\n[cameras.color]\ndriver = "file"\npath = "a.db3"\n', True),
    ],
)
def test_cameras_run_in_real_time_and_files_do_not_unless_they_are_asked_to(read, text, is_paced):
    assert read(text).is_paced is is_paced


MISTAKES = [
    ("[cameras.color\n", r"not readable as TOML \(Expected .*line 4, column \d+\)\)\. Correct it"),
    (WEBCAM + "sise = [640, 480]\n", r"cameras\.color\.sise: the driver webcam has no such option"),
    (WEBCAM + 'serial = "1"\n', r"cameras\.color\.serial: .*Leave it out; there are: device, size"),
    ('[cameras.color]\ndriver = "gige"\n', r"cameras\.color: no driver 'gige'. Choose one of real"),
    ('[cameras.color]\ndriver = "webcam"\n', r"webcam needs device\. Add a line device = "),
    ('[cameras.color]\ndriver = "file"\n', r"the driver file needs path\. Add a line path"),
    ("[cameras.thermal]\ndriver = 'gige'\n", r"\$\.cameras: 'color' is a required property"),
    (WEBCAM + "[cameras.sound]\n", r"\$\.cameras: .*'sound' was unexpected"),
    ("cameras = 3\n", r"\$\.cameras: 3 is not of type 'object'.*docs/formats\.md, 'rig'"),
    (WEBCAM + "[storage]\nqueue_frames = 0\n", r"\$\.storage\.queue_frames: 0 is less than"),
    (
        WEBCAM + '[cameras.thermal]\ndriver = "file"\npath = "t.mkv"\n',
        r"cameras\.thermal is a file and cameras\.color is none.*Give each stream a file, or none",
    ),
    ("is_paced = false\n" + WEBCAM, r"is_paced: cameras \(webcam\) always give .*Leave it out"),
    (
        'is_paced = true\n[cameras.color]\ndriver = "file"\npath = "a.mp4"\n',
        r"is_paced: the video of cameras\.color is read as fast",
    ),
    (
        '[cameras.color]\ndriver = "file"\npath = "a.db3"\n'
        '[cameras.depth]\ndriver = "file"\npath = "a.mp4"\n',
        r"cameras\.depth\.path: a\.mp4 cannot give depth\. Name a recording of the RealSense SDK",
    ),
    (
        '[cameras.color]\ndriver = "file"\npath = "a.db3"\n'
        '[cameras.thermal]\ndriver = "file"\npath = "a.db3"\n',
        r"cameras\.thermal\.path: a\.db3 cannot give thermal\. Name a video of 16-bit gray",
    ),
    (REALSENSE + 'serial = "8"\n', r"cameras\.color: names no serial, but the other"),
    ('calibration = "factory"\n' + WEBCAM, r"calibration: only color and depth of one RealSense"),
    (
        'calibration = "factory"\n[cameras.color]\ndriver = "realsense"\nserial = "1"\n'
        '[cameras.depth]\ndriver = "realsense"\nserial = "2"\n',
        r"calibration: only color and depth of one RealSense",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_told_with_its_file_its_key_and_the_way_out(read, tmp_path, text, message):
    with pytest.raises(InvalidFile, match=message) as told:
        read(text)

    assert str(told.value).startswith(f"{tmp_path / 'lab.toml'}: ")
    assert "\n" not in str(told.value)


def test_a_file_of_a_newer_version_says_to_update_before_it_is_judged(read):
    head = HEAD.replace("version = 1", "version = 2")
    with pytest.raises(WrongVersion, match=r"rig version 2, this mavfer reads version 1\. Upd"):
        read('[cameras.color]\ndriver = "holographic"\n', head=head)


def test_files_that_are_not_there_are_told(read, tmp_path):
    path = tmp_path / "none.toml"
    with pytest.raises(NotFound, match=rf"no such file\..*mavfer rig probe --write {path}"):
        read_rig(path)
    with pytest.raises(NotFound, match=r"calibration: .*board\.json is not there\. Correct the"):
        read('calibration = "board.json"\n' + WEBCAM)


def test_one_realsense_knows_its_calibration(read):
    assert read('calibration = "factory"\n' + REALSENSE).has_factory_calibration


@pytest.mark.parametrize("stream", ["color", "depth", "thermal"])
def test_every_option_says_which_drivers_have_it(stream):
    camera = load_schema("rig")["properties"]["cameras"]["properties"][stream]
    rules = {r["if"]["properties"]["driver"]["const"]: r["then"] for r in camera["allOf"]}
    having = {
        key: {driver for driver, rule in rules.items() if key in rule["propertyNames"]["enum"]}
        for key in camera["properties"]
    }

    assert set(camera["properties"]["driver"]["enum"]) == set(rules)
    for key in set(having) - {"driver", "size", "rate_hz"}:
        told, _, _ = camera["properties"][key]["description"].partition(":")
        assert set(re.split(", ", told)) == having[key], key
    for key in {"size", "rate_hz"} & set(having):
        assert having[key] == set(rules) - {"file"}, key

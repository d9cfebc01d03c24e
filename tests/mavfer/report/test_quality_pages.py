import re
import shutil
import sys
from xml.etree import ElementTree

import pytest
from quality_parts import FRAMES, troubled_study

from mavfer.cli import run
from mavfer.errors import CommandError, MissingExtra, NotFound
from mavfer.report import write_quality_pages
from mavfer.report.quality.facts import read_facts
from mavfer.report.quality.findings import troubled_frames
from mavfer.report.quality.strips import NARROW, WIDE, draw_states
from mavfer.study.study import Study

SESSIONS = {
    "S01-001": {},
    "S01-002": {"no_face": (0, 40), "several": (60, 90)},
    "S02-001": {"carried": (30, 120), "shutter": (100, 112), "outside": (0, 20)},
}


@pytest.fixture(scope="module")
def written(shard_factory, tmp_path_factory):
    """A study with its pages; not to be changed."""
    root = tmp_path_factory.mktemp("quality") / "study"
    study = troubled_study(shard_factory, root, SESSIONS)
    write_quality_pages(study.root)
    return study


@pytest.fixture
def troubled(written, tmp_path):
    """The same, to be changed; its pages still stand for its shards."""
    return Study.open(shutil.copytree(written.root, tmp_path / "study"))


def page_of(study, session):
    return (study.reports_folder / "quality" / f"{session}.html").read_text(encoding="utf-8")


def test_the_page_of_the_study_puts_the_worst_session_first(written):
    page = (written.reports_folder / "quality.html").read_text(encoding="utf-8")
    table = page[page.index("<h2>All sessions") :]

    assert re.findall(r'href="quality/(.*?)\.html"', table) == ["S01-002", "S02-001", "S01-001"]
    assert "2 of 3 sessions want a look." in page
    assert "33.3 % of the frames: no face in color" in page
    assert page.count("data:image/jpeg") == 2


def test_the_page_of_a_session_says_first_what_to_look_at(written):
    page = page_of(written, "S01-002")
    first = page[page.index("<h2>Look at this first") : page.index("<h2>Frames")]

    assert "2 stretches to look at, worst first." in first
    assert first.index("No face in color") < first.index("Several faces")
    assert "0:02.0 – 0:03.0" in first
    assert re.findall("<h2>(.*?)</h2>", page)[1:] == [
        "Frames",
        "Over time",
        "Synchronisation",
        "Measures",
        "Tracks",
        "How it was made",
    ]


def test_a_good_session_says_so(written):
    assert "Nothing stands out" in page_of(written, "S01-001")


def test_a_face_that_is_cut_off_is_no_missing_face(written):
    assert "<b>0.0 %</b><span>without a face</span>" in page_of(written, "S02-001")
    assert "<b>33.3 %</b><span>without a face</span>" in page_of(written, "S01-002")


def test_times_lead_into_the_media_where_there_is_one(troubled):
    media = troubled.media_path("S01-002")
    without = page_of(troubled, "S01-002")
    media.parent.mkdir(exist_ok=True)
    media.touch()
    write_quality_pages(troubled.root)
    page = page_of(troubled, "S01-002")

    assert "#t=" not in without
    assert 'href="../../media/S01-002.mp4#t=2.00"' in page


def test_pages_load_nothing_and_run_nothing(written):
    page = page_of(written, "S02-001")

    assert "default-src 'none'" in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="https?:', page)


def test_the_tracks_tell_the_subject_from_others(written):
    page = page_of(written, "S01-001")

    assert "the only face" in page
    assert "somebody else" in page


def test_pages_are_kept_until_their_shard_changes(troubled, shard_factory):
    pages = sorted((troubled.reports_folder / "quality").glob("*.html"))
    before = [page.stat().st_ino for page in pages]
    first = write_quality_pages(troubled.root).read_text(encoding="utf-8")
    kept = [page.stat().st_ino for page in pages]
    path = troubled.shard_path("S02-001")
    shard_factory.write_shard(path, shard_factory.faces(50))
    second = write_quality_pages(troubled.root).read_text(encoding="utf-8")
    changed = [page.stat().st_ino for page in pages]

    assert kept == before
    assert [new == old for new, old in zip(changed, before, strict=True)] == [True, True, False]
    assert "50 frames" in page_of(troubled, "S02-001")
    assert "33.3 % of the frames: no face" in first
    assert "33.3 % of the frames: no face" in second


def test_a_page_of_another_make_is_made_again(troubled):
    path = troubled.reports_folder / "quality" / "S01-001.html"
    path.write_text('<meta name="mavfer-quality" content="torn">', encoding="utf-8")
    write_quality_pages(troubled.root)

    assert "Nothing stands out" in page_of(troubled, "S01-001")


def test_sessions_that_failed_stand_above_all_others_with_the_reason(troubled):
    for name in ("S03-001", "S03-002", "S03-003"):
        (troubled.sessions_folder / name).mkdir(parents=True)
    troubled.reports_folder.mkdir(exist_ok=True)
    note = troubled.reports_folder / "S03-002.error.txt"
    note.write_text("Traceback:\n  File\nValueError: odd <pixels>\n", encoding="utf-8")
    path = write_quality_pages(
        troubled.root, failures={"S03-001": "session S03-001, depth: the clock strays"}
    )
    page = path.read_text(encoding="utf-8")
    notice = page[page.index('<div class="notice">') : page.index("<section")]

    assert "3 sessions failed, without a shard" in notice
    assert "S03-001: depth: the clock strays" in notice
    assert "S03-002: ValueError: odd &lt;pixels&gt;" in notice
    assert "S03-003: no shard yet. Run mavfer preprocess" in notice


def test_a_torn_shard_is_told_and_the_others_go_on(troubled):
    path = troubled.shard_path("S01-002")
    path.write_bytes(path.read_bytes()[:2000])
    page = write_quality_pages(troubled.root).read_text(encoding="utf-8")

    assert "1 session failed, without a shard, or with a torn one" in page
    assert "2 sessions" in page or "of 2 session" in page


def test_a_missing_picture_library_is_named(troubled, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)

    with pytest.raises(MissingExtra, match=r"pip install 'mavfer\[preprocess\]'"):
        write_quality_pages(troubled.root, ["S01-001"])


def test_a_study_without_any_shard_has_a_page(shard_factory, tmp_path):
    study = shard_factory.make_study(tmp_path / "S", {"S01-001": {}})
    study.shard_path("S01-001").unlink()
    (study.sessions_folder / "S01-001").mkdir(parents=True)
    page = write_quality_pages(study.root).read_text(encoding="utf-8")

    assert "No session has a shard." in page


def test_color_alone_and_stills_have_pages_too(shard_factory, tmp_path):
    study = shard_factory.make_study(
        tmp_path / "S",
        {"S01-001": {"streams": ("color",)}, "S02-001": {"kind": "stills", "streams": ("color",)}},
    )
    write_quality_pages(study.root)

    assert "Synchronisation" not in page_of(study, "S01-001")
    assert "40 frames · color" in page_of(study, "S02-001")


def test_a_session_that_is_not_there_is_told(written):
    with pytest.raises(NotFound, match=r"no session S09-001\. There are: S01-001, S01-002"):
        write_quality_pages(written.root, ["S09-001"])


def test_a_release_keeps_as_it_is(troubled):
    troubled.release_path.write_text("{}", encoding="utf-8")

    with pytest.raises(CommandError, match="release"):
        write_quality_pages(troubled.root)


def test_the_verb_prints_where_the_page_is(troubled, capsys):
    code = run(["quality", str(troubled.root), "--session", "S01-001"])

    assert code == 0
    assert capsys.readouterr().out == f"{troubled.reports_folder / 'quality.html'}: written\n"


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_mark_lies_inside_of_its_chart(written, width):
    facts = read_facts(written.shard_path("S02-001"))
    drawn = ElementTree.fromstring(draw_states(facts, troubled_frames(facts), width))
    bars = [bar.attrib for bar in drawn.iter("rect")]
    texts = [text for text in drawn.iter("text") if text.get("text-anchor") is None]

    assert len(bars) > FRAMES // 40
    assert all(float(bar["x"]) + float(bar["width"]) <= width for bar in bars)
    assert all(float(text.get("x")) + 6.6 * len(text.text) <= width for text in texts)

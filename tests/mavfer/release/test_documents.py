import json
import re

import pytest

from mavfer.release.documents import DOCUMENT_NAMES, write_documents

PAGES = [name for name in DOCUMENT_NAMES if name.endswith(".md")]
WIDEST_LINE = 100


@pytest.fixture
def written(contents, tmp_path):
    """Texts of all documents by name."""
    return {
        path.name: path.read_text(encoding="utf-8") for path in write_documents(contents, tmp_path)
    }


def tables(page):
    """Runs of lines that begin with a bar."""
    return [block.splitlines() for block in re.findall(r"(?:^\|.*\n?)+", page, re.M)]


def test_all_documents_are_written_and_nothing_else(written, tmp_path):
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(DOCUMENT_NAMES)
    assert set(written) == set(DOCUMENT_NAMES)


def test_the_same_contents_give_the_same_bytes(contents, written, tmp_path):
    again = write_documents(contents, tmp_path / "again")

    assert {path.name: path.read_text(encoding="utf-8") for path in again} == written


@pytest.mark.parametrize("name", DOCUMENT_NAMES)
def test_no_document_names_raters_devices_or_what_was_left_out(written, name):
    found = re.findall(r"RATER|SECRET9|secret-rig|serial|/tmp|/home", written[name])

    assert found == []


@pytest.mark.parametrize("name", PAGES)
def test_pages_read_well_as_plain_text(written, name):
    prose = [line for line in written[name].splitlines() if not line.startswith("|")]

    assert [line for line in prose if len(line) > WIDEST_LINE] == []
    assert "\n\n\n" not in written[name]
    assert written[name].endswith("\n")
    assert not re.search(r"[ \t]$", written[name], re.M)


@pytest.mark.parametrize("name", PAGES)
def test_tables_line_up_and_are_whole(written, name):
    found = tables(written[name])

    assert found
    for lines in found:
        assert len({len(line) for line in lines}) == 1
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
        assert re.fullmatch(r"[| :-]+", lines[1])


@pytest.mark.parametrize("name", PAGES)
def test_pages_have_one_title_and_no_number_that_is_none(written, name):
    assert len(re.findall(r"^# ", written[name], re.M)) == 1
    assert not re.search(
        r"\bnan\b|\bNone\b|\{|\}", re.sub(r"```.*?```", "", written[name], flags=re.S)
    )


def test_croissant_is_json_that_ends_with_a_line(written):
    assert json.loads(written["croissant.json"])["name"] == "lab faces"
    assert written["croissant.json"].endswith("}\n")

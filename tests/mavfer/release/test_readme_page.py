import ast
import hashlib
import json
import os
import re
from dataclasses import replace

import pytest

from mavfer.release.readme_page import readme_page


def code_blocks(page):
    """Python of the page, in order."""
    return re.findall(r"```python\n(.*?)```", page, re.S)


def test_it_says_what_the_data_are_and_how_much(contents):
    page = readme_page(contents)

    assert page.startswith("# lab faces 1.2.0\n\nFaces of people who watch films.\n")
    assert "4 sessions of 3 subjects, 1,500 frames (49.9 s) of color, depth and thermal" in page
    assert "**Some subjects are simulated**" in page


def test_the_code_is_python(contents):
    loading, verifying = code_blocks(readme_page(contents))

    assert ast.parse(loading)
    assert ast.parse(verifying)


@pytest.fixture
def release(tmp_path):
    """A folder with one file and a manifest of it."""
    (tmp_path / "study.json").write_text("{}")
    sha256 = hashlib.sha256(b"{}").hexdigest()
    manifest = {"files": [{"path": "study.json", "bytes": 2, "sha256": sha256}]}
    (tmp_path / "release.json").write_text(json.dumps(manifest))
    return tmp_path


def test_the_code_that_verifies_finds_a_changed_file(contents, release, monkeypatch):
    verifying = code_blocks(readme_page(contents))[1]
    monkeypatch.chdir(release)

    exec(verifying, {})
    (release / "study.json").write_text("[]")
    with pytest.raises(AssertionError, match=r"study\.json"):
        exec(verifying, {})


def test_the_tree_counts_files_and_bytes_by_folder(contents):
    page = readme_page(contents)

    assert re.search(r"\| `shards/` +\| +5 \| +4.9 KiB \| one HDF5 file a session", page)
    assert re.search(r"\| `study.json` +\| +1 \| 1,000 bytes \|", page)
    assert "`plain/`" not in page


def test_plain_copies_are_explained_where_there_are_any(contents):
    plain = replace(contents, is_plain=True)

    assert "`plain/` has a copy of every shard for any HDF5 reader" in readme_page(plain)


def test_rules_stand_where_people_were_recorded(contents, simulated_contents):
    assert "Do not try to find out who a subject is" in readme_page(contents)
    assert "Do not try to find out who a subject is" not in readme_page(simulated_contents)
    assert "Delete all copies after 2036-12-31." in readme_page(contents)


def test_the_citation_is_the_lab_s_or_marked_as_open(contents, answered):
    assert "**TO FILL IN** (`citation`)" in readme_page(contents)
    assert "Answer on citation.\n\nName the version, 1.2.0, with every result." in readme_page(
        answered
    )


def test_without_a_licence_nothing_may_be_used_unasked(contents):
    study = {**contents.study, "licence": None, "contact": None, "retention_until": None}
    page = readme_page(replace(contents, study=study))

    assert "Licence: not decided; ask before any use." in page
    assert os.linesep * 3 not in page

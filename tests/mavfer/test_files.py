import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.errors import Busy, InvalidFile, NotFound
from mavfer.files import (
    locked,
    read_csv,
    read_json,
    read_jsonl,
    sha256_of,
    sha256_of_document,
    write_csv,
    write_json,
    write_jsonl,
)


def test_a_file_replaces_another_only_when_it_is_whole(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(path, {"new": object()})

    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    program = (
        "import sys, os, signal; from pathlib import Path; from mavfer.files import replacing\n"
        f"with replacing(Path({str(path)!r})) as part:\n"
        "    part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    finished = subprocess.run([sys.executable, "-c", program], check=False)

    assert finished.returncode == -signal.SIGKILL
    assert read_json(path) == {"old": 1}


@given(document=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_json_reads_back_what_was_written(tmp_path_factory, document):
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_json(path, document)

    assert read_json(path) == document


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NotFound, match=r"gone\.json: no such file"):
        read_json(tmp_path / "gone.json")


def test_torn_json_is_not_a_traceback(tmp_path):
    path = tmp_path / "torn.json"
    path.write_text('{"a": ')

    with pytest.raises(InvalidFile, match=r"torn\.json: not readable as JSON .* Restore it"):
        read_json(path)


def test_a_torn_line_of_jsonl_is_numbered(tmp_path):
    path = tmp_path / "a.jsonl"
    write_jsonl(path, [{"a": 1}, {"a": 2}])
    path.write_text(path.read_text() + '{"a"')

    with pytest.raises(InvalidFile, match=r"a\.jsonl, line 3"):
        read_jsonl(path)


def test_csv_reads_back_equal_and_none_is_empty(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(path, {"x": [0.1, None], "name": ["a,b", 'say "c"']})

    assert read_csv(path) == {"x": ["0.1", ""], "name": ["a,b", 'say "c"']}


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "empty; the first line must name"), ("a,b\n1\n", "line 2: 1 cells, the header has 2")],
)
def test_a_bad_table_says_where(tmp_path, text, says):
    path = tmp_path / "a.csv"
    path.write_text(text)

    with pytest.raises(InvalidFile, match=says):
        read_csv(path)


def test_a_lock_held_by_another_process_is_reported(tmp_path):
    path = tmp_path / "x.lock"
    program = (
        "import sys; from pathlib import Path; from mavfer.files import locked\n"
        f"with locked(Path({str(path)!r}), 'x is written'):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(Busy, match="x is written by another process"),
            locked(path, "x is written"),
        ):
            pass
        os.kill(holder.pid, signal.SIGKILL)

    with locked(path, "x is written"):
        assert path.exists()


def test_the_hash_of_a_document_ignores_the_order_of_keys(tmp_path):
    assert sha256_of_document({"a": 1, "b": 2}) == sha256_of_document({"b": 2, "a": 1})
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert sha256_of(path).startswith("ba7816bf8f01cfea")

"""What the documents say must be so."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mavfer import errors
from mavfer.cli import verbs
from mavfer.schema import format_names

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("schemas/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)")


def text_of_the_docs():
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_the_tables_of_formats_are_those_of_the_schemas():
    program = [sys.executable, ROOT / "docs" / "generate_formats.py", "--check"]

    finished = subprocess.run(program, capture_output=True, text=True, check=False)

    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize("name", format_names())
def test_every_format_has_a_table(name):
    assert f"<!-- table: {name} -->" in (ROOT / "docs" / "formats.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_to_a_file_leads_somewhere(page):
    targets = [t for t in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in t]

    assert [t for t in targets if not (page.parent / t).exists()] == []


def commands(group, prefix=""):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


@pytest.mark.parametrize(("name", "command"), list(commands(verbs)))
def test_every_verb_is_documented_with_all_its_options(name, command):
    page = (ROOT / "docs" / "commands.md").read_text()
    options = [option for p in command.params for option in p.opts if option.startswith("--")]

    assert f"`mavfer {name}" in page
    assert [option for option in options if option not in page] == []


@pytest.mark.parametrize(("name", "command"), list(commands(verbs)))
def test_the_help_of_every_verb_ends_with_an_example(name, command):
    text = f"{command.help} {command.epilog}"

    assert f"Example: mavfer {name} " in " ".join(text.split())


@pytest.mark.parametrize("name", [n for n in errors.__all__ if n != "require"])
def test_every_error_is_documented(name):
    assert f"`{name}`" in (ROOT / "docs" / "errors.md").read_text()


def test_docs_name_no_machine_and_no_registry():
    forbidden = re.compile(r"/root/|/work/|pypi\.org|files\.pythonhosted|deb\.debian")

    assert forbidden.search(text_of_the_docs()) is None

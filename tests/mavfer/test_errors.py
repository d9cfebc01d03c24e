"""The family of errors, and what a missing package is answered with."""

from __future__ import annotations

import re

import pytest

from mavfer import errors
from mavfer.errors import MavferError, MissingExtra, require


def family():
    return [getattr(errors, name) for name in errors.__all__ if name != "require"]


def test_the_tree_in_the_docstring_is_the_family():
    tree = errors.__doc__.split("```")[1]
    found, branch = {}, []
    for line in tree.strip().splitlines():
        name = re.search(r"[A-Z]\w+", line)
        depth = name.start() // 4
        branch = [*branch[:depth], name.group()]
        found[name.group()] = branch[-2] if depth else "Exception"

    assert found == {kind.__name__: kind.__bases__[0].__name__ for kind in family()}


@pytest.mark.parametrize("kind", family(), ids=lambda kind: kind.__name__)
def test_only_a_wrong_command_ends_with_code_2(kind):
    is_command = issubclass(kind, errors.CommandError)

    assert kind("text").exit_code == (2 if is_command else 1)
    assert issubclass(kind, MavferError)
    assert kind.__doc__.strip()


def test_an_installed_package_is_imported():
    assert require("json", "train").loads("[1]") == [1]


def test_a_missing_package_names_the_line_that_installs_it():
    with pytest.raises(MissingExtra, match=r"Run: pip install 'mavfer\[train\]'$"):
        require("a_package_of_nobody", "train")
    with pytest.raises(MissingExtra, match=r"a_package_of_nobody\.part is not installed"):
        require("a_package_of_nobody.part", "train")


def test_a_package_that_lacks_one_of_its_own_is_a_bug_not_a_missing_extra(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import a_package_of_nobody")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_package_of_nobody"):
        require("half_installed", "train")


def test_a_missing_system_library_is_named(tmp_path, monkeypatch):
    text = "libGL.so.1: cannot open shared object file"
    (tmp_path / "needs_a_library.py").write_text(f"raise ImportError({text!r})")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra, match=rf"cannot be loaded \({text}\)\. Install the system"):
        require("needs_a_library", "train")

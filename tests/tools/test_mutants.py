"""The mutants fit the source, and an invalid file is refused. ./dev mutants runs them."""

from pathlib import Path

import pytest
from support.mutants import FOLDER, REPOSITORY, MutantError, load, parse

pytestmark = pytest.mark.no_kopru

_MINIMUM = 25

_HEAD = "breaks: does wrong\npromise: 1\n"
_EDIT = "\n--- a.c\n<<<\nif (a)\n    b();\n===\nb();\n>>>\n"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.mutant")))
def test_it_fits_the_source(name: str):
    (mutant,) = load([name])
    for edit in mutant.edits:
        edit.apply((REPOSITORY / edit.file).read_text(encoding="utf-8"))
    for test in mutant.tests:
        path, _, function = test.partition("::")
        text = (REPOSITORY / path).read_text(encoding="utf-8")
        assert f"def {function.partition('[')[0]}(" in text if function else text


def test_there_are_enough():
    assert len(load()) >= _MINIMUM


def test_an_edit_replaces_its_one_place_however_it_is_spaced(tmp_path: Path):
    (tmp_path / "a.c").write_text("x();\nif (a) b();\ny();\n")
    mutant = parse("m", _HEAD + "tests: tests/a.py tests/b.py::c\n" + _EDIT)
    mutant.apply(tmp_path)
    assert (tmp_path / "a.c").read_text() == "x();\nb();\ny();\n"
    assert (mutant.breaks, mutant.promise, mutant.tests) == ("does wrong", "1",
                                                             ["tests/a.py", "tests/b.py::c"])


@pytest.mark.parametrize(("text", "count"), [("if (a) c();", 0), ("if (a) b(); if (a) b();", 2)])
def test_an_edit_that_does_not_fit_once_changes_nothing(tmp_path: Path, text: str, count: int):
    (tmp_path / "a.c").write_text(text)
    with pytest.raises(MutantError, match=f"a.c holds what is to be replaced {count} times"):
        parse("m", _HEAD + _EDIT).apply(tmp_path)
    assert (tmp_path / "a.c").read_text() == text


def test_a_file_that_is_gone_is_said(tmp_path: Path):
    with pytest.raises(MutantError, match="there is no file a.c"):
        parse("m", _HEAD + _EDIT).apply(tmp_path)


@pytest.mark.parametrize("text", ["breaks: does wrong\n" + _EDIT, _HEAD,
                                  _HEAD + "other: x\n" + _EDIT, _HEAD + "breaks: again\n" + _EDIT,
                                  _HEAD + "\n--- a.c\n<<<\nx\n>>>\n",
                                  _HEAD + "\n--- a.c\n<<<\nx\n===\ny\n"])
def test_a_file_that_is_not_understood_is_refused(text: str):
    with pytest.raises(MutantError):
        parse("m", text)


def test_an_unknown_name_is_refused():
    with pytest.raises(MutantError, match="no mutants/nothing.mutant"):
        load(["nothing"])

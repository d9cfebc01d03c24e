import re
from pathlib import Path
from string import Formatter

import pytest

import annotator_web
from annotator_web.project import LANGUAGES
from annotator_web.way.language import (
    NAMES,
    choose,
    direction,
    number,
    plural_forms,
    say,
    words,
)

ROOT = Path(annotator_web.__file__).parent
TEMPLATES = "\n".join(path.read_text() for path in sorted((ROOT / "templates").glob("*.html")))
CODE = "\n".join(path.read_text() for path in sorted(ROOT.rglob("*.py")))
ALL_FORMS = {form for language in LANGUAGES for form in plural_forms(language)}


def counted(language):
    """Keys whose texts count, without their forms."""
    stems = {}
    for key in words(language):
        stem, _, form = key.rpartition(".")
        if form in ALL_FORMS:
            stems.setdefault(stem, set()).add(form)
    return {stem: forms for stem, forms in stems.items() if "other" in forms and "one" in forms}


def keys(language):
    """All keys, a counted text as one."""
    stems = counted(language)
    return {stem if (stem := key.rpartition(".")[0]) in stems else key for key in words(language)}


def placeholders(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_says_everything_that_english_says(language):
    assert keys(language) == keys("en")
    assert all(text.strip() for text in words(language).values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_have_the_same_places_to_fill_in(language):
    for key, text in words(language).items():
        stem = key.rpartition(".")[0]
        if stem in counted(language):
            assert placeholders(text) <= {"count"}, key
        else:
            assert placeholders(text) == placeholders(words("en")[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_that_count_have_every_form_of_the_language(language):
    assert counted(language)
    for stem, forms in counted(language).items():
        assert forms == set(plural_forms(language)), stem


def test_every_text_is_used_and_every_used_text_is_there():
    said = set(re.findall(r"""\bt\(["']([\w.]*\w)["']""", TEMPLATES))
    said |= set(re.findall(r"""say\(language, ["']([\w.]*\w)["']""", CODE))
    built = re.findall(r"""["']([\w.]+\.)["'] ~ [\w.]+(?: ~ ["']([\w.]+)["'])?""", TEMPLATES)
    built += [(start, "") for start in re.findall(r"""\[f["']([a-z_]+\.[\w.]*)\{""", CODE)]
    built += [("word.", ""), ("dimension.", "")]
    patterns = [re.compile(rf"{re.escape(a)}[a-z_]+{re.escape(b)}") for a, b in built]
    own = {key for key in keys("en") if not key.startswith("room.")}

    assert said - own == set()
    assert {key for key in own - said if not any(p.fullmatch(key) for p in patterns)} == set()


def test_a_browser_is_answered_in_its_language_where_the_study_speaks_it():
    assert choose(None, "ar-EG,en;q=0.5", LANGUAGES) == "ar"
    assert choose(None, "fr,de-AT;q=0.5", LANGUAGES) == "de"
    assert choose(None, "fr", ("de", "ar")) == "de"
    assert choose("en", "ar", LANGUAGES) == "en"
    assert choose("en", "ar", ("de", "ar")) == "ar"
    assert choose(None, None, LANGUAGES) == "en"


@pytest.mark.parametrize(
    ("count", "told"),
    [(1, "دقيقة واحدة"), (2, "دقيقتان"), (3, "3 دقائق"), (11, "11 دقيقة"), (103, "103 دقائق")],
)
def test_arabic_counts_as_arabic_does(count, told):
    assert say("ar", "length.minutes", count=count) == told


def test_a_line_begins_where_the_language_begins_it():
    assert {code: direction(code) for code in NAMES} == {"en": "ltr", "de": "ltr", "ar": "rtl"}


def test_numbers_are_written_as_people_write_them():
    assert (number("en", -0.5, 1), number("de", -0.5, 1)) == ("\u22120.5", "\u22120,5")

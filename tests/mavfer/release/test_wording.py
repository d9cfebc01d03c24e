import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.release.wording import (
    bullets,
    folded,
    listed,
    number_text,
    page,
    paragraph,
    plain,
    rounded_text,
    size_text,
    table,
    time_text,
)


def test_a_table_lines_up_and_says_where_columns_align():
    found = table(
        ("what", "number", "why"), [("a", "1", "because"), ("long word", "1,000", "")], words=(0, 2)
    )

    assert found.splitlines() == [
        "| what      | number | why     |",
        "| --------- | -----: | ------- |",
        "| a         |      1 | because |",
        "| long word |  1,000 |         |",
    ]


@given(
    st.lists(
        st.sampled_from(["word", "#", "-", "1.", "2)", ">", "+", "*"]), min_size=1, max_size=90
    )
)
def test_no_wrapped_line_turns_into_a_list_or_a_heading(words):
    lines = paragraph(" ".join(words)).splitlines()

    assert all(len(line) <= 98 for line in lines)
    assert not any(re.match(r"(\d+[.)]|[#>+*-])\s", line) for line in lines[1:])
    assert " ".join(lines).replace("\\", "").split() == words


def test_items_that_wrap_stay_in_their_bullet():
    first, second, _ = bullets(["word " * 30, "short"]).splitlines()

    assert first.startswith("- word")
    assert second.startswith("  word")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a|b", r"a\|b"),
        ("<script>", r"\<script>"),
        ("*loud* `code` [link]", r"\*loud\* \`code\` \[link]"),
        ("two\nlines", "two lines"),
        ("my_study_2", "my_study_2"),
    ],
)
def test_words_of_the_lab_mean_nothing_to_markdown(text, safe):
    assert plain(text) == safe


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-1, "-1"), (1e-5, "0.00001"), (12.3456, "12.3"), (123456, "123,456"), (100, "100")],
)
def test_numbers_keep_three_digits_and_no_exponent(value, text):
    assert number_text(value) == text


def test_rounding_leaves_no_minus_before_zero():
    assert rounded_text(-0.0004, 3) == "0.000"
    assert rounded_text(float("inf")) == "–"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1,023 bytes"), (1 << 20, "1.0 MiB"), (3 << 40, "3.0 TiB")],
)
def test_sizes_have_the_unit_that_suits(count, text):
    assert size_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (119.6, "119.6 s"), (3600, "60 min 0 s"), (360_000, "100 h 0 min")],
)
def test_times_have_the_units_that_suit(seconds, text):
    assert time_text(seconds) == text


def test_lists_of_words_read_as_words():
    assert listed([]) == "none"
    assert listed(["color"]) == "color"
    assert listed(["color", "depth"]) == "color and depth"


def test_a_folded_block_is_still_markdown():
    assert folded("More", "| a |") == "<details>\n<summary>More</summary>\n\n| a |\n\n</details>"


def test_a_page_has_one_empty_line_between_blocks_and_none_for_empty_ones():
    assert page(["one", "", "two"]) == "one\n\ntwo\n"

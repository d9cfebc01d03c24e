from mavfer.report import html


def test_text_in_a_page_is_escaped():
    assert html.paragraph("<x>") == "<p>&lt;x&gt;</p>"
    assert "&lt;x&gt;" in html.table(["<x>"], [["<x>"]])
    assert "<th><x>" not in html.table(["<x>"], [["<x>"]])


def test_a_table_sets_words_left_the_best_bold_and_groups_above():
    table = html.table(
        ["who", "a", "why"],
        [["R1", "0.5", "<late>"]],
        over=[("", 1), ("arousal", 2)],
        strong={(0, 1)},
        words=(0, 2),
    )

    assert '<th class="over" colspan="2">arousal</th>' in table
    assert '<td class="text">R1</td><td><b>0.5</b></td><td class="text">&lt;late&gt;</td>' in table
    assert '<th class="text">who</th><th>a</th><th class="text">why</th>' in table


def test_a_page_links_to_each_of_its_sections():
    page = html.page("T", "lead", [html.section("One & two", "x"), html.section("Three")], "foot")

    assert '<nav><a href="#one-two">One &amp; two</a> <a href="#three">Three</a></nav>' in page
    assert '<section id="one-two">' in page

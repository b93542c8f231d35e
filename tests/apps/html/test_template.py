"""Pages are whole and ask for nothing from outside."""

from __future__ import annotations

from nextchar.apps.html.template import page


def test_a_page_requests_nothing_else() -> None:
    made = page("a <title>", "<p>b</p>", refresh=5)
    assert "<title>a &lt;title&gt;</title>" in made
    assert 'http-equiv="refresh" content="5"' in made
    for outside in ("http://", "https://", "src=", "@import", "url("):
        assert outside not in made
    assert "refresh" not in page("a", "b").split("<style>")[0]

"""A piece of a page within another page, a notebook's say: neither sees the other's style."""

from __future__ import annotations

from nextchar.apps.html.markup import tag
from nextchar.apps.html.style import style


def framed(body: str, *, title: str, height: int, more_style: str = "", script: str = "") -> str:
    """Markup that shows `body` in a frame. height: of it, pixels; what is more is scrolled to."""
    inner = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<style>{style()}{more_style}main{{padding:4px}}</style>"
        f"<main>{body}</main>" + (f"<script>(()=>{{{script}}})()</script>" if script else "")
    )
    look = f"width:100%;border:0;height:{height}px"
    return tag("iframe", srcdoc=inner, style=look, title=title)

"""Screen of interactive writing: rows of styled text, for any size of terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nextchar.cli.interactive.controller import Controller
from nextchar.cli.output.terminal_glyphs import Glyph, glyphs, label
from nextchar.generation.interactive.character_classes import MAX_SIZE
from nextchar.generation.interactive.symbols import Alternative

Fragment = tuple[str, str]  # style, text
Row = list[Fragment]
Columns = Callable[[str], int]  # columns that a string takes

BLOCKS = " ▏▎▍▌▋▊▉█"
MOST_CANDIDATES = 10
LEVELS = ((0.5, ""), (0.1, "class:likely"), (0.01, "class:unlikely"), (0.0, "class:surprising"))
KEYS = (
    " F1 help  Tab take  → generate  ← undo  ^G text  ^D quit",
    " F1 help  Tab take  → generate  ^D quit",
    " F1 help",
)

HELP = """\
type        letters, line breaks, paste
↑ ↓ Tab     choose a character, take it
Alt 1…9     take that one (Esc, digit)
→           generate a character
^W  Ctrl →  generate a word
^L          generate a line
^G          generate until a key press
←  ^Z       undo           ^Y  redo
Backspace   erase a character
F2 F3       temperature down, up
^T ^K ^P    temperature, top-k, top-p
^R          seed
^S          save to a file
PgUp PgDn   earlier text, later text
^D ^Q       quit and print the text
^C          the same, with status 130
F1  Esc ?   this help; Esc closes it

% is the probability to be drawn and, in
brackets, the model's own before rules.
Shaded: the model's is below 50, 10, 1 %
""".splitlines()


@dataclass(frozen=True)
class Screen:
    """Contents of a terminal.

    rows: at most as many as it has. cursor: row and column of the end of the text.
    scrolled: rows by which the text or help is scrolled; less than requested at its end.
    """

    rows: list[Row]
    cursor: tuple[int, int]
    scrolled: int


def candidates_shown(height: int) -> int:
    """Return the number of candidates that fit a screen of so many rows."""
    return max(0, min(MOST_CANDIDATES, (height - 4) // 2))


def screen(controller: Controller, height: int, width: int, columns_of: Columns) -> Screen:
    """Return the whole screen."""
    head, foot = _head(controller, width, columns_of), _foot(controller, width, columns_of)
    if controller.shows_help:
        rows, scrolled = _help(controller.scrolled, max(1, height - 2), width, columns_of)
        return Screen([head, *rows, foot], (0, 0), scrolled)
    count = candidates_shown(height)
    space = max(1, height - count - 3)
    rows = wrapped(_tail(controller, space, width), width, columns_of)
    cursor = (min(len(rows), space), sum(columns_of(text) for _, text in rows[-1]))
    last = max(len(rows) - controller.scrolled, min(space, len(rows)))
    text = rows[max(0, last - space) : last]
    text += [[] for _ in range(space - len(text))]
    title = " next " if width < 30 else " next character "
    rule = [("class:rule", f"──{title}".ljust(width, "─")[:width])]
    candidates = _candidates(controller, count, width, columns_of)
    return Screen([head, *text, rule, *candidates, foot], cursor, len(rows) - last)


def wrapped(characters: Iterable[Glyph], width: int, columns_of: Columns) -> list[Row]:
    """Return a text in rows, the last of which has space for the cursor.

    A wide character is never divided.
    """
    rows: list[Row] = [[]]
    used = 0
    for glyph in characters:
        columns = columns_of(glyph.shown)
        if used + columns > width:
            rows.append([])
            used = 0
        _add(rows[-1], (_level(glyph.logprob), glyph.shown))
        used += columns
        if glyph.ends_line:
            rows.append([])
            used = 0
    if used >= width:
        rows.append([])
    return rows


def _add(row: Row, fragment: Fragment) -> None:
    """Add a fragment to a row, joined with a last one of the same style."""
    if row and row[-1][0] == fragment[0]:
        row[-1] = (fragment[0], row[-1][1] + fragment[1])
    else:
        row.append(fragment)


def _level(logprob: float) -> str:
    if math.isnan(logprob):
        return ""
    return next(style for least, style in LEVELS if math.exp(logprob) >= least)


def _tail(controller: Controller, space: int, width: int) -> Iterable[Glyph]:
    """Return the end of the text that may be visible, from the beginning of a line."""
    symbols, vocabulary = controller.session.symbols, controller.session.model.vocabulary
    start = max(0, len(symbols) - MAX_SIZE * (space + controller.scrolled) * width)
    line_end = vocabulary.encode("\n", unknown="skip").tolist()
    while start > 0 and [symbols[start - 1].code] != line_end:
        start -= 1
    return glyphs(vocabulary, symbols[start:])


def _help(scrolled: int, space: int, width: int, columns_of: Columns) -> tuple[list[Row], int]:
    """Return the rows of the help, and the number of rows above them."""
    scrolled = min(scrolled, max(0, len(HELP) - space))
    lines = HELP[scrolled:][:space]
    rows: list[Row] = [[("", _cut(line, width, columns_of))] for line in lines]
    return rows + [[]] * (space - len(lines)), scrolled


def _head(controller: Controller, width: int, columns_of: Columns) -> Row:
    session = controller.session
    settings, bits, length = session.settings, session.bits, len(session)
    top_k = settings.top_k if settings.top_k > 0 else "off"
    top_p = f"{settings.top_p:g}" if settings.top_p < 1 else "off"
    short = f" T {settings.temperature:g}  k {top_k}  p {top_p}  seed {settings.seed}"
    long = (
        f" temperature {settings.temperature:g}  top-k {top_k}  top-p {top_p}  seed {settings.seed}"
    )
    noun = "byte" if session.model.vocabulary.is_bytes else "character"
    figures = f"{length} {noun}{'s' * (length != 1)}"
    if not math.isnan(bits):
        figures += f", {bits:.2f} bits each"
    choices = (f" {controller.name} {long}  {figures}", f"{long}  {figures}", long, short)
    text = next((each for each in choices if columns_of(each) <= width), short)
    return [("class:bar", _filled(text, width, columns_of))]


def _foot(controller: Controller, width: int, columns_of: Columns) -> Row:
    question = controller.question
    if question is not None:
        text = f" {question.label}: {question.typed}▏"
        while columns_of(text) > width and len(text) > 1:  # the end of the answer stays visible
            text = text[1:]
        return [("class:bar", _filled(text, width, columns_of))]
    message = controller.message
    if controller.generating is not None:
        message = "any key stops"
    elif controller.shows_help:
        message = "↑ ↓ scroll  Esc back"
    keys = next((each for each in KEYS if columns_of(each) <= width), "")
    return [("class:bar", _filled(f" {message}" if message else keys, width, columns_of))]


def _candidates(controller: Controller, count: int, width: int, columns_of: Columns) -> list[Row]:
    candidates = controller.session.candidates(count)
    is_ruled = any(abs(each.probability - each.own) > 0.0005 for each in candidates)
    vocabulary = controller.session.model.vocabulary
    rows = []
    for n, each in enumerate(candidates):
        mark = "›" if n == controller.chosen else " "
        number = str(n + 1) if n < 9 else " "
        name = label(vocabulary, each.code)
        front = f"{mark}{number} {name}{' ' * max(1, 7 - columns_of(name))}"
        figures = _figures(each, is_ruled)
        bar = _bar(each.probability, width - columns_of(front) - len(figures) - 1)
        style = "class:chosen" if n == controller.chosen else ""
        rows.append([(style, _cut(f"{front}{bar} {figures}", width, columns_of))])
    return rows + [[] for _ in range(count - len(rows))]


def _figures(candidate: Alternative, is_ruled: bool) -> str:
    drawn = f"{100 * candidate.probability:5.1f} %"
    return f"{drawn} ({100 * candidate.own:4.1f} %)" if is_ruled else drawn


def _bar(share: float, width: int) -> str:
    """Return a bar that is filled to a share of its width, to an eighth of a column."""
    eighths = max(0, round(8 * share * width))
    full, rest = divmod(eighths, 8)
    return ("█" * full + BLOCKS[rest] * (rest > 0)).ljust(max(0, width))


def _filled(text: str, width: int, columns_of: Columns) -> str:
    text = _cut(text, width, columns_of)
    return text + " " * (width - columns_of(text))


def _cut(text: str, width: int, columns_of: Columns) -> str:
    while columns_of(text) > width:
        text = text[:-1]
    return text

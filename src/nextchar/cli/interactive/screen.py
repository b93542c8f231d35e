"""The screen of an interactive session as rows of styled text, for any size of terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nextchar.cli.interactive.controller import Controller
from nextchar.cli.output.terminal_glyphs import Glyph, glyphs, label
from nextchar.generation.interactive.writing_session import Alternative

Fragment = tuple[str, str]  # style, text
Row = list[Fragment]

BLOCKS = " ▏▎▍▌▋▊▉█"
MOST_CANDIDATES = 10
LEVELS = ((0.5, ""), (0.1, "class:likely"), (0.01, "class:unlikely"), (0.0, "class:surprising"))
KEYS = (
    " F1 help  Tab take  → write  ← undo  ^G go on  ^D leave",
    " F1 help  Tab take  → write  ^D leave",
    " F1 help",
)

HELP = """\
type        letters, line breaks, paste
↑ ↓ Tab     choose a character, take it
Alt 1…9     take that one (Esc, digit)
→           write a character
^W  Ctrl →  write a word
^L          write a line
^G          go on until a key
←  ^Z       take back      ^Y  do again
Backspace   erase a character
F2 F3       temperature down, up
^T ^K ^P    temperature, top-k, top-p
^R          seed
^S          save as a file
PgUp PgDn   earlier text, later text
^D ^Q       leave: the text is printed
^C          the same, with status 130
F1  Esc ?   this help; Esc closes it

% says how often each is drawn, and, in
brackets, what it has before all rules.
Shaded: it had less than 50, 10 or 1 %.
""".splitlines()


@dataclass(frozen=True)
class Screen:
    """What is on a terminal.

    rows: as many as it has, at the most. cursor: row and column of where the text goes on.
    """

    rows: list[Row]
    cursor: tuple[int, int]


def candidates_shown(height: int) -> int:
    """How many candidates there is room for on so many rows."""
    return max(0, min(MOST_CANDIDATES, (height - 4) // 2))


def screen(typewriter: Controller, height: int, width: int, size: Callable[[str], int]) -> Screen:
    """The whole screen. size: how many columns a string takes."""
    head, foot = _head(typewriter, width, size), _foot(typewriter, width, size)
    count = candidates_shown(height)
    room = max(1, height - count - 3)
    if typewriter.helps:
        return Screen([head, *_help(typewriter, max(1, height - 2), width, size), foot], (0, 0))
    rows = wrapped(_tail(typewriter, room, width), width, size)
    cursor = (min(len(rows), room), sum(size(text) for _, text in rows[-1]))
    last = max(len(rows) - typewriter.scrolled, min(room, len(rows)))
    typewriter.scrolled = len(rows) - last
    text = rows[max(0, last - room) : last]
    text += [[] for _ in range(room - len(text))]
    title = " next " if width < 30 else " what may come next "
    rule = [("class:rule", f"──{title}".ljust(width, "─")[:width])]
    return Screen([head, *text, rule, *_candidates(typewriter, count, width, size), foot], cursor)


def wrapped(characters: Iterable[Glyph], width: int, size: Callable[[str], int]) -> list[Row]:
    """A text in rows; wide characters are never cut in two. There is always a row to go on in."""
    rows: list[Row] = [[]]
    taken = 0
    for glyph in characters:
        columns = size(glyph.shown)
        if taken + columns > width:
            rows.append([])
            taken = 0
        _add(rows[-1], (_level(glyph.logprob), glyph.shown))
        taken += columns
        if glyph.ends_line:
            rows.append([])
            taken = 0
    if taken >= width:  # the cursor needs a place
        rows.append([])
    return rows


def _add(row: Row, fragment: Fragment) -> None:
    """Put a fragment at the end of a row, joined with one of the same style."""
    if row and row[-1][0] == fragment[0]:
        row[-1] = (fragment[0], row[-1][1] + fragment[1])
    else:
        row.append(fragment)


def _level(logprob: float) -> str:
    if math.isnan(logprob):
        return ""
    return next(style for least, style in LEVELS if math.exp(logprob) >= least)


def _tail(typewriter: Controller, room: int, width: int) -> Iterable[Glyph]:
    """The end of the text that may be on the screen, from the beginning of a line."""
    session = typewriter.session
    symbols, vocabulary = session.manuscript.symbols, session.model.vocabulary
    start = max(0, len(symbols) - 4 * (room + typewriter.scrolled) * width)  # 4 bytes a character
    line_end = vocabulary.encode("\n", unknown="skip").tolist()
    while start > 0 and [symbols[start - 1].code] != line_end:
        start -= 1
    return glyphs(vocabulary, symbols[start:])


def _help(typewriter: Controller, room: int, width: int, size: Callable[[str], int]) -> list[Row]:
    typewriter.scrolled = min(typewriter.scrolled, max(0, len(HELP) - room))
    lines = HELP[typewriter.scrolled :][:room]
    return [[("", _cut(line, width, size))] for line in lines] + [[]] * (room - len(lines))


def _head(typewriter: Controller, width: int, size: Callable[[str], int]) -> Row:
    settings, bits = typewriter.session.settings, typewriter.session.manuscript.bits
    top_k = settings.top_k if settings.top_k > 0 else "off"
    top_p = f"{settings.top_p:g}" if settings.top_p < 1 else "off"
    short = f" T {settings.temperature:g}  k {top_k}  p {top_p}  seed {settings.seed}"
    long = (
        f" temperature {settings.temperature:g}  top-k {top_k}  top-p {top_p}  seed {settings.seed}"
    )
    length = len(typewriter.session.manuscript)
    noun = "byte" if typewriter.session.model.vocabulary.is_bytes else "character"
    figures = f"{length} {noun}{'s' * (length != 1)}"
    if not math.isnan(bits):
        figures += f", {bits:.2f} bits each"
    choices = (f" {typewriter.name} {long}  {figures}", f"{long}  {figures}", long, short)
    text = next((each for each in choices if size(each) <= width), short)
    return [("class:bar", _filled(text, width, size))]


def _foot(typewriter: Controller, width: int, size: Callable[[str], int]) -> Row:
    question = typewriter.question
    if question is not None:
        text = f" {question.label}: {question.typed}▏"
        while size(text) > width and len(text) > 1:  # what was typed last is to be seen
            text = text[1:]
        return [("class:bar", _filled(text, width, size))]
    told = typewriter.message
    if typewriter.is_writing:
        told = "any key stops"
    elif typewriter.helps:
        told = "↑ ↓ scroll  Esc back"
    keys = next((each for each in KEYS if size(each) <= width), "")
    return [("class:bar", _filled(f" {told}" if told else keys, width, size))]


def _candidates(
    typewriter: Controller, count: int, width: int, size: Callable[[str], int]
) -> list[Row]:
    found = typewriter.session.candidates(count)
    is_ruled = any(abs(each.probability - each.own) > 0.0005 for each in found)
    vocabulary = typewriter.session.model.vocabulary
    rows = []
    for n, each in enumerate(found):
        mark = "›" if n == typewriter.chosen else " "
        number = str(n + 1) if n < 9 else " "
        name = label(vocabulary, each.code)
        front = f"{mark}{number} {name}{' ' * max(1, 7 - size(name))}"
        figures = _figures(each, is_ruled)
        bar = _bar(each.probability, width - size(front) - len(figures) - 1)
        style = "class:chosen" if n == typewriter.chosen else ""
        rows.append([(style, _cut(f"{front}{bar} {figures}", width, size))])
    return rows + [[] for _ in range(count - len(rows))]


def _figures(candidate: Alternative, is_ruled: bool) -> str:
    drawn = f"{100 * candidate.probability:5.1f} %"
    return f"{drawn} ({100 * candidate.own:4.1f} %)" if is_ruled else drawn


def _bar(share: float, width: int) -> str:
    """A bar of a width in columns that is filled to a share, to an eighth of a column."""
    eighths = max(0, round(8 * share * width))
    full, rest = divmod(eighths, 8)
    return ("█" * full + BLOCKS[rest] * (rest > 0)).ljust(max(0, width))


def _filled(text: str, width: int, size: Callable[[str], int]) -> str:
    text = _cut(text, width, size)
    return text + " " * (width - size(text))


def _cut(text: str, width: int, size: Callable[[str], int]) -> str:
    while size(text) > width:
        text = text[:-1]
    return text

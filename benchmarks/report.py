"""The report in Markdown, from the record that is also written as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.ratios import Ratio, floored, shown

Record = Mapping[str, Any]


def markdown(record: Record) -> str:
    """Return the whole report."""
    rows = record["rows"]
    parts = [
        "# nextchar beside its peers",
        _machine(record["machine"], record["settings"]),
        _summary("Training", [row for row in rows if row["kind"] == "train"]),
        _summary("Generation", [row for row in rows if row["kind"] == "generate"]),
        *(_row(row, record["machine"]["sgemm"]) for row in rows),
        _startup(record["startup"]),
        _memory(record["memory"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _machine(machine: Record, settings: Record) -> str:
    versions = [f"{name} {number}" for name, number in machine["versions"].items() if number]
    missing = [name for name, number in machine["versions"].items() if not number]
    facts = [
        ("date", machine["date"]),
        ("CPU", machine["cpu"] or "unknown"),
        ("features", ", ".join(machine["features"]) or "none of those looked for"),
        ("cores used", machine["cores"]),
        ("system", f"{machine['system']}, Python {machine['python']}"),
        ("versions", ", ".join(versions)),
        ("not installed", ", ".join(missing) or "–"),
        ("BLAS of NumPy", _blas(machine["sgemm"])),
        ("sgemm 2048³", _peak(machine["sgemm"])),
        ("variables cleared", ", ".join(machine["cleared"]) or "none was set"),
        ("rounds", f"{settings['rounds']} of {settings['seconds']:g} s each, interleaved"),
    ]
    return table(("", ""), facts)


def _blas(sgemm: Record) -> str:
    return (
        ", ".join(
            f"{pool['internal_api']} {pool['version']} {pool['architecture']}"
            for pool in sgemm.get("blas", ())
        )
        or "unknown"
    )


def _peak(sgemm: Record) -> str:
    if "failed" in sgemm:
        return f"not measured: {sgemm['failed']}"
    torch = f", PyTorch {sgemm['torch']:.0f}" if "torch" in sgemm else ""
    return f"NumPy {sgemm['all']:.0f} GF/s ({sgemm['one']:.0f} with one thread){torch}"


def _summary(title: str, rows: Sequence[Record]) -> str:
    """List our contenders: speed, ratio to the best peer, target."""
    if not rows:
        return ""
    head = ("row", "ours", "characters/s", "against", "ratio", "to reach", "")
    lines = []
    for row in rows:
        targets = [each for each in row["ratios"] if each["target"] is not None]
        lines += [_target_line(row, each) for each in targets]
        if not targets:
            lines.append(
                (row["title"], "–", _speed(row, "nextchar"), "nothing to compare", "–", "–", "")
            )
    return f"## {title}\n\n" + table(head, lines)


def _target_line(row: Record, made: Record) -> Sequence[str]:
    peer = f"{_label(row, made['peer'])} {_speed(row, made['peer'])}"
    ratio = Ratio(made["peer"], made["value"], made["low"], made["high"])
    reached = "reached" if made["value"] >= made["target"] else "short"
    ours = made["ours"]
    wanted = f"≥ {made['target']:g}"
    return (row["title"], _label(row, ours), _speed(row, ours), peer, shown(ratio), wanted, reached)


def _contender(row: Record, name: str) -> Record | None:
    return next((each for each in row["contenders"] if each["contender"] == name), None)


def _label(row: Record, name: str) -> str:
    found = _contender(row, name)
    return found["label"] if found else name


def _speed(row: Record, name: str) -> str:
    found = _contender(row, name)
    return f"{found['median']:,.0f}" if found else "–"


def _row(row: Record, sgemm: Record) -> str:
    """List every contender of a row, and those left out."""
    head = ["contender", "characters/s (min…max)", "nextchar is × as fast", "parameters", "form"]
    training = row["kind"] == "train"
    if training:
        head[2:2] = ["GF/s", "of sgemm"]
    lines = []
    for each in row["contenders"]:
        line = [each["label"], _range(each), _times(row, each["contender"])]
        line += [f"{each['parameters']:,}", each["note"] or "–"]
        if training:
            line[2:2] = _flops(row, each, sgemm)
        lines.append(line)
    out = [f"- {name} was left out: {why}." for name, why in row["left_out"].items()]
    parts = [f"### {row['title']}  (`{row['row']}`)", table(head, lines) if lines else ""]
    return "\n\n".join(filter(None, [*parts, "\n".join(out)]))


def _range(each: Record) -> str:
    return f"{each['median']:,.0f} ({min(each['speeds']):,.0f}…{max(each['speeds']):,.0f})"


def _times(row: Record, peer: str) -> str:
    made = [each for each in row["ratios"] if (each["ours"], each["against"]) == ("nextchar", peer)]
    return shown(Ratio(peer, made[0]["value"], made[0]["low"], made[0]["high"])) if made else "–"


def _flops(row: Record, each: Record, sgemm: Record) -> list[str]:
    """Format the rate of matrix products, and its share of the best measured sgemm rate."""
    rate = each["median"] * row["flops_per_character"] / 1e9
    peaks = [sgemm[name] for name in ("all", "torch") if name in sgemm]
    return [f"{rate:.1f}", f"{int(100 * rate / max(peaks))} %" if peaks else "–"]


def _startup(rows: Sequence[Record]) -> str:
    """List the wall time of whole processes."""
    if not rows:
        return ""
    lines = []
    for row in rows:
        if "failed" in row:
            lines.append((row["title"], f"failed: {row['failed']}", "–", ""))
            continue
        target, middle = row["target"], row["median"]
        spread = f"{middle:.3f} ({min(row['seconds']):.3f}…{max(row['seconds']):.3f})"
        wanted = "–" if target is None else f"< {target:g}"
        reached = "" if target is None else ("reached" if middle < target else "short")
        lines.append((row["title"], spread, wanted, reached))
    return "## Start-up\n\n" + table(("command", "seconds (min…max)", "to reach", ""), lines)


def _memory(rows: Sequence[Record]) -> str:
    """List the peak resident memory of one training process."""
    if not rows:
        return ""
    lines = [
        (row["title"], row["label"], row["failed"] if "failed" in row else _mebibytes(row["peak"]))
        for row in rows
    ]
    head = ("row", "process", "peak resident memory")
    return "## Memory\n\n" + table(head, lines) + "\n\n" + _verdict(rows)


def _mebibytes(count: int | None) -> str:
    return "not reported by this system" if count is None else f"{count / 2**20:,.0f} MiB"


def _verdict(rows: Sequence[Record]) -> str:
    peaks = {row["contender"]: row.get("peak") for row in rows}
    ours, theirs = peaks.get("nextchar"), peaks.get("torch")
    if not ours or not theirs:
        return "To reach: below PyTorch's; not both were measured."
    verdict = "reached" if ours < theirs else "short"
    return f"To reach: below PyTorch's; {verdict} ({floored(ours / theirs)} of it)."

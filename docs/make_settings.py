"""Print docs/settings.md, generated from the dataclasses of the settings: `make settings`."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.server.server_settings import ServerSettings
from nextchar.settings.config import GROUPS, option_of
from nextchar.settings.fields import setting_of
from nextchar.settings.presets import AUTO, CHOSEN_BY_AUTO, PRESET_HELP, PRESETS

SECTIONS = {
    **{group.title(): kind for group, kind in GROUPS.items()},
    "Generation": GenerationSettings,
    "Serving": ServerSettings,
    "Explanation": ExplainSettings,
}


def page() -> str:
    """The whole page."""
    parts = [
        "# Settings",
        "Every setting has one name: in Python `seq_length=64`, on the command line "
        "`--seq-length 64`, in `config.toml` `seq_length = 64`. `make settings` generates this "
        "page from the fields of `src/nextchar/settings/groups.py`, "
        "`src/nextchar/generation/generation_settings.py`, "
        "`src/nextchar/server/server_settings.py` and "
        "`src/nextchar/apps/explain/explain_settings.py`.",
        "## Presets",
        "A preset sets some of the settings; given settings override it. The default preset is "
        "`auto`. The defaults in the tables below are in force where a preset sets nothing else.",
        _presets(),
    ]
    for title, kind in SECTIONS.items():
        parts += [f"## {title}", (kind.__doc__ or "").splitlines()[0], _table(kind)]
    return "\n\n".join(parts) + "\n"


def _presets() -> str:
    rows = [
        f"| `{name}` | {PRESET_HELP[name]} | {_sets(name, settings)} |"
        for name, settings in PRESETS.items()
    ]
    return "\n".join(["| preset | description | settings |", "|---|---|---|", *rows])


def _sets(name: str, settings: Mapping[str, Any]) -> str:
    if name == AUTO:
        return ", ".join(f"`{each}`" for each in CHOSEN_BY_AUTO) + " ([recipes.md](recipes.md))"
    return ", ".join(f"`{key}={value}`" for key, value in settings.items()) or "the defaults below"


def _table(kind: Any) -> str:
    rows = [
        f"| `{option_of(field.name)}` | {_default(field)} | {_text(field)} |"
        for field in dataclasses.fields(kind)
    ]
    return "\n".join(["| option | default | meaning |", "|---|---|---|", *rows])


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is None:
        return setting_of(field).unset or "–"
    return f"`{field.default}`"


def _text(field: dataclasses.Field[Any]) -> str:
    setting = setting_of(field)
    choices = f" One of {', '.join(f'`{c}`' for c in setting.choices)}." if setting.choices else ""
    return setting.help.replace("|", "\\|") + choices


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(page())

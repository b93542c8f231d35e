"""`Settings`, the three groups together: presets, flat names, `config.toml`, options.

The groups are importable from here too, since most callers need both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nextchar.errors import SettingsError
from nextchar.settings.fields import require_at_most_one, require_known, suggestion
from nextchar.settings.groups import BUDGETS, NetworkSettings, TextSettings, TrainingSettings
from nextchar.settings.presets import AUTO, PRESETS

__all__ = [
    "BUDGETS", "FIELDS", "GROUPS", "NetworkSettings", "Settings", "TextSettings",
    "TrainingSettings", "laid_over", "option_of",
]  # fmt: skip

GROUPS: Mapping[str, type[Any]] = {
    "text": TextSettings,
    "network": NetworkSettings,
    "training": TrainingSettings,
}


@dataclass(frozen=True)
class Settings:
    """All settings of a run, in their three groups."""

    text: TextSettings
    network: NetworkSettings
    training: TrainingSettings

    @classmethod
    def make(cls, preset: str | None = None, **given: Any) -> Settings:
        """Settings of a preset with the given ones laid over it.

        A given `None` means the preset's value. A given budget (`epochs`, `steps` or `time`)
        replaces the preset's. Raises SettingsError for an unknown name (with the nearest known
        one), a wrong type or a value out of range.
        """
        flat = laid_over(preset, given)
        groups = {
            group: kind(**{name: flat[name] for name in kind.__dataclass_fields__ if name in flat})
            for group, kind in GROUPS.items()
        }
        return cls(**groups)

    def flat(self) -> dict[str, Any]:
        """Every setting by name."""
        return {**vars(self.text), **vars(self.network), **vars(self.training)}

    def tables(self) -> dict[str, dict[str, Any]]:
        """Every setting that is not None, by group: the content of `config.toml`."""
        return {
            group: {name: value for name, value in vars(settings).items() if value is not None}
            for group, settings in vars(self).items()
        }

    @classmethod
    def from_tables(cls, tables: Mapping[str, Mapping[str, Any]]) -> Settings:
        """Settings from the result of `tables`. Raises SettingsError, for an unknown table too."""
        for name in tables:
            require_known(name, GROUPS, "table")
        flat = {name: value for table in tables.values() for name, value in table.items()}
        return cls.make(None, **flat)


FIELDS: Mapping[str, dataclasses.Field[Any]] = {
    field.name: field for kind in GROUPS.values() for field in dataclasses.fields(kind)
}


def option_of(name: str) -> str:
    """The command-line spelling of a setting: `seq_length` → `--seq-length`."""
    return "--" + name.replace("_", "-")


def laid_over(preset: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a preset, overridden by the given ones that are not None.

    A given budget switches the preset's off. Raises SettingsError for an unknown name.
    """
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        require_known(name, FIELDS, "setting")
    require_at_most_one(BUDGETS, given)
    preset = AUTO if preset is None else preset
    if preset not in PRESETS:
        problem, remedy = f"must be one of {', '.join(PRESETS)}", suggestion(preset, PRESETS)
        raise SettingsError(problem, setting="preset", value=preset, remedy=remedy)
    return _with_one_budget(_with_one_budget({}, PRESETS[preset]), given)


def _with_one_budget(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`; a budget in `over` switches the other two off."""
    has_budget = any(over.get(name) is not None for name in BUDGETS)
    return {**base, **(dict.fromkeys(BUDGETS) if has_budget else {}), **over}

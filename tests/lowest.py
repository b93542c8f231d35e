"""`make lowest`: install the lowest dependencies that pyproject.toml promises, run the tests."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def lowest(requirement: str) -> str:
    """`"numpy>=2.1; python_version < '3.14'"` → `"numpy==2.1; python_version < '3.14'"`."""
    return re.sub(r">=([\w.]+)", r"==\1", requirement, count=1)


def main(environment: str) -> None:
    """Install into an environment that exists already, and test there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folder = Path(environment)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--editable", f"{ROOT}[test]"], check=True)
    promised = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    subprocess.run([*pip, *map(lowest, promised)], check=True)
    subprocess.run(
        [str(python), "-m", "pytest", "-n", "auto", "-m", "not live and not torture"], check=True
    )


if __name__ == "__main__":
    main(sys.argv[1])

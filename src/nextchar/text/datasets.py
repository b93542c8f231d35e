"""Named data sets: real text for a first run; two of them come with every Python.

`load` returns a data set's bytes, in UTF-8. Only `shakespeare` is downloaded, once, into the
user's cache folder, and only after its checksum was verified.
"""

from __future__ import annotations

import sysconfig
import tokenize
from pathlib import Path

from nextchar.errors import TextError
from nextchar.text.cache.folder import cache_folder

SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


def load(name: str) -> bytes:
    """Return the bytes of a named data set. Raises TextError if it is not available."""
    return _LOADERS[name]()


def _pydoc() -> bytes:
    try:
        from pydoc_data import topics
    except ImportError:
        raise TextError("this Python came without its documentation", path="pydoc") from None
    return "".join(topics.topics[topic] for topic in sorted(topics.topics)).encode()


def _stdlib() -> bytes:
    """Sources of the standard library, without its tests and without installed packages."""
    root = Path(sysconfig.get_path("stdlib"))
    outside = {"test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3"}
    paths = (path for path in root.rglob("*.py") if not outside & set(path.relative_to(root).parts))
    texts = []
    for path in sorted(paths):
        with tokenize.open(path) as stream:  # honours the coding line of each file
            texts.append(stream.read())
    if not texts:
        problem = "this Python came without the sources of its standard library"
        raise TextError(problem, path="stdlib")
    return "".join(texts).encode()


def _shakespeare() -> bytes:
    return download(SHAKESPEARE_URL, SHAKESPEARE_SHA256, "tinyshakespeare.txt").read_bytes()


def download(url: str, sha256: str, name: str, folder: Path | None = None) -> Path:
    """Return the path of a file in the cache; download it unless it is there and complete.

    The file gets its name only after its SHA-256 was verified. Raises TextError if it cannot be
    downloaded or is not the expected one.
    """
    import pooch

    folder = folder or cache_folder()
    pooch.get_logger().setLevel("ERROR")
    downloader, checksum = pooch.HTTPDownloader(timeout=30), f"sha256:{sha256}"
    try:
        return Path(pooch.retrieve(url, checksum, name, folder, downloader=downloader))
    except ValueError as error:
        problem = "the downloaded file is not the expected one (its SHA-256 differs)"
        remedy = "try again later, or download it by hand and give its path"
        raise TextError(problem, path=url, remedy=remedy) from error
    except OSError as error:  # requests' errors are of this family
        if (answer := getattr(error, "response", None)) is not None:
            answer.close()  # pooch leaves the connection of an HTTP error open
        problem = f"could not be downloaded ({type(error).__name__})"
        remedy = "check the network, or give the path of a text file of your own"
        raise TextError(problem, path=url, remedy=remedy) from error


_LOADERS = {"pydoc": _pydoc, "stdlib": _stdlib, "shakespeare": _shakespeare}
NAMES = tuple(_LOADERS)

"""Settings of the server: address, access and limits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from nextchar.errors import SettingsError
from nextchar.settings.fields import Validated, setting


@dataclass(frozen=True, kw_only=True)
class ServerSettings(Validated):
    """Address, access and limits of the server."""

    # fmt: off
    host: str = setting(
        "127.0.0.1", "Address to listen on; 0.0.0.0 is all addresses.", metavar="ADDRESS"
    )
    port: int = setting(
        8000, "Port to listen on; 0 chooses a free one.", low=0, high=65535, metavar="N"
    )
    api_key: str | None = setting(
        None, "Key that requests must send as Authorization: Bearer KEY.", metavar="KEY"
    )
    cors_origins: str | None = setting(
        None, "Comma-separated origins whose pages may use the API; * is all origins.",
        metavar="URL,...",
    )
    allowed_hosts: str | None = setting(
        None, "Host names, besides localhost, accepted by a local server without a key.",
        metavar="NAME,...",
    )
    parallel: int = setting(
        64, "Texts that a model generates at once.", low=1, high=4096, metavar="N"
    )
    queue: int = setting(
        256, "Texts that may wait for a lane; more are rejected (429).", low=0, metavar="N"
    )
    timeout: float = setting(
        300.0, "Longest time of a request in seconds; after it, the text ends where it is.",
        above=0.0, high=86400.0, metavar="S",
    )
    grace: float = setting(
        30.0, "Seconds for running requests to finish when the server is stopped.",
        low=0.0, high=86400.0, metavar="S",
    )
    max_prompt: int = setting(100_000, "Longest prompt in characters.", low=1, metavar="N")
    max_tokens: int = setting(10_000, "Most characters to generate for a text.", low=1, metavar="N")
    default_max_tokens: int = setting(
        16, "Characters to generate if a request sets no max_tokens.", low=0, metavar="N"
    )
    max_choices: int = setting(
        128, "Most texts of a request: prompts times n or best_of.", low=1, high=4096, metavar="N"
    )
    max_logprobs: int = setting(
        5, "Most alternatives that a request may ask for in logprobs.", low=0, high=100, metavar="N"
    )
    max_body: int = setting(
        8 << 20, "Largest body of a request in bytes.", low=1024, high=1 << 30, metavar="N"
    )
    max_connections: int = setting(
        1000, "Most connections at once; more are rejected (503).", low=1, high=10**5, metavar="N"
    )
    threads: int | None = setting(
        None, "Threads of each model; by default, the usable physical cores.", low=1, high=1024,
        metavar="N",
    )
    dtype: str = setting(
        "auto", "Type of the weights in memory; auto is bfloat16 if they outgrow a core's cache.",
        choices=("auto", "float32", "bfloat16"),
    )
    strict: bool = setting(False, "Reject unknown fields of a request instead of ignoring them.")
    access_log: bool = setting(False, "Log every request to standard error.")
    # fmt: on

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise SettingsError("must be printable ASCII to fit in a header", setting="api_key")
        if self.api_key == "":
            raise SettingsError("is empty", setting="api_key", remedy="leave it out to need none")
        if self.default_max_tokens > self.max_tokens:
            problem = f"must be at most max_tokens ({self.max_tokens})"
            name = "default_max_tokens"
            raise SettingsError(problem, setting=name, value=self.default_max_tokens)

    @property
    def origins(self) -> list[str]:
        """The origins in `cors_origins`."""
        return _listed(self.cors_origins)

    @property
    def names(self) -> list[str] | None:
        """Host names accepted in requests, besides IP addresses; None for any name.

        Prevents DNS rebinding: without this check, any page in a browser on this machine could
        reach a local server without a key, by a name of its own that resolves to 127.0.0.1.
        """
        if not self._is_local or self.api_key is not None:
            return None
        return ["localhost", *_listed(self.allowed_hosts)]

    @property
    def _is_local(self) -> bool:
        """True if the server can be reached from this machine only."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def _listed(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(",") if each.strip()]

"""What an operator chooses: where to listen, who may ask, and how much."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from nextchar.errors import SettingsError
from nextchar.settings.fields import Validated, setting


@dataclass(frozen=True, kw_only=True)
class ServerSettings(Validated):
    """Where the server listens, who may ask, and how much."""

    host: str = setting("127.0.0.1", "Address to listen on; 0.0.0.0 is all.", metavar="ADDRESS")
    port: int = setting(8000, "Port; 0 takes a free one.", low=0, high=65535, metavar="N")
    api_key: str | None = setting(
        None, "Key that requests must carry as Authorization: Bearer KEY.", metavar="KEY"
    )
    cors_origins: str | None = setting(
        None,
        "Origins whose pages may use the API, with commas between them; * is all.",
        metavar="URL,...",
    )
    allowed_hosts: str | None = setting(
        None,
        "Names that a local server without a key may be called by beside localhost.",
        metavar="NAME,...",
    )
    parallel: int = setting(64, "Texts that a model writes at once.", low=1, high=4096, metavar="N")
    queue: int = setting(
        256, "Texts that may wait beyond those; more are refused (429).", low=0, metavar="N"
    )
    timeout: float = setting(
        300.0,
        "Seconds that a request may take; then it ends with what there is.",
        above=0.0,
        high=86400.0,
        metavar="S",
    )
    grace: float = setting(
        30.0,
        "Seconds that running requests have to end when the server is stopped.",
        low=0.0,
        high=86400.0,
        metavar="S",
    )
    max_prompt: int = setting(100_000, "Characters of a prompt, at most.", low=1, metavar="N")
    max_tokens: int = setting(
        10_000, "Characters to write for a request, at most.", low=1, metavar="N"
    )
    default_max_tokens: int = setting(
        16, "Characters to write where a request does not say.", low=0, metavar="N"
    )
    max_choices: int = setting(
        128,
        "Texts of one request, at most: prompts times n or best_of.",
        low=1,
        high=4096,
        metavar="N",
    )
    max_logprobs: int = setting(
        5, "Most probable characters that may be asked for.", low=0, high=100, metavar="N"
    )
    max_body: int = setting(
        8 << 20, "Bytes of a request's body, at most.", low=1024, high=1 << 30, metavar="N"
    )
    max_connections: int = setting(
        1000, "Connections at once; more are refused (503).", low=1, high=10**5, metavar="N"
    )
    threads: int | None = setting(
        None, "Threads of each model; the usable physical cores by default.", low=1, high=1024,
        metavar="N",
    )  # fmt: skip
    dtype: str = setting(
        "auto",
        "How weights are held: as bfloat16 where they outgrow a core's cache (auto), or always so.",
        choices=("auto", "float32", "bfloat16"),
    )
    strict: bool = setting(False, "Refuse fields that are not known, which are ignored else.")
    access_log: bool = setting(False, "Tell of every request on standard error.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise SettingsError("api_key: wants printable ASCII, which is what a header can carry")
        if self.api_key == "":
            raise SettingsError("api_key: is empty; leave it out to need none")
        if self.default_max_tokens > self.max_tokens:
            raise SettingsError(
                f"default_max_tokens: wants at most max_tokens, got {self.default_max_tokens} "
                f"of {self.max_tokens}"
            )

    @property
    def origins(self) -> list[str]:
        """The origins of `cors_origins`."""
        return _listed(self.cors_origins)

    @property
    def names(self) -> list[str] | None:
        """Names that requests may give as their host, beside addresses; None for any.

        A server for this machine alone, without a key, could else be reached from any page that
        a browser on it shows: the page's own name is made to mean 127.0.0.1.
        """
        if not self._is_local or self.api_key is not None:
            return None
        return ["localhost", *_listed(self.allowed_hosts)]

    @property
    def _is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def _listed(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(",") if each.strip()]

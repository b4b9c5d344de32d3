"""Images that are pulled: because somebody said so, or because a container wants one that is not here."""

from __future__ import annotations

from engine.client import EngineClient, credentials
from engine.errors import NotFound, TiffinError
from tui.cli.output import notice
from tui.cli.parser import Parser
from tui.cli.transfers import follow

POLICIES = ("missing", "always", "never")


def declare(parser: Parser) -> None:
    """Add the flags that say whether a registry is asked."""
    parser.argument(
        "--pull",
        choices=POLICIES,
        default="missing",
        help="when to pull IMAGE: missing (default), always, never",
    )
    parser.argument("-q", "--quiet", action="store_true", help="do not show how far a pull is")


def pull(client: EngineClient, name: str, platform: str = "", quiet: bool = False) -> None:
    """Fetch an image from its registry, and show how far it is."""
    with client.image_pull(name, platform, credentials.find(name)) as transfers:
        follow(transfers, quiet)


def provide(client: EngineClient, ref: str, policy: str, quiet: bool) -> None:
    """Have the image that a container wants here, as far as the policy allows; `ref` may also be an image's id."""
    if policy == "always":
        pull(client, ref, quiet=quiet)
    elif policy == "missing" and not ref.startswith("sha256:"):  # no registry knows ids
        _pull_missing(client, ref, quiet)


def _pull_missing(client: EngineClient, ref: str, quiet: bool) -> None:
    try:
        client.image(ref)
        return
    except NotFound as error:
        missing = f"{error.message} here"
    if not quiet:
        notice(f"{missing}; pulling it")
    try:
        pull(client, ref, quiet=quiet)
    except TiffinError as error:
        raise NotFound(f"{missing}, and {error.message}", error.remedy) from error

"""Who this user is to registries: kept in the files, and by the helpers, that Docker and Podman share.

Formats: Docker's config.json (docker/cli, "Credential stores"), containers-auth.json(5). Read in Podman's order;
written where Docker has it, or where $REGISTRY_AUTH_FILE says.
"""

from __future__ import annotations

import base64
import binascii
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import BadRequest, KernelError, NotFound
from engine.model import RegistryLogin

HUB = "docker.io"
HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io")  # how Docker calls it
TOKEN_USER = "<token>"  # a helper's word for "the secret is an identity token"
PATIENCE = 60.0  # seconds; a helper may ask its user something

Config = dict[str, Any]


def find(image: str) -> RegistryLogin:
    """What is known for an image's registry, for the longest part of its name first; empty if nothing is.

    Raises BadRequest for a file or a helper that makes no sense.
    """
    wanted = list(_keys(image))
    for path in _files():
        config = _read(path)
        for key in wanted:
            if login := _from(config, key, path):
                return login
    return RegistryLogin(registry=registry_of(image))


def keep(login: RegistryLogin) -> str:
    """Keep a login; where, in words. Raises BadRequest, KernelError."""
    path = _own()
    config = _read(path)
    key = HUB_KEYS[0] if login.registry == HUB else login.registry
    if helper := _helper(config, login.registry):
        secret = {"ServerURL": key, "Username": login.username or TOKEN_USER}
        _call(helper, "store", msgspec.json.encode({**secret, "Secret": login.token or login.password}))
        entry: Config = {}
    else:
        pair = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        entry = {"auth": pair, **({"identitytoken": login.token} if login.token else {})}
    config.setdefault("auths", {})[key] = entry
    _write(path, config)
    return f"the helper docker-credential-{helper}" if helper else str(path)


def forget(registry: str) -> list[str]:
    """Take a login away wherever it is kept; where that was. Raises NotFound where there was none."""
    gone = []
    for path in _files():
        config = _read(path)
        auths = config.get("auths") or {}
        keys = [key for key in auths if _plain(key) == registry]
        for key in keys:
            if helper := _helper(config, registry):
                _call(helper, "erase", key.encode())
            del auths[key]
        if keys:
            _write(path, config)
            gone.append(str(path))
    if not gone:
        raise NotFound(f"nobody is logged in to {registry}", "tiffin login REGISTRY logs in")
    return gone


def registry_of(image: str) -> str:
    """The registry in an image's name."""
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    return first if named else HUB


def _keys(image: str) -> Iterator[str]:
    """What a login may be kept under: "host/team/app", "host/team", "host"."""
    registry = registry_of(image)
    path = image.partition("@")[0].removeprefix(f"{registry}/")
    parts = path.rpartition(":")[0].split("/") if ":" in path.rpartition("/")[2] else path.split("/")
    for count in range(len(parts), 0, -1):
        yield "/".join((registry, *parts[:count]))
    yield registry


def _files() -> Iterator[Path]:
    """All files that may say something, first things first."""
    home = Path.home()
    if given := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(given)
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.geteuid()}"
    yield (
        Path(runtime) / "containers/auth.json"
        if os.environ.get("XDG_RUNTIME_DIR")
        else Path(runtime) / "auth.json"
    )
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers/auth.json"
    yield Path(os.environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"


def _own() -> Path:
    if given := os.environ.get("REGISTRY_AUTH_FILE"):
        return Path(given)
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _read(path: Path) -> Config:
    try:
        found = msgspec.json.decode(path.read_bytes() or b"{}", type=Config)
        if not isinstance(found.get("auths") or {}, dict) or not isinstance(
            found.get("credHelpers") or {}, dict
        ):
            raise BadRequest(f"reading {path}: auths and credHelpers have to be objects", "mend or remove it")
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"reading {path}: {error}", "mend or remove that file") from error
    return found


def _write(path: Path, config: Config) -> None:
    """Replace the file as a whole, for its owner alone; a link to it stays one."""
    real = Path(os.path.realpath(path))
    draft = real.with_name(f".{real.name}.{os.getpid()}")
    try:
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(config), indent=4))
            file.flush()
            os.fsync(fd)
        draft.replace(real)
    except OSError as error:
        raise KernelError.of(f"writing {path}", error) from error
    finally:
        draft.unlink(missing_ok=True)


def _plain(key: str) -> str:
    """A key as the registry's name: without scheme and path where it is an address."""
    if key in HUB_KEYS:
        return HUB
    if "://" in key:
        return key.partition("://")[2].partition("/")[0]
    return key.rstrip("/")


def _from(config: Config, key: str, path: Path) -> RegistryLogin | None:
    """The login that one file has for one key."""
    registry = key.partition("/")[0]
    auths: dict[str, Any] = config.get("auths") or {}
    stored = next((known for known in auths if _plain(known) == key), "")
    entry = auths.get(stored) if stored else None
    if isinstance(entry, dict) and (entry.get("auth") or entry.get("identitytoken")):
        return _entry(entry, registry, path)
    if helper := _helper(config, key) if stored or key in (config.get("credHelpers") or {}) else "":
        return _helped(helper, stored or key, registry)
    return None


def _entry(entry: dict[str, Any], registry: str, path: Path) -> RegistryLogin:
    try:
        pair = base64.b64decode(entry.get("auth") or "", validate=True).decode().rstrip("\0")
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise BadRequest(
            f"reading {path}: the login for {registry} is malformed: {error}", f"tiffin login {registry}"
        ) from error
    username, _, password = pair.partition(":")
    token = str(entry.get("identitytoken") or "")
    return RegistryLogin(registry=registry, username=username, password=password, token=token)


def _helper(config: Config, key: str) -> str:
    """The program that keeps secrets for this key: docker-credential-NAME."""
    name = (config.get("credHelpers") or {}).get(key) or config.get("credsStore") or ""
    if not isinstance(name, str) or "/" in name:
        raise BadRequest(
            f"the credential helper {name!r} has no usable name", "mend credsStore and credHelpers"
        )
    return name


def _helped(helper: str, key: str, registry: str) -> RegistryLogin | None:
    try:
        found = msgspec.json.decode(_call(helper, "get", key.encode()), type=dict[str, str])
    except NotFound:
        return None
    except msgspec.DecodeError as error:
        raise BadRequest(f"docker-credential-{helper} answered no JSON: {error}", "try it by hand") from error
    name, secret = found.get("Username", ""), found.get("Secret", "")
    if name == TOKEN_USER:
        return RegistryLogin(registry=registry, token=secret)
    return RegistryLogin(registry=registry, username=name, password=secret)


def _call(helper: str, verb: str, data: bytes) -> bytes:
    """Ask a helper; NotFound where it has nothing, BadRequest where it fails."""
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run([program, verb], input=data, capture_output=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadRequest(
            f"running {program} {verb}: {error}", f"install {program}, or log in anew"
        ) from error
    if done.returncode:
        said = (done.stdout or done.stderr).decode(errors="replace").strip()
        if "not found" in said:
            raise NotFound(f"{program} has nothing for {data[:100].decode(errors='replace')}")
        raise BadRequest(f"{program} {verb} failed: {said[:300]}", "try it by hand")
    return done.stdout

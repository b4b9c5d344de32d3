"""A container to be made: Docker's create body to and from ContainerConfig, and the same for an exec."""

from __future__ import annotations

import math

import msgspec

from engine.docker import mounts, resources
from engine.docker.body import (
    Binding,
    CreateBody,
    ExecBody,
    Extension,
    HostConfig,
    Log,
    MountBody,
    Networking,
    Restart,
    Rlimit,
    parse,
    size,
)
from engine.errors import BadRequest, Unsupported
from engine.model import (
    JSON,
    ContainerConfig,
    ExecConfig,
    LogOptions,
    Publish,
    RestartPolicy,
    Ulimit,
)

RESTARTS = ("no", "on-failure", "always", "unless-stopped")
LOG_TYPES = ("", "json-file", "local", "journald")  # what reads as "keep it where `logs` finds it"


def from_docker(raw: JSON) -> ContainerConfig:
    """The container that a create body asks for.

    Raises BadRequest naming the malformed field, Unsupported naming one that asks for what there is not.
    """
    body = parse(raw, CreateBody)
    given = raw.get("HostConfig") or {}
    host = parse(given, HostConfig, "HostConfig.")
    for mount in given.get("Mounts") or []:
        parse(mount, MountBody, "HostConfig.Mounts.")  # told of fields that are not known
    extension = body.tiffin or Extension()
    if not body.image:
        raise BadRequest("Image is missing", "name an image; `tiffin images` lists them")
    return ContainerConfig(
        image=body.image,
        command=_words(body.cmd) or [],
        entrypoint=_entrypoint(body.entrypoint),
        env=body.env or [],
        workdir=body.working_dir or "",
        user=body.user or "",
        hostname=body.hostname or "",
        tty=bool(body.tty),
        stdin=bool(body.open_stdin),
        read_only=bool(host.readonly_rootfs),
        mounts=mounts.from_docker(host, body.volumes),
        network=_network(body, host),
        publish=_publish(host.port_bindings or {}),
        extra_hosts=host.extra_hosts or [],
        dns=host.dns or [],
        ulimits=[Ulimit(name=u.name, soft=u.soft, hard=u.hard) for u in host.ulimits or []],
        labels=body.labels or {},
        stop_signal=body.stop_signal or "",
        stop_grace=_grace(body, extension),
        restart=restart_from_docker(host.restart_policy) or RestartPolicy(),
        init=bool(host.init),
        privileged=bool(host.privileged),
        cap_add=host.cap_add or [],
        cap_drop=host.cap_drop or [],
        limits=resources.from_resources(host, extension),
        auto_remove=bool(host.auto_remove),
        log=_log(host.log_config),
    )


def to_docker(config: ContainerConfig) -> JSON:
    """The create body that asks for `config`."""
    body: JSON = msgspec.to_builtins(create_body(config))
    return body


def create_body(config: ContainerConfig) -> CreateBody:
    """The same, typed."""
    limits, extension = resources.to_resources(config.limits)
    if config.stop_grace is not None and config.stop_grace != int(config.stop_grace):
        extension["stop_grace"] = config.stop_grace
    ports: dict[str, list[Binding]] = {}
    for port in config.publish:
        at = Binding(host_ip=port.host_ip, host_port=str(port.host_port) if port.host_port else "")
        ports.setdefault(f"{port.container_port}/{port.protocol}", []).append(at)
    return CreateBody(
        image=config.image,
        cmd=config.command or None,
        entrypoint=[""] if config.entrypoint == [] else config.entrypoint,
        env=config.env or None,
        working_dir=config.workdir,
        user=config.user,
        hostname=config.hostname,
        tty=config.tty,
        open_stdin=config.stdin,
        labels=config.labels,
        stop_signal=config.stop_signal,
        stop_timeout=None if config.stop_grace is None else math.ceil(config.stop_grace),
        host_config=HostConfig(
            mounts=mounts.to_docker(config.mounts),
            network_mode=config.network,
            port_bindings={**ports},
            restart_policy=Restart(name=config.restart.name, maximum_retry_count=config.restart.max_retries),
            auto_remove=config.auto_remove,
            cap_add=config.cap_add,
            cap_drop=config.cap_drop,
            dns=config.dns,
            extra_hosts=config.extra_hosts,
            privileged=config.privileged,
            readonly_rootfs=config.read_only,
            ulimits=[Rlimit(name=u.name, soft=u.soft, hard=u.hard) for u in config.ulimits],
            init=config.init,
            log_config=Log(
                type="json-file",
                config={"max-size": str(config.log.max_size), "max-file": str(config.log.max_files)},
            ),
            **limits,
        ),
        tiffin=Extension(**extension),
    )


def restart_from_docker(given: Restart | None) -> RestartPolicy | None:
    """A restart policy; None where none is given."""
    if given is None or not given.name:
        return None
    retries = given.maximum_retry_count or 0
    if given.name not in RESTARTS:
        raise BadRequest(f"RestartPolicy.Name is {given.name!r}", f"give one of {', '.join(RESTARTS)}")
    if retries < 0 or (retries and given.name != "on-failure"):
        raise BadRequest(
            f"RestartPolicy.MaximumRetryCount is {retries} with {given.name!r}",
            "give a count above 0, with on-failure only",
        )
    return RestartPolicy(name=given.name, max_retries=retries)  # type: ignore[arg-type]  # one of RESTARTS


def exec_from_docker(raw: JSON) -> ExecConfig:
    """The program that an exec body asks for."""
    body = parse(raw, ExecBody)
    if not body.cmd:
        raise BadRequest("Cmd is missing", "name the program to run")
    return ExecConfig(
        command=body.cmd,
        env=body.env or [],
        workdir=body.working_dir or "",
        user=body.user or "",
        tty=bool(body.tty),
        stdin=bool(body.attach_stdin),
        privileged=bool(body.privileged),
    )


def exec_to_docker(config: ExecConfig) -> JSON:
    """The exec body that asks for `config`."""
    body: JSON = msgspec.to_builtins(
        ExecBody(
            cmd=config.command,
            env=config.env,
            working_dir=config.workdir,
            user=config.user,
            tty=config.tty,
            attach_stdin=config.stdin,
            privileged=config.privileged,
        )
    )
    return body


def _words(given: list[str] | str | None) -> list[str] | None:
    return [given] if isinstance(given, str) else given


def _entrypoint(given: list[str] | str | None) -> list[str] | None:
    """Docker: null and [] are the image's own, [""] is none."""
    words = _words(given)
    return [] if words == [""] else words or None


def _network(body: CreateBody, host: HostConfig) -> str:
    mode = host.network_mode or "default"
    if mode.startswith("container:"):
        raise Unsupported(
            f"HostConfig.NetworkMode {mode!r}: a network shared with a container is not supported"
        )
    network = "none" if body.network_disabled else "bridge" if mode == "default" else mode
    endpoints = (body.networking_config or Networking()).endpoints_config or {}
    for name, endpoint in endpoints.items():
        if name not in (mode, network):
            raise Unsupported(f"NetworkingConfig names a second network, {name!r}", "give one network")
        for field in ("IPAMConfig", "Links", "Aliases", "DriverOpts", "MacAddress"):
            if (endpoint or {}).get(field):
                raise Unsupported(
                    f"NetworkingConfig.EndpointsConfig.{name}.{field} is not supported", "leave it out"
                )
    return network


def _publish(bindings: dict[str, list[Binding] | None]) -> list[Publish]:
    ports: list[Publish] = []
    for key, hosts in bindings.items():
        number, _, protocol = key.partition("/")
        if protocol not in ("", "tcp", "udp"):
            raise Unsupported(f"HostConfig.PortBindings {key!r}: only tcp and udp are published")
        ports += [
            Publish(
                container_port=_port(number, key),
                host_port=_port(host.host_port, key) if host.host_port not in (None, "", "0") else 0,
                host_ip=host.host_ip or "0.0.0.0",
                protocol="udp" if protocol == "udp" else "tcp",
            )
            for host in hosts or [Binding()]
        ]
    return ports


def _port(text: str | None, key: str) -> int:
    if text is None or not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise BadRequest(f"HostConfig.PortBindings {key!r} has the port {text!r}", "give 1 to 65535")
    return int(text)


def _grace(body: CreateBody, extension: Extension) -> float | None:
    grace = extension.stop_grace if extension.stop_grace is not None else body.stop_timeout
    if grace is not None and not 0 <= grace < math.inf:
        raise BadRequest(f"StopTimeout is {grace}", "give seconds, 0 or more")
    return grace if grace is None else float(grace)


def _log(given: Log | None) -> LogOptions:
    if given is None:
        return LogOptions()
    if (given.type or "") not in LOG_TYPES:
        raise Unsupported(f"HostConfig.LogConfig.Type {given.type!r} is not supported", "leave it out")
    asked: dict[str, int] = {}
    for key, value in (given.config or {}).items():
        if key == "max-size":
            asked["max_size"] = size(value, "HostConfig.LogConfig max-size")
        elif key == "max-file":
            if not (value.isascii() and value.isdigit() and int(value)):
                raise BadRequest(
                    f"HostConfig.LogConfig max-file is {value!r}", "give a number of files, 1 or more"
                )
            asked["max_files"] = int(value)
        else:
            raise Unsupported(f"HostConfig.LogConfig {key!r} is not supported", "give max-size or max-file")
    return LogOptions(**asked)

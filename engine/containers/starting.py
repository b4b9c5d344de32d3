"""Everything between "start this container" and its first instruction, undone where it fails half-way."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import msgspec

from engine.containers.container import Container, told
from engine.containers.layers import layers_of, seccomp_program
from engine.containers.rooms import Rooms
from engine.errors import LaunchError, TiffinError
from engine.kernel import files
from engine.launch import Monitor
from engine.launch.bundle import bundle
from engine.launch.plan import LaunchPlan, Overlay, Restart
from engine.launch.signals import signal_number
from engine.model import JSON, ImageSummary
from engine.network import hosts_text, resolv_conf_text
from engine.rootfs.stack import read_text


async def launch(rooms: Rooms, container: Container) -> Monitor:
    """Make the container's cgroups, bundle and network, and run its first program.

    Returns once the program runs, or has run. Raises LaunchError (exit code 126 or 127 where the program is
    the reason), or whatever kept a part from being made; nothing of the attempt is left then.
    """
    container.lease = rooms.networks.reserve(container.id, container.record.config.network)
    container.cgroup.create()
    monitor: Monitor | None = None
    try:
        await _prepare(rooms, container)
        launching = asyncio.create_task(rooms.launcher.launch(container.folder))
        await asyncio.sleep(0)  # the request goes out: limits are set while init builds its mounts
        try:
            container.cgroup.begin(container.record.config.limits)
        finally:
            monitor = await launching
        await _connect(rooms, container, monitor)
        for waiting in container.attaching:
            if not waiting.done():
                waiting.set_result(await monitor.attach(input=container.record.config.stdin, lossless=True))
        container.attaching.clear()
        await monitor.go()
    except BaseException:
        if monitor is not None:
            with contextlib.suppress(TiffinError):  # it may have ended by itself
                await monitor.command("abort")
            container.told = told(await monitor.wait())
        await rooms.networks.unpublish(container.id)
        container.cgroup.remove()
        for waiting in container.attaching:
            waiting.cancel()
        container.attaching.clear()
        raise
    return monitor


async def _prepare(rooms: Rooms, container: Container) -> None:
    """Write the bundle and the launch plan into the container's folder."""
    config, folder = container.record.config, container.folder
    image = rooms.images.get(container.record.image_id)
    layers = await layers_of(rooms, container)
    hostname = config.hostname or (os.uname().nodename if config.network == "host" else container.id[:12])
    address = container.lease.address if container.lease else ""
    texts = {
        "hosts": hosts_text(hostname, address, config.extra_hosts),
        "hostname": hostname + "\n",
        "resolv.conf": resolv_conf_text(config.dns),
    }
    for name, text in texts.items():
        files.write(folder / name, text, mode=0o644)
    spec = bundle(
        config,
        image.config,
        rootfs=str(folder / "rootfs"),
        hostname=hostname,
        passwd=read_text(layers, "etc/passwd"),
        group=read_text(layers, "etc/group"),
        files={f"/etc/{name}": str(folder / name) for name in texts},
        volumes=rooms.volumes.paths(config, container.record.anonymous_volumes),
    )
    files.write(folder / "config.json", msgspec.json.encode(spec))
    files.write(folder / "launch.json", msgspec.json.encode(_plan(rooms, container, image, layers, spec)))


def _plan(
    rooms: Rooms, container: Container, image: ImageSummary, layers: list[Path], spec: JSON
) -> LaunchPlan:
    config, folder = container.record.config, container.folder
    return LaunchPlan(
        id=container.id,
        overlay=Overlay(
            lower=[str(layer) for layer in layers[1:]], upper=str(folder / "upper"), work=str(folder / "work")
        ),
        cgroups=container.cgroup.folders,
        monitor_cgroups=rooms.group.monitor_folders,
        oom_files=container.cgroup.oom_files,
        memory_limit_file=container.cgroup.memory_limit_file,
        state_file=str(folder / "state.json"),
        socket=str(rooms.instance.run / "c" / container.id),
        log_dir=str(container.log_dir),
        log_max_size=config.log.max_size,
        log_max_files=config.log.max_files,
        restart=Restart(name=config.restart.name, max_retries=config.restart.max_retries),
        stop_signal=signal_number(config.stop_signal or image.config.stop_signal or "SIGTERM"),
        stop_grace=10.0 if config.stop_grace is None else config.stop_grace,
        tty=config.tty,
        stdin=config.stdin,
        init=config.init,
        own_network=config.network != "host",
        seccomp=seccomp_program(rooms, spec["process"]),
    )


async def _connect(rooms: Rooms, container: Container, monitor: Monitor) -> None:
    """Give the container its interface, while its init builds its mounts."""
    if container.lease is None:
        return
    if monitor.netns < 0:
        raise LaunchError(f"starting container {container.name}: its network namespace did not arrive")
    await rooms.networks.attach(container.lease, monitor.netns)
    ports = await rooms.networks.publish(container.id, container.lease, container.record.config.publish)
    if ports != container.record.publish:
        container.change(publish=ports)

"""The verbs, one module each; a module has `arguments(parser)` and `run(args) -> exit status`.

Modules are imported only when their verb is used: `tiffin ps` pays for `ps` alone.
"""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """What is known of a verb without importing it."""

    summary: str
    module: str = ""  # where it differs from the verb
    failure: int = 1  # exit status when the engine says no


VERBS: dict[str, Verb] = {
    "run": Verb("create and start a container, and show what it prints", failure=125),
    "create": Verb("create a container without starting it"),
    "start": Verb("start stopped containers"),
    "stop": Verb("stop containers: their stop signal, then SIGKILL after the grace time"),
    "restart": Verb("stop and start containers"),
    "kill": Verb("send a signal to the first process of containers"),
    "pause": Verb("freeze all processes of containers"),
    "unpause": Verb("let paused containers go on"),
    "wait": Verb("wait until containers end, and print their exit status"),
    "rm": Verb("remove containers"),
    "rename": Verb("give a container another name"),
    "exec": Verb("run a further program in a running container"),
    "attach": Verb("connect this terminal to a running container"),
    "logs": Verb("show what a container printed"),
    "inspect": Verb("show all that is known of containers or images, as JSON"),
    "ps": Verb("list containers"),
    "stats": Verb("show what containers use, live"),
    "record": Verb("write what the deck shows to a file"),
    "replay": Verb("open the deck on a recording"),
    "why": Verb("say who waits, for what, and because of whom"),
    "tree": Verb("show every cgroup of the host, whosever it is, and what each uses"),
    "groups": Verb("look at a cgroup of the host, and act on those that are not tiffin's"),
    "metrics": Verb("print what is measured for Prometheus, or serve it"),
    "top": Verb("list the processes of a container"),
    "diff": Verb("list what a container changed in its root file system"),
    "reset": Verb("throw away what containers changed in their root file systems"),
    "snapshot": Verb("keep copies of what a container changed, to roll back to"),
    "rollback": Verb("put a container back to a snapshot"),
    "commit": Verb("make an image of a container"),
    "export": Verb("write a container's whole root as a tar archive"),
    "cp": Verb("copy files between a container and this machine"),
    "update": Verb("change the limits of containers while they run"),
    "events": Verb("show what happens, as it happens"),
    "pull": Verb("fetch images from registries"),
    "push": Verb("send an image to a registry"),
    "load": Verb("take in the images of an archive or an OCI layout"),
    "save": Verb("write images to an archive that other engines read"),
    "login": Verb("log in to a registry"),
    "logout": Verb("forget the login to a registry"),
    "build": Verb("make an image from a Containerfile"),
    "bootstrap": Verb("make an image of Debian from its packages, with mmdebstrap"),
    "import": Verb("make an image of a root file system's tar archive", module="import_"),
    "images": Verb("list images"),
    "history": Verb("show how an image was made, and what each step weighs"),
    "tag": Verb("give an image one more name"),
    "rmi": Verb("remove images"),
    "df": Verb("show what takes room on disk, what of it is shared, and what could go"),
    "prune": Verb("throw away images, containers and volumes that nothing uses"),
    "network": Verb("list, create, remove and inspect networks"),
    "volume": Verb("list, create, remove and inspect volumes"),
    "engine": Verb("show or stop the engine behind this command"),
    "demo": Verb("play a demo: who hurts whom, and what protects"),
    "doctor": Verb("say what this machine has, what it lacks, and what that costs"),
    "completion": Verb("print a shell's completion script"),
}


def module_of(name: str) -> str:
    """The module that implements a verb."""
    return f"tui.cli.verbs.{VERBS[name].module or name}"

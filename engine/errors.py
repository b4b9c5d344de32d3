"""The tree of everything that can go wrong, and what a person can do about it.

    TiffinError
    ├── BadRequest           the caller asked for something malformed           400
    ├── NotFound             no such container, image, network, volume, path    404
    ├── Conflict             exists already, wrong state, in use                409
    ├── NotPermitted         needs root or a capability, or is refused          403
    ├── Unsupported          this host or kernel cannot do it                   501
    ├── KernelError          a syscall or a kernel file said no                 500
    ├── LaunchError          a container's first program could not be started   400
    ├── EngineUnavailable    no engine answers and none could be started        503
    ├── Unreachable          another machine does not answer, or breaks off     502
    └── Corrupt              stored data is not what was written                500

A message is one sentence: what was being done, to what, and what the answer was. `remedy` says what to do
about it, in the imperative, or is empty where nothing helps.
"""

from __future__ import annotations

import os


class TiffinError(Exception):
    """Base of all errors that reach a user; never shown as a traceback."""

    status = 500  # of the HTTP answer
    exit_code = 1  # of a command

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message

    @property
    def kind(self) -> str:
        """The name of its class, or of the nearest base of that in this module: what `revived` takes."""
        return next(c.__name__ for c in type(self).__mro__ if c.__module__ == __name__)


class BadRequest(TiffinError):
    """The caller asked for something malformed."""

    status = 400


class NotFound(TiffinError):
    """There is no such thing."""

    status = 404


class Conflict(TiffinError):
    """It exists already, is in use, or is in a state that does not allow this."""

    status = 409


class NotPermitted(TiffinError):
    """It needs a privilege that the engine does not have, or is refused on purpose."""

    status = 403


class Unsupported(TiffinError):
    """This host, kernel or image cannot do it."""

    status = 501


class LaunchError(TiffinError):
    """A container's first program could not be started; `exit_code` is 126 or 127 as a shell's, else 125."""

    status = 400

    def __init__(self, message: str, remedy: str = "", exit_code: int = 125) -> None:
        super().__init__(message, remedy)
        self.exit_code = exit_code


class EngineUnavailable(TiffinError):
    """No engine answers, and none could be started."""

    status = 503


class Unreachable(TiffinError):
    """Another machine does not answer, breaks off, or answers what makes no sense."""

    status = 502


class Corrupt(TiffinError):
    """Stored data is not what was once written."""


class KernelError(TiffinError):
    """The kernel refused; `errno` is its answer."""

    def __init__(self, doing: str, errno: int, remedy: str = "") -> None:
        super().__init__(f"{doing}: {os.strerror(errno)}", remedy)
        self.errno = errno

    @classmethod
    def of(cls, doing: str, error: OSError, remedy: str = "") -> KernelError:
        """The error for an OSError met while `doing` (a phrase such as "writing /sys/fs/cgroup/x")."""
        return cls(doing, error.errno or 0, remedy)


def revived(kind: str, message: str, remedy: str) -> TiffinError:
    """An error that another process raised and told of, as the class it was there."""
    cls = globals().get(kind)
    if not (isinstance(cls, type) and issubclass(cls, TiffinError)):
        cls = TiffinError
    error = cls.__new__(cls)
    TiffinError.__init__(error, message, remedy)  # its own constructor would build the message anew
    return error

"""Queueing disciplines: what an interface does with packets that are to leave it; tc(8), tc-tbf(8)."""

from __future__ import annotations

import errno
import struct

from engine.errors import KernelError
from engine.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_REPLACE,
    Request,
    attribute,
    nest,
    string,
    u32,
)
from engine.kernel.rtnetlink import RouteSocket

RTM_NEWQDISC, RTM_DELQDISC = 36, 37
TC_H_ROOT = 0xFFFFFFFF
TCA_KIND, TCA_OPTIONS = 1, 2
TCA_TBF_PARMS, TCA_TBF_BURST = 1, 6
TC_LINKLAYER_ETHERNET = 1

_TC = struct.Struct("=BxxxiIII")  # struct tcmsg: family, ifindex, handle, parent, info
_RATE = struct.Struct("=BBHhHI")  # struct tc_ratespec
_TBF = struct.Struct("=12s12sIII")  # struct tc_tbf_qopt: rate, peakrate, limit, buffer, mtu


def limit_rate(index: int, rate: int, burst: int, queue: int) -> Request:
    """Let at most `rate` bytes a second leave an interface, `burst` bytes at once, with `queue` bytes waiting.

    What comes while the queue is full is dropped. The rate is at most 4 GiB/s.
    """
    spec = _RATE.pack(0, TC_LINKLAYER_ETHERNET, 0, 0, 0, rate)
    options = attribute(TCA_TBF_PARMS, _TBF.pack(spec, bytes(12), queue, 0, 0)) + u32(TCA_TBF_BURST, burst)
    body = _TC.pack(0, index, 0, TC_H_ROOT, 0) + string(TCA_KIND, "tbf") + nest(TCA_OPTIONS, options)
    return Request("limiting an interface's rate", RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, body)


def unlimit(route: RouteSocket, index: int) -> None:
    """Give an interface back what it had from the start; no error where it has that."""
    try:
        route.apply(
            Request("freeing an interface's rate", RTM_DELQDISC, 0, _TC.pack(0, index, 0, TC_H_ROOT, 0))
        )
    except KernelError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL):
            raise

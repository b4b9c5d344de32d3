"""Every cgroup of the host: found, recognised, named and sampled."""

from engine.watch.groups.groups import Groups
from engine.watch.groups.recognise import Recognised, recognise
from engine.watch.groups.told import Told
from engine.watch.groups.tree import Node, Tree

__all__ = ["Groups", "Node", "Recognised", "Told", "Tree", "recognise"]

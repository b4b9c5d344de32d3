"""An engine of its own for each test that asks for one."""

from engines import client as client
from engines import instance as instance

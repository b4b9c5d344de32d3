"""The host tree: every cgroup of the machine as a third view, and acting on what is not tiffin's."""

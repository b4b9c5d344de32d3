"""The programs inside a demo's containers: the machine's own python3 runs them, with nothing but its C modules.

`main` is PID 1 and starts the roles, a process each; a role has a line of its own to the engine (`wire`), does
its work between the orders "go" and "halt", and ends when the line does: when the engine is gone, so are they.
"""

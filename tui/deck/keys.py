"""Every key of the main screen; the ids are what a user's settings remap and what `?` is made from."""

from __future__ import annotations

from textual.binding import Binding, BindingType

APP: list[BindingType] = [
    Binding("q", "quit", "quit", id="app.quit"),
    Binding("question_mark", "help", "all keys", id="app.help"),
    Binding("colon,ctrl+p", "command_palette", "palette", id="app.palette"),
    Binding("R", "read_only", "read-only", id="app.read_only"),
]

MAIN: list[BindingType] = [
    Binding("s", "start_stop", "stop / start", id="container.start_stop"),
    Binding("r", "restart", "restart", id="container.restart"),
    Binding("p", "pause", "pause", id="container.pause"),
    Binding("plus,equals_sign", "turn(True)", "limit up", id="limit.up"),
    Binding("minus", "turn(False)", "limit down", id="limit.down"),
    Binding("u", "undo", "undo limit", id="limit.undo"),
    Binding("L", "limits", "limits", id="limit.edit"),
    Binding("x", "suspects", "who hurts whom", id="view.suspects"),
    Binding("l", "logs", "logs", id="view.logs"),
    Binding("e", "shell", "shell", id="container.shell"),
    Binding("a", "attach", "attach", id="container.attach"),
    Binding("n", "new", "new", id="container.new"),
    Binding("K", "kill", "kill", id="container.kill"),
    Binding("d,delete", "remove", "remove", id="container.remove"),
    Binding("enter", "details", "details", id="view.details"),
    Binding("i", "inspect", "inspect", id="view.inspect"),
    Binding("v", "toggle_view", "panes / table / host", id="view.toggle"),
    Binding("1", "view('panes')", "panes", id="view.panes"),
    Binding("2", "view('table')", "table", id="view.table"),
    Binding("3", "logs", "logs", id="view.logs_number"),
    Binding("4,T", "tree", "the whole host", id="view.tree"),
    Binding("o", "images", "images", id="view.images"),
    Binding("D", "demos", "demos", id="view.demos"),
    Binding("slash", "filter", "filter", id="view.filter"),
    Binding("c", "chart", "chart", id="view.chart"),
    Binding("space,m", "mark", "mark", id="select.mark"),
    Binding("escape", "back", "back", id="view.back"),
    Binding("j", "move('next')", "next", id="select.next"),
    Binding("k", "move('previous')", "previous", id="select.previous"),
    Binding("up", "move('up')", "above", id="select.up"),
    Binding("down", "move('down')", "below", id="select.down"),
    Binding("left", "move('left')", "gauge before", id="select.left"),
    Binding("right", "move('right')", "gauge after", id="select.right"),
    Binding("pageup", "move('pageup')", "page up", id="select.pageup"),
    Binding("pagedown", "move('pagedown')", "page down", id="select.pagedown"),
    Binding("g,home", "move('first')", "first", id="select.first"),
    Binding("G,end", "move('last')", "last", id="select.last"),
    Binding("less_than_sign", "sort(-1)", "sort column left", id="table.sort_left"),
    Binding("greater_than_sign", "sort(1)", "sort column right", id="table.sort_right"),
    Binding("I", "invert", "invert order", id="table.invert"),
    Binding("E", "revive", "start the engine", id="engine.start"),
    Binding("X", "end_welcome", "remove the first-run containers", id="welcome.remove"),
]

TREE: list[BindingType] = [
    Binding("p", "freeze", "freeze / thaw", id="group.freeze"),
    Binding("L", "limits", "limits", id="group.limits"),
    Binding("u", "undo", "undo the last change", id="group.undo"),
    Binding("b", "put_back", "put back as it was", id="group.put_back"),
    Binding("B", "all_back", "put everything back", id="group.all_back"),
    Binding("enter", "details", "details", id="tree.details"),
    Binding("left,h", "fold", "fold, or to its parent", id="tree.fold"),
    Binding("right", "unfold", "unfold", id="tree.unfold"),
    Binding("z", "fold_all", "fold / unfold all", id="tree.fold_all"),
    Binding("e", "empty", "show empty ones", id="tree.empty"),
    Binding("slash", "filter", "filter", id="tree.filter"),
    Binding("less_than_sign", "sort(-1)", "sort column left", id="tree.sort_left"),
    Binding("greater_than_sign", "sort(1)", "sort column right", id="tree.sort_right"),
    Binding("I", "invert", "invert order", id="tree.invert"),
    Binding("v", "view('panes')", "panes", id="tree.views"),
    Binding("1", "view('panes')", "panes", id="tree.panes"),
    Binding("2", "view('table')", "table", id="tree.table"),
    Binding("escape", "back", "back", id="tree.back"),
    Binding("j,down", "move('next')", "below", id="tree.next"),
    Binding("k,up", "move('previous')", "above", id="tree.previous"),
    Binding("pageup", "move('pageup')", "page up", id="tree.pageup"),
    Binding("pagedown", "move('pagedown')", "page down", id="tree.pagedown"),
    Binding("g,home", "move('first')", "first", id="tree.first"),
    Binding("G,end", "move('last')", "last", id="tree.last"),
]
"""Those of the host tree."""

NOT_IN_PALETTE = frozenset(
    ("app.palette", "view.back", "select.next", "select.previous", "select.up", "select.down", "select.left",
     "select.right", "select.pageup", "select.pagedown", "select.first", "select.last", "view.logs_number",
     "tree.back", "tree.next", "tree.previous", "tree.pageup", "tree.pagedown", "tree.first", "tree.last")
)  # fmt: skip
"""Ids of what only makes sense as a key."""

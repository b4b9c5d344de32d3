"""Variables and quotes in a Containerfile's words, as Docker's own small shell reads them.

`$name`, `${name}`, `${name:-word}`, `${name-word}`, `${name:+word}`, `${name+word}`, `${name:?word}`,
`${name#pattern}`, `##`, `%`, `%%`, `${name/pattern/word}` and `//`. In single quotes nothing is replaced, the escape
character takes the meaning of the next one away, and the quotes themselves go.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = re.compile(r"[0-9@*#?!$-]")
_OPERATORS = (":-", ":+", ":?", "-", "+", "?", "##", "#", "%%", "%", "//", "/")
DEEPEST = 20  # words within words


class Malformed(ValueError):
    """A word that cannot be read; the message says why."""


def expand(word: str, variables: Mapping[str, str], escape: str = "\\", *, keep_quotes: bool = False) -> str:
    """The word with its variables replaced and its quotes taken away; an unknown variable is empty.

    With `keep_quotes` quotes and escapes mean nothing and stay, as in a heredoc. Raises Malformed.
    """
    return _Reader(word, variables, escape, keep_quotes).all()


def split(text: str, escape: str = "\\") -> list[str]:
    """The words of a text, by blanks outside quotes; quotes and escapes stay in them. Raises Malformed."""
    words: list[str] = []
    word, quote, at = "", "", 0
    while at < len(text):
        char = text[at]
        if char == escape and quote != "'" and at + 1 < len(text):
            word += text[at : at + 2]
            at += 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char.isspace():
            if word:
                words.append(word)
            word, at = "", at + 1
            continue
        word += char
        at += 1
    if quote:
        raise Malformed(f"a {quote} is not closed")
    return [*words, word] if word else words


class _Reader:
    def __init__(
        self, text: str, variables: Mapping[str, str], escape: str, keep_quotes: bool, depth: int = 0
    ) -> None:
        if depth > DEEPEST:
            raise Malformed("variables are nested too deep")
        self._text = text
        self._at = 0
        self._variables = variables
        self._escape = escape
        self._keep = keep_quotes
        self._depth = depth

    def all(self) -> str:
        return self._until("")

    def _until(self, end: str) -> str:
        """Up to the character `end`, which is read too; to the end of the text where it is empty."""
        found = ""
        while self._at < len(self._text):
            char = self._text[self._at]
            if end and char == end:
                self._at += 1
                return found
            if char == "$":
                found += self._variable()
            elif char == self._escape and self._at + 1 < len(self._text):
                # In quotes it is itself unless what follows has a meaning there.
                following = self._text[self._at + 1]
                kept = (end == '"' and following not in f'"${self._escape}') or (
                    self._keep and following not in f"${self._escape}"
                )
                found += (char if kept else "") + following
                self._at += 2
            elif char == "'" and end != '"' and not self._keep:
                close = self._text.find("'", self._at + 1)
                if close < 0:
                    raise Malformed("a ' is not closed")
                found += self._text[self._at + 1 : close]
                self._at = close + 1
            elif char == '"' and end != '"' and not self._keep:
                self._at += 1
                found += self._until('"')
            else:
                found += char
                self._at += 1
        if end:
            raise Malformed(f"a {'${' if end == '}' else end} is not closed")
        return found

    def _variable(self) -> str:
        self._at += 1
        if self._text[self._at : self._at + 1] == "{":
            self._at += 1
            return self._braces()
        name = _NAME.match(self._text, self._at)
        if name:
            self._at = name.end()
            return self._variables.get(name[0], "")
        if _SPECIAL.match(self._text, self._at):
            self._at += 1
            return ""
        return "$"

    def _braces(self) -> str:
        name = _NAME.match(self._text, self._at) or _SPECIAL.match(self._text, self._at)
        if not name:
            raise Malformed(f"${{{self._text[self._at : self._at + 20]}… has no variable's name")
        self._at = name.end()
        value = self._variables.get(name[0])
        if self._text[self._at : self._at + 1] == "}":
            self._at += 1
            return value or ""
        operator = next((o for o in _OPERATORS if self._text.startswith(o, self._at)), None)
        if operator is None:
            what = f"${{{name[0]}{self._text[self._at : self._at + 20]}"
            raise Malformed(f"{what} is not closed, or has an operator that is not known")
        self._at += len(operator)
        return self._operated(name[0], value, operator)

    def _operated(self, name: str, value: str | None, operator: str) -> str:
        if operator in ("/", "//"):
            pattern = self._nested("/")
            return _replaced(value or "", pattern, self._nested("}"), everywhere=operator == "//")
        word = self._nested("}")
        there = bool(value) if operator.startswith(":") else value is not None
        match operator[-1]:
            case "-":
                return value or "" if there else word
            case "+":
                return word if there else ""
            case "?":
                if not there:
                    raise Malformed(f"{name}: {word or 'it is not set'}")
                return value or ""
            case "#":
                return _trimmed(value or "", word, longest=operator == "##", front=True)
            case _:
                return _trimmed(value or "", word, longest=operator == "%%", front=False)

    def _nested(self, end: str) -> str:
        inner = _Reader(self._text, self._variables, self._escape, self._keep, self._depth + 1)
        inner._at = self._at
        word = inner._until(end)
        self._at = inner._at
        return word


def _matcher(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(fnmatch.translate(pattern))
    return lambda text: compiled.match(text) is not None


def _trimmed(value: str, pattern: str, *, longest: bool, front: bool) -> str:
    matches = _matcher(pattern)
    lengths = range(len(value), -1, -1) if longest else range(len(value) + 1)
    for length in lengths:
        part = value[:length] if front else value[len(value) - length :]
        if matches(part):
            return value[length:] if front else value[: len(value) - length]
    return value


def _replaced(value: str, pattern: str, word: str, *, everywhere: bool) -> str:
    matches, found, at = _matcher(pattern), "", 0
    while at < len(value):
        end = next((end for end in range(len(value), at, -1) if matches(value[at:end])), None)
        if end is None:
            found += value[at]
            at += 1
            continue
        found, at = found + word, end
        if not everywhere:
            break
    return found + value[at:]

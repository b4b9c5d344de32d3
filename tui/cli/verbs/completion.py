"""tiffin completion: a script that teaches a shell to complete tiffin's verbs, flags and names."""

from __future__ import annotations

import argparse

from tui.cli.parser import Parser

BASH = r"""# tiffin completion bash > /etc/bash_completion.d/tiffin, or: source <(tiffin completion bash)
_tiffin() {
    local line word found=()
    COMPREPLY=()
    # words as typed, not cut at = and : as COMP_WORDS are
    local before=${COMP_LINE:0:COMP_POINT}
    local words=() part
    read -ra words <<<"$before"
    [[ $before == *[[:space:]] ]] && words+=("")
    local current=${words[${#words[@]}-1]}
    while IFS= read -r line; do
        word=${line%%$'\t'*}
        if [[ $word == :files ]]; then
            compopt -o default
        else
            found+=("$word")
            [[ $word == *: || $word == *= ]] && compopt -o nospace
        fi
    done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
    # bash replaces only what follows the last = or : of the word
    local cut=${current%"${current##*[=:]}"}
    for word in "${found[@]}"; do
        COMPREPLY+=("${word#"$cut"}")
    done
}
complete -F _tiffin tiffin
"""

ZSH = r"""#compdef tiffin
# tiffin completion zsh > a folder of $fpath, as _tiffin; or: source <(tiffin completion zsh)
_tiffin() {
    local line word text
    local -a plain open
    local files=0
    for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        word=${line%%$'\t'*}
        text=${line#*$'\t'}
        [[ -z $word ]] && continue
        if [[ $word == :files ]]; then
            files=1
        elif [[ $word == *: ]]; then
            open+=("$word")
        elif [[ $text == $word ]]; then
            plain+=("${word//:/\\:}")
        else
            plain+=("${word//:/\\:}:$text")
        fi
    done
    (( ${#plain} )) && _describe -V tiffin plain
    (( ${#open} )) && compadd -S '' -a open
    (( files )) && _files
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _tiffin "$@"
else
    compdef _tiffin tiffin
fi
"""

FISH = r"""# tiffin completion fish > ~/.config/fish/completions/tiffin.fish
function __tiffin_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path (commandline -ct)
        else
            printf '%s\n' $line
        end
    end
end
complete -c tiffin -f -a '(__tiffin_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def arguments(parser: Parser) -> None:
    """Declare operands."""
    parser.argument("shell", choices=sorted(SCRIPTS), metavar="bash|zsh|fish", completes="shell")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    print(SCRIPTS[args.shell], end="")
    return 0

// SPDX-License-Identifier: MIT
/**
 * Completion scripts for bash, zsh and fish. A script runs `xsnd completions candidates -- WORD...`, which prints a candidate a
 * line, followed by a tab and its meaning if it has one. The line `:files` requests file names.
 */

const BASH = `# bash completion for xsnd: source this file, or put it into a directory of bash-completion
_xsnd() {
    local line current=\${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            # bash itself quotes names with spaces
            compopt -o filenames -o default 2>/dev/null
            [[ $current == = ]] && current=
            mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
        else
            line=\${line%%$'\\t'*}
            # bash splits a word with = into three words, and replaces only the last one
            [[ $current != --*=* && $line == --*=* ]] && line=\${line#*=}
            COMPREPLY+=("$line")
        fi
    done < <(xsnd completions candidates -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _xsnd xsnd
`;

const ZSH = `#compdef xsnd
# zsh completion for xsnd: put this file as _xsnd into a directory of fpath, or source it after compinit
_xsnd() {
    local line files tab=$'\\t'
    local -a candidates
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            files=1
        else
            candidates+=("\${\${line%%$tab*}//:/\\\\:}\${\${(M)line%%$tab*}:+:\${line#*$tab}}")
        fi
    done < <(xsnd completions candidates -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
    (( $#candidates )) && _describe xsnd candidates
    if [[ -n $files ]]; then
        compset -P '--*='
        _files
    fi
}
if [[ $funcstack[1] == _xsnd ]]; then _xsnd "$@"; else compdef _xsnd xsnd; fi
`;

const FISH = `# fish completion for xsnd: source this file, or put it into a directory of fish_complete_path
function __xsnd_complete
    set -l current (commandline -ct)
    set -l before (commandline -opc)
    for line in (xsnd completions candidates -- $before[2..-1] "$current" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (string replace -r '^--[^=]*=' '' -- "$current")
        else
            echo $line
        end
    end
end
complete -c xsnd -f -a '(__xsnd_complete)'
`;

export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH } as const;

export type Shell = keyof typeof SCRIPTS;

// SPDX-License-Identifier: MIT
/**
 * The scripts that make a shell complete command lines of xsnd. They ask `xsnd completions candidates -- WORD...` for what
 * may come next: a candidate a line, with a tab and its meaning behind it if it has one; the line `:files` asks for files.
 */

const BASH = `# bash completion for xsnd: to be sourced, or put into a directory of bash-completion
_xsnd() {
    local line current=\${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            # bash itself knows how names with spaces are quoted
            compopt -o filenames -o default 2>/dev/null
            [[ $current == = ]] && current=
            mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
        else
            line=\${line%%$'\\t'*}
            # a word that holds = is three words here, of which only the last is replaced
            [[ $current != --*=* && $line == --*=* ]] && line=\${line#*=}
            COMPREPLY+=("$line")
        fi
    done < <(xsnd completions candidates -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _xsnd xsnd
`;

const ZSH = `#compdef xsnd
# zsh completion for xsnd: to be put as _xsnd into a directory of fpath, or sourced after compinit
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

const FISH = `# fish completion for xsnd: to be sourced, or put into a directory of fish_complete_path
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

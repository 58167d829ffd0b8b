# bash completion for kopru(1): its commands, their options, and the values of these.

_kopru_options()
{
    options=()
    case $1 in
@COMPLETED_OPTIONS@
    esac
}

# What may follow an option of a command: words, the name of a file, or something else.
_kopru_values()
{
    kind=
    values=()
    case $1:$2 in
@COMPLETED_VALUES@
    esac
}

_kopru()
{
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]} kind options values
    local commands=(
@COMPLETED_COMMANDS@
        help
    )

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "${commands[*]} --help --version" -- "$word")
        return
    fi
    if [[ $command == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${commands[*]}" -- "$word")
        return
    fi
    # Bash takes the = of --output=json for a word of its own.
    if [[ $word == "=" ]]; then
        word=
    elif [[ $before == "=" ]] && ((COMP_CWORD > 2)); then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    _kopru_values "$command" "$before"
    case $kind in
        word) mapfile -t COMPREPLY < <(compgen -W "${values[*]}" -- "$word") ;;
        other) ;;
        *)
            _kopru_options "$command"
            if [[ -z $kind && $word == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "${options[*]}" -- "$word")
            else
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
            fi
            ;;
    esac
} && complete -F _kopru kopru

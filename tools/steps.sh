# Runs runners as steps, all of them even if one fails, and repeats at the end what each said last.
# To be sourced by a script that calls end_beside when it exits.
#
#     output=$(mktemp)
#     trap 'end_beside; rm "$output"' EXIT
#     begin_beside "more tests" run_more_tests
#     step "tests" run_tests
#     step "more tests" follow_beside "more tests"
#     finish                                      # fails if one of them did
#
# shellcheck shell=bash
failed=0
closing=()
output= # the file that holds what a step prints
declare -gA beside=() beside_pid=()

# step NAME COMMAND...
step() {
    local name=$1 status=0 verdict
    shift
    echo "--- $name"
    "$@" 2>&1 | (trap '' INT TERM HUP; exec tee "$output") || status=$?
    # The verdict of ctest, pytest or tools/mutants, or the last words of a runner that did not get
    # that far.
    verdict=$(grep -E -e '^[0-9]+% tests passed' -e '^[0-9]+ of [0-9]+ mutants' \
        -e '^=+ .*(passed|failed|error|no tests ran).* =+$' "$output" |
        tail -n 1 || tail -n 1 "$output")
    # A runner that gave up counts what passed until then.
    ((status == 0)) || { failed=1; verdict="FAILED, status $status: $verdict"; }
    closing+=("--- $name" "$verdict")
}

# begin_beside NAME COMMAND...: begins a runner. It has a process group of its own, so that it can
# be ended with all that it started; whoever ends it waits until it has cleaned up.
begin_beside() {
    local folder
    folder=$(mktemp -d)
    touch "$folder/output"
    set -m
    {
        trap : TERM
        status=0
        "${@:2}" || status=$?
        echo "$status" >"$folder/status"
    } </dev/null >"$folder/output" 2>&1 &
    beside[$1]=$folder
    beside_pid[$1]=$!
    set +m
}

# follow_beside NAME: prints what that runner prints, and returns its status.
follow_beside() {
    local follow=()
    [[ -s ${beside[$1]}/status ]] || follow=(-f "--pid=${beside_pid[$1]}")
    tail -n +1 "${follow[@]}" "${beside[$1]}/output"
    return "$(<"${beside[$1]}/status")"
}

end_beside() {
    local name
    for name in "${!beside[@]}"; do
        # The process id of one that has ended may be another's by now.
        [[ -s ${beside[$name]}/status ]] || kill -- "-${beside_pid[$name]}" 2>/dev/null || true
    done
    for name in "${!beside[@]}"; do
        wait "${beside_pid[$name]}" || true
        rm -rf "${beside[$name]}"
    done
}

finish() {
    printf '%s\n' "" "${closing[@]}"
    return "$failed"
}

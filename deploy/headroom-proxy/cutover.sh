#!/bin/sh
# Puts headroom-proxy on the port of a scripted proxy, and takes it away again, while clients go on: none is refused, and
# what is in flight ends where it began. docs/HEADROOM-PROXY.md tells it step by step.
#
#   cutover.sh over [PID] [FLAG...]  PID listens on HEADROOM_PUBLIC now; FLAGs are for headroom-proxy
#   cutover.sh confirm               asks both, and fails unless they agree
#   cutover.sh back                  the scripted proxy listens on HEADROOM_PUBLIC again
#
# Both directions work alike: whoever is to serve takes the listening socket of whoever serves now (Linux 5.6), both
# accept from one queue, and then the old one is told to end. That takes the right to trace the old process: root has it,
# and where kernel.yama.ptrace_scope is 0, so has its own user. Whatever fails before the old one is told to end changes
# nothing for anybody.
set -eu
umask 077

: "${HEADROOM_PUBLIC:=0.0.0.0:8787}"         # where clients ask
: "${HEADROOM_PRIVATE:=127.0.0.1:8788}"      # where the scripted proxy is moved to
: "${HEADROOM_SCRIPTED:=-m headroom.proxy}"  # what Python runs; it listens where HEADROOM_BIND says
: "${HEADROOM_PYTHON:=python3}"
: "${HEADROOM_PROXY:=headroom-proxy}"
: "${HEADROOM_PROBE:=/v1/models}"            # what both are asked for, to compare them
: "${HEADROOM_STATE:=/run/headroom-cutover}" # process numbers and logs
: "${HEADROOM_PATIENCE:=60}"                 # seconds for a process to begin, or to end

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

main() {
    verb=${1:-}
    [ "$#" -eq 0 ] || shift
    mkdir -p "$HEADROOM_STATE"
    case $verb in
        over) over "$@" ;;
        confirm) confirm ;;
        back) back ;;
        *)
            sed -n '5,7s/^# *//p' "$0" >&2
            exit 2
            ;;
    esac
}

over() {
    case ${1:-} in
        [0-9]*)
            old=$1
            shift
            ;;
        *) old=$(number scripted) ;;
    esac
    is_running "$old" || fail "there is no process $old"
    ! asked "$HEADROOM_PRIVATE" / >/dev/null 2>&1 || fail "somebody is at $HEADROOM_PRIVATE already"

    # shellcheck disable=SC2086 # A command line, in words.
    start private env HEADROOM_BIND="$HEADROOM_PRIVATE" "$HEADROOM_PYTHON" $HEADROOM_SCRIPTED
    begun private "an answer at $HEADROOM_PRIVATE" asked "$HEADROOM_PRIVATE" "$HEADROOM_PROBE"

    start proxy "$HEADROOM_PROXY" "$@" \
        --listen "$HEADROOM_PUBLIC" --take-over "$old" --upstream "http://$HEADROOM_PRIVATE"
    begun proxy "listening on $HEADROOM_PUBLIC" logged proxy '"message":"listening"' || {
        finish private
        exit 1
    }
    end "$old"
    rm -f "$HEADROOM_STATE/scripted.pid"
    confirm
}

confirm() {
    healthy=$(curl -sS "http://$(reachable "$HEADROOM_PUBLIC")/healthz") || fail "nobody is at $HEADROOM_PUBLIC"
    [ "$healthy" = '{"ok":true,"service":"headroom-proxy"}' ] || fail "headroom-proxy is not at $HEADROOM_PUBLIC"
    direct=$(asked "$HEADROOM_PRIVATE" "$HEADROOM_PROBE") || fail "nobody is at $HEADROOM_PRIVATE"
    through=$(asked "$HEADROOM_PUBLIC" "$HEADROOM_PROBE")
    [ "$direct" = "$through" ] || fail "$HEADROOM_PROBE is $through through headroom-proxy, and $direct without it"
    say "headroom-proxy is at $HEADROOM_PUBLIC; $HEADROOM_PROBE is $through, as without it"
}

back() {
    proxy=$(number proxy)
    # shellcheck disable=SC2086 # A command line, in words.
    start scripted env HEADROOM_BIND="$HEADROOM_PUBLIC" \
        "$HEADROOM_PYTHON" "$here/adopt.py" "$proxy" "$HEADROOM_PUBLIC" $HEADROOM_SCRIPTED
    begun scripted "listening on $HEADROOM_PUBLIC" logged scripted "listening on the socket of process $proxy"
    finish proxy
    finish private
    answer=$(asked "$HEADROOM_PUBLIC" "$HEADROOM_PROBE") || fail "nobody is at $HEADROOM_PUBLIC"
    say "the scripted proxy is at $HEADROOM_PUBLIC; $HEADROOM_PROBE is $answer"
}

# start NAME COMMAND...: in the background, to stay there when this script ends.
start() {
    name=$1
    shift
    nohup "$@" >"$HEADROOM_STATE/$name.log" 2>&1 </dev/null &
    echo "$!" >"$HEADROOM_STATE/$name.pid"
    say "$name is process $!"
}

# begun NAME WHAT COMMAND...: waits until the command succeeds. A process for which it never does is ended.
begun() {
    name=$1 what=$2 left=$((HEADROOM_PATIENCE * 5))
    shift 2
    begins=$(number "$name")
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        if [ "$left" -le 0 ] || ! is_running "$begins"; then
            cat "$HEADROOM_STATE/$name.log" >&2
            kill -s KILL "$begins" 2>/dev/null || true
            rm -f "$HEADROOM_STATE/$name.pid"
            complain "$name was to be $what, and is not"
            return 1
        fi
        sleep 0.2
    done
}

# finish NAME: tells it to end, and waits until it has.
finish() {
    end "$(number "$1")"
    rm -f "$HEADROOM_STATE/$1.pid"
}

end() {
    left=$((HEADROOM_PATIENCE * 5))
    kill -s TERM "$1"
    while is_running "$1"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || fail "process $1 has been told to end, and still runs"
        sleep 0.2
    done
    say "process $1 has ended"
}

# A process that has ended stays, as a zombie, until somebody asks for its exit code.
is_running() {
    kill -s 0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

number() {
    cat "$HEADROOM_STATE/$1.pid" 2>/dev/null || fail "no $1 is known in $HEADROOM_STATE"
}

# logged NAME TEXT: whether it has said so.
logged() {
    grep -qF "$2" "$HEADROOM_STATE/$1.log"
}

# asked ADDRESS PATH: the status of the answer; fails where there is none.
asked() {
    curl -sS -o /dev/null -w '%{http_code}' "http://$(reachable "$1")$2"
}

# An address that stands for all of this machine's is reached at one of them.
reachable() {
    case $1 in
        0.0.0.0:*) echo "127.0.0.1:${1#0.0.0.0:}" ;;
        '[::]:'*) echo "[::1]:${1#\[::\]:}" ;;
        *) echo "$1" ;;
    esac
}

say() {
    echo "cutover: $*"
}

complain() {
    echo "cutover: $*" >&2
}

fail() {
    complain "$*"
    exit 1
}

main "$@"

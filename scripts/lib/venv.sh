# Sourced by the scripts, from the top of the checkout. Makes a virtual environment in .venv with the locked requirements,
# builds the web client, and installs the project in place. It skips what has not changed since the last time.
# shellcheck shell=sh

# prepare LOCK, where LOCK is the name of a file in requirements/.
prepare() {
    if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
        make_venv
    fi
    stamp=.venv/.installed-$1
    # The path is part of the stamp: installed commands name their interpreter by path, so a moved checkout installs again.
    wanted="$PWD $(cat "requirements/$1.txt" requirements/node.txt pyproject.toml | cksum)"
    if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        .venv/bin/python hatch_build.py
        return
    fi
    echo "Installing the locked requirements into .venv (once; this takes a while)"
    # -S hides packages that are being installed at the same time.
    if .venv/bin/python -S hatch_build.py needs-node; then
        pip_install_locked "$1"
        echo "Installing Node.js into .venv, to build the web client"
        pip_install_locked node
        .venv/bin/python hatch_build.py
    else
        # Each of the two takes one core: the Python requirements and the web client.
        mkdir -p .cache
        .venv/bin/python -S hatch_build.py >.cache/web-client-output 2>&1 &
        pip_install_locked "$1"
        wait $! || {
            cat .cache/web-client-output >&2
            exit 1
        }
    fi
    # pip would compile the files one after the other.
    .venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null || :
    pip_install --no-deps --no-build-isolation --editable .
    echo "$wanted" >"$stamp"
}

pip_install_locked() {
    pip_install --no-compile --require-hashes --no-deps -r "requirements/$1.txt"
}

pip_install() {
    # If the home directory is not writable, pip uses no cache, and prints a warning each time.
    [ -w "${HOME:-/}" ] || export PIP_CACHE_DIR="$PWD/.cache/pip"
    if [ -t 1 ]; then
        .venv/bin/python -m pip --disable-pip-version-check install "$@"
    else
        .venv/bin/python -m pip --disable-pip-version-check --quiet install "$@"
    fi
}

make_venv() {
    without_venv=
    for candidate in python3.14 python3.13 python3.12 python3.11 python3 python; do
        # Only a run shows whether it works: a version manager may have a shim on the PATH for a version that is missing.
        if runs "$candidate" 'import ensurepip, venv'; then
            echo "Making .venv with $candidate"
            "$candidate" -m venv --clear .venv
            return
        elif [ -z "$without_venv" ] && runs "$candidate" ''; then
            without_venv=$candidate
        fi
    done
    say_how_to_get_python "$without_venv" >&2
    exit 1
}

runs() {
    "$1" -c "import sys; assert (3, 11) <= sys.version_info < (3, 15)
$2" >/dev/null 2>&1
}

say_how_to_get_python() {
    if [ -n "$1" ]; then
        echo "$1 is here, but without its module venv."
    else
        echo "Hubbub needs Python 3.11, 3.12, 3.13 or 3.14, and found none that runs."
    fi
    sudo=$([ "$(id -u)" = 0 ] || echo 'sudo ')
    if command -v apt-get >/dev/null; then
        version=$([ -z "$1" ] || "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "Run: ${sudo}apt install python3 python${version:-3}-venv"
    elif command -v dnf >/dev/null; then
        echo "Run: ${sudo}dnf install python3.12"
    elif command -v apk >/dev/null; then
        echo "Run: ${sudo}apk add python3"
    elif command -v brew >/dev/null; then
        echo "Run: brew install python@3.13"
    else
        echo "Install one of them, with venv, and run this again."
    fi
}

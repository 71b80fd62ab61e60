#!/usr/bin/env bash
# Installs the Debian packages that are missing: `build` for what a build needs, `test` for what the tests need.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
# Debian keeps servers off the path.
have() { compgen -G "$1" >/dev/null || missing+=("$2"); }

usage() {
    echo "usage: $0 build|test ..." >&2
    exit 2
}

[ "$#" -gt 0 ] || usage
for what in "$@"; do
    case "$what" in
    build)
        # Debian has the headers of the C library in a package of their own.
        echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1 || missing+=(gcc libc6-dev)
        need make make
        need perl perl
        ;;
    test)
        need git git
        # The tests run the stores, and what may stand before them, as they are.
        have '/usr/lib/postgresql/*/bin/postgres' postgresql
        have '/usr/sbin/pgbouncer' pgbouncer
        need setpriv util-linux
        # The tests open pages in a real browser.
        need chromium chromium
        need npm npm
        need node nodejs
        ;;
    *) usage ;;
    esac
done

[ "${#missing[@]}" -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "error: these tools are missing: ${missing[*]}" >&2
    echo "hint: install them with the package manager of this system" >&2
    exit 1
fi
echo "Installing ${missing[*]}"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"

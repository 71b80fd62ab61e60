#!/usr/bin/env bash
# Installs the Debian packages that the build and the tests need, where they are missing.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need cc gcc
need make make
need perl perl
need git git
# The stores and whatever may stand before them are tested as they are. Debian keeps servers off the path.
have() { compgen -G "$1" >/dev/null || missing+=("$2"); }
have '/usr/lib/postgresql/*/bin/postgres' postgresql
have '/usr/sbin/pgbouncer' pgbouncer
need setpriv util-linux
# Pages are looked at in a real browser.
need chromium chromium
need npm npm
need node nodejs

[ "${#missing[@]}" -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "please install: ${missing[*]}" >&2
    exit 1
fi
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" libc6-dev

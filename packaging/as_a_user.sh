#!/usr/bin/env bash
# Runs the end-to-end tests against a bundle as its users have it (Linux, as root):
#   packaging/as_a_user.sh dist/speaker-sidecar-cpu [arguments of pytest]
# The program lies in a folder with an awkward name that it cannot write in, has no variables (so no
# Python on a PATH) and no home, and starts in another folder. The tests run without a network, as
# a user without rights; PYTHON names one that this user can read, with the extra "test" installed.
set -euo pipefail
bundle=$(realpath "$1")
shift
cd "$(dirname "$0")/.."
around=$(mktemp -d)
trap 'rm -rf "$around"' EXIT
chmod 755 "$around"
installed="$around/Programme für alle 说话人/speaker-sidecar"
mkdir -p "$(dirname "$installed")"
cp -r "$bundle" "$installed"
mkdir -m 777 "$around/tmp"
export SIDECAR_ARGV="env --ignore-environment --chdir=/ '$installed/speaker-sidecar'"
export HOME=/nonexistent TMPDIR="$around/tmp" PYTHONDONTWRITEBYTECODE=1
unshare --net setpriv --reuid=65534 --regid=65534 --clear-groups \
  "${PYTHON:-python3}" -m pytest -p no:cacheprovider tests/e2e "$@"

#!/usr/bin/env bash
# conformance.sh FOLDER --counts FILE: the vectors through the Swift package.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
counts=$here/.build/counts.json
"$here/swift.sh" run --quiet --skip-build Conformance "$(cd "$1" && pwd -P)" --counts "$counts"
cp "$counts" "$3"

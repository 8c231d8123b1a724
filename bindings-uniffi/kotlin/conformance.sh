#!/usr/bin/env bash
# conformance.sh FOLDER --counts FILE: the vectors through the Kotlin package.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
mvn -q -B -ntp -Dstyle.color=never -f "$here/pom.xml" test -Dtest=ConformanceTest \
    -Dcounterfoil.vectors="$(cd "$1" && pwd -P)" -Dcounterfoil.counts="$here/target/counts.json"
cp "$here/target/counts.json" "$3"

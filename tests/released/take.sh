#!/usr/bin/env bash
# Makes a commit the last release: take.sh COMMIT
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
commit=$(git rev-parse --verify "${1:?which commit}^{commit}")
rm -rf tests/released/crds tests/released/deploy
git archive "$commit" crds deploy | tar -x -C tests/released
rm -rf tests/released/deploy/krew
printf '%s\n' "$commit" >tests/released/COMMIT

#!/usr/bin/env bash
# Builds the operator of the last release from the history, once, and prints where it is.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
commit=$(cat "$here/COMMIT")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/customer-offboarding-operator/released/$commit
program=customer-offboarding-operator

say() { printf 'released: %s\n' "$*" >&2; }

if [[ ! -x $cache/$program ]]; then
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
fi
if [[ ! -x $cache/$program ]]; then
  git -C "$here" cat-file -e "$commit^{commit}" || { say "$commit is not in the history of this clone: git fetch --unshallow"; exit 1; }
  say "building the operator of $commit: minutes, once"
  rm -rf "$cache/tree" && mkdir "$cache/tree"
  (cd "$(git -C "$here" rev-parse --show-toplevel)" && git archive "$commit") | tar -x -C "$cache/tree"
  (cd "$cache/tree" && "${CARGO:-cargo}" build --locked --package "$program" --bin "$program" --target-dir "$cache/target" >&2)
  cp "$cache/target/debug/$program" "$cache/$program"
  rm -rf "$cache/target" "$cache/tree"
fi
echo "$cache/$program"

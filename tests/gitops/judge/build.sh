#!/usr/bin/env bash
# Builds the judge of GitOps tools, once for its sources, into the cache, and prints where it is. Progress goes to stderr.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sources=$(cat "$here"/go.mod "$here"/go.sum "$here"/*.go | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/customer-offboarding-operator/gitops-judge/$sources

say() { printf 'gitops judge: %s\n' "$*" >&2; }

if [[ ! -x $cache/judge ]]; then
  command -v go >/dev/null || { say "Go $(awk '$1 == "go" { print $2; exit }' "$here/go.mod") or newer is missing"; exit 1; }
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  if [[ ! -x $cache/judge ]]; then
    say "building Argo CD's interpreter, Flux's evaluator and kstatus, the first time takes a minute or two"
    (cd "$here" && GOTOOLCHAIN=local go build -trimpath -o "$cache/.judge.new" -ldflags "-s -w" .) >&2
    mv "$cache/.judge.new" "$cache/judge"
  fi
fi
echo "$cache/judge"

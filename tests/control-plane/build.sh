#!/usr/bin/env bash
# Makes sure that the named binaries of a control plane exist and prints the one directory that holds them.
#
#   build.sh [etcd] [kube-apiserver] [kube-controller-manager] [kubectl] [helm]     (without names: all but helm)
#   build.sh --missing [names]                                     only says which of them would have to be built
#
# Looked for in this order: $KUBEBUILDER_ASSETS, the cache, the PATH (same minor version as in go.mod), a build
# of the Go modules in go.mod into the cache. Only the directory goes to stdout; progress goes to stderr.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
versions=$(cat "$here/go.mod" "$here/go.sum" | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/customer-offboarding-operator/control-plane/$versions

say() { printf 'control plane: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

package_of() {
  case $1 in
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    kube-apiserver | kube-controller-manager | kubectl) echo "k8s.io/kubernetes/cmd/$1" ;;
    helm) echo helm.sh/helm/v4/cmd/helm ;;
    *) fail "no binary named '$1'; there are etcd, kube-apiserver, kube-controller-manager, kubectl and helm" ;;
  esac
}

# The version of a binary's module in go.mod: v1.37.2.
pinned_version() {
  local module
  case $1 in
    etcd) module=go.etcd.io/etcd/server/v3 ;;
    helm) module=helm.sh/helm/v4 ;;
    *) module=k8s.io/kubernetes ;;
  esac
  awk -v module="$module" '$1 == module && $2 ~ /^v/ { print $2; exit }' "$here/go.mod"
}

# What a binary says about itself, as major.minor: 1.37.
minor_version() {
  local words
  case $(basename "$1") in
    kubectl) words=$("$1" version --client 2>/dev/null || true) ;;
    helm) words=$("$1" version --short 2>/dev/null || true) ;;
    *) words=$("$1" --version 2>/dev/null || true) ;;
  esac
  [[ $words =~ ([0-9]+\.[0-9]+)\.[0-9]+ ]] && echo "${BASH_REMATCH[1]}"
}

# KUBEBUILDER_ASSETS counts as a whole: half of somebody's choice would be a mixture nobody asked for.
assets_are_complete() {
  local binary
  [[ -n ${KUBEBUILDER_ASSETS:-} ]] || return 1
  for binary in etcd kube-apiserver kubectl; do
    [[ -x $KUBEBUILDER_ASSETS/$binary ]] || return 1
  done
}

# Where a binary is without building it, or where it will be after.
place_of() {
  local binary=$1 found wanted
  if assets_are_complete && [[ -x $KUBEBUILDER_ASSETS/$binary ]]; then
    (cd "$KUBEBUILDER_ASSETS" && echo "$PWD/$binary")
    return
  fi
  wanted=$(pinned_version "$binary")
  if [[ ! -x $cache/$binary ]] && found=$(type -P "$binary") && [[ v$(minor_version "$found") == "${wanted%.*}" ]]; then
    echo "$found"
    return
  fi
  echo "$cache/$binary"
}

require_go() {
  local wanted have install
  install="install it with 'sudo snap install go --classic' or 'brew install go'"
  wanted=$(awk '$1 == "go" { print $2; exit }' "$here/go.mod")
  command -v go >/dev/null || fail "Go $wanted or newer is missing: $install"
  have=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
  have=${have#go}
  [[ $(printf '%s\n%s\n' "$wanted" "${have%% *}" | sort -V | head -n 1) == "$wanted" ]] ||
    fail "Go $have is too old, $wanted or newer is needed: $install"
}

# Runs one build, and says every 15 seconds that it is still running.
build() {
  local binary=$1 position=$2 version log compiler started=$SECONDS told=$SECONDS
  version=$(pinned_version "$binary")
  log=$cache/$binary.log
  say "building $binary $version ($position), the first time takes minutes"
  compile "$binary" "$version" >"$log" 2>&1 9>&- &
  compiler=$!
  while kill -0 "$compiler" 2>/dev/null; do
    sleep 0.5
    ((SECONDS - told < 15)) || { told=$SECONDS && say "building $binary ($position): $((SECONDS - started)) s"; }
  done
  wait "$compiler" || { tail -n 20 "$log" >&2 && fail "building $binary failed; all of it is in $log"; }
  mv "$cache/.$binary.new" "$cache/$binary"
  rm -f "$log"
  say "built $binary ($position) in $((SECONDS - started)) s"
}

# Kubernetes learns its version from the linker; without it the server says 0.0.0 and clients complain.
compile() {
  local binary=$1 version=$2 major minor stamp=k8s.io/component-base/version
  IFS=. read -r major minor _ <<<"${version#v}"
  cd "$here"
  GOTOOLCHAIN=local go build -trimpath -o "$cache/.$binary.new" -ldflags \
    "-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor" "$(package_of "$binary")"
}

build_what_is_missing() {
  local missing=() place binary position=0
  for place in "$@"; do
    [[ -x $place ]] || missing+=("$(basename "$place")")
  done
  ((${#missing[@]})) || return 0
  require_go
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock --nonblock 9 || { say "waiting for another build"; flock 9; }
  for binary in "${missing[@]}"; do
    position=$((position + 1))
    [[ -x $cache/$binary ]] || build "$binary" "$position of ${#missing[@]}"
  done
}

# One directory for binaries from several places, as links.
gather() {
  local directory place
  directory=$cache/from-$(printf '%s\n' "$@" | sha256sum | cut -c1-16)
  mkdir -p "$directory"
  for place in "$@"; do
    ln -sf "$place" "$directory/.$$.link"
    mv -f "$directory/.$$.link" "$directory/$(basename "$place")"
  done
  echo "$directory"
}

# The names of those that are nowhere yet.
say_what_is_missing() {
  local place
  for place in "$@"; do
    [[ -x $place ]] || basename "$place"
  done
}

main() {
  local binary places=() only_say=
  [[ ${1:-} != --missing ]] || { only_say=yes && shift; }
  [[ -z ${KUBEBUILDER_ASSETS:-} ]] || assets_are_complete ||
    say "KUBEBUILDER_ASSETS is not used: etcd, kube-apiserver and kubectl are not all in $KUBEBUILDER_ASSETS"
  (($#)) || set -- etcd kube-apiserver kube-controller-manager kubectl
  for binary in "$@"; do
    package_of "$binary" >/dev/null
    places+=("$(place_of "$binary")")
  done
  [[ -z $only_say ]] || { say_what_is_missing "${places[@]}" && return; }
  build_what_is_missing "${places[@]}"
  if [[ $(printf '%s\n' "${places[@]%/*}" | sort -u | wc -l) == 1 ]]; then
    echo "${places[0]%/*}"
  else
    gather "${places[@]}"
  fi
}

main "$@"

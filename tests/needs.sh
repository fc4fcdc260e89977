#!/usr/bin/env bash
# Says everything at once that this machine lacks for building and testing, each with the command that installs it.
# Silent and successful when nothing is missing. `needs.sh tests` adds what only the tests call.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
missing=()

lacks() { missing+=("$1: $2"); }

# How system packages are installed here.
install() {
  if command -v apt-get >/dev/null; then echo "sudo apt-get install -y $1"
  elif command -v dnf >/dev/null; then echo "sudo dnf install -y $2"
  elif command -v brew >/dev/null; then echo "brew install $3"
  else echo "install $1 with your system's package manager"; fi
}

at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

rust_wanted=$(awk -F'"' '/^rust-version/ { print $2; exit }' "$root/Cargo.toml")
if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
  lacks "Rust $rust_wanted or newer (cargo, rustc)" "$(install rustup rustup rustup) && rustup default stable"
else
  rust_have=$(rustc --version | awk '{ print $2 }')
  at_least "$rust_wanted" "$rust_have" || lacks "Rust $rust_wanted or newer (this is $rust_have)" "rustup update stable"
fi

command -v cc >/dev/null || lacks "a C compiler (cc)" "$(install gcc gcc gcc)"
command -v make >/dev/null || lacks "make" "$(install make make make)"
command -v flock >/dev/null || lacks "flock" "$(install util-linux util-linux flock)"

if [[ ${1:-} == tests ]]; then
  # Reads and tests the alerts. On Debian it comes with a service that nobody needs: `systemctl disable --now prometheus`.
  command -v promtool >/dev/null || lacks "promtool" "$(install prometheus golang-github-prometheus prometheus)"
  # Commands of the runbooks.
  command -v python3 >/dev/null || lacks "python3" "$(install python3 python3 python3)"
  command -v curl >/dev/null || lacks "curl" "$(install curl curl curl)"
fi

# Go is only needed where the control plane was not built before and does not come from KUBEBUILDER_ASSETS.
if [[ -n $("$root/tests/control-plane/build.sh" --missing) ]]; then
  go_wanted=$(awk '$1 == "go" { print $2; exit }' "$root/tests/control-plane/go.mod")
  if ! command -v go >/dev/null; then
    lacks "Go $go_wanted or newer" "sudo snap install go --classic (or brew install go)"
  else
    go_have=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
    go_have=${go_have#go}
    at_least "$go_wanted" "${go_have%% *}" || lacks "Go $go_wanted or newer (this is $go_have)" "sudo snap install go --classic (or brew upgrade go)"
  fi
fi

((${#missing[@]})) || exit 0
printf 'This machine lacks:\n' >&2
printf '  %s\n' "${missing[@]}" >&2
exit 1

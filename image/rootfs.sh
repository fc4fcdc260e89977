#!/usr/bin/env bash
# Makes what the image holds, from the tree as it is: DIRECTORY/rootfs, and beside it sbom.cdx.json and compiled.jsonl, what cargo compiled.
#
#   rootfs.sh DIRECTORY     compiles in DIRECTORY/cargo: minutes the first time
#
# The same tree, compiler and packages give the same bytes, wherever it lies and whoever runs it. Runs on Debian, of whose packages the
# roots and the C library are.
set -euo pipefail
export LC_ALL=C CARGO_INCREMENTAL=0
umask 022
mkdir -p "${1:?where to}"
out=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=image/parts.sh
source image/parts.sh

fail() { printf 'image: %s\n' "$*" >&2; exit 1; }

[[ -n ${SOURCE_DATE_EPOCH:-} ]] || fail "SOURCE_DATE_EPOCH is not set: seconds since 1970 of the commit, as image/build.sh sets it"
command -v dpkg-query >/dev/null || fail "not a Debian system; build with the Dockerfile instead"
[[ -d $ROOTS ]] || fail "no roots in $ROOTS: apt-get install ca-certificates"
cargo_home=${CARGO_HOME:-$HOME/.cargo}

# One file without a library beside it: position-independent, with glibc linked in, whose resolver needs no plug-in for files and DNS
# (since 2.34). Nothing in it says where it was built.
compile() {
  local target sysroot
  target=$(host_triple) sysroot=$(rustc --print sysroot)
  # The last one that fits counts.
  local moved=("$PWD=/src" "$cargo_home=/cargo" "$sysroot=/rust" "$out/cargo=/target")
  # Random bytes by the system call alone: of a static glibc its wrapper is not found, and then /dev/urandom would be asked.
  RUSTFLAGS="-C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\"${moved[*]/#/ --remap-path-prefix=}" \
    "${CARGO:-cargo}" build --locked --release --target "$target" --target-dir "$out/cargo" --package "$PROGRAM" --bin "$PROGRAM" \
    --message-format json-render-diagnostics >"$out/compiled.jsonl"
  install -D -m 755 "$out/cargo/$target/release/$PROGRAM" "$rootfs/$PROGRAM"
}

# Of the package, not of this machine's store: what its administrator trusts besides is nobody else's business.
roots() {
  install -d -m 755 "$rootfs/etc/ssl/certs"
  cat "$ROOTS"/*.crt >"$rootfs/etc/ssl/certs/ca-certificates.crt"
}

licenses() {
  local name
  install -D -m 644 LICENSE "$rootfs/licenses/$PROGRAM"
  crate_licenses >"$rootfs/licenses/crates"
  while IFS='|' read -r name _; do
    install -m 644 "$(realpath "/usr/share/doc/$name/copyright")" "$rootfs/licenses/$name"
  done < <(debian_parts)
}

# The licences of the crates that are linked in, each text once, under the names of those that it is of.
crate_licenses() {
  local name version text sum
  local -A crates=() texts=()
  while read -r name version; do
    for text in "$cargo_home"/registry/src/*/"$name-${version#v}"/*; do
      [[ ${text##*/} =~ ^(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE) && -f $text ]] || continue
      sum=$(sha256sum <"$text")
      [[ ${crates[$sum]:-} == *"$name ${version#v}"$'\n'* ]] || crates[$sum]+="$name ${version#v}"$'\n'
      texts[$sum]=$text
    done
  done < <(linked_crates)
  for sum in "${!crates[@]}"; do printf '%s\t%s\n' "${crates[$sum]%%$'\n'*}" "$sum"; done | sort | cut -f 2 | while read -r sum; do
    printf -- '%s\n' "${crates[$sum]}"
    cat "${texts[$sum]}"
    printf '\n\n'
  done
}

rootfs=$out/rootfs
rm -rf "$rootfs"
compile
roots
licenses
image/sbom.sh >"$out/sbom.cdx.json"

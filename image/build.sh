#!/usr/bin/env bash
# Builds the image without an engine, with buildah, and prints its digest.
#
#   build.sh [DIRECTORY]     target/image unless given
#
# In DIRECTORY: oci (the image, an OCI layout), digest, sbom.cdx.json, rootfs (what the image holds).
# The same commit, compiler and packages give the same digest: docs/image.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p "${1:-target/image}"
out=$(cd "${1:-target/image}" && pwd)

fail() { printf 'image: %s\n' "$*" >&2; exit 1; }

command -v buildah >/dev/null || fail "buildah is missing: apt-get install --no-install-recommends buildah"
version=$(awk -F '"' '/^version/ { print $2; exit }' Cargo.toml)
revision=$(git rev-parse HEAD)
[[ -z $(git status --porcelain) ]] || revision+=-dirty
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

image/rootfs.sh "$out"

# A store of its own, which goes afterwards: nothing of this machine's images gets in, and none of ours is left behind.
store=$(mktemp -d)
trap 'rm -rf "$store"' EXIT
in_store() { buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs "$@"; }

name=localhost/customer-offboarding-operator:$version
# `build` is what the Dockerfile's first stage would have made; the base of that stage is not fetched then.
in_store build --quiet --isolation chroot --format oci --layers=false --identity-label=false --timestamp "$SOURCE_DATE_EPOCH" \
  --build-context "build=$out" \
  --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
  --build-arg "CREATED=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
  --tag "$name" --file Dockerfile "$out" >&2
rm -rf "$out/oci"
in_store push --quiet "$name" "oci:$out/oci:$version"
printf '%s\n' "$(sed 's/.*"digest":"\([^"]*\)".*/\1/' "$out/oci/index.json")" | tee "$out/digest"

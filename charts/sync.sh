#!/usr/bin/env bash
# Copies into the chart what it renders and does not own: the kinds of crds/ and the manifests of deploy/. A chart holds no file from
# outside of its directory. `tests/chart` compares the copies byte for byte.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

files=charts/customer-offboarding-operator/files
mkdir -p "$files/crds"
rm -f "$files"/crds/*.yaml
cp crds/*.yaml "$files/crds/"
cp deploy/{admission,personas,roles,stamp-requester}.yaml "$files/"

#!/usr/bin/env bash
# Prints the software bill of materials of the image: CycloneDX 1.6, JSON. The same inputs give the same bytes.
#
#   required    linked into the binary, or a file of the image
#   excluded    ran while it was compiled: macros, build scripts, and what those are made of
#
# Needs SOURCE_DATE_EPOCH. Asks cargo alone, and dpkg for what is linked in beside the crates.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=image/parts.sh
source image/parts.sh

json_crates() {
  awk -v lock=Cargo.lock '
    # Checksums, as the lock file has them.
    BEGIN {
      while ((getline line < lock) > 0) {
        split(line, part, "\"")
        if (line ~ /^name = /) name = part[2]
        if (line ~ /^version = /) version = part[2]
        if (line ~ /^checksum = /) checksum[name "@" version] = part[2]
      }
    }
    FILENAME ~ /linked$/ { linked[$1 "@" substr($2, 2)] = 1; next }
    # "2 serde v1.0.228 (proc-macro)|MIT OR Apache-2.0": depth, package, licence. The first one is the program itself.
    {
      split($0, half, "|"); split(half[1], word, " ")
      depth = word[1]; id = word[2] "@" substr(word[3], 2); above[depth] = id
      if (!(id in seen)) { seen[id] = 1; order[++count] = id; licence[id] = half[2]; gsub("/", " OR ", licence[id]) }
      if (depth > 0 && !((above[depth - 1], id) in edge)) { edge[above[depth - 1], id] = 1; needs[above[depth - 1]] = needs[above[depth - 1]] " " id }
    }
    function purl(id) { gsub("[+]", "%2B", id); return "pkg:cargo/" id }
    function component(id,   at, text) {
      at = index(id, "@")
      text = "{\"type\":\"" (id == order[1] ? "application" : "library") "\",\"bom-ref\":\"" purl(id) "\",\"name\":\"" substr(id, 1, at - 1) "\",\"version\":\"" substr(id, at + 1) "\""
      if (id != order[1]) text = text ",\"scope\":\"" (id in linked ? "required" : "excluded") "\""
      if (id in checksum) text = text ",\"hashes\":[{\"alg\":\"SHA-256\",\"content\":\"" checksum[id] "\"}]"
      if (licence[id] != "") text = text ",\"licenses\":[{\"expression\":\"" licence[id] "\"}]"
      return text ",\"purl\":\"" purl(id) "\"}"
    }
    END {
      print component(order[1]) > program
      for (n = 2; n <= count; n++) print component(order[n]) > crates
      for (n = 1; n <= count; n++) {
        split(needs[order[n]], below, " "); list = ""
        for (m = 1; m in below; m++) list = list (m > 1 ? "," : "") "\"" purl(below[m]) "\""
        print "{\"ref\":\"" purl(order[n]) "\",\"dependsOn\":[" list "]}" > edges
      }
    }' program="$work/program" crates="$work/crates" edges="$work/edges" "$work/linked" "$work/tree"
}

# name, version, licence, purl
json_part() {
  printf '{"type":"library","bom-ref":"%s","name":"%s","version":"%s","scope":"required","licenses":[%s],"purl":"%s"}\n' "$4" "$1" "$2" "$3" "$4"
}

json_parts() {
  local name licence version
  version=$(rustc --version | cut -d ' ' -f 2)
  json_part rust-std "$version" '{"expression":"MIT OR Apache-2.0"}' "pkg:generic/rust-std@$version"
  while IFS='|' read -r name licence; do
    version=$(package_version "$name")
    json_part "$name" "$version" "{\"expression\":\"$licence\"}" "pkg:deb/debian/$name@${version//+/%2B}?arch=$(dpkg --print-architecture)"
  done < <(debian_parts)
}

# Lines of a file, sorted, with commas between them.
joined() { sort "$@" | sed '$!s/$/,/'; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
linked_crates >"$work/linked"
compiled_crates >"$work/tree"
json_crates
json_parts >"$work/parts"
cat <<END
{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,
"metadata":{"timestamp":"$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)","component":$(cat "$work/program")},
"components":[
$(joined "$work/crates" "$work/parts")
],
"dependencies":[
$(joined "$work/edges")
]}
END

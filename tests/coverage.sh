#!/usr/bin/env bash
# Which lines of the rooms the tests run, by room; the tests are those that the arguments name, as for `cargo test`.
# Only what is ours is instrumented, so that nothing else is compiled again. The operator's processes that tests start count, too.
set -euo pipefail

# Cargo calls this script in the compiler's place, for the packages of the workspace.
# Counters live in the file that they end up in: tests kill operators, and who is killed writes nothing any more.
if [[ ${1:-} == *rustc ]]; then exec "$@" -C instrument-coverage -C llvm-args=-runtime-counter-relocation; fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
rooms=(src/domain src/controller src/providers)
tests='(tests|fixtures)(\.rs|/[^/]*\.rs)$'

# The tools must be of the compiler's own version of LLVM: from its component, or from the system.
version=$(rustc -vV | awk '/^LLVM version/ { split($3, part, "."); print part[1] }')
component=$(rustc --print target-libdir)/../bin
tool() {
  local path
  for path in "$component/$1" "$(command -v "$1-$version" || true)" "$(command -v "$1" || true)"; do
    [[ -x $path ]] && "$path" --version 2>/dev/null | grep -q "LLVM version $version\." && { echo "$path"; return; }
  done
  echo "$1 of LLVM $version is missing: rustup component add llvm-tools (or: sudo apt-get install -y llvm-$version)" >&2
  exit 1
}
profdata=$(tool llvm-profdata)
cov=$(tool llvm-cov)

out=$root/target/coverage
rm -rf "$out"
mkdir -p "$out"
export LLVM_PROFILE_FILE=$out/%p-%m%c.profraw RUSTC_WORKSPACE_WRAPPER=$root/tests/coverage.sh

# First the names of what is built, then the run; tests that fail are told, and still counted.
"${CARGO:-cargo}" test --locked "$@" --no-run --message-format json >"$out/built.json"
objects=()
while IFS= read -r object; do objects+=(--object "$object"); done < <(
  grep -o '"executable":"[^"]*"' "$out/built.json" | cut -d '"' -f 4 | sort -u)
"${CARGO:-cargo}" test --locked "$@" --no-fail-fast || echo "some tests failed; what they ran is counted" >&2

# Of processes that were started without our environment.
find "$root" -maxdepth 1 -name 'default_*.profraw' -exec mv -t "$out" {} +

"$profdata" merge --sparse "$out"/*.profraw -o "$out/all.profdata"
for room in "${rooms[@]}"; do
  "$cov" export --summary-only --instr-profile "$out/all.profdata" "${objects[@]}" --ignore-filename-regex "$tests" --sources "$root/$room" |
    grep -o '"totals":.*' | sed -E 's/.*"lines":\{"count":([0-9]+),"covered":([0-9]+).*/\1 \2/' |
    awk -v room="$room" '{ printf "%-16s %5.1f %% of %d lines\n", room, 100 * $2 / $1, $1 }'
done
"$cov" report --instr-profile "$out/all.profdata" "${objects[@]}" --ignore-filename-regex "$tests" --sources "${rooms[@]/#/$root/}" >"$out/files.txt"
"$cov" export --format lcov --instr-profile "$out/all.profdata" "${objects[@]}" --ignore-filename-regex "$tests" --sources "${rooms[@]/#/$root/}" |
  awk -v root="$root/" -F '[:,]' '
    function told() { if (first) print file ":" (first == last ? first : first "-" last); first = 0 }
    /^SF:/ { file = substr($2, length(root) + 1) }
    /^DA:/ { if ($3 > 0) told(); else { if (!first) first = $2; last = $2 } }
    /^end_of_record/ { told() }' >"$out/lines.txt"
echo "by file: target/coverage/files.txt; the lines that nothing ran: target/coverage/lines.txt"

# shellcheck shell=bash
# What the image is made of. Sourced by its neighbours.

PROGRAM=customer-offboarding-operator
# shellcheck disable=SC2034 # used by who sources this
ROOTS=/usr/share/ca-certificates/mozilla

host_triple() { rustc -vV | awk '/^host:/ { print $2 }'; }

tree() { "${CARGO:-cargo}" tree --locked --package "$PROGRAM" --target "$(host_triple)" "$@"; }

# The crates that are linked into the program, itself included: `serde v1.0.228`.
linked_crates() { tree --edges normal,no-proc-macro --prefix none --no-dedupe --format '{p}' | cut -d ' ' -f 1,2 | sort -u; }

# Those and what runs while they are compiled, as a tree: depth, crate, licence.
compiled_crates() { tree --edges normal,build --prefix depth --format ' {p}|{l}'; }

# Debian's packages that are in the image: the roots of Mozilla, and what is linked in, glibc and GCC's unwinder. Package, licence.
debian_parts() {
  echo "ca-certificates|MPL-2.0"
  echo "$(owner_of "$(cc -print-file-name=libc.a)")|LGPL-2.1-or-later"
  echo "$(owner_of "$(cc -print-file-name=libgcc_eh.a)")|GPL-3.0-or-later WITH GCC-exception-3.1"
}

# The package that a file is of.
owner_of() { dpkg -S "$(realpath "$1")" | cut -d : -f 1; }

# Of one architecture: several may be installed.
package_version() { dpkg-query -W -f '${Version}\n' "$1" | head -n 1; }

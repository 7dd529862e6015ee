#!/bin/sh
# What the build and the tests need: lists what is missing with its size, then installs it.
#
#	sh tests/lib/deps.sh [build/lib/libduckdb.so]
#
# With nothing missing it needs neither root nor a network and is quick. As root it runs apt-get, else
# sudo: on a terminal after asking, without asking when YES=1; without sudo it prints the command and
# ends with 1. The embedded warehouse's library comes from LIBDUCKDB=FILE, else from the package that
# its makers publish for node, of one pinned version with a known checksum; only the library is kept.
CC=${CC:-cc}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}
duckdb_lib=${1:-build/lib/libduckdb.so}
duckdb_version=1.5.5-r.5
duckdb_mib=67

# ---- packages -----------------------------------------------------------------------------------
# Debian package and the command that shows it is there
commands="
make make
pkg-config $PKG_CONFIG
perl prove
jq jq
zstd zstd
"
# Debian package and header
headers="
libc6-dev stdlib.h
libjansson-dev jansson.h
libyaml-dev yaml.h
libzstd-dev zstd.h
libisal-dev isa-l/igzip_lib.h
libdeflate-dev libdeflate.h
libxxhash-dev xxhash.h
libexpat1-dev expat.h
libcurl4-openssl-dev curl/curl.h
libarchive-dev archive.h
libcmocka-dev cmocka.h
"

missing=
need () {
	case " $missing " in
	*" $1 "*) ;;
	*) missing="${missing:+$missing }$1" ;;
	esac
}

while read -r package command
do
	test -z "$package" || command -v "$command" >/dev/null 2>&1 || need "$package"
done <<EOL
$commands
EOL

if command -v "${CC%% *}" >/dev/null 2>&1
then
	# one run of the preprocessor for all of them
	set -- $headers
	question=
	while test $# -ge 2
	do
		question="$question
#if !__has_include(<$2>)
need $1
#endif"
		shift 2
	done
	answers=$(printf '%s\n' "$question" | $CC -E -P -x c - 2>/dev/null | grep '^need ')
	for package in $(printf '%s\n' "$answers" | sed 's/^need //')
	do
		need "$package"
	done
else
	need gcc
	set -- $headers
	while test $# -ge 2
	do
		need "$1"
		shift 2
	done
fi

# ---- the embedded warehouse ---------------------------------------------------------------------
machine=$(uname -m)
case "$machine" in
x86_64)
	duckdb_package=@duckdb/node-bindings-linux-x64@$duckdb_version
	duckdb_sha256=86d2bda909785550e8a14a57a8a4584827aff0e268d8f1a58c3fd48559f7020e
	;;
aarch64)
	duckdb_package=@duckdb/node-bindings-linux-arm64@$duckdb_version
	duckdb_sha256=3b85f3ea438f7dc3691d7b5e6e4222ffe9127fd17885f96ca72e0c99925c348e
	;;
*)
	duckdb_package=
	;;
esac
want_duckdb=
if test -n "$LIBDUCKDB"
then
	test -f "$LIBDUCKDB" || { echo "deps: LIBDUCKDB names no file: $LIBDUCKDB" >&2; exit 1; }
elif ! test -s "$duckdb_lib"
then
	want_duckdb=t
	if test -z "$duckdb_package"
	then
		echo "deps: no libduckdb is pinned for $machine: make deps LIBDUCKDB=FILE takes yours" >&2
		exit 1
	fi
	command -v npm >/dev/null 2>&1 || need npm
fi

# ---- packages, installed ------------------------------------------------------------------------
deps_name=deps
. "$(dirname "$0")/deps-install.sh"
if test -n "$missing"
then
	install_packages || exit 1
fi

# ---- the library, fetched -----------------------------------------------------------------------
if test -n "$LIBDUCKDB"
then
	mkdir -p "$(dirname "$duckdb_lib")" || exit 1
	cmp -s "$LIBDUCKDB" "$duckdb_lib" ||
		{ cp "$LIBDUCKDB" "$duckdb_lib.new" && mv "$duckdb_lib.new" "$duckdb_lib"; } || exit 1
fi
if test -n "$want_duckdb"
then
	mkdir -p "$(dirname "$duckdb_lib")" && scratch=$(mktemp -d) || exit 1
	trap 'rm -rf "$scratch"' EXIT
	echo "deps: fetching $duckdb_package with npm pack ($duckdb_mib MiB unpacked)"
	(cd "$scratch" && npm pack --silent "$duckdb_package" >/dev/null) || {
		echo "deps: npm pack failed; make deps LIBDUCKDB=FILE takes a libduckdb.so of yours" >&2
		exit 1
	}
	set -- "$scratch"/*.tgz
	if ! printf '%s  %s\n' "$duckdb_sha256" "$1" | sha256sum -c --status
	then
		echo "deps: $duckdb_package is not what it was: wanted sha256 $duckdb_sha256" >&2
		sha256sum "$1" >&2
		exit 1
	fi
	tar -xzf "$1" -C "$scratch" package/libduckdb.so &&
	chmod 644 "$scratch/package/libduckdb.so" &&
	cp "$scratch/package/libduckdb.so" "$duckdb_lib.new" && mv "$duckdb_lib.new" "$duckdb_lib" || exit 1
	echo "deps: $duckdb_lib"
fi
exit 0

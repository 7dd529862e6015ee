#!/bin/sh
# check-install.sh DESTDIR BINDIR MANDIR LIBDIR BASHCOMPDIR ZSHCOMPDIR FISHCOMPDIR
# Runs what `make install` put below DESTDIR, away from the build tree.
destdir=$1 bindir=$1$2 mandir=$1$3 libdir=$1$4 bashdir=$1$5 zshdir=$1$6 fishdir=$1$7
fail () {
	echo "check-install: $*" >&2
	exit 1
}
unset RIVER_DUCKDB RIVER_CONFIG
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" && HOME=$scratch && export HOME || exit 1

"$bindir/river" --version >version || fail "river --version ended with $?"
grep -q '^river ' version || fail "river --version said: $(cat version)"
"$bindir/river" help >help || fail "river help ended with $?"
for command in $("$bindir/river" __commands | tr ' ' -)
do
	test -s "$mandir/man1/river-$command.1" || fail "no page for $command"
done
for page in "$mandir"/man1/* "$mandir"/man5/*
do
	test -s "$page" || fail "$page is empty"
	! grep -n '^@' "$page" || fail "$page has parts that were not filled"
	if command -v mandoc >/dev/null
	then
		mandoc -Tutf8 "$page" >/dev/null || fail "$page does not render"
	fi
done
for file in "$bashdir/river" "$zshdir/_river" "$fishdir/river.fish"
do
	test -s "$file" || fail "$file is missing"
done
for shell in bash zsh fish
do
	case $shell in
	bash) file=$bashdir/river ;;
	zsh) file=$zshdir/_river ;;
	fish) file=$fishdir/river.fish ;;
	esac
	"$bindir/river" completion $shell | cmp - "$file" || fail "river completion $shell differs from $file"
	if command -v $shell >/dev/null
	then
		$shell -n "$file" || fail "$file is no $shell"
	fi
done
if test -f "$libdir/libduckdb.so"
then
	"$bindir/river" init >/dev/null && "$bindir/river" query 'select 40 + 2 as answer' >answer ||
		fail "river query does not find $libdir/libduckdb.so"
	grep -q 42 answer || fail "river query said: $(cat answer)"
fi
echo "check-install: what stands below $destdir works"

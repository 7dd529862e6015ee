# Installing Debian packages, for deps.sh and deps-peers.sh, which say $missing (the packages' names) and
# $deps_name (who speaks). As root it runs apt-get, else sudo: on a terminal after asking, without asking when
# YES=1; without sudo it prints the command and fails.
install_packages () {
	if ! command -v apt-get >/dev/null 2>&1
	then
		echo "$deps_name: missing, by the names Debian has for it: $missing" >&2
		echo "$deps_name: there is no apt-get here: install them your way and run this again" >&2
		return 1
	fi
	as_root=
	if test "$(id -u)" -ne 0
	then
		as_root=sudo
		if ! command -v sudo >/dev/null 2>&1 || { test "$YES" != 1 && ! test -t 0; }
		then
			echo "$deps_name: missing: $missing" >&2
			echo "$deps_name: as root: apt-get install --no-install-recommends $missing" >&2
			return 1
		fi
	fi
	echo "$deps_name: missing: $missing"
	# a fresh image has no lists, and without them no sizes
	set -- /var/lib/apt/lists/*Packages*
	if ! test -e "$1"
	then
		$as_root apt-get -q update || return 1
	fi
	LC_ALL=C apt-get -o Debug::NoLocking=1 --assume-no --no-install-recommends install $missing 2>/dev/null |
		grep -E '^(Need to get|After this operation|[0-9]+ upgraded)' | sed "s/^/$deps_name: /"
	if test -n "$as_root" && test "$YES" != 1
	then
		printf '%s: install them with sudo apt-get? [y/N] ' "$deps_name"
		read -r answer
		case "$answer" in
		y|Y|yes) ;;
		*) echo "$deps_name: nothing was installed" >&2; return 1 ;;
		esac
	fi
	# lists that are out of date name files that are gone
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing ||
	{
		$as_root apt-get -q update &&
		$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing
	}
}

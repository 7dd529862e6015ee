#!/bin/sh
# render.sh RIVER PAGE.in: the page on standard output, its parts filled by `RIVER __doc`.
#
# A line that is @PART@ alone becomes what river says about that part; @DATE@ and @VERSION@ are
# replaced anywhere. The date is SOURCE_DATE_EPOCH's, else that of the last commit.
river=$1 source=$2
page=$(basename "$source" .in)
page=${page%.*}
page=${page#river-}
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
date=$(LC_ALL=C date -u -d "@$epoch" '+%B %-d, %Y')
version=$("$river" --version) || exit 1
version=${version#river }
page_text () {
	while IFS= read -r line
	do
		case "$line" in
		@*@)
			part=$(printf '%s\n' "$line" | tr -d @ | tr A-Z a-z)
			"$river" __doc "$page" "$part" || return 1
			;;
		*)
			printf '%s\n' "$line"
			;;
		esac
	done <"$source"
}
text=$(page_text) || exit 1
printf '%s\n' "$text" | sed -e "s/@DATE@/$date/g" -e "s/@VERSION@/$version/g"

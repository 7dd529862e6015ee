# The table of all walks: scenario and fault, how many points of how many calls, and what was found wrong. From the
# rows that fault-lib.sh writes:
#
#	scenario fault points calls lost doubled altered by-hand codes secrets, with tabs between
#
#	walk_table FILE...          prints it; walks of one name and fault are one line
#	walk_wrong NAME FILE...     prints the lines of that scenario that are not all zero, or have no point; without a
#	                            NAME those of all
#	walk_missing NAME FILE FAULT...    prints the faults that have no row, where the scenario was not skipped; nor,
#	                                   with a script of FILE's name, that script

walk_sums () {
	cat "$@" /dev/null | awk -F '\t' '
		{ key = $1 "\t" $2 }
		!(key in points) { order[++lines] = key }
		{ points[key] += $3; calls[key] += $4; lost[key] += $5; doubled[key] += $6; altered[key] += $7
		  hand[key] += $8; codes[key] += $9; secrets[key] += $10
		  if ($2 != "skipped" && NF != 10) hand[key]++ }
		END {
			for (i = 1; i <= lines; i++) {
				key = order[i]
				print key "\t" points[key] "\t" calls[key] "\t" lost[key] "\t" doubled[key] "\t" \
					altered[key] "\t" hand[key] "\t" codes[key] "\t" secrets[key]
			}
		}'
}

walk_table () {
	walk_sums "$@" | awk -F '\t' '
		function line(a, b, c, d, e, f, g, h, i, j) {
			printf "%-24s %-22s %8s %8s %6s %8s %8s %8s %6s %8s\n", a, b, c, d, e, f, g, h, i, j
		}
		BEGIN { line("scenario", "fault", "points", "of calls", "lost", "doubled", "altered", "by hand", "codes", "secrets") }
		$2 == "skipped" { line($1, $2, "-", "-", "-", "-", "-", "-", "-", "-"); next }
		{ line($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		  for (n = 3; n <= 10; n++) sum[n] += $n }
		END { line("all", "", sum[3] + 0, sum[4] + 0, sum[5] + 0, sum[6] + 0, sum[7] + 0, sum[8] + 0, sum[9] + 0, sum[10] + 0) }'
}

walk_wrong () {
	walk_name=$1
	shift
	walk_sums "$@" | awk -F '\t' -v name="$walk_name" '
		(name != "" && $1 != name) || $2 == "skipped" { next }
		$3 == 0 || $5 + $6 + $7 + $8 + $9 + $10 > 0 { gsub("\t", " "); print }'
}

walk_missing () {
	walk_name=$1 walk_file=$2
	shift 2
	! grep -qx "${walk_file##*/}	skipped" "$walk_file" || return 0
	walk_sums "$walk_file" >walk.sums
	for walk_one
	do
		walk_label=$(echo "$walk_one" | tr : ' ')
		awk -F '\t' -v name="$walk_name" -v fault="$walk_label" '
			$1 == name && ($2 == fault || $2 == "skipped") { there = 1 } END { exit !there }' walk.sums ||
		echo "$walk_name $walk_label: was not walked"
	done
}

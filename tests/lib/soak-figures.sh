# What a soak found, for a row of the table of walks. Sourced by tests/soak.sh, whose variables these are, and by the
# test of it:
#
#	figures    faults, records, lost, doubled, altered, to be mended by hand, codes: in one line. The last line of
#	           lake.count is that of `soak_client count`; $got is what the warehouse says (count, distinct, first, last).
#	           What both say is missing is one record.

figures () {
	echo "$faults $made $(tail -n 1 lake.count) warehouse=$got hand=$(((flush_code != 0) + (status_code != 0) + (spool_code != 0))) codes=$((crashes + (kill_code != 0) + (client_code != 0)))" |
	awk '
		function of(name,   i) {
			for (i = 3; i <= NF; i++)
				if (index($i, name "=") == 1)
					return substr($i, length(name) + 2)
			return ""
		}
		function most(a, b) { return a > b ? a : b }
		{
			n = split(of("warehouse"), rows, ",")
			# where one could not be looked into, nobody knows of any
			lost = of("missing") == "" || n != 4 ? $2 : most(of("missing") + 0, $2 - rows[2])
			print $1, $2, lost, most(of("doubled") + 0, rows[1] - rows[2]), of("beyond") + 0, of("hand"), of("codes")
		}'
}

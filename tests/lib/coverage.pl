#!/usr/bin/perl
# What `make coverage` says of a report of llvm-cov: lines and branches by room and by file, and what no
# test reached in the files that have to be reached whole.
#
#	coverage.pl REPORT EXCEPTIONS             lines and branches by room and by file
#	coverage.pl --table REPORT EXCEPTIONS     by room, as CONTRIBUTING.md has it
#	coverage.pl --check REPORT EXCEPTIONS     1 when something is not as EXCEPTIONS says
#	coverage.pl --missing REPORT EXCEPTIONS   what is not reached, as lines of EXCEPTIONS, reasons that
#	                                          are known already kept; the others are "?"
#
# REPORT, whose name ends in .lcov, is what `llvm-cov export -format=lcov` prints. Beside it, as .json, lies what
# the command prints without -format: it alone tells the copies of a header's function apart, of which each
# file that includes it has one. Lines of EXCEPTIONS, with tabs between the fields:
#
#	whole	PATH                               a file, or with a / at its end all files below
#	reason	WORD	TEXT                       why something may be left
#	processor	FLAG	PATH                    a file of which only a processor with FLAG (/proc/cpuinfo) runs all;
#	                                           on others nothing is said of it, but that nothing was
#	FILE	FUNCTION	WHAT	WORD	TEXT       TEXT is the line in the source
#
# WHAT is `line`, the first of those that follow each other and are not reached, or a branch: `true` or
# `false`, what a condition of the line never was (true2: the second condition). Things are known by the
# text of their line, so that an edit elsewhere moves nothing; the same twice in a function stands twice.
# A thing without its line in EXCEPTIONS is red, and so is a line there without its thing.
use strict;
use warnings;

my $mode = '';
$mode = shift @ARGV if @ARGV && $ARGV[0] =~ /^--(?:table|check|missing)$/;
die "usage: coverage.pl [--table | --check | --missing] REPORT EXCEPTIONS\n" unless @ARGV == 2;
my ($report, $exceptions) = @ARGV;

# ---- what may be left ----

my (@whole, %reason, %allowed, %unjudged);
my $flags = do { local (@ARGV, $/) = '/proc/cpuinfo'; -r $ARGV[0] ? <> // '' : '' };
open my $in, '<', $exceptions or die "$exceptions: $!\n";
while (<$in>) {
	chomp;
	next if /^#/ || /^\s*$/;
	my @field = split /\t/, $_, 5;
	if ($field[0] eq 'whole' && @field == 2) {
		push @whole, $field[1];
	} elsif ($field[0] eq 'reason' && @field >= 3) {
		$reason{$field[1]} = 1;
	} elsif ($field[0] eq 'processor' && @field == 3) {
		$unjudged{$field[2]} = $field[1] unless $flags =~ /^flags\s*:.*\s\Q$field[1]\E(?:\s|$)/m;
	} elsif (@field == 5) {
		die "$exceptions:$.: no reason $field[3]\n" unless $reason{$field[3]};
		push @{$allowed{join "\t", @field[0 .. 2], $field[4]}}, $field[3];
	} else {
		die "$exceptions:$.: not a line of this file\n";
	}
}
close $in;

# ---- what was reached ----

my (%lines, %branches, %functions, $file);
open $in, '<', $report or die "$report: $!\n";
while (<$in>) {
	if (/^SF:(.*)/) {
		$file = $1 =~ m{(?:^|/)((?:lib|cmd)/[^/]+(?:/[^/]+)?)$} ? $1 : undef;
	} elsif (!defined $file) {
		next;
	} elsif (/^FN:(\d+),(?:.*:)?(.*)/) {
		$functions{$file}{$1} = $2;
	} elsif (/^DA:(\d+),(\d+)/) {
		$lines{$file}{$1} = ($lines{$file}{$1} // 0) + $2;
	} elsif (/^BRDA:(\d+),\d+,(\d+),(\d+|-)/) {
		push @{$branches{$file}{$1}}, $3 eq '-' ? 0 : $3;
	}
}
close $in;
die "$report tells of no file of river\n" unless %lines;

# A branch of a header was taken when one of its copies took it.
(my $json = $report) =~ s/\.lcov$/.json/;
open $in, '<', $json or die "$json: $!\n";
while (<$in>) {
	while (/"branches":\[([][\d,]*)\],"filename":"(?:[^"]*\/)?(lib\/[^\/"]+\/[^\/"]+\.h)"/g) {
		my ($all, $name, %at) = ($1, $2);
		while ($all =~ /\[(\d+),(\d+),\d+,\d+,(\d+),(\d+)/g) {
			my $counts = $at{$1}{$2} //= [0, 0];
			$counts->[0] += $3;
			$counts->[1] += $4;
		}
		$branches{$name} = {};
		for my $line (keys %at) {
			push @{$branches{$name}{$line}}, @{$at{$line}{$_}} for sort { $a <=> $b } keys %{$at{$line}};
		}
	}
}
close $in;

# All files of the source have to be in it, else a room looks better than it is.
for my $source (glob 'lib/*/*.c cmd/*.c') {
	$lines{$source} //= {};
}

sub add {
	my ($sum, $f) = @_;
	for my $count (values %{$lines{$f}}) {
		$sum->[0]++ if $count;
		$sum->[1]++;
	}
	for my $counts (values %{$branches{$f} // {}}) {
		$sum->[2] += grep { $_ } @$counts;
		$sum->[3] += @$counts;
	}
}

sub row {
	my ($name, $sum) = @_;
	my @part = map {
		my ($have, $all) = ($sum->[2 * $_] // 0, $sum->[2 * $_ + 1] // 0);
		sprintf '%13s %s', "$have/$all", $all ? sprintf('%5.1f%%', 100 * $have / $all) : '     -';
	} 0, 1;
	return sprintf "%-42s %s  %s\n", $name, @part;
}

my (%room, @all);
for my $f (sort keys %lines) {
	my ($name) = $f =~ m{^(lib/[^/]+|cmd)/};
	add($room{$name} //= [], $f);
	add(\@all, $f);
}

if ($mode eq '--table') {
	my $percent = sub { $_[1] ? sprintf '%.1f %%', 100 * $_[0] / $_[1] : '-' };
	print "| room | lines | branches |\n|---|---:|---:|\n";
	for my $name (sort(keys %room), 'all') {
		my $sum = $name eq 'all' ? \@all : $room{$name};
		printf "| %s | %s of %d | %s of %d |\n", $name, $percent->($sum->[0] // 0, $sum->[1] // 0),
			$sum->[1] // 0, $percent->($sum->[2] // 0, $sum->[3] // 0), $sum->[3] // 0;
	}
	exit 0;
}

if ($mode eq '') {
	print "                                                   lines                branches\n";
	print row($_, $room{$_}) for sort keys %room;
	print row('all', \@all), "\n";
	for my $f (sort keys %lines) {
		my @sum;
		add(\@sum, $f);
		print row($f, \@sum);
	}
	exit 0;
}

# ---- what was not ----

sub is_whole {
	my $f = shift;
	return grep { m{/$} ? index($f, $_) == 0 : $f eq $_ } @whole;
}

sub function_of {
	my ($f, $line) = @_;
	my $best = 0;
	for my $start (keys %{$functions{$f} // {}}) {
		$best = $start if $start <= $line && $start > $best;
	}
	return $best ? $functions{$f}{$best} : '-';
}

my @missing; # [file, line, function, what, text]
for my $f (sort grep { is_whole($_) && !$unjudged{$_} } keys %lines) {
	next unless %{$lines{$f}};
	open my $source, '<', $f or die "$f: $!\n";
	my @text = ('', <$source>);
	close $source;
	s/^\s+|\s+$//g, s/\t/ /g for @text;
	my $count = $lines{$f};
	my $idle = sub { my $n = shift; defined $count->{$n} && !$count->{$n} };
	# braces and labels are no start of anything
	my $says = sub { my $n = shift; $text[$n] =~ /\w/ && $text[$n] !~ /^#/ };
	for my $n (sort { $a <=> $b } keys %$count) {
		if ($idle->($n)) {
			my $before = $n - 1;
			$before-- while $before > 0 && $idle->($before) && !$says->($before);
			push @missing, [$f, $n, function_of($f, $n), 'line', $text[$n]]
				if $says->($n) && !$idle->($before);
			next;
		}
		next if $idle->($n + 1); # the branch leads there
		my @counts = @{$branches{$f}{$n} // []};
		for my $i (0 .. $#counts) {
			next if $counts[$i];
			my $what = ($i % 2 ? 'false' : 'true') . ($i > 1 ? int($i / 2) + 1 : '');
			push @missing, [$f, $n, function_of($f, $n), $what, $text[$n]];
		}
	}
}

if ($mode eq '--missing') {
	for my $m (@missing) {
		my $known = $allowed{join "\t", @$m[0, 2, 3, 4]};
		my $word = $known && @$known ? shift @$known : '?';
		print join("\t", @$m[0, 2, 3], $word, $m->[4]), "\n";
	}
	for my $key (sort grep { $unjudged{(split /\t/)[0]} } keys %allowed) {
		my @field = split /\t/, $key, 4;
		print join("\t", @field[0 .. 2], $_, $field[3]), "\n" for @{$allowed{$key}};
	}
	exit 0;
}

my $bad = 0;
for my $m (@missing) {
	my $known = $allowed{join "\t", @$m[0, 2, 3, 4]};
	if ($known && @$known) {
		shift @$known;
		next;
	}
	print "\nnot reached, and no reason in $exceptions:\n" unless $bad++;
	print "$m->[0]:$m->[1]: $m->[2]: $m->[3]: $m->[4]\n";
}
my $stale = 0;
for my $key (sort grep { !$unjudged{(split /\t/)[0]} } keys %allowed) {
	for (@{$allowed{$key}}) {
		print "\nin $exceptions, and reached now or gone:\n" unless $stale++;
		print join(': ', split /\t/, $key), "\n";
	}
}
print "\n" if %unjudged;
print "$_ was not judged: this processor has no $unjudged{$_}\n" for sort keys %unjudged;
my $left = @missing - $bad;
print "\n$left left with a reason, $bad without, $stale reasons without a thing\n";
exit($bad || $stale ? 1 : 0);

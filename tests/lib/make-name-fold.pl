#!/usr/bin/perl
# Writes lib/format/zip_fold.inc from perl's own Unicode tables:
#
#	perl tests/lib/make-name-fold.pl >lib/format/zip_fold.inc
#
# With --try it reads names, one a line, and prints what they fold to, for comparison.
use strict;
use warnings;
use feature 'fc';
use Unicode::Normalize qw(NFD getCombinClass);
binmode STDIN, ':encoding(UTF-8)';
binmode STDOUT, ':encoding(UTF-8)';

sub is_mark { return getCombinClass(ord $_[0]) != 0 }

# The iota below a letter stays a mark: made a letter of its own, it would part the marks around it.
sub without_case { return NFD(join '', map { $_ eq "\x{345}" ? $_ : fc } split //, NFD($_[0])) }

# Letters without case, taken apart, and marks of one letter by their number.
sub fold {
	my @marks;
	my $out = '';
	for my $c (split //, without_case($_[0])) {
		if (is_mark($c)) {
			push @marks, $c;
			next;
		}
		$out .= join('', sort @marks) . $c;
		@marks = ();
	}
	return $out . join('', sort @marks);
}

if (@ARGV && $ARGV[0] eq '--try') {
	while (<STDIN>) {
		chomp;
		print fold($_), "\n";
	}
	exit 0;
}

my (@runs, @words, @marks);
for my $c (0x80 .. 0x1ffff, 0x2f800 .. 0x2fa1f) {
	next if $c >= 0xd800 && $c <= 0xdfff;
	next if $c >= 0xac00 && $c <= 0xd7a3; # Hangul: by rule
	if (getCombinClass($c)) {
		if (@marks && $marks[-1][1] == $c - 1) { $marks[-1][1] = $c } else { push @marks, [$c, $c] }
	}
	my @to = map { ord } split //, without_case(chr $c);
	next if @to == 1 && $to[0] == $c;
	if (@to > 1) {
		push @words, [$c, @to];
		next;
	}
	my $delta = $to[0] - $c;
	my $run = $runs[-1];
	if ($run && $run->[2] == $delta) {
		my $step = $c - $run->[1];
		if ($run->[0] == $run->[1] && $step <= 2) {
			@$run[1, 3] = ($c, $step);
			next;
		}
		if ($run->[0] != $run->[1] && $step == $run->[3]) {
			$run->[1] = $c;
			next;
		}
	}
	push @runs, [$c, $c, $delta, 1];
}

sub list {
	my ($type, $name, @items) = @_;
	print "static const struct $type $name\[] = {\n";
	my $line = "\t";
	for (@items) {
		if (length($line) + length($_) > 90) {
			print "$line\n";
			$line = "\t";
		}
		$line .= $_;
	}
	print "$line\n};\n";
}

print "/* Made by tests/lib/make-name-fold.pl from the tables of Unicode ", Unicode::UCD::UnicodeVersion(), ". */\n";
list('fold_run', 'fold_runs', map { sprintf '{%#x,%#x,%d,%d},', @$_ } @runs);
list('fold_word', 'fold_words', map { sprintf '{%#x,{%s}},', $_->[0], join ',', map { sprintf '%#x', $_ } @$_[1 .. $#$_] } @words);
list('fold_range', 'fold_marks', map { sprintf '{%#x,%#x},', @$_ } @marks);
BEGIN { require Unicode::UCD }

# Writes to a file until it is told to end, and closes it then. Beside the result it says how that went, and whether the
# file's place was mounted still.
# usage: recorder.pl FILE
use strict;
use warnings;

my $file = shift;
my $end = 0;
$SIG{TERM} = sub { $end = 1 };
open(my $out, '>', $file) or die "$file: $!";
until ($end) {
    syswrite($out, 'x' x 1000) or die "$file: $!";
    select(undef, undef, undef, 0.02);
}
syswrite($out, "end") or die "$file: $!";
close($out) or die "$file: $!";

my ($place) = $file =~ m{(.*)/};
open(my $mounts, '<', '/proc/self/mounts') or die $!;
my $where = (grep { (split ' ')[1] eq $place } <$mounts>) ? 'mount' : 'directory';
open(my $told, '>', '/test/recorders/' . (split '/', $place)[-1]) or die $!;
print $told "ended in the $where\n";

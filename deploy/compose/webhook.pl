#!/usr/bin/perl
# Prints what Alertmanager tells it, a line for each alert. Stands in for a receiver of your own; needs Perl alone.
#
#   webhook.pl PORT
#   webhook.pl PORT healthy
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $what) = @ARGV;
if (($what // '') eq 'healthy') {
    my $self = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 3) or exit 1;
    print $self "GET /healthy HTTP/1.0\r\n\r\n";
    exit((<$self> // '') =~ / 200 / ? 0 : 1);
}

$| = 1;
$SIG{TERM} = $SIG{INT} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';
my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 16, ReuseAddr => 1)
    or die "cannot listen on port $port: $!\n";
print "listening on port $port\n";
while (1) {
    my $client = $server->accept or next;
    # Whoever says nothing does not keep the others waiting.
    eval {
        local $SIG{ALRM} = sub { die "too slow\n" };
        alarm 10;
        serve($client);
        alarm 0;
    };
    alarm 0;
    close $client;
}

sub serve {
    my ($client) = @_;
    my $request = <$client> // return;
    my $length = 0;
    while (my $line = <$client>) {
        last if $line =~ /^\r?\n$/;
        $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
    }
    my $body = '';
    read($client, $body, $length < 1 << 20 ? $length : 1 << 20) if $length;
    print $client "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    report($body) if $request =~ /^POST /;
}

# Alertmanager writes an alert's fields in this order. What does not look so is printed as it is.
sub report {
    my ($body) = @_;
    my ($s, $min, $hour) = gmtime;
    my $now = sprintf '%02d:%02d:%02d', $hour, $min, $s;
    my $text = qr/"((?:[^"\\]|\\.)*)"/;
    my $map = qr/\{((?:\s*$text\s*:\s*$text\s*,?)*)\s*\}/;
    my $told = 0;
    while ($body =~ /"status":"(firing|resolved)","labels":($map),"annotations":($map)/g) {
        my ($status, $labels, $annotations) = ($1, $2, $6);
        my $of = sub { $_[0] =~ /"$_[1]":$text/ ? $1 : '' };
        printf "%s %-8s %-8s %s: %s\n", $now, $status, $of->($labels, 'severity'), $of->($labels, 'alertname'),
            $of->($annotations, 'description') || $of->($annotations, 'summary');
        $told++;
    }
    print "$now $body\n" unless $told;
}

package demo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sennit-net/sennit/p2p"
)

// example is the state of a stack with counters, after the protocol that never reads was stopped.
func example() *snapshot {
	return &snapshot{
		stack: "Sennit", elapsed: 5 * time.Second,
		rows: []row{
			{name: "echo", sent: 50_001, received: 50_000, bytes: 3_200_000, messageRate: 10_000, byteRate: 640_000, stats: &p2p.ProtocolStats{Name: "echo"},
				echo: &echoTimes{p50: 81_234, p99: 412_345, longest: 1_234_567, lastReply: 4999 * time.Millisecond}},
			{name: "bulk", sent: 1201, received: 1200, bytes: 1200 << 20, messageRate: 240, byteRate: 251e6, stats: &p2p.ProtocolStats{Name: "bulk", InboxBytes: 1 << 20}},
			{name: "flood", sent: 1_500_000, received: 1_499_000, bytes: 1_499_000 * 64, messageRate: 299_800, byteRate: 19.2e6, stats: &p2p.ProtocolStats{Name: "flood", InboxBytes: 6400}},
			{name: "stuck", sent: 90_000, stats: &p2p.ProtocolStats{Name: "stuck", Stopped: true, MessagesIn: 4096, BytesIn: 4 << 20}},
		},
	}
}

func TestTableShowsEachProtocol(t *testing.T) {
	want := `
protocol       sent       read  bytes read  messages/s  MB/s  rtt p50  rtt p99  longest    inbox  dropped  state
echo         50,001     50,000     3.1 MiB      10,000  0.64  81.2 µs   412 µs  1.23 ms      0 B        0  runs
bulk          1,201      1,200     1.2 GiB         240   251                             1.0 MiB        0  runs
flood     1,500,000  1,499,000    91.5 MiB     299,800    19                             6.2 KiB        0  runs
stuck        90,000          0         0 B           0     0                                 0 B        0  stopped after 4,096 messages`
	if diff := cmp.Diff(want[1:], strings.Join(example().table(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestLineShowsEachProtocol(t *testing.T) {
	want := " 5.0 s | echo 10,000/s, rtt p50 81.2 µs p99 412 µs | bulk 240/s 251 MB/s | flood 299,800/s 19 MB/s | stuck stopped after 4,096 messages"
	if diff := cmp.Diff(want, example().line()); diff != "" {
		t.Error(diff)
	}
}

func TestVerdictSaysWhatHappened(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *snapshot, echo, stuck *row)
		want   string
	}{
		{"stopped", func(*snapshot, *row, *row) {},
			"Sennit: echo kept p99 = 412 µs over 50,000 round trips (p50 81.2 µs, longest 1.23 ms). stuck, which never reads, was stopped after 4,096 messages (4.0 MiB). The link lived."},
		{"dropped", func(_ *snapshot, _, stuck *row) {
			stuck.stats = &p2p.ProtocolStats{Dropped: 7000, InboxBytes: 4 << 20}
		}, "stuck, which never reads, lost 7,000 messages and kept 4.0 MiB. The link lived."},
		{"waited and stopped", func(_ *snapshot, echo, stuck *row) {
			echo.echo.longest, stuck.stats.Waited = time.Second, time.Second
		}, "Sennit: echo was held up for 1s once; of 50,000 round trips, p50 = 81.2 µs, p99 = 412 µs. " +
			"stuck, which never reads, was stopped after 4,096 messages (4.0 MiB) and holding the link up for 1s. The link lived."},
		{"waits", func(_ *snapshot, echo, stuck *row) {
			echo.echo.lastReply = 500 * time.Millisecond
			stuck.stats = &p2p.ProtocolStats{Waited: 4500 * time.Millisecond}
		}, "Sennit: echo was held up: its last of 50,000 answers came after 0.50 s, none in the 4.50 s since. stuck, which never reads, held the link up for 4.5s. The link lived."},
		{"room left", func(_ *snapshot, _, stuck *row) { stuck.stats = &p2p.ProtocolStats{InboxBytes: 2048} },
			"stuck, which never reads, has 2.0 KiB waiting. The link lived."},
		{"no counters, no answer", func(s *snapshot, echo, stuck *row) {
			s.stack, echo.received, stuck.stats = "other", 0, nil
			s.ended = fmt.Errorf("%w: timeout", errLinkEnded)
		}, "other: echo had no answer in 5.0 s. stuck, which never reads, was sent 90,000 messages. The link did not live: after 5.0 s the link ended: timeout."},
	}
	for _, tt := range tests {
		s := example()
		tt.change(s, s.find("echo"), s.find("stuck"))
		if got := s.verdict(); !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: got\n%s, want\n%s", tt.name, got, tt.want)
		}
	}
}

func TestRatesAreTakenBetweenTwoStates(t *testing.T) {
	before := &snapshot{elapsed: time.Second, rows: []row{{received: 100, bytes: 1000}}}
	now := &snapshot{elapsed: 3 * time.Second, rows: []row{{received: 300, bytes: 5000}}}
	now.rates(before)
	if r := now.rows[0]; r.messageRate != 100 || r.byteRate != 2000 {
		t.Errorf("got %v messages/s, %v B/s; want 100 and 2000", r.messageRate, r.byteRate)
	}
	now.rows[0].messageRate = 0
	if now.rates(now); now.rows[0].messageRate != 0 {
		t.Errorf("no time passed, but the rate is %v", now.rows[0].messageRate)
	}
}

func TestNumbersAreShortAndHaveAUnit(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 200 << 20: "200 MiB", 5 << 40: "5.0 TiB", 5 << 50: "5120 TiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "-", 999: "999 ns", 12_345: "12.3 µs", 1_234_567: "1.23 ms", 61 * time.Second: "1m1s"} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %q, want %q", d, got, want)
		}
	}
}

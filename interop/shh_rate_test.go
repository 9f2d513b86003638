package interop

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/sennit-net/sennit/protocols/shh"
)

// BenchmarkSealBesideGoEthereum measures how many nonces are tried in a second of processor time, ours and theirs in turn, which
// is what sealing a message takes time for. Both search from 0 upwards, so the nonce found tells how many were tried. The best
// of some rounds counts, since it is the one that other programs disturbed least.
func BenchmarkSealBesideGoEthereum(b *testing.B) {
	const rounds, work = 8, 2
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, g := range generations {
		for _, c := range []struct{ size, envelopes int }{{100, 10}, {1000, 2}} {
			b.Run(fmt.Sprintf("%s/%d", g.name, c.size), func(b *testing.B) {
				them := g.program.Start(b, "-password=test")
				them.Await("^ENODE", patience)
				var ours, theirs float64
				for b.Loop() {
					for range rounds {
						them.Say("rate %d %d", c.size, c.envelopes)
						rate, err := strconv.ParseFloat(them.Await(`^RATE (\d+)$`, patience)[1], 64)
						if err != nil {
							b.Fatal(err)
						}
						theirs = max(theirs, rate)
						ours = max(ours, sealRate(b, g.rule, c.size, c.envelopes, work))
					}
				}
				b.ReportMetric(ours, "nonces/s")
				b.ReportMetric(theirs, "theirs/s")
				b.ReportMetric(ours/theirs, "times")
			})
		}
	}
}

func sealRate(b *testing.B, rule shh.Rules, size, envelopes int, work float64) float64 {
	b.Helper()
	var tries uint64
	var took time.Duration
	for range envelopes {
		m := shh.Outgoing{SymKey: bytes.Repeat([]byte{1}, shh.SymKeySize), Topic: whisperTopic, Payload: make([]byte, size)}
		e, err := m.Envelope(time.Now())
		if err != nil {
			b.Fatal(err)
		}
		began := cpuTime()
		if err := shh.Seal(b.Context(), e, work, rule); err != nil {
			b.Fatal(err)
		}
		took += cpuTime() - began
		tries += e.Nonce + 1
	}
	return float64(tries) / took.Seconds()
}

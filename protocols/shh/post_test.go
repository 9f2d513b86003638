package shh

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sennit-net/sennit/p2p"
)

func TestAPeerIsSentWhatIsEnoughByItsRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const work = 3
		w := newTestWhisper(t, Config{MinWork: -1})
		by18 := postUnlike(t, w, Topic{1}, work, Rule18, func(by Work) bool { return by.By19 >= work })
		by19 := postUnlike(t, w, Topic{1}, work, Rule19, func(by Work) bool { return by.By18 >= work })
		asks := status{minWork: work, bloom: FullBloom()}
		for name, want := range map[string][]*Envelope{
			"Geth/v1.8.27-stable/linux-amd64/go1.10":   {by18},
			"Geth/mine/v1.8.27-stable/linux-amd64/go1": {by18},
			"Geth/v1.9.20-stable":                      {by19},
			"Geth/v1.17.10-stable":                     {by19},
			"sennit/1.0":                               {by18, by19},
			"Parity-Ethereum/v2.7.2":                   nil,
		} {
			r := join(t, w, 1, name)
			r.greet(asks)
			if want != nil {
				r.expectEnvelopes(want...)
			}
			r.expectSilence()
			<-r.done
		}
		// A name of the operator's own, and capabilities of Sennit.
		for _, c := range []p2p.Cap{{Name: "lanes", Version: 1}, {Name: "sennit", Version: 1}} {
			r := join(t, w, 1, "mine", c)
			r.greet(asks)
			r.expectEnvelopes(by18, by19)
			r.rw.Close()
			<-r.done
		}
		// Somebody unknown sends what is good by one rule alone.
		for rule, own := range map[Rules]*Envelope{Rule18: by18, Rule19: by19} {
			r := join(t, w, 2, "unknown")
			r.greet(asks)
			foreign := sealedBy(t, rule, work)
			r.sendEnvelopes(foreign)
			r.expectEnvelopes(own)
			if st := w.Peers(); len(st) != 1 || st[0].Rule != rule.String() {
				t.Errorf("the peer counts by %v", st)
			}
			r.rw.Close()
			<-r.done
			w.pool.mu.Lock()
			w.pool.remove(w.pool.byHash[foreign.Hash()])
			w.pool.mu.Unlock()
		}
	})
}

// postUnlike posts an envelope with a proof of work that is not, by chance, better than it should be.
func postUnlike(t *testing.T, w *Whisper, topic Topic, work float64, rules Rules, better func(Work) bool) *Envelope {
	t.Helper()
	for {
		m := Outgoing{SymKey: NewSymKey(), Topic: topic, TTL: time.Minute}
		e, err := m.Envelope(time.Now())
		if err == nil {
			err = Seal(t.Context(), e, work, rules)
		}
		if err == nil && better(e.Work()) {
			continue
		}
		if err == nil {
			err = w.PostEnvelope(e)
		}
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
}

// sealedBy returns an envelope that is good by that rule alone.
func sealedBy(t *testing.T, rule Rules, work float64) *Envelope {
	t.Helper()
	for {
		e := unsealed(t, 1, time.Minute)
		if err := Seal(context.Background(), e, work, rule); err != nil {
			t.Fatal(err)
		}
		if e.Work().Reaching(work) == rule {
			return e
		}
	}
}

func TestPostsAreSealedForThePeersThereAre(t *testing.T) {
	asks, any := status{minWork: 0.2, bloom: FullBloom()}, status{bloom: FullBloom()}
	type peer struct {
		name string
		status
	}
	old, young, ours, unknown, content := peer{"Geth/v1.8.1", asks}, peer{"Geth/v1.9.1", asks}, peer{"sennit/1", asks}, peer{"x", asks}, peer{"Geth/v1.8.1", any}
	tests := []struct {
		peers []peer
		want  Rules
	}{
		{nil, BothRules}, {[]peer{old}, Rule18}, {[]peer{young, young}, Rule19}, {[]peer{old, young}, BothRules}, {[]peer{ours}, Rule19},
		{[]peer{ours, old}, Rule18}, {[]peer{unknown}, BothRules}, {[]peer{content}, Rule19}, {[]peer{content, young}, Rule19},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			w := newTestWhisper(t, Config{})
			for i, p := range tt.peers {
				join(t, w, byte(i), p.name).greet(p.status)
			}
			synctest.Wait()
			if got := w.rulesOfPeers(); got != tt.want {
				t.Errorf("%v: %v, want %v", tt.peers, got, tt.want)
			}
		})
	}
}

func TestPostsProveTheWorkThatPeersAskFor(t *testing.T) {
	for _, tt := range []struct {
		own  float64
		asks []float64
		want float64
	}{
		{0, nil, 0.2}, {0, []float64{0.1}, 0.2}, {0, []float64{0.5, 1.9, 0}, 1.9}, {0, []float64{2.1, 0.3}, 0.3}, {-1, []float64{0.5}, 0.5}, {1, []float64{9}, 9},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newTestWhisper(t, Config{MinWork: tt.own})
			for i, asks := range tt.asks {
				join(t, w, byte(i), "x").greet(status{minWork: asks, bloom: FullBloom()})
			}
			synctest.Wait()
			if got := w.usualWork(); got != tt.want {
				t.Errorf("%v and %v: %v, want %v", tt.own, tt.asks, got, tt.want)
			}
		})
	}
}

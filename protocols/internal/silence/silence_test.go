package silence

import (
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/p2p"
)

func TestALinkGoesOnForOthersThatRun(t *testing.T) {
	for _, test := range []struct {
		name      string
		protocols []p2p.ProtocolStats
		silent    []string
		want      bool
	}{
		{"none", nil, []string{"eth"}, false},
		{"alone", []p2p.ProtocolStats{{Name: "eth"}}, []string{"eth"}, false},
		{"another", []p2p.ProtocolStats{{Name: "eth"}, {Name: "shh"}}, []string{"eth"}, true},
		{"another that was stopped", []p2p.ProtocolStats{{Name: "eth", Stopped: true}, {Name: "shh"}}, []string{"shh"}, false},
		{"another that is silent", []p2p.ProtocolStats{{Name: "eth"}, {Name: "shh"}}, []string{"eth", "shh"}, false},
		{"several together", []p2p.ProtocolStats{{Name: "bzz"}, {Name: "hive"}, {Name: "stream"}}, []string{"bzz", "hive", "stream"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := others(test.protocols, test.silent); got != test.want {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestWhatHasNoLinkIsNotNoted(t *testing.T) {
	peer := p2p.NewPeer(enode.ID{1}, "test", nil)
	if Begin(peer, "eth") {
		t.Error("a peer made for tests has a link that goes on")
	}
	End(peer, "eth")
	if n := len(silent.links); n > 0 {
		t.Errorf("%d links are kept", n)
	}
}

func TestTheEndOfTheLastLeavesNothing(t *testing.T) {
	peer := p2p.NewPeer(enode.ID{1}, "test", nil)
	silent.links[peer] = []string{"bzz", "eth", "hive"}
	End(peer, "eth")
	End(peer, "shh")
	if Silent(peer, "eth") || !Silent(peer, "hive") {
		t.Error("the wrong one is forgotten")
	}
	if got := silent.links[peer]; len(got) != 2 {
		t.Errorf("%q are left", got)
	}
	End(peer, "bzz", "hive")
	if n := len(silent.links); n > 0 {
		t.Errorf("%d links are kept", n)
	}
}

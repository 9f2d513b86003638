package p2p

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/netutil"
)

// logText is a log that can be read while it is written.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer // Guarded by mu.
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logText) logger() log.Logger {
	return log.NewLogger(log.LogfmtHandlerWithLevel(l, slog.LevelWarn))
}

func TestStartNamesEveryProtocolThatCannotRun(t *testing.T) {
	good := waitProtocol("good", 1)
	without := func(change func(*Protocol)) Protocol {
		p := waitProtocol("bad", 7)
		change(&p)
		return p
	}
	noRun := without(func(p *Protocol) { p.Run = nil })
	noLength := without(func(p *Protocol) { p.Length = 0 })
	tests := map[string]struct {
		protocols []Protocol
		want      []string // parts of the error
	}{
		"no Run":           {[]Protocol{good, noRun}, []string{`Protocols[1] ("bad" version 7)`, "no Run function"}},
		"no name":          {[]Protocol{without(func(p *Protocol) { p.Name = "" })}, []string{`Protocols[0] ("" version 7)`, "no Name"}},
		"no codes":         {[]Protocol{noLength}, []string{`("bad" version 7)`, "its Length is 0"}},
		"too many codes":   {[]Protocol{without(func(p *Protocol) { p.Length = 1<<32 + 1 })}, []string{"Length is 4294967297", "4294967296"}},
		"too heavy":        {[]Protocol{without(func(p *Protocol) { p.Weight = 17 })}, []string{"Weight is 17", "0 to 16"}},
		"no weight":        {[]Protocol{without(func(p *Protocol) { p.Weight = -1 })}, []string{"Weight is -1"}},
		"several mistakes": {[]Protocol{noRun, good, noLength}, []string{"Protocols[0]", "no Run function", "Protocols[2]", "its Length is 0"}},
	}
	for name, tt := range tests {
		srv := &Server{Config: Config{PrivateKey: newKey(t), MaxPeers: 1, NoDiscovery: true, ListenAddr: "127.0.0.1:0", Protocols: tt.protocols}}
		err := srv.Start()
		if err == nil {
			srv.Stop()
			t.Errorf("%s: started", name)
			continue
		}
		for _, part := range tt.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: no %q in: %v", name, part, err)
			}
		}
		srv.Protocols = []Protocol{good}
		if err := srv.Start(); err != nil {
			t.Errorf("%s: with the mistake mended: %v", name, err)
		}
		srv.Stop()
	}
}

func TestAServerWhoseHelloOthersWouldRefuseDoesNotStart(t *testing.T) {
	start := func(name string, protocols int) error {
		srv := &Server{Config: Config{PrivateKey: newKey(t), Name: name, MaxPeers: 1, NoDiscovery: true, ListenAddr: "127.0.0.1:0"}}
		for i := range protocols {
			srv.Protocols = append(srv.Protocols, waitProtocol("many", uint(i)))
		}
		defer srv.Stop()
		return srv.Start()
	}
	for _, tt := range []struct {
		name      string
		protocols int
		want      string // part of the error; empty: it starts
	}{
		{strings.Repeat("n", 1900), 1, ""},
		{strings.Repeat("n", 2048), 1, "with a Name of 2048 and 2 capabilities, and other nodes take at most 2048"},
		{"n", 100, ""},
		{"n", 300, "with a Name of 1 and 301 capabilities"},
	} {
		if err := start(tt.name, tt.protocols); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("a name of %d bytes and %d protocols: %v, want %q", len(tt.name), tt.protocols, err, tt.want)
		}
	}
}

func TestOfTwoEqualProtocolsTheFirstRunsAndTheLogSaysSo(t *testing.T) {
	var warnings logText
	ran := make(chan string, 2)
	protocol := func(mark string) Protocol {
		return Protocol{Name: "twin", Version: 3, Length: 1, Run: func(_ *Peer, rw MsgReadWriter) error {
			ran <- mark
			_, err := rw.ReadMsg()
			return err
		}}
	}
	srv := startTestServer(t, func(srv *Server) {
		srv.Logger = warnings.logger()
		srv.Protocols = []Protocol{protocol("first"), waitProtocol("other", 3), protocol("second"), waitProtocol("twin", 2)}
	})
	if got := warnings.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "protocol=twin/3 position=2") {
		t.Errorf("the log says %q", got)
	}
	c := dialRaw(t, srv, newKey(t))
	c.sendHello(c.hello(Cap{"twin", 3}))
	if got := <-ran; got != "first" {
		t.Errorf("the %s one runs", got)
	}
}

func TestStaticNodesThatCanNeverBeDialedAreWarnedAbout(t *testing.T) {
	key := newKey(t)
	node := func(ip string, tcp int) *enode.Node {
		return enode.NewV4(&newKey(t).PublicKey, net.ParseIP(ip), tcp, tcp)
	}
	onlyLocal, _ := netutil.ParseNetlist("127.0.0.0/8")
	dials := func(c *Config) { c.NoDial = false }
	tests := map[string]struct {
		node   *enode.Node
		change func(*Config)
		want   string // part of the warning; empty: there is none
	}{
		"with an address":                 {node("127.0.0.1", 1), dials, ""},
		"with a host name":                {node("", 1).WithHostname("localhost"), dials, ""},
		"no address":                      {node("", 0), dials, "no IP address and no host name"},
		"no address, found by discovery":  {node("", 0), func(c *Config) { c.NoDial, c.NoDiscovery, c.DiscoveryV4 = false, false, true }, ""},
		"no address, only discovery v5":   {node("", 0), func(c *Config) { c.NoDial, c.NoDiscovery, c.DiscoveryV5 = false, false, true }, "no IP address"},
		"no port":                         {node("127.0.0.1", 0), dials, errNoPort.Error()},
		"a host name and no port":         {node("", 0).WithHostname("localhost"), dials, errNoPort.Error()},
		"outside of the networks allowed": {node("192.0.2.1", 1), func(c *Config) { c.NoDial, c.NetRestrict = false, onlyLocal }, errNetRestrict.Error()},
		"ourselves":                       {enode.NewV4(&key.PublicKey, net.IPv4(127, 0, 0, 1), 1, 1), dials, errSelf.Error()},
		"dialing is off":                  {node("127.0.0.1", 1), func(*Config) {}, "NoDial"},
	}
	for name, tt := range tests {
		var atStart, later logText
		srv := startTestServer(t, func(srv *Server) {
			srv.PrivateKey, srv.Logger, srv.StaticNodes = key, atStart.logger(), []*enode.Node{tt.node}
			tt.change(&srv.Config)
		})
		srv.Stop()
		added := startTestServer(t, func(srv *Server) {
			srv.PrivateKey, srv.Logger = key, later.logger()
			tt.change(&srv.Config)
		})
		added.AddPeer(tt.node)
		added.Stop()
		for _, got := range []string{atStart.String(), later.String()} {
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("%s: the log says %q, want %q", name, got, tt.want)
			}
		}
	}
}

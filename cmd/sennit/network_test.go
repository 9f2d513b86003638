package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	gethlog "github.com/ethereum/go-ethereum/log"
	geth "github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/google/go-cmp/cmp"

	"github.com/sennit-net/sennit/p2p"
)

// startServer starts a node of ours with the given protocols that only read.
func startServer(t *testing.T, maxPeers int, names ...string) *p2p.Server {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	server := &p2p.Server{Config: p2p.Config{PrivateKey: key, Name: "tested", MaxPeers: maxPeers, ListenAddr: "127.0.0.1:0", NoDiscovery: true}}
	for _, name := range names {
		server.Protocols = append(server.Protocols, p2p.Protocol{Name: name, Version: 1, Length: 1, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
			for {
				msg, err := rw.ReadMsg()
				if err != nil {
					return err
				}
				if err := msg.Discard(); err != nil {
					return err
				}
			}
		}})
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

func TestHelloTellsWhoAnswered(t *testing.T) {
	url := startServer(t, 10, "aaa", "bbb").Self().URLv4()
	got := sennit(t, "hello", "--cap", "bbb/1,ccc/1", url)
	if got.status != exitOK || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	for _, line := range []string{"client       tested", "p2p version  5", "offers       aaa/1 bbb/1", "shared       bbb/1", "would run    bbb/1", "round trip   "} {
		if !strings.Contains(got.stdout, line) {
			t.Errorf("no %q in\n%s", line, got.stdout)
		}
	}

	got = sennit(t, "hello", "--json", "--cap", "bbb/1", url)
	var report struct {
		Client     string
		Caps       []string
		RTTSeconds float64
	}
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.status != exitOK {
		t.Fatalf("%v: %+v", err, got)
	}
	if report.Client != "tested" || !cmp.Equal(report.Caps, []string{"aaa/1", "bbb/1", "lanes/1"}) || report.RTTSeconds <= 0 {
		t.Errorf("%+v", report)
	}
}

func TestHelloTellsTheReasonForARefusal(t *testing.T) {
	tests := []struct {
		maxPeers int
		caps     string
		want     string
	}{
		{10, "zzz/1", "useless peer"},
		{0, "aaa/1", "too many peers"},
	}
	for _, tt := range tests {
		url := startServer(t, tt.maxPeers, "aaa").Self().URLv4()
		got := sennit(t, "hello", "--cap", tt.caps, url)
		if got.status != exitFailed || !strings.Contains(got.stderr, "refused: "+tt.want) || !strings.Contains(got.stdout, tt.want) {
			t.Errorf("%s: %+v", tt.want, got)
		}
		got = sennit(t, "hello", "--json", "--cap", tt.caps, url)
		var report struct{ Refused struct{ Text string } }
		if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.status != exitFailed || report.Refused.Text != tt.want {
			t.Errorf("%s: %v, %+v", tt.want, err, got)
		}
	}
}

func TestHelloTellsThatNobodyAnswered(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // it accepts in the kernel and never answers
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	tests := []struct{ url, want string }{
		{"enode://" + testPublic + "@" + silent.Addr().String(), "no answer in 50ms"},
		{"enode://" + testPublic + "@" + closed.Addr().String(), "dial"},
		{"enode://" + testPublic, "@IP:PORT"},
	}
	for _, tt := range tests {
		got := sennit(t, "hello", "--timeout", "50ms", tt.url)
		if got.status != exitUnreachable || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s: %+v, want %q", tt.url, got, tt.want)
		}
	}
}

// program is a run of the program that lasts.
type program struct {
	enode  string // first line of standard output
	cancel context.CancelFunc
	done   chan struct{}

	// Set when done is closed.
	status int
	stderr bytes.Buffer
}

// startProgram runs the program until stop, and returns when it has printed its first line.
func startProgram(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{cancel: cancel, done: make(chan struct{})}
	stdout, w := io.Pipe()
	go func() {
		defer close(p.done)
		p.status = run(ctx, args, w, &p.stderr)
		w.Close()
	}()
	t.Cleanup(func() { p.stop() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.stop()
		t.Fatalf("no first line: %v, status %d, %s", err, p.status, &p.stderr)
	}
	p.enode = strings.TrimSpace(line)
	return p
}

func (p *program) stop() {
	p.cancel()
	<-p.done
}

// TestRunHoldsALinkToGoEthereum is the first proof that the program is one: a go-ethereum server with three protocols keeps
// its link to `sennit run`, and each protocol's messages are read, counted, and answered where --echo says so.
func TestRunHoldsALinkToGoEthereum(t *testing.T) {
	const messages = 100
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	finished := make(chan string, 3)
	send := func(name string, echoed bool) geth.Protocol {
		return geth.Protocol{Name: name, Version: 1, Length: 3, Run: func(_ *geth.Peer, rw geth.MsgReadWriter) error {
			for i := range messages {
				if err := geth.Send(rw, uint64(i%3), []uint{uint(i)}); err != nil {
					return err
				}
				if !echoed {
					continue
				}
				if err := geth.ExpectMsg(rw, uint64(i%3), []uint{uint(i)}); err != nil {
					return err
				}
			}
			finished <- name
			_, err := rw.ReadMsg() // until the end of the link
			return err
		}}
	}
	remote := &geth.Server{Config: geth.Config{
		PrivateKey: key, Name: "geth", MaxPeers: 10, ListenAddr: "127.0.0.1:0", NoDiscovery: true, Logger: gethlog.NewLogger(gethlog.DiscardHandler()),
		Protocols: []geth.Protocol{send("aaa", false), send("bbb", true), send("ccc", false)},
	}}
	if err := remote.Start(); err != nil {
		t.Fatal(err)
	}
	defer remote.Stop()
	events := make(chan *geth.PeerEvent, 10)
	subscription := remote.SubscribeEvents(events)
	defer subscription.Unsubscribe()

	p := startProgram(t, "run", "--datadir", t.TempDir(), "--listen", "127.0.0.1:0", "--nodiscover", "--log-format", "json",
		"--cap", "aaa/1/3,ccc/1/3", "--echo", "bbb/1/3", "--static", remote.Self().URLv4())
	for range 3 {
		<-finished
	}
	if e := <-events; e.Type != geth.PeerEventTypeAdd || e.Peer != enode.MustParseV4(p.enode).ID() {
		t.Errorf("go-ethereum reports %+v, want that %s was added", e, p.enode)
	}
	if n := remote.PeerCount(); n != 1 {
		t.Errorf("go-ethereum has %d peers", n)
	}
	p.stop()
	if p.status != exitOK {
		t.Errorf("status %d", p.status)
	}
	if e := <-events; e.Type != geth.PeerEventTypeDrop || e.Error != geth.DiscQuitting.Error() {
		t.Errorf("go-ethereum reports %+v, want a drop because the client quits", e)
	}
	for _, part := range []string{
		`"msg":"peer added"`, `"name":"geth"`, `"protocols":["aaa/1","bbb/1","ccc/1"]`,
		`"msg":"peer dropped"`, `"wire":"sent 8 (client quitting)"`,
		`"protocol":"bbb/1","messages":100`,
	} {
		if !strings.Contains(p.stderr.String(), part) {
			t.Errorf("no %s in the log:\n%s", part, &p.stderr)
		}
	}
}

func TestRunPrintsItsEnodeAndKeepsItsKey(t *testing.T) {
	dir := t.TempDir()
	args := []string{"run", "--datadir", dir, "--listen", "127.0.0.1:0", "--nodiscover"}
	var ids [2]string
	for i := range ids {
		p := startProgram(t, args...)
		node, err := enode.ParseV4(p.enode)
		if err != nil || node.TCP() == 0 {
			t.Fatalf("first line %q: %v", p.enode, err)
		}
		if hello := sennit(t, "hello", "--cap", "sennit/1", p.enode); hello.status != exitOK || !strings.Contains(hello.stdout, "would run    sennit/1") {
			t.Errorf("hello: %+v", hello)
		}
		p.stop()
		if ids[i] = node.ID().String(); p.status != exitOK {
			t.Errorf("status %d: %s", p.status, &p.stderr)
		}
	}
	if ids[0] != ids[1] {
		t.Error("the second start has another key")
	}
	if shown := sennit(t, "key", "show", filepath.Join(dir, "nodekey")); !strings.Contains(shown.stdout, ids[0]) {
		t.Errorf("the key file is of another node: %+v", shown)
	}
}

func TestRunSaysThatItsPortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	got := sennit(t, "run", "--datadir", t.TempDir(), "--nodiscover", "--listen", taken.Addr().String())
	if got.status != exitFailed || !strings.Contains(got.stderr, taken.Addr().String()) || got.stdout != "" {
		t.Errorf("%+v", got)
	}
}

func TestRunSaysWhatToDoAboutWhatItCannotUse(t *testing.T) {
	used := t.TempDir()
	startProgram(t, "run", "--datadir", used, "--listen", "127.0.0.1:0", "--nat", "none") // with discovery: holds the node database
	file := keyFileWith(t, testKey, 0o600)
	tests := []struct {
		name, dir, listen string
		want              string
	}{
		{"a data directory in use", used, "127.0.0.1:0", "--datadir"},
		{"a data directory that is a file", file, "127.0.0.1:0", "data directory"},
		{"a data directory below a file", filepath.Join(file, "below"), "127.0.0.1:0", "data directory"},
		{"an address of another machine", t.TempDir(), "192.0.2.1:0", "--listen"},
	}
	for _, tt := range tests {
		got := sennit(t, "run", "--datadir", tt.dir, "--listen", tt.listen, "--nat", "none")
		if got.status != exitFailed || !strings.Contains(got.stderr, tt.want) || got.stdout != "" {
			t.Errorf("%s: %+v, want %q", tt.name, got, tt.want)
		}
	}
}

func TestRunWarnsOfWhatHasNoEffect(t *testing.T) {
	p := startProgram(t, "run", "--datadir", t.TempDir(), "--listen", "127.0.0.1:0", "--nodiscover", "--nat", "none", "--noipc", "--shh-light")
	p.stop()
	if p.status != exitOK || !strings.Contains(p.stderr.String(), "--shh-light is for --shh") {
		t.Errorf("status %d, %s", p.status, &p.stderr)
	}
}

func TestADataDirectoryHasOneNodeWhateverElseDiffers(t *testing.T) {
	dir := t.TempDir()
	quiet := []string{"run", "--datadir", dir, "--listen", "127.0.0.1:0", "--nodiscover", "--nat", "none", "--noipc"}
	first := startProgram(t, quiet...)
	for _, more := range [][]string{nil, {"--nodekeyhex", testKey}, {"--noipc=false", "--ipc", filepath.Join(t.TempDir(), "s")}} {
		got := sennit(t, append(quiet[:len(quiet):len(quiet)], more...)...)
		if got.status != exitFailed || !strings.Contains(got.stderr, dir+" is in use by another process: a node runs there") || got.stdout != "" {
			t.Errorf("with %q: %+v", more, got)
		}
	}
	if got := sennit(t, "key", "show", filepath.Join(dir, "nodekey")); got.status != exitOK {
		t.Errorf("the key: %+v", got)
	}
	first.stop()
	startProgram(t, quiet...).stop()
}

func TestRunWarnsOfAStaticNodeThatItWillNeverDial(t *testing.T) {
	p := startProgram(t, "run", "--datadir", t.TempDir(), "--listen", "127.0.0.1:0", "--nodiscover", "--static", "enode://"+testPublic)
	p.stop()
	if p.status != exitOK || !strings.Contains(p.stderr.String(), "no IP address and no host name") {
		t.Errorf("status %d, %s", p.status, &p.stderr)
	}
}

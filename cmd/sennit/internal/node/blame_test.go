package node

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/log"
	"github.com/spf13/pflag"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
)

// fromFile is the configuration that a file says, with a data directory of its own and without NAT.
func fromFile(t *testing.T, text string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "sennit.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags := config.Register(set)
	if err := set.Parse([]string{"--config", file, "--datadir", dir, "--nat", "none"}); err != nil {
		t.Fatal(err)
	}
	c, err := flags.Config()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhatKeepsANodeFromStartingIsBlamedOnTheValueThatSaysIt(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const calm = "NoDiscovery = true\nListenAddr = '127.0.0.1:0'\n"
	for _, tt := range []struct{ name, text, want, hint string }{
		{"the port of the links", fmt.Sprintf("[p2p]\nNoDiscovery = true\nListenAddr = '%v'\n", tcp.Addr()), "line 3: p2p.ListenAddr: ", "choose another with --listen"},
		{"the port of discovery", fmt.Sprintf("[p2p]\nListenAddr = '127.0.0.1:0'\nDiscAddr = '%v'\n", udp.LocalAddr()), "line 3: p2p.DiscAddr: ", "choose another (now "},
		{"the port of both", fmt.Sprintf("[p2p]\n\n\nListenAddr = '%v'\n", udp.LocalAddr()), "line 4: p2p.ListenAddr: ", "choose another with --listen"},
		{"a database below a file", "[p2p]\n" + calm + "NodeDatabase = '" + filepath.Join(file, "below", "nodes") + "'\n", "line 4: p2p.NodeDatabase: ", "it is to be a directory"},
		{"the port of JSON-RPC", fmt.Sprintf("[p2p]\n%s[rpc]\nHTTP = '%v'\n", calm, tcp.Addr()), "line 5: rpc.HTTP: ", "choose another with --http"},
		{"a socket that is a file", "[p2p]\n" + calm + "[rpc]\nIPC = '" + file + "'\n", "line 5: rpc.IPC: ", "RPC socket"},
		{"only namespaces that are not there", "[p2p]\n" + calm + "[rpc]\nHTTP = '127.0.0.1:0'\nHTTPNamespaces = ['eth']\n", "line 6: rpc.HTTPNamespaces: ", "none of the protocols"},
	} {
		n, err := New(fromFile(t, tt.text), log.NewLogger(log.DiscardHandler()))
		if err != nil {
			t.Fatal(err)
		}
		err = n.Start()
		if err == nil {
			n.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), "sennit.toml: "+tt.want) || !strings.Contains(err.Error(), tt.hint) {
			t.Errorf("%s: %v, want %q and %q", tt.name, err, tt.want, tt.hint)
		}
	}
}

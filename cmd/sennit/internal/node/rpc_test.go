package node

import (
	"bytes"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/admin"
	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
)

// quiet returns the configuration of a node that finds nobody.
func quiet(t *testing.T) *config.Config {
	c := config.Default()
	c.Node.DataDir = t.TempDir()
	c.P2P.ListenAddr, c.P2P.NAT, c.P2P.NoDiscovery = "127.0.0.1:0", nil, true
	return &c
}

func TestARunningNodeAnswersOnItsSocketAndPort(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the name of a pipe does not depend on the data directory")
	}
	c := quiet(t)
	c.RPC.HTTP = "127.0.0.1:0"
	n, err := New(c, log.NewLogger(log.DiscardHandler()))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	e := n.services[len(n.services)-1].(*endpoint).serving
	if want := filepath.Join(c.Node.DataDir, "sennit.ipc"); e.IPCPath() != want {
		t.Errorf("the socket is %q, want %q", e.IPCPath(), want)
	}
	for endpoint, want := range map[string]string{e.IPCPath(): n.Enode(), "http://" + e.HTTPAddr(): ""} {
		client, err := admin.Dial(t.Context(), endpoint)
		if err != nil {
			t.Fatal(err)
		}
		var info struct{ Enode string }
		if err := client.Call(&info, "admin_nodeInfo"); info.Enode != want || (err == nil) != (want != "") {
			t.Errorf("%s: admin_nodeInfo says %q, %v", endpoint, info.Enode, err)
		}
		var peers string
		if err := client.Call(&peers, "net_peerCount"); err != nil || peers != "0x0" {
			t.Errorf("%s: net_peerCount says %q, %v", endpoint, peers, err)
		}
		client.Close()
	}
}

func TestADataDirectoryTooLongForASocketCostsTheSocketAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the name of a pipe does not depend on the data directory")
	}
	c := quiet(t)
	c.Node.DataDir = filepath.Join(c.Node.DataDir, strings.Repeat("d", 120))
	var out bytes.Buffer
	n, err := New(c, log.NewLogger(log.LogfmtHandlerWithLevel(&out, log.LevelWarn)))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	n.Stop()
	if !strings.Contains(out.String(), "--ipc") {
		t.Errorf("the log does not say what to do:\n%s", &out)
	}
}

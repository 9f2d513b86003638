package admin

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/p2p"
)

func startServer(t *testing.T, name string, change ...func(*p2p.Config)) *p2p.Server {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	read := p2p.Protocol{Name: "test", Version: 1, Length: 1, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		_, err := rw.ReadMsg()
		return err
	}}
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey: key, Name: name, MaxPeers: 10, ListenAddr: "127.0.0.1:0", NoDiscovery: true,
		Protocols: []p2p.Protocol{read}, Logger: log.NewLogger(log.DiscardHandler()),
	}}
	for _, change := range change {
		change(&server.Config)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return server
}

func TestPeersComeAndGoByRPC(t *testing.T) {
	here, there := startServer(t, "here"), startServer(t, "there")
	client := dial(t, listen(t, Config{IPCPath: socketPath(t), APIs: APIs(here)}).IPCPath())
	call := func(result any, method string, args ...any) {
		t.Helper()
		if err := client.Call(result, method, args...); err != nil {
			t.Fatalf("%s: %v", method, err)
		}
	}
	var info p2p.NodeInfo
	call(&info, "admin_nodeInfo")
	if info.Enode != here.Self().URLv4() || info.Name != "here" || info.Protocols["test"] != "unknown" {
		t.Errorf("admin_nodeInfo: %+v", info)
	}
	var listening, done bool
	if call(&listening, "net_listening"); !listening {
		t.Error("net_listening: false")
	}

	events := make(chan *p2p.PeerEvent, 4)
	defer here.SubscribeEvents(events).Unsubscribe()
	if call(&done, "admin_addPeer", there.Self().URLv4()); !done {
		t.Error("admin_addPeer: false")
	}
	if e := <-events; e.Type != p2p.PeerEventTypeAdd {
		t.Errorf("event %+v", e)
	}
	var count hexutil.Uint
	if call(&count, "net_peerCount"); count != 1 {
		t.Errorf("net_peerCount: %d", count)
	}
	var peers []map[string]json.RawMessage
	call(&peers, "admin_peers")
	if len(peers) != 1 || string(peers[0]["name"]) != `"there"` || !strings.Contains(string(peers[0]["caps"]), `"test/1"`) ||
		!strings.Contains(string(peers[0]["network"]), `"static":true`) {
		t.Errorf("admin_peers: %s", peers)
	}
	call(&done, "admin_addTrustedPeer", there.Self().URLv4())
	call(&peers, "admin_peers")
	if !strings.Contains(string(peers[0]["network"]), `"trusted":true`) {
		t.Errorf("after admin_addTrustedPeer: %s", peers)
	}
	call(&done, "admin_removeTrustedPeer", there.Self().URLv4())
	if call(&done, "admin_removePeer", there.Self().URLv4()); !done {
		t.Error("admin_removePeer: false")
	}
	if call(&count, "net_peerCount"); count != 0 {
		t.Errorf("net_peerCount after admin_removePeer: %d", count)
	}
}

func TestAURLThatIsNoneIsNamedInTheError(t *testing.T) {
	server := startServer(t, "here")
	client := dial(t, listen(t, Config{IPCPath: socketPath(t), APIs: APIs(server)}).IPCPath())
	for _, method := range []string{"admin_addPeer", "admin_removePeer", "admin_addTrustedPeer", "admin_removeTrustedPeer"} {
		if err := client.Call(nil, method, "enode://zz@1.2.3.4:5"); err == nil || !strings.Contains(err.Error(), `node "enode://zz@1.2.3.4:5": its key has 'z' as character 1`) {
			t.Errorf("%s: %v", method, err)
		}
	}
}

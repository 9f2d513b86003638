package p2p

import (
	"encoding/json"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/google/go-cmp/cmp"
)

func checkJSON(t *testing.T, v any, want string) {
	t.Helper()
	got, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestPeerEventJSON(t *testing.T) {
	const id = "11a8000000000000000000000000000000000000000000000000000000003c1a"
	peer := enode.HexID(id)
	code, size := uint64(0), uint32(16)
	checkJSON(t, PeerEvent{Type: PeerEventTypeAdd, Peer: peer, LocalAddress: "127.0.0.1:46177", RemoteAddress: "127.0.0.1:33466"},
		`{"type":"add","peer":"`+id+`","local":"127.0.0.1:46177","remote":"127.0.0.1:33466"}`)
	checkJSON(t, PeerEvent{Type: PeerEventTypeDrop, Peer: peer, Error: "protocol returned", LocalAddress: "127.0.0.1:46177", RemoteAddress: "127.0.0.1:33466"},
		`{"type":"drop","peer":"`+id+`","error":"protocol returned","local":"127.0.0.1:46177","remote":"127.0.0.1:33466"}`)
	checkJSON(t, PeerEvent{Type: PeerEventTypeMsgRecv, Peer: peer, Protocol: "aaa", MsgCode: &code, MsgSize: &size, LocalAddress: "l", RemoteAddress: "r"},
		`{"type":"msgrecv","peer":"`+id+`","protocol":"aaa","msg_code":0,"msg_size":16,"local":"l","remote":"r"}`)
	checkJSON(t, PeerEvent{Type: PeerEventTypeMsgSend}, `{"type":"msgsend","peer":"`+enode.ID{}.String()+`"}`)
}

func TestPeerInfoJSON(t *testing.T) {
	info := PeerInfo{Enode: "enode://e", ID: "id", Name: "n", Caps: []string{"bzz/8", "eth/69"},
		Protocols: map[string]any{"eth": "handshake", "bzz": "unknown"}}
	info.Network.LocalAddress, info.Network.RemoteAddress, info.Network.Inbound = "l", "r", true
	const network = `"network":{"localAddress":"l","remoteAddress":"r","inbound":true,"trusted":false,"static":false}`
	checkJSON(t, info, `{"enode":"enode://e","id":"id","name":"n","caps":["bzz/8","eth/69"],`+network+`,"protocols":{"bzz":"unknown","eth":"handshake"}}`)
	info.ENR, info.Protocols = "enr:x", nil
	checkJSON(t, info, `{"enr":"enr:x","enode":"enode://e","id":"id","name":"n","caps":["bzz/8","eth/69"],`+network+`,"protocols":null}`)
}

func TestNodeInfoJSON(t *testing.T) {
	info := NodeInfo{ID: "id", Name: "n", Enode: "enode://e?discport=0", ENR: "enr:x", IP: "127.0.0.1", ListenAddr: "127.0.0.1:30303",
		Protocols: map[string]any{"eth": map[string]int{"network": 1}, "bzz": "unknown"}}
	info.Ports.Listener = 30303
	checkJSON(t, info, `{"id":"id","name":"n","enode":"enode://e?discport=0","enr":"enr:x","ip":"127.0.0.1","ports":{"discovery":0,"listener":30303},"listenAddr":"127.0.0.1:30303","protocols":{"bzz":"unknown","eth":{"network":1}}}`)
}

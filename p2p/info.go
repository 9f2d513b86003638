package p2p

// NodeInfo describes the local node; [Server.NodeInfo] returns it. Its JSON is the result of the RPC method
// admin_nodeInfo.
type NodeInfo struct {
	ID    string `json:"id"`    // node ID: Keccak-256 of the public key, in hex
	Name  string `json:"name"`  // client name announced in Hello
	Enode string `json:"enode"` // URL by which other nodes can add this one
	ENR   string `json:"enr"`   // signed node record
	IP    string `json:"ip"`    // address in the record
	Ports struct {
		Discovery int `json:"discovery"` // UDP port
		Listener  int `json:"listener"`  // TCP port
	} `json:"ports"`
	ListenAddr string                 `json:"listenAddr"` // address the server listens on
	Protocols  map[string]interface{} `json:"protocols"`  // by protocol name: what its NodeInfo returns, or "unknown"
}

// PeerInfo describes a peer; [Peer.Info] returns it. Its JSON is an element of the result of the RPC method admin_peers.
type PeerInfo struct {
	ENR     string   `json:"enr,omitempty"` // node record, if a signed one is known
	Enode   string   `json:"enode"`         // URL of the node; with the source port of the connection for an inbound peer
	ID      string   `json:"id"`            // node ID, in hex
	Name    string   `json:"name"`          // client name, as the remote sent it
	Caps    []string `json:"caps"`          // capabilities the remote announced, sorted; nil if none
	Network struct {
		LocalAddress  string `json:"localAddress"`
		RemoteAddress string `json:"remoteAddress"`
		Inbound       bool   `json:"inbound"` // the remote dialed
		Trusted       bool   `json:"trusted"`
		Static        bool   `json:"static"` // dialed because it is a static node
	} `json:"network"`
	Protocols map[string]interface{} `json:"protocols"` // by protocol name: what its PeerInfo returns, "handshake" or "unknown"

	// Framing is how messages travel on the link, "rlpx" or "lanes/1"; it is empty for a peer made for tests. go-ethereum
	// has no such field.
	Framing string `json:"framing,omitempty"`
}

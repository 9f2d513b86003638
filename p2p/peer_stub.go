package p2p

// Peer is a connected remote node.
type Peer struct{}

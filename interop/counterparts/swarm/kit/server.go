package kit

import (
	"strings"

	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// Connect has a server dial a node.
func Connect(srv *p2p.Server, url string) {
	n, err := enode.ParseV4(url)
	if err != nil {
		Say("ERR %v", err)
		return
	}
	srv.AddPeer(n)
}

// Announce prints what others need to know of a server that runs, the ENODE line last, and dials a list of nodes.
func Announce(srv *p2p.Server, dial string) {
	for _, p := range srv.Protocols {
		Say("CAPS %s/%d len=%d", p.Name, p.Version, p.Length)
	}
	Say("ENODE %s", srv.Self().String())
	for _, u := range strings.Split(dial, ",") {
		if u != "" {
			Connect(srv, u)
		}
	}
}

// ServerCommands are what a console can have a server do:
//
//	dial ENODE   connect to a node
//	drop ENODE   disconnect it and forget it
//	peers        PEER lines, then PEERS with their number
func ServerCommands(srv *p2p.Server) map[string]func(string) {
	return map[string]func(string){
		"dial": func(url string) { Connect(srv, url) },
		"drop": func(url string) {
			if n, err := enode.ParseV4(url); err == nil {
				srv.RemovePeer(n)
			}
		},
		"peers": func(string) {
			infos := srv.PeersInfo()
			for _, p := range infos {
				Say("PEER %s %q %v", p.ID[:16], p.Name, p.Caps)
			}
			Say("PEERS %d", len(infos))
		},
	}
}

// Join puts several sets of commands together.
func Join(sets ...map[string]func(string)) map[string]func(string) {
	all := make(map[string]func(string))
	for _, set := range sets {
		for name, f := range set {
			all[name] = f
		}
	}
	return all
}

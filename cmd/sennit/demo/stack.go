// Package demo shows what isolation between the protocols of one link means: two nodes in one process, one link over
// 127.0.0.1, and four protocols on it, of which one never reads.
//
// `sennit demo` runs it on Sennit. It is a package of its own, and not an internal one, so that a program in another
// module can run it on another peer layer for comparison: it fills in a [Stack] and calls [Run].
package demo

import (
	"errors"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/trace"
)

// Stack is a peer layer to show.
type Stack struct {
	// Name is what the output calls it.
	Name string

	// Connect starts two nodes on 127.0.0.1, the dialer with the first list of protocols and the listener with the
	// second, and has the dialer connect to the listener. It need not wait for the link. A stack without overload
	// policies ignores that field of the protocols, and their Run functions may be called with a nil peer.
	Connect func(dialer, listener []p2p.Protocol) (Link, error)

	// Policies says that the stack has overload policies, and something for them to decide.
	Policies bool

	// MustLive makes it an error of [Run] if the link ends early.
	MustLive bool
}

// Link is a link between two nodes that [Stack.Connect] started.
type Link interface {
	// Stats returns the counters of the listener's end, or nil if the stack has none or the link has ended.
	Stats() []p2p.ProtocolStats

	// Cause returns why the link ended, for people, or nil if the stack doesn't know. It is called when the link has
	// ended early, as a protocol at either end noticed, and may wait a moment for the link to be done.
	Cause() error

	// Close stops both nodes and waits for them.
	Close()
}

// Sennit returns the peer layer of this module, on a link between two nodes that both speak lanes/1.
func Sennit() Stack { return sennit("Sennit, lanes/1", false) }

// SennitClassic returns the peer layer of this module on a classic link, as with all nodes that do not know lanes/1.
func SennitClassic() Stack { return sennit("Sennit, classic RLPx", true) }

func sennit(name string, noLanes bool) Stack {
	connect := func(dialer, listener []p2p.Protocol) (Link, error) { return connectSennit(dialer, listener, noLanes) }
	return Stack{Name: name, Connect: connect, Policies: noLanes, MustLive: true}
}

type sennitLink struct {
	dialer, listener *p2p.Server
	ends             *endRecorder
}

func connectSennit(dialer, listener []p2p.Protocol, noLanes bool) (Link, error) {
	l := &sennitLink{ends: newEndRecorder()}
	var err error
	if l.listener, err = startSennit("listener", "127.0.0.1:0", listener, noLanes, l.ends); err != nil {
		return nil, err
	}
	if l.dialer, err = startSennit("dialer", "", dialer, noLanes, l.ends); err != nil {
		l.listener.Stop()
		return nil, err
	}
	l.dialer.AddPeer(l.listener.Self())
	return l, nil
}

func startSennit(name, addr string, protocols []p2p.Protocol, noLanes bool, recorder trace.Recorder) (*p2p.Server, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey:  key,
		Name:        "sennit-demo/" + name,
		MaxPeers:    10,
		NoDiscovery: true,
		ListenAddr:  addr,
		Protocols:   protocols,
		NoLanes:     noLanes,
		Recorder:    recorder,
		Logger:      log.NewLogger(log.DiscardHandler()),
	}}
	if err := server.Start(); err != nil {
		return nil, errors.Join(errors.New("starting the "+name), err)
	}
	return server, nil
}

func (l *sennitLink) Stats() []p2p.ProtocolStats {
	if peers := l.listener.Peers(); len(peers) > 0 {
		return peers[0].Stats().Protocols
	}
	return nil
}

func (l *sennitLink) Cause() error { return l.ends.cause() }

func (l *sennitLink) Close() {
	l.dialer.Stop()
	l.listener.Stop()
}

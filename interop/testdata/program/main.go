// Program is a small application as people write them for go-ethereum's p2p: a node that greets, a node that answers, and
// a look at what the API tells about them. The test builds it as it stands and with the import path of p2p changed, nothing
// else, and compares what the two print.
package main

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
)

const (
	greetMsg = iota
	answerMsg
	byeMsg
	messages
)

type greeting struct {
	From  string
	Words []string
}

// chat is the application: each peer has a goroutine that talks to it.
type chat struct {
	name string
	mu   sync.Mutex
	seen map[enode.ID]*p2p.Peer
	said chan string
}

func newChat(name string) *chat {
	return &chat{name: name, seen: map[enode.ID]*p2p.Peer{}, said: make(chan string, 16)}
}

func (c *chat) protocol(version uint) p2p.Protocol {
	return p2p.Protocol{
		Name:       "chat",
		Version:    version,
		Length:     messages,
		Run:        c.run,
		NodeInfo:   func() interface{} { return map[string]string{"nick": c.name} },
		PeerInfo:   func(id enode.ID) interface{} { return map[string]bool{"known": c.knows(id)} },
		Attributes: []enr.Entry{enr.WithEntry("chat", uint(7))},
	}
}

func (c *chat) knows(id enode.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[id] != nil
}

func (c *chat) run(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
	c.mu.Lock()
	c.seen[peer.ID()] = peer
	c.mu.Unlock()
	if !peer.Inbound() {
		if err := p2p.Send(rw, greetMsg, &greeting{From: c.name, Words: []string{"good", "day"}}); err != nil {
			return err
		}
	}
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		if err := c.handle(peer, rw, msg); err != nil {
			return err
		}
	}
}

func (c *chat) handle(peer *p2p.Peer, rw p2p.MsgReadWriter, msg p2p.Msg) error {
	defer msg.Discard()
	switch msg.Code {
	case greetMsg:
		var g greeting
		if err := msg.Decode(&g); err != nil {
			return err
		}
		c.said <- fmt.Sprintf("%s heard %v from %s, %s (running chat/2: %v)", c.name, g.Words, g.From, peer.Name(), peer.RunningCap("chat", []uint{2}))
		return p2p.SendItems(rw, answerMsg, uint(42), "and to you")
	case answerMsg:
		var a struct {
			Number uint
			Text   string
		}
		if err := msg.Decode(&a); err != nil {
			return err
		}
		c.said <- fmt.Sprintf("%s got %d %q in %d bytes", c.name, a.Number, a.Text, msg.Size)
		return p2p.Send(rw, byeMsg, []uint{})
	case byeMsg:
		c.said <- c.name + " takes leave"
		return p2p.DiscUselessPeer
	}
	return fmt.Errorf("no such message: %v", msg)
}

func key(seed byte) *ecdsa.PrivateKey {
	b := make([]byte, 32)
	b[31] = seed
	k, err := crypto.ToECDSA(b)
	if err != nil {
		panic(err)
	}
	return k
}

func server(c *chat, k *ecdsa.PrivateKey, listen string) *p2p.Server {
	return &p2p.Server{Config: p2p.Config{
		PrivateKey:      k,
		MaxPeers:        5,
		NoDiscovery:     true,
		Name:            "program/" + c.name,
		Protocols:       []p2p.Protocol{c.protocol(1), c.protocol(2)},
		ListenAddr:      listen,
		EnableMsgEvents: true,
		Logger:          log.NewLogger(log.DiscardHandler()),
	}}
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	alice, bob := newChat("alice"), newChat("bob")
	a, b := server(alice, key(1), "127.0.0.1:0"), server(bob, key(2), "")
	for _, s := range []*p2p.Server{a, b} {
		if err := s.Start(); err != nil {
			return err
		}
		defer s.Stop()
	}
	events := make(chan *p2p.PeerEvent, 64)
	sub := b.SubscribeEvents(events)
	defer sub.Unsubscribe()

	b.AddPeer(a.Self())
	for _, from := range []*chat{alice, bob, alice} {
		select {
		case line := <-from.said:
			fmt.Println(line)
		case <-time.After(30 * time.Second):
			return errors.New("nobody says anything")
		}
	}
	for {
		select {
		case e := <-events:
			fmt.Println("event:", e.Type, e.Protocol, value(e.MsgCode), value(e.MsgSize), e.Error)
			if e.Type == p2p.PeerEventTypeDrop {
				return describe(a, b)
			}
		case <-time.After(30 * time.Second):
			return errors.New("no drop event")
		}
	}
}

func value[T any](p *T) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprint(*p)
}

// describe prints what the API says without a link.
func describe(a, b *p2p.Server) error {
	info := a.NodeInfo()
	info.Enode, info.ENR, info.ListenAddr, info.Ports.Listener = "", "", "", 0 // differ from run to run
	out, err := json.Marshal(info)
	if err != nil {
		return err
	}
	fmt.Println(string(out), a.MaxDialedConns(), a.MaxInboundConns(), b.PeerCount(), len(b.PeersInfo()))

	var attr uint
	if err := a.Self().Load(enr.WithEntry("chat", &attr)); err != nil {
		return err
	}
	fmt.Println("attribute:", attr, a.LocalNode().Node().IP())
	for _, r := range []p2p.DiscReason{p2p.DiscRequested, p2p.DiscSelf, p2p.DiscSubprotocolError, p2p.DiscInvalid, 77} {
		fmt.Println(uint8(r), r.Error())
	}
	fmt.Println(p2p.Cap{Name: "eth", Version: 69}, p2p.Cap{Name: "eth", Version: 69}.Cmp(p2p.Cap{Name: "eth", Version: 7}))
	return pipe()
}

// pipe talks over a MsgPipe, as protocol tests do.
func pipe() error {
	x, y := p2p.MsgPipe()
	go func() {
		_ = p2p.SendItems(x, 3, "one", uint(2))
		x.Close()
	}()
	if err := p2p.ExpectMsg(y, 3, []interface{}{"one", uint(2)}); err != nil {
		return err
	}
	_, err := y.ReadMsg()
	fmt.Println("pipe:", err, errors.Is(err, p2p.ErrPipeClosed), errors.Is(err, io.EOF))

	in, _ := p2p.MsgPipe()
	peer := p2p.NewPeerPipe(enode.ID{1}, "a name that is longer than twenty bytes", []p2p.Cap{{Name: "chat", Version: 2}}, in)
	peer.Disconnect(p2p.DiscQuitting)
	_, err = in.ReadMsg()
	fmt.Println("peer:", peer.Name(), peer.Fullname(), peer.Caps(), err)
	return nil
}

package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/p2p"
)

func TestPeersComeAndGoInASubscription(t *testing.T) {
	here, there := startServer(t, "here"), startServer(t, "there")
	e := listen(t, Config{IPCPath: socketPath(t), HTTPAddr: "127.0.0.1:0", HTTPNamespaces: []string{"admin"}, APIs: APIs(here)})
	if _, err := dial(t, "http://"+e.HTTPAddr()).Subscribe(t.Context(), "admin", make(chan any), "peerEvents"); !errors.Is(err, rpc.ErrNotificationsUnsupported) {
		t.Errorf("over HTTP: %v", err)
	}
	got := make(map[string]chan *p2p.PeerEvent)
	for _, url := range []string{e.IPCPath(), "ws://" + e.HTTPAddr()} {
		got[url] = make(chan *p2p.PeerEvent, 4)
		sub, err := dial(t, url).Subscribe(t.Context(), "admin", got[url], "peerEvents")
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Unsubscribe()
	}
	here.AddPeer(there.Self())
	for url, events := range got {
		if e := <-events; e.Type != p2p.PeerEventTypeAdd || e.Peer != there.Self().ID() || e.RemoteAddress != there.ListenAddr || e.Error != "" {
			t.Errorf("%s: %+v, want that the peer came", url, e)
		}
	}
	here.RemovePeer(there.Self())
	for url, events := range got {
		if e := <-events; e.Type != p2p.PeerEventTypeDrop || e.Peer != there.Self().ID() || e.Error == "" {
			t.Errorf("%s: %+v, want that the peer went", url, e)
		}
	}
}

func TestASubscriptionOfPeerEventsLeavesNothingBehind(t *testing.T) {
	server := startServer(t, "here")
	apis := APIs(server)
	ends := []struct {
		name string
		end  func(*Endpoint, *rpc.Client, *rpc.ClientSubscription)
	}{
		{"it is ended", func(_ *Endpoint, _ *rpc.Client, sub *rpc.ClientSubscription) { sub.Unsubscribe() }},
		{"the connection is closed", func(_ *Endpoint, client *rpc.Client, _ *rpc.ClientSubscription) { client.Close() }},
		{"the endpoint is closed", func(e *Endpoint, _ *rpc.Client, _ *rpc.ClientSubscription) { e.Close() }},
	}
	for _, tt := range ends {
		e := listen(t, Config{IPCPath: socketPath(t), APIs: apis})
		client := dial(t, e.IPCPath())
		sub, err := client.Subscribe(t.Context(), "admin", make(chan *p2p.PeerEvent, 1), "peerEvents")
		if err != nil {
			t.Fatal(err)
		}
		tt.end(e, client, sub)
		e.Close() // also waits for subscriptions; that none is left TestMain sees
	}
}

// gate is a namespace with a method that takes as long as the test wants.
type gate struct{ reached, open chan struct{} }

func (g gate) Wait() {
	close(g.reached)
	<-g.open
}

// chatter is a protocol whose node sends n messages if it was not dialed, and counts down for each that it gets.
func chatter(n int, got chan<- struct{}) p2p.Protocol {
	return p2p.Protocol{Name: "chat", Version: 1, Length: 1, Run: func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
		if p.Inbound() {
			for range n {
				if err := p2p.Send(rw, 0, []uint{1}); err != nil {
					return err
				}
			}
		}
		for i := 1; ; i++ {
			msg, err := rw.ReadMsg()
			if err != nil {
				return err
			}
			if err := msg.Discard(); err != nil {
				return err
			}
			if i == n {
				close(got)
			}
		}
	}}
}

func TestASlowSubscriberOfPeerEventsHoldsUpNoLinkAndIsToldWhatItLost(t *testing.T) {
	const messages = 20_000
	const subscribe = `{"jsonrpc":"2.0","id":1,"method":"admin_subscribe","params":["peerEvents"]}`
	for name, request := range map[string]string{
		"it reads nothing":                         subscribe,
		"its answer waits for others of the batch": `[` + subscribe + `,{"jsonrpc":"2.0","id":2,"method":"slow_wait"}]`,
	} {
		got, slow := make(chan struct{}), gate{make(chan struct{}), make(chan struct{})}
		here := startServer(t, "here", func(c *p2p.Config) {
			c.EnableMsgEvents, c.Protocols = true, []p2p.Protocol{chatter(messages, got)}
		})
		there := startServer(t, "there", func(c *p2p.Config) { c.Protocols = []p2p.Protocol{chatter(messages, nil)} })
		e := listen(t, Config{IPCPath: socketPath(t), APIs: append(APIs(here), rpc.API{Namespace: "slow", Service: slow})})
		conn, err := net.Dial("unix", e.IPCPath())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		answers := json.NewDecoder(conn)
		if request == subscribe {
			if err := answers.Decode(new(json.RawMessage)); err != nil {
				t.Fatal(err)
			}
		} else {
			<-slow.reached // after it has subscribed
		}
		here.AddPeer(there.Self())
		select {
		case <-got:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the link is held up", name)
		}
		close(slow.open)
		told, lost := readEvents(t, answers, messages+1)
		if told+lost != messages+1 || lost == 0 || told < maxEventBytes/512 || told > 2*maxEventBytes/eventSize {
			t.Errorf("%s: %d events were told and %d lost, of %d", name, told, lost, messages+1)
		}
	}
}

// readEvents reads notifications until so many events were told or lost.
func readEvents(t *testing.T, from *json.Decoder, want uint64) (told, lost uint64) {
	t.Helper()
	for told+lost < want {
		var raw json.RawMessage
		if err := from.Decode(&raw); err != nil {
			t.Fatalf("after %d events and %d that were lost: %v", told, lost, err)
		}
		var n struct {
			Params struct {
				Result struct {
					Type string
					Lost uint64
				}
			}
		}
		if json.Unmarshal(raw, &n) != nil { // the answers of a batch
			continue
		}
		switch r := n.Params.Result; r.Type {
		case "lost":
			lost += r.Lost
		case "add", "msgrecv":
			told++
		}
	}
	return told, lost
}

func TestEventsBeyondTheLimitAreCountedInTheirPlace(t *testing.T) {
	event := func(i int) *p2p.PeerEvent { return &p2p.PeerEvent{Error: fmt.Sprint(i)} }
	q := newEventQueue(3 * sizeOf(event(0)))
	next := func() string {
		switch e := q.take().(type) {
		case *p2p.PeerEvent:
			return e.Error
		case *eventsLost:
			return fmt.Sprintf("%s %d", e.Type, e.Lost)
		}
		return "-"
	}
	var got []string
	for i := range 5 {
		q.put(event(i))
	}
	got = append(got, next())
	q.put(event(5)) // there is room, but it would come before what is known to be lost
	for range 4 {
		got = append(got, next())
	}
	q.put(event(6))
	q.put(&p2p.PeerEvent{Error: strings.Repeat("x", 1000)})
	for range 3 {
		got = append(got, next())
	}
	if want := "0 1 2 lost 3 - 6 lost 1 -"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	if q.bytes != 0 || q.list != nil {
		t.Errorf("%d bytes are counted in an empty queue", q.bytes)
	}
}

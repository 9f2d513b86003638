package kit

import (
	"bytes"
	"fmt"
	"io/ioutil"

	"github.com/ethereum/go-ethereum/p2p"
)

// names of message codes by protocol.
var names = map[string][]string{
	"bzz":    {"Handshake"},
	"hive":   {"Peers", "SubPeers"},
	"stream": {"Unsubscribe", "OfferedHashes", "WantedHashes", "TakeoverProof", "Subscribe", "RetrieveRequest", "DeliveryRetrieval", "SubscribeError", "RequestSubscription", "Quit", "DeliverySyncing"},
	"shh":    {"Status", "Messages", "PowRequirement", "BloomFilter"},
	"eth":    {"Status", "NewBlockHashes", "Tx", "GetBlockHeaders", "BlockHeaders", "GetBlockBodies", "BlockBodies", "NewBlock", "8", "9", "10", "11", "12", "GetNodeData", "NodeData", "GetReceipts", "Receipts"},
}

// maxShown is how many bytes of a payload are printed.
const maxShown = 64

type tap struct {
	p2p.MsgReadWriter
	peer, proto string
}

func (t *tap) show(dir string, m p2p.Msg) p2p.Msg {
	data, _ := ioutil.ReadAll(m.Payload)
	m.Payload = bytes.NewReader(data)
	name := fmt.Sprint(m.Code)
	if n := names[t.proto]; m.Code < uint64(len(n)) {
		name = n[m.Code]
	}
	if len(data) > maxShown {
		data = data[:maxShown]
	}
	Say("%s %s %s %s %d %x", dir, t.peer, t.proto, name, m.Size, data)
	return m
}

// ReadMsg reads and prints a message.
func (t *tap) ReadMsg() (p2p.Msg, error) {
	m, err := t.MsgReadWriter.ReadMsg()
	if err != nil {
		return m, err
	}
	return t.show("<-", m), nil
}

// WriteMsg prints and writes a message.
func (t *tap) WriteMsg(m p2p.Msg) error { return t.MsgReadWriter.WriteMsg(t.show("->", m)) }

// Tap has the beginning and the end of each protocol on each link printed, and with all set its messages as well:
//
//	RUN+ peer protocol "name of the peer"
//	<- peer protocol message size first-bytes
//	-> peer protocol message size first-bytes
//	RUN- peer protocol error
//
// The peer is the first half of its node ID.
func Tap(protos []p2p.Protocol, all bool) []p2p.Protocol {
	for i := range protos {
		run, name := protos[i].Run, protos[i].Name
		protos[i].Run = func(p *p2p.Peer, rw p2p.MsgReadWriter) error {
			id := p.ID().String()[:16]
			Say("RUN+ %s %s %q", id, name, p.Name())
			if all {
				rw = &tap{rw, id, name}
			}
			err := run(p, rw)
			Say("RUN- %s %s %v", id, name, err)
			return err
		}
	}
	return protos
}

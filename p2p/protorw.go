package p2p

import (
	"errors"

	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/internal/link"
)

// protoRW is a protocol that runs with a peer: what its Run reads from and writes to.
type protoRW struct {
	*Protocol            // the server's, for all peers
	lane      *link.Lane // nil for a peer made for tests, which is never run
	peer      *Peer
}

// ReadMsg implements MsgReader.
func (rw *protoRW) ReadMsg() (Msg, error) {
	m, err := rw.lane.Read()
	if err != nil {
		return Msg{}, err
	}
	if feed := rw.peer.opts.events; feed != nil {
		rw.announce(feed, PeerEventTypeMsgRecv, m.Code, m.Size)
	}
	return Msg{Code: m.Code, Size: m.Size, Payload: m, ReceivedAt: m.ReceivedAt}, nil
}

// WriteMsg implements MsgWriter.
func (rw *protoRW) WriteMsg(msg Msg) error {
	if msg.Code >= rw.Length {
		return errInvalidMsgCode
	}
	if msg.Payload == nil && msg.Size > 0 {
		return errNoPayload(msg)
	}
	if err := rw.lane.Write(msg.Code, msg.Size, msg.Payload); err != nil {
		if errors.Is(err, link.ErrEnded) {
			return ErrShuttingDown
		}
		return err
	}
	if feed := rw.peer.opts.events; feed != nil {
		rw.announce(feed, PeerEventTypeMsgSend, msg.Code, msg.Size)
	}
	return nil
}

// announce sends a message event to the server's subscribers.
func (rw *protoRW) announce(feed *event.Feed, what PeerEventType, code uint64, size uint32) {
	feed.Send(&PeerEvent{
		Type: what, Peer: rw.peer.ID(), Protocol: rw.Name, MsgCode: &code, MsgSize: &size,
		LocalAddress: rw.peer.LocalAddr().String(), RemoteAddress: rw.peer.RemoteAddr().String(),
	})
}

// info returns what PeerInfo shows of the protocol.
func (rw *protoRW) info(id enode.ID) interface{} {
	if rw.PeerInfo == nil {
		return "unknown"
	}
	if info := rw.PeerInfo(id); info != nil {
		return info
	}
	return "handshake"
}

func (rw *protoRW) stats() ProtocolStats {
	s := rw.lane.Stats()
	return ProtocolStats{
		Name: rw.Name, Version: rw.Version,
		MessagesIn: s.MessagesIn, MessagesOut: s.MessagesOut, BytesIn: s.BytesIn, BytesOut: s.BytesOut,
		Dropped: s.Dropped, DroppedBytes: s.DroppedBytes, Waited: s.Waited,
		InboxMessages: s.InboxMessages, InboxBytes: s.InboxBytes, OutboxBytes: s.OutboxBytes, Stopped: s.Stopped,
	}
}

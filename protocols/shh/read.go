package shh

import (
	"errors"
	"fmt"
	"io"

	"github.com/sennit-net/sennit/p2p"
)

// maxPacket is the size of the largest message that is read. go-ethereum puts all it has for a peer into one packet, so this
// is what its largest setting allows, whatever ours is.
const maxPacket = MaxMessageSizeLimit

// maxSmall is the size of the largest message that is not a list of envelopes or an envelope. A status may have more items
// than we know.
const maxSmall = 4 << 10

// read handles what the peer sends until the link ends or the session does.
func (s *session) read() error {
	msg, err := s.rw.ReadMsg()
	if err != nil {
		return err
	}
	if err := s.readStatus(msg); err != nil {
		return s.ended(err)
	}
	s.rouse()
	for {
		msg, err := s.rw.ReadMsg()
		if err != nil {
			return err
		}
		err = s.handle(msg)
		if err == nil {
			err = msg.Discard()
		}
		if err != nil {
			return s.ended(err)
		}
	}
}

// linkError is an error of reading a payload, which is not the peer's breach.
type linkError struct{ error }

func (e linkError) Unwrap() error { return e.error }

func (s *session) ended(err error) error {
	if link, ok := errors.AsType[linkError](err); ok {
		return link.error
	}
	return s.breach(err)
}

// readStatus reads the first message, which has to be a status.
func (s *session) readStatus(msg p2p.Msg) error {
	if msg.Code != statusCode {
		return fmt.Errorf("%w: message %d comes before it", errStatus, msg.Code)
	}
	payload, err := readSmall(msg)
	if err != nil {
		return err
	}
	st, err := decodeStatus(payload)
	if err != nil {
		return err
	}
	if st.light && s.w.Light() {
		return p2p.DiscUselessPeer // two light nodes have nothing to relay to each other
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wants, s.ready = st, true
	return nil
}

// handle does with one message what its code says. Codes that others use, and a second status, are ignored.
func (s *session) handle(msg p2p.Msg) error {
	switch msg.Code {
	case messagesCode:
		return s.readMessages(msg)
	case workCode, bloomCode:
		return s.readSetting(msg)
	case directCode:
		if s.w.trusts(s.peer.ID()) {
			return s.readDirect(msg)
		}
	}
	return nil
}

func (s *session) readMessages(msg p2p.Msg) error {
	if msg.Size > maxPacket {
		return fmt.Errorf("a packet of %d bytes, want at most %d", msg.Size, maxPacket)
	}
	news := false
	tooBad := NoFault
	err := readEnvelopes(msg.Payload, msg.Size, func(raw []byte) error {
		e, err := DecodeEnvelope(raw)
		if err != nil {
			return err
		}
		isNew, fault := s.w.take(e, s)
		news = news || isNew
		if fault != NoFault && fault != FaultExpired && fault != FaultPoolFull && !s.faults.Allow() {
			tooBad = fault
		}
		return nil
	})
	if news {
		s.w.wakeAll()
	}
	if err == nil && tooBad != NoFault {
		err = fmt.Errorf("too many bad envelopes, the last one was %v", tooBad)
	}
	return err
}

func (s *session) readSetting(msg p2p.Msg) error {
	payload, err := readSmall(msg)
	if err != nil {
		return err
	}
	var work float64
	var bloom Bloom
	if msg.Code == workCode {
		work, err = decodeWork(payload)
	} else {
		bloom, err = decodeBloom(payload)
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	if msg.Code == workCode {
		s.wants.minWork = work
	} else {
		s.wants.bloom = bloom
	}
	s.restart = true // what it did not want before it may want now
	s.mu.Unlock()
	s.rouse()
	return nil
}

// readDirect delivers an envelope of a trusted peer. It needs no proof of work and is not relayed.
func (s *session) readDirect(msg p2p.Msg) error {
	if limit := s.w.MaxMessageSize() + 2*entryOverhead; msg.Size > uint32(limit) {
		return fmt.Errorf("a direct message of %d bytes, want at most %d", msg.Size, limit)
	}
	raw, err := readAll(msg)
	if err != nil {
		return err
	}
	e, err := DecodeEnvelope(raw)
	if err != nil {
		return err
	}
	s.w.counts.direct.Add(1)
	s.w.deliver(e, Work{}, true)
	return nil
}

func readSmall(msg p2p.Msg) ([]byte, error) {
	if msg.Size > maxSmall {
		return nil, fmt.Errorf("message %d of %d bytes, want at most %d", msg.Code, msg.Size, maxSmall)
	}
	return readAll(msg)
}

func readAll(msg p2p.Msg) ([]byte, error) {
	b := make([]byte, msg.Size)
	if _, err := io.ReadFull(msg.Payload, b); err != nil {
		return nil, linkError{err}
	}
	return b, nil
}

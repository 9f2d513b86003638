package bzz

import (
	"fmt"
	"io"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// handler handles a message's payload, which holds until it returns. An error ends the link.
type handler func(s *session, payload []byte) error

// handle gives the messages of a protocol to the handlers of their codes, until the link ends or one of them fails.
func (s *session) handle(rw p2p.MsgReadWriter, protocol string, handlers []handler) error {
	in := input{later: s.later}
	for {
		msg, err := rw.ReadMsg()
		if err != nil {
			return err
		}
		payload, err := in.read(msg)
		if err != nil {
			return err
		}
		if msg.Code >= uint64(len(handlers)) || handlers[msg.Code] == nil {
			return fmt.Errorf("%w: %s %d", errCode, protocol, msg.Code)
		}
		if err := handlers[msg.Code](s, payload); err != nil {
			return err
		}
	}
}

// input reads payloads into memory that is used again. It is for one goroutine.
type input struct {
	later bool // there is no wrapper
	buf   []byte
}

// read returns the payload of a message without its wrapper, if it has one. It holds until the next read.
func (in *input) read(msg p2p.Msg) ([]byte, error) {
	if msg.Size > wire.MaxMessage {
		return nil, fmt.Errorf("%w: %d", errTooLarge, msg.Size)
	}
	buf := in.buf
	if int(msg.Size) > cap(buf) {
		buf = make([]byte, msg.Size)
		if msg.Size <= maxKeptInput {
			in.buf = buf
		}
	}
	buf = buf[:msg.Size]
	if _, err := io.ReadFull(msg.Payload, buf); err != nil {
		return nil, err
	}
	if in.later {
		return buf, nil
	}
	return wire.Unwrap(buf)
}

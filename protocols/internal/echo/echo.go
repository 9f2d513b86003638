// Package echo has a protocol for tests: another one on the link, which shows that it goes on.
package echo

import "github.com/sennit-net/sennit/p2p"

// Protocol returns a protocol that answers each message 0 with 1 and tells of each 1. It hands over its links.
func Protocol(links chan<- p2p.MsgWriter, echoes chan<- struct{}) p2p.Protocol {
	return p2p.Protocol{Name: "zzz", Version: 1, Length: 2, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		links <- rw
		for {
			msg, err := rw.ReadMsg()
			if err == nil {
				err = msg.Discard()
			}
			if err == nil && msg.Code == 0 {
				err = p2p.Send(rw, 1, "echo")
			}
			if err != nil {
				return err
			}
			if msg.Code == 1 {
				echoes <- struct{}{}
			}
		}
	}}
}

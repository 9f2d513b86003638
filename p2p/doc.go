// Package p2p runs devp2p links: one encrypted connection to each remote node and, on it, any number of protocols that
// cannot hurt one another.
//
// Its exported identifiers are those of github.com/ethereum/go-ethereum/p2p (v1.17.10) with the same signatures, JSON
// and TOML, so a program moves here by changing an import path. What is added are new names only: how a protocol that
// does not keep up is treated ([OverloadPolicy]), counters and round-trip time of a peer ([PeerStats]), a hook that
// sees every event of a link's life ([Config.Recorder]), a budget for the memory of all links ([Config.MemoryBudget]),
// configuration from TOML ([DecodeConfig]), and [Probe]. docs/migration.md lists what differs in behaviour.
//
// # Protocols and messages
//
// A [Protocol] is a name, a version, a number of message codes and a function Run that is called once for each peer
// that shares it. Run reads and writes messages through a [MsgReadWriter] and ends when ReadMsg or WriteMsg fail, or
// when it wants the peer to go: its return ends the connection, and a bare [DiscReason] as its error is the reason sent.
// Only the return of a protocol that was stopped for not keeping up ([ErrProtocolStopped]) leaves the others running.
//
//	func run(peer *p2p.Peer, rw p2p.MsgReadWriter) error {
//		for {
//			msg, err := rw.ReadMsg()
//			if err != nil {
//				return err
//			}
//			var numbers []uint64
//			if err := msg.Decode(&numbers); err != nil {
//				return err
//			}
//			if err := p2p.Send(rw, msg.Code, numbers); err != nil {
//				return err
//			}
//		}
//	}
//
// The payload of every message must be read to its end or discarded; [Msg.Decode] followed by nothing else is enough
// for a payload that is one RLP value. WriteMsg returns when a message has been accepted, before it is on the wire.
// Protocols are tested without a network over a [MsgPipe].
package p2p

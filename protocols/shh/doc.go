// Package shh is Whisper, version 6 (shh/6): a full node over package p2p. Whisper broadcasts small encrypted messages that
// live for seconds to minutes: whoever has the key for one can read it, and nobody can tell from the network who sent it to
// whom. What a node relays it has to be paid for in proof of work.
//
//	w, err := shh.New(shh.Config{})
//	server := &p2p.Server{Config: p2p.Config{Protocols: w.Protocols(), ...}}
//	sub, err := w.Subscribe(shh.Filter{SymKey: key, Topics: []shh.Topic{topic}})
//	envelope, err := w.Post(ctx, shh.Outgoing{SymKey: key, Topic: topic, Payload: []byte("hello")})
//	message, err := sub.Next(ctx)
//
// It follows EIP-627 and what go-ethereum's releases 1.8.27 and 1.9.20 do on the wire; [API] has go-ethereum's JSON-RPC.
//
// # Two rules for proof of work
//
// go-ethereum 1.9 counts proof of work in another way than 1.8 ([Rules]), so what is sealed by one rule is worth a random
// number by the other, and go-ethereum disconnects whoever sends it an envelope that is worth too little. A node of this
// package talks to both. It accepts what is enough by either rule, unless [Config.Accept] says otherwise. It sends a peer
// only what is enough by the peer's rule, which it knows from the client's name or concludes from what the peer sends; until
// then, only what is enough by both. It seals a message by the rule that its peers need. If they differ, it looks for a nonce
// that satisfies both, which takes some seconds for a short message with usual settings: the search is as long as the two
// would be multiplied. If that cannot be done in time ([Outgoing.WorkTime]), it seals for 1.9 alone; [Envelope.Work] tells.
//
// # What a bad peer costs
//
// An envelope that is not acceptable ([Fault]) is dropped and counted. Where go-ethereum would disconnect, a peer may send 64
// such at once and one more each second. What goes beyond, and what cannot be decoded, ends the Whisper session: if other
// protocols run on the link, they go on, and what the peer sends for this one is read and forgotten; otherwise the link ends.
//
// # Limits
//
// The pool holds [Config.PoolBytes] of envelopes; one with more proof of work takes the place of those with the least. The
// queue of a subscription holds [Filter.QueueBytes] of messages and drops the oldest. From a packet, memory is taken for one
// envelope at a time. A peer's inbox holds 4 MiB and drops what does not fit ([p2p.OverloadDropNewest]), so that Whisper never
// holds up a link. [Whisper.Stats] counts all of these.
//
// The node is no mail server, and ignores requests to one.
package shh

// Package bzz is a Swarm node as of version 0.3.15, which go-ethereum 1.8.27 shipped: the protocols bzz/8, hive/8 and
// stream/8 over package p2p. With peers of Swarm 0.5 it speaks bzz/14, hive/11, bzz-stream/8 and bzz-retrieve/2 ([Later]). It
// finds its neighbours, asks them for chunks, hands on what it is asked for, and keeps the chunks near its own address the
// same as those of its neighbours. It is written from a fact sheet whose sections the comments name.
//
// A [Node] is one node. Its protocols go into a server's configuration, and once that runs, [Node.Start] lets it work:
//
//	node, err := bzz.New(bzz.Config{Overlay: bzz.OverlayOf(&key.PublicKey), Store: chunks})
//	server := &p2p.Server{Config: p2p.Config{PrivateKey: key, Protocols: node.Protocols(), ...}}
//	server.Start()
//	node.Start(server)
//	...
//	server.Stop()
//	node.Stop()
//
// # What runs
//
// The protocols of a link share a session. Each has the goroutine that package p2p gives it, which reads and handles
// one message after the other; hive and stream begin when bzz has shaken hands, and have a second goroutine that writes
// what is queued for them, so that no handler ever waits for a remote node to read. A stream of chunks that is offered to
// the remote node has a goroutine as well. A node has two more: one looks for peers and decides what is synced with whom,
// the other asks the next peer when one has not answered.
//
//	bzz    ReadMsg -> handshake ---------------- ready ---+
//	hive   ReadMsg -> handle -> kademlia.Table            |
//	          ^ sender <- peers, depth                    |
//	stream ReadMsg -> handle -> store, searches, batches <+
//	          ^ sender <- offers, requests, chunks (read from the store when their turn comes)
//
// In the later dialect bzz-stream and bzz-retrieve share the work of stream, each with a sender of its own.
//
// # Who is elsewhere
//
// A peer of another network, or one that does not shake hands in time, is none: if protocols other than Swarm's run on the
// link, they go on, and what it sends for Swarm's is read and forgotten; otherwise the link ends.
//
// # What is bounded
//
// What is queued for a peer has at most [Config.SendQueue] bytes for stream, as much for bzz-retrieve, and a quarter of it
// for hive; a peer that lets more pile up is disconnected, or not told what others have to tell. Chunks that wait to be sent are in the queue by their addresses
// only. The rest is in docs/limits.md.
package bzz

// Package eth speaks the Ethereum wire protocol, versions 63, 68, 69, 70, 71 and 72, over package p2p.
//
// A [Handler] speaks it with all peers of a server: its [Handler.Protocols] go into the server's configuration. It answers
// what peers ask from a [Backend], the chain that the node has; an [Observer] is one for nodes that have none, package
// chainfile has one that serves a chain from files. With a [Pool], such as a [TxPool], the node takes part in the gossip of
// transactions.
//
// # Asking
//
// A [Peer] is asked with its methods: [Peer.Headers], [Peer.Bodies], [Peer.Receipts], [Peer.PooledTransactions] and so on.
// They take a context, match answers to requests by id or, in version 63, by order and kind, and check that an answer is one
// to the request. Whoever answers something else, or something that was not asked for, is dropped; whoever does not answer
// within five minutes as well. A request that is given up is no reason to drop anybody.
//
// # Listening
//
// [Handler.Subscribe] gives what peers announce and send, with the time at which the link had read it and who was first. A
// slow subscriber loses events, is told so, and holds up nobody. [Handler.Broadcast], [Handler.UpdateRange] and
// [Handler.AnnounceBlocks] are the other direction.
//
// # Who is elsewhere
//
// A peer whose Status does not agree with ours (network, genesis block, fork id, or none in time) is none: if other protocols
// run on the link, they go on, and what it sends for this one is read and forgotten; otherwise the link ends.
//
// # Finding peers
//
// A node record says by its entry "eth" which chain the node is on (EIP-2124). [Handler.Attach] keeps that of our node right as
// the head moves, and with [Config.Discover] has the server dial nodes of our chain that its discovery finds.
//
// # Messages
//
// [Decode] and [Encode] are the messages by themselves, in the layouts of all versions. Decoding is strict: what it accepts
// encodes to the same bytes.
//
// # On a link
//
//	p2p inbox -> read, decode, match --------> whoever asked; subscriptions; the pool
//	                  | requests, at most 1 MiB; when full the link is not read
//	                  v
//	             sendLoop: our Status, our requests, the range, answers, blocks, transactions, announcements -> p2p outbox
//
// The goroutine that reads does not wait for the remote to take what we send, unless more than 1 MiB of its requests are
// unanswered. Of ours that many never are: what is asked beyond that is sent as the answers come. So two nodes that ask each
// other for much at a time do not stop each other. What waits to be sent to a peer is bounded; of gossip, the oldest is
// dropped and counted ([Handler.Stats]).
package eth

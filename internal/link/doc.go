// Package link runs one encrypted connection that several protocols share.
//
// A [Link] owns a reader and, while there is something to send, a writer; each protocol has a [Lane], its end of the link.
//
//	Lane.Write --> outbox (bytes bounded) --> writer: control first, then lanes in turn, byte-fair --> seal --> one write
//	one read --> open --> control: answered by the writer, whatever the protocols do
//	                  \--> size check --> inbox (bytes bounded, overload policy) --> Lane.Read
//
// # Goroutines
//
// The reader is the goroutine that calls [Link.Run]. The writer (writeLoop) is started by whoever queues
// something while there is none, and ends when nothing is left, so that an idle link has one goroutine of its own; one
// that is needed again and again waits instead of ending, until the reader's next tick. A small answer on an idle link is
// written by the goroutine that gives it, which is the writer meanwhile. Run waits for all of them.
//
// # Locks
//
// Each lane's inbox has a mutex (inbox.mu) and the link's sending half has one (sender.mu). Neither is ever held while
// the other is taken, nor over I/O, a callback or a trace event. The ledger's (Ledger.mu) may be taken under inbox.mu, and
// nothing under it.
//
// # Framing
//
// How messages become bytes is behind [Framing]; nothing else here or above knows it. [RLPx] is the classic one, [Lanes] is
// lanes/1, on which each lane has credit (flow).
package link

// Package scene shows three real protocols on one link: a Whisper message, a Swarm file and Ethereum headers cross it at
// the same time, between two nodes in this process.
package scene

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/file"
	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/protocols/shh"
)

// What crosses the link.
const (
	headers  = 50_000
	fileSize = 10 << 20
	text     = "a message that only who has the key can read"
)

// limit is how long all of it may take. On an idle machine it takes half a second.
const limit = 60 * time.Second

// Run shows the scene on w. It returns an error if something did not arrive as it was sent, or ctx ended.
func Run(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the scene took more than %v", limit))
	defer cancel()
	chain := newChain(headers)
	a, b, err := connect(ctx, chain)
	if err != nil {
		return err
	}
	defer a.stop()
	defer b.stop()
	p := &printer{w: w}
	p.printf("Three protocols, one link: node B gets %d headers (eth), a file of %d MiB (bzz) and a message (shh) from node A\n",
		headers, fileSize>>20)

	content := make([]byte, fileSize)
	rand.NewChaCha8([32]byte{'s', 'c', 'e', 'n', 'e'}).Read(content) // never fails
	ref, _, err := file.Split(ctx, bytes.NewReader(content), a.bzz.Put, file.SplitOptions{})
	if err != nil {
		return err
	}
	var (
		acts    sync.WaitGroup
		results [3]result
		start   = time.Now()
	)
	for i, act := range []func() (string, error){
		func() (string, error) { return fetchFile(ctx, b, ref, content) },
		func() (string, error) { return fetchHeaders(ctx, b, a, chain) },
		func() (string, error) { return sendMessage(ctx, a, b) },
	} {
		acts.Go(func() {
			what, err := act()
			results[i] = result{what, time.Since(start), err}
		})
	}
	acts.Wait()
	p.table(b.server.Peers())
	var failed error
	for _, r := range results {
		if r.err != nil {
			failed = errors.Join(failed, r.err)
			continue
		}
		p.printf("%s in %v.\n", r.what, r.took.Round(time.Millisecond))
	}
	return errors.Join(failed, p.err)
}

// result is how one of the transfers ended.
type result struct {
	what string
	took time.Duration
	err  error
}

// fetchFile reads a file through the Swarm node of n.
func fetchFile(ctx context.Context, n *node, ref file.Reference, want []byte) (string, error) {
	f, err := file.Open(ctx, n.bzz.Get, ref)
	if err != nil {
		return "", fmt.Errorf("bzz: %w", err)
	}
	r := f.NewReader(ctx, 0, -1)
	defer r.Close()
	got, err := io.ReadAll(r)
	switch {
	case err != nil:
		return "", fmt.Errorf("bzz: %w", err)
	case !bytes.Equal(got, want):
		return "", errors.New("bzz: the file is not what was put there")
	}
	return fmt.Sprintf("bzz: the file %v came, chunk by chunk and verified,", ref), nil
}

// fetchHeaders asks the node from for all headers of its chain.
func fetchHeaders(ctx context.Context, n, from *node, chain *chain) (string, error) {
	peer := n.eth.Peer(from.server.Self().ID())
	if peer == nil {
		return "", errors.New("eth: the peer is gone")
	}
	for got := uint64(0); got < headers; {
		list, err := peer.Headers(ctx, eth.HeadersQuery{Start: eth.Start{Number: got}, Amount: min(eth.MaxHeaders, headers-got)})
		if err != nil {
			return "", fmt.Errorf("eth: %w", err)
		}
		if len(list) == 0 {
			return "", fmt.Errorf("eth: no header %d", got)
		}
		for _, h := range list {
			if want, _ := chain.Hash(got); h.Hash() != want {
				return "", fmt.Errorf("eth: header %d is another one", got)
			}
			got++
		}
	}
	return fmt.Sprintf("eth: %d headers came, each the child of the one before,", headers), nil
}

// sendMessage posts a message at one node and reads it at the other.
func sendMessage(ctx context.Context, from, to *node) (string, error) {
	key, topic := shh.NewSymKey(), shh.Topic{'s', 'e', 'n', 'n'}
	sub, err := to.shh.Subscribe(shh.Filter{SymKey: key, Topics: []shh.Topic{topic}})
	if err != nil {
		return "", fmt.Errorf("shh: %w", err)
	}
	defer sub.Close()
	if _, err := from.shh.Post(ctx, shh.Outgoing{SymKey: key, Topic: topic, Payload: []byte(text)}); err != nil {
		return "", fmt.Errorf("shh: %w", err)
	}
	m, err := sub.Next(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("shh: %w", err)
	case string(m.Payload) != text:
		return "", fmt.Errorf("shh: the message is %q", m.Payload)
	}
	return fmt.Sprintf("shh: %q was sealed, sent and read", m.Payload), nil
}

// printer writes to w and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// table shows what each protocol of the one link has carried.
func (p *printer) table(peers []*p2p.Peer) {
	if len(peers) != 1 {
		p.printf("there are %d links instead of one\n", len(peers))
		return
	}
	info, stats := peers[0].Info(), peers[0].Stats()
	p.printf("%-10s  %9s  %9s  %11s  %11s\n", "protocol", "received", "sent", "bytes in", "bytes out")
	for _, s := range stats.Protocols {
		p.printf("%-10s  %9d  %9d  %11d  %11d\n", fmt.Sprintf("%s/%d", s.Name, s.Version), s.MessagesIn, s.MessagesOut, s.BytesIn, s.BytesOut)
	}
	p.printf("%s\n", strings.Join([]string{
		"one link, " + info.Framing,
		fmt.Sprintf("%d bytes in and %d out on the wire", stats.WireBytesIn, stats.WireBytesOut),
		fmt.Sprintf("round trip %v", stats.RTT.Round(time.Microsecond)),
	}, "; "))
}

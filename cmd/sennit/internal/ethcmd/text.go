package ethcmd

import (
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/sennit-net/sennit/cmd/sennit/internal/plain"
	"github.com/sennit-net/sennit/protocols/eth"
)

// table collects lines of a name and a value.
type table struct{ strings.Builder }

func (t *table) line(name string, value any) {
	fmt.Fprintf(t, "%-12s  %v\n", name, value)
}

// writeTo writes the lines to w.
func (t *table) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, t.String())
	return err
}

// when is a block's time and how long ago that is.
func when(seconds uint64) string {
	t := time.Unix(int64(min(seconds, 1<<40)), 0).UTC()
	ago := time.Since(t).Round(time.Second)
	if days := ago / (24 * time.Hour); days > 2 {
		return fmt.Sprintf("%s (%d days ago)", t.Format(time.DateTime), days)
	}
	return fmt.Sprintf("%s (%v ago)", t.Format(time.DateTime), ago)
}

// WriteStates describes peers and their heads.
func WriteStates(w io.Writer, states []*eth.PeerState) error {
	var t table
	for i, s := range states {
		if i > 0 {
			t.WriteByte('\n')
		}
		t.line("node id", s.ID)
		t.line("client", plain.Text(s.Client))
		t.line("version", fmt.Sprint("eth/", s.Version))
		t.line("network", s.Network)
		t.line("genesis", s.Genesis)
		if s.ForkID != "" {
			t.line("fork id", s.ForkID)
		}
		if s.Number > 0 || s.Head == s.Genesis {
			t.line("head", s.Number)
		}
		t.line("head hash", s.Head)
		if s.Version >= 69 {
			t.line("has", fmt.Sprintf("blocks %d to %d", s.Earliest, s.Number))
		}
		if s.TD != nil {
			t.line("difficulty", fmt.Sprintf("%v in total", s.TD.ToInt()))
		}
	}
	return t.writeTo(w)
}

// WriteHeaders writes a line for each header.
func WriteHeaders(w io.Writer, headers []*types.Header) error {
	var t table
	for _, h := range headers {
		fmt.Fprintf(&t, "%10v  %v  %s  %9d gas\n", h.Number, h.Hash(), time.Unix(int64(min(h.Time, 1<<40)), 0).UTC().Format(time.DateTime), h.GasUsed)
	}
	return t.writeTo(w)
}

// WriteBlock describes a block, with a line for each transaction.
func WriteBlock(w io.Writer, b *eth.Block) error {
	var t table
	h := b.Header
	t.line("block", h.Number)
	t.line("hash", h.Hash())
	t.line("parent", h.ParentHash)
	t.line("time", when(h.Time))
	t.line("state root", h.Root)
	t.line("coinbase", h.Coinbase)
	t.line("gas", fmt.Sprintf("%d of %d used", h.GasUsed, h.GasLimit))
	if h.BaseFee != nil {
		t.line("base fee", fmt.Sprint(h.BaseFee, " wei"))
	}
	if h.Difficulty != nil && h.Difficulty.Sign() > 0 {
		t.line("difficulty", h.Difficulty)
	}
	if len(h.Extra) > 0 {
		t.line("extra", plain.Text(string(h.Extra)))
	}
	if b.Size == 0 {
		t.line("body", "the node does not have it")
		return t.writeTo(w)
	}
	t.line("size", fmt.Sprint(b.Size, " bytes"))
	t.line("ommers", len(b.Uncles))
	if h.WithdrawalsHash != nil {
		t.line("withdrawals", len(b.Withdrawals))
	}
	t.line("transactions", len(b.Transactions))
	for _, tx := range b.Transactions {
		fmt.Fprintf(&t, "  %v  type %d  to %s  %s wei\n", tx.Hash(), tx.Type(), recipient(tx), tx.Value())
	}
	return t.writeTo(w)
}

func recipient(tx *types.Transaction) string {
	if tx.To() == nil {
		return "a new contract"
	}
	return tx.To().Hex()
}

// WriteTransaction describes a transaction.
func WriteTransaction(w io.Writer, tx *types.Transaction) error {
	var t table
	t.line("transaction", tx.Hash())
	t.line("type", tx.Type())
	if from, err := types.Sender(types.LatestSignerForChainID(tx.ChainId()), tx); err == nil {
		t.line("from", from)
	} else {
		t.line("from", fmt.Sprintf("unknown: %v", err))
	}
	t.line("to", recipient(tx))
	t.line("chain id", tx.ChainId())
	t.line("nonce", tx.Nonce())
	t.line("value", fmt.Sprint(tx.Value(), " wei"))
	t.line("gas limit", tx.Gas())
	t.line("fee cap", fmt.Sprint(tx.GasFeeCap(), " wei per gas"))
	t.line("data", fmt.Sprint(len(tx.Data()), " bytes"))
	if n := len(tx.BlobHashes()); n > 0 {
		t.line("blobs", n)
	}
	t.line("size", fmt.Sprint(tx.Size(), " bytes"))
	return t.writeTo(w)
}

// Line is one record of what a peer has said, as a line for people.
func Line(r *eth.EventRecord) string {
	var what string
	switch r.Event {
	case "transaction":
		what = fmt.Sprintf("%v  type %d", deref(r.Hash), value(r.Type))
		if r.Size > 0 {
			what += fmt.Sprintf("  %d bytes", r.Size)
		}
		what += seen(r)
	case "block":
		what = fmt.Sprintf("%v  %d%s", deref(r.Hash), value(r.Number), seen(r))
	case "head":
		number := "?"
		if r.Number != nil {
			number = fmt.Sprint(*r.Number)
		}
		what = fmt.Sprintf("%v  %s", deref(r.Hash), number)
		if r.TD != nil {
			what += fmt.Sprintf("  difficulty %v", (*big.Int)(r.TD))
		}
	case "joined", "present":
		what = fmt.Sprintf("eth/%d  %s", r.Version, plain.Text(r.Client))
	case "left":
		what = plain.Text(r.Error)
	}
	return fmt.Sprintf("%s  %x  %-11s  %s", r.At.Local().Format("15:04:05.000"), r.Peer[:4], r.Event, what)
}

// seen says how a transaction or block came, and how long after the first sight of it.
func seen(r *eth.EventRecord) string {
	how := ""
	if r.Full {
		how = "  in full"
	}
	if r.First {
		return how + "  first"
	}
	return fmt.Sprintf("%s  +%v", how, time.Duration(r.After*float64(time.Second)).Round(time.Millisecond))
}

func deref(hash *common.Hash) common.Hash {
	if hash == nil {
		return common.Hash{}
	}
	return *hash
}

// value is the number that p points to, or 0.
func value[T ~uint64](p *T) uint64 {
	if p == nil {
		return 0
	}
	return uint64(*p)
}

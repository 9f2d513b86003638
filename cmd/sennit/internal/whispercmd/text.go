package whispercmd

import (
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/shh"
)

// ParsePublicKey reads a public key: 128 hex digits as `sennit key show` prints them, the same with "04" in front, with or
// without "0x", or the enode URL of a node with that key.
func ParsePublicKey(text string) (*ecdsa.PublicKey, error) {
	if strings.HasPrefix(text, "enode:") || strings.HasPrefix(text, "enr:") {
		node, err := p2p.ParseNode(text)
		if err != nil {
			return nil, err
		}
		return node.Pubkey(), nil
	}
	b, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		return nil, fmt.Errorf("%q is no public key: %w", text, err)
	}
	if len(b) == 64 {
		b = append([]byte{4}, b...)
	}
	key, err := crypto.UnmarshalPubkey(b)
	if err != nil {
		return nil, fmt.Errorf("%q is no public key: %w; want 128 hex digits", text, err)
	}
	return key, nil
}

// ParseSymKey reads a symmetric key of 64 hex digits.
func ParseSymKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err == nil && len(key) != shh.SymKeySize {
		err = fmt.Errorf("%d bytes", len(key))
	}
	if err != nil {
		return nil, fmt.Errorf("want a key of %d hex digits: %w", 2*shh.SymKeySize, err)
	}
	return key, nil
}

// Line describes a message in a line: when it was sent, its topic, who signed it, and its text, quoted unless it is plain.
func Line(m *shh.ReceivedMessage) string {
	from := "unsigned"
	if len(m.Sig) > 4 {
		from = hex.EncodeToString(m.Sig[1:5])
	}
	text := string(m.Payload)
	if !utf8.ValidString(text) {
		text = "0x" + hex.EncodeToString(m.Payload)
	} else if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		text = strconv.Quote(text)
	}
	return fmt.Sprintf("%s  %v  %-8s  %s", time.Unix(int64(m.Timestamp), 0).UTC().Format(time.DateTime), m.Topic, from, text)
}

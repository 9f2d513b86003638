package p2p

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// ParseNode reads a node in text form: an enode URL (enode://KEY@HOST:PORT, with ?discport=PORT behind it if the UDP port
// is another; enode://KEY for a node whose address is not known) or a signed record (enr:..., EIP-778). The error says
// which part is wrong and what it ought to be.
func ParseNode(text string) (*enode.Node, error) {
	node, err := enode.Parse(enode.ValidSchemes, text)
	if err == nil {
		return node, nil
	}
	switch rest, isURL := strings.CutPrefix(text, "enode://"); {
	case isURL:
		err = explainURL(rest, err)
	case strings.HasPrefix(text, "enr:"):
		err = explainRecord(strings.TrimPrefix(text, "enr:"), err)
	default:
		err = errors.New("want an enode URL (enode://KEY@HOST:PORT) or a record (enr:...)")
	}
	return nil, fmt.Errorf("node %q: %w", clipText(text), err)
}

// maxClipped is how much of a text an error shows, in bytes: enough to find it by.
const maxClipped = 60

func clipText(text string) string {
	if len(text) > maxClipped {
		return text[:maxClipped-3] + "..."
	}
	return text
}

// nodeKeyDigits is the length of the key in an enode URL.
const nodeKeyDigits = 128

// explainURL returns what is wrong with an enode URL, of which rest follows the scheme; err if that is nothing known.
func explainURL(rest string, err error) error {
	key, _, hasHost := strings.Cut(rest, "@")
	if !hasHost {
		if end := strings.IndexAny(rest, ":/?"); end >= 0 {
			return errors.New("there is no @ between key and address, want enode://KEY@HOST:PORT")
		}
		key = rest
	}
	if problem := explainNodeKey(key); problem != nil {
		return problem
	}
	u, urlErr := url.Parse("enode://" + rest)
	switch {
	case urlErr != nil:
		var inner *url.Error
		if errors.As(urlErr, &inner) {
			urlErr = inner.Err // without the URL once more
		}
		return fmt.Errorf("its address: %w, want enode://KEY@HOST:PORT", urlErr)
	case u.Port() == "":
		return errors.New("its address has no port, want enode://KEY@HOST:PORT")
	case !isPort(u.Port()):
		return fmt.Errorf("its port is %q, want a number up to 65535", u.Port())
	case !isPort(u.Query().Get("discport")):
		return fmt.Errorf("its discport is %q, want a number up to 65535", u.Query().Get("discport"))
	}
	return err
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil || text == ""
}

// explainNodeKey returns what is wrong with the key in an enode URL, or nil.
func explainNodeKey(key string) error {
	for i, c := range key {
		if !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return fmt.Errorf("its key has %q as character %d, want %d hex digits", c, i+1, nodeKeyDigits)
		}
	}
	if len(key) != nodeKeyDigits {
		return fmt.Errorf("its key has %d hex digits, want %d", len(key), nodeKeyDigits)
	}
	raw, err := hex.DecodeString("04" + key)
	if err == nil {
		_, err = crypto.UnmarshalPubkey(raw)
	}
	if err != nil {
		return errors.New("its key is not a point on the curve secp256k1, so no node has it")
	}
	return nil
}

// isBase64 reports whether c belongs to the alphabet of records.
func isBase64(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// explainRecord returns what is wrong with a record, given in base64; err if that is nothing known.
func explainRecord(text string, err error) error {
	raw, decodeErr := base64.RawURLEncoding.DecodeString(text)
	var where base64.CorruptInputError
	switch {
	case text == "":
		return errors.New("nothing follows the prefix enr: of its record")
	case errors.As(decodeErr, &where) && int(where) < len(text) && !isBase64(text[where]):
		return fmt.Errorf("its record has %q as character %d, want URL-safe base64: letters, digits, - and _ without =", text[where], int(where)+1)
	case decodeErr != nil:
		return fmt.Errorf("its record is cut off: %d characters of base64 are not a number of bytes", len(text))
	case len(raw) > enr.SizeLimit:
		return fmt.Errorf("its record has %d bytes, want at most %d", len(raw), enr.SizeLimit)
	}
	var record enr.Record
	if decodeErr := rlp.DecodeBytes(raw, &record); decodeErr != nil {
		return fmt.Errorf("its record is damaged or cut off, want a list of signature, sequence number and entries: %w", decodeErr)
	}
	switch scheme := record.IdentityScheme(); {
	case scheme != "v4":
		return fmt.Errorf("its record has the identity scheme %q, want \"v4\"", scheme)
	case errors.Is(err, enr.ErrInvalidSig):
		return errors.New("its record's signature does not hold: it was changed after it was signed")
	}
	return fmt.Errorf("its record: %w", err)
}

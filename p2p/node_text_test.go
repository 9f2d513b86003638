package p2p

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/rlp"
)

// testRecord is the test vector of EIP-778.
const testRecord = "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"

func TestNodesAreReadFromURLsAndRecords(t *testing.T) {
	key := strings.TrimSuffix(strings.TrimPrefix(nodeURL1, "enode://"), "@127.0.0.1:3030")
	for _, text := range []string{
		nodeURL1, nodeURL2, testRecord, "enode://" + key, "enode://" + key + "@node.example.org:30303", "enode://" + key + "@[2001:db8::1]:1?discport=0",
	} {
		got, err := ParseNode(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if want := enode.MustParse(text); got.String() != want.String() {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestANodeThatCannotBeReadIsExplained(t *testing.T) {
	key := strings.TrimSuffix(strings.TrimPrefix(nodeURL1, "enode://"), "@127.0.0.1:3030")
	record := func(change func(*enr.Record)) string {
		var r enr.Record
		change(&r)
		r.SetSig(enode.NullID{}, make([]byte, 64))
		raw, err := rlp.EncodeToBytes(&r)
		if err != nil {
			t.Fatal(err)
		}
		return "enr:" + base64.RawURLEncoding.EncodeToString(raw)
	}
	tests := map[string]string{
		"":                                    "enode://KEY@HOST:PORT",
		"127.0.0.1:30303":                     "want an enode URL",
		"https://example.org":                 `"https://example.org"`,
		"enode://":                            "0 hex digits, want 128",
		"enode://12@127.0.0.1:1":              "2 hex digits, want 128",
		"enode://12g4@127.0.0.1:1":            "'g' as character 3",
		"enode://" + key:                      "",
		"enode://" + key + "@127.0.0.1":       "no port",
		"enode://" + key + "@127.0.0.1:x":     "invalid port",
		"enode://" + key + "@127.0.0.1:70000": `port is "70000", want a number up to 65535`,
		"enode://" + key + "@127.0.0.1:1?discport=x":           `discport is "x"`,
		"enode://" + key + "@[::1:1":                           "its address",
		"enode://" + key + ":30303":                            "no @ between",
		"enode://" + strings.Repeat("0", 128) + "@127.0.0.1:1": "not a point",
		"enr:":                         "nothing follows the prefix",
		"enr:-IS4QHCY+YZb":             `'+' as character 9`,
		"enr:x":                        "1 characters of base64",
		testRecord + "==":              "want URL-safe base64",
		testRecord[:len(testRecord)-8]: "damaged or cut off",
		strings.Replace(testRecord, "HCCdl8", "HCCdmA", 1):  "signature does not hold",
		"enr:" + strings.Repeat("A", 404):                   "303 bytes, want at most 300",
		record(func(r *enr.Record) { r.Set(enr.ID("v5")) }): `identity scheme "v5"`,
		record(func(r *enr.Record) { r.Set(enr.ID("v4")) }): "secp256k1",
	}
	for text, want := range tests {
		_, err := ParseNode(text)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%q was accepted", text)
			continue
		}
		t.Log(err)
		if !strings.Contains(err.Error(), want) || len(err.Error()) > 250 {
			t.Errorf("%q: the error does not say %q, or is too long: %v", text, want, err)
		}
	}
}

func FuzzParseNode(f *testing.F) {
	for _, text := range []string{nodeURL1, testRecord, "", "enode://", "enr:", "enode://@:", "enr:-IS4QHCY+YZb", "enode://12@[::1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		node, err := ParseNode(text)
		_, want := enode.Parse(enode.ValidSchemes, text)
		if (err == nil) != (want == nil) || (node == nil) != (err != nil) {
			t.Fatalf("%q: %v, enode says %v", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "%!") {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

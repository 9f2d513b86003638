package shh

import (
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/google/go-cmp/cmp"
)

// caller calls the methods of a node as a program does.
type caller struct {
	t      *testing.T
	client *rpc.Client
}

func serve(t *testing.T, w *Whisper) caller {
	t.Helper()
	api, server := NewAPI(w), rpc.NewServer()
	for _, a := range api.APIs() {
		if err := server.RegisterName(a.Namespace, a.Service); err != nil {
			t.Fatal(err)
		}
	}
	client := rpc.DialInProc(server)
	t.Cleanup(func() {
		client.Close()
		server.Stop()
		api.Close()
	})
	return caller{t, client}
}

func (c caller) call(result any, method string, args ...any) {
	c.t.Helper()
	if err := c.client.Call(result, "shh_"+method, args...); err != nil {
		c.t.Fatalf("%s: %v", method, err)
	}
}

func (c caller) fails(want, method string, args ...any) {
	c.t.Helper()
	var result any
	if err := c.client.Call(&result, "shh_"+method, args...); err == nil || !strings.Contains(err.Error(), want) {
		c.t.Errorf("%s: %v, %v, want %q", method, result, err, want)
	}
}

func (c caller) id(method string, args ...any) string {
	c.t.Helper()
	var id string
	if c.call(&id, method, args...); len(id) != 64 {
		c.t.Errorf("%s: the id is %q", method, id)
	}
	return id
}

func TestTheNodeIsSetByRPC(t *testing.T) {
	w := newTestWhisper(t, Config{})
	c := serve(t, w)
	var text string
	if c.call(&text, "version"); text != "6.0" {
		t.Errorf("version %q", text)
	}
	var raw json.RawMessage
	if c.call(&raw, "info"); string(raw) != `{"memory":0,"messages":0,"minPow":0.2,"usualPow":0.2,"maxMessageSize":1048576}` {
		t.Errorf("info: %s", raw)
	}
	bloom := BloomOf(Topic{1})
	url := "enode://ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f@127.0.0.1:30303"
	for _, m := range []struct {
		method string
		args   []any
	}{
		{"setMaxMessageSize", []any{5000}}, {"setMinPoW", []any{0.5}}, {"setBloomFilter", []any{hexutil.Bytes(bloom[:])}}, {"markTrustedPeer", []any{url}},
		{"makeLightClient", nil},
	} {
		var done bool
		if c.call(&done, m.method, m.args...); !done {
			t.Errorf("%s: false", m.method)
		}
	}
	if w.MaxMessageSize() != 5000 || w.MinWork() != 0.5 || w.Bloom() != bloom || !w.Light() || len(w.trusted) != 1 {
		t.Errorf("nothing has changed: %+v", w.settings)
	}
	var done bool
	if c.call(&done, "cancelLightClient"); !done || w.Light() {
		t.Error("it is still a light node")
	}
	c.fails("largest message", "setMaxMessageSize", 1<<30)
	c.fails("proof of work", "setMinPoW", -1)
	c.fails("64", "setBloomFilter", "0x00")
	c.fails("enode", "markTrustedPeer", "enode://x")
	var stats Stats
	if c.call(&stats, "stats"); stats.Limit != DefaultPoolBytes {
		t.Errorf("stats: %+v", stats)
	}
}

func TestKeysAreNamedByIDs(t *testing.T) {
	c := serve(t, newTestWhisper(t, Config{}))
	var yes bool
	var b hexutil.Bytes
	pair := newKey(t)
	for _, id := range []string{c.id("newKeyPair"), c.id("addPrivateKey", hexutil.Bytes(crypto.FromECDSA(pair)))} {
		if c.call(&yes, "hasKeyPair", id); !yes {
			t.Error("a key pair is not there")
		}
		if c.call(&b, "getPublicKey", id); len(b) != 65 || b[0] != 4 {
			t.Errorf("the public key is %v", b)
		}
		if c.call(&b, "getPrivateKey", id); len(b) != 32 {
			t.Errorf("the private key is %v", b)
		}
		if c.call(&yes, "deleteKeyPair", id); !yes {
			t.Error("a key pair cannot be deleted")
		}
		if c.call(&yes, "hasKeyPair", id); yes {
			t.Error("a deleted key pair is there")
		}
		c.fails("no key pair", "getPublicKey", id)
		c.fails("no key pair", "getPrivateKey", id)
	}
	password := c.id("generateSymKeyFromPassword", "test")
	if c.call(&b, "getSymKey", password); b.String() != "0xa82a520aff70f7a989098376e48ec128f25f767085e84d7fb995a9815eebff0a" {
		t.Errorf("the key of the password is %v", b)
	}
	for _, id := range []string{c.id("newSymKey"), c.id("addSymKey", hexutil.Bytes(NewSymKey())), password} {
		if c.call(&yes, "hasSymKey", id); !yes {
			t.Error("a symmetric key is not there")
		}
		if c.call(&yes, "deleteSymKey", id); !yes {
			t.Error("a symmetric key cannot be deleted")
		}
		c.fails("no symmetric key", "getSymKey", id)
	}
	c.fails("invalid symmetric key", "addSymKey", "0x1234")
	c.fails("invalid length", "addPrivateKey", "0x1234")
}

func TestMessagesArePostedAndFilteredByRPC(t *testing.T) {
	c := serve(t, newTestWhisper(t, Config{MinWork: 0.01}))
	sym, signer, recipient := c.id("newSymKey"), c.id("newKeyPair"), c.id("newKeyPair")
	var signerKey, recipientKey hexutil.Bytes
	c.call(&signerKey, "getPublicKey", signer)
	c.call(&recipientKey, "getPublicKey", recipient)
	type object = map[string]any
	symFilter := c.id("newMessageFilter", object{"symKeyID": sym, "topics": []string{"0xdeadbeef"}, "sig": signerKey})
	pairFilter := c.id("newMessageFilter", object{"privateKeyID": recipient})
	live := make(chan *ReceivedMessage)
	sub, err := c.client.Subscribe(t.Context(), "shh", live, "messages", object{"symKeyID": sym, "topics": []string{"0xdeadbeef"}})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()

	var symHash, pairHash hexutil.Bytes
	c.call(&symHash, "post", object{"symKeyID": sym, "topic": "0xdeadbeef", "payload": "0x68656c6c6f", "padding": "0x0102", "sig": signer, "ttl": 7, "powTime": 5, "powTarget": 0.01})
	c.call(&pairHash, "post", object{"pubKey": recipientKey, "payload": "0x01", "powTarget": 0.01})
	var list []*ReceivedMessage
	c.call(&list, "getFilterMessages", symFilter)
	if len(list) != 1 {
		t.Fatalf("%d messages with the symmetric key", len(list))
	}
	want := &ReceivedMessage{Sig: signerKey, TTL: 7, Topic: Topic{0xde, 0xad, 0xbe, 0xef}, Payload: []byte("hello"), Padding: []byte{1, 2}, Hash: symHash}
	want.Timestamp, want.PoW = list[0].Timestamp, list[0].PoW
	if diff := cmp.Diff(want, list[0]); diff != "" || want.PoW < 0.01 || time.Since(time.Unix(int64(want.Timestamp), 0)) > time.Minute {
		t.Errorf("%+v\n%s", list[0], diff)
	}
	select {
	case m := <-live:
		if diff := cmp.Diff(want, m); diff != "" {
			t.Errorf("the subscription's is another message:\n%s", diff)
		}
	case <-time.After(patience):
		t.Error("the subscription is silent")
	}
	var raw json.RawMessage
	c.call(&raw, "getFilterMessages", pairFilter)
	for _, part := range []string{`"recipientPublicKey":"` + recipientKey.String(), `"hash":"` + pairHash.String(), `"topic":"0x00000000"`, `"payload":"0x01"`, `"ttl":50`} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("no %s in %s", part, raw)
		}
	}
	c.call(&list, "getFilterMessages", symFilter)
	if len(list) != 0 {
		t.Error("a message comes twice")
	}
	var yes bool
	if c.call(&yes, "deleteMessageFilter", symFilter); !yes {
		t.Error("a filter cannot be deleted")
	}
	c.fails("no filter", "getFilterMessages", symFilter)
	if c.call(&yes, "deleteMessageFilter", symFilter); yes {
		t.Error("a filter can be deleted twice")
	}
}

func TestErrorsOfRPCAreGoEthereums(t *testing.T) {
	c := serve(t, newTestWhisper(t, Config{}))
	sym, pair := c.id("newSymKey"), c.id("newKeyPair")
	var public hexutil.Bytes
	c.call(&public, "getPublicKey", pair)
	type object = map[string]any
	for _, tt := range []struct {
		want string
		post object
	}{
		{"specify either a symmetric or an asymmetric key", object{"powTarget": 1}},
		{"specify either a symmetric or an asymmetric key", object{"symKeyID": sym, "pubKey": public, "powTarget": 1}},
		{"message rejected, PoW too low", object{"symKeyID": sym, "topic": "0x01020304", "powTarget": 0.1}},
		{"missing topic(s)", object{"symKeyID": sym, "powTarget": 1}},
		{"no symmetric key", object{"symKeyID": "12", "topic": "0x01020304", "powTarget": 1}},
		{"invalid public key", object{"pubKey": "0x04", "powTarget": 1}},
		{"no key pair", object{"pubKey": public, "sig": "12", "powTarget": 1}},
		{"no enode URL", object{"pubKey": public, "targetPeer": "enode://x"}},
		{"no peer", object{"pubKey": public, "targetPeer": "enode://ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd31387574077f301b421bc84df7266c44e9e6d569fc56be00812904767bf5ccd1fc7f@127.0.0.1:1"}},
		{"no nonce with that much proof of work", object{"pubKey": public, "powTarget": 1e12, "powTime": 1}},
	} {
		c.fails(tt.want, "post", tt.post)
	}
	for _, tt := range []struct {
		want     string
		criteria object
	}{
		{"specify either a symmetric or an asymmetric key", object{}},
		{"specify either a symmetric or an asymmetric key", object{"symKeyID": sym, "privateKeyID": pair}},
		{"missing topic(s)", object{"symKeyID": sym}},
		{"invalid signing public key", object{"symKeyID": sym, "topics": []string{"0x01020304"}, "sig": "0x04"}},
		{"no key pair", object{"privateKeyID": "12"}},
		{"topic", object{"symKeyID": sym, "topics": []string{"0x0102030405"}}},
	} {
		c.fails(tt.want, "newMessageFilter", tt.criteria)
		_, err := c.client.Subscribe(t.Context(), "shh", make(chan any), "messages", tt.criteria)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("subscribing: %v, want %q", err, tt.want)
		}
	}
}

func TestFiltersAreBoundedAndForgotten(t *testing.T) {
	w := newTestWhisper(t, Config{})
	api := NewAPI(w)
	defer api.Close()
	pair, err := api.keys.addPair(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	for range maxFilters {
		if _, err := api.addFilter(Criteria{PrivateKeyID: pair}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := api.addFilter(Criteria{PrivateKeyID: pair}); err == nil {
		t.Error("there is no limit")
	}
	for _, f := range api.filters {
		f.used = f.used.Add(-filterTimeout - time.Second)
	}
	if _, err := api.addFilter(Criteria{PrivateKeyID: pair}); err != nil || len(api.filters) != 1 || len(*w.subs.Load()) != 1 {
		t.Errorf("%d filters and %d subscriptions are left, %v", len(api.filters), len(*w.subs.Load()), err)
	}
}

func TestFiltersThatComeTogetherDoNotPassTheirLimit(t *testing.T) {
	api := NewAPI(newTestWhisper(t, Config{}))
	defer api.Close()
	id, err := api.keys.addSymmetric(NewSymKey())
	if err != nil {
		t.Fatal(err)
	}
	const left = 24
	for range maxFilters - left {
		if _, err := api.addFilter(Criteria{SymKeyID: id, Topics: []Topic{{1}}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := api.addFilter(Criteria{SymKeyID: "none"}); err == nil {
		t.Error("a filter without a key")
	}
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 10 * left {
		all.Go(func() {
			if _, err := api.addFilter(Criteria{SymKeyID: id, Topics: []Topic{{1}}}); err == nil {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != left {
		t.Errorf("%d filters beside %d, want %d", taken.Load(), maxFilters-left, left)
	}
}

func TestSubscriptionsCountAmongTheFilters(t *testing.T) {
	c := serve(t, newTestWhisper(t, Config{}))
	want := Criteria{SymKeyID: c.id("newSymKey"), Topics: []Topic{{1}}}
	for range maxFilters - 1 {
		c.id("newMessageFilter", want)
	}
	subscribe := func(to Criteria) (*rpc.ClientSubscription, error) {
		return c.client.Subscribe(t.Context(), ProtocolName, make(chan *ReceivedMessage), "messages", to)
	}
	if _, err := subscribe(Criteria{}); err == nil {
		t.Error("a subscription without a key")
	}
	last, err := subscribe(want)
	if err != nil {
		t.Fatal(err)
	}
	const full = "there are 1024 filters and subscriptions already"
	if _, err := subscribe(want); err == nil || err.Error() != full {
		t.Errorf("one subscription too many: %v", err)
	}
	c.fails(full, "newMessageFilter", want)
	last.Unsubscribe()
	until(t, "room for another", func() bool {
		var id string
		return c.client.Call(&id, "shh_newMessageFilter", want) == nil
	})
}

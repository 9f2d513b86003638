package rlpx_test

import (
	"fmt"
	"net"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/p2p/rlpx"
)

// Two ends shake hands; then a message goes through.
func ExampleConn() {
	dialerKey, _ := crypto.GenerateKey()
	listenerKey, _ := crypto.GenerateKey()
	a, b := net.Pipe()
	defer a.Close()

	received := make(chan string)
	go func() {
		listener := rlpx.NewConn(b, nil)
		defer listener.Close()
		remote, err := listener.Handshake(listenerKey)
		if err != nil {
			received <- err.Error()
			return
		}
		code, payload, _, err := listener.Read()
		received <- fmt.Sprintf("code %d, %q, from the dialer: %t, error: %v", code, payload, remote.Equal(&dialerKey.PublicKey), err)
	}()

	dialer := rlpx.NewConn(a, &listenerKey.PublicKey)
	if _, err := dialer.Handshake(dialerKey); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := dialer.Write(16, []byte("hello")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-received)
	// Output: code 16, "hello", from the dialer: true, error: <nil>
}

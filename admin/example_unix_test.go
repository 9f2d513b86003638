//go:build !windows

package admin_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/admin"
)

// clock is a namespace: its exported methods can be called.
type clock struct{}

// Ticks becomes clock_ticks.
func (clock) Ticks(n int) []string { return make([]string, n) }

// A program serves methods of its own, next to those of [admin.APIs], and another program calls them.
func ExampleListen() {
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	endpoint, err := admin.Listen(admin.Config{
		IPCPath: filepath.Join(dir, "node.ipc"),
		APIs:    []rpc.API{{Namespace: "clock", Service: clock{}}},
		Logger:  log.NewLogger(log.DiscardHandler()),
	})
	if err != nil {
		panic(err)
	}
	defer endpoint.Close()

	client, err := admin.Dial(context.Background(), endpoint.IPCPath())
	if err != nil {
		panic(err)
	}
	defer client.Close()
	var ticks []string
	if err := client.Call(&ticks, "clock_ticks", 3); err != nil {
		panic(err)
	}
	fmt.Println(len(ticks))
	// Output: 3
}

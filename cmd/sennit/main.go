// Command sennit runs a devp2p node and looks at others; `sennit help` lists what it can do.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(withSignals(func(ctx context.Context) int {
		return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}))
}

// withSignals calls f with a context that the first SIGINT or SIGTERM ends. By then signals do again what they do to any
// program, so that a second one ends it at once.
func withSignals(f func(context.Context) int) int {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals)
		cancel()
	}()
	status := f(ctx)
	cancel()
	<-done
	return status
}

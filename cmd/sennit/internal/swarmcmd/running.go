package swarmcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/cmd/sennit/internal/attach"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// running is a node that runs.
type running struct {
	client   *rpc.Client
	endpoint string
}

// Connect returns a running node, by the path of its socket or its URL. Errors are those of connecting, and
// [attach.ErrNotServed].
func Connect(ctx context.Context, endpoint string) (Place, error) {
	client, err := attach.Dial(ctx, endpoint, "Swarm", "bzz")
	if err != nil {
		return nil, err
	}
	return &running{client, endpoint}, nil
}

// failed says of a call's error which node it was, and of a lost connection what can be done.
func (r *running) failed(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, rpc.ErrClientQuit) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%s has gone (%w); start it again, and this command once more: what is there already takes no time", r, err)
	}
	return fmt.Errorf("%s: %w", r, err)
}

// Put has the node keep a chunk.
func (r *running) Put(ctx context.Context, c chunk.Chunk) error {
	var addr chunk.Address
	if err := r.client.CallContext(ctx, &addr, "bzz_putChunk", hexutil.Bytes(c.Data())); err != nil {
		return r.failed(err)
	}
	if addr != c.Address() {
		return fmt.Errorf("%s has another address for chunk %v: %v", r, c.Address(), addr)
	}
	return nil
}

// Get has the node get a chunk.
func (r *running) Get(ctx context.Context, addr chunk.Address) (chunk.Chunk, error) {
	var data hexutil.Bytes
	if err := r.client.CallContext(ctx, &data, "bzz_getChunk", addr); err != nil {
		return chunk.Chunk{}, r.failed(err)
	}
	return chunk.Verify(addr, data)
}

// Finish has nothing to wait for: the node has what it was given, and carries it where it belongs.
func (r *running) Finish(context.Context, func(done, total int64)) error { return nil }

// Close hangs up.
func (r *running) Close() error {
	r.client.Close()
	return nil
}

// String names the endpoint.
func (r *running) String() string { return "the node at " + r.endpoint }

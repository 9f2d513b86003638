package swarmcmd

import (
	"context"
	"fmt"

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

// Put has the node keep a chunk.
func (r *running) Put(ctx context.Context, c chunk.Chunk) error {
	var addr chunk.Address
	if err := r.client.CallContext(ctx, &addr, "bzz_putChunk", hexutil.Bytes(c.Data())); err != nil {
		return fmt.Errorf("%s: %w", r, err)
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
		return chunk.Chunk{}, fmt.Errorf("%s: %w", r, err)
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

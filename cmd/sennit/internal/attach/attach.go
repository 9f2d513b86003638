// Package attach connects commands with a node that runs, through its JSON-RPC endpoint.
package attach

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/admin"
)

// ErrNotServed is what Dial returns for a node that runs and does not serve the protocol.
var ErrNotServed = errors.New("it does not speak")

// Dial connects to the endpoint of a running node, the path of a socket or a URL, which has to serve a protocol: by its name for
// people, and its namespace, after which the flag of `sennit run` is named as well. The caller closes the client. Errors are
// those of connecting, and [ErrNotServed].
func Dial(ctx context.Context, endpoint, protocol, namespace string) (*rpc.Client, error) {
	client, err := admin.Dial(ctx, endpoint)
	if err == nil {
		var namespaces map[string]string
		if err = client.CallContext(ctx, &namespaces, "rpc_modules"); err == nil {
			if _, ok := namespaces[namespace]; ok {
				return client, nil
			}
			client.Close()
			return nil, fmt.Errorf("the node at %s: %w %s; start it with 'sennit run --%s'", endpoint, ErrNotServed, protocol, namespace)
		}
		client.Close()
	}
	return nil, fmt.Errorf("no running node at %s: %w; start one with 'sennit run --%s', or name a node to link to with --node", endpoint, err, namespace)
}

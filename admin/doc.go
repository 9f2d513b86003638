// Package admin lets people and programs steer a running node: an [Endpoint] serves JSON-RPC 2.0 on a unix socket that only
// the user can open and, if asked to, over HTTP and WebSocket on the loopback interface.
//
// What is served is up to the caller: an endpoint is given the methods of each namespace as [rpc.API] values. [APIs] are
// those about the peer layer itself, in the form go-ethereum's have: the namespaces admin (admin_nodeInfo, admin_peers,
// admin_addPeer, the subscription peerEvents, ...) and net. Whoever can open the endpoint can do all that its methods do;
// there are no users and no passwords.
package admin

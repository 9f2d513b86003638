package config

import (
	"net/netip"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/sennit-net/sennit/admin"
)

// RPC is the [rpc] section of the file: the JSON-RPC endpoint.
type RPC struct {
	IPC            string   // path of the socket, or name of the pipe on Windows; empty: "sennit.ipc" below DataDir
	NoIPC          bool     // no socket at all
	HTTP           string   // HOST:PORT of HTTP and WebSocket, on the loopback interface; empty: neither
	HTTPNamespaces []string // the namespaces served there
	HTTPHosts      []string // names a request may ask for besides localhost
	HTTPOrigins    []string // origins whose web pages may use it
}

// ipcName is the name of the socket in the data directory.
const ipcName = "sennit.ipc"

func defaultRPC() RPC { return RPC{HTTPNamespaces: []string{"eth", "shh", "bzz", "net"}} }

// register adds the section's flags to fs, to be stored in c.
func (c *RPC) register(fs *pflag.FlagSet) {
	fs.StringVar(&c.IPC, "ipc", "", "`PATH` of the JSON-RPC socket (default: sennit.ipc below the data directory)")
	fs.BoolVar(&c.NoIPC, "noipc", false, "no JSON-RPC socket")
	fs.StringVar(&c.HTTP, "http", "", "`ADDR` of JSON-RPC over HTTP and WebSocket, on the loopback interface, e.g. 127.0.0.1:8545; empty: neither")
	fs.StringSliceVar(&c.HTTPNamespaces, "http-namespaces", defaultRPC().HTTPNamespaces, "`NAMES` of what is served over HTTP")
}

// overrides says how the flags, read into from, change c.
func (c *RPC) overrides(from *RPC) []override {
	return []override{
		{"ipc", assign(&c.IPC, &from.IPC)},
		{"noipc", assign(&c.NoIPC, &from.NoIPC)},
		{"http", assign(&c.HTTP, &from.HTTP)},
		{"http-namespaces", assign(&c.HTTPNamespaces, &from.HTTPNamespaces)},
	}
}

// namespaces are the namespaces that a node can have.
var namespaces = []string{"admin", "bzz", "eth", "net", "shh"}

// check returns the section's mistakes.
func (c *RPC) check() (list mistakes) {
	for _, name := range c.HTTPNamespaces {
		if !slices.Contains(namespaces, name) {
			list.add("rpc.HTTPNamespaces", "http-namespaces", "has %q, want some of %s", name, strings.Join(namespaces, ", "))
		}
	}
	for _, host := range c.HTTPHosts {
		if !isHost(host) {
			list.add("rpc.HTTPHosts", "", "has %q, want names without port, such as node.example, or addresses, such as 192.0.2.1 and 2001:db8::1", host)
		}
	}
	for _, origin := range c.HTTPOrigins {
		if !isOrigin(origin) {
			list.add("rpc.HTTPOrigins", "", "has %q, want what browsers say: http://HOST:PORT, or https://HOST if the port is the usual one, with nothing behind, or null", origin)
		}
	}
	if c.HTTP == "" {
		return list
	}
	if len(c.HTTPNamespaces) == 0 {
		list.add("rpc.HTTPNamespaces", "http-namespaces", "is empty: there is nothing to serve over HTTP")
	}
	err := admin.CheckHTTPAddr(c.HTTP)
	if err == nil {
		err = checkAddr(c.HTTP)
	}
	if err != nil {
		list.add("rpc.HTTP", "http", "has %w", err)
	}
	return list
}

// isHost tells whether a browser may ask for that, a name or an address, apart from the case of letters.
func isHost(text string) bool {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Zone() == "" && addr.String() == strings.ToLower(text)
	}
	return text != "" && strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// usualPorts are those that a browser leaves out.
var usualPorts = map[string]string{"http": "80", "https": "443"}

// isOrigin tells whether a browser may send that as an Origin, which is compared as a whole.
func isOrigin(text string) bool {
	if text == "null" { // of pages from files and in sandboxes
		return true
	}
	u, err := url.Parse(text)
	if err != nil || text != u.Scheme+"://"+u.Host || text != strings.ToLower(text) {
		return false
	}
	port := u.Port()
	if port == "" && strings.HasSuffix(u.Host, ":") || port != "" && port == usualPorts[u.Scheme] {
		return false
	}
	return u.Scheme != "" && isHost(u.Hostname())
}

// IPCPath returns where the JSON-RPC socket of a node with this configuration is; empty if it has none.
func (c *Config) IPCPath() string {
	switch {
	case c.RPC.NoIPC:
		return ""
	case c.RPC.IPC != "":
		return c.RPC.IPC
	case c.Node.DataDir == "":
		return ""
	case runtime.GOOS == "windows":
		return `\\.\pipe\` + ipcName
	}
	return filepath.Join(c.Node.DataDir, ipcName)
}

package admin

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// httpServer serves HTTP and WebSocket on one port.
type httpServer struct {
	// Static after construction.
	listener net.Listener
	server   *http.Server
	calls    *rpc.Server
	http, ws http.Handler
	hosts    []string
	origins  []string

	serving sync.WaitGroup // the accepting goroutine, subscriptions, and handlers: http.Server does not wait for those of WebSocket
}

func listenHTTP(c Config) (*httpServer, error) {
	if err := CheckHTTPAddr(c.HTTPAddr); err != nil {
		return nil, err
	}
	if len(c.HTTPNamespaces) == 0 {
		return nil, fmt.Errorf("no namespace is to be served on %s", c.HTTPAddr)
	}
	h := &httpServer{hosts: c.Hosts, origins: c.Origins}
	calls, err := serverOf(c.APIs, c.HTTPNamespaces, &h.serving)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", c.HTTPAddr)
	if err != nil {
		return nil, err
	}
	h.listener, h.calls, h.http, h.ws = limit(l, MaxConns), calls, calls, calls.WebsocketHandler([]string{"*"})
	h.server = &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	h.serving.Add(1)
	go func() {
		defer h.serving.Done()
		_ = h.server.Serve(h.listener) // until close
	}()
	return h, nil
}

// CheckHTTPAddr returns an error that says what is wrong with addr as a [Config.HTTPAddr]: it has to be HOST:PORT with a
// loopback address or "localhost" as the host.
func CheckHTTPAddr(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q: want HOST:PORT with a loopback address: %w", addr, err)
	}
	if !isLoopback(host) {
		return fmt.Errorf("%q: other machines could connect to it; want 127.0.0.1:PORT, [::1]:PORT or localhost:PORT", addr)
	}
	return nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (h *httpServer) addr() string { return h.listener.Addr().String() }

// ServeHTTP refuses what a web page of somebody else may have sent, and hands on the rest.
func (h *httpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.serving.Add(1) // the accepting goroutine or a connection of the server is there, so the count is not zero
	defer h.serving.Done()
	if !h.mayAsk(r.Host) {
		http.Error(w, fmt.Sprintf("the host %q is not one of this endpoint's", r.Host), http.StatusForbidden)
		return
	}
	w.Header().Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" {
		if !slices.Contains(h.origins, origin) {
			http.Error(w, fmt.Sprintf("pages of %q may not use this endpoint", origin), http.StatusForbidden)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origin)
		if asked := r.Header.Get("Access-Control-Request-Method"); asked != "" && r.Method == http.MethodOptions {
			permit(w, r)
			return
		}
	}
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		h.ws.ServeHTTP(w, r)
		return
	}
	h.http.ServeHTTP(w, r)
}

// permitFor is how long a browser may go without asking again, in seconds.
const permitFor = "600"

// permit answers a browser that asks, before it sends a request of a page whose origin is allowed, what it may send. That is
// POST and GET with any headers, as with go-ethereum's node.
func permit(w http.ResponseWriter, r *http.Request) {
	const methods, headers = "Access-Control-Request-Method", "Access-Control-Request-Headers"
	w.Header().Add("Vary", methods)
	w.Header().Add("Vary", headers)
	w.Header().Set("Access-Control-Allow-Methods", "POST, GET")
	if asked := r.Header.Values(headers); len(asked) > 0 {
		w.Header().Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
	}
	w.Header().Set("Access-Control-Max-Age", permitFor)
	w.WriteHeader(http.StatusNoContent)
}

// mayAsk tells whether a request's Host header names this machine, or is a name the configuration allows.
func (h *httpServer) mayAsk(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return isLoopback(host) || slices.ContainsFunc(h.hosts, func(allowed string) bool { return strings.EqualFold(allowed, host) })
}

func (h *httpServer) close() {
	h.calls.Stop() // ends the WebSockets
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if h.server.Shutdown(ctx) != nil {
		h.server.Close()
	}
	h.serving.Wait()
}

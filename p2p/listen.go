package p2p

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/p2p/netutil"

	"github.com/sennit-net/sennit/trace"
)

const (
	acceptRetryTime = 200 * time.Millisecond // after an error that may pass, such as too many open files
	maxThrottled    = 1 << 16                // addresses; about 5 MiB at worst
)

var errThrottled = fmt.Errorf("address has connected within the last %v", inboundThrottleTime)

// acceptLoop accepts connections until the listener is closed. Each gets a goroutine, which costs little until its
// remote has said something (see gate).
func (r *runningServer) acceptLoop() {
	for {
		fd, err := r.listener.Accept()
		switch {
		case err == nil:
			r.accepted(fd)
		case r.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		default:
			r.cfg.Logger.Debug("Accepting failed", "err", err)
			r.gate.shed()
			if sleep(r.ctx, acceptRetryTime) != nil {
				return
			}
		}
	}
}

func (r *runningServer) accepted(fd net.Conn) {
	if err := r.checkInbound(fd.RemoteAddr()); err != nil {
		r.refuseAccepted(fd, err)
		return
	}
	h, err := r.gate.enter(r.ctx, fd)
	if err != nil {
		r.refuseAccepted(fd, err)
		return
	}
	r.accepts.Go(func() { r.setup(fd, inboundConn, nil, h) })
	runtime.Gosched() // in a flood, let it look at what has come before the next is accepted
}

func (r *runningServer) refuseAccepted(fd net.Conn, err error) {
	fd.Close()
	r.cfg.Logger.Trace("Connection not accepted", "addr", fd.RemoteAddr(), "err", err)
	r.record(&trace.LinkRefused{
		Link:  trace.Link{Seq: linkSeq.Add(1), Inbound: true},
		Local: fd.LocalAddr(), Remote: fd.RemoteAddr(), Stage: "accept", Err: err,
	})
}

// checkInbound returns why a connection from addr is closed at once, or nil.
func (r *runningServer) checkInbound(addr net.Addr) error {
	ip := netutil.AddrAddr(addr).Unmap()
	if !ip.IsValid() {
		return nil // not an IP connection: neither rule speaks of it
	}
	if r.cfg.NetRestrict != nil && !r.cfg.NetRestrict.ContainsAddr(ip) {
		return errNetRestrict
	}
	return r.throttle.check(ip)
}

// inboundThrottle lets an IPv4 address or IPv6 /64 connect once in inboundThrottleTime. Addresses of the local network
// are exempt.
type inboundThrottle struct {
	clock mclock.Clock

	mu     sync.Mutex
	recent *recentSet[netip.Addr] // Guarded by mu. Of roomKeys.
}

func newInboundThrottle(clock mclock.Clock) *inboundThrottle {
	return &inboundThrottle{clock: clock, recent: newRecentSet[netip.Addr](inboundThrottleTime, maxThrottled)}
}

func (t *inboundThrottle) check(ip netip.Addr) error {
	if netutil.AddrIsLAN(ip) {
		return nil
	}
	key := roomKey(ip)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	t.recent.expire(now, nil)
	if t.recent.has(key) {
		return errThrottled
	}
	t.recent.add(key, now)
	return nil
}

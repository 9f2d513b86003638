package p2p

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/mclock"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"
	"github.com/ethereum/go-ethereum/p2p/nat"
)

const (
	mapLifetime      = 10 * time.Minute // that we ask the gateway for
	mapRefreshTime   = 8 * time.Minute
	mapRetryTime     = 5 * time.Minute  // after the gateway has refused
	mapRenewTime     = 30 * time.Second // after it has refused to refresh: until the mapping ends by itself
	mapMaxFailures   = 5                // in a row, before a mapping that was there is taken for lost
	externalIPPeriod = 2 * time.Minute  // between two questions for our address
	maxMappings      = 2                // ports that a server has: TCP and UDP
)

// portMapping is a port that ought to be reachable from outside.
type portMapping struct {
	protocol string // "TCP" or "UDP"
	name     string // shown by the gateway
	ip       net.IP // that the port is bound to
	port     int

	// Owned by portMapper.run.
	external int // as mapped; 0: it isn't
	failures int
	due      mclock.AbsTime
}

// portMapper keeps ports mapped on a gateway and the local node's record up to date with it. The methods work on nil,
// which maps nothing.
type portMapper struct {
	// Static after construction.
	gateway nat.Interface
	local   *enode.LocalNode
	clock   mclock.Clock
	log     log.Logger
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	added   chan *portMapping // has room for maxMappings, as the gateway may take its time; never closed

	// Owned by run.
	mappings []*portMapping
	ip       net.IP         // external address; nil: unknown
	ipDue    mclock.AbsTime // when to ask for it
}

// startPortMapper starts a mapper for the gateway. There is nothing to run for no gateway or a known address, of which
// the latter goes into the record at once.
func startPortMapper(gateway nat.Interface, local *enode.LocalNode, clock mclock.Clock, logger log.Logger) *portMapper {
	switch gw := gateway.(type) {
	case nil:
		return nil
	case nat.ExtIP:
		local.SetStaticIP(net.IP(gw))
		return nil
	}
	m := &portMapper{gateway: gateway, local: local, clock: clock, log: logger, added: make(chan *portMapping, maxMappings)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.wg.Go(m.run)
	return m
}

// add has a port mapped, unless it is bound to an address that no gateway forwards to. It does not wait for the gateway.
func (m *portMapper) add(p portMapping) {
	if m == nil || p.ip.IsLoopback() || p.ip.IsPrivate() {
		return
	}
	select {
	case m.added <- &p:
	case <-m.ctx.Done():
	}
}

func (m *portMapper) stop() {
	if m != nil {
		m.cancel()
	}
}

// wait waits for a mapper that was stopped to remove its mappings, for the given time at most: what a gateway does can't
// be interrupted, and one that doesn't answer takes its time.
func (m *portMapper) wait(limit time.Duration) {
	if m == nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		m.wg.Wait()
		close(ended)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		m.log.Warn("The gateway doesn't answer, its port mappings end by themselves", "gateway", m.gateway)
	}
}

func (m *portMapper) run() {
	timer := m.clock.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if next, ok := m.work(); ok {
			timer.Reset(max(next.Sub(m.clock.Now()), 0))
		}
		select {
		case p := <-m.added:
			p.due = m.clock.Now()
			m.mappings = append(m.mappings, p)
		case <-timer.C():
		case <-m.ctx.Done():
			m.unmap()
			return
		}
	}
}

// work does what is due and returns when there is something to do again, which is never without a port. A gateway that
// refuses or is away is asked again and again, as it may come back.
func (m *portMapper) work() (next mclock.AbsTime, ok bool) {
	if len(m.mappings) == 0 {
		return 0, false
	}
	if m.ctx.Err() == nil && m.ipDue <= m.clock.Now() {
		m.askIP()
	}
	next = m.ipDue
	for _, p := range m.mappings {
		if m.ctx.Err() == nil && p.due <= m.clock.Now() {
			m.mapPort(p)
		}
		next = min(next, p.due)
	}
	return next, true
}

// askIP asks the gateway for our external address, which stays what it was as long as there is no answer. With another
// address come other mappings, or none: they are made anew.
func (m *portMapper) askIP() {
	m.ipDue = m.clock.Now().Add(externalIPPeriod)
	ip, err := m.gateway.ExternalIP()
	if err != nil {
		m.log.Debug("The gateway doesn't tell our address", "gateway", m.gateway, "err", err)
		return
	}
	if ip.Equal(m.ip) {
		return
	}
	m.log.Debug("External address", "ip", ip, "gateway", m.gateway)
	m.local.SetStaticIP(ip)
	m.ip = ip
	for _, p := range m.mappings {
		p.due = m.clock.Now()
	}
}

// mapPort makes or refreshes a mapping. The gateway may choose another external port than we have asked for, which is
// then the one to announce. A mapping that could not be refreshed is still there until its lifetime has passed, which gives
// the gateway some more chances.
func (m *portMapper) mapPort(p *portMapping) {
	want := p.port
	if p.external != 0 {
		want = p.external
	}
	external, err := m.gateway.AddMapping(p.protocol, want, p.port, p.name, mapLifetime)
	if err != nil {
		p.failures++
		m.log.Debug("Mapping a port failed", "protocol", p.protocol, "port", p.port, "failures", p.failures, "err", err)
		retry := mapRetryTime
		switch {
		case p.external == 0:
		case p.failures < mapMaxFailures:
			retry = mapRenewTime
		default:
			m.unmapPort(p)
			m.announce(p, p.port)
		}
		p.due = m.clock.Now().Add(retry)
		return
	}
	p.failures = 0
	if p.external != int(external) {
		m.log.Info("Mapped a port", "protocol", p.protocol, "port", p.port, "external", external, "gateway", m.gateway)
		p.external = int(external)
		m.announce(p, p.external)
	}
	p.due = m.clock.Now().Add(mapRefreshTime)
}

func (m *portMapper) announce(p *portMapping, port int) {
	if p.protocol == "UDP" {
		m.local.SetFallbackUDP(port)
	} else {
		m.local.Set(enr.TCP(port))
	}
}

func (m *portMapper) unmap() {
	for _, p := range m.mappings {
		if p.external != 0 {
			m.unmapPort(p)
		}
	}
}

func (m *portMapper) unmapPort(p *portMapping) {
	if err := m.gateway.DeleteMapping(p.protocol, p.external, p.port); err != nil {
		m.log.Debug("Removing a port mapping failed", "protocol", p.protocol, "port", p.port, "err", err)
	}
	p.external = 0
}

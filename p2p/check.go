package p2p

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/p2p/enode"
)

// maxWeight is the largest Protocol.Weight.
const maxWeight = 16

// maxProtocolLength is the largest Protocol.Length: with it the codes of all protocols of a link fit 64 bits.
const maxProtocolLength = 1 << 32

// checkProtocols returns an error that names every protocol that cannot run.
func (c *Config) checkProtocols() error {
	var all []error
	protocols := c.Protocols
	for i := range protocols {
		err := protocols[i].check()
		if err == nil && c.takenByLanes(protocols[i].cap()) {
			err = errNameOfLanes
		}
		if err != nil {
			all = append(all, fmt.Errorf("Config.Protocols[%d] (%q version %d): %w", i, protocols[i].Name, protocols[i].Version, err))
		}
	}
	return errors.Join(all...)
}

var errNameOfLanes = fmt.Errorf("it has the name of the capability %v, which is no protocol", lanesCap)

// takenByLanes tells whether no protocol may have that name and version: with it our Hello would offer lanes/1 whatever
// NoLanes says, or have a protocol that lanes/1 gives no lane.
func (c *Config) takenByLanes(protocol Cap) bool {
	return protocol == lanesCap || protocol.Name == lanesCap.Name && !c.NoLanes
}

// check returns what is wrong with the protocol, or nil.
func (p *Protocol) check() error {
	switch {
	case p.Name == "":
		return errors.New("it has no Name")
	case p.Run == nil:
		return errors.New("it has no Run function")
	case p.Length == 0:
		return errors.New("its Length is 0, so it has no message codes; set the number that both nodes have for this version")
	case p.Length > maxProtocolLength:
		return fmt.Errorf("its Length is %d, want at most %d", p.Length, uint64(maxProtocolLength))
	case p.Weight < 0 || p.Weight > maxWeight:
		return fmt.Errorf("its Weight is %d, want 0 to %d", p.Weight, maxWeight)
	}
	return nil
}

// shadowedProtocols returns the positions of those protocols that never run because one before has their name and
// version.
func shadowedProtocols(protocols []Protocol) []int {
	var shadowed []int
	seen := make(map[Cap]bool, len(protocols))
	for i := range protocols {
		if c := protocols[i].cap(); seen[c] {
			shadowed = append(shadowed, i)
		} else {
			seen[c] = true
		}
	}
	return shadowed
}

// warnOfShadowed tells the log of protocols that never run.
func (r *runningServer) warnOfShadowed() {
	for _, i := range shadowedProtocols(r.cfg.Protocols) {
		r.cfg.Logger.Warn("Protocol never runs: one before it in Config.Protocols has the same name and version",
			"protocol", r.cfg.Protocols[i].cap(), "position", i)
	}
}

// addStatic has a node dialed from now on. If that can never happen the log says why, as nothing else would.
func (r *runningServer) addStatic(n *enode.Node) {
	if err := r.neverDialed(n); err != nil {
		r.cfg.Logger.Warn("Static node can't be dialed", "node", n.URLv4(), "reason", err)
	}
	r.dialer.addStatic(n)
}

var (
	errNoDial    = errors.New("dialing is off: Config.NoDial is set or Config.MaxPeers is 0")
	errNoFinding = errors.New("it has no IP address and no host name, and discovery v4, which could find it, is off")
)

// neverDialed returns why a static node can't be dialed as long as this server runs, or nil if it may be.
func (r *runningServer) neverDialed(n *enode.Node) error {
	switch {
	case r.srv.MaxDialedConns() == 0:
		return errNoDial
	case n.ID() == r.local.ID():
		return errSelf
	case n.IPAddr().IsValid() || n.Hostname() != "":
		plan := dialPlan{netRestrict: r.cfg.NetRestrict}
		return plan.checkAddr(n.IPAddr(), n.TCP(), n.Hostname())
	case r.disc.v4 == nil:
		return errNoFinding
	}
	return nil
}

package p2p

// NodeInfo describes the local node and what its protocols say of themselves. It is an empty description before Start
// but for the node's identity.
func (srv *Server) NodeInfo() *NodeInfo {
	info := &NodeInfo{Name: srv.Name, Protocols: make(map[string]interface{})}
	if r := srv.running.Load(); r != nil { // before that Start may be setting it
		info.ListenAddr = r.cfg.ListenAddr
	}
	if node := srv.Self(); node != nil {
		info.ID = node.ID().String()
		info.Enode = node.URLv4()
		info.IP = node.IPAddr().String()
		info.ENR = node.String()
		info.Ports.Discovery = node.UDP()
		info.Ports.Listener = node.TCP()
	}
	for i := range srv.Protocols {
		p := &srv.Protocols[i]
		if _, ok := info.Protocols[p.Name]; ok {
			continue // of several versions the first one listed speaks
		}
		info.Protocols[p.Name] = "unknown"
		if p.NodeInfo != nil {
			info.Protocols[p.Name] = p.NodeInfo()
		}
	}
	return info
}

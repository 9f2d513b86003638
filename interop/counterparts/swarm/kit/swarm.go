package kit

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/swarm/network"
	"github.com/ethereum/go-ethereum/swarm/network/stream"
	"github.com/ethereum/go-ethereum/swarm/state"
	"github.com/ethereum/go-ethereum/swarm/storage"
)

// patience is how long commands look for a chunk or a file.
const patience = 2 * time.Minute

// SwarmConfig says what kind of node a Swarm is.
type SwarmConfig struct {
	Key     *ecdsa.PrivateKey
	Dir     string // of the chunks
	Network uint64
	Light   bool
	Sync    bool          // sync with neighbours, not only retrieve
	Delay   time.Duration // before it is decided what to sync
}

// Swarm is bzz, hive and stream over a local chunk store.
type Swarm struct {
	Overlay []byte
	Bzz     *network.Bzz
	chunks  *storage.NetStore
	files   *storage.FileStore
	kad     *network.Kademlia
}

// NewSwarm puts the stack together as that of geth's Swarm is, without names, accounting and the web interface.
func NewSwarm(c SwarmConfig) (*Swarm, error) {
	overlay := crypto.Keccak256(crypto.FromECDSAPub(&c.Key.PublicKey))
	st, err := state.NewDBStore(filepath.Join(c.Dir, "state-store.db"))
	if err != nil {
		return nil, err
	}
	lp := storage.NewDefaultLocalStoreParams()
	lp.Init(c.Dir)
	lp.BaseKey = overlay
	local, err := storage.NewLocalStore(lp, nil)
	if err != nil {
		return nil, err
	}
	local.Validators = []storage.ChunkValidator{storage.NewContentAddressValidator(storage.MakeHashFunc(storage.DefaultHash))}
	chunks, err := storage.NewNetStore(local, nil)
	if err != nil {
		return nil, err
	}
	kad := network.NewKademlia(overlay, network.NewKadParams())
	delivery := stream.NewDelivery(kad, chunks)
	chunks.NewNetFetcherFunc = network.NewFetcherFactory(delivery.RequestFromPeers, true).New
	opts := &stream.RegistryOptions{SkipCheck: true, Retrieval: stream.RetrievalEnabled, Syncing: stream.SyncingDisabled, SyncUpdateDelay: c.Delay}
	if c.Sync {
		opts.Syncing = stream.SyncingAutoSubscribe
	}
	if c.Light {
		opts.Retrieval = stream.RetrievalClientOnly
	}
	var id enode.ID = enode.PubkeyToIDV4(&c.Key.PublicKey)
	reg := stream.NewRegistry(id, delivery, chunks, st, opts, nil)
	bzz := network.NewBzz(&network.BzzConfig{
		OverlayAddr: overlay, NetworkID: c.Network, LightNode: c.Light, HiveParams: network.NewHiveParams(),
	}, kad, st, reg.GetSpec(), reg.Run)
	files := storage.NewFileStore(chunks, storage.NewFileStoreParams())
	return &Swarm{Overlay: overlay, Bzz: bzz, chunks: chunks, files: files, kad: kad}, nil
}

// Start tells hive of the server that runs.
func (s *Swarm) Start(srv *p2p.Server) error {
	s.Bzz.UpdateLocalAddr([]byte(srv.Self().String()))
	return s.Bzz.Start(srv)
}

// Commands are what a console can have a Swarm do:
//
//	put TEXT             store a chunk: PUT hash error
//	get HASH             fetch one, from the peers if need be: GOT "text" error
//	has HASH             is it in the local store: HAS hash true
//	upload PATH          store a file: UPLOADED hash error
//	encrypt PATH         store a file encrypted: UPLOADED hash error
//	download HASH PATH   fetch a file: DOWNLOADED bytes error
//	kad                  show the table of peers
func (s *Swarm) Commands() map[string]func(string) {
	return map[string]func(string){
		"put": func(text string) {
			a, err := s.put([]byte(text))
			Say("PUT %x %v", []byte(a), err)
		},
		"get": func(hash string) {
			b, err := s.get(hash)
			Say("GOT %q %v", b, err)
		},
		"has": func(hash string) {
			b, _ := hex.DecodeString(hash)
			Say("HAS %s %v", hash, s.chunks.Has(context.Background(), b))
		},
		"upload": func(path string) {
			a, err := s.upload(path, false)
			Say("UPLOADED %x %v", []byte(a), err)
		},
		"encrypt": func(path string) {
			a, err := s.upload(path, true)
			Say("UPLOADED %x %v", []byte(a), err)
		},
		"download": func(arg string) {
			n, err := s.download(arg)
			Say("DOWNLOADED %d %v", n, err)
		},
		"kad": func(string) { Say("%s", s.kad.String()) },
	}
}

// put stores one chunk and returns its hash.
func (s *Swarm) put(data []byte) (storage.Address, error) {
	h := storage.MakeHashFunc(storage.DefaultHash)()
	full := make([]byte, 8+len(data))
	binary.LittleEndian.PutUint64(full, uint64(len(data)))
	copy(full[8:], data)
	h.ResetWithLength(full[:8])
	h.Write(full[8:])
	c := storage.NewChunk(h.Sum(nil), full)
	return c.Address(), s.chunks.Put(context.Background(), c)
}

// get fetches a chunk from the local store or the peers.
func (s *Swarm) get(hash string) ([]byte, error) {
	b, err := hex.DecodeString(hash)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := s.chunks.Get(ctx, storage.Address(b))
	if err != nil {
		return nil, err
	}
	return c.Data()[8:], nil
}

// upload splits a file into chunks and stores them.
func (s *Swarm) upload(path string, encrypt bool) (storage.Address, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	addr, wait, err := s.files.Store(context.Background(), f, info.Size(), encrypt)
	if err != nil {
		return nil, err
	}
	return addr, wait(context.Background())
}

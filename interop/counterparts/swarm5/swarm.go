package main

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethersphere/swarm/chunk"
	"github.com/ethersphere/swarm/network"
	"github.com/ethersphere/swarm/network/retrieval"
	"github.com/ethersphere/swarm/network/stream"
	"github.com/ethersphere/swarm/state"
	"github.com/ethersphere/swarm/storage"
	"github.com/ethersphere/swarm/storage/localstore"
)

// patience is how long commands look for a chunk or a file.
const patience = 2 * time.Minute

// config says what kind of node a swarm is.
type config struct {
	key     *ecdsa.PrivateKey
	dir     string // of the chunks
	network uint64
	light   bool
	sync    bool // sync with neighbours, not only retrieve
}

// swarm is the stack as Swarm itself puts it together, without names, accounting, pss and the web interface.
type swarm struct {
	overlay   []byte
	bzz       *network.Bzz
	streamer  *stream.Registry
	retrieval *retrieval.Retrieval
	chunks    *storage.NetStore
	files     *storage.FileStore
}

func newSwarm(c config) (*swarm, error) {
	overlay := crypto.Keccak256(crypto.FromECDSAPub(&c.key.PublicKey))
	addr := network.NewBzzAddr(overlay, nil)
	kad := network.NewKademlia(overlay, network.NewKadParams())
	tags := chunk.NewTags()
	local, err := localstore.New(filepath.Join(c.dir, "chunks"), overlay, &localstore.Options{Tags: tags, PutToGCCheck: kad.IsWithinDepth})
	if err != nil {
		return nil, err
	}
	valid := chunk.NewValidatorStore(local, storage.NewContentAddressValidator(storage.MakeHashFunc(storage.DefaultHash)))
	chunks := storage.NewNetStore(valid, addr)
	ret := retrieval.New(kad, chunks, addr, nil)
	chunks.RemoteGet = ret.RequestFromPeers
	st := state.NewInmemoryStore()
	streamer := stream.New(st, addr, stream.NewSyncProvider(chunks, kad, addr, c.sync && !c.light, false))
	bzz := network.NewBzz(&network.BzzConfig{
		Address: addr, HiveParams: network.NewHiveParams(), NetworkID: c.network, LightNode: c.light, SyncEnabled: c.sync,
	}, kad, st, stream.Spec, ret.Spec(), streamer.Run, ret.Run)
	files := storage.NewFileStore(storage.NewLNetStore(chunks), local, storage.NewFileStoreParams(), tags)
	return &swarm{overlay: overlay, bzz: bzz, streamer: streamer, retrieval: ret, chunks: chunks, files: files}, nil
}

// start tells the stack of the server that runs.
func (s *swarm) start(srv *p2p.Server) error {
	s.bzz.UpdateLocalAddr([]byte(srv.Self().URLv4()))
	if err := s.bzz.Start(srv); err != nil {
		return err
	}
	if err := s.streamer.Start(srv); err != nil {
		return err
	}
	return s.retrieval.Start(srv)
}

func (s *swarm) commands() map[string]func(string) {
	return map[string]func(string){
		"put": func(text string) {
			a, err := s.put([]byte(text))
			say("PUT %x %v", []byte(a), err)
		},
		"get": func(hash string) {
			b, err := s.get(hash)
			say("GOT %q %v", b, err)
		},
		"has": func(hash string) {
			b, _ := hex.DecodeString(hash)
			ok, _ := s.chunks.Has(context.Background(), b)
			say("HAS %s %v", hash, ok)
		},
		"upload": func(path string) {
			a, err := s.upload(path)
			say("UPLOADED %x %v", []byte(a), err)
		},
		"download": func(arg string) {
			n, err := s.download(arg)
			say("DOWNLOADED %d %v", n, err)
		},
	}
}

// put stores one chunk and returns its hash.
func (s *swarm) put(data []byte) (storage.Address, error) {
	h := storage.MakeHashFunc(storage.DefaultHash)()
	full := make([]byte, 8+len(data))
	binary.LittleEndian.PutUint64(full, uint64(len(data)))
	copy(full[8:], data)
	h.Reset()
	h.SetSpanBytes(full[:8])
	_, _ = h.Write(full[8:])
	c := storage.NewChunk(h.Sum(nil), full)
	_, err := s.chunks.Put(context.Background(), chunk.ModePutUpload, c)
	return c.Address(), err
}

// get fetches a chunk from the local store or the peers.
func (s *swarm) get(hash string) ([]byte, error) {
	b, err := hex.DecodeString(hash)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := s.chunks.Get(ctx, chunk.ModeGetRequest, storage.NewRequest(b))
	if err != nil {
		return nil, err
	}
	return c.Data()[8:], nil
}

// upload splits a file into chunks and stores them.
func (s *swarm) upload(path string) (storage.Address, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	addr, wait, err := s.files.Store(context.Background(), f, info.Size(), false)
	if err != nil {
		return nil, err
	}
	return addr, wait(context.Background())
}

// download fetches the file "hash path" and returns its size.
func (s *swarm) download(arg string) (int64, error) {
	words := strings.Fields(arg)
	if len(words) != 2 {
		return 0, fmt.Errorf("download %q: want HASH PATH", arg)
	}
	hash, err := hex.DecodeString(words[0])
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reader, _ := s.files.Retrieve(ctx, storage.Address(hash))
	size, err := reader.Size(ctx, nil)
	if err != nil {
		return 0, err
	}
	f, err := os.Create(words[1])
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return io.Copy(f, io.NewSectionReader(reader, 0, size))
}

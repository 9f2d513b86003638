package eth

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"
)

// Networks lists the names that [Network] knows.
func Networks() []string { return []string{"mainnet", "sepolia", "hoodi"} }

// Network is the chain of a public network by its name: "mainnet", "sepolia" or "hoodi". Its forks are those that
// go-ethereum's package params knows.
func Network(name string) (*ChainConfig, error) {
	switch name {
	case "mainnet":
		return NewChainConfig(name, 1, params.MainnetGenesisHash, 0, params.MainnetChainConfig), nil
	case "sepolia":
		return NewChainConfig(name, 11155111, params.SepoliaGenesisHash, 1633267481, params.SepoliaChainConfig), nil
	case "hoodi":
		return NewChainConfig(name, 560048, params.HoodiGenesisHash, 1742212800, params.HoodiChainConfig), nil
	}
	return nil, fmt.Errorf("no network has the name %q; those that are known are %s", name, strings.Join(Networks(), ", "))
}

// NewChainConfig describes a chain by its genesis block and the configuration that go-ethereum runs it with. The time of
// the genesis block is in seconds since 1970.
func NewChainConfig(name string, networkID uint64, genesis common.Hash, genesisTime uint64, config *params.ChainConfig) *ChainConfig {
	c := &ChainConfig{Name: name, NetworkID: networkID, Genesis: genesis, GenesisTime: genesisTime, Params: config}
	c.BlockForks, c.TimeForks = forksOf(config)
	c.BlockForks = slices.DeleteFunc(c.BlockForks, func(n uint64) bool { return n == 0 })
	c.TimeForks = slices.DeleteFunc(c.TimeForks, func(t uint64) bool { return t <= genesisTime })
	return c
}

// forksOf lists the blocks and the times that a configuration has forks at, ascending and each once. A fork is a field
// whose name ends in Block or Time and whose type is that of a block or a time, so that later ones are found as well.
func forksOf(config *params.ChainConfig) (blocks, times []uint64) {
	v := reflect.ValueOf(config).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch x := v.Field(i).Interface().(type) {
		case *big.Int:
			if strings.HasSuffix(name, "Block") && x != nil {
				blocks = append(blocks, x.Uint64())
			}
		case *uint64:
			if strings.HasSuffix(name, "Time") && x != nil {
				times = append(times, *x)
			}
		}
	}
	slices.Sort(blocks)
	slices.Sort(times)
	return slices.Compact(blocks), slices.Compact(times)
}

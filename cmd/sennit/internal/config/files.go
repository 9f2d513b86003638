package config

import (
	"fmt"
	"os"
)

// CheckFiles returns an error that says of every file which the configuration names and that cannot be opened where it does so;
// also of a file that is to be a directory.
func (c *Config) CheckFiles() error {
	var list mistakes
	if info, err := os.Stat(c.P2P.NodeDatabase); err == nil && !info.IsDir() {
		list.add("p2p.NodeDatabase", "", "is %s, which is a file, want a directory", c.P2P.NodeDatabase)
	}
	if !c.Eth.Enabled {
		return c.from.place(list)
	}
	for _, s := range []struct {
		key, flag string
		files     []string
	}{
		{"eth.Genesis", "eth-genesis", []string{c.Eth.Genesis}},
		{"eth.Chain", "eth-chain", c.Eth.Chain},
		{"eth.Receipts", "eth-receipts", []string{c.Eth.Receipts}},
	} {
		for _, file := range s.files {
			if err := checkFile(file); err != nil {
				list.add(s.key, s.flag, "names a file that cannot be read: %w", err)
			}
		}
	}
	return c.from.place(list)
}

// checkFile returns an error if there is no such file to be read; a name that is empty is fine.
func checkFile(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() // it was only looked for
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory", file)
	}
	return nil
}

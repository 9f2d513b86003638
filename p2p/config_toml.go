package p2p

import "errors"

// DecodeConfig reads a TOML document.
func DecodeConfig(data []byte, c *Config) error { return errors.New("not yet") }

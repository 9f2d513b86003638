package interop

import (
	"os"
	"testing"

	"github.com/sennit-net/sennit/interop/counterparts"
)

func TestMain(m *testing.M) {
	status := m.Run()
	counterparts.RemoveBuilt()
	os.Exit(status)
}

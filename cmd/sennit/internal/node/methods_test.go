package node

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/sennit-net/sennit/admin"
	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/p2p"
)

func TestTheManualNamesEveryMethod(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Node.DataDir = t.TempDir()
	c.Eth.Enabled, c.Shh.Enabled, c.Bzz.Enabled = true, true, true
	services, err := makeServices(&c, log.NewLogger(log.DiscardHandler()))
	if err != nil {
		t.Fatal(err)
	}
	defer stopServices(services)
	apis := admin.APIs(new(p2p.Server))
	for _, s := range services {
		apis = append(apis, s.APIs()...)
	}
	subscription, count := reflect.TypeFor[*rpc.Subscription](), 0
	for _, a := range apis {
		service := reflect.TypeOf(a.Service)
		for i := range service.NumMethod() {
			m := service.Method(i)
			name := strings.ToLower(m.Name[:1]) + m.Name[1:]
			want := "`" + a.Namespace + "_" + name + "`"
			if m.Type.NumOut() > 0 && m.Type.Out(0) == subscription {
				want = "`" + a.Namespace + "_subscribe` with `" + name + "`"
			}
			if count++; !strings.Contains(string(text), want) {
				t.Errorf("docs/operating.md does not name %s", want)
			}
		}
	}
	if count < 30 {
		t.Errorf("there are only %d methods", count)
	}
}

package fence

// module is the path of the main module; every path in the table lies below it.
const module = "github.com/sennit-net/sennit"

const geth = "github.com/ethereum/go-ethereum"

// row says what the packages of one tree may import besides the standard library and their own tree.
type row struct {
	tree    string   // path below the module; a longer tree takes precedence over a shorter one
	own     []string // trees of this module, as named by the tree of their rows
	foreign []string // trees of other modules
}

// table is the house of docs/ARCHITECTURE.md, from the ground up. A package that has no row here is a breach: a new
// package starts with the question on which floor it stands.
var table = []row{
	// Floor 0: pure, no socket.
	{tree: "internal/frame", foreign: []string{geth + "/crypto", "golang.org/x/crypto", "github.com/cloudflare/circl"}},
	{tree: "internal/lanes"},
	{tree: "internal/buffer"},
	{tree: "trace", foreign: []string{geth + "/p2p/enode"}},
	{tree: "internal/shape"}, // for tests and benchmarks only
	{tree: "internal/race"},

	// Floors 1 to 3: connection, link, public API.
	{tree: "p2p/rlpx", own: []string{"internal/frame", "internal/buffer", "trace"}, foreign: dependencies},
	{tree: "internal/link", own: []string{"internal/frame", "internal/lanes", "internal/buffer", "internal/race", "trace", "p2p/rlpx"}, foreign: dependencies},
	{tree: "p2p", own: []string{"internal/frame", "internal/lanes", "internal/buffer", "trace", "p2p/rlpx", "internal/link"}, foreign: dependencies},

	// Floor 4: what uses the public API.
	{tree: "protocols/internal/silence", own: []string{"p2p"}},
	{tree: "protocols/internal/echo", own: []string{"p2p"}}, // for tests only
	{tree: "protocols/eth", own: []string{"p2p", "protocols/internal/silence"}, foreign: dependencies},
	{tree: "protocols/shh", own: []string{"p2p", "protocols/internal/silence"}, foreign: dependencies},
	{tree: "protocols/bzz", own: []string{"p2p", "protocols/internal/silence"}, foreign: dependencies},
	{tree: "capture", own: []string{"trace"}, foreign: dependencies},
	{tree: "admin", own: []string{"p2p", "trace"}, foreign: dependencies},

	// Floor 5: wiring. Nothing internal: what the program can do, a user of the library can do.
	{
		tree:    "cmd/sennit",
		own:     []string{"p2p", "p2p/rlpx", "trace", "protocols/eth", "protocols/shh", "protocols/bzz", "capture", "admin"},
		foreign: dependencies,
	},

	// This package.
	{tree: "internal/fence"},
}

// dependencies are the modules that docs/decisions/0001-dependencies.md settled on. Tests may use more.
var dependencies = []string{
	geth,
	"github.com/Microsoft/go-winio", // the pipe of admin on Windows
	"github.com/cloudflare/circl",   // several Keccak at once, for internal/frame and protocols/bzz
	"github.com/decred/dcrd/dcrec/secp256k1/v4",
	"github.com/golang/snappy",
	"github.com/gopacket/gopacket",
	"github.com/pelletier/go-toml/v2",
	"github.com/prometheus/client_golang",
	"github.com/spf13/cobra",
	"github.com/spf13/pflag", // the flags of cobra
	"go.etcd.io/bbolt",       // the index of protocols/bzz/store
	"golang.org/x/sync",
	"golang.org/x/sys",
	"golang.org/x/term",
	"golang.org/x/time",
}

// replaced are the packages this project takes the place of. Nothing that is shipped may reach them, not even by way of
// somebody else's package.
var replaced = []string{
	geth + "/p2p",
	geth + "/p2p/rlpx",
}

module github.com/sennit-net/sennit/interop/counterparts/swarm

go 1.22

// go-ethereum v1.8.27 has no go.mod, so every dependency is pinned here. The
// proxy answers 403 for bare revisions but serves full pseudo-versions.

require github.com/ethereum/go-ethereum v1.8.27

require github.com/fjl/memsize v0.0.0-00010101000000-000000000000 // indirect

// Exactly the revisions of v1.8.27's vendor/vendor.json.
require (
	github.com/allegro/bigcache v1.2.1-0.20190218064605-e24eb225f156 // indirect
	github.com/aristanetworks/goarista v0.0.0-20170210015632-ea17b1a17847 // indirect
	github.com/btcsuite/btcd v0.0.0-20171128150713-2e60448ffcc6 // indirect
	github.com/codahale/hdrhistogram v0.0.0-20161010025455-3a0bb77429bd // indirect
	github.com/deckarep/golang-set v0.0.0-20180603214616-504e848d77ea // indirect
	github.com/docker/docker v1.4.2-0.20180625184442-8e610b2b55bf // indirect
	github.com/edsrzf/mmap-go v0.0.0-20160512033002-935e0e8a636c // indirect
	github.com/golang/snappy v0.0.0-20170215233205-553a64147049 // indirect
	github.com/hashicorp/golang-lru v0.0.0-20160813221303-0a025b7e63ad // indirect
	github.com/huin/goupnp v0.0.0-20161224104101-679507af18f3 // indirect
	github.com/jackpal/go-nat-pmp v1.0.2-0.20160603034137-1fa385a6f458 // indirect
	github.com/julienschmidt/httprouter v1.1.1-0.20170430222011-975b5c4c7c21 // indirect
	github.com/karalabe/hid v0.0.0-20181128192157-d815e0c1a2e2 // indirect
	github.com/mattn/go-isatty v0.0.5-0.20180830101745-3fb116b82035 // indirect
	github.com/opentracing/opentracing-go v1.0.3-0.20180606204148-bd9c31933947 // indirect
	github.com/pborman/uuid v0.0.0-20170112150404-1b00554d8222 // indirect
	github.com/prometheus/prometheus v1.7.2-0.20170814170113-3101606756c5 // indirect
	github.com/rs/cors v0.0.0-20160617231935-a62a804a8a00 // indirect
	github.com/rs/xhandler v0.0.0-20160618193221-ed27b6fd6521 // indirect
	github.com/syndtr/goleveldb v0.0.0-20181128100959-b001fa50d6b2 // indirect
	github.com/uber/jaeger-client-go v0.0.0-20180607151842-f7e0d4744fa6 // indirect
	github.com/uber/jaeger-lib v0.0.0-20180615202729-a51202d6f4a7 // indirect
	gopkg.in/check.v1 v0.0.0-20161208181325-20d25e280405 // indirect
	gopkg.in/natefinch/npipe.v2 v2.0.0-20160621034901-c1b8fa8bdcce // indirect
)

// Versions that geth v1.9.20's go.mod has (newer than vendored, same API).
require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/go-stack/stack v1.8.0 // indirect
	github.com/golang/protobuf v1.3.2-0.20190517061210-b285ee9cfc6c // indirect
	github.com/mattn/go-colorable v0.1.0 // indirect
	github.com/pkg/errors v0.8.1 // indirect
	github.com/rjeczalik/notify v0.9.1 // indirect
	github.com/stretchr/testify v1.4.0 // indirect
	golang.org/x/crypto v0.0.0-20200622213623-75b288015ac9 // indirect
	golang.org/x/net v0.0.0-20200625001655-4c5254603344 // indirect
	golang.org/x/sync v0.0.0-20181108010431-42b317875d0f // indirect
	golang.org/x/sys v0.0.0-20200323222414-85ca7c5b95cd // indirect
	golang.org/x/text v0.3.2 // indirect
	gopkg.in/olebedev/go-duktape.v3 v3.0.0-20200619000410-60c24ae608a6 // indirect
	gopkg.in/urfave/cli.v1 v1.20.0 // indirect
)

// Only so that "go mod tidy" does not pull the newest into the graph (tests of
// dependencies import them).
require (
	github.com/cespare/cp v0.1.0 // indirect
	github.com/onsi/ginkgo v1.7.0 // indirect
	github.com/onsi/gomega v1.4.3 // indirect
	github.com/uber-go/atomic v1.4.0 // indirect
)

replace github.com/fjl/memsize => ./memsize

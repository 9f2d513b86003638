module github.com/sennit-net/sennit/interop/counterparts/whisper

go 1.26.0

// go-ethereum 1.8.27 has no go.mod, so every dependency is pinned here, as pseudo-versions.

require github.com/ethereum/go-ethereum v1.8.27

require github.com/fjl/memsize v0.0.0-00010101000000-000000000000 // indirect

// The revisions of its vendor/vendor.json.
require (
	github.com/aristanetworks/goarista v0.0.0-20170210015632-ea17b1a17847 // indirect
	github.com/deckarep/golang-set v0.0.0-20180603214616-504e848d77ea // indirect
	github.com/golang/snappy v0.0.0-20170215233205-553a64147049 // indirect
	github.com/huin/goupnp v0.0.0-20161224104101-679507af18f3 // indirect
	github.com/jackpal/go-nat-pmp v1.0.2-0.20160603034137-1fa385a6f458 // indirect
	github.com/rs/cors v0.0.0-20160617231935-a62a804a8a00 // indirect
	github.com/rs/xhandler v0.0.0-20160618193221-ed27b6fd6521 // indirect
	github.com/syndtr/goleveldb v0.0.0-20181128100959-b001fa50d6b2 // indirect
	gopkg.in/natefinch/npipe.v2 v2.0.0-20160621034901-c1b8fa8bdcce // indirect
)

// The versions of go-ethereum 1.9.20, newer than those it vendored, with the same API.
require (
	github.com/go-stack/stack v1.8.0 // indirect
	golang.org/x/crypto v0.0.0-20200622213623-75b288015ac9 // indirect
	golang.org/x/net v0.0.0-20200625001655-4c5254603344 // indirect
	golang.org/x/sync v0.0.0-20181108010431-42b317875d0f // indirect
	golang.org/x/text v0.3.2 // indirect
)

replace github.com/fjl/memsize => ./memsize

package ports_test

import (
	"net"
	"testing"

	"kerf/cmd/topology/ports"
)

func TestAPortIsGivenOnceAndHeldUntilItsOwnerTakesIt(t *testing.T) {
	book := ports.New()
	defer book.Close()
	seen := map[int]bool{}
	for range 50 {
		port, err := book.Take(t.Context())
		if err != nil || seen[port] || port < 10000 || port >= 32768 {
			t.Fatalf("port %d, %v", port, err)
		}
		seen[port] = true
		if _, err := net.Listen("tcp", ports.Address(port)); err == nil {
			t.Fatalf("somebody else could take %d", port)
		}
	}
	for port := range seen {
		book.Release(port)
		book.Release(port)
		listener, err := net.Listen("tcp", ports.Address(port))
		if err != nil {
			t.Fatalf("the owner of %d could not take it: %v", port, err)
		}
		listener.Close()
	}
}

// Package ports finds loopback ports for processes that are not there yet.
package ports

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
)

// Book gives out ports of 127.0.0.1, each once. A port stays its owner's for as long as the Book's process lives: who was given one may let go of it
// and take it again.
//
// The ports come from below the range from which the kernel takes those of outgoing connections. A port from within that range could become
// one end of somebody's connection while its owner is being started again.
type Book struct {
	mu    sync.Mutex
	held  map[int]net.Listener
	given map[int]bool
}

// New makes an empty book.
func New() *Book { return &Book{held: map[int]net.Listener{}, given: map[int]bool{}} }

const lowest = 10000

// Take gives a free port, and keeps it from others until Release.
func (b *Book) Take(ctx context.Context) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	highest := ephemeral()
	for range 1000 {
		port := lowest + rand.IntN(highest-lowest)
		if b.given[port] {
			continue
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", Address(port))
		if err != nil {
			continue
		}
		b.held[port], b.given[port] = listener, true
		return port, nil
	}
	return 0, errors.New("no free port of 127.0.0.1 found in 1,000 tries")
}

// Release lets go of a port, so that its owner can listen there.
func (b *Book) Release(port int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if listener := b.held[port]; listener != nil {
		_ = listener.Close()
		delete(b.held, port)
	}
}

// ReleaseAddress lets go of an address's port, if it is one of the book's.
func (b *Book) ReleaseAddress(address string) {
	if _, text, err := net.SplitHostPort(address); err == nil {
		if port, err := strconv.Atoi(text); err == nil {
			b.Release(port)
		}
	}
}

// Gave tells whether an address's port is one of the book's.
func (b *Book) Gave(address string) bool {
	_, text, err := net.SplitHostPort(address)
	port, errPort := strconv.Atoi(text)
	b.mu.Lock()
	defer b.mu.Unlock()
	return err == nil && errPort == nil && b.given[port]
}

// Close lets go of all ports.
func (b *Book) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for port, listener := range b.held {
		_ = listener.Close()
		delete(b.held, port)
	}
}

// Address is a port of 127.0.0.1, for a network's dialer.
func Address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// ephemeral is the first port that the kernel gives to outgoing connections.
func ephemeral() int {
	var first, last int
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 32768 // Linux's default; others begin higher
	}
	if _, err := fmt.Sscan(string(text), &first, &last); err != nil || first <= lowest+1000 {
		return 32768
	}
	return first
}

package lab

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"
)

// slot is a run to be made.
type slot struct {
	arm             string
	block, position int // from 1
	seed            uint64
}

// schedule puts the runs of an experiment in order. There are as many blocks as the arm with the most runs has; arms with fewer are in blocks spread
// evenly. Every second block has the reverse order of the one before it, which is drawn: A B, B A, so that drift within two blocks harms both
// alike. The order depends on seed and experiment only, and so is the same when an interrupted experiment goes on.
func schedule(p Planned, seed uint64) []slot {
	random := rand.New(rand.NewPCG(seed, hash(p.ID)))
	blocks := p.blocks()
	in := map[string][]int{}
	for _, arm := range p.Arms {
		in[arm.Name] = spread(p.Runs[arm.Name], blocks)
	}
	order := make([]string, len(p.Arms))
	var slots []slot
	for block := 1; block <= blocks; block++ {
		if block%2 == 1 {
			for i, arm := range random.Perm(len(p.Arms)) {
				order[i] = p.Arms[arm].Name
			}
		} else {
			slices.Reverse(order)
		}
		load := random.Uint64()
		position := 0
		for _, arm := range order {
			if slices.Contains(in[arm], block) {
				position++
				slots = append(slots, slot{arm: arm, block: block, position: position, seed: load})
			}
		}
	}
	return slots
}

func (p Planned) blocks() int {
	most := 0
	for _, runs := range p.Runs {
		most = max(most, runs)
	}
	return most
}

// spread gives the blocks, from 1, that so many runs are in.
func spread(runs, blocks int) []int {
	in := make([]int, runs)
	for i := range in {
		in[i] = (2*i+1)*blocks/(2*runs) + 1
	}
	return in
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s)) // never fails
	return h.Sum64()
}
